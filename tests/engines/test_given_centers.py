"""Engines on given centers, one set after the other: near ties, jumps, repeats, extremes.

The labels must be those that differences find, and the sums those of the labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans._engines.bytes import Patience
from fastkmeans._kernels.bytes.rivals import ROOM
from fastkmeans._kernels.emit.simd import POINTS
from fastkmeans._kernels.shared.update import COUNT, WEIGHT
from tests.helpers import hard_data, reference
from tests.helpers.data import blobs
from tests.helpers.engines import (
    F64,
    NO_WEIGHTS,
    by_differences,
    each_dtype,
    each_engine,
    labels_of,
    near_ties,
    visits,
)

Array = NDArray[Any]


@each_dtype
@each_engine
@pytest.mark.parametrize("d", [1, 2, 3, 9, 40])
def test_any_centers_may_follow_each_other(algorithm: str, d: int, dtype: Any) -> None:
    """Small steps, jumps, centers that meet and part again, and far ones."""
    rng = np.random.default_rng(d)
    for _ in range(4):
        X, centers = blobs(rng, 700, d, 6).astype(dtype), rng.normal(size=(11, d)) * 4
        sequence = []
        for _ in range(25):
            centers = centers + rng.normal(size=(11, d)) * 10.0 ** rng.uniform(-6, 0.5)
            moved = centers.copy()
            if rng.random() < 0.4:  # repeated for once: the next step parts them
                moved[rng.integers(0, 11, 4)] = moved[rng.integers(0, 11)]
            if rng.random() < 0.2:
                moved[rng.integers(0, 11)] *= 10.0 ** rng.uniform(1, 20)
            sequence.append(moved)
        for found, centers in zip(visits(algorithm, X, sequence, labels_of), sequence, strict=True):
            np.testing.assert_array_equal(found, by_differences(X, centers))


@each_dtype
@pytest.mark.parametrize("d", [2, 12, 40])
def test_some_centers_may_stand_still(d: int, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows may then be compared with those that move only, in any iterations."""
    rng = np.random.default_rng(d)
    k = 60
    for rate in (0.5, 0.9, 1.0):
        coin = np.random.default_rng(d)
        partial = property(lambda _, coin=coin, rate=rate: coin.random() < rate)
        monkeypatch.setattr(Patience, "is_partial", partial)
        X, centers = blobs(rng, 900, d, 40).astype(dtype), rng.normal(size=(k, d)) * 4
        sequence = [centers]
        for _ in range(24):
            movers = rng.permutation(k)[: rng.integers(1, 30)]
            step = rng.normal(size=(len(movers), d)) * 10.0 ** rng.uniform(-4, 0.3)
            sequence.append(sequence[-1].copy())
            sequence[-1][movers] += step
        for found, centers in zip(visits("bytes", X, sequence, labels_of), sequence, strict=True):
            np.testing.assert_array_equal(found, by_differences(X, centers))


@each_engine
def test_a_new_run_knows_nothing_of_the_last(algorithm: str) -> None:
    """Its second centers are those that the last run ended with, its labels are not."""
    rng = np.random.default_rng(0)
    X = blobs(rng, 700, 9, 6)
    centers = X[rng.choice(700, 11, replace=False)]
    sequence = [centers, centers, centers[::-1], centers]
    seen = visits(algorithm, X, sequence, labels_of, begins=(0, 2))
    for found, centers in zip(seen, sequence, strict=True):
        np.testing.assert_array_equal(found, by_differences(X, centers))


@each_dtype
@each_engine
@pytest.mark.parametrize("d", [1, 2, 3, 4, 20])
def test_near_ties_are_decided_by_differences(algorithm: str, d: int, dtype: Any) -> None:
    rng = np.random.default_rng(d)
    for _ in range(12):
        X, centers = near_ties(rng, 600, d, 5)
        X = (X + rng.choice([0.0, 1.0, 1e4])).astype(dtype)
        before = centers + rng.normal(size=centers.shape) * 10.0 ** rng.uniform(-9, -1)
        for found in visits(algorithm, X, [before, centers, centers], labels_of)[1:]:
            np.testing.assert_array_equal(found, by_differences(X, centers))


