"""``k_means`` and ``kmeans_plusplus``: the work of the estimators as functions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._data.problem import naming, open_problem
from .._data.room import CHOICE, check_room
from .._data.validation import (
    as_generator,
    check_count,
    check_fits,
    check_metric,
    refuse_by_cosine,
    weights_of,
)
from .._engines.base import work_of
from .._lloyd.watch import View
from .._search.swaps import AUTO
from .._seeding.initial import moving
from .._seeding.plusplus import plus_plus
from .inputs import as_table
from .kmeans import KMeans


def kmeans_plusplus(
    X: Any,
    n_clusters: int,
    *,
    sample_weight: Any = None,
    x_squared_norms: Any = None,
    random_state: Any = None,
    n_local_trials: int | None = None,
    metric: str = "euclidean",
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Choose initial centers by greedy k-means++.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows to choose from.
    n_clusters : int
        The number of centers.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.
    x_squared_norms : array-like of shape (n_samples,), optional
        Accepted for compatibility: squared norms of the rows, which are not needed.
    random_state : None, int, RandomState or Generator
        Source of the draws.
    n_local_trials : int, optional
        Candidates per center; ``2 + int(log(n_clusters))`` by default.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance by which rows are drawn; by cosine ``1 - cos``.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features), float32 or float64
        The chosen rows, dense; by cosine brought to length 1.
    indices : ndarray of shape (n_clusters,), int64
        Their row numbers in ``X``.

    Raises
    ------
    ValueError
        If there are fewer rows than clusters, or a value is not finite.

    References
    ----------
    Arthur and Vassilvitskii (2007), "k-means++: The Advantages of Careful Seeding", SODA.
    """
    table = as_table(X)
    rows = table.rows
    k = check_count(n_clusters, "n_clusters")
    if n_local_trials is not None:
        n_local_trials = check_count(n_local_trials, "n_local_trials")
    check_fits(k, rows.shape[0])
    check_room(rows, k, CHOICE)
    if x_squared_norms is not None and len(x_squared_norms) != rows.shape[0]:
        raise ValueError(
            f"The length of x_squared_norms {len(x_squared_norms)} should be equal to the length "
            f"of n_samples {rows.shape[0]}."
        )
    by_cosine = check_metric(metric)
    refuse_by_cosine(metric, table)
    weights, work = weights_of(table, sample_weight).values, work_of(rows.shape, 8)
    with naming(table), open_problem(rows, weights, None, work, by_cosine) as problem:
        rng = as_generator(random_state)
        indices = plus_plus(moving(problem, k), k, rng, n_local_trials)
        centers = problem.points(indices) if by_cosine else rows.take(indices)
    return centers.astype(rows.dtype, copy=False), indices


def k_means(
    X: Any,
    n_clusters: int,
    *,
    sample_weight: Any = None,
    init: str | ArrayLike | Callable[..., ArrayLike] = "k-means++",
    n_init: int | str = "auto",
    max_iter: int = 300,
    verbose: int = 0,
    tol: float = 1e-4,
    random_state: Any = None,
    copy_x: bool = True,
    algorithm: str = "auto",
    local_search: str | int = AUTO,
    end_check: bool = False,
    early_stop: bool = False,
    return_n_iter: bool = False,
    n_threads: int | None = None,
    callback: Callable[[int, View], Any] | None = None,
    metric: str = "euclidean",
) -> tuple[Any, ...]:
    """Cluster the rows of ``X``: ``KMeans`` as a function.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows to cluster.
    n_clusters : int
        The number of clusters.
    return_n_iter : bool, default=False
        Whether to return the number of iterations as well.
    sample_weight, init, n_init, max_iter, verbose, tol, random_state
        See ``KMeans``.
    copy_x, algorithm, local_search, end_check, early_stop, n_threads, callback, metric
        See ``KMeans``.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features), float64
    labels : ndarray of shape (n_samples,), int32
    inertia : float
    n_iter : int
        Only with ``return_n_iter``.
    """
    model = KMeans(
        n_clusters,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        verbose=verbose,
        random_state=random_state,
        copy_x=copy_x,
        algorithm=algorithm,
        local_search=local_search,
        end_check=end_check,
        early_stop=early_stop,
        n_threads=n_threads,
        callback=callback,
        metric=metric,
    ).fit(X, sample_weight=sample_weight)
    result = model.cluster_centers_, model.labels_, model.inertia_
    return (*result, model.n_iter_) if return_n_iter else result
