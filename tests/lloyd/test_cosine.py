"""Spherical k-means against float64 NumPy: labels after every iteration, in every engine."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._data.problem import open_problem
from fastkmeans._data.rows import ArrayRows
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._lloyd.run import Workspace
from tests.helpers import reference
from tests.helpers.data import blobs
from tests.helpers.engines import F32, F64, each_dtype
from tests.helpers.kernels import sealed

Array = NDArray[Any]
ENGINES = ["lloyd", "boxes", "bytes"]
each_engine = pytest.mark.parametrize("algorithm", ENGINES)


def labels_by(
    algorithm: str, X: Array, sequence: list[Array], n_threads: int = 1, work: float = 1e12
) -> list[Array]:
    """Label the rows by one set of centers after the other, in one run of an engine."""
    seen = []
    with open_problem(ArrayRows(X), NO_WEIGHTS, n_threads, work, True) as problem:
        run = Workspace(problem, len(sequence[0]), algorithm).begin(sequence[0], len(sequence))
        for centers in sequence:
            run.centers[:] = centers
            run.step()
            run.write_labels()
            seen.append(run.labels.copy())
    return seen


def lengths(rng: np.random.Generator, n: int, spread: float) -> Array:
    return 10.0 ** rng.uniform(-spread, spread, (n, 1))


def drifting(rng: np.random.Generator, X: Array, k: int, n: int = 8) -> list[Array]:
    """Return centers that move less and less, as those of a run do."""
    centers = [reference.directions(X[rng.choice(np.flatnonzero(X.any(axis=1)), k)])]
    for size in 10.0 ** -np.arange(n, dtype=float):
        step = rng.normal(size=centers[-1].shape) * size * 0.3
        step[rng.random(k) < 0.3] = 0.0
        centers.append(reference.directions(centers[-1] + step))
    return centers


def mixture(d: int) -> Array:
    return blobs(d, 900, d, 9, 1.5)


def of_any_length(spread: float, d: int = 7) -> Array:
    rng = np.random.default_rng(0)
    return blobs(rng, 900, d, 9, 1.5) * lengths(rng, 900, spread)


def words(d: int = 40) -> Array:
    """Few positive values a row, as texts have them; some rows are all zeros."""
    rng = np.random.default_rng(1)
    return rng.gamma(1.0, size=(900, d)) * (rng.random((900, d)) < 0.05)


def grid(d: int) -> Array:
    return np.random.default_rng(d).integers(-2, 3, (1200, d)).astype(F64)


def around_centers(d: int) -> Array:
    """Rows that differ from a few directions by almost nothing."""
    rng = np.random.default_rng(d)
    middles = rng.normal(size=(6, d))[rng.integers(0, 6, 700)]
    return middles + rng.normal(size=(700, d)) * 10.0 ** rng.uniform(-9, -3, (700, 1))


CASES: dict[str, Callable[[], Array]] = {
    **{f"mixture, d = {d}": lambda d=d: mixture(d) for d in (1, 2, 3, 4, 16, 33, 130)},
    **{f"grid, d = {d}": lambda d=d: grid(d) for d in (1, 2, 3, 5)},
    "lengths by 10^2": lambda: of_any_length(2.0),
    "lengths by 10^6": lambda: of_any_length(6.0),
    "lengths by 10^30": lambda: of_any_length(30.0),
    "lengths by 10^30, d = 2": lambda: of_any_length(30.0, 2),
    "words": words,
    "rows close to centers, d = 2": lambda: around_centers(2),
    "rows close to centers, d = 50": lambda: around_centers(50),
}
each_case = pytest.mark.parametrize("name", CASES)


@each_dtype
@each_engine
@each_case
def test_labels_are_those_of_numpy(name: str, algorithm: str, dtype: Any) -> None:
    X = CASES[name]().astype(dtype)
    if algorithm == "boxes" and X.shape[1] > 128:
        pytest.skip("boxes take 128 features")
    rng = np.random.default_rng(0)
    for k in (1, 7, 40):
        sequence = drifting(rng, X, k, 6)
        for found, centers in zip(labels_by(algorithm, X, sequence), sequence, strict=True):
            np.testing.assert_array_equal(found, reference.closest_directions(X, centers))


@each_dtype
@each_engine
@pytest.mark.parametrize("d", [2, 3, 20])
def test_near_ties_are_decided_by_products(algorithm: str, d: int, dtype: Any) -> None:
    """Rows near the plane between two centers, at gaps of any size; centers of any distance."""
    rng = np.random.default_rng(d)
    for close in (1.0, 1e-3, 1e-7):
        middle = rng.normal(size=d)
        centers = reference.directions(middle + close * rng.normal(size=(5, d)))
        a, b = (centers[rng.integers(0, 5, 600)] for _ in range(2))
        gaps = rng.choice([-1.0, 1.0], (600, 1)) * 10.0 ** rng.uniform(-17, -2, (600, 1))
        X = ((a + b) / 2 + gaps * (b - a)) * lengths(rng, 600, rng.choice([0.0, 0.3, 3.0]))
        X = X.astype(dtype)
        before = reference.directions(centers + rng.normal(size=(5, d)) * close * 1e-2)
        for found in labels_by(algorithm, X, [before, centers, centers])[1:]:
            np.testing.assert_array_equal(found, reference.closest_directions(X, centers))


@pytest.mark.parametrize("algorithm", ENGINES)
@pytest.mark.parametrize("d", [2, 4])
def test_a_dense_clump_near_a_tie(algorithm: str, d: int) -> None:
    """Rows so close together that float32 tells the centers apart, and float64 hardly does."""
    rng = np.random.default_rng(d)
    centers = reference.directions(rng.normal(size=(6, d)))
    for size in 10.0 ** -np.arange(9.0, 17.0):
        a, b = centers[rng.integers(0, 6, (2, 6))]
        middles = np.repeat((a + b) / 2, 100, axis=0)
        X = middles + size * rng.normal(size=(600, d))
        for found in labels_by(algorithm, X, [centers, centers]):
            np.testing.assert_array_equal(found, reference.closest_directions(X, centers))


@each_dtype
@pytest.mark.parametrize("work", [0.0, 1e12])
@each_engine
def test_repeated_centers_lose_to_the_first(algorithm: str, work: float, dtype: Any) -> None:
    X = mixture(4).astype(dtype)
    centers = reference.directions(X[[0, 1, 1, 2, 0, 3, 3, 3, 4]])
    for found in labels_by(algorithm, X, [centers, centers], work=work):
        np.testing.assert_array_equal(found, reference.closest_directions(X, centers))
        assert not set(found.tolist()) & {2, 4, 6, 7}


def fit(X: Array, init: Array, weights: Array | None = None, **options: Any) -> KMeans:
    model = KMeans(len(init), init=init, metric="cosine", **options)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* length 0")
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        return model.fit(X, sample_weight=weights)


def assert_equals(model: KMeans, expected: reference.Result) -> None:
    np.testing.assert_array_equal(model.labels_, expected.labels)
    np.testing.assert_allclose(model.cluster_centers_, expected.centers, rtol=0, atol=1e-12)
    assert model.inertia_ == pytest.approx(expected.inertia, rel=1e-11, abs=1e-12)
    assert model.n_iter_ == expected.n_iter


@each_dtype
@each_engine
@pytest.mark.parametrize("name", ["mixture, d = 3", "mixture, d = 33", "lengths by 10^6", "words"])
def test_fits_are_those_of_numpy(name: str, algorithm: str, dtype: Any) -> None:
    """One iteration more at a time: small tables, by the kernel of many iterations too."""
    X = CASES[name]().astype(dtype)
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 4, len(X)).astype(F64)
    groups = rng.integers(0, 6, len(X))  # rows would tie with all centers that share no word
    init = np.array([reference.directions(X)[groups == j].mean(axis=0) for j in range(6)])
    for w in (None, weights):
        for max_iter in (1, 2, 3, 5, 100):
            model = fit(X, init, w, algorithm=algorithm, max_iter=max_iter, tol=0.0)
            assert_equals(model, reference.spherical(X, init, max_iter, 0.0, w))
    assert_equals(fit(X, init, algorithm=algorithm), reference.spherical(X, init))


@each_dtype
def test_history_has_the_inertia_before_the_centers_move(dtype: Any) -> None:
    X = words().astype(dtype)
    init = X[np.flatnonzero(X.any(axis=1))[:5]]
    model = fit(X, init, tol=0.0)
    centers = reference.directions(init)
    for number, step in enumerate(model.history_, 1):
        labels = reference.closest_directions(X, centers)
        cosines = (reference.directions(X) * centers[labels]).sum(axis=1)
        assert step.inertia == pytest.approx(2.0 * (1.0 - cosines).sum(), rel=1e-12)
        new = reference.spherical(X, init, number, 0.0).centers
        assert step.center_shift == pytest.approx(np.linalg.norm(new - centers), abs=1e-12)
        centers = new


@each_engine
def test_empty_clusters_take_the_farthest_rows(algorithm: str) -> None:
    """Three of the centers are where no row is."""
    rng = np.random.default_rng(2)
    X = np.abs(blobs(rng, 700, 5, 4, 1.0)) * lengths(rng, 700, 2.0)
    init = np.vstack([X[:3], -X[:3]])
    for max_iter in (1, 2, 100):
        model = fit(X, init, algorithm=algorithm, max_iter=max_iter, tol=0.0)
        assert_equals(model, reference.spherical(X, init, max_iter, 0.0))
    assert len(set(model.labels_.tolist())) == 6


def test_a_mean_of_length_zero_keeps_the_center() -> None:
    """Opposite rows, of different lengths: the sum of the rows brought to length 1 is rounding."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(50, 3))
    half[:, 0] = 0.0
    X = np.vstack([half, -3.0 * half, 0.1 * half, -0.7 * half])
    init = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])  # all cosines are 0: label 0
    for options in ({"algorithm": "lloyd"}, {"algorithm": "boxes"}, {"n_threads": 1}):
        model = KMeans(1, init=init[:1], metric="cosine", **options).fit(X)
        np.testing.assert_array_equal(model.cluster_centers_, init[:1])
        assert model.inertia_ == pytest.approx(400.0)


