"""The kernels of the plain E step, at the edges of blocks, groups and panels."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from fastkmeans._data.rows import twice
from fastkmeans._kernels.emit.simd import CENTERS, POINTS
from fastkmeans._kernels.plain.assign import (
    GROUP,
    PANEL_BYTES,
    assign_rows,
    score_blocks,
    settle_rows,
)
from fastkmeans._kernels.plain.exact import closest_by_differences, settle_by_differences
from tests.helpers.engines import labels_of, visits
from tests.helpers.kernels import (
    DTYPES,
    LAYOUTS,
    Array,
    best_two_reference,
    lay_out,
    make_tiles,
    new_best_two,
    prepare,
)
from tests.helpers.reference import closest, squared_distances


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_blocks", [1, GROUP])
def test_score_blocks_crosses_panels(dtype: Any, n_blocks: int) -> None:
    d = 600
    per_panel = max(1, PANEL_BYTES // ((d + 1) * CENTERS * np.dtype(dtype).itemsize))
    k = (2 * per_panel + 1) * CENTERS - 1
    rng = np.random.default_rng(1)
    centers = rng.integers(-2, 3, (k, d)).astype(float)
    centers[-3:] = centers[2:5]  # ties between the first panel and the last
    points = rng.integers(-2, 3, (n_blocks, POINTS, d)).astype(float)
    points[0, :3] = centers[-3:]
    blocks = np.zeros((GROUP, d, POINTS), dtype)
    blocks[:n_blocks] = points.transpose(0, 2, 1)
    found = new_best_two(dtype, (GROUP, POINTS))
    for array in found:
        array[n_blocks:] = 3
    score_blocks(blocks, n_blocks, make_tiles(centers, dtype), *found)
    expected = best_two_reference(points.reshape(-1, d), centers)
    for got, reference in zip(found[1:], expected, strict=True):
        np.testing.assert_array_equal(got[:n_blocks].ravel(), reference)
        assert (got[n_blocks:] == 3).all()


def assign(
    X: Array,
    centers: Array,
    start: int = 0,
    stop: int | None = None,
    previous: Array | None = None,
    **options: Any,
) -> tuple[Array, Array]:
    scaling, packed = prepare(X, centers, **options)
    if previous is None:
        previous = np.full(len(X), -1, np.int32)
    labels, counts = np.full(len(X), -7, np.int32), np.full(3, -9, np.int64)
    assign_rows(
        twice(X), start, len(X) if stop is None else stop, scaling.x_offset, scaling.x_scale,
        centers, packed.tiles, packed.largest, False, previous, labels, counts,
    )  # fmt: skip
    return labels, counts


def settle(
    X: Array,
    centers: Array,
    labels: Array,
    start: int = 0,
    stop: int | None = None,
    previous: Array | None = None,
    **options: Any,
) -> tuple[Array, Array]:
    scaling, packed = prepare(X, centers, **options)
    if previous is None:
        previous = np.full(len(X), -1, np.int32)
    labels, counts = labels.copy(), np.full(3, -9, np.int64)
    settle_rows(
        twice(X), start, len(X) if stop is None else stop, scaling.offset, scaling.scale,
        centers, packed.tiles64(centers, scaling), packed.largest, False, previous, labels, counts,
    )  # fmt: skip
    return labels, counts


ROW_COUNTS = [*range(1, POINTS + 2), 2 * POINTS - 1, 2 * POINTS + 1]
ROW_COUNTS += [GROUP * POINTS + delta for delta in (-1, 0, 1, POINTS)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_assign_rows_at_every_edge_of_a_block(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(2 * CENTERS + 1, 3))
    for m in ROW_COUNTS:
        X = rng.normal(size=(m, 3)).astype(dtype)
        expected = closest(X, centers)
        labels, counts = assign(X, centers)
        np.testing.assert_array_equal(labels, expected)
        assert counts.tolist()[:2] == [m, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_lane_is_checked(dtype: Any) -> None:
    """Rows whose closest center float32 cannot tell, up to every edge of a block."""
    for m, nearer in product((1, POINTS - 1, POINTS, POINTS + 1, GROUP * POINTS + 1), (0, 1)):
        X = np.full((m, 1), 0.25, dtype)
        centers = np.array([[-0.75], [1.25]])
        centers[nearer] += (0.25 - centers[nearer]) * 1e-9
        labels, counts = assign(X, centers)
        assert (labels == -1).all()
        assert counts.tolist() == [0, m, 0]
        assert (settle(X, centers, labels)[0] == nearer).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_assign_rows_writes_its_range_only(dtype: Any, layout: str) -> None:
    rng = np.random.default_rng(1)
    m = GROUP * POINTS + 77
    X = lay_out(rng.normal(size=(m, 21)).astype(dtype), layout)
    centers = rng.normal(size=(30, 21))
    expected = closest(X, centers)
    for start, stop in [(0, 1), (5, 5 + POINTS), (3, m), (m - 1, m), (40, 40 + GROUP * POINTS)]:
        labels, _ = assign(X, centers, start, stop, shift=0.25, scale=0.5)
        np.testing.assert_array_equal(labels[start:stop], expected[start:stop])
        assert (labels[:start] == -7).all()
        assert (labels[stop:] == -7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_moved_are_counted(dtype: Any) -> None:
    rng = np.random.default_rng(2)
    grid = rng.integers(-2, 3, (30_000, 2)).astype(dtype)  # ties: every path is taken
    centers = rng.integers(-2, 3, (7, 2)).astype(float)
    expected = closest(grid, centers)
    previous = np.where(rng.random(30_000) < 0.3, (expected + 1) % 7, expected).astype(np.int32)
    labels, first = assign(grid, centers, 10, 29_990, previous)
    left = (labels[10:29_990] < 0).sum()
    assert first[1] == left > 100
    before = labels.copy()
    labels, second = settle(grid, centers, labels, 10, 29_990, previous)
    ties = (labels[10:29_990] < 0).sum()
    assert 100 < ties == second[1] <= second[2] == left
    counts = np.zeros(1, int)
    settle_by_differences(twice(grid), 10, 29_990, 1.0, centers, previous, labels, counts)
    np.testing.assert_array_equal(labels[10:29_990], expected[10:29_990])
    np.testing.assert_array_equal(labels[:10], before[:10])
    np.testing.assert_array_equal(labels[29_990:], before[29_990:])
    assert first[0] + second[0] + counts[0] == (expected != previous)[10:29_990].sum()


@pytest.mark.parametrize("dtype", DTYPES)
def test_settle_rows_touches_open_rows_only(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    centers = rng.normal(size=(CENTERS + 3, 4))
    for m in (1, POINTS - 1, POINTS, POINTS + 1, 3 * POINTS + 5):
        X = rng.normal(size=(m, 4)).astype(dtype)
        expected = closest(X, centers)
        for share in (0.0, 0.2, 1.0):
            is_open = rng.random(m) < share
            labels, counts = settle(X, centers, np.where(is_open, -1, 77).astype(np.int32))
            np.testing.assert_array_equal(labels, np.where(is_open, expected, 77))
            assert counts.tolist()[0::2] == [is_open.sum()] * 2
        one_open = np.full(m, 77, np.int32)
        one_open[-1] = -1  # the last row closes the block
        assert settle(X, centers, one_open)[0][-1] == expected[-1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_float64_scores_of_float32_rows_see_all_their_digits(dtype: Any) -> None:
    """Nearly equidistant pairs of centers, told apart by far less than float32's roundoff."""
    rng = np.random.default_rng(4)
    wrong, n_open = [], 0
    for _ in range(200):
        d = int(rng.integers(1, 6))
        x = rng.normal(size=d).astype(dtype)
        c = x + rng.normal(size=d)
        other = 2 * x.astype(float) - c
        other[0] *= 1 + rng.choice([-1, 1]) * 10.0 ** rng.uniform(-12, -8)
        centers = np.array([c, other])
        exact = [sum((Fraction(float(a)) - Fraction(b)) ** 2 for a, b in zip(x, y, strict=True))
                 for y in centers.tolist()]  # fmt: skip
        gap = float(abs(exact[1] - exact[0]) / exact[0])
        still_open = np.full(1, -1, np.int32)
        label, _ = settle(x[None], centers, still_open, shift=rng.normal(size=d) * 3, scale=0.25)
        if label[0] < 0:
            n_open += 1
        elif label[0] != int(exact[1] < exact[0]):
            wrong.append(gap)
    assert not wrong
    assert n_open < 20


