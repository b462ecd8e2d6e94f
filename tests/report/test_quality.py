"""The quality on the page, from a sample of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from fastkmeans._report.quality import Sample, quality_of


@pytest.mark.parametrize("by_cosine", [False, True])
def test_quality_of_a_sample(by_cosine: bool) -> None:
    """Cluster 1 has one row, cluster 2 one row in the sample only, cluster 3 none at all."""
    rng = np.random.default_rng(0)
    X = 1e3 + 200.0 * rng.normal(size=(30, 3))
    centers = 1e3 + 200.0 * rng.normal(size=(4, 3))
    if by_cosine:
        X, centers = (each / np.linalg.norm(each, axis=1)[:, None] for each in (X, centers))
    centers[3] = X[0]
    labels, sizes = np.zeros(30, np.int32), np.array([900, 1, 50, 0])
    labels[4], labels[7] = 1, 2
    apart = np.linalg.norm(X[:, None] - centers[:3], axis=2)
    apart = apart**2 / 2 if by_cosine else apart
    own = apart[np.arange(30), labels]
    apart[np.arange(30), labels] = np.inf
    other = apart.min(axis=1)
    values = (other - own) / np.maximum(own, other)
    values[4] = 0.0
    found = quality_of(Sample(X, labels, 30), centers, sizes, by_cosine)
    np.testing.assert_allclose(found.values, values, rtol=1e-9)
    means = [values[labels == j].mean() for j in range(3)]
    np.testing.assert_allclose(found.by_cluster, [*means, np.nan], rtol=1e-9)
    distances = [own[labels == j].mean() for j in range(3)]
    np.testing.assert_allclose(found.distances, [*distances, np.nan], rtol=1e-9)
    assert found.overall == pytest.approx((900 * means[0] + 50 * means[2]) / 951)
