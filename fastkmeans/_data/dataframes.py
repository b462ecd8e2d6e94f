"""Data frames of pandas, polars and pyarrow, by duck typing: none of them is imported.

A lazy frame of polars is collected.  Float columns that lie side by side in memory become one
view.  Others are converted slice by slice, so no frame is ever copied as a whole.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._runtime.errors import plain
from .._runtime.text import shown
from .rows import FLOAT32, FLOAT64, ArrayRows, ColumnRows, ConvertedRows, Rows, joined

TO_PANDAS = {
    "cudf": "to_pandas()",
    "modin": "modin.to_pandas()",
    "pyspark": "toPandas()",
}
"""Libraries of data frames that lie on a GPU or on other machines, and the way to pandas."""


class _Library(NamedTuple):
    """How to read the columns of a library's tables."""

    columns: Callable[[Any], list[Any]]  # table -> its columns
    slice: Callable[[Any, int, int], NDArray[Any]]  # column, start, stop -> values
    whole: Callable[[Any], NDArray[Any]]  # column -> values, or raise if that needs a copy


def _pandas_slice(column: Any, start: int, stop: int) -> NDArray[Any]:
    values = column.iloc[start:stop]
    if isinstance(values.dtype, np.dtype):
        return np.asarray(values)
    if values.dtype.kind in "biuf":  # nullable and Arrow types
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(values, dtype=object)


def _pandas_whole(column: Any) -> NDArray[Any]:
    if not isinstance(column.dtype, np.dtype):
        raise ValueError("extension types need a copy")
    return np.asarray(column)


def _polars_slice(column: Any, start: int, stop: int) -> NDArray[Any]:
    values = column.slice(start, stop - start)
    if values.dtype.is_numeric() and not values.dtype.is_float():
        values = values.cast(float)
    return np.asarray(values.to_numpy())


def _pyarrow_slice(column: Any, start: int, stop: int) -> NDArray[Any]:
    values = column.slice(start, stop - start)
    if str(values.type).startswith("decimal"):
        values = values.cast("float64")
    return np.asarray(values.combine_chunks().to_numpy(zero_copy_only=False))


def _pyarrow_whole(column: Any) -> NDArray[Any]:
    if column.num_chunks != 1:
        raise ValueError("several chunks need a copy")
    return np.asarray(column.chunk(0).to_numpy(zero_copy_only=True))


_LIBRARIES = {
    "pandas": _Library(
        lambda table: [table.iloc[:, f] for f in range(table.shape[1])],
        _pandas_slice,
        _pandas_whole,
    ),
    "polars": _Library(
        lambda table: [table.to_series(f) for f in range(table.shape[1])],
        _polars_slice,
        lambda column: np.asarray(column.to_numpy(allow_copy=False)),
    ),
    "pyarrow": _Library(lambda table: list(table.columns), _pyarrow_slice, _pyarrow_whole),
}


def _library(X: Any) -> _Library | None:
    if not hasattr(X, "columns"):
        return None
    # The record batches of pyarrow 15 have columns, but no shape.
    if not hasattr(X, "num_columns") and len(getattr(X, "shape", ())) != 2:
        return None
    for kind in type(X).__mro__:
        library = _LIBRARIES.get(kind.__module__.partition(".")[0])
        if library is not None:
            return library
    return None


def _collected(X: Any, name: str) -> Any:
    """Return a lazy frame of polars as a frame; refuse frames of libraries that are not read."""
    libraries = {kind.__module__.partition(".")[0]: kind.__name__ for kind in type(X).__mro__}
    if libraries.get("polars") == "LazyFrame":
        return X.collect()
    for library, to_pandas in TO_PANDAS.items():
        if library in libraries and hasattr(X, "columns"):
            raise TypeError(
                f"{name} is a data frame of {library}, which is not read here: pass "
                f"{name}.{to_pandas}, if it fits in memory, or write it to Parquet files and pass "
                "their path."
            )
    return X


def dataframe_rows(X: Any, name: str) -> tuple[Rows, list[Any]] | None:
    """Return the rows of a data frame and the names of its columns; None for other tables."""
    X = _collected(X, name)
    library = _library(X)
    if library is None:
        return None
    if type(X).__name__ == "RecordBatch":
        X = sys.modules["pyarrow"].Table.from_batches([X])
    # The columns of a pyarrow table are the data themselves.
    names = list(X.column_names if library is _LIBRARIES["pyarrow"] else X.columns)
    columns, n = library.columns(X), int(X.shape[0])
    if n == 0 or not columns:
        return ConvertedRows(np.empty((n, len(columns))), FLOAT64), names
    samples = [library.slice(column, 0, 1) for column in columns]
    for label, column, sample in zip(names, columns, samples, strict=True):
        if sample.dtype.kind == "c":
            raise ValueError(
                f"Complex data not supported: {name} has a complex column {shown(label)}; pass its "
                "real and imaginary parts as separate columns."
            )
        if sample.dtype.kind not in "biuf":
            _check_numbers(library, column, n, f"{name} has a column {shown(label)}")
    try:
        wholes = [library.whole(column) for column in columns]
    except Exception:  # each library has its own error for "this needs a copy"
        wholes = []
    view = joined(wholes) if wholes else None
    if view is not None:
        return ArrayRows(view, wholes), names

    narrow = all(s.dtype.kind == "f" and s.dtype.itemsize <= 4 for s in samples)
    dtype = FLOAT32 if narrow else FLOAT64
    return ColumnRows([partial(library.slice, column) for column in columns], n, dtype), names


def _check_numbers(library: _Library, column: Any, n: int, what: str) -> None:
    """Raise an error that names the first value of a column that is not a number."""
    values = library.slice(column, 0, n)
    kind = column.type if library is _LIBRARIES["pyarrow"] else column.dtype
    for row, value in enumerate(values):
        try:
            if isinstance(value, np.datetime64 | np.timedelta64):
                raise TypeError
            float(np.nan if value is None else value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{what} of type {kind} with {plain(value)} at row {row}: could not convert it to "
                "float. Numeric columns are required: drop or encode it."
            ) from error
