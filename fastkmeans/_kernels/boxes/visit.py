"""The E step for few features: whole boxes of neighbouring rows at a time, exactly.

Rows are sorted once, so that neighbours in the order are neighbours in space (``order``).  ``BOX``
consecutive rows make a box, ``FAN`` boxes a superbox, ``FAN`` superboxes a hyperbox.  Each has the
smallest and the largest value of every feature.  In every iteration a center must pass three tests
before rows are scored against it:

    hyperbox    which centers can be closest to some point of it?
      superbox    which of those?  one: all its boxes get this label
        box         which of those?  one: all its rows get this label, and the sum of the
                                     box moves; several: its rows are scored against them

``candidates.narrow`` answers with certainty.  Only labels and sums are carried from one iteration
to the next.

The sums follow the labels in one of two ways.  Here, box by box: fastest, but in an order of its
own, so that centers may differ from plain Lloyd's in the last digit.  Or the visit writes changed
labels to ``by_row`` and leaves the sums to ``shared.update.move_rows``: the bits of plain Lloyd.

Loop order: hyperboxes of a share, their superboxes, their boxes, depth first.  So the list of
candidates of a box is short, and still in the cache when the next box needs it.

If a box has several candidates, its rows are scored in coordinates of the box, around its middle.
Float32 then has its full digits, however small the box is: it separates the rows of a dense clump
among far outliers.  The rows come from a copy in the order of the boxes, in 16-bit steps of the
extent of their box.  That is half the bytes of float32.  It also avoids jumps in ``X``, which cost
more than the scores.  Labels are certified as in ``assign``; the bound holds in any coordinates.
The coarseness of the copy is added to the bound (``pack_near``).  About one row in ten thousand
must be read from ``X``.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.dots import lowest_bit
from ..emit.row import add_row, prefetch_row
from ..emit.scratch import empty
from ..plain.bound import rounding
from ..plain.exact import closest
from ..shared.lengths import inverse_length
from ..shared.update import COUNT, WEIGHT, ClusterSums
from .candidates import BOX, HIGH, LOW, Candidates, label_points, narrow

FAN = 16
"""Boxes of one level in a box of the next."""
STEPS = 65534
"""Steps from the low end of a box to its high end, in the copy of its rows."""
MIXED, NEW = -1, -2
"""In place of the label of a box: its rows have several labels; none so far."""


class Tree(NamedTuple):
    """The rows in their order in space, and the boxes, superboxes and hyperboxes over them.

    Arrays over all levels hold the boxes first, then the superboxes, then the hyperboxes.
    """

    order: Any  # in (m,) int32, the rows in their order in space
    limits: Any  # in (2, all boxes, d) float64, LOW and HIGH of every feature
    copy: Any  # in (n_boxes, d, BOX) int16, rows in steps of their box, from its middle
    sums: Any  # in (n_boxes, d) float64, sums of the rows of a box
    weights: Any  # in (n_boxes, 2) float64, WEIGHT and COUNT of the rows of a box
    whole: Any  # in/out (boxes and superboxes,) int32, the label of all rows, MIXED or NEW
    labels: Any  # in/out (m,) int32, labels in the order in space; valid in MIXED boxes
    by_row: Any  # in/out (m,) int32, labels in the order of the data; of size 0: sums move here


class Scratch(NamedTuple):
    """Arrays that a share is labelled with."""

    of_hyperbox: Any  # scratch Candidates
    of_superbox: Any  # scratch Candidates
    of_box: Any  # scratch Candidates
    near: Any  # scratch (room, 1 + d) float32, candidates in steps of a box
    now: Any  # scratch (BOX,) int32, labels of the rows of a box
    waiting: Any  # scratch (3, BOX) int32, rows that wait, their old and their new labels


@jit
def pack_near(
    limits,  # in (2, all boxes, d) float64
    b,  # in int, the box
    table,  # in (d + 1, room) float64, see Candidates
    n,  # in int, number of candidates
    by_cosine,  # in bool
    near,  # out (room, 1 + d) float32
):
    """Write candidates in the steps of a box, around its middle; return the margin needed.

    Measured from the middle, ``|y|^2 <= E`` for a row ``y``, and ``|c|^2 <= C`` for the candidates.
    ``R`` is the largest squared norm of a row or a candidate, from the origin.  Then the difference
    of two scores is off by at most

        2 g (sqrt(E C) + C / 2)                 the float32 tile (``plain.bound``, A)
        2 sqrt(E C) / STEPS                     the copy: half a step in each feature
        2^-67 R + 2^-28 (E + C)                 coordinates are rounded to 2^-51 of sqrt(R)
        (d + 4) 2^-53 (E + 2 sqrt(E C) + C)     to agree with float64 differences
        3 (d + 4) 2^-53 R                       by cosine: to agree with float64 products, and for
                                                the rounding of the centers to one length
    """
    _, _, d = limits.shape
    extent, far, largest = 0.0, 0.0, 0.0
    for f in range(d):
        low, high = limits[LOW, b, f], limits[HIGH, b, f]
        extent += 0.25 * (high - low) * (high - low)
        far += max(low * low, high * high)
    for q in range(n):
        norm = 0.0
        for f in range(d):
            low, high = limits[LOW, b, f], limits[HIGH, b, f]
            c = table[f, q] - 0.5 * (low + high)
            near[q, 1 + f] = c * ((high - low) / STEPS)
            norm += c * c
        near[q, 0] = -0.5 * norm
        largest = norm if norm > largest else largest
        far = table[d, q] if table[d, q] > far else far
    g = rounding(d, 2.0**-24, largest)
    root = math.sqrt(extent * largest)
    bound = 2.0 * g * (root + 0.5 * largest) + 2.01 / STEPS * root
    bound += 2.0**-67 * far + (2.0**-28 + (d + 4) * 2.0**-52) * (extent + largest)
    if by_cosine:
        bound += (d + 4) * 2.0**-51 * far
    return np.float32(1.01 * bound + d * 1e-40)


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


@jit
def write_box(
    start,  # in int, place in order of the first row of the box
    stop,  # in int, place to stop before
    z,  # in int, the label
    order,  # in (m,) int32, see Tree
    by_row,  # in/out (m,) int32, see Tree
):
    """Write one label to all rows of a box, in the order of the data; return how many change."""
    moved = 0
    for q in range(start, stop):
        i = order[q]
        moved += by_row[i] != z
        by_row[i] = z
    return moved


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
    if tree.by_row.size:
        return write_box(start, stop, z, order, tree.by_row)
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


@jit
def write_rows(
    part,  # in/out (BOX or fewer,) int32, labels of the rows of a box
    now,  # in (BOX,) int32, the new labels
    rows,  # in (BOX or fewer,) int32, the rows
    by_row,  # in/out (m,) int32, see Tree
):
    """Give the rows of a box their labels, in the order of the data too; return how many change.

    The first visit of a run knows no label in the order in space: ``by_row`` tells what changes.
    """
    moved = 0
    for q in range(part.size):
        if part[q] != now[q]:
            moved += by_row[rows[q]] != now[q]
            by_row[rows[q]] = now[q]
            part[q] = now[q]
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
    if moved and tree.by_row.size:
        return write_rows(part, now, order[start : start + BOX], tree.by_row), 0
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


@jit_inline
def score_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    b,  # in int, the box
    tree,  # in Tree
    centers,  # in (k, d) float64
    scale,  # in float64, power of two
    by_cosine,  # in bool
    found,  # in Candidates, of the box
    n,  # in int, number of candidates
    near,  # scratch (room, 1 + d) float32
    now,  # out (BOX,) int32, the labels
):
    """Find the labels of the rows of a box; return how many needed differences."""
    order, (table, ids) = tree.order, found
    need = pack_near(tree.limits, b, table, n, by_cosine, near)
    unproven, settled = label_points(tree.copy, b, near, ids, n, need, now), 0
    while unproven != 0:
        p = lowest_bit(unproven)
        unproven &= unproven - 1
        if b * BOX + p < order.size:
            now[p] = closest(X, order[b * BOX + p], centers, scale, by_cosine)
            settled += 1
    return settled


@jit
def visit_share(
    X,  # in (2, m, d) float32 or float64, any strides
    share,  # in int, the share
    n_shares,  # in int, number of shares
    tree,  # in/out Tree
    terms,  # in Terms
    centers,  # in (k, d) float64
    given,  # in Candidates, all centers
    n,  # in int, number of centers
    rebuild,  # in bool, whether the sums hold no row
    totals,  # in/out ClusterSums, of this share
    counts,  # out (4,) int64, see visit_boxes
    scratch,  # scratch Scratch
):
    """Label the rows of one share; a function of its own, because scratch is reference-counted.

    Rows of a box that change their label are prefetched, and moved after the next box.  Neighbours
    in space lie far apart in ``X``: without the prefetch fits take 1.3 to 1.5 times as long.
    """
    limits, whole, by_cosine = tree.limits, tree.whole, terms.inverse.size > 0
    of_hyperbox, of_superbox, of_box, near, now, waiting = scratch
    ids_of_superbox, ids_of_box = of_superbox.ids, of_box.ids
    n_boxes, _ = tree.sums.shape
    n_super = (n_boxes + FAN - 1) // FAN
    n_hyper = (n_super + FAN - 1) // FAN
    moved, settled, scored, work, count = 0, 0, 0, 0, 0
    for h in range(share, n_hyper, n_shares):
        n1 = narrow(limits, n_boxes + n_super + h, given, n, -1, of_hyperbox)
        work += n
        for s in range(h * FAN, min(h * FAN + FAN, n_super)):
            at = n_boxes + s
            n2 = narrow(limits, at, of_hyperbox, n1, whole[at], of_superbox)
            work += n1
            label = ids_of_superbox[0] if n2 == 1 else MIXED
            if label >= 0 and whole[at] == label and not rebuild:
                continue
            whole[at] = label
            for b in range(s * FAN, min(s * FAN + FAN, n_boxes)):
                n3 = 1
                ids_of_box[0] = label
                if label < 0:
                    guess, n3 = whole[b], 0
                    while n3 == 0 or (n3 > 1 and guess >= 0):  # at most twice
                        guess = MIXED if n3 else guess
                        n3 = narrow(limits, b, of_superbox, n2, guess, of_box)
                    work += n2
                if n3 == 1:
                    moved += label_box(X, b, ids_of_box[0], tree, terms, rebuild, totals)
                    continue
                settled += score_rows(
                    X, b, tree, centers, terms.scale, by_cosine, of_box, n3, near, now
                )
                scored += BOX * n3
                move_waiting(X, count, waiting, terms, totals)
                changed, count = label_rows(X, b, tree, rebuild, now, waiting)
                moved += changed
    move_waiting(X, count, waiting, terms, totals)
    counts[0], counts[1], counts[2], counts[3] = moved, settled, scored, work


@jit_with_scratch
def visit_boxes(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first place in shares
    stop,  # in int, place to stop before
    shares,  # in (n_shares,) int64, the shares in the order of their turns
    tree,  # in/out Tree
    terms,  # in Terms
    centers,  # in (k, d) float64
    given,  # in Candidates, all centers, scaled and shifted
    n,  # in int, number of centers
    rebuild,  # in bool, whether the sums hold no row
    totals,  # in/out ClusterSums
    counts,  # out (n_shares, 4) int64: rows moved, settled by differences, scored; work
):
    """Label the rows of some shares of the hyperboxes and move them between the sums.

    A share is every ``n_shares``-th hyperbox, so that no share is much harder than another.
    """
    (_, _, d), room, (sums, cluster_weights) = X.shape, given.ids.size, totals
    for place in range(start, stop):
        share = shares[place]
        scratch = Scratch(
            Candidates(empty((d + 1, room), np.float64), empty(room, np.int32)),
            Candidates(empty((d + 1, room), np.float64), empty(room, np.int32)),
            Candidates(empty((d + 1, room), np.float64), empty(room, np.int32)),
            empty((room, d + 1), np.float32),
            empty(BOX, np.int32),
            empty((3, BOX), np.int32),
        )
        own = ClusterSums(sums[share], cluster_weights[share])
        visit_share(
            X, share, shares.size, tree, terms, centers, given, n, rebuild, own, counts[share],
            scratch,
        )  # fmt: skip
