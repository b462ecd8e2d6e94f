"""Sparse matrices as rows, by duck typing: SciPy is not imported.

A matrix has ``tocsr`` and ``nnz``.  Its compressed rows are read in place, if their columns rise
and do not repeat; else a sorted copy of the stored values is made.  Rows never become dense: only
those that ``take`` copies do, which become centers.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.sparse.order import is_in_order, sort_rows
from .._kernels.sparse.rows import (
    SQUARES,
    SUM,
    WEIGHT,
    Stored,
    add_columns,
    add_deviations,
)
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import MANY_RANGES, Team, cut
from .rows import CHUNK, FLOAT32, FLOAT64, ArrayRows, Block, InMemory, Rows
from .tensors import refuse_mask

MOST_COLUMNS = 1 << 31
"""Columns that indices of 32 bits count."""
LARGE = 1 << 20
"""Stored values from which on a pass made once per fit also runs in numba's threads."""


class SparseRows(InMemory):
    """The rows of a matrix whose zeros are not stored."""

    def __init__(
        self,
        values: NDArray[Any],
        stored: Stored,
        n_features: int,
        kind: Callable[..., Any] | None = None,  # makes a matrix of the user's type
    ) -> None:
        self.values = _sealed(values)
        self.stored = Stored(_sealed(stored.indices), _sealed(stored.starts))
        self.shape = (len(stored.starts) - 1, n_features)
        self.dtype = values.dtype
        self._kind = kind

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """Refuse: no pass over the rows may make them dense."""
        raise TypeError("Sparse rows have no dense blocks.")

    def take(self, indices: NDArray[np.int64]) -> Block:
        """Return a dense copy of some rows."""
        out = np.zeros((len(indices), self.shape[1]), self.dtype)
        columns, starts = self.stored
        for place, row in enumerate(np.asarray(indices).tolist()):
            part = slice(starts[row], starts[row + 1])
            out[place, columns[part]] = self.values[part]
        return out

    def select(self, indices: NDArray[np.int64]) -> "SparseRows":
        """Return a copy of some rows, as sparse as they are."""
        columns, starts = self.stored
        lengths = starts[indices + 1] - starts[indices]
        new = np.zeros(len(indices) + 1, np.int64)
        np.cumsum(lengths, out=new[1:])
        places = np.repeat(starts[indices] - new[:-1], lengths) + np.arange(new[-1])
        own = Stored(columns[places], new)
        return SparseRows(self.values[places], own, self.shape[1], self._kind)

    def times(self, factor: float) -> "SparseRows":
        """Return the rows times a number, with values of their own."""
        values = self.values * self.dtype.type(factor)
        return SparseRows(values, self.stored, self.shape[1], self._kind)

    def as_given(self) -> Any:
        """Return the rows as a matrix of the type that the user passed."""
        assert self._kind is not None
        indices, starts = self.stored
        arrays = self.values.copy(), indices.copy(), starts.copy()  # SciPy narrows what it can
        return self._kind(arrays, shape=self.shape)

    def first_not_finite(self) -> tuple[int, int, float] | None:
        """Return row, column and value of the first NaN or infinity."""
        for start in range(0, len(self.values), CHUNK):
            bad = ~np.isfinite(self.values[start : start + CHUNK])
            if bad.any():
                place = start + int(bad.argmax())
                row = int(np.searchsorted(self.stored.starts, place, side="right")) - 1
                return row, int(self.stored.indices[place]), float(self.values[place])
        return None

    def largest_magnitude(self) -> float:
        """Return the largest magnitude; NaN or infinite if a value is."""
        if not len(self.values):
            return 0.0
        return float(max(abs(self.values.max()), abs(self.values.min())))


class ColumnMoments(NamedTuple):
    """What the scaling needs, in scaled units."""

    weight: float  # of all rows
    variances: Floats  # (n_features,), weighted, around the mean of all values, zeros too
    scatter: float  # weighted sum of |x'|^2


