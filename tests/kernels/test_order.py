"""Sorting the rows once; limits, sums and copies of the boxes."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans._data.rows import twice
from fastkmeans._data.scaling import Scaling
from fastkmeans._engines.base import Packed
from fastkmeans._engines.boxes import Boxes
from fastkmeans._kernels.boxes import order
from fastkmeans._kernels.boxes.candidates import BOX, HIGH, LOW
from fastkmeans._kernels.boxes.tree import FAN, STEPS
from fastkmeans._runtime.threads import cut
from tests.helpers.engines import F32, F64, NO_WEIGHTS, problem_of
from tests.helpers.kernels import sealed

Array = NDArray[Any]


def boxes_of(X: Array, n_threads: int = 1, weights: Array = NO_WEIGHTS) -> tuple[Boxes, Scaling]:
    with problem_of(X, weights, n_threads) as problem:
        spare = np.empty(len(X), np.int32)
        return Boxes(problem, Packed(1, X.shape[1]), spare), problem.scaling


def tables() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {
        **{f"{n} x {d}": rng.normal(size=(n, d)) for n in (1, 31, 33, 700, 9000) for d in (1, 3)},
        "duplicates": np.repeat(rng.normal(size=(40, 2)), 20, axis=0)[rng.permutation(800)],
        "constant columns": np.column_stack([np.full(600, 7.0), rng.normal(size=600)]),
        "constant": np.full((500, 2), 0.1),
        "extremes": (rng.random((600, 3)) * 2 - 1) * 1.7e308,
        "denormals": rng.integers(0, 99, (600, 2)) * 5e-324,
        "outliers": np.vstack([rng.normal(size=(600, 2)) * 1e-9, [[1e9, -1e9]] * 3]),
        "d = 16": rng.normal(size=(600, 16)),
    }  # fmt: skip


@pytest.mark.parametrize("name", tables())
@pytest.mark.parametrize("dtype", [F32, F64])
def test_boxes_hold_their_rows(name: str, dtype: Any) -> None:
    X = tables()[name]
    if dtype == F32:
        X = X / max(1.0, float(np.abs(X).max()) / 1e38)
    X = X.astype(dtype)
    weights = np.random.default_rng(1).integers(0, 3, len(X)).astype(F64) + (len(X) == 1)
    weights = sealed(weights)
    boxes, scaling = boxes_of(X, weights=weights)
    tree = boxes._tree
    rows = tree.order
    assert sorted(rows.tolist()) == list(range(len(X)))
    x = X.astype(F64) * scaling.scale + scaling.offset
    n_boxes, level = len(tree.sums), BOX
    place = 0
    while True:  # boxes, superboxes, hyperboxes
        for b, first in enumerate(range(0, len(X), level)):
            own = x[rows[first : first + level]]
            np.testing.assert_array_equal(tree.limits[LOW, place + b], own.min(axis=0))
            np.testing.assert_array_equal(tree.limits[HIGH, place + b], own.max(axis=0))
        place += -(-len(X) // level)
        if level == BOX * FAN * FAN:
            break
        level *= FAN
    assert place == tree.limits.shape[1]
    assert tree.whole.size == place - -(-len(X) // level)
    for b in range(n_boxes):
        own, w = rows[b * BOX : b * BOX + BOX], weights[rows[b * BOX : b * BOX + BOX]]
        np.testing.assert_allclose(tree.sums[b], w @ x[own], rtol=1e-13, atol=1e-15)
        assert tree.weights[b].tolist() == [w.sum(), (w > 0).sum()]
        low, high = tree.limits[:, b]
        step = (high - low) / STEPS
        back = tree.copy[b].T[: len(own)] * step + (low + high) / 2
        assert (np.abs(back - x[own]) <= 0.501 * step + 1e-15 * np.abs(x[own]) + 1e-300).all()


def test_a_box_is_summed_in_one_order_whatever_the_vectors_hold() -> None:
    """There are four partial sums, and the halves of them are added."""
    X = np.random.default_rng(5).normal(size=(40 * BOX, 3)) * [1.0, 1e3, 1e-3]
    boxes, scaling = boxes_of(X)
    rows = boxes._tree.order.reshape(-1, BOX)
    x = (X * scaling.scale + scaling.offset)[rows]  # the scale is a power of two
    parts = np.zeros((4, len(rows), 3))
    for p in range(BOX):
        parts[p % 4] += x[:, p]
    expected = (parts[0] + parts[2]) + (parts[1] + parts[3])
    np.testing.assert_array_equal(boxes._tree.sums, expected)
    assert (expected != x.sum(axis=1)).any()


def test_far_neighbours_are_in_other_boxes() -> None:
    boxes, _ = boxes_of(np.random.default_rng(2).random((64_000, 2)))
    sides = np.ptp(boxes._tree.limits[:, : len(boxes._tree.sums)], axis=0)
    assert np.median(sides) < 0.06  # 2000 boxes: 0.022 if they were squares


@pytest.mark.parametrize("name", ["9000 x 3", "duplicates", "constant", "outliers"])
def test_the_order_is_that_of_a_stable_sort(name: str) -> None:
    X = tables()[name]
    found = [boxes_of(np.asarray(X, order=how), n)[0]._tree.order for how in "CF" for n in (1, 2)]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    equal = (X[found[0][1:]] == X[found[0][:-1]]).all(axis=1)
    assert (np.diff(found[0])[equal] > 0).all()


@pytest.mark.parametrize("bits", [1, 4, 5, 8, 9, 10])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_keys_interleave_the_cells(bits: int, dtype: Any) -> None:
    rng = np.random.default_rng(bits)
    d, n_cells = 2, 1 << bits
    columns = np.array([3, 1])
    n = 2 * order.STRIP + 100
    X = rng.integers(-20, 20, (n, 4)).astype(dtype)
    cuts = np.sort(rng.integers(-20, 20, (d, n_cells)), axis=1).astype(dtype)
    cuts[:, 0] = -np.inf
    spread = np.zeros((d, n_cells), np.uint32)
    for f, bit in product(range(d), range(bits)):
        spread[f] |= (np.arange(n_cells, dtype=np.uint32) >> bit & 1) << (bit * d + f)
    keys = np.full(n, 77, np.uint32)
    padded = np.full((d, max(n_cells, order.FINE)), np.inf, dtype)
    padded[:, :n_cells] = cuts
    coarse = np.full((d, -(-n_cells // order.FINE**2) * order.FINE), np.inf, dtype)
    coarse[:, : padded.shape[1] // order.FINE] = padded[:, :: order.FINE]
    top = np.full((d, order.FINE), np.inf, dtype)
    top[:, : coarse.shape[1] // order.FINE] = coarse[:, :: order.FINE]
    cells = order.Cells(columns, top, coarse, padded, spread)
    order.find_keys(twice(X), 3, n - 10, cells, 1.0, NO_WEIGHTS, keys)
    numbers = [np.searchsorted(cuts[f], X[:, columns[f]], side="right") - 1 for f in range(d)]
    expected = sum(spread[f][numbers[f]].astype(np.int64) for f in range(d))
    np.testing.assert_array_equal(keys[3:-10], expected[3:-10])
    assert (keys[:3] == 77).all()
    assert (keys[-10:] == 77).all()


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_a_pass_of_the_sort(parts: int) -> None:
    rng = np.random.default_rng(parts)
    keys, rows = rng.integers(0, 1 << 12, 3000).astype(np.uint32), rng.permutation(3000)
    bounds, counts = cut(3000, parts), np.full((parts, 16), 9, np.int64)
    counts = counts[: len(bounds) - 1]
    for (start, stop), part in zip(pairwise(bounds), counts, strict=True):
        order.count_digits(keys, start, stop, 5, part)
    digits = keys >> 5 & 15
    np.testing.assert_array_equal(counts.sum(axis=0), np.bincount(digits, minlength=16))
    places = counts.T.ravel().cumsum().reshape(counts.T.shape).T - counts
    by_digit = np.argsort(digits, kind="stable")
    for before in (rows.astype(np.int32), np.empty(0, np.int32)):
        sorted_keys, sorted_rows = np.zeros(3000, np.uint32), np.zeros(3000, np.int32)
        todo = np.array(places, order="C")
        for (start, stop), part in zip(pairwise(bounds), todo, strict=True):
            order.place_rows(keys, before, start, stop, 5, part, sorted_keys, sorted_rows)
        np.testing.assert_array_equal(sorted_keys, keys[by_digit])
        expected = before[by_digit] if before.size else by_digit
        np.testing.assert_array_equal(sorted_rows, expected)


def test_labels_are_written_where_the_rows_are() -> None:
    rng = np.random.default_rng(3)
    rows = rng.permutation(100).astype(np.int32)
    labels, whole = rng.integers(0, 9, 100).astype(np.int32), np.array([-1, 5, -1, 3], np.int32)
    out = np.full(100, -7, np.int32)
    order.write_in_place(rows, 10, 97, whole, labels, out)
    in_order = np.where(whole[np.arange(100) // BOX] >= 0, whole[np.arange(100) // BOX], labels)
    np.testing.assert_array_equal(out[rows[10:97]], in_order[10:97])
    assert (out[np.concatenate([rows[:10], rows[97:]])] == -7).all()
