"""Benchmarks of the indices of quality."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .common import DTYPES, QUICK, choose

CLUSTERS = 20
SHAPES = {
    "20kx16": (20_000, 16),
    "20kx384": (20_000, 384),
    "1Mx16": (1_000_000, 16),
}


@lru_cache(maxsize=1)
def mixture(shape: str, dtype: str) -> tuple[Any, Any, Any]:
    """Return rows of a mixture, their labels and the centers."""
    n, d = SHAPES[shape]
    n = n // 20 if QUICK else n
    rng = np.random.default_rng(0)
    centers, labels = 2.0 * rng.standard_normal((CLUSTERS, d)), rng.integers(0, CLUSTERS, n)
    X = (centers[labels] + rng.standard_normal((n, d))).astype(dtype)
    return X, labels.astype(np.int32), centers


class Quality:
    """Base: data, and a call before the timing that compiles.  asv times what has ``time_``."""

    param_names = ("shape", "dtype")
    params: tuple[tuple[str, ...], ...] = ()
    timeout = 600.0
    warmup_time = 0.0
    repeat = (1, 5, 10.0) if QUICK else (3, 20, 10.0)
    rounds = 1

    def setup(self, shape: str, dtype: str) -> None:
        """Make the data and warm up."""
        self.X, self.labels, self.centers = mixture(shape, dtype)
        self.run()

    def run(self) -> None:
        """Do what is timed."""
        raise NotImplementedError


class Silhouette(Quality):
    """All pairs of rows."""

    params = (choose("20kx16", "20kx384"), DTYPES)

    def run(self) -> None:
        from fastkmeans.metrics import silhouette_score

        silhouette_score(self.X, self.labels)

    def time_all_rows(self, shape: str, dtype: str) -> None:
        self.run()


class SimplifiedSilhouette(Quality):
    """All rows against the centers."""

    params = (("1Mx16",), DTYPES)

    def run(self) -> None:
        from fastkmeans.metrics import simplified_silhouette_score

        simplified_silhouette_score(self.X, self.labels, self.centers)

    def time_all_rows(self, shape: str, dtype: str) -> None:
        self.run()


class CalinskiHarabasz(Quality):
    """Means, and spreads around them."""

    params = (("1Mx16",), DTYPES)

    def run(self) -> None:
        from fastkmeans.metrics import calinski_harabasz_score

        calinski_harabasz_score(self.X, self.labels)

    def time_all_rows(self, shape: str, dtype: str) -> None:
        self.run()
