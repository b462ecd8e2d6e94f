"""What all benchmarks share: sizes, a private numba cache, warm-up before timing.

Compile time must not enter a timing.  asv runs every benchmark in a process of its own,
so the first process to need a kernel compiles it in ``setup`` and the others load it
from numba's cache (see ``cache``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from .cache import use_private_cache
from .datasets import Cell, get_cell, make

QUICK = os.environ.get("FASTKMEANS_BENCH_QUICK", "0") not in ("", "0")
"""Whether this is a smoke test: small data sets, few of them, in one dtype."""
DTYPES = ("float32",) if QUICK else ("float32", "float64")


def choose(*cells: str) -> tuple[str, ...]:
    """Return the cells of a benchmark: only the first and the last in a smoke test."""
    return (cells[0], cells[-1]) if QUICK else cells


ALGORITHMS = ("auto", "lloyd", "boxes", "bytes")
ENGINE_CELLS = choose(
    "overlap-1Mx2-k50",
    "overlap-1Mx3-k256",
    "overlap-300kx16-k100",
    "overlap-100kx64-k200",
    "embeddings-50kx384-k500",
)
"""Few features and many: where the engines differ."""
MOST_FEATURES = 16


def skip_unsuited(cell: str, algorithm: str) -> None:
    """Leave out boxes of many features, which prune nothing; asv shows "n/a"."""
    if algorithm == "boxes" and get_cell(cell).d > MOST_FEATURES:
        raise NotImplementedError


def run_python(code: str, **environment: str) -> None:
    """Run ``code`` in a fresh interpreter; raise if it fails."""
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )


class Benchmark:
    """Base of the benchmarks over cells and dtypes.

    asv calls ``setup`` before every sample, so data are made once per process (see
    ``datasets.make``) and kernels are warmed up once per process and parameters.
    Subclasses define ``prepare`` for what one sample needs and ``warm_up`` for the
    calls that compile.
    """

    param_names: tuple[str, ...] = ("cell", "dtype")
    params: tuple[tuple[str, ...], ...] = (
        choose("1Mx2-k8", "1Mx3-k256", "300kx16-k32", "100kx128-k256", "20kx768-k256"),
        DTYPES,
    )
    timeout = 600.0
    warmup_time = 0.0
    repeat = (1, 5, 10.0) if QUICK else (3, 20, 10.0)
    rounds = 1
    cell: Cell
    X: Any
    centers: Any
    _warm: tuple[Any, ...] | None = None

    def setup(self, cell: str, dtype: str, *rest: Any) -> None:
        """Make the data and warm up."""
        self.cell = get_cell(cell, QUICK)
        self.X, self.centers = make(self.cell, dtype)
        self.prepare(*rest)
        key = (type(self), cell, dtype, *rest)
        if Benchmark._warm != key:
            self.warm_up(*rest)
            Benchmark._warm = key

    def prepare(self, *rest: Any) -> None:
        """Make what a sample needs beside the data."""

    def warm_up(self, *rest: Any) -> None:
        """Compile what a sample calls."""


use_private_cache()
