"""Greedy k-means++ on sparse rows: one pass over the stored values per center."""

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem
from .._data.sparse import SparseRows
from .._kernels.seeding.potential import GROUP_ROWS, TRY, Nearest, draw
from .._kernels.sparse.seeding import CANDIDATES, NOBODY, Candidates, row_norms, visit
from .._runtime.arrays import Floats, aligned
from .._runtime.threads import MANY_RANGES, SMALL_TABLE, cut


def choose_rows(
    problem: Problem, n_clusters: int, trials: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the rows that greedy k-means++ chooses, in order, with ``trials`` draws for each."""
    seeder = _Seeder(problem)
    chosen = np.empty(n_clusters, np.int64)
    for t in range(n_clusters):
        drawn = np.empty(trials if t else 1, np.int64)
        draw(rng.random(len(drawn)), seeder.nearest, drawn)
        chosen[t] = seeder.choose(drawn)
    return chosen


class _Seeder:
    """The distances of the rows to the centers so far; by cosine the rows count with length 1."""

    def __init__(self, problem: Problem) -> None:
        rows = problem.rows
        assert isinstance(rows, SparseRows)
        n, d = rows.shape
        self._rows, self._team, self._scale = rows, problem.team, problem.scaling.scale
        group_sums = np.zeros(-(-n // GROUP_ROWS))
        self.nearest = Nearest(
            problem.weights, np.full(n, np.inf), np.ones(n, np.uint16), group_sums, problem.inverse
        )
        self._inverse, self._norms = problem.inverse, np.empty(n)
        large = n + len(rows.values) > SMALL_TABLE
        self._ranges, self._prange = cut(n, MANY_RANGES if large else 1), large
        self._table = aligned((d, CANDIDATES), np.float64)
        self._table[:] = 0.0
        if self._inverse.size:
            self._norms[:] = self._inverse > 0.0
            self.nearest.closest[self._inverse == 0.0] = 0.0  # rows of length 0 are never drawn
        else:
            arguments = rows.stored, self._scale, self._norms
            self._team.run(row_norms, rows.values, self._ranges, arguments)

    def choose(self, drawn: NDArray[np.int64]) -> int:
        """Make the best of the drawn rows a center; return it."""
        winner = 0
        if len(drawn) > 1:
            batches = range(0, len(drawn), CANDIDATES)
            tried = [self._visit(drawn[b : b + CANDIDATES], TRY) for b in batches]
            winner = int(np.concatenate(tried).argmin())
            first = winner - winner % CANDIDATES
            if first != batches[-1]:  # its bits were overwritten
                self._visit(drawn[first : first + CANDIDATES], TRY)
            drawn, winner = drawn[first : first + CANDIDATES], winner % CANDIDATES
        self._visit(drawn, winner)
        return int(drawn[winner])

    def _coordinates(self, row: int, part: slice) -> Floats:
        """Return the stored values of a row as those of a candidate."""
        # float32 would lose the values of rows far shorter than the longest.
        values: Floats = self._rows.values[part].astype(np.float64) * self._scale
        return values * self._inverse[row] if self._inverse.size else values

    def _visit(self, items: NDArray[np.int64], winner: int) -> Floats:
        """Try candidates, and return the potential with each; or make one of them a center."""
        indices, starts = self._rows.stored
        parts = [slice(starts[row], starts[row + 1]) for row in items]
        for c, part in enumerate(parts):
            self._table[indices[part], c] = self._coordinates(int(items[c]), part)
        norms = np.full(CANDIDATES, NOBODY)
        norms[: len(items)] = self._norms[items]
        potentials = np.zeros((len(self._ranges) - 1, CANDIDATES))
        arguments = (
            self._rows.stored, self._scale, self._norms,
            Candidates(items, norms, self._table), self.nearest, winner,
        )  # fmt: skip
        self._team.run(
            visit, self._rows.values, self._ranges, arguments, (potentials,), prange=self._prange
        )
        for c, part in enumerate(parts):
            self._table[indices[part], c] = 0.0
        sums: Floats = np.add.reduce(potentials, axis=0)
        return sums[: len(items)]
