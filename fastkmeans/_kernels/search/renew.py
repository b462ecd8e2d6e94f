"""The two closest centers of all rows after some centers moved, and what follows from them.

A group of rows is compared with all centers if a row of it has a moved one among its two closest.
The others are compared with the moved centers, unless these are too far to be among the two.

Loop order of ``renew``: ``GROUP`` rows outside, then their blocks, then tiles.
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_inline
from ..emit.simd import POINTS
from .closest import BLOCKS, GROUP, bit_of, changed, move_rows, pack_tiles, two_closest

FEW_FEATURES = 32
"""Most features of rows that ``bits_near`` rules out: with more, distances are much alike."""
MANY_ROWS = 64
"""Rows in a cluster from which ``bits_near`` costs little beside the distances of the rows."""
SLACK = 1.0 + 2.0**-12
"""More than the rounding of distances in float32, as a factor."""


@jit_inline
def bits_near(
    clusters,  # in Clusters
    shares,  # in Shares
    places,  # in (n_places or more, d) float64
    n_places,  # in int
):
    """Return the bits of clusters with rows that may have one of some places among their two.

    A row ``x`` of cluster j with ``|c_j - place| >= |x - c_j| + |x - c|`` does not, where ``c`` is
    its second-closest center.  ``reach`` is the largest of these sums in a cluster.
    """
    (k, d), bits = clusters.centers.shape, np.int64(0)
    if d > FEW_FEATURES or k * MANY_ROWS > shares.ends.size:
        return np.int64(-1)
    for j in range(k):
        limit = shares.reach[0, j] * shares.reach[0, j]
        for a in range(n_places):
            square = 0.0
            for f in range(d):
                apart = clusters.centers[j, f] - places[a, f]
                square += apart * apart
            if square < limit:
                bits |= bit_of(j)
    return bits


@jit_inline
def begin_sums(
    points,  # in Points
    closest,  # in Closest
    clusters,  # in/out Clusters, their sums 0
):
    """Add all rows to the sums of their clusters."""
    n_blocks, d, _ = points.blocks.shape
    for b in range(n_blocks):
        for p in range(POINTS):
            j, w = closest.labels[b, p], points.weights[b, p]
            clusters.weights[j] += w
            clusters.counts[j] += np.int64(w > 0.0)
        for f in range(d):
            for p in range(POINTS):
                share = points.weights[b, p] * np.float64(points.blocks[b, f, p])
                clusters.sums[closest.labels[b, p], f] += share


@jit_inline
def take_swap(
    closest,  # in/out Closest: labels
    clusters,  # in/out Clusters
    local,  # in Local, after try_swap
    n_groups,  # in int, groups with local rows
    n_local,  # in int, clusters that moved
):
    """Give the rows and the clusters around a swap what it found."""
    chosen = local.chosen
    for g in range(n_groups):
        for b in range(local.groups[g], local.groups[g] + BLOCKS):
            for p in range(POINTS):
                if local.labels[b, p] >= 0:
                    closest.labels[b, p] = chosen[local.labels[b, p]]
    _, d = clusters.centers.shape
    for a in range(n_local):
        j = chosen[a]
        clusters.weights[j] = local.clusters.weights[a]
        clusters.counts[j] = local.clusters.counts[a]
        for f in range(d):
            clusters.centers[j, f] = local.clusters.centers[a, f]
            clusters.sums[j, f] = local.clusters.sums[a, f]


@jit_inline
def measure(
    points,  # in Points
    closest,  # in Closest
    shares,  # out Shares
):
    """Measure the potentials, and how far the rows of clusters reach."""
    labels, seconds, near, far = closest
    potentials, base, ends, reach, bits = shares
    (n_blocks, _), k, total = labels.shape, potentials.size, 0.0
    for j in range(k):
        potentials[j] = base[j] = reach[0, j] = reach[1, j] = 0.0
    for g in range(n_blocks // BLOCKS):
        bits[0, g] = bits[1, g] = 0
    for b in range(n_blocks):
        own, both = np.int64(0), np.int64(0)
        for p in range(POINTS):
            j, w, a = labels[b, p], points.weights[b, p], np.float64(near[b, p])
            share, s = w * a, np.float64(far[b, p])
            potentials[j] += share
            base[j] += w * s
            total += share
            ends[b * POINTS + p] = total
            reach[0, j] = a if a > reach[0, j] else reach[0, j]
            reach[1, j] = s if s > reach[1, j] else reach[1, j]
            own |= bit_of(j)
            both |= bit_of(seconds[b, p])
        bits[0, b // BLOCKS] |= own
        bits[1, b // BLOCKS] |= own | both
    base[k] = total
    for j in range(k):
        base[j] -= potentials[j]
        reach[0, j] = SLACK * (math.sqrt(reach[0, j]) + math.sqrt(reach[1, j]))


@jit_inline
def has_moved(
    closest,  # in Closest
    place_of,  # in (k,) int64, -1 for a center that did not move
    first,  # in int, first block of a group
):
    """Return whether a row of a group has a center that moved among its two closest."""
    moved = False
    for b in range(first, first + BLOCKS):
        for p in range(POINTS):
            moved |= place_of[closest.labels[b, p]] >= 0 or place_of[closest.seconds[b, p]] >= 0
    return moved


@jit
def renew(
    points,  # in Points
    closest,  # in/out Closest
    clusters,  # in/out Clusters
    shares,  # in/out Shares
    local,  # in Local, after try_swap; found is scratch
    n_groups,  # in int, groups with local rows
    n_local,  # in int, clusters that moved; 0: no row has a center yet, and all sums are 0
    tiles,  # scratch Tiles
):
    """Take a swap: find the two closest centers of all rows again; return the distances computed.

    Or find them for the first time.
    """
    (n_blocks, _, _), (k, _) = points.blocks.shape, clusters.centers.shape
    labels, seconds, before = closest.labels, closest.seconds, local.found.labels
    moved, near, distances = np.int64(0), np.int64(0), np.int64(0)
    if n_local:
        take_swap(closest, clusters, local, n_groups, n_local)
        near = bits_near(clusters, shares, local.clusters.centers, n_local)
    for a in range(n_local):
        moved |= bit_of(local.chosen[a])
    n_every = pack_tiles(clusters.centers, k, tiles.every)
    n_some = pack_tiles(local.clusters.centers, n_local, tiles.some)
    for first in range(0, n_blocks, BLOCKS):
        g, with_all = first // BLOCKS, n_local == 0
        if shares.bits[1, g] & moved != 0:
            with_all = has_moved(closest, local.place_of, first)
        if not with_all and shares.bits[0, g] & near == 0:
            continue
        distances += GROUP * (k if with_all else n_local)
        for b in range(first, first + BLOCKS):
            for p in range(POINTS):
                before[0, p] = labels[b, p]
            if with_all:
                two_closest(points.blocks, b, tiles.every, n_every, 0, True, closest, b)
            else:
                two_closest(points.blocks, b, tiles.some, n_some, k, False, closest, b)
            for p in range(POINTS):
                if labels[b, p] >= k:
                    labels[b, p] = local.chosen[labels[b, p] - k]
                if seconds[b, p] >= k:
                    seconds[b, p] = local.chosen[seconds[b, p] - k]
            bits = changed(before, 0, labels, b) if n_local else 0
            if bits != 0:
                move_rows(points, b, bits, before, 0, labels, b, clusters)
    if n_local == 0:
        begin_sums(points, closest, clusters)
    measure(points, closest, shares)
    return distances
