"""The M step: the sums of the clusters, kept from one iteration to the next.

Only rows that change cluster touch the sums.  Rows that come and go leave rounding errors,
so the sums are rebuilt now and then.  They are rebuilt at once if a cluster has lost almost
all its weight: the rounding errors could then outweigh its sum.
"""

from typing import NamedTuple

import numpy as np

from .._data.problem import Problem, Take
from .._data.rows import Block
from .._data.sparse import SparseRows
from .._kernels.shared.moves import move_rows
from .._kernels.shared.update import (
    CHAINS,
    GAINED,
    N_EMPTY,
    NARROW_CHAINS,
    SHIFT,
    WEIGHT,
    ClusterSums,
    Terms,
    add_squares,
    update_centers,
    update_directions,
)
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, Labels, aligned
from .._runtime.threads import MANY_RANGES, SMALL_TABLE, cut, cut_centers, is_large, within

REBUILD_AFTER, TURNOVER = 64, 2.0
"""Most iterations, and most moves per row, between two rebuilds of the sums.  By then their
rounding errors might be a few times those of new sums."""
CANCELLED = 1e-3
"""Share of a cluster's largest weight since the last rebuild.  Below it the sums are rebuilt,
because they have cancelled: almost all that was added was subtracted again."""


class SumsState(NamedTuple):
    """The sums between two iterations; by rounding they depend on all moves, not labels alone."""

    parts: Floats
    part_weights: Floats
    heaviest: Floats
    rebuild: bool
    age: int
    moved: int


