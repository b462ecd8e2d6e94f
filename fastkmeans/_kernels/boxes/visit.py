"""The E step for few features: whole boxes of neighbouring rows at a time, exactly.

Rows are sorted once so that neighbours in the order are neighbours in space (see
``order``).  ``BOX`` rows that follow each other make a box, ``FAN`` boxes a superbox,
``FAN`` superboxes a hyperbox; each knows the smallest and the largest value of every
feature.  Per iteration

    hyperbox    which centers can be closest to some point of it?
      superbox    which of those?
        box         which of those?   one: all its rows are labelled, by the sum of its
                                      rows; several: its rows are scored by the tile

The question is answered by ``candidates.narrow``, rigorously.  Nothing is carried from
one iteration to the next but labels and sums.

Rows of a box with several candidates are scored in coordinates of the box, around its
middle: float32 keeps its digits however small the box is against the data, and a dense
clump among far outliers is told apart in float32.  They are read from a copy in the order
of the boxes, in 16-bit steps of the extent of their box: half the bytes of float32, and
no jumping about in ``X``, which costs more than the scores do.  Labels are certified as in
``assign``, whose bound holds in any coordinates, with the coarseness of the copy added;
one row in some ten thousand has to be looked at in ``X``.
"""

from __future__ import annotations

import math

import numpy as np

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.dots import lowest_bit
from ..emit.row import add_row, prefetch_row
from ..emit.scratch import empty
from ..plain.assign import closest_by_differences, rounding
from ..shared.update import COUNT, WEIGHT
from .candidates import BOX, HIGH, LOW, label_points, narrow

FAN = 16
"""Boxes of one level in a box of the next."""
STEPS = 65534
"""Steps from the low end of a box to its high end, in the copy of its rows."""
MIXED, NEW = -1, -2
"""What a box has instead of a label: several of them; none so far."""


