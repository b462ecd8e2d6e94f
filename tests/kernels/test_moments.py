"""Means, variances and extremes of the columns, against NumPy."""

from __future__ import annotations

import math
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from fastkmeans._data.moments import merge_moments, no_moments
from fastkmeans._data.rows import twice
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.shared.moments import (
    CHUNK,
    M2,
    MAXIMUM,
    MEAN,
    MINIMUM,
    WEIGHT,
    add_moments,
)
from tests.helpers.kernels import (
    DTYPES,
    LAYOUTS,
    Array,
    lay_out,
    sealed,
)


def moments_of(X: Array, weights: Array, cuts: list[int], scale: float = 1.0) -> Array:
    parts = no_moments(max(1, len(cuts) - 1), X.shape[1])
    for part, (start, stop) in zip(parts, pairwise(cuts), strict=False):
        add_moments(twice(X), start, stop, sealed(weights), scale, 1, part)
    return merge_moments(parts)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_moments(dtype: Any, layout: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    for m, offset in product((1, CHUNK - 1, CHUNK, CHUNK + 1, 300), (0.0, 1e6)):
        X = lay_out((rng.normal(size=(m, 3)) + offset).astype(dtype), layout)
        weights = rng.integers(0, 3, m).astype(float) if weighted else NO_WEIGHTS
        if weighted:
            weights[:: max(1, m - 1)] = 1.0
        w = weights if weighted else np.ones(m)
        table = moments_of(X, weights, sorted({0, m // 3, m // 2, m}))
        assert (table[WEIGHT] == w.sum()).all()
        for f in range(3):
            x = X[:, f].astype(float)
            mean = math.fsum(w * x) / w.sum()
            m2 = math.fsum(w * (x - mean) ** 2)
            assert table[MEAN, f] == pytest.approx(mean, rel=1e-14, abs=1e-14)
            assert table[M2, f] == pytest.approx(m2, rel=1e-9, abs=1e-9 * (offset > 0))
        np.testing.assert_array_equal(table[MINIMUM], X.min(axis=0))
        np.testing.assert_array_equal(table[MAXIMUM], X.max(axis=0))


def test_moments_of_no_rows_of_weight_zero_and_of_a_scale() -> None:
    X = np.arange(12.0).reshape(6, 2)
    none = moments_of(X, NO_WEIGHTS, [0])
    assert none[WEIGHT].tolist() == [0.0, 0.0]
    weights = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 2.0])
    table = moments_of(X, weights, [0, 3, 6], scale=0.5)
    np.testing.assert_array_equal(table[MEAN], np.average(X / 2, axis=0, weights=weights))
    np.testing.assert_array_equal(table[WEIGHT], [4.0, 4.0])
    np.testing.assert_array_equal(table[MAXIMUM], X[5] / 2)
    np.testing.assert_array_equal(table[MINIMUM], X[0] / 2)  # rows of weight zero have a place


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_moments_show_what_is_not_finite(bad: float) -> None:
    for row in (0, 1, CHUNK, 150):
        X = np.ones((151, 3))
        X[row, 1] = bad
        table = moments_of(X, NO_WEIGHTS, [0, 100, 151])
        if np.isnan(bad):
            assert np.isnan(table[MEAN]).tolist() == [False, True, False]
        else:
            assert max(table[MAXIMUM, 1], -table[MINIMUM, 1]) == np.inf
