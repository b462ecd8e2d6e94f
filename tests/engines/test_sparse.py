"""Labels of sparse rows: those of a float64 argmin, and bit by bit those of dense rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans._data.tables import table_in_memory
from fastkmeans._lloyd.predict import closest_centers
from tests.helpers import reference
from tests.helpers.cosine import labels_by
from tests.helpers.sparse import group_means, texts

Array = NDArray[Any]


def label(X: Any, centers: Array, n_threads: int | None = 2) -> Array:
    return closest_centers(table_in_memory(X), np.asarray(centers, np.float64), n_threads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 9, 40, 300])
def test_labels_of_texts(dtype: Any, k: int) -> None:
    X = texts(dtype=dtype)
    centers = group_means(X, k)
    np.testing.assert_array_equal(label(X, centers), reference.closest(X.toarray(), centers))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [5, 30, 300])
def test_rows_that_share_no_word_with_any_center(dtype: Any, k: int) -> None:
    """Rows as centers, all of length 1: the last bit of the norms decides, as for dense rows."""
    X = texts(dtype=dtype)
    usual = np.asarray(X[:, :10].sum(axis=1)).ravel() > 0.0
    rare = (np.diff(X.indptr) > 0) & ~usual
    centers = np.vstack([X.toarray()[rare][:k], X.toarray()[usual][: k - rare.sum()]])
    centers = centers[:k].astype(np.float64)
    scores = X @ centers.T
    assert (scores.max(axis=1) == 0.0).sum() > (300 if k < 300 else 0)
    expected = closest_centers(table_in_memory(X.toarray()), centers, 2)
    np.testing.assert_array_equal(label(X, centers), expected)
    np.testing.assert_array_equal(expected, reference.closest(X.toarray(), centers))


def test_exact_ties_go_to_the_lowest_index() -> None:
    rng = np.random.default_rng(0)
    X = scipy.sparse.csr_matrix(rng.integers(0, 2, (2000, 12)) * (rng.random((2000, 12)) < 0.3))
    centers = rng.integers(0, 3, (30, 12)) / 2.0
    centers[20] = centers[4]
    labels = label(X.astype(float), centers)
    np.testing.assert_array_equal(labels, reference.closest(X.toarray(), centers))
    assert 20 not in labels


def test_a_tie_across_tiles() -> None:
    """A rival in another tile of the table, higher by less than float32 resolves, or lower."""
    X = texts(1500, 60)
    centers = group_means(X, 300)
    near = centers[:20] * (1.0 + 1e-9 * np.random.default_rng(0).normal(size=(20, 60)))
    centers[280:] = near
    np.testing.assert_array_equal(label(X, centers), reference.closest(X.toarray(), centers))


@pytest.mark.parametrize("far", [1e4, 1e17, 1e150])
def test_centers_far_away(far: float) -> None:
    X = texts(600, 50)
    centers = group_means(X, 9) * np.where(np.arange(9) % 3 == 1, far, 1.0)[:, None]
    np.testing.assert_array_equal(label(X, centers), reference.closest(X.toarray(), centers))


@pytest.mark.parametrize("gap", [1e-5, 1e-8, 1e-11, 1e-14, 1e-16])
def test_centers_that_hardly_differ(gap: float) -> None:
    """Float32 sees no difference; then differences decide, without lists of nonzero values too."""
    X = texts(1500, 60)
    rng = np.random.default_rng(1)
    centers = group_means(X, 4)
    centers = np.vstack([centers, centers * (1.0 + gap * rng.normal(size=centers.shape))])
    expected = closest_centers(table_in_memory(X.toarray()), centers, 2)
    np.testing.assert_array_equal(label(X, centers), expected)
    np.testing.assert_array_equal(label(X[:3], centers), expected[:3])


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_the_unit_of_the_data_does_not_matter(size: float) -> None:
    X = texts(600, 50)
    centers = group_means(X, 9)
    np.testing.assert_array_equal(label(X * size, centers * size), label(X, centers))


def test_the_rest_of_a_long_row() -> None:
    """Rows of all lengths; a row may be full."""
    rng = np.random.default_rng(2)
    dense = rng.normal(size=(300, 200)) * (rng.random((300, 200)) < np.linspace(0, 1, 300)[:, None])
    centers = rng.normal(size=(20, 200)) / 10
    X = scipy.sparse.csr_matrix(dense)
    np.testing.assert_array_equal(label(X, centers), reference.closest(dense, centers))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 60),
    d=st.integers(1, 12),
    k=st.integers(1, 20),
    density=st.floats(0.0, 1.0),
    digits=st.integers(0, 3),
)
def test_any_shape(seed: int, n: int, d: int, k: int, density: float, digits: int) -> None:
    """Few digits make ties, zeros that are stored, and empty rows and columns."""
    rng = np.random.default_rng(seed)
    dense = np.round(rng.normal(size=(n, d)), digits)
    mask = rng.random((n, d)) < density
    X = scipy.sparse.csr_matrix((dense[mask], np.nonzero(mask)), shape=(n, d))
    centers = np.round(rng.normal(size=(k, d)), digits) * (rng.random((k, d)) < 0.7)
    np.testing.assert_array_equal(label(X, centers), reference.closest(X.toarray(), centers))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_products_go_to_the_lowest_index(dtype: Any) -> None:
    """Rows between two or three centers, by cosine: their products are equal bit by bit."""
    between = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [2, 2, 2]] * 50, dtype)
    rows = scipy.sparse.csr_matrix(between)
    for found in labels_by(rows, [np.eye(3), np.eye(3)]):
        np.testing.assert_array_equal(found, [0, 0, 1, 0] * 50)
