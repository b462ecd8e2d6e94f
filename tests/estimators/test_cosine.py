"""``metric="cosine"``: starts, methods, batches, files, model files, and what is refused."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from fastkmeans import KMeans, MiniBatchKMeans, k_means, kmeans_plusplus, open_dataset
from tests.helpers import reference
from tests.helpers.cosine import cosines, rows_of_many_lengths, spherical

Array = NDArray[Any]
each_class = pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module")
def rows() -> Array:
    return rows_of_many_lengths()


@pytest.fixture(scope="module")
def moving(rows: Array) -> Array:
    return rows[rows.any(axis=1)]


# Fits -----------------------------------------------------------------------------------------


@each_class
@each_dtype
def test_attributes_and_methods_agree(kind: Any, dtype: Any, moving: Array) -> None:
    X = moving.astype(dtype)
    before = X.copy()
    model = spherical(kind).fit(X)
    np.testing.assert_array_equal(X, before)
    centers = model.cluster_centers_
    assert centers.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 1.0, rtol=1e-15)
    expected = cosines(X, centers)
    np.testing.assert_array_equal(model.labels_, reference.closest_directions(X, centers))
    assert model.inertia_ == pytest.approx(2.0 * (1.0 - expected.max(axis=1)).sum(), rel=1e-12)
    for part in (1, 4, 100, len(X)):
        np.testing.assert_array_equal(model.predict(X[:part]), model.labels_[:part])
        found = model.transform(X[:part])
        assert found.dtype == dtype
        tolerance = 1e-6 if dtype == np.float32 else 1e-14
        np.testing.assert_allclose(found, 1.0 - expected[:part], atol=tolerance)
    weights = np.arange(1.0, 101.0)
    score = (2.0 * (1.0 - expected[:100].max(axis=1)) * weights).sum()
    assert -model.score(X[:100], None, weights) == pytest.approx(score, rel=1e-12)
    assert model.score(X) == pytest.approx(-model.inertia_, rel=1e-13)
    np.testing.assert_array_equal(clone(model).fit_predict(X), model.labels_)


def test_small_distances_keep_their_digits() -> None:
    center = np.array([3.0, 4.0, 0.0])
    X = center + np.array([0.0, 0.0, 1e-3]) * np.arange(1, 9)[:, None]
    model = KMeans(1, init=center[None], metric="cosine", max_iter=1, tol=1e9).fit(X)
    model.cluster_centers_ = center[None] / 5.0
    tangents = np.arange(1, 9) * 2e-4
    exact = tangents**2 / (1 + tangents**2 + np.sqrt(1 + tangents**2))
    np.testing.assert_allclose(model.transform(X)[:, 0], exact, rtol=1e-11)
    np.testing.assert_allclose(model.transform(X.astype(np.float32))[:, 0], exact, rtol=2e-2)
    assert model.score(X) == pytest.approx(-2.0 * exact.sum(), rel=1e-11)


@pytest.mark.parametrize("init", ["k-means++", "random", "array", "callable"])
@each_class
def test_every_start_has_length_one(kind: Any, init: str, moving: Array) -> None:
    seen = []

    def start(X: Array, k: int, random_state: Any) -> Array:
        seen.append(len(X))
        return X[random_state.permutation(len(X))[:k]]

    starts: dict[str, Any] = {"array": moving[:12], "callable": start}
    options = {"init": starts.get(init, init), "n_init": 1 if init == "array" else 2}
    model = spherical(kind, **options).fit(moving)
    np.testing.assert_allclose(np.linalg.norm(model.cluster_centers_, axis=1), 1.0, rtol=1e-15)
    assert bool(seen) == (init == "callable")
    scaled = spherical(kind, **options).fit(moving * 4.0)
    assert scaled.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()


def test_a_start_of_length_zero_is_refused(moving: Array) -> None:
    init = moving[:3].copy()
    init[1] = 0.0
    with pytest.raises(ValueError, match="init has length 0 in row 1"):
        spherical(k=3, init=init).fit(moving)


@each_dtype
def test_representatives_have_the_closest_directions(dtype: Any, rows: Array) -> None:
    X = rows.astype(dtype)
    init = X[X.any(axis=1)][:12]
    with pytest.warns(UserWarning, match="80 rows have length 0"):
        model = spherical(init=init).fit(X)
    apart = 1.0 - cosines(X, model.cluster_centers_)
    found = model.representatives(X, 3)
    for j, own in enumerate(found):
        members = np.flatnonzero(model.labels_ == j)
        expected = np.sort(apart[members, j])[:3]
        np.testing.assert_allclose(apart[own, j], expected, rtol=1e-6, atol=1e-14)
        assert set(own.tolist()) <= set(members.tolist())
    with pytest.raises(ValueError, match="metric='cosine' has no counterpart in scikit-learn"):
        model.to_sklearn()


@each_class
def test_a_callback_sees_directions(kind: Any, moving: Array) -> None:
    seen = []

    def look(iteration: int, run: Any) -> bool:
        np.testing.assert_allclose(np.linalg.norm(run.centers, axis=1), 1.0, rtol=1e-14)
        np.testing.assert_array_equal(run.labels, reference.closest_directions(moving, run.centers))
        seen.append(run.inertia)
        return iteration == 3

    model = spherical(kind, callback=look).fit(moving)
    assert len(seen) == 3
    np.testing.assert_array_equal(
        model.labels_, reference.closest_directions(moving, model.cluster_centers_)
    )


@each_class
def test_standardised_rows_are_refused(kind: Any) -> None:
    with open_dataset([np.random.default_rng(0).normal(size=(50, 3))], standardize=True) as rows:
        with pytest.raises(ValueError, match="metric='cosine' compares directions"):
            spherical(kind, 3).fit(rows)
        with pytest.raises(ValueError, match="metric='cosine' compares directions"):
            kmeans_plusplus(rows, 3, metric="cosine")


@pytest.mark.parametrize("metric", ["Cosine", "l2", None, 1, ["cosine"]])
def test_unknown_metrics_are_refused(metric: Any, moving: Array) -> None:
    for fit in (
        KMeans(3, metric=metric).fit,
        MiniBatchKMeans(3, metric=metric).fit,
        lambda X: k_means(X, 3, metric=metric),
        lambda X: kmeans_plusplus(X, 3, metric=metric),
    ):
        with pytest.raises(ValueError, match="metric must be 'euclidean' or 'cosine', got"):
            fit(moving)


# Rows of length 0 -----------------------------------------------------------------------------


@each_class
@each_dtype
@pytest.mark.parametrize("algorithm", ["auto", "lloyd", "boxes", "bytes"])
def test_rows_of_length_zero_move_no_center(
    kind: Any, algorithm: str, dtype: Any, rows: Array, moving: Array
) -> None:
    if kind is MiniBatchKMeans and algorithm != "auto":
        return
    options = {} if kind is MiniBatchKMeans else {"algorithm": algorithm}
    X = rows.astype(dtype)
    model = spherical(kind, init=moving[:12], tol=0.0, **options)
    with pytest.warns(UserWarning, match="^80 rows have length 0, and so cosine 0") as caught:
        model.fit(X)
    assert len(caught) == 1
    zeros = ~X.any(axis=1)
    assert not model.labels_[zeros].any()
    assert not model.predict(X)[zeros].any()
    assert (model.transform(X)[zeros] == 1.0).all()
    if kind is KMeans:
        alone = spherical(kind, init=moving[:12], tol=0.0, **options).fit(X[~zeros])
        np.testing.assert_array_equal(model.labels_[~zeros], alone.labels_)
        np.testing.assert_allclose(model.cluster_centers_, alone.cluster_centers_, atol=1e-13)
        assert model.inertia_ == pytest.approx(alone.inertia_ + 160.0, rel=1e-12)
        assert model.history_[-1].inertia == pytest.approx(model.inertia_, rel=1e-6)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_rows_of_length_zero_are_no_centers(init: str) -> None:
    X = np.zeros((60, 3))
    X[[7, 20, 33, 50]] = np.vstack([np.eye(3), [[1.0, 1.0, 1.0]]])
    for seed in range(20):
        with pytest.warns(UserWarning, match="56 rows have length 0"):
            model = KMeans(4, init=init, metric="cosine", random_state=seed, n_init=1).fit(X)
        assert model.inertia_ == pytest.approx(112.0, rel=1e-15)
        assert sorted(model.labels_[[7, 20, 33, 50]]) == [0, 1, 2, 3]
    _, chosen = kmeans_plusplus(X, 4, metric="cosine", random_state=0)
    assert sorted(chosen) == [7, 20, 33, 50]
    with pytest.raises(ValueError, match="Only 4 of the 60 rows to draw centers from have a len"):
        KMeans(5, init=init, metric="cosine").fit(X)
    weights = np.zeros(60)
    weights[0] = 1.0
    with pytest.raises(ValueError, match="sample_weight is zero for every row of a length above"):
        KMeans(2, init=init, metric="cosine").fit(X, sample_weight=weights)


def test_a_table_of_zeros() -> None:
    X = np.zeros((5, 2))
    with pytest.raises(ValueError, match="Only 0 of the 5 rows"):
        KMeans(1, metric="cosine").fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KMeans(2, init=np.eye(2), metric="cosine").fit(X)
    assert model.inertia_ == 10.0
    assert model.cluster_centers_.tolist() == np.eye(2).tolist()
    assert not model.labels_.any()


# Seeding and functions ------------------------------------------------------------------------


def greedy(X: Array, k: int, seed: int) -> float:
    """Return the potential that the rows chosen by k-means++ leave."""
    centers, indices = kmeans_plusplus(X, k, metric="cosine", random_state=seed)
    assert centers.dtype == X.dtype
    expected = reference.directions(X[indices])
    np.testing.assert_allclose(centers, expected, atol=2 * np.finfo(X.dtype).eps)
    assert len(set(indices.tolist())) == k
    return float((1.0 - cosines(X, expected).max(axis=1)).sum())


@each_dtype
@pytest.mark.parametrize("k", [12, 60])
def test_seeding_is_by_cosine(dtype: Any, k: int, moving: Array) -> None:
    """It is as good on these rows as on the same rows brought to length 1."""
    X, U = moving.astype(dtype), reference.directions(moving)
    found = np.mean([greedy(X, k, seed) for seed in range(6)])
    random = np.random.default_rng(0)
    same = []
    for seed in range(6):
        _, indices = kmeans_plusplus(U, k, random_state=seed)
        same.append((1.0 - cosines(U, U[indices]).max(axis=1)).sum())
    by_chance = [
        (1.0 - cosines(U, U[random.choice(len(U), k)]).max(axis=1)).sum() for _ in range(6)
    ]
    assert found == pytest.approx(np.mean(same), rel=0.1)
    assert found < 0.8 * np.mean(by_chance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_seeding_tells_close_directions_apart(dtype: Any) -> None:
    """Three tight groups: float32 does not resolve the distances within a group."""
    rng = np.random.default_rng(0)
    middles = np.eye(3)[rng.integers(0, 3, 3000)]
    X = (middles + 1e-5 * rng.normal(size=(3000, 3))).astype(dtype)
    X *= (2.0 ** rng.integers(-8, 9, (3000, 1))).astype(dtype)
    for seed in range(5):
        _, indices = kmeans_plusplus(X, 9, metric="cosine", random_state=seed)
        assert set(middles[indices[:3]].argmax(axis=1)) == {0, 1, 2}
        assert len({*map(tuple, X[indices].tolist())}) == 9


def test_k_means_is_the_estimator(moving: Array) -> None:
    centers, labels, inertia, n_iter = k_means(
        moving, 12, metric="cosine", random_state=0, return_n_iter=True
    )
    model = spherical().fit(moving)
    np.testing.assert_array_equal(centers, model.cluster_centers_)
    np.testing.assert_array_equal(labels, model.labels_)
    assert (inertia, n_iter) == (model.inertia_, model.n_iter_)


def test_starts_find_the_groups(moving: Array) -> None:
    """The same inertia as a fit of the rows brought to length 1, for a few starts of each."""
    own = min(spherical(n_init=5, tol=0.0).fit(moving).inertia_ for _ in range(1))
    U = reference.directions(moving)
    starts = [kmeans_plusplus(U, 12, random_state=seed)[0] for seed in range(5)]
    best = min(reference.spherical(U, start).inertia for start in starts)
    assert own == pytest.approx(best, rel=0.05)


# Tables of every kind -------------------------------------------------------------------------


@each_class
def test_tables_of_every_kind(kind: Any, moving: Array, tmp_path: Path) -> None:
    """Files and memory maps in blocks, data frames and other dtypes: the same bits."""
    names = list("abcdef")
    frame = pd.DataFrame(moving, columns=names)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    np.save(tmp_path / "t.npy", moving)
    expected = spherical(kind).fit(moving)
    mapped = np.load(tmp_path / "t.npy", mmap_mode="r")
    parts = [moving[:1111], moving[1111:]]
    tables = (
        frame, tmp_path / "t.csv", tmp_path / "t.parquet", tmp_path / "t.npy", mapped, parts,
        np.asfortranarray(moving), moving.astype(">f8"),
    )  # fmt: skip
    for table in tables:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X has feature names")
            model = spherical(kind).fit(table)
            assert model.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()
            np.testing.assert_array_equal(model.labels_, expected.labels_)
            assert model.inertia_ == expected.inertia_
            np.testing.assert_array_equal(model.predict(table), expected.labels_)
            np.testing.assert_array_equal(model.transform(table), expected.transform(moving))
            assert model.score(table) == expected.score(moving)


def test_integers(moving: Array) -> None:
    X = np.round(moving * 10).astype(np.int16)
    X = X[X.any(axis=1)]
    model, other = spherical().fit(X), spherical().fit(X.astype(float))
    assert model.cluster_centers_.tobytes() == other.cluster_centers_.tobytes()


@each_class
def test_a_model_is_saved_with_its_metric(kind: Any, moving: Array, tmp_path: Path) -> None:
    model = spherical(kind).fit(moving)
    model.save(tmp_path / "m.npz")
    loaded = kind.load(tmp_path / "m.npz")
    assert loaded.get_params() == model.get_params()
    assert loaded.metric == "cosine"
    np.testing.assert_array_equal(loaded.predict(moving), model.labels_)
    np.testing.assert_array_equal(loaded.transform(moving), model.transform(moving))
    assert loaded.score(moving) == model.score(moving)


def test_centers_of_another_length_are_refused(moving: Array, tmp_path: Path) -> None:
    model = spherical().fit(moving)
    for fault in ({"cluster_centers_": model.cluster_centers_ * 2.0}, {"metric": "angle"}):
        broken = copy.copy(model)
        vars(broken).update(fault)
        broken.save(tmp_path / "m.npz")
        with pytest.raises(ValueError, match="its parts do not fit together"):
            KMeans.load(tmp_path / "m.npz")


def test_against_faiss(moving: Array) -> None:
    faiss = pytest.importorskip("faiss")
    U = np.ascontiguousarray(reference.directions(moving), np.float32)
    theirs = faiss.Kmeans(
        6, 12, niter=15, spherical=True, max_points_per_centroid=10**9, min_points_per_centroid=1
    )
    theirs.train(U, init_centroids=U[:12])
    ours = spherical(init=moving[:12], max_iter=15, tol=0.0).fit(moving)
    best = cosines(U, reference.directions(theirs.centroids)).max(axis=1)
    assert ours.inertia_ == pytest.approx(2.0 * (1.0 - best).sum(), rel=0.01)
