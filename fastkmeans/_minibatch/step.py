"""Batches: the initial centers, one step of running means, reassignment of light clusters.

    labels  <- closest center of every row of the batch        (the E step of Lloyd)
    center  <- mean of all rows that were ever assigned to it, in any batch

Sculley (2010), "Web-scale k-means clustering", WWW, with scikit-learn's reassignment of
clusters of low weight.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._data.lengths import Lengths, to_length_one
from .._data.problem import Problem, open_problem
from .._data.rows import Rows
from .._data.sample import Batch
from .._data.scaling import Scaling
from .._data.sparse import SparseRows
from .._data.tables import Table
from .._engines.base import work_of
from .._kernels.shared.update import COUNT, NO_DIRECTION, WEIGHT
from .._lloyd.predict import closest_centers
from .._lloyd.run import Step, Workspace
from .._lloyd.watch import Label, Watch
from .._runtime.adding import column_totals, total_of
from .._runtime.arrays import Floats, Labels
from .._seeding.initial import initial_centers

SEED_ALONE = 1 << 21
"""Values of a table below which one thread seeds faster than several."""
NO_IMPROVEMENT = "the inertia of the batches did not improve any more"


class BatchStep(NamedTuple):
    """What happened in one step."""

    n_rows: int  # of the batch
    inertia: float  # weighted mean over the batch, before the centers move
    center_shift: float  # Euclidean norm of the move of all centers, in the units of the data
    seconds: float  # wall time
    avoided: float  # share of the distances not computed, as for ``KMeans``


class Plan(NamedTuple):
    """The checked parameters of the estimator."""

    n_clusters: int
    init: str | ArrayLike | Callable[..., ArrayLike]
    n_init: int
    init_size: int | None
    batch_size: int
    schedule: str
    max_iter: int
    tol: float
    patience: int | None
    reassignment_ratio: float
    compute_labels: bool
    n_threads: int | None
    verbose: bool
    by_cosine: bool
    watch: Watch


class Means(NamedTuple):
    """Centers, and the weight of the rows whose mean each center is."""

    centers: Floats
    weights: Floats
    unit: float = 1.0  # of the weights
    since: int = 0  # rows since the last search for clusters of low weight
    lengths: Floats | None = None  # by cosine, of the means before they were brought to length 1


class Labelled(NamedTuple):
    """Centers, the labels of rows and their inertia."""

    centers: Floats
    labels: Labels
    inertia: float
    lengths: Lengths | None = None


class Course(NamedTuple):
    """The result of a schedule of batches."""

    means: Means
    inertia: float  # mean per unit of weight
    history: list[BatchStep]
    stop_reason: str
    labelled: Labelled | None = None  # by the final centers, if the last batch was all rows


def label_by(rows: Rows, plan: Plan) -> Label:
    """Return the function that labels all rows, for a callback that asks for labels."""
    table, by_cosine = Table(rows, None), plan.by_cosine
    return lambda centers: closest_centers(table, centers, plan.n_threads, "X", by_cosine)


def first_means(plan: Plan, centers: Floats, unit: float = 1.0) -> Means:
    """Return centers as means of no rows yet."""
    k = plan.n_clusters
    return Means(centers, np.zeros(k), unit, lengths=np.ones(k) if plan.by_cosine else None)


def take_in(means: Means, workspace: Workspace, unit: float = 1.0) -> tuple[Means, Step]:
    """Add the rows of a workspace to the means; return the new means and the step.

    The old means do not change.  The inertia of the step is against the old centers, and
    ``moved`` is the squared shift from the old means to the new ones.
    """
    run = workspace.begin(means.centers, 1)
    step = run.step()
    total = run.sums.total_weights
    before, gained = means.weights, total[WEIGHT]
    if unit > means.unit:
        before = before * (means.unit / unit)
    elif unit < means.unit:
        gained = gained * (unit / means.unit)
    weights = before + gained
    seen = (total[COUNT] > 0.0) & (weights > 0.0)
    share = (gained[seen] / weights[seen])[:, None]
    centers, lengths = means.centers.copy(), means.lengths
    if lengths is None:
        centers[seen] = share * run.new_centers[seen] + (1.0 - share) * centers[seen]
    else:
        new = run.sums.total()[seen] / total[WEIGHT, seen][:, None]
        mixed = share * new + (1.0 - share) * (lengths[seen, None] * centers[seen])
        lengths = lengths.copy()
        lengths[seen] = np.sqrt(column_totals((mixed * mixed).T))
        turns = lengths[seen] > NO_DIRECTION
        centers[np.flatnonzero(seen)[turns]] = to_length_one(mixed[turns])
    with np.errstate(over="ignore"):  # a user's centers may lie anywhere
        moved = total_of(((centers - means.centers) * run.problem.scaling.unit) ** 2)
    since = means.since + run.problem.shape[0]
    means = Means(centers, weights, max(unit, means.unit), since, lengths)
    return means, step._replace(moved=moved)


def is_due(means: Means, n_rows: int) -> bool:
    """Return whether to look for clusters of low weight after a step on ``n_rows`` rows."""
    return not means.weights.all() or means.since + n_rows >= 10 * len(means.weights)


def reassign(means: Means, problem: Problem, ratio: float, rng: np.random.Generator) -> Means:
    """Make rows of the batch the centers of clusters of low weight.

    Low is below ``ratio`` times the largest weight.  At most half of the batch is used, and
    no rows of weight or length zero.
    """
    weights, n = problem.weights, problem.shape[0]
    means = means._replace(since=0)
    low = means.weights < ratio * means.weights.max()
    low[np.argmax(means.weights)] = False
    candidates = np.flatnonzero(weights) if weights.size else np.arange(n)
    if problem.inverse.size:
        candidates = candidates[problem.inverse[candidates] > 0.0]
    most = min(len(candidates), int(0.5 * n))
    if low.sum() > most:
        low[np.argsort(means.weights, kind="stable")[most:]] = False
    if not low.any():
        return means
    chosen = rng.choice(candidates, int(low.sum()), replace=False)
    centers, totals = means.centers.copy(), means.weights.copy()
    centers[low] = problem.points(chosen)
    totals[low] = totals[~low].min()
    means = means._replace(centers=centers, weights=totals)
    if means.lengths is None:
        return means
    return means._replace(lengths=np.where(low, 1.0, means.lengths))


def start(
    plan: Plan, n_runs: int, batch: Batch, rng: np.random.Generator
) -> tuple[Floats, Scaling]:
    """Return the initial centers of lowest inertia on a batch, and the batch's scaling."""
    rows, weights = batch
    (n, d), k = rows.shape, plan.n_clusters
    X = None
    if callable(plan.init):
        X = rows.as_given() if isinstance(rows, SparseRows) else rows.take(np.arange(n))
    best: tuple[float, Any] = np.inf, None
    # Seeding starts its threads twice per center: too often for a small batch.
    threads = 1 if n * d < SEED_ALONE else plan.n_threads
    work = work_of(rows.shape, k)
    with open_problem(rows, weights, threads, work, plan.by_cosine) as problem:
        scaling, workspace = problem.scaling, Workspace(problem, k)
        for number in range(n_runs):
            centers = initial_centers(plan.init, X, problem, k, rng)
            if n_runs == 1:
                return centers, scaling
            inertia = workspace.begin(centers, 1).step().inertia
            if plan.verbose:
                shown = inertia / scaling.unit / scaling.unit
                print(f"Initialisation {number + 1} of {n_runs}: inertia {shown:.8g}")
            if best[1] is None or inertia < best[0]:
                best = inertia, centers
    return best[1], scaling
