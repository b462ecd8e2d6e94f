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
import time

import numpy as np
from numpy.typing import NDArray

from .._engines.base import work_of
from .._kernels.shared.update import WEIGHT
from .._lloyd.empty import relocate, snap
from .._lloyd.loop import LABELS_REPEAT, MAX_ITER, SMALL_SHIFT, Lloyd, Step, Workspace
from .._runtime.adding import total_of
from .._runtime.threads import Team
from .sample import Sample
from .step import NO_IMPROVEMENT, BatchStep, Course, Labelled, Means, Plan, framed

ROWS_PER_CLUSTER = 2048
"""Rows per cluster of a batch of full size: the inertia loses about one part in so many,
far less than what one local optimum differs from the next."""
GROWTH = 8
"""How many times as large the next batch is, at most."""
ENOUGH = 0.02
"""Share of the inertia that ``max_no_improvement`` more steps must promise."""
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
        size, k = self._first, self._plan.n_clusters
        while True:
            batch = self._sample.first(size)
            shape = batch.rows.shape
            with Team(self._plan.n_threads, work_of(shape, k)) as team:
                frame = framed(batch.rows, batch.weights, team)
                last = size >= self._enough
                algorithm = "auto" if last else "lloyd"
                workspace = Workspace(batch.rows, batch.weights, k, frame, team, algorithm)
                lloyd = workspace.begin(centers, self._left(shape[0]))
                reason = self._stay(lloyd, last)
                centers = lloyd.centers
                if reason:
                    return self._end(lloyd, reason, shape[0] == self._sample.n_samples)
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

    def _end(self, lloyd: Lloyd, reason: str, whole: bool) -> Course:
        """Return what the course came to; label the rows if the batch is all of them."""
        means = Means(lloyd.centers.copy(), lloyd.sums.total_weights[WEIGHT].copy())
        labelled, scale = None, lloyd.frame.scale
        if whole and self._plan.compute_labels:
            lloyd.step()
            inertia = snap(lloyd, lloyd.inertia())
            labelled = Labelled(lloyd.centers.copy(), lloyd.labels.copy(), inertia / scale / scale)
        return Course(means, self.history[-1].inertia, self.history, reason, labelled)

    def _stay(self, lloyd: Lloyd, last: bool) -> str:
        """Iterate on one batch; return why the course ends, or "" where the batch grows."""
        frame, n = lloyd.frame, lloyd.rows.shape[0]
        before = np.inf
        while True:
            began = time.perf_counter()
            step = lloyd.step()
            relocated, moved = 0, step.moved
            if step.n_empty:
                relocated = relocate(lloyd)
                with np.errstate(over="ignore"):
                    moved = total_of(((lloyd.new_centers - lloyd.centers) * frame.scale) ** 2)
            lloyd.centers, lloyd.new_centers = lloyd.new_centers, lloyd.centers
            self._n_read += n
            self._record(lloyd, step._replace(moved=moved), time.perf_counter() - began)
            if self._n_read + n > self._most:
                return MAX_ITER
            if relocated:
                continue
            if step.n_moved == 0:
                return LABELS_REPEAT if last else ""
            if not last:
                if moved <= SETTLED * _sampling_error(lloyd, step.inertia):
                    return ""
            elif moved <= self._plan.tol * frame.mean_variance:
                return SMALL_SHIFT
            elif self._promises_little(before, step.inertia):
                return NO_IMPROVEMENT
            before = step.inertia

    def _promises_little(self, before: float, inertia: float) -> bool:
        patience = self._plan.patience
        return patience is not None and (before - inertia) * patience <= ENOUGH * inertia

    def _record(self, lloyd: Lloyd, step: Step, seconds: float) -> None:
        scale, weight = lloyd.frame.scale, total_of(lloyd.sums.total_weights[WEIGHT])
        mean, shift = step.inertia / weight / scale / scale, math.sqrt(step.moved) / scale
        record = BatchStep(lloyd.rows.shape[0], mean, shift, seconds, step.avoided)
        self.history.append(record)
        if self._plan.verbose:
            record.report(len(self.history))


def _sampling_error(lloyd: Lloyd, inertia: float) -> float:
    """Estimate the summed variance of the centers, as means of the rows they have."""
    weights, counts = lloyd.sums.total_weights
    return inertia / total_of(weights) * total_of(1.0 / counts[counts > 0.0])
