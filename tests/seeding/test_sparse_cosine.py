"""Greedy k-means++ on sparse rows by cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse

from fastkmeans import kmeans_plusplus
from fastkmeans._data.problem import open_problem
from fastkmeans._data.tables import table_in_memory
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.seeding.potential import TRY
from fastkmeans._seeding.sparse import ByPasses
from tests.helpers import reference
from tests.helpers.cosine import cosines
from tests.helpers.sparse import of_any_length, texts

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@each_dtype
@pytest.mark.parametrize(("weighted", "spread"), [(False, 2.0), (True, 2.0), (False, 25.0)])
def test_distances_and_potentials(dtype: Any, weighted: bool, spread: float) -> None:
    """Step by step: what is tried, and what becomes a center; also of rows far shorter."""
    X = of_any_length(texts(1500, 120, dtype=dtype), spread)
    weights = np.random.default_rng(0).integers(0, 4, 1500) / 2.0 if weighted else NO_WEIGHTS
    weights.flags.writeable = False
    u, w = reference.directions(X.toarray()), weights if weighted else np.ones(1500)
    moving = u.any(axis=1)
    full = np.flatnonzero(moving)
    with open_problem(table_in_memory(X).rows, weights, 2, 1e9, True) as problem:
        seeder = ByPasses(problem)
        known = np.where(moving, np.inf, 0.0)
        for chosen, others in ((5, [7]), (8, [100, 8, 9]), (300, [2, 3, 4, 5, 6, 10, 300])):
            items = full[np.array(others if chosen in others else [chosen])]
            chosen = full[chosen]
            winner = items.tolist().index(chosen)
            distances = np.where(moving[:, None], reference.squared_distances(u, u[items]), np.inf)
            if len(items) > 1:
                expected = np.minimum(known[:, None], distances).T @ w
                np.testing.assert_allclose(seeder._visit(items, TRY), expected, rtol=1e-12)
            seeder._visit(items, winner)
            known = np.minimum(known, distances[:, winner])
            np.testing.assert_allclose(seeder.nearest.closest, known, rtol=1e-9, atol=1e-25)
            assert seeder.nearest.closest[chosen] == 0.0


@each_dtype
def test_seeding_is_by_cosine(dtype: Any) -> None:
    """It is as good on rows of any length as on those of length 1; none of length 0 is chosen."""
    X, found, same = of_any_length(texts(2000, 150, dtype=dtype), 2.0), [], []
    X = scipy.sparse.vstack([X, scipy.sparse.csr_matrix((500, 150), dtype=dtype)]).tocsr()
    u = reference.directions(X.toarray())
    full = np.flatnonzero(u.any(axis=1))
    for seed in range(6):
        centers, indices = kmeans_plusplus(X, 30, metric="cosine", random_state=seed)
        assert set(indices.tolist()) <= set(full.tolist())
        assert centers.dtype == dtype
        np.testing.assert_allclose(centers, u[indices], atol=2 * np.finfo(dtype).eps)
        found.append((1.0 - cosines(u[full], centers).max(axis=1)).sum())
        _, others = kmeans_plusplus(u[full], 30, random_state=seed)
        same.append((1.0 - cosines(u[full], u[full][others]).max(axis=1)).sum())
    assert np.mean(found) == pytest.approx(np.mean(same), rel=0.05)
