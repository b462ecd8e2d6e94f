"""``open_dataset``: a table in files, parsed once and read as a memory map."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._rows import MappedRows, Rows
from . import cache as caches
from .csv_errors import Text
from .first_pass import POLICIES
from .pieces import Skipped
from .source import find_files, fingerprint, names_files, open_sources
from .statistics import ColumnStatistics
from .table import Question, open_reader, parse
from .table_readers import ArrayReader, array_source
from .wording import FileError, argument, need

Progress = Callable[[str, int, int], None]


@dataclass
class Dataset:
    """A table in files: its rows as they are clustered, and what is known about them.

    A context manager: leaving it, or ``close``, drops temporary files.

    Attributes
    ----------
    rows : Rows
        The rows, float32 or float64, as a memory map; ``rows.shape`` is
        ``(n_samples, n_features)``.
    names : list of str
        The columns that are clustered, in order.
    weights : ndarray of shape (n_samples,), float64, or None
        A memory map of the column of weights.
    statistics : ColumnStatistics
        Per column, in the units of the file.
    sample : ndarray of shape (m, n_features)
        Some of ``rows``, every one as likely, in their order.
    n_source_rows : int
        Rows in the files, those that were dropped or skipped included.
    kept : ndarray of shape (n_source_rows,), bool, or None
        A memory map: which rows of the files ``rows`` are; None for all.
    shift, scale : ndarray of shape (n_features,), float64
        ``rows * scale + shift`` are the values of the file; zeros and ones without
        ``standardize``.
    id_column : str or None
        The column of ``id_batches``.
    text : dict
        For each column that was left out because it holds text, where it does.
    empty : list of str
        Columns that were left out because they hold no values.
    n_skipped : int
        Rows that could not be read (``bad_rows="skip"``); see ``skipped``.
    named : bool
        Whether the columns have names of their own, and not just x1, x2, ...
    folder : Path
        The folder of the parsed table.
    reused : bool
        Whether it had been parsed before.
    """

    rows: Rows
    names: list[str]
    weights: NDArray[np.float64] | None
    statistics: ColumnStatistics
    sample: NDArray[Any]
    n_source_rows: int
    kept: NDArray[np.bool_] | None
    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    id_column: str | None
    text: dict[str, Text]
    empty: list[str]
    n_skipped: int
    named: bool
    folder: Path
    reused: bool = False
    _remove: Callable[[], Any] | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns that are clustered."""
        return self.rows.shape

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop temporary files; arrays that are still in use stay readable."""
        if self._remove is not None:
            self._remove()

    def id_batches(self) -> Iterator[Any]:
        """Yield the ids of all source rows, in order, as pyarrow arrays.

        A row that was skipped, and whose id could not be read, has a null.
        """
        if not self.has_ids:
            raise ValueError("the dataset has no column of ids: name one by id_column.")
        pa, ipc = need("pyarrow"), need("pyarrow.ipc")
        with pa.memory_map(str(self.folder / "ids.arrow")) as file:
            reader = ipc.open_file(file)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i).column(0)

    @property
    def has_ids(self) -> bool:
        """Whether there is a column of ids."""
        return self.id_column is not None

    @property
    def skipped(self) -> Iterator[Skipped]:
        """Yield the rows that could not be read: file, place, reason, text."""
        return caches.read_skipped(self.folder / "skipped.jsonl")


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
    dtype: Any = "float32",
    cache: str | os.PathLike[str] | None = None,
    memory_limit: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Open a table of any size: it is parsed once, then read as a memory map.

    Memory does not grow with the table, neither here nor in ``KMeans.fit(dataset)``.

    Parameters
    ----------
    sources : path, list of paths, or iterable of arrays
        CSV files, plain or packed by gzip or zstd; Parquet, Arrow (file or stream) and .npy
        files; a pipe; a folder of such files.  What a file is, is told by its first bytes.
        Arrays, or data frames, may come from any iterable, each with some of the rows.
    columns : sequence of str, optional
        The columns to cluster, in this order; by default all that hold numbers.
    exclude : sequence of str
        Columns to leave out.
    id_column : str, optional
        A column to carry along, unchanged; see ``Dataset.id_batches``.
    weight_column : str, optional
        A column of weights of the rows.
    missing : {"error", "drop", "mean", "zero"}
        What becomes of a row that lacks a value: it is refused, left out, or the value
        is taken to be the mean of its column, or zero.
    bad_rows : {"error", "skip"}
        What becomes of a row that cannot be read (too few or too many values, text in a
        column of numbers, an infinite value): it is refused, or left out and logged.
    na : str or sequence of str
        A further value, or several, that mean missing, besides NA, NaN, null and the like.
    standardize : bool
        Whether to bring every column to mean 0 and standard deviation 1.
    delimiter, decimal, encoding : str
        How CSV is written.
    header : bool
        Whether the first line names the columns; else they are x1, x2, ...
    dtype : {"float32", "float64", "auto"}
        The type of the rows; ``"auto"`` takes float32 if no column needs more.
    cache : path, optional
        A folder to keep the parsed table in.  It is used again if sources, columns and
        policies are the same and no file has changed; what came out of a pipe or an
        iterable cannot be told again, and ``Dataset.close`` removes it.  By default a
        temporary folder (see ``tempfile.gettempdir``) that ``Dataset.close`` removes.
    memory_limit : int, optional
        Bytes that the process is meant to stay within: ``KMeans.fit`` keeps what saves it
        distances only where that fits.
    progress : callable, optional
        Called as ``progress(phase, done, total)``: phase "parsing" counts bytes of the
        files, phase "finishing" rows.

    Returns
    -------
    Dataset

    Raises
    ------
    FileError
        A ``ValueError`` that names file, row, column and value.
    PathError
        A ``FileError`` and ``OSError``: a file that is missing or closed, a full disk.
    MissingExtra
        An ``ImportError``, if pyarrow is not installed.
    """
    question = Question(
        _names(columns, "columns"), _names(exclude, "exclude") or [], id_column, weight_column,
        missing, bad_rows, _missing_values(na), bool(standardize), delimiter,
        decimal, encoding, bool(header), "auto" if dtype == "auto" else np.dtype(dtype).name,
    )  # fmt: skip
    _check(question)
    arrays = None if names_files(sources) else sources
    paths = find_files(sources) if arrays is None else []
    temporary = cache is None
    parent = Path(tempfile.mkdtemp(prefix="fastkmeans-")) if cache is None else Path(cache)
    try:
        folder, reused, again = _folder(paths, arrays, parent, question, temporary, progress)
        meta = caches.load_meta(folder)
    except BaseException:
        if temporary:
            shutil.rmtree(parent, ignore_errors=True)
        raise
    dataset = _load(folder, meta, memory_limit)
    dataset.reused = reused
    if not again:
        useless = parent if temporary else folder
        dataset._remove = weakref.finalize(dataset.rows, shutil.rmtree, useless, ignore_errors=True)
    return dataset


