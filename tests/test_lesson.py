"""The lesson's functions: the lesson's answers, and a documented one where it has none."""

# ruff: noqa: NPY002  (the global generator of NumPy is a documented source)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import compute_centroids, find_closest_centroids, kMeans_init_centroids
from tests.conftest import REAL_DATA
from tests.helpers.reference import lesson_closest, lesson_means

Array = NDArray[Any]

SHAPES = [(1, 1, 1), (5, 1, 3), (37, 2, 4), (300, 3, 7), (600, 5, 33), (257, 17, 12), (64, 130, 9)]


def draw(m: int, n: int, K: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, n)) * 3 + 7, rng.normal(size=(K, n)) * 3 + 7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "n", "K"), SHAPES)
def test_random_data_give_the_answers_of_the_lesson(m: int, n: int, K: int, dtype: Any) -> None:
    X, centroids = (a.astype(dtype) for a in draw(m, n, K))
    # The lesson's own arithmetic in float64: in float32 its rounding would decide near ties.
    expected = lesson_closest(X.astype(np.float64), centroids.astype(np.float64))
    idx = find_closest_centroids(X, centroids)
    np.testing.assert_array_equal(idx, expected)
    assert (idx.dtype, idx.shape) == (expected.dtype, (m,))
    present, idx = np.unique(idx, return_inverse=True)
    means = compute_centroids(X, idx, len(present))
    expected = lesson_means(X.astype(np.float64), idx, len(present))
    np.testing.assert_allclose(means, expected, rtol=1e-12, atol=1e-12 * np.abs(X).max())
    assert (means.dtype, means.shape) == (np.float64, (len(present), n))


@pytest.mark.parametrize("real_data", REAL_DATA, indirect=True)
def test_real_data_give_the_answers_of_the_lesson(real_data: Array) -> None:
    X = real_data[:: max(1, len(real_data) // 400)]
    K = 6
    np.random.seed(5)
    centroids = kMeans_init_centroids(X, K)
    for _ in range(3):
        idx = find_closest_centroids(X, centroids)
        np.testing.assert_array_equal(idx, lesson_closest(X.astype(np.float64), centroids))
        assert len(set(idx)) == K, "the lesson's means need rows in every cluster"
        centroids = compute_centroids(X, idx, K)
        expected = lesson_means(X.astype(np.float64), idx, K)
        np.testing.assert_allclose(centroids, expected, rtol=1e-12, atol=1e-12 * np.abs(X).max())


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8])
def test_exact_ties_go_to_the_lowest_index(n: int, dtype: Any) -> None:
    rng = np.random.default_rng(n)
    X = rng.integers(0, 5, (700, n)).astype(dtype)
    centroids = rng.integers(0, 3, (30, n)).astype(dtype) * 2  # many are equal, all are even
    expected = lesson_closest(X.astype(np.float64), centroids.astype(np.float64))
    np.testing.assert_array_equal(find_closest_centroids(X, centroids), expected)
    np.testing.assert_array_equal(find_closest_centroids(X[:2], centroids), expected[:2])


def test_a_far_offset_does_not_hide_the_ties() -> None:
    X = np.arange(9.0).repeat(100)[:, None] + 2.0**40
    centroids = np.array([[6.0], [2.0], [6.0]]) + 2.0**40
    expected = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0]).repeat(100)
    np.testing.assert_array_equal(find_closest_centroids(X, centroids), expected)


@pytest.mark.parametrize("spread", [1e-160, 1e-30, 1e30, 1e153])
def test_extreme_magnitudes(spread: float) -> None:
    X, centroids = draw(50, 3, 4)
    exponent = 2.0 ** np.round(np.log2(spread))
    idx = find_closest_centroids(X * exponent, centroids * exponent)
    np.testing.assert_array_equal(idx, lesson_closest(X, centroids))


def test_an_empty_centroid_takes_the_farthest_example() -> None:
    """The lesson's mean of nothing is NaN, which then attracts every example."""
    X = np.array([[0.0, 0], [2, 0], [10, 0], [10, 8], [10, -4]])
    idx = np.array([0, 0, 2, 2, 2])  # means (1, 0), (10, 4/3); distances 1, 1, 4/3, 6.7, 5.3
    centroids = compute_centroids(X, idx, 5)
    expected = [[1, 0], [10, 8], [10, 4 / 3], [10, -4], [10, 0]]
    np.testing.assert_allclose(centroids, expected, rtol=1e-15)


def test_equally_far_examples_are_taken_in_order() -> None:
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    centroids = compute_centroids(X, np.zeros(4, int), 3)
    np.testing.assert_array_equal(centroids, [[0.0], [1.0], [-1.0]])


@pytest.mark.parametrize("K", [4, 11])
def test_more_centroids_than_examples_leave_none_undefined(K: int) -> None:
    X = np.array([[0.0, 1], [2, 3], [4, 5]])
    centroids = compute_centroids(X, [0, 1, 2], K)
    np.testing.assert_array_equal(centroids[:3], X)
    assert {tuple(c) for c in centroids} == {tuple(x) for x in X}


