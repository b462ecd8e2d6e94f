"""The end check: moves of single rows, against NumPy and exact fractions."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans import KMeans, k_means
from fastkmeans._data.problem import open_problem
from fastkmeans._data.rows import Block, RowsView
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._estimators.inputs import as_table
from fastkmeans._lloyd.run import Outcome
from fastkmeans._search import moves
from fastkmeans._search.moves import single_move_optimal
from tests.helpers import reference

Array = NDArray[Any]


class InBlocks(RowsView):
    """Rows that come in blocks, as those of files do."""

    def blocks(self) -> Iterator[tuple[int, Block]]:
        return self.pieces()


def check(
    X: Any, labels: Any, k: int, weights: Array = NO_WEIGHTS, block: int = 0, n_threads: int = 1
) -> bool:
    """Return the answer for any partition."""
    labels, X = np.asarray(labels, np.int32), np.asarray(X)
    w = weights if weights.size else np.ones(len(X))
    centers = reference.means(X.astype(np.float64), labels, w, np.zeros((k, X.shape[1])))
    inertia = reference.inertia(X, labels, centers, w)
    best = Outcome(labels, inertia, centers, 1, True, "", [], k)
    rows = as_table(X).rows
    if block:
        rows = InBlocks(rows, block * X.shape[1])
    with open_problem(rows, weights, n_threads, 1e9) as problem:
        return single_move_optimal(problem, best)


def scatter(rows: list[list[Fraction]], weights: list[Fraction]) -> Fraction:
    """Return the inertia of one cluster."""
    total = sum(weights, Fraction(0))
    if not total:
        return Fraction(0)
    inertia = Fraction(0)
    for column in zip(*rows, strict=True):
        mean = sum((w * x for x, w in zip(column, weights, strict=True)), Fraction(0)) / total
        inertia += sum(w * (x - mean) ** 2 for x, w in zip(column, weights, strict=True))
    return inertia


def exact_answer(X: Array, labels: list[int], k: int, weights: Array) -> bool:
    """Try every move, by fractions: ties are ties."""
    rows = [[Fraction(float(x)) for x in row] for row in X]
    w = [Fraction(float(value)) for value in weights]

    def cost(members: list[int]) -> Fraction:
        return scatter([rows[i] for i in members], [w[i] for i in members])

    groups = [[i for i in range(len(rows)) if labels[i] == j] for j in range(k)]
    costs = [cost(group) for group in groups]
    for i, a in enumerate(labels):
        left = cost([j for j in groups[a] if j != i])
        for b in range(k):
            if b != a and left + cost([*groups[b], i]) < costs[a] + costs[b]:
                return False
    return True


@st.composite
def partitions(draw: st.DrawFn) -> tuple[Array, list[int], int, Array]:
    """Small whole numbers: ties, repeated rows, clusters of one row and of none."""
    d, k = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    row = st.lists(st.integers(0, draw(st.sampled_from([2, 9, 60]))), min_size=d, max_size=d)
    rows = draw(st.lists(row, min_size=k, max_size=11))
    labels = draw(st.lists(st.integers(0, k - 1), min_size=len(rows), max_size=len(rows)))
    weights = np.ones(len(rows))
    if draw(st.booleans()):
        values = st.sampled_from([0.0, 0.5, 1.0, 3.0])
        weights = np.array(draw(st.lists(values, min_size=len(rows), max_size=len(rows))))
        weights[0] = 1.0
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return np.array(rows, dtype) + dtype(draw(st.sampled_from([0, 1000]))), labels, k, weights


@settings(max_examples=300, deadline=None)
@given(partitions())
def test_any_partition_against_fractions(case: tuple[Array, list[int], int, Array]) -> None:
    X, labels, k, weights = case
    weights.flags.writeable = False
    assert check(X, labels, k, weights) == exact_answer(X, labels, k, weights)


def test_ends_of_lloyd_against_fractions() -> None:
    """At the end of Lloyd's algorithm few moves gain, and ties are many."""
    answers = []
    for seed in range(90):
        rng = np.random.default_rng(seed)
        X = rng.integers(0, 6, (12, 2)) / (10.0 if seed % 2 else 1.0)  # tenths are rounded
        X = X.astype(np.float32) if seed % 3 else X
        labels = reference.lloyd(X, X[:3], 300, 0.0).labels
        expected = exact_answer(X, labels.tolist(), 3, np.ones(12))
        assert check(X, labels, 3) == expected
        answers.append(expected)
    assert 10 < sum(answers) < 80


