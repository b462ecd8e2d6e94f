"""Initial centers: which rows are drawn, how good they are, and that they are reproducible."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans, kmeans_plusplus
from fastkmeans._seeding.initial import random_rows
from tests.helpers.data import blobs
from tests.helpers.reference import squared_distances

Array = NDArray[Any]


def potential(X: Array, centers: Array, weights: Array | float = 1.0) -> float:
    return float((squared_distances(X, centers).min(axis=1) * weights).sum())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(50, 2, 5), (700, 3, 30), (20_000, 8, 12)], ids=str)
def test_centers_are_the_rows_at_the_indices(shape: tuple[int, int, int], dtype: Any) -> None:
    m, d, k = shape
    X = blobs(0, m, d, k, distance=3.0).astype(dtype)
    centers, indices = kmeans_plusplus(X, k, random_state=0)
    assert centers.dtype == dtype
    assert centers.shape == (k, d)
    np.testing.assert_array_equal(centers, X[indices])
    assert len(set(indices.tolist())) == k
    again = kmeans_plusplus(X, k, random_state=0)
    np.testing.assert_array_equal(again[1], indices)
    other = kmeans_plusplus(X, k, random_state=1)
    assert (other[1] != indices).any()


def test_signature_is_scikit_learns() -> None:
    from sklearn.cluster import kmeans_plusplus as theirs

    ours = inspect.signature(kmeans_plusplus).parameters
    expected = list(inspect.signature(theirs).parameters)
    assert list(ours) == [*expected, "metric"]
    for name in expected:
        parameter = inspect.signature(theirs).parameters[name]
        assert ours[name].kind == parameter.kind
        assert ours[name].default == parameter.default


@pytest.mark.parametrize("trials", [None, 1])
def test_potentials_are_as_good_as_scikit_learns(trials: int | None) -> None:
    from sklearn.cluster import kmeans_plusplus as theirs

    X = blobs(0, 600, 3, 12, distance=3.0)
    ours, reference = (
        np.array([
            potential(X, seed(X, 15, random_state=s, n_local_trials=trials)[0]) for s in range(120)
        ])
        for seed in (kmeans_plusplus, theirs)
    )  # fmt: skip
    error = np.hypot(ours.std(), reference.std()) / np.sqrt(len(ours))
    assert ours.mean() == pytest.approx(reference.mean(), abs=4 * error)
    assert error < 0.02 * reference.mean()


def test_greedy_trials_pay() -> None:
    X = blobs(0, 600, 3, 12, distance=3.0)
    means = [
        np.mean([potential(X, kmeans_plusplus(X, 15, random_state=s, n_local_trials=t)[0])
                 for s in range(40)])
        for t in (1, 4, 40)
    ]  # fmt: skip
    assert means[0] > 1.05 * means[1] > 1.02 * means[2]


def test_draws_go_by_squared_distance() -> None:
    """The second of two centers: row j after row i with probability D^2 / sum of D^2."""
    X = np.array([[0.0], [1.0], [3.0]])
    counts = np.zeros((3, 3))
    for seed in range(3000):
        first, second = kmeans_plusplus(X, 2, random_state=seed, n_local_trials=1)[1]
        counts[first, second] += 1
    squares = squared_distances(X, X)
    expected = squares / squares.sum(axis=1, keepdims=True) / 3
    assert np.abs(counts / 3000 - expected).max() < 4 * np.sqrt(0.25 / 3000)
    assert (counts[squares == 0] == 0).all()


@pytest.mark.parametrize("trials", [None, 1, 40])
def test_rows_of_weight_zero_are_never_drawn(trials: int | None) -> None:
    X = blobs(0, 400, 2, 9, distance=3.0)
    weights = np.zeros(400)
    weights[::5] = 1.0
    for seed in range(20):
        _, indices = kmeans_plusplus(
            X, 9, sample_weight=weights, random_state=seed, n_local_trials=trials
        )
        assert (weights[indices] > 0).all()
        assert len(set(indices.tolist())) == 9


@pytest.mark.parametrize("trials", [None, 1, 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_duplicates_only_when_nothing_else_is_left(trials: int | None, dtype: Any) -> None:
    distinct = blobs(0, 11, 3, 11, distance=3.0).astype(dtype)
    X = np.repeat(distinct, 40, axis=0)[np.random.default_rng(0).permutation(440)]
    for seed in range(10):
        centers, _ = kmeans_plusplus(X, 11, random_state=seed, n_local_trials=trials)
        assert len(np.unique(centers, axis=0)) == 11
    more, indices = kmeans_plusplus(X, 14, random_state=0, n_local_trials=trials)
    assert len(np.unique(more, axis=0)) == 11
    np.testing.assert_array_equal(more, X[indices])


def test_fewer_distinct_weighted_rows_than_clusters() -> None:
    X = np.array([[0.0], [0.0], [5.0], [5.0], [9.0], [7.0]])
    weights = np.array([1.0, 1.0, 2.0, 0.0, 0.0, 0.0])
    for seed in range(10):
        _, indices = kmeans_plusplus(X, 4, sample_weight=weights, random_state=seed)
        assert set(indices.tolist()) <= {0, 1, 2}
        assert len(set(X[indices, 0].tolist())) == 2


@pytest.mark.parametrize("trials", [None, 1, 40])
def test_a_weight_counts_as_so_many_rows(trials: int | None) -> None:
    """With the same uniform numbers the same rows are drawn, each as its own duplicates."""
    rng = np.random.default_rng(0)
    X = rng.integers(-50, 50, (300, 2)).astype(float)  # sums are exact
    weights = rng.integers(0, 4, 300)
    for seed in range(8):
        options: dict[str, Any] = {"random_state": seed, "n_local_trials": trials}
        ours, _ = kmeans_plusplus(X, 8, sample_weight=weights.astype(float), **options)
        repeated, _ = kmeans_plusplus(np.repeat(X, weights, axis=0), 8, **options)
        np.testing.assert_array_equal(ours, repeated)


@pytest.mark.parametrize("unit", [2.0**-1074, 2.0**-1000, 2.0**-40, 2.0**40, 2.0**1005])
@pytest.mark.parametrize("n_features", [3, 60])
def test_the_weights_unit_does_not_matter(unit: float, n_features: int) -> None:
    """Also not at the ends of the range, if sums of weights would lose digits, or overflow."""
    X = blobs(0, 500, n_features, 8, distance=3.0)
    weights = np.random.default_rng(1).integers(1, 999, 500).astype(float)
    for seed in range(10):
        _, expected = kmeans_plusplus(X, 8, sample_weight=weights, random_state=seed)
        _, indices = kmeans_plusplus(X, 8, sample_weight=weights * unit, random_state=seed)
        np.testing.assert_array_equal(indices, expected)


@pytest.mark.parametrize("trials", [None, 40])
def test_same_draws_for_any_layout_and_dtype(trials: int | None) -> None:
    X = np.random.default_rng(0).integers(-99, 99, (20_000, 6)).astype(np.float64)
    options: dict[str, Any] = {"random_state": 0, "n_local_trials": trials}
    expected = kmeans_plusplus(X, 10, **options)[1].tolist()
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    for table in (np.asfortranarray(X), wide, X.astype(np.int16), X.astype(">f8"), X.tolist()):
        assert kmeans_plusplus(table, 10, **options)[1].tolist() == expected
    halves = kmeans_plusplus(X.astype(np.float16), 10, **options)
    singles = kmeans_plusplus(X.astype(np.float32), 10, **options)
    assert halves[0].dtype == singles[0].dtype == np.float32
    np.testing.assert_array_equal(halves[1], singles[1])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_fit_starts_from_the_same_rows_for_any_threads(n_threads: int) -> None:
    X = blobs(0, 20_000, 6, 10, distance=3.0).astype(np.float32)
    centers, _ = kmeans_plusplus(X, 10, random_state=0)
    model = KMeans(10, random_state=0, max_iter=1, n_threads=n_threads).fit(X)
    given = KMeans(10, init=centers, max_iter=1).fit(X)
    np.testing.assert_array_equal(model.labels_, given.labels_)
    np.testing.assert_array_equal(model.cluster_centers_, given.cluster_centers_)


def test_odd_numbers() -> None:
    for X in (np.full((9, 2), 7.0), np.zeros((9, 2)), np.full((9, 2), 1e300)):
        centers, indices = kmeans_plusplus(X, 3, random_state=0)
        np.testing.assert_array_equal(centers, X[indices])
    one = kmeans_plusplus(np.array([[3.0, 4.0]]), 1, random_state=0)
    assert one[1].tolist() == [0]
    for scale in (1e-300, 1e-200, 1e200, 1e300):
        X = blobs(0, 300, 2, 6, distance=3.0)
        scaled = kmeans_plusplus(X * 2.0 ** np.round(np.log2(scale)), 6, random_state=0)
        np.testing.assert_array_equal(scaled[1], kmeans_plusplus(X, 6, random_state=0)[1])


def test_a_clump_beside_a_far_outlier_is_still_seeded() -> None:
    """Distances within the clump vanish next to the outlier's coordinates; the rows do not."""
    for dtype, far in ((np.float32, 1e9), (np.float64, 1e18)):
        X = np.array([[float(i)] for i in range(1, 11)] + [[far]], dtype)
        for seed in range(5):
            centers, _ = kmeans_plusplus(X, 11, random_state=seed)
            assert len(np.unique(centers)) == 11


