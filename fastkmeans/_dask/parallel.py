"""k-means||: few candidates for centers, drawn in a few rounds.

Each round draws about ``FACTOR`` k rows, each with a probability in proportion to its squared
distance to the closest candidate so far.  A candidate weighs as much as the rows that are closest
to it.  Greedy k-means++ then chooses k of them.

Bahmani, Moseley, Vattani, Kumar and Vassilvitskii (2012), "Scalable K-Means++", PVLDB 5(7).

The rows are a sample of those on the cluster.  Measured on 400 000 x 16, k = 200, inertia in
millions after 20 iterations, means of two seeds, CPU seconds of the seeding (AMD Zen 3):

    ============================  ========  ================  =============  ===========
    .                             overlap   uneven clusters   rare clusters  CPU seconds
    ============================  ========  ================  =============  ===========
    k-means|| on all rows         6.63      6.53              102.3          1.5 to 7.8
    k-means|| on a sample         6.52      6.60              104.2          0.4 to 0.9
    greedy k-means++, all rows    6.77      6.74              102.8          2.7 to 9.0
    greedy k-means++, a sample    6.72      6.73              105.4          0.5 to 0.7
    ============================  ========  ================  =============  ===========

On a cluster, k-means|| on all rows takes as long as 20 iterations: so it runs on a sample.  Only
clusters that the sample hardly has (30 of 400 000 rows) lose by that, two per cent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem, open_problem
from .._data.tables import table_in_memory
from .._data.validation import NO_WEIGHTS
from .._engines.base import work_of
from .._engines.plain import label_rows
from .._lloyd.empty import squared_distances_to_own
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, Labels

ROUNDS, FACTOR = 5, 2.0
"""Rounds, and candidates that each draws, per cluster: those of the paper."""


def candidates(
    sample: Any, n_clusters: int, rng: np.random.Generator, by_cosine: bool
) -> tuple[Floats, Floats]:
    """Return candidates, at least ``n_clusters`` of them, and their weights."""
    rows = table_in_memory(sample).rows
    work = work_of(rows.shape, int(FACTOR * n_clusters))
    with open_problem(rows, NO_WEIGHTS, None, work, by_cosine) as problem:
        chosen = _draw(problem, n_clusters, rng)
        if len(chosen) < n_clusters:  # few distinct rows
            chosen = rng.permutation(_with_direction(problem))
        points = problem.points(chosen)
        labels, _ = _closest(problem, points)
    return points, np.bincount(labels, minlength=len(points)).astype(np.float64)


def _draw(problem: Problem, n_clusters: int, rng: np.random.Generator) -> Any:
    """Return the rows that the rounds draw, without repeats."""
    n = problem.shape[0]
    new = rng.choice(_with_direction(problem), 1)
    chosen, squares = new, np.full(n, np.inf)
    for _ in range(ROUNDS):
        if len(new):
            squares = np.minimum(squares, _closest(problem, problem.points(new))[1])
        potential = total_of(squares)
        if not potential:
            break
        share = squares * (FACTOR * n_clusters / potential)
        new = np.flatnonzero(rng.random(n) < share)  # may be empty
        chosen = np.concatenate([chosen, new])
    return chosen


def _with_direction(problem: Problem) -> NDArray[np.int64]:
    """Return the rows that can be centers: by cosine those of a length above 0."""
    if problem.inverse.size:
        return np.flatnonzero(problem.inverse > 0.0)
    return np.arange(problem.shape[0])


def _closest(problem: Problem, points: Floats) -> tuple[Labels, Floats]:
    """Return the closest point of each row, and its squared distance in scaled units."""
    labels = np.empty(problem.shape[0], np.int32)
    label_rows(problem, points, labels)
    return labels, np.maximum(squared_distances_to_own(problem, labels, points), 0.0)
