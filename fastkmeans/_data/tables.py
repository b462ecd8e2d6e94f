"""Turns anything array-like into rows: arrays, nested lists, data frames, tensors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats
from .._runtime.errors import plain
from .rows import FLOAT32, FLOAT64, ArrayRows, ConvertedRows, Rows
from .sparse import is_sparse, sparse_rows
from .tensors import as_array


class Preparation(NamedTuple):
    """What was done to a file's rows: missing values handled, then ``(x - shift) / scale``."""

    shift: Floats  # (n_features,); zeros if rows did not change
    scale: Floats  # (n_features,); ones if rows did not change
    fill: Floats  # (n_features,), column means in the file's units, for "mean"
    missing: str  # the policy for missing values: "error", "drop", "mean" or "zero"
    dtype: str  # "float32" or "float64"

    def after(self, other: Preparation) -> Preparation:
        """Return what is left to do after ``other``."""
        shift = (self.shift - other.shift) / other.scale
        return self._replace(shift=shift, scale=self.scale / other.scale)

    def __bool__(self) -> bool:
        """Return whether rows change."""
        return bool(self.shift.any() or (self.scale != 1.0).any())


class Table(NamedTuple):
    """Rows, and what their container knows about them."""

    rows: Rows
    names: list[Any] | None  # of the columns
    weights: Floats | None = None  # (n_samples,)
    preparation: Preparation | None = None  # of a standardised dataset


def table_in_memory(X: Any, name: str = "X", fewest: int = 1) -> Table:
    """Wrap anything array-like without copying it.

    float32 and float16 give float32 rows; all else gives float64 rows.  Sparse matrices give
    ``SparseRows``.  Values that are not numbers raise a TypeError.  Tables that are not
    two-dimensional, are empty or complex, or hold text raise a ValueError.  ``fewest``: rows that
    are not an empty table.
    """
    found: tuple[Rows, list[Any] | None] | None = None
    if type(X) is not np.ndarray:  # the usual case needs no import
        if is_sparse(X):
            found = sparse_rows(X, name), None
        else:
            from .dataframes import dataframe_rows

            found = dataframe_rows(X, name)
    table = Table(*found) if found else Table(_array_rows(_as_matrix(X, name), name), None)
    n, d = table.rows.shape
    for count, least, what in ((n, fewest, "sample"), (d, 1, "feature")):
        if count < least:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={(n, d)}) while a minimum of 1 is "
                f"required: {name} is empty."
            )
    return table


def _as_matrix(X: Any, name: str) -> NDArray[Any]:
    try:
        array = as_array(X, name)
    except ValueError as error:
        lengths = [len(row) if hasattr(row, "__len__") else -1 for row in X]
        odd = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
        if odd is None:
            raise
        raise ValueError(
            f"{name} is ragged: row 0 has {lengths[0]} values, row {odd} has {lengths[odd]}."
        ) from error
    if array.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead: {name} has shape "
            f"{array.shape}. Reshape your data either using array.reshape(-1, 1) if your data "
            "has a single feature or array.reshape(1, -1) if it contains a single sample."
        )
    return array


def _array_rows(array: NDArray[Any], name: str) -> Rows:
    kind, dtype = array.dtype.kind, array.dtype
    if kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} has dtype {dtype}; pass its real part or "
            "real and imaginary parts as separate columns."
        )
    if kind == "O":
        return ArrayRows(_numbers_from_objects(array, name))
    if kind not in "biuf":
        what = "text" if kind in "USO" else f"dtype {dtype}"
        at = f", the first value is {plain(array.flat[0])}" if array.size else ""
        raise ValueError(
            f"{name} holds {what}{at}; numeric columns are required: drop or encode the others. "
            "(dtype='numeric' is not compatible with arrays of bytes/strings.)"
        )
    if dtype in (FLOAT32, FLOAT64) and dtype.isnative and array.flags.aligned:
        return ArrayRows(array)
    return ConvertedRows(array, FLOAT32 if kind == "f" and dtype.itemsize <= 4 else FLOAT64)


def _numbers_from_objects(array: NDArray[Any], name: str) -> Floats:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        for (row, column), value in np.ndenumerate(array):
            try:
                float(value)
            except (TypeError, ValueError, OverflowError):
                kind = TypeError if not isinstance(value, str | int) else ValueError
                if isinstance(value, complex):
                    raise ValueError(
                        f"Complex data not supported: {name} holds {plain(value)} at row {row}, "
                        f"column {column}."
                    ) from error
                raise kind(
                    f"{name} holds {plain(value)} at row {row}, column {column}: could not "
                    "convert it to float; argument must be a string or a number that reads as one. "
                    "Drop or encode that column."
                ) from error
        raise
