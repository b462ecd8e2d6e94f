"""The other libraries that ``compare`` sets beside ours, and how each of them is called."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from .peer import WHOLE, Array, Fitted, Peer

MOST_BOUNDS = 2_000_000_000
"""Bytes that bounds for every row and center may take."""


class ScikitLearn(Peer):
    """scikit-learn's ``KMeans(algorithm="lloyd")``."""

    name = "scikit-learn"
    distribution = "scikit-learn"
    tasks: tuple[str, ...] = (
        "iterations", *WHOLE, "seeding", "small", "minibatch", "optimum", "curve",
    )  # fmt: skip
    module = "sklearn.cluster"
    algorithm = "lloyd"
    batches: dict[str, Any] = {}  # noqa: RUF012  (further parameters of MiniBatchKMeans)
    methods: Mapping[str, Mapping[str, Any]] = {
        "n_init=1": {"n_init": 1},
        "n_init=10": {"n_init": 10},
    }
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "": [{"n_init": 1, "max_iter": n} for n in (2, 5, 10, 20, 300)],
    }

    def load(self, threads: int) -> str:
        self._cluster = import_module(self.module)
        return version(self.distribution)

    def estimator(self, **parameters: Any) -> Any:
        return self._cluster.KMeans(**parameters)

    def minibatch(self, X: Array, k: int, batch: int, random_state: int, max_iter: int) -> Fitted:
        model = self._cluster.MiniBatchKMeans(
            k, batch_size=batch, random_state=random_state, max_iter=max_iter, **self.batches
        )
        model.fit(X)
        return Fitted(model.cluster_centers_, model.n_steps_)

    def solve(self, X: Array, k: int, random_state: int, **parameters: Any) -> Array:
        model = self.estimator(n_clusters=k, random_state=random_state, **parameters)
        return np.asarray(model.fit(X).cluster_centers_)

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        model = self.estimator(
            n_clusters=len(centers),
            init=centers,
            n_init=1,
            max_iter=n_iter,
            tol=0.0,
            algorithm=self.algorithm,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X)
        steps = getattr(model, "history_", ())
        history = tuple((step.avoided, step.seconds) for step in steps)
        return Fitted(model.cluster_centers_, int(model.n_iter_), history)

    def seed(self, X: Array, k: int, trials: int, random_state: int) -> Array:
        centers, _ = self._cluster.kmeans_plusplus(
            X, k, n_local_trials=trials, random_state=random_state
        )
        return np.asarray(centers)


class ScikitLearnElkan(ScikitLearn):
    """scikit-learn's ``KMeans(algorithm="elkan")``: a bound for every row and center."""

    name = "scikit-learn-elkan"
    tasks = WHOLE
    algorithm = "elkan"

    @classmethod
    def refuses(cls, shape: tuple[int, int], k: int) -> str:
        size = shape[0] * k * 8
        return f"its bounds would take {size / 1e9:.1f} GB" if size > MOST_BOUNDS else ""


class ScikitLearnIntelex(ScikitLearn):
    """oneDAL through scikit-learn-intelex; an error where it falls back to scikit-learn."""

    name = "scikit-learn-intelex"
    distribution = "scikit-learn-intelex"
    tasks = ("iterations", *WHOLE)
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


class BreathingKMeans(ScikitLearn):
    """bkmeans: more centers, then fewer again, around scikit-learn's ``KMeans``."""

    name = "bkmeans"
    distribution = "bkmeans"
    module = "bkmeans"
    tasks = ("optimum",)
    methods: Mapping[str, Mapping[str, Any]] = {"": {}}

    def estimator(self, **parameters: Any) -> Any:
        return self._cluster.BKMeans(**parameters)


class LocalSearchPlusPlus(ScikitLearn):
    """flspp: swaps of centers before Lloyd's algorithm.  It needs NumPy 1."""

    name = "flspp"
    distribution = "flspp"
    module = "flspp"
    tasks = ("optimum",)
    methods: Mapping[str, Mapping[str, Any]] = {"": {}}

    def estimator(self, **parameters: Any) -> Any:
        return self._cluster.FLSpp(**parameters)