def column_moments(rows: SparseRows, weights: Floats, team: Team, scale: float) -> ColumnMoments:
    """Return the moments of the columns, in two passes over the stored values.

    The ranges depend on the data alone.
    """
    n, d = rows.shape
    n_stored = len(rows.values)
    ranges = cut(n, min(MANY_RANGES, n_stored // (8 * d)))
    parts = np.zeros((len(ranges) - 1, 3, d))
    prange = n_stored >= LARGE
    arguments: tuple[Any, ...] = rows.stored, weights, scale
    team.run(add_columns, rows.values, ranges, arguments, (parts,), prange=prange)
    weight = total_of(weights) if weights.size else float(n)
    total = parts.sum(axis=0)
    means = total[SUM] / weight
    deviations = np.zeros((len(ranges) - 1, d))
    arguments = rows.stored, weights, scale, means
    team.run(add_deviations, rows.values, ranges, arguments, (deviations,), prange=prange)
    # The values that are not stored deviate by the mean.
    rest = np.maximum(weight - total[WEIGHT], 0.0) * (means * means)
    return ColumnMoments(weight, (deviations.sum(axis=0) + rest) / weight, total_of(total[SQUARES]))


def selected(rows: Rows, indices: NDArray[np.int64]) -> Rows:
    """Return a copy of some rows, in memory."""
    if isinstance(rows, SparseRows):
        return rows.select(indices)
    return ArrayRows(rows.take(indices))


def sample_of(rows: Rows, indices: NDArray[np.int64]) -> Any:
    """Return a copy of some rows as a user would pass it: an array, or a sparse matrix."""
    if isinstance(rows, SparseRows):
        return rows.select(indices).as_given()
    return rows.take(indices)


def own_products(rows: SparseRows, centers: Floats, labels: Labels) -> NDArray[np.float32]:
    """Return the product of each row with the center of its label."""
    (columns, starts), out = rows.stored, np.empty(len(labels), np.float32)
    for at in range(0, len(labels), CHUNK):
        own = labels[at : at + CHUNK]
        part = slice(starts[at], starts[at + len(own)])
        owners = np.repeat(np.arange(len(own)), np.diff(starts[at : at + len(own) + 1]))
        terms = rows.values[part] * centers[own[owners], columns[part]]
        out[at : at + len(own)] = np.bincount(owners, terms, len(own))
    return out


def is_sparse(X: Any) -> bool:
    """Return whether ``X`` is a sparse matrix or array."""
    return hasattr(X, "tocsr") and hasattr(type(X), "nnz")  # its value may fail to be computed


def sparse_rows(X: Any, name: str) -> SparseRows:
    """Wrap a sparse matrix; sort and add up what is not in order."""
    shape = tuple(X.shape)
    if len(shape) != 2:
        raise ValueError(
            f"Expected 2D array, got {len(shape)}D array instead: {name} has shape {shape}. "
            "Reshape a single sample to one row."
        )
    refuse_mask(getattr(X, "data", None), f"{name}.data")  # ``tocsr`` would drop it
    (n, d), kind = shape, getattr(X, "format", "csr")
    if d > MOST_COLUMNS:
        raise ValueError(
            f"{name} has {d} columns, and a sparse matrix may have {MOST_COLUMNS}: keep only those "
            f"in which {name} stores values (numpy.unique({name}.indices)), or hash the features "
            "into fewer."
        )
    if kind != "csr":
        _check_places(X, kind, name)
    csr = X.tocsr()
    values, starts = _as_values(csr.data, name), _as_starts(csr.indptr, name)
    _check_compressed((csr.indices, starts, values), (n, d), "column", name)
    indices = np.require(csr.indices, np.int32, ["C", "A"])
    values, indices = values[: starts[-1]], indices[: starts[-1]]
    stored = Stored(_sealed(indices), _sealed(starts))
    if not is_in_order(stored.indices, 0, n, stored.starts):
        values, stored = _in_order(_sealed(values), stored, n)
    return SparseRows(values, stored, d, type(csr))


def _as_values(data: Any, name: str) -> NDArray[Any]:
    """Return stored values as native floats, not copied if they are."""
    values = np.asarray(data)
    kind = values.dtype.kind
    if kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} has dtype {values.dtype}; pass its real part or "
            "real and imaginary parts as separate columns."
        )
    if kind not in "biuf":
        raise ValueError(
            f"{name} holds values of dtype {values.dtype}; numeric values are required: convert "
            f"it, for example by {name}.astype(float)."
        )
    if values.ndim != 1:
        raise _invalid(name, f"its stored values have {values.ndim} dimensions, not one")
    dtype = FLOAT32 if kind == "f" and values.dtype.itemsize <= 4 else FLOAT64
    with np.errstate(over="ignore"):  # an infinity is reported as such
        return np.require(values, dtype.newbyteorder("="), ["C", "A"])