@jit
def pack_near(
    limits,  # in (2, all boxes, d) float64
    b,  # the box
    table,  # in (d + 1, room) float64, candidates, see candidates
    n,  # how many there are
    near,  # out (room, 1 + d) float32
):
    """Write candidates in the steps of a box, around its middle; return the margin needed.

    With ``y`` a row from the middle, ``|y|^2 <= E``, and ``|c|^2 <= C`` for the candidates
    from there, two scores are off against each other by no more than

        2 g (sqrt(E C) + C / 2)                 the float32 tile (``assign``, bound A)
        2 sqrt(E C) / STEPS                     the copy: half a step in each feature
        2^-68 R + 2^-28 (E + C)                 coordinates that are rounded to 2^-51 of
                                                sqrt(R), the norms from the origin
        (d + 4) 2^-53 (E + 2 sqrt(E C) + C)     to agree with float64 differences
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
    return np.float32(1.01 * bound + d * 1e-40)


@jit
def move_row(X, i, weights, old, new, offset, scale, sums, cluster_weights):
    """Move a row from the sums of one cluster (none if negative) to those of another."""
    w = weights[i] if weights.size else 1.0
    if w == 0.0:
        return
    _, _, d = X.shape
    add_row(X, i, 0, d, offset, scale, w, sums, new)
    cluster_weights[WEIGHT, new] += w
    cluster_weights[COUNT, new] += 1.0
    if old >= 0:
        add_row(X, i, 0, d, offset, scale, -w, sums, old)
        cluster_weights[WEIGHT, old] -= w
        cluster_weights[COUNT, old] -= 1.0


@jit
def move_box(b, z, old, box_sums, box_weights, sums, cluster_weights):
    """Move all rows of a box from the sums of one cluster (none if negative) to another."""
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
def label_box(
    X, b, z, order, weights, offset, scale, box_sums, box_weights, whole, labels, rebuild,
    sums, cluster_weights,
):  # fmt: skip
    """Give all rows of a box the label ``z``; return how many had another."""
    old = whole[b]
    whole[b] = z
    if old == z and not rebuild:
        return 0
    if old != MIXED or rebuild:
        before = -1 if rebuild else old
        move_box(b, z, before, box_sums, box_weights, sums, cluster_weights)
    start, stop = b * BOX, min(b * BOX + BOX, order.size)
    if old != MIXED:
        return stop - start if old != z else 0
    moved = 0
    for q in range(start, stop):
        if labels[q] != z:
            moved += 1
            if not rebuild:
                move_row(X, order[q], weights, labels[q], z, offset, scale, sums, cluster_weights)
    return moved


@jit
def label_rows(X, b, order, whole, labels, rebuild, now, waiting):
    """Give the rows of a box the labels ``now``; return how many changed and how many wait.

    The numbers of the rows that wait to be moved are in ``waiting``, above their old and
    their new labels.
    """
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
def move_waiting(X, count, waiting, weights, offset, scale, sums, cluster_weights):
    """Move the rows that wait between the sums."""
    for q in range(count):
        move_row(
            X, waiting[0, q], weights, waiting[1, q], waiting[2, q], offset, scale, sums,
            cluster_weights,
        )  # fmt: skip


@jit
def visit_with_scratch(
    X, share, n_shares, order, weights, offset, scale, centers, table, ids, n, limits,
    copy, box_sums, box_weights, whole, labels, rebuild, sums, cluster_weights, counts,
    table1, ids1, table2, ids2, table3, ids3, near, now, waiting,
):  # fmt: skip
    """Do one share of ``visit_boxes``; apart from it, because scratch is counted.

    Rows of a box that change their label are asked for, and moved after the next box:
    in their order in space they come from anywhere in memory.
    """
    n_boxes, _ = box_sums.shape
    n_super = (n_boxes + FAN - 1) // FAN
    n_hyper = (n_super + FAN - 1) // FAN
    moved, settled, scored, work, count = 0, 0, 0, 0, 0
    for h in range(share, n_hyper, n_shares):
        n1 = narrow(limits, n_boxes + n_super + h, table, ids, n, -1, table1, ids1)
        work += n
        for s in range(h * FAN, min(h * FAN + FAN, n_super)):
            at = n_boxes + s
            n2 = narrow(limits, at, table1, ids1, n1, whole[at], table2, ids2)
            work += n1
            label = ids2[0] if n2 == 1 else MIXED
            if label >= 0 and whole[at] == label and not rebuild:
                continue
            whole[at] = label
            for b in range(s * FAN, min(s * FAN + FAN, n_boxes)):
                n3 = 1
                ids3[0] = label
                if label < 0:
                    guess, n3 = whole[b], 0
                    while n3 == 0 or (n3 > 1 and guess >= 0):  # at most twice
                        guess = MIXED if n3 else guess
                        n3 = narrow(limits, b, table2, ids2, n2, guess, table3, ids3)
                    work += n2
                if n3 == 1:
                    moved += label_box(
                        X, b, ids3[0], order, weights, offset, scale, box_sums, box_weights,
                        whole, labels, rebuild, sums, cluster_weights,
                    )  # fmt: skip
                    continue
                need = pack_near(limits, b, table3, n3, near)
                unproven = label_points(copy, b, near, ids3, n3, need, now)
                while unproven != 0:
                    p = lowest_bit(unproven)
                    unproven &= unproven - 1
                    if b * BOX + p < order.size:
                        i = order[b * BOX + p]
                        now[p] = closest_by_differences(X, i, centers, scale)
                        settled += 1
                scored += BOX * n3
                move_waiting(X, count, waiting, weights, offset, scale, sums, cluster_weights)
                changed, count = label_rows(X, b, order, whole, labels, rebuild, now, waiting)
                moved += changed
    move_waiting(X, count, waiting, weights, offset, scale, sums, cluster_weights)
    counts[0], counts[1], counts[2], counts[3] = moved, settled, scored, work


@jit_with_scratch
def visit_boxes(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # first place in shares
    stop,  # place to stop before
    shares,  # in (n_shares,) int64, the shares of the hyperboxes in the order of their turns
    order,  # in (m,) int32, rows in their order in space
    weights,  # in (m,) float64, or of size 0: all ones
    offset,  # in (d,) float64, -shift * scale
    scale,  # power of two
    centers,  # in (k, d) float64
    table,  # in (d + 1, room) float64, centers in scaled, shifted coordinates, see candidates
    ids,  # in (room,) int32, their numbers
    n,  # how many there are
    limits,  # in (2, all boxes, d) float64, low and high: boxes, superboxes, hyperboxes
    copy,  # in (n_boxes, d, BOX) int16, the rows in steps of their box
    box_sums,  # in (n_boxes, d) float64
    box_weights,  # in (n_boxes, 2) float64
    whole,  # in/out (boxes and superboxes,) int32, label of all rows, MIXED or NEW
    labels,  # in/out (m,) int32, in order; valid for MIXED boxes
    rebuild,  # whether no row is in the sums
    sums,  # in/out (n_shares, k, d) float64
    cluster_weights,  # in/out (n_shares, 2, k) float64
    counts,  # out (n_shares, 4) int64: rows moved, settled by differences, scored, work
):
    """Label the rows of some shares of the hyperboxes and move them between the sums.

    A share is every ``n_shares``-th hyperbox, so that none is much harder than another.
    """
    (_, _, d), room = X.shape, ids.size
    for place in range(start, stop):
        share = shares[place]
        visit_with_scratch(
            X, share, shares.size, order, weights, offset, scale, centers, table, ids, n, limits,
            copy, box_sums, box_weights, whole, labels, rebuild, sums[share],
            cluster_weights[share], counts[share],
            empty((d + 1, room), np.float64), empty(room, np.int32),
            empty((d + 1, room), np.float64), empty(room, np.int32),
            empty((d + 1, room), np.float64), empty(room, np.int32),
            empty((room, d + 1), np.float32), empty(BOX, np.int32), empty((3, BOX), np.int32),
        )  # fmt: skip
