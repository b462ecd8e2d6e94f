"""What the tests of fits share: a fit that may leave clusters empty, and the comparison of fits."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from tests.helpers import reference

Array = NDArray[Any]


def quietly(model: KMeans, X: Any, weights: Array | None = None) -> KMeans:
    """Fit; ignore the warning about clusters without rows, and no other."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        return model.fit(X, sample_weight=weights)


def assert_equals_reference(model: KMeans, X: Array, expected: reference.Result) -> None:
    """Compare labels, centers, inertia and iterations with those of the reference."""
    size = float(np.abs(X).max())
    np.testing.assert_array_equal(model.labels_, expected.labels)
    np.testing.assert_allclose(model.cluster_centers_, expected.centers, rtol=0, atol=1e-12 * size)
    assert model.inertia_ == pytest.approx(expected.inertia, rel=1e-12, abs=1e-24 * size**2)
    assert model.n_iter_ == expected.n_iter
