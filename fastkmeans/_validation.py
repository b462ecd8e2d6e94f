"""From anything array-like to checked rows, and every message about bad input."""

from __future__ import annotations

import math
import numbers
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._dataframes import dataframe_rows, is_dataframe
from ._errors import plain
from ._rows import FLOAT32, FLOAT64, ArrayRows, ConvertedRows, Rows

NO_WEIGHTS: NDArray[np.float64] = np.empty(0)
"""All rows count alike.  Read-only like all weights: to numba that is another type."""
NO_WEIGHTS.flags.writeable = False

ROOM = 2.0**512
"""Weights up to this, and down to its inverse, leave room for sums and squares."""


class Weights(NamedTuple):
    """Weights as the arithmetic wants them: neither denormal nor near overflow.

    Attributes
    ----------
    values : ndarray of shape (n_samples,), float64
        The weights divided by ``unit``; of size 0 where all rows count alike.
    unit : float
        A power of two, so that dividing is exact (but for weights 1e300 times smaller
        than the largest).  An inertia by ``values`` times ``unit`` is the user's.
    """

    values: NDArray[np.float64]
    unit: float


class Table(NamedTuple):
    """Rows, and the names of their columns where the container has any."""

    rows: Rows
    names: list[Any] | None


def as_table(X: Any, name: str = "X") -> Table:
    """Wrap anything array-like without copying it.

    float32 and float16 give float32 rows, everything else gives float64 rows.

    Raises
    ------
    TypeError
        For sparse matrices and for values that are no numbers.
    ValueError
        For tables that are not two-dimensional, empty, complex, or hold text.
    """
    if is_dataframe(X):
        table = Table(*dataframe_rows(X, name))
    else:
        table = Table(_array_rows(_as_array(X, name), name), None)
    n, d = table.rows.shape
    for count, what in ((n, "sample"), (d, "feature")):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={(n, d)}) while a minimum of 1 is "
                f"required: {name} is empty."
            )
    return table


def _as_array(X: Any, name: str) -> NDArray[Any]:
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise TypeError(
            f"Sparse data was passed as {name}, but dense data is required. "
            f"Use {name}.toarray() if it fits in memory."
        )
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        row, column = np.argwhere(np.ma.getmaskarray(X))[0]
        raise ValueError(
            f"{name} has masked values, the first at row {row}, column {column}; fill them "
            f"({name}.filled(...)) or drop those rows."
        )
    try:
        array = np.asarray(X)
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


def _numbers_from_objects(array: NDArray[Any], name: str) -> NDArray[np.float64]:
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


def first_not_finite(table: Table, name: str = "X") -> ValueError:
    """Return the error that names the first value that is NaN or infinite."""
    for start, block in table.rows.blocks():
        for at in range(0, block.shape[1], 1 << 14):
            bad = ~np.isfinite(block[0, at : at + (1 << 14)])
            if bad.any():
                row, column = np.argwhere(bad)[0]
                value = block[0, at + row, column]
                what = "NaN" if np.isnan(value) else "infinity"
                where = f"column {column}"
                if table.names is not None:
                    where = f"column {table.names[column]!r}"
                return ValueError(
                    f"Input {name} contains {what} at row {start + at + row}, {where}. Drop or "
                    "fill such rows first, for example with "
                    f"{name}[numpy.isfinite({name}).all(axis=1)]."
                )
    return ValueError(f"Input {name} contains NaN, infinity or a value too large.")


def check_finite(table: Table, name: str = "X") -> float:
    """Return the largest magnitude; raise if a value is NaN or infinite."""
    size = 0.0
    for _, block in table.rows.blocks():
        high, low = float(block[0].max()), float(block[0].min())
        if not (math.isfinite(high) and math.isfinite(low)):
            raise first_not_finite(table, name)
        size = max(size, high, -low)
    return size