@pytest.mark.parametrize("bad", [-1, 3, 10**9, 3.0, -(10**12)])
def test_examples_of_no_centroid_are_left_out_as_in_the_lesson(bad: float) -> None:
    X, _ = draw(40, 2, 3)
    idx = np.arange(40) % 3 + np.zeros(40, type(bad))
    idx[::5] = bad
    expected = lesson_means(X, idx, 3)
    np.testing.assert_allclose(compute_centroids(X, idx, 3), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g"])
def test_whole_numbers_in_floats_are_indices(dtype: str) -> None:
    X, _ = draw(40, 2, 3)
    idx = np.arange(40) % 3
    np.testing.assert_array_equal(
        compute_centroids(X, idx.astype(dtype), 3), compute_centroids(X, idx, 3)
    )


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g"])
@pytest.mark.parametrize("bad", [1.5, -0.5, np.nan, np.inf, -np.inf])
def test_an_index_that_is_no_whole_number_is_refused(bad: float, dtype: str) -> None:
    X, _ = draw(40, 2, 3)
    idx = (np.arange(40) % 3).astype(dtype)
    idx[[17, 30]] = bad, 0.25
    with pytest.raises(ValueError, match=rf"^idx holds {bad} at position 17, which is no whole"):
        compute_centroids(X, idx, 3)


def test_all_examples_of_no_centroid() -> None:
    X, _ = draw(5, 2, 1)
    centroids = compute_centroids(X, np.full(5, 7), 2)
    assert {tuple(c) for c in centroids} <= {tuple(x) for x in X}


def test_kmeans_init_centroids_draws_distinct_examples() -> None:
    X = np.arange(60.0).reshape(20, 3)
    for K in (1, 7, 20):
        np.random.seed(K)
        centroids = kMeans_init_centroids(X, K)
        assert len({tuple(c) for c in centroids}) == K
        assert {tuple(c) for c in centroids} <= {tuple(x) for x in X}
        assert (centroids.dtype, centroids.shape) == (X.dtype, (K, 3))
        np.random.seed(K)
        np.testing.assert_array_equal(kMeans_init_centroids(X, K), centroids)
    draws = {tuple(kMeans_init_centroids(X, 3).ravel()) for _ in range(5)}
    assert len(draws) == 5, "a generator that does not move on"


def test_every_example_is_drawn_equally_often() -> None:
    X = np.arange(6.0)[:, None]
    np.random.seed(0)
    drawn = np.concatenate([kMeans_init_centroids(X, 2)[:, 0] for _ in range(1200)])
    counts = np.bincount(drawn.astype(int), minlength=6)
    assert np.abs(counts - 400).max() < 100  # 6 standard deviations


def test_centroids_are_a_copy() -> None:
    X = np.ones((4, 2))
    kMeans_init_centroids(X, 2)[:] = 5.0
    assert (X == 1.0).all()


@pytest.mark.parametrize("container", ["list", "pandas", "polars", "float16", "fortran", "strided"])
def test_containers(container: str) -> None:
    X, centroids = (np.round(a * 4) / 4 for a in draw(50, 3, 4))  # exact in float16
    other = {
        "list": lambda a: a.tolist(),
        "pandas": lambda a: pytest.importorskip("pandas").DataFrame(a),
        "polars": lambda a: pytest.importorskip("polars").DataFrame(a, schema=["a", "b", "c"]),
        "float16": lambda a: a.astype(np.float16),
        "fortran": np.asfortranarray,
        "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    }[container]
    idx = lesson_closest(X, centroids)
    np.testing.assert_array_equal(find_closest_centroids(other(X), other(centroids)), idx)
    means = compute_centroids(other(X), idx.tolist(), 4)
    np.testing.assert_allclose(means, lesson_means(X, idx, 4), rtol=1e-12)
    np.random.seed(1)
    drawn = kMeans_init_centroids(other(X), 4)
    assert {tuple(c) for c in drawn.astype(float)} <= {tuple(x) for x in X}


NAN = np.array([[0.0, 1.0], [np.nan, 1.0]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda X, C: find_closest_centroids(NAN, C), ValueError, r"X contains NaN at row 1, col"),
        (lambda X, C: find_closest_centroids(X, NAN), ValueError, r"centroids contains NaN at row"),
        (lambda X, C: find_closest_centroids(X, C[:, :1]), ValueError, "centroids|features"),
        (lambda X, C: find_closest_centroids(X[0], C), ValueError, "X has shape"),
        (lambda X, C: find_closest_centroids(X, C[0]), ValueError, "centroids has shape"),
        (lambda X, C: find_closest_centroids(X, C[:0]), ValueError, "centroids is empty"),
        (lambda X, C: compute_centroids(NAN, [0, 0], 1), ValueError, "X contains NaN at row 1"),
        (lambda X, C: compute_centroids(X, [0], 1), ValueError, r"idx has shape \(1,\), expected"),
        (lambda X, C: compute_centroids(X, [[0]] * 6, 1), ValueError, "idx has shape"),
        (lambda X, C: compute_centroids(X, ["a"] * 6, 1), (TypeError, ValueError), "idx"),
        (lambda X, C: compute_centroids(X, [0] * 6, 0), ValueError, "K must be at least 1"),
        (lambda X, C: compute_centroids(X, [0] * 6, 1.5), TypeError, "K must be an integer"),
        (lambda X, C: kMeans_init_centroids(X, 7), ValueError, "n_samples=6"),
        (lambda X, C: kMeans_init_centroids(NAN, 1), ValueError, "X contains NaN at row 1, col"),
        (lambda X, C: kMeans_init_centroids([[np.inf]], 1), ValueError, "X contains infinity"),
        (lambda X, C: kMeans_init_centroids(X, 0), ValueError, "K must be at least 1"),
        (lambda X, C: kMeans_init_centroids(X, True), TypeError, "K must be an integer"),
    ],
)
def test_errors_name_the_argument(call: Any, error: Any, message: str) -> None:
    X = np.arange(12.0).reshape(6, 2)
    with pytest.raises(error, match=message):
        call(X, X[:2])


def test_numpy_integers_are_counts() -> None:
    X, _ = draw(6, 2, 1)
    assert compute_centroids(X, np.zeros(6, np.uint8), np.int32(1)).shape == (1, 2)
    assert kMeans_init_centroids(X, np.int64(3)).shape == (3, 2)
