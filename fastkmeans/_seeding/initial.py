"""Initial centers: by the name of a method, from an array, by a callable."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._data.problem import Problem
from .._data.rows import CHUNK, largest
from .._data.validation import as_centers, directions
from .._runtime.arrays import Floats
from .auto import choose_start, find_centers
from .plusplus import plus_plus

METHODS = ("k-means++", "random", "auto")
"""Names of the ways to find initial centers."""


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
        problem = moving(problem, n_clusters)
        if init == "auto":
            return find_centers(problem, n_clusters, rng)
        if init == "k-means++":
            indices = plus_plus(problem, n_clusters, rng)
        else:
            indices = random_rows(rows.shape[0], problem.weights, n_clusters, rng)
        return problem.points(indices)
    if callable(init):
        assert rng is not None
        state = np.random.RandomState(rng.integers(0, 1 << 31, size=4))
        array = getattr(rows, "array", None)  # the table in files, if X only names it
        centers = init(X if array is None else array, n_clusters, random_state=state)
    else:
        centers = init
    centers = as_centers(centers, rows.shape[1], "init", n_clusters)
    return directions(centers, "init") if problem.scaling.by_cosine else centers


def name_of_start(
    init: str | ArrayLike | Callable[..., ArrayLike], problem: Problem, n_clusters: int
) -> str:
    """Return how ``initial_centers`` finds the centers, in a word."""
    if isinstance(init, str):
        if init == "auto":
            return choose_start(moving(problem, n_clusters), n_clusters).name
        return init
    return "callable" if callable(init) else "array"


def moving(problem: Problem, n_clusters: int) -> Problem:
    """Return a problem in which rows of length 0 have weight 0: they cannot be centers."""
    lengths = problem.lengths
    if lengths is None or not lengths.n_zero:
        return problem
    n_left = problem.shape[0] - lengths.n_zero
    if n_left < n_clusters:
        raise ValueError(
            f"Only {n_left} of the {problem.shape[0]} rows to draw centers from have a length "
            f"above 0, fewer than n_clusters={n_clusters}: by cosine no other can be a center. Ask "
            "for fewer clusters."
        )
    weights = (lengths.inverse > 0.0).astype(np.float64)
    if problem.weights.size:
        weights *= problem.weights
    if not weights.any():
        raise ValueError(
            "sample_weight is zero for every row of a length above 0: by cosine at least one such "
            "row must count."
        )
    weights.flags.writeable = False
    return problem._replace(weights=weights)


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
