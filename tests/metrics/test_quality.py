"""``Tally``: the indices from a pass that labels rows block by block."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from fastkmeans import KMeans, metrics
from fastkmeans._data.problem import open_problem
from fastkmeans._data.tables import table_in_memory
from fastkmeans._data.validation import as_weights
from fastkmeans._metrics.simplified import Quality, Tally

Array = NDArray[Any]


@pytest.fixture(scope="module")
def fitted() -> tuple[Array, Array, Any]:
    """Rows, weights and a model whose centers are the means."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 6)) + 5 * rng.integers(0, 2, (700, 6)) + 1e4
    weights = rng.integers(1, 4, 700).astype(float)
    return X, weights, KMeans(9, tol=0.0, random_state=0).fit(X, sample_weight=weights)


def quality_of(X: Any, weights: Any, model: Any, pieces: int = 1, metric: str = "euclidean") -> Any:
    """Tally rows piece by piece."""
    rows, labels = table_in_memory(X).rows, model.labels_
    w = as_weights(weights, X.shape[0])
    with open_problem(rows, w, 2, 1e9, metric == "cosine") as problem:
        tally = Tally(problem, model.cluster_centers_)
        if scipy.sparse.issparse(X):
            tally.add_sparse(labels)
        else:
            for _, block in problem.blocks():
                edges = np.linspace(0, X.shape[0], pieces + 1).astype(int).tolist()
                for a, b in pairwise(edges):
                    tally.add(slice(a, b), block[:, a:b], labels[a:b])
        return tally.quality()


def check(found: Quality, X: Array, weights: Array, model: Any, rel: float) -> None:
    labels, centers = model.labels_, model.cluster_centers_
    rest: Any = {"sample_weight": weights}
    samples = metrics.simplified_silhouette_samples(X, labels, centers, **rest)
    distances = np.sqrt(((X - centers[labels]) ** 2).sum(axis=1))
    for j in range(9):
        own = labels == j
        assert found.weights[j] == weights[own].sum()
        mean = np.average(samples[own], weights=weights[own])
        assert found.silhouettes[j] == pytest.approx(mean, rel=rel)
        mean = np.average(distances[own], weights=weights[own])
        assert found.distances[j] == pytest.approx(mean, rel=rel)
    score = metrics.simplified_silhouette_score(X, labels, centers, **rest)
    assert found.silhouette == pytest.approx(score, rel=rel)
    score = metrics.calinski_harabasz_score(X, labels, **rest)
    assert found.calinski_harabasz == pytest.approx(score, rel=rel)
    score = metrics.davies_bouldin_score(X, labels, **rest)
    assert found.davies_bouldin == pytest.approx(score, rel=rel)


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_indices_of_a_fit(fitted: tuple[Array, Array, Any], pieces: int, dtype: Any) -> None:
    X, weights, model = fitted
    found = quality_of(X.astype(dtype), weights, model, pieces)
    check(found, X, weights, model, 1e-3 if dtype == np.float32 else 1e-9)


def test_pieces_change_no_bit(fitted: tuple[Array, Array, Any]) -> None:
    whole, cut = (quality_of(*fitted, pieces) for pieces in (1, 13))
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_in_another_unit(fitted: tuple[Array, Array, Any]) -> None:
    X, weights, model = fitted
    rows = table_in_memory(X).rows
    with open_problem(rows, weights / 4.0, 2, 1e9) as problem:
        tally = Tally(problem, model.cluster_centers_, unit=4.0)
        for part, block in problem.blocks():
            tally.add(part, block, model.labels_[part])
        check(tally.quality(), X, weights, model, 1e-9)


def test_sparse_rows(fitted: tuple[Array, Array, Any]) -> None:
    X, weights, model = fitted
    X = np.where(X > 1e4 + 4.0, X - 1e4, 0.0)
    model = KMeans(9, tol=0.0, random_state=0).fit(X, sample_weight=weights)
    check(quality_of(scipy.sparse.csr_matrix(X), weights, model), X, weights, model, 1e-9)


def test_by_cosine(fitted: tuple[Array, Array, Any]) -> None:
    X, weights = fitted[0] - 1e4, fitted[1]
    model = KMeans(9, metric="cosine", random_state=0).fit(X, sample_weight=weights)
    score = metrics.simplified_silhouette_score(
        X, model.labels_, model.cluster_centers_, metric="cosine", sample_weight=weights
    )
    for rows in (X, scipy.sparse.csr_matrix(X)):
        found = quality_of(rows, weights, model, metric="cosine")
        assert found.silhouette == pytest.approx(score, rel=1e-9)
        assert np.isnan([found.calinski_harabasz, found.davies_bouldin]).all()


def test_one_cluster_has_no_indices() -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    model = KMeans(1, random_state=0).fit(X)
    found = quality_of(X, None, model)
    assert found.weights.tolist() == [50.0]
    assert np.isnan(found[3:]).all()


def test_single_rows_have_silhouette_zero(fitted: tuple[Array, Array, Any]) -> None:
    X = np.append(fitted[0], np.full((1, 6), 2e4), axis=0)
    model = KMeans(9, random_state=0).fit(X)
    found = quality_of(X, None, model)
    (alone,) = np.flatnonzero(found.weights == 1.0)
    assert found.silhouettes[alone] == 0.0
    score = metrics.simplified_silhouette_score(X, model.labels_, model.cluster_centers_)
    assert found.silhouette == pytest.approx(score, rel=1e-12)
