"""The indices against scikit-learn, against cases by hand, and weights against repeated rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn import datasets
from sklearn import metrics as theirs

from fastkmeans import KMeans, metrics
from tests.helpers import quality

Array = NDArray[Any]

NAMES = ["silhouette_samples", "silhouette_score", "calinski_harabasz_score"]
NAMES += ["davies_bouldin_score"]


def random_rows() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(311, 40)), rng.integers(0, 7, 311)


def clustered(X: Array, k: int) -> tuple[Array, Array]:
    return X, KMeans(k, random_state=0).fit(X).labels_


def flights() -> tuple[Array, Array]:
    columns = ["dep_delay", "arr_delay", "air_time", "distance"]
    path = Path(__file__).parents[2] / "scripts" / "data" / "flights.csv.gz"
    return clustered(pd.read_csv(path)[columns].dropna().to_numpy()[:1500], 6)


DATA: dict[str, Callable[[], tuple[Array, Array]]] = {
    "iris": lambda: clustered(datasets.load_iris().data, 3),
    "wine": lambda: clustered(datasets.load_wine().data, 4),
    "digits": lambda: clustered(datasets.load_digits().data, 10),
    "flights": flights,
    "random": random_rows,
}


@pytest.fixture(scope="module", params=DATA)
def data(request: pytest.FixtureRequest) -> tuple[Array, Array]:
    return DATA[request.param]()


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_scikit_learn(data: tuple[Array, Array], name: str) -> None:
    X, labels = data
    expected = getattr(theirs, name)(X, labels)
    np.testing.assert_allclose(getattr(metrics, name)(X, labels), expected, rtol=1e-9, atol=1e-9)
    names = np.array(["a", "B", "c", "D", "e", "f", "g", "h", "i", "j"])[labels]
    found = getattr(metrics, name)(X, names)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_float32(data: tuple[Array, Array], name: str) -> None:
    X, labels = data[0].astype(np.float32), data[1]
    expected = getattr(theirs, name)(X.astype(np.float64), labels)
    np.testing.assert_allclose(getattr(metrics, name)(X, labels), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_simplified_silhouette(data: tuple[Array, Array], metric: str, dtype: Any) -> None:
    X, labels = data[0].astype(dtype), data[1]
    centers = np.array([X[labels == j].mean(axis=0) for j in range(labels.max() + 1)], np.float64)
    distances = quality.cosine_distances if metric == "cosine" else quality.distances
    expected = quality.simplified(distances(X, centers), labels)
    tolerance = 1e-9 if dtype == np.float64 else 2e-5
    found = metrics.simplified_silhouette_samples(X, labels, centers, metric=metric)
    np.testing.assert_allclose(found, expected, atol=tolerance)
    score = metrics.simplified_silhouette_score(X, labels, centers, metric=metric)
    assert score == pytest.approx(expected.mean(), abs=tolerance)


def test_bic_and_distortion(data: tuple[Array, Array]) -> None:
    X, labels = data
    centers = np.array([X[labels == j].mean(axis=0) for j in range(labels.max() + 1)])
    mean = ((X - centers[labels]) ** 2).sum() / len(X)
    assert metrics.distortion(X, labels) == pytest.approx(mean, rel=1e-12)
    assert metrics.bic(X, labels) == pytest.approx(quality.bic(X, labels), rel=1e-12)
    moved = centers + 1.0
    mean = ((X - moved[labels]) ** 2).sum() / len(X)
    assert metrics.distortion(X, labels, moved) == pytest.approx(mean, rel=1e-12)


def test_bic_of_one_cluster(iris: Array) -> None:
    labels = np.zeros(len(iris), int)
    assert metrics.bic(iris, labels) == pytest.approx(quality.bic(iris, labels), rel=1e-12)


CALLS: dict[str, Callable[..., Any]] = {
    "silhouette": metrics.silhouette_samples,
    "silhouette by cosine": lambda X, y, **rest: metrics.silhouette_samples(
        X, y, metric="cosine", **rest
    ),
    "score": metrics.silhouette_score,
    "simplified": lambda X, y, **rest: metrics.simplified_silhouette_samples(X, y, CENTERS, **rest),
    "simplified score": lambda X, y, **rest: metrics.simplified_silhouette_score(
        X, y, CENTERS, **rest
    ),
    "calinski": metrics.calinski_harabasz_score,
    "davies": metrics.davies_bouldin_score,
    "bic": metrics.bic,
    "distortion": metrics.distortion,
    "distortion from centers": lambda X, y, **rest: metrics.distortion(X, y, CENTERS, **rest),
}
CENTERS = np.random.default_rng(1).normal(size=(5, 3))


@pytest.fixture(scope="module")
def weighted() -> tuple[Array, Array, Array]:
    """Rows, labels and weights; cluster 4 is one row, cluster 3 one row that counts twice."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(90, 3)), rng.integers(0, 3, 90)
    labels[[5, 6]] = 3, 4
    weights = rng.integers(0, 4, 90)
    weights[[5, 6]] = 2, 1
    return X, labels, weights


