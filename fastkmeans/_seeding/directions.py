"""Greedy k-means++ on sparse rows by cosine: they count with length 1, but stay as they are."""

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem
from .._kernels.seeding.potential import draw
from .._runtime.arrays import Floats
from .sparse import _Seeder


def choose_directions(
    problem: Problem, n_clusters: int, trials: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the rows that greedy k-means++ chooses, in order, with ``trials`` draws for each."""
    seeder = _Directions(problem)
    chosen = np.empty(n_clusters, np.int64)
    for t in range(n_clusters):
        drawn = np.empty(trials if t else 1, np.int64)
        draw(rng.random(len(drawn)), seeder.nearest, drawn)
        chosen[t] = seeder.choose(drawn)
    return chosen


class _Directions(_Seeder):
    """The distances of the rows to the centers so far, squared: ``2 (1 - cos)``."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        moving = problem.inverse > 0.0
        self._norms[:] = moving
        self.nearest.closest[~moving] = 0.0  # rows of length 0 are never drawn

    def _coordinates(self, row: int, part: slice) -> Floats:
        # NumPy 1 would multiply in float32, if the rows are float32.
        stored = super()._coordinates(row, part).astype(np.float64)
        directions: Floats = stored * self.nearest.inverse[row]
        return directions
