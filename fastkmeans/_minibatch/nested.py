"""Nested batches that grow: Lloyd's algorithm on a sample, then on more rows.

Each batch contains the batch before it.  The centers are the means of the batch as labelled
now: no row counts twice, and old labels have no effect.  A larger batch follows as soon as
the centers move less than the sampling error of their means: more steps would fit the batch
and not the data.  Batches grow until more rows per cluster would hardly change the means.

Newling and Fleuret (2016), "Nested Mini-Batch K-Means", NIPS.  Unlike theirs, these batches
grow more than twofold, and up to a bound.  Both were faster at equal inertia, because the first
step on a batch costs most.
"""

import math
from dataclasses import dataclass

import numpy as np

from .._data.problem import open_problem
from .._data.sample import Sample
from .._engines.base import work_of
from .._engines.costs import REPAID_AFTER
from .._kernels.shared.update import WEIGHT
from .._lloyd.empty import snap
from .._lloyd.loop import CUT_SHORT, MAX_ITER, SMALL_SHIFT, iterate
from .._lloyd.run import Run, Step, Workspace
from .._lloyd.watch import STOPPED, Label
from .._runtime.adding import column_totals, total_of
from .._runtime.arrays import Floats
from .._seeding.sampled import SETTLED, sampling_error
from .step import NO_IMPROVEMENT, BatchStep, Course, Labelled, Means, Plan

ROWS_PER_CLUSTER = 2048
"""Rows per cluster of a batch of full size.  The inertia is then about 1 / 2048 too high, far
less than the difference between two local optima."""
GROWTH = 8
"""Largest ratio of the sizes of two successive batches."""
ENOUGH = 0.02
"""Least gain that ``max_no_improvement`` more steps must promise, as a share of the inertia."""
TAUGHT = "the batch has taught enough"
"""Why the steps on a batch end if a larger batch follows."""


def nested_batches(plan: Plan, sample: Sample, size: int, centers: Floats, label: Label) -> Course:
    """Iterate from ``centers`` on batches that grow; the first has ``size`` rows."""
    k, enough = plan.n_clusters, sample.n_rows
    if plan.patience is not None:
        enough = min(enough, ROWS_PER_CLUSTER * k)
    size, n_read = min(size, sample.n_rows), 0
    history: list[BatchStep] = []
    while True:
        batch = sample.first(size)
        n = batch.rows.shape[0]
        work = work_of(batch.rows.shape, k)
        with open_problem(
            batch.rows, batch.weights, plan.n_threads, work, plan.by_cosine
        ) as problem:
            last = size >= enough
            workspace = Workspace(problem, k, "auto" if last else "lloyd")
            left = max(1, (plan.max_iter * sample.n_rows - n_read) // n)  # steps, by max_iter
            # Boxes pay sooner here than in a whole fit.
            run = workspace.begin(centers, max(left, REPAID_AFTER))
            tolerance = plan.tol * problem.scaling.mean_variance
            rule = _Batch(plan, history, left, last, tolerance, label)
            reason = iterate(run, rule)
            n_read += n * rule.n_done
            centers = run.centers
            if rule.n_done == left and reason != STOPPED:
                reason = MAX_ITER
            if last or reason in CUT_SHORT:
                labels = n == sample.n_samples and plan.compute_labels
                return _end(run, history, reason, labels)
        grown = GROWTH * size
        if 2 * grown >= enough:  # no batch is between half and full size
            grown = max(2 * size, enough)
        size = min(grown, sample.n_rows)


def _end(run: Run, history: list[BatchStep], reason: str, labels: bool) -> Course:
    """Return the result; label the rows if the batch is the whole table."""
    weights = run.sums.total_weights[WEIGHT].copy()
    means = Means(run.centers.copy(), weights)
    if run.problem.scaling.by_cosine:
        sizes = np.sqrt(column_totals((run.sums.total() ** 2).T))
        lengths = np.where(weights > 0.0, sizes / np.where(weights > 0.0, weights, 1.0), 1.0)
        means = means._replace(lengths=lengths)
    labelled, unit = None, run.problem.scaling.unit
    if labels:
        run.step()
        inertia = snap(run, run.inertia())
        labelled = Labelled(
            run.centers.copy(), run.labels.copy(), inertia / unit / unit, run.problem.lengths
        )
    return Course(means, history[-1].inertia, history, reason, labelled)


@dataclass
class _Batch:
    """The rule that ends the iterations on one batch."""

    plan: Plan
    history: list[BatchStep]  # of all batches; new steps are appended
    most: int  # steps
    last: bool  # whether no larger batch follows
    tolerance: float
    label: Label  # all rows, for a callback
    n_done: int = 0
    before: float = math.inf  # inertia of the step before

    def begin(self) -> int:
        left = self.most - self.n_done
        if left > 0:
            self.plan.watch.iteration_begins()
        return left

    def record(self, run: Run, steps: list[Step], seconds: float) -> str:
        reason, watch = "", self.plan.watch
        unit, weight = run.problem.scaling.unit, total_of(run.sums.total_weights[WEIGHT])
        for step in steps:
            mean, shift = step.inertia / weight / unit / unit, math.sqrt(step.moved) / unit
            record = BatchStep(run.problem.shape[0], mean, shift, seconds, step.avoided)
            self.history.append(record)
            reason = watch.iteration(len(self.history), record, run.centers, self.label)
        self.n_done += len(steps)
        return reason

    def converged(self, run: Run, step: Step, relocated: int) -> str:
        if relocated:
            return ""
        before, self.before = self.before, step.inertia
        if not self.last:
            return TAUGHT if step.moved <= SETTLED * sampling_error(run, step.inertia) else ""
        if step.moved <= self.tolerance:
            return SMALL_SHIFT
        gain, patience = before - step.inertia, self.plan.patience
        little = patience is not None and gain * patience <= ENOUGH * step.inertia
        return NO_IMPROVEMENT if little else ""
