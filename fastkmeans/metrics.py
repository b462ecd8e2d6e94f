"""Indices of the quality of a clustering, with scikit-learn's names and values.

Weights are frequencies in all of them: a row of weight 2 counts as two equal rows, and a row of
weight 0 does not count.
"""

from typing import Any

import numpy as np

from ._data.problem import naming, open_problem
from ._data.sparse import selected
from ._data.validation import as_centers, check_count, weights_of
from ._engines.base import work_of
from ._estimators.inputs import as_table
from ._kernels.metrics.simplified import SILHOUETTE, WEIGHT
from ._metrics.arguments import (
    check,
    draw,
    measure,
    sealed,
    silhouettes,
    totals_of,
)
from ._metrics.clusters import measure_clusters
from ._metrics.indices import bayesian, calinski_harabasz, davies_bouldin
from ._metrics.labels import Clustering, center_labels, clustering_of
from ._metrics.simplified import NO_SAMPLES
from ._runtime.adding import total_of
from ._runtime.arrays import Floats

__all__ = [
    "bic",
    "calinski_harabasz_score",
    "davies_bouldin_score",
    "distortion",
    "silhouette_samples",
    "silhouette_score",
    "simplified_silhouette_samples",
    "simplified_silhouette_score",
]


def silhouette_samples(
    X: Any,
    labels: Any,
    *,
    metric: str = "euclidean",
    sample_weight: Any = None,
    n_threads: int | None = None,
) -> Floats:
    """Return the silhouette of every row, exact.

    It is ``(b - a) / max(a, b)``: ``a`` is the mean distance to the other rows of the own cluster,
    ``b`` the mean distance to the rows of the closest other cluster.  1 is a row deep in its
    cluster, 0 one between two clusters, a negative one is closer to another cluster.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows: an array, a data frame, files or a dataset of ``open_dataset``.  The work grows
        with the square of the rows.  Rows that are not an array of floats are copied to memory.
    labels : array-like of shape (n_samples,)
        The cluster of each row: numbers or text.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance; by cosine ``1 - cos``.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.
    n_threads : int, optional
        The most threads to use; all by default.

    Returns
    -------
    silhouettes : ndarray of shape (n_samples,), float64
        From -1 to 1.  Rows of clusters of weight 1 or less, and rows of weight 0, have 0.

    Raises
    ------
    ValueError
        If there is one label only, or as many labels as rows, or a value is not finite.

    Notes
    -----
    Every pair of rows is compared once, and no matrix of distances is made.  The rows of float32
    tables are compared in float32, all sums are float64.  The result does not depend on the number
    of threads.

    References
    ----------
    Rousseeuw (1987), "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", Journal of Computational and Applied Mathematics 20.
    """
    table = as_table(X)
    by_cosine = check(table, metric, n_threads)
    weights = weights_of(table, sample_weight)
    clustering = clustering_of(labels, table.rows)
    return silhouettes(table, weights, clustering, n_threads, by_cosine)


def silhouette_score(
    X: Any,
    labels: Any,
    *,
    metric: str = "euclidean",
    sample_size: int | None = None,
    random_state: Any = None,
    sample_weight: Any = None,
    n_threads: int | None = None,
) -> float:
    """Return the mean silhouette of all rows, or of a sample.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows; see ``silhouette_samples``.
    labels : array-like of shape (n_samples,)
        The cluster of each row: numbers or text.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance; by cosine ``1 - cos``.
    sample_size : int, optional
        Compare so many rows only, drawn at random: for large tables and files.
    random_state : None, int, RandomState or Generator
        Source of the draw.  An integer draws the rows that scikit-learn draws.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.  Rows are drawn alike, whatever
        their weight.
    n_threads : int, optional
        The most threads to use; all by default.

    Returns
    -------
    score : float
        From -1 to 1; larger is better.

    Raises
    ------
    ValueError
        If there is one label only, or as many labels as rows, or a value is not finite.
    """
    table = as_table(X)
    by_cosine = check(table, metric, n_threads)
    weights = weights_of(table, sample_weight)
    if sample_size is not None:
        rows, size = table.rows, check_count(sample_size, "sample_size")
        clustering = clustering_of(labels, rows)
        drawn = draw(rows.shape[0], size, random_state)
        table = table._replace(rows=selected(rows, drawn))
        if weights.values.size:
            weights = weights._replace(values=sealed(weights.values[drawn]))
        labels = clustering.labels[drawn]
    clustering = clustering_of(labels, table.rows)
    values = silhouettes(table, weights, clustering, n_threads, by_cosine)
    if not weights.values.size:
        return total_of(values) / len(values)
    return total_of(values * weights.values) / total_of(weights.values)


def simplified_silhouette_samples(
    X: Any,
    labels: Any,
    centers: Any,
    *,
    metric: str = "euclidean",
    sample_weight: Any = None,
    n_threads: int | None = None,
) -> Floats:
    """Return the simplified silhouette of every row, in one pass.

    It is ``(b - a) / max(a, b)``: ``a`` is the distance to the center of the label, ``b`` the
    distance to the closest other center.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows: an array, a data frame, files or a dataset of ``open_dataset``.
    labels : array-like of shape (n_samples,), integers
        The center of each row, from 0 to ``n_clusters - 1``.
    centers : array-like of shape (n_clusters, n_features)
        The centers.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance; by cosine ``1 - cos``.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row.  It counts here only for clusters of weight 1 or less.
    n_threads : int, optional
        The most threads to use; all by default.

    Returns
    -------
    silhouettes : ndarray of shape (n_samples,), float64
        From -1 to 1, not negative if the labels are the closest centers.  Rows of clusters of
        weight 1 or less, and rows of weight 0, have 0.

    Raises
    ------
    ValueError
        If there is one label only, or as many labels as rows, or a value is not finite.

    References
    ----------
    Hruschka, de Castro and Campello (2004), "Evolutionary algorithms for clustering gene-expression
    data", ICDM.
    """
    table = as_table(X)
    samples = np.empty(table.rows.shape[0])
    totals_of(table, labels, centers, metric, sample_weight, n_threads, samples)
    return samples


def simplified_silhouette_score(
    X: Any,
    labels: Any,
    centers: Any,
    *,
    metric: str = "euclidean",
    sample_weight: Any = None,
    n_threads: int | None = None,
) -> float:
    """Return the mean simplified silhouette of all rows, in one pass.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The rows: an array, a data frame, files or a dataset of ``open_dataset``.
    labels : array-like of shape (n_samples,), integers
        The center of each row, from 0 to ``n_clusters - 1``.
    centers : array-like of shape (n_clusters, n_features)
        The centers.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance; by cosine ``1 - cos``.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a weight of 2 counts as the row twice.
    n_threads : int, optional
        The most threads to use; all by default.

    Returns
    -------
    score : float
        From -1 to 1; larger is better.

    Raises
    ------
    ValueError
        If there is one label only, or as many labels as rows, or a value is not finite.

    See Also
    --------
    simplified_silhouette_samples : The silhouette of every row, and the source of the index.
    """
    table = as_table(X)
    totals = totals_of(table, labels, centers, metric, sample_weight, n_threads, NO_SAMPLES)
    return total_of(totals[SILHOUETTE]) / total_of(totals[WEIGHT])


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
