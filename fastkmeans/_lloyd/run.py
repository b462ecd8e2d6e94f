"""One run of Lloyd's algorithm: its buffers, and one iteration.

Centers are float64 between iterations, for rows of any dtype.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._data.problem import Problem, Take
from .._data.rows import ArrayRows
from .._data.sparse import SparseRows
from .._engines.auto import Engines
from .._engines.base import Packed
from .._engines.plain import label_rows
from .._engines.sums import CANCELLED, Sums, SumsState, sum_of_squares
from .._kernels.plain import serial
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, Labels, aligned


class Iteration(NamedTuple):
    """What happened in one iteration."""

    inertia: float  # before the centers move; its error: 1e-15 of the scatter around the mean
    center_shift: float  # Euclidean norm of the move of all centers, in the units of the data
    n_moved: int  # rows that changed cluster (all rows in the first iteration)
    seconds: float  # wall time; the iterations of small tables share the time of one call
    avoided: float  # share of the distances not computed; comparisons in codes count as avoided


class Outcome(NamedTuple):
    """The outcome of one run; labels and inertia belong to the centers."""

    labels: Labels
    inertia: float
    centers: Floats
    n_iter: int
    converged: bool
    stop_reason: str
    history: list[Iteration]
    n_found: int


class State(NamedTuple):
    """The state of a run at the end of an iteration: enough to go on with the same bits."""

    centers: Floats  # of the next iteration
    labelled_by: Floats  # the centers that the labels belong to
    n_moved: int  # rows that changed cluster
    sums: SumsState  # with their rounding errors


class Resumed(NamedTuple):
    """Where a fit goes on."""

    number: int  # of the run, from 0
    run: Run | None  # None if the run has not begun
    history: list[Iteration]  # the iterations of the run so far
    best: Outcome | None  # the best of the runs before


class Step(NamedTuple):
    """What one iteration found, in scaled units."""

    inertia: float
    moved: float  # squared center shift
    n_empty: int
    n_moved: int
    avoided: float
    cancelled: bool  # whether a cluster lost almost all its weight, and its sums their digits


class Workspace:
    """What the runs of a fit share: the buffers, and the engines with their state of the rows.

    ``before``: a workspace of the same problem whose runs are over.  What it keeps of the rows
    does not depend on the number of clusters, and is taken over.
    """

    def __init__(
        self,
        problem: Problem,
        n_clusters: int,
        algorithm: str = "lloyd",
        before: Workspace | None = None,
    ) -> None:
        n, d = problem.shape
        self.problem, self.n_clusters = problem, n_clusters
        is_sparse = isinstance(problem.rows, SparseRows)  # they have a table of their own
        self.packed = Packed(n_clusters, 0 if is_sparse else d)
        taken: Engines | None = None if before is None else before.engines
        self.engines: Engines = Engines(algorithm, problem, self.packed, taken)
        self.sums = Sums(problem, n_clusters)
        # One array for both: a larger one gets larger pages of memory.
        self.labels: Labels = (
            problem.rows.empty((2, n), np.int32) if before is None else before.labels
        )
        self.labels[:] = -1
        self.centers = [aligned((n_clusters, d), np.float64) for _ in range(2)]
        self.n_begun = 0

    def begin(self, centers: Floats, n_expected: int) -> Run:
        """Return a run from ``centers``; it takes the buffers, so the last run cannot go on."""
        return Run(self, centers, n_expected)

    def restore(self, state: State, n_expected: int) -> Run:
        """Return a run that goes on from ``state``, with labels found from ``labelled_by``."""
        run = self.begin(state.centers, n_expected)
        self.label_by(state.labelled_by)
        run.new_centers[:] = state.labelled_by
        run.n_moved = state.n_moved
        run.sums.restore(state.sums)
        return run

    def label_by(self, centers: Floats) -> Labels:
        """Return each row's closest center, in the buffer of labels: copy them to keep them."""
        labels: Labels = self.labels[0]
        label_rows(self.problem, centers, labels)
        return labels


