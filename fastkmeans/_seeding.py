"""Initial centers: random rows, greedy k-means++, an array, a callable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._assign import work_of
from ._frame import Frame, frame_of
from ._parallel import Team
from ._plusplus import plus_plus
from ._rows import CHUNK, Rows, largest
from ._validation import (
    as_centers,
    as_generator,
    as_table,
    check_count,
    check_fits,
    first_not_finite,
    weights_of,
)


def initial_centers(
    init: str | ArrayLike | Callable[..., ArrayLike],
    X: Any,
    rows: Rows,
    weights: NDArray[np.float64],
    n_clusters: int,
    frame: Frame,
    team: Team,
    rng: np.random.Generator | None,
) -> NDArray[np.float64]:
    """Return the initial centers that ``init`` asks for, float64; an array draws nothing."""
    if isinstance(init, str):
        assert rng is not None
        if init == "k-means++":
            indices = plus_plus(rows, weights, n_clusters, frame, team, rng)
        else:
            indices = random_rows(rows.shape[0], weights, n_clusters, rng)
        return rows.take(indices).astype(np.float64)
    if callable(init):
        assert rng is not None
        state = np.random.RandomState(rng.integers(0, 1 << 31, size=4))
        array = getattr(rows, "array", None)  # of a table in files, which X may only name
        centers = init(X if array is None else array, n_clusters, random_state=state)
    else:
        centers = init
    return as_centers(centers, rows.shape[1], "init", n_clusters)


def random_rows(
    n_samples: int, weights: NDArray[np.float64], n_clusters: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return distinct rows, drawn by weight; rows of weight zero only if need be."""
    if not weights.size:
        return rng.choice(n_samples, n_clusters, replace=False)

    # Efraimidis and Spirakis (2006): the largest u^(1/w) are a sample without replacement.
    # The logarithm of their logarithm has the same order, and room for any weight.
    # NumPy's logarithm may differ in its last bit between processors: two keys that close
    # are as rare as equal draws.
    def keys() -> Iterator[NDArray[np.float64]]:
        for start in range(0, n_samples, CHUNK):
            part = weights[start : start + CHUNK]
            with np.errstate(divide="ignore"):
                yield np.log(part) - np.log(-np.log(rng.random(len(part))))

    return largest(keys(), n_clusters)


def kmeans_plusplus(
    X: Any,
    n_clusters: int,
    *,
    sample_weight: Any = None,
    random_state: Any = None,
    n_local_trials: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Choose initial centers by greedy k-means++.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The rows to choose from.
    n_clusters : int
        The number of centers.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row; a row of weight 2 counts as two.
    random_state : None, int, RandomState or Generator
        Source of the draws.
    n_local_trials : int, optional
        Candidates per center; ``2 + int(log(n_clusters))`` by default.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features), float32 or float64
        The chosen rows.
    indices : ndarray of shape (n_clusters,), int64
        Their places in ``X``.

    Raises
    ------
    ValueError
        If there are fewer rows than clusters, or a value is not finite.

    References
    ----------
    Arthur and Vassilvitskii (2007), "k-means++: The Advantages of Careful Seeding", SODA.
    """
    table = as_table(X)
    rows = table.rows
    k = check_count(n_clusters, "n_clusters")
    if n_local_trials is not None:
        n_local_trials = check_count(n_local_trials, "n_local_trials")
    check_fits(k, rows.shape[0])
    weights = weights_of(table, sample_weight).values
    with Team(None, work_of(rows.shape, 8)) as team:
        frame = frame_of(rows, weights, team)
        if frame is None:
            raise first_not_finite(table)
        rng = as_generator(random_state)
        indices = plus_plus(rows, weights, k, frame, team, rng, n_local_trials)
    return rows.take(indices), indices
