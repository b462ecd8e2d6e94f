"""Checks of input (rows, weights, centers, numbers), with messages that name the fault."""

import math
import numbers
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._runtime.arrays import Floats
from .._runtime.errors import plain
from .._runtime.text import shown
from .lengths import to_length_one
from .rows import CHUNK
from .sparse import SparseRows
from .tables import Table, table_in_memory
from .tensors import as_array

NO_WEIGHTS: Floats = np.empty(0)
"""Weights that count all rows alike.  Read-only like all weights, for numba a type of its own."""
NO_WEIGHTS.flags.writeable = False

ROOM = 2.0**512
"""Largest weight that needs no unit; its inverse is the smallest.  Sums and squares then fit."""


METRICS = ("euclidean", "cosine")
"""The values of ``metric``."""


class Weights(NamedTuple):
    """Weights divided by a unit, so that they are neither denormal nor near overflow.

    The unit is a power of two, so the division is exact, except for weights 1e300 times smaller
    than the largest.  An inertia from ``values``, times ``unit``, is the user's inertia.
    """

    values: Floats  # (n_samples,), or of size 0 if all rows count alike
    unit: float


def first_not_finite(table: Table, name: str = "X") -> ValueError:
    """Return the error that names the first NaN or infinite value."""
    found = _place_not_finite(table)
    if found is None:
        return ValueError(f"Input {name} contains NaN, infinity or a value too large.")
    row, column, value = found
    what = "NaN" if math.isnan(value) else "infinity"
    where = f"column {column}" if table.names is None else f"column {shown(table.names[column])}"
    way_out = f"{name}[numpy.isfinite({name}).all(axis=1)]"
    if isinstance(table.rows, SparseRows):
        way_out = f"{name}.data[~numpy.isfinite({name}.data)] = 0"
    return ValueError(
        f"Input {name} contains {what} at row {row}, {where}. Drop or fill such rows first, for "
        f"example with {way_out}."
    )


def _place_not_finite(table: Table) -> tuple[int, int, float] | None:
    """Return row, column and value of the first NaN or infinite value."""
    if isinstance(table.rows, SparseRows):
        return table.rows.first_not_finite()
    for start, block in table.rows.blocks():
        for at in range(0, block.shape[1], 1 << 14):
            bad = ~np.isfinite(block[0, at : at + (1 << 14)])
            if bad.any():
                row, column = np.argwhere(bad)[0].tolist()
                return start + at + row, column, float(block[0, at + row, column])
    return None


def check_finite(table: Table, name: str = "X") -> float:
    """Return the largest magnitude; raise if a value is NaN or infinite."""
    if isinstance(table.rows, SparseRows):
        size = table.rows.largest_magnitude()
        if not math.isfinite(size):
            raise first_not_finite(table, name)
        return size
    size = 0.0
    for _, block in table.rows.blocks():
        X = block[0]  # the methods max and min take longer for a single row
        high, low = float(np.maximum.reduce(X, None)), float(np.minimum.reduce(X, None))
        if not (math.isfinite(high) and math.isfinite(low)):
            raise first_not_finite(table, name)
        size = max(size, high, -low)
    return size


