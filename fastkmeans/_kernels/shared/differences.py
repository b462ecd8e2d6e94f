"""Sums of the differences of rows and centers, for statistics that are merged.

    sums_j = sum_i w_i (x'_i - c'_j),   weights_j = sum_i w_i,   over the rows i with label j

A sum of rows that all lie on their center is exactly zero, so a fit that has settled stays where it
is.  By cosine ``x'`` has length 1.

Loop order: rows, then features.
"""

from ..._runtime.jit import jit
from ..emit.row import add_row
from .update import COUNT, WEIGHT


@jit
def add_differences(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    terms,  # in Terms; its offset is not used
    labels,  # in (m,) int32; -1: the row does not count
    opposite,  # in (k, d) float64, minus the scaled centers
    sums,  # in/out (k, d) float64
    table,  # in/out (2, k) float64, WEIGHT and COUNT
):
    """Add the differences of rows ``start:stop`` to the sums of their labels."""
    weights, scale, inverse = terms.weights, terms.scale, terms.inverse
    _, _, d = X.shape
    for i in range(start, stop):
        j = labels[i]
        w = weights[i] if weights.size else 1.0
        own = scale * inverse[i] if inverse.size else scale
        if j < 0 or w == 0.0 or own == 0.0:
            continue
        add_row(X, i, 0, d, opposite[j], own, w, sums, j)
        table[WEIGHT, j] += w
        table[COUNT, j] += 1.0
