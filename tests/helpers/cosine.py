"""Rows of many lengths, and spherical k-means, for tests of the cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._data.problem import open_problem
from fastkmeans._data.tables import table_in_memory
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._lloyd.run import Workspace
from tests.helpers import reference
from tests.helpers.data import blobs

Array = NDArray[Any]


def rows_of_many_lengths() -> Array:
    """Twelve directions, lengths over four powers of ten; every fiftieth row has length 0."""
    rng = np.random.default_rng(0)
    X = blobs(rng, 4000, 6, 12, 1.0) * 10.0 ** rng.uniform(-2, 2, (4000, 1))
    X[::50] = 0.0
    return X


def spherical(kind: Any = KMeans, k: int = 12, **options: Any) -> Any:
    return kind(k, metric="cosine", random_state=0, **options)


def cosines(X: Array, centers: Array) -> Array:
    return reference.directions(X) @ centers.T


def labels_by(X: Any, sequence: list[Array], n_threads: int = 1) -> list[Array]:
    """Label the rows by one set of centers after the other, in one run."""
    seen, rows = [], table_in_memory(X).rows
    with open_problem(rows, NO_WEIGHTS, n_threads, 1e12, True) as problem:
        run = Workspace(problem, len(sequence[0])).begin(sequence[0], len(sequence))
        for centers in sequence:
            run.centers[:] = centers
            run.step()
            seen.append(run.labels.copy())
    return seen


def drifting(start: Array, n: int = 6) -> list[Array]:
    """Return centers that move less and less, as those of a run do; some stay."""
    rng, sequence = np.random.default_rng(0), [reference.directions(start)]
    for size in 10.0 ** -np.arange(1.0, n):
        step = rng.normal(size=start.shape) * size * (start != 0.0)
        step[rng.random(len(start)) < 0.3] = 0.0
        sequence.append(reference.directions(sequence[-1] + step))
    return sequence
