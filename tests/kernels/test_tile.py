"""The tile: the two best centers of a block and squared distances, against NumPy."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from fastkmeans._data.rows import twice
from fastkmeans._data.scaling import make_scaling
from fastkmeans._kernels.emit.simd import CENTERS, POINTS
from fastkmeans._kernels.plain import tile
from fastkmeans._kernels.plain.distances import distance_rows
from fastkmeans._runtime.jit import jit
from tests.helpers.kernels import (
    DTYPES,
    LAYOUTS,
    Array,
    best_two_reference,
    lay_out,
    make_tiles,
    new_best_two,
)
from tests.helpers.reference import squared_distances


@jit
def run_best_two(blocks, b, tiles, start, stop, home, best, second, index):
    tile.best_two(blocks, b, tiles, start, stop, home, best, second, index)


@jit
def run_squared_distances(blocks, b, tiles, number, out):
    tile.squared_distances(blocks, b, tiles, number, out)


def one_of_two(points: Array, dtype: Any) -> Array:
    """Return points as block 1 of two; block 0 holds other values."""
    return np.stack([np.full(points.T.shape, 3.0), points.T]).astype(dtype)


def second_of(found: tuple[Array, ...]) -> list[Array]:
    """Return best, second and index of block 1; block 0 is untouched."""
    for array, start in zip(found, new_best_two(found[1].dtype), strict=True):
        np.testing.assert_array_equal(array[0], start[0])
    return [array[1] for array in found[1:]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, CENTERS - 1, CENTERS, CENTERS + 1, 5 * CENTERS + 3])
def test_best_two(dtype: Any, k: int) -> None:
    rng = np.random.default_rng(k)
    for d in (1, 2, 3, 17):
        points = rng.integers(-2, 3, (POINTS, d)).astype(float)
        centers = rng.integers(-2, 3, (k, d)).astype(float)
        blocks = one_of_two(points, dtype)
        tiles = make_tiles(centers, dtype, rubbish=7.0)
        found = new_best_two(dtype)
        run_best_two(blocks, 1, tiles, 0, len(tiles), *found)
        for got, expected in zip(
            second_of(found), best_two_reference(points, centers), strict=True
        ):
            np.testing.assert_array_equal(got, expected)
        in_parts = new_best_two(dtype)
        for t in range(len(tiles)):
            run_best_two(blocks, 1, tiles, t, t + 1, *in_parts)
        for part, whole in zip(in_parts, found, strict=True):
            np.testing.assert_array_equal(part, whole)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lowest_index_within_and_across_tiles(dtype: Any) -> None:
    k, d = 4 * CENTERS, 3
    blocks = one_of_two(np.ones((POINTS, d)), dtype)
    for winners in ([0, 1], [0, k - 1], [3, CENTERS + 2], [CENTERS - 1, CENTERS], [k - 2, k - 1]):
        centers = np.full((k, d), -5.0)
        centers[winners] = 1.0
        found = new_best_two(dtype)
        run_best_two(blocks, 1, make_tiles(centers, dtype), 0, 4, *found)
        best, second, index = second_of(found)
        assert (index == winners[0]).all()
        np.testing.assert_array_equal(best, second)  # a tie is a margin of zero


@pytest.mark.parametrize("dtype", DTYPES)
def test_second_best_is_kept_wherever_it_stands(dtype: Any) -> None:
    k, d = 2 * CENTERS + 1, 1
    blocks = one_of_two(np.zeros((POINTS, d)), dtype)
    tiles = make_tiles(np.full((k, d), 9.0), dtype)
    places = [0, 1, CENTERS - 1, CENTERS, 2 * CENTERS - 1, 2 * CENTERS]
    for first, other in product(places, places):
        if first != other:
            scored = tiles.copy()
            scored[first // CENTERS, 0, first % CENTERS] = -1.0
            scored[other // CENTERS, 0, other % CENTERS] = -2.0
            found = new_best_two(dtype)
            run_best_two(blocks, 1, scored, 0, 3, *found)
            best, second, index = second_of(found)
            assert (best == -1.0).all()
            assert (second == -2.0).all()
            assert (index == first).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_squared_distances(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for d, n_tiles in product((1, 2, 5, 33), (1, 3)):
        points = rng.integers(-9, 9, (POINTS, d)).astype(float)
        centers = rng.integers(-9, 9, (n_tiles * CENTERS, d)).astype(float)
        tiles = make_tiles(centers, dtype)
        tiles[:, 0] = np.nan  # the bias is not read
        for t in range(n_tiles):
            out = np.full((CENTERS, POINTS), -1, dtype)
            run_squared_distances(one_of_two(points, dtype), 1, tiles, t, out)
            expected = squared_distances(centers[t * CENTERS : (t + 1) * CENTERS], points)
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_distance_rows(dtype: Any, layout: str) -> None:
    rng = np.random.default_rng(0)
    for m, k, d in [(1, 1, 1), (POINTS - 1, CENTERS - 1, 3), (POINTS, CENTERS, 20),
                    (2 * POINTS + 1, 2 * CENTERS + 1, 5)]:  # fmt: skip
        whole = rng.integers(-9, 9, (m, d)).astype(float)
        X = lay_out(whole.astype(dtype), layout)
        centers = rng.integers(-9, 9, (k, d)).astype(float)
        scaling = make_scaling(X.dtype, np.full(d, 2.0), 0.25)
        tiles = make_tiles((centers - 2.0) * 0.25, dtype)
        for start, stop in {(0, m), (m // 2, m), (0, (m + 1) // 2)}:
            out = np.full((m, k), -1, dtype)
            distance_rows(
                twice(X), start, stop, scaling.x_offset, scaling.x_scale, tiles, False, out
            )
            expected = np.sqrt(squared_distances(whole, centers))
            np.testing.assert_allclose(
                out[start:stop], expected[start:stop], rtol=2 * np.finfo(dtype).eps
            )
            assert (np.delete(out, np.s_[start:stop], axis=0) == -1).all()
