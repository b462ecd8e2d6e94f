"""M step: weighted sums and weights of every cluster; means; inertia.

    sums_j = sum_i w_i x'_i,   weights_j = sum_i w_i,   over the rows i with label j

all in float64.  After the first iteration only rows that changed their label touch the
sums: they leave one and enter another.  The sums are built anew now and then, before
rounding can add up (see ``_engines.sums``).

Rows are cut into ranges whose number depends on the shape of the data alone.  Each
range applies its rows in order to sums of its own, and the ranges are added in order:
the result does not depend on the number of threads.  Where the sums are large (many
clusters, many features) there are few ranges, so that their memory stays a small
part of that of the data; the work is then cut along the features as well, which
changes no bit, because features never mix.

The inertia of the labels against centers ``c_j`` follows from the means ``m_j``,

    sum_i w_i |x'_i - c_j|^2 = scatter - sum_j weights_j (|m_j|^2 - |c_j - m_j|^2),

where ``scatter = sum_i w_i |x'_i|^2`` does not change: free, and right to rounding of
the scatter, which is what the history of a run needs.  The inertia that a fit returns
is added up from differences (``add_squares``), per feature, so that the loop is
elementwise and needs no reordering to vectorise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.row import add_row, add_square
from ..emit.scratch import empty
from .pack import NARROW

CHAINS = 4
"""Independent sums of squares per feature: consecutive rows do not wait on each other."""

NARROW_CHAINS = 16
"""The same for rows of few features."""

STRETCH = 16
"""Rows that are looked at together for a label that changed."""

WEIGHT, COUNT = 0, 1
"""Rows of a table of cluster weights; only a count tells for sure that none is left."""

GAINED, SHIFT, N_EMPTY = range(3)
"""What ``update_centers`` finds besides the means."""


class Terms(NamedTuple):
    """What a row adds to a sum: ``weight * (x * scale + offset)``."""

    weights: Any  # in (m,) float64, or of size 0: all ones
    offset: Any  # in (d,) float64, -shift * scale
    scale: Any  # in float64, power of two


class ClusterSums(NamedTuple):
    """Sums over the rows of every cluster, for every range of rows or for one (no first axis)."""

    sums: Any  # in/out (n_ranges, k, d) float64
    weights: Any  # in/out (n_ranges, 2, k) float64, WEIGHT and COUNT


@jit
def move_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    task,  # in, the first task: a range of rows, a slice of the features
    next_task,  # in, the task to stop before
    bounds,  # in (n_ranges + 1,) int64, the ranges of the rows
    slices,  # in (n_slices + 1,) int64, the slices of the features
    terms,  # in Terms, what a row adds
    previous,  # in (m,) int32, the label with which a row is in the sums; -1: it is not
    labels,  # in (m,) int32, the label with which it will be
    rebuild,  # in bool, whether no row is in the sums, whatever previous says
    cluster_sums,  # in/out ClusterSums; the first slice alone changes the weights
):
    """Move rows between the sums of their range, in row order."""
    weights, offset, scale = terms.weights, terms.offset, terms.scale
    sums, cluster_weights = cluster_sums.sums, cluster_sums.weights
    n_slices = slices.size - 1
    for t in range(task, next_task):
        r, s = t // n_slices, t % n_slices
        total, table = sums[r], cluster_weights[r]
        start, stop, f_start, f_stop = bounds[r], bounds[r + 1], slices[s], slices[s + 1]
        for first in range(start, stop, STRETCH):
            last = first + STRETCH if first + STRETCH < stop else stop
            now, before = labels[first:last], previous[first:last]
            n_changed = 0
            for i in range(now.size):
                n_changed += now[i] != before[i]
            if not (n_changed or rebuild):
                continue
            for i in range(first, last):
                j, old = labels[i], -1 if rebuild else previous[i]
                if j == old:
                    continue
                w = weights[i] if weights.size else 1.0
                if w == 0.0:
                    continue
                add_row(X, i, f_start, f_stop, offset, scale, w, total, j)
                if old >= 0:
                    add_row(X, i, f_start, f_stop, offset, scale, -w, total, old)
                if s == 0:
                    table[WEIGHT, j] += w
                    table[COUNT, j] += 1.0
                    if old >= 0:
                        table[WEIGHT, old] -= w
                        table[COUNT, old] -= 1.0


@jit
def add_squares(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # first row
    stop,  # row to stop before
    weights,  # in (m,) float64, or of size 0: all ones
    labels,  # in (m,) int32
    offset,  # in (d,) float64, -shift * scale
    scale,  # power of two
    centers,  # in (k, d) float64, scaled and shifted
    squares,  # in/out (CHAINS, max(d, NARROW_CHAINS)) float64, weighted squared differences
):
    """Add the squared differences of rows ``start:stop`` to their centers.

    Of few features a vector has no use: one plain loop, and independent sums.
    """
    _, _, d = X.shape
    for i in range(start, stop):
        w = weights[i] if weights.size else 1.0
        if w == 0.0:
            continue
        j = labels[i]
        if d > NARROW:
            add_square(X, i, 0, d, offset, scale, w, squares, i & CHAINS - 1, centers, j)
        else:
            total = 0.0
            for f in range(d):
                difference = np.float64(X[0, i, f]) * scale + offset[f] - centers[j, f]
                total += difference * difference
            squares[0, i & NARROW_CHAINS - 1] += w * total


@jit_with_scratch
def update_centers(
    sums,  # in (n_ranges, k, d) float64
    start,  # first center
    stop,  # center to stop before
    cluster_weights,  # in (n_ranges, 2, k) float64
    shift,  # in (d,) float64
    scale,  # power of two
    centers,  # in (k, d) float64
    total_weights,  # out (2, k) float64
    new_centers,  # out (k, d) float64, means; an empty cluster keeps its center
    totals,  # out (3 or more,) float64: GAINED, SHIFT, N_EMPTY
):
    """Add the ranges in order and take the means of some clusters.

    GAINED is what the inertia of the rows against ``centers`` is less than the scatter (see
    the top of this file), SHIFT the squared distance that the centers move, both in scaled
    units and summed over these clusters.  Both are added up feature by feature first,
    over the centers: each loop over the features is elementwise and writes to one array,
    which is what it takes to vectorise.
    """
    n_ranges, _, d = sums.shape
    squares = empty((2, d), np.float64)
    between, moved, n_empty = squares[0], squares[1], 0
    inverse = 1.0 / scale  # infinite, if the data are as large as can be
    for f in range(d):
        between[f] = 0.0
        moved[f] = 0.0
    for j in range(start, stop):
        total_weights[WEIGHT, j] = 0.0
        total_weights[COUNT, j] = 0.0
        means, old = new_centers[j], centers[j]
        for f in range(d):
            means[f] = 0.0
        for r in range(n_ranges):
            total_weights[WEIGHT, j] += cluster_weights[r, WEIGHT, j]
            total_weights[COUNT, j] += cluster_weights[r, COUNT, j]
            part = sums[r, j]
            for f in range(d):
                means[f] += part[f]
        if total_weights[COUNT, j] == 0.0:
            n_empty += 1
            for f in range(d):
                means[f] = old[f]
            continue
        w = total_weights[WEIGHT, j]
        for f in range(d):
            means[f] /= w
        for f in range(d):
            step = means[f] - (old[f] - shift[f]) * scale
            between[f] += w * (means[f] * means[f] - step * step)
        for f in range(d):
            mean = means[f] * inverse if inverse < np.inf else means[f] / scale
            means[f] = mean + shift[f]
        for f in range(d):
            step = (means[f] - old[f]) * scale
            moved[f] += step * step
    totals[GAINED], totals[SHIFT], totals[N_EMPTY] = 0.0, 0.0, n_empty
    for f in range(d):
        totals[GAINED] += between[f]
        totals[SHIFT] += moved[f]
