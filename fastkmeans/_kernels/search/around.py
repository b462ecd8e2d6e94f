"""The clusters around a swap: the few that move in the iterations after it.

A swap changes little far away from its two places.  So only the ``LOCAL`` clusters closest to them
move, and the rows of these clusters are compared with their centers alone.  All other rows stay as
they are: the inertia found that way is never too low.

Loop order of ``iterate``: ``ROWS`` rows of the clusters outside, then centers.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline
from .closest import ROWS, Clusters, forget, measure, move_row, pack_some, take_closest

LOCAL = 12
"""Most clusters that move in the iterations after a swap: two tiles or fewer."""
STEPS = 8
"""Most iterations after a swap."""
AHEAD = 2.0
"""A swap is given up unless so many times the gain to be expected would make it pay."""
SETTLED = 0.1
"""A swap that pays is kept once an iteration gains less than this share of its whole gain."""
TRIES, KEPT, ITERATIONS, DISTANCES, FAILED, BEGUN = range(6)
"""Items of ``counts``: swaps tried and kept, iterations after them, distances of rows to centers,
tries since the last gain, and whether the sums of the clusters are known."""


class Local(NamedTuple):
    """Scratch: the clusters that move after a swap, and their rows."""

    clusters: Clusters  # scratch Clusters, at most LOCAL
    chosen: Any  # scratch (LOCAL,) int64, their numbers; the center that leaves is the first
    place_of: Any  # scratch (k,) int64, the place of a cluster in chosen, or -1
    apart: Any  # scratch (k,) float64, squared distances of centers
    rows: Any  # scratch (m,) int64, the rows of the clusters
    labels: Any  # scratch (m,) int32, their places in chosen


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
