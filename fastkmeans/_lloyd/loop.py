"""Lloyd's algorithm: the loop, and when it ends.

    allocate    buffers for labels, sums and centers            run.Workspace
    repeat
      assign    labels  <- closest center of every row          run.Run.steps: an engine
      update    centers <- means of the clusters                run.Run.steps: the sums
      relocate  empty clusters take the farthest rows           empty.relocate
    until       no label changes, or a rule ends the run        converge

Lloyd (1982), IEEE Transactions on Information Theory 28(2).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from .._kernels.shared.update import COUNT
from .empty import relocate, snap
from .run import Iteration, Outcome, Run, Step

LABELS_REPEAT = "no row changed its cluster"
SMALL_SHIFT = "the centers moved less than tol"
MAX_ITER = "max_iter was reached"


class Rule(Protocol):
    """When a run ends, and what becomes of its iterations."""

    tolerance: float
    """Squared move of the centers, in scaled units, that ``converged`` wants to see."""

    def left(self) -> int:
        """Return how many iterations may follow; 0 ends the run."""
        ...

    def record(self, run: Run, steps: list[Step], seconds: float) -> None:
        """Take note of iterations; each took so many seconds."""
        ...

    def converged(self, run: Run, step: Step, relocated: int) -> str:
        """Return why a run ends whose centers have just moved, or "" to go on."""
        ...


def iterate(run: Run, rule: Rule, together: bool = False) -> str:
    """Iterate until a rule ends the run; return why it ended.

    Parameters
    ----------
    run : Run
        The run.  If no label changed in the end, its labels belong to its centers;
        else the centers moved after that.
    rule : Rule
        When to end.
    together : bool
        Whether several iterations may be done in one call; they are timed together.
    """
    while left := rule.left():
        began = time.perf_counter()
        steps = run.steps(left if together else 1, rule.tolerance)
        last, relocated = steps[-1], 0
        if last.n_empty:
            relocated = relocate(run)
            last = steps[-1] = last._replace(moved=run.center_shift())
        rule.record(run, steps, (time.perf_counter() - began) / len(steps))
        if last.n_moved == 0 and not relocated:
            return LABELS_REPEAT
        run.move_centers()
        if reason := rule.converged(run, last, relocated):
            return reason
    return MAX_ITER


class Convergence:
    """The rule of a full run: ``max_iter`` iterations, or until the centers hardly move.

    Parameters
    ----------
    run : Run
        The run.
    history : list of Iteration
        What the run has done; iterations are appended.
    max_iter : int
        Most iterations.
    tol : float
        Squared move of the centers to stop at, as a share of the mean variance.
    report : callable, optional
        Called with the number, from 1, and the record of each iteration.
    pause : callable, optional
        Called with the history wherever the state of the run can be saved.
    """

    def __init__(
        self,
        run: Run,
        history: list[Iteration],
        max_iter: int,
        tol: float,
        report: Callable[[int, Iteration], None] | None,
        pause: Callable[[list[Iteration]], None] | None,
    ) -> None:
        self.tolerance = tol * run.problem.scaling.mean_variance
        self._history, self._max_iter = history, max_iter
        self._report, self._pause = report, pause

    def left(self) -> int:
        return self._max_iter - len(self._history)

    def record(self, run: Run, steps: list[Step], seconds: float) -> None:
        scale = run.problem.scaling.scale
        for step in steps:
            record = Iteration(
                step.inertia / scale / scale, math.sqrt(step.moved) / scale, step.n_moved, seconds,
                step.avoided,
            )  # fmt: skip
            self._history.append(record)
            if self._report is not None:
                self._report(len(self._history), record)

    def converged(self, run: Run, step: Step, relocated: int) -> str:
        if step.moved <= self.tolerance and not relocated:
            # The labels of the centers as they are now; a cluster may have become empty.
            return "" if run.step().n_empty else SMALL_SHIFT
        if self._pause is not None:
            self._pause(self._history)
        return ""


def finish(
    run: Run,
    history: list[Iteration],
    max_iter: int,
    tol: float,
    report: Callable[[int, Iteration], None] | None = None,
    pause: Callable[[list[Iteration]], None] | None = None,
) -> Outcome:
    """Iterate from where a run is to its end; see ``Convergence`` for the parameters."""
    rule = Convergence(run, history, max_iter, tol, report, pause)
    # Iterations of a large table are timed one by one, and each can be interrupted.
    reason = iterate(run, rule, together=run.problem.team.small and pause is None)
    if reason == MAX_ITER:
        run.step()  # for labels that belong to the centers
    scale = run.problem.scaling.scale
    inertia = snap(run, run.inertia())
    labels = run.problem.rows.empty(run.labels.size, np.int32)
    labels[:] = run.labels
    n_found = int(np.count_nonzero(run.sums.total_weights[COUNT]))
    return Outcome(
        labels, inertia / scale / scale, run.centers.copy(), len(history), reason != MAX_ITER,
        reason, history, n_found,
    )  # fmt: skip