def _names(given: Sequence[str] | None, what: str) -> list[str] | None:
    if isinstance(given, str):
        raise TypeError(f"{what} must be a list of names, got the text {given!r}.")
    return None if given is None else [str(name) for name in given]


def _missing_values(na: str | Sequence[str]) -> list[str]:
    values = [na] if isinstance(na, str) else list(na)
    for value in values:
        if not isinstance(value, str):
            raise TypeError(
                f"na must hold values as they are written, as text: {str(value)!r}, not {value!r}."
            )
    return sorted({value.strip() for value in values})


def _check(question: Question) -> None:
    choices = {
        "missing": POLICIES, "bad_rows": ("error", "skip"), "dtype": ("float32", "float64", "auto"),
    }  # fmt: skip
    for name, allowed in choices.items():
        if getattr(question, name) not in allowed:
            raise ValueError(
                f"{name} must be one of {', '.join(map(repr, allowed))}, "
                f"got {getattr(question, name)!r}."
            )
    delimiter, decimal = question.delimiter, question.decimal
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise ValueError(f"delimiter must be a single ASCII character, got {delimiter!r}.")
    if decimal not in (".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {decimal!r}.")
    if decimal == delimiter:
        raise FileError(
            f"{argument('decimal')} and {argument('delimiter')} are both {decimal!r}: numbers "
            f"with a decimal comma need another delimiter, say {argument('delimiter', ';')}"
        )


def _folder(
    paths: list[Path],
    arrays: Any,
    parent: Path,
    question: Question,
    temporary: bool,
    progress: Any,
) -> tuple[Path, bool, bool]:
    """Return the folder of the parsed table, whether it was there before, may be used again."""
    with caches.blamed_on(parent):
        parent.mkdir(parents=True, exist_ok=True)
    partial = caches.Partial(parent)
    try:
        opened = open_sources(paths, partial.path) if arrays is None else [array_source()]
        again = not temporary and all(source.rewinds for source in opened)
        name = caches.entry_name(opened, question._asdict()) if again else partial.path.name[1:]
        entry = parent / name
        if again and caches.read_meta(entry, opened, question._asdict()) is not None:
            partial.remove()
            return entry, True, again
        before = [fingerprint(source) for source in opened]
        if arrays is None:
            readers = [open_reader(source, question) for source in opened]
        else:
            readers = [ArrayReader(opened[0], arrays)]
        meta = parse(readers, partial.path, question, progress)
        if before != [fingerprint(source) for source in opened]:
            raise FileError(f"{paths[0]}: a file changed while it was read: try again")
        for source in opened:
            if source.kept.parent == partial.path:
                source.kept.unlink()
        with caches.blamed_on(parent):
            caches.write_meta(
                partial.path, {"question": question._asdict(), "sources": before} | meta
            )
        return partial.publish(entry), False, again
    except BaseException:
        partial.remove()
        raise


def _load(folder: Path, meta: Any, memory_limit: int | None) -> Dataset:
    """Return the dataset of a complete folder."""

    def mapped(name: str) -> Any:
        path = folder / name
        return np.load(path, mmap_mode="r").view(np.ndarray) if path.exists() else None

    statistics = ColumnStatistics(
        **{name: np.array(values) for name, values in meta["statistics"].items()}
    )
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    if hasattr(mmap, "MADV_SEQUENTIAL"):  # a fit from a cold disk takes two thirds
        rows.base.madvise(mmap.MADV_SEQUENTIAL)
    return Dataset(
        rows=MappedRows(rows, folder, memory_limit),
        names=meta["names"],
        weights=mapped("weights.npy"),
        statistics=statistics,
        sample=np.load(folder / "sample.npy"),
        n_source_rows=meta["n_source_rows"],
        kept=mapped("kept.npy"),
        shift=np.array(meta["shift"]),
        scale=np.array(meta["scale"]),
        id_column=meta["question"]["id_column"],
        text={name: Text(*text) for name, text in meta["text"].items()},
        empty=meta["empty"],
        n_skipped=meta["n_skipped"],
        named=meta["named"],
        folder=folder,
    )
