"""The micro-kernel for sparse rows, and the table of centers that it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans._engines.csr import CenterTable
from fastkmeans._kernels.sparse import score
from fastkmeans._runtime.jit import jit
from fastkmeans._runtime.threads import Team
from tests.helpers.kernels import DTYPES

Array = NDArray[Any]
NO_ROWS = np.zeros(0)


@jit
def call_score_row(
    values,  # in (n_stored,) float32 or float64
    indices,  # in (n_stored,) int32
    scale,  # in float64
    table,  # in (n_tiles, d, width) float32 or float64
    tile,  # in int
    biases,  # in (n_tiles, width)
    scores,  # out (width,)
):
    """Score all values as one row."""
    return score.score_row(values, indices, 0, values.size, scale, table, tile, biases, scores)


@jit
def call_second_best(
    scores,  # in (width,) float32 or float64
    best,  # in, of the same dtype
    second,  # out (1,) of the same dtype
):
    """Find the place of the best score, and the second."""
    return score.second_best(scores, best, second)


def filled(centers: Array, scale: float, dtype: Any) -> tuple[CenterTable, float]:
    table = CenterTable(centers.shape, dtype)
    with Team(1, 0.0) as team:
        return table, table.fill(centers, scale, team).largest


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 3, 8, 17, 50, 64, 65, 130, 300])
def test_scores_are_exact_for_small_integers(dtype: Any, k: int) -> None:
    """Every number of vectors in a tile, padding, several tiles."""
    rng = np.random.default_rng(k)
    d, scale = 23, 0.5
    centers = rng.integers(-4, 5, (k, d)) * 2.0
    table, largest = filled(centers, scale, dtype)
    assert largest == ((centers * scale) ** 2).sum(axis=1).max()
    values = rng.integers(-4, 5, 7).astype(dtype) * 2
    indices = np.sort(rng.choice(d, 7, replace=False)).astype(np.int32)
    x = np.zeros(d)
    x[indices] = values
    expected = (x * scale) @ (centers * scale).T - ((centers * scale) ** 2).sum(axis=1) / 2
    n_tiles, _, width = table.tiles.shape
    found = np.empty((n_tiles, width), dtype)
    tops = [
        call_score_row(values, indices, scale, table.tiles, tile, table.biases, found[tile])
        for tile in range(n_tiles)
    ]
    expected[table.repeated] = -np.inf
    np.testing.assert_array_equal(found.reshape(-1)[:k], expected)
    assert (found.reshape(-1)[k:] == -np.inf).all()
    np.testing.assert_array_equal(tops, found.max(axis=1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_without_values_scores_the_biases(dtype: Any) -> None:
    centers = np.arange(20.0).reshape(5, 4)
    table, _ = filled(centers, 1.0, dtype)
    found = np.empty(table.tiles.shape[2], dtype)
    none = np.zeros(0, dtype), np.zeros(0, np.int32)
    top = call_score_row(*none, 1.0, table.tiles, 0, table.biases, found)
    np.testing.assert_array_equal(found, table.biases[0])
    assert top == table.biases.max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_second_best_score(dtype: Any) -> None:
    scores = np.full(48, -np.inf, dtype)
    second = np.empty(1, dtype)
    for place in (0, 7, 8, 31, 47):
        one = scores.copy()
        one[place] = 2.0
        assert call_second_best(one, dtype(2.0), second) == place
        assert second[0] == -np.inf
        one[(place + 5) % 48] = -3.0
        assert call_second_best(one, dtype(2.0), second) == place
        assert second[0] == -3.0
        one[(place + 16) % 48] = 2.0
        assert call_second_best(one, dtype(2.0), second) in (place, (place + 16) % 48)
        assert second[0] == 2.0


def test_repeated_centers_never_win() -> None:
    """Rows of text all have norm 1: norms alone do not tell centers apart."""
    rng = np.random.default_rng(0)
    centers = np.zeros((40, 60))
    centers[np.arange(40), rng.permutation(60)[:40]] = 1.0
    centers[[7, 9, 39]] = centers[[3, 3, 20]]
    table, _ = filled(centers, 1.0, np.float32)
    assert np.flatnonzero(table.repeated).tolist() == [7, 9, 39]
    assert (table.biases.reshape(-1)[[7, 9, 39]] == -np.inf).all()
    assert table.norms[table.repeated].tolist() == [1.0] * 3
