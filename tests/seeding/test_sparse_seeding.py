"""Greedy k-means++ on sparse rows: distances, potentials, draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.cluster
from numpy.typing import NDArray

from fastkmeans import kmeans_plusplus
from fastkmeans._data.problem import open_problem
from fastkmeans._data.tables import table_in_memory
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.seeding.potential import TRY
from fastkmeans._seeding.sparse import ByPasses
from tests.helpers import reference
from tests.helpers.sparse import texts

Array = NDArray[Any]


def potential(X: Any, centers: Array, weights: Array | float = 1.0) -> float:
    squares = reference.squared_distances(X.toarray(), centers)
    return float((squares.min(axis=1) * weights).sum())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distances_and_potentials(dtype: Any, weighted: bool) -> None:
    """Step by step: what is tried, and what becomes a center."""
    X = texts(1500, 120, dtype=dtype) * 3.0
    weights = np.random.default_rng(0).integers(0, 4, 1500) / 2.0 if weighted else NO_WEIGHTS
    weights.flags.writeable = False
    dense, w = X.toarray().astype(np.float64), weights if weighted else np.ones(1500)
    with open_problem(table_in_memory(X).rows, weights, 2, 1e9) as problem:
        seeder, scale = ByPasses(problem), problem.scaling.scale
        known = np.full(1500, np.inf)
        for chosen, others in ((5, [7]), (8, [100, 8, 9]), (300, [2, 3, 4, 5, 6, 10, 300])):
            items = np.array(others if chosen in others else [chosen])
            winner = items.tolist().index(chosen)
            if len(items) > 1:
                tried = seeder._visit(items, TRY) / scale**2
                distances = reference.squared_distances(dense, dense[items])
                expected = np.minimum(known[:, None], distances).T @ w
                np.testing.assert_allclose(tried, expected, rtol=1e-12)
            seeder._visit(items, winner)
            known = np.minimum(known, reference.squared_distances(dense, dense[[chosen]])[:, 0])
            found = seeder.nearest.closest / scale**2
            np.testing.assert_allclose(found, known, rtol=1e-9, atol=0)
            assert found[chosen] == 0.0
            sums = np.add.reduceat(known * w, np.arange(0, 1500, 256))
            np.testing.assert_allclose(seeder.nearest.group_sums / scale**2, sums, rtol=1e-9)
        assert not seeder._table.any()


@pytest.mark.parametrize("k", [1, 12, 200])
def test_as_good_as_scikit_learn(k: int) -> None:
    X = texts(2000, 150)
    ours = [potential(X, kmeans_plusplus(X, k, random_state=s)[0]) for s in range(6)]
    theirs = [
        potential(X, sklearn.cluster.kmeans_plusplus(X, k, random_state=s)[0]) for s in range(6)
    ]
    assert np.mean(ours) < 1.03 * np.mean(theirs)


def test_more_candidates_than_lanes() -> None:
    X = texts(1000, 100)
    few = [potential(X, kmeans_plusplus(X, 20, random_state=s)[0]) for s in range(5)]
    many = [
        potential(X, kmeans_plusplus(X, 20, random_state=s, n_local_trials=19)[0]) for s in range(5)
    ]
    assert np.mean(many) < np.mean(few)


def test_equal_rows_are_chosen_once() -> None:
    """Rows far from the origin that hardly differ, each several times."""
    rng = np.random.default_rng(0)
    distinct = np.zeros((25, 30))
    distinct[:, 3:9] = 1e3 + rng.normal(size=(25, 6)) * 1e-6
    X = scipy.sparse.csr_matrix(np.repeat(distinct, 8, axis=0)[rng.permutation(200)])
    centers, _ = kmeans_plusplus(X, 25, random_state=0)
    assert len(np.unique(centers, axis=0)) == 25


def test_rows_without_weight_are_not_chosen() -> None:
    X = texts(400, 60)
    weights = np.zeros(400)
    weights[::3] = 2.0
    _, indices = kmeans_plusplus(X, 40, sample_weight=weights, random_state=0)
    assert (indices % 3 == 0).all()
    assert len(set(indices.tolist())) == 40
