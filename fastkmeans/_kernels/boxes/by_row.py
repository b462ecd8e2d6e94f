"""The labels in the order of the data, and sums row by row: the bits of plain Lloyd.

The visit writes labels that change in the order of the data.  Then every range of the rows finds
these rows again, and moves them between its sums, in their order, as ``shared.moves`` does.

Loop order: ranges outside, then stretches, then rows: labels are read once, from end to end.
"""

import numpy as np

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.scratch import empty
from ..shared.moves import ROOM, STRETCH, add_rows, list_changed, move_listed
from .candidates import BOX
from .tree import MIXED


@jit
def write_box(
    b,  # in int, the box
    z,  # in int, the label
    tree,  # in/out Tree
):
    """Give all rows of a box one label; return how many had another.

    The first visit of a run knows no label in the order in space: ``by_row`` tells what changes.
    """
    whole, by_row, start = tree.whole, tree.by_row, b * BOX
    part, rows = tree.labels[start : start + BOX], tree.order[start : start + BOX]
    old = whole[b]
    whole[b] = z
    moved = 0
    if old != z:
        for q in range(rows.size):
            if old != MIXED or part[q] != z:
                moved += by_row[rows[q]] != z
                by_row[rows[q]] = z
    return moved


@jit
def write_rows(
    b,  # in int, the box
    now,  # in (BOX,) int32, the new labels
    tree,  # in/out Tree
):
    """Give the rows of a box their labels; return how many had another."""
    whole, by_row, start = tree.whole, tree.by_row, b * BOX
    part, rows = tree.labels[start : start + BOX], tree.order[start : start + BOX]
    if whole[b] != MIXED:
        part[:] = whole[b]
    whole[b] = MIXED
    differ, moved = 0, 0
    for q in range(part.size):
        differ += part[q] != now[q]
    if differ:
        for q in range(part.size):
            if part[q] != now[q]:
                part[q] = now[q]
                moved += by_row[rows[q]] != now[q]
                by_row[rows[q]] = now[q]
    return moved


@jit_with_scratch
def move_changed(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first range of the rows
    stop,  # in int, range to stop before
    bounds,  # in (n_ranges + 1,) int64, the ranges
    features,  # in (2,) int64, the first feature and the one to stop before: all
    terms,  # in Terms
    previous,  # in/out (m,) int32, the label under which the sums hold a row; then that of labels
    labels,  # in (m,) int32, the label under which they will hold it
    rebuild,  # in bool, whether the sums hold no row, whatever previous says
    cluster_sums,  # in/out ClusterSums, of every range
):
    """Move rows between the sums of their range, in row order, as ``move_rows`` does.

    The arguments are of the kinds that ``move_rows`` has, so that one driver serves both.
    """
    (sums, cluster_weights), (f_start, f_stop) = cluster_sums, (features[0], features[1])
    listed = empty((ROOM, 3), np.int32)
    for r in range(start, stop):
        total, table, count = sums[r], cluster_weights[r], 0
        if rebuild:
            add_rows(X, bounds[r], bounds[r + 1], f_start, f_stop, terms, labels, total, table)
            previous[bounds[r] : bounds[r + 1]] = labels[bounds[r] : bounds[r + 1]]
            continue
        for first in range(bounds[r], bounds[r + 1], STRETCH):
            known, last = count, min(first + STRETCH, bounds[r + 1])
            count = list_changed(X, first, last, previous, labels, count, listed)
            for q in range(known, count):
                previous[listed[q, 0]] = listed[q, 2]
            if count > ROOM - STRETCH or last == bounds[r + 1]:
                move_listed(X, count, listed, f_start, f_stop, terms, total, table)
                count = 0
