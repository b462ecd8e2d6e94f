"""A CSV file read row by row, with Python's own `csv` module: slow, but it knows every place.

Rows are counted from 1, the first row of data; lines as an editor counts them, header included.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from _shared import UserError, shown

SNIFFED_ROWS = 1000
BLOCK_BYTES = 1 << 20  # what pyarrow parses at a time; a row must fit
MOST_BLOCK_BYTES = 1 << 28
# What pyarrow takes for a missing value (its own list, so that both readings agree).
MISSING = frozenset(
    [
        *("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null"),
        *("#NA", "#N/A", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    ]
)
FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"%PDF": "a PDF file",
}


class Row(NamedTuple):
    """One row of data and where it stands in the file."""

    number: int
    line: int
    fields: list[str]
    raw: str

    @property
    def place(self) -> str:
        return f"row {self.number} (line {self.line})"

    @property
    def unclosed(self) -> bool:
        """Whether the row runs over several lines because a quote was never closed."""
        return self.raw.count("\n") > 1 and self.raw.count('"') % 2 == 1


@contextlib.contextmanager
def kept_file(path: Path) -> Iterator[Path]:
    """Give a file that can be read again and again: `path` itself, or a copy of what a pipe holds.

    A table is read more than once, to learn its columns and to find the place of a mistake. On
    macOS /dev/stdin goes on where its last reader stopped, even if it is a file.
    """
    rewinds = path.is_file() and path.parent not in (Path("/dev"), Path("/dev/fd"))
    if rewinds:
        yield path
    elif path.is_file() or path.is_fifo():
        with tempfile.NamedTemporaryFile(prefix="cluster_csv-") as copy:
            try:
                with open(path, "rb") as pipe:
                    shutil.copyfileobj(pipe, copy)
                copy.flush()
            except OSError as error:
                raise UserError(
                    f"the data of {path} could not be kept in {tempfile.gettempdir()}: "
                    f"{error.strerror or error}; name a roomier folder in TMPDIR, or give a file"
                ) from None
            yield Path(copy.name)
    else:
        raise UserError(f"{path} is neither a file nor a pipe: save the table to a file first")


@dataclass(frozen=True)
class Source:
    """A CSV file and how it is written.

    Attributes
    ----------
    path
        The file by the name that messages show.
    kept
        The file that is read, any number of times: the same one, or what came out of a pipe.
    """

    path: Path
    kept: Path
    delimiter: str = ","
    encoding: str = "utf-8"
    missing: frozenset[str] = MISSING

    @property
    def utf8(self) -> bool:
        """Whether the text needs no conversion."""
        return self.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "ascii", "us-ascii")

    def _starts_with(self, magic: bytes) -> bool:
        with open(self.kept, "rb") as file:
            return file.read(len(magic)) == magic

    @property
    def zipped(self) -> bool:
        """Whether the file is packed by gzip, whatever its name."""
        return self._starts_with(b"\x1f\x8b")

    @property
    def foreign_format(self) -> str | None:
        """What the file is, where that is known not to be CSV."""
        return next((what for magic, what in FOREIGN.items() if self._starts_with(magic)), None)

    def unpacked_bytes(self) -> int:
        """Return the size of the text: exactly, or a guess for gzip files over 4 GB."""
        size = self.kept.stat().st_size
        if not self.zipped:
            return size
        with open(self.kept, "rb") as file:
            file.seek(-4, os.SEEK_END)
            return max(size, int.from_bytes(file.read(4), "little"))

    def rows(self) -> Iterator[Row]:
        """Yield the rows, the header as number 0; blank lines do not count as rows."""
        opener: Callable[..., IO[str]] = gzip.open if self.zipped else open
        text = opener(
            self.kept,
            "rt",
            encoding="utf-8-sig" if self.utf8 else self.encoding,
            errors="surrogateescape" if self.utf8 else "strict",
            newline="",
        )
        raw: list[str] = []

        def lines(file: Iterable[str]) -> Iterator[str]:
            for line in file:
                raw.append(line)
                yield line

        csv.field_size_limit(sys.maxsize)
        number, before = 0, 0
        with text as file:
            reader = csv.reader(lines(file), delimiter=self.delimiter)
            for fields in reader:
                if fields:
                    yield Row(number, before + 1, fields, "".join(raw))
                    number += 1
                before = reader.line_num
                raw.clear()

    def find(self, wanted: Callable[[Row], bool]) -> Row | None:
        """Return the first row of data for which `wanted` holds."""
        return next((row for row in self.rows() if row.number and wanted(row)), None)

    def place(self, number: int) -> str:
        """Return the row number with its line in the file."""
        row = self.find(lambda row: row.number == number)
        return row.place if row else f"row {number}"


class Text(NamedTuple):
    """The first value of a column that is not a number."""

    row: Row
    value: str


def sniff(
    source: Source, header: list[str], names: list[str], *, start: int = 1
) -> dict[str, Text]:
    """Look through some rows for the first text value of each column."""
    text: dict[str, Text] = {}
    positions = {name: header.index(name) for name in names}
    for row in source.rows():
        if row.number >= start + SNIFFED_ROWS:
            break
        if row.number < start or len(row.fields) != len(header):
            continue  # a ragged row is pyarrow's to complain about
        for name, position in positions.items():
            value = row.fields[position].strip()
            if name not in text and value not in source.missing and not _is_number(value):
                check_closed(source, row)
                text[name] = Text(row, value)
    return text


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value


def check_closed(source: Source, row: Row) -> bool:
    if row.unclosed:
        raise UserError(
            f'{source.path}: {row.place} opens a quote (") that is never closed, so the '
            f"rest of the file became one value: {shown(row.fields[-1])}; close it or double it"
        )
    return False
