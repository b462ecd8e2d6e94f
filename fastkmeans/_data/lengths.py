"""Rows that count with length 1, for clustering by cosine (``_kernels.shared.lengths``).

``X`` stays as it is.  A pass measures the lengths, and 8 bytes a row keep their inverses (for rows
in a file, in a file).  The rows are scaled, but not shifted: directions belong to the origin.
"""

import math
from typing import NamedTuple

import numpy as np

from .._kernels.shared.lengths import WEIGHT, ZERO_WEIGHT, ZEROS, measure_lengths
from .._kernels.shared.moments import M2, MEAN, MINIMUM
from .._kernels.sparse.rows import Scaled
from .._runtime.adding import column_totals, total_of
from .._runtime.arrays import Floats
from .._runtime.threads import MANY_RANGES, SMALL_TABLE, Team, cut, is_large, within
from .rows import Rows
from .scaling import NotFiniteError, Scaling, checked_moments, power_of_two, unshifted
from .sparse import LARGE, SparseRows

FARTHEST_UNIT = 60
"""Largest exponent of the radius of the sphere; its square is then far from float32's limits."""
SAMPLED = 1024
"""Least number of rows whose lengths give the radius."""


class Lengths(NamedTuple):
    """The lengths of the rows."""

    inverse: Floats  # (n_samples,), 1 / |x'|, and 0 for rows of length 0
    n_zero: int  # rows of length 0
    zero_weight: float  # their weight


def measure(rows: Rows, weights: Floats, team: Team) -> tuple[Scaling, Lengths]:
    """Return scaling and lengths; raise ``NotFiniteError`` if a value is NaN or infinite.

    The variance is that of the rows brought to length 1, without those of length 0.
    """
    if isinstance(rows, SparseRows):
        return _measure_sparse(rows, weights, team)
    (n, d), dtype = rows.shape, rows.dtype
    table, unit = checked_moments(rows, weights, team)
    size = float(np.abs(table[MINIMUM:]).max())
    zoom = min(power_of_two(size, dtype), 2.0**1022 / unit)
    scale, no_offset = zoom * unit, np.zeros(d)
    inverse = rows.empty(n, np.float64)
    ranges = cut(n, MANY_RANGES if n * d > SMALL_TABLE else 1)
    totals, sums = np.zeros((len(ranges) - 1, 3)), np.zeros((len(ranges) - 1, 1, d))
    for start, X in rows.blocks():
        part = slice(start, start + X.shape[1])
        touched, bounds = within(ranges, part.start, part.stop)
        own = weights[part] if weights.size else weights
        arguments, outputs = (
            (own, no_offset, scale, inverse[part]),
            (totals[touched], sums[touched]),
        )
        team.run(measure_lengths, X, bounds, arguments, outputs, is_large(X), light=True)
    inverse.flags.writeable = False
    total, n_moving = totals.sum(axis=0), n - int(totals[:, ZEROS].sum())
    weight = float(total[WEIGHT])
    mean = sums.sum(axis=(0, 1)) / weight if weight else no_offset
    radius = _typical_length(inverse)
    square = radius * radius
    variance = max(0.0, 1.0 - total_of(mean * mean)) / d if weight else 0.0
    largest = math.sqrt(float((table[M2] / table[0, 0] + table[MEAN] ** 2).max()))
    scaling = unshifted(
        dtype, d, scale, unit=radius, mean_variance=variance * square,
        scatter=2.0 * (weight + float(total[ZERO_WEIGHT])) * square, widest=largest * zoom,
    )  # fmt: skip
    return scaling, Lengths(inverse, n - n_moving, float(total[ZERO_WEIGHT]))


def _measure_sparse(rows: SparseRows, weights: Floats, team: Team) -> tuple[Scaling, Lengths]:
    """Return scaling and lengths of sparse rows; in scaled units, rows and centers have length 1.

    The mean of the rows is that of one cluster.
    """
    from .._kernels.sparse.update import move_rows

    (n, d), size = rows.shape, rows.largest_magnitude()
    if not math.isfinite(size):
        raise NotFiniteError
    scale = power_of_two(size, rows.dtype)
    lengths = lengths_of(rows, weights, scale, team)
    all_rows, nobody = np.zeros(n, np.int32), np.full(n, -1, np.int32)
    sums, table = np.zeros((1, d)), np.zeros((2, 1))
    move_rows(
        rows.values, 0, 1, np.array([0, 1]), Scaled(*rows.stored, scale, lengths.inverse),
        weights, nobody, all_rows, True, sums, table,
    )  # fmt: skip
    weight = float(table[0, 0])
    mean = sums[0] / weight if weight else sums[0]
    scaling = unshifted(
        rows.dtype, d, scale,
        mean_variance=max(0.0, 1.0 - total_of(mean * mean)) / d if weight else 0.0,
        scatter=2.0 * (weight + lengths.zero_weight),
    )  # fmt: skip
    return scaling, lengths


def lengths_of(rows: SparseRows, weights: Floats, scale: float, team: Team) -> Lengths:
    """Measure the lengths of sparse rows."""
    from .._kernels.sparse.directions import measure_lengths as measure_sparse_lengths

    inverse = np.empty(rows.shape[0])
    arguments = rows.stored, scale, inverse
    prange = len(rows.values) >= LARGE
    cuts = team.cut(rows.shape[0])
    team.run(measure_sparse_lengths, rows.values, cuts, arguments, prange=prange)
    inverse.flags.writeable = False
    zeros = inverse == 0.0
    n_zero = int(np.count_nonzero(zeros))
    weight = total_of(weights[zeros]) if weights.size and n_zero else float(n_zero)
    return Lengths(inverse, n_zero, weight)


def _typical_length(inverse: Floats) -> float:
    """Return a power of two close to most lengths: pruning needs centers among the rows."""
    sample = inverse[:: max(1, len(inverse) // SAMPLED)]
    _, exponents = np.frexp(sample[sample > 0.0])
    exponent = -int(np.median(exponents)) if exponents.size else 0
    return math.ldexp(1.0, min(FARTHEST_UNIT, max(-FARTHEST_UNIT, exponent)))


def to_length_one(points: Floats) -> Floats:
    """Return rows as float64 of length 1; rows of zeros stay as they are."""
    points = np.asarray(points, np.float64)
    size = np.abs(points).max(axis=1, keepdims=True)
    _, exponents = np.frexp(size)
    points = np.ldexp(np.ldexp(points, -(exponents // 2)), -(exponents - exponents // 2))
    lengths = np.sqrt(column_totals((points * points).T))[:, None]
    directions: Floats = points / np.where(lengths > 0.0, lengths, 1.0)
    return directions
