"""The micro-kernels of bounds in float32, against their twins."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from numba.core import config
from numpy.typing import NDArray

from fastkmeans._kernels.bounded import group
from fastkmeans._kernels.bounded.group import GROUPS
from fastkmeans._kernels.emit.simd import CENTERS, POINTS
from fastkmeans._runtime.jit import jit
from tests.helpers.kernels import make_tiles

Array = NDArray[Any]
F32 = np.float32


@jit
def run_widen_row(lower, i, fastest, upper):
    return group.widen_row(lower, i, fastest, upper)


@jit
def run_needs_of(lower, i, upper):
    return group.needs_of(lower, i, upper)


@jit
def run_fetch_row(X, i):
    group.fetch_row(X, i)


@jit
def run_compare_group(blocks, tiles, start, stop, own, limits, bases, bounds):
    return group.compare_group(blocks, tiles, start, stop, own, limits, bases, bounds)


def test_a_row_needs_the_groups_whose_bound_is_not_above_its_upper_bound() -> None:
    lower = np.array([[0, 1, 2, 3, np.inf, np.nan, 2 + 1e-6, -1]] * 3, F32)
    for upper, needs in ((2.0, 0b11100111), (0.0, 0b10100001), (np.inf, 0xFF), (np.nan, 0xFF)):
        assert run_needs_of(lower, 1, F32(upper)) == needs
        assert group._needs_of_twin(lower, 1, F32(upper)) == needs


def test_a_row_loses_what_the_fastest_center_of_each_group_moved() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        lower, fastest = rng.random((3, GROUPS)).astype(F32), rng.random(GROUPS).astype(F32) * 0.1
        lower[rng.random(lower.shape) < 0.1] = np.inf
        before, twin, upper = lower.copy(), lower.copy(), F32(rng.random())
        needs = run_widen_row(lower, 1, fastest, upper)
        assert needs == group._widen_row_twin(twin, 1, fastest, upper)
        np.testing.assert_array_equal(lower, twin)
        np.testing.assert_array_equal(lower[[0, 2]], before[[0, 2]])
        exact = before[1].astype(float) - fastest
        positive = exact > 0.0
        assert (lower[1][positive] <= exact[positive]).all()
        np.testing.assert_allclose(lower[1], exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("d", [1, 2, 7, 16, 33])
def test_the_largest_scores_of_the_other_centers(d: int) -> None:
    """Whole numbers: no score is rounded, so that kernel and twin agree in every bit."""
    rng, found_any = np.random.default_rng(d), 0
    for _ in range(60):
        k = int(rng.integers(1, 5 * CENTERS))
        tiles = make_tiles(rng.integers(-2, 3, (k, d)) * 2.0, F32, 3.0)
        start, stop = np.sort(rng.integers(0, len(tiles) + 1, 2))
        block = rng.integers(-3, 4, (1, d, POINTS)).astype(F32)
        own = rng.integers(0, k, (1, POINTS)).astype(np.int32)
        scores = tiles[:, 0].reshape(-1, 1) + tiles[:, 1:].swapaxes(1, 2).reshape(-1, d) @ block[0]
        best = np.take_along_axis(scores, own.astype(np.int64), 0)
        limits = (best - 0.5).astype(F32)  # its own score is above it
        bases = (2.0 * scores[np.isfinite(scores).any(axis=1)].max(axis=0)[None] + 9).astype(F32)
        bounds, twin = np.full((2, 1, POINTS), 7, F32)
        found = run_compare_group(block, tiles, start, stop, own, limits, bases, bounds)
        assert found == compare_twin(block, tiles, start, stop, own, limits, bases, twin)
        np.testing.assert_allclose(bounds, twin, rtol=1e-6)
        for p in range(POINTS):
            part = np.arange(start * CENTERS, stop * CENTERS)
            rest = scores[part[part != own[0, p]], p].max(initial=-np.inf)
            rival = not rest <= limits[0, p]
            assert found >> p & 1 == rival
            # A rival may become the own center: the bound must hold for both.
            every = scores[part, p].max(initial=-np.inf) if rival else rest
            exact = np.sqrt(max(bases[0, p] - 2.0 * every, 0.0))
            assert bounds[0, p] <= exact
            np.testing.assert_allclose(bounds[0, p], exact, rtol=1e-5)
            found_any += rival
    assert found_any > 50


def compare_twin(
    block: Array, tiles: Array, start: int, stop: int, own: Array, limits: Array, bases: Array,
    bounds: Array,
) -> int:  # fmt: skip
    return group._compare_group_twin(block, tiles, start, stop, own, limits, bases, bounds)


def test_a_row_is_fetched_in_any_layout() -> None:
    for X in (np.zeros((2, 5, 40)), np.zeros((2, 40, 5)).transpose(0, 2, 1)):
        run_fetch_row(X, 4)
        group._fetch_row_twin(X, 4)


@pytest.mark.skipif(config.DISABLE_JIT, reason="The twin fetches nothing.")
def test_a_row_is_fetched_by_as_many_lines_as_it_has_features() -> None:
    """Features of a row in F order lie a column apart: lines between them are not fetched."""
    X = np.lib.stride_tricks.as_strided(np.zeros(9), (2, 5, 3), (0, 8, 1 << 36))
    run_fetch_row(X[:, :, :0], 4)  # compiles
    began = time.perf_counter()
    run_fetch_row(X, 4)
    assert time.perf_counter() - began < 1.0
