"""Silhouettes: how well each row lies in its cluster, exact or by the centers."""

from typing import Any

import numpy as np

from .._data.sparse import selected
from .._data.validation import check_count, weights_of
from .._estimators.inputs import as_table
from .._kernels.metrics.simplified import SILHOUETTE, WEIGHT
from .._metrics.arguments import check, draw, sealed, silhouettes, totals_of
from .._metrics.labels import clustering_of
from .._metrics.simplified import NO_SAMPLES
from .._runtime.adding import total_of
from .._runtime.arrays import Floats


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
