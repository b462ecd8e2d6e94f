"""Moments of the columns: weight, mean, squared deviations, minimum and maximum."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._kernels.shared.moments import M2, MAXIMUM, MEAN, MINIMUM, WEIGHT, add_moments
from .._runtime.arrays import Floats
from .._runtime.threads import MANY_RANGES, SMALL_TABLE, Team, cut, is_large, within
from .rows import Block, Rows

WIDE = 32
"""Most columns of joined rows: the kernel reads several narrow rows as one."""


def no_moments(n_ranges: int, n_features: int) -> Floats:
    """Return the moments of no rows, once per range."""
    parts = np.zeros((n_ranges, 5, n_features))
    parts[:, MINIMUM], parts[:, MAXIMUM] = np.inf, -np.inf
    return parts


def merge_moments(parts: Sequence[Floats] | Floats) -> Floats:
    """Merge moments into the first, in order (formula: ``_kernels.shared.moments``)."""
    total: Floats = parts[0]
    if len(parts) == 1:
        return total
    with np.errstate(over="ignore", invalid="ignore"):  # the data are not checked yet
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


def _merge_columns(parts: Floats, together: int) -> Floats:
    """Merge the columns of joined rows, by halves."""
    n_ranges, _, columns = parts.shape
    parts = parts.reshape(n_ranges, 5, together, columns // together)
    while together > 1:
        together //= 2
        first = np.moveaxis(parts[:, :, :together], 1, 0)
        second = np.moveaxis(parts[:, :, together:], 1, 0)
        parts = np.moveaxis(merge_moments([first.copy(), second]), 0, 1)
    return np.ascontiguousarray(parts[:, :, 0])


def _rows_together(n_features: int, weights: Floats) -> int:
    """Return how many narrow rows the kernel reads as one."""
    together = 1
    while not weights.size and 2 * together * n_features <= WIDE:
        together *= 2
    return together


def moments(rows: Rows, weights: Floats, team: Team, scale: float) -> NDArray[Any]:
    """Return the moments ``(5, n_features)`` of all rows, in one pass.

    The ranges, and how many narrow rows are joined, depend on the shape alone: the result is
    the same for any team and any layout.
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
        team.run(
            add_moments, X, bounds // together, arguments, outputs, prange=is_large(X), light=True
        )
        whole = X.shape[1] // together * together
        if whole < X.shape[1]:
            add_moments(X, whole, X.shape[1], w, scale, 1, rest[0])
    if together == 1:
        return merge_moments(parts)
    return merge_moments([*_merge_columns(parts, together), rest[0]])


def block_moments(X: Block, weights: Floats) -> Floats:
    """Return the moments ``(5, n_features)`` of one block, on the calling thread."""
    _, n, d = X.shape
    together = _rows_together(d, weights)
    parts, rest = no_moments(1, together * d), no_moments(1, d)
    whole = n // together * together
    add_moments(X, 0, n // together, weights, 1.0, together, parts[0])
    if whole < n:
        add_moments(X, whole, n, weights, 1.0, 1, rest[0])
    return merge_moments([*_merge_columns(parts, together), rest[0]])
