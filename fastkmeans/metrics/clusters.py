"""Indices of the clusters: their means, how far rows spread around them, and the likelihood."""

from typing import Any

from .._data.problem import naming, open_problem
from .._data.validation import as_centers, weights_of
from .._engines.base import work_of
from .._estimators.inputs import as_table
from .._metrics.arguments import check, measure
from .._metrics.clusters import measure_clusters
from .._metrics.indices import bayesian, calinski_harabasz, davies_bouldin
from .._metrics.labels import Clustering, center_labels, clustering_of
from .._runtime.adding import total_of


def calinski_harabasz_score(
    X: Any, labels: Any, *, sample_weight: Any = None, n_threads: int | None = None
) -> float:
    """Return the Calinski-Harabasz index: scatter between clusters against scatter within.

    With ``n`` rows in ``k`` clusters it is ``(B / (k - 1)) / (W / (n - k))``.  ``B`` is the sum of
    squared distances of the means to the mean of all rows, one for each row.  ``W`` is that of the
    rows to their means.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows: an array, a data frame, files or a dataset of ``open_dataset``.
    labels : array-like of shape (n_samples,)
        The cluster of each row: numbers or text.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.
    n_threads : int, optional
        The most threads to use; all by default.

    Returns
    -------
    score : float
        Larger is better; 1 if all rows lie on their means, as in scikit-learn.

    Raises
    ------
    ValueError
        If there is one label only, or as many labels as rows, or a value is not finite.

    References
    ----------
    Calinski and Harabasz (1974), "A dendrite method for cluster analysis", Communications in
    Statistics 3.
    """
    return calinski_harabasz(measure(as_table(X), labels, sample_weight, n_threads)[0])


def davies_bouldin_score(
    X: Any, labels: Any, *, sample_weight: Any = None, n_threads: int | None = None
) -> float:
    """Return the Davies-Bouldin index: how alike each cluster is to the one most like it.

    The likeness of two clusters is the sum of their radii by the distance of their means.  A radius
    is the mean distance of the rows to their mean.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows: an array, a data frame, files or a dataset of ``open_dataset``.
    labels : array-like of shape (n_samples,)
        The cluster of each row: numbers or text.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.
    n_threads : int, optional
        The most threads to use; all by default.

    Returns
    -------
    score : float
        At least 0; smaller is better.

    Raises
    ------
    ValueError
        If there is one label only, or as many labels as rows, or a value is not finite.

    References
    ----------
    Davies and Bouldin (1979), "A cluster separation measure", IEEE Transactions on Pattern Analysis
    and Machine Intelligence 1(2).
    """
    return davies_bouldin(measure(as_table(X), labels, sample_weight, n_threads)[0])


def bic(X: Any, labels: Any, *, sample_weight: Any = None, n_threads: int | None = None) -> float:
    """Return the Bayesian information criterion of a clustering; smaller is better.

    The model has a Gaussian for each cluster.  All are spherical and have one variance, and a row
    belongs to its cluster alone.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows: an array, a data frame, files or a dataset of ``open_dataset``.
    labels : array-like of shape (n_samples,)
        The cluster of each row: numbers or text.  One label for all rows is fine.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.
    n_threads : int, optional
        The most threads to use; all by default.

    Returns
    -------
    bic : float
        Minus infinity if all rows lie on their means.

    Raises
    ------
    ValueError
        If there are as many labels as rows, or a value is not finite.

    Notes
    -----
    With ``n`` rows of ``d`` features in ``k`` clusters of ``n_j`` rows, ``W`` the sum of squared
    distances to the means, and the maximum-likelihood variance ``s2 = W / (n d)``::

        log L = sum_j n_j log(n_j / n) - n d / 2 (log(2 pi s2) + 1)
        bic   = -2 log L + (k - 1 + k d + 1) log(n)

    The parameters are the shares, the means and the variance.  This is the likelihood of Pelleg and
    Moore (2000), "X-means: extending k-means with efficient estimation of the number of clusters",
    ICML.  Their variance divides by ``n - k``, which leaves out ``d``.  The sign is that of
    Schwarz (1978) and of scikit-learn's mixtures, twice and opposite to theirs.
    """
    clusters, n_features = measure(as_table(X), labels, sample_weight, n_threads, fewest=1)
    return bayesian(clusters, n_features)


def distortion(
    X: Any,
    labels: Any,
    centers: Any = None,
    *,
    sample_weight: Any = None,
    n_threads: int | None = None,
) -> float:
    """Return the mean squared distance of the rows to their centers.

    It is the inertia of a fit by row, so it compares tables of different length.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows: an array, a data frame, files or a dataset of ``open_dataset``.
    labels : array-like of shape (n_samples,)
        The cluster of each row: numbers or text; with ``centers`` row numbers of them.
    centers : array-like of shape (n_clusters, n_features), optional
        The centers; by default the means of the clusters.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.
    n_threads : int, optional
        The most threads to use; all by default.

    Returns
    -------
    distortion : float
        At least 0, in the squared unit of the data.

    Raises
    ------
    ValueError
        If a label is not the number of a center, or a value is not finite.
    """
    table = as_table(X)
    check(table, "euclidean", n_threads)
    weights, rows = weights_of(table, sample_weight).values, table.rows
    if centers is None:
        clustering, means = clustering_of(labels, rows), None
    else:
        means = as_centers(centers, rows.shape[1], "centers")
        clustering = Clustering(center_labels(labels, rows, len(means)), len(means))
    work = work_of(rows.shape, 1)
    with naming(table), open_problem(rows, weights, n_threads, work) as problem:
        clusters = measure_clusters(problem, *clustering, means)
    inner = total_of(clusters.squares) / clusters.weight
    return inner / clusters.scale / clusters.scale
