"""Nested batches that grow: Lloyd's algorithm on a sample, then on more rows.

Each batch holds the one before it, and the centers are the means of the batch as it is
labelled now: no row counts twice, and no label of long ago weighs on a mean.  A batch is
left for a larger one as soon as the centers move less than the sampling error of their
means: beyond that, more steps would fit the batch and not the data.  Batches grow until
they hold so many rows per cluster that more would hardly change the means.

Against the paper, batches grow faster (there: twofold), and to a bound; both were faster
at equal inertia, as the first step on any batch costs most.

Newling and Fleuret (2016), "Nested Mini-Batch K-Means", NIPS.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .._data.problem import open_problem
from .._engines.base import work_of
from .._engines.boxes import REPAID_AFTER
from .._kernels.shared.update import WEIGHT
from .._lloyd.empty import snap
from .._lloyd.loop import MAX_ITER, SMALL_SHIFT, iterate
from .._lloyd.run import Run, Step, Workspace
from .._runtime.adding import total_of
from .sample import Sample
from .step import NO_IMPROVEMENT, BatchStep, Course, Labelled, Means, Plan

ROWS_PER_CLUSTER = 2048
"""Rows per cluster of a batch of full size: the inertia loses about one part in so many,
far less than what one local optimum differs from the next."""
GROWTH = 8
"""How many times as large the next batch is, at most."""
ENOUGH = 0.02
"""Share of the inertia that ``max_no_improvement`` more steps must promise."""
TAUGHT = "the batch has taught enough"
"""Why the steps on a batch end where a larger one follows."""
SETTLED = 1.0
"""Squared move of the centers under which a batch has taught enough, as a share of the
squared sampling error of its means."""


class Nested:
    """A course of nested batches, the first of ``size`` rows."""

    def __init__(self, plan: Plan, sample: Sample, size: int) -> None:
        self._plan, self._sample = plan, sample
        self._first = min(size, sample.n_rows)
        self._enough = sample.n_rows
        if plan.patience is not None:
            self._enough = min(self._enough, ROWS_PER_CLUSTER * plan.n_clusters)
        self._most = plan.max_iter * sample.n_rows
        self._n_read = 0
        self.history: list[BatchStep] = []

    def run(self, centers: NDArray[np.float64]) -> Course:
        """Iterate from ``centers``, on batches that grow."""
        plan, size, k = self._plan, self._first, self._plan.n_clusters
        while True:
            batch = self._sample.first(size)
            n = batch.rows.shape[0]
            work = work_of(batch.rows.shape, k)
            with open_problem(batch.rows, batch.weights, plan.n_threads, work) as problem:
                last = size >= self._enough
                workspace = Workspace(problem, k, "auto" if last else "lloyd")
                left = self._left(n)
                # Boxes pay sooner here than the rule of a whole fit has it.
                run = workspace.begin(centers, max(left, REPAID_AFTER))
                rule = _Batch(plan, self.history, left, last, problem.scaling.mean_variance)
                reason = iterate(run, rule)
                self._n_read += n * rule.n_done
                centers = run.centers
                if rule.n_done == left:
                    reason = MAX_ITER
                if last or reason == MAX_ITER:
                    return self._end(run, reason, n == self._sample.n_samples)
            size = self._next(size)

    def _left(self, n_rows: int) -> int:
        """Return how many steps on a batch ``max_iter`` leaves: one at least."""
        return max(1, (self._most - self._n_read) // n_rows)

    def _next(self, size: int) -> int:
        """Return the size of the next batch; none is between half and full size."""
        grown = GROWTH * size
        if 2 * grown >= self._enough:
            grown = max(2 * size, self._enough)
        return min(grown, self._sample.n_rows)

    def _end(self, run: Run, reason: str, whole: bool) -> Course:
        """Return what the course came to; label the rows if the batch is all of them."""
        means = Means(run.centers.copy(), run.sums.total_weights[WEIGHT].copy())
        labelled, scale = None, run.problem.scaling.scale
        if whole and self._plan.compute_labels:
            run.step()
            inertia = snap(run, run.inertia())
            labelled = Labelled(run.centers.copy(), run.labels.copy(), inertia / scale / scale)
        return Course(means, self.history[-1].inertia, self.history, reason, labelled)


class _Batch:
    """When enough was learned from one batch: the rule of its iterations.

    Parameters
    ----------
    plan : Plan
        The parameters.
    history : list of BatchStep
        All steps so far; those on this batch are appended.
    most : int
        Most steps on the batch.
    last : bool
        Whether no larger batch follows.
    mean_variance : float
        Mean variance of the features of the batch, in scaled units.
    """

    def __init__(
        self, plan: Plan, history: list[BatchStep], most: int, last: bool, mean_variance: float
    ) -> None:
        self.tolerance = plan.tol * mean_variance
        self.n_done = 0
        self._plan, self._history, self._most, self._last = plan, history, most, last
        self._before = np.inf  # inertia of the step before

    def left(self) -> int:
        return self._most - self.n_done

    def record(self, run: Run, steps: list[Step], seconds: float) -> None:
        scale, weight = run.problem.scaling.scale, total_of(run.sums.total_weights[WEIGHT])
        for step in steps:
            mean, shift = step.inertia / weight / scale / scale, math.sqrt(step.moved) / scale
            record = BatchStep(run.problem.shape[0], mean, shift, seconds, step.avoided)
            self._history.append(record)
            if self._plan.verbose:
                record.report(len(self._history))
        self.n_done += len(steps)

    def converged(self, run: Run, step: Step, relocated: int) -> str:
        if relocated:
            return ""
        before, self._before = self._before, step.inertia
        if not self._last:
            return TAUGHT if step.moved <= SETTLED * _sampling_error(run, step.inertia) else ""
        if step.moved <= self.tolerance:
            return SMALL_SHIFT
        return NO_IMPROVEMENT if self._promises_little(before, step.inertia) else ""

    def _promises_little(self, before: float, inertia: float) -> bool:
        patience = self._plan.patience
        return patience is not None and (before - inertia) * patience <= ENOUGH * inertia


def _sampling_error(run: Run, inertia: float) -> float:
    """Estimate the summed variance of the centers, as means of the rows they have."""
    weights, counts = run.sums.total_weights
    return inertia / total_of(weights) * total_of(1.0 / counts[counts > 0.0])
