"""The libraries that ``compare.py`` sets side by side, one small adapter each.

An adapter imports its library in ``load`` and nowhere else, for a missing or broken one
to be reported by name.  ``fit`` runs exactly ``n_iter`` Lloyd iterations on all rows
from the centers given: no sampling, no early stop, no restart.  It runs in a process of
its own, whose thread counts are set before anything is imported.
"""

from __future__ import annotations

import logging
import warnings
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Fitted(NamedTuple):
    """Centers after ``n_iter`` iterations."""

    centers: Array
    n_iter: int


class Peer:
    """One library.

    Attributes
    ----------
    name : str
        The name on the command line and in tables.
    distribution : str
        The name under which it is installed.
    dtypes : tuple of str
        The dtypes it computes in.
    own_start : bool
        Whether it refuses initial centers.  It is then compared from the centers after
        its own first iteration, from which the baseline starts as well.
    seeds, small : bool
        Whether it takes part in these tasks.
    """

    name = ""
    distribution = ""
    dtypes: tuple[str, ...] = ("float32", "float64")
    own_start = False
    seeds = False
    small = False

    def load(self, threads: int) -> str:
        """Import the library, set its threads and return its version."""
        raise NotImplementedError

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        """Run Lloyd iterations.  ``centers`` is ignored by a peer with its own start."""
        raise NotImplementedError

    def seed(self, X: Array, k: int, trials: int, random_state: int) -> Array:
        """Return the centers of greedy k-means++."""
        raise NotImplementedError

    def estimator(self, **parameters: Any) -> Any:
        """Return an estimator with ``fit`` and ``predict`` for the small task."""
        raise NotImplementedError

    def e_step(self, X: Array, centers: Array) -> Any:
        """Return a function of no arguments that runs the E step alone, or None."""
        return None


class ScikitLearn(Peer):
    """scikit-learn's ``KMeans(algorithm="lloyd")``."""

    name = "scikit-learn"
    distribution = "scikit-learn"
    seeds = True
    small = True
    module = "sklearn.cluster"

    def load(self, threads: int) -> str:
        self._cluster = import_module(self.module)
        return version(self.distribution)

    def estimator(self, **parameters: Any) -> Any:
        return self._cluster.KMeans(**parameters)

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        model = self.estimator(
            n_clusters=len(centers), init=centers, n_init=1, max_iter=n_iter, tol=0.0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X)
        return Fitted(model.cluster_centers_, int(model.n_iter_))

    def seed(self, X: Array, k: int, trials: int, random_state: int) -> Array:
        centers, _ = self._cluster.kmeans_plusplus(
            X, k, n_local_trials=trials, random_state=random_state
        )
        return np.asarray(centers)


class FastKMeans(ScikitLearn):
    """This library."""

    name = "fastkmeans"
    distribution = "fastkmeans-numba"
    module = "fastkmeans"

    def load(self, threads: int) -> str:
        self._threads = threads
        self._cluster = import_module(self.module)
        return str(getattr(self._cluster, "__version__", "unknown"))

    def estimator(self, **parameters: Any) -> Any:
        return self._cluster.KMeans(n_threads=self._threads, **parameters)

    def e_step(self, X: Array, centers: Array) -> Any:
        from benchmarks.steps import Steps

        return Steps(X, centers, self._threads).assign


class ScikitLearnIntelex(ScikitLearn):
    """oneDAL through scikit-learn-intelex; an error where it falls back to scikit-learn."""

    name = "scikit-learn-intelex"
    distribution = "scikit-learn-intelex"
    seeds = False
    small = False
    module = "sklearnex.cluster"

    def load(self, threads: int) -> str:
        import_module("daal4py").daalinit(threads)
        found = super().load(threads)
        self._messages: list[str] = []
        handler = logging.Handler(logging.INFO)
        handler.emit = lambda record: self._messages.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("sklearnex")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers[:] = [handler]
        return found

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        self._messages.clear()
        fitted = super().fit(X, centers, n_iter)
        if not any("fit: running accelerated" in message for message in self._messages):
            raise RuntimeError(f"fell back to scikit-learn: {self._messages[-1:]}")
        return fitted


class Faiss(Peer):
    """faiss' ``Kmeans``, which samples rows unless told not to."""

    name = "faiss"
    distribution = "faiss-cpu"
    dtypes = ("float32",)

    def load(self, threads: int) -> str:
        self._faiss = import_module("faiss")
        self._faiss.omp_set_num_threads(threads)
        return version(self.distribution)

    def _model(self, kind: str, X: Array, k: int, n_iter: int) -> Any:
        n, d = X.shape
        model = getattr(self._faiss, kind)(
            d,
            k,
            niter=n_iter,
            nredo=1,
            verbose=False,
            seed=0,
            min_points_per_centroid=1,
            max_points_per_centroid=n,
        )
        if model.cp.max_points_per_centroid * k < n:
            raise RuntimeError("faiss would sample the rows")
        return model

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        model = self._model("Kmeans", X, len(centers), n_iter)
        model.train(X, init_centroids=centers)
        return Fitted(model.centroids, len(model.iteration_stats))


class FaissSuperKMeans(Faiss):
    """faiss' ``SuperKmeans``: prunes by a statistical test, so it need not be exact."""

    name = "faiss-superkmeans"
    own_start = True

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        least = 2 * self._faiss.SuperKMeansParameters().d_prime_min
        if X.shape[1] < least:
            raise ValueError(f"needs at least {least} features")
        model = self._model("SuperKmeans", X, len(centers), n_iter)
        model.train(X)
        return Fitted(model.centroids, len(model.iteration_stats))


class SuperKMeans(Peer):
    """superkmeans, flat and on all rows; its defaults are hierarchical and sampled."""

    name = "superkmeans"
    distribution = "superkmeans"
    dtypes = ("float32",)
    own_start = True

    def load(self, threads: int) -> str:
        self._threads = threads
        self._class = import_module("superkmeans").SuperKMeans
        return version(self.distribution)

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        model = self._class(
            len(centers),
            X.shape[1],
            hierarchical=False,
            quantizer="f32",
            iters=n_iter,
            sampling_fraction=1.0,
            max_points_per_cluster=len(X),
            n_threads=self._threads,
            seed=0,
            tol=0.0,
            recall_tol=0.0,
            early_termination=False,
        )
        found = np.array(model.train(X))
        if model.state.n_encoded not in (0, len(X)):
            raise RuntimeError(f"superkmeans sampled {model.state.n_encoded} of {len(X)} rows")
        return Fitted(found, len(model.iteration_stats))


PEERS: dict[str, type[Peer]] = {
    peer.name: peer
    for peer in (
        FastKMeans,
        ScikitLearn,
        ScikitLearnIntelex,
        Faiss,
        FaissSuperKMeans,
        SuperKMeans,
    )
}
