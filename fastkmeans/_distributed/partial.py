"""The statistics of one block, by the kernels of a fit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from .._data.problem import Problem, naming, problem_of
from .._data.room import check_room
from .._data.sparse import SparseRows
from .._data.tables import Table, table_in_memory
from .._data.validation import (
    NO_WEIGHTS,
    as_centers,
    check_count,
    check_finite,
    check_metric,
    directions,
    weights_of,
)
from .._engines.base import work_of
from .._engines.plain import label_rows
from .._engines.sums import Sums, sum_of_squares
from .._estimators.inputs import as_table
from .._kernels.shared.differences import add_differences
from .._kernels.shared.update import COUNT, WEIGHT, Terms
from .._lloyd.empty import farthest, squared_distances_to_own
from .._lloyd.predict import scaling_around
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import Team, within
from .labels import hash_of_labels, mark_of_centers
from .statistics import Statistics
from .totals import Farthest, Totals, no_rows, no_totals


def partial_statistics(
    block: Any,
    centers: Any,
    sample_weight: Any = None,
    *,
    metric: str = "euclidean",
    n_threads: int | None = 1,
) -> Statistics:
    """Assign the rows of a block to their closest centers; return what the next centers need.

    It is the map of k-means on many machines, and ``merge_statistics`` is the reduction.  Both
    are pure.  A result is pickled in a few times the bytes of the centers, whatever the rows.

    Parameters
    ----------
    block : array-like or sparse matrix of shape (n_rows, n_features)
        Some rows: whatever ``KMeans.fit`` takes.  A block without rows is fine.
    centers : array-like of shape (n_clusters, n_features)
        The current centers, the same for all blocks of an iteration.
    sample_weight : array-like of shape (n_rows,), optional
        Weight of each row: 2 counts as the row twice, 0 as the row absent.  All may be 0.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance, as in ``KMeans``.  Rows of length 0 do not warn.
    n_threads : int or None, default=1
        Most threads to use; None means all.  The kernels release the GIL.

    Returns
    -------
    Statistics
        Sums, weights and counts of the clusters, the inertia, and rows for empty clusters.

    Raises
    ------
    ValueError, TypeError
        If the block is no table of numbers as wide as the centers, or a value is not finite.  The
        message names the argument, and the first offending row and column, counted in the block.

    See Also
    --------
    merge_statistics : Merge the statistics of blocks.
    find_closest_centroids : The labels of a block for the final centers.

    Notes
    -----
    Labels are those of ``KMeans.predict``: exact, ties go to the lowest index.  The result depends
    on the arguments only, not on threads or processor cores.

    Sums are of ``x - centers[label]`` in float64, so no digit is lost to a large mean.  If a
    cluster has no row in the block, it may be empty in all blocks.  So the farthest rows come
    along, one for each cluster at most, and it takes the row that it takes on one machine.

    For the labels of a block, pass the final centers to ``find_closest_centroids``; by cosine, the
    rows brought to length 1.

    Examples
    --------
    A fit of three blocks, with the rules of ``KMeans``.  On a cluster the list comprehension is a
    map over machines:

    >>> import numpy as np
    >>> from fastkmeans import merge_statistics, partial_statistics
    >>> blocks = np.array_split(np.array([[1.0], [2.0], [3.0], [11.0], [12.0], [13.0]]), 3)
    >>> centers, step = blocks[0], None
    >>> for _ in range(300):
    ...     now = merge_statistics([partial_statistics(block, centers) for block in blocks])
    ...     step = now.step(centers, step, tol=1e-4)
    ...     centers = step.centers
    ...     if step.converged:
    ...         break
    >>> centers.tolist(), now.inertia
    ([[2.0], [12.0]], 4.0)
    """
    if n_threads is not None:
        check_count(n_threads, "n_threads")
    by_cosine = check_metric(metric)
    table = as_table(block, "block", fewest=0)
    points = _centers_for(table, centers)
    mark = mark_of_centers(points)
    if by_cosine:
        points = directions(points, "centers")
    weights = weights_for(table, sample_weight)
    (n, d), k = table.rows.shape, len(points)
    nothing = Statistics(n, metric, mark, 0, math.inf, 0.0, no_totals(k, d), no_rows(d))
    if not n:
        return nothing
    size = check_finite(table, "block")
    with naming(table), Team(n_threads, work_of((n, d), k)) as team:
        counting = weights if weights.any() else NO_WEIGHTS
        if by_cosine:
            problem = problem_of(table.rows, counting, team, by_cosine)
        else:
            scaling = scaling_around(points, size, table.rows, by_cosine)
            problem = Problem(table.rows, counting, scaling, team)
        labels = problem.rows.empty(n, np.int32)
        label_rows(problem, points, labels)
        nothing = replace(nothing, label_hash=hash_of_labels(labels))
        if counting is not weights:  # no row counts
            return nothing
        return _measure(problem, points, labels, nothing)


def _centers_for(table: Table, centers: Any) -> Floats:
    """Return the centers, checked against the block."""
    width, given = table.rows.shape[1], table_in_memory(centers, "centers").rows.shape[1]
    if given != width:
        raise ValueError(
            f"block has {width} columns, but centers has {given}: give every block the columns of "
            "the centers, in their order."
        )
    if table.preparation is not None:
        raise ValueError(
            "block is a dataset that was standardised by its own mean: open it with "
            "standardize=False, and standardise all blocks alike."
        )
    points = as_centers(centers, width, "centers")
    check_room(table.rows, len(points), name="block")
    return points


def weights_for(table: Table, sample_weight: Any) -> Floats:
    """Return the weights, which may all be 0, but need no unit of their own."""
    weights, unit = weights_of(table, sample_weight, some=False)
    if unit != 1.0:
        raise ValueError(
            f"sample_weight is {weights.max() * unit:.3g} at most, beyond 2**-512 to 2**512: "
            "multiply the weights of all blocks by one number."
        )
    return weights


def _measure(problem: Problem, centers: Floats, labels: Labels, nothing: Statistics) -> Statistics:
    """Return the statistics of labelled rows, for which ``nothing`` holds no sums yet."""
    scale, inertia = problem.scaling.unit, sum_of_squares(problem, labels, centers)
    own, held = _totals(problem, centers, labels), nothing.farthest
    if not own.counts.all():
        held = _farthest(problem, centers, labels)
        labels = labels.copy()
        labels[held.rows] = -1  # these rows stay apart
        own = _totals(problem, centers, labels)
    return replace(nothing, scale=scale, scaled_inertia=inertia, own=own, farthest=held)


def _totals(problem: Problem, centers: Floats, labels: Labels) -> Totals:
    """Return scaled sums, weights and counts of the rows that have a label."""
    scaling, team, k = problem.scaling, problem.team, len(centers)
    own = centers if scaling.by_cosine else centers * scaling.scale
    if isinstance(problem.rows, SparseRows):
        sums, table = _sparse_sums(problem, problem.rows, own, labels)
    else:
        ranges = Sums(problem, k)
        ranges.clear()
        opposite, no_offset = -own, np.zeros(centers.shape[1])
        for part, X in problem.blocks():
            touched, bounds = within(ranges.bounds, part.start, part.stop)
            weights, inverse = problem.weights_of(part), problem.inverse_of(part)
            terms = Terms(weights, no_offset, scaling.scale, inverse)
            outputs = ranges.parts[touched], ranges.part_weights[touched]
            team.run(add_differences, X, bounds, (terms, labels[part], opposite), outputs)
        sums, table = ranges.total(), ranges.part_weights.sum(axis=0)
    if scaling.by_cosine:
        sums *= scaling.unit
    return Totals(sums, table[WEIGHT], table[COUNT].astype(np.int64))


def _sparse_sums(
    problem: Problem, rows: SparseRows, centers: Floats, labels: Labels
) -> tuple[Floats, Floats]:
    """Return the sums of the differences of sparse rows, and the table of weights and counts."""
    from .._kernels.sparse.differences import add_differences as add_sparse_differences

    (k, d), team = centers.shape, problem.team
    n_tasks = max(1, min(k, 1 if team.serial else 4 * team.size))
    bounds = np.arange(n_tasks + 1) * k // n_tasks
    sums, table = np.zeros((2, k, d)), np.zeros((2, k))
    arguments = bounds, problem.scaled, problem.weights, labels, centers, sums, table
    team.run(add_sparse_differences, rows.values, np.arange(n_tasks + 1), arguments)
    return sums[0], table


def _farthest(problem: Problem, centers: Floats, labels: Labels) -> Farthest:
    """Return the farthest rows that count, as many as there are clusters.

    A cluster keeps a row.  So each cluster turns down one row at most, and there are as many
    candidates as empty clusters left.
    """
    squares = squared_distances_to_own(problem, labels, centers)
    rows = farthest(squares, len(centers))
    rows = rows[squares[rows] > 0.0]
    points, own = problem.points(rows), labels[rows]
    weights = problem.weights[rows] if problem.weights.size else np.ones(len(rows))
    unit = problem.scaling.unit
    differences = points * unit - centers[own] * unit  # in this order nothing overflows
    return Farthest(rows, own.astype(np.int64), weights, squares[rows], points, differences)
