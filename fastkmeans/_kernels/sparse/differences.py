"""Sums of the differences of sparse rows and centers (see ``shared.differences``).

What is not stored is zero, and differs from the center by ``-c'``:

    sums_jf = sum over stored w (x' - c'_jf)  -  c'_jf (weights_j - sum over stored w)

Weights are added in the order of the rows.  So both sums of weights have the same bits if every row
of the cluster stores the feature, and rows that all lie on their center add up to zero.

Loop order: rows, then stored values.  Threads share the clusters, as in ``sparse.update``.
"""

import numpy as np

from ..._runtime.jit import jit
from ..shared.update import COUNT, WEIGHT


@jit
def add_differences(
    values,  # in (n_stored,) float32 or float64
    task,  # in int, first task: a range of clusters
    next_task,  # in int, task to stop before
    bounds,  # in (n_tasks + 1,) int64, the ranges of the clusters
    scaled,  # in Scaled
    weights,  # in (m,) float64, or of size 0: all ones
    labels,  # in (m,) int32; -1: the row does not count
    centers,  # in (k, d) float64, scaled
    sums,  # in/out (2, k, d) float64, of the differences and of the weights of stored values
    table,  # in/out (2, k) float64, WEIGHT and COUNT
):
    """Add the differences of all rows to the sums of some clusters, in row order."""
    indices, starts, scale, inverse = scaled
    differences, stored = sums[0], sums[1]
    low, high = bounds[task], bounds[next_task]
    for i in range(labels.size):
        j = labels[i]
        w = weights[i] if weights.size else 1.0
        own = scale * inverse[i] if inverse.size else scale
        if j < low or j >= high or w == 0.0 or own == 0.0:
            continue
        for e in range(starts[i], starts[i + 1]):
            f = indices[e]
            differences[j, f] += w * (np.float64(values[e]) * own - centers[j, f])
            stored[j, f] += w
        table[WEIGHT, j] += w
        table[COUNT, j] += 1.0
    for j in range(low, high):
        for f in range(centers.shape[1]):
            differences[j, f] -= centers[j, f] * (table[WEIGHT, j] - stored[j, f])
