"""Random batches of one size, until the inertia stops improving.

Batches are drawn by weight, with replacement.  The stopping rules are scikit-learn's.
"""

import math
import time

import numpy as np

from .._data.problem import problem_of
from .._data.rows import Rows
from .._data.scaling import Scaling
from .._data.sparse import selected
from .._data.validation import NO_WEIGHTS
from .._engines.base import work_of
from .._lloyd.loop import MAX_ITER, SMALL_SHIFT
from .._lloyd.run import Workspace
from .._runtime.arrays import Floats
from .._runtime.threads import Team
from .step import (
    NO_IMPROVEMENT,
    BatchStep,
    Course,
    Plan,
    first_means,
    is_due,
    label_by,
    reassign,
    take_in,
)


class _Drawer:
    """Draws random batches by weight, with replacement."""

    def __init__(self, rows: Rows, weights: Floats, rng: np.random.Generator) -> None:
        self._rows, self._rng = rows, rng
        self._sums = np.cumsum(weights) if weights.size else None
        self._last = int(np.flatnonzero(weights)[-1]) if weights.size else rows.shape[0] - 1

    def draw(self, size: int) -> Rows:
        if self._sums is None:
            indices = self._rng.integers(0, self._rows.shape[0], size)
        else:
            uniform = self._rng.random(size) * self._sums[-1]
            indices = np.minimum(np.searchsorted(self._sums, uniform, side="right"), self._last)
        indices.sort()  # to read memory in one direction
        return selected(self._rows, indices)


class Monitor:
    """Decides when random batches have stopped improving, as scikit-learn does."""

    def __init__(self, plan: Plan, share: float, scaling: Scaling) -> None:
        self._plan, self._scaling = plan, scaling
        self._alpha = min(1.0, 2.0 * share)
        self.average: float | None = None
        self._least = np.inf
        self._without = 0

    def reason(self, number: int, inertia: float, moved: float) -> str:
        """Return why to stop after step ``number``, or "".

        ``inertia`` is a mean; it and ``moved`` are in the units of the scaling.
        """
        if number == 1:  # the inertia of the initial centers
            return ""
        if self.average is None:
            self.average = inertia
        else:
            self.average += self._alpha * (inertia - self.average)
        if self._plan.tol > 0.0 and moved <= self._plan.tol * self._scaling.mean_variance:
            return SMALL_SHIFT
        self._without = 0 if self.average < self._least else self._without + 1
        self._least = min(self._least, self.average)
        patience = self._plan.patience
        return NO_IMPROVEMENT if patience is not None and self._without >= patience else ""


def random_batches(
    plan: Plan,
    rows: Rows,
    weights: Floats,
    centers: Floats,
    scaling: Scaling,
    rng: np.random.Generator,
) -> Course:
    """Run steps on random batches; ``scaling`` belongs to the first sample."""
    n, k = rows.shape[0], plan.n_clusters
    size = min(plan.batch_size, n)
    drawer = _Drawer(rows, weights, rng)
    monitor = Monitor(plan, size / (n + 1), scaling)
    means = first_means(plan, centers)
    history: list[BatchStep] = []
    reason, label = "", label_by(rows, plan)
    with Team(plan.n_threads, work_of((size, rows.shape[1]), k)) as team:
        while not reason:
            plan.watch.iteration_begins()
            began = time.perf_counter()
            batch = drawer.draw(size)
            problem = problem_of(batch, NO_WEIGHTS, team, plan.by_cosine)
            due = is_due(means, size)
            means, found = take_in(means, Workspace(problem, k))
            if due:
                means = reassign(means, problem, plan.reassignment_ratio, rng)
            inertia, moved = found.inertia / size, found.moved
            seconds = time.perf_counter() - began
            unit = problem.scaling.unit
            step = BatchStep(
                size, inertia / unit / unit, math.sqrt(moved) / unit, seconds, found.avoided
            )
            history.append(step)
            stop = plan.watch.iteration(len(history), step, means.centers, label)
            zoom = scaling.unit / unit
            reason = monitor.reason(len(history), inertia * zoom * zoom, moved * zoom * zoom)
            reason = stop or reason
            if not reason and (len(history) + 1) * size > plan.max_iter * n:
                reason = MAX_ITER
    average = history[-1].inertia
    if monitor.average is not None:
        average = monitor.average / scaling.unit / scaling.unit
    return Course(means, average, history, reason)
