"""k-means in float64 NumPy, written to be read: what the library's answers are held against.

Nothing of the library is imported.  Distances are sums of squared differences, feature by
feature in order; ties go to the lowest index.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


class Result(NamedTuple):
    labels: Array
    inertia: float
    centers: Array
    n_iter: int


def squared_distances(X: ArrayLike, centers: ArrayLike) -> Array:
    X, centers = np.asarray(X, np.float64), np.asarray(centers, np.float64)
    total = np.zeros((len(X), len(centers)))
    square = np.empty_like(total)
    for f in range(X.shape[1]):
        np.subtract(X[:, f, None], centers[:, f], out=square)
        square *= square
        total += square
    return total


def closest(X: Array, centers: Array) -> Array:
    chunk = max(1, 16_384 // len(centers))  # distances that stay in the cache
    parts = [X[i : i + chunk] for i in range(0, len(X), chunk)]
    return np.concatenate([squared_distances(part, centers).argmin(axis=1) for part in parts])


def inertia(X: Array, labels: Array, centers: Array, weights: ArrayLike = 1.0) -> float:
    squares = ((np.asarray(X, np.float64) - centers[labels]) ** 2).sum(axis=1)
    return float((squares * weights).sum())


def variance(X: Array, weights: Array) -> float:
    """Return the mean over the features of their weighted variance."""
    mean = np.average(X, axis=0, weights=weights)
    return float(np.average((X - mean) ** 2, axis=0, weights=weights).mean())


def means(X: Array, labels: Array, weights: Array, centers: Array) -> Array:
    """Return the weighted means; a cluster without weight keeps its center."""
    new = np.array(centers, np.float64)
    shift = X.mean(axis=0)  # small summands, small rounding
    for j in range(len(new)):
        own = labels == j
        if weights[own].sum() > 0.0:
            new[j] = np.average(X[own] - shift, axis=0, weights=weights[own]) + shift
    return new


def gains(X: ArrayLike, labels: Array, k: int, weights: Array) -> Array:
    """Return how much each move of a row to a cluster lowers the inertia; the own cluster: -inf.

    Both means follow the row.  A row that is all the weight of its cluster does not move.
    """
    X = np.asarray(X, np.float64)
    centers = means(X, labels, weights, np.zeros((k, X.shape[1])))
    squares, rows = squared_distances(X, centers), np.arange(len(X))
    totals = np.bincount(labels, weights, k)
    others = totals[labels] - weights
    alone = np.bincount(labels[weights > 0.0], minlength=k)[labels] < 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = weights * totals[labels] / others * squares[rows, labels]
        right = weights[:, None] * totals / (totals + weights[:, None]) * squares
    found: Array = left[:, None] - np.nan_to_num(right)
    found[alone | (weights == 0.0)] = -np.inf
    found[rows, labels] = -np.inf
    return found


def single_move_optimal(X: ArrayLike, labels: Array, k: int, weights: Array) -> bool:
    """Return whether no move of one row to another cluster lowers the inertia."""
    return not bool((gains(X, labels, k, weights) > 1e-9).any())


def relocate(X: Array, labels: Array, weights: Array, centers: Array) -> tuple[Array, int]:
    """Give each empty cluster the row farthest from its own center; return labels, count.

    No cluster gives its last row, and no row is taken that lies on its center.
    """
    labels = labels.copy()
    far = ((X - centers[labels]) ** 2).sum(axis=1)
    counted = weights > 0.0
    candidates = [i for i in np.argsort(-far, kind="stable") if counted[i] and far[i] > 0.0]
    empty = [j for j in range(len(centers)) if not (counted & (labels == j)).any()]
    given = 0
    for row in candidates:
        if given < len(empty) and (counted & (labels == labels[row])).sum() > 1:
            labels[row] = empty[given]
            given += 1
    return labels, given


def iterations(X: Array, centers: Array, tol: float, weights: Array) -> Iterator[Array]:
    """Yield the centers after each iteration of a run, to its end."""
    threshold = tol * variance(X, weights)
    before, small = np.full(len(X), -1), False
    while not small:
        labels = closest(X, centers)
        moved, given = labels, 0
        if set(range(len(centers))) - set(labels[weights > 0.0].tolist()):
            moved, given = relocate(X, labels, weights, centers)
        if np.array_equal(labels, before) and not given:
            yield centers
            return
        new = means(X, moved, weights, centers)
        shift = float(((new - centers) ** 2).sum())
        centers, before = new, labels
        if shift <= threshold and not given:
            before = closest(X, centers)
            small = set(before[weights > 0.0].tolist()) == set(range(len(centers)))
        yield centers


def lloyd_at(
    X: ArrayLike,
    centers: ArrayLike,
    most: Sequence[int],
    tol: float = 1e-4,
    sample_weight: ArrayLike | None = None,
) -> dict[int, Result]:
    """Return what ``lloyd`` returns for several numbers of iterations, from one run."""
    X, centers = np.asarray(X, np.float64), np.array(centers, np.float64)
    weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    found = [centers, *islice(iterations(X, centers, tol, weights), max(most))]
    results = {}
    for max_iter in most:
        n_iter = min(max_iter, len(found) - 1)
        labels = closest(X, found[n_iter])
        square = inertia(X, labels, found[n_iter], weights)
        results[max_iter] = Result(labels, square, found[n_iter], n_iter)
    return results


def lloyd(
    X: ArrayLike,
    centers: ArrayLike,
    max_iter: int = 300,
    tol: float = 1e-4,
    sample_weight: ArrayLike | None = None,
) -> Result:
    """Return the result of Lloyd's iterations."""
    return lloyd_at(X, centers, [max_iter], tol, sample_weight)[max_iter]