@pytest.mark.parametrize("name", CALLS)
def test_weights_are_repeated_rows(name: str, weighted: tuple[Array, Array, Array]) -> None:
    X, labels, weights = weighted
    found = CALLS[name](X, labels, sample_weight=weights)
    if isinstance(found, np.ndarray):
        assert not found[weights == 0].any()
        found = np.repeat(found, weights)
    expected = CALLS[name](np.repeat(X, weights, axis=0), np.repeat(labels, weights))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_a_cluster_without_weight_is_none(name: str, weighted: tuple[Array, Array, Array]) -> None:
    X, labels, weights = weighted[0], weighted[1], weighted[2].copy()
    weights[labels == 4] = 0
    test_weights_are_repeated_rows(name, (X, labels, weights))


def test_single_rows_and_equal_rows_by_hand() -> None:
    """Three clusters on a line: one row at 0; two rows at 1 and 3; two equal rows at 7."""
    X = np.array([[0.0], [1.0], [3.0], [7.0], [7.0]])
    labels = [0, 1, 1, 2, 2]
    # Row at 1: a = 2, b = min(1, 6).  Row at 3: a = 2, b = min(3, 4).  Rows at 7: a = 0.
    expected = [0.0, (1 - 2) / 2, (3 - 2) / 3, 1.0, 1.0]
    np.testing.assert_allclose(metrics.silhouette_samples(X, labels), expected, atol=1e-15)
    centers = [[0.0], [2.0], [7.0]]
    expected = [0.0, 0.0, (3 - 1) / 3, 1.0, 1.0]
    found = metrics.simplified_silhouette_samples(X, labels, centers)
    np.testing.assert_allclose(found, expected, atol=1e-15)
    assert metrics.distortion(X, labels) == pytest.approx(2 / 5, rel=1e-15)
    # Radii 0, 1, 0; means 0, 2, 7.
    assert metrics.davies_bouldin_score(X, labels) == pytest.approx((0.5 + 0.5 + 0.2) / 3)
    mean = 18 / 5
    outer = mean**2 + 2 * (2 - mean) ** 2 + 2 * (7 - mean) ** 2
    assert metrics.calinski_harabasz_score(X, labels) == pytest.approx((outer / 2) / (2 / 2))


def test_rows_that_are_all_equal() -> None:
    X, labels = np.full((6, 2), 0.1), [0, 0, 0, 1, 1, 1]
    assert not metrics.silhouette_samples(X, labels).any()
    assert not metrics.simplified_silhouette_samples(X, labels, X[:2]).any()
    assert metrics.calinski_harabasz_score(X, labels) == 1.0
    assert metrics.davies_bouldin_score(X, labels) == 0.0
    assert metrics.bic(X, labels) == -np.inf
    assert metrics.distortion(X, labels) == 0.0


def test_clusters_of_equal_rows() -> None:
    X, labels = np.repeat([[0.1, 0.7], [0.3, 1e3]], 3, axis=0), [0, 0, 0, 1, 1, 1]
    assert (metrics.silhouette_samples(X, labels) == 1.0).all()
    assert metrics.calinski_harabasz_score(X, labels) == 1.0
    assert metrics.davies_bouldin_score(X, labels) == 0.0


@pytest.mark.parametrize("unit", [1e-170, 1e-9, 1e150])
def test_units_change_nothing(unit: float) -> None:
    X, labels = random_rows()
    for name in ("silhouette", "calinski", "davies"):
        expected = CALLS[name](X, labels)
        np.testing.assert_allclose(CALLS[name](X * unit, labels), expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["silhouette", "calinski", "davies", "bic", "distortion"])
def test_a_far_offset_loses_no_digits(name: str) -> None:
    rng = np.random.default_rng(0)
    X, labels = rng.integers(-(2**20), 2**20, (200, 5)) / 2**20, rng.integers(0, 3, 200)
    far = X + 1e9  # exact: 2^30 and 20 bits more
    assert (far - 1e9 == X).all()
    np.testing.assert_allclose(CALLS[name](far, labels), CALLS[name](X, labels), rtol=1e-11)


@pytest.mark.parametrize("size", [50, 311, 1000])
def test_a_sample_is_that_of_scikit_learn(size: int) -> None:
    X, labels = random_rows()
    for state in (3, np.random.RandomState(5)):
        before = state if isinstance(state, int) else np.random.RandomState(5)
        expected = theirs.silhouette_score(X, labels, sample_size=size, random_state=before)
        found = metrics.silhouette_score(X, labels, sample_size=size, random_state=state)
        assert found == pytest.approx(expected, abs=1e-9)


def test_a_sample_of_weighted_rows(weighted: tuple[Array, Array, Array]) -> None:
    X, labels, weights = weighted
    drawn = np.random.RandomState(0).permutation(90)[:60]
    expected = metrics.silhouette_score(X[drawn], labels[drawn], sample_weight=weights[drawn])
    found = metrics.silhouette_score(
        X, labels, sample_size=60, random_state=0, sample_weight=weights
    )
    assert found == expected
