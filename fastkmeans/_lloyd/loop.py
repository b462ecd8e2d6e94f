"""One run of Lloyd's algorithm: buffers, the loop, convergence.

    repeat   labels  <- closest center of every row      (assign, settle)
             centers <- mean of every cluster's rows     (update, relocate)
    until    no label changes, or the centers hardly move

Lloyd (1982), IEEE Transactions on Information Theory 28(2).  Centers stay float64
between iterations whatever the dtype of the data.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.rows import ArrayRows, Rows
from .._data.scaling import Frame
from .._engines.auto import Engines
from .._engines.base import Packed
from .._engines.plain import assign_block
from .._engines.sums import CANCELLED, Sums, SumsState, sum_of_squares
from .._kernels.plain import serial
from .._kernels.shared.update import COUNT
from .._runtime.adding import total_of
from .._runtime.aligned import aligned
from .._runtime.threads import Team
from .empty import relocate, snap

LABELS_REPEAT = "no row changed its cluster"
SMALL_SHIFT = "the centers moved less than tol"
MAX_ITER = "max_iter was reached"


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
        Wall time; iterations of small tables are timed together.
    avoided : float
        Share of the distances between rows and centers that were not computed, because
        bounds ruled the center out; comparisons in bytes count as avoided.
    """

    inertia: float
    center_shift: float
    n_moved: int
    seconds: float
    avoided: float


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


class Watch:
    """What a fit tells on its way.  This one listens to nothing.

    Attributes
    ----------
    unit : float
        What an inertia is multiplied by to be that of the caller's weights.
    """

    unit = 1.0

    def run_begins(self, number: int, n_runs: int) -> None:
        """Hear that run ``number`` of ``n_runs`` begins, from 0."""

    def iteration(self, number: int, iteration: Iteration) -> None:
        """Hear of an iteration of the run, from 1."""

    def run_ends(self, run: Run) -> None:
        """Hear how the run ended."""


class State(NamedTuple):
    """Where a run is at the end of an iteration: enough to go on with the same bits.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers of the iteration to come.
    labelled_by : ndarray of shape (n_clusters, n_features)
        The centers that the labels belong to.
    n_moved : int
        Rows that changed cluster.
    sums : SumsState
        The sums of the clusters, with the rounding that they have gathered.
    """

    centers: NDArray[np.float64]
    labelled_by: NDArray[np.float64]
    n_moved: int
    sums: SumsState


class Step(NamedTuple):
    """What one pass over the data found, in scaled units."""

    inertia: float
    moved: float
    n_empty: int
    n_moved: int
    avoided: float


