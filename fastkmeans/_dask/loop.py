"""One run of Lloyd's algorithm on a cluster: the rules are those of ``_lloyd.loop``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._distributed.merge import merge_statistics
from .._distributed.statistics import Statistics, Step
from .._lloyd.loop import CUT_SHORT, MAX_ITER, SMALL_SHIFT
from .._lloyd.run import Iteration
from .._lloyd.watch import Watch
from .._runtime.arrays import Floats
from .passes import Passes
from .worker import Centers, assign

NOT_COUNTED = -1
"""The number of moved rows, unless it is 0: partitions keep no labels between iterations."""


class Outcome(NamedTuple):
    """The outcome of one run; sizes and inertia belong to the centers."""

    labels: Any  # dask array
    centers: Floats
    inertia: float
    sizes: Any  # (n_clusters,), int64
    n_iter: int
    converged: bool
    stop_reason: str
    history: list[Iteration]


def run(
    passes: Passes,
    shared: Centers,
    max_iter: int,
    tol: float,
    watch: Watch,
    label: Callable[[Floats], Any],
) -> Outcome:
    """Iterate from ``shared.centers`` to the end of the run."""
    centers, reason = shared.centers, ""
    before: Step | None = None
    history: list[Iteration] = []
    while True:
        began = time.perf_counter()
        if not reason and len(history) < max_iter:
            watch.iteration_begins()
        found = passes.reduce("assign", assign, merge_statistics, shared._replace(centers=centers))
        step = found.step(centers, before, tol)
        if before is not None and before.small and step.converged:
            reason = SMALL_SHIFT
        elif not reason and len(history) == max_iter:
            reason = MAX_ITER
        if reason:  # this pass gave the labels of the last centers
            return _outcome(label(centers), found, centers, history, reason)
        reason = _record(found, step, before, history, time.perf_counter() - began, watch, label)
        if step.converged:
            return _outcome(label(centers), found, centers, history, reason or step.stop_reason)
        centers, before = step.centers, step


def _record(
    found: Statistics,
    step: Step,
    before: Step | None,
    history: list[Iteration],
    seconds: float,
    watch: Watch,
    label: Callable[[Floats], Any],
) -> str:
    """Add an iteration to the history; return why a listener ends the run, or ""."""
    repeats = before is not None and before.label_hash == step.label_hash
    n_moved = 0 if repeats else found.n_rows if before is None else NOT_COUNTED
    record = Iteration(found.inertia, step.center_shift, n_moved, seconds, 0.0)
    history.append(record)
    return watch.iteration(len(history), record, step.centers, label)


def _outcome(
    labels: Any, found: Statistics, centers: Floats, history: list[Iteration], reason: str
) -> Outcome:
    return Outcome(
        labels, np.array(centers), found.inertia, found.counts, len(history),
        reason not in CUT_SHORT, reason, history,
    )  # fmt: skip
