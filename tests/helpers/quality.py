"""Indices of quality in float64 NumPy, written to be read; weights are repeated rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def distances(X: Array, Y: Array) -> Array:
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    return np.sqrt(((X[:, None, :] - Y) ** 2).sum(axis=2))


def cosine_distances(X: Array, Y: Array) -> Array:
    """Return 1 - cos; a row of zeros has cosine 0 to all, and to itself no distance."""

    def unit(Z: Array) -> Array:
        Z = np.asarray(Z, np.float64)
        lengths = np.sqrt((Z**2).sum(axis=1))[:, None]
        return Z / np.where(lengths > 0.0, lengths, 1.0)

    return 0.5 * distances(unit(X), unit(Y)) ** 2


def silhouettes(matrix: Array, labels: Array) -> Array:
    """Return the silhouette of each row from all distances, cluster by cluster."""
    out = np.zeros(len(labels))
    for i, label in enumerate(labels):
        own = np.flatnonzero(labels == label)
        if len(own) == 1:
            continue
        a = matrix[i, own].sum() / (len(own) - 1)
        b = min(matrix[i, labels == other].mean() for other in set(labels.tolist()) - {label})
        out[i] = (b - a) / max(a, b) if max(a, b) > 0.0 else 0.0
    return out


def simplified(matrix: Array, labels: Array) -> Array:
    """Return the simplified silhouette from the distances of rows to centers."""
    out = np.zeros(len(labels))
    for i, label in enumerate(labels):
        if (labels == label).sum() > 1:
            a, b = matrix[i, label], np.delete(matrix[i], label).min()
            out[i] = (b - a) / max(a, b) if max(a, b) > 0.0 else 0.0
    return out


def bic(X: Array, labels: Array) -> float:
    """Return the criterion from the density of every row, one at a time."""
    X = np.asarray(X, np.float64)
    (n, d), values = X.shape, sorted(set(labels.tolist()))
    means = {j: X[labels == j].mean(axis=0) for j in values}
    squares = [float(((x - means[j]) ** 2).sum()) for x, j in zip(X, labels.tolist(), strict=True)]
    variance = sum(squares) / (n * d)
    total = 0.0
    for square, j in zip(squares, labels.tolist(), strict=True):
        share = (labels == j).mean()
        density = -0.5 * d * math.log(2 * math.pi * variance) - square / (2 * variance)
        total += math.log(share) + density
    return -2.0 * total + (len(values) * (d + 1)) * math.log(n)