# --- random rows


def test_random_rows_are_distinct() -> None:
    rng = np.random.default_rng(0)
    for weights in (np.empty(0), rng.random(50), np.ones(50) * 1e-300):
        for _ in range(20):
            rows = random_rows(50, weights, 50, rng)
            assert sorted(rows.tolist()) == list(range(50))
            assert len(set(random_rows(50, weights, 20, rng).tolist())) == 20


def test_random_rows_of_weight_zero_come_last() -> None:
    rng = np.random.default_rng(0)
    weights = np.zeros(30)
    weights[[3, 17, 29]] = [1.0, 1e-9, 1e9]
    for _ in range(20):
        rows = random_rows(30, weights, 5, rng).tolist()
        assert set(rows[:3]) == {3, 17, 29}
        assert len(set(rows)) == 5


def test_random_rows_go_by_weight() -> None:
    rng = np.random.default_rng(0)
    weights = np.array([1.0, 2.0, 0.0, 5.0])
    first = np.bincount([random_rows(4, weights, 1, rng)[0] for _ in range(4000)], minlength=4)
    assert np.abs(first / 4000 - weights / 8).max() < 4 * np.sqrt(0.25 / 4000)


@pytest.mark.parametrize("unit", [5e-324, 1e-310, 1e300])
def test_random_rows_go_by_weight_in_any_unit(unit: float) -> None:
    rng = np.random.default_rng(0)
    weights = np.array([1.0, 2.0, 0.0, 5.0]) * unit
    first = np.bincount([random_rows(4, weights, 1, rng)[0] for _ in range(4000)], minlength=4)
    assert np.abs(first / 4000 - np.array([1, 2, 0, 5]) / 8).max() < 4 * np.sqrt(0.25 / 4000)


