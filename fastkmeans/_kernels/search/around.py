"""The clusters around a swap: the few that move in the iterations after it.

A swap changes little far away from its two places.  So only the ``LOCAL`` clusters closest to them
move, and the rows of these clusters are compared with their centers alone.  All other rows stay as
they are: the inertia found that way is never too low.

Loop order of an iteration: groups of rows outside, then their blocks, then tiles of centers.
"""

import numpy as np

from ..._runtime.jit import jit_inline
from ..emit.simd import POINTS
from .closest import BLOCKS, GROUP, bit_of, changed, move_rows, pack_tiles, two_closest

LOCAL = 6
"""Most clusters that move in the iterations after a swap: no tile has fewer centers."""
MOST_STEPS = 8
"""Most iterations after a swap."""
AHEAD = 2.0
"""A swap is given up unless so many times the gain to be expected would make it pay.

After two iterations, it is expected that the next ones gain as much as the second.  In 24 tables,
this gave up four fifths of the swaps that fail.  Those that pay and were lost held 2 % of the gain.
"""
SETTLED = 0.1
"""A swap that pays is kept once an iteration gains less than this share of its whole gain."""


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
    chosen, place_of, apart = local.chosen, local.place_of, local.apart
    k, d = centers.shape
    most = LOCAL if k > LOCAL else k
    for j in range(k):
        place_of[j] = -1
    chosen[0], place_of[removed] = removed, 0
    count = np.int64(1)
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
    points,  # in Points
    closest,  # in Closest
    clusters,  # in Clusters, all of them
    shares,  # in Shares
    candidate,  # in (d,) float64
    n_local,  # in int, number of local clusters
    local,  # in/out Local: chosen and place_of in
):
    """Copy the local clusters and list the groups with rows of them; return how many groups."""
    own, chosen, place_of = local.clusters, local.chosen, local.place_of
    (_, d), bits = clusters.centers.shape, np.int64(0)
    for a in range(n_local):
        j = chosen[a]
        bits |= bit_of(j)
        own.weights[a], own.counts[a] = clusters.weights[j], clusters.counts[j]
        for f in range(d):
            own.centers[a, f] = clusters.centers[j, f] if a else candidate[f]
            own.sums[a, f] = clusters.sums[j, f]
    n_groups, (n_blocks, _) = np.int64(0), closest.labels.shape
    for first in range(0, n_blocks, BLOCKS):
        if shares.bits[0, first // BLOCKS] & bits == 0:
            continue
        inside = False
        for b in range(first, first + BLOCKS):
            for p in range(POINTS):
                a = place_of[closest.labels[b, p]]
                local.labels[b, p] = a
                local.shares[b, p] = points.weights[b, p] if a >= 0 else 0.0
                inside |= a >= 0
        local.groups[n_groups] = first
        n_groups += inside
    return n_groups


@jit_inline
def move_centers(
    n_local,  # in int, number of local clusters
    own,  # in/out Clusters, the local ones
):
    """Move centers to the means of their rows; return what this gains.  None stays without rows."""
    _, d = own.centers.shape
    gained = 0.0
    for a in range(n_local):
        square = 0.0
        if own.counts[a] == 0:
            own.weights[a] = 0.0  # nothing but rounding errors
        for f in range(d):
            if own.counts[a] == 0:
                own.sums[a, f] = 0.0
            else:
                mean = own.sums[a, f] / own.weights[a]
                square += (mean - own.centers[a, f]) * (mean - own.centers[a, f])
                own.centers[a, f] = mean
        gained += own.weights[a] * square
    return gained


@jit_inline
def assign_local(
    points,  # in Points
    n_groups,  # in int, number of groups with local rows
    n_tiles,  # in int, number of tiles
    some,  # in (n_tiles, 1 + d, CENTERS) of the blocks' dtype
    local,  # in/out Local
):
    """Assign the local rows to the local centers, and move the sums; return their potential."""
    found, parts, labels = local.found, local.parts, local.labels
    for q in range(GROUP):
        parts[q] = 0.0
    for g in range(n_groups):
        for j in range(BLOCKS):
            b = local.groups[g] + j
            two_closest(points.blocks, b, some, n_tiles, 0, True, found, 0)
            for p in range(POINTS):
                parts[j * POINTS + p] += local.shares[b, p] * np.float64(found.near[0, p])
            bits = changed(labels, b, found.labels, 0)
            if bits != 0:
                move_rows(points, b, bits, labels, b, found.labels, 0, local.clusters)
                for p in range(POINTS):
                    labels[b, p] = found.labels[0, p] if labels[b, p] >= 0 else -1
    potential = 0.0
    for q in range(GROUP):
        potential += parts[q]
    return potential


@jit_inline
def is_settled(
    n_steps,  # in int, iterations so far
    total,  # in float64, what they gained
    gain,  # in float64, what the last one gained
    earlier,  # in float64, what the one before gained
    least,  # in float64, what a swap must gain
):
    """Return whether no more iterations are needed to see if a swap gains.

    Gains that fall by a factor q from one iteration to the next have ``q / (1 - q)`` times the last
    one still to come.  The first gain is none: it holds the price of the swap.
    """
    if n_steps < 3:
        return n_steps == 2 and total + AHEAD * gain < least
    to_come = gain * (gain / (earlier - gain)) if gain < earlier else np.inf
    if total > least:
        return n_steps == MOST_STEPS or gain < SETTLED * total
    return n_steps == MOST_STEPS or total + AHEAD * to_come < least


@jit_inline
def try_swap(
    points,  # in Points
    closest,  # in Closest
    clusters,  # in Clusters
    shares,  # in Shares
    candidate,  # in (d,) float64, the new center
    removed,  # in int, the center that leaves
    least,  # in float64, what a swap must gain
    local,  # in/out Local: out the clusters after the swap, and the labels of their rows
    tiles,  # scratch Tiles
):
    """Iterate after a swap; return its gain, and how many iterations, local clusters and groups."""
    n_local = choose_local(clusters.centers, candidate, removed, local)
    n_groups = begin_local(points, closest, clusters, shares, candidate, n_local, local)
    before = 0.0
    for a in range(n_local):
        before += shares.potentials[local.chosen[a]]
    n_steps, total, gain, earlier = 0, -np.inf, np.inf, np.inf
    while not is_settled(n_steps, total, gain, earlier, least):
        n_tiles = pack_tiles(local.clusters.centers, n_local, tiles.some)
        potential = assign_local(points, n_groups, n_tiles, tiles.some, local)
        potential -= move_centers(n_local, local.clusters)
        n_steps += 1
        earlier, gain = gain, before - potential - total
        total = before - potential
    return total, n_steps, n_local, n_groups
