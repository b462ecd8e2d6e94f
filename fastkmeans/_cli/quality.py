"""The end of a fit: the quality of the clusters, and their order.

Quality takes no pass of its own: the rows come from the pass that measures the inertia, or that
labels them by the ordered centers.  Only the best of several runs, and one of a fit that was over
when ``--resume`` found it, are measured in one more pass.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem, Take
from .._data.rows import CHUNK
from .._data.tables import Table
from .._engines.plain import label_rows
from .._lloyd.run import Outcome
from .._lloyd.watch import Watch
from .._metrics.simplified import Quality, Tally
from .._runtime.arrays import Floats, Labels


class Ending(Watch):
    """Measures the clusters of a fit, and orders them if asked to."""

    quality: Quality

    def __init__(self, by_size: bool, show: Callable[[str], None]) -> None:
        self._by_size, self._show = by_size, show
        self._n_runs, self._unit = 1, 1.0
        self._tally: Tally | None = None

    def fit_begins(self, table: Table, n_runs: int, unit: float) -> None:
        """Note the number of runs and the unit of the weights."""
        self._n_runs, self._unit = n_runs, unit

    def last_pass(self, problem: Problem, centers: Floats) -> Take | None:
        """Take the rows of the only run, unless they will get other labels."""
        if self._by_size or self._n_runs > 1:
            return None
        self._tally = Tally(problem, centers.copy(), None, self._unit)
        return self._tally.add

    def kept(self, problem: Problem, best: Outcome) -> Outcome:
        """Order the clusters, and measure them if no pass did that."""
        self._show("measuring the clusters")
        tally = self._tally
        if self._by_size:
            best, tally = by_size(problem, best, self._unit)
        if tally is None or not np.array_equal(tally.centers, best.centers):
            tally = Tally(problem, best.centers, None, self._unit)
            for part, X in problem.blocks():
                tally.add(part, X, best.labels[part])
        self.quality = tally.quality(pairs=False)
        self._tally = None
        return best


def by_size(problem: Problem, found: Outcome, unit: float) -> tuple[Outcome, Tally | None]:
    """Order clusters by falling size, and label the rows by the ordered centers.

    A row as close to two centers belongs to the first of them, which may be another one in the new
    order.  It then moves to the larger cluster.  So the sizes of the first clusters together only
    grow, and the order settles: mostly at once.  Returns the tally of the last pass, or None if the
    clusters lie in order already.
    """
    centers, tally = found.centers, None
    while True:
        order = order_of(problem, found.labels, len(centers))
        if (order[1:] > order[:-1]).all():
            return found._replace(centers=centers), tally
        centers = np.ascontiguousarray(centers[order])
        tally = Tally(problem, centers, None, unit)
        label_rows(problem, centers, found.labels, tally.add)


def order_of(problem: Problem, labels: Labels, n_clusters: int) -> NDArray[np.int64]:
    """Return the clusters by falling number of rows, ties by the first of their rows.

    Rows of length 0 do not count by cosine: they belong to the first cluster, whichever it is.
    """
    sizes, first = np.zeros(n_clusters, np.int64), np.full(n_clusters, len(labels))
    for start in range(0, len(labels), CHUNK):
        part = slice(start, start + CHUNK)
        rows = np.arange(start, start + len(labels[part]))
        if problem.inverse.size:
            rows = rows[problem.inverse[part] > 0.0]
        own = labels[rows]
        sizes += np.bincount(own, minlength=n_clusters)
        new = rows[first[own] == len(labels)]
        np.minimum.at(first, labels[new], new)
    return np.lexsort((first, -sizes))


def quality_lines(quality: Quality, by_cosine: bool) -> list[str]:
    """Return the lines of the summary about the clusters together."""
    n_used = np.count_nonzero(quality.weights > 0.0)
    few = "one cluster has all rows" if n_used < 2 else "there are no more rows than clusters"
    silhouette = f"{quality.silhouette:.3f} (simplified: against the centers; at most 1)"
    if math.isnan(quality.silhouette):
        silhouette = f"none ({few})"
    index = f"{quality.calinski_harabasz:.6g} (Calinski-Harabasz)"
    if math.isnan(quality.calinski_harabasz):
        why = "by cosine" if by_cosine else few
        index = f"none ({why}; Calinski-Harabasz)"
    return [f"silhouette  {silhouette}", f"CH          {index}"]