def _as_starts(indptr: Any, name: str) -> NDArray[np.int64]:
    """Return where rows start as int64, not copied if they are."""
    starts = np.asarray(indptr)
    if starts.ndim != 1 or starts.dtype.kind not in "iu":
        raise _invalid(name, "its indptr does not hold whole numbers in one dimension")
    return np.ascontiguousarray(starts, np.int64)


def _check_places(X: Any, kind: str, name: str) -> None:
    """Raise if a value is stored outside of a matrix: SciPy would write there as it converts it."""
    n, d = X.shape
    if kind in ("csc", "bsr"):
        height, width = getattr(X, "blocksize", (1, 1))
        lines, what = ((d, n), "row") if kind == "csc" else ((n // height, d // width), "block")
        stored = X.indices, _as_starts(X.indptr, name), np.asarray(X.data)
        _check_compressed(stored, lines, what, name)
    elif kind == "coo":
        for indices, count, what in ((X.row, n, "row"), (X.col, d, "column")):
            if np.shape(indices) != np.shape(X.data):
                raise _invalid(name, "it has not one row and one column for each stored value")
            _check_range(np.asarray(indices), count, what, name)


def _check_compressed(
    stored: tuple[Any, NDArray[np.int64], NDArray[Any]],  # indices, starts, values
    shape: tuple[int, int],  # lines, and places in each
    what: str,  # the indices count
    name: str,
) -> None:
    """Raise unless every line of compressed storage lies in the arrays."""
    places, starts, values = np.asarray(stored[0]), *stored[1:]
    fits = starts.shape == (shape[0] + 1,) and starts[0] == 0 and starts[-1] <= len(places)
    # No differences: those of integers as large as int64 holds overflow.
    if not fits or len(places) > len(values) or (starts[1:] < starts[:-1]).any():
        raise _invalid(name, "its indptr does not rise from 0 to the number of stored values")
    _check_range(places, shape[1], what, name)


def _check_range(indices: NDArray[Any], count: int, what: str, name: str) -> None:
    """Raise unless all indices are whole numbers from 0 to below ``count``."""
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise _invalid(name, f"its {what} indices are not whole numbers in one dimension")
    if indices.size and (indices.min() < 0 or indices.max() >= count):
        raise _invalid(name, f"it stores a value in a {what} below 0 or above {count - 1}")


def _invalid(name: str, fault: str) -> ValueError:
    return ValueError(
        f"{name} is not a valid sparse matrix: {fault}. Call {name}.check_format() to see more, or "
        "build it again."
    )


def _in_order(values: NDArray[Any], stored: Stored, n_rows: int) -> tuple[NDArray[Any], Stored]:
    """Return a copy with rising columns; values of the same place are added in their order."""
    columns, sums = np.empty_like(stored.indices), np.empty_like(values)
    starts, longest = np.zeros(n_rows + 1, np.int64), int(np.diff(stored.starts).max())
    spare = np.empty(longest, np.int32), np.empty(longest, values.dtype)
    sort_rows(values, 0, n_rows, stored, columns, sums, starts, *spare)
    return sums[: starts[-1]], Stored(columns[: starts[-1]], starts)


def _sealed(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view: numba compiles for writable arrays apart."""
    view = array.view(np.ndarray)
    view.flags.writeable = False
    return view
