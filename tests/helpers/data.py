"""Data that many tests cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def blobs(
    rng: np.random.Generator | int,
    n: int,
    d: int,
    k: int,
    spread: float = 1.0,
    distance: float = 4.0,
) -> Array:
    """Return n rows around k random centers; ``rng`` may be a seed.

    Coordinates of the centers have the standard deviation ``distance``, those of the rows
    around their center ``spread``.
    """
    rng = np.random.default_rng(rng)
    middles = rng.normal(size=(k, d)) * distance
    return middles[rng.integers(0, k, n)] + rng.normal(size=(n, d)) * spread
