"""The engine for sparse rows: every row against every center (``_kernels.sparse.assign``)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem
from .._data.sparse import SparseRows
from .._kernels.emit.simd import VECTOR_BYTES
from .._kernels.sparse.assign import (
    LEFT,
    MOVED,
    SKIPPED,
    UNIT,
    UNIT64,
    Drift,
    measure_rows,
    screen_rows,
)
from .._kernels.sparse.directions import find_used, settle_directions
from .._kernels.sparse.settle import Nonzero, settle_rows
from .._kernels.sparse.table import Centers, fill_table, finish_table
from .._runtime.arrays import Floats, Labels, aligned
from .._runtime.threads import Team, cut_centers
from .base import Assigned

if TYPE_CHECKING:
    from .sums import Sums

TILE_LANES = 256
"""Most centers of a tile: the features of usual words then fit the second-level cache."""
MANY_OPEN = 1024
"""Open rows from which on the columns in which centers are not zero are listed at once."""
COST_ROW, COST_VALUE, COST_PAIR, COST_TABLE = 40.0, 5.0, 0.15, 1.0
"""Estimated nanoseconds per row, per stored value, per stored value and center, and per coordinate
of the centers."""


class CenterTable:
    """The centers feature by feature, as kernels for sparse rows read them."""

    def __init__(self, shape: tuple[int, int], dtype: Any = np.float32) -> None:
        k, d = shape
        lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
        n_tiles = -(-k // TILE_LANES)
        width = -(-k // (n_tiles * lanes)) * lanes
        self.tiles = aligned((n_tiles, d, width), dtype)
        self.biases = np.empty((n_tiles, width), dtype)
        self.tiles[:] = 0.0
        self.norms = np.zeros(k)
        self._features = np.empty(d, dtype)
        self._largest = 0.0
        self.repeated = np.empty(k, np.bool_)
        self._slots = np.empty(1 << (2 * k).bit_length(), np.int32)
        n_ranges = len(cut_centers(k, d)) - 1
        self._bounds = np.arange(n_ranges + 1) * d // n_ranges  # of the features
        self._parts = np.empty((n_ranges, 2, k))

    def fill(self, centers: Floats, scale: float, team: Team) -> Centers:
        """Write the table."""
        return self.move(centers, scale, team)[0]

    def move(self, centers: Floats, scale: float, team: Team) -> tuple[Centers, Drift]:
        """Write the table; return how the centers moved since it was last written, too."""
        arguments = scale, self.tiles, self._features
        team.run(fill_table, centers, self._bounds, arguments, (self._parts,), prange=True)
        norms, before = np.empty_like(self.norms), self._largest
        largest = float(
            finish_table(centers, self._parts, self._slots, norms, self.repeated, self.biases)
        )
        gained = 0.5 * (norms - self.norms)
        self.norms, self._largest = norms, largest
        lengths = 4.0 * UNIT * (math.sqrt(before) + math.sqrt(largest))
        sums = 2.0 * (centers.shape[1] + 8) * UNIT64 * (before + largest)
        drift = Drift(self._features, gained, float(-gained.min()), lengths + sums)
        return Centers(centers, norms, self.repeated, self.tiles, self.biases, largest), drift

    def turn(self, centers: Floats, team: Team) -> tuple[Centers, Drift]:
        """Write the table by cosine, without biases; return how the centers moved, too."""
        moved, drift = self.move(centers, 1.0, team)
        self.biases[self.biases > -np.inf] = 0.0
        return moved, drift._replace(norms=np.zeros(len(centers)), shrunk=0.0)

    def follow(self, problem: Problem, centers: Floats) -> tuple[Centers, Drift]:
        """Write the table for a problem; return how the centers moved, too."""
        if problem.scaling.by_cosine:
            return self.turn(centers, problem.team)
        return self.move(centers, problem.scaling.scale, problem.team)


def _nonzero(centers: Floats | None) -> Nonzero:
    """List the columns in which centers are not zero; None: list nothing."""
    if centers is None:
        return Nonzero(np.zeros(1, np.int64), np.empty(0, np.int32))
    columns = [np.flatnonzero(center).astype(np.int32) for center in centers]
    starts = np.zeros(len(columns) + 1, np.int64)
    np.cumsum([len(each) for each in columns], out=starts[1:])
    return Nonzero(starts, np.concatenate([*columns, np.zeros(1, np.int32)]))


def _used(centers: Floats, team: Team) -> NDArray[np.bool_]:
    """Mark the columns in which a center is not zero."""
    used = np.empty(centers.shape[1], np.bool_)
    team.run(find_used, centers, team.cut(len(used)), (used,), prange=True)
    return used


def new_state(problem: Problem) -> NDArray[np.float32]:
    """Return what is kept of every row: its length, and a margin that is not known yet."""
    rows, team = problem.rows, problem.team
    assert isinstance(rows, SparseRows)
    kept = np.zeros((2, rows.shape[0]), np.float32)
    arguments = problem.scaled, kept[0]
    team.run(measure_rows, rows.values, team.cut(rows.shape[0]), arguments)
    return kept


def assign(
    problem: Problem,
    centers: Centers,
    drift: Drift,
    kept: NDArray[np.float32],
    previous: Labels,
    labels: Labels,
) -> tuple[int, int]:
    """Assign all rows; return how many changed cluster, and how many met no center."""
    rows, team = problem.rows, problem.team
    assert isinstance(rows, SparseRows)
    bounds = team.cut(rows.shape[0])
    counts = np.zeros((len(bounds) - 1, 4), np.int64)
    shared = problem.scaled, centers
    arguments: tuple[Any, ...] = (
        problem.scaled, kept[0], centers, drift, kept[1], previous, labels,
    )  # fmt: skip
    team.run(screen_rows, rows.values, bounds, arguments, (counts,), prange=True)
    moved, left = int(counts[:, MOVED].sum()), int(counts[:, LEFT].sum())
    skipped, listed = int(counts[:, SKIPPED].sum()), left >= MANY_OPEN
    if problem.scaling.by_cosine and left:
        used = _used(centers.exact, team) if listed else np.empty(0, np.bool_)
        arguments = *shared, used, previous, labels
        team.run(settle_directions, rows.values, bounds, arguments, (counts,), prange=True)
        return moved + int(counts[:, MOVED].sum()), skipped
    while left:
        arguments = *shared, _nonzero(centers.exact if listed else None), previous, labels
        team.run(settle_rows, rows.values, bounds, arguments, (counts,), prange=True)
        moved, left = moved + int(counts[:, MOVED].sum()), int(counts[:, LEFT].sum())
        listed = True
    return moved, skipped


def label_sparse_rows(problem: Problem, centers: Floats, labels: Labels) -> None:
    """Write the closest center of each row; ties go to the lowest index."""
    table = CenterTable(centers.shape)
    nobody = np.full(len(labels), -1, np.int32)
    assign(problem, *table.follow(problem, centers), new_state(problem), nobody, labels)


class Sparse:
    """The engine for sparse rows; margins are carried from iteration to iteration."""

    def __init__(self, problem: Problem, n_clusters: int) -> None:
        self._problem = problem
        n, d = problem.shape
        self._table = CenterTable((n_clusters, d))
        self._kept = new_state(problem)
        rows = problem.rows
        assert isinstance(rows, SparseRows)
        values = len(rows.values)
        self.cost = COST_ROW * n + values * (COST_VALUE + COST_PAIR * n_clusters)
        self.cost += COST_TABLE * n_clusters * d

    def label(self, centers: Floats, sums: Sums, previous: Labels, labels: Labels) -> Assigned:
        """Label the rows and update the sums."""
        problem = self._problem
        filled, drift = self._table.follow(problem, centers)
        n_moved, n_skipped = assign(problem, filled, drift, self._kept, previous, labels)
        sums.move_all(previous, labels)
        if filled.repeated.any():  # equal centers are in no margin, and may move apart
            self.forget()
        return Assigned(n_moved, n_skipped / len(labels), self.cost)

    def write(self, labels: Labels) -> None:
        """Do nothing: ``label`` has written the labels."""

    def forget(self) -> None:
        """Drop the margins of all rows."""
        self._kept[1] = 0.0
