"""Rows that stand for a cluster, against float64 NumPy; cluster sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans import KMeans, MiniBatchKMeans, open_dataset
from fastkmeans._lloyd import representatives as module
from tests.helpers import reference
from tests.helpers.sparse import texts

Array = NDArray[Any]


def expected(X: Array, centers: Array, n: int) -> Array:
    """Return the rows that a stable sort of float64 distances puts first."""
    squares = reference.squared_distances(X, centers)
    labels = squares.argmin(axis=1)
    out = np.full((len(centers), n), -1)
    for j in range(len(centers)):
        own = np.flatnonzero(labels == j)
        first = own[np.argsort(squares[own, j], kind="stable")][:n]
        out[j, : len(first)] = first
    return out


def model_of(centers: Array, **parameters: Any) -> KMeans:
    """Return a model with these centers."""
    centers = np.asarray(centers, np.float64)
    model = KMeans(len(centers), **parameters)
    model.cluster_centers_, model.n_features_in_ = centers, centers.shape[1]
    return model


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 3, 40])
def test_closest_rows_are_those_of_numpy(dtype: Any, d: int) -> None:
    rng = np.random.default_rng(d)
    X = (rng.normal(size=(3000, d)) * 7 + 100).astype(dtype)
    for k, n in ((1, 3), (9, 1), (9, 8), (60, 100)):
        centers = X[rng.choice(len(X), k, replace=False)].astype(np.float64) + 0.01
        for laid in (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2]):
            found = model_of(centers).representatives(laid, n)
            assert found.dtype == np.int64
            np.testing.assert_array_equal(found, expected(X, centers, n))
        np.testing.assert_array_equal(model_of(centers, n_threads=1).representatives(X, n), found)


@settings(deadline=None, database=None, derandomize=True, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 45), st.integers(0, 10**6))
def test_ties_go_to_the_lowest_row(n_rows: int, k: int, n: int, seed: int) -> None:
    """Small integers: most distances are equal, and clusters are small or empty."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-1, 2, (n_rows, 2)).astype(np.float64)
    centers = rng.integers(-1, 2, (k, 2)).astype(np.float64)
    np.testing.assert_array_equal(model_of(centers).representatives(X, n), expected(X, centers, n))


def test_pieces_are_merged(monkeypatch: Any) -> None:
    """Rows come in pieces, and ties between pieces go to the earlier one."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 6, (1000, 2)).astype(np.float32)
    centers = np.array([[1.0, 1.0], [4.5, 4.0], [2.0, 5.0], [99.0, 99.0]])
    whole = model_of(centers).representatives(X, 30)
    np.testing.assert_array_equal(whole, expected(X, centers, 30))
    assert whole[3].tolist() == [-1] * 30
    assert whole[0].max() > 300
    for chunk in (1, 7, 256):
        monkeypatch.setattr(module, "CHUNK", chunk)
        np.testing.assert_array_equal(model_of(centers).representatives(X, 30), whole)
        converted = X.astype(np.int16)  # blocks of converted rows
        np.testing.assert_array_equal(model_of(centers).representatives(converted, 30), whole)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_squares_neither_vanish_nor_overflow(size: float) -> None:
    X = np.array([[0.9, 1.0], [0.5, 0.5], [0.0, 0.1], [-1.0, -0.5]])
    found = model_of(np.array([[0.0, 0.0]]) * size).representatives(X * size, 4)
    assert found.tolist() == [[2, 1, 3, 0]]


def test_containers_and_files(tmp_path: Path) -> None:
    """A frame, a path, a dataset: the same rows, in the units in which each of them comes."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(500, 3)) * [1.0, 100.0, 0.01] + [0.0, 1e4, 0.0]
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    for standardize in (False, True):
        with open_dataset(tmp_path / "t.csv", standardize=standardize) as dataset:
            model = KMeans(4, random_state=0).fit(dataset)
            scaled = (X - dataset.shift) / dataset.scale
            want = expected(scaled, model.cluster_centers_, 3)
            np.testing.assert_array_equal(model.representatives(dataset, 3), want)
        np.testing.assert_array_equal(model.representatives(frame, 3), want)
        np.testing.assert_array_equal(model.representatives(tmp_path / "t.csv", n=3), want)
        assert model.cluster_sizes_.tolist() == np.bincount(model.labels_).tolist()
        model.save(tmp_path / "m")
        np.testing.assert_array_equal(KMeans.load(tmp_path / "m").representatives(frame, 3), want)
    assert model.representatives(frame).shape == (4, 1)
    one = model.representatives(frame)[:, 0]
    np.testing.assert_array_equal(model.predict(frame.iloc[one]), np.arange(4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_stand_for_clusters(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X = texts(600, 50, dtype=dtype)
    twice = X[np.arange(1200) // 2]  # each row ties with the next one
    centers = X[:7].toarray() + np.random.default_rng(0).uniform(0.0, 0.3, (7, 50))
    want = expected(twice.toarray(), centers, 5)
    np.testing.assert_array_equal(model_of(centers).representatives(twice, 5), want)
    monkeypatch.setattr(module, "CHUNK", 100)
    np.testing.assert_array_equal(model_of(centers).representatives(twice, 5), want)
    assert model_of(centers).representatives(X[:3], 2).shape == (7, 2)


def test_mistakes_are_named() -> None:
    model = model_of(np.zeros((2, 3)))
    for n, error, message in (
        (0, ValueError, "n must be at least 1, got 0"),
        (1.5, TypeError, "n must be an integer, got 1.5"),
    ):
        with pytest.raises(error, match=message):
            model.representatives(np.ones((4, 3)), n)
    with pytest.raises(ValueError, match="X has 2 features, but KMeans is expecting 3"):
        model.representatives(np.ones((4, 2)))
    with pytest.raises(ValueError, match="contains NaN at row 1, column 2"):
        model.representatives(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, np.nan]]))
    with pytest.raises(ValueError, match="not fitted"):
        KMeans().representatives([[1.0]])


def test_sizes_count_rows_not_weights() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    weights = rng.integers(0, 3, 300).astype(float)
    model = KMeans(5, random_state=0).fit(X, sample_weight=weights)
    assert model.cluster_sizes_.dtype == np.int64
    assert model.cluster_sizes_.tolist() == np.bincount(model.labels_, minlength=5).tolist()


def test_sizes_stay_next_to_the_labels_of_mini_batches(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(400, 2))
    model = MiniBatchKMeans(3, random_state=0).fit(X)
    assert model.cluster_sizes_.tolist() == np.bincount(model.labels_, minlength=3).tolist()
    assert model.representatives(X, 2).tolist() == expected(X, model.cluster_centers_, 2).tolist()
    model.save(tmp_path / "m")
    assert MiniBatchKMeans.load(tmp_path / "m").cluster_sizes_.tolist() == (
        model.cluster_sizes_.tolist()
    )
    model.partial_fit(X[:50])
    assert model.cluster_sizes_.sum() == 50
    model.set_params(compute_labels=False).fit(X)
    assert not hasattr(model, "labels_")
    assert not hasattr(model, "cluster_sizes_")
    model.save(tmp_path / "m")
    assert not hasattr(MiniBatchKMeans.load(tmp_path / "m"), "cluster_sizes_")
