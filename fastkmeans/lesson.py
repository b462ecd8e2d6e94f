"""The functions of the lesson, with the lesson's names and signatures.

k-means starts from the examples that ``kMeans_init_centroids`` draws.  Then
``find_closest_centroids`` and ``compute_centroids`` take turns until nothing changes.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._data.problem import naming, open_problem
from ._data.tensors import as_array
from ._data.validation import NO_WEIGHTS, as_centers, check_count, check_finite, check_fits
from ._engines.base import work_of
from ._estimators.inputs import as_table
from ._kernels.shared.update import COUNT
from ._lloyd.empty import farthest, squared_distances_to_own
from ._lloyd.predict import closest_centers
from ._lloyd.run import Workspace
from ._runtime.arrays import Floats
from ._runtime.errors import plain


def find_closest_centroids(X: Any, centroids: ArrayLike) -> NDArray[np.int64]:
    """Return the closest centroid of every example.

    Parameters
    ----------
    X : array-like of shape (m, n)
        Examples.
    centroids : array-like of shape (K, n)
        Centroids.

    Returns
    -------
    idx : ndarray of shape (m,), int64
        ``idx[i]`` is the index j, from 0 to K - 1, that minimises ``||X[i] - centroids[j]||``; ties
        go to the lowest index.

    Raises
    ------
    ValueError
        If a value is not finite, or the widths differ.
    """
    table = as_table(X)
    centers = as_centers(centroids, table.rows.shape[1], "centroids")
    return closest_centers(table, centers, None).astype(np.int64)


def compute_centroids(X: Any, idx: ArrayLike, K: int) -> Floats:
    """Return the mean of the examples of every centroid.

    Parameters
    ----------
    X : array-like of shape (m, n)
        Examples.
    idx : array-like of shape (m,), integers from 0 to K - 1
        The centroid of every example.
    K : int
        The number of centroids.

    Returns
    -------
    centroids : ndarray of shape (K, n), float64
        Row k is the mean of the examples with ``idx == k``.  A centroid without examples has no
        mean: the lesson's code returns NaN, and gives it all examples in the next round.  Here it
        becomes the example farthest from its own centroid.  A second empty centroid becomes the
        next farthest one; ties go to the lowest example.

    Raises
    ------
    ValueError
        If ``idx`` has another length than ``X`` or a value that is not a whole number, or a value
        of ``X`` is not finite.

    Notes
    -----
    As in the lesson, an example whose ``idx`` is outside 0 to K - 1 belongs to no centroid.
    Floats may hold the integers, as in 2.0.
    """
    table = as_table(X)
    rows, k = table.rows, check_count(K, "K")
    values = _as_indices(idx, rows.shape[0])
    belongs = (values >= 0) & (values < k)
    weights = NO_WEIGHTS if belongs.all() else belongs.astype(np.float64)
    weights.flags.writeable = False
    with naming(table), open_problem(rows, NO_WEIGHTS, None, work_of(rows.shape, 1)) as problem:
        run = Workspace(problem._replace(weights=weights), k).begin(problem.scaling.shift, 1)
        run.labels[:] = np.where(belongs, values, 0)
        run.take_means()
    centroids = run.new_centers
    empty = np.flatnonzero(run.sums.total_weights[COUNT] == 0.0)
    if empty.size:
        run.centers[:] = centroids
        distances = squared_distances_to_own(problem, run.labels, run.centers)
        rows_taken = farthest(distances, min(empty.size, rows.shape[0]))
        taken = np.resize(rows_taken, empty.size)
        centroids[empty] = rows.take(taken)
    return centroids


def _as_indices(idx: ArrayLike, n_samples: int) -> NDArray[Any]:
    """Check that ``idx`` holds a whole number per example; return it as an array."""
    values = as_array(idx, "idx")
    if values.shape != (n_samples,):
        raise ValueError(
            f"idx has shape {values.shape}, expected {(n_samples,)}: one centroid per row of X."
        )
    if values.dtype.kind not in "biuf":
        raise TypeError(f"idx must hold integers, got dtype {values.dtype}.")
    if values.dtype.kind == "f":
        odd = np.flatnonzero(~np.isfinite(values) | (values != np.floor(values)))
        if odd.size:
            raise ValueError(
                f"idx holds {plain(values[odd[0]])} at position {odd[0]}, which is no whole "
                "number; it must hold the centroid of every example, from 0 to K - 1."
            )
    return values


def kMeans_init_centroids(X: Any, K: int) -> NDArray[Any]:  # noqa: N802
    """Return K different examples as initial centroids.

    Parameters
    ----------
    X : array-like of shape (m, n)
        Examples.
    K : int
        The number of centroids, at most m.

    Returns
    -------
    centroids : ndarray of shape (K, n), float32 or float64
        Examples drawn by NumPy's global generator: ``numpy.random.seed`` makes the draw
        repeatable.

    Raises
    ------
    ValueError
        If there are fewer examples than centroids, or a value is not finite.
    """
    table, k = as_table(X), check_count(K, "K")
    rows = table.rows
    check_fits(k, rows.shape[0])
    check_finite(table)
    order = np.random.permutation(rows.shape[0])  # noqa: NPY002 - the lesson's generator
    return rows.take(order[:k])
