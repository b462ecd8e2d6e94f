"""A sample of the rows of any table, and the mean and deviation of its columns."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.moments import moments
from .._data.rows import Rows
from .._data.scaling import power_of_two
from .._data.sparse import SparseRows
from .._data.tables import Table
from .._data.validation import NO_WEIGHTS
from .._engines.base import work_of
from .._kernels.shared.moments import M2, MAXIMUM, MEAN, MINIMUM, WEIGHT
from .._runtime.arrays import Floats
from .._runtime.threads import Team

MOST_ROWS = 20_000
"""Most rows of a sample."""
FEWEST_ROWS = 256
"""Rows of a sample that are taken however many columns there are."""
MOST_VALUES = 1 << 22
"""Most values of a sample of more than ``FEWEST_ROWS`` rows."""
MOST_COLUMNS = 1 << 16
"""Most columns: a sample is dense."""
SMALL = 1e-150
"""Deviations below this are made of squares that lost digits."""
TINY = np.finfo(np.float64).tiny


class Spread(NamedTuple):
    """Mean and standard deviation of each column, in the coordinates of the fit."""

    mean: Floats  # (n_features,)
    deviation: Floats  # (n_features,)
    of_sample: bool  # not of all rows


def room_for(n_features: int, most: int = MOST_ROWS) -> int:
    """Return the number of rows that a sample may have."""
    if n_features > MOST_COLUMNS:
        raise ValueError(
            f"X has {n_features} features, and pictures are of at most {MOST_COLUMNS}: choose "
            "columns, or project the rows first (sklearn.random_projection, "
            "sklearn.decomposition.TruncatedSVD)."
        )
    return min(most, max(FEWEST_ROWS, MOST_VALUES // n_features))


def sample_indices(n: int, most: int, seed: int = 0) -> NDArray[np.int64]:
    """Return distinct row numbers below n, rising; all of them if there are at most ``most``."""
    if n <= most:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    chosen: NDArray[np.int64] = np.sort(rng.choice(n, most, replace=False, shuffle=False))
    return chosen


def taken(table: Table, indices: NDArray[np.int64], by_cosine: bool) -> Floats:
    """Return some rows in float64 and as the metric counts them: by cosine with length 1."""
    rows: Floats = table.rows.take(indices).astype(np.float64)
    if by_cosine:
        largest = np.abs(rows).max(axis=1, keepdims=True)
        rows /= np.where(largest > 0.0, largest, 1.0)  # so that no square overflows
        lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        rows /= np.where(lengths > 0.0, lengths, 1.0)
    return rows


def spread_of(table: Table, weights: Floats, by_cosine: bool, n_threads: int | None) -> Spread:
    """Return mean and deviation of each column: of all rows if they are dense and count as is."""
    rows = table.rows
    n, d = rows.shape
    if by_cosine or isinstance(rows, SparseRows):
        indices = sample_indices(n, room_for(d))
        X = taken(table, indices, by_cosine)
        w = weights[indices] if weights.size else np.ones(len(indices))
        w = w / max(float(w.max()), TINY)  # so that no sum overflows
        total = w.sum()
        w = w / total if total > 0.0 else np.full(len(w), 1.0 / len(w))
        unit = np.ldexp(1.0, np.minimum(np.frexp(np.abs(X).max(axis=0))[1], 1023))
        X = X / unit  # so that no square overflows, or vanishes
        mean = w @ X
        return Spread(mean * unit, np.sqrt(w @ np.square(X - mean)) * unit, len(indices) < n)
    with Team(n_threads, work_of(rows.shape, 1)) as team, np.errstate(over="ignore"):
        return _spread_of_all(rows, weights, team)


def _spread_of_all(rows: Rows, weights: Floats, team: Team) -> Spread:
    """Return mean and deviation of dense rows; columns whose squares overflow are measured again.

    So are columns whose squares vanish.
    """
    found = moments(rows, weights if weights.size else NO_WEIGHTS, team, 1.0)
    total = np.maximum(found[WEIGHT], TINY)
    mean, deviation = found[MEAN].copy(), np.sqrt(found[M2] / total)
    vanished = (deviation < SMALL) & (found[MINIMUM] < found[MAXIMUM])
    for wrong in (~np.isfinite(deviation), vanished):
        if wrong.any():
            size = float(np.abs(found[MINIMUM:, wrong]).max())
            unit = power_of_two(size, np.dtype(np.float64))
            again = moments(rows, weights if weights.size else NO_WEIGHTS, team, unit)
            mean[wrong] = (again[MEAN] / unit)[wrong]
            deviation[wrong] = (np.sqrt(again[M2] / total) / unit)[wrong]
    return Spread(mean, deviation, False)


def standardised(centers: Floats, spread: Spread) -> Floats:
    """Return centers as deviations from the mean, in standard deviations; 0 in constant columns."""
    tiny = 1e-12 * np.maximum(np.abs(spread.mean), np.abs(centers).max(axis=0))
    real = spread.deviation > tiny
    apart = centers - spread.mean
    found: Floats = np.where(real, apart / np.where(real, spread.deviation, 1.0), 0.0)
    return found


def names_of(model: Any, table: Table) -> list[Any]:
    """Return the names of the columns, or x1, x2, ..."""
    own = getattr(model, "feature_names_in_", None)
    if own is None:
        own = table.names
    return list(own) if own is not None else [f"x{j + 1}" for j in range(table.rows.shape[1])]
