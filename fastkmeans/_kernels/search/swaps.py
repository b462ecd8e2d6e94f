"""Local search by swaps: a row takes the place of a center.

A swap draws a row with probability ``w D^2``, as k-means++ does, and gives it the place of the
center whose loss costs least.  A few Lloyd iterations follow, and the swap is kept if the inertia
has fallen: Kanungo and others (2004), "A local search approximation algorithm for k-means
clustering", Computational Geometry 28; Beretta and others (2023), "Multi-swap k-means++", NeurIPS.

One pass prices a candidate in the place of every center.  ``a`` and ``b`` are the squared distances
of a row to its closest and its second-closest center, ``s`` that to the candidate::

    potential with the candidate    sum_i w_i min(a_i, s_i)
    and without center j            more by the sum of w_i (min(b_i, s_i) - min(a_i, s_i)), over
                                    the rows whose closest center is j

A row with ``s >= b`` adds to both what it adds without the candidate.  So few rows are visited.

A swap changes little far away from its two places.  The iterations after it move the ``LOCAL``
clusters around them, and compare the rows of these clusters with their centers alone.  All other
rows stay as they are: the inertia found that way is never too low.

    draw      candidates, ``CANDIDATES`` at a time                seeding.potential.draw
    price     each in the place of every center, in one pass      price
    try       the cheapest first: iterate among its neighbours    try_swap
    keep      the first that gains; then find the two closest     renew
              centers again, for the rows that may have others

Loop order: ``ROWS`` rows outside, then candidates or centers, then these rows.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..seeding.potential import GROUP_ROWS, Nearest, draw, sum_groups
from .closest import (
    ROWS,
    Closest,
    Clusters,
    Measured,
    Place,
    forget,
    keep,
    measure,
    move_row,
    pack_some,
    take_closest,
)

CANDIDATES = 6
"""Rows drawn together: one pass prices them.  No tile has fewer centers."""
LOCAL = 12
"""Most clusters that move in the iterations after a swap: two tiles or fewer."""
STEPS = 8
"""Most iterations after a swap."""
AHEAD = 2.0
"""A swap is given up unless so many times the gain to be expected would make it pay."""
SETTLED = 0.1
"""A swap that pays is kept once an iteration gains less than this share of its whole gain."""
LEAST_GAIN = 1e-6
"""Share of the potential that a swap must gain: less may be rounding in float32."""
TRIES, KEPT, ITERATIONS, DISTANCES, FAILED, BEGUN = range(6)
"""Items of ``counts``: swaps tried and kept, iterations after them, distances of rows to centers,
tries since the last gain, and whether the sums of the clusters are known."""


class Table(NamedTuple):
    """What stays the same during a search."""

    weights: Any  # in (m,) float64, or of size 0: all ones
    place: Place  # in Place
    numbers: Any  # in (max(k, CANDIDATES),) int64: 0, 1, 2, ...


class Candidates(NamedTuple):
    """Rows drawn together, and what it costs to give each the place of a center."""

    rows: Any  # scratch (CANDIDATES,) int64
    points: Any  # scratch (CANDIDATES, d) float64, scaled and shifted
    losses: Any  # scratch (CANDIDATES + 1, k + 1) float64, see price
    removed: Any  # scratch (CANDIDATES,) int64, the center to take away
    prices: Any  # scratch (CANDIDATES,) float64, the potential then less that of now


class Local(NamedTuple):
    """Scratch: the clusters that move after a swap, and their rows."""

    clusters: Clusters  # scratch Clusters, at most LOCAL
    chosen: Any  # scratch (LOCAL,) int64, their numbers; the center that leaves is the first
    place_of: Any  # scratch (k,) int64, the place of a cluster in chosen, or -1
    apart: Any  # scratch (k,) float64, squared distances of centers
    rows: Any  # scratch (m,) int64, the rows of the clusters
    labels: Any  # scratch (m,) int32, their places in chosen


@jit_inline
def price(
    X,  # in (2, m, d) float32 or float64, any strides
    table,  # in Table
    closest,  # in Closest
    tiles,  # in (n_tiles, 1 + d, CENTERS) of closest.near's dtype, the candidates
    measured,  # scratch Measured
    losses,  # out (CANDIDATES + 1, k + 1) float64
):
    """Price the candidates.

    The last row of ``losses`` is about no candidate: the losses of the centers, and the potential.
    Each other row holds what is added to it with a candidate.
    """
    labels, _, near, far = closest
    (_, m, _), (height, width) = X.shape, losses.shape
    weights, k, n_candidates = table.weights, width - 1, height - 1
    for c in range(CANDIDATES + 1):
        for j in range(width):
            losses[c, j] = 0.0
    base = losses[CANDIDATES]
    for first in range(0, m, ROWS):
        count = ROWS if m - first > ROWS else m - first
        for p in range(count):
            measured.rows[p] = first + p
        measure(X, count, table.place, tiles, n_candidates, measured)
        for p in range(count):
            i = first + p
            w = weights[i] if weights.size else 1.0
            a, b = np.float64(near[i]), np.float64(far[i])
            base[k] += w * a
            base[labels[i]] += w * (b - a)
        for c in range(CANDIDATES):
            loss, squares = losses[c], measured.squares[c]
            for p in range(count):
                i = first + p
                if squares[p] < far[i]:
                    w = weights[i] if weights.size else 1.0
                    a, s = np.float64(near[i]), np.float64(squares[p])
                    least = s if s < a else a
                    loss[k] += w * (least - a)
                    loss[labels[i]] += w * ((s - least) - (np.float64(far[i]) - a))


@jit_inline
def cheapest(
    losses,  # in (CANDIDATES + 1, k + 1) float64, from price
    c,  # in int, the candidate
):
    """Return the center to take away, and the potential then less that of now."""
    _, width = losses.shape
    k, best = width - 1, 0
    for j in range(k):
        if losses[c, j] + losses[CANDIDATES, j] < losses[c, best] + losses[CANDIDATES, best]:
            best = j
    return best, losses[c, k] + losses[c, best] + losses[CANDIDATES, best]


@jit_inline
def draw_candidates(
    X,  # in (2, m, d) float32 or float64, any strides
    table,  # in Table
    uniforms,  # in (CANDIDATES,) float64 in [0, 1)
    nearest,  # in/out Nearest, group_sums out
    closest,  # in Closest
    candidates,  # out Candidates
    tiles,  # scratch (n_tiles, 1 + d, CENTERS) float32 or float64
    measured,  # scratch Measured
):
    """Draw candidates and price them; return the potential of now."""
    rows, points, losses, removed, prices = candidates
    _, d = points.shape
    place = table.place
    sum_groups(nearest)
    draw(uniforms, nearest, rows)
    for c in range(CANDIDATES):
        for f in range(d):
            points[c, f] = np.float64(X[0, rows[c], f]) * place.scale + place.offset[f]
    pack_some(points, table.numbers, CANDIDATES, tiles)
    price(X, table, closest, tiles, measured, losses)
    for c in range(CANDIDATES):
        removed[c], prices[c] = cheapest(losses, c)
    return losses[CANDIDATES, losses.shape[1] - 1]


@jit_inline
def next_candidate(
    prices,  # in/out (CANDIDATES,) float64; infinite from then on
):
    """Return the cheapest candidate left."""
    c = 0
    for other in range(CANDIDATES):
        c = other if prices[other] < prices[c] else c
    prices[c] = np.inf
    return c


@jit_inline
def choose_local(
    centers,  # in (k, d) float64
    candidate,  # in (d,) float64, the new center
    removed,  # in int, the center that leaves
    local,  # in/out Local: chosen and place_of out
):
    """Choose the clusters that may move; return how many.

    The place that becomes free is the first.  Half of the others are the closest to the candidate,
    half to the center that leaves.
    """
    _, chosen, place_of, apart, _, _ = local
    k, d = centers.shape
    most = LOCAL if k > LOCAL else k
    for j in range(k):
        place_of[j] = -1
    chosen[0], place_of[removed] = removed, 0
    count = np.int64(1)  # a literal would make numba compile what takes it again
    for side in range(2):
        for j in range(k):
            apart[j] = 0.0
            for f in range(d):
                around = centers[removed, f] if side else candidate[f]
                apart[j] += (centers[j, f] - around) * (centers[j, f] - around)
        while count < (most if side else 1 + most // 2):
            best = -1
            for j in range(k):
                if place_of[j] < 0 and (best < 0 or apart[j] < apart[best]):
                    best = j
            chosen[count], place_of[best] = best, count
            count += 1
    return count


@jit_inline
def begin_local(
    table,  # in Table
    candidate,  # in (d,) float64
    n_local,  # in int, number of local clusters
    closest,  # in Closest
    clusters,  # in Clusters, all of them
    local,  # in/out Local: chosen and place_of in
):
    """Copy the local clusters and list their rows; return how many, and their potential."""
    own, chosen, place_of, _, rows, labels = local
    _, d = clusters.centers.shape
    for a in range(n_local):
        j = chosen[a]
        own.weights[a], own.counts[a] = clusters.weights[j], clusters.counts[j]
        for f in range(d):
            own.centers[a, f] = clusters.centers[j, f] if a else candidate[f]
            own.sums[a, f] = clusters.sums[j, f]
    n_rows, potential = np.int64(0), 0.0
    for i in range(closest.labels.size):
        a = place_of[closest.labels[i]]
        if a >= 0:
            rows[n_rows], labels[n_rows] = i, a
            n_rows += 1
            w = table.weights[i] if table.weights.size else 1.0
            potential += w * np.float64(closest.near[i])
    return n_rows, potential


@jit_inline
def move_centers(
    n_local,  # in int, number of local clusters
    own,  # in/out Clusters, the local ones
):
    """Move centers to the means of their rows; return what this gains.  None stays without rows."""
    _, d = own.centers.shape
    gained = 0.0
    for a in range(n_local):
        if own.counts[a] == 0:
            own.weights[a] = 0.0  # nothing but rounding errors
            for f in range(d):
                own.sums[a, f] = 0.0
            continue
        square = 0.0
        for f in range(d):
            mean = own.sums[a, f] / own.weights[a]
            square += (mean - own.centers[a, f]) * (mean - own.centers[a, f])
            own.centers[a, f] = mean
        gained += own.weights[a] * square
    return gained


@jit
def iterate(
    X,  # in (2, m, d) float32 or float64, any strides
    table,  # in Table
    n_local,  # in int, number of local clusters
    n_rows,  # in int, number of their rows
    local,  # in/out Local
    tiles,  # scratch (n_tiles, 1 + d, CENTERS) float32 or float64
    measured,  # scratch Measured
):
    """Run one Lloyd iteration of the local clusters; return their potential after it."""
    own, _, _, _, rows, labels = local
    weights, place, numbers = table
    pack_some(own.centers, numbers, n_local, tiles)
    potential = 0.0
    for first in range(0, n_rows, ROWS):
        count = ROWS if n_rows - first > ROWS else n_rows - first
        for p in range(count):
            measured.rows[p] = rows[first + p]
        measure(X, count, place, tiles, n_local, measured)
        forget(measured)
        take_closest(n_local, numbers, measured)
        for p in range(count):
            i, new = rows[first + p], measured.own.labels[p]
            w = weights[i] if weights.size else 1.0
            potential += w * np.float64(measured.own.near[p])
            if new != labels[first + p]:
                move_row(X, i, w, place, labels[first + p], new, own)
                labels[first + p] = new
    return potential - move_centers(n_local, own)


@jit_inline
def try_swap(
    X,  # in (2, m, d) float32 or float64, any strides
    table,  # in Table
    n_local,  # in int, number of local clusters
    n_rows,  # in int, number of their rows
    target,  # in float64, the potential of these clusters that a swap must fall below
    before,  # in float64, the potential before the swap
    local,  # in/out Local
    tiles,  # scratch (n_tiles, 1 + d, CENTERS) float32 or float64
    measured,  # scratch Measured
    counts,  # in/out (6,) int64
):
    """Iterate after a swap; return whether it gains.

    Gains that fall by a factor q from one iteration to the next have ``q / (1 - q)`` times the last
    one still to come.
    """
    potential, gain = np.inf, np.inf
    for step in range(STEPS):
        earlier, last = gain, potential
        potential = iterate(X, table, n_local, n_rows, local, tiles, measured)
        counts[ITERATIONS] += 1
        counts[DISTANCES] += n_rows * n_local
        if step == 0:
            continue
        gain = last - potential
        to_come = gain if step == 1 else np.inf
        if gain < earlier < np.inf:
            to_come = gain * gain / (earlier - gain)
        if potential < target:
            if gain < SETTLED * (before - potential):
                break
        elif potential - AHEAD * to_come >= target:
            return False
    return potential < target


@jit_inline
def renew(
    X,  # in (2, m, d) float32 or float64, any strides
    table,  # in Table
    n_local,  # in int, number of local clusters
    local,  # in Local
    closest,  # in/out Closest
    clusters,  # in/out Clusters
    tiles,  # scratch (n_tiles, 1 + d, CENTERS) float32 or float64, for all centers
    some,  # scratch (n_tiles, 1 + d, CENTERS) of the same dtype, for the local ones
    measured,  # scratch Measured
    counts,  # in/out (6,) int64
):
    """Find the two closest centers of all rows after the local centers moved.

    Rows that have one of these among their two are compared with all centers, first.  The others
    are compared with those that moved.
    """
    weights, place, numbers = table
    labels, seconds, near, far = closest
    (k, _), m = clusters.centers.shape, labels.size
    own, chosen, place_of = measured.own, local.chosen, local.place_of
    pack_some(clusters.centers, numbers, k, tiles)
    pack_some(clusters.centers, chosen, n_local, some)
    for with_all in range(1, -1, -1):
        i = 0
        while i < m:
            count = np.int64(0)
            while i < m and count < ROWS:
                touched = place_of[labels[i]] >= 0 or place_of[seconds[i]] >= 0
                measured.rows[count] = i
                count += touched == (with_all == 1)
                i += 1
            if count == 0:
                continue
            forget(measured)
            if with_all:
                measure(X, count, place, tiles, k, measured)
                take_closest(k, numbers, measured)
                counts[DISTANCES] += count * k
            else:
                measure(X, count, place, some, n_local, measured)
                for p in range(count):
                    r = measured.rows[p]
                    own.labels[p], own.seconds[p] = labels[r], seconds[r]
                    own.near[p], own.far[p] = near[r], far[r]
                take_closest(n_local, chosen, measured)
                counts[DISTANCES] += count * n_local
            for p in range(count):
                r = measured.rows[p]
                if own.labels[p] != labels[r]:
                    w = weights[r] if weights.size else 1.0
                    move_row(X, r, w, place, labels[r], own.labels[p], clusters)
                keep(p, r, measured, closest)


@jit_inline
def adopt(
    n_local,  # in int, number of local clusters
    n_rows,  # in int, number of their rows
    local,  # in Local
    closest,  # in/out Closest, labels out
    clusters,  # in/out Clusters
):
    """Write the local clusters and the labels of their rows back."""
    own, chosen, _, _, rows, labels = local
    _, d = clusters.centers.shape
    for p in range(n_rows):
        closest.labels[rows[p]] = chosen[labels[p]]
    for a in range(n_local):
        j = chosen[a]
        clusters.weights[j], clusters.counts[j] = own.weights[a], own.counts[a]
        for f in range(d):
            clusters.centers[j, f] = own.centers[a, f]
            clusters.sums[j, f] = own.sums[a, f]


@jit_inline
def sum_clusters(
    X,  # in (2, m, d) float32 or float64, any strides
    table,  # in Table
    labels,  # in (m,) int32
    clusters,  # in/out Clusters: zeros in, sums out
    counts,  # in/out (6,) int64, BEGUN out
):
    """Add all rows to the sums of their clusters."""
    for i in range(labels.size):
        w = table.weights[i] if table.weights.size else 1.0
        move_row(X, i, w, table.place, -1, labels[i], clusters)
    counts[BEGUN] = 1


@jit_with_scratch
def search_swaps(
    X,  # in (2, m, d) float32 or float64, any strides
    weights,  # in (m,) float64, or of size 0: all ones
    place,  # in Place
    closest,  # in/out Closest
    clusters,  # in/out Clusters: before the first call zeros, except the centers
    uniforms,  # in (n, CANDIDATES) float64 in [0, 1), for as many draws
    most_tries,  # in int, tries to end after
    most_failed,  # in int, tries in a row without a gain to end after
    counts,  # in/out (6,) int64; before the first call zeros
):
    """Search until the uniform numbers are used up; return whether the search is over."""
    labels, _, near, _ = closest
    (k, d), m, dtype = clusters.centers.shape, labels.size, near.dtype
    n_numbers = k if k > CANDIDATES else CANDIDATES
    numbers = empty(n_numbers, np.int64)
    for j in range(n_numbers):
        numbers[j] = j
    table = Table(weights, place, numbers)
    measured = Measured(
        empty(ROWS, np.int64),
        Closest(
            empty(ROWS, np.int32), empty(ROWS, np.int32), empty(ROWS, dtype), empty(ROWS, dtype)
        ),
        empty((ROWS // POINTS, d, POINTS), dtype), empty((ROWS // POINTS, POINTS), dtype),
        empty((CENTERS, POINTS), dtype), empty((n_numbers, ROWS), dtype),
    )  # fmt: skip
    local = Local(
        Clusters(
            empty((LOCAL, d), np.float64), empty((LOCAL, d), np.float64),
            empty(LOCAL, np.float64), empty(LOCAL, np.int64),
        ),
        empty(LOCAL, np.int64), empty(k, np.int64), empty(k, np.float64), empty(m, np.int64),
        empty(m, np.int32),
    )  # fmt: skip
    nearest = Nearest(
        weights, near, empty(0, np.uint16), empty((m + GROUP_ROWS - 1) // GROUP_ROWS, np.float64),
        empty(0, np.float64),
    )  # fmt: skip
    tiles = empty(((k + CENTERS - 1) // CENTERS, 1 + d, CENTERS), dtype)
    some = empty(((LOCAL + CENTERS - 1) // CENTERS, 1 + d, CENTERS), dtype)
    candidates = Candidates(
        empty(CANDIDATES, np.int64), empty((CANDIDATES, d), np.float64),
        empty((CANDIDATES + 1, k + 1), np.float64), empty(CANDIDATES, np.int64),
        empty(CANDIDATES, np.float64),
    )  # fmt: skip
    if not counts[BEGUN]:
        sum_clusters(X, table, labels, clusters, counts)
    n_draws, _ = uniforms.shape
    for t in range(n_draws):
        potential = draw_candidates(
            X, table, uniforms[t], nearest, closest, candidates, some, measured
        )
        counts[DISTANCES] += m * CANDIDATES
        if not potential > 0.0:
            return True
        for _ in range(CANDIDATES):
            if counts[TRIES] == most_tries or counts[FAILED] == most_failed:
                return True
            c = next_candidate(candidates.prices)
            point = candidates.points[c]
            n_local = choose_local(clusters.centers, point, candidates.removed[c], local)
            n_rows, before = begin_local(table, point, n_local, closest, clusters, local)
            target = before - LEAST_GAIN * potential
            counts[TRIES], counts[FAILED] = counts[TRIES] + 1, counts[FAILED] + 1
            if try_swap(X, table, n_local, n_rows, target, before, local, some, measured, counts):
                counts[KEPT], counts[FAILED] = counts[KEPT] + 1, 0
                adopt(n_local, n_rows, local, closest, clusters)
                renew(X, table, n_local, local, closest, clusters, tiles, some, measured, counts)
                break
    return counts[TRIES] == most_tries or counts[FAILED] == most_failed