def as_weights(sample_weight: Any, n_samples: int) -> NDArray[np.float64]:
    """Return weights as float64, of size 0 where all rows count alike."""
    if sample_weight is None:
        return NO_WEIGHTS
    given = np.asarray(sample_weight)
    _refuse_times(given)
    if isinstance(sample_weight, numbers.Real):
        given = np.full(n_samples, float(sample_weight))
    if given.dtype.kind == "c":
        raise ValueError("sample_weight is complex; weights must be real and not negative.")
    try:
        weights = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must hold one number per row: {error}") from error
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_samples,)}: one weight per "
            "row of X. (Sample weights must be 1D array or scalar.)"
        )
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if bad.size:
        raise ValueError(
            f"sample_weight holds {plain(weights[bad[0]])} at row {bad[0]}; weights must be finite "
            "and not negative."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for every row; at least one must be positive.")
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not math.isfinite(total):
        raise ValueError("sample_weight adds up to more than float64 holds; scale it down.")
    weights.flags.writeable = False
    return weights


def _refuse_times(given: NDArray[Any]) -> None:
    """Raise if weights are dates or durations, which NumPy would cast to plain numbers."""
    if given.dtype.kind not in "mMO":
        return
    for row, value in enumerate(given.flat):
        if isinstance(value, np.datetime64 | np.timedelta64):
            raise TypeError(
                f"sample_weight holds {plain(value)} at row {row}, a date or duration (dtype "
                f"{value.dtype}); weights must be numbers: divide durations by a unit, say "
                "numpy.timedelta64(1, 's')."
            )


def scaled_weights(sample_weight: Any, n_samples: int) -> Weights:
    """Check weights and bring them within the range of the arithmetic."""
    values = as_weights(sample_weight, n_samples)
    largest = float(values.max(initial=0.0))
    if largest > ROOM:
        unit = ROOM
    elif 0.0 < largest < 1.0 / ROOM:
        unit = 1.0 / ROOM
    else:
        return Weights(values, 1.0)
    values = values / unit
    values.flags.writeable = False
    return Weights(values, unit)


def check_count(value: Any, name: str, low: int = 1) -> int:
    """Return ``value`` as an int of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {plain(value)}.")
    count: int = int(value)
    if count < low:
        raise ValueError(f"{name} must be at least {low}, got {value}.")
    return count


def check_switch(value: Any, name: str) -> None:
    """Raise unless ``value`` is a bool or an integer of at least 0."""
    if not isinstance(value, bool | np.bool_):
        check_count(value, name, low=0)


def check_tolerance(tol: Any, name: str = "tol") -> None:
    """Raise unless ``tol`` is a finite number of at least 0."""
    if isinstance(tol, bool) or not isinstance(tol, numbers.Real):
        raise TypeError(f"{name} must be a number, got {plain(tol)}.")
    if not 0.0 <= float(tol) < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, got {tol}.")


def check_fits(n_clusters: int, n_samples: int) -> None:
    """Raise unless there are as many rows as clusters."""
    if n_samples < n_clusters:
        raise ValueError(
            f"n_samples={n_samples} should be >= n_clusters={n_clusters}: ask for fewer clusters."
        )


def as_centers(
    centers: ArrayLike, n_features: int, name: str = "init", n_clusters: int | None = None
) -> NDArray[np.float64]:
    """Return centers as a new C-ordered float64 array of the expected shape."""
    table = as_table(centers, name)
    check_finite(table, name)
    k, d = table.rows.shape
    if n_clusters is not None and k != n_clusters:
        raise ValueError(
            f"The shape of the initial centers {(k, d)} does not match the number of clusters "
            f"{n_clusters}: {name} needs one row per cluster."
        )
    if d != n_features:
        raise ValueError(
            f"The shape of the initial centers {(k, d)} does not match the number of features "
            f"of the data {n_features}."
        )
    return table.rows.take(np.arange(k)).astype(np.float64)


def as_generator(random_state: Any) -> np.random.Generator:
    """Return a generator from None, an int, a ``RandomState`` or a ``Generator``."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None or random_state is np.random:
        random_state = np.random.mtrand._rand  # so that np.random.seed counts
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 1 << 31, size=4))
    whole = isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool)
    if whole and int(random_state) >= 0:
        return np.random.default_rng(int(random_state))
    raise ValueError(
        f"random_state must be None, an integer of at least 0, a numpy RandomState or "
        f"Generator, got {plain(random_state)}."
    )
