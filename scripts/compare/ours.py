"""Our library, for ``compare``: by engine, and as another checkout of the repository has it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from . import ROOT
from .first import first_fits
from .others import ScikitLearn
from .peer import WHOLE, Array

CHECKOUT = "checkout:"
"""What the name of a checkout begins with; its folder follows."""

TRIES = 100
"""Tries of a local search in the task ``optimum``, besides the default number."""
BUDGETS = (1, 2, 4, 8, 16, 32, 300)
"""The most iterations of the points of a curve."""


class FastKMeans(ScikitLearn):
    """Our library; its engine is the default one unless a subclass names another."""

    name = "fastkmeans"
    distribution = "fastkmeans-numba"
    module = "fastkmeans"
    algorithm = "auto"
    tasks = (*ScikitLearn.tasks, "calls")
    compiles = True
    tree = ROOT
    methods: Mapping[str, Mapping[str, Any]] = {
        "": {},
        "local_search=0": {"local_search": 0},
        f"local_search={TRIES}": {"local_search": TRIES},
        "n_init=10": {"n_init": 10},
    }
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "k-means++": [{"max_iter": n, "local_search": 0} for n in BUDGETS],
        "init=auto": [{"init": "auto", "max_iter": n, "local_search": 0} for n in BUDGETS],
        "mini-batches": [{"kind": "MiniBatchKMeans", "max_iter": n} for n in (2, 5, 10, 100)],
    }

    def load(self, threads: int) -> str:
        self._threads = threads
        self._cluster = import_module(self.module)
        self.batches = {**self.batches, "n_threads": threads}
        found = getattr(self._cluster, "__version__", "unknown")
        return f"{found} at {commit_of(self.tree)}"

    def estimator(self, kind: str = "KMeans", **parameters: Any) -> Any:
        return getattr(self._cluster, kind)(n_threads=self._threads, **parameters)

    def first_fits(self, cell: Any, dtype: str, warm: int) -> dict[str, Any]:
        """Time the first fits of new processes, see ``first``."""
        return first_fits(self.tree, cell, dtype, self._threads, warm)

    def e_step(self, X: Array, centers: Array) -> Any:
        from benchmarks.steps import Steps

        return Steps(X, centers, self._threads).assign


class FastKMeansRandom(FastKMeans):
    """Our library with batches as scikit-learn draws them, beside the nested ones."""

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
"""Our library, by the engine it uses."""


class Checkout(FastKMeans):
    """Our library in another checkout of the repository: by its public names only.

    Its process has Python's path and a numba cache of its own.
    """

    tasks = ("iterations", *WHOLE, "seeding", "minibatch", "calls", "optimum", "curve")

    def load(self, threads: int) -> str:
        from benchmarks.cache import use_private_cache

        sys.path.insert(0, str(self.tree))
        os.environ["PYTHONPATH"] = str(self.tree)
        use_private_cache()  # named after the sources that the path leads to
        found = super().load(threads)
        home = Path(self._cluster.__file__).resolve()
        if not home.is_relative_to(self.tree):
            raise ImportError(f"fastkmeans came from {home.parent}")
        return found

    def e_step(self, X: Array, centers: Array) -> Any:
        return None


def commit_of(tree: Path) -> str:
    """Return the commit of a checkout, with a plus if files differ from it."""
    command = ["git", "-C", str(tree), "describe", "--always", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"
    return done.stdout.strip()


def is_checkout(library: str) -> bool:
    """Return whether a name is that of a checkout."""
    return library.startswith(CHECKOUT)


def tree_of(library: str) -> Path:
    """Return the folder of a checkout; a second one of the same folder ends in ``#2``."""
    return Path(re.sub(r"#\d+$", "", library.removeprefix(CHECKOUT))).resolve()


def checkout_of(library: str) -> type[Checkout]:
    """Return the adapter of a checkout."""
    return type("CheckoutOfTree", (Checkout,), {"name": library, "tree": tree_of(library)})
