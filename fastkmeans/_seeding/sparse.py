"""Greedy k-means++ on sparse rows: by postings if these save work, else by passes."""

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem
from .._data.rows import CHUNK
from .._data.sparse import SparseRows
from .._kernels.seeding.potential import GROUP_ROWS, TRY, Nearest, draw, sum_groups
from .._kernels.sparse.postings import Postings, meet, post_rows
from .._kernels.sparse.seeding import CANDIDATES, NOBODY, Candidates, row_norms, visit
from .._runtime.arrays import Floats, aligned
from .._runtime.threads import MANY_RANGES, SMALL_TABLE, cut

RANGE_ROWS, RANGE_VALUES = 1 << 14, 4
"""Least rows of a range of postings, and least stored values per column."""
POST, MEET = 10.0, 5.0
"""Nanoseconds: to make a posting, and to meet one."""
VALUE, ROW = 2.0, 30.0
"""Nanoseconds of a pass for a stored value, and for a row."""
MOST_MEMORY = 0.05
"""Share of a dense copy that postings may take."""


def choose_rows(
    problem: Problem, n_clusters: int, trials: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the rows that greedy k-means++ chooses, in order, with ``trials`` draws for each."""
    seeder = _seeder_of(problem, n_clusters, trials)
    drawn = [seeder.draw(trials if t else 1, rng) for t in range(n_clusters)]
    return np.array(drawn, np.int64)


def add_rows(
    problem: Problem, squares: Floats, count: int, trials: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return rows that greedy k-means++ adds to centers at these squared distances."""
    seeder = _seeder_of(problem, count, trials)
    closest = seeder.nearest.closest
    closest[:] = np.minimum(closest, squares)
    sum_groups(seeder.nearest)
    return np.array([seeder.draw(trials, rng) for _ in range(count)], np.int64)


def _seeder_of(problem: Problem, n_clusters: int, trials: int) -> "_Seeder":
    """Return the seeder that takes less time for so many centers."""
    assert isinstance(problem.rows, SparseRows)
    posts = postings_pay(problem.rows, n_clusters, trials)
    return ByPostings(problem) if posts else ByPasses(problem)


def postings_pay(rows: SparseRows, n_clusters: int, trials: int) -> bool:
    """Return whether postings save work and fit into memory: that depends on the rows alone."""
    (n, d), n_stored, size = rows.shape, len(rows.values), rows.values.itemsize
    memory = n_stored * (4 + size) + 8.0 * (len(_ranges(rows)) * (d + 1) + n)
    if memory > MOST_MEMORY * n * d * size or n > np.iinfo(np.int32).max:
        return False
    in_column, step = np.zeros(d), max(CHUNK, d)
    for at in range(0, n_stored, step):
        in_column += np.bincount(rows.stored.indices[at : at + step], minlength=d)
    met = float(np.square(in_column).sum()) / n  # by a row drawn at random
    passes = n_clusters * -(-trials // CANDIDATES) * (n_stored * VALUE + n * ROW)
    return n_stored * POST + n_clusters * trials * met * MEET < passes


def _ranges(rows: SparseRows) -> NDArray[np.int64]:
    """Return the edges of the ranges of postings."""
    n, d = rows.shape
    return cut(n, min(n // RANGE_ROWS, len(rows.values) // (RANGE_VALUES * d)))


class _Seeder:
    """The distances of the rows to the centers so far; by cosine the rows count with length 1."""

    def __init__(self, problem: Problem, closer: NDArray[np.uint16]) -> None:
        rows = problem.rows
        assert isinstance(rows, SparseRows)
        n, _ = rows.shape
        self._rows, self._team, self._scale = rows, problem.team, problem.scaling.scale
        self.nearest = Nearest(
            problem.weights, np.full(n, np.inf), closer, np.zeros(-(-n // GROUP_ROWS)),
            problem.inverse,
        )  # fmt: skip
        self._inverse, self._norms = problem.inverse, np.empty(n)
        large = n + len(rows.values) > SMALL_TABLE
        self._ranges, self._prange = cut(n, MANY_RANGES if large else 1), large
        if self._inverse.size:
            self._norms[:] = self._inverse > 0.0
            self.nearest.closest[self._inverse == 0.0] = 0.0  # rows of length 0 are never drawn
        else:
            arguments = rows.stored, self._scale, self._norms
            self._team.run(row_norms, rows.values, self._ranges, arguments)

    def draw(self, trials: int, rng: np.random.Generator) -> int:
        """Draw rows by their squared distances; make the best a center; return it."""
        drawn = np.empty(trials, np.int64)
        draw(rng.random(trials), self.nearest, drawn)
        return self.choose(drawn)

    def choose(self, drawn: NDArray[np.int64]) -> int:
        """Make the best of the drawn rows a center; return it."""
        raise NotImplementedError


class ByPostings(_Seeder):
    """Each candidate meets the rows that share a column with it (``_kernels.sparse.postings``)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, np.empty(0, np.uint16))
        rows, self._ranges = self._rows, _ranges(self._rows)
        n_ranges = len(self._ranges) - 1
        self._firsts = np.zeros((n_ranges, rows.shape[1] + 1), np.int64)
        self._bounds = np.full((n_ranges, 1), np.inf)
        posted = np.empty(len(rows.values), np.int32), np.empty_like(rows.values)
        self._postings = Postings(self._scale, *posted, self._norms, np.zeros(rows.shape[0]))
        arguments = rows.stored, self._postings
        self._team.run(post_rows, rows.values, self._ranges, arguments, (self._firsts,))

    def choose(self, drawn: NDArray[np.int64]) -> int:
        """Make the best of the drawn rows a center; return it."""
        winner = int(self.meet(drawn, False).argmax()) if len(drawn) > 1 else 0
        self.meet(drawn[winner : winner + 1], True)
        return int(drawn[winner])

    def meet(self, items: NDArray[np.int64], adopts: bool) -> Floats:
        """Return by how much candidates lower the potential; they may become centers."""
        gains = np.empty((len(self._ranges) - 1, len(items)))
        arguments = self._rows.stored, self._postings, self.nearest, items, adopts
        self._team.run(
            meet, self._rows.values, self._ranges, arguments, (self._firsts, self._bounds, gains),
            prange=self._prange,
        )  # fmt: skip
        sums: Floats = np.add.reduce(gains, axis=0)
        return sums


class ByPasses(_Seeder):
    """All candidates meet all rows, in one pass over the stored values per center."""

    def __init__(self, problem: Problem) -> None:
        n, d = problem.shape
        super().__init__(problem, np.ones(n, np.uint16))
        self._table = aligned((d, CANDIDATES), np.float64)
        self._table[:] = 0.0

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
