"""The spread of every cluster: distances of its rows to its mean, and their squares, added up.

    squares_j = sum_i w_i |x'_i - m_j|^2,   distances_j = sum_i w_i |x'_i - m_j|

over the rows i of cluster j.  The differences are taken in scaled, shifted coordinates.  So data
far from the origin lose no digits.

Loop order: rows, then features, elementwise.
"""

import math

from ..._runtime.jit import jit_with_scratch
from ..emit.row import load_row
from ..emit.scratch import empty
from ..shared.pack import NARROW, sum_of_squares

SQUARES, DISTANCES = range(2)
"""Rows of a table of spreads."""


@jit_with_scratch
def add_spreads(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    terms,  # in Terms; inverse is not used
    labels,  # in (m,) int32
    means,  # in (k, d) float64, scaled and shifted
    spreads,  # in/out (2, k) float64, SQUARES and DISTANCES
):
    """Add the spreads of rows ``start:stop``."""
    weights, offset, scale = terms.weights, terms.offset, terms.scale
    _, _, d = X.shape
    rows = empty((1, d), offset.dtype)
    row = rows[0]
    for i in range(start, stop):
        w = weights[i] if weights.size else 1.0
        if w == 0.0:
            continue
        j = labels[i]
        mean = means[j]
        if d > NARROW:
            load_row(X, i, offset, scale, rows, 0)
        else:
            for f in range(d):
                row[f] = X[0, i, f] * scale + offset[f]
        for f in range(d):
            row[f] -= mean[f]
        square = sum_of_squares(row)
        spreads[SQUARES, j] += w * square
        spreads[DISTANCES, j] += w * math.sqrt(square)
