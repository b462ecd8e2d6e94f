"""The simplified silhouette, and other indices against centers, in one pass over the rows.

``Tally`` takes the rows block by block, as they are labelled.  So a pass that labels rows can
assess them as well.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem, given_problem
from .._data.rows import CHUNK, Block
from .._data.scaling import Scaling, make_scaling, power_of_two, unshifted
from .._data.sparse import SparseRows
from .._data.tables import Table
from .._data.validation import check_finite
from .._engines.base import work_of
from .._kernels.emit.simd import CENTERS
from .._kernels.metrics.simplified import (
    DISTANCE,
    SILHOUETTE,
    SQUARE,
    WEIGHT,
    Labelled,
    simplified_rows,
)
from .._lloyd.predict import sparse_distances
from .._runtime.adding import column_totals, total_of
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import MANY_RANGES, SMALL_TABLE, Team, cut, is_large, within
from .indices import ROUNDING, likeness, ratio

NO_SAMPLES: Floats = np.empty(0)
"""No room for samples: they are not written."""


class Quality(NamedTuple):
    """How good a clustering is, against its centers.

    The indices are those of ``fastkmeans.metrics`` if the centers are the means of their rows, as
    they are after a fit that converged.
    """

    weights: Floats  # (k,), rows of each cluster, each as often as its weight says
    silhouettes: Floats  # (k,), mean simplified silhouette of each cluster; NaN without rows
    distances: Floats  # (k,), mean distance to the center, in the data's unit; NaN without rows
    silhouette: float  # mean simplified silhouette of all rows
    calinski_harabasz: float  # NaN by cosine, and if one cluster has all rows
    davies_bouldin: float  # NaN by cosine, and if one cluster has all rows


class Tally:
    """Totals by cluster of rows that come block by block, in order.

    Rows that are not finite, or overflow in the scaled coordinates, make them NaN.  ``unit`` times
    the weights of the problem are those of the caller.
    """

    def __init__(
        self,
        problem: Problem,
        centers: Floats,
        alone: NDArray[np.bool_] | None = None,
        unit: float = 1.0,
    ) -> None:
        n, d = problem.shape
        k, scaling = len(centers), problem.scaling
        self._problem, self._centers = problem, np.ascontiguousarray(centers, np.float64)
        self._unit = unit
        self._alone = np.zeros(k, np.bool_) if alone is None else alone
        budget = max(n * d // 16, 1 << 18)
        most = MANY_RANGES if n * d > SMALL_TABLE else 1
        self._ranges = cut(n, max(1, min(most, budget // (4 * k * 8))))
        self._totals = np.zeros((len(self._ranges) - 1, 4, k))
        if isinstance(problem.rows, SparseRows):
            return
        tiles = np.full((-(-k // CENTERS), CENTERS, 1 + d), np.inf, problem.rows.dtype)
        tiles.reshape(-1, 1 + d)[:k, 1:] = (self._centers - scaling.shift) * scaling.unit
        if scaling.by_cosine:  # rows count with length 1 in this kernel, whatever the unit
            tiles.reshape(-1, 1 + d)[:k, 1:] = self._centers
        self._tiles = np.ascontiguousarray(tiles.transpose(0, 2, 1))

    def add(self, part: slice, X: Block, labels: Labels, samples: Floats = NO_SAMPLES) -> None:
        """Take the rows of a block; write their silhouettes if ``samples`` has room for them."""
        scaling, team = self._problem.scaling, self._problem.team
        touched, bounds = within(self._ranges, part.start, part.stop)
        labelled = Labelled(labels, self._problem.weights_of(part), self._alone)
        place = scaling.x_offset, scaling.x_scale, self._tiles, scaling.by_cosine
        outputs = (self._totals[touched],)
        team.run(simplified_rows, X, bounds, (*place, labelled, samples), outputs, is_large(X))

    def add_sparse(self, labels: Labels, samples: Floats = NO_SAMPLES) -> None:
        """Take all rows of a sparse matrix, some at a time."""
        problem = self._problem
        rows = problem.rows
        assert isinstance(rows, SparseRows)
        height, k = max(1, 8 * CHUNK // len(self._centers)), len(self._centers)
        for at in range(0, len(labels), height):
            part = slice(at, min(at + height, len(labels)))
            own = labels[part]
            some = problem._replace(rows=rows.select(np.arange(part.start, part.stop)))
            if problem.lengths is not None:
                some = some._replace(
                    lengths=problem.lengths._replace(inverse=problem.lengths.inverse[part])
                )
            distances = sparse_distances(some, self._centers).astype(np.float64)
            distances *= 1.0 if problem.scaling.by_cosine else problem.scaling.scale
            places = np.arange(len(own)), own
            mine = distances[places]
            distances[places] = np.inf
            other = distances.min(axis=1)
            values = silhouettes(mine, other)
            values[self._alone[own]] = 0.0
            weights = problem.weights_of(part) if problem.weights.size else np.ones(len(own))
            values[weights == 0.0] = 0.0
            for row, what in (
                (WEIGHT, weights),
                (SILHOUETTE, weights * values),
                (DISTANCE, weights * mine),
                (SQUARE, weights * mine * mine),
            ):
                self._totals[0, row] += np.bincount(own, what, k)
            if samples.size:
                samples[part] = values

    @property
    def totals(self) -> Floats:
        """The totals ``(4, k)``, the ranges added in order."""
        totals: Floats = self._totals.sum(axis=0)
        return totals

    @property
    def centers(self) -> Floats:
        """The centers that rows are compared with."""
        return self._centers

    def quality(self, pairs: bool = True) -> Quality:
        """Return the indices of the rows so far.

        Davies-Bouldin compares all pairs of clusters, which takes long if there are many: it is NaN
        without ``pairs``.
        """
        totals, scaling = self.totals, self._problem.scaling
        weights, counted = totals[WEIGHT], totals[WEIGHT] * self._unit
        totals[SILHOUETTE, counted <= 1.0] = 0.0
        used = np.flatnonzero(weights > 0.0)
        weight = total_of(weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = totals / weights
        unit = 1.0 if scaling.by_cosine else scaling.scale
        silhouette, ch, db = math.nan, math.nan, math.nan
        if len(used) > 1:
            silhouette = total_of(totals[SILHOUETTE]) / weight
            if not scaling.by_cosine:
                inner = total_of(totals[SQUARE])
                outer = max(0.0, scaling.mean_variance * self._centers.shape[1] * weight - inner)
                k, exact = len(used), inner <= ROUNDING * outer
                ch = 1.0 if exact else math.nan
                if not exact and weight * self._unit > k:
                    ch = ratio(outer, inner, weight, k, self._unit)
                if pairs:
                    own = (self._centers[used] - scaling.shift) * scaling.scale
                    radii = means[DISTANCE, used]
                    db = 0.0 if exact else total_of(likeness(radii, own)) / k
        return Quality(
            counted, means[SILHOUETTE], means[DISTANCE] / unit, silhouette, ch, db
        )  # fmt: skip


def silhouettes(own: Floats, other: Floats) -> Floats:
    """Return ``(other - own) / max(other, own)``, 0 where both are 0."""
    larger = np.maximum(own, other)
    return (other - own) / np.where(larger > 0.0, larger, 1.0)


def tally(
    table: Table,
    weights: Floats,
    labels: Labels,
    centers: Floats,
    n_threads: int | None,
    by_cosine: bool,
    samples: Floats = NO_SAMPLES,
    alone: NDArray[np.bool_] | None = None,
    unit: float = 1.0,
) -> Floats:
    """Return the totals ``(4, k)`` of all rows of a table; write the silhouettes to ``samples``.

    Distances are in the unit of the table, squares in that of a scaling.  Rows of clusters that are
    ``alone``, by default those of one row or less, have silhouette 0; ``unit`` times the weights
    count rows.  Raises a ValueError if a
    value is not finite.
    """
    if alone is None:
        own = np.zeros(len(centers))
        for at in range(0, len(labels), CHUNK):
            part = slice(at, at + CHUNK)
            own += np.bincount(labels[part], weights[part] if weights.size else None, len(own))
        alone = own * unit <= 1.0
    arguments = weights, labels, centers, n_threads, alone, samples
    reach = float(np.abs(centers - _middle(table, centers)).max())
    if not isinstance(table.rows, SparseRows) and reach > 0.0 and not by_cosine:
        totals = _totals(table, *arguments, _scaling(table, centers, reach, by_cosine))
        if np.isfinite(totals).all():
            return totals
    size = check_finite(table)
    reach = max(size, float(np.abs(centers).max()))
    return _totals(table, *arguments, _scaling(table, centers, reach, by_cosine))


def _middle(table: Table, centers: Floats) -> Floats:
    """Return what to shift the rows by: the mean of the centers, zero for sparse rows."""
    if isinstance(table.rows, SparseRows):
        return np.zeros(centers.shape[1])
    return column_totals(centers / len(centers))


def _scaling(table: Table, centers: Floats, reach: float, by_cosine: bool) -> Scaling:
    """Return a scaling that brings coordinates up to ``reach`` to about 1."""
    dtype, scale = table.rows.dtype, power_of_two(reach, table.rows.dtype)
    if by_cosine:
        return unshifted(dtype, centers.shape[1], scale)
    return make_scaling(dtype, _middle(table, centers), scale)


def _totals(
    table: Table,
    weights: Floats,
    labels: Labels,
    centers: Floats,
    n_threads: int | None,
    alone: NDArray[np.bool_],
    samples: Floats,
    scaling: Scaling,
) -> Floats:
    rows = table.rows
    with Team(n_threads, work_of(rows.shape, len(centers))) as team:
        problem = given_problem(rows, scaling, team)._replace(weights=weights)
        found = Tally(problem, centers, alone)
        if isinstance(rows, SparseRows):
            found.add_sparse(labels, samples)
        else:
            for part, X in problem.blocks():
                own = samples[part] if samples.size else samples
                found.add(part, X, labels[part], own)
        totals = found.totals
        with np.errstate(over="ignore"):  # a sum of distances may be beyond float64
            totals[DISTANCE] /= 1.0 if scaling.by_cosine else scaling.scale
        return totals