class Sums:
    """Weighted sums and weights of the clusters, per range of rows and in total.

    The ranges are added in order.  Their number depends on the shape of the data only.
    They take a small part of the memory of the data at most.
    """

    def __init__(self, problem: Problem, n_clusters: int) -> None:
        n, d = problem.shape
        self._problem = problem
        budget = max(n * d // 16, 1 << 18)
        parts = min(64, budget // (n_clusters * d * 8), n // 4096)
        if isinstance(problem.rows, SparseRows):  # threads share the clusters instead
            parts = 1
        self.bounds = cut(n, parts)
        n_ranges = len(self.bounds) - 1
        self.parts = aligned((n_ranges, n_clusters, d), np.float64)
        self.part_weights = np.empty((n_ranges, 2, n_clusters))
        self.total_weights = np.empty((2, n_clusters))
        self.heaviest = np.zeros(n_clusters)  # largest weight since the rebuild
        self.center_bounds = cut_centers(n_clusters, d)
        self.all_features = np.array([0, d])
        self.rebuild = True
        self._age, self._moved = 0, 0

    def state(self) -> SumsState:
        """Return the sums, not copied."""
        return SumsState(
            self.parts, self.part_weights, self.heaviest, self.rebuild, self._age, self._moved
        )

    def restore(self, state: SumsState) -> None:
        """Restore sums of the same shape."""
        self.parts[:], self.part_weights[:] = state.parts, state.part_weights
        self.heaviest[:] = state.heaviest
        self.rebuild, self._age, self._moved = state.rebuild, state.age, state.moved

    def clear(self) -> None:
        """Begin an iteration: set sums that are due for a rebuild to zero."""
        if self.rebuild:
            self.parts[:] = 0.0
            self.part_weights[:] = 0.0

    def move(self, part: slice, X: Block, previous: Labels, labels: Labels) -> None:
        """Move the rows of a block between clusters, in the sums of the ranges it crosses."""
        ranges, bounds = within(self.bounds, part.start, part.stop)
        scaling, team, d = self._problem.scaling, self._problem.team, X.shape[2]
        weights = self._problem.weights_of(part)
        n_ranges = len(bounds) - 1
        n_slices = max(1, min(-(-team.size // n_ranges), d // 32))
        slices = np.arange(n_slices + 1) * d // n_slices
        touched = ClusterSums(self.parts[ranges], self.part_weights[ranges])
        terms = Terms(weights, scaling.offset, scaling.scale, self._problem.inverse_of(part))
        arguments = bounds, slices, terms, previous, labels, self.rebuild, touched
        team.run(move_rows, X, np.arange(n_ranges * n_slices + 1), arguments, prange=True)

    def move_all(self, previous: Labels, labels: Labels) -> None:
        """Move all rows between clusters."""
        rows, team = self._problem.rows, self._problem.team
        if not isinstance(rows, SparseRows):
            for part, X in self._problem.blocks():
                self.move(part, X, previous[part], labels[part])
            return
        from .._kernels.sparse.update import move_rows as move_sparse_rows

        k = self.parts.shape[1]
        n_tasks = max(1, min(k, 1 if team.serial else 4 * team.size))
        clusters = np.arange(n_tasks + 1) * k // n_tasks
        arguments = (
            clusters, self._problem.scaled, self._problem.weights, previous, labels, self.rebuild,
            self.parts[0], self.part_weights[0],
        )  # fmt: skip
        team.run(move_sparse_rows, rows.values, np.arange(n_tasks + 1), arguments, prange=True)

    @property
    def by_range(self) -> ClusterSums:
        """The sums of every range, for kernels."""
        return ClusterSums(self.parts, self.part_weights)

    def total(self) -> Floats:
        """Return the sums of all ranges, added in order."""
        sums: Floats = self.parts.sum(axis=0)
        return sums

    def means(self, centers: Floats, new_centers: Floats) -> tuple[float, float, int]:
        """Write the means; return inertia, squared center shift, number of empty clusters."""
        scaling, bounds = self._problem.scaling, self.center_bounds
        totals = np.empty((len(bounds) - 1, 3))
        arguments = (
            self.part_weights,
            scaling.shift,
            scaling.unit,
            centers,
            self.total_weights,
            new_centers,
        )
        update = update_directions if scaling.by_cosine else update_centers
        self._problem.team.run(update, self.parts, bounds, arguments, (totals,), prange=True)
        gained, moved, n_empty = 0.0, 0.0, 0.0
        for of_range in totals.tolist():  # one by one, as ``iterate_serial`` does
            gained += of_range[GAINED]
            moved += of_range[SHIFT]
            n_empty += of_range[N_EMPTY]
        return max(0.0, scaling.scatter - gained), moved, int(n_empty)

    def note_weights(self) -> None:
        """Update the largest weight of each cluster since the last rebuild."""
        if self.rebuild:
            self.heaviest[:] = 0.0
        np.maximum(self.heaviest, self.total_weights[WEIGHT], out=self.heaviest)

    @property
    def have_cancelled(self) -> bool:
        """Whether a cluster lost almost all its weight, and its sums most of their digits."""
        if self.rebuild:
            return False
        weights, counts = self.total_weights
        return bool(((weights < CANCELLED * self.heaviest) & (counts > 0.0)).any())

    def left(self, n_rows: int) -> tuple[int, int]:
        """Return how many iterations and moved rows remain until the next rebuild."""
        if self.rebuild:
            return REBUILD_AFTER + 1, int(TURNOVER * n_rows)
        return REBUILD_AFTER - self._age, int(TURNOVER * n_rows) - self._moved

    def end(self, n_moved: int, n_rows: int) -> None:
        """End an iteration; decide whether the next one rebuilds the sums."""
        self._age, self._moved = (0, 0) if self.rebuild else (self._age + 1, self._moved + n_moved)
        self.rebuild = self._age >= REBUILD_AFTER or self._moved > int(TURNOVER * n_rows)


def sparse_squares(problem: Problem, labels: Labels, centers: Floats) -> Floats:
    """Return the squared distance of each sparse row to the center of its label, scaled.

    By cosine it is ``2 (1 - cos)``.
    """
    from .._kernels.sparse.update import square_norms, squares_to_own

    rows, unit, team = problem.rows, problem.scaling.unit, problem.team
    assert isinstance(rows, SparseRows)
    norms, squares = np.empty(len(centers)), rows.empty(rows.shape[0], np.float64)
    cuts = cut_centers(*centers.shape)
    team.run(square_norms, centers, cuts, (unit, norms))
    arguments = problem.scaled, unit, centers, norms, labels, squares
    team.run(squares_to_own, rows.values, team.cut(rows.shape[0]), arguments)
    return squares


def sum_of_squares(
    problem: Problem, labels: Labels, centers: Floats, take: Take | None = None
) -> float:
    """Return the inertia of ``labels`` against ``centers``, in scaled units.

    ``take`` gets the rows in the same pass, some at a time; it takes no sparse ones.
    """
    if isinstance(problem.rows, SparseRows):
        sparse = sparse_squares(problem, labels, centers)
        if problem.inverse.size:  # lengths that float64 does not hold count as 0 in the sums too
            sparse[problem.inverse == 0.0] = 2.0
        if problem.weights.size:
            sparse *= problem.weights
        return total_of(sparse)
    (n, d), scaling, team = problem.shape, problem.scaling, problem.team
    # Differences x - c without the shift, which would cost them digits.
    no_offset = np.zeros(d)
    if not scaling.by_cosine:
        centers = centers * scaling.scale
    ranges = cut(n, MANY_RANGES if n * d > SMALL_TABLE else 1)
    squares = np.zeros((len(ranges) - 1, CHAINS, max(d, NARROW_CHAINS)))
    for part, X in problem.blocks():
        touched, bounds = within(ranges, part.start, part.stop)
        weights, inverse = problem.weights_of(part), problem.inverse_of(part)
        terms = Terms(weights, no_offset, scaling.scale, inverse)
        arguments = (terms, labels[part], centers)
        team.run(
            add_squares, X, bounds, arguments, (squares[touched],), prange=is_large(X), light=True
        )
        if take is not None:
            take(part, X, labels[part])
    if problem.lengths is None:
        return total_of(squares)
    # A row of length 0 has cosine 0: 2 (1 - 0).
    return (total_of(squares) + 2.0 * problem.lengths.zero_weight) * scaling.unit**2
