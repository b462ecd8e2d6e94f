"""Weights near the end of float64 give the indices of weights that are merely large."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastkmeans import choose_k, metrics

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 2], 20)
X = RNG.normal(size=(60, 5)) + 3.0 * LABELS[:, None]
CENTERS = np.array([X[j == LABELS].mean(axis=0) for j in range(3)])
WEIGHTS = RNG.integers(1, 4, 60).astype(float)
LARGE = 2.0**60
"""From here on, a row more or less makes no difference."""

SAME: dict[str, Callable[[Any], Any]] = {
    "silhouette": lambda w: metrics.silhouette_samples(X, LABELS, sample_weight=w),
    "silhouette, sample": lambda w: metrics.silhouette_score(
        X, LABELS, sample_size=30, random_state=0, sample_weight=w
    ),
    "silhouette, cosine": lambda w: metrics.silhouette_score(
        X, LABELS, metric="cosine", sample_weight=w
    ),
    "simplified": lambda w: metrics.simplified_silhouette_score(
        X, LABELS, CENTERS, sample_weight=w
    ),
    "davies_bouldin": lambda w: metrics.davies_bouldin_score(X, LABELS, sample_weight=w),
    "distortion": lambda w: metrics.distortion(X, LABELS, sample_weight=w),
}
GROWING: dict[str, Callable[[Any], Any]] = {
    "calinski_harabasz": lambda w: metrics.calinski_harabasz_score(X, LABELS, sample_weight=w),
    "bic": lambda w: metrics.bic(X, LABELS, sample_weight=w),
}


@pytest.mark.parametrize("power", [500, 512, 700, 1000])
@pytest.mark.parametrize("name", [*SAME, *GROWING])
def test_the_unit_of_large_weights_does_not_matter(name: str, power: int) -> None:
    factor = 2.0**power
    measure = (SAME | GROWING)[name]
    expected, found = measure(WEIGHTS * LARGE), measure(WEIGHTS * factor)
    if name in GROWING:
        found /= factor / LARGE
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.all(np.isfinite(found))


def test_one_row_of_huge_weight() -> None:
    weights = np.where(np.arange(60) == 0, 1e300, 1.0)
    values = metrics.silhouette_samples(X, LABELS, sample_weight=weights)
    assert np.isfinite(values).all()
    first = np.linalg.norm(X[1] - X[0])  # the mean distance to the own cluster
    others = [np.linalg.norm(X[j == LABELS] - X[1], axis=1).mean() for j in (1, 2)]
    assert values[1] == pytest.approx((min(others) - first) / max(min(others), first))


def test_choose_k_has_finite_indices() -> None:
    plain = choose_k(X, [2, 3], random_state=0, sample_weight=WEIGHTS * LARGE)
    found = choose_k(X, [2, 3], random_state=0, sample_weight=WEIGHTS * 2.0**1000)
    for name in ("simplified_silhouette", "davies_bouldin"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-9)
    ratio = 2.0**1000 / LARGE
    np.testing.assert_allclose(found.calinski_harabasz / ratio, plain.calinski_harabasz, rtol=1e-9)
