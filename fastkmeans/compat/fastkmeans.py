"""``FastKMeans`` in the shape of the PyPI package ``fastkmeans``, which has our import name.

Code that imports ``from fastkmeans import FastKMeans`` imports from
``fastkmeans.compat.fastkmeans`` instead, and needs neither PyTorch nor a GPU.

>>> import numpy as np
>>> from fastkmeans.compat.fastkmeans import FastKMeans
>>> data = np.random.default_rng(0).normal(size=(1000, 8)).astype("float32")
>>> labels = FastKMeans(d=8, k=4).fit_predict(data)
>>> labels.shape
(1000,)
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._data.sparse import sample_of
from .._data.tables import Table
from .._data.validation import check_count, check_switch, check_tolerance
from .._estimators.inputs import as_table, opened
from .._estimators.kmeans import KMeans
from .._lloyd.predict import closest_centers
from ._centroids import as_float32


class FastKMeans:
    """k-means with the parameters and methods of the package ``fastkmeans`` by Answer.AI.

    Parameters
    ----------
    d : int
        Number of columns.
    k : int
        Number of clusters.
    niter : int, default=25
        Most iterations.
    tol : float, default=1e-8
        As in ``fastkmeans.KMeans``: a run stops when the squared shift of the centers is at most
        ``tol`` times the mean variance of the columns.
    gpu : bool, default=True
        Ignored, as ``device``, ``dtype``, ``pin_gpu_memory`` and ``use_triton``: the work runs on
        the CPU.
    seed : int, default=0
        Seed of the draws.
    max_points_per_centroid : int, default=1_000_000_000
        With more rows per cluster, training uses a random sample of this size.
    chunk_size_data, chunk_size_centroids : int
        Ignored: no matrix of distances is made.
    device, dtype, pin_gpu_memory, use_triton : object
        Ignored, see ``gpu``.
    verbose : bool, default=False
        Print the progress, in the way of ``fastkmeans.KMeans``.
    nredo : int, default=1
        Only 1, as in the original.

    Attributes
    ----------
    centroids : ndarray of shape (k, d), float32, or None before training
        The centers.

    Notes
    -----
    What differs from the original:

    - It starts from random rows too, but from others: the draws are NumPy's, not PyTorch's.
    - ``tol`` is relative to the variance of the data; the original compares the sum of the moves
      of all centers with it.
    - An empty cluster takes the row that is farthest from its center, not a random row.
    - Labels are exact (see ``fastkmeans.KMeans``), in any type of the data.
    - Data may be arrays, tensors in memory of the CPU, data frames or files.
    """

    def __init__(
        self,
        d: int,
        k: int,
        niter: int = 25,
        tol: float = 1e-8,
        gpu: bool = True,
        seed: int = 0,
        max_points_per_centroid: int = 1_000_000_000,
        chunk_size_data: int = 51_200,
        chunk_size_centroids: int = 10_240,
        device: Any = None,
        dtype: Any = None,
        pin_gpu_memory: bool = True,
        verbose: bool = False,
        nredo: int = 1,
        use_triton: bool | None = None,
    ) -> None:
        if nredo != 1:
            raise ValueError(f"nredo must be 1, got {nredo}: use fastkmeans.KMeans(n_init=...).")
        self.d, self.k, self.niter, self.tol = check_count(d, "d"), k, niter, tol
        self.gpu, self.seed, self.max_points_per_centroid = gpu, seed, max_points_per_centroid
        self.chunk_size_data, self.chunk_size_centroids = chunk_size_data, chunk_size_centroids
        self.device, self.dtype, self.pin_gpu_memory = device, dtype, pin_gpu_memory
        self.verbose, self.nredo, self.use_triton = verbose, nredo, use_triton
        self.centroids: NDArray[np.float32] | None = None
        self._check()

    def _check(self) -> None:
        """Raise an error that names the first parameter of a wrong type or size."""
        for name in ("k", "niter", "max_points_per_centroid"):
            check_count(getattr(self, name), name)
        check_count(self.seed, "seed", low=0)
        check_tolerance(self.tol)
        check_switch(self.verbose, "verbose")

    def train(self, data: Any) -> None:
        """Cluster rows, and set ``centroids``.

        Parameters
        ----------
        data : array-like of shape (n, d)
            The rows, at least ``k``.

        Raises
        ------
        TypeError
            If a parameter has the wrong type.
        ValueError
            If there are fewer rows than clusters, another number of columns than ``d``, a value
            that is not finite, or a center that float32 cannot hold.
        """
        self._check()
        data = opened(data, "data")
        table = self._table(data)
        n, most = table.rows.shape[0], self.k * self.max_points_per_centroid
        if n > most:
            chosen = np.random.default_rng(self.seed).choice(n, most, replace=False)
            data = sample_of(table.rows, np.sort(chosen))
        model = KMeans(
            self.k, init="random", n_init=1, max_iter=self.niter, tol=self.tol,
            verbose=int(self.verbose), random_state=self.seed, local_search=0,
        )  # fmt: skip
        self.centroids = as_float32(model.fit(data).cluster_centers_, "data")

    def fit(self, data: Any) -> Self:
        """Do the same as ``train``, and return the model."""
        self.train(data)
        return self

    def predict(self, data: Any) -> NDArray[np.int64]:
        """Return the closest center of each row.

        Parameters
        ----------
        data : array-like of shape (n, d)
            Rows as in ``train``.

        Returns
        -------
        ndarray of shape (n,), int64
            Ties go to the lowest index.

        Raises
        ------
        RuntimeError
            Before ``train`` or ``fit``.
        """
        if self.centroids is None:
            raise RuntimeError("FastKMeans is not trained: call train or fit before predict.")
        table, centers = self._table(data), np.asarray(self.centroids, np.float64)
        return closest_centers(table, centers, None, "data").astype(np.int64)

    def fit_predict(self, data: Any) -> NDArray[np.int64]:
        """Do ``fit``, then ``predict`` for the same rows."""
        return self.fit(data).predict(data)

    def _table(self, data: Any) -> Table:
        table = as_table(data, "data")
        if table.rows.shape[1] != self.d:
            raise ValueError(
                f"data has {table.rows.shape[1]} columns, and FastKMeans was made for d={self.d}."
            )
        return table
