"""The kernels of k-means++: candidates, potentials and draws, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastkmeans._data.rows import twice
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.emit.simd import CENTERS, POINTS
from fastkmeans._kernels.seeding import potential
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
        n_candidates = min(m, CENTERS)
        candidates = rng.permutation(m)[:n_candidates]
        tiles = np.zeros((1, 1 + d, CENTERS), dtype)
        scale = X.dtype.type(0.5)
        offset = np.full(d, 0.25, dtype)
        potential.pack_candidates(X[candidates], offset, scale, tiles)
        x = X * 0.5 + 0.25
        np.testing.assert_array_equal(tiles[0, 1:, :n_candidates].T, x[candidates])
        squares = squared_distances(x, x[candidates])
        before = rng.integers(0, 200, m).astype(dtype) / 4
        closer, potentials = np.full(m, 0xFFFF, np.uint16), np.zeros((CENTERS, potential.SUMS))
        potentials[:, 0] = 1.0  # added to
        start = GROUP_ROWS if m > 2 * GROUP_ROWS else 0
        group_sums, untouched = np.full(-(-m // GROUP_ROWS), -1.0), before.copy()
        potential.visit(
            twice(X), start, m, potential.Nearest(weights, before, closer, group_sums, NO_WEIGHTS),
            offset, scale, tiles, n_candidates, potential.TRY, potentials,
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
        bits = (closer[start:, None] >> np.arange(16)) & 1
        np.testing.assert_array_equal(bits[:, :n_candidates], (squares < before[:, None])[start:])
        assert not bits[:, n_candidates:].any()
        assert (closer[:start] == 0xFFFF).all()
        winner = int(np.argmin(expected))
        after, known = before.copy(), (closer.copy(), potentials.copy())
        potential.visit(
            twice(X), start, m, potential.Nearest(weights, after, closer, group_sums, NO_WEIGHTS),
            offset, scale, tiles, n_candidates, winner, potentials,
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