class Run:
    """One run in the buffers of a workspace.

    ``n_expected`` is how many iterations the run may take; engines are chosen by it.
    """

    def __init__(self, workspace: Workspace, centers: Floats, n_expected: int) -> None:
        self.problem = workspace.problem
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
        self.n_moved = self.problem.shape[0]

    def step(self) -> Step:
        """Assign all rows to ``centers``; write the means to ``new_centers``."""
        return self.steps(1, np.inf)[0]

    def steps(self, limit: int, tolerance: float) -> list[Step]:
        """Do one step; for a small table, do steps until one needs a decision."""
        if self._number != self._workspace.n_begun:
            raise RuntimeError("A later run has taken the buffers of this one over.")
        n, rows = self.problem.shape[0], self.problem.rows
        self.labels, self.previous = self.previous, self.labels
        self.sums.clear()
        if self.problem.team.serial and self.choice.only_plain and isinstance(rows, ArrayRows):
            steps = self._steps_serial(rows, limit, tolerance)
        else:
            steps = [self._step()]
        for step in steps[:-1]:
            self.sums.end(step.n_moved, n)
        if steps[-1].cancelled:
            self.write_labels()
            self.sums.rebuild = True
            inertia, moved, n_empty = self.take_means()
            self.sums.note_weights()
            steps[-1] = steps[-1]._replace(inertia=inertia, moved=moved, n_empty=n_empty)
        self.n_moved = steps[-1].n_moved
        self.sums.end(self.n_moved, n)
        return steps

    def _step(self) -> Step:
        """Do one step: the engine assigns the rows and updates the sums."""
        assigned = self.choice.label(
            self.centers, self.sums, self.previous, self.labels, self.n_moved
        )
        inertia, moved, n_empty = self.sums.means(self.centers, self.new_centers)
        self.sums.note_weights()
        cancelled = self.sums.have_cancelled
        return Step(inertia, moved, n_empty, assigned.n_moved, assigned.avoided, cancelled)

    def _steps_serial(self, rows: ArrayRows, limit: int, tolerance: float) -> list[Step]:
        """Do the steps of a small table in one call of a kernel."""
        scaling, sums = self.problem.scaling, self.sums
        _, X = next(rows.blocks())
        n_steps, room = sums.left(X.shape[1])
        steps = np.empty((min(limit, n_steps), 5))
        n_done = serial.run_serial(
            X, self.problem.weights,
            (
                scaling.shift, scaling.offset, scaling.scale, scaling.unit, scaling.scatter,
                scaling.x_offset, scaling.x_scale, self.problem.inverse,
            ),
            self.packed.buffers,
            (
                sums.bounds, sums.all_features, sums.center_bounds, sums.parts,
                sums.part_weights, sums.total_weights, sums.heaviest,
            ),
            self.centers, self.new_centers, self.previous, self.labels, sums.rebuild, room,
            CANCELLED, tolerance, self._counts, np.empty(3), steps,
        )  # fmt: skip
        if n_done % 2 == 0:
            self.labels, self.previous = self.previous, self.labels
            self.move_centers()
        return [
            Step(inertia, moved, int(n_empty), int(n_moved), 0.0, lost > 0.0)
            for inertia, moved, n_empty, n_moved, lost in steps[:n_done].tolist()
        ]

    def take_means(self) -> tuple[float, float, int]:
        """Rebuild the sums of ``labels``; write the means to ``new_centers``, as ``Sums.means``.

        A cluster without rows keeps its center.
        """
        self.sums.clear()
        self.sums.move_all(self.previous, self.labels)
        return self.sums.means(self.centers, self.new_centers)

    def move_centers(self) -> None:
        """Make the new centers the current ones."""
        self.centers, self.new_centers = self.new_centers, self.centers

    def center_shift(self) -> float:
        """Return the squared distance from ``centers`` to ``new_centers``, in scaled units."""
        with np.errstate(over="ignore"):  # centers of the user may be near the largest float64
            difference = (self.new_centers - self.centers) * self.problem.scaling.unit
            return total_of(difference**2)

    def write_labels(self) -> None:
        """Update ``labels``: an engine may hold them in another order."""
        self.choice.used.write(self.labels)

    def label(self, centers: Floats) -> Labels:
        """Return each row's closest one of some centers, in an array of its own."""
        labels: Labels = self.problem.rows.empty(self.problem.shape[0], np.int32)
        label_rows(self.problem, centers, labels)
        return labels

    def inertia(self, take: Take | None = None) -> float:
        """Return the inertia of ``labels`` against ``centers``, in scaled units.

        ``take`` gets the rows and their labels in the same pass.
        """
        self.write_labels()
        return sum_of_squares(self.problem, self.labels, self.centers, take)

    def state(self) -> State:
        """Return the state for ``Workspace.restore``, at the end of an iteration."""
        return State(self.centers, self.new_centers, self.n_moved, self.sums.state())
