"""The end check: whether it would lower the inertia to move one row (``_kernels.search.moves``).

    means    of the clusters, and their weights    one pass that adds the rows
    bound    how far each mean is from the others  the means are compared with each other
    search   for a move that lowers the inertia    at most one pass over all distances

The search ends at the first move, so a "no" takes a part of the last pass, as a rule.
"""

from __future__ import annotations

import math

import numpy as np

from .._data.problem import Problem
from .._data.rows import Rows
from .._data.sparse import SparseRows
from .._engines.sums import Sums
from .._kernels.emit.simd import CENTERS
from .._kernels.search.moves import Partition, Place, Roundings, find_move
from .._kernels.shared.update import WEIGHT
from .._lloyd.run import Outcome
from .._runtime.arrays import Floats
from .state import precision, scaled_inertia

OF_MEANS = 2.0**-46
"""Rounding error of a coordinate of a mean, in scaled units, at most: hundreds of roundings.
A mean far from 0 has another one, in proportion to its size."""
MEANS = 256
"""Means that are compared with all others at a time."""


def refuse_check(rows: Rows, by_cosine: bool) -> None:
    """Raise a ValueError if the end of a fit to these rows cannot be checked."""
    if by_cosine or isinstance(rows, SparseRows):
        what = "metric='cosine'" if by_cosine else "sparse rows"
        raise ValueError(f"end_check has no method for {what}: use end_check=False.")


def single_move_optimal(problem: Problem, best: Outcome) -> bool:
    """Return whether no move of one row to another cluster lowers the inertia.

    The clusters are those of the labels, with the means of their rows.  A gain within the rounding
    of float64 does not count.
    """
    k, (_, d), scaling = len(best.centers), problem.shape, problem.scaling
    if k == 1:
        return True
    sums, means = Sums(problem, k), np.empty_like(best.centers)
    sums.clear()
    sums.move_all(best.labels, best.labels)
    sums.means(best.centers, means)
    dtype = precision(problem, scaled_inertia(problem, best))
    unit = 2.0**-24 if dtype == np.float32 else 2.0**-53
    width = math.sqrt(d)
    # Means far from 0 are rounded in the units of the data.
    of_means = OF_MEANS + 2.0**-53 * float(np.abs(means).max()) * scaling.unit
    roundings = Roundings(
        4.0 * unit * width, 2.0 * (d + 8) * unit, of_means * width, (d + 8) * 2.0**-53
    )
    place = Place(scaling.scale, scaling.x_offset, scaling.x_scale)
    scaled = (means - scaling.shift) * scaling.unit
    tiles = np.zeros((-(-k // CENTERS), CENTERS, 1 + d), dtype)
    tiles.reshape(-1, 1 + d)[:k, 1:] = scaled
    totals = sums.total_weights[WEIGHT]
    heaviest = float(problem.weights.max()) if problem.weights.size else 1.0
    partition = Partition(
        best.labels, problem.weights, means, np.ascontiguousarray(tiles.transpose(0, 2, 1)),
        totals, _reach(scaled, totals, heaviest, of_means),
    )  # fmt: skip
    for part, X in problem.blocks():
        bounds = problem.team.cut(X.shape[1])
        found = np.zeros((len(bounds) - 1, 1), np.int64)
        own = partition._replace(labels=best.labels[part], weights=problem.weights_of(part))
        problem.team.run(find_move, X, bounds, (place, own, roundings), (found,))
        if found.any():
            return False
    return True


def _reach(scaled: Floats, totals: Floats, heaviest: float, of_means: float) -> Floats:
    """Return for each mean a lower bound of ``sqrt(W_b / (W_b + w)) |c_a - c_b|``, scaled."""
    k, d = scaled.shape
    norms, apart = np.einsum("ij,ij->i", scaled, scaled), np.empty(k)
    for start in range(0, k, MEANS):
        part = slice(start, min(start + MEANS, k))
        squares = norms[part, None] + norms - 2.0 * (scaled[part] @ scaled.T)
        np.fill_diagonal(squares[:, part], np.inf)
        apart[part] = squares.min(axis=1)
    error = 8.0 * (d + 8) * 2.0**-53 * float(norms.max())  # of a square, in any order of sums
    distances = np.sqrt(np.maximum(0.0, apart - error)) - 2.0 * of_means * math.sqrt(d)
    least = math.sqrt(float((totals / (totals + heaviest)).min())) * (1.0 - 2.0**-40)
    reach: Floats = least * distances
    return reach