def descend(X: Array, labels: Array, k: int, weights: Array) -> tuple[Array, Array]:
    """Make the best move until none gains; return the labels after and before the last one."""
    labels, before = labels.copy(), labels.copy()
    while True:
        found = reference.gains(X, labels, k, weights)
        row, cluster = np.unravel_index(found.argmax(), found.shape)
        if found[row, cluster] <= 1e-9:
            return labels, before
        before = labels.copy()
        labels[row] = cluster


def overlapping(n: int, d: int, k: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    means = rng.integers(0, k, n)[:, None] % 7 / np.sqrt(d)
    return (means + rng.standard_normal((n, d))).astype(np.float32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d", "k"), [(700, 2, 25), (500, 9, 13), (300, 40, 5)])
def test_the_last_move_that_gains_is_found(n: int, d: int, k: int, weighted: bool) -> None:
    """Among all rows and clusters, one or a few moves gain; after them none does."""
    X = overlapping(n, d, k, 0)
    weights = np.random.default_rng(1).integers(0, 4, n) / 2.0 if weighted else np.ones(n)
    weights.flags.writeable = False
    start = reference.lloyd(X, X[:k], 300, 0.0, weights).labels
    last, before = descend(X, start, k, weights)
    assert (last != before).any()
    given = weights if weighted else NO_WEIGHTS
    assert check(X, last, k, given)
    assert not check(X, before, k, given)
    assert not check(X, before, k, given, block=256)
    assert not check(X[::-1], before[::-1], k, given[::-1].copy() if weighted else given)
    assert check(X, last, k, given, block=256, n_threads=2)
    assert not check(X.astype(np.float64), before, k, given, n_threads=2)


def test_the_best_cluster_is_not_always_the_second_closest() -> None:
    """The mean of two rows at distance 1.1 takes the row more cheaply than that of 400 at 1."""
    own, heavy, light = [[-1.4, 0.0], [0.0, 0.0]], [[1.0, 0.01], [1.0, -0.01]], [[0.0, 1.1]]
    X = np.array(own + 200 * heavy + 2 * light)
    labels = np.repeat([0, 1, 2], [2, 400, 2])
    found = reference.gains(X, labels, 3, np.ones(len(X)))
    assert np.argwhere(found > 0.0).tolist() == [[1, 2]]
    assert not check(X, labels, 3)
    assert check(X[:402], labels[:402], 2)  # without the light cluster


@pytest.mark.parametrize(
    ("offset", "size", "dtype"),
    [(0.0, 1e-5, np.float64), (1e6, 1e-5, np.float64), (0.0, 4e-9, np.float32)],
    ids=str,
)
def test_far_and_tight_clusters(offset: float, size: float, dtype: Any) -> None:
    """Tiles of float32 do not tell their rows apart."""
    for seed in range(6):
        check_tight(offset, size, dtype, np.random.default_rng(seed))


def check_tight(offset: float, size: float, dtype: Any, rng: np.random.Generator) -> None:
    X = offset + np.vstack([size * rng.standard_normal((40, 3)), [[1.0, 1.0, 1.0]] * 2])
    X, labels = X.astype(dtype), np.repeat([0, 1, 2], [20, 20, 2])
    last, before = descend(X.astype(np.float64) - offset, labels, 3, np.full(42, 1e12))
    assert (last != before).any()
    assert check(X, last, 3)
    assert not check(X, before, 3)


def test_equal_rows_and_ties_do_not_move() -> None:
    assert check([[0.0], [1.0], [2.0]], [0, 0, 1], 2)  # a tie: 2 * 0.25 and 0.5 * 1
    for a, c in np.random.default_rng(0).random((20, 2)):  # ties, except for rounding
        assert check([[a], [a + c], [a + 2.0 * c]], [0, 0, 1], 2)
    assert check(np.full((9, 2), 0.1), np.arange(9) % 3, 3)
    assert not check([[0.0], [1.0], [1.9]], [0, 0, 1], 2)
    assert not check([[0.0], [1.0]], [0, 0], 2)  # to the empty cluster
    assert check([[0.0], [1.0]], [0, 0], 1)
    alone = np.random.default_rng(0).random((40, 3))
    weights = 0.1 + alone[:, 0]  # a mean may differ from its only row in the last digit
    weights.flags.writeable = False
    assert check(alone, np.arange(40), 40, weights)


@pytest.mark.parametrize("offset", [1e6, 1e9, 1e12, 1e15])
def test_far_from_0_no_move_is_invented(offset: float) -> None:
    """Sums of whole numbers are exact: where no move gains at 0, none does far from 0."""
    for seed in range(400):
        rng = np.random.default_rng(seed)
        X = rng.integers(0, 4, (int(rng.integers(6, 20)), 2)).astype(float)
        labels = KMeans(2, tol=0, random_state=seed, local_search=0).fit(X).labels_
        if reference.single_move_optimal(X, labels, 2, np.ones(len(X))):
            assert check(X + offset, labels, 2)


def test_reach_is_a_tight_lower_bound() -> None:
    rng = np.random.default_rng(0)
    means = rng.random((40, 5)).astype(np.float32).astype(np.float64)  # as in X
    squares = reference.squared_distances(means, means)
    squares[np.diag_indices(40)] = np.inf
    X = np.repeat(means, 1000, axis=0).astype(np.float32)
    seen: list[Array] = []
    own = moves._reach

    def spy(*arguments: Any) -> Array:
        seen.append(own(*arguments))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "_reach", spy)
        with open_problem(as_table(X).rows, NO_WEIGHTS, 1, 1e9) as problem:
            scale = problem.scaling.scale
        assert check(X, np.repeat(np.arange(40), 1000), 40)
    exact = np.sqrt(squares.min(axis=1)) * np.sqrt(1000 / 1001) * scale
    assert (seen[0] <= exact).all()
    assert (seen[0] > 0.999 * exact).all()


@pytest.fixture(scope="module")
def X() -> Array:  # noqa: N802
    return overlapping(3000, 3, 6, 3)


def test_a_fit_moves_nothing(X: Array, tmp_path: Path) -> None:
    without = KMeans(6, random_state=0).fit(X)
    checked = KMeans(6, random_state=0, end_check=True).fit(X)
    assert without.single_move_optimal_ is None
    assert checked.cluster_centers_.tobytes() == without.cluster_centers_.tobytes()
    np.testing.assert_array_equal(checked.labels_, without.labels_)
    expected = reference.single_move_optimal(X, checked.labels_, 6, np.ones(len(X)))
    assert checked.single_move_optimal_ is expected is False
    assert KMeans(6, random_state=0, end_check=True).fit(X[:, :1]).single_move_optimal_  # optimum
    for model in (without, checked):
        model.save(tmp_path / "model.npz")
        loaded = KMeans.load(tmp_path / "model.npz")
        assert loaded.single_move_optimal_ is model.single_move_optimal_
        assert loaded.end_check is model.end_check
    assert len(k_means(X, 6, random_state=0, end_check=True)) == 3


def test_separate_groups_are_optimal(X: Array) -> None:
    groups = X + 100.0 * (np.arange(len(X)) % 6)[:, None]
    model = KMeans(6, random_state=0, end_check=True).fit(groups)
    assert model.single_move_optimal_ is True


def test_what_is_refused(X: Array) -> None:
    from scipy.sparse import csr_array

    with pytest.raises(ValueError, match="end_check has no method for metric='cosine'"):
        KMeans(3, metric="cosine", end_check=True).fit(X)
    with pytest.raises(ValueError, match="end_check has no method for sparse rows"):
        KMeans(3, end_check=True).fit(csr_array(X))
    with pytest.raises(TypeError, match="end_check"):
        KMeans(3, end_check="yes").fit(X)
