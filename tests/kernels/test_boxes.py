"""The kernels of the boxes: the centers that may be closest to a point of a box; labels."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans._data.rows import twice
from fastkmeans._kernels.boxes import candidates, extents
from fastkmeans._kernels.boxes.candidates import BOX, Candidates
from fastkmeans._kernels.boxes.near import pack_near
from fastkmeans._kernels.boxes.tree import Tree
from fastkmeans._kernels.plain.exact import closest_by_differences
from fastkmeans._kernels.shared.update import Terms
from fastkmeans._runtime.jit import jit
from tests.helpers.engines import F32, F64, NO_WEIGHTS, by_differences, mixture, near_ties

Array = NDArray[Any]
DIMENSIONS = [1, 2, 3, 4, 7, 16]


@jit
def run_narrow(limits, b, given, n, label, kept):
    return candidates.narrow(limits, b, given, n, label, kept)


@jit
def run_label_points(copy, b, near, ids, n, need, now):
    return candidates.label_points(copy, b, near, ids, n, need, now)


def table_of(centers: Array) -> Candidates:
    """Lay centers out for ``narrow``, numbered 100, 101, ...; the room beyond is rubbish."""
    k, d = centers.shape
    table = np.zeros((d + 1, -(-k // 8) * 8 + 8))
    ids = np.full(table.shape[1], -9, np.int32)
    with np.errstate(over="ignore"):
        table[:d, :k], table[d, :k] = centers.T, (centers * centers).sum(axis=1)
    ids[:k] = 100 + np.arange(k)
    return Candidates(table, ids)


def narrowed(kernel: Any, limits: Array, b: int, centers: Array, label: int = -1) -> list[int]:
    """Return the centers kept; they are written closed up and as they were."""
    given = table_of(centers)
    to = Candidates(np.full_like(given.table, np.nan), np.zeros_like(given.ids))
    n = kernel(limits, b, given, len(centers), label, to)
    kept = to.ids[:n] - 100
    assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(to.table[:, :n], given.table[:, kept])
    return kept.tolist()


def some_box(rng: np.random.Generator, d: int) -> Array:
    """Return three boxes of any size and place, the second flat in some directions."""
    middle = rng.normal(size=(3, d)) * 10.0 ** rng.uniform(-6, 2)
    half = np.abs(rng.normal(size=(3, d))) * 10.0 ** rng.uniform(-9, 1, (3, 1))
    half[1] *= rng.random(d) < 0.5
    return np.stack([middle - half, middle + half])


def points_of(rng: np.random.Generator, box: Array) -> Array:
    """Return points of a box: corners, points of faces and edges, and any."""
    low, high = box
    d = len(low)
    corners = np.array(list(product([0.0, 1.0], repeat=d))) if d <= 4 else np.empty((0, d))
    share = rng.random((150, d))
    share[:100] = np.where(rng.random((100, d)) < 0.8, share[:100].round(), share[:100])
    share = np.vstack([corners, share])
    return np.clip(np.where(share == 1.0, high, low + share * (high - low)), low, high)


def tight_centers(rng: np.random.Generator, points: Array, k: int) -> Array:
    """Return centers that are as far from a point of the box as the first one, or nearly."""
    d = points.shape[1]
    centers = points.mean(axis=0) + rng.normal(size=(k, d)) * 10.0 ** rng.uniform(-6, 2)
    for j in range(1, k):
        x = points[rng.integers(len(points))]
        turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
        size = 1.0 + rng.choice([0.0, 1.0, -1.0]) * 10.0 ** rng.uniform(-17, -1)
        centers[j] = x + (turn @ (centers[0] - x)) * size
    return centers


# --- candidates


@pytest.mark.parametrize("d", DIMENSIONS)
def test_narrow_equals_its_twin(d: int) -> None:
    rng = np.random.default_rng(d)
    dropped = 0
    for k in (1, 2, 7, 8, 9, 16, 17, 40):
        for _ in range(20):
            limits, b = some_box(rng, d), int(rng.integers(3))
            centers = limits[:, b].mean(axis=0) + rng.normal(size=(k, d)) * np.ptp(limits[:, b])
            for label in (-1, -2, 100 + int(rng.integers(k + 1))):
                kept = narrowed(run_narrow, limits, b, centers, label)
                assert kept == narrowed(candidates._narrow_twin, limits, b, centers, label)
                dropped += k - len(kept)
    assert dropped > 100


@pytest.mark.parametrize("far", [0.0, 1e6, 1e20, 1e200])
@pytest.mark.parametrize("d", [*DIMENSIONS, 60])
def test_no_winner_is_dropped(d: int, far: float) -> None:
    """Centers turned around points of the box: exact ties there, except for rounding."""
    rng = np.random.default_rng(d)
    for _ in range(60):
        limits, b = some_box(rng, d), int(rng.integers(3))
        points = points_of(rng, limits[:, b])
        centers = tight_centers(rng, points, int(rng.integers(2, 20)))
        centers[rng.random(len(centers)) < 0.2] *= 1.0 + far
        rows = twice(points)
        winners = {closest_by_differences(rows, i, centers, 1.0) for i in range(len(points))}
        for label in (-1, 100 + int(rng.integers(len(centers)))):
            assert winners <= set(narrowed(run_narrow, limits, b, centers, label))


def test_climbing_finds_no_dropped_winner() -> None:
    """Climb, digit by digit, towards a tie at a corner of the box."""
    rng = np.random.default_rng(0)
    for _ in range(150):
        d = int(rng.integers(1, 4))
        limits = some_box(rng, d)[:, :1].copy()
        corners = np.array(list(product(*limits[:, 0].T)))
        centers = tight_centers(rng, corners, 2)
        for _ in range(15):
            rows = twice(corners)
            kept = set(narrowed(run_narrow, limits, 0, centers))
            assert {closest_by_differences(rows, i, centers, 1.0) for i in range(2**d)} <= kept
            steps = rng.integers(-3, 4, centers.shape) * np.spacing(np.abs(centers))
            tried = centers + steps
            gaps = [
                np.abs(np.diff(((corners[:, None] - c) ** 2).sum(axis=2), axis=1)).min()
                for c in (centers, tried)
            ]
            centers = tried if gaps[1] <= gaps[0] else centers


def test_centers_that_overflow_are_kept() -> None:
    limits = np.array([[[-1.0, 2.0]], [[1.0, 3.0]]])
    centers = np.array([[1e200, 0.0], [0.0, 2.5], [-1e300, 1e300], [0.5, 2.5]])
    kept = narrowed(run_narrow, limits, 0, centers)
    assert {1, 3} <= set(kept)
    assert narrowed(run_narrow, limits, 0, centers[[0, 2]]) == [0, 1]


# --- labels within a box


def one_box(rows: Array) -> Tree:
    """Return the tree of rows that make one box."""
    n, d = rows.shape
    numbers, unused = np.arange(n, dtype=np.int32), np.empty(0, np.int32)
    found = np.empty((2, 1, d)), np.empty((1, d, BOX), np.int16), np.empty((1, d)), np.empty((1, 2))
    tree = Tree(numbers, *found, unused, unused, unused)
    extents.measure_boxes(twice(rows), 0, 1, tree, Terms(NO_WEIGHTS, np.zeros(d), 1.0, NO_WEIGHTS))
    return tree


def labelled(kernel: Any, rows: Array, centers: Array) -> tuple[Array, Array, float, Array]:
    """Return labels, whether they are proven, the margin demanded, and the scores' terms."""
    tree = one_box(rows)
    (k, d), (table, ids) = centers.shape, table_of(centers)
    near, now = np.full((k, d + 1), np.nan, F32), np.full(BOX, -1, np.int32)
    need = pack_near(tree.limits, 0, table, k, False, near)
    bits = int(kernel(tree.copy, 0, near, ids, k, F32(need), now))
    proven = np.array([not bits >> p & 1 for p in range(BOX)])
    return now[: len(rows)] - 100, proven[: len(rows)], float(need), near


