"""Greedy k-means++ on sparse rows by postings: the same rows as by passes over all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from fastkmeans import kmeans_plusplus
from fastkmeans._data.problem import open_problem
from fastkmeans._data.sparse import sparse_rows
from fastkmeans._data.tables import table_in_memory
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.seeding.potential import TRY
from fastkmeans._seeding import sparse
from fastkmeans._seeding.sparse import ByPasses, ByPostings, postings_pay
from tests.helpers.sparse import of_any_length, texts

Array = NDArray[Any]
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut small tables into several ranges, too."""
    monkeypatch.setattr(sparse, "RANGE_ROWS", 256)
    monkeypatch.setattr(sparse, "RANGE_VALUES", 1)


def table(kind: str, dtype: Any, n: int = 1500, d: int = 120) -> Any:
    """Return texts, of length 1 or of any; with negative values; or with equal and empty rows."""
    X, rng = texts(n, d, dtype=dtype), np.random.default_rng(0)
    if kind == "signs":
        X.data *= rng.choice([-1, 1], X.nnz).astype(dtype)
    elif kind == "lengths":
        X = of_any_length(X, 3.0)
    elif kind == "equal":
        X = scipy.sparse.vstack([X[: n // 5]] * 4 + [X[: n // 5] * 0.0]).tocsr()
        X.data += dtype(1e3) * (X.data != 0.0)
    return X


KINDS = ["texts", "signs", "lengths", "equal"]


@each_dtype
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("by_cosine", "weighted"), [(False, False), (False, True), (True, True)])
def test_gains_and_distances(dtype: Any, kind: str, by_cosine: bool, weighted: bool) -> None:
    """Step by step: gains are what the potentials of passes lose, and distances have their bits."""
    X, rng = table(kind, dtype), np.random.default_rng(1)
    weights = rng.integers(0, 4, X.shape[0]) / 2.0 if weighted else NO_WEIGHTS
    weights.flags.writeable = False
    full = np.flatnonzero(abs(X).sum(axis=1))
    with open_problem(table_in_memory(X).rows, weights, 2, 1e9, by_cosine) as problem:
        passes, posts = ByPasses(problem), ByPostings(problem)
        assert len(posts._firsts) > 2
        for step in range(25):
            items = rng.choice(full, 7 if step else 1, replace=False)
            winner = items[-1:]
            if step:
                before = passes.nearest.group_sums.sum()
                lost = before - passes._visit(items, TRY)
                np.testing.assert_allclose(posts.meet(items, False), lost, atol=1e-12 * before)
            passes._visit(items, len(items) - 1)
            posts.meet(winner, True)
            np.testing.assert_array_equal(posts.nearest.closest, passes.nearest.closest)
            np.testing.assert_array_equal(posts.nearest.group_sums, passes.nearest.group_sums)
            assert not posts._postings.products.any()


def test_few_rows_are_visited() -> None:
    """Without negative values a bound is the least norm; with some there may be none at first."""
    for kind in ("lengths", "signs"):
        X = table(kind, np.float64)
        with open_problem(table_in_memory(X).rows, NO_WEIGHTS, 2, 1e9) as problem:
            posts, items = ByPostings(problem), np.arange(5, 900, 50)
            for step, row in enumerate(items):
                posts.meet(np.array([row]), True)
                least = posts._norms[items[: step + 1]].min()
                if kind == "lengths":
                    assert (posts._bounds == least).all()
                else:
                    assert (posts._bounds >= least).all()
                    assert step or np.isinf(posts._bounds).any()


@each_dtype
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_rows_are_those_of_passes(
    dtype: Any, kind: str, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = table(kind, dtype)
    chosen = []
    for pays in (True, False):
        monkeypatch.setattr(sparse, "postings_pay", lambda *_, pays=pays: pays)
        chosen.append([kmeans_plusplus(X, 60, random_state=s, metric=metric)[1] for s in range(2)])
    np.testing.assert_array_equal(*chosen)


def test_gains_do_not_depend_on_the_threads() -> None:
    X, gains = table("lengths", np.float64), []
    for n_threads in (1, 2):
        with open_problem(table_in_memory(X).rows, NO_WEIGHTS, n_threads, 1e9) as problem:
            posts = ByPostings(problem)
            posts.meet(np.array([3]), True)
            gains.append(posts.meet(np.arange(40, 47), False))
    np.testing.assert_array_equal(*gains)


@each_dtype
def test_when_postings_pay(dtype: Any) -> None:
    """Not for few centers, nor if columns are full, nor if postings are large beside dense rows."""
    wide = sparse_rows(texts(3000, 4000, dtype=dtype), "X")
    assert postings_pay(wide, 50, 5)
    assert not postings_pay(wide, 1, 2)
    assert not postings_pay(sparse_rows(texts(3000, 60, dtype=dtype), "X"), 50, 5)
    common = scipy.sparse.csr_matrix(np.ones((3000, 25), dtype))
    rows = sparse_rows(scipy.sparse.hstack([common, texts(3000, 4000, dtype=dtype)]).tocsr(), "X")
    assert not postings_pay(rows, 50, 5)