class Faiss(Peer):
    """faiss' ``Kmeans``, which samples rows unless told not to."""

    name = "faiss"
    distribution = "faiss-cpu"
    dtypes = ("float32",)
    tasks: tuple[str, ...] = ("iterations", *WHOLE, "curve")
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "": [{"niter": n} for n in (5, 10, 25)],
    }

    def load(self, threads: int) -> str:
        self._faiss = import_module("faiss")
        self._faiss.omp_set_num_threads(threads)
        return version(self.distribution)

    def solve(self, X: Array, k: int, random_state: int, **parameters: Any) -> Array:
        model = self._model("Kmeans", X, k, parameters["niter"], random_state)
        model.train(X)
        model.assign(X)
        return np.asarray(model.centroids)

    def _model(self, kind: str, X: Array, k: int, n_iter: int, seed: int = 0) -> Any:
        n, d = X.shape
        model = getattr(self._faiss, kind)(
            d,
            k,
            niter=n_iter,
            nredo=1,
            verbose=False,
            seed=seed,
            min_points_per_centroid=1,
            max_points_per_centroid=n,
        )
        if model.cp.max_points_per_centroid * k < n:
            raise RuntimeError("faiss would sample the rows")
        return model

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        return self._train(X, centers, n_iter)[0]

    def whole(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        fitted, model = self._train(X, centers, n_iter)
        model.assign(X)
        return fitted

    def _train(self, X: Array, centers: Array, n_iter: int) -> tuple[Fitted, Any]:
        model = self._model("Kmeans", X, len(centers), n_iter)
        model.train(X, init_centroids=centers)
        return Fitted(model.centroids, len(model.iteration_stats)), model


class FaissSuperKMeans(Faiss):
    """faiss' ``SuperKmeans``: prunes by a statistical test, so it need not be exact."""

    name = "faiss-superkmeans"
    tasks: tuple[str, ...] = ("iterations",)
    own_start = True

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        least = 2 * self._faiss.SuperKMeansParameters().d_prime_min
        if X.shape[1] < least:
            raise ValueError(f"needs at least {least} features")
        model = self._model("SuperKmeans", X, len(centers), n_iter)
        model.train(X)
        return Fitted(model.centroids, len(model.iteration_stats))


FLAT = {
    "hierarchical": False,
    "sampling_fraction": 1.0,
    "early_termination": False,
}
"""Parameters with which superkmeans runs all its iterations on all rows."""


class SuperKMeans(Peer):
    """superkmeans, flat and on all rows; its defaults are hierarchical and sampled."""

    name = "superkmeans"
    distribution = "superkmeans"
    dtypes = ("float32",)
    own_start = True
    tasks = ("iterations", *WHOLE, "curve")
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "flat": [{**FLAT, "iters": n} for n in (5, 10, 25)],
        "flat sq8": [{**FLAT, "quantizer": "sq8", "iters": n} for n in (5, 10, 25)],
        "hierarchical": [{"hierarchical": True, "iters_refinement": n} for n in (0, 2, 5)],
        "default": [{}],
    }

    def load(self, threads: int) -> str:
        self._threads = threads
        self._class = import_module("superkmeans").SuperKMeans
        return version(self.distribution)

    @classmethod
    def refuses(cls, shape: tuple[int, int], k: int) -> str:
        least = 128
        return f"made for {least} features and more" if shape[1] < least else ""

    def solve(self, X: Array, k: int, random_state: int, **parameters: Any) -> Array:
        flat = "iters" in parameters
        if flat:
            parameters["max_points_per_cluster"] = len(X)
        model = self._class(k, X.shape[1], n_threads=self._threads, seed=random_state, **parameters)
        centers = np.array(model.train(X))
        label = model.assign_training_points if flat else model.assign
        label(X, centers)
        return centers

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        return self._train(X, len(centers), n_iter)[0]

    def whole(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        fitted, model = self._train(X, len(centers), n_iter)
        model.assign_training_points(X, fitted.centers)
        return fitted

    def _train(self, X: Array, k: int, n_iter: int) -> tuple[Fitted, Any]:
        model = self._class(
            k,
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
        return Fitted(found, len(model.iteration_stats)), model
