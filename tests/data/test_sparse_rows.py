"""Sparse matrices as tables: formats, order, indices, refusals."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans import KMeans, MiniBatchKMeans, k_means, kmeans_plusplus
from fastkmeans._data.scaling import scaling_of
from fastkmeans._data.sparse import SparseRows
from fastkmeans._data.tables import table_in_memory
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._runtime.threads import Team
from tests.helpers.sparse import group_means, shuffled, texts

Array = NDArray[Any]
FORMATS = ["csr_matrix", "csr_array", "csc_matrix", "csc_array", "coo_matrix", "coo_array"]
OTHERS = ["lil_matrix", "dok_array", "bsr_matrix", "dia_matrix"]


def rows_of(X: Any) -> SparseRows:
    rows = table_in_memory(X).rows
    assert isinstance(rows, SparseRows)
    return rows


def dense(rows: SparseRows) -> Array:
    return rows.take(np.arange(rows.shape[0]))


def memory_of(rows: SparseRows) -> list[int]:
    return [array.ctypes.data for array in (rows.values, rows.stored.indices)]


@pytest.mark.parametrize("name", FORMATS + OTHERS)
def test_formats(name: str) -> None:
    X = texts(50, 20)
    rows = rows_of(getattr(scipy.sparse, name)(X))
    assert rows.shape == (50, 20)
    np.testing.assert_array_equal(dense(rows), X.toarray())
    assert type(rows.as_given()).__name__.startswith("csr_")
    np.testing.assert_array_equal(rows.as_given().toarray(), X.toarray())


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ordered_rows_are_read_in_place(dtype: Any, index: Any) -> None:
    X = texts(50, 20, dtype=dtype)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    rows = rows_of(X)
    assert rows.dtype == dtype
    values, columns = memory_of(rows)
    in_place = [values == X.data.ctypes.data, columns == X.indices.ctypes.data]
    assert in_place == [True, index == np.int32]
    KMeans(3, random_state=0, max_iter=2).fit(X)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.bool_, np.uint16, ">f8", ">f4"])
def test_other_types_are_converted(dtype: Any) -> None:
    X = texts(50, 20)
    X.data = np.ceil(X.data * 5).astype(dtype)
    rows = rows_of(X)
    assert rows.dtype == (np.float32 if dtype == ">f4" else np.float64)
    np.testing.assert_array_equal(rows.values, X.data.astype(float))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 400), d=st.integers(1, 40))
def test_unsorted_and_repeated_columns(seed: int, n: int, d: int) -> None:
    """The matrix of the user stays as it is, and its repeated values are added."""
    rng = np.random.default_rng(seed)
    mixed = shuffled(texts(n, d, seed=seed), rng)
    before = mixed.data.copy(), mixed.indices.copy(), mixed.indptr.copy()
    rows = rows_of(mixed)
    np.testing.assert_array_equal(dense(rows), mixed.toarray())
    columns, starts = rows.stored
    assert all((np.diff(columns[a:b]) > 0).all() for a, b in pairwise(starts))
    for array, was in zip((mixed.data, mixed.indices, mixed.indptr), before, strict=True):
        np.testing.assert_array_equal(array, was)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 7, 5000])
def test_rows_of_any_length_are_sorted(dtype: Any, d: int) -> None:
    """One run, several, a last one that is short; values of a place are added in their order."""
    rng = np.random.default_rng(d)
    lengths = [0, 1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 0, 129, 1000, 4097, 3]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    columns = rng.integers(0, d, starts[-1]).astype(np.int32)
    values = (rng.standard_normal(starts[-1]) * 10.0 ** rng.integers(-9, 9, starts[-1])).astype(
        dtype
    )
    rows = rows_of(scipy.sparse.csr_matrix((values, columns, starts), shape=(len(lengths), d)))
    expected = np.zeros((len(lengths), d), dtype)
    np.add.at(expected, (np.repeat(np.arange(len(lengths)), lengths), columns), values)
    np.testing.assert_array_equal(dense(rows), expected)
    for i, length in enumerate(lengths):
        own = rows.stored.indices[rows.stored.starts[i] : rows.stored.starts[i + 1]]
        np.testing.assert_array_equal(own, np.unique(columns[starts[i] : starts[i] + length]))


def test_values_beyond_the_last_row_are_ignored() -> None:
    X = scipy.sparse.csr_matrix((np.array([1.0, 2.0, np.nan]), [0, 1, 0], [0, 1, 2]), shape=(2, 2))
    np.testing.assert_array_equal(dense(rows_of(X)), [[1.0, 0.0], [0.0, 2.0]])


def test_rows_are_selected_as_sparse_rows() -> None:
    X = texts(50, 20)
    picked = np.array([3, 3, 49, 0, 7])
    part = rows_of(X).select(picked)
    assert part.shape == (5, 20)
    np.testing.assert_array_equal(dense(part), X.toarray()[picked])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_has_the_variance_of_dense_rows(dtype: Any, weighted: bool) -> None:
    X = texts(1500, 300, 9.0, dtype) * 40.0
    weights = np.random.default_rng(0).integers(0, 4, 1500) * 1.5 if weighted else NO_WEIGHTS
    with Team(2, 1e9) as team:
        found = scaling_of(rows_of(X), weights, team)
        expected = scaling_of(table_in_memory(X.toarray()).rows, weights, team)
    unit = (found.scale / expected.scale) ** 2
    assert found.mean_variance == pytest.approx(expected.mean_variance * unit, rel=1e-12)
    w = weights if weighted else 1.0
    squares = (X.toarray().astype(float) ** 2).sum(axis=1) * w
    assert found.scatter == pytest.approx(squares.sum() * found.scale**2, rel=1e-12)
    assert 0.5 <= np.abs(X.data).max() * found.scale < 1.0


def nothing(n: int, d: int) -> Any:
    return scipy.sparse.csr_matrix((n, d))


@pytest.mark.parametrize(("n", "d", "what"), [(0, 3, "0 sample"), (3, 0, "0 feature")])
def test_empty_tables_are_refused(n: int, d: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        KMeans(1).fit(nothing(n, d))


def test_rows_without_any_stored_value() -> None:
    with pytest.warns(UserWarning, match="distinct clusters"):
        model = KMeans(2, random_state=0).fit(nothing(5, 3))
    assert model.inertia_ == 0.0
    np.testing.assert_array_equal(model.cluster_centers_, np.zeros((2, 3)))
    assert model.predict(nothing(2, 3)).tolist() == [0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value: float) -> None:
    X = texts(50, 20)
    place = 70
    X.data[place] = value
    row = int(np.searchsorted(X.indptr, place, side="right")) - 1
    match = f"Input X contains .* at row {row}, column {X.indices[place]}\\. .*X.data"
    model = KMeans(3, random_state=0).fit(texts(50, 20))
    for call in (
        KMeans(3).fit, MiniBatchKMeans(3).fit, MiniBatchKMeans(3).partial_fit, model.predict,
        model.transform, model.score, lambda X: k_means(X, 3), lambda X: kmeans_plusplus(X, 3),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            call(X)


def broken(what: str) -> Any:
    X = texts(50, 20)
    if what == "column":
        X.indices[3] = 20
    elif what == "negative column":
        X.indices[3] = -1
    elif what == "start":
        X.indptr[0] = 1
    elif what == "falling":
        X.indptr[5] = X.indptr[8]
    elif what == "end":
        X.indptr[-1] += 1
    elif what == "length":
        X.indices = X.indices[:-5]
    return X


@pytest.mark.parametrize("what", ["column", "negative column", "start", "falling", "end", "length"])
def test_broken_matrices_are_refused(what: str) -> None:
    """A kernel would read outside of the arrays."""
    with pytest.raises(ValueError, match="X is not a valid sparse matrix"):
        KMeans(3).fit(broken(what))


PLACES = [
    ("csr", "indices"), ("csr", "indptr"), ("csc", "indices"), ("csc", "indptr"),
    ("bsr", "indices"), ("bsr", "indptr"), ("coo", "row"), ("coo", "col"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "where"), PLACES)
@settings(max_examples=15, deadline=None)
@given(
    at=st.floats(0.0, 1.0),
    values=st.sampled_from(
        [[-1], [-(10**7)], [10**8], [-(2**31)], [2**31 - 1], [2**63 - 1, -(2**63), -1]]
    ),
)
def test_places_outside_of_a_matrix_are_refused(
    kind: str, where: str, at: float, values: list[int]
) -> None:
    """A kernel, or SciPy when it converts, would crash.  Integers that wrap around hide a fall."""
    X = texts(50, 20).asformat(kind)
    places = getattr(X, where).astype(np.int64)
    at = int(at * (len(places) - len(values)))
    places[at : at + len(values)] = values
    setattr(X, where, places)
    with pytest.raises(ValueError, match="X is not a valid sparse matrix"):
        table_in_memory(X)


@pytest.mark.parametrize("kind", ["csr", "csc"])
@pytest.mark.parametrize("where", ["indices", "indptr", "data"])
@pytest.mark.parametrize("how", ["not whole", "two dimensions", "short"])
def test_arrays_of_another_kind_are_refused(kind: str, where: str, how: str) -> None:
    if (kind, where, how) == ("csc", "data", "two dimensions"):
        pytest.skip("SciPy flattens them")
    X = texts(50, 20).asformat(kind)
    array = getattr(X, where)
    bad = {"not whole": np.full(len(array), np.nan), "two dimensions": array[:, None]}
    setattr(X, where, bad.get(how, array[:-1]))
    fault = "contains NaN" if (where, how) == ("data", "not whole") else "not a valid sparse matrix"
    with pytest.raises(ValueError, match=fault):
        KMeans(3).fit(X)


@pytest.mark.parametrize("name", [*FORMATS, "bsr_matrix"])
def test_masked_values_are_refused(name: str) -> None:
    """A mask on the stored values would vanish: SciPy and NumPy read what is below it."""
    X = getattr(scipy.sparse, name)(np.eye(4))
    X.data = np.ma.array(X.data)
    expected = KMeans(2, random_state=0).fit(np.eye(4))  # nothing is masked
    np.testing.assert_array_equal(KMeans(2, random_state=0).fit(X).labels_, expected.labels_)
    X.data[2:] = np.ma.masked
    with pytest.raises(ValueError, match=r"X\.data has masked values, the first at position 2"):
        KMeans(2).fit(X)


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="Complex data not supported: X has dtype complex128"):
        KMeans(3).fit(texts(50, 20).astype(complex))
    with pytest.raises(ValueError, match="got 1D array instead"):
        KMeans(3).fit(scipy.sparse.coo_array(np.arange(3.0)))
    odd = texts(50, 20)
    odd.data = odd.data.astype(object)
    with pytest.raises(ValueError, match="X holds values of dtype object"):
        KMeans(3).fit(odd)
    with pytest.raises(ValueError, match="expecting 20 features"):
        KMeans(3, random_state=0).fit(texts(50, 20)).predict(texts(50, 21))


def test_sparse_centers_are_made_dense() -> None:
    X = texts(200, 20)
    start = scipy.sparse.csr_matrix(group_means(X, 3))
    first = KMeans(3, init=start).fit(X)
    second = KMeans(3, init=start.toarray()).fit(X)
    np.testing.assert_array_equal(first.cluster_centers_, second.cluster_centers_)
