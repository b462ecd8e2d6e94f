"""What the tests of mini-batches share: data in no order, and the rule in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.helpers import reference

Array = NDArray[Any]
SCHEDULES = ("nested", "random")


def mixture(n: int, d: int, k: int, seed: int = 0) -> Array:
    """Overlapping components in no order."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(0.0, 5.0, (k, d))
    return means[rng.integers(0, k, n)] + rng.normal(size=(n, d))


def reference_step(X: Array, weights: Array, centers: Array, counts: Array) -> tuple[Array, Array]:
    """Make every center the mean of all the rows that it was ever given."""
    labels = reference.closest(X, centers)
    gained = np.zeros(len(centers))
    sums = np.zeros(centers.shape)
    np.add.at(gained, labels, weights)
    np.add.at(sums, labels, weights[:, None] * (X - centers[labels]))
    seen = gained > 0.0
    centers, counts = centers.copy(), counts + gained
    centers[seen] += sums[seen] / counts[seen, None]
    return centers, counts