@each_dtype
@pytest.mark.parametrize(("algorithm", "d"), [("lloyd", 34), ("bytes", 34), ("boxes", 3)])
@pytest.mark.parametrize("n", [300, 6000])
def test_powers_of_two_change_no_bit(n: int, algorithm: str, d: int, dtype: Any) -> None:
    rng = np.random.default_rng(5)
    X = blobs(rng, n, d, 12, 2.0).astype(dtype)
    factors = 2.0 ** rng.integers(-20, 20, (n, 1))
    init = X[:33]
    first = fit(X, init, algorithm=algorithm, max_iter=12)
    for other in (X * factors.astype(dtype), X * dtype(2.0**60)):
        second = fit(other, init, algorithm=algorithm, max_iter=12)
        assert second.cluster_centers_.tobytes() == first.cluster_centers_.tobytes()
        assert second.labels_.tobytes() == first.labels_.tobytes()
        assert second.inertia_ == first.inertia_
        assert [s.inertia for s in second.history_] == [s.inertia for s in first.history_]
        np.testing.assert_array_equal(first.predict(other), first.labels_)


@each_engine
def test_other_lengths_change_no_label(algorithm: str) -> None:
    rng = np.random.default_rng(6)
    X = blobs(rng, 900, 3, 5)
    first = fit(X, X[:5], algorithm=algorithm, tol=0.0)
    other = X * rng.uniform(0.1, 30.0, (900, 1))
    second = fit(other, X[:5], algorithm=algorithm, tol=0.0)
    np.testing.assert_array_equal(second.labels_, first.labels_)
    np.testing.assert_allclose(second.cluster_centers_, first.cluster_centers_, atol=1e-13)
    np.testing.assert_array_equal(first.predict(other), first.labels_)
    for part in (1, 3, 50):  # few rows take another path
        np.testing.assert_array_equal(first.predict(other[:part]), first.labels_[:part])


