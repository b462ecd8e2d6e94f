"""Benchmarks of the public estimator and functions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .common import (
    ALGORITHMS,
    DTYPES,
    ENGINE_CELLS,
    QUICK,
    Benchmark,
    choose,
    run_python,
    skip_unsuited,
)
from .datasets import get_cell, make, reference_inertia

ITERATIONS = 10


class Fit(Benchmark):
    """Lloyd iterations from fixed centers, so that every run does the same work."""

    def prepare(self, *rest: Any) -> None:
        from fastkmeans import KMeans

        self.model = KMeans(
            self.cell.k, init=self.centers, n_init=1, max_iter=ITERATIONS, tol=0.0, random_state=0
        )

    def warm_up(self, *rest: Any) -> None:
        self.time_ten_iterations(self.cell.name, str(self.X.dtype))

    def time_ten_iterations(self, cell: str, dtype: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(self.X)

    def track_inertia(self, cell: str, dtype: str) -> float:
        """Inertia after the ten iterations, computed by NumPy: speed must not cost quality."""
        self.time_ten_iterations(cell, dtype)
        return reference_inertia(self.X, self.model.cluster_centers_)


class FitCosine(Fit):
    """The same by cosine: it may take 1.15 times as long."""

    params = (choose("1Mx3-k16", "300kx16-k32", "100kx64-k100"), DTYPES)

    def prepare(self, *rest: Any) -> None:
        super().prepare(*rest)
        self.model.set_params(metric="cosine")

    def track_inertia(self, cell: str, dtype: str) -> float:
        """Inertia after the ten iterations, computed by NumPy."""
        self.time_ten_iterations(cell, dtype)
        rows = self.X.astype(np.float64)
        rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        return reference_inertia(rows, self.model.cluster_centers_)


class FitEngine(Benchmark):
    """Whole fits from fixed centers with each engine."""

    param_names = ("cell", "dtype", "algorithm")
    params = (ENGINE_CELLS, DTYPES, ALGORITHMS)
    iterations = 20

    def setup(self, cell: str, dtype: str, *rest: Any) -> None:
        skip_unsuited(cell, rest[0])
        super().setup(cell, dtype, *rest)

    def prepare(self, *rest: Any) -> None:
        from fastkmeans import KMeans

        self.model = KMeans(
            self.cell.k,
            init=self.centers,
            n_init=1,
            max_iter=self.iterations,
            tol=0.0,
            algorithm=rest[0],
        )

    def warm_up(self, *rest: Any) -> None:
        self.time_twenty_iterations(self.cell.name, str(self.X.dtype), *rest)

    def time_twenty_iterations(self, cell: str, dtype: str, algorithm: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(self.X)

    def track_avoided(self, cell: str, dtype: str, algorithm: str) -> float:
        """Share of the distances that the last iteration did not compute."""
        self.time_twenty_iterations(cell, dtype, algorithm)
        return 100.0 * float(self.model.history_[-1].avoided)

    track_avoided.unit = "%"  # type: ignore[attr-defined]


class FitDefault(Benchmark):
    """What a user calls: k-means++, default tolerance, a bounded number of iterations."""

    params = (choose("1Mx3-k16", "300kx16-k32", "100kx64-k100"), DTYPES)

    def prepare(self, *rest: Any) -> None:
        from fastkmeans import KMeans

        self.model = KMeans(self.cell.k, max_iter=30, random_state=0)

    def warm_up(self, *rest: Any) -> None:
        self.time_fit(self.cell.name, str(self.X.dtype))

    def time_fit(self, cell: str, dtype: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(self.X)


class Predict(Benchmark):
    """Labels and distances of rows by a fitted model."""

    model: Any = None

    def prepare(self, *rest: Any) -> None:
        from fastkmeans import KMeans

        if self.model is not None:
            return
        self.few = self.X[: max(2 * self.cell.k, 100)]
        self.one = self.X[:1]
        self.model = KMeans(self.cell.k, init=self.centers, n_init=1, max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(self.few)

    def warm_up(self, *rest: Any) -> None:
        self.model.predict(self.X)
        self.model.predict(self.one)
        self.model.transform(self.few)

    def time_predict(self, cell: str, dtype: str) -> None:
        self.model.predict(self.X)

    def time_predict_one_row_100_times(self, cell: str, dtype: str) -> None:
        for _ in range(100):
            self.model.predict(self.one)

    def time_transform_few_rows(self, cell: str, dtype: str) -> None:
        self.model.transform(self.few)


class Seeding(Benchmark):
    """Greedy k-means++ alone."""

    params = (
        choose(
            "1Mx3-k16", "300kx16-k32", "100kx64-k100", "overlap-1Mx2-k50", "overlap-1Mx3-k256",
            "overlap-300kx16-k100", "overlap-100kx64-k200", "20kx768-k256",
        ),
        DTYPES,
    )  # fmt: skip

    def warm_up(self, *rest: Any) -> None:
        self.time_kmeans_plusplus(self.cell.name, str(self.X.dtype))

    def time_kmeans_plusplus(self, cell: str, dtype: str) -> None:
        from fastkmeans import kmeans_plusplus

        kmeans_plusplus(self.X, self.cell.k, random_state=0)

    def track_potential(self, cell: str, dtype: str) -> float:
        """Mean potential over a few seeds, computed by NumPy."""
        from fastkmeans import kmeans_plusplus

        return float(
            np.mean(
                [
                    reference_inertia(
                        self.X, kmeans_plusplus(self.X, self.cell.k, random_state=s)[0]
                    )
                    for s in range(1 if QUICK else 3)
                ]
            )
        )


class Small:
    """Data as small as iris, where the overhead of a call is all there is."""

    param_names = ("dtype",)
    params = (DTYPES,)
    timeout = 600.0
    repeat = (1, 5, 5.0) if QUICK else (5, 50, 5.0)
    rounds = 1

    def setup(self, dtype: str) -> None:
        from fastkmeans import KMeans

        rng = np.random.default_rng(0)
        means = np.repeat(rng.uniform(0.0, 8.0, (3, 4)), 50, axis=0)
        self.X = (means + rng.standard_normal((150, 4))).astype(dtype)
        self.one = self.X[:1]
        self.model = KMeans(3, n_init=1, random_state=0).fit(self.X)
        self.time_fit_n_init_10(dtype)
        self.model.predict(self.one)

    def time_fit_100_times(self, dtype: str) -> None:
        for _ in range(100):
            self.model.fit(self.X)

    def time_fit_n_init_10(self, dtype: str) -> None:
        from fastkmeans import KMeans

        KMeans(3, n_init=10, random_state=0).fit(self.X)

    def time_predict_one_row_100_times(self, dtype: str) -> None:
        for _ in range(100):
            self.model.predict(self.one)


PEAK = """
import warnings
import numpy as np
from fastkmeans import KMeans
warnings.simplefilter("ignore")
X = np.random.default_rng(0).random((3000, {d})).astype("{dtype}")
for rows in (X, X[:300]):
    KMeans({k}, max_iter=2, random_state=0).fit(rows).predict(rows)
