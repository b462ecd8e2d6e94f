"""Rows of many lengths, and spherical k-means, for tests of the cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastkmeans import KMeans
from tests.helpers import reference
from tests.helpers.data import blobs

Array = NDArray[Any]


def rows_of_many_lengths() -> Array:
    """Twelve directions, lengths over four powers of ten; every fiftieth row has length 0."""
    rng = np.random.default_rng(0)
    X = blobs(rng, 4000, 6, 12, 1.0) * 10.0 ** rng.uniform(-2, 2, (4000, 1))
    X[::50] = 0.0
    return X


def spherical(kind: Any = KMeans, k: int = 12, **options: Any) -> Any:
    return kind(k, metric="cosine", random_state=0, **options)


def cosines(X: Array, centers: Array) -> Array:
    return reference.directions(X) @ centers.T
