"""The lengths of rows, and blocks that are brought to length 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastkmeans._data.rows import twice
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.emit.simd import POINTS
from fastkmeans._kernels.plain.assign import assign_rows
from fastkmeans._kernels.plain.distances import distance_rows
from fastkmeans._kernels.plain.exact import settle_by_products
from fastkmeans._kernels.shared import lengths
from fastkmeans._kernels.shared.pack import pack_points
from tests.helpers.kernels import DTYPES, LAYOUTS, Array, lay_out, make_tiles, sealed
from tests.helpers.reference import closest_directions, directions, products


def some_rows(dtype: Any, m: int = 70, d: int = 5) -> Array:
    """Return rows of lengths over the whole range of the dtype, and some of length 0."""
    rng = np.random.default_rng(d)
    most = 37.0 if dtype == np.float32 else 307.0
    X = rng.uniform(0.5, 1.0, (m, d)) * rng.choice([-1.0, 1.0], (m, d))
    X *= 10.0 ** rng.uniform(-most, most, (m, 1))
    X[::9] = 0.0
    return X.astype(dtype)


def exact_lengths(X: Array) -> Array:
    x = X.astype(np.longdouble)
    return np.sqrt((x**2).sum(axis=1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("d", [1, 4, 11])
def test_measure_lengths(d: int, layout: str, dtype: Any) -> None:
    X = lay_out(some_rows(dtype, d=d), layout)
    scale = 2.0 ** -float(np.frexp(np.abs(X).max())[1])
    exact = exact_lengths(X) * np.longdouble(scale)
    rng = np.random.default_rng(0)
    for weights in (NO_WEIGHTS, sealed(rng.integers(0, 4, 70).astype(float))):
        w = weights if weights.size else np.ones(70)
        inverse, totals, sums = np.full(70, -1.0), np.zeros(3), np.zeros((1, d))
        lengths.measure_lengths(twice(X), 3, 68, weights, np.zeros(d), scale, inverse, totals, sums)
        assert (inverse[:3] == -1.0).all()
        assert (inverse[68:] == -1.0).all()
        moving = (exact > 0.0) & (1.0 / np.where(exact > 0.0, exact, 1.0) < 1e308)
        part = np.zeros(70, bool)
        part[3:68] = True
        np.testing.assert_array_equal(inverse[part & ~moving], 0.0)
        own = part & moving
        np.testing.assert_allclose(inverse[own], (1.0 / exact[own]).astype(float), rtol=1e-15)
        assert totals[lengths.ZEROS] == (part & ~moving).sum()
        assert totals[lengths.ZERO_WEIGHT] == w[part & ~moving].sum()
        assert totals[lengths.WEIGHT] == w[own].sum()
        close = own & (exact > 1e-250)  # the others, scaled, are denormal
        if close.sum() == own.sum():
            expected = (w[own][:, None] * directions(X[own])).sum(axis=0)
            np.testing.assert_allclose(sums[0], expected, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_block_is_brought_to_length_one(dtype: Any) -> None:
    """Rows that vanish when they are packed are read again."""
    d = 7
    X = some_rows(np.float32, POINTS, d).astype(dtype)
    X[0] = X[1]
    rows, scale = np.arange(POINTS), dtype(2.0**-126)
    blocks, norms = np.zeros((1, d, POINTS), dtype), np.zeros((1, POINTS), dtype)
    pack_points(twice(X), rows, POINTS, np.zeros(d, dtype), scale, blocks, norms)
    inverse, totals, sums = np.zeros(POINTS), np.zeros(3), np.zeros((1, d))
    lengths.measure_lengths(
        twice(X), 0, POINTS, NO_WEIGHTS, np.zeros(d), float(scale), inverse, totals, sums
    )
    assert (inverse > lengths.SHORT).any()
    inverse[0] = 0.0  # as of a row that is shorter still
    lengths.to_length_one(twice(X), rows, 0, inverse[None], blocks)
    np.testing.assert_allclose(blocks[0].T, directions(X), atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_distances_by_cosine(layout: str, dtype: Any) -> None:
    d, k = 6, 19
    X = lay_out(some_rows(dtype, 3 * POINTS + 5, d), layout)
    rng = np.random.default_rng(1)
    centers = directions(rng.normal(size=(k, d)))
    centers[3] = directions(X[1:2])[0] + 1e-5
    centers[3] /= np.sqrt((centers[3] ** 2).sum())
    size = 126 if dtype == np.float32 else 1020
    scale = dtype(2.0 ** max(-size, -int(np.frexp(np.abs(X).max())[1])))
    out = np.full((len(X), k), 7.0, dtype)
    tiles = make_tiles(centers, dtype)
    distance_rows(twice(X), 2, len(X) - 1, np.zeros(d, dtype), scale, tiles, True, out)
    assert (out[:2] == 7.0).all()
    assert (out[-1] == 7.0).all()
    U = directions(X).astype(np.longdouble)
    expected = ((U[:, None] - centers) ** 2).sum(axis=2) / 2
    expected[~X.any(axis=1)] = 1.0
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(out[2:-1], expected[2:-1].astype(float), rtol=1e-3, atol=8 * eps)
    assert 0.0 < expected[1, 3] < 1e-8


@pytest.mark.parametrize("dtype", DTYPES)
def test_open_rows_are_labelled_by_products(dtype: Any) -> None:
    """Integers: ties abound, and they go to the lowest index; lengths do not matter."""
    rng = np.random.default_rng(2)
    for d in (1, 2, 3, 30):
        X = rng.integers(-2, 3, (80, d)).astype(dtype)
        centers = rng.integers(-2, 3, (11, d)).astype(float)
        expected = products(X, centers).argmax(axis=1)
        np.testing.assert_array_equal(expected, closest_directions(X, centers))
        for size in (1.0, 2.0**-120, 2.0**120):
            labels, counts = np.where(np.arange(80) % 3, -1, 77).astype(np.int32), np.array([100])
            is_open, previous = labels < 0, np.full(80, 2, np.int32)
            is_open[[0, 79]] = False
            rows = twice(X * dtype(size))
            settle_by_products(rows, 1, 79, 1.0, centers, previous, labels, counts)
            np.testing.assert_array_equal(labels[is_open], expected[is_open])
            assert (labels[~is_open] == np.where(np.arange(80) % 3, -1, 77)[~is_open]).all()
            assert counts[0] == 100 + (expected != 2)[is_open].sum()


@pytest.mark.parametrize("dtype", DTYPES)
def test_open_rows_of_zeros_are_counted_apart(dtype: Any) -> None:
    """They cost ``settle_by_products`` little, so there may be many."""
    X = np.zeros((5000, 3), dtype)
    X[::7] = np.random.default_rng(0).normal(size=(715, 3))
    centers = directions(np.random.default_rng(1).normal(size=(9, 3)))
    tiles = make_tiles(centers, np.float32)
    tiles[:, 0][tiles[:, 0] > -np.inf] = 0.0
    labels, counts = np.empty(5000, np.int32), np.empty(3, np.int64)
    assign_rows(
        twice(X), 0, 5000, np.zeros(3, dtype), dtype(0.25), centers, tiles, 1.0, True,
        np.full(5000, -1, np.int32), labels, counts,
    )  # fmt: skip
    assert counts[1] == counts[2] == (~X.any(axis=1)).sum()
    np.testing.assert_array_equal(labels < 0, ~X.any(axis=1))
