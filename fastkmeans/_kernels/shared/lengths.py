"""Lengths of rows, for clustering by cosine.

A row counts with length 1 there, but it stays as it is: the kernels multiply it by its *inverse
length*, ``1 / |x'|``, when they add it to a sum.  Rows of length 0 have the inverse 0.

Loop order: rows outside, features inside, as they lie in memory.
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_inline
from ..emit.row import add_row
from ..emit.simd import POINTS
from .pack import NARROW

ZEROS, ZERO_WEIGHT, WEIGHT = range(3)
"""Items of ``totals``: rows of length 0 and their weight; the weight of the other rows."""
SAFE = 2.0**-900
"""Squared lengths between this and its inverse have lost nothing to underflow or overflow."""
SHORT = 1e18
"""Inverse length above which a row may have lost digits, or all, when it was packed in float32."""
LARGEST_POWER = 1022
"""Largest exponent of a power of two that has an inverse in float64."""


@jit_inline
def scale_of(
    size,  # in float64, at least 0
):
    """Return the power of two that brings a size to about 1; 0 for 0."""
    if size == 0.0:
        return 0.0
    _, exponent = math.frexp(size)
    return math.ldexp(1.0, -exponent if -exponent < LARGEST_POWER else LARGEST_POWER)


@jit_inline
def row_scale(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
):
    """Return the power of two that brings the largest value of a row to about 1; 0 if all are 0."""
    _, _, d = X.shape
    size = 0.0
    for f in range(d):
        value = abs(np.float64(X[0, i, f]))
        size = value if value > size else size
    return scale_of(size)


@jit_inline
def squared_length(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    scale,  # in float64, power of two
):
    """Return the squared length of a row, in four chains that do not wait for each other."""
    _, _, d = X.shape
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = d // 4 * 4
    for f in range(0, whole, 4):
        a, b = np.float64(X[0, i, f]) * scale, np.float64(X[0, i, f + 1]) * scale
        c, e = np.float64(X[0, i, f + 2]) * scale, np.float64(X[0, i, f + 3]) * scale
        first += a * a
        second += b * b
        third += c * c
        fourth += e * e
    for f in range(whole, d):
        a = np.float64(X[0, i, f]) * scale
        first += a * a
    return (first + second) + (third + fourth)


@jit_inline
def inverse_length(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    scale,  # in float64, power of two
):
    """Return ``1 / |x * scale|``, or 0 for a row of length 0.

    If float64 does not hold it, the row is 1e290 times shorter than the longest: it gets 0, too.
    """
    own = scale
    square = squared_length(X, i, own)
    if not SAFE < square < 1.0 / SAFE:
        own = row_scale(X, i)
        square = squared_length(X, i, own)
    value = own / scale / math.sqrt(square) if square > 0.0 else 0.0
    return value if value < np.inf else 0.0


@jit
def to_length_one(
    X,  # in (2, m, d) float32 or float64, any strides
    rows,  # in (n_blocks * POINTS,) int64, rows of X
    b,  # in int, the block
    inverse,  # in/out (n_blocks, POINTS) float64, inverse lengths of the points
    blocks,  # in/out (n_blocks, d, POINTS) float32 or float64, the packed rows
):
    """Bring the points of a block to length 1.

    Short rows are read again.  In ``inverse`` they then have a number above 0, rows of zeros 0.
    """
    _, d, _ = blocks.shape
    is_short = False
    for p in range(POINTS):
        is_short |= inverse[b, p] > SHORT or inverse[b, p] == 0.0
    for f in range(d):
        for p in range(POINTS):
            blocks[b, f, p] *= inverse[b, p]
    if is_short:
        for p in range(POINTS):
            i = rows[b * POINTS + p]
            if not 0.0 < inverse[b, p] <= SHORT:
                own = row_scale(X, i)
                length = math.sqrt(squared_length(X, i, own))
                inverse[b, p] = own
                for f in range(d if own > 0.0 else 0):
                    blocks[b, f, p] = np.float64(X[0, i, f]) * own / length


@jit
def measure_lengths(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    weights,  # in (m,) float64, or of size 0: all ones
    offset,  # in (d,) float64, zeros
    scale,  # in float64, power of two
    inverse,  # out (m,) float64, 1 / |x * scale|, 0 for a row of length 0
    totals,  # in/out (3,) float64, ZEROS to WEIGHT
    sums,  # in/out (1, d) float64, weighted sum of the rows brought to length 1
):
    """Measure the lengths of rows ``start:stop``."""
    _, _, d = X.shape
    for i in range(start, stop):
        w = weights[i] if weights.size else 1.0
        pull = inverse_length(X, i, scale)
        inverse[i] = pull
        if pull == 0.0:
            totals[ZEROS] += 1.0
            totals[ZERO_WEIGHT] += w
            continue
        totals[WEIGHT] += w
        if d > NARROW:
            add_row(X, i, 0, d, offset, scale, w * pull, sums, 0)
        else:
            for f in range(d):
                sums[0, f] += np.float64(X[0, i, f]) * scale * (w * pull)
