"""Benchmarks of better optima: local search, several runs, the optimum of one feature."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .common import DTYPES, QUICK, choose
from .datasets import make, reference_inertia
from .optima import OPTIMA, true_centers

CELLS = {cell.name: cell for cell in OPTIMA}
TRIES = 100


class Known:
    """Base: a mixture whose components are known, and a fit before the timing that compiles."""

    param_names: tuple[str, ...] = ("cell", "dtype")
    params: tuple[tuple[str, ...], ...] = (
        choose("unbalanced8", "grid100", "scattered35", "scattered35-16d"),
        DTYPES,
    )
    parameters: dict[str, Any] = {}  # noqa: RUF012  (of KMeans)
    timeout = 600.0
    warmup_time = 0.0
    repeat = (1, 5, 10.0) if QUICK else (3, 20, 10.0)
    rounds = 1

    def setup(self, cell: str, dtype: str) -> None:
        """Make the data and warm up."""
        self.cell = CELLS[cell].quick() if QUICK else CELLS[cell]
        self.X, _ = make(self.cell, dtype)
        self.run(0)

    def run(self, seed: int, **parameters: Any) -> Any:
        """Fit once, and return the model."""
        from fastkmeans import KMeans

        merged = {**self.parameters, **parameters}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return KMeans(self.cell.k, random_state=seed, **merged).fit(self.X)

    def excess(self) -> float:
        """Return by how many per cent the fits from some seeds are above a run from the truth."""
        truth = self.run(0, init=true_centers(self.cell), n_init=1)
        best = reference_inertia(self.X, truth.cluster_centers_)
        found = [
            reference_inertia(self.X, self.run(seed).cluster_centers_)
            for seed in range(1 if QUICK else 10)
        ]
        return 100.0 * (float(np.mean(found)) / best - 1.0)


class Default(Known):
    """A fit with default parameters: what it costs, and how near it comes to the truth."""

    def time_fit(self, cell: str, dtype: str) -> None:
        self.run(0)

    def track_excess(self, cell: str, dtype: str) -> float:
        """Mean excess of inertia over that of a run from the means of the components."""
        return self.excess()

    track_excess.unit = "%"  # type: ignore[attr-defined]


class LocalSearch(Default):
    """The same with a given number of tries of a local search."""

    parameters = {"local_search": TRIES}  # noqa: RUF012


class Restarts(Known):
    """Ten runs, of which the best counts: they may cost eight times as much as one."""

    parameters = {"n_init": 10, "local_search": 0}  # noqa: RUF012

    def time_ten_runs(self, cell: str, dtype: str) -> None:
        self.run(0)

    def time_one_run(self, cell: str, dtype: str) -> None:
        self.run(0, n_init=1)

    def track_excess(self, cell: str, dtype: str) -> float:
        """Mean excess of inertia over that of a run from the means of the components."""
        return self.excess()

    track_excess.unit = "%"  # type: ignore[attr-defined]


class OneFeature:
    """The global optimum of one feature."""

    param_names = ("rows", "dtype")
    params = (("10000",) if QUICK else ("10000", "1000000"), DTYPES)
    timeout = 600.0
    warmup_time = 0.0
    repeat = (1, 5, 10.0) if QUICK else (3, 20, 10.0)
    rounds = 1

    def setup(self, rows: str, dtype: str) -> None:
        """Make the data and warm up."""
        rng = np.random.default_rng(0)
        self.X = rng.gamma(2.0, size=(int(rows), 1)).astype(dtype)
        self.time_fit(rows, dtype)

    def time_fit(self, rows: str, dtype: str) -> None:
        from fastkmeans import KMeans

        self.model = KMeans(20).fit(self.X)
