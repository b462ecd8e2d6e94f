"""Local search by swaps: a row takes the place of a center.

A swap draws a row with probability ``w D^2``, as k-means++ does, and gives it the place of the
center whose loss costs least.  A few Lloyd iterations follow, and the swap is kept if the inertia
has fallen: Kanungo and others (2004), "A local search approximation algorithm for k-means
clustering", Computational Geometry 28; Beretta and others (2023), "Multi-swap k-means++", NeurIPS.

    draw      candidates, ``CANDIDATES`` at a time                seeding.potential.draw
    price     each in the place of every center, in one pass      prices.price
    try       the cheapest first: iterate among its neighbours    around.try_swap
    keep      the first that gains; then find the two closest     renew
              centers again, for the rows that may have others

Loop order: draws of candidates outside, then swaps.  In ``renew``: ``ROWS`` rows outside, then
centers, then these rows.
"""

import numpy as np

from ..._runtime.jit import jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..seeding.potential import GROUP_ROWS, Nearest
from .around import (
    BEGUN,
    DISTANCES,
    FAILED,
    KEPT,
    LOCAL,
    TRIES,
    Local,
    adopt,
    begin_local,
    choose_local,
    try_swap,
)
from .closest import (
    ROWS,
    Closest,
    Clusters,
    Measured,
    forget,
    keep,
    measure,
    move_row,
    pack_some,
    take_closest,
)
from .prices import CANDIDATES, Candidates, Table, draw_candidates, next_candidate

LEAST_GAIN = 1e-6
"""Share of the potential that a swap must gain: less may be rounding in float32."""


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
