"""The engine of bounds in float32 (``_kernels.bounded.rows``): for runs in which few rows move.

Labels are those of plain Lloyd in every iteration, and the same code adds the sums.  So a
run has the same bits with this engine and without it.
"""

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem
from .._data.rows import Rows
from .._kernels.bounded.bounds import BoundedRows, GroupedCenters
from .._kernels.bounded.group import GROUPS
from .._kernels.bounded.rows import bounded_rows
from .._kernels.bytes.quantize import WIDER
from .._kernels.emit.simd import CENTERS
from .._kernels.plain.bound import EXACT_NORM
from .._kernels.plain.start import TABLE_MULTIPLE
from .._runtime.arrays import Floats, Labels, aligned
from .base import Assigned, Packed
from .costs import bounded_cost
from .plain import assign_block, settle_open
from .sums import Sums

ROUNDED = 1.0 + 2.0**-40
"""Factor that covers the rounding of a drift in float64."""
ROUNDED_COORDINATE = 2.0**-50
"""Error of a drift, per root of the number of features, from the rounding of coordinates of 1."""


def state_bytes(n_features: int) -> int:
    """Return the bytes kept per row: an upper bound, and a lower one per group."""
    return 4 + 4 * GROUPS


def possible(rows: Rows) -> bool:
    """Return True: any rows will do."""
    return True


class Bounded:
    """The bounds of the rows, and the groups of the centers."""

    cost = 0.0  # not known before the rows are labelled

    def __init__(self, problem: Problem, packed: Packed) -> None:
        self._problem, self._packed = problem, packed
        (n, d), n_tiles = problem.shape, len(packed.tiles)
        self._upper = np.empty(n, np.float32)
        self._edges = np.arange(GROUPS + 1) * n_tiles // GROUPS  # some groups may have no tile
        self._lower = aligned((n, GROUPS), np.float32)
        k, height = len(packed.norms), packed.tiles.shape[1]
        self._before = np.zeros((k, d))
        self._order = self._place = np.arange(k, dtype=np.int32)
        self._table = aligned((k, -(-height // TABLE_MULTIPLE) * TABLE_MULTIPLE), np.float32)
        self._table[:] = 0.0
        self.forget()

    def regrouped(self, packed: Packed) -> "Bounded":
        """Return the engine for other centers; this one must not label any more."""
        return Bounded(self._problem, packed)

    def forget(self) -> None:
        """Drop the bounds on all distances: ``_arrange`` lets the lower ones become infinite."""
        self._upper[:], self._first = np.inf, True

    def write(self, labels: Labels) -> None:
        """Do nothing: ``label`` has written the labels."""

    def note(self, centers: Floats) -> None:
        """Note the centers before the first iteration: groups form by the drift from there."""
        self._before[:] = self._scaled(centers)

    def _scaled(self, centers: Floats) -> Floats:
        scaling = self._problem.scaling
        with np.errstate(over="ignore"):  # centers of the user may be near the largest float64
            return (centers - scaling.shift) * scaling.unit

    @np.errstate(over="ignore", invalid="ignore")
    def _measure(self, centers: Floats) -> NDArray[np.float32]:
        """Return the drift of the centers since the last call, rounded up; it may be infinite.

        It is no number for centers so far away that the bounds are dropped.
        """
        scaled = self._scaled(centers)
        step, size = scaled - self._before, np.abs(scaled).max() + np.abs(self._before).max()
        self._before[:] = scaled
        lost = ROUNDED_COORDINATE * size * np.sqrt(scaled.shape[1])
        drift = np.sqrt(np.einsum("jf,jf->j", step, step)) * ROUNDED + lost
        return drift.astype(np.float32) * WIDER  # type: ignore[no-any-return]

    def _arrange(self, centers: Floats) -> GroupedCenters | None:
        """Pack the centers by groups; return None if some are equal, or scores may overflow."""
        drift, packed, k = self._measure(centers), self._packed, len(centers)
        if self._first:
            self._order = (-drift).argsort(kind="stable").astype(np.int32)
            self._place = np.empty_like(self._order)
            self._place[self._order] = np.arange(k, dtype=np.int32)
        packed.pack(centers[self._order], self._problem.scaling)
        if packed.repeated.any() or not packed.largest <= EXACT_NORM:
            return None
        height = packed.tiles.shape[1]
        rows = packed.tiles.transpose(0, 2, 1).reshape(-1, height)[:k]
        self._table[self._order, : height - 1] = rows[:, 1:]
        self._table[self._order, height - 1] = rows[:, 0]
        fastest, falling = np.zeros(GROUPS, np.float32), drift[self._order]
        for g in range(GROUPS):
            members = falling[self._edges[g] * CENTERS : self._edges[g + 1] * CENTERS]
            fastest[g] = np.inf if self._first else members.max(initial=0.0)
        return GroupedCenters(
            packed.tiles, self._edges, self._order, self._place, self._table, drift, fastest,
            packed.largest,
        )  # fmt: skip

    def label(self, centers: Floats, sums: Sums, previous: Labels, labels: Labels) -> Assigned:
        """Label the rows, block by block, and update the sums; every row has a label before."""
        problem, packed = self._problem, self._packed
        scaling, team = problem.scaling, problem.team
        grouped, first = self._arrange(centers), self._first
        if grouped is None:  # of equal centers the one of lowest index must come first in tiles
            packed.pack(centers, scaling)
        total = np.zeros(6, np.int64)
        for part, X in problem.blocks():
            before, now = previous[part], labels[part]
            if grouped is None:
                total[0] += assign_block(X, problem, centers, packed, before, now)
                sums.move(part, X, before, now)
                continue
            rows = BoundedRows(self._upper[part], self._lower[part])
            bounds = team.cut(X.shape[1])
            counts = np.zeros((len(bounds) - 1, 6), np.int64)
            arguments = scaling.x_offset, scaling.x_scale, grouped, rows, before, now
            team.run(bounded_rows, X, bounds, arguments, (counts,), prange=True)
            total += counts.sum(axis=0)
            total[0] += settle_open(X, problem, centers, packed, before, now, bounds, counts)
            sums.move(part, X, before, now)
        n_moved, _, _, met, scored, rivals = total.tolist()
        n, k = problem.shape[0], len(centers)
        if grouped is None:
            met, scored = n, n * k
            self.forget()
        else:
            self._first = False
        avoided = max(0.0, 1.0 - scored / (n * k))
        cost = bounded_cost(problem.shape, met, scored, rivals)
        return Assigned(n_moved, avoided, cost, first)
