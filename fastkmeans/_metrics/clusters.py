"""Weight, mean and spread of every cluster, in two passes over rows of any table.

The first pass adds the rows up, as a fit does, in coordinates around the mean of all rows.  The
second adds up the distances to the means.
"""

from typing import NamedTuple

import numpy as np

from .._data.problem import Problem
from .._data.sparse import SparseRows
from .._data.validation import NO_WEIGHTS
from .._engines.sums import Sums, sparse_squares
from .._kernels.metrics.spread import DISTANCES, SQUARES, add_spreads
from .._kernels.shared.update import WEIGHT, Terms
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import MANY_RANGES, SMALL_TABLE, cut, is_large, within


class Clusters(NamedTuple):
    """The clusters that have weight, in scaled, shifted coordinates ``(x - shift) * scale``."""

    weights: Floats  # (k,)
    means: Floats  # (k, d), or the given centers
    squares: Floats  # (k,), weighted sums of squared distances to the mean
    distances: Floats  # (k,), weighted sums of distances to the mean
    scale: float
    unit: float = 1.0  # times this, weights count rows

    @property
    def weight(self) -> float:
        """The weight of all rows."""
        return float(self.weights.sum())


def measure_clusters(
    problem: Problem, labels: Labels, n_clusters: int, centers: Floats | None = None
) -> Clusters:
    """Measure the clusters; those without weight are left out.

    Distances are those to given ``centers``, or else to the means.
    """
    sums = Sums(problem, n_clusters)
    sums.clear()
    sums.move_all(labels, labels)
    weights = sums.part_weights.sum(axis=0)[WEIGHT]
    means = sums.total() / np.where(weights > 0.0, weights, 1.0)[:, None]
    if centers is not None:
        means = (centers - problem.scaling.shift) * problem.scaling.scale
    spreads = _spreads(problem, labels, means)
    kept = weights > 0.0
    return Clusters(
        weights[kept], means[kept], spreads[SQUARES][kept], spreads[DISTANCES][kept],
        problem.scaling.scale,
    )  # fmt: skip


def _spreads(problem: Problem, labels: Labels, means: Floats) -> Floats:
    """Return the sums of squares and of distances ``(2, k)``."""
    (n, d), k, scaling = problem.shape, len(means), problem.scaling
    if isinstance(problem.rows, SparseRows):
        squares = sparse_squares(problem, labels, means / scaling.unit)
        weights = problem.weights if problem.weights.size else 1.0
        spreads = np.empty((2, k))
        for row, values in ((SQUARES, squares), (DISTANCES, np.sqrt(squares))):
            spreads[row] = np.bincount(labels, values * weights, k)
        return spreads
    budget = max(n * d // 16, 1 << 18)
    parts = min(MANY_RANGES if n * d > SMALL_TABLE else 1, budget // (2 * k * 8))
    ranges = cut(n, parts)
    found = np.zeros((len(ranges) - 1, 2, k))
    for part, X in problem.blocks():
        touched, bounds = within(ranges, part.start, part.stop)
        terms = Terms(problem.weights_of(part), scaling.offset, scaling.scale, NO_WEIGHTS)
        arguments = terms, labels[part], means
        problem.team.run(add_spreads, X, bounds, arguments, (found[touched],), is_large(X))
    total: Floats = found.sum(axis=0)
    return total
