"""Empty clusters: who gives a row, who gets it, and that the answer stays consistent."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._data.problem import problem_of
from fastkmeans._data.rows import ArrayRows
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._lloyd.empty import farthest, squared_distances_to_own
from fastkmeans._runtime.threads import Team
from tests.helpers.reference import closest, inertia, lloyd

Array = NDArray[Any]
DTYPES = [np.float32, np.float64]
WARNING = "Number of distinct clusters"


def fit(X: Any, init: Any, weights: Any = None, **options: Any) -> KMeans:
    X, init = np.asarray(X), np.asarray(init, float)
    return KMeans(len(init), init=init, **options).fit(X, sample_weight=weights)


def column(*values: float, dtype: Any = np.float64) -> Array:
    return np.array(values, dtype)[:, None]


def consistent(model: KMeans, X: Array, weights: Array | None = None) -> None:
    X = X.astype(np.float64)
    np.testing.assert_array_equal(model.labels_, closest(X, model.cluster_centers_))
    w = np.ones(len(X)) if weights is None else weights
    exact = inertia(X, model.labels_, model.cluster_centers_, w)
    assert model.inertia_ == pytest.approx(exact, rel=1e-12)
    assert np.isfinite(model.cluster_centers_).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_empty_cluster_by_hand(dtype: Any) -> None:
    """Rows 0 1 2 10, all nearest to 0.  The farthest, 10, becomes the empty cluster."""
    X = column(0, 1, 2, 10, dtype=dtype)
    model = fit(X, [[0.0], [100.0]], max_iter=1)
    assert model.cluster_centers_.tolist() == [[1.0], [10.0]]  # the donor is corrected
    assert model.labels_.tolist() == [0, 0, 0, 1]
    assert model.inertia_ == 2.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_several_empty_clusters_by_hand(dtype: Any) -> None:
    """Distances to 0 are 1 2 4 8 16: the first empty cluster gets 16, the second 8."""
    X = column(-1, -2, 4, 8, 16, dtype=dtype)
    model = fit(X, [[0.0], [500.0], [600.0]], max_iter=1)
    assert model.cluster_centers_[1:].tolist() == [[16.0], [8.0]]
    assert model.cluster_centers_[0, 0] == pytest.approx(1 / 3, rel=1e-15)
    consistent(model, X)


def test_ties_take_the_lowest_row_first() -> None:
    X = column(-3, 3, 0, -3, 3, 0)
    model = fit(X, [[0.0], [50.0], [60.0]], max_iter=1)
    assert model.cluster_centers_[1:].tolist() == [[-3.0], [3.0]]  # rows 0 and 1
    assert model.labels_.tolist() == [1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_weights_of_the_donor_are_corrected(weight: float) -> None:
    X = column(0, 1, 10)
    weights = np.array([3.0, 1.0, weight])
    model = fit(X, [[0.0], [90.0]], weights, max_iter=1)
    assert model.cluster_centers_.ravel().tolist() == [0.25, 10.0]
    assert model.inertia_ == pytest.approx(3 * 0.25**2 + 0.75**2, rel=1e-14)


def test_rows_of_weight_zero_are_not_given_away() -> None:
    X = column(0, 1, 2, 1000)
    weights = np.array([1.0, 1.0, 1.0, 0.0])
    model = fit(X, [[0.0], [-90.0]], weights, max_iter=1)
    assert model.cluster_centers_.tolist() == [[0.5], [2.0]]
    assert model.labels_.tolist() == [0, 0, 1, 1]


def test_a_cluster_keeps_its_last_row() -> None:
    """The farthest row is alone in its cluster: the next one is taken."""
    X = column(0, 1, 3, 100)
    model = fit(X, [[0.0], [60.0], [-500.0]], max_iter=1)
    assert model.cluster_centers_.tolist() == [[0.5], [100.0], [3.0]]


def test_a_cluster_gives_several_rows_but_one() -> None:
    X = column(10, 11, 12)
    model = fit(X, [[0.0], [-90.0], [-91.0]], max_iter=1)
    assert model.cluster_centers_.tolist() == [[10.0], [12.0], [11.0]]
    assert model.inertia_ == 0.0


def test_farthest() -> None:
    distances = np.array([1.0, 5.0, 3.0, 5.0, 5.0, 0.0])
    assert farthest(distances, 1).tolist() == [1]
    assert farthest(distances, 2).tolist() == [1, 3]
    assert farthest(distances, 4).tolist() == [1, 3, 4, 2]
    assert farthest(distances, 6).tolist() == [1, 3, 4, 2, 0, 5]
    assert farthest(distances, 9).tolist() == [1, 3, 4, 2, 0, 5]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_empty", [1, 3])
def test_as_scikit_learn(dtype: Any, n_empty: int) -> None:
    from sklearn.cluster import KMeans as Theirs

    rng = np.random.default_rng(0)
    for seed in range(10):
        X = np.random.default_rng(seed).normal(size=(200, 2)).astype(dtype)
        init = np.vstack([rng.normal(size=(5, 2)), 100.0 + np.arange(2.0 * n_empty).reshape(-1, 2)])
        ours = fit(X, init, tol=0.0)
        theirs = Theirs(len(init), init=init.astype(dtype), n_init=1, tol=0.0).fit(X)
        precision = 1e-5 if dtype == np.float32 else 1e-10
        np.testing.assert_array_equal(ours.labels_, theirs.labels_)
        np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, precision)
        assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=precision)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("max_iter", [1, 2, 3, 50])
def test_as_the_reference_and_consistent(max_iter: int, weighted: bool) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(150, 2))
        weights = rng.integers(0, 3, 150).astype(float) if weighted else None
        init = np.vstack([X[:4], rng.normal(size=(5, 2)) * 20 + 60])
        model = fit(X, init, weights, max_iter=max_iter)
        consistent(model, X, weights)
        expected = lloyd(X, init, max_iter, 1e-4, weights)
        np.testing.assert_array_equal(model.labels_, expected.labels)
        np.testing.assert_allclose(model.cluster_centers_, expected.centers, 1e-12, 1e-14)
        assert model.n_iter_ == expected.n_iter


def test_large_data_and_blocks_of_converted_rows() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, (70_000, 3)).astype(np.uint8)
    init = np.vstack([X[:4].astype(float), np.full((3, 3), 900.0) + np.arange(3)[:, None]])
    model = fit(X, init, max_iter=2)
    same = fit(X.astype(np.float64), init, max_iter=2)
    consistent(model, X)
    np.testing.assert_array_equal(model.labels_, same.labels_)
    np.testing.assert_allclose(model.cluster_centers_, same.cluster_centers_, 1e-12)


# --- fewer distinct rows than clusters


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("init", ["k-means++", "random", "rows", "far"])
def test_more_clusters_than_distinct_rows(dtype: Any, init: str) -> None:
    rng = np.random.default_rng(0)
    for offset, n_distinct, k in [(0.0, 3, 5), (0.1, 1, 2), (1e6, 7, 20), (-3e-9, 4, 9)]:
        distinct = (rng.normal(size=(n_distinct, 3)) + offset).astype(dtype)
        X = np.repeat(distinct, 33, axis=0)
        start: Any = {"rows": X[:k], "far": np.full((k, 3), 1e3) + np.arange(k)[:, None]}.get(
            init, init
        )
        model = KMeans(k, init=start, n_init=1, random_state=0)
        with pytest.warns(UserWarning, match=WARNING) as caught:
            model.fit(X)
        assert len(caught) == 1
        assert f"({len(np.unique(distinct, axis=0))})" in str(caught[0].message)
        assert model.inertia_ == 0.0
        assert np.isfinite(model.cluster_centers_).all()
        assert len(set(model.labels_.tolist())) == len(np.unique(distinct, axis=0))
        np.testing.assert_array_equal(model.cluster_centers_[model.labels_], X)


@pytest.mark.parametrize("weights", [[1.0, 1.0, 0.0, 0.0], [0.5, 2.0, 0.0, 0.0]])
def test_rows_of_weight_zero_are_not_distinct_rows(weights: list[float]) -> None:
    X = column(1, 2, 3, 4)
    with pytest.warns(UserWarning, match=WARNING):
        model = KMeans(3, random_state=0).fit(X, sample_weight=weights)
    assert model.inertia_ == 0.0
    assert np.isfinite(model.cluster_centers_).all()


def test_the_warning_is_scikit_learns_when_it_is_loaded() -> None:
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning, match=WARNING):
        KMeans(2, random_state=0).fit(np.ones((5, 2)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("init", ["k-means++", "random", "far"])
def test_a_cluster_for_every_row(dtype: Any, init: str) -> None:
    for offset, scale in [(0.0, 1.0), (0.1, 1.0), (1e5, 1.0), (0.0, 1e-20), (0.0, 1e20)]:
        X = ((np.random.default_rng(1).normal(size=(40, 3)) + offset) * scale).astype(dtype)
        start: Any = np.full((40, 3), X.max() * 10) if init == "far" else init
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = KMeans(40, init=start, n_init=1, random_state=0).fit(X)
        assert model.inertia_ == 0.0
        assert sorted(model.labels_.tolist()) == list(range(40))
        np.testing.assert_array_equal(model.cluster_centers_[model.labels_], X)


def test_a_clump_beside_a_far_outlier_is_no_rounding() -> None:
    """Distances within the clump are nothing beside the scatter, and still distances."""
    X = column(*range(1, 11), 1e16)
    model = fit(X, column(1e16, *np.linspace(1e17, 2e17, 10)))
    assert model.inertia_ == 0.0
    assert len(set(model.labels_.tolist())) == 11


def test_a_donor_of_cancelling_weights_keeps_a_finite_center() -> None:
    """What 1e17 leaves of a weight of 1 is nothing; the rows that stay are added anew."""
    X, weights = np.array([[0.0], [0.0], [1.0]]), np.array([1.0, 1e17, 1.0])
    model = KMeans(3, init=[[0.5], [90.0], [95.0]], max_iter=1)
    with pytest.warns(UserWarning, match="distinct clusters"):
        model.fit(X, sample_weight=weights)
    assert np.isfinite(model.cluster_centers_).all()


def test_a_fit_ends_when_no_center_moves() -> None:
    """As in scikit-learn, after one iteration: another would find the same labels."""
    X = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    with pytest.warns(UserWarning, match="distinct clusters"):
        model = KMeans(5, init=X).fit(X)
    assert (model.n_iter_, model.stop_reason_) == (1, "the centers moved less than tol")
    assert model.labels_.tolist() == [0, 1, 1, 3, 4]
    assert model.inertia_ == 0.0


def test_layouts_change_no_bit_of_a_distance() -> None:
    """Ties are decided by these bits.  NumPy works in place, in any order, on large arrays only."""
    X = np.random.default_rng(0).normal(size=(10_000, 7))
    labels, centers = np.zeros(len(X), np.int32), X[:1]
    found = []
    for rows in (
        X,
        np.asfortranarray(X),
        np.hstack([X, X])[:, :7],
        np.repeat(X, 2, axis=1)[:, ::2],
    ):
        with Team(1, 0.0) as team:
            problem = problem_of(ArrayRows(rows), NO_WEIGHTS, team)
            found.append(squared_distances_to_own(problem, labels, centers).tobytes())
    assert len(set(found)) == 1
