"""The sums of the clusters, box by box: a box of one label moves as a whole.

This is fastest, but its order is its own, so centers may differ from plain Lloyd's in the last
digit.  ``by_row`` is the other way.

Loop order: the rows of a box, then features.  Labels and sums of a box lie side by side.

Rows of a box that change their label are prefetched, and moved after the next box.  Neighbours in
space lie far apart in ``X``: without the prefetch fits take 1.3 to 1.5 times as long.
"""

from ..._runtime.jit import jit, jit_inline
from ..emit.row import add_row, prefetch_row
from ..shared.lengths import inverse_length
from ..shared.update import COUNT, WEIGHT
from .candidates import BOX
from .tree import MIXED


@jit
def move_row(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    terms,  # in Terms
    old,  # in int, the cluster that the row leaves; none if negative
    new,  # in int, the cluster that it enters
    totals,  # in/out ClusterSums, of one share
):
    """Move a row from the sums of one cluster to those of another."""
    (weights, offset, scale, inverse), (sums, cluster_weights) = terms, totals
    w = weights[i] if weights.size else 1.0
    # Measured again: the row has been prefetched, its place in ``inverse`` has not.
    pull = w * inverse_length(X, i, scale) if inverse.size else w
    if pull == 0.0:
        return
    _, _, d = X.shape
    add_row(X, i, 0, d, offset, scale, pull, sums, new)
    cluster_weights[WEIGHT, new] += w
    cluster_weights[COUNT, new] += 1.0
    if old >= 0:
        add_row(X, i, 0, d, offset, scale, -pull, sums, old)
        cluster_weights[WEIGHT, old] -= w
        cluster_weights[COUNT, old] -= 1.0


@jit_inline
def move_box(
    b,  # in int, the box
    z,  # in int, the cluster that its rows enter
    old,  # in int, the cluster that they leave; none if negative
    tree,  # in Tree
    totals,  # in/out ClusterSums, of one share
):
    """Move all rows of a box from the sums of one cluster to those of another."""
    (sums, cluster_weights), box_sums, box_weights = totals, tree.sums, tree.weights
    _, d = sums.shape
    for f in range(d):
        sums[z, f] += box_sums[b, f]
    for kind in range(2):
        cluster_weights[kind, z] += box_weights[b, kind]
    if old >= 0:
        for f in range(d):
            sums[old, f] -= box_sums[b, f]
        for kind in range(2):
            cluster_weights[kind, old] -= box_weights[b, kind]


@jit_inline
def label_box(
    X,  # in (2, m, d) float32 or float64, any strides
    b,  # in int, the box
    z,  # in int, the label
    tree,  # in/out Tree
    terms,  # in Terms
    rebuild,  # in bool, whether the sums hold no row
    totals,  # in/out ClusterSums, of one share
):
    """Give all rows of a box one label; return how many had another."""
    order, whole, labels = tree.order, tree.whole, tree.labels
    old = whole[b]
    whole[b] = z
    if old == z and not rebuild:
        return 0
    start, stop = b * BOX, min(b * BOX + BOX, order.size)
    if old != MIXED or rebuild:
        move_box(b, z, -1 if rebuild else old, tree, totals)
    if old != MIXED:
        return stop - start if old != z else 0
    moved = 0
    for q in range(start, stop):
        if labels[q] != z:
            moved += 1
            if not rebuild:
                move_row(X, order[q], terms, labels[q], z, totals)
    return moved


@jit_inline
def label_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    b,  # in int, the box
    tree,  # in/out Tree
    rebuild,  # in bool, whether the sums hold no row
    now,  # in (BOX,) int32, the new labels
    waiting,  # out (3, BOX) int32, see Scratch
):
    """Give the rows of a box their labels; return how many had another, and how many wait."""
    order, whole, labels = tree.order, tree.whole, tree.labels
    old = whole[b]
    whole[b] = MIXED
    start = b * BOX
    part = labels[start : start + BOX]
    if old != MIXED:
        part[:] = old
    moved = 0
    for q in range(part.size):
        moved += part[q] != now[q]
    count = 0
    if moved or rebuild:
        for q in range(part.size):
            before, z = -1 if rebuild else part[q], now[q]
            if z != before:
                i = order[start + q]
                prefetch_row(X, i)
                waiting[0, count], waiting[1, count], waiting[2, count] = i, before, z
                count += 1
            part[q] = z
    return moved, count


@jit
def move_waiting(
    X,  # in (2, m, d) float32 or float64, any strides
    count,  # in int, number of rows that wait
    waiting,  # in (3, BOX) int32, see Scratch
    terms,  # in Terms
    totals,  # in/out ClusterSums, of one share
):
    """Move the rows that wait between the sums."""
    for q in range(count):
        move_row(X, waiting[0, q], terms, waiting[1, q], waiting[2, q], totals)
