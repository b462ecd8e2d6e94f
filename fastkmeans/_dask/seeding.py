"""Initial centers of rows on a cluster.

``k-means++`` and callables get a sample of the rows, drawn evenly or by weight, which comes to the
client.  A table that is no larger than the sample comes as it is: the centers are then those of a
local fit.  Of a sample, ``k-means++`` chooses by k-means|| (``parallel``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from .._data.sparse import is_sparse
from .._data.validation import as_centers, directions
from .._estimators.functions import kmeans_plusplus
from .._runtime.arrays import Floats
from .parallel import candidates
from .passes import Passes
from .worker import Expected, Measured, Share, draw, keys, merge_keys, merge_lists, take

LEAST_SAMPLE, PER_CLUSTER = 1 << 16, 256
"""Rows of a sample: at least so many, and so many for each cluster."""


def sample_size(n_clusters: int) -> int:
    """Return how many rows to draw for ``n_clusters`` centers."""
    return max(LEAST_SAMPLE, PER_CLUSTER * n_clusters)


def initial_centers(
    passes: Passes,
    measured: Measured,
    expected: Expected,
    model: Any,
    rng: np.random.Generator | None,
) -> Floats:
    """Return the initial centers that ``model.init`` names, float64."""
    k, init, by_cosine = model.n_clusters, model.init, model.metric == "cosine"
    if isinstance(init, str) or callable(init):
        assert rng is not None
        if isinstance(init, str) and init == "random":
            centers = _random_rows(passes, measured, expected, k, rng)
        else:
            rows, weights = _sample(passes, measured, expected, sample_size(k), rng)
            if callable(init):
                state = np.random.RandomState(rng.integers(0, 1 << 31, size=4))
                centers = init(rows, k, random_state=state)
            else:
                if sum(measured.n_rows) > sample_size(k):
                    rows, weights = candidates(rows, k, rng, by_cosine)
                centers, _ = kmeans_plusplus(
                    rows, k, sample_weight=weights, random_state=rng, metric=model.metric
                )
    else:
        centers = init
    checked = as_centers(centers, measured.n_features, "init", k)
    return directions(checked, "init") if by_cosine else checked


def _sample(
    passes: Passes, measured: Measured, expected: Expected, size: int, rng: np.random.Generator
) -> tuple[Any, Floats | None]:
    """Return a sample of the rows, and its weights if it is the whole table."""
    n_rows, weighted = np.array(measured.n_rows), passes.partitions.weights[0] is not None
    counts, seed = np.full(len(n_rows), -1), np.zeros(4, np.int64)
    if n_rows.sum() > size:
        seed = rng.integers(0, 1 << 32, size=4)
        share = np.array(measured.weights)
        counts = rng.multinomial(size, share / share.sum())
        if not weighted:
            counts = np.minimum(counts, n_rows)
    own = [Share(i, int(count), seed) for i, count in enumerate(counts)]
    only = [i for i in range(len(n_rows)) if counts[i] and n_rows[i]]
    found = passes.reduce("sample", draw, merge_lists, expected, own, only)
    rows = _stacked([rows for rows, _ in found])
    weights = np.concatenate([weights for _, weights in found]) if weighted else None
    return rows, weights


def _stacked(blocks: Sequence[Any]) -> Any:
    """Return blocks of rows as one array, or as one sparse matrix."""
    if not is_sparse(blocks[0]):
        return np.concatenate(blocks)
    from .._runtime.extras import need

    return need("scipy.sparse", "sklearn").vstack(blocks, format="csr")


def _random_rows(
    passes: Passes, measured: Measured, expected: Expected, k: int, rng: np.random.Generator
) -> Floats:
    """Return distinct rows, drawn evenly as on one machine, or by weight."""
    if passes.partitions.weights[0] is None:
        edges = np.cumsum(measured.n_rows)
        chosen = rng.choice(int(edges[-1]), k, replace=False)
        numbers = np.searchsorted(edges, chosen, side="right")
        rows = chosen - (edges - measured.n_rows)[numbers]
    else:
        seed = rng.integers(0, 1 << 32, size=4)
        own = [Share(i, k, seed) for i in range(len(passes))]
        _, numbers, rows = passes.reduce("sample", keys, partial(merge_keys, k), expected, own)
    only = np.unique(numbers).tolist()
    mine = [(i, rows[numbers == i]) for i in range(len(passes))]
    found = passes.reduce("sample", take, merge_lists, expected, mine, only)
    centers = np.empty((k, measured.n_features))
    for i, points in zip(only, found, strict=True):
        centers[numbers == i] = points
    return centers