"""


class PeakMemory:
    """Peak memory of a whole process that makes the data and fits them.

    The kernels are compiled in another process, for the compiler's memory not to count.
    """

    param_names = ("cell", "dtype")
    params = (choose("1Mx3-k16", "100kx128-k256", "50kx128-k1000"), DTYPES)
    timeout = 600.0

    def setup(self, cell: str, dtype: str) -> None:
        shape = get_cell(cell, QUICK)
        run_python(PEAK.format(d=shape.d, k=min(shape.k, 100), dtype=dtype))
        self.cell = shape
        self.X, self.centers = make(shape, dtype)

    def peakmem_floor(self, cell: str, dtype: str) -> None:
        """The data, the imports and the compiled kernels: what a fit adds to."""
        from fastkmeans import KMeans

        KMeans(2, n_init=1, max_iter=2, random_state=0).fit(self.X[:200])

    def peakmem_fit(self, cell: str, dtype: str) -> None:
        from fastkmeans import KMeans

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            KMeans(self.cell.k, init=self.centers, n_init=1, max_iter=5, tol=0.0).fit(self.X)

    def peakmem_fit_kmeans_plusplus(self, cell: str, dtype: str) -> None:
        from fastkmeans import KMeans

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            KMeans(min(self.cell.k, 100), max_iter=2, random_state=0).fit(self.X)
