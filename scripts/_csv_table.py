"""Read the numeric columns of a CSV file into one array.

pyarrow does the reading, block by block. It is fast and keeps to the types it is given, but its
errors rarely tell the row. So the first rows are looked through with Python's own `csv` module to
learn which columns hold numbers, and after an error the file is read once more, row by row, to
find the place. That second reading is slow, and happens only on the way to a message.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _csv_errors import diagnose, has_surrogate, listed, readable, refuse_nothing, refuse_text
from _csv_source import BLOCK_BYTES, MOST_BLOCK_BYTES, Source, Text, check_closed, sniff
from _shared import UserError, need


@dataclass
class Table:
    """Numeric columns, NaN where a value is missing, in one array that is filled while reading.

    The array is made larger than the file is likely to need. Memory that is never written to is
    never taken, so this costs nothing, and no second copy of the numbers is made at the end.
    """

    source: Source
    dtype: type[np.floating]
    names: list[str] = field(default_factory=list)
    columns: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))  # (names, capacity)
    n_rows: int = 0
    id_column: str | None = None
    ids: list[Any] = field(default_factory=list)
    text: dict[str, Text] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)

    def start(self, names: list[str]) -> None:
        """Forget all rows, and take up these columns."""
        self.names, self.columns = names, np.empty((len(names), 0), dtype=self.dtype)
        self.ids, self.n_rows = [], 0

    def append(self, batch: Any, expected_rows: int) -> None:
        """Copy a batch of pyarrow's to the end of the columns."""
        stop = self.n_rows + batch.num_rows
        if stop > self.columns.shape[1]:
            capacity = max(stop, expected_rows, self.columns.shape[1] * 3 // 2)
            larger = np.empty((len(self.names), capacity), dtype=self.dtype)
            larger[:, : self.n_rows] = self.columns[:, : self.n_rows]
            self.columns = larger
        for column, name in zip(self.columns, self.names, strict=True):
            column[self.n_rows : stop] = batch.column(name).to_numpy(zero_copy_only=False)
        if self.id_column is not None:
            self.ids.append(batch.column(self.id_column))
        self.n_rows = stop

    def missing_in(self, name: str) -> np.ndarray:
        """Return a mask of the rows in which a column has no value."""
        missing: np.ndarray = np.isnan(self.columns[self.names.index(name), : self.n_rows])
        return missing

    def drop_empty(self) -> list[str]:
        """Remove the columns without any value; return their names."""
        empty = [name for name in self.names if self.missing_in(name).all()]
        kept = [name for name in self.names if name not in empty]
        for to, name in enumerate(kept):
            at = self.names.index(name)
            if at != to:
                self.columns[to, : self.n_rows] = self.columns[at, : self.n_rows]
        self.names, self.columns = kept, self.columns[: len(kept)]
        return empty

    def to_array(self, keep: np.ndarray | None = None, *, fill: bool = False) -> np.ndarray:
        """Return the rows as an array of shape (rows, columns) that shares the table's memory.

        Parameters
        ----------
        keep
            A mask of the rows to take; None takes all. They move together, over the others.
        fill
            Whether the column's mean takes the place of missing values.
        """
        n = self.n_rows if keep is None else int(keep.sum())
        for name, column in zip(self.names, self.columns[:, : self.n_rows], strict=True):
            self._check_finite(name, column)
            if fill and (gaps := np.isnan(column)).any():
                column[gaps] = column[~gaps].mean(dtype=np.float64)
            if keep is not None:
                column[:n] = column[keep]
        return self.columns[:, :n].T

    def _check_finite(self, name: str, column: np.ndarray) -> None:
        infinite = np.isinf(column)
        if infinite.any():
            row = self.source.find(lambda row: row.number == int(infinite.argmax()) + 1)
            where = row.place if row else "some row"
            advice = f"correct it or leave the column out with --exclude {name}"
            if self.dtype is np.float32:
                advice += "; --dtype float64 holds numbers beyond 3.4e38"
            raise UserError(
                f"{self.source.path}: column {name!r} is infinite in {where} as "
                f"{np.dtype(self.dtype).name}: {advice}"
            )


def read_table(
    source: Source,
    *,
    columns: list[str] | None = None,
    exclude: list[str] | None = None,
    id_column: str | None = None,
    dtype: type[np.floating] = np.float64,
    quiet: bool = False,
) -> Table:
    """Read the chosen columns, or all that hold numbers.

    A text value far down the file shows up only while pyarrow reads. Then the column is set aside
    and the reading starts again without it (or ends with an error, if the column was asked for).
    """
    pa = need("pyarrow", "csv")
    with readable(source):
        header = _read_header(source)
        names = _choose(source, header, columns, exclude or [], id_column)
        table = Table(source, dtype, id_column=id_column)
        table.text = sniff(source, header, names)
        block_bytes = BLOCK_BYTES
        while True:
            if columns and table.text:
                refuse_text(source, table.text)
            names = [name for name in names if name not in table.text]
            if not names:
                refuse_nothing(source, header, table.text)
            try:
                _stream(table, header, names, block_bytes, quiet)
                break
            except pa.ArrowInvalid as error:
                if "straddling" in str(error) and block_bytes < MOST_BLOCK_BYTES:
                    source.find(lambda row: row.unclosed and check_closed(source, row))
                    block_bytes *= 16  # a row is larger than a block, and rightly so
                    continue
                table.text |= diagnose(source, header, names, str(error))
    table.empty = table.drop_empty()
    if table.empty and columns:
        raise UserError(
            f"{source.path}: column {table.empty[0]!r} has no values at all: leave it out of "
            "--columns"
        )
    if not table.names:
        raise UserError(f"{source.path}: the numeric columns hold no values at all")
    return table


def _read_header(source: Source) -> list[str]:
    if foreign := source.foreign_format:
        raise UserError(f"{source.path} is {foreign}, not a CSV file: unpack it or save it as CSV")
    rows = source.rows()
    header = next(rows, None)
    if header is None:
        raise UserError(f"{source.path} is empty: the first line should name the columns")
    for name in header.fields:
        if "\0" in name or has_surrogate(name):
            raise UserError(
                f"{source.path}: the header (line {header.line}) holds {name[:40]!a}, which "
                "is not UTF-8 text: name the encoding, say --encoding latin-1 or --encoding utf-16"
            )
    if next(rows, None) is None:
        raise UserError(f"{source.path} has a header (line {header.line}) but no rows of data")
    return header.fields


def _choose(
    source: Source,
    header: list[str],
    columns: list[str] | None,
    exclude: list[str],
    id_column: str | None,
) -> list[str]:
    """Check the names given on the command line; return the columns that may be clustered."""
    asked = {"--columns": columns or [], "--exclude": exclude}
    asked["--id"] = [] if id_column is None else [id_column]
    for flag, names in asked.items():
        for name in names:
            if name not in header:
                close = difflib.get_close_matches(name, header, n=1)
                hint = f"did you mean {close[0]!r}?" if close else listed("it has", header)
                raise UserError(f"{source.path} has no column {name!r} ({flag}): {hint}")
    if columns and id_column in columns:
        raise UserError(f"column {id_column!r} is named in both --id and --columns: keep one")
    left_out = {*exclude, id_column}
    names = [name for name in dict.fromkeys(columns or header) if name not in left_out]
    for name in [*names, *asked["--id"]]:
        if (times := header.count(name)) > 1:
            raise UserError(
                f"{source.path}: {times} columns are named {name!r}: rename them in the header, or "
                f"leave them out with --exclude {name}"
            )
    return names


def _stream(
    table: Table, header: list[str], names: list[str], block_bytes: int, quiet: bool
) -> None:
    """Fill the table block by block, under a progress bar that counts the bytes of the file."""
    pa, tqdm = need("pyarrow", "csv"), need("tqdm", "csv").tqdm
    source, id_column = table.source, table.id_column
    table.start(names)
    types = dict.fromkeys(names, pa.from_numpy_dtype(table.dtype))
    if id_column is not None:
        types[id_column] = pa.string()
    if header.count(header[-1]) == 1:  # the last column shows whether the file ends inside a quote
        types.setdefault(header[-1], pa.binary())
    end: Any = b""
    with (
        tqdm(
            total=source.kept.stat().st_size,
            desc=f"reading {source.path.name}",
            unit="B",
            unit_scale=True,
            disable=True if quiet else None,  # None: shown on a terminal only
        ) as bar,
        pa.OSFile(str(source.kept)) as file,
        _open_csv(source, file, types, block_bytes) as reader,
    ):
        blocks = source.unpacked_bytes() / block_bytes
        for batch in reader:
            table.append(batch, int(1.25 * blocks * batch.num_rows))
            if batch.num_rows and header[-1] in types:
                end = batch.column(header[-1])[-1].as_py()
            bar.update(file.tell() - bar.n)
    if "\n" in (end.decode("latin-1") if isinstance(end, bytes) else str(end)):
        source.find(lambda row: check_closed(source, row))


def _open_csv(source: Source, file: Any, types: dict[str, Any], block_bytes: int) -> Any:
    """Let pyarrow parse the named columns of an open file as these types, and no others."""
    pa, pa_csv = need("pyarrow", "csv"), need("pyarrow.csv", "csv")
    spaced = {
        before + value + after
        for value in source.missing
        for before in ("", " ")
        for after in ("", " ")
    }
    return pa_csv.open_csv(
        pa.CompressedInputStream(file, "gzip") if source.zipped else file,
        read_options=pa_csv.ReadOptions(
            block_size=block_bytes, encoding="utf8" if source.utf8 else source.encoding
        ),
        parse_options=pa_csv.ParseOptions(delimiter=source.delimiter, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=sorted(spaced)
        ),
    )
