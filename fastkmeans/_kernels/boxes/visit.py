"""The E step for few features: whole boxes of neighbouring rows at a time, exactly.

Rows are sorted once, so that neighbours in the order are neighbours in space (``order``).  ``BOX``
consecutive rows make a box, ``FAN`` boxes a superbox, ``FAN`` superboxes a hyperbox.  Each has the
smallest and the largest value of every feature.  In every iteration a center must pass three tests
before rows are scored against it:

    hyperbox    which centers can be closest to some point of it?
      superbox    which of those?  one: all its boxes get this label
        box         which of those?  one: all its rows get this label; several: its rows are
                    scored against them

``candidates.narrow`` answers with certainty; ``near`` scores the rows.  Only labels and sums are
carried from one iteration to the next.

The sums follow the labels in one of two ways.  Box by box (``sums``): fastest, but in an order of
its own, so that centers may differ from plain Lloyd's in the last digit.  Or row by row, after the
visit (``by_row``): the bits of plain Lloyd.

Loop order: hyperboxes of a share, their superboxes, their boxes, depth first.  So the list of
candidates of a box is short, and still in the cache when the next box needs it.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.scratch import empty
from ..shared.update import ClusterSums
from .by_row import write_box, write_rows
from .candidates import BOX, Candidates, narrow
from .near import score_rows
from .sums import label_box, label_rows, move_waiting
from .tree import FAN, MIXED


class Scratch(NamedTuple):
    """Arrays that a share is labelled with."""

    of_hyperbox: Any  # scratch Candidates
    of_superbox: Any  # scratch Candidates
    of_box: Any  # scratch Candidates
    near: Any  # scratch (room, 1 + d) float32, candidates in steps of a box
    now: Any  # scratch (BOX,) int32, labels of the rows of a box
    waiting: Any  # scratch (3, BOX) int32, rows that wait, their old and their new labels


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
    """Label the rows of one share; a function of its own, because scratch is reference-counted."""
    limits, whole, by_cosine = tree.limits, tree.whole, terms.inverse.size > 0
    by_row = tree.by_row.size > 0
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
                if n3 == 1 and by_row:
                    moved += write_box(b, ids_of_box[0], tree)
                    continue
                if n3 == 1:
                    moved += label_box(X, b, ids_of_box[0], tree, terms, rebuild, totals)
                    continue
                settled += score_rows(
                    X, b, tree, centers, terms.scale, by_cosine, of_box, n3, near, now
                )
                scored += BOX * n3
                if by_row:
                    moved += write_rows(b, now, tree)
                    continue
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
    """Label the rows of some shares of the hyperboxes; box by box, move them between the sums.

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