@pytest.mark.parametrize("dtype", DTYPES)
def test_by_differences(dtype: Any) -> None:
    rng = np.random.default_rng(5)
    for d in (1, 7, 8, 9, 16, 30):
        X = rng.integers(-2, 3, (50, d)).astype(dtype)
        centers = rng.integers(-2, 3, (11, d)).astype(float)
        expected = closest(X, centers)
        found = [closest_by_differences(twice(X), i, centers, 0.5) for i in range(50)]
        assert found == expected.tolist()
        labels, counts = np.where(np.arange(50) % 3, -1, 77).astype(np.int32), np.array([100])
        is_open, previous = labels < 0, np.full(50, 2, np.int32)
        is_open[[0, 49]] = False
        settle_by_differences(twice(X), 1, 49, 0.5, centers, previous, labels, counts)
        np.testing.assert_array_equal(labels[is_open], expected[is_open])
        assert (labels[~is_open] == np.where(np.arange(50) % 3, -1, 77)[~is_open]).all()
        assert counts[0] == 100 + (expected != 2)[is_open].sum()


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_rounding_alone_decides_it_is_that_of_numpy(dtype: Any) -> None:
    """Means of zeros and ones, equally far but for the last digit of a sum of squares.

    A multiplication that fuses with an addition, in one kernel or another, shows here.
    """
    rng = np.random.default_rng(6)
    n_close = 0
    for d in (5, 16, 17, 33):
        X = rng.integers(0, 2, (1200, d)).astype(dtype)
        members = X[rng.integers(0, 1200, (60, 3))].astype(float)
        centers = np.concatenate([members.mean(axis=1), 1.0 - members[:, :, ::-1].mean(axis=1)])
        squares = squared_distances(X, centers)
        two = np.sort(squares, axis=1)[:, :2]
        n_close += ((two[:, 0] < two[:, 1]) & (two[:, 1] < two[:, 0] * (1 + 1e-14))).sum()
        expected = squares.argmin(axis=1)
        labels, counts = np.full(len(X), -1, np.int32), np.zeros(1, int)
        settle_by_differences(twice(X), 0, len(X), 0.5, centers, labels, labels, counts)
        np.testing.assert_array_equal(labels, expected)
        for algorithm in ("lloyd", "boxes", "bytes"):
            found = visits(algorithm, X, [centers], labels_of)[0]
            np.testing.assert_array_equal(found, expected)
    assert n_close > 20
