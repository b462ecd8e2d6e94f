"""The M step for sparse rows: sums of the clusters, and distances of rows to their own centers.

    sums_j = sum_i w_i x'_i,   weights_j = sum_i w_i,   over the rows i with label j

The sums are those of ``shared.update``, in one range: a range takes as much memory as the centers.
Threads share the clusters instead.  Each looks at all rows, and adds those of its clusters in
order.  So the result does not depend on the number of threads.

A squared distance leaves out what is not stored:

    |x' - c'|^2 = sum over stored (x' - c')^2  +  (|c'|^2 - sum over stored c'^2)

If little is left of ``|c'|^2``, the difference has lost digits.  The rest is then added up from the
coordinates of the center.

By cosine ``x'`` has length 1.  Distances divide by the length of the row, so that rows of one
direction tie.

Loop order: rows, then stored values.
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_inline
from ..shared.moves import STRETCH
from ..shared.update import COUNT, WEIGHT
from .assign import squared_norm
from .directions import row_scale

CANCELLED = 2.0**-10
"""Share of ``|c'|^2`` below which the rest of it is added up directly."""


@jit_inline
def add_stored(
    values,  # in (n_stored,) float32 or float64
    row,  # in tuple of int, the first stored value of the row and the one to stop before
    indices,  # in (n_stored,) int32
    scale,  # in float64, power of two
    weight,  # in float64
    total,  # in/out (d,) float64
):
    """Add a row, scaled, to a sum."""
    for e in range(row[0], row[1]):
        total[indices[e]] += weight * (np.float64(values[e]) * scale)


@jit
def move_rows(
    values,  # in (n_stored,) float32 or float64
    task,  # in int, first task: a range of clusters
    next_task,  # in int, task to stop before
    bounds,  # in (n_tasks + 1,) int64, the ranges of the clusters
    scaled,  # in Scaled
    weights,  # in (m,) float64, or of size 0: all ones
    previous,  # in (m,) int32, the label under which the sums hold a row; -1: none
    labels,  # in (m,) int32, the label under which they will hold it
    rebuild,  # in bool, whether the sums hold no row, whatever previous says
    sums,  # in/out (k, d) float64
    table,  # in/out (2, k) float64, WEIGHT and COUNT
):
    """Move rows between the sums of some clusters, in row order."""
    indices, starts, scale, inverse = scaled
    low, high = bounds[task], bounds[next_task]
    for first in range(0, labels.size, STRETCH):
        last = first + STRETCH if first + STRETCH < labels.size else labels.size
        now, before = labels[first:last], previous[first:last]
        n_changed = 0
        for i in range(now.size):
            n_changed += now[i] != before[i]
        if not (n_changed or rebuild):
            continue
        for i in range(first, last):
            j, old = labels[i], -1 if rebuild else previous[i]
            w = weights[i] if weights.size else 1.0
            pull = w * inverse[i] if inverse.size else w
            if j == old or pull == 0.0:
                continue
            row = starts[i], starts[i + 1]
            if low <= j < high:
                add_stored(values, row, indices, scale, pull, sums[j])
                table[WEIGHT, j] += w
                table[COUNT, j] += 1.0
            if low <= old < high:
                add_stored(values, row, indices, scale, -pull, sums[old])
                table[WEIGHT, old] -= w
                table[COUNT, old] -= 1.0


@jit
def square_to(
    values,  # in (n_stored,) float32 or float64
    row,  # in tuple of int, the first stored value of the row and the one to stop before
    indices,  # in (n_stored,) int32
    place,  # in tuple of float64: scale of the row, its scaled length or 1, scale of the center
    center,  # in (d,) float64
    norm,  # in float64, squared norm of the center, scaled
):
    """Return the squared distance of a row and a center, scaled."""
    (scale, length, unit), inside, stored = place, 0.0, 0.0
    for e in range(row[0], row[1]):
        x, c = np.float64(values[e]) * scale / length, center[indices[e]] * unit
        inside += (x - c) * (x - c)
        stored += c * c
    rest = norm - stored
    if not rest >= norm * CANCELLED:
        rest, e = 0.0, row[0]
        for f in range(center.size):
            if e < row[1] and indices[e] == f:
                e += 1
            else:
                c = center[f] * unit
                rest += c * c
    return inside + rest


@jit
def square_of(
    values,  # in (n_stored,) float32 or float64
    scaled,  # in Scaled
    i,  # in int, row
    unit,  # in float64, scale of the centers; 1 by cosine
    center,  # in (d,) float64
    norm,  # in float64, squared norm of the center, scaled
):
    """Return the squared distance of a row and a center, scaled.

    By cosine it is ``2 (1 - cos)``.
    """
    row, scale, length = (scaled.starts[i], scaled.starts[i + 1]), scaled.scale, 1.0
    if scaled.inverse.size:
        scale = row_scale(values, row)
        if scale == 0.0:
            return 2.0
        length = math.sqrt(squared_norm(values, row[0], row[1], scale))
    return square_to(values, row, scaled.indices, (scale, length, unit), center, norm)


@jit
def squares_to_own(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    scaled,  # in Scaled
    unit,  # in float64, scale of the centers; 1 by cosine
    centers,  # in (k, d) float64
    norms,  # in (k,) float64, squared norms of the centers, scaled
    labels,  # in (m,) int32
    squares,  # out (m,) float64
):
    """Write the squared distances of rows ``start:stop`` to the centers of their labels."""
    for i in range(start, stop):
        j = labels[i]
        squares[i] = square_of(values, scaled, i, unit, centers[j], norms[j])


@jit
def square_norms(
    centers,  # in (k, d) float64
    start,  # in int, first center
    stop,  # in int, center to stop before
    scale,  # in float64, power of two
    norms,  # out (k,) float64
):
    """Write the squared norms of some centers, scaled."""
    _, d = centers.shape
    for j in range(start, stop):
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        whole = d // 4 * 4
        for f in range(0, whole, 4):
            a, b = centers[j, f] * scale, centers[j, f + 1] * scale
            c, e = centers[j, f + 2] * scale, centers[j, f + 3] * scale
            first += a * a
            second += b * b
            third += c * c
            fourth += e * e
        for f in range(whole, d):
            c = centers[j, f] * scale
            first += c * c
        norms[j] = (first + second) + (third + fourth)
