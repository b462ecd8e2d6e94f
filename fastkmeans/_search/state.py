"""The state of a local search: rows in blocks, their two closest centers, and the clusters.

Rows are sorted by cluster.  So those of a few clusters lie in few groups, and a try passes over the
other groups.  NumPy adds all sums here in order, so they do not depend on a processor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data.problem import Problem
from .._data.rows import FLOAT32
from .._engines.sums import sum_of_squares
from .._kernels.emit.simd import CENTERS, POINTS
from .._kernels.search.around import CHOSEN, DISTANCES, LOCAL, STEPS, try_swap
from .._kernels.search.closest import (
    GROUP,
    Closest,
    Clusters,
    Local,
    Points,
    Tiles,
    renew,
)
from .._kernels.search.prices import CANDIDATES, price
from .._lloyd.run import Outcome
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, aligned

RESOLVED = 2.0**-28
"""Least inertia per weight and feature, in scaled units, that float32 resolves."""
PLACES = np.arange(CANDIDATES)
ROW_BYTES = 64
"""Bytes that a search keeps of a row, besides its copy in blocks."""


class State:
    """What a search knows of the rows and clusters; all coordinates are scaled and shifted."""

    def __init__(self, problem: Problem, best: Outcome, inertia: float) -> None:
        (n, d), k, scaling = problem.shape, len(best.centers), problem.scaling
        dtype, n_groups = precision(problem, inertia), -(-n // GROUP)
        order = np.argsort(best.labels, kind="stable")
        self._rows = _packed(problem, order, n_groups * GROUP, dtype)
        weights = np.zeros(n_groups * GROUP)
        weights[:n] = problem.weights[order] if problem.weights.size else 1.0
        self._weights = weights
        self.points = Points(self._rows, weights.reshape(-1, POINTS))
        centers = np.ascontiguousarray((best.centers - scaling.shift) * scaling.unit)
        self.closest = _closest(len(self._rows), dtype)
        self.clusters = Clusters(centers, np.zeros((k, d)), np.zeros(k), np.zeros(k, np.int64))
        self._local = Local(
            Clusters(np.zeros((LOCAL, d)), np.zeros((LOCAL, d)), np.zeros(LOCAL),
                     np.zeros(LOCAL, np.int64)),
            np.zeros(LOCAL, np.int64), np.zeros(k, np.int64), np.zeros(k),
            np.zeros(n_groups + 1, np.int64), np.zeros((len(self._rows), POINTS), np.int32),
            np.zeros((len(self._rows), POINTS)), _closest(1, dtype), np.zeros(GROUP),
        )  # fmt: skip
        every, some = (-(-count // CENTERS) for count in (k, max(LOCAL, CANDIDATES)))
        self._tiles = Tiles(*(aligned((count, 1 + d, CENTERS), dtype) for count in (every, some)))
        self._squares = aligned((CENTERS, POINTS), dtype)
        self._losses, self._counts = np.zeros((CANDIDATES, k + 1)), np.zeros(3, np.int64)
        self.n_distances = self.n_iterations = 0
        self._renew(0)
        self._sum_clusters()

    def draw(self, uniforms: Floats) -> list[tuple[float, int, Floats]]:
        """Draw candidates by their potential; return price, center to replace, and point of each.

        Every second candidate takes the center that costs least but one.  Else the same center
        leaves again and again: of 31 overlapping groups, 60 % of the searches found the optimum.
        The cheapest candidate comes first.  Prices are the potential before any iteration, less
        that of now.
        """
        rows = np.searchsorted(self._sums, uniforms * self.potential, side="right")
        rows = np.minimum(rows, self._last)
        points = self._rows[rows // POINTS, :, rows % POINTS].astype(np.float64)
        losses, k = self._losses, len(self._potentials)
        losses[:] = self._base
        price(self.points, self.closest, points, self._tiles, self._squares, losses)
        self.n_distances += len(rows) * self._weights.size
        places, removed = PLACES, np.argmin(losses[:, :k], axis=1)
        others = losses[1::2].copy()  # every second candidate takes the next center
        others[places[: len(others)], removed[1::2]] = np.inf
        removed[1::2] = np.argmin(others[:, :k], axis=1)
        prices = losses[places, removed] + losses[:, k] - self.potential
        order = np.argsort(prices, kind="stable").tolist()
        return [(float(prices[c]), int(removed[c]), points[c]) for c in order]

    def gain(self, candidate: Floats, removed: int, least: float) -> float:
        """Try a swap; return what it gains, which must be more than ``least`` to be kept."""
        found: float = try_swap(
            self.points, self.closest, self.clusters, self._potentials, candidate, removed, least,
            self._local, self._tiles, self._counts,
        )  # fmt: skip
        self.n_iterations += int(self._counts[STEPS])
        self.n_distances += int(self._counts[DISTANCES])
        return found

    def keep(self) -> None:
        """Keep the swap that was tried last."""
        local, n_local = self._local, int(self._counts[CHOSEN])
        chosen, moved = local.chosen[:n_local], local.labels >= 0
        self.closest.labels[moved] = chosen[local.labels[moved]]
        for whole, part in zip(self.clusters, local.clusters, strict=True):
            whole[chosen] = part[:n_local]
        self._renew(n_local)

    def _renew(self, n_local: int) -> None:
        """Find the two closest centers again after some moved, or all; measure the potentials."""
        closest, k = self.closest, len(self.clusters.weights)
        self.n_distances += renew(
            self.points, closest, self.clusters, self._local, n_local, self._tiles
        )
        labels, weights = closest.labels.reshape(-1).astype(np.intp), self._weights
        shares = weights * closest.near.reshape(-1)
        self._potentials = np.bincount(labels, shares, k)
        self._sums = np.cumsum(shares)
        self.potential = float(self._sums[-1])
        self._last = int(np.searchsorted(self._sums, self.potential))  # of a share above zero
        alone = np.bincount(labels, weights * closest.far.reshape(-1), k)
        self._base = np.append(alone - self._potentials, self.potential)

    def _sum_clusters(self) -> None:
        """Add all rows to the sums of their clusters."""
        (_, sums, weights, counts), k = self.clusters, len(self.clusters.weights)
        labels = self.closest.labels.reshape(-1)
        for f in range(sums.shape[1]):
            sums[:, f] = np.bincount(labels, self._weights * self._rows[:, f].reshape(-1), k)
        weights[:] = np.bincount(labels, self._weights, k)
        counts[:] = np.bincount(labels, self._weights > 0.0, k)


def bytes_of(n_rows: int, n_features: int) -> int:
    """Return about how many bytes a search takes for its state of the rows, at most."""
    return n_rows * (n_features * 8 + ROW_BYTES)


def scaled_inertia(problem: Problem, outcome: Outcome) -> float:
    """Return the inertia in scaled units, in which it is neither infinite nor 0 by its size."""
    return sum_of_squares(problem, outcome.labels, outcome.centers)


def precision(problem: Problem, inertia: float) -> np.dtype[Any]:
    """Return float32 if it resolves distances of such an inertia, else the dtype of the rows."""
    weight = total_of(problem.weights) if problem.weights.size else problem.shape[0]
    least = RESOLVED * problem.shape[1] * weight
    return FLOAT32 if inertia > least else problem.rows.dtype


def _packed(problem: Problem, order: Any, n_places: int, dtype: np.dtype[Any]) -> Any:
    """Return the rows in blocks, scaled and shifted, in some order; zeros fill the last blocks."""
    (n, d), scaling = problem.shape, problem.scaling
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    blocks = aligned((n_places // POINTS, d, POINTS), dtype)
    blocks[n // POINTS :] = 0.0
    for part, X in problem.blocks():
        places = place[part]
        scaled = X[0] * scaling.x_scale + scaling.x_offset
        blocks[places // POINTS, :, places % POINTS] = scaled
    return blocks


def _closest(n_blocks: int, dtype: np.dtype[Any]) -> Closest:
    """Return an empty record of the two closest centers."""
    kinds = np.int32, np.int32, dtype, dtype
    return Closest(*(np.zeros((n_blocks, POINTS), kind) for kind in kinds))