class Workspace:
    """What the runs of a fit share: the buffers, and what the engines keep of the rows."""

    def __init__(
        self,
        rows: Rows,
        weights: NDArray[np.float64],
        n_clusters: int,
        frame: Frame,
        team: Team,
        algorithm: str = "lloyd",
    ) -> None:
        n, d = rows.shape
        self.rows, self.weights, self.frame, self.team = rows, weights, frame, team
        self.n_clusters = n_clusters
        self.packed = Packed(n_clusters, d)
        self.engines = Engines(algorithm, rows, weights, self.packed, frame, team)
        self.sums = Sums(rows, weights, n_clusters, frame, team)
        # One array for both: larger memory gets larger pages.
        self.labels: NDArray[np.int32] = rows.empty((2, n), np.int32)
        self.labels[:] = -1
        self.centers = [aligned((n_clusters, d), np.float64) for _ in range(2)]
        self.n_begun = 0

    def begin(self, centers: NDArray[np.float64], n_expected: int) -> Lloyd:
        """Return a run from some centers, which may take ``n_expected`` iterations.

        It takes the buffers over: the run before cannot go on.
        """
        return Lloyd(self, centers, n_expected)

    def restore(self, state: State, n_expected: int) -> Lloyd:
        """Return a run that goes on from the end of an iteration.

        Labels are not part of the state: they are those of ``labelled_by``.
        """
        run = self.begin(state.centers, n_expected)
        self.label_by(state.labelled_by)
        run.new_centers[:] = state.labelled_by
        run.n_moved = state.n_moved
        run.sums.restore(state.sums)
        return run

    def label_by(self, centers: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the closest of some centers, in the buffer of labels: copy what is to last."""
        labels: NDArray[np.int32] = self.labels[0]
        before = self.labels[1]
        before[:] = -1
        own = aligned(centers.shape, np.float64)
        own[:] = centers
        self.packed.pack(own, self.frame)
        for start, X in self.rows.blocks():
            part = slice(start, start + X.shape[1])
            then, now = before[part], labels[part]
            assign_block(X, self.team, self.frame, own, self.packed, then, now)
        return labels


class Lloyd:
    """One run in the buffers of a workspace, and the loop over iterations.

    Parameters
    ----------
    workspace : Workspace
        The buffers, which the run takes over.
    centers : ndarray of shape (n_clusters, n_features)
        The initial centers.
    n_expected : int
        Iterations that the run may take; engines are chosen by it.
    """

    def __init__(self, workspace: Workspace, centers: NDArray[np.float64], n_expected: int) -> None:
        self.rows, self.weights = workspace.rows, workspace.weights
        self.frame, self.team = workspace.frame, workspace.team
        self.packed, self.sums = workspace.packed, workspace.sums
        self.labels, self.previous = workspace.labels
        self.centers, self.new_centers = workspace.centers
        self.labels[:] = -1
        self.centers[:] = centers
        self.sums.rebuild = True
        self.choice = workspace.engines.begin(n_expected)
        workspace.n_begun += 1
        self._workspace, self._number = workspace, workspace.n_begun
        self._counts = np.empty(3, np.int64)
        self.n_moved = self.rows.shape[0]

    def step(self) -> Step:
        """Assign all rows to ``centers``; put the means into ``new_centers``."""
        return self._steps(1, np.inf)[0]

    def _steps(self, limit: int, tolerance: float) -> list[Step]:
        """Do one step, or for a small table as many as call for no decision."""
        if self._number != self._workspace.n_begun:
            raise RuntimeError("A later run has taken the buffers of this one over.")
        self.labels, self.previous = self.previous, self.labels
        self.sums.clear()
        if self.team.serial and self.choice.only_plain and isinstance(self.rows, ArrayRows):
            steps = self._steps_serial(self.rows, limit, tolerance)
        else:
            labelled = self.choice.label(
                self.centers, self.sums, self.previous, self.labels, self.n_moved
            )
            inertia, moved, n_empty = self.sums.means(self.centers, self.new_centers)
            self.sums.note_weights()
            steps = [Step(inertia, moved, n_empty, labelled.n_moved, labelled.avoided)]
        for step in steps[:-1]:
            self.sums.end(step.n_moved, self.rows.shape[0])
        if self.sums.have_cancelled:
            self.write_labels()
            self.sums.rebuild = True
            inertia, moved, n_empty = self._add_up()
            self.sums.note_weights()
            steps[-1] = steps[-1]._replace(inertia=inertia, moved=moved, n_empty=n_empty)
        self.n_moved = steps[-1].n_moved
        self.sums.end(self.n_moved, self.rows.shape[0])
        return steps

    def _steps_serial(self, rows: ArrayRows, limit: int, tolerance: float) -> list[Step]:
        """Do them in one call of a kernel."""
        frame, sums = self.frame, self.sums
        _, X = next(rows.blocks())
        n_steps, room = sums.left(X.shape[1])
        steps = np.empty((min(limit, n_steps), 4))
        n_done = serial.run_serial(
            X, sums.bounds, self.weights, frame.shift, frame.scale, frame.scatter,
            frame.x_offset, frame.x_scale, frame.offset, self.centers,
            *self.packed.buffers, self.previous, self.labels, self._counts,
            sums.all_features, sums.rebuild, sums.parts, sums.part_weights,
            sums.total_weights, self.new_centers, sums.center_bounds, np.empty(3), sums.heaviest,
            CANCELLED, room, tolerance, steps,
        )  # fmt: skip
        if n_done % 2 == 0:
            self.labels, self.previous = self.previous, self.labels
            self.centers, self.new_centers = self.new_centers, self.centers
        return [
            Step(inertia, moved, int(n_empty), int(n_moved), 0.0)
            for inertia, moved, n_empty, n_moved in steps[:n_done].tolist()
        ]

    def take_means(self) -> None:
        """Put the means of the rows by ``labels``, as they are, into ``new_centers``.

        A cluster without rows keeps its initial center.
        """
        self._add_up()

    def _add_up(self) -> tuple[float, float, int]:
        """Build the sums of ``labels`` anew, and return what ``Sums.means`` does."""
        self.sums.clear()
        for start, X in self.rows.blocks():
            part = slice(start, start + X.shape[1])
            self.sums.move(start, X, self.previous[part], self.labels[part])
        return self.sums.means(self.centers, self.new_centers)

    def write_labels(self) -> None:
        """Bring ``labels`` up to date: an engine may keep them in another order."""
        self.choice.used.write(self.labels)

    def inertia(self) -> float:
        """Return the inertia of ``labels`` against ``centers``, in scaled units."""
        self.write_labels()
        return sum_of_squares(
            self.rows, self.weights, self.labels, self.centers, self.frame.scale, self.team
        )

    def state(self) -> State:
        """Return what ``restore`` needs to go on, at the end of an iteration."""
        return State(self.centers, self.new_centers, self.n_moved, self.sums.state())

    def go_on(
        self,
        history: list[Iteration],
        max_iter: int,
        tol: float,
        report: Callable[[int, Iteration], None] | None = None,
        pause: Callable[[list[Iteration]], None] | None = None,
    ) -> Run:
        """Iterate from where the run is, and return how it ended.

        ``tol`` is relative to the mean variance; ``pause`` is called wherever ``state`` can be
        asked for, after every iteration.
        """
        tolerance = tol * self.frame.mean_variance
        reason = MAX_ITER
        while len(history) < max_iter:
            # Of a large table each iteration is timed and told, and can be interrupted.
            together = self.team.small and pause is None
            limit = max_iter - len(history) if together else 1
            records, moved, relocated = self._iterate(limit, tolerance)
            for record in records:
                history.append(record)
                if report is not None:
                    report(len(history), record)
            if records[-1].n_moved == 0 and not relocated:
                reason = LABELS_REPEAT
                break
            self.centers, self.new_centers = self.new_centers, self.centers
            if moved <= tolerance and not relocated:
                step = self.step()
                if not step.n_empty:
                    reason = SMALL_SHIFT
                    break
            elif pause is not None:
                pause(history)
        if reason == MAX_ITER:
            self.step()
        return self._outcome(history, reason)

    def _iterate(self, limit: int, tolerance: float) -> tuple[list[Iteration], float, int]:
        """Do one iteration or more; return them, and two figures of the last one.

        The figures are the squared move of the centers and the number of centers that
        were relocated.
        """
        began = time.perf_counter()
        scale = self.frame.scale
        steps = self._steps(limit, tolerance)
        moved, relocated = steps[-1].moved, 0
        if steps[-1].n_empty:
            relocated = relocate(self)
            with np.errstate(over="ignore"):  # user centers at the end of the range
                moved = total_of(((self.new_centers - self.centers) * scale) ** 2)
            steps[-1] = steps[-1]._replace(moved=moved)
        seconds = (time.perf_counter() - began) / len(steps)
        records = [
            Iteration(
                step.inertia / scale / scale, math.sqrt(step.moved) / scale, step.n_moved, seconds,
                step.avoided,
            )
            for step in steps
        ]  # fmt: skip
        return records, moved, relocated

    def _outcome(self, history: list[Iteration], reason: str) -> Run:
        """Return the run whose last labels and centers these are."""
        scale = self.frame.scale
        inertia = snap(self, self.inertia())
        labels = self.rows.empty(self.labels.size, np.int32)
        labels[:] = self.labels
        return Run(
            labels,
            inertia / scale / scale,
            self.centers.copy(),
            len(history),
            reason != MAX_ITER,
            reason,
            history,
            int(np.count_nonzero(self.sums.total_weights[COUNT])),
        )