@pytest.mark.parametrize("d", DIMENSIONS)
def test_label_points_equals_its_twin(d: int) -> None:
    rng = np.random.default_rng(d)
    for k in (2, 3, 8, 9, 20):
        rows, centers = rng.normal(size=(BOX, d)), rng.normal(size=(k, d))
        found = labelled(run_label_points, rows, centers)
        twin = labelled(candidates._label_points_twin, rows, centers)
        for got, expected in zip(found[:2], twin[:2], strict=True):
            np.testing.assert_array_equal(got, expected)
        assert found[1].any()


@pytest.mark.parametrize("d", DIMENSIONS)
def test_proven_labels_are_right(d: int) -> None:
    """Rows close to bisectors, in boxes of any size and place: a margin of any size."""
    rng = np.random.default_rng(d)
    n_proven = n_open = 0
    for _ in range(300):
        rows, centers = near_ties(rng, BOX, d, int(rng.integers(2, 6)))
        zoom, shift = 10.0 ** rng.uniform(-12, 0), rng.normal(size=d) * rng.choice([0.0, 1.0])
        rows, centers = rows * zoom + shift, centers * zoom + shift
        labels, proven, _, _ = labelled(run_label_points, rows, centers)
        expected = [closest_by_differences(twice(rows), i, centers, 1.0) for i in range(BOX)]
        np.testing.assert_array_equal(labels[proven], np.array(expected)[proven])
        n_proven, n_open = n_proven + proven.sum(), n_open + (~proven).sum()
    assert min(n_proven, n_open) > 1000


