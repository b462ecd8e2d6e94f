"""The text of a CSV file, as blocks of whole rows, or row by row.

pyarrow parses several blocks at a time.  A block that it refuses is read again row by row with
Python's ``csv`` module, which is slow but gives the place of every row.
"""

import codecs
import contextlib
import csv
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..._runtime.extras import need
from ..._runtime.text import shown
from ..errors import FileError, argument
from ..options import is_delimiter
from ..sources import Source

BLOCK_BYTES = 1 << 21
"""Bytes of a block.  It decides how sums are grouped, so it must not depend on the memory or the
number of threads."""
MOST_BLOCK_BYTES = 1 << 26
"""Bytes of the longest row."""
_FIRST_LINE = 1 << 12  # bytes that are searched for a ``sep=`` line
MISSING = frozenset(
    [
        *("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null"),
        *("#NA", "#N/A", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    ]
)
"""Values that mean missing: the list of pyarrow, so that both ways of reading agree."""


@dataclass(frozen=True)
class Dialect:
    """The form of CSV; the first ``preamble`` bytes, a line ``sep=;``, are left out."""

    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    header: bool = True
    missing: frozenset[str] = MISSING
    preamble: int = 0

    @property
    def utf8(self) -> bool:
        """Whether the text needs no conversion."""
        return self.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "ascii", "us-ascii")

    def is_number(self, value: str) -> bool:
        """Return whether a value is a number."""
        if self.decimal != ".":
            value = "," if "." in value else value.replace(self.decimal, ".")
        try:
            float(value)
        except ValueError:
            return False
        return "_" not in value


class Row(NamedTuple):
    """One row and its place; rows of data count from 1, lines as in an editor."""

    number: int
    line: int
    fields: list[str]
    raw: str

    @property
    def place(self) -> str:
        return f"row {self.number} (line {self.line})"

    @property
    def unclosed(self) -> bool:
        """Whether the row covers several lines because a quote was never closed."""
        return self.raw.count("\n") > 1 and self.raw.count('"') % 2 == 1


class Block(NamedTuple):
    """Whole rows of UTF-8 text, and the place in the file where they end."""

    data: bytes
    read: int  # bytes of the file on disk, read so far
    closed: bool  # False if the file ends inside quotes


@contextlib.contextmanager
def readable(source: Source, dialect: Dialect) -> Iterator[None]:
    """Turn errors of damaged or wrongly decoded files into a ``FileError``."""
    try:
        with contextlib.suppress(UnicodeError):
            "".encode(dialect.encoding)  # a look-up is not enough: the codec "hex" is not for text
    except (LookupError, ValueError) as error:
        raise FileError(f"{argument('encoding', dialect.encoding)}: {error}") from None
    try:
        yield
    except FileError:
        raise
    except UnicodeError as error:
        raise FileError(
            f"{source.path} is not written in {dialect.encoding} ({error}): name another "
            f"encoding with {argument('encoding')}"
        ) from None
    except (EOFError, OSError, csv.Error) as error:
        raise FileError(f"{source.path} is damaged or incomplete: {error}") from None


def _pieces(source: Source, dialect: Dialect) -> Iterator[tuple[bytes, int]]:
    """Yield the text in UTF-8, without byte order mark and preamble, and the bytes read."""
    decoder = codecs.getincrementaldecoder(dialect.encoding)()
    begun, skip = False, dialect.preamble
    pa = need("pyarrow")
    with pa.OSFile(str(source.kept)) as raw:
        file = pa.CompressedInputStream(raw, source.packed) if source.packed else raw
        while True:
            data = file.read(BLOCK_BYTES)
            ended = not data
            if not dialect.utf8:
                data = decoder.decode(data, ended).encode("utf-8")
            if not begun and data:
                data, begun = data.removeprefix(codecs.BOM_UTF8), True
            data, skip = data[skip:], max(0, skip - len(data))
            if data:
                yield data, raw.tell()
            if ended:
                return


