"""Distances of rows to centers: to all of them, or to the own center alone.

    out[i, j] = sqrt(sum_f (x_if - c_jf)^2)

``transform`` returns distances to all centers.  They are sums of squared differences in the dtype
of ``X``: small distances keep their digits.  By cosine the rows are brought to length 1, and
``1 - cos`` is half the sum.

Loop order: blocks of rows outside, then tiles.  So a block is packed once.  Distances to the own
center take the rows one by one, feature by feature.
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_unfused, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..shared.lengths import inverse_length, row_scale, squared_length, to_length_one
from ..shared.pack import pack_points
from .exact import square_below
from .tile import squared_distances


@jit_with_scratch
def distance_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    offset,  # in (d,) of X's dtype, -shift * scale
    scale,  # in float of X's dtype, power of two
    tiles,  # in (n_tiles, 1 + d, CENTERS) of X's dtype
    by_cosine,  # in bool
    out,  # out (m, k) of X's dtype
):
    """Write the distances of rows ``start:stop``, block by block, tile by tile."""
    _, k = out.shape
    _, _, d = X.shape
    rows = empty(POINTS, np.int64)
    blocks = empty((1, d, POINTS), X.dtype)
    norms = empty((1, POINTS), X.dtype)
    squares = empty((CENTERS, POINTS), X.dtype)
    inverse = empty((1, POINTS), np.float64)
    for first in range(start, stop, POINTS):
        count = POINTS if stop - first > POINTS else stop - first
        for p in range(POINTS):
            rows[p] = first + p
        pack_points(X, rows, count, offset, scale, blocks, norms)
        if by_cosine:
            for p in range(POINTS):
                inverse[0, p] = inverse_length(X, rows[p], np.float64(scale))
            to_length_one(X, rows, 0, inverse, blocks)
        for tile in range(tiles.shape[0]):
            squared_distances(blocks, 0, tiles, tile, squares)
            for p in range(count):
                for r in range(CENTERS if k - tile * CENTERS > CENTERS else k - tile * CENTERS):
                    if not by_cosine:
                        out[first + p, tile * CENTERS + r] = np.sqrt(squares[r, p]) / scale
                    elif inverse[0, p] == 0.0:
                        out[first + p, tile * CENTERS + r] = 1.0
                    else:
                        out[first + p, tile * CENTERS + r] = 0.5 * squares[r, p]


@jit_unfused
def square_of_direction(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64, of length 1
    j,  # in int, row of centers
):
    """Return the squared distance of a row, brought to length 1, and a center: ``2 (1 - cos)``."""
    _, d = centers.shape
    scale = row_scale(X, i)
    if scale == 0.0:
        return 2.0
    length = math.sqrt(squared_length(X, i, scale))
    total = 0.0
    for f in range(d):
        difference = np.float64(X[0, i, f]) * scale / length - centers[j, f]
        total += difference * difference
    return total


@jit
def own_squares(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    labels,  # in (m,) int32
    centers,  # in (k, d) float64
    scale,  # in float64, power of two; 1 by cosine
    by_cosine,  # in bool
    out,  # out (m,) float64, scaled squared distances
):
    """Write the squared distances of rows ``start:stop`` to their centers.

    They are those that decide a label, with the same rounding on any processor.
    """
    for i in range(start, stop):
        if by_cosine:
            out[i] = square_of_direction(X, i, centers, labels[i])
        else:
            out[i] = square_below(X, i, centers, labels[i], scale, np.inf)