@each_dtype
@each_engine
def test_all_centers_are_out_of_reach(algorithm: str, dtype: Any) -> None:
    """Their scores overflow in float32, in the first iteration as well as later."""
    rng = np.random.default_rng(0)
    X = blobs(rng, 300, 5, 6).astype(dtype)
    sequence = [rng.normal(size=(11, 5)) * size for size in (1e25, 1e30, 1.0, 1e25)]
    for found, centers in zip(visits(algorithm, X, sequence, labels_of), sequence, strict=True):
        np.testing.assert_array_equal(found, by_differences(X, centers))


@each_engine
@hard_data.each_case
def test_hard_data(case: hard_data.Case, algorithm: str) -> None:
    """Extremes, denormals, constants: the labels of centers between and on the rows."""
    X = case.make(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    rows = X[rng.choice(len(X), case.k, replace=False)].astype(F64)
    sequence = [rows, rows / 2 + X[rng.choice(len(X), case.k)] / 2, rows[::-1], rows]
    for found, centers in zip(visits(algorithm, X, sequence, labels_of), sequence, strict=True):
        np.testing.assert_array_equal(found, by_differences(X, centers))


def test_rounding_of_many_features_that_conspires() -> None:
    """Thousands of products, each a little less than half a unit in the last place."""
    d, unit = 4000, 2.0**-53
    t = (0.48 * unit) ** 0.5
    inner = (d - 4) * t * t
    x, own, other = np.full(d, t), np.zeros(d), np.full(d, t)
    x[[0, -1]], x[1:3] = 0.5, 0.0
    own[0], own[-1], other[0], other[-1] = 0.5, -0.5, -0.5, 0.5
    other[1] = (1.5 * inner) ** 0.5
    own[2], other[2] = -((inner / 4) ** 0.5), (inner / 4) ** 0.5
    low, high = x.copy(), x.copy()
    low[2], high[2] = own[2], other[2]
    X = np.repeat([low, high, -low, -high], [16, 16, 16, 16], axis=0)  # mean zero
    centers = np.array([own, other])
    found = visits("boxes", X, [centers], labels_of)[0]
    np.testing.assert_array_equal(found, by_differences(X, centers))


@each_engine
@pytest.mark.parametrize("weights", [False, True])
def test_sums_follow_the_labels(algorithm: str, weights: bool) -> None:
    """Whatever moves in and out of a cluster, and when the sums are built anew."""
    rng = np.random.default_rng(11)
    X = blobs(rng, 1100, 3, 6)
    w = rng.integers(0, 3, 1100).astype(F64) if weights else np.ones(1100)
    sequence = [X[rng.choice(1100, 8)] + rng.normal(size=(8, 3)) for _ in range(12)]
    sequence += [sequence[-1] + rng.normal(size=(8, 3)) * 1e-3 for _ in range(4)]
    seen = visits(
        algorithm, X, sequence,
        lambda lloyd: (lloyd.new_centers.copy(), lloyd.sums.total_weights.copy(), labels_of(lloyd)),
        w if weights else NO_WEIGHTS,
    )  # fmt: skip
    for centers, (means, table, labels) in zip(sequence, seen, strict=True):
        np.testing.assert_array_equal(labels, by_differences(X, centers))
        np.testing.assert_array_equal(table[WEIGHT], np.bincount(labels, w, 8))
        np.testing.assert_array_equal(table[COUNT], np.bincount(labels, w > 0, 8))
        expected = reference.means(X, labels, w, centers)
        np.testing.assert_allclose(means, expected, rtol=0, atol=1e-12)


@each_dtype
def test_many_rivals(dtype: Any) -> None:
    """Where bytes tell no center from another there is no room to keep all rivals of a block."""
    rng = np.random.default_rng(0)
    k, d = ROOM // POINTS * 3, 16
    X = rng.normal(size=(100, d)).astype(dtype)
    centers = rng.normal(size=d) + rng.normal(size=(k, d)) * 1e-4
    for labels in visits("bytes", X, [centers, centers[::-1].copy()], labels_of):
        np.testing.assert_array_equal(labels, by_differences(X, centers))
        centers = centers[::-1]
