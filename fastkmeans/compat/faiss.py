"""``Kmeans`` in the shape of ``faiss.Kmeans``, for code written for it.

>>> import numpy as np
>>> from fastkmeans.compat.faiss import Kmeans
>>> x = np.random.default_rng(0).normal(size=(1000, 8)).astype("float32")
>>> kmeans = Kmeans(8, 4, niter=20)
>>> inertia = kmeans.train(x)
>>> distances, labels = kmeans.assign(x)
>>> kmeans.centroids.shape
(4, 8)
"""

import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.lengths import to_length_one
from .._data.sparse import SparseRows, own_products, sample_of
from .._data.tables import Table
from .._data.validation import (
    as_centers,
    as_weights,
    check_count,
    refuse_by_cosine,
    weights_of,
)
from .._estimators.inputs import as_table, opened
from .._estimators.kmeans import KMeans
from .._lloyd.predict import closest_centers
from .._lloyd.representatives import own_squares_of
from ._centroids import as_float32
from ._faiss import REDO_STEP, ClusteringParameters, permuted, write_products


class Kmeans:
    """k-means with the parameters, methods and attributes of ``faiss.Kmeans``.

    The same ``seed`` starts from the same rows as in faiss, and learns from the same sample of
    rows.  Results then agree up to rounding, as long as no cluster gets empty.

    Parameters
    ----------
    d : int
        Number of columns.
    k : int
        Number of clusters.
    niter : int, default=25
        Most iterations.
    nredo : int, default=1
        Number of runs from different rows; the one of lowest objective is kept.
    verbose : bool, default=False
        Print the progress, in the way of ``fastkmeans.KMeans``.
    spherical : bool, default=False
        Whether to cluster by the cosine.  Rows count with length 1, as if they were normalised.
    seed : int, default=1234
        Seed of the draws.
    min_points_per_centroid : int, default=39
        With fewer rows per cluster there is a warning.
    max_points_per_centroid : int, default=256
        With more rows per cluster, training uses a random sample of this size.
    gpu : bool, default=False
        Only False: the work runs on the CPU.

    Attributes
    ----------
    centroids : ndarray of shape (k, d), float32, or None before training
        The centers.
    obj : ndarray of float64, or None before training
        The objective in each iteration: the sum of squared distances before the centers move; if
        spherical, the sum of cosines.
    iteration_stats : list of dict, or None before training
        For each iteration ``obj``, ``time`` (seconds since the start), ``time_search`` (NaN),
        ``imbalance_factor`` (NaN except in the last) and ``nsplit`` (0).
    index : faiss.IndexFlatL2 or faiss.IndexFlatIP
        An index of the centers, if faiss is installed; else an ``ImportError``.
    cp : ClusteringParameters
        The parameters, which may be changed before ``train``.

    Notes
    -----
    What differs from faiss:

    - A run ends as soon as no row changes its cluster, so ``obj`` may be shorter than ``niter``.
    - An empty cluster takes the row that is farthest from its center; faiss splits a large one.
    - Labels are exact (see ``fastkmeans.KMeans``), rows may have any type of number, and float32
      and float64 are read in place.
    - With ``weights``, ``obj`` is the weighted sum.
    - Warnings are Python's.  Other parameters of faiss are refused.

    References
    ----------
    Johnson, Douze and Jegou (2021), "Billion-scale similarity search with GPUs", IEEE
    Transactions on Big Data 7(3).
    """

    def __init__(
        self,
        d: int,
        k: int,
        *,
        niter: int = 25,
        nredo: int = 1,
        verbose: bool = False,
        spherical: bool = False,
        seed: int = 1234,
        min_points_per_centroid: int = 39,
        max_points_per_centroid: int = 256,
        gpu: bool = False,
    ) -> None:
        if gpu:
            raise ValueError("gpu must be False: fastkmeans runs on the CPU. Leave gpu out.")
        self.d = check_count(d, "d")
        self.cp = ClusteringParameters(
            niter, nredo, verbose, spherical, seed, min_points_per_centroid, max_points_per_centroid
        )
        self.cp.check()
        self.reset(k)

    def reset(self, k: int | None = None) -> None:
        """Forget the results; ``k`` changes the number of clusters."""
        if k is not None:
            self.k = check_count(k, "k")
        self.centroids: NDArray[np.float32] | None = None
        self.obj: NDArray[np.float64] | None = None
        self.iteration_stats: list[dict[str, float]] | None = None

    def train(self, x: Any, weights: Any = None, init_centroids: Any = None) -> float:
        """Cluster rows.

        Parameters
        ----------
        x : array-like of shape (n, d)
            The rows, at least ``k``.
        weights : array-like of shape (n,), optional
            Weight of each row.
        init_centroids : array-like of shape (at most k, d), optional
            The first initial centers; random rows follow.

        Returns
        -------
        float
            The last objective, ``obj[-1]``.

        Raises
        ------
        TypeError
            If a parameter in ``cp`` has the wrong type.
        ValueError
            If there are fewer rows than clusters, another number of columns than ``d``, a value
            that is not finite, or a center that float32 cannot hold.
        """
        self.cp.check()
        x = opened(x, "x")
        table = self._table(x)
        n = table.rows.shape[0]
        if n < self.k:
            raise ValueError(
                f"Number of training points ({n}) should be at least as large as number of "
                f"clusters ({self.k})."
            )
        if weights is not None:
            weights = as_weights(weights, n, "weights")
        weights_of(table, weights, "weights")  # checks whether the table has its own
        most = self.k * self.cp.max_points_per_centroid
        if n > most:
            chosen = permuted(n, most, self.cp.seed)
            x, n = sample_of(table.rows, chosen), most
            given = table.weights if weights is None else weights
            weights = None if given is None else given[chosen]
            table = self._table(x)
        elif n < self.k * self.cp.min_points_per_centroid:
            warnings.warn(
                f"clustering {n} points to {self.k} centroids: please provide at least "
                f"{self.k * self.cp.min_points_per_centroid} training points",
                UserWarning,
                stacklevel=2,
            )
        if n == self.k:  # nothing to cluster
            rows = table.rows.take(np.arange(n))
            centers = to_length_one(rows) if self.cp.spherical else rows
            self.centroids = as_float32(centers, "x")
            self._keep([(0.0, 0.0)], np.ones(n))
        else:
            self._run(x, table, weights, init_centroids)
        assert self.obj is not None
        return float(self.obj[-1])

    def _run(self, x: Any, table: Table, weights: Any, init_centroids: Any) -> None:
        """Keep the best of ``nredo`` runs."""
        given = np.empty((0, self.d))
        if init_centroids is not None:
            given = as_centers(init_centroids, self.d, "init_centroids")
            if len(given) > self.k:
                raise ValueError(
                    f"init_centroids holds {len(given)} centers, and k is {self.k}: leave some out."
                )
        best: KMeans | None = None
        for redo in range(self.cp.nredo):
            rows = permuted(table.rows.shape[0], self.k, self.cp.seed + 1 + redo * REDO_STEP)
            start = np.concatenate([given, table.rows.take(rows[len(given) :])])
            model = self._model(start).fit(x, sample_weight=weights)
            if best is None or model.history_[-1].inertia < best.history_[-1].inertia:
                best = model
        assert best is not None
        self.centroids = as_float32(best.cluster_centers_, "x")
        steps = [(step.inertia, step.seconds) for step in best.history_]
        if self.cp.spherical:  # an inertia is the sum of 2 (1 - cos)
            own = table.weights if weights is None else weights
            total = float(table.rows.shape[0] if own is None else np.sum(own))
            steps = [(total - 0.5 * inertia, seconds) for inertia, seconds in steps]
        self._keep(steps, best.cluster_sizes_)

    def _model(self, start: NDArray[Any]) -> KMeans:
        niter, verbose = self.cp.niter, int(self.cp.verbose)
        metric = "cosine" if self.cp.spherical else "euclidean"
        return KMeans(self.k, init=start, max_iter=niter, tol=0.0, verbose=verbose, metric=metric)

    def _keep(self, steps: list[tuple[float, float]], sizes: NDArray[Any]) -> None:
        """Keep objectives and seconds of the iterations, and how even the clusters are."""
        self.obj = np.array([objective for objective, _ in steps])
        seconds = np.cumsum([spent for _, spent in steps])
        self.iteration_stats = [
            {
                "obj": float(objective),
                "time": float(time),
                "time_search": np.nan,
                "imbalance_factor": np.nan,
                "nsplit": 0,
            }
            for objective, time in zip(self.obj, seconds, strict=True)
        ]
        even = self.k * float((sizes / sizes.sum()) @ (sizes / sizes.sum()))
        self.iteration_stats[-1]["imbalance_factor"] = even

    def assign(self, x: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the closest center of each row.

        Parameters
        ----------
        x : array-like of shape (n, d)
            Rows as in ``train``.

        Returns
        -------
        D : ndarray of shape (n,), float32
            Squared distances to the closest center; if spherical, products with the center of
            largest cosine.  One above 3.4e38 is infinite.
        I : ndarray of shape (n,), int64
            The closest centers; ties go to the lowest index.

        Raises
        ------
        ValueError
            Before ``train``, or if ``x`` does not fit.
        """
        if self.centroids is None:
            raise ValueError("Kmeans is not trained: call train first.")
        table, centers = self._table(x), np.asarray(self.centroids, np.float64)
        by_cosine = bool(self.cp.spherical)
        refuse_by_cosine("cosine" if by_cosine else "euclidean", table)
        labels = closest_centers(table, centers, None, "x", by_cosine)
        distances = np.empty(len(labels), np.float32)
        with np.errstate(over="ignore", under="ignore"):
            if isinstance(table.rows, SparseRows) and by_cosine:
                distances[:] = own_products(table.rows, centers, labels)
            elif by_cosine:
                write_products(table, centers, labels, distances)
            else:
                for part, squares, scale in own_squares_of(table, centers, labels, None):
                    distances[part] = squares / scale / scale
        return distances, labels.astype(np.int64)

    @property
    def index(self) -> Any:
        """A flat index of faiss that holds the centers."""
        try:
            faiss = importlib.import_module("faiss")
        except ModuleNotFoundError:
            raise ImportError(
                "index needs faiss, which is not installed (pip install faiss-cpu); assign finds "
                "the closest centers without it."
            ) from None
        index = (faiss.IndexFlatIP if self.cp.spherical else faiss.IndexFlatL2)(self.d)
        if self.centroids is not None:
            index.add(np.ascontiguousarray(self.centroids, np.float32))
        return index

    def _table(self, x: Any) -> Table:
        table = as_table(x, "x")
        if table.rows.shape[1] != self.d:
            raise ValueError(
                f"x has {table.rows.shape[1]} columns, and Kmeans was made for d={self.d}."
            )
        return table
