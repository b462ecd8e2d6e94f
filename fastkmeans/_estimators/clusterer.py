"""The base of both estimators: common parameters, and the methods of a fitted model."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._data.lengths import Lengths
from .._data.validation import check_count, check_metric, check_switch, check_tolerance
from .._lloyd.predict import center_distances, closest_centers, inertia
from .._lloyd.representatives import closest_rows
from .._lloyd.watch import Call, View, Watch
from .._runtime.arrays import Labels
from .._runtime.errors import plain, warn
from .._seeding.initial import METHODS
from .sklearn_protocol import Estimator
from .tasks import Callbacks


@dataclass(eq=False, repr=False)
class Clusterer(Callbacks, Estimator):
    """Base of the estimators that describe rows by ``cluster_centers_``."""

    n_clusters: int = 8
    _: KW_ONLY
    init: str | ArrayLike | Callable[..., ArrayLike] = "k-means++"
    n_init: int | str = "auto"
    max_iter: int = 300
    tol: float = 1e-4
    verbose: int = 0
    random_state: Any = None
    n_threads: int | None = None
    callback: Callable[[int, View], Any] | None = None
    metric: str = "euclidean"

    _RANDOM_RUNS: ClassVar[int]
    """Number of runs of ``n_init="auto"`` if ``init`` is "random" or a callable."""
    _COUNT: ClassVar[str] = "n_iter_"
    """The attribute that holds the number of steps."""

    def __dask_tokenize__(self) -> Any:
        """Return what dask distinguishes models by: the parameters alone are not enough."""
        return type(self).__name__, vars(self)

    def _check_common(self, starts: bool = True) -> tuple[int, int]:
        """Check the common parameters; return the number of clusters and of runs.

        ``starts``: whether initial centers are needed.
        """
        k = check_count(self.n_clusters, "n_clusters")
        check_count(self.max_iter, "max_iter")
        if self.n_threads is not None:
            check_count(self.n_threads, "n_threads")
        check_tolerance(self.tol)
        check_metric(self.metric)
        check_switch(self.verbose, "verbose")
        if self.callback is not None and not callable(self.callback):
            raise TypeError(
                "callback must be None or a function of the iteration and the run, got "
                f"{plain(self.callback)}."
            )
        named = isinstance(self.init, str) and self.init in METHODS
        tensor = hasattr(self.init, "__dlpack__")
        if not named and not callable(self.init) and not tensor and np.ndim(self.init) == 0:
            raise ValueError(
                "init must be 'k-means++', 'random', 'auto', an array or a callable, "
                f"got {plain(self.init)}."
            )
        given = not isinstance(self.init, str) and not callable(self.init)
        if self.n_init == "auto":
            return k, 1 if given or self.init in ("k-means++", "auto") else self._RANDOM_RUNS
        if isinstance(self.n_init, str):
            raise ValueError(f"n_init must be 'auto' or an integer, got {plain(self.n_init)}.")
        runs = check_count(self.n_init, "n_init")
        if starts and given and runs > 1:  # all of them would be equal
            warn(
                "Explicit initial center position passed: performing only one init in "
                f"{type(self).__name__} instead of n_init={runs}.",
                RuntimeWarning,
            )
        return k, 1 if given else runs

    def _watched(
        self, fit: Callable[[Watch], Self], printer: Watch, X: Any, y: Any, sample_weight: Any
    ) -> Self:
        """Fit with all listeners that the user asked for: ``printer`` is that of ``verbose``."""
        watches = [printer] if self.verbose else []
        if self.callback is not None:
            watches.append(Call(self.callback))
        return self._with_tasks(fit, watches, (X, y, sample_weight))

    def _most_steps(self, n_samples: int) -> int | None:
        """Return the largest number of iterations of a run; None if it is not known."""
        return self.max_iter

    @property
    def _by_cosine(self) -> bool:
        return self.metric == "cosine"

    def _note_zeros(self, lengths: Lengths | None) -> None:
        """Warn of rows of length 0."""
        if lengths is not None and lengths.n_zero:
            n, what = lengths.n_zero, "row has" if lengths.n_zero == 1 else "rows have"
            warn(
                f"{n} {what} length 0, and so cosine 0 to every center: label 0, and no center "
                "moves. Drop such rows, or use metric='euclidean'.",
                UserWarning,
            )

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Cluster the rows of ``X``."""
        raise NotImplementedError

    def predict(self, X: Any) -> Labels:
        """Return the closest center of each row; by cosine whatever the length of the row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,), int32
            Ties go to the lowest index.  By cosine a row of length 0 has label 0.
        """
        table = self._table_like_fit(X)
        return closest_centers(
            table, self.cluster_centers_, self.n_threads, by_cosine=self._by_cosine
        )

    def transform(self, X: Any) -> Any:
        """Return the distance of each row to each center.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_clusters), float32 or float64
            Euclidean distances, or ``1 - cos``, in the precision of ``X`` (see ``set_output``).
        """
        table = self._table_like_fit(X)
        centers = self.cluster_centers_
        distances = center_distances(table, centers, self.n_threads, self._by_cosine)
        return self._contain(distances, X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus the inertia of ``X``: the greater the better.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows as in ``fit``.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of each row.
        """
        table = self._table_like_fit(X)
        centers = self.cluster_centers_
        return -inertia(table, centers, sample_weight, self.n_threads, self._by_cosine)

    def representatives(self, X: Any, n: int = 1) -> NDArray[np.int64]:
        """Return the rows of each cluster that are closest to its center.

        They are real rows, so they can stand for the cluster if its center, a mean, cannot.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows as in ``fit``: those of the fit, or others.
        n : int, default=1
            Number of rows per cluster.

        Returns
        -------
        ndarray of shape (n_clusters, n), int64
            Row numbers in ``X``.  Row j lists rows whose closest center is j, the closest first;
            ties go to the lowest row number.  If a cluster has fewer than ``n`` rows, -1 fills up
            its list.  For a table in files, they are row numbers in ``open_dataset(...).rows``.

        Raises
        ------
        ValueError
            If ``n`` is smaller than 1, or ``X`` does not fit the model.
        """
        n = check_count(n, "n")
        table, centers = self._table_like_fit(X), self.cluster_centers_
        labels = closest_centers(table, centers, self.n_threads, by_cosine=self._by_cosine)
        return closest_rows(table, centers, labels, n, self.n_threads, self._by_cosine)

    def to_sklearn(self, dtype: Any = "float64") -> Any:
        """Return this fitted model as an estimator of scikit-learn, which it imports.

        Parameters
        ----------
        dtype : {"float64", "float32"}
            The dtype of the centers.  scikit-learn's ``predict`` takes rows of this dtype only.

        Returns
        -------
        sklearn.cluster.KMeans, sklearn.cluster.MiniBatchKMeans or sklearn.pipeline.Pipeline
            A fitted estimator of the same name, with the same parameters.  A model of a
            standardised dataset becomes a ``StandardScaler`` followed by it: predictions agree.
            ``algorithm`` becomes ``"lloyd"``, ``init="auto"`` ``"k-means++"``, and a
            ``Generator`` as ``random_state`` None.

        Raises
        ------
        ValueError
            If scikit-learn has no such model (cosine), or ``dtype`` does not hold the centers.
        MissingExtra
            An ``ImportError``, if scikit-learn is not installed.
        """
        from .exchange import to_sklearn

        self._check_fitted()
        return to_sklearn(self, dtype)

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """Return a fitted model with the centers of an estimator of scikit-learn.

        Parameters
        ----------
        model : sklearn.cluster.KMeans, sklearn.cluster.MiniBatchKMeans or Pipeline
            A fitted estimator of the same name, or a pipeline of a ``StandardScaler`` and one.

        Returns
        -------
        KMeans or MiniBatchKMeans
            A copy: centers, labels, inertia and parameters.  ``history_`` is empty.

        Raises
        ------
        TypeError, ValueError
            If it is another estimator, another pipeline, or not fitted.
        """
        from .exchange import from_sklearn

        own: Self = from_sklearn(cls, model)
        return own

    def to_onnx(self, path: str | os.PathLike[str], dtype: Any = "float32") -> None:
        """Write this fitted model as ONNX, by ``to_sklearn`` and skl2onnx (extra ``onnx``).

        Parameters
        ----------
        path : str or path-like
            The file, by its full name; an existing file is replaced.
        dtype : {"float32", "float64"}
            The type of the rows that the ONNX model takes, as its input ``X``.  Its outputs are
            ``label``, int64, and ``scores``, the distances to the centers.

        Raises
        ------
        ValueError
            If the model has no counterpart in scikit-learn.
        MissingExtra
            An ``ImportError``, if skl2onnx is not installed.

        Notes
        -----
        An ONNX runtime computes distances from products, in ``dtype``.  A row about as close to
        two centers may get the other label.
        """
        from .exchange import to_onnx

        self._check_fitted()
        to_onnx(self, path, dtype)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Labels:
        """Fit and return ``labels_``."""
        return self.fit(X, y, sample_weight).labels_

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit and return the distances of ``X`` to the centers."""
        return self.fit(X, y, sample_weight).transform(X)
