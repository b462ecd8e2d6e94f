"""Greedy k-means++: one pass over the data per center, or per pool of many candidates.

Each step draws a few candidates and keeps the one that lowers the potential most: Arthur and
Vassilvitskii (2007), "k-means++: The Advantages of Careful Seeding", section 5.

Distances are computed in float32.  For float64 data that is precise enough for the draws
while the potential P is above ``2^-28 d W`` in scaled units.  W is the sum of the weights;
coordinates are at most about 1.  The rounding error of a coordinate is then at most
``2^-25``, of a distance ``h = 2^-24 sqrt(d)``, and of P ``2 h sqrt(W P) + h^2 W``, less than
0.2 % of P.  Below that potential the seeding begins again in float64.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem
from .._data.rows import FLOAT32, FLOAT64, ArrayRows, Block
from .._data.sparse import SparseRows
from .._kernels.emit.simd import CENTERS
from .._kernels.seeding.compare import SUMS
from .._kernels.seeding.pool import Draws, Lists, choose, list_closer
from .._kernels.seeding.potential import (
    GROUP_ROWS,
    MOST_TRIED,
    TILES,
    TRY,
    WORDS,
    Nearest,
    draw,
    pack_candidates,
    sum_groups,
    visit,
)
from .._kernels.shared.lengths import to_length_one
from .._runtime.adding import total_of
from .._runtime.arrays import Floats
from .._runtime.jit import NO_KERNEL, address_of
from .._runtime.threads import LIGHT_TABLE, MANY_RANGES, SMALL_TABLE, cut, within

RESOLVED = 2.0**-28
"""Least potential per weight and feature, in scaled units, that float32 resolves."""
MOST_CANDIDATES = 128
"""Most candidates of a pool."""
LIST_LANES = 16
"""Multiplications of a list in the time that another pass takes for a value, about."""
FILL = 0.7
"""Share of its memory that a pool's lists are expected to fill; the rest is for longer lists."""


def plus_plus(
    problem: Problem,
    n_clusters: int,
    rng: np.random.Generator,
    n_local_trials: int | None = None,
    most_ranges: int = MANY_RANGES,
) -> NDArray[np.int64]:
    """Return the rows that greedy k-means++ chooses, in order.

    ``most_ranges``: into how many ranges the rows are cut, for threads to share.
    """
    trials = n_local_trials or 2 + int(math.log(n_clusters))
    dtype = problem.rows.dtype
    if isinstance(problem.rows, SparseRows):
        from .sparse import choose_rows

        return choose_rows(problem, n_clusters, trials, rng)
    if problem.scaling.by_cosine:  # float32 rows of length 1 are rounded
        dtype = FLOAT64
    if dtype != FLOAT32:
        chosen = _Seeder(problem, FLOAT32, most_ranges).choose_all(n_clusters, trials, rng)
        if len(chosen) == n_clusters:
            return chosen
    return _Seeder(problem, dtype, most_ranges).choose_all(n_clusters, trials, rng)