def as_weights(
    given: Any, n_samples: int, name: str = "sample_weight", some: bool = True
) -> Floats:
    """Return weights as float64, of size 0 if all rows count alike.

    ``some``: whether one of them must be positive.
    """
    if given is None:
        return NO_WEIGHTS
    array = as_array(given, name)
    _refuse_times(array, name)
    if isinstance(given, numbers.Real):
        array = np.full(n_samples, float(given))
    if array.dtype.kind == "c":
        raise ValueError(f"{name} is complex; weights must be real and not negative.")
    try:
        # A read-only array, such as a memory map of a file, needs no copy.
        convert = np.array if array.flags.writeable else np.asarray
        weights = convert(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold one number per row: {error}") from error
    if weights.shape != (n_samples,):
        raise ValueError(
            f"{name}.shape == {weights.shape}, expected {(n_samples,)}: one weight per "
            "row of X. (Sample weights must be 1D array or scalar.)"
        )
    for start in range(0, n_samples, CHUNK):
        part = weights[start : start + CHUNK]
        bad = np.flatnonzero(~(np.isfinite(part) & (part >= 0.0)))
        if bad.size:
            raise ValueError(
                f"{name} holds {plain(part[bad[0]])} at row {start + bad[0]}; weights must "
                "be finite and not negative."
            )
    if some and not weights.any():
        raise ValueError(f"{name} is zero for every row; at least one must be positive.")
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not math.isfinite(total):
        raise ValueError(f"{name} adds up to more than float64 holds; scale it down.")
    weights.flags.writeable = False
    return weights


def _refuse_times(given: NDArray[Any], name: str) -> None:
    """Raise if weights are dates or durations, which NumPy would cast to plain numbers."""
    if given.dtype.kind not in "mMO":
        return
    for row, value in enumerate(given.flat):
        if isinstance(value, np.datetime64 | np.timedelta64):
            raise TypeError(
                f"{name} holds {plain(value)} at row {row}, a date or duration (dtype "
                f"{value.dtype}); weights must be numbers: divide durations by a unit, say "
                "numpy.timedelta64(1, 's')."
            )


def weights_of(
    table: Table, sample_weight: Any, name: str = "sample_weight", some: bool = True
) -> Weights:
    """Return weights in a unit that suits the sums: those given, or else the table's own.

    ``some``: whether one of them must be positive.
    """
    if table.weights is not None and sample_weight is not None:
        raise ValueError(
            f"{name} was given for a dataset that has a column of weights: leave "
            f"{name} out, or open the dataset without weight_column."
        )
    given = sample_weight if table.weights is None else table.weights
    values = as_weights(given, table.rows.shape[0], name, some)
    largest = float(values.max()) if values.size else 1.0
    if 1.0 / ROOM <= largest <= ROOM or largest == 0.0:
        return Weights(values, 1.0)
    unit = ROOM if largest > ROOM else 1.0 / ROOM
    values = values / unit
    values.flags.writeable = False
    return Weights(values, unit)


def check_count(value: Any, name: str, low: int = 1, other: str = "") -> int:
    """Return ``value`` as an int of at least ``low``; ``other`` says what else it may be."""
    # int first: a test against an abstract class takes as long as a step of a small fit.
    if isinstance(value, bool) or not isinstance(value, int | numbers.Integral):
        raise TypeError(f"{name} must be {other}an integer, got {plain(value)}.")
    count: int = int(value)
    if count < low:
        raise ValueError(f"{name} must be at least {low}, got {value}.")
    return count


def check_switch(value: Any, name: str) -> None:
    """Raise unless ``value`` is a bool or an integer of at least 0."""
    if isinstance(value, bool | np.bool_):
        return
    if not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be True, False or an integer, got {plain(value)}.")
    check_count(value, name, low=0)


def check_tolerance(tol: Any, name: str = "tol") -> None:
    """Raise unless ``tol`` is a finite number of at least 0."""
    if isinstance(tol, bool) or not isinstance(tol, float | numbers.Real):
        raise TypeError(f"{name} must be a number, got {plain(tol)}.")
    if not 0.0 <= float(tol) < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, got {tol}.")


def check_metric(metric: Any) -> bool:
    """Return whether to cluster by cosine; raise if ``metric`` is unknown."""
    if not isinstance(metric, str) or metric not in METRICS:
        names = " or ".join(map(repr, METRICS))
        raise ValueError(f"metric must be {names}, got {plain(metric)}.")
    return metric == "cosine"


def refuse_by_cosine(metric: str, table: Table) -> None:
    """Raise if standardised rows are to be compared by cosine."""
    if metric == "cosine" and table.preparation is not None:
        raise ValueError(
            "metric='cosine' compares directions from the origin, which standardising moves: open "
            "the dataset with standardize=False, or use metric='euclidean'."
        )


def check_fits(n_clusters: int, n_samples: int) -> None:
    """Raise unless there are at least as many rows as clusters."""
    if n_samples < n_clusters:
        raise ValueError(
            f"n_samples={n_samples} should be >= n_clusters={n_clusters}: ask for fewer clusters."
        )


def as_centers(
    centers: ArrayLike, n_features: int, name: str = "init", n_clusters: int | None = None
) -> Floats:
    """Return centers as a new C-ordered float64 array of the expected shape."""
    table = table_in_memory(centers, name)
    check_finite(table, name)
    k, d = table.rows.shape
    what = "the initial centers" if name == "init" else name
    if n_clusters is not None and k != n_clusters:
        raise ValueError(
            f"The shape of {what} {(k, d)} does not match the number of clusters {n_clusters}: "
            f"{name} needs one row per cluster."
        )
    if d != n_features:
        raise ValueError(
            f"The shape of {what} {(k, d)} does not match the number of features of the data "
            f"{n_features}."
        )
    return table.rows.take(np.arange(k)).astype(np.float64)


def directions(centers: Floats, name: str) -> Floats:
    """Return centers brought to length 1; one of length 0 has no direction: an error."""
    zeros = np.flatnonzero(~centers.any(axis=1))
    if zeros.size:
        raise ValueError(
            f"{name} has length 0 in row {zeros[0]}: metric='cosine' needs a direction. Give a row "
            "that is not all zeros, or use metric='euclidean'."
        )
    return to_length_one(centers)


def check_random_state(random_state: Any) -> None:
    """Raise if ``as_generator`` cannot use ``random_state``."""
    if random_state is None or random_state is np.random:
        return
    if isinstance(random_state, np.random.Generator | np.random.RandomState):
        return
    whole = isinstance(random_state, int | numbers.Integral) and not isinstance(random_state, bool)
    if not whole or int(random_state) < 0:
        raise ValueError(
            f"random_state must be None, an integer of at least 0, a numpy RandomState or "
            f"Generator, got {plain(random_state)}."
        )


def as_generator(random_state: Any) -> np.random.Generator:
    """Return a generator from None, an int, a ``RandomState`` or a ``Generator``."""
    check_random_state(random_state)
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None or random_state is np.random:  # so that np.random.seed counts
        words = np.random.mtrand.get_bit_generator().random_raw(4)
        return np.random.default_rng(words.astype(np.uint32))
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(int.from_bytes(random_state.bytes(16), "little"))
    return np.random.default_rng(int(random_state))
