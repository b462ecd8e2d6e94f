"""Initial centers: random rows, greedy k-means++, an array, a callable.

Greedy k-means++ is that of Arthur and Vassilvitskii (2007), section 5 ("k-means++: The
Advantages of Careful Seeding"): at each step a few candidates are drawn and the one
that lowers the potential most is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._assign import work_of
from ._frame import Frame, frame_of
from ._kernels.seeding import GROUP_ROWS, adopt, draw, pack_candidates, try_candidates
from ._kernels.simd import CENTERS, POINTS
from ._parallel import MANY_RANGES, SMALL_TABLE, Team, cut, within
from ._rows import CHUNK, ArrayRows, Rows, largest
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
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the initial centers that ``init`` asks for, float64."""
    if isinstance(init, str):
        if init == "k-means++":
            indices = plus_plus(rows, weights, n_clusters, frame, team, rng)
        else:
            indices = random_rows(rows.shape[0], weights, n_clusters, rng)
        return rows.take(indices).astype(np.float64)
    if callable(init):
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
    def keys() -> Iterator[NDArray[np.float64]]:
        for start in range(0, n_samples, CHUNK):
            part = weights[start : start + CHUNK]
            with np.errstate(divide="ignore"):
                yield np.log(part) - np.log(-np.log(rng.random(len(part))))

    return largest(keys(), n_clusters)


def plus_plus(
    rows: Rows,
    weights: NDArray[np.float64],
    n_clusters: int,
    frame: Frame,
    team: Team,
    rng: np.random.Generator,
    n_local_trials: int | None = None,
) -> NDArray[np.int64]:
    """Return the rows that greedy k-means++ chooses, in order."""
    n, _ = rows.shape
    trials = n_local_trials or 2 + int(math.log(n_clusters))
    uniforms = rng.random((n_clusters, trials))
    closest = rows.empty(n, rows.dtype)
    closest[:] = np.inf
    seeder = _Seeder(rows, weights, frame, team, closest)
    return np.array([seeder.choose(u if t else u[:1]) for t, u in enumerate(uniforms)])


class _Seeder:
    """k-means++ on data that is shared out, or comes in blocks."""

    def __init__(
        self,
        rows: Rows,
        weights: NDArray[np.float64],
        frame: Frame,
        team: Team,
        closest: NDArray[Any],
    ) -> None:
        n, d = rows.shape
        self.rows, self.weights, self.frame, self.team = rows, weights, frame, team
        self.closest = closest
        self.ranges = cut(n, MANY_RANGES if n * d > SMALL_TABLE else 1)
        self.group_sums = rows.empty(-(-n // GROUP_ROWS), np.float64)
        self.group_sums[:] = 0.0
        self.tiles = np.zeros((1, 1 + d, CENTERS), rows.dtype)
        self.no_offset = np.zeros(d, rows.dtype)
        self.closer = rows.empty(n, np.uint16)
        self.closer[:] = 1
        self._kept = list(self._read()) if isinstance(rows, ArrayRows) else None

    def choose(self, uniforms: NDArray[np.float64]) -> int:
        """Draw a candidate per uniform number, adopt the best, return its row."""
        drawn = np.empty(len(uniforms), np.int64)
        draw(uniforms, self.weights, self.closest, self.group_sums, drawn)
        points = self.rows.take(drawn)
        winner = 0
        if math.isinf(self.closest[0]):  # the first center
            self._pack(points)
        else:
            batches = range(0, len(drawn), CENTERS)
            tried = [self._try(points[b : b + CENTERS]) for b in batches]
            winner = int(np.argmin(tried[0] if len(tried) == 1 else np.concatenate(tried)))
            if winner // CENTERS != len(batches) - 1:  # its bits were written over
                first = winner - winner % CENTERS
                self._try(points[first : first + CENTERS])
        self._adopt(winner % CENTERS)
        return int(drawn[winner])

    def _pack(self, points: NDArray[Any]) -> None:
        pack_candidates(points, self.frame.x_scale, self.tiles)

    def _parts(self) -> Iterable[tuple[Any, ...]]:
        """Return the blocks with what belongs to each; an array is always the same one."""
        return self._read() if self._kept is None else self._kept

    def _read(self) -> Iterator[tuple[Any, ...]]:
        """Yield each block, its weights, its slice of the per-row state, its ranges."""
        for start, X in self.rows.blocks():
            part = slice(start, start + X.shape[1])
            weights = self.weights[part] if self.weights.size else self.weights
            yield X, weights, part, *within(self.ranges, start, part.stop)

    def _try(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return the potential with each of the points; leave them packed."""
        self._pack(points)
        scale = self.frame.x_scale
        potentials = np.zeros((len(self.ranges) - 1, CENTERS, POINTS))
        for X, weights, part, touched, bounds in self._parts():
            arguments = (
                weights, self.no_offset, scale, self.tiles, len(points),
                self.closest[part], self.closer[part],
            )  # fmt: skip
            self.team.run(try_candidates, X, bounds, arguments, (potentials[touched],))
        sums: NDArray[np.float64] = potentials.sum(axis=(0, 2))
        return sums[: len(points)]

    def _adopt(self, winner: int) -> None:
        """Make a packed candidate a center."""
        for X, weights, part, _, bounds in self._parts():
            groups = slice(part.start // GROUP_ROWS, -(-part.stop // GROUP_ROWS))
            arguments = (
                weights, self.frame.x_scale, self.tiles, winner,
                self.closer[part], self.closest[part], self.group_sums[groups],
            )  # fmt: skip
            self.team.run(adopt, X, bounds, arguments)


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