def with_separator_line(source: Source, dialect: Dialect) -> Dialect:
    """Return the dialect of a file: a first line ``sep=;`` names its delimiter.

    Spreadsheets write that line, with or without quotes, and sometimes with delimiters after it.
    """
    start = b""
    for data, _ in _pieces(source, dialect):
        start += data
        if len(start) >= _FIRST_LINE:
            break
    line = start[:_FIRST_LINE].splitlines(keepends=True)[0] if start else b""
    text = line.rstrip(b"\r\n").decode("utf-8", "replace")
    match = re.fullmatch(r'("?)sep=(.?)\1(.*)', text, re.IGNORECASE)
    if match is None or match[2].isalnum() or match[3].strip(match[2] or "\0"):
        return dialect  # it is a header, or data
    delimiter = match[2]
    if not is_delimiter(delimiter):
        raise FileError(
            f"{source.path}: the first line is {shown(text)}, which should name the delimiter, a "
            "single ASCII character: correct or remove the line"
        )
    if delimiter == dialect.decimal:
        raise FileError(
            f"{source.path}: the first line names the delimiter {delimiter!r}, which is the "
            f"decimal point, too: see {argument('decimal')}"
        )
    return replace(dialect, delimiter=delimiter, preamble=len(line))


class Lines:
    """Finds the end of the last line that ends outside quotes."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = ord(delimiter)
        self._state = 0

    @property
    def quoted(self) -> bool:
        return self._state == 2

    def last_end(self, data: bytes) -> int:
        """Return that end in the next piece of text; 0 if no line ends there."""
        if b'"' not in data and not self.quoted:
            self._state = 1  # inside a value: a quote that follows does not start a quoted one
            if data[-1:] in (b"\n", b"\r", bytes([self._delimiter])):
                self._state = 0
            end = data.rfind(b"\n") + 1
            return max(end, data.rfind(b"\r", end, len(data) - 1) + 1)
        from ..._kernels.text.lines import last_line_end

        end, state = last_line_end(np.frombuffer(data, np.uint8), self._delimiter, self._state)
        self._state = int(state)
        return int(end)


def blocks(source: Source, dialect: Dialect) -> Iterator[Block]:
    """Yield the text in blocks of whole rows."""
    lines = Lines(dialect.delimiter)
    rest: list[bytes] = []
    size = read = 0
    for data, read in _pieces(source, dialect):
        end = lines.last_end(data)
        if end:
            yield Block(b"".join([*rest, data[:end]]), read, True)
            rest, size = [], 0
        rest.append(data[end:])
        size += len(data) - end
        if size > MOST_BLOCK_BYTES:
            quote = ', or a quote (") in it is never closed' if lines.quoted else ""
            start = bytes(rest[0][:40]).decode("utf-8", "replace")
            raise FileError(
                f"{source.path}: a row that begins {shown(start)} is longer than "
                f"{MOST_BLOCK_BYTES >> 20} MB{quote}"
            )
    if size:
        yield Block(b"".join(rest), read, not lines.quoted)


def n_lines(data: bytes) -> int:
    """Return the number of lines of a text, for any line ends."""
    n = data.count(b"\n")
    return n + data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else n


def text_of(data: bytes) -> str:
    """Return the text of a block, even if its bytes are not UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def rows_of(text: str, delimiter: str, number: int = 1, line: int = 1) -> Iterator[Row]:
    """Yield the rows of a text, numbered from ``number``; blank lines are not rows."""
    raw: list[str] = []

    def lines() -> Iterator[str]:
        for one in io.StringIO(text, newline=""):
            raw.append(one)
            yield one

    csv.field_size_limit(sys.maxsize)
    reader, before = csv.reader(lines(), delimiter=delimiter), 0
    for fields in reader:
        if fields:
            yield Row(number, line + before, fields, "".join(raw))
            number += 1
        before = reader.line_num
        raw.clear()
