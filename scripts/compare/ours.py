"""This library, for ``compare``: by engine, and as another checkout of the repository has it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .others import ScikitLearn
from .peer import Array


class FastKMeans(ScikitLearn):
    """This library; its engine is the default one unless a subclass names another."""

    name = "fastkmeans"
    distribution = "fastkmeans-numba"
    module = "fastkmeans"
    algorithm = "auto"

    def load(self, threads: int) -> str:
        self._threads = threads
        self._cluster = import_module(self.module)
        self.batches = {**self.batches, "n_threads": threads}
        return str(getattr(self._cluster, "__version__", "unknown"))

    def estimator(self, **parameters: Any) -> Any:
        return self._cluster.KMeans(n_threads=self._threads, **parameters)

    def e_step(self, X: Array, centers: Array) -> Any:
        from benchmarks.steps import Steps

        return Steps(X, centers, self._threads).assign


class FastKMeansRandom(FastKMeans):
    """This library with batches as scikit-learn draws them, beside the nested ones."""

    name = "fastkmeans-random"
    tasks = ("minibatch",)
    batches: dict[str, Any] = {"schedule": "random"}  # noqa: RUF012


def _engine(name: str) -> type[FastKMeans]:
    """Return an adapter of this library with one engine."""
    body = {"name": f"fastkmeans-{name}", "algorithm": name, "optional": True}
    return type("FastKMeansEngine", (FastKMeans,), body)


ENGINES: dict[str, type[FastKMeans]] = {
    "auto": FastKMeans,
    **{name: _engine(name) for name in ("lloyd", "boxes", "bytes")},
}
"""This library, by the engine it uses."""
