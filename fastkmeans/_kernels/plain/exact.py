"""The closest center of one row in float64: what decides every label.

    by distance    label(x) = argmin_j sum_f (x_f - c_jf)^2
    by cosine      label(x) = argmax_j sum_f x_f c_jf,   all centers of length 1

The sums run feature by feature, in order, and nothing fuses.  So they have the same bits on any
processor.  Ties go to the lowest index.

By cosine the row is multiplied by a power of two first.  So the label does not depend on the unit
of a row, and nothing overflows.  A row of zeros has cosine 0 to all centers: label 0.

Loop order: rows outside, then centers, then features.  A row has few candidates, or few rows come.
"""

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_unfused
from ..shared.lengths import row_scale

UNROLL = 8
"""Features between two checks whether a distance has already lost."""


@jit_unfused
def square_below(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64
    j,  # in int, row of centers
    scale,  # in float64, power of two
    limit,  # in float64, squared distance to stop at
):
    """Return the squared distance of a row and a center; once it reaches a limit, a part of it.

    The sum runs feature by feature, in order.  If two centers are equally close, its rounding
    decides; it is the same on any processor.
    """
    _, d = centers.shape
    total = 0.0
    f = 0
    while f < d and total < limit:
        stop = f + UNROLL if f + UNROLL < d else d
        for g in range(f, stop):
            difference = np.float64(X[0, i, g]) * scale - centers[j, g] * scale
            total += difference * difference
        f += UNROLL
    return total


@jit_inline
def closest_by_differences(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64
    scale,  # in float64, power of two
):
    """Return the closest center of one row by float64 differences, lowest index first."""
    k, _ = centers.shape
    best, index = np.inf, 0
    for j in range(k):
        total = square_below(X, i, centers, j, scale, best)
        if total < best:
            best, index = total, j
    return index


@jit_unfused
def product(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64
    j,  # in int, row of centers
    scale,  # in float64, power of two
):
    """Return the product of a row and a center, added up feature by feature, in order."""
    _, d = centers.shape
    total = 0.0
    for f in range(d):
        total += np.float64(X[0, i, f]) * scale * centers[j, f]
    return total


@jit
def closest_by_products(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64, of length 1
):
    """Return the center of largest cosine by float64 products, lowest index first."""
    k, _ = centers.shape
    scale = row_scale(X, i)
    best, index = -np.inf, 0
    if scale == 0.0:
        return index
    for j in range(k):
        total = product(X, i, centers, j, scale)
        if total > best:
            best, index = total, j
    return index


@jit_inline
def closest(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64
    scale,  # in float64, power of two
    by_cosine,  # in bool
):
    """Return the closest center of one row in float64, lowest index first."""
    if by_cosine:
        return closest_by_products(X, i, centers)
    return closest_by_differences(X, i, centers, scale)


@jit
def settle_by_differences(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    scale,  # in float64, power of two
    centers,  # in (k, d) float64
    previous,  # in (m,) int32, labels to compare with
    labels,  # in/out (m,) int32; negative ones are replaced by the closest center
    counts,  # in/out (n,) int64; the first one grows by the rows that moved
):
    """Label the open rows among ``start:stop`` by distance."""
    moved = 0
    for i in range(start, stop):
        if labels[i] < 0:
            labels[i] = closest_by_differences(X, i, centers, scale)
            moved += labels[i] != previous[i]
    counts[0] += moved


@jit
def settle_by_products(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    scale,  # in float64, not used: the arguments are those of settle_by_differences
    centers,  # in (k, d) float64, of length 1
    previous,  # in (m,) int32, labels to compare with
    labels,  # in/out (m,) int32; negative ones are replaced by the center of largest cosine
    counts,  # in/out (n,) int64; the first one grows by the rows that moved
):
    """Label the open rows among ``start:stop`` by cosine.

    It is a kernel of its own, so that fits by distance need not compile it.
    """
    moved = 0
    for i in range(start, stop):
        if labels[i] < 0:
            labels[i] = closest_by_products(X, i, centers)
            moved += labels[i] != previous[i]
    counts[0] += moved
