"""Estimators on sparse rows: the results of dense rows, and of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.cluster
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline

from fastkmeans import KMeans, MiniBatchKMeans, k_means, kmeans_plusplus, open_dataset
from fastkmeans._lloyd.loop import LABELS_REPEAT
from tests.helpers import reference
from tests.helpers.fits import quietly
from tests.helpers.sparse import group_means, shuffled, texts

Array = NDArray[Any]
K = 9


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float32", "float64"])
def X(request: pytest.FixtureRequest) -> Any:  # noqa: N802
    return texts(dtype=request.param)


def weights_for(X: Any) -> Array:
    return np.random.default_rng(0).integers(0, 4, X.shape[0]) / 2.0


def assert_same(model: KMeans, other: Any, tol: float = 1e-10) -> None:
    np.testing.assert_array_equal(model.labels_, other.labels_)
    np.testing.assert_allclose(model.cluster_centers_, other.cluster_centers_, rtol=0, atol=tol)
    assert model.inertia_ == pytest.approx(other.inertia_, rel=tol)
    assert model.n_iter_ == other.n_iter_


@pytest.mark.parametrize("weighted", [False, True])
def test_fits_equal_those_of_dense_rows(X: Any, weighted: bool) -> None:
    weights = weights_for(X) if weighted else None
    start = group_means(X, K)
    model = KMeans(K, init=start).fit(X, sample_weight=weights)
    assert model.n_iter_ > 5
    assert_same(model, KMeans(K, init=start).fit(X.toarray(), sample_weight=weights))
    for step in model.history_:
        assert step.inertia >= model.inertia_ * (1.0 - 1e-12)


@pytest.mark.parametrize("max_iter", [1, 3, 300])
def test_fits_equal_the_reference(max_iter: int) -> None:
    X = texts(1200, 80)
    start, weights = group_means(X, K), weights_for(X)
    model = KMeans(K, init=start, max_iter=max_iter).fit(X, sample_weight=weights)
    expected = reference.lloyd(X.toarray(), start, max_iter, sample_weight=weights)
    np.testing.assert_array_equal(model.labels_, expected.labels)
    np.testing.assert_allclose(model.cluster_centers_, expected.centers, rtol=0, atol=1e-12)
    assert model.inertia_ == pytest.approx(expected.inertia, rel=1e-12)
    assert model.n_iter_ == expected.n_iter


def test_fits_equal_those_of_scikit_learn() -> None:
    X = texts()
    start = group_means(X, K)
    other = sklearn.cluster.KMeans(K, init=start, n_init=1).fit(X)
    assert_same(KMeans(K, init=start).fit(X), other)


def test_any_order_of_the_columns(X: Any) -> None:
    start = group_means(X, K)
    mixed = shuffled(X, np.random.default_rng(0))
    first, second = (KMeans(K, init=start).fit(rows) for rows in (X, mixed))
    np.testing.assert_array_equal(first.cluster_centers_, second.cluster_centers_)
    assert first.inertia_ == second.inertia_


@pytest.mark.parametrize("algorithm", ["auto", "lloyd", "boxes", "bytes"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_and_algorithms_give_the_same_bits(algorithm: str, n_threads: int) -> None:
    X = texts(20_000, 300)
    options: dict[str, Any] = {"random_state": 0, "max_iter": 8}
    one = KMeans(20, n_threads=1, **options).fit(X)
    other = KMeans(20, algorithm=algorithm, n_threads=n_threads, **options).fit(X)
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)
    np.testing.assert_array_equal(one.labels_, other.labels_)
    assert one.inertia_ == other.inertia_


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), d=st.integers(1, 12), data=st.data())
def test_any_shape(seed: int, n: int, d: int, data: Any) -> None:
    """Labels, centers and inertia belong together; columns in any order, zeros that are stored."""
    rng = np.random.default_rng(seed)
    k = data.draw(st.integers(1, min(n, 8)))
    X = texts(n, d, data.draw(st.sampled_from([0.5, 3.0, 9.0])), seed=seed)
    X.data[rng.random(X.nnz) < 0.2] = 0.0
    start = rng.normal(size=(k, d)) / 3.0
    w = rng.integers(1, 4, n).astype(float)
    model = quietly(KMeans(k, init=start), shuffled(X, rng), w)
    rows, centers = X.toarray(), model.cluster_centers_
    np.testing.assert_array_equal(model.labels_, reference.closest(rows, centers))
    expected = reference.inertia(rows, model.labels_, centers, w)
    assert model.inertia_ == pytest.approx(expected, rel=1e-12, abs=1e-24)
    if model.stop_reason_ == LABELS_REPEAT:
        means = reference.means(rows, model.labels_, w, centers)
        np.testing.assert_allclose(centers, means, rtol=0, atol=1e-12)
    first = quietly(KMeans(k, init=start, max_iter=1), X, w).cluster_centers_
    labels = reference.closest(rows, start)
    if len(set(labels.tolist())) == k:
        np.testing.assert_allclose(first, reference.means(rows, labels, w, start), atol=1e-12)


def test_empty_clusters_take_the_farthest_rows() -> None:
    X = texts(1200, 80)
    start = group_means(X, K)
    start[[2, 5]] += 50.0
    model = KMeans(K, init=start).fit(X)
    assert_same(model, KMeans(K, init=start).fit(X.toarray()))
    assert np.bincount(model.labels_, minlength=K).min() > 0


def test_a_cluster_per_distinct_row_has_no_inertia() -> None:
    X = texts(30, 20)
    distinct = len(np.unique(X.toarray(), axis=0))
    rows = np.random.default_rng(0).integers(0, 30, 500)
    rows[:30] = np.arange(30)
    model = KMeans(distinct, random_state=0, n_init=3).fit(X[rows])
    assert model.inertia_ == 0.0
    np.testing.assert_array_equal(model.cluster_centers_[model.labels_], X[rows].toarray())


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_methods_of_a_fitted_model(X: Any, init: str) -> None:
    model = KMeans(K, init=init, n_init=2, random_state=0).fit(X)
    dense = X.toarray()
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_array_equal(model.predict(X), model.predict(dense))
    assert model.score(X) == pytest.approx(-model.inertia_, rel=1e-12)
    w = weights_for(X)
    assert model.score(X, sample_weight=w) == pytest.approx(model.score(dense, None, w), rel=1e-12)
    distances = model.transform(X)
    assert distances.dtype == X.dtype
    expected = np.sqrt(reference.squared_distances(dense, model.cluster_centers_))
    rtol = 1e-12 if X.dtype == np.float64 else 2e-7
    np.testing.assert_allclose(distances, expected, rtol=rtol)
    np.testing.assert_array_equal(model.fit_predict(X), model.labels_)


def test_distances_of_rows_that_lie_on_centers() -> None:
    X = texts(40, 30) * 1e3
    centers = X.toarray()[:15] + 1e-9
    model = KMeans(15, init=centers, max_iter=1).fit(X[:15])
    model.cluster_centers_ = centers
    expected = np.sqrt(reference.squared_distances(X.toarray(), centers))
    np.testing.assert_allclose(model.transform(X), expected, rtol=1e-9)


def test_functions(X: Any) -> None:
    start = group_means(X, K)
    centers, labels, inertia = k_means(X, K, init=start)
    model = KMeans(K, init=start).fit(X)
    np.testing.assert_array_equal(centers, model.cluster_centers_)
    np.testing.assert_array_equal(labels, model.labels_)
    assert inertia == model.inertia_
    chosen, indices = kmeans_plusplus(X, K, random_state=0)
    assert chosen.dtype == X.dtype
    np.testing.assert_array_equal(chosen, X.toarray()[indices])


def test_a_callable_gets_the_matrix_of_the_user(X: Any) -> None:
    def first(rows: Any, k: int, random_state: Any) -> Any:
        assert type(rows) is type(X)
        return rows[:k]

    model = KMeans(K, init=first, n_init=1, max_iter=2).fit(X)
    start = X[:K].toarray()
    np.testing.assert_array_equal(
        model.cluster_centers_, KMeans(K, init=start, max_iter=2).fit(X).cluster_centers_
    )
    MiniBatchKMeans(K, init=first, random_state=0).fit(X)


def dense_twin(model: MiniBatchKMeans, X: Any, **options: Any) -> MiniBatchKMeans:
    return MiniBatchKMeans(**model.get_params()).fit(X.toarray(), **options)


@pytest.mark.parametrize("schedule", ["nested", "random"])
@pytest.mark.parametrize("weighted", [False, True])
def test_mini_batches_equal_those_of_dense_rows(schedule: str, weighted: bool) -> None:
    X = texts(6000, 80)
    weights = weights_for(X) if weighted else None
    model = MiniBatchKMeans(
        K, init=group_means(X, K), random_state=0, schedule=schedule, batch_size=400, n_init=1
    ).fit(X, sample_weight=weights)
    other = dense_twin(model, X, sample_weight=weights)
    np.testing.assert_array_equal(model.labels_, other.labels_)
    np.testing.assert_allclose(model.cluster_centers_, other.cluster_centers_, rtol=0, atol=1e-10)
    assert model.n_steps_ == other.n_steps_
    assert model.inertia_ == pytest.approx(other.inertia_, rel=1e-10)


def test_partial_fits_equal_those_of_dense_rows() -> None:
    X = texts(3000, 80)
    start = group_means(X, K)
    sparse, dense = (MiniBatchKMeans(K, init=start, random_state=0) for _ in range(2))
    for at in range(0, 3000, 500):
        sparse.partial_fit(X[at : at + 500])
        dense.partial_fit(X[at : at + 500].toarray())
    np.testing.assert_array_equal(sparse.labels_, dense.labels_)
    np.testing.assert_allclose(sparse.cluster_centers_, dense.cluster_centers_, rtol=0, atol=1e-10)


def test_mini_batches_seed_themselves(X: Any) -> None:
    for schedule in ("nested", "random"):
        model = MiniBatchKMeans(K, random_state=0, schedule=schedule, batch_size=256).fit(X)
        best = KMeans(K, random_state=0, n_init=3).fit(X)
        assert model.inertia_ < 1.15 * best.inertia_


def test_other_tools_know_that_sparse_rows_are_welcome(X: Any) -> None:
    from sklearn.feature_extraction.text import TfidfTransformer

    assert KMeans().__sklearn_tags__().input_tags.sparse
    pipeline = make_pipeline(TfidfTransformer(), KMeans(K, random_state=0))
    assert pipeline.fit(X).predict(X).shape == (X.shape[0],)


def test_a_standardising_model_refuses_sparse_rows(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(50, 3))
    np.save(tmp_path / "table.npy", table)
    with open_dataset(tmp_path / "table.npy", standardize=True) as dataset:
        model = KMeans(3, random_state=0).fit(dataset)
    with pytest.raises(ValueError, match=r"X is sparse, but the model standardises .*toarray"):
        model.predict(texts(10, 3))
