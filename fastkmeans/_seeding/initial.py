"""Initial centers: random rows, greedy k-means++, an array, a callable."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._data.problem import Problem
from .._data.rows import CHUNK, largest
from .._data.validation import as_centers
from .._runtime.arrays import Floats
from .plusplus import plus_plus


def initial_centers(
    init: str | ArrayLike | Callable[..., ArrayLike],
    X: Any,
    problem: Problem,
    n_clusters: int,
    rng: np.random.Generator | None,
) -> Floats:
    """Return the initial centers that ``init`` names, float64; an array draws nothing."""
    rows = problem.rows
    if isinstance(init, str):
        assert rng is not None
        if init == "k-means++":
            indices = plus_plus(problem, n_clusters, rng)
        else:
            indices = random_rows(rows.shape[0], problem.weights, n_clusters, rng)
        return rows.take(indices).astype(np.float64)
    if callable(init):
        assert rng is not None
        state = np.random.RandomState(rng.integers(0, 1 << 31, size=4))
        array = getattr(rows, "array", None)  # the table in files, if X only names it
        centers = init(X if array is None else array, n_clusters, random_state=state)
    else:
        centers = init
    return as_centers(centers, rows.shape[1], "init", n_clusters)


def random_rows(
    n_samples: int, weights: Floats, n_clusters: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return distinct rows, drawn by weight; rows of weight zero come last."""
    if not weights.size:
        return rng.choice(n_samples, n_clusters, replace=False)

    # Efraimidis and Spirakis (2006): the largest u^(1/w) are a sample without replacement.
    # log(w) - log(-log(u)) has the same order, and does not overflow for any weight.
    # NumPy's logarithm may differ in its last bit between processors, but two keys that
    # close are as rare as equal draws.
    def keys() -> Iterator[Floats]:
        for start in range(0, n_samples, CHUNK):
            part = weights[start : start + CHUNK]
            with np.errstate(divide="ignore"):
                yield np.log(part) - np.log(-np.log(rng.random(len(part))))

    return largest(keys(), n_clusters)
