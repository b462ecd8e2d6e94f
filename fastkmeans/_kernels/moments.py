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

from .._jit import jit

CHUNK = 64

WEIGHT, MEAN, M2, MINIMUM, MAXIMUM = range(5)
"""Rows of a table of moments, ``(5, d)``; the weight is the same in every column."""


@jit
def merge_moments(
    total,  # in/out (5, d) float64
    part,  # in (5, d) float64
):
    """Merge the moments of more rows into ``total``."""
    a, b = total[WEIGHT, 0], part[WEIGHT, 0]
    for f in range(total.shape[1]):
        total[MINIMUM, f] = min(total[MINIMUM, f], part[MINIMUM, f])
        total[MAXIMUM, f] = max(total[MAXIMUM, f], part[MAXIMUM, f])
    if b == 0.0:
        return
    for f in range(total.shape[1]):
        delta = part[MEAN, f] - total[MEAN, f]
        total[MEAN, f] += delta * (b / (a + b))
        total[M2, f] += part[M2, f] + delta * delta * (a * (b / (a + b)))
        total[WEIGHT, f] = a + b


@jit
def clear_moments(
    moments,  # out (5, d) float64
):
    """Make ``moments`` those of no rows."""
    for f in range(moments.shape[1]):
        moments[WEIGHT, f] = 0.0
        moments[MEAN, f] = 0.0
        moments[M2, f] = 0.0
        moments[MINIMUM, f] = np.inf
        moments[MAXIMUM, f] = -np.inf


@jit
def add_moments(
    X,  # in (2, m, d) float32 or float64
    start,  # first row
    stop,  # row to stop before
    weights,  # in (m,) float64, or of size 0: all ones
    scale,  # power of two that keeps squares finite, 1 as a rule
    moments,  # in/out (5, d) float64
):
    """Merge the moments of rows ``start:stop`` into ``moments``, chunk by chunk.

    The chunk is copied to float64 first, so that the loops over it vectorise whatever
    the layout of ``X``.
    """
    d = X.shape[2]
    chunk = np.empty((CHUNK, d), np.float64)
    part = np.empty((5, d), np.float64)
    mean, m2, low, high = part[MEAN], part[M2], part[MINIMUM], part[MAXIMUM]
    for first in range(start, stop, CHUNK):
        count = min(CHUNK, stop - first)
        clear_moments(part)
        weight = 0.0
        for r in range(count):
            x = chunk[r]
            w = weights[first + r] if weights.size else 1.0
            weight += w
            for f in range(d):
                x[f] = np.float64(X[0, first + r, f]) * scale
            for f in range(d):
                mean[f] += w * x[f]
            for f in range(d):
                low[f] = x[f] if x[f] < low[f] else low[f]
            for f in range(d):
                high[f] = x[f] if x[f] > high[f] else high[f]
        if weight != 0.0:
            for f in range(d):
                mean[f] /= weight
            for r in range(count):
                x = chunk[r]
                w = weights[first + r] if weights.size else 1.0
                for f in range(d):
                    deviation = x[f] - mean[f]
                    m2[f] += w * (deviation * deviation)
        for f in range(d):
            part[WEIGHT, f] = weight
        merge_moments(moments, part)
