"""Moments: weight, mean, squared deviations, minimum and maximum of every column.

    mean = mean_a + delta * w_b / w,     delta = mean_b - mean_a
    m2   = m2_a + m2_b + delta^2 * w_a * w_b / w

These formulas merge two parts of the rows (Chan, Golub and LeVeque 1983, The American Statistician
37(3)).  Unlike ``sum x^2 - (sum x)^2 / n`` they lose no digit to a large mean.  A NaN shows as a
NaN mean, an infinity as an infinite minimum or maximum.

Loop order: ``CHUNK`` rows outside, then rows, then columns.  The rows are copied to float64 once.
They are read twice while they are in the cache: for their mean, then for their deviations.
"""

import numpy as np

from ..._runtime.jit import jit_with_scratch
from ..emit.row import load_row
from ..emit.scratch import as_table, empty
from .pack import NARROW

CHUNK = 64
"""Rows that are merged at once; ``GROUP`` of them if narrow rows are taken together."""
GROUP = 256

WEIGHT, MEAN, M2, MINIMUM, MAXIMUM = range(5)
"""Rows of a table of moments, ``(5, d)``; the weight is the same in every column."""


@jit_with_scratch
def add_moments(
    X,  # in (2, m, d) float32 or float64
    start,  # in int, first row, counted in long rows
    stop,  # in int, row to stop before, likewise
    weights,  # in (m,) float64, or of size 0: all ones
    scale,  # in float64, power of two that keeps squares finite, 1 as a rule
    together,  # in int, rows in a long row; more than 1 only without weights
    moments,  # in/out (5, together * d) float64
):
    """Merge the moments of rows ``start:stop`` into ``moments``, ``CHUNK`` rows at a time.

    The copy to float64 lets the loops over columns vectorise, whatever the layout of ``X``.
    ``together`` narrow rows count as one long row; the caller merges its columns later.
    """
    _, d = moments.shape
    _, _, width = X.shape
    length = CHUNK if together == 1 else GROUP // together
    rows, no_offset = empty((length * together, width), np.float64), empty(width, np.float64)
    chunk = as_table(rows, length, d)
    for f in range(width):
        no_offset[f] = 0.0
    part = empty((2, d), np.float64)
    mean, m2 = part[0], part[1]
    low, high = moments[MINIMUM], moments[MAXIMUM]
    for first in range(start, stop, length):
        count = length if stop - first > length else stop - first
        weight = 0.0
        for f in range(d):
            mean[f] = 0.0
            m2[f] = 0.0
        for r in range(count):
            x = chunk[r]
            w = weights[first + r] if weights.size else 1.0
            weight += w
            for s in range(together):
                i = (first + r) * together + s
                if width > NARROW:
                    load_row(X, i, no_offset, scale, rows, r * together + s)
                else:
                    for f in range(width):
                        x[s * width + f] = np.float64(X[0, i, f]) * scale
            for f in range(d):
                mean[f] += w * x[f]
            for f in range(d):
                low[f] = x[f] if x[f] < low[f] else low[f]
            for f in range(d):
                high[f] = x[f] if x[f] > high[f] else high[f]
        for f in range(d):
            mean[f] /= weight if weight != 0.0 else 1.0  # without weight: 0, or NaN
        for r in range(count):
            x = chunk[r]
            w = weights[first + r] if weights.size else 1.0
            for f in range(d):
                deviation = x[f] - mean[f]
                m2[f] += w * (deviation * deviation)
        total = moments[WEIGHT, 0] + weight
        share = weight / total if total != 0.0 else 0.0
        for f in range(d):
            delta = mean[f] - moments[MEAN, f]
            moments[M2, f] += m2[f] + delta * delta * (moments[WEIGHT, f] * share)
            moments[MEAN, f] += delta * share
            moments[WEIGHT, f] = total
