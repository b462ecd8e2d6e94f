"""Benchmarks of single steps, below the estimator."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from .common import (
    ALGORITHMS,
    DTYPES,
    ENGINE_CELLS,
    QUICK,
    Benchmark,
    choose,
    skip_unsuited,
)
from .steps import Steps


class LloydStep(Benchmark):
    """The passes over the data that an iteration is made of."""

    params = (
        choose(
            "1Mx2-k8",
            "1Mx3-k16",
            "1Mx3-k256",
            "300kx16-k32",
            "100kx64-k100",
            "100kx128-k256",
            "50kx128-k1000",
            "20kx768-k256",
            "noise-100kx32-k100",
        ),
        DTYPES,
    )
    steps: Steps | None = None

    def prepare(self, *rest: Any) -> None:
        if self.steps is None:
            self.steps = Steps(self.X, self.centers)

    def warm_up(self, *rest: Any) -> None:
        assert self.steps is not None
        self.steps.moments()
        self.steps.assign()
        self.steps.iterate()

    def time_moments(self, cell: str, dtype: str) -> None:
        assert self.steps is not None
        self.steps.moments()

    def time_assign(self, cell: str, dtype: str) -> None:
        assert self.steps is not None
        self.steps.assign()

    def time_iteration(self, cell: str, dtype: str) -> None:
        assert self.steps is not None
        self.steps.iterate()


class EngineStep(Benchmark):
    """Iterations of each engine as they are in the middle of a run."""

    param_names = ("cell", "dtype", "algorithm")
    params = (ENGINE_CELLS, DTYPES, ALGORITHMS)
    before = 3 if QUICK else 10
    steps: Steps | None = None

    def setup(self, cell: str, dtype: str, *rest: Any) -> None:
        skip_unsuited(cell, rest[0])
        super().setup(cell, dtype, *rest)

    def prepare(self, *rest: Any) -> None:
        if self.steps is None:
            self.steps = Steps(self.X, self.centers, algorithm=rest[0])
            self.steps.advance(self.before)

    def warm_up(self, *rest: Any) -> None:
        assert self.steps is not None
        self.steps.there_and_back()

    def time_two_iterations(self, cell: str, dtype: str, algorithm: str) -> None:
        assert self.steps is not None
        self.steps.there_and_back()


class Rate(Benchmark):
    """The E step's arithmetic rate beside that of the machine's matrix product."""

    params = (choose("100kx128-k256", "50kx128-k1000", "20kx768-k256"), DTYPES)

    def _best(self, function: Any, calls: int = 2 if QUICK else 10) -> float:
        best = np.inf
        for _ in range(calls + 1):
            start = perf_counter()
            function()
            best = min(best, perf_counter() - start)
        return 2e-9 * self.cell.n * self.cell.d * self.cell.k / best

    def track_assign_gflops(self, cell: str, dtype: str) -> float:
        return self._best(Steps(self.X, self.centers).assign)

    def track_gemm_gflops(self, cell: str, dtype: str) -> float:
        out = np.empty((len(self.X), len(self.centers)), self.X.dtype)
        return self._best(lambda: np.matmul(self.X, self.centers.T, out=out))

    track_assign_gflops.unit = "GFLOP/s"  # type: ignore[attr-defined]
    track_gemm_gflops.unit = "GFLOP/s"  # type: ignore[attr-defined]
