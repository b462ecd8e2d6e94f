"""Closest centers, distances and inertia of rows for given centers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem, given_problem, naming, open_problem
from .._data.rows import Rows
from .._data.scaling import Scaling, make_scaling, power_of_two, unshifted
from .._data.sparse import SparseRows
from .._data.tables import Table
from .._data.validation import check_finite, weights_of
from .._engines.base import work_of
from .._engines.plain import label_rows
from .._engines.sums import sum_of_squares
from .._kernels.emit.simd import CENTERS
from .._kernels.plain.distances import distance_rows
from .._kernels.plain.exact import settle_by_differences, settle_by_products
from .._runtime.adding import column_totals
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import Team

FEW_ROWS = 4
"""Most rows that are compared with the centers directly: packing them would cost more."""


def scaling_around(centers: Floats, size: float, rows: Rows, by_cosine: bool) -> Scaling:
    """Return a scaling for rows of magnitude up to ``size``, which need not be those of a fit."""
    if by_cosine:
        scale = scale_around(centers, size, rows, by_cosine)
        return unshifted(rows.dtype, rows.shape[1], scale)
    if isinstance(rows, SparseRows):  # a shift would make them dense
        shift = np.zeros(rows.shape[1])
    else:
        shift = column_totals(centers / len(centers))  # in this order nothing overflows
    return make_scaling(rows.dtype, shift, scale_around(centers, size, rows, by_cosine))


def scale_around(centers: Floats, size: float, rows: Rows, by_cosine: bool) -> float:
    """Return the scale of ``scaling_around``, which a few rows need alone."""
    reach = size if by_cosine else max(size, float(np.abs(centers).max()))
    return power_of_two(reach, rows.dtype)


def closest_centers(
    table: Table,
    centers: Floats,
    n_threads: int | None,
    name: str = "X",
    by_cosine: bool = False,
) -> Labels:
    """Return the closest center of each row; ties go to the lowest index."""
    size = check_finite(table, name)
    rows = table.rows
    centers = np.ascontiguousarray(centers, np.float64)
    if rows.shape[0] <= FEW_ROWS and not isinstance(rows, SparseRows):
        scale = scale_around(centers, size, rows, by_cosine)
        labels, counts = np.empty(rows.shape[0], np.int32), np.zeros(3, np.int64)
        labels.fill(-1)
        settle = settle_by_products if by_cosine else settle_by_differences
        for _, X in rows.blocks():
            settle(X, 0, len(labels), scale, centers, labels, labels, counts)
        return labels
    scaling = scaling_around(centers, size, rows, by_cosine)
    with Team(n_threads, work_of(rows.shape, len(centers))) as team:
        labels = rows.empty(rows.shape[0], np.int32)
        label_rows(given_problem(rows, scaling, team), centers, labels)
        return labels


def center_distances(
    table: Table, centers: Floats, n_threads: int | None, by_cosine: bool = False
) -> NDArray[Any]:
    """Return the distance of each row to each center, in the dtype of the rows.

    The distance by cosine is ``1 - cos``.
    """
    size = check_finite(table)
    rows = table.rows
    centers = np.ascontiguousarray(centers, np.float64)
    k, d = centers.shape
    scaling = scaling_around(centers, size, rows, by_cosine)
    if isinstance(rows, SparseRows):
        with Team(n_threads, work_of(rows.shape, k)) as team:
            return sparse_distances(given_problem(rows, scaling, team), centers)
    tiles = np.zeros((-(-k // CENTERS), CENTERS, 1 + d), rows.dtype)
    tiles.reshape(-1, 1 + d)[:k, 1:] = (centers - scaling.shift) * scaling.unit
    tiles = np.ascontiguousarray(tiles.transpose(0, 2, 1))
    out = rows.empty((rows.shape[0], k), rows.dtype)
    with Team(n_threads, work_of(rows.shape, k)) as team:
        for part, X in given_problem(rows, scaling, team).blocks():
            place = scaling.x_offset, scaling.x_scale
            arguments = (*place, tiles, by_cosine, out[part])
            team.run(distance_rows, X, team.cut(X.shape[1]), arguments)
    return out


def sparse_distances(problem: Problem, centers: Floats) -> NDArray[Any]:
    """Return the distance of each sparse row to each center, in the dtype of the rows."""
    from .._engines.csr import CenterTable
    from .._kernels.sparse.distances import distance_rows

    rows, unit, team = problem.rows, problem.scaling.unit, problem.team
    assert isinstance(rows, SparseRows)
    table = CenterTable(centers.shape, np.float64)
    table.fill(centers, unit, team)
    table.biases[:] = 0.0
    out = rows.empty((rows.shape[0], len(centers)), rows.dtype)
    arguments = problem.scaled, unit, centers, table.norms, table.tiles, table.biases, out
    team.run(distance_rows, rows.values, team.cut(rows.shape[0]), arguments)
    return out


def assess(problem: Problem, centers: Floats) -> tuple[Labels, float]:
    """Return the closest center of each row, and the inertia in scaled units."""
    labels = problem.rows.empty(problem.shape[0], np.int32)
    label_rows(problem, centers, labels)
    return labels, sum_of_squares(problem, labels, centers)


def inertia(
    table: Table,
    centers: Floats,
    sample_weight: Any,
    n_threads: int | None,
    by_cosine: bool = False,
) -> float:
    """Return the weighted sum of squared distances to the closest center."""
    rows = table.rows
    weights, unit = weights_of(table, sample_weight)
    centers = np.ascontiguousarray(centers, np.float64)
    work = work_of(rows.shape, len(centers))
    with naming(table), open_problem(rows, weights, n_threads, work, by_cosine) as problem:
        total, own = assess(problem, centers)[1], problem.scaling.unit
    return total / own * unit / own
