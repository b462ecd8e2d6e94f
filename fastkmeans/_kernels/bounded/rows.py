"""The E step with bounds on distances, in float32.

The centers are in a few *groups*.  A row carries an upper bound on the distance to its assigned
center, and for each group a lower bound on the distance to any other center of the group (Ding et
al. 2015, ICML, "Yinyang k-means").  When the centers move, the bounds widen by their drift.  A row
needs the groups whose lower bound does not exceed its upper bound: its *needs*, a bit per group.

    rows of the data                     STRETCH at a time
      |  upper, lower, drift             bounds widen; a row that needs no group ends here
      v
    met   the other rows                 sorted by their needs
      |  X                               packed, POINTS rows at a time
      v
    block (d, POINTS)                    score of the assigned center: upper is tight again
      |                                  needs of the block: what any of its rows needs
      v
    block  x  tiles of a group           top_two: the largest scores; a new lower bound
      |                                  no other center reaches the limit: the label stays
      v
    rivals, POINTS rows at a time        scored again, with indices: new label, or open

Groups.  They hold centers of similar drift when the bounds begin.  Few centers move far late in a
run, and they are the same ones for some iterations.  So the groups of the others are rarely needed.
Rows with equal needs share a block, so that few lanes score what they do not need.

Labels.  A row keeps its label if no other center scores above its limit, as in ``plain.start``.  A
center of a group that is not needed is farther than the assigned one, as its bounds say.  A row
with a rival takes the best of the scored centers, if the margin of ``plain.bound`` proves it.  Else
it stays open, and ``settle_rows`` compares it with all centers.  Its lower bounds are 0 then; its
upper bound holds for the closest center, too.

Rounding.  A float32 score is off by the slack of ``bytes.screen``, and so are ``|x|^2`` and the
bounds from it.  A bound that widens is rounded outwards (``bytes.bounds``).

Loop order: ``STRETCH`` rows, then blocks, then groups, then tiles.  A block stays in the
first-level cache while the tiles pass by.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..bytes.bounds import error_terms
from ..bytes.quantize import NARROWER, WIDER
from ..emit.dots import lowest_bit
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..plain.bound import margin_needed, narrow_bound
from ..plain.start import start_at_labels
from ..plain.tile import best_two
from ..shared.pack import pack_points
from .bounds import STRETCH, sort_by_needs, widen
from .group import GROUPS, compare_group, needs_of

MOVED, OPEN, ZERO, MET, SCORED, RIVALS = range(6)
"""What ``bounded_rows`` counts: rows that moved, rows left open, those of them with a norm of 0,
rows that need a group, pairs of a row and a center that were scored, rows with a rival."""


class Points(NamedTuple):
    """A packed block of rows, and what is known of its points."""

    values: Any  # scratch (1, d, POINTS) float32
    norms: Any  # scratch (1, POINTS) float32, squared norms
    home: Any  # scratch (1, POINTS) int32, see plain.tile.best_two
    best: Any  # scratch (1, POINTS) float32, score of the assigned center
    limit: Any  # scratch (1, POINTS) float32, see plain.start
    index: Any  # scratch (1, POINTS) int32, assigned center
    own: Any  # scratch (1, POINTS) int32, place of the assigned center
    base: Any  # scratch (1, POINTS) float32, see compare_group
    bounds: Any  # scratch (1, POINTS) float32, see compare_group
    upper: Any  # scratch (POINTS,) float32, upper bound


@jit_inline
def begin_points(
    X,  # in (2, m, d) float32 or float64, any strides
    numbers,  # in/out (POINTS,) int64, the rows of the block; padded by the last one
    count,  # in int, number of valid points
    where,  # in tuple: offset (d,) and scale of X's dtype
    table,  # in (k, width) float32, see GroupedCenters
    narrow,  # in tuple of three float32, see narrow_bound
    previous,  # in (m,) int32, labels
    points,  # out Points
):
    """Pack a block, and score the assigned centers of its rows."""
    offset, scale = where
    pack_points(X, numbers, count, offset, scale, points.values, points.norms)
    start_at_labels(
        points.values, 0, numbers, previous, table, points.norms, narrow, points.home, points.best,
        points.limit, points.index,
    )  # fmt: skip


@jit_inline
def tighten(
    numbers,  # in (POINTS,) int64, the rows of the block
    place,  # in (k,) int32, the place of each center
    terms,  # in ErrorTerms
    rows,  # in/out BoundedRows, upper is written
    points,  # in/out Points; own, base and upper are written
):
    """Make the upper bounds of a block tight; return what its rows need."""
    norms, best, upper, base = points.norms, points.best, points.upper, points.base
    slope, constant, grown, apart = terms.slope, terms.constant, terms.grown, terms.apart
    zero, two, shrunk = np.float32(0.0), np.float32(2.0), terms.shrunk
    for p in range(POINTS):
        upper[p], points.own[0, p] = rows.upper[numbers[p]], place[points.index[0, p]]
    for p in range(POINTS):
        pad = slope * np.sqrt(norms[0, p]) * WIDER + constant
        square = norms[0, p] * grown - two * (best[0, p] - pad)
        near = np.sqrt(zero if square < zero else square) * WIDER + apart
        upper[p] = near if near < upper[p] else upper[p]
        base[0, p] = norms[0, p] * shrunk - two * pad
    needs = 0
    for p in range(POINTS):
        rows.upper[numbers[p]] = upper[p]
        needs |= needs_of(rows.lower, numbers[p], upper[p])
    return needs


@jit
def compare_block(
    numbers,  # in (POINTS,) int64, the rows of the block
    centers,  # in GroupedCenters
    terms,  # in ErrorTerms
    rows,  # in/out BoundedRows
    points,  # in/out Points, begun
    counts,  # in/out (6,) int64; SCORED grows
):
    """Compare a block with the groups that it needs; return those, and the points with a rival.

    Both are bits.  The bounds of the rows hold for their labels then, and for any other center.
    """
    edges, found = centers.edges, 0
    needs = tighten(numbers, centers.place, terms, rows, points)
    left = needs
    while left != 0:
        g = lowest_bit(left)
        left &= left - 1
        found |= compare_group(
            points.values, centers.tiles, edges[g], edges[g + 1], points.own, points.limit,
            points.base, points.bounds,
        )  # fmt: skip
        for p in range(POINTS):
            rows.lower[numbers[p], g] = points.bounds[0, p]
        counts[SCORED] += POINTS * CENTERS * (edges[g + 1] - edges[g])
    return needs, found


@jit
def take_rivals(
    numbers,  # in (POINTS,) int64, rows that have a rival
    count,  # in int, number of valid points
    needs,  # in int, groups to compare with
    centers,  # in GroupedCenters
    terms,  # in ErrorTerms
    points,  # in/out Points, begun
    rows,  # in/out BoundedRows
    previous,  # in (m,) int32, labels before
    labels,  # out (m,) int32, labels; -1 for a row left open
    counts,  # in/out (6,) int64, MOVED to RIVALS
):
    """Find the closest center of some rows in the groups that they need.

    The lower bound of the old center's group must hold for the old center now.  That of the new
    center's group holds for the new center, too, until it is found again.
    """
    norms, home, best, second, index = (
        points.norms, points.home, points.best, points.limit, points.index,
    )  # fmt: skip
    zero, two, edges = np.float32(0.0), np.float32(2.0), centers.edges
    for p in range(POINTS):
        at = centers.place[index[0, p]]
        index[0, p], home[0, p], second[0, p] = at, at // CENTERS, -np.inf
        points.base[0, p] = best[0, p]
    for g in range(GROUPS):
        if needs >> g & 1:
            best_two(
                points.values, 0, centers.tiles, edges[g], edges[g + 1], home, best, second, index
            )
            counts[SCORED] += POINTS * CENTERS * (edges[g + 1] - edges[g])
    for p in range(count):
        i, norm = numbers[p], norms[0, p]
        high, low = np.float64(best[0, p]), np.float64(second[0, p])
        need = margin_needed(
            np.float64(norm), high, low, terms.g, centers.largest, terms.tiny, terms.differences,
            False,
        )  # fmt: skip
        j = centers.order[index[0, p]]
        if high - low > need and j == previous[i]:
            continue
        if high - low > need:
            pad = terms.slope * np.sqrt(norm) * WIDER + terms.constant
            near = norm * terms.grown - two * (best[0, p] - pad)
            rows.upper[i] = np.sqrt(near if near > zero else zero) * WIDER + terms.apart
            far = norm * terms.shrunk - two * (points.base[0, p] + pad)
            left = np.sqrt(far if far > zero else zero) * NARROWER
            at, g = centers.place[previous[i]] // CENTERS, 0
            while edges[g + 1] <= at:
                g += 1
            rows.lower[i, g] = left if left < rows.lower[i, g] else rows.lower[i, g]
            labels[i] = j
            counts[MOVED] += 1
        else:
            labels[i] = -1
            for g in range(GROUPS):
                rows.lower[i, g] = 0.0
            counts[OPEN] += 1
            counts[ZERO] += norm == 0.0
    counts[RIVALS] += count


@jit_with_scratch
def bounded_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    offset,  # in (d,) of X's dtype, -shift * scale
    scale,  # in float of X's dtype, power of two
    centers,  # in GroupedCenters
    rows,  # in/out BoundedRows
    previous,  # in (m,) int32, labels before: every row has one
    labels,  # out (m,) int32, closest center, or -1 for a row left open
    counts,  # out (6,) int64, MOVED to RIVALS
):
    """Assign rows ``start:stop`` by bounds and float32 scores."""
    _, _, d = X.shape
    where = offset, scale
    terms = error_terms(d, math.sqrt(centers.largest), centers.largest, False)
    narrow = narrow_bound(terms.g, centers.largest, d * 1e-40, terms.differences, False)
    needs, met = empty(STRETCH, np.int32), empty(STRETCH, np.int64)
    places, rivals = empty((1 << GROUPS) + 1, np.int64), empty(2 * POINTS, np.int64)
    floats, whole = empty((5, 1, POINTS), np.float32), empty((3, 1, POINTS), np.int32)
    points = Points(
        empty((1, d, POINTS), np.float32), floats[0], whole[0], floats[1], floats[2], whole[1],
        whole[2], floats[3], floats[4], empty(POINTS, np.float32),
    )  # fmt: skip
    counts[:] = 0
    for first in range(start, stop, STRETCH):
        last = first + STRETCH if first + STRETCH < stop else stop
        widen(first, last, centers, rows, previous, labels, needs)
        n_met = sort_by_needs(X, first, last - first, needs, places, met)
        counts[MET] += n_met
        n_rivals, all_needs = 0, 0
        for begin in range(0, n_met, POINTS):
            count = POINTS if n_met - begin > POINTS else n_met - begin
            numbers = met[begin : begin + POINTS]
            begin_points(X, numbers, count, where, centers.table, narrow, previous, points)
            need, found = compare_block(numbers, centers, terms, rows, points, counts)
            all_needs |= need
            while found != 0:
                p = lowest_bit(found)
                found &= found - 1
                rivals[n_rivals] = numbers[p]
                n_rivals += p < count
            while n_rivals >= POINTS or (n_rivals > 0 and begin + POINTS >= n_met):
                count = POINTS if n_rivals > POINTS else n_rivals
                begin_points(X, rivals, count, where, centers.table, narrow, previous, points)
                take_rivals(
                    rivals, count, all_needs, centers, terms, points, rows, previous, labels, counts
                )
                n_rivals -= count
                for r in range(n_rivals):
                    rivals[r] = rivals[POINTS + r]
