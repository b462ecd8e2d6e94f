"""The pool of candidates of k-means++: its lists, its steps, and what it draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import kmeans_plusplus
from fastkmeans._data.rows import twice
from fastkmeans._kernels.emit.simd import CENTERS
from fastkmeans._kernels.seeding import pool
from fastkmeans._kernels.seeding import potential as seeding
from fastkmeans._kernels.seeding.pool import Draws, Lists
from fastkmeans._kernels.seeding.potential import GROUP_ROWS, Nearest
from tests.helpers.data import blobs
from tests.helpers.kernels import sealed
from tests.helpers.reference import squared_distances

Array = NDArray[Any]
NO_WEIGHTS = np.empty(0)


def listed(
    X: Array, items: Array, closest: Array, n_shares: int, room: int, cut: int = 0
) -> tuple[Lists, Array]:
    """Return what ``list_closer`` writes for all shares, for data in one block or two."""
    n, d = X.shape
    tiles = np.zeros((-(-len(items) // CENTERS), 1 + d, CENTERS), np.float32)
    offset, one = np.zeros(d, X.dtype), X.dtype.type(1)
    seeding.pack_candidates(X[items], offset, one, tiles)
    lists = Lists(
        np.full((-(-n // GROUP_ROWS), len(items) + 1), -1, np.int32),
        np.zeros((n_shares, room), np.uint8),
        np.zeros((n_shares, room), np.float32),
    )
    filled = np.zeros(n_shares, np.int64)
    for first, last in [(0, cut), (cut, n)] if cut else [(0, n)]:
        for share in range(n_shares):
            pool.list_closer(
                twice(X[first:last]), share, share + 1, first // GROUP_ROWS, offset, one, tiles,
                len(items), closest[first:last], NO_WEIGHTS, lists, filled,
            )  # fmt: skip
    return lists, filled


def pairs(lists: Lists, candidate: int) -> list[tuple[int, float]]:
    """Return the rows of a candidate's list, with the squared distances."""
    starts, rows, distances = lists
    found: list[tuple[int, float]] = []
    for chunk, (start, stop) in enumerate(starts[:, candidate : candidate + 2]):
        share, part = chunk % len(rows), slice(start, stop)
        places = chunk * GROUP_ROWS + rows[share, part].astype(int)
        found += zip(places.tolist(), distances[share, part].tolist(), strict=True)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_candidates", [1, CENTERS, 2 * CENTERS + 3])
@pytest.mark.parametrize("cut", [0, 2 * GROUP_ROWS])
def test_lists_hold_the_rows_that_are_closer(dtype: Any, n_candidates: int, cut: int) -> None:
    rng = np.random.default_rng(0)
    n = 5 * GROUP_ROWS + 37
    X = rng.integers(-9, 9, (n, 3)).astype(dtype)
    items = rng.permutation(n)[:n_candidates]
    squares = squared_distances(X, X[items])
    closest = rng.integers(0, 150, n).astype(np.float32)
    lists, filled = listed(X, items, closest, 3, 6 * GROUP_ROWS * n_candidates, cut)
    for c in range(n_candidates):
        expected = [(i, squares[i, c]) for i in np.flatnonzero(squares[:, c] < closest)]
        # No plain ==: if CI is set, pytest takes minutes to explain a difference of long lists.
        np.testing.assert_array_equal(np.array(pairs(lists, c)), np.array(expected))
    assert filled.sum() == (squares < closest[:, None]).sum()
    assert filled.tolist() == [lists.starts[share::3, -1].max() for share in range(3)]


def test_lists_without_room_say_so_and_write_nowhere_else() -> None:
    X = np.zeros((2 * GROUP_ROWS, 2), np.float32)
    closest = np.ones(len(X), np.float32)
    (_, rows, distances), filled = listed(X, np.arange(3), closest, 2, 100)
    assert filled.tolist() == [3 * GROUP_ROWS] * 2
    assert rows.shape == distances.shape == (2, 100)


