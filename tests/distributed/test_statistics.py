"""The loop over merged statistics is the local fit: every iteration, every rule, every tie."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans import KMeans, find_closest_centroids, merge_statistics, partial_statistics
from tests.helpers import reference
from tests.helpers.sparse import group_means, texts

Array = NDArray[Any]
pytestmark = pytest.mark.slow
CUTS = (0, 0, 7, 8, 150, 301, 400)
"""Where rows are cut into blocks: one without rows, one of one row, others of several lengths."""


@dataclass
class Case:
    """A table, where its fit starts, and how it is compared."""

    X: Any
    start: Array
    weights: Array | None = None
    metric: str = "euclidean"

    @property
    def dense(self) -> Array:
        return np.asarray(self.X.toarray() if hasattr(self.X, "toarray") else self.X, float)

    def merged(self, centers: Any, cuts: Any = CUTS, tree: bool = False) -> Any:
        """Return the statistics of the blocks, merged from left to right or by a tree."""
        cuts = [*[c for c in cuts if c < self.X.shape[0]], self.X.shape[0]]
        parts = [
            partial_statistics(
                self.X[a:b], centers, None if self.weights is None else self.weights[a:b],
                metric=self.metric,
            )
            for a, b in pairwise(cuts)
        ]  # fmt: skip
        parts = [pickle.loads(pickle.dumps(part)) for part in parts]
        while tree and len(parts) > 1:
            parts = [merge_statistics(parts[at : at + 2]) for at in range(0, len(parts), 2)]
        return merge_statistics(parts)

    def local(self, **options: Any) -> tuple[KMeans, list[Array]]:
        """Return the fit on one machine, and its centers after every iteration."""
        seen: list[Array] = []
        model = KMeans(
            len(self.start), init=self.start, metric=self.metric, n_init=1, n_threads=1,
            callback=lambda number, run: seen.append(run.centers), **options,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # few distinct rows, rows of length 0
            return model.fit(self.X, sample_weight=self.weights), seen


def apart(rows: int, d: int = 4, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, d)) * np.arange(1, d + 1)


def some_weights(rows: int = 400) -> Array:
    return np.random.default_rng(1).integers(0, 4, rows) / 2.0


def hostile_start(X: Array, k: int) -> Array:
    """Return centers of which most are empty: copies, and points that no row is close to."""
    start = np.repeat(X[:2], -(-k // 2), axis=0)[:k].copy()
    start[-1] += 1e6
    return start


def cases() -> dict[str, Case]:
    X, w = apart(400), some_weights()
    far, words = X + 1e9, texts(400, 60, 5.0)
    largest = np.finfo(float).max * np.clip(X, -1.0, 1.0)
    heavy = np.where(np.arange(400) % 50 == 0, 1e9, 1e-6)
    return {
        "float64": Case(X, X[:6]),
        "float32": Case(X.astype(np.float32), X[:6]),
        "weights": Case(X, X[:6], w),
        "float32, weights": Case(X.astype(np.float32), X[:6], w),
        "a large mean": Case(far, far[:6]),
        "a large mean, empty clusters": Case(far, hostile_start(far, 7)),
        "empty clusters": Case(X, hostile_start(X, 9)),
        "empty clusters, weights": Case(X, hostile_start(X, 9), w),
        "donors of which one row has almost all the weight": Case(X, hostile_start(X, 9), heavy),
        "tiny": Case(X * 1e-200, np.zeros((5, 4))),
        "huge": Case(X * 1e200, hostile_start(X, 5)),
        "the largest numbers": Case(largest, hostile_start(largest, 5)),
        "sparse": Case(words, group_means(words, 6)),
        "sparse, weights, empty clusters": Case(words, hostile_start(words.toarray(), 7), w),
        "cosine": Case(X, X[:6], metric="cosine"),
        "cosine, weights, empty clusters": Case(X, hostile_start(X, 7), w, metric="cosine"),
        "cosine, rows of length 0": Case(np.where(w[:, None] > 0, X, 0), X[:5], w, "cosine"),
        "cosine, subnormal rows": Case(X * 1e-310, X[:6], metric="cosine"),
        "cosine, sparse, subnormal rows": Case(
            words * 1e-310, group_means(words, 6), None, "cosine"
        ),
        "cosine, sparse": Case(words, group_means(words, 6), metric="cosine"),
    }


CASES = cases()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def slack(case: Case) -> float:
    """Return what rounding of the centers to float64 may change of an inertia."""
    w = np.ones(400) if case.weights is None else case.weights
    reach = np.sqrt(w.sum() * case.merged(case.start).inertia)  # Cauchy and Schwarz
    return float(4.0 * np.finfo(float).eps * np.abs(case.dense).max() * reach)


def check_centers(case: Case, found: Array, expected: Array) -> None:
    size = np.abs(expected).max()
    np.testing.assert_allclose(found / size, expected / size, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_every_iteration_is_that_of_the_local_fit(case: Case) -> None:
    """Centers, labels and inertia; then the number of iterations, and why the loop ends."""
    model, expected = case.local()
    centers, step, n_iter = case.start, None, 0
    allowed = slack(case)
    while step is None or not step.converged:
        now = case.merged(centers)
        step = now.step(centers, step)
        assert now.n_rows == 400
        if step.stop_reason != "the centers moved less than tol":
            record = model.history_[n_iter]
            check_centers(case, step.centers, expected[n_iter])
            if np.isfinite(allowed):
                assert now.inertia == pytest.approx(record.inertia, rel=1e-12, abs=allowed)
            n_iter += 1
            if case.metric == "euclidean":
                labels = find_closest_centroids(case.X, step.centers)
                own = find_closest_centroids(case.X, expected[n_iter - 1])
                np.testing.assert_array_equal(labels, own)
        centers = step.centers
    assert (n_iter, step.stop_reason) == (model.n_iter_, model.stop_reason_)
    if np.isfinite(allowed):
        assert now.inertia == pytest.approx(model.inertia_, rel=1e-12, abs=allowed)
    counts = np.ones(400) if case.weights is None else case.weights > 0.0
    if case.metric == "cosine":
        counts = counts * case.dense.any(axis=1)
    sizes = np.bincount(model.labels_, counts, len(centers))
    np.testing.assert_array_equal(now.counts, sizes)


def test_fields_are_those_of_float64(case: Case) -> None:
    if not 1e-300 < np.abs(case.dense).max() < 1e100:
        return
    X, w, centers = case.dense, case.weights, case.start
    w = np.ones(400) if w is None else w
    if case.metric == "cosine":
        w, X = w * X.any(axis=1), reference.directions(X)
        centers = reference.directions(centers)
        labels = reference.closest_directions(X, centers)
    else:
        labels = reference.closest(X, centers)
    now = case.merged(case.start)
    sums, weights = np.zeros(centers.shape), np.zeros(len(centers))
    np.add.at(sums, labels, w[:, None] * (X - centers[labels]))
    np.add.at(weights, labels, w)
    size = np.abs(w[:, None] * (X - centers[labels])).sum() + 1e-300
    np.testing.assert_allclose(now.sums / size, sums / size, rtol=0, atol=1e-13)
    np.testing.assert_allclose(now.weights, weights, rtol=1e-13)
    np.testing.assert_array_equal(now.counts, np.bincount(labels[w > 0], minlength=len(centers)))
    assert now.n_empty == np.count_nonzero(now.counts == 0)
    if case.metric == "euclidean":
        expected = reference.variance(X - centers[0], w)
        assert now.variance(case.start) == pytest.approx(expected, rel=1e-9)


SMALL = st.integers(-3, 3).map(float)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_iteration_with_ties_is_that_of_the_local_fit(data: Any) -> None:
    """Small integers: equal rows, equal distances, equal centers, clusters of one row."""
    n, k = data.draw(st.integers(2, 14)), data.draw(st.integers(1, 6))
    row = st.tuples(SMALL, SMALL)
    X = np.array(data.draw(st.lists(row, min_size=n, max_size=n)))
    start = np.array(data.draw(st.lists(row, min_size=k, max_size=k)))
    weights = st.none() | st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any)
    w = data.draw(weights)
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, n), max_size=4)))]
    case = Case(X, start, None if w is None else np.array(w, float))
    case.start = start[:n]
    model, expected = case.local(max_iter=1, tol=0.0)
    now = case.merged(case.start, cuts, tree=data.draw(st.booleans()))
    step = now.step(case.start)
    np.testing.assert_allclose(step.centers, expected[0], rtol=0, atol=1e-13)
    assert now.inertia == pytest.approx(model.history_[0].inertia, abs=1e-12)
    np.testing.assert_array_equal(now.centers(case.start), step.centers)


def test_the_farthest_rows_of_a_tie_are_the_first_ones() -> None:
    """Four rows are as far from the center; blocks hold them in turn, and the last one first."""
    X = np.array([0.0, 3.0, -3.0, 3.0, 0.0, -3.0])[:, None]
    case = Case(X, np.array([[0.0], [50.0], [60.0]]))
    for cuts in ([0], [0, 1, 3], [0, 5], list(range(6))):
        now = case.merged(case.start, cuts)
        assert now.farthest.rows.tolist() == [1, 2, 3]
        assert now.centers(case.start).tolist() == [[0.0], [3.0], [-3.0]]


def test_a_cluster_keeps_a_row_wherever_its_rows_are() -> None:
    """The farthest row is the only one of its cluster, in a block of its own."""
    X = np.array([0.0, 1.0, 100.0])[:, None]
    case = Case(X, np.array([[0.0], [50.0], [1000.0]]))
    now = case.merged(case.start, [0, 1, 2])
    assert now.centers(case.start).tolist() == [[0.0], [100.0], [1.0]]


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix])
def test_fewer_distinct_rows_than_clusters(kind: Any) -> None:
    """Every distinct row gets a cluster; the clusters left over stay empty, and the loop ends."""
    X = np.random.default_rng(2).integers(0, 4, (400, 2)) / 3.0
    case = Case(kind(X), np.repeat(X[:1], 20, axis=0) + 0.1)
    centers, step, passes = case.start, None, 0
    while step is None or not step.converged:
        now = case.merged(centers)
        step = now.step(centers, step)
        centers, passes = step.centers, passes + 1
    assert passes < 20
    assert (now.inertia, step.center_shift) == (0.0, 0.0)  # means of equal rows are these rows
    assert now.n_empty == 4


def test_a_block_with_rows_of_all_clusters_carries_no_row() -> None:
    case = Case(apart(400), apart(400)[:6])
    sizes = [len(pickle.dumps(case.merged(case.start, [0, cut]))) for cut in (200, 399)]
    assert not len(case.merged(case.start).farthest.rows)
    assert max(sizes) < 8 * 6 * (4 + 2) + 1200


def test_statistics_are_small_whatever_the_rows() -> None:
    """At most three times the centers, for a block that sees few of the clusters."""
    k, d = 40, 30
    X, start = apart(3000, d), apart(k, d) * 10.0
    sizes = []
    for rows in (300, 3000):
        block = X[:rows] * 1e-3
        now = partial_statistics(block, start)
        assert now.n_empty > k // 2
        assert len(now.farthest.rows) == k
        sizes.append(len(pickle.dumps(now)))
    assert sizes[0] == sizes[1] < 3 * 8 * k * (d + 3) + 1200


def test_a_tree_of_one_shape_gives_the_same_bits(case: Case) -> None:
    """Another shape gives the same rows, counts and labels, and sums up to rounding."""
    flat, tree, again = (case.merged(case.start, tree=tree) for tree in (False, True, True))
    assert pickle.dumps(tree) == pickle.dumps(again)
    assert tree.centers(case.start).tobytes() == again.centers(case.start).tobytes()
    assert (flat.label_hash, flat.n_rows) == (tree.label_hash, tree.n_rows)
    for field in ("rows", "labels", "points"):
        np.testing.assert_array_equal(getattr(flat.farthest, field), getattr(tree.farthest, field))
    np.testing.assert_array_equal(flat.counts, tree.counts)
    check_centers(case, tree.centers(case.start), flat.centers(case.start))


def test_threads_and_layouts_change_no_bit() -> None:
    X = apart(20_000, 6)
    start = hostile_start(X, 20)
    expected = pickle.dumps(partial_statistics(X, start))
    for block, threads in ((X, 2), (np.asfortranarray(X), 1), (np.hstack([X, X])[:, :6], None)):
        assert pickle.dumps(partial_statistics(block, start, n_threads=threads)) == expected


def test_arguments_stay_as_they_are() -> None:
    X, w, start = apart(400), some_weights(), hostile_start(apart(400), 9)
    arrays = [array.copy() for array in (X, w, start)]
    parts = [partial_statistics(X[:10], start, w[:10]), partial_statistics(X[10:], start, w[10:])]
    before = pickle.dumps(parts)
    merge_statistics(merge_statistics([part]) for part in parts).step(start)
    assert pickle.dumps(parts) == before
    for array, copy in zip((X, w, start), arrays, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_hash_of_labels_sees_a_row_that_moves() -> None:
    X, start = apart(400), apart(400)[:6]
    case = Case(X, start)
    labels = find_closest_centroids(X, start)
    hashes = {case.merged(start).label_hash}
    for row in (0, 7, 200, 399):
        moved = X.copy()
        moved[row] = start[(labels[row] + 1) % 6]
        hashes.add(Case(moved, start).merged(start).label_hash)
    swapped = np.roll(X, 1, axis=0)
    hashes.add(Case(swapped, start).merged(start).label_hash)
    assert len(hashes) == 6
    halves = [partial_statistics(half, start) for half in (X[:200], X[200:])]
    assert merge_statistics(halves).label_hash != merge_statistics(halves[::-1]).label_hash


def test_a_block_without_weight_counts_for_nothing_but_its_rows() -> None:
    X, start = apart(400), apart(400)[:6]
    w = np.ones(400)
    w[:150] = 0.0
    for metric in ("euclidean", "cosine"):
        case = Case(X, start, w, metric)
        none = partial_statistics(X[:150], start, w[:150], metric=metric)
        assert (none.n_rows, none.inertia, none.n_empty) == (150, 0.0, 6)
        rest = partial_statistics(X[150:], start, metric=metric)
        both = merge_statistics([none, rest])
        assert both.sums.tobytes() == rest.sums.tobytes()
        assert both.inertia == rest.inertia
        check_centers(case, both.centers(start), case.local(max_iter=1)[1][0])
