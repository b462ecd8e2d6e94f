"""Lloyd's algorithm: the loop, and the rules that end it.

    allocate    buffers for labels, sums and centers            run.Workspace
    repeat
      assign    labels  <- closest center of every row          run.Run.steps: an engine
      update    centers <- means of the clusters                run.Run.steps: the sums
      relocate  empty clusters take the farthest rows           empty.relocate
    until       no label changes, or a rule ends the run        converge

Lloyd (1982), IEEE Transactions on Information Theory 28(2).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .._kernels.shared.update import COUNT
from .empty import relocate, snap
from .run import Iteration, Outcome, Run, Step
from .watch import STOPPED, Watch

LABELS_REPEAT = "no row changed its cluster"
SMALL_SHIFT = "the centers moved less than tol"
MAX_ITER = "max_iter was reached"
HOPELESS = "it was not on the way to a lower inertia than a run before"
CUT_SHORT = (MAX_ITER, STOPPED)
"""The reasons for which a run ends before it has converged."""


FIRST_LOOK = 8
"""Iterations after which a run may be hopeless; then after half as many more each time."""


class Rule(Protocol):
    """A rule that records the iterations of a run and ends it."""

    tolerance: float
    """Squared center shift, in scaled units, above which ``converged`` need not be asked."""

    def begin(self) -> int:
        """Begin an iteration; return how many may follow, with this one.  None ends the run."""

    def record(self, run: Run, steps: list[Step], seconds: float) -> str:
        """Record iterations that took ``seconds`` each; return why the run ends, or "" to go on.

        ``run.centers`` have moved, unless the last iteration changed nothing.
        """

    def converged(self, run: Run, step: Step, relocated: int) -> str:
        """Return why the run ends after its centers have moved, or "" to go on."""


def iterate(run: Run, rule: Rule, together: bool = False) -> str:
    """Iterate until a rule ends the run; return why it ended.

    In the end the labels belong to the centers if no label changed; else the centers have
    moved since.  ``together`` allows several iterations in one call, timed together.
    """
    while (left := rule.begin()) > 0:
        began = time.perf_counter()
        steps = run.steps(left if together else 1, rule.tolerance)
        last, relocated = steps[-1], 0
        if last.n_empty:
            relocated = relocate(run)
            last = steps[-1] = last._replace(moved=run.center_shift())
        seconds = (time.perf_counter() - began) / len(steps)
        settled = last.n_moved == 0 and not relocated
        if not settled:
            run.move_centers()
        if reason := rule.record(run, steps, seconds):
            return reason
        if settled:
            return LABELS_REPEAT
        if reason := rule.converged(run, last, relocated):
            return reason
    return MAX_ITER


def next_look(n_done: int) -> int:
    """Return after how many iterations a run that has done so many is looked at: 8, 12, 18, ..."""
    look = FIRST_LOOK
    while look <= n_done:
        look += look // 2
    return look


def is_hopeless(history: list[Iteration], least: float) -> bool:
    """Return whether a run would not fall below an inertia, even if it gained as much once more.

    What it gained counts from the middle of its iterations so far.
    """
    now, before = history[-1].inertia, history[len(history) // 2 - 1].inertia
    return now - max(0.0, before - now) > least


@dataclass
class Convergence:
    """The rule of a full run: ``max_iter`` iterations, or until the centers hardly move."""

    history: list[Iteration]  # the iterations so far; new ones are appended
    max_iter: int
    tolerance: float
    watch: Watch  # gets each iteration, from number 1
    pause: Callable[[list[Iteration]], None] | None  # called when the run can be saved
    least: float = math.inf  # a run that is not on the way below this inertia ends

    def begin(self) -> int:
        left = self.max_iter - len(self.history)
        if self.least < math.inf:
            left = min(left, next_look(len(self.history)) - len(self.history))
        if left > 0:
            self.watch.iteration_begins()
        return left

    def record(self, run: Run, steps: list[Step], seconds: float) -> str:
        unit, reason = run.problem.scaling.unit, ""
        for step in steps:
            record = Iteration(
                step.inertia / unit / unit, math.sqrt(step.moved) / unit, step.n_moved, seconds,
                step.avoided,
            )  # fmt: skip
            self.history.append(record)
            reason = self.watch.iteration(len(self.history), record, run.centers, run.label)
        n_done = len(self.history)
        looks = self.least < math.inf and next_look(n_done - 1) == n_done
        if not reason and looks and is_hopeless(self.history, self.least):
            reason = HOPELESS
        return reason

    def converged(self, run: Run, step: Step, relocated: int) -> str:
        if step.moved <= self.tolerance and not relocated:
            # One more step labels the rows for the new centers; it may empty a cluster, unless
            # the centers stayed in their places.
            return "" if run.step().n_empty and step.moved > 0.0 else SMALL_SHIFT
        if self.pause is not None:
            self.pause(self.history)
        return ""


def finish(
    run: Run,
    history: list[Iteration],
    max_iter: int,
    tol: float,
    watch: Watch | None = None,
    pause: Callable[[list[Iteration]], None] | None = None,
    least: float = math.inf,
) -> Outcome:
    """Iterate a run to its end; see ``Convergence`` for the parameters.

    ``tol`` is the squared center shift to stop at, as a share of the mean variance.  A run that is
    not on the way below ``least`` ends without labels; its inertia is the last one of its history.
    """
    watch = watch or Watch()
    tolerance = tol * run.problem.scaling.mean_variance
    rule = Convergence(history, max_iter, tolerance, watch, pause, least)
    # For a large table, each iteration is timed and can be interrupted.
    alone = watch.stepwise or pause is not None
    reason = iterate(run, rule, together=run.problem.team.small and not alone)
    if reason == HOPELESS:
        n_iter, inertia = len(history), history[-1].inertia
        nothing = np.empty(0, np.int32)
        return Outcome(nothing, inertia, run.centers.copy(), n_iter, False, reason, history, 0)
    if reason in CUT_SHORT:
        run.step()  # labels that belong to the centers
    unit = run.problem.scaling.unit
    inertia = snap(run, run.inertia(watch.last_pass(run.problem, run.centers)))
    labels = run.problem.rows.empty(run.labels.size, np.int32)
    labels[:] = run.labels
    n_found = int(np.count_nonzero(run.sums.total_weights[COUNT]))
    return Outcome(
        labels, inertia / unit / unit, run.centers.copy(), len(history),
        reason not in CUT_SHORT, reason, history, n_found,
    )  # fmt: skip