def steps(
    X: Array, items: Array, drawn: Array, luck: Array, w: Array, closest: Array, trials: int, k: int
) -> tuple[list[int], Array]:
    """Return what a pool should choose, with all distances at hand."""
    closest, chosen, tried = closest.astype(float), [], []
    squares = squared_distances(X, X[items])
    for c, item in enumerate(items):
        if len(chosen) == k:
            break
        if drawn[c] > 0 and luck[c] * drawn[c] >= closest[item]:
            continue
        tried.append(c)
        if len(tried) == trials:
            lower = np.minimum(closest[:, None], squares[:, tried])
            winner = tried[int(np.argmin((w[:, None] * lower).sum(axis=0)))]
            closest = np.minimum(closest, squares[:, winner])
            chosen.append(int(items[winner]))
            tried = []
    return chosen, closest


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("wanted", [3, 50])
def test_steps_are_those_with_all_distances_at_hand(weighted: bool, wanted: int) -> None:
    rng = np.random.default_rng(1)
    n, trials = 3 * GROUP_ROWS + 5, 3
    X = rng.integers(-30, 30, (n, 2)).astype(np.float32)
    w = rng.integers(0, 4, n).astype(float) if weighted else np.ones(n)
    weights = sealed(w) if weighted else NO_WEIGHTS
    before = squared_distances(X, X[:9]).min(axis=1).astype(np.float32)
    items = np.flatnonzero(before)[rng.permutation(np.count_nonzero(before))[:40]]
    drawn, luck = before[items].astype(float), rng.random(40)
    lists, _ = listed(X, items, before, 2, 40 * n)
    closest, chosen = before.copy(), np.full(wanted, -1, np.int64)
    tried = np.empty(trials, np.int64)
    potential = float(w @ before)
    draws = Draws(items, drawn, luck)
    unused = np.empty(0, np.uint16), np.empty(0), NO_WEIGHTS
    n_chosen, n_tried = pool.choose(
        draws,
        Nearest(weights, closest, *unused),
        lists,
        potential,
        0.0,
        tried,
        np.empty(trials),
        chosen,
    )
    expected, after = steps(X, items, drawn, luck, w, before, trials, wanted)
    assert chosen[:n_chosen].tolist() == expected
    assert n_chosen == (wanted if wanted == 3 else len(expected))
    assert 0 <= n_tried < trials
    np.testing.assert_array_equal(closest, after)
    chosen[:] = -1
    stopped = pool.choose(  # the potential is below what the caller asks for
        draws, Nearest(weights, before, *unused), lists, potential, potential * 1.5, tried,
        np.empty(trials), chosen,
    )  # fmt: skip
    assert stopped == (0, 0)


def test_a_pool_draws_as_well_as_a_pass_for_every_center(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same mean potential, over many seeds, whichever way the centers were chosen."""
    X = blobs(0, 3000, 2, 40, distance=3.0).astype(np.float32)
    used = []
    means, errors = [], []
    choose = pool.choose

    def noticed(*arguments: Any) -> Any:
        used.append(1)
        return choose(*arguments)

    monkeypatch.setattr("fastkmeans._seeding.plusplus.choose", noticed)
    for most in (128, 0):
        monkeypatch.setattr("fastkmeans._seeding.plusplus.MOST_CANDIDATES", most)
        potentials = [
            squared_distances(X, kmeans_plusplus(X, 90, random_state=s)[0]).min(axis=1).sum()
            for s in range(150)
        ]
        means.append(np.mean(potentials))
        errors.append(np.std(potentials) / np.sqrt(150))
        assert bool(used) == (most > 0)
        used.clear()
    assert means[0] == pytest.approx(means[1], abs=4 * np.hypot(*errors))
    assert max(errors) < 0.01 * means[0]


@pytest.mark.parametrize("order", ["random", "sorted"])
def test_many_centers(order: str) -> None:
    X = blobs(0, 20_000, 3, 60, distance=3.0)
    if order == "sorted":
        X = X[np.argsort(X[:, 0])]
    weights = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    for dtype in (np.float32, np.float64):
        centers, indices = kmeans_plusplus(X.astype(dtype), 200, random_state=0)
        np.testing.assert_array_equal(centers, X.astype(dtype)[indices])
        assert len(set(indices.tolist())) == 200
        _, indices = kmeans_plusplus(X, 200, sample_weight=weights, random_state=0)
        assert (weights[indices] > 0).all()


def test_distances_that_float32_does_not_resolve() -> None:
    """Two clumps far apart, each with structure far below float32's digits."""
    rng = np.random.default_rng(0)
    grid = rng.permutation(400)[:, None] * 1e-9
    X = np.vstack([grid, grid + 1.0])
    centers, _ = kmeans_plusplus(X, 40, random_state=0)
    for clump in (centers[centers < 0.5], centers[centers > 0.5]):
        assert np.diff(np.sort(clump)).max() < 80e-9
        assert len(np.unique(clump)) > 12


def test_no_more_distinct_rows_than_centers() -> None:
    for dtype in (np.float32, np.float64):
        distinct = np.arange(70, dtype=dtype)[:, None]
        X = np.repeat(distinct, 30, axis=0)
        centers, _ = kmeans_plusplus(X, 70, random_state=0)
        assert sorted(centers[:, 0].tolist()) == list(range(70))
        more, indices = kmeans_plusplus(X, 75, random_state=0)
        assert len(np.unique(more)) == 70
        np.testing.assert_array_equal(more, X[indices])
