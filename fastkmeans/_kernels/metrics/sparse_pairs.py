"""Sums of the distances of every sparse row to the rows of every cluster.

The strips, tasks and sums are those of ``silhouette``.  A tile holds ``WIDTH`` rows of the second
strip, feature by feature: dense, but empty except for what these rows store.  A row of the first
strip meets the tile feature by feature, as rows meet centers in ``sparse.score``.  All is float64.

Loop order: tiles, then rows of the first strip, then stored values.
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.scratch import empty
from ..sparse.assign import squared_norm
from ..sparse.rows import factor_of
from ..sparse.score import score_row

WIDTH = 16
"""Rows of a tile."""
CLOSE = 2.0**-20
"""Share of ``|x|^2 + |y|^2`` below which a squared distance is added up from differences."""


@jit
def square_between(
    values,  # in (n_stored,) float32 or float64
    indices,  # in (n_stored,) int32, rising within a row
    first,  # in tuple of int, the first stored value of a row and the one to stop before
    second,  # in tuple of int, likewise, of the other row
    scale,  # in float64, factor of the first row
    other_scale,  # in float64, factor of the other row
):
    """Return the squared distance of two rows, added up from differences."""
    (e, e_stop), (g, g_stop) = first, second
    total = 0.0
    while e < e_stop or g < g_stop:
        x, y = 0.0, 0.0
        x_comes = g == g_stop or (e < e_stop and indices[e] <= indices[g])
        y_comes = e == e_stop or (g < g_stop and indices[g] <= indices[e])
        if x_comes:
            x = np.float64(values[e]) * scale
            e += 1
        if y_comes:
            y = np.float64(values[g]) * other_scale
            g += 1
        total += (x - y) * (x - y)
    return total


@jit_with_scratch
def compare_sparse(
    values,  # in (n_stored,) float32 or float64
    task,  # in int, first task
    next_task,  # in int, task to stop before
    pairs,  # in (n_tasks, 2) int64, numbers of the strips of each task
    rows_sorted,  # in Sorted
    left,  # in Side, of the first strip
    right,  # in Side, of the second strip
    scaled,  # in Scaled
    n_features,  # in int
    left_sums,  # in/out (k_right, width) float64, of the left rows over the right clusters
    right_sums,  # in/out (k_left, width) float64; the same array if the sides are the same
):
    """Add the distances between two strips to the sums of their rows."""
    order, clusters, weights = rows_sorted
    indices, starts = scaled.indices, scaled.starts
    by_cosine = scaled.inverse.size > 0
    table, biases = empty((1, n_features, WIDTH), np.float64), empty((1, WIDTH), np.float64)
    scores, norms = empty(WIDTH, np.float64), empty(WIDTH, np.float64)
    for f in range(n_features):
        for lane in range(WIDTH):
            table[0, f, lane] = 0.0
    for lane in range(WIDTH):
        biases[0, lane], norms[lane] = 0.0, 0.0
    for t in range(task, next_task):
        a, e = left.first + pairs[t, 0] * left.height, right.first + pairs[t, 1] * right.height
        a_stop = a + left.height if a + left.height < left.stop else left.stop
        e_stop = e + right.height if e + right.height < right.stop else right.stop
        for first in range(e, e_stop, WIDTH):
            count = WIDTH if e_stop - first > WIDTH else e_stop - first
            for lane in range(count):
                y = order[first + lane]
                factor = factor_of(scaled, y)
                for g in range(starts[y], starts[y + 1]):
                    table[0, indices[g], lane] = np.float64(values[g]) * factor
                norms[lane] = squared_norm(values, starts[y], starts[y + 1], factor)
            for i in range(a, a_stop):
                x = order[i]
                row, factor = (starts[x], starts[x + 1]), factor_of(scaled, x)
                norm = squared_norm(values, row[0], row[1], factor)
                score_row(values, indices, row[0], row[1], factor, table, 0, biases, scores)
                own, column = clusters[i] - left.cluster, first - right.first
                for lane in range(count):
                    both = 2.0 if by_cosine else norm + norms[lane]
                    square = both - 2.0 * scores[lane]
                    if square < CLOSE * both:
                        y = order[first + lane]
                        square = square_between(
                            values, indices, row, (starts[y], starts[y + 1]), factor,
                            factor_of(scaled, y),
                        )  # fmt: skip
                    distance = 0.5 * square if by_cosine else math.sqrt(square)
                    j = clusters[first + lane] - right.cluster
                    left_sums[j, i - left.first] += weights[first + lane] * distance
                    if a != e:
                        right_sums[own, column + lane] += weights[i] * distance
            for lane in range(count):
                y = order[first + lane]
                for g in range(starts[y], starts[y + 1]):
                    table[0, indices[g], lane] = 0.0
