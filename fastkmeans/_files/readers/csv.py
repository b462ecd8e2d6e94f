"""CSV by pyarrow: several blocks are parsed at a time, and returned in order."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._data.rows import FLOAT64
from ..._runtime.arrays import Floats
from ..._runtime.extras import need
from ..._runtime.text import shown
from ..errors import FileError
from ..sources import Source
from .csv_blocks import (
    Block,
    Dialect,
    Row,
    blocks,
    n_lines,
    readable,
    rows_of,
    text_of,
    with_separator_line,
)
from .csv_errors import (
    Text,
    TextFound,
    check_closed,
    check_header,
    has_surrogate,
    ragged,
    refuse_encoding,
    refuse_ragged,
    refuse_text,
)
from .pieces import FIRST_ROWS, Piece, Skipped, Wanted, n_workers

_CONVERSION = re.compile(r"CSV conversion error to \w+: invalid value '(.*)'$", re.DOTALL)


class CsvReader:
    """One CSV file."""

    named = True

    def __init__(self, source: Source, dialect: Dialect) -> None:
        self.source = source
        self._sniffed: list[Row] = []
        self.nameless: list[str] = []
        with readable(source, dialect):
            self.dialect = with_separator_line(source, dialect)
            self._header_bytes, self._first_line = 0, 2 if self.dialect.preamble else 1
            self.names = self._read_header()

    def _read_header(self) -> list[str]:
        first = next(blocks(self.source, self.dialect), None)
        text = text_of(first.data) if first else ""
        number = int(not self.dialect.header)
        rows = rows_of(text, self.dialect.delimiter, number, self._first_line)
        header = next(rows, None)
        if header is None:
            what = "the first line should name the columns" if self.dialect.header else "no rows"
            raise FileError(f"{self.source.path} is empty: {what}")
        sniffed = (row for row, _ in zip(rows, range(FIRST_ROWS), strict=False))
        self._sniffed = [row for row in sniffed if len(row.fields) == len(header.fields)]
        if not self.dialect.header:
            self._sniffed.insert(0, header)
            return numbered(len(header.fields))
        check_header(self.source, header)
        self.header_line = header.line
        before = text.split(header.raw, 1)[0].encode("utf-8", "surrogateescape")
        own = header.raw.encode("utf-8", "surrogateescape")
        self._header_bytes, self._first_line = len(before + own), header.line + n_lines(own)
        return self._named_apart(header.fields)

    def _named_apart(self, names: list[str]) -> list[str]:
        """Name columns without a name by their place, if there are several.

        Spreadsheets write empty columns (``a,b,,,``).  To choose columns, names must differ.
        """
        blank = [f for f, name in enumerate(names) if not name.strip()]
        if len(blank) < 2:
            return names
        names = names.copy()
        for f in blank:
            names[f] = f"x{f + 1}"
            while names.count(names[f]) > 1:
                names[f] += "_"
        self.nameless = [names[f] for f in blank]
        return names

    def dtype(self, names: list[str]) -> np.dtype[Any]:
        """Return float64: decimals may have any number of digits."""
        return FLOAT64

    def text(self, wanted: Wanted) -> dict[str, Text]:
        found: dict[str, Text] = {}
        for name in wanted.names:
            at = self.names.index(name)
            full = [row for row in self._sniffed if not self._is_missing(row.fields[at])]
            bad = [row for row in full if not self.dialect.is_number(row.fields[at].strip())]
            if bad and (not wanted.skip or 2 * len(bad) > len(full)):
                check_closed(self.source, bad[0])
                found[name] = self._text(bad[0], at)
        return found

    def _text(self, row: Row, at: int) -> Text:
        value = row.fields[at].strip()
        return Text(str(self.source.path), row.place, value, row.number == 1)

    def _is_missing(self, value: str) -> bool:
        return value.strip() in self.dialect.missing

    def first_values(self, name: str) -> Floats:
        at, point = self.names.index(name), self.dialect.decimal
        texts = [row.fields[at].strip() for row in self._sniffed]
        numbers = [
            float(text.replace(point, "."))
            for text in texts
            if text not in self.dialect.missing and self.dialect.is_number(text)
        ]
        return np.array(numbers, np.float64)

    def pieces(self, wanted: Wanted) -> Iterator[Piece]:
        workers = n_workers()
        number, line = 1, self._first_line
        waiting: deque[tuple[Block, Future[Piece]]] = deque()
        stream, parse = self._blocks(), self._parse_block(wanted)
        # One more thread reads and unpacks the next block.
        with readable(self.source, self.dialect), ThreadPoolExecutor(workers + 1) as pool:
            coming = pool.submit(next, stream, None)
            while True:
                while len(waiting) <= workers and (block := coming.result()) is not None:
                    coming = pool.submit(next, stream, None)
                    waiting.append((block, pool.submit(parse, block.data)))
                if not waiting:
                    return
                piece = self._piece(*waiting.popleft(), wanted, number, line)
                yield piece[0]
                number, line = number + piece[0].n_source, piece[1]

    def _blocks(self) -> Iterator[Block]:
        skip = self._header_bytes
        for block in blocks(self.source, self.dialect):
            yield block._replace(data=block.data[skip:]) if skip else block
            skip = 0

    def _piece(
        self, block: Block, parsing: Future[Piece], wanted: Wanted, number: int, line: int
    ) -> tuple[Piece, int]:
        """Return the piece of a block, and the line after it."""
        invalid = need("pyarrow").ArrowInvalid

        def rows() -> Iterator[Row]:
            return rows_of(text_of(block.data), self.dialect.delimiter, number, line)

        if not block.closed:
            for row in rows():
                check_closed(self.source, row)
        try:
            parsed = parsing.result()
        except invalid as error:
            parsed = self._carefully(list(rows()), wanted, str(error))

        def place(i: int) -> str:
            row = next((row for row in rows() if row.number == number + i), None)
            return row.place if row else f"row {number + i}"

        return parsed._replace(read=block.read, place=place), line + n_lines(block.data)

    # --- the fast way: pyarrow ----------------------------------------------------------------

    def _parser(self, types: dict[int, Any], n_columns: int) -> Callable[[bytes], dict[int, Any]]:
        """Return a strict parser of the columns with these numbers and types."""
        pa, csv = need("pyarrow"), need("pyarrow.csv")
        spaced = {
            before + value + after
            for value in self.dialect.missing
            for before in ("", " ")
            for after in ("", " ")
        }
        names = [str(at) for at in range(n_columns)]
        layout = csv.ParseOptions(delimiter=self.dialect.delimiter, newlines_in_values=True)
        conversion = csv.ConvertOptions(
            column_types={str(at): kind for at, kind in types.items()},
            include_columns=[str(at) for at in types],
            null_values=sorted(spaced),
            decimal_point=self.dialect.decimal,
        )

        def parse(data: bytes) -> dict[int, Any]:
            if not data.strip(b"\r\n"):
                return {at: pa.chunked_array([], kind) for at, kind in types.items()}
            reading = csv.ReadOptions(
                block_size=len(data) + 1, use_threads=False, column_names=names
            )
            table = csv.read_csv(pa.BufferReader(data), reading, layout, conversion)
            return dict(zip(types, table.columns, strict=True))

        return parse

    def _parse_block(self, wanted: Wanted) -> Callable[[bytes], Piece]:
        """Return a function that turns a block into arrays."""
        pa = need("pyarrow")
        places = [self.names.index(name) for name in wanted.names]
        types: dict[int, Any] = dict.fromkeys(places, pa.from_numpy_dtype(wanted.dtype))
        weight_at = id_at = None
        if wanted.weight_column is not None:
            weight_at = self.names.index(wanted.weight_column)
            types[weight_at] = pa.float64()
        if wanted.id_column is not None:
            id_at = self.names.index(wanted.id_column)
            types[id_at] = pa.string()
        parser = self._parser(types, len(self.names))

        def parse(data: bytes) -> Piece:
            columns = parser(data)
            n = len(columns[places[0]])
            values = np.empty((n, len(places)), wanted.dtype)
            for f, at in enumerate(places):
                values[:, f] = columns[at].to_numpy()
            weights = columns[weight_at].to_numpy() if weight_at is not None else None
            ids = columns[id_at].combine_chunks() if id_at is not None else None
            return Piece(values, weights, ids, n, {})

        return parse

    # --- the careful way: row by row ----------------------------------------------------------

    def _carefully(self, rows: list[Row], wanted: Wanted, message: str) -> Piece:
        """Read a block that pyarrow refused: skip bad rows, or raise an error that names one."""
        match = _CONVERSION.search(message)
        odd = {match[1].strip()} if match else set()  # values that only pyarrow takes for text
        if not wanted.skip:
            self._refuse(rows, wanted, odd, message)
        while True:
            try:
                return self._skipping(rows, wanted, odd)
            except need("pyarrow").ArrowInvalid as error:
                match = _CONVERSION.search(str(error))
                if match is None or match[1].strip() in odd:
                    raise FileError(
                        f"{self.source.path} could not be read as CSV: {error}"
                    ) from None
                odd.add(match[1].strip())

    def _bad_columns(self, row: Row, wanted: Wanted, odd: set[str]) -> list[str]:
        """Return the columns of numbers in which a row of the right length holds text."""
        bad = []
        for name in wanted.numbers:
            value = row.fields[self.names.index(name)].strip()
            if value in odd or not (self._is_missing(value) or self.dialect.is_number(value)):
                bad.append(name)
        return bad

    def _refuse(self, rows: list[Row], wanted: Wanted, odd: set[str], message: str) -> None:
        text: dict[str, Text] = {}
        for row in rows:
            if len(row.fields) != len(self.names):
                if text:
                    break
                refuse_ragged(self.source, self.dialect, self.names, row)
            for name in self._bad_columns(row, wanted, odd):
                check_closed(self.source, row)
                found = self._text(row, self.names.index(name))
                if wanted.asked or name == wanted.weight_column:
                    refuse_text(name, found, asked=name in wanted.names and wanted.asked)
                text.setdefault(name, found)
        if text:
            raise TextFound(text)
        for row in rows:
            if has_surrogate(row.raw):
                refuse_encoding(self.source, row)
        raise FileError(f"{self.source.path} could not be read as CSV: {message}")

    def _skipping(self, rows: list[Row], wanted: Wanted, odd: set[str]) -> Piece:
        pa = need("pyarrow")
        good, skipped = [], {}
        for i, row in enumerate(rows):
            check_closed(self.source, row)
            if len(row.fields) != len(self.names):
                reason = ragged(row, self.names)
            elif bad := self._bad_columns(row, wanted, odd):
                value = row.fields[self.names.index(bad[0])].strip()
                reason = f"column {shown(bad[0])} holds {shown(value)}, which is no number"
            else:
                good.append(row)
                continue
            line = row.raw.rstrip("\r\n")
            skipped[i] = Skipped(str(self.source.path), row.place, reason, line)
        values = np.empty((len(good), len(wanted.names)), wanted.dtype)
        for f, name in enumerate(wanted.names):
            values[:, f] = self._numbers(good, name, pa.from_numpy_dtype(wanted.dtype))
        weights = None
        if wanted.weight_column is not None:
            weights = self._numbers(good, wanted.weight_column, pa.float64())
        ids = None
        if wanted.id_column is not None:
            ids = self._ids(rows, self.names.index(wanted.id_column))
        return Piece(values, weights, ids, len(rows), skipped)

    def _numbers(self, rows: list[Row], name: str, kind: Any) -> NDArray[Any]:
        """Convert one column of these rows by pyarrow, as in the fast way."""
        at = self.names.index(name)
        texts = [row.fields[at].strip() for row in rows]
        data = "\n".join("NA" if text in self.dialect.missing else text for text in texts)
        column: NDArray[Any] = self._parser({0: kind}, 1)(data.encode())[0].to_numpy()
        return column

    def _ids(self, rows: list[Row], at: int) -> Any:
        values = []
        for row in rows:
            if has_surrogate(row.raw):
                refuse_encoding(self.source, row)
            values.append(row.fields[at] if len(row.fields) == len(self.names) else None)
        return need("pyarrow").array(values, need("pyarrow").string())


def numbered(n_columns: int) -> list[str]:
    """Return names for columns that have none: x1, x2, ..."""
    return [f"x{f}" for f in range(1, n_columns + 1)]
