"""Scores that start at the labels of the rows: limits, rivals, and labels that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastkmeans._data.rows import twice
from fastkmeans._kernels.emit.simd import CENTERS, POINTS
from fastkmeans._kernels.plain import start, tile
from fastkmeans._kernels.plain.assign import GROUP, assign_rows
from fastkmeans._runtime.jit import jit
from tests.helpers.kernels import (
    DTYPES,
    Array,
    best_two_reference,
    make_tiles,
    new_best_two,
    prepare,
)
from tests.helpers.reference import closest

F32 = np.float32
NARROW = F32(1e-3), F32(1e-5), F32(1e-6)
WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33]


@jit
def run_best_two(blocks, b, tiles, first, last, home, best, second, index):
    tile.best_two(blocks, b, tiles, first, last, home, best, second, index)


@jit
def run_start(blocks, b, rows, labels, table, norms, narrow, home, best, second, index):
    start.start_at_labels(blocks, b, rows, labels, table, norms, narrow, home, best, second, index)


@jit
def run_fill_table(tiles, table):
    start.fill_table(tiles, table)


def table_of(tiles: Array, k: int) -> Array:
    """Return centers as rows, from their tiles; the padding is not zero before."""
    _, height, _ = tiles.shape
    table = np.full((k, -(-height // start.TABLE_MULTIPLE) * start.TABLE_MULTIPLE), 7, F32)
    run_fill_table(tiles, table)
    return table


def started(blocks: Array, tiles: Array, k: int, labels: Array, run: Any) -> tuple[Array, ...]:
    """Return home, best, second and index of block 1 of two; block 0 is untouched."""
    found = new_best_two(F32)
    rows = np.random.default_rng(0).permutation(2 * POINTS)
    of_rows = np.full(2 * POINTS, -1, np.int32)
    of_rows[rows[POINTS:]] = labels
    norms = np.square(blocks).sum(axis=1)
    run(blocks, 1, rows, of_rows, table_of(tiles, k), norms, NARROW, *found)
    for array, untouched in zip(found, new_best_two(F32), strict=True):
        np.testing.assert_array_equal(array[0], untouched[0])
    return tuple(array[1] for array in found)


@pytest.mark.parametrize("d", WIDTHS)
def test_starting_at_labels_equals_its_twin(d: int) -> None:
    rng = np.random.default_rng(d)
    k = 3 * CENTERS + 2
    blocks = rng.integers(-3, 4, (2, d, POINTS)).astype(F32)
    centers = rng.integers(-3, 4, (k, d)).astype(float)
    tiles = make_tiles(centers, F32, rubbish=7.0)
    repeated = 1
    tiles[0, 0, repeated] = -np.inf
    for _ in range(20):
        labels = rng.integers(0, k, POINTS).astype(np.int32)
        unknown = rng.random(POINTS) < 0.3
        labels[unknown] = rng.choice([-1, -7, k, k + 1, 2**31 - 1, -(2**31)], unknown.sum())
        labels[0] = repeated
        found, twin = (
            started(blocks, tiles, k, labels, run)
            for run in (run_start, start._start_at_labels_twin)
        )
        for name, (got, expected) in enumerate(zip(found, twin, strict=True)):
            if name != 2:
                np.testing.assert_array_equal(got, expected)
        np.testing.assert_allclose(found[2], twin[2], rtol=1e-6, atol=1e-6)
        home, best, second, index = found
        known = (labels >= 0) & (labels < k)
        np.testing.assert_array_equal(index, np.where(known, labels, -1))
        valid = np.where(known, labels, 0)
        scores = blocks[1].T @ centers.T - np.square(centers).sum(axis=1) / 2
        scores[:, repeated] = -np.inf
        expected = np.where(known, scores[np.arange(POINTS), valid], -np.inf)
        np.testing.assert_array_equal(best, expected)
        leads = known & (labels != repeated)
        assert (best[leads] > second[leads]).all()
        np.testing.assert_array_equal(home, np.where(leads, labels // CENTERS, -1))
        assert (second[~leads] == -np.inf).all()


@pytest.mark.parametrize("d", WIDTHS)
def test_the_own_score_has_the_bits_of_the_tile(d: int) -> None:
    rng = np.random.default_rng(d)
    k = CENTERS + 1
    blocks = (rng.normal(size=(2, d, POINTS)) * 10.0 ** rng.uniform(-3, 3, POINTS)).astype(F32)
    tiles = make_tiles(rng.normal(size=(k, d)), F32)
    for j in range(k):
        best = started(blocks, tiles, k, np.full(POINTS, j, np.int32), run_start)[1]
        alone = np.full_like(tiles, 0.0)
        alone[:, 0] = -np.inf
        alone[j // CENTERS, :, j % CENTERS] = tiles[j // CENTERS, :, j % CENTERS]
        found = new_best_two(F32)
        run_best_two(blocks, 1, alone, 0, 2, *found)
        np.testing.assert_array_equal(best, found[1][1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("twin", [False, True])
def test_best_two_from_any_label_and_any_limit(dtype: Any, twin: bool) -> None:
    """Ties, rivals exactly at the limit, repeated centers, better centers on either side."""
    run = tile._best_two_twin if twin else run_best_two
    rng = np.random.default_rng(0)
    lanes = np.arange(POINTS)
    for k in (1, 2, CENTERS, CENTERS + 1, 4 * CENTERS + 1):
        for _ in range(60):
            d = int(rng.integers(1, 5))
            points = rng.integers(-2, 3, (POINTS, d)).astype(float)
            centers = rng.integers(-2, 3, (k, d)).astype(float)
            blocks = np.ascontiguousarray([points.T, points.T], dtype)
            tiles = make_tiles(centers, dtype, rubbish=7.0)
            scores = points @ centers.T - np.square(centers).sum(axis=1) / 2
            label = rng.integers(0, k, POINTS)
            if rng.random() < 0.5:
                label = np.where(rng.random(POINTS) < 0.8, scores.argmax(axis=1), label)
            own = scores[lanes, label]
            below = rng.choice([0.5, 1.0, 2.5, 4.0, 8.0, np.inf], POINTS)
            known = rng.random(POINTS) < 0.9
            found = home, best, second, index = new_best_two(dtype)
            home[1] = np.where(known, label // CENTERS, -1)
            best[1] = np.where(known, own, -np.inf)
            limit = np.where(known, own - below, -np.inf)
            second[1], index[1] = limit, np.where(known, label, -1)
            run(blocks, 1, tiles, 0, len(tiles), *found)
            highest, runner_up, lowest_index = best_two_reference(points, centers)
            np.testing.assert_array_equal(best[1], highest)
            np.testing.assert_array_equal(second[1], np.maximum(runner_up, limit))
            stays = known & (own == highest)
            np.testing.assert_array_equal(index[1], np.where(stays, label, lowest_index))
            stays &= second[1] < best[1]
            np.testing.assert_array_equal(home[1], np.where(stays, label // CENTERS, -1))


def assigned(X: Array, centers: Array, previous: Array, **options: Any) -> tuple[Array, Array]:
    scaling, packed = prepare(X, centers, **options)
    labels, counts = np.full(len(X), -7, np.int32), np.full(3, -9, np.int64)
    assign_rows(
        twice(X), 0, len(X), scaling.x_offset, scaling.x_scale,
        centers, packed.tiles, packed.largest, False, previous, labels, counts,
    )  # fmt: skip
    return labels, counts


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 2, 5, 8, 13])
def test_labels_do_not_depend_on_where_they_start(dtype: Any, d: int) -> None:
    rng = np.random.default_rng(d)
    k = start.LEAST_CENTERS + d + 3
    sizes = [1, 2, POINTS - 1, POINTS, POINTS + 1, GROUP * POINTS + 1, 3 * GROUP * POINTS - 1]
    for m, far in [(m, far) for m in sizes for far in (1.0, 1e12, 1e30, 1e150)]:
        X = rng.normal(size=(m, d)).astype(dtype)
        centers = rng.normal(size=(k, d))
        centers[::5] *= far
        centers[-1], centers[7] = centers[2], centers[3]  # repeated
        expected = closest(X, centers)
        ours = np.where(rng.random(m) < 0.1, rng.integers(0, k, m), expected)
        some = np.where(rng.random(m) < 0.5, -1, ours)
        some[0] = 0
        strange = np.where(rng.random(m) < 0.1, k + rng.integers(0, 99, m), expected)
        strange[0] = k - 1
        for previous in (ours, some, strange, rng.integers(0, k, m), np.full(m, k - 1)):
            labels, counts = assigned(X, centers, previous.astype(np.int32))
            shown = labels >= 0
            np.testing.assert_array_equal(labels[shown], expected[shown])
            assert counts[0] == (labels != previous)[shown].sum()
            assert counts[1] == (~shown).sum()
            if far == 1.0:
                assert (~shown).sum() <= 1 + m // 200


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_between_a_label_and_others(dtype: Any) -> None:
    """A grid: many rows are exactly between centers, and the lowest index wins."""
    rng = np.random.default_rng(3)
    X = rng.integers(-3, 4, (2000, 2)).astype(dtype)
    centers = rng.integers(-3, 4, (40, 2)).astype(float)
    expected = closest(X, centers)
    for previous in (expected, rng.integers(0, 40, 2000)):
        labels, counts = assigned(X, centers, previous.astype(np.int32), shift=0.5, scale=0.25)
        shown = labels >= 0
        np.testing.assert_array_equal(labels[shown], expected[shown])
        assert counts[1] > 50


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 3, 8, 40])
def test_a_row_without_rival_is_proven(dtype: Any, d: int) -> None:
    """Its limit alone must satisfy the bound, wherever the data lie and however large they are."""
    rng = np.random.default_rng(d)
    k = start.LEAST_CENTERS + d
    for size, away in [(1.0, 0.0), (2.0**-90, 0.0), (1.0, 30.0), (2.0**90, 7.0)]:
        centers = ((rng.permutation(k)[:, None] / k - 0.5) + np.zeros(d) + away) * size
        previous = rng.integers(0, k, 500).astype(np.int32)
        noise = rng.uniform(-0.1, 0.1, (500, d)) * size / k
        X = (centers[previous] + noise).astype(dtype)
        labels, counts = assigned(X, centers, previous, shift=away * size, scale=1 / size)
        np.testing.assert_array_equal(labels, previous)
        assert counts.tolist() == [0, 0, 0], (size, away)
