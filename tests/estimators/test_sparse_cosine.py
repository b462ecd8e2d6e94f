"""``metric="cosine"`` on sparse rows, against float64 NumPy and the same rows made dense."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans import KMeans, MiniBatchKMeans, k_means
from fastkmeans._data.tables import table_in_memory
from fastkmeans._engines.csr import MANY_OPEN
from fastkmeans._lloyd.predict import closest_centers
from tests.helpers import reference
from tests.helpers.cosine import cosines, drifting, labels_by, spherical
from tests.helpers.sparse import group_means, of_any_length, texts

Array = NDArray[Any]
F32, F64 = np.float32, np.float64
K = 9
each_dtype = pytest.mark.parametrize("dtype", [F32, F64])


def with_signs(X: Any) -> Any:
    X = X.copy()
    X.data *= np.random.default_rng(1).choice([-1.0, 1.0], X.nnz).astype(X.dtype)
    return X


@pytest.fixture(scope="module", params=[F32, F64], ids=["float32", "float64"])
def X(request: pytest.FixtureRequest) -> Any:  # noqa: N802
    """Texts of lengths over four powers of ten; some have no words."""
    return of_any_length(texts(1500, 150, dtype=request.param), 2.0)


def start_of(X: Any, k: int = K) -> Array:
    return group_means(scipy.sparse.csr_matrix(reference.directions(X.toarray())), k)


def fit(X: Any, init: Array, weights: Array | None = None, kind: Any = KMeans, **more: Any) -> Any:
    model = kind(len(init), init=init, metric="cosine", **more)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* length 0")
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        return model.fit(X, sample_weight=weights)


def assert_labels(X: Any, sequence: list[Array]) -> None:
    """Compare the labels with those of NumPy, and those of ``predict`` with them."""
    dense = X.toarray()
    for found, centers in zip(labels_by(X, sequence), sequence, strict=True):
        expected = reference.closest_directions(dense, centers)
        np.testing.assert_array_equal(found, expected)
        given_centers = closest_centers(table_in_memory(X), centers, 2, by_cosine=True)
        np.testing.assert_array_equal(given_centers, expected)


# Labels ---------------------------------------------------------------------------------------


CASES: dict[str, Callable[[], Any]] = {
    "texts": lambda: texts(1500, 150),
    "lengths by 10^2": lambda: of_any_length(texts(1500, 150), 2.0),
    "lengths by 10^30": lambda: of_any_length(texts(1500, 150), 30.0),
    "values of both signs": lambda: with_signs(texts(1500, 150)),
    "long rows": lambda: of_any_length(texts(300, 60, 40.0), 1.0),
    "one word each": lambda: of_any_length(texts(800, 40, 0.7), 1.0),
}


@each_dtype
@pytest.mark.parametrize("name", CASES)
def test_labels_are_those_of_numpy(name: str, dtype: Any) -> None:
    X = CASES[name]().astype(dtype)
    for k in (1, 7, 40, *([300] if name == "lengths by 10^2" else [])):
        assert_labels(X, drifting(start_of(X, k)))


@each_dtype
@pytest.mark.parametrize("k", [5, 40])
def test_rows_that_share_no_column_with_any_center(k: int, dtype: Any) -> None:
    """Rows as centers, all of few words: most cosines are 0, and label 0 wins the tie."""
    X = of_any_length(texts(4000, 600, 3.0, dtype=dtype), 1.0)
    rare = np.flatnonzero((np.diff(X.indptr) > 0) & (np.asarray(X[:, :60].sum(axis=1)) == 0.0).T[0])
    centers = reference.directions(X[rare[:k]].toarray())
    assert ((X @ centers.T).max(axis=1) == 0.0).sum() > (2 if k == 5 else 1) * MANY_OPEN
    assert_labels(X, [centers])


def test_the_smallest_coordinates_count() -> None:
    """Coordinates of centers that float32 does not hold decide, for few and for many rows."""
    centers = np.zeros((3, 6))
    centers[[0, 1, 2], [0, 1, 2]] = 1.0
    centers[1, 3], centers[2, 3], centers[0, 4] = 1e-60, 1e-80, -1e-200
    rows = scipy.sparse.csr_matrix(np.eye(6)[np.random.default_rng(0).integers(0, 6, 5000)])
    assert_labels(rows, [centers])
    assert_labels(rows[:7], [centers])


@each_dtype
@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-8, 1e-12, 1e-15])
def test_centers_that_hardly_differ(gap: float, dtype: Any) -> None:
    X = of_any_length(texts(1500, 60, dtype=dtype), 2.0)
    rng, few = np.random.default_rng(1), start_of(X, 4)
    near = np.vstack([few, few * (1.0 + gap * rng.normal(size=few.shape))])
    before = near * (1.0 + 1e-2 * rng.normal(size=near.shape))
    assert_labels(X, [reference.directions(c) for c in (before, near, near)])


@each_dtype
def test_a_rival_in_another_tile(dtype: Any) -> None:
    X = of_any_length(texts(1500, 60, dtype=dtype), 1.0)
    centers = start_of(X, 300)
    centers[280:] = centers[:20] * (1.0 + 1e-9 * np.random.default_rng(0).normal(size=(20, 60)))
    assert_labels(X, [reference.directions(centers)])


@each_dtype
def test_repeated_centers_lose_to_the_first(dtype: Any) -> None:
    X = of_any_length(texts(1500, 60, dtype=dtype), 1.0)
    centers = reference.directions(start_of(X, 5)[[0, 1, 1, 2, 0, 3, 3, 3, 4]])
    for found in labels_by(X, [centers, centers]):
        np.testing.assert_array_equal(found, reference.closest_directions(X.toarray(), centers))
        assert not set(found.tolist()) & {2, 4, 6, 7}


@pytest.mark.parametrize("sizes", [(1e-300,), (1e300,), (1e-320,), (1e-300, 1e300), (1e-160, 1.0)])
def test_hostile_lengths(sizes: tuple[float, ...]) -> None:
    """No label depends on the length of a row, however long the others are."""
    X, init = texts(900, 80), start_of(texts(900, 80))
    factors = np.asarray(sizes)[np.arange(900) % len(sizes)]
    hostile = X.copy()
    hostile.data *= np.repeat(factors, np.diff(X.indptr))
    model = fit(X, init, max_iter=4, tol=0.0)
    dense = hostile.toarray()
    _, exponents = np.frexp(np.abs(dense).max(axis=1, keepdims=True))
    expected = reference.closest_directions(np.ldexp(dense, -exponents), model.cluster_centers_)
    np.testing.assert_array_equal(model.predict(hostile), expected)
    found = model.transform(hostile)
    distances = 1.0 - cosines(dense, model.cluster_centers_)
    np.testing.assert_allclose(found, distances, rtol=0, atol=1e-12)
    other = fit(hostile, init, max_iter=4, tol=0.0)
    same = fit(dense, init, max_iter=4, tol=0.0)
    np.testing.assert_array_equal(other.labels_, same.labels_)
    np.testing.assert_allclose(other.cluster_centers_, same.cluster_centers_, rtol=0, atol=1e-12)
    best = cosines(dense, other.cluster_centers_).max(axis=1)
    if len(sizes) == 2 and sizes[1] == 1e300:  # float64 does not hold the inverse of such a length
        best[::2] = 0.0
    assert other.inertia_ == pytest.approx(2.0 * (1.0 - best).sum(), rel=1e-12)
    assert np.isfinite(other.cluster_centers_).all()
    if len(sizes) == 1 and sizes[0] != 1e-320:  # where rows keep their digits
        np.testing.assert_array_equal(other.labels_, model.labels_)


# Fits -----------------------------------------------------------------------------------------


def assert_equals(model: Any, expected: reference.Result) -> None:
    np.testing.assert_array_equal(model.labels_, expected.labels)
    np.testing.assert_allclose(model.cluster_centers_, expected.centers, rtol=0, atol=1e-12)
    assert model.inertia_ == pytest.approx(expected.inertia, rel=1e-11)
    assert model.n_iter_ == expected.n_iter


@pytest.mark.parametrize("weighted", [False, True])
def test_fits_are_those_of_numpy_after_every_iteration(X: Any, weighted: bool) -> None:
    init = start_of(X)
    w = np.random.default_rng(3).integers(0, 4, X.shape[0]).astype(F64) if weighted else None
    for max_iter in (1, 2, 3, 4, 6, 9, 300):
        model = fit(X, init, w, max_iter=max_iter, tol=0.0)
        assert_equals(model, reference.spherical(X.toarray(), init, max_iter, 0.0, w))
    assert_equals(fit(X, init, w), reference.spherical(X.toarray(), init, sample_weight=w))
    assert model.n_iter_ > 9
    assert model.history_[-1].avoided > 0.5  # margins were carried
    np.testing.assert_allclose(np.linalg.norm(model.cluster_centers_, axis=1), 1.0, rtol=1e-15)


def test_fits_equal_those_of_dense_rows(X: Any) -> None:
    init = start_of(X)
    model, dense = fit(X, init), fit(X.toarray(), init)
    np.testing.assert_array_equal(model.labels_, dense.labels_)
    np.testing.assert_allclose(model.cluster_centers_, dense.cluster_centers_, rtol=0, atol=1e-12)
    assert (model.n_iter_, model.stop_reason_) == (dense.n_iter_, dense.stop_reason_)
    for ours, theirs in zip(model.history_, dense.history_, strict=True):
        assert ours.inertia == pytest.approx(theirs.inertia, rel=1e-12)
        assert ours.center_shift == pytest.approx(theirs.center_shift, abs=1e-12)


def test_other_lengths_and_orders_change_no_label(X: Any) -> None:
    """Rows times positive numbers, rows and columns in another order, and repeated rows."""
    init, rng = start_of(X), np.random.default_rng(0)
    first = fit(X, init, tol=0.0)
    for factors in (2.0 ** rng.integers(-20, 20, X.shape[0]), np.full(X.shape[0], 2.0**60)):
        other = X.copy()
        other.data *= np.repeat(factors, np.diff(X.indptr)).astype(X.dtype)
        second = fit(other, init, tol=0.0)
        assert second.cluster_centers_.tobytes() == first.cluster_centers_.tobytes()
        assert second.labels_.tobytes() == first.labels_.tobytes()
        assert second.inertia_ == first.inertia_
    precise = X.astype(F64)
    first = fit(precise, init, tol=0.0)
    second = fit(of_any_length(precise, 3.0, seed=2), init, tol=0.0)
    np.testing.assert_array_equal(second.labels_, first.labels_)
    rows, columns = rng.permutation(X.shape[0]), rng.permutation(X.shape[1])
    second = fit(precise[rows][:, columns], init[:, columns], tol=0.0)
    np.testing.assert_array_equal(second.labels_, first.labels_[rows])
    np.testing.assert_allclose(
        second.cluster_centers_, first.cluster_centers_[:, columns], rtol=0, atol=1e-12
    )
    counts = rng.integers(0, 4, X.shape[0])
    weighted = fit(precise, init, counts.astype(F64), tol=0.0)
    repeated = fit(precise[np.repeat(np.arange(X.shape[0]), counts)], init, tol=0.0)
    np.testing.assert_array_equal(np.repeat(weighted.labels_, counts), repeated.labels_)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-12)


def test_rows_of_length_zero_move_no_center(X: Any) -> None:
    """Rows without stored values, and rows that store zeros."""
    init, zeros = start_of(X), np.flatnonzero(np.diff(X.indptr) == 0)
    X = X.copy()
    emptied = np.flatnonzero(np.diff(X.indptr) > 0)[:5]
    for row in emptied:
        X.data[X.indptr[row] : X.indptr[row + 1]] = 0.0
    zeros = np.sort(np.concatenate([zeros, emptied]))
    model = KMeans(K, init=init, metric="cosine", tol=0.0)
    with pytest.warns(UserWarning, match=f"^{len(zeros)} rows have length 0") as caught:
        model.fit(X)
    assert len(caught) == 1
    assert not model.labels_[zeros].any()
    assert not model.predict(X)[zeros].any()
    assert (model.transform(X)[zeros] == 1.0).all()
    others = np.setdiff1d(np.arange(X.shape[0]), zeros)
    alone = KMeans(K, init=init, metric="cosine", tol=0.0).fit(X[others])
    np.testing.assert_array_equal(model.labels_[others], alone.labels_)
    np.testing.assert_allclose(model.cluster_centers_, alone.cluster_centers_, atol=1e-13)
    assert model.inertia_ == pytest.approx(alone.inertia_ + 2.0 * len(zeros), rel=1e-12)
    assert model.history_[-1].inertia == pytest.approx(model.inertia_, rel=1e-9)
    with pytest.raises(ValueError, match=r"Only 0 of the \d+ rows"):
        KMeans(2, metric="cosine").fit(X[zeros])


def test_empty_clusters_take_the_farthest_rows(X: Any) -> None:
    init = np.vstack([start_of(X, 4), -start_of(X, 3)])
    for max_iter in (1, 2, 300):
        model = fit(X, init, max_iter=max_iter, tol=0.0)
        assert_equals(model, reference.spherical(X.toarray(), init, max_iter, 0.0))
    assert len(set(model.labels_.tolist())) == 7


def test_a_mean_of_length_zero_keeps_the_center() -> None:
    X = scipy.sparse.csr_matrix(np.repeat([[0.0, 3.0, 0.0], [0.0, -0.1, 0.0]], 20, axis=0))
    model = KMeans(1, init=[[1.0, 0.0, 0.0]], metric="cosine").fit(X)
    assert model.cluster_centers_.tolist() == [[1.0, 0.0, 0.0]]
    assert model.inertia_ == pytest.approx(80.0)


def test_threads_and_algorithms_give_the_same_bits() -> None:
    X = of_any_length(texts(20_000, 300, dtype=F32), 1.0)
    one = fit(X, start_of(X, 20), n_threads=1, max_iter=6)
    for algorithm in ("auto", "lloyd", "boxes", "bytes", "elkan", "full"):
        other = fit(X, start_of(X, 20), algorithm=algorithm, n_threads=2, max_iter=6)
        assert other.cluster_centers_.tobytes() == one.cluster_centers_.tobytes()
        assert other.labels_.tobytes() == one.labels_.tobytes()
        assert other.inertia_ == one.inertia_


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), d=st.integers(1, 12), data=st.data())
def test_any_shape(seed: int, n: int, d: int, data: Any) -> None:
    """Few digits make ties, stored zeros, empty rows and columns; lengths differ by any factor."""
    rng = np.random.default_rng(seed)
    digits, dtype = data.draw(st.integers(0, 3)), data.draw(st.sampled_from([F32, F64]))
    spread = data.draw(st.sampled_from([0.0, 3.0, 30.0]))
    dense = np.round(rng.normal(size=(n, d)), digits) * 10.0 ** rng.uniform(-spread, spread, (n, 1))
    mask = rng.random((n, d)) < data.draw(st.floats(0.0, 1.0))
    X = scipy.sparse.csr_matrix((dense[mask], np.nonzero(mask)), shape=(n, d)).astype(dtype)
    k = data.draw(st.integers(1, min(n, 8)))
    init = np.round(rng.normal(size=(k, d)), digits) * (rng.random((k, d)) < 0.7)
    init[~init.any(axis=1), 0] = 1.0
    assert_labels(X, [reference.directions(init)])
    weights = rng.integers(1, 4, n).astype(float)
    model = fit(X, init, weights, max_iter=3, tol=0.0)
    rows, centers = X.toarray(), model.cluster_centers_
    expected = reference.closest_directions(rows, centers)
    np.testing.assert_array_equal(model.labels_, expected)
    apart = 2.0 - 2.0 * (reference.directions(rows) * centers[expected]).sum(axis=1)
    assert model.inertia_ == pytest.approx((apart * weights).sum(), rel=1e-11, abs=1e-13)


# Methods, starts, batches ---------------------------------------------------------------------


def test_methods_of_a_fitted_model(X: Any, tmp_path: Path) -> None:
    model = fit(X, start_of(X))
    rows, centers = X.toarray(), model.cluster_centers_
    best = cosines(rows, centers)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_array_equal(model.predict(rows), model.labels_)
    found = model.transform(X)
    assert found.dtype == X.dtype
    tolerance = 2e-7 if X.dtype == F32 else 2e-15
    np.testing.assert_allclose(found, 1.0 - best, rtol=0, atol=tolerance)
    weights = np.random.default_rng(0).integers(0, 4, X.shape[0]) / 2.0
    score = (2.0 * (1.0 - best.max(axis=1)) * weights).sum()
    assert -model.score(X, sample_weight=weights) == pytest.approx(score, rel=1e-12)
    assert model.score(X) == pytest.approx(-model.inertia_, rel=1e-13)
    for j, own in enumerate(model.representatives(X, 4)):
        members = np.flatnonzero(model.labels_ == j)
        expected = np.sort(1.0 - best[members, j])[:4]
        np.testing.assert_allclose(1.0 - best[own, j], expected, rtol=0, atol=1e-14)
        assert set(own.tolist()) <= set(members.tolist())
    model.save(tmp_path / "m.npz")
    loaded = KMeans.load(tmp_path / "m.npz")
    assert loaded.metric == "cosine"
    np.testing.assert_array_equal(loaded.predict(X), model.labels_)


def test_rows_of_one_direction_tie() -> None:
    """Whatever their lengths: the lowest of them represents the cluster."""
    X = of_any_length(texts(40, 12, 1.0), 2.0)
    alone = X[np.repeat(np.flatnonzero(np.diff(X.indptr) == 1)[0], 50)]
    alone.data *= np.random.default_rng(0).uniform(0.1, 30.0, 50)
    model = KMeans(1, init=alone[:1].toarray() + 1e-3, metric="cosine", max_iter=1).fit(alone)
    assert model.representatives(alone, 3).tolist() == [[0, 1, 2]]
    assert model.inertia_ == 0.0


def test_small_distances_keep_their_digits() -> None:
    tangents = np.arange(1, 9) * 2e-4
    X = np.array([3.0, 4.0, 0.0]) + np.array([0.0, 0.0, 5.0]) * tangents[:, None]
    model = KMeans(1, init=[[3.0, 4.0, 0.0]], metric="cosine", max_iter=1, tol=1e9)
    model.fit(scipy.sparse.csr_matrix(X)).cluster_centers_ = np.array([[0.6, 0.8, 0.0]])
    exact = tangents**2 / (1 + tangents**2 + np.sqrt(1 + tangents**2))
    np.testing.assert_allclose(model.transform(scipy.sparse.csr_matrix(X))[:, 0], exact, rtol=1e-9)
    assert model.score(scipy.sparse.csr_matrix(X)) == pytest.approx(-2.0 * exact.sum(), rel=1e-11)


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans])
@pytest.mark.parametrize("init", ["k-means++", "random", "callable"])
def test_every_start(kind: Any, init: str, X: Any) -> None:
    def first(rows: Any, k: int, random_state: Any) -> Any:
        assert type(rows) is type(X)
        return rows[np.flatnonzero(np.diff(rows.indptr))[:k]]

    X = X[np.flatnonzero(np.diff(X.indptr))]
    start: Any = first if init == "callable" else init
    model = spherical(kind, K, init=start, n_init=2).fit(X)
    np.testing.assert_allclose(np.linalg.norm(model.cluster_centers_, axis=1), 1.0, rtol=1e-14)
    expected = reference.closest_directions(X.toarray(), model.cluster_centers_)
    np.testing.assert_array_equal(model.labels_, expected)
    seen: list[int] = []
    model.set_params(callback=lambda number, run: seen.append(number) or number == 2).fit(X)
    assert seen[-1] == 2
    assert model.stop_reason_ == "a callback ended the fit"
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_functions(X: Any) -> None:
    X = X[np.flatnonzero(np.diff(X.indptr))]
    centers, labels, inertia = k_means(X, K, metric="cosine", random_state=0)
    model = spherical(k=K).fit(X)
    np.testing.assert_array_equal(centers, model.cluster_centers_)
    np.testing.assert_array_equal(labels, model.labels_)
    assert inertia == model.inertia_


@pytest.mark.parametrize("schedule", ["nested", "random"])
@pytest.mark.parametrize("weighted", [False, True])
def test_mini_batches_equal_those_of_dense_rows(schedule: str, weighted: bool) -> None:
    X = of_any_length(texts(6000, 80), 1.0)
    weights = np.random.default_rng(0).integers(0, 4, 6000) / 2.0 if weighted else None
    options = {"random_state": 0, "schedule": schedule, "batch_size": 400, "n_init": 1}
    model, other = (
        fit(rows, start_of(X), weights, MiniBatchKMeans, **options) for rows in (X, X.toarray())
    )
    np.testing.assert_array_equal(model.labels_, other.labels_)
    np.testing.assert_allclose(model.cluster_centers_, other.cluster_centers_, rtol=0, atol=1e-10)
    assert model.n_steps_ == other.n_steps_
    assert model.inertia_ == pytest.approx(other.inertia_, rel=1e-10)


def test_partial_fits_equal_those_of_dense_rows() -> None:
    X = of_any_length(texts(3000, 80), 1.0)
    X = X[np.flatnonzero(np.diff(X.indptr))]
    options = {"init": start_of(X), "random_state": 0, "metric": "cosine"}
    sparse, dense = (MiniBatchKMeans(K, **options) for _ in range(2))
    for at in range(0, 2500, 500):
        sparse.partial_fit(X[at : at + 500])
        dense.partial_fit(X[at : at + 500].toarray())
    np.testing.assert_array_equal(sparse.labels_, dense.labels_)
    np.testing.assert_allclose(sparse.cluster_centers_, dense.cluster_centers_, rtol=0, atol=1e-10)
