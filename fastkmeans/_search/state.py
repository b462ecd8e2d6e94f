"""The state of a local search: rows in blocks, their two closest centers, and the clusters.

Rows are sorted by cluster.  So those of a few clusters lie in few groups, and a try passes over the
other groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data.problem import Problem
from .._data.rows import FLOAT32
from .._engines.sums import sum_of_squares
from .._kernels.emit.simd import CENTERS, POINTS
from .._kernels.search.around import LOCAL
from .._kernels.search.closest import GROUP, Closest, Clusters, Local, Points, Shares, Tiles
from .._kernels.search.prices import CANDIDATES, Priced
from .._kernels.search.renew import renew
from .._kernels.search.tries import BARRED, CHOSEN, DISTANCES, GROUPS, find_swap
from .._lloyd.run import Outcome
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, aligned

RESOLVED = 2.0**-28
"""Least inertia per weight and feature, in scaled units, that float32 resolves."""
ROW_BYTES = 64
"""Bytes that a search keeps of a row, besides its copy in blocks."""


class State:
    """What a search knows of the rows and clusters; all coordinates are scaled and shifted."""

    def __init__(self, problem: Problem, best: Outcome, inertia: float) -> None:
        (n, d), k, scaling = problem.shape, len(best.centers), problem.scaling
        dtype, n_groups = precision(problem, inertia), -(-n // GROUP)
        order = np.argsort(best.labels, kind="stable")
        rows = _packed(problem, order, n_groups * GROUP, dtype)
        weights = np.zeros(n_groups * GROUP)
        weights[:n] = problem.weights[order] if problem.weights.size else 1.0
        self.points = Points(rows, weights.reshape(-1, POINTS))
        centers = np.ascontiguousarray((best.centers - scaling.shift) * scaling.unit)
        self.closest = _closest(len(rows), dtype)
        self.clusters = Clusters(centers, np.zeros((k, d)), np.zeros(k), np.zeros(k, np.int64))
        self.shares = Shares(
            np.zeros(k), np.zeros(k + 1), np.zeros(n_groups * GROUP), np.zeros((2, k)),
            np.zeros((2, n_groups), np.int64),
        )  # fmt: skip
        self.priced = Priced(
            np.zeros(CANDIDATES, np.int64), np.zeros((CANDIDATES, d)),
            np.zeros((CANDIDATES, k + 1)), aligned((CENTERS, POINTS), dtype),
        )  # fmt: skip
        self.local = Local(
            Clusters(np.zeros((LOCAL, d)), np.zeros((LOCAL, d)), np.zeros(LOCAL),
                     np.zeros(LOCAL, np.int64)),
            np.zeros(LOCAL, np.int64), np.zeros(k, np.int64), np.zeros(k),
            np.zeros(n_groups + 1, np.int64), np.zeros((len(rows), POINTS), np.int32),
            np.zeros((len(rows), POINTS)), _closest(1, dtype), np.zeros(GROUP),
        )  # fmt: skip
        every, some = (-(-count // CENTERS) for count in (k, max(LOCAL, CANDIDATES)))
        self._tiles = Tiles(*(aligned((count, 1 + d, CENTERS), dtype) for count in (every, some)))
        self.counts = np.zeros(6, np.int64)
        self.counts[BARRED] = -1
        self._renew()

    @property
    def potential(self) -> float:
        """The sum of ``w |x - c|^2``."""
        return float(self.shares.ends[-1])

    def find(self, uniforms: Floats, least: float, most: float) -> float:
        """Try swaps, a row of ``uniforms`` for each, until one gains more than ``least``.

        Return what the last one gains.  None begins after ``most`` distances in all.
        """
        found: float = find_swap(
            self.points, self.closest, self.clusters, self.shares, uniforms, least, most,
            self.priced, self.local, self._tiles, self.counts,
        )  # fmt: skip
        return found

    def keep(self) -> None:
        """Keep the swap that was tried last."""
        self._renew(int(self.counts[GROUPS]), int(self.counts[CHOSEN]))

    def _renew(self, n_groups: int = 0, n_local: int = 0) -> None:
        """Find the two closest centers again after some moved, or all; measure the potentials."""
        self.counts[DISTANCES] += renew(
            self.points, self.closest, self.clusters, self.shares, self.local, n_groups, n_local,
            self._tiles,
        )  # fmt: skip


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
