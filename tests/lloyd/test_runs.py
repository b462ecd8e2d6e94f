"""Whole runs from given centers, against float64 NumPy and against scikit-learn.

Our answers must be those of ``reference.py``, row by row, also after every iteration.
scikit-learn scores rows by matrix products, whose rounding can move a row that lies
between two centers; where it departs from us, the reference says who is right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans as SklearnKMeans

from fastkmeans import KMeans
from tests.conftest import REAL_DATA
from tests.helpers import reference
from tests.helpers.engines import each_dtype
from tests.helpers.fits import assert_equals_reference

Array = NDArray[Any]

K = {"iris": 3, "digits": 10, "flights": 8, "flights_standard": 8, "embeddings": 20, "china": 16}
PRECISION = {np.float32: 1e-6, np.float64: 1e-10}

each_data_set = pytest.mark.parametrize(
    ("real_data", "k"), [(name, K[name]) for name in REAL_DATA], indirect=["real_data"]
)


def some_rows(X: Array, k: int, seed: int) -> Array:
    """Return distinct rows: small integers, and so exact ties, where the data are integers."""
    distinct = np.unique(X, axis=0)
    return distinct[np.random.default_rng(seed).choice(len(distinct), k, replace=False)]


def mixed_rows(X: Array, k: int, seed: int) -> Array:
    """Return random mixtures of two rows each: no row lies exactly between two of them."""
    rng = np.random.default_rng(seed)
    share = rng.random((k, 1))
    rows = some_rows(X.astype(np.float64), 2 * k, seed)
    return (rows[:k] * share + rows[k:] * (1 - share)).astype(X.dtype)


@each_dtype
@each_data_set
def test_whole_runs_equal_the_reference(real_data: Array, k: int, dtype: Any) -> None:
    X = real_data.astype(dtype)[:: max(1, len(real_data) // 4000)]
    centers = some_rows(X, k, seed=2)
    model = KMeans(k, init=centers).fit(X)
    assert_equals_reference(model, X, reference.lloyd(X, centers))
    assert model.converged_


@each_dtype
@each_data_set
def test_every_iteration_equals_the_reference(real_data: Array, k: int, dtype: Any) -> None:
    X = real_data.astype(dtype)[:: max(1, len(real_data) // 2000)]
    centers = some_rows(X, k, seed=3)
    answers = reference.lloyd_at(X, centers, (1, 2, 3, 4, 6, 9, 14), tol=0.0)
    for max_iter, expected in answers.items():
        model = KMeans(k, init=centers, max_iter=max_iter, tol=0.0).fit(X)
        assert_equals_reference(model, X, expected)


@each_dtype
@each_data_set
def test_weighted_runs_equal_the_reference(real_data: Array, k: int, dtype: Any) -> None:
    X = real_data.astype(dtype)[:: max(1, len(real_data) // 2000)]
    weights = np.random.default_rng(4).gamma(1.0, size=len(X)) * 100
    weights[::7] = 0.0
    centers = some_rows(X, k, seed=4)
    model = KMeans(k, init=centers).fit(X, sample_weight=weights)
    expected = reference.lloyd(X, centers, sample_weight=weights)
    assert_equals_reference(model, X, expected)


@each_dtype
@each_data_set
def test_whole_runs_equal_scikit_learn(real_data: Array, k: int, dtype: Any) -> None:
    X = real_data.astype(dtype)
    centers = mixed_rows(X, k, seed=1)
    ours = KMeans(k, init=centers).fit(X)
    theirs = SklearnKMeans(k, init=centers, n_init=1, algorithm="lloyd").fit(X)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.n_iter_ == theirs.n_iter_
    # scikit-learn adds float32 up in float32: over thousands of rows that is what it loses.
    precision = float(max(PRECISION[dtype], np.finfo(dtype).eps * len(X) ** 0.5))
    np.testing.assert_allclose(
        ours.cluster_centers_, theirs.cluster_centers_, rtol=0, atol=precision * np.abs(X).max()
    )
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=10 * precision)


@each_dtype
@each_data_set
def test_where_scikit_learn_departs_it_is_wrong(real_data: Array, k: int, dtype: Any) -> None:
    """At every stage of a run that meets exact ties: same centers, same rows.

    The rows that differ lie between two centers, nearer than scikit-learn's products can
    tell, and the float64 distances by differences are on our side.
    """
    X = real_data.astype(dtype)[:: max(1, len(real_data) // 4000)]
    centers = some_rows(X, k, seed=2).astype(np.float64)
    exact = X.astype(np.float64)
    for _ in range(6):
        rounded = centers.astype(dtype)
        theirs = SklearnKMeans(k, init=rounded, n_init=1).fit(rounded)
        ours = KMeans(k, init=rounded).fit(rounded)
        theirs.cluster_centers_, ours.cluster_centers_ = rounded, rounded.astype(np.float64)
        labels = ours.predict(X)
        distances = reference.squared_distances(exact, rounded)
        np.testing.assert_array_equal(labels, distances.argmin(axis=1))
        differ = np.flatnonzero(labels != theirs.predict(X))
        lowest, second = np.partition(distances[differ], 1, axis=1)[:, :2].T
        norms = np.linalg.norm(exact[differ], axis=1) + np.linalg.norm(centers, axis=1).max()
        bound = 4 * (X.shape[1] + 4) * np.finfo(dtype).eps * norms**2
        assert (second - lowest <= bound).all()
        assert len(differ) <= 0.05 * len(X)
        model = KMeans(k, init=centers, max_iter=1, tol=0.0).fit(X)
        centers = model.cluster_centers_


@each_dtype
def test_the_history_tells_the_run(iris: Array, dtype: Any) -> None:
    X = iris.astype(dtype)
    centers = some_rows(X, 4, seed=0)
    model = KMeans(4, init=centers, tol=0.0).fit(X)
    assert len(model.history_) == model.n_iter_ > 3
    labels, before = np.full(len(X), -1), centers.astype(np.float64)
    for iteration in model.history_:
        now = reference.closest(X.astype(np.float64), before)
        after = reference.means(X.astype(np.float64), now, np.ones(len(X)), before)
        assert iteration.inertia == pytest.approx(reference.inertia(X, now, before), rel=1e-12)
        shift = float(np.linalg.norm(after - before))
        assert iteration.center_shift == pytest.approx(shift, rel=1e-9, abs=1e-12)
        assert iteration.n_moved == np.count_nonzero(now != labels)
        assert iteration.seconds > 0.0
        labels, before = now, after
    falling = [iteration.inertia for iteration in model.history_]
    assert falling == sorted(falling, reverse=True)


def test_tol_is_a_share_of_the_variance(iris: Array) -> None:
    """The run stops at the first move whose square is at most tol times the variance."""
    centers = some_rows(iris, 4, seed=0)
    full = KMeans(4, init=centers, tol=0.0).fit(iris)
    moves = [iteration.center_shift**2 / iris.var(axis=0).mean() for iteration in full.history_]
    assert len(moves) > 4
    for n_iter in range(2, len(moves)):
        if moves[n_iter - 1] < min(moves[: n_iter - 1]):
            for factor, expected in ((1.001, n_iter), (0.999, n_iter + 1)):
                model = KMeans(4, init=centers, tol=moves[n_iter - 1] * factor).fit(iris)
                assert model.n_iter_ == expected if factor > 1 else model.n_iter_ >= expected


@each_dtype
@each_data_set
def test_fitted_attributes_agree_at_every_max_iter(real_data: Array, k: int, dtype: Any) -> None:
    """Labels and inertia are those of the centers, however the run ended (sklearn #34074)."""
    X = real_data.astype(dtype)[:: max(1, len(real_data) // 3000)]
    for max_iter in (1, 2, 5, 300):
        model = KMeans(k, init=some_rows(X, k, seed=5), max_iter=max_iter).fit(X)
        labels = reference.closest(X.astype(np.float64), model.cluster_centers_)
        np.testing.assert_array_equal(model.labels_, labels)
        np.testing.assert_array_equal(model.predict(X), labels)
        expected = reference.inertia(X, labels, model.cluster_centers_)
        assert model.inertia_ == pytest.approx(expected, rel=1e-12)
        assert -model.score(X) == pytest.approx(expected, rel=1e-12)
        assert model.converged_ == (model.stop_reason_ != "max_iter was reached")
        assert model.converged_ == (max_iter == 300)


# Changes of the data that change the answer in a known way ---------------------------------


@pytest.fixture
def exact_blobs() -> tuple[Array, Array, Array]:
    """Overlapping blobs on a grid of 2^-8, so that shifts and doublings are exact."""
    rng = np.random.default_rng(6)
    X = rng.normal(size=(900, 5)) + rng.integers(0, 4, (900, 1))
    X = np.round(X * 256) / 256
    return X, X[:6] + 0.03125, rng.integers(0, 4, 900).astype(float)


@each_dtype
def test_weights_count_rows(exact_blobs: tuple[Array, Array, Array], dtype: Any) -> None:
    X, centers, weights = exact_blobs
    X = X.astype(dtype)
    weighted = KMeans(6, init=centers).fit(X, sample_weight=weights)
    repeated = KMeans(6, init=centers).fit(np.repeat(X, weights.astype(int), axis=0))
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-12)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-12)
    assert weighted.n_iter_ == repeated.n_iter_
    absent = KMeans(6, init=centers).fit(X[weights > 0], sample_weight=weights[weights > 0])
    np.testing.assert_array_equal(weighted.labels_[weights > 0], absent.labels_)
    np.testing.assert_allclose(weighted.cluster_centers_, absent.cluster_centers_, rtol=1e-12)
    np.testing.assert_array_equal(weighted.predict(X), weighted.labels_)


@pytest.mark.parametrize("factor", [2.0**-600, 0.25, 3.0, 2.0**600])
def test_a_factor_on_all_weights_changes_nothing(
    exact_blobs: tuple[Array, Array, Array], factor: float
) -> None:
    X, centers, weights = exact_blobs
    model = KMeans(6, init=centers).fit(X, sample_weight=weights)
    scaled = KMeans(6, init=centers).fit(X, sample_weight=weights * factor)
    np.testing.assert_array_equal(scaled.labels_, model.labels_)
    np.testing.assert_allclose(scaled.cluster_centers_, model.cluster_centers_, rtol=1e-12)
    assert scaled.inertia_ == pytest.approx(model.inertia_ * factor, rel=1e-12)
    assert scaled.n_iter_ == model.n_iter_


def test_equal_weights_are_no_weights(exact_blobs: tuple[Array, Array, Array]) -> None:
    X, centers, _ = exact_blobs
    model = KMeans(6, init=centers).fit(X)
    for weights in (np.ones(len(X)), 1.0, [1] * len(X)):
        same = KMeans(6, init=centers).fit(X, sample_weight=weights)
        np.testing.assert_array_equal(same.cluster_centers_, model.cluster_centers_)
        np.testing.assert_array_equal(same.labels_, model.labels_)
        assert same.inertia_ == model.inertia_


@each_dtype
def test_the_order_of_rows_columns_and_centers(
    exact_blobs: tuple[Array, Array, Array], dtype: Any
) -> None:
    X, centers, _ = exact_blobs
    X = X.astype(dtype)
    rng = np.random.default_rng(0)
    rows, columns, clusters = (rng.permutation(count) for count in (900, 5, 6))
    model = KMeans(6, init=centers).fit(X)
    mixed = KMeans(6, init=centers[clusters][:, columns]).fit(X[rows][:, columns])
    np.testing.assert_array_equal(clusters[mixed.labels_], model.labels_[rows])
    np.testing.assert_allclose(
        mixed.cluster_centers_, model.cluster_centers_[clusters][:, columns], rtol=1e-12
    )
    assert mixed.inertia_ == pytest.approx(model.inertia_, rel=1e-12)


@each_dtype
@pytest.mark.parametrize("exponent", [-60, -3, 1, 60])
def test_powers_of_two_scale_everything(
    exact_blobs: tuple[Array, Array, Array], exponent: int, dtype: Any
) -> None:
    """Bit for bit, also where squares of float32 would overflow or vanish."""
    X, centers, weights = exact_blobs
    factor = 2.0**exponent
    model = KMeans(6, init=centers).fit(X.astype(dtype), sample_weight=weights)
    scaled = KMeans(6, init=centers * factor)
    scaled.fit((X * factor).astype(dtype), sample_weight=weights)
    np.testing.assert_array_equal(scaled.labels_, model.labels_)
    np.testing.assert_array_equal(scaled.cluster_centers_, model.cluster_centers_ * factor)
    assert scaled.inertia_ == model.inertia_ * factor * factor
    assert scaled.n_iter_ == model.n_iter_


@each_dtype
def test_translation_moves_the_centers(exact_blobs: tuple[Array, Array, Array], dtype: Any) -> None:
    X, centers, _ = exact_blobs
    far = np.array([1000.0, -2000.0, 0.0, 512.0, 4096.0])  # X + far stays exact in float32
    model = KMeans(6, init=centers).fit(X.astype(dtype))
    moved = KMeans(6, init=centers + far).fit((X + far).astype(dtype))
    np.testing.assert_array_equal(moved.labels_, model.labels_)
    np.testing.assert_allclose(moved.cluster_centers_ - far, model.cluster_centers_, atol=1e-10)
    assert moved.inertia_ == pytest.approx(model.inertia_, rel=1e-9)
    assert moved.n_iter_ == model.n_iter_


@each_dtype
def test_repeating_a_fit_repeats_its_bits(digits: Array, dtype: Any) -> None:
    X = digits.astype(dtype)
    first, second = (KMeans(10, random_state=3).fit(X) for _ in range(2))
    np.testing.assert_array_equal(first.cluster_centers_, second.cluster_centers_)
    assert first.inertia_ == second.inertia_


@pytest.mark.parametrize("algorithm", ["lloyd", "boxes", "bytes", "auto"])
@pytest.mark.parametrize(("n", "heavy"), [(10, 1e16), (10, 1e13), (40_000, 1e16)])
def test_light_rows_that_heavy_ones_leave(algorithm: str, n: int, heavy: float) -> None:
    """What rounding leaves of heavy weights would outweigh them, in one call or one by one."""
    X = np.random.default_rng(0).normal(size=(n, 2)) * 0.1
    X[:4] = [[1.0, 0.0], [-1.0, 0.0], [1.3, 0.0], [-1.3, 0.0]]
    weights = np.ones(n)
    weights[:4] = heavy
    init = np.array([[0.0, 0.0], [2.5, 0.0], [-2.5, 0.0]])
    centers = init
    for n_iter in range(1, 6):
        labels = reference.closest(X, centers)
        centers = np.array(
            [np.average(X[labels == j], axis=0, weights=weights[labels == j]) for j in range(3)]
        )
        options: Any = {"max_iter": n_iter, "tol": 0.0, "algorithm": algorithm, "n_threads": 2}
        model = KMeans(3, init=init, **options).fit(X, sample_weight=weights)
        np.testing.assert_allclose(model.cluster_centers_, centers, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(model.labels_, reference.closest(X, centers))
