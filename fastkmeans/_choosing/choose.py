"""``choose_k``: fits for several numbers of clusters, their indices, and a recommendation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .._data.problem import Problem, naming, open_problem
from .._data.tables import Table
from .._data.validation import as_generator, check_count, refuse_by_cosine, weights_of
from .._engines.auto import beyond_limit
from .._engines.base import work_of
from .._estimators.inputs import as_table
from .._estimators.kmeans import THEIRS, KMeans
from .._lloyd.watch import Watch
from .._runtime.errors import plain
from .assess import Found, assess, is_sound, note_empty
from .choice import BEST, Choice
from .decision import Curve, Decision, decide, undecided
from .fits import Fits, Options
from .reference import entropy_of, reference_curves, variances_of

MOST = 10_000
"""Most numbers of clusters to compare."""


def choose_k(
    X: Any,
    k: Iterable[int] = range(2, 21),
    *,
    n_init: int = 3,
    max_iter: int = 300,
    tol: float = 1e-4,
    verbose: int = 0,
    random_state: Any = None,
    algorithm: str = "auto",
    metric: str = "euclidean",
    n_threads: int | None = None,
    sample_weight: Any = None,
) -> Choice:
    """Fit several numbers of clusters on shared work, and find the one that stands out.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows, as for ``KMeans.fit``.  Files are parsed once.
    k : iterable of int, default=range(2, 21)
        The numbers of clusters: rising, each at least 1 and at most the number of rows.
    n_init : int, default=3
        Starts by k-means++ for each k, on a sample if the table is large.  One more start is the
        fit for the smaller k and one more row.
    max_iter, tol, algorithm, metric, n_threads
        See ``KMeans``.
    verbose : int, default=0
        Print a line per k.
    random_state : None, int, RandomState or Generator
        Source of the draws.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.

    Returns
    -------
    Choice
        The figures and models for each k, ``best_k`` and ``reason``.  Ctrl-C ends the fits; what
        is done is returned, with ``interrupted`` set, once there is one fit.

    Raises
    ------
    ValueError, TypeError
        If ``k`` is not as above, or the table cannot be clustered.

    Notes
    -----
    ``gap`` compares with rows without clusters that have the variances of the principal
    components of ``X``, normal and uniform ones.  It is how much better k spherical clusters
    describe the rows than one does, in log-likelihood per row, beyond those.  ``contrast`` is how
    much steeper inertia falls to k than beyond it, against the same rows.  A k stands out if its
    gap is at least 0.25 and its contrast at least 2.5; the largest gap wins.  No cluster of it may
    be empty, and clusters must have two rows on average.  The last k counts too: a sample is
    fitted for one more.  Clusters that are long, nested or of very different spread may not stand
    out: an answer of None is no proof that there are none.

    References
    ----------
    Schubert (2023), "Stop using the elbow criterion for k-means and how to choose the number of
    clusters instead", SIGKDD Explorations 25 (arXiv 2212.12189).  Tibshirani, Walther and Hastie
    (2001), "Estimating the number of clusters in a data set via the gap statistic", JRSS B 63.

    Examples
    --------
    >>> import numpy as np
    >>> from fastkmeans import choose_k
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(at, 1.0, (200, 2)) for at in (0, 10, 20)])
    >>> choose_k(X, range(2, 7), random_state=0).best_k
    3
    """
    ks = check_ks(k)
    parameters = {
        "n_init": n_init, "max_iter": max_iter, "tol": tol, "verbose": verbose,
        "random_state": random_state, "algorithm": algorithm, "metric": metric,
        "n_threads": n_threads,
    }  # fmt: skip
    table = as_table(X)
    report = Report() if verbose else Watch()
    return compare(table, ks, parameters, sample_weight, report)


def check_ks(k: Any) -> list[int]:
    """Return the numbers of clusters as a list; raise unless they are whole and rise."""
    if isinstance(k, str | bytes) or not isinstance(k, Iterable) or getattr(k, "ndim", 1) == 0:
        raise TypeError(f"k must be several integers, say range(2, 21), got {plain(k)}.")
    ks: list[int] = []
    for value in k:
        ks.append(check_count(value, "each k"))
        if len(ks) > 1 and ks[-1] <= ks[-2]:
            raise ValueError(
                f"k must rise: {ks[-1]} comes after {ks[-2]}. Sort the numbers, each once."
            )
        if len(ks) > MOST:
            raise ValueError(f"k has more than {MOST} numbers: compare fewer.")
    if not ks:
        raise ValueError("k is empty: give the numbers of clusters to compare.")
    return ks


class Report(Watch):
    """Prints a line per k."""

    def run_ends(self, run: Any) -> bool:
        print(f"k = {len(run.centers)}: inertia {run.inertia:.8g}, {run.n_iter} iterations")
        return False


def compare(
    table: Table,
    ks: Sequence[int],
    parameters: dict[str, Any],
    sample_weight: Any,
    watch: Watch,
) -> Choice:
    """Fit every k to a table; ``parameters`` are those of ``KMeans``."""
    checked = KMeans(ks[-1], **parameters)
    checked._check_parameters()
    metric, algorithm = checked.metric, THEIRS.get(checked.algorithm, checked.algorithm)
    check_count(checked.n_init, "n_init")
    refuse_by_cosine(metric, table)
    weights = weights_of(table, sample_weight)
    if table.rows.shape[0] < ks[-1]:
        raise ValueError(
            f"k goes up to {ks[-1]}, but there are {table.rows.shape[0]} rows: ask for at most as "
            "many clusters as rows."
        )
    if takes := beyond_limit(algorithm, table.rows):
        raise ValueError(
            f"algorithm={checked.algorithm!r} takes {takes}, the memory_limit of the dataset: use "
            "algorithm='auto', which keeps within it, or allow more."
        )
    options = Options(checked.max_iter, checked.tol, algorithm, int(checked.n_init))
    rng, by_cosine = as_generator(checked.random_state), metric == "cosine"
    work = work_of(table.rows.shape, ks[-1])
    opened = open_problem(table.rows, weights.values, checked.n_threads, work, by_cosine)
    found: list[Found] = []
    interrupted = False
    with naming(table), opened as problem:
        try:
            curve = _fit_all(
                problem, ks, options, rng, watch, table, parameters, weights.unit, found
            )
            decision = _decide(problem, ks, curve, found)
        except KeyboardInterrupt:
            if not found:
                raise
            interrupted = True
            decision = undecided(INTERRUPTED, len(found))
        checked._note_zeros(problem.lengths)
    note_empty(found)
    done = [each.model.n_clusters for each in found]
    return _choice(done, found, decision, interrupted)


INTERRUPTED = "The fits were interrupted: without the rest, nothing is recommended."
BEYOND_FLOATS = (
    "No k is recommended: the inertia is beyond the numbers of float64. Multiply X by a constant "
    "first."
)


def _fit_all(
    problem: Problem,
    ks: Sequence[int],
    options: Options,
    rng: np.random.Generator,
    watch: Watch,
    table: Table,
    parameters: dict[str, Any],
    unit: float,
    found: list[Found],
) -> dict[int, float]:
    """Append the fit of every k to ``found``; return inertias of one cluster and of one more.

    Those are fitted to the smallest sample, and stand as ratios to those of their neighbours.
    """
    n, beyond = problem.shape[0], ks[-1] + 1
    fits = Fits(problem, min(beyond, n), options, rng)
    first = fits.coarse(1).inertia
    curve: dict[int, float] = {}
    for k in ks:
        began = time.perf_counter()
        run = fits.fit(k, watch)
        model = KMeans(k, **parameters)
        model._learn_features(table)
        model._keep(run, unit)
        model._n_init = options.n_init
        weights, indices = assess(problem, run, unit)
        if math.isfinite(table.rows.room):  # in files
            del model.labels_
        curve[k] = run.inertia
        if k == ks[0]:
            curve[1] = run.inertia if k == 1 else fits.one_cluster(first, run.inertia)
        watch.run_ends(run._replace(inertia=run.inertia * unit))
        found.append(Found(model, weights, indices, time.perf_counter() - began))
    if beyond <= n and curve[ks[-1]] == 0.0:
        curve[beyond] = 0.0
    elif beyond <= n and fits.last_coarse > 0.0:
        last = fits.last_coarse
        curve[beyond] = fits.coarse(beyond).inertia / last * curve[ks[-1]]
    return curve


def _decide(
    problem: Problem, done: Sequence[int], curve: dict[int, float], found: Sequence[Found]
) -> Decision:
    """Compare the curve of inertia with those of rows without clusters."""
    n = problem.shape[0]
    if problem.weights.size:
        n = int(np.count_nonzero(problem.weights))
    if not math.isfinite(curve[1]) or (curve[1] == 0.0 and problem.scaling.scale > 2.0**500):
        return undecided(BEYOND_FLOATS, len(done))
    grid = sorted(curve)
    ks = np.array(grid)
    entropies = dict.fromkeys(grid, 0.0)
    entropies |= {each.model.n_clusters: entropy_of(each.weights) for each in found}
    inertia = np.array([curve[k] for k in grid]) / np.maximum(n - ks, 1)
    data = Curve(inertia, np.array([entropies[k] for k in grid]))
    variances = variances_of(problem)
    if not inertia[0] > 0.0 or not variances.any():
        references: list[Curve] = [data, data]
    else:
        references = [Curve(*each) for each in reference_curves(variances, n, grid)]
    may = [each.model.n_clusters for each in found if is_sound(each.weights, n)]
    n_features = min(problem.shape[1], len(variances))
    return decide(grid, done, n_features, data, references, may)


def _choice(
    done: Sequence[int], found: Sequence[Found], decision: Decision, interrupted: bool
) -> Choice:
    """Return the result."""
    indices = {name: np.array([each.indices[name] for each in found]) for name in BEST}
    choices = {
        name: int(done[int(best(indices[name]))])
        for name, best in BEST.items()
        if not np.isnan(indices[name]).all()
    }
    return Choice(
        k=np.array(done, np.int64),
        inertia=np.array([each.model.inertia_ for each in found]),
        **indices,
        gap=decision.gap,
        contrast=decision.contrast,
        n_iter=np.array([each.model.n_iter_ for each in found], np.int64),
        seconds=np.array([each.seconds for each in found]),
        models=[each.model for each in found],
        choices=choices,
        best_k=decision.best_k,
        reason=decision.reason,
        interrupted=interrupted,
    )
