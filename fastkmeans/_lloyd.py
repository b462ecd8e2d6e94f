"""One run of Lloyd's algorithm: buffers, the loop, convergence.

    repeat   labels  <- closest center of every row      (assign, settle)
             centers <- mean of every cluster's rows     (update, relocate)
    until    no label changes, or the centers hardly move

Lloyd (1982), IEEE Transactions on Information Theory 28(2).  Centers stay float64
between iterations whatever the dtype of the data.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._empty import relocate, snap
from ._frame import Frame
from ._kernels import drivers
from ._kernels.assign import assign_rows, settle_rows
from ._kernels.pack import pack_centers
from ._kernels.simd import CENTERS
from ._kernels.update import CHAINS, COUNT, add_squares, move_rows, update_centers
from ._parallel import MANY_RANGES, SMALL_TABLE, Team, cut, within
from ._rows import Block, Rows

LABELS_REPEAT = "no row changed its cluster"
SMALL_SHIFT = "the centers moved less than tol"
MAX_ITER = "max_iter was reached"

REBUILD_AFTER = 16
"""Iterations after which the sums are built anew."""


class Iteration(NamedTuple):
    """What happened in one iteration.

    Attributes
    ----------
    inertia : float
        Sum of squared distances to the closest center, before the centers move; right
        to about 1e-15 of the sum of squared distances to the mean of the data.
    center_shift : float
        Euclidean norm of the move of all centers, in the units of the data.
    n_moved : int
        Rows that changed cluster (all of them in the first iteration).
    seconds : float
        Wall time.
    """

    inertia: float
    center_shift: float
    n_moved: int
    seconds: float


class Run(NamedTuple):
    """The outcome of one run; labels and inertia are those of the centers."""

    labels: NDArray[np.int32]
    inertia: float
    centers: NDArray[np.float64]
    n_iter: int
    converged: bool
    stop_reason: str
    history: list[Iteration]
    n_found: int


class Step(NamedTuple):
    """What one pass over the data found, in scaled units."""

    inertia: float
    moved: float
    n_empty: int
    n_moved: int


def work_of(shape: tuple[int, int], n_clusters: int) -> float:
    """Estimate the nanoseconds of one pass on one thread."""
    n, d = shape
    return n * (n_clusters * d / 50 + d + 8)


class Packed:
    """Centers in the form the tile reads, and the call that packs them."""

    def __init__(self, n_clusters: int, n_features: int) -> None:
        shape = (-(-n_clusters // CENTERS), 1 + n_features, CENTERS)
        self.norms = np.empty(n_clusters)
        self.table = np.empty(1 << (2 * n_clusters).bit_length(), np.int32)
        self.repeated = np.empty(n_clusters, np.bool_)
        self.scaled = np.empty((n_clusters, n_features))
        self.tiles = np.zeros(shape, np.float32)
        self.largest = 0.0

    @property
    def buffers(self) -> tuple[NDArray[Any], ...]:
        return self.norms, self.table, self.repeated, self.scaled, self.tiles

    def pack(self, centers: NDArray[np.float64], frame: Frame) -> None:
        self.largest = pack_centers(centers, frame.shift, frame.scale, *self.buffers)

    def tiles64(self, centers: NDArray[np.float64], frame: Frame) -> NDArray[np.float64]:
        """Return the tiles in float64, for the rows that float32 leaves open."""
        tiles = np.zeros(self.tiles.shape)
        pack_centers(centers, frame.shift, frame.scale, *self.buffers[:-1], tiles)
        return tiles


def assign_block(
    X: Block,
    team: Team,
    frame: Frame,
    centers: NDArray[np.float64],
    packed: Packed,
    previous: NDArray[np.int32],
    labels: NDArray[np.int32],
) -> int:
    """Assign the rows of a block; return how many changed cluster."""
    bounds = team.cut(X.shape[1])
    counts = np.zeros((len(bounds) - 1, 3), np.int64)
    rest = (packed.largest, previous, labels)
    arguments: tuple[Any, ...] = (frame.x_offset, frame.x_scale, centers, packed.tiles, *rest)
    team.run(assign_rows, X, bounds, arguments, (counts,), drivers.assign_parallel)
    moved = int(counts[:, 0].sum())
    if counts[:, 2].any():
        tiles = packed.tiles64(centers, frame)
        arguments = (frame.offset, frame.scale, centers, tiles, *rest)
        bounds = cut(X.shape[1], team.size)  # few: each fills up its last block
        counts = counts[: len(bounds) - 1]
        team.run(settle_rows, X, bounds, arguments, (counts,))
        moved += int(counts[:, 0].sum())
    return moved


class Lloyd:
    """The buffers of a fit, shared by its restarts, and the loop over them.

    The sums are kept per range of rows and the ranges are added in order.  Their
    number depends on the shape of the data only, and their memory is bounded by a
    small part of that of the data.
    """

    def __init__(
        self,
        rows: Rows,
        weights: NDArray[np.float64],
        n_clusters: int,
        frame: Frame,
        team: Team,
    ) -> None:
        n, d = rows.shape
        self.rows, self.weights, self.frame, self.team = rows, weights, frame, team
        self.packed = Packed(n_clusters, d)
        self.labels = np.full(n, -1, np.int32)
        self.previous = np.full(n, -1, np.int32)
        budget = max(n * d // 16, 1 << 18)
        parts = min(64, budget // (n_clusters * d * 8), n // 4096)
        self.bounds = cut(n, parts)
        n_ranges = len(self.bounds) - 1
        self.sums = np.empty((n_ranges, n_clusters, d))
        self.cluster_weights = np.empty((n_ranges, 2, n_clusters))
        self.total = np.empty((n_clusters, d))
        self.total_weights = np.empty((2, n_clusters))
        self.centers = np.empty((n_clusters, d))
        self.new_centers = np.empty((n_clusters, d))
        self._counts = np.empty(3, np.int64)
        self._age = 0  # iterations since the sums were built
        self._rebuild = True

    def step(self) -> Step:
        """Assign all rows to ``centers``; put the means into ``new_centers``."""
        self.labels, self.previous = self.previous, self.labels
        rows, frame = self.rows, self.frame
        blocks = rows.blocks()
        start, X = next(blocks)
        if self.team.serial and X.shape[1] == rows.shape[0]:
            inertia, moved, n_empty = drivers.iterate_serial(
                X, self.bounds, self.weights, frame.shift, frame.scale, frame.scatter,
                frame.x_offset, frame.x_scale, frame.offset, self.centers,
                *self.packed.buffers, self.previous, self.labels, self._counts,
                self._rebuild, self.sums, self.cluster_weights, self.total,
                self.total_weights, self.new_centers,
            )  # fmt: skip
            n_moved = int(self._counts[0])
        else:
            self.packed.pack(self.centers, frame)
            self._clear()
            n_moved = self._assign_and_move(start, X)
            for start, X in blocks:
                n_moved += self._assign_and_move(start, X)
            inertia, moved, n_empty = self._finish()
        # What rounding leaves of rows that came and went is swept out now and then.
        self._age = 0 if self._rebuild else self._age + 1
        self._rebuild = self._age >= REBUILD_AFTER or 2 * n_moved > rows.shape[0]
        return Step(inertia, moved, n_empty, n_moved)

    def take_means(self) -> None:
        """Put the means of the rows by ``labels``, as they are, into ``new_centers``."""
        self.centers[:] = self.frame.shift
        self.packed.pack(self.centers, self.frame)
        self._clear()
        for start, X in self.rows.blocks():
            self._move(start, X)
        self._finish()

    def inertia(self) -> float:
        """Return the inertia of ``labels`` against ``centers``, in scaled units."""
        n, d = self.rows.shape
        scale = self.frame.scale
        # Plain differences x - c, scaled: a shift would cost them digits.
        centers, no_offset = self.centers * scale, np.zeros(d)
        ranges = cut(n, MANY_RANGES if n * d > SMALL_TABLE else 1)
        squares = np.zeros((len(ranges) - 1, CHAINS, d))
        for start, X in self.rows.blocks():
            part = slice(start, start + X.shape[1])
            weights = self.weights[part] if self.weights.size else self.weights
            touched, bounds = within(ranges, start, part.stop)
            arguments = (weights, self.labels[part], no_offset, scale, centers)
            self.team.run(add_squares, X, bounds, arguments, (squares[touched],))
        return float(squares.sum())

    def _clear(self) -> None:
        if self._rebuild:
            self.sums[:] = 0.0
            self.cluster_weights[:] = 0.0

    def _finish(self) -> tuple[float, float, int]:
        result: tuple[float, float, int] = update_centers(
            self.sums, self.cluster_weights, self.frame.shift, self.frame.scale,
            self.frame.scatter, self.packed.scaled, self.centers, self.total,
            self.total_weights, self.new_centers,
        )  # fmt: skip
        return result

    def _assign_and_move(self, start: int, X: Block) -> int:
        part = slice(start, start + X.shape[1])
        previous, labels = self.previous[part], self.labels[part]
        n_moved = assign_block(
            X, self.team, self.frame, self.centers, self.packed, previous, labels
        )
        self._move(start, X)
        return n_moved

    def _move(self, start: int, X: Block) -> None:
        """Apply the rows of a block to the sums of the ranges that it crosses."""
        part = slice(start, start + X.shape[1])
        ranges, bounds = within(self.bounds, start, part.stop)
        frame, d = self.frame, X.shape[2]
        weights = self.weights[part] if self.weights.size else self.weights
        labels = self.previous[part], self.labels[part]
        arguments = (weights, *labels, self._rebuild, frame.offset, frame.scale)
        outputs = (self.sums[ranges], self.cluster_weights[ranges])
        n_slices = max(1, min(-(-2 * self.team.size // (len(bounds) - 1)), d // 32))
        slices = np.linspace(0, d, n_slices + 1).astype(np.int64)
        self.team.run(
            lambda X, start, stop, *rest: move_rows(X, start, stop, 0, d, *rest),
            X, bounds, arguments, outputs,
            lambda X, bounds, *rest: drivers.move_parallel(X, bounds, slices, *rest),
        )  # fmt: skip

    def run(
        self,
        centers: NDArray[np.float64],
        max_iter: int,
        tol: float,
        report: Callable[[int, Iteration], None] | None = None,
    ) -> Run:
        """Iterate from ``centers``; ``tol`` is relative to the mean variance."""
        self.centers[:] = centers
        self.labels[:] = -1
        self._rebuild = True
        scale, tolerance = self.frame.scale, tol * self.frame.mean_variance
        history: list[Iteration] = []
        reason = MAX_ITER
        while len(history) < max_iter:
            began = time.perf_counter()
            step = self.step()
            relocated, moved = 0, step.moved
            if step.n_empty:
                relocated = relocate(self)
                with np.errstate(over="ignore"):  # user centers at the end of the range
                    moved = float((((self.new_centers - self.centers) * scale) ** 2).sum())
            seconds = time.perf_counter() - began
            record = Iteration(
                step.inertia / scale / scale, moved**0.5 / scale, step.n_moved, seconds
            )
            history.append(record)
            if report is not None:
                report(len(history), record)
            if step.n_moved == 0 and not relocated:
                reason = LABELS_REPEAT
                break
            self.centers, self.new_centers = self.new_centers, self.centers
            if moved <= tolerance and not relocated:
                step = self.step()
                if not step.n_empty:
                    reason = SMALL_SHIFT
                    break
        if reason == MAX_ITER:
            self.step()
        inertia = snap(self, self.inertia())
        return Run(
            self.labels.copy(),
            inertia / scale / scale,
            self.centers.copy(),
            len(history),
            reason != MAX_ITER,
            reason,
            history,
            int(np.count_nonzero(self.total_weights[COUNT])),
        )
