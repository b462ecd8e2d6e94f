"""Sums, weights and counts of clusters, and the rows that stay apart from them.

*Scaled* are coordinates times a power of two, which brings them to about 1: no square overflows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats

Integers = NDArray[np.int64]


class Farthest(NamedTuple):
    """Rows that an empty cluster may take: by falling distance, ties by rising row number."""

    rows: Integers  # (n,), row numbers, counted from the first row of the first merged block
    labels: Integers  # (n,), their clusters
    weights: Floats  # (n,)
    squares: Floats  # (n,), squared distances to their centers, scaled
    points: Floats  # (n, n_features), the rows; by cosine of length 1
    differences: Floats  # (n, n_features), points less their centers, scaled

    def select(self, which: Any) -> Farthest:
        """Return some of the rows."""
        return Farthest(*(field[which] for field in self))


def no_rows(n_features: int) -> Farthest:
    """Return the farthest rows of nothing."""
    none, points = np.empty(0), np.empty((0, n_features))
    return Farthest(none.astype(np.int64), none.astype(np.int64), none, none, points, points)


class Totals(NamedTuple):
    """Sums, weights and counts of the clusters."""

    sums: Floats  # (k, d), scaled
    weights: Floats  # (k,)
    counts: Integers  # (k,)

    def add(self, rows: Farthest) -> Totals:
        """Return the totals with some rows added, in their order."""
        if not len(rows.rows):
            return self
        sums, weights = self.sums.copy(), self.weights.copy()
        pairs = zip(rows.labels.tolist(), rows.weights.tolist(), rows.differences, strict=True)
        for j, w, difference in pairs:
            sums[j] += w * difference
            weights[j] += w
        return Totals(sums, weights, self.counts_with(rows))

    def counts_with(self, rows: Farthest) -> Integers:
        """Return the counts with some rows added."""
        more = np.bincount(rows.labels, minlength=len(self.counts))
        return self.counts + more.astype(np.int64, copy=False)

    def plus(self, other: Totals) -> Totals:
        """Return the sum of both."""
        return Totals(
            self.sums + other.sums, self.weights + other.weights, self.counts + other.counts
        )


def no_totals(n_clusters: int, n_features: int) -> Totals:
    """Return the totals of no rows."""
    zeros = np.zeros(n_clusters, np.int64)
    return Totals(np.zeros((n_clusters, n_features)), np.zeros(n_clusters), zeros)