def more_centers(
    problem: Problem,
    squares: Floats,
    n_clusters: int,
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return rows that greedy k-means++ adds to ``n_clusters`` centers.

    ``squares`` are the squared distances of the rows to the closest of these, in scaled units.
    """
    trials = 2 + int(math.log(n_clusters + count))
    if isinstance(problem.rows, SparseRows):
        from .sparse import add_rows

        return add_rows(problem, squares, count, trials, rng)
    seeder = _Seeder(problem, FLOAT64 if problem.scaling.by_cosine else FLOAT32)
    seeder.go_on(squares, n_clusters)
    chosen = np.empty(count, np.int64)
    for t in range(count):
        chosen[t] = seeder.choose(rng.random(trials))
    return chosen


class _Part(NamedTuple):
    """A block of rows, with its parts of the arrays."""

    start: int
    X: Block
    nearest: Nearest
    bounds: NDArray[np.int64]  # edges of the ranges
    potentials: Floats  # of each range


class _Seeder:
    """The distances to the centers so far, and the two ways to choose the next center."""

    def __init__(
        self, problem: Problem, dtype: np.dtype[Any], most_ranges: int = MANY_RANGES
    ) -> None:
        rows, weights, scaling, team, _ = problem
        n, d = rows.shape
        inverse = problem.inverse
        self._problem, self.rows, self.team = problem, rows, team
        n_groups = -(-n // GROUP_ROWS)
        closest, group_sums = rows.empty(n, dtype), rows.empty(n_groups, np.float64)
        closer = rows.empty((n_groups, WORDS, MOST_TRIED), np.uint64)
        closest[:], closer[:], group_sums[:] = np.inf, np.iinfo(np.uint64).max, 0.0
        if inverse.size:
            closest[inverse == 0.0] = 0.0
        self.nearest = Nearest(weights, closest, closer, group_sums, inverse)
        self.n_chosen = 0
        self.most_ranges = most_ranges
        self.ranges = cut(n, most_ranges if n * d > SMALL_TABLE else 1)
        self._tiles = np.zeros((TILES, 1 + d, CENTERS), dtype)
        self._potentials = np.zeros((len(self.ranges) - 1, MOST_TRIED, SUMS))
        self._kept = list(self._read()) if isinstance(rows, ArrayRows) else None
        rounds = dtype == FLOAT32 if inverse.size else dtype != rows.dtype
        weight = total_of(weights) if weights.size else n
        self.least = RESOLVED * d * weight if rounds else 0.0
        self.place = (
            (scaling.offset, scaling.scale) if rounds else (np.zeros(d, dtype), scaling.x_scale)
        )
        if inverse.size and not rounds:
            self.place = scaling.offset, scaling.scale

    def go_on(self, squares: Floats, n_chosen: int) -> None:
        """Set the distances to centers that are not chosen here."""
        closest = self.nearest.closest
        closest[:] = np.minimum(closest, squares)
        sum_groups(self.nearest)
        self.n_chosen = n_chosen

    def choose_all(
        self, n_clusters: int, trials: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Choose all centers, or as many as this dtype resolves."""
        # With fewer centers, the pools that fit into memory do not pay (``_size``).
        pooled = self.nearest.closest.dtype == FLOAT32 and n_clusters > 4 * trials
        pool = _Pool(self, trials, rng) if pooled else None
        chosen = np.empty(n_clusters, np.int64)
        while self.n_chosen < n_clusters:
            t = self.n_chosen
            if t and self.least and total_of(self.nearest.group_sums) < self.least:
                return chosen[:t]
            count = pool.choose(chosen[t:]) if pool is not None else 0
            if not count:
                chosen[t] = self.choose(rng.random(trials if t else 1))
            self.n_chosen += count or 1
        return chosen

    def parts(self) -> Iterable[_Part]:
        """Return the blocks; for an array, the list that was made once."""
        return self._read() if self._kept is None else self._kept

    def _read(self) -> Iterator[_Part]:
        _, closest, closer, group_sums, _ = self.nearest
        for part, X in self._problem.blocks():
            weights = self._problem.weights_of(part)
            groups = slice(part.start // GROUP_ROWS, -(-part.stop // GROUP_ROWS))
            ranges, bounds = within(self.ranges, part.start, part.stop)
            inverse = self._problem.inverse_of(part)
            nearest = Nearest(weights, closest[part], closer[groups], group_sums[groups], inverse)
            yield _Part(part.start, X, nearest, bounds, self._potentials[ranges])

    def draw(self, uniforms: Floats) -> NDArray[np.int64]:
        """Return a row for each uniform number, drawn by potential."""
        drawn = np.empty(len(uniforms), np.int64)
        draw(uniforms, self.nearest, drawn)
        return drawn

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Return rows as candidates."""
        by_cosine = self._problem.scaling.by_cosine
        return self._problem.points(indices) if by_cosine else self.rows.take(indices)

    def pack(self, points: NDArray[Any], tiles: NDArray[Any]) -> None:
        """Pack candidates; by cosine they have length 1 already."""
        offset, scale = self.place
        if self._problem.scaling.by_cosine:
            scale = type(scale)(1.0)
        pack_candidates(points, offset, scale, tiles)

    def choose(self, uniforms: Floats) -> int:
        """Draw a candidate per uniform number; make the best a center; return its row."""
        drawn = self.draw(uniforms)
        points = self.take(drawn)
        winner = 0
        if not self.n_chosen:  # the first center
            self.pack(points, self._tiles)
        else:
            batches = range(0, len(drawn), MOST_TRIED)
            tried = [self._try(points[b : b + MOST_TRIED]) for b in batches]
            winner = int((tried[0] if len(tried) == 1 else np.concatenate(tried)).argmin())
            if winner // MOST_TRIED != len(batches) - 1:  # its bits were overwritten
                first = winner - winner % MOST_TRIED
                self._try(points[first : first + MOST_TRIED])
        self._visit(len(drawn), winner % MOST_TRIED)
        return int(drawn[winner])

    def _try(self, points: NDArray[Any]) -> Floats:
        """Return the potential with each of the points; the points stay packed."""
        self.pack(points, self._tiles)
        self._potentials.fill(0.0)
        self._visit(len(points), TRY)
        sums: Floats = np.add.reduce(self._potentials, axis=(0, 2))
        return sums[: len(points)]

    def _lengthen(self, X: Block) -> Any:
        """Return the address of the kernel that brings packed rows to length 1, for cosine."""
        if not self._problem.scaling.by_cosine:
            return NO_KERNEL
        blocks = np.empty((0, 0, 0), self.nearest.closest.dtype)
        return address_of(to_length_one, (X, np.empty(0, np.int64), 0, np.empty((0, 0)), blocks))

    def _visit(self, n_candidates: int, winner: int) -> None:
        """Try the packed candidates, or make one of them a center."""
        for part in self.parts():
            lengthen = self._lengthen(part.X)
            arguments = (part.nearest, *self.place, self._tiles, n_candidates, winner, lengthen)
            outputs = (part.potentials,)
            self.team.run(visit, part.X, part.bounds, arguments, outputs, prange=True, light=True)


class _Pool:
    """Candidates for many steps, and the rows that each is closer to (``_kernels.seeding.pool``).

    The lists have memory for one entry (five bytes) per row.  That limits the pool to about
    ``2 t / 3`` candidates in step t.
    """

    def __init__(self, seeder: _Seeder, trials: int, rng: np.random.Generator) -> None:
        self._seeder, self._trials, self._rng = seeder, trials, rng
        self._n, self._d = seeder.rows.shape
        self._n_chunks = -(-self._n // GROUP_ROWS)
        self._n_shares = max(1, min(seeder.most_ranges, self._n_chunks // 8))
        self._expected = 1.5 * self._n  # entries per candidate, times centers so far
        self._rows = np.empty((0, 0), np.uint8)
        self._distances = np.empty((0, 0), np.float32)
        self._left = np.empty(0, np.int64)  # drawn for the next step, fewer than trials

    def choose(self, chosen: NDArray[np.int64]) -> int:
        """Write centers to ``chosen``; return how many (0 if the lists are too long)."""
        seeder, rng = self._seeder, self._rng
        count = self._size(len(chosen))
        if count < 2 * self._trials:
            self._left = self._left[:0]
            return 0
        new = count - len(self._left)
        items = np.concatenate([self._left, seeder.draw(rng.random(new))])
        luck = np.concatenate([np.zeros(len(self._left)), rng.random(new)])
        drawn = seeder.nearest.closest[items].astype(np.float64)
        lists = self._list(items)
        self._left = items[:0]
        if int(lists.starts[:, -1].max()) > lists.rows.shape[1]:
            self._expected *= 2.0
            return 0
        entries = np.diff(lists.starts, axis=1).sum()
        self._expected = max(float(entries) / len(items), 1.0) * seeder.n_chosen
        tried, gains = np.empty(self._trials, np.int64), np.empty(self._trials)
        n_chosen, n_tried = choose(
            Draws(items, drawn, luck), seeder.nearest, lists,
            total_of(seeder.nearest.group_sums), seeder.least, tried, gains, chosen,
        )  # fmt: skip
        self._left = items[tried[:n_tried]]
        sum_groups(seeder.nearest)
        return int(n_chosen)

    def _size(self, wanted: int) -> int:
        """Return how many candidates to draw."""
        fitting = int(FILL * self._n * self._seeder.n_chosen / self._expected)
        needed = self._trials * (wanted + wanted // 8 + 1)
        return min(fitting, needed, MOST_CANDIDATES)

    def _list(self, items: NDArray[np.int64]) -> Lists:
        """List the rows that each candidate is closer to."""
        seeder, n_shares = self._seeder, self._n_shares
        if not self._rows.size:
            room = -(-self._n_chunks // n_shares) * GROUP_ROWS
            self._rows = seeder.rows.empty((n_shares, room), np.uint8)
            self._distances = seeder.rows.empty((n_shares, room), np.float32)
        tiles = np.zeros((-(-len(items) // CENTERS), 1 + self._d, CENTERS), np.float32)
        seeder.pack(seeder.take(items), tiles)
        starts = seeder.rows.empty((self._n_chunks, len(items) + 1), np.int32)
        lists = Lists(starts, self._rows, self._distances)
        filled = np.zeros(n_shares, np.int64)
        for part in seeder.parts():
            arguments = (
                part.start // GROUP_ROWS, *seeder.place, tiles, len(items), part.nearest.closest,
                part.nearest.inverse, lists, filled,
            )  # fmt: skip
            _, m, d = part.X.shape
            few = m * d * len(items) < LIST_LANES * LIGHT_TABLE
            seeder.team.run(list_closer, part.X, np.arange(n_shares + 1), arguments, light=few)
        return lists
