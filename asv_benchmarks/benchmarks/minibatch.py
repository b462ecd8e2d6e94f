"""Benchmarks of MiniBatchKMeans: whole fits, and batches as they come."""

from __future__ import annotations

import warnings
from typing import Any

from .common import DTYPES, QUICK, Benchmark, choose
from .datasets import reference_inertia

CELLS = choose("overlap-1Mx16-k100", "embeddings-20kx384-k200")


class MiniBatchFit(Benchmark):
    """Whole fits with the default batch size, by both schedules."""

    param_names = ("cell", "dtype", "schedule")
    params = (CELLS, DTYPES, ("nested", "random"))

    def prepare(self, *rest: Any) -> None:
        from fastkmeans import MiniBatchKMeans

        self.model = MiniBatchKMeans(
            self.cell.k, random_state=0, schedule=rest[0], max_iter=1 if QUICK else 100
        )

    def warm_up(self, *rest: Any) -> None:
        self.time_fit(self.cell.name, str(self.X.dtype), *rest)

    def time_fit(self, cell: str, dtype: str, schedule: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(self.X)

    def track_inertia(self, cell: str, dtype: str, schedule: str) -> float:
        """Inertia over the rows, computed by NumPy: speed must not cost quality."""
        self.time_fit(cell, dtype, schedule)
        return reference_inertia(self.X, self.model.cluster_centers_)


class PartialFit(Benchmark):
    """Small batches, where the overhead of a call counts."""

    params = (CELLS, DTYPES)

    def prepare(self, *rest: Any) -> None:
        from fastkmeans import MiniBatchKMeans

        self.rows = [self.X[start : start + 1024] for start in range(0, 10_240, 1024)]
        self.rows = [rows for rows in self.rows if len(rows) >= self.cell.k]
        self.model = MiniBatchKMeans(self.cell.k, random_state=0).partial_fit(self.rows[0])

    def warm_up(self, *rest: Any) -> None:
        self.time_ten_batches(self.cell.name, str(self.X.dtype))

    def time_ten_batches(self, cell: str, dtype: str) -> None:
        for rows in self.rows:
            self.model.partial_fit(rows)