@each_engine
def test_weights_count_rows(algorithm: str) -> None:
    rng = np.random.default_rng(7)
    X = blobs(rng, 500, 4, 5) * lengths(rng, 500, 1.0)
    weights = rng.integers(0, 4, 500)
    weighted = fit(X, X[:5], weights.astype(F64), algorithm=algorithm, tol=0.0)
    repeated = fit(np.repeat(X, weights, axis=0), X[:5], algorithm=algorithm, tol=0.0)
    np.testing.assert_allclose(
        weighted.cluster_centers_, repeated.cluster_centers_, rtol=0, atol=1e-12
    )
    np.testing.assert_array_equal(np.repeat(weighted.labels_, weights), repeated.labels_)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-12)


@pytest.mark.parametrize("algorithm", ["auto", *ENGINES])
def test_threads_change_no_bit(algorithm: str) -> None:
    rng = np.random.default_rng(8)
    d = 3 if algorithm == "boxes" else 40
    X = blobs(rng, 9_000, d, 20).astype(F32)
    found = [
        fit(X, X[:40], algorithm=algorithm, n_threads=threads, max_iter=10) for threads in (1, 2)
    ]
    assert found[0].cluster_centers_.tobytes() == found[1].cluster_centers_.tobytes()
    assert found[0].labels_.tobytes() == found[1].labels_.tobytes()
    assert found[0].inertia_ == found[1].inertia_


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 300),
    d=st.integers(1, 40),
    spread=st.sampled_from([0.0, 1.0, 12.0]),
    zeros=st.sampled_from([0.0, 0.1]),
    dtype=st.sampled_from([F32, F64]),
    algorithm=st.sampled_from(ENGINES),
    weighted=st.booleans(),
)
def test_any_table(
    seed: int, n: int, d: int, spread: float, zeros: float, dtype: Any, algorithm: str,
    weighted: bool,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, d)) + rng.normal(size=d)) * lengths(rng, n, spread)
    X = X.astype(dtype)
    X[rng.random(n) < zeros] = 0.0
    k = int(rng.integers(1, min(n, 12) + 1))
    init = rng.normal(size=(k, d))
    weights = rng.uniform(0.5, 2.0, n) if weighted else None
    model = fit(X, init, weights, algorithm=algorithm, max_iter=4, tol=0.0)
    np.testing.assert_array_equal(
        model.labels_, reference.closest_directions(X, model.cluster_centers_)
    )
    expected = reference.spherical(X, init, 4, 0.0, weights)
    if np.array_equal(expected.labels, model.labels_):
        np.testing.assert_allclose(model.cluster_centers_, expected.centers, rtol=0, atol=1e-9)
    assert model.inertia_ == pytest.approx(expected.inertia, rel=1e-6)
    assert sealed(model.labels_).size == n


def test_boxes_hold_directions() -> None:
    """Rows of many lengths share a box if their directions are close: few centers remain."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 2)) * lengths(rng, 20_000, 3)
    model = KMeans(64, init=X[:64], metric="cosine", algorithm="boxes", max_iter=3, tol=0.0).fit(X)
    assert model.history_[-1].avoided > 0.8
