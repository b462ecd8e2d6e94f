"""The kernels of the M step, and one whole iteration of a small table, against NumPy."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from fastkmeans._data.rows import twice
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.boxes import by_row
from fastkmeans._kernels.emit.simd import VECTOR_BYTES
from fastkmeans._kernels.plain.serial import run_serial
from fastkmeans._kernels.shared import moves
from fastkmeans._kernels.shared.moves import move_rows
from fastkmeans._kernels.shared.pack import NARROW
from fastkmeans._kernels.shared.update import (
    CHAINS,
    COUNT,
    NARROW_CHAINS,
    ClusterSums,
    Terms,
    add_squares,
    update_centers,
)
from fastkmeans._kernels.shared.update import WEIGHT as WEIGHT_ROW
from fastkmeans._runtime.jit import jit
from tests.helpers.kernels import (
    DTYPES,
    LAYOUTS,
    lay_out,
    prepare,
    sealed,
)
from tests.helpers.reference import closest


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rebuild", [True, False])
def test_move_rows(dtype: Any, layout: str, rebuild: bool) -> None:
    rng = np.random.default_rng(0)
    k, m, lanes = 5, 3 * moves.ROOM + 70, VECTOR_BYTES // 8
    some = sealed(rng.integers(0, 4, m).astype(float))
    for d in (1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes + 3):
        whole = rng.integers(-9, 9, (m, d)).astype(float)
        X = lay_out(whole.astype(dtype), layout)
        offset = rng.integers(-9, 9, d) / 2
        x = whole * 0.5 + offset
        labels, previous = rng.integers(0, k, (2, m)).astype(np.int32)
        previous[::3] = labels[::3]
        previous[1::9] = -1  # in no cluster before
        previous[100:200] = labels[100:200]
        for weights, span in product((NO_WEIGHTS, some), [(0, m), (3, 64), (9, 10), (7, m - 1)]):
            w = weights if weights.size else np.ones(m)
            cuts = np.array(sorted({0, d // 3, d // 2, d}))
            tasks, sums, table = 2 * (len(cuts) - 1), np.ones((2, k, d)), np.ones((2, 2, k))
            bounds = np.array([0, *span])  # the second of two ranges
            move_rows(
                twice(X), tasks // 2, tasks, bounds, cuts, Terms(weights, offset, 0.5, NO_WEIGHTS),
                previous, labels, rebuild, ClusterSums(sums, table),
            )  # fmt: skip
            expected, expected_table = np.ones((2, k, d)), np.ones((2, 2, k))
            for i in range(*span):
                changes = [(labels[i], 1.0)]
                if not rebuild and previous[i] >= 0:
                    changes.append((previous[i], -1.0))
                for j, sign in changes:
                    expected[1, j] += sign * w[i] * x[i]
                    expected_table[1, WEIGHT_ROW, j] += sign * w[i]
                    expected_table[1, COUNT, j] += sign * (w[i] > 0)
            np.testing.assert_array_equal(sums, expected)
            np.testing.assert_array_equal(table, expected_table)
            sums[:], table[:], known = 1.0, 1.0, previous.copy()
            by_row.move_changed(
                twice(X), 1, 2, bounds, np.array([0, d]), Terms(weights, offset, 0.5, NO_WEIGHTS),
                known, labels, rebuild, ClusterSums(sums, table),
            )  # fmt: skip
            np.testing.assert_array_equal(sums, expected)
            np.testing.assert_array_equal(table, expected_table)
            now = np.where((np.arange(m) >= span[0]) & (np.arange(m) < span[1]), labels, previous)
            np.testing.assert_array_equal(known, now)


@jit
def run_changed(labels, previous, first):
    return moves.changed(labels, previous, first)


def test_changed_equals_its_twin() -> None:
    rng = np.random.default_rng(0)
    for first in (0, 5, 32):
        labels, previous = rng.integers(-1, 2, (2, 64)).astype(np.int32)
        for same in (slice(0, 0), slice(0, 40), slice(10, 64), slice(0, 64)):
            previous[same] = labels[same]
            expected = moves._changed_twin(labels, previous, first)
            assert run_changed(labels, previous, first) == expected
            where = np.flatnonzero((labels != previous)[first : first + moves.STRETCH])
            assert expected == sum(1 << int(r) for r in where)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_add_squares(dtype: Any, layout: str) -> None:
    """Wide rows add feature by feature to the chain of their number, narrow ones in one sum."""
    rng = np.random.default_rng(0)
    k, m, start, lanes = 5, 70, 3, VECTOR_BYTES // 8
    for d in (1, 2, NARROW, NARROW + 1, lanes - 1, lanes, 2 * lanes + 3):
        whole = rng.integers(-9, 9, (m, d)).astype(float)
        X = lay_out(whole.astype(dtype), layout)
        labels = rng.integers(0, k, m).astype(np.int32)
        centers, offset = rng.integers(-9, 9, (k, d)) / 2, rng.integers(-9, 9, d) / 2
        for weights in (NO_WEIGHTS, sealed(rng.integers(0, 4, m).astype(float))):
            w = weights if weights.size else np.ones(m)
            squares, expected = np.ones((2, CHAINS, max(d, NARROW_CHAINS)))
            terms = Terms(weights, offset, 0.5, NO_WEIGHTS)
            add_squares(twice(X), start, m - 2, terms, labels, centers, squares)
            for i in range(start, m - 2):
                x = whole[i] * 0.5 + offset
                square = w[i] * (x - centers[labels[i]]) ** 2
                if d > NARROW:
                    expected[i % CHAINS, :d] += square
                else:
                    expected[0, i % NARROW_CHAINS] += square.sum()
            np.testing.assert_array_equal(squares, expected)


def test_update_centers() -> None:
    rng = np.random.default_rng(0)
    ranges, k, d, scale, m = 3, 4, 3, 0.25, 60
    x, labels = rng.integers(-9, 9, (m, d)).astype(float), rng.integers(0, k, m)
    labels[labels == 2] = 3  # cluster 2 is empty
    weights, home = rng.integers(1, 4, m).astype(float), rng.integers(0, ranges, m)
    sums, table = np.zeros((ranges, k, d)), np.zeros((ranges, 2, k))
    np.add.at(sums, (home, labels), weights[:, None] * x)
    np.add.at(table, (home, WEIGHT_ROW, labels), weights)
    np.add.at(table, (home, COUNT, labels), 1.0)
    table[0, WEIGHT_ROW, 2] = 1e-17  # what rounding may leave: the count decides
    scaled, shift = rng.integers(-9, 9, (k, d)) / 4, rng.integers(-9, 9, d) / 4
    centers = scaled / scale + shift
    total_table = np.full((2, k), 7.0)
    new = np.full((k, d), 7.0)
    scatter = float(((x**2).sum(axis=1) * weights).sum())
    totals = np.full((2, 4), 7.0)
    for totals_of, start, stop in zip(totals, (0, 1), (1, k), strict=True):
        update_centers(sums, start, stop, table, shift, scale, centers, total_table, new, totals_of)
    assert (totals[:, 3] == 7.0).all()
    gained, moved, n_empty = totals.sum(axis=0)[:3]
    inertia = scatter - gained
    np.testing.assert_array_equal(total_table, table.sum(axis=0))
    exact = float((((x - scaled[labels]) ** 2).sum(axis=1) * weights).sum())
    assert inertia == pytest.approx(exact, rel=1e-13)
    assert n_empty == 1
    for j in (0, 1, 3):
        mean = np.average(x[labels == j], axis=0, weights=weights[labels == j])
        np.testing.assert_allclose(new[j], mean / scale + shift, rtol=1e-14)
    np.testing.assert_array_equal(new[2], centers[2])
    assert moved == pytest.approx((((new - centers) * scale) ** 2).sum(), rel=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rebuild", [True, False])
def test_one_serial_iteration(dtype: Any, rebuild: bool) -> None:
    rng = np.random.default_rng(0)
    m, d, k = 3000, 2, 6
    X = rng.integers(-4, 5, (m, d)).astype(dtype)
    centers = rng.integers(-4, 5, (k, d)).astype(float)
    weights = sealed(rng.integers(0, 3, m).astype(float))
    scaling, packed = prepare(X, centers, shift=1.0, scale=0.25)
    expected = closest(X, centers)
    previous = expected.astype(np.int32)
    previous[::7] = (previous[::7] + 1) % k
    labels, counts = np.empty(m, np.int32), np.empty(3, np.int64)
    bounds = np.array([0, 1024, m])
    sums, table = np.full((2, k, d), 99.0), np.full((2, 2, k), 99.0)
    x = (X.astype(float) - 1.0) * 0.25
    if not rebuild:  # those of the previous labels
        home = (np.arange(m) >= 1024).astype(int)
        sums[:], table[:] = 0.0, 0.0
        np.add.at(sums, (home, previous), weights[:, None] * x)
        np.add.at(table, (home, WEIGHT_ROW, previous), weights)
        np.add.at(table, (home, COUNT, previous), weights > 0)
    total_table, new = np.empty((2, k)), np.empty((k, d))
    scatter = float((x**2).sum(axis=1) @ weights)
    steps = np.empty((1, 5))
    n_done = run_serial(
        twice(X), weights,
        (
            scaling.shift, scaling.offset, scaling.scale, scaling.unit, scatter, scaling.x_offset,
            scaling.x_scale, NO_WEIGHTS,
        ),
        packed.buffers,
        (bounds, np.array([0, d]), np.array([0, 4, k]), sums, table, total_table, np.zeros(k)),
        centers, new, previous, labels, rebuild, m, 1e-3, 0.0, counts, np.empty(3), steps,
    )  # fmt: skip
    assert n_done == 1
    inertia, _, n_empty, n_moved, lost = steps[0]
    assert not lost
    assert n_moved == counts[0]
    np.testing.assert_array_equal(labels, expected)
    assert counts[0] == (expected != previous).sum()
    exact = ((X - centers[expected]) ** 2).sum(axis=1) @ weights
    assert inertia / 0.25**2 == pytest.approx(exact, rel=1e-13)
    np.testing.assert_array_equal(total_table[WEIGHT_ROW], np.bincount(expected, weights, k))
    np.testing.assert_array_equal(total_table[COUNT], np.bincount(expected, weights > 0, k))
    assert n_empty == (total_table[COUNT] == 0).sum()
    for j in np.flatnonzero(total_table[COUNT]):
        own = expected == j
        np.testing.assert_allclose(new[j], np.average(X[own], axis=0, weights=weights[own]), 1e-14)
