"""The kernels of k-means++: candidates, potentials and draws, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastkmeans._data.rows import twice
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.emit.simd import CENTERS, POINTS
from fastkmeans._kernels.seeding import compare, potential
from fastkmeans._runtime.jit import NO_KERNEL
from tests.helpers.kernels import (
    DTYPES,
    Array,
    sealed,
)
from tests.helpers.reference import squared_distances

GROUP_ROWS = potential.GROUP_ROWS
NO_BITS = np.empty(0, np.uint16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_try_and_adopt(dtype: Any, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    for m, d in [(1, 1), (POINTS - 1, 2), (POINTS, 3), (POINTS + 1, 20), (2 * GROUP_ROWS + 9, 4)]:
        X = rng.integers(-9, 9, (m, d)).astype(dtype)
        weights = sealed(rng.integers(0, 3, m).astype(float)) if weighted else NO_WEIGHTS
        w = weights if weighted else np.ones(m)
        n_candidates = min(m, potential.MOST_TRIED)
        candidates = rng.permutation(m)[:n_candidates]
        tiles = np.zeros((potential.TILES, 1 + d, CENTERS), dtype)
        scale = X.dtype.type(0.5)
        offset = np.full(d, 0.25, dtype)
        potential.pack_candidates(X[candidates], offset, scale, tiles)
        x = X * 0.5 + 0.25
        packed = tiles[:, 1:].transpose(0, 2, 1).reshape(-1, d)
        np.testing.assert_array_equal(packed[:n_candidates], x[candidates])
        squares = squared_distances(x, x[candidates])
        before = rng.integers(0, 200, m).astype(dtype) / 4
        shape = -(-m // GROUP_ROWS), potential.WORDS, potential.MOST_TRIED
        closer = np.full(shape, np.iinfo(np.uint64).max, np.uint64)
        potentials = np.zeros((potential.MOST_TRIED, compare.SUMS))
        potentials[:, 0] = 1.0  # added to
        start = GROUP_ROWS if m > 2 * GROUP_ROWS else 0
        group_sums, untouched = np.full(-(-m // GROUP_ROWS), -1.0), before.copy()
        potential.visit(
            twice(X), start, m, potential.Nearest(weights, before, closer, group_sums, NO_WEIGHTS),
            offset, scale, tiles, n_candidates, potential.TRY, NO_KERNEL, potentials,
        )  # fmt: skip
        np.testing.assert_array_equal(before, untouched)
        assert (group_sums == -1.0).all()
        lower = np.minimum(squares, before[:, None])
        expected = (lower * w[:, None])[start:].sum(axis=0)
        np.testing.assert_array_equal(potentials[:n_candidates].sum(axis=1), expected + 1.0)
        parts = np.zeros((16, n_candidates))  # on every processor: the choice must not depend on it
        np.add.at(parts, np.arange(start, m) % 16, (lower * w[:, None])[start:])
        parts[0] += 1.0
        np.testing.assert_array_equal(potentials[:n_candidates], parts.T)
        bits = closer[:, :, None] >> np.arange(potential.BITS, dtype=np.uint64)[
            :, None
        ] & np.uint64(1)
        bits = bits.reshape(-1, potential.MOST_TRIED)[:m]
        is_closer = squares < before[:, None]
        np.testing.assert_array_equal(bits[start:, :n_candidates], is_closer[start:])
        assert not bits[start:, n_candidates:].any()
        assert bits[:start].all()
        winner = int(np.argmin(expected))
        after, known = before.copy(), (closer.copy(), potentials.copy())
        potential.visit(
            twice(X), start, m, potential.Nearest(weights, after, closer, group_sums, NO_WEIGHTS),
            offset, scale, tiles, n_candidates, winner, NO_KERNEL, potentials,
        )  # fmt: skip
        np.testing.assert_array_equal(closer, known[0])
        np.testing.assert_array_equal(potentials, known[1])
        np.testing.assert_array_equal(after[start:], lower[start:, winner])
        np.testing.assert_array_equal(after[:start], before[:start])
        assert after[candidates[winner]] == (
            0 if candidates[winner] >= start else before[candidates[winner]]
        )
        for group, total in enumerate(group_sums):
            part = slice(group * GROUP_ROWS, (group + 1) * GROUP_ROWS)
            assert total == (-1.0 if part.start < start else (w * after)[part].sum())


def test_the_first_center_is_compared_with_all_rows_that_there_are() -> None:
    """All bits are set at first, also those of rows beyond the end of the last group."""
    m, d = GROUP_ROWS + 5, 2
    X = np.random.default_rng(0).integers(-9, 9, (m, d)).astype(np.float32)
    tiles = np.zeros((potential.TILES, 1 + d, CENTERS), np.float32)
    offset, one = np.zeros(d, np.float32), np.float32(1)
    potential.pack_candidates(X[:1], offset, one, tiles)
    closest, group_sums = np.full(m + GROUP_ROWS, np.inf, np.float32), np.zeros(2)
    shape = 2, potential.WORDS, potential.MOST_TRIED
    closer = np.full(shape, np.iinfo(np.uint64).max, np.uint64)
    nearest = potential.Nearest(NO_WEIGHTS, closest, closer, group_sums, NO_WEIGHTS)
    potentials = np.zeros((potential.MOST_TRIED, compare.SUMS))
    potential.visit(twice(X), 0, m, nearest, offset, one, tiles, 1, 0, NO_KERNEL, potentials)
    expected = squared_distances(X, X[:1])[:, 0]
    np.testing.assert_array_equal(closest[:m], expected)
    assert np.isinf(closest[m:]).all()
    assert group_sums.sum() == expected.sum()


def drawn(uniforms: Array, weights: Array, closest_squares: Array) -> Array:
    w = weights if weights.size else np.ones(closest_squares.size)
    shares = w * closest_squares
    group_sums = np.array(
        [shares[g : g + GROUP_ROWS].sum() for g in range(0, shares.size, GROUP_ROWS)]
    )
    rows = np.full(uniforms.size, -1, np.int64)
    nearest = potential.Nearest(sealed(weights), closest_squares, NO_BITS, group_sums, NO_WEIGHTS)
    potential.draw(uniforms, nearest, rows)
    return rows


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_draw_follows_the_running_sums(dtype: Any, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    for n in (1, 10, GROUP_ROWS, GROUP_ROWS + 1, 3 * GROUP_ROWS + 5):
        squares = rng.integers(0, 4, n).astype(dtype)
        squares[GROUP_ROWS : 2 * GROUP_ROWS] = 0  # a group without any share
        squares[-1] = 3
        weights = rng.integers(0, 3, n).astype(float) if weighted else NO_WEIGHTS
        if weighted:
            weights[-1] = 1.0
        shares = np.cumsum(squares * (weights if weighted else 1.0))
        edges = np.concatenate([[0.0], shares[:-1]])[np.diff(shares, prepend=0.0) > 0]
        uniforms = np.concatenate([edges / shares[-1], rng.random(50), [np.nextafter(1.0, 0.0)]])
        targets = uniforms * shares[-1]
        expected = np.searchsorted(shares, targets, side="right").clip(max=n - 1)
        np.testing.assert_array_equal(drawn(uniforms, weights, squares), expected)


def test_rounding_of_the_sums_draws_no_row_without_a_share() -> None:
    rows = np.full(1, -1, np.int64)
    sums = np.array([np.nextafter(2.0, 3.0)])
    nearest = potential.Nearest(NO_WEIGHTS, np.array([1.0, 1.0, 0.0]), NO_BITS, sums, NO_WEIGHTS)
    potential.draw(np.array([np.nextafter(1.0, 0.0)]), nearest, rows)
    assert rows.tolist() == [1]


def test_draw_without_any_potential_goes_by_weight() -> None:
    nothing = np.zeros(5)
    uniforms = np.array([0.0, 0.19, 0.2, 0.99])
    assert drawn(uniforms, NO_WEIGHTS, nothing).tolist() == [0, 0, 1, 4]
    weights = np.array([0.0, 1.0, 0.0, 3.0, 0.0])
    assert drawn(np.array([0.0, 0.24, 0.25, 0.99]), weights, nothing).tolist() == [1, 1, 3, 3]
