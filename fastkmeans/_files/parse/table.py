"""Several files as one table: which columns it has, and the first pass over it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._runtime.extras import need
from ..._runtime.text import shown
from ..cache import blamed_on, check_room
from ..digits import warn_of_lost_digits
from ..errors import FileError, argument, warn
from ..options import Question
from ..readers.csv import CsvReader
from ..readers.csv_blocks import MISSING, Dialect
from ..readers.csv_errors import Text, TextFound, refuse_nothing, refuse_text
from ..readers.pieces import Reader, Wanted
from ..readers.typed import ArrayReader, ArrowReader
from ..sources import Source, choose
from .finish import finish
from .first_pass import FirstPass

Progress = Callable[[str, int, int], None]

_CHECK_EVERY = 1 << 26  # bytes written between two checks of the free disk space


def parse(
    readers: Sequence[Reader], folder: Path, question: Question, progress: Progress | None
) -> dict[str, Any]:
    """Write the files of a table into ``folder``; return its metadata."""
    label = readers[0].source.path
    names = choose(
        label, readers[0].names, question.columns, _excluded(readers[0], question),
        question.id_column, question.weight_column,
    )  # fmt: skip
    wanted = Wanted(
        names, question.id_column, question.weight_column, _dtype(readers, names, question),
        question.bad_rows == "skip", question.columns is not None,
    )  # fmt: skip
    _check_columns(readers, wanted)
    text: dict[str, Text] = {}
    for reader in readers:
        found = reader.text(wanted)
        if reader is not readers[0]:  # earlier files hold numbers: warn
            found = {name: at._replace(first=False) for name, at in found.items()}
        text = found | text
    while True:
        for name, at in text.items():
            if wanted.asked or name == wanted.weight_column:
                refuse_text(name, at, asked=name in wanted.names and wanted.asked)
        names = [name for name in names if name not in text]
        if not names:
            refuse_nothing(label, readers[0].names, text)
        with blamed_on(folder.parent):
            first = FirstPass(folder, wanted._replace(names=names), question.missing)
        try:
            _read(readers, first, folder, progress)
            if not first.n_source:
                _refuse_no_rows(readers[0], question)
            with blamed_on(folder.parent):
                meta, sample = finish(first, label, question.standardize, progress)
            break
        except TextFound as late:
            text |= late.text
        finally:
            with blamed_on(folder.parent):
                first.close()
    _warn_of_text(text)
    if question.dtype == "float32":
        warn_of_lost_digits(readers, first.wanted.names, first.reservoir.result())
    with blamed_on(folder.parent):
        np.save(folder / "sample.npy", sample)
        if first.n_kept == first.n_source:
            first.kept.path.unlink()
    meta |= {"text": text, "n_source_rows": first.n_source, "n_skipped": first.log.n}
    return meta | {"named": all(reader.named for reader in readers)}


def _excluded(reader: Reader, question: Question) -> list[str]:
    """Return the columns to leave out; an empty name means all columns without a name."""
    excluded: list[str] = []
    for name in question.exclude:
        excluded += [name] if name.strip() or not reader.nameless else reader.nameless
    return excluded


def open_reader(source: Source, question: Question) -> Reader:
    """Return the reader of a file."""
    if source.format == "npy":
        return ArrayReader(source)
    need("pyarrow")
    if source.format != "csv":
        return ArrowReader(source)
    dialect = Dialect(
        question.delimiter, question.decimal, question.encoding, question.header,
        MISSING | set(question.na),
    )  # fmt: skip
    return CsvReader(source, dialect)


def _dtype(readers: Sequence[Reader], names: list[str], question: Question) -> np.dtype[Any]:
    if question.dtype != "auto":
        return np.dtype(question.dtype)
    return max((reader.dtype(names) for reader in readers), key=lambda dtype: dtype.itemsize)


def _check_columns(readers: Sequence[Reader], wanted: Wanted) -> None:
    """Raise if a file lacks a column that the first one has."""
    needed = [*wanted.names, wanted.id_column, wanted.weight_column]
    for reader in readers[1:]:
        for name in needed:
            if name is not None and (times := reader.names.count(name)) != 1:
                out = "" if name in readers[0].nameless else name
                raise FileError(
                    f"{reader.source.path} has {times or 'no'} columns {shown(name)}, and "
                    f"{readers[0].source.path} has one: leave it out with "
                    f"{argument('exclude', out)}, or correct the file"
                )


def _read(readers: Sequence[Reader], first: FirstPass, folder: Path, progress: Any) -> None:
    """Do the first pass."""
    sizes = [reader.source.size for reader in readers]
    total, before, checked = sum(sizes), 0, -_CHECK_EVERY
    for reader, size in zip(readers, sizes, strict=True):
        for piece in reader.pieces(first.wanted):
            first.add(reader.source, piece)
            done = before + piece.read
            written = first.rows.n_rows * first.rows.row_bytes
            if written - checked >= _CHECK_EVERY:
                check_room(folder.parent, written * (total / max(1, done) - 1.0))
                checked = written
            if progress is not None:
                progress("parsing", done, total)
        before += size


def _refuse_no_rows(reader: Reader, question: Question) -> None:
    what = "has no rows"
    if question.header and isinstance(reader, CsvReader):
        what = f"has a header (line {reader.header_line}) but no rows of data"
    raise FileError(f"{reader.source.path} {what}")


def _warn_of_text(text: dict[str, Text]) -> None:
    """Warn of columns that first hold text after the first row: the user may not know."""
    for name, found in text.items():
        if not found.first:
            way_out = f" ({argument('na', found.value[:40])} would read it as missing)"
            warn(
                f"skipped column {shown(name)}: {found.place} of {found.file} holds "
                f"{shown(found.value)}, which is no number{'' if found.typed else way_out}",
                stacklevel=5,
            )
