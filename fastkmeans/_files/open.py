"""``open_dataset``: from options and files to a parsed and mapped table."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._runtime.disk import Temporary
from .cache import Entry, Parsed, blamed_on, write_meta
from .dataset import Dataset, load
from .errors import FileError
from .options import Question, check, missing_values, names_of
from .parse.table import Progress, open_reader, parse
from .readers.typed import ArrayReader, array_source
from .sources import contents, find_files, fingerprint, names_files, open_sources


def open_dataset(
    sources: Any,
    *,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    id_column: str | None = None,
    weight_column: str | None = None,
    missing: str = "error",
    bad_rows: str = "error",
    na: str | Sequence[str] = (),
    standardize: bool = False,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
    header: bool = True,
    dtype: Any = "auto",
    cache: str | os.PathLike[str] | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Open a table of any size: it is parsed once, then read as a memory map.

    Memory does not grow with the table, here and in ``KMeans.fit(dataset)``.

    Parameters
    ----------
    sources : path, list of paths, or iterable of arrays
        CSV files, plain or packed by gzip or zstd; Parquet, Arrow (file or stream) and .npy
        files; a pipe; a folder of such files.  The first bytes of a file show its format.
        An iterable gives arrays or data frames, each with some of the rows.
    columns : sequence of str, optional
        The columns to cluster, in this order; by default all that hold numbers.
    exclude : sequence of str
        Columns to leave out.  An empty name stands for all columns without a name.  If a
        CSV file has several such columns, they are called x1, x2, ... by their place.
    id_column : str, optional
        A column to keep unchanged; see ``Dataset.id_batches``.
    weight_column : str, optional
        A column of weights, which a fit uses as its ``sample_weight``.  A fit with both
        raises a ``ValueError``.
    missing : {"error", "drop", "mean", "zero"}
        What to do if a row lacks a value: raise, drop the row, or fill in the mean of the
        column, or zero.
    bad_rows : {"error", "skip"}
        What to do if a row cannot be read (too few or too many values, text in a column of
        numbers, an infinite value): raise, or skip the row and log it.
    na : str or sequence of str
        Further values that mean missing, besides NA, NaN, null and the like.
    standardize : bool
        Whether to scale every column to mean 0 and standard deviation 1.
    delimiter, decimal, encoding : str
        The form of CSV.  If the first line of a file is ``sep=;``, as spreadsheets write it,
        that line names the file's delimiter, whatever ``delimiter`` is.
    header : bool
        Whether the first line names the columns; else they are x1, x2, ...
    dtype : {"auto", "float32", "float64"}
        The type of the rows.  ``"auto"`` keeps all digits: float32 if the files hold
        float32, else float64.  float32 takes half the space and keeps seven digits.  A
        ``FileWarning`` names a column whose values then no longer differ.
    cache : path, optional
        A folder to keep the parsed table in.  The table is used again if sources and options
        are the same and no file has changed.  A table from a pipe or an iterable cannot be
        found again, and ``Dataset.close`` removes it.  The cache keeps the four tables of the
        same files that were used last, and those in use.  By default a temporary folder (see
        ``tempfile.gettempdir``) that ``Dataset.close`` removes.
    memory_limit : int, optional
        Bytes that the process should stay within.  ``KMeans.fit`` keeps state that saves
        distances only if it fits, and refuses an ``algorithm`` that does not fit.
    progress : callable, optional
        Called as ``progress(phase, done, total)``.  Phase "parsing" counts bytes of the files,
        phase "finishing" rows.

    Returns
    -------
    Dataset

    Raises
    ------
    FileError
        A ``ValueError`` that names file, row, column and value.
    PathError
        A ``FileError`` and ``OSError``: a missing or unreadable file, a full disk.
    MissingExtra
        An ``ImportError``, if pyarrow is not installed.
    """
    question = Question(
        names_of(columns, "columns"), names_of(exclude, "exclude") or [], id_column, weight_column,
        missing, bad_rows, missing_values(na), bool(standardize), delimiter,
        decimal, encoding, bool(header), "auto" if dtype == "auto" else np.dtype(dtype).name,
    )  # fmt: skip
    check(question)
    folder = None if cache is None else Path(cache)
    return load(_parsed(sources, question, folder, progress), memory_limit)


def _parsed(
    sources: Any, question: Question, cache: Path | None, progress: Progress | None
) -> Parsed:
    """Find the parsed table in the cache, or parse it."""
    arrays = None if names_files(sources) else sources
    paths = find_files(sources) if arrays is None else []
    with blamed_on(cache or Path(tempfile.gettempdir())):
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)
        temporary = Temporary(cache)
    try:
        opened = open_sources(paths, temporary.path) if arrays is None else [array_source()]
        before = [fingerprint(source) for source in opened]
        entry = None
        if cache is not None and all(source.rewinds for source in opened):
            entry = Entry(cache, question._asdict(), before)
            if (found := entry.find()) is not None:
                temporary.remove()
                return found
        readers: list[Any] = [ArrayReader(opened[0], arrays)] if arrays is not None else []
        readers = readers or [open_reader(source, question) for source in opened]
        meta = parse(readers, temporary.path, question, progress)
        if contents(before) != contents(fingerprint(source) for source in opened):
            raise FileError(f"{paths[0]}: a file changed while it was read: try again")
        for source in opened:
            if source.kept.parent == temporary.path:
                source.kept.unlink()
        with blamed_on(temporary.path.parent):
            asked = {"question": question._asdict(), "sources": before}
            meta = write_meta(temporary.path, asked | meta)
        if entry is not None:
            return entry.keep(temporary, meta)
        return Parsed(temporary.path, meta, temporary.remove)
    except BaseException:
        temporary.remove()
        raise
