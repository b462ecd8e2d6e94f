"""The silhouette, exact: mean distances of each row to the rows of every cluster."""

import numpy as np

from .._data.rows import Rows
from .._data.scaling import power_of_two
from .._runtime.arrays import Floats
from .labels import Clustering
from .simplified import silhouettes


def silhouette_of_rows(
    rows: Rows,
    weights: Floats,
    clustering: Clustering,
    n_threads: int | None,
    by_cosine: bool,
) -> Floats:
    """Return the silhouette of each row."""
    labels, k = clustering
    n = rows.shape[0]
    X = rows.take(np.arange(n)).astype(np.float64)
    X *= power_of_two(float(np.abs(X).max()), X.dtype)
    if by_cosine:
        lengths = np.sqrt((X * X).sum(axis=1))[:, None]
        X = X / np.where(lengths > 0.0, lengths, 1.0)
    w = weights if weights.size else np.ones(n)
    total = np.bincount(labels, w, k)
    out = np.empty(n)
    height = max(1, (1 << 22) // (n * X.shape[1]) + 1)
    for at in range(0, n, height):
        part = slice(at, min(at + height, n))
        if by_cosine:
            distances = 1.0 - X[part] @ X.T
        else:
            distances = np.sqrt(((X[part, None, :] - X) ** 2).sum(axis=2))
        sums = np.array([np.bincount(labels, w * row, k) for row in distances])
        places = np.arange(len(sums)), labels[part]
        mine = sums[places] / np.maximum(total[labels[part]] - 1.0, 1e-300)
        with np.errstate(divide="ignore", invalid="ignore"):
            means = sums / total
        means[places] = np.inf
        means[:, total == 0.0] = np.inf
        out[part] = silhouettes(mine, means.min(axis=1))
    out[(total[labels] <= 1.0) | (w == 0.0)] = 0.0
    return out
