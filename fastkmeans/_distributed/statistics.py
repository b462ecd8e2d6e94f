"""Merged statistics of blocks, and the centers that follow from them.

Each cluster ``j`` has the sum of ``w (x - c_j)`` over its rows, so that no digit is lost to a large
mean.  The next center is ``c_j + sum_j / weight_j``.

Empty clusters take the farthest rows, as in ``_lloyd.empty``.  A cluster that is empty is empty in
every block.  So only a block without rows of some cluster carries its farthest rows, one for each
cluster.  These rows are not in its sums until no merged block can need them.  A cluster that gives
a row away then needs no difference, which would cancel if that row has almost all its weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .._data.lengths import to_length_one
from .._data.validation import as_centers, check_tolerance, directions
from .._kernels.shared.update import NO_DIRECTION
from .._lloyd.empty import ROUNDING
from .._lloyd.loop import LABELS_REPEAT, SMALL_SHIFT
from .._runtime.adding import column_totals, total_of
from .._runtime.arrays import Floats
from .._runtime.text import shown
from .labels import mark_of_centers
from .totals import Farthest, Integers, Totals


class Step(NamedTuple):
    """One iteration, as the driver of a loop needs it.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features), float64
        The next centers; if ``converged``, the ones that the rows were compared with.
    center_shift : float
        Euclidean norm of the move of all centers.
    n_relocated : int
        Empty clusters that took a row.
    converged : bool
        Whether the loop ends.  Labels, inertia and sizes of the statistics then belong to
        ``centers``.
    stop_reason : str
        Why it ends, in the words of ``KMeans.stop_reason_``; "" if it goes on.
    label_hash : int
        That of the statistics.
    small : bool
        Whether the next pass ends the loop, unless it leaves a cluster empty.
    """

    centers: Floats
    center_shift: float
    n_relocated: int
    converged: bool
    stop_reason: str
    label_hash: int
    small: bool


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Statistics:
    """What the next centers need to know of some rows; see ``partial_statistics``.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    inertia : float
        Weighted sum of squared distances to the closest of the centers given.
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sums of ``x - centers[label]``; by cosine ``x`` has length 1.
    weights : ndarray of shape (n_clusters,), float64
        Sums of the weights.
    counts : ndarray of shape (n_clusters,), int64
        Rows of positive weight.  By cosine, rows of length 0 are in no cluster's sum or count.
    n_empty : int
        Clusters without such rows.
    farthest : Farthest
        Rows for empty clusters: none if every cluster has rows, else at most one per cluster.
        They are in ``sums``, ``weights`` and ``counts``, too.
    label_hash : int
        A hash of the labels of all rows.  If it is that of the iteration before, with the same
        blocks, no row changed its cluster.
    """

    n_rows: int
    metric: str
    mark: int  # of the centers, see ``mark_of_centers``
    label_hash: int
    scale: float  # power of two by which coordinates are scaled; infinite if no row counts
    scaled_inertia: float
    own: Totals  # of all rows except ``farthest``
    farthest: Farthest

    def scaled(self, scale: float) -> Statistics:
        """Return the statistics in another scale."""
        if scale == self.scale:
            return self
        factor, far = scale / self.scale, self.farthest
        return replace(
            self,
            scale=scale,
            scaled_inertia=self.scaled_inertia * factor * factor,
            own=self.own._replace(sums=self.own.sums * factor),
            farthest=far._replace(
                squares=far.squares * factor * factor, differences=far.differences * factor
            ),
        )

    @property
    def totals(self) -> Totals:
        """Scaled sums, weights and counts of all rows."""
        return self.own.add(self.farthest)

    @property
    def inertia(self) -> float:
        return self.scaled_inertia / self.scale / self.scale

    @property
    def sums(self) -> Floats:
        return self.totals.sums / self.scale

    @property
    def weights(self) -> Floats:
        return self.totals.weights

    @property
    def counts(self) -> Integers:
        return self.own.counts_with(self.farthest)

    @property
    def n_empty(self) -> int:
        return int(np.count_nonzero(self.counts == 0))

    def __repr__(self) -> str:
        k, d = self.own.sums.shape
        return (
            f"Statistics(n_rows={self.n_rows}, n_clusters={k}, n_features={d}, "
            f"inertia={self.inertia:.8g})"
        )

    def variance(self, previous: Any) -> float:
        """Return the mean variance of the features over all rows, which ``tol`` is a share of.

        Parameters
        ----------
        previous : array-like of shape (n_clusters, n_features)
            The centers that the statistics were made with.
        """
        return self._scaled_variance(self._checked(previous)) / self.scale / self.scale

    def centers(self, previous: Any) -> Floats:
        """Return the next centers: means, and for empty clusters the farthest rows.

        Parameters
        ----------
        previous : array-like of shape (n_clusters, n_features)
            The centers that the statistics were made with.

        Returns
        -------
        ndarray of shape (n_clusters, n_features), float64
            Those of ``KMeans``, up to rounding.  A cluster stays empty, and keeps its center, if no
            row is apart from its center.

        Raises
        ------
        ValueError
            If ``previous`` are other centers, or no row has weight.
        """
        return self._next(self._checked(previous))[0]

    def step(self, previous: Any, before: Step | None = None, tol: float = 1e-4) -> Step:
        """Return the next centers, and whether the loop ends by the rules of ``KMeans``.

        It ends if no row changed its cluster.  It also ends if the squared shift of the centers was
        at most ``tol`` times the mean variance of the features in the iteration before.  This pass
        then only labels the rows: ``KMeans.n_iter_`` does not count it.

        Parameters
        ----------
        previous : array-like of shape (n_clusters, n_features)
            The centers that the statistics were made with.
        before : Step, optional
            The step of the iteration before; None in the first one.
        tol : float, default=1e-4
            The tolerance of ``KMeans``.

        Returns
        -------
        Step
            See there.

        Raises
        ------
        ValueError
            If ``previous`` are other centers, if ``before`` led to others, or if no row has weight.
        """
        check_tolerance(tol)
        if before is not None and not isinstance(before, Step):
            raise TypeError(f"before must be None or the Step of before, got {shown(before)}.")
        old = self._checked(previous)
        if before is not None and mark_of_centers(before.centers) != self.mark:
            raise ValueError(
                "before is not the step that led to previous: pass the step whose centers "
                "partial_statistics got, or None to begin a loop."
            )
        new, n_relocated = self._next(old)
        with np.errstate(over="ignore"):  # centers of the user may be near the largest float64
            moved = total_of((new * self.scale - old * self.scale) ** 2)
        small = moved <= tol * self._scaled_variance(old) and not n_relocated
        reason = ""
        if before is not None:
            if before.small and not (self.n_empty and before.center_shift > 0.0):
                reason = SMALL_SHIFT  # this pass labels the rows, and is no iteration
            elif self.label_hash == before.label_hash and not n_relocated:
                reason = LABELS_REPEAT
        shift = math.sqrt(moved) / self.scale
        if reason:
            new = old
        return Step(new, shift, n_relocated, bool(reason), reason, self.label_hash, small)

    @property
    def _by_cosine(self) -> bool:
        return self.metric == "cosine"

    def _checked(self, previous: Any) -> Floats:
        """Return the centers of the statistics, by cosine of length 1."""
        k, d = self.own.sums.shape
        points = as_centers(previous, d, "previous", k)
        if mark_of_centers(points) != self.mark:
            raise ValueError(
                "previous are not the centers that the statistics were made with: pass those that "
                "partial_statistics got."
            )
        return directions(points, "previous") if self._by_cosine else points

    def _next(self, old: Floats) -> tuple[Floats, int]:
        """Return the next centers, and how many clusters took a row."""
        taken = self._taken(old)
        stay = np.setdiff1d(np.arange(len(self.farthest.rows)), taken)
        sums, weights, counts = self.own.add(self.farthest.select(stay))
        new, found = old.copy(), counts > 0
        means = self._means(old[found], sums[found] / weights[found, None])
        if self._by_cosine:
            turns = np.sqrt(column_totals((means * means).T)) > NO_DIRECTION
            found[found] = turns
            means = to_length_one(means[turns])
        new[found] = means
        empty = np.flatnonzero(self.counts == 0)
        new[empty[: len(taken)]] = self.farthest.points[taken]
        return new, len(taken)

    def _means(self, old: Floats, moves: Floats) -> Floats:
        """Return centers after moves, which are scaled."""
        with np.errstate(over="ignore"):
            means = old + moves / self.scale
        far = ~np.isfinite(means)  # a move may exceed float64 between centers that do not
        means[far] = ((old * self.scale + moves) / self.scale)[far]
        return means

    def _taken(self, old: Floats) -> list[int]:
        """Return which of the farthest rows empty clusters take, in their order."""
        members, taken = self.counts, list[int]()
        if not members.any():
            none = "no row has a positive weight" + " and a length above 0" * self._by_cosine
            what = none if self.n_rows else "there is no row"
            raise ValueError(f"No centers follow from these statistics: {what}.")
        if not (n_empty := self.n_empty):
            return taken
        floor = ROUNDING * self._scaled_variance(old) * old.shape[1]
        if self._by_cosine:  # rows of one direction, of any lengths, differ by rounding
            floor = ROUNDING * self.scale * self.scale
        for at, (square, donor) in enumerate(
            zip(self.farthest.squares.tolist(), self.farthest.labels.tolist(), strict=True)
        ):
            if len(taken) == n_empty or square <= floor:
                break
            if members[donor] > 1:
                taken.append(at)
                members[donor] -= 1
        return taken

    def _scaled_variance(self, old: Floats) -> float:
        """Return the mean variance of the features, of coordinates times ``scale``."""
        sums, weights, _ = self.totals
        weight, d = total_of(weights), old.shape[1]
        if not weight:
            return 0.0
        if self._by_cosine:
            mean = column_totals(sums / self.scale + weights[:, None] * old) / weight
            return float(max(0.0, 1.0 - total_of(mean * mean)) / d * self.scale * self.scale)
        # Around the mean m, from sums around centers: |x - m|^2 = |x - c|^2 + ... + |c - m|^2.
        beside = old * self.scale - old[0] * self.scale
        beside = beside - column_totals(sums + weights[:, None] * beside) / weight
        between = total_of(2.0 * sums * beside + weights[:, None] * (beside * beside))
        return float(max(0.0, self.scaled_inertia + between) / weight / d)
