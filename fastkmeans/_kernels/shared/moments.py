"""Moments: mean, variance, minimum and maximum of every column, in one pass.

A chunk of rows is read twice while it is in the cache: once for its mean, once for
its squared deviations from that mean.  Chunks, and later ranges, are merged by the
pairwise formula of Chan, Golub and LeVeque (1983, The American Statistician 37(3)):

    mean = mean_a + delta * w_b / w,     delta = mean_b - mean_a
    m2   = m2_a + m2_b + delta^2 * w_a * w_b / w

No digit is lost to an offset, as it would be in ``sum x^2 - (sum x)^2 / n``.  A NaN
shows as a NaN mean, an infinity as an infinite minimum or maximum.
"""

from __future__ import annotations

import numpy as np

from ..._runtime.jit import jit_with_scratch
from ..emit.row import load_row
from ..emit.scratch import empty
from .pack import NARROW

CHUNK = 64
"""Rows of a chunk; of narrow rows that are taken together, as many as a group has."""
GROUP = 256

WEIGHT, MEAN, M2, MINIMUM, MAXIMUM = range(5)
"""Rows of a table of moments, ``(5, d)``; the weight is the same in every column."""


@jit_with_scratch
def add_moments(
    X,  # in (2, m, d) float32 or float64
    start,  # first row, of long ones
    stop,  # row to stop before
    weights,  # in (m,) float64, or of size 0: all ones
    scale,  # power of two that keeps squares finite, 1 as a rule
    together,  # rows that make a long one; more than one only without weights
    moments,  # in/out (5, together * d) float64
):
    """Merge the moments of rows ``start:stop`` into ``moments``, chunk by chunk.

    The chunk is copied to float64 first, so that the loops over it vectorise whatever
    the layout of ``X``.  They run over columns: several narrow rows are taken for one
    long one, and its columns merged later.
    """
    _, d = moments.shape
    _, _, width = X.shape
    length = CHUNK if together == 1 else GROUP // together
    rows, no_offset = empty((length * together, width), np.float64), empty(width, np.float64)
    chunk = rows.reshape(length, d)
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
            mean[f] /= weight if weight != 0.0 else 1.0  # of no weight: 0, or NaN
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