def lesson_closest(X: Array, centroids: Array) -> Array:
    """Return the lesson's ``idx``, in plain Python: the first of the nearest centroids."""
    points = [tuple(centroid) for centroid in centroids.tolist()]
    rows = ([math.dist(x, point) for point in points] for x in X.tolist())
    return np.array([distances.index(min(distances)) for distances in rows])


def lesson_means(X: Array, idx: Array, K: int) -> Array:
    """Return the lesson's new centroids, as one product of matrices over the members' counts."""
    member = (np.arange(K)[:, None] == idx).astype(np.float64)
    return member @ X / member.sum(axis=1, keepdims=True)


def directions(X: ArrayLike) -> Array:
    """Return rows brought to length 1, in float64; rows of zeros stay as they are."""
    X = np.asarray(X, np.float64)
    X = X / np.where(X.any(axis=1), np.abs(X).max(axis=1), 1.0)[:, None]
    lengths = np.sqrt((X**2).sum(axis=1))
    return X / np.where(lengths > 0.0, lengths, 1.0)[:, None]


def products(X: ArrayLike, centers: ArrayLike) -> Array:
    """Return the product of each row with each center, added up feature by feature."""
    X, centers = np.asarray(X, np.float64), np.asarray(centers, np.float64)
    total = np.zeros((len(X), len(centers)))
    for f in range(X.shape[1]):
        total += X[:, f, None] * centers[:, f]
    return total


def closest_directions(X: ArrayLike, centers: ArrayLike) -> Array:
    """Return the center of largest cosine of each row; the length of a row does not matter."""
    return products(X, centers).argmax(axis=1)


def spherical(
    X: ArrayLike,
    centers: ArrayLike,
    max_iter: int = 300,
    tol: float = 1e-4,
    sample_weight: ArrayLike | None = None,
) -> Result:
    """Return spherical k-means by Lloyd's iterations, as ``lloyd`` does by distances."""
    X, centers = np.asarray(X, np.float64), directions(centers)
    weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    U, moving = directions(X), weights * X.any(axis=1)
    threshold = tol * variance(U, moving) if moving.any() else 0.0
    before, n_iter, small = np.full(len(X), -1), 0, False
    while n_iter < max_iter and not small:
        n_iter += 1
        labels = closest_directions(X, centers)
        moved, given = labels, 0
        if set(range(len(centers))) - set(labels[moving > 0.0].tolist()):
            moved, given = relocate(U, labels, moving, centers)
        if np.array_equal(labels, before) and not given:
            break
        sums = np.array(
            [(moving[:, None] * U)[moved == j].sum(axis=0) for j in range(len(centers))]
        )
        totals = np.array([moving[moved == j].sum() for j in range(len(centers))])
        turns = np.sqrt((sums**2).sum(axis=1)) > 1e-12 * totals
        new = np.where(turns[:, None], directions(sums), centers)
        shift = float(((new - centers) ** 2).sum())
        centers, before = new, labels
        if shift <= threshold and not given:
            before = closest_directions(X, centers)
            small = set(before[moving > 0.0].tolist()) == set(range(len(centers)))
    labels = closest_directions(X, centers)
    cosines = (U * centers[labels]).sum(axis=1)
    return Result(labels, float((2.0 * (1.0 - cosines) * weights).sum()), centers, n_iter)
