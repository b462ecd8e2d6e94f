"""Files with typed columns: Parquet, Arrow, .npy; and iterables of arrays."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._data.rows import FLOAT32, FLOAT64
from ..._data.sparse import is_sparse
from ..._data.tables import Table, table_in_memory
from ..._runtime.arrays import Floats
from ..._runtime.extras import need
from ..._runtime.text import shown
from ..errors import FileError, argument, listed
from ..sources import Source
from .csv import numbered
from .csv_errors import Text
from .pieces import FIRST_ROWS, Piece, Wanted

PIECE_VALUES = 1 << 18
"""Values of a piece.  It decides how sums are grouped, so it must not depend on the memory."""


def _height(n_columns: int) -> int:
    return max(1, PIECE_VALUES // max(1, n_columns))


def _places(number: int) -> Any:
    return lambda i: f"row {number + i}"


class ArrowReader:
    """A Parquet or Arrow file, read batch by batch."""

    named = True

    def __init__(self, source: Source) -> None:
        self.source = source
        with _whole(self.source):
            self._schema = self._open()[0]
        self.names, self.nameless = list(self._schema.names), list[str]()
        if not self.names:
            raise FileError(f"{source.path} has no columns")

    def _open(self) -> tuple[Any, Any]:
        """Return the schema, and a function that yields batches of the named columns."""
        path = str(self.source.kept)
        if self.source.format == "parquet":
            file = need("pyarrow.parquet").ParquetFile(path, memory_map=True, pre_buffer=False)
            return file.schema_arrow, lambda names: file.iter_batches(
                _height(len(names)), columns=names, use_threads=True
            )
        pa, ipc = need("pyarrow"), need("pyarrow.ipc")
        memory = pa.memory_map(path)
        if self.source.format == "arrow stream":
            stream = ipc.open_stream(memory)
            return stream.schema, lambda names: (batch.select(names) for batch in stream)
        file = ipc.open_file(memory)
        numbers = range(file.num_record_batches)
        return file.schema, lambda names: (file.get_batch(i).select(names) for i in numbers)

    def dtype(self, names: list[str]) -> np.dtype[Any]:
        """Return float32 if all the columns are float32 or float16, else float64."""
        types = need("pyarrow").types
        kinds = [self._schema.field(name).type for name in names]
        narrow = all(types.is_float32(kind) or types.is_float16(kind) for kind in kinds)
        return FLOAT32 if narrow else FLOAT64

    def _is_numeric(self, name: str) -> bool:
        types, kind = need("pyarrow").types, self._schema.field(name).type
        if types.is_dictionary(kind):
            kind = kind.value_type
        tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal,
                 types.is_null)  # fmt: skip
        return any(test(kind) for test in tests)

    def text(self, wanted: Wanted) -> dict[str, Text]:
        """Return the columns whose type is not numeric."""
        found = {}
        for name in wanted.numbers:
            if not self._is_numeric(name):
                value = self._first_value(name)
                found[name] = Text(str(self.source.path), value[0], value[1], True, True)
        return found

    def _first_value(self, name: str) -> tuple[str, str]:
        kind = self._schema.field(name).type
        with _whole(self.source):
            for batch in self._open()[1]([name]):
                column = batch.column(0)
                for i in range(min(len(column), 1)):
                    return f"row {i + 1} (type {kind})", str(column[i].as_py())
        return f"its type {kind}", ""

    def first_values(self, name: str) -> Floats:
        with _whole(self.source):
            for batch in self._open()[1]([name]):
                if batch.num_rows:
                    return _without_gaps(_numbers(batch.column(0).slice(0, FIRST_ROWS)))
        return np.empty(0)

    def pieces(self, wanted: Wanted) -> Iterator[Piece]:
        extra = {name for name in (wanted.id_column, wanted.weight_column) if name is not None}
        names = list(dict.fromkeys([*wanted.names, *sorted(extra)]))
        size, height, number = self.source.size, _height(len(names)), 1
        with _whole(self.source):
            for whole in self._open()[1](names):
                for at in range(0, whole.num_rows, height):
                    batch = whole.slice(at, height)
                    values = np.empty((batch.num_rows, len(wanted.names)), wanted.dtype)
                    with np.errstate(over="ignore"):  # an infinity is reported as such
                        for f, name in enumerate(wanted.names):
                            values[:, f] = _numbers(batch.column(name))
                    weights = ids = None
                    if wanted.weight_column is not None:
                        weights = _numbers(batch.column(wanted.weight_column)).astype(np.float64)
                    if wanted.id_column is not None:
                        ids = batch.column(wanted.id_column)
                    n = batch.num_rows
                    yield Piece(values, weights, ids, n, {}, size, _places(number))
                    number += n


@contextlib.contextmanager
def _whole(source: Source) -> Iterator[None]:
    """Name the file in errors about a damaged file."""
    try:
        yield
    except FileError:
        raise
    except (OSError, ValueError) as error:
        what = {"parquet": "Parquet", "npy": ".npy"}.get(source.format, "Arrow")
        raise FileError(
            f"{source.path} could not be read as {what}, damaged or incomplete: {error}"
        ) from None


def _without_gaps(values: NDArray[Any]) -> Floats:
    exact: Floats = values[~np.isnan(values)].astype(np.float64)
    return exact


def _numbers(column: Any) -> NDArray[Any]:
    """Return a column as numbers, with NaN for missing values."""
    pa = need("pyarrow")
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False))


class ArrayReader:
    """An iterable of arrays or data frames, or the array of an .npy file."""

    def __init__(self, source: Source, arrays: Iterable[Any] | None = None) -> None:
        self.source = source
        if arrays is None:
            arrays = [_mapped(source)]
        self._tables = self._filled(arrays)
        self._exact = False
        first = next(self._tables, None)
        if first is None:
            raise FileError(f"{source.path} holds no rows")
        self._first = first
        names = first[1].names
        self.named = names is not None
        self.names = numbered(first[1].rows.shape[1]) if names is None else list(map(str, names))
        self.nameless: list[str] = []

    def _filled(self, arrays: Iterable[Any]) -> Iterator[tuple[str, Table]]:
        """Yield the arrays that have rows, and their names for messages."""
        for i, array in enumerate(arrays):
            if getattr(array, "shape", (1,))[:1] == (0,):
                continue
            label = f"{self.source.path}{'' if i == 0 else f'[{i}]'}"
            if is_sparse(array):
                raise FileError(
                    f"{label} is sparse, and files hold dense rows: pass one matrix, for example "
                    "of scipy.sparse.vstack, to fit and predict; or dense parts by toarray()."
                )
            try:
                yield label, table_in_memory(array, label)
            except (TypeError, ValueError) as error:
                if self.source.format != "npy":
                    raise
                raise FileError(f"{label} holds no table of numbers: {error}") from None

    def dtype(self, names: list[str]) -> np.dtype[Any]:
        """Return the type of the first array; it must then hold the others exactly."""
        self._exact = True
        return self._first[1].rows.dtype

    def text(self, wanted: Wanted) -> dict[str, Text]:
        """Return nothing: arrays hold only numbers, or are refused."""
        return {}

    def first_values(self, name: str) -> Floats:
        """Return the numbers of a column in the first rows of the first array."""
        at = self.names.index(name)
        _, block = next(iter(self._first[1].rows.blocks()))
        return _without_gaps(block[0, :FIRST_ROWS, at])

    def pieces(self, wanted: Wanted) -> Iterator[Piece]:
        """Yield the rows in order, once."""
        size = self.source.size
        height, number, d = _height(len(self.names)), 1, len(self.names)
        for label, table in chain([self._first], self._tables):
            rows = table.rows
            if rows.shape[1] != d:
                raise FileError(
                    f"{self.source.path}: an array from row {number} on has {rows.shape[1]} "
                    f"columns, and the first one has {d}"
                )
            at_name = self._matched(label, table, wanted)
            places = [at_name[name] for name in wanted.names]
            exact = self._exact and rows.dtype.itemsize > wanted.dtype.itemsize
            for _, block in rows.blocks():
                for at in range(0, block.shape[1], height):
                    part = block[0, at : at + height]
                    with np.errstate(over="ignore"):  # an infinity is reported as such
                        values = part[:, places].astype(wanted.dtype)
                    if exact:
                        _check_exact(label, values, part[:, places], wanted.dtype)
                    weights = ids = None
                    if wanted.weight_column is not None:
                        weights = part[:, at_name[wanted.weight_column]].astype(np.float64)
                    if wanted.id_column is not None:
                        ids = need("pyarrow").array(part[:, at_name[wanted.id_column]])
                    yield Piece(values, weights, ids, len(part), {}, size, _places(number))
                    number += len(part)

    def _matched(self, label: str, table: Table, wanted: Wanted) -> dict[str, int]:
        """Return the places of the columns in a table, by their names if it has any."""
        if (table.names is not None) != self.named:
            which = ("names its columns", "does not")
            this, first = which if table.names is not None else which[::-1]
            raise FileError(
                f"{label} {this}, and the first table {first}: columns are matched by their "
                "names, so give all tables names or none"
            )
        names = self.names if table.names is None else list(map(str, table.names))
        found = {}
        for name in (*wanted.names, wanted.id_column, wanted.weight_column):
            if name is None:
                continue
            if (times := names.count(name)) != 1:
                raise FileError(
                    f"{label} has {times or 'no'} columns {shown(name)}, and the first table has "
                    f"one: {listed('it has', names)}"
                )
            found[name] = names.index(name)
        return found


def _check_exact(
    label: str, values: NDArray[Any], given: NDArray[Any], dtype: np.dtype[Any]
) -> None:
    """Raise if the type of the first array rounds a value of a later one."""
    rounded = (values != given) & ~np.isnan(given)
    if rounded.any():
        value = float(given[rounded][0])
        raise FileError(
            f"{label} holds {value!r}, which {dtype.name}, the type of the first array, would "
            f"round: give all arrays one type, or open them by open_dataset with "
            f"{argument('dtype', 'float64')}"
        )


def _mapped(source: Source) -> NDArray[Any]:
    with _whole(source):
        return np.asarray(np.load(source.kept, mmap_mode="r", allow_pickle=False))


def array_source(name: str = "X") -> Source:
    """Return a source that names arrays without a file in messages."""
    return Source(Path(name), Path(os.devnull), "arrays", None)