@pytest.mark.parametrize("d", DIMENSIONS)
def test_the_margin_covers_the_rounding_of_the_scores(d: int) -> None:
    rng = np.random.default_rng(d)
    worst = 0.0
    for _ in range(100):
        rows = rng.normal(size=(BOX, d)) * 10.0 ** rng.uniform(-6, 0) + rng.normal(size=d)
        centers = rows[:5] + rng.normal(size=(5, d)) * np.ptp(rows, axis=0)
        _, _, need, near = labelled(run_label_points, rows, centers)
        copy = one_box(rows).copy
        scores = near[:, 0, None] + near[:, 1:].astype(F64) @ copy[0].astype(F64)
        squares = ((rows[:, None].astype(np.longdouble) - centers) ** 2).sum(axis=2).T
        off = scores + squares / 2
        gap = float((off.max(axis=0) - off.min(axis=0)).max())
        assert gap <= need
        worst = max(worst, gap / need)
    assert worst > 0.05  # no looser than it has to be


def test_unproven_bits_and_rows_without_a_rival() -> None:
    rows = np.zeros((BOX, 1))
    rows[[0, 15, 16, 31], 0] = 1.0, -1.0, 1.0, -1.0
    labels, proven, _, _ = labelled(run_label_points, rows, np.array([[-2.0], [2.0]]))
    assert proven.nonzero()[0].tolist() == [0, 15, 16, 31]
    assert labels[proven].tolist() == [1, 0, 1, 0]
    _, proven, _, _ = labelled(run_label_points, rows, np.array([[-2.0], [1e20]]))
    assert not proven.any()  # nothing is proven if norms are so large


def test_by_differences_is_the_measure() -> None:
    """What these tests call a winner is what the reference does."""
    X, centers, _ = mixture(3)
    squares = ((X[:, None] - centers) ** 2).sum(axis=2)
    np.testing.assert_array_equal(by_differences(X, centers), squares.argmin(axis=1))


@pytest.mark.parametrize("d", DIMENSIONS)
def test_by_cosine_the_margin_covers_the_rounding_of_products(d: int) -> None:
    """It does not shrink with the box, as that of differences does."""
    rng = np.random.default_rng(d)
    rows = 1.0 + 1e-14 * rng.normal(size=(BOX, d))
    centers = 1.0 + 1e-14 * rng.normal(size=(5, d))
    tree, (table, _) = one_box(rows), table_of(centers)
    near = np.full((5, d + 1), np.nan, F32)
    by_differences, by_products = (
        float(pack_near(tree.limits, 0, table, 5, by_cosine, near)) for by_cosine in (False, True)
    )
    assert by_differences < 1e-18
    assert by_products > 3.0 * (d + 4) * 2.0**-53 * d
