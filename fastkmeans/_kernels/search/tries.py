"""Tries of a local search, until one gains.

A center that left in vain stays in the next try.  Else the same one leaves again and again: of a
mixture with groups of unequal size, 80 % of the searches found the optimum, with this rule 100 %.

Loop order: tries outside, then the loops of ``price`` and of ``try_swap``.
"""

from ..._runtime.jit import jit
from .around import try_swap
from .closest import GROUP
from .prices import choose_swap

TRIES, STEPS, DISTANCES, CHOSEN, GROUPS, BARRED = range(6)
"""Items of ``counts``: tries, iterations and distances so far; clusters that moved and groups with
rows of them; the center that left in vain, or -1."""


@jit
def find_swap(
    points,  # in Points
    closest,  # in Closest
    clusters,  # in Clusters
    shares,  # in Shares
    uniforms,  # in (n, CANDIDATES) float64, a row for each try
    least,  # in float64, what a swap must gain
    most,  # in float64, distances after which no try begins
    priced,  # scratch Priced
    local,  # in/out Local: out the clusters after the swap, and the labels of their rows
    tiles,  # scratch Tiles
    counts,  # in/out (6,) int64
):
    """Try swaps until one gains more than ``least``; return what the last one gains, or 0."""
    (n_tries, _), (k, _) = uniforms.shape, clusters.centers.shape
    gain = 0.0
    for i in range(n_tries):
        if counts[DISTANCES] >= most:
            break
        candidate, removed, distances = choose_swap(
            points, closest, clusters, shares, uniforms, i, counts[BARRED], priced, tiles
        )
        gain, n_steps, n_local, n_groups = try_swap(
            points,
            closest,
            clusters,
            shares,
            priced.points[candidate],
            removed,
            least,
            local,
            tiles,
        )
        counts[TRIES] += 1
        counts[STEPS] += n_steps
        counts[DISTANCES] += distances + n_steps * n_groups * GROUP * n_local
        counts[CHOSEN], counts[GROUPS] = n_local, n_groups
        counts[BARRED] = removed if k > 2 else -1
        if gain > least:
            counts[BARRED] = -1
            break
    return gain
