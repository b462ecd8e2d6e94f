"""Mini-batch fits: the sample, the initial centers, the schedule, the labels."""

from typing import Any

import numpy as np

from .._data.problem import open_problem
from .._data.rows import Rows
from .._data.sample import Sample
from .._data.validation import Weights, as_generator
from .._engines.base import work_of
from .._lloyd.empty import ROUNDING, snap
from .._lloyd.predict import assess
from .._lloyd.run import Workspace
from .._runtime.arrays import Floats
from .._runtime.errors import warn
from .nested import nested_batches
from .random import random_batches
from .step import (
    Course,
    Labelled,
    Means,
    Plan,
    first_means,
    is_due,
    label_by,
    reassign,
    start,
    take_in,
)

SEEDS_PER_CLUSTER = 5
"""Least rows per cluster in the first nested batch."""
SMALL_SHARE, LARGE_SHARE = 16, 64
"""The centers are initialised from 1/16 of a small table, up to 3 batches, and from 1/64 of a
large table, up to 16 batches.  A row costs 50 times as much there as in a step."""


def first_size(plan: Plan, n_samples: int) -> int:
    """Return from how many rows the centers are initialised."""
    batch, k, size = min(plan.batch_size, n_samples), plan.n_clusters, plan.init_size
    if size is None and plan.schedule == "nested":
        share = max(min(n_samples // SMALL_SHARE, 3 * batch), n_samples // LARGE_SHARE)
        size = max(batch, SEEDS_PER_CLUSTER * k, min(share, 16 * batch))
    elif size is None:
        size = 3 * batch if 3 * batch >= k else 3 * k
    elif size < k:
        warn(
            f"init_size={size} should be larger than n_clusters={k}. Setting it to "
            "min(3*n_clusters, n_samples)",
            RuntimeWarning,
        )
        size = 3 * k
    return min(size, n_samples)


def run(plan: Plan, rows: Rows, weights: Weights, size: int, rng: np.random.Generator) -> Course:
    """Find centers by the chosen schedule; the initial ones come from ``size`` rows."""
    values = weights.values
    sample = Sample(rows, values, size, plan.n_clusters, rng)
    centers, scaling = start(plan, plan.n_init, sample.first(size), rng)
    plan.watch.seeded()
    if plan.schedule == "random":  # drawn by weight, so each row counts one
        return random_batches(plan, rows, values, centers, scaling, rng)
    course = nested_batches(plan, sample, size, centers, label_by(rows, plan))
    return course._replace(means=course.means._replace(unit=weights.unit))


def step(
    plan: Plan, rows: Rows, weights: Weights, means: Means | None, source: Any
) -> tuple[Means, Labelled | None, np.random.Generator]:
    """Do one step on a batch; if there are no means, the batch gives the initial centers.

    ``source`` is a random state; the batch is checked before anything is drawn from it.
    """
    k = plan.n_clusters
    values, unit = weights
    work = work_of(rows.shape, k)
    with open_problem(rows, values, plan.n_threads, work, plan.by_cosine) as problem:
        own = problem.scaling.unit
        rng = as_generator(source)
        if means is None:
            size = first_size(plan._replace(schedule="random"), rows.shape[0])
            sample = Sample(rows, values, size, k, rng)
            centers, _ = start(plan, 1, sample.first(size), rng)
            means = first_means(plan, centers, unit)
        due = is_due(means, rows.shape[0])
        means, _ = take_in(means, Workspace(problem, k), unit)
        if due:
            means = reassign(means, problem, plan.reassignment_ratio, rng)
        if not plan.compute_labels:
            return means, None, rng
        labels, inertia = assess(problem, means.centers)
    return means, Labelled(means.centers, labels, inertia / own / own, problem.lengths), rng


def label(plan: Plan, rows: Rows, weights: Floats, centers: Floats) -> Labelled:
    """Label all rows; if each cluster is one distinct row, its center becomes that row."""
    k = plan.n_clusters
    work = work_of(rows.shape, k)
    with open_problem(rows, weights, plan.n_threads, work, plan.by_cosine) as problem:
        own = problem.scaling.unit
        labels, inertia = assess(problem, centers)
        if 0.0 < inertia <= ROUNDING * problem.scaling.scatter:
            run = Workspace(problem, k).begin(centers, 1)
            run.step()
            inertia = snap(run, inertia)
            labels, centers = run.labels, run.centers
    return Labelled(centers, labels, inertia / own / own, problem.lengths)
