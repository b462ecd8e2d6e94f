"""The frame of the data: where it lies and how wide it is.

One pass finds mean, variance, minimum and maximum of every column.  They give the
scaled, shifted coordinates of the kernels, the tolerance in the data's own units, and
the news that a value is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._adding import total_of
from ._kernels.moments import M2, MAXIMUM, MEAN, MINIMUM, WEIGHT, add_moments
from ._parallel import MANY_RANGES, SMALL_TABLE, Team, cut, is_large, within
from ._rows import FLOAT32, Block, Rows

WIDE = 32
"""Columns that the kernel of the moments is given at most by taking rows together."""
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Frame:
    """Scaled, shifted coordinates ``x' = (x - shift) * scale`` of one table.

    Attributes
    ----------
    shift : ndarray of shape (n_features,), float64
        Close to the mean, and exact in the dtype of the data.
    scale : float
        Power of two that brings the largest coordinate to about 1.
    mean_variance : float
        Mean over the columns of the (weighted) variance, in scaled units.
    scatter : float
        Weighted sum of ``|x'|^2`` over all rows.
    widest : float
        Largest standard deviation of a column, in scaled units.
    """

    shift: NDArray[np.float64]
    scale: float
    mean_variance: float
    scatter: float
    widest: float
    offset: NDArray[np.float64]
    x_offset: NDArray[Any]
    x_scale: Any


def power_of_two(size: float, dtype: np.dtype[Any]) -> float:
    """Return the power of two that brings ``size`` to about 1, exact in ``dtype``."""
    if not 0.0 < size < math.inf:
        return 1.0
    limit = 126 if dtype == np.float32 else 1022
    return math.ldexp(1.0, min(limit, max(-limit, -math.frexp(size)[1])))


def make_frame(
    dtype: np.dtype[Any],
    mean: NDArray[np.float64],
    scale: float,
    mean_variance: float = 0.0,
    weight: float = 0.0,
    widest: float = 0.0,
) -> Frame:
    """Return the frame for data of some weight around ``mean``."""
    shift = mean
    if dtype == FLOAT32:
        shift = np.clip(mean, -LARGEST, LARGEST).astype(dtype).astype(np.float64)
    offset = shift * -scale
    scatter = mean_variance * len(mean)
    if shift is not mean:
        beside = (mean - shift) * scale
        scatter += total_of(beside * beside)
    scatter *= weight
    return Frame(
        shift, scale, mean_variance, scatter, widest,
        offset, offset.astype(dtype, copy=False), dtype.type(scale),
    )  # fmt: skip


def no_moments(n_ranges: int, n_features: int) -> NDArray[np.float64]:
    """Return the moments of no rows, once per range."""
    parts = np.zeros((n_ranges, 5, n_features))
    parts[:, MINIMUM], parts[:, MAXIMUM] = np.inf, -np.inf
    return parts


def merge_moments(
    parts: Sequence[NDArray[np.float64]] | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Merge moments into the first, in order (the formula is in ``_kernels.moments``)."""
    total: NDArray[np.float64] = parts[0]
    if len(parts) == 1:
        return total
    with np.errstate(over="ignore", invalid="ignore"):  # data may be anything so far
        for part in parts[1:]:
            weight, other = total[WEIGHT], part[WEIGHT]
            share = other / np.maximum(weight + other, np.finfo(np.float64).tiny)
            delta = part[MEAN] - total[MEAN]
            total[M2] += part[M2] + delta * delta * (weight * share)
            total[MEAN] += delta * share
            total[WEIGHT] += other
            np.minimum(total[MINIMUM], part[MINIMUM], out=total[MINIMUM])
            np.maximum(total[MAXIMUM], part[MAXIMUM], out=total[MAXIMUM])
    return total


def _merge_columns(parts: NDArray[np.float64], together: int) -> NDArray[np.float64]:
    """Merge the columns of the rows that were taken together, by halves."""
    n_ranges, _, columns = parts.shape
    parts = parts.reshape(n_ranges, 5, together, columns // together)
    while together > 1:
        together //= 2
        first = np.moveaxis(parts[:, :, :together], 1, 0)
        second = np.moveaxis(parts[:, :, together:], 1, 0)
        parts = np.moveaxis(merge_moments([first.copy(), second]), 0, 1)
    return np.ascontiguousarray(parts[:, :, 0])


def _rows_together(n_features: int, weights: NDArray[np.float64]) -> int:
    """Return how many narrow rows the kernel of the moments is given as one."""
    together = 1
    while not weights.size and 2 * together * n_features <= WIDE:
        together *= 2
    return together


def moments(rows: Rows, weights: NDArray[np.float64], team: Team, scale: float) -> NDArray[Any]:
    """Return the moments ``(5, n_features)`` of all rows, in one pass.

    The ranges, and how many narrow rows are taken together, depend on the shape alone:
    the result is the same for any team and any layout.
    """
    n, d = rows.shape
    large = n * d > SMALL_TABLE
    ranges = cut(n, MANY_RANGES if large else 1)
    together = _rows_together(d, weights) if large else 1
    parts = no_moments(len(ranges) - 1, together * d)
    if together > 1:
        rest = no_moments(1, d)
    for start, X in rows.blocks():
        stop = start + X.shape[1]
        touched, bounds = within(ranges, start, stop)
        w = weights[start:stop] if weights.size else weights
        arguments, outputs = (w, scale, together), (parts[touched],)
        team.run(add_moments, X, bounds // together, arguments, outputs, prange=is_large(X))
        whole = X.shape[1] // together * together
        if whole < X.shape[1]:
            add_moments(X, whole, X.shape[1], w, scale, 1, rest[0])
    if together == 1:
        return merge_moments(parts)
    return merge_moments([*_merge_columns(parts, together), rest[0]])


def block_moments(X: Block, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the moments ``(5, n_features)`` of one block, on the thread that asks."""
    _, n, d = X.shape
    together = _rows_together(d, weights)
    parts, rest = no_moments(1, together * d), no_moments(1, d)
    whole = n // together * together
    add_moments(X, 0, n // together, weights, 1.0, together, parts[0])
    if whole < n:
        add_moments(X, whole, n, weights, 1.0, 1, rest[0])
    return merge_moments([*_merge_columns(parts, together), rest[0]])


def frame_of(rows: Rows, weights: NDArray[np.float64], team: Team) -> Frame | None:
    """Return the frame of the data, or None if a value is not finite."""
    table = moments(rows, weights, team, 1.0)
    size = float(np.abs(table[MINIMUM:]).max())
    if not math.isfinite(size) or (size < 1e150 and math.isnan(sum(table[MEAN].tolist()))):
        return None
    unit = 1.0
    if size > 1e150 or 0.0 < size < 1e-150:  # squares overflow, or vanish
        unit = power_of_two(size, np.dtype(np.float64))
        table = moments(rows, weights, team, unit)
        if np.isnan(table[MEAN]).any():
            return None
    mean = table[MEAN]
    reach = float(np.abs(table[MINIMUM:] - mean).max())
    zoom = min(power_of_two(reach, rows.dtype), 2.0**1022 / unit)  # denormals
    weight = float(table[WEIGHT, 0])
    variances = table[M2] / weight
    variance = total_of(variances) / len(mean) * zoom * zoom
    widest = math.sqrt(float(variances.max())) * zoom
    mean = mean if unit == 1.0 else mean / unit
    return make_frame(rows.dtype, mean, zoom * unit, variance, weight, widest)
