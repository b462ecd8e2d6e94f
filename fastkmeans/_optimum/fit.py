"""The global optimum of k-means for one feature.

The clusters of one feature are runs of its sorted values, so the best ones can be found: equal
values are merged, their weights added, and the cuts between the clusters chosen by dynamic
programming (Bellman 1973, Mathematical Biosciences 18).
"""

import math
import time
from typing import Any

import numpy as np

from .._data.problem import Problem
from .._data.sparse import SparseRows
from .._engines.plain import label_rows
from .._engines.sums import sum_of_squares
from .._kernels.line.moments import FROM_FIRST, merge_equal, take_segments
from .._lloyd.run import Iteration, Outcome
from .._lloyd.watch import Watch
from .._runtime.arrays import Floats, Labels
from .cuts import best_cuts, line_of

OPTIMUM = "this is the global optimum of one feature"
MOST_ROWS, MOST_CLUSTERS = 1 << 22, 128
"""Beyond these, Lloyd's algorithm runs: the optimum takes about 150 bytes per distinct value, and
more seconds than Lloyd's runs if clusters are many."""


def has_optimum(init: Any, algorithm: str, problem: Problem, n_clusters: int) -> bool:
    """Return whether a fit finds the global optimum: by name, on one feature in memory."""
    n, d = problem.shape
    named = isinstance(init, str) and algorithm == "auto"
    dense = d == 1 and not isinstance(problem.rows, SparseRows) and not problem.scaling.by_cosine
    within = n <= MOST_ROWS and n_clusters <= MOST_CLUSTERS
    return named and dense and problem.rows.room == math.inf and within


def optimum(problem: Problem, n_clusters: int, watch: Watch) -> Outcome:
    """Return the global optimum as the outcome of a run of one iteration."""
    watch.run_begins(0, 1)
    watch.iteration_begins()
    began = time.perf_counter()
    values, weights = distinct_values(problem)
    centers = np.full((n_clusters, 1), values[-1])
    n_found = min(n_clusters, len(values))
    centers[:n_found, 0] = best_means(values, weights, n_found)
    centers /= problem.scaling.scale

    def label(centers: Floats) -> Labels:
        labels: Labels = problem.rows.empty(problem.shape[0], np.int32)
        label_rows(problem, centers, labels)
        return labels

    labels = label(centers)
    squares = sum_of_squares(problem, labels, centers, watch.last_pass(problem, centers))
    unit = problem.scaling.unit
    inertia = squares / unit / unit
    record = Iteration(inertia, 0.0, len(labels), time.perf_counter() - began, 0.0)
    stopped = watch.iteration(1, record, centers, label)
    best = Outcome(
        labels, inertia, centers, 1, not stopped, stopped or OPTIMUM, [record], n_found
    )  # fmt: skip
    watch.run_ends(best)
    return best


def distinct_values(problem: Problem) -> tuple[Floats, Floats]:
    """Return the distinct values that have weight, scaled, in rising order, and their weights."""
    n, weights = problem.shape[0], problem.weights
    column = np.empty(n)
    for part, X in problem.blocks():
        column[part] = X[0, :, 0]
    column *= problem.scaling.scale
    column += 0.0  # no -0.0, whose place among zeros would depend on the way to sort
    if weights.size:
        order = np.argsort(column, kind="stable")
        column = column[order]
    else:
        order = np.empty(0, np.int64)
        column.sort()
    found = np.empty(n)
    count = merge_equal(column, order, weights, found)
    return column[:count].copy(), found[:count].copy()


def best_means(values: Floats, weights: Floats, n_clusters: int) -> Floats:
    """Return the centers of least squares of at least so many distinct values."""
    if len(values) == n_clusters:
        return values
    line = line_of(values, weights)
    cuts = best_cuts(line, n_clusters)
    moments = np.empty((4, n_clusters))
    take_segments(line, cuts, moments)
    means: Floats = values[cuts[:-1]] + moments[FROM_FIRST]
    return means