def test_random_rows_of_hardly_any_weight_are_drawn_at_random() -> None:
    """Beside a row that outweighs them all, the order of the rest would be that of the rows."""
    rng = np.random.default_rng(0)
    weights = np.full(10, 1e-310)
    weights[4] = 1.0
    drawn = np.array([random_rows(10, weights, 2, rng) for _ in range(900)])
    assert (drawn[:, 0] == 4).all()
    counts = np.bincount(drawn[:, 1], minlength=10)
    assert np.abs(np.delete(counts, 4) - 100).max() < 60  # 6 standard deviations


def test_random_init_starts_from_distinct_rows() -> None:
    X = np.arange(40.0).reshape(20, 2)
    model = KMeans(20, init="random", random_state=0, n_init=1, max_iter=1).fit(X)
    assert model.inertia_ == 0.0
    assert sorted(model.labels_.tolist()) == list(range(20))


@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_restarts_keep_the_best_run(init: str) -> None:
    X = blobs(0, 300, 2, 10, distance=3.0)
    best = KMeans(10, init=init, n_init=8, random_state=0, local_search=0).fit(X)
    one = KMeans(10, init=init, n_init=1, random_state=0, local_search=0).fit(X)
    assert best.inertia_ <= one.inertia_
    again = KMeans(10, init=init, n_init=8, random_state=0, local_search=0).fit(X)
    np.testing.assert_array_equal(best.cluster_centers_, again.cluster_centers_)
