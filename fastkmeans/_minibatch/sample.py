"""A nested order of the rows of a table: every beginning of it is a sample.

The table is cut into strata of equal height, and a row of each is drawn at random.  These
rows come first; the rows that follow them come next, and so on, from the end of a stratum
to its beginning:

    stratum 0      stratum 1      stratum 2
    . . a b c .    b c . . . a    . a b c . .        first the a, then the b, then the c

A sample of twice the size thus holds the smaller one, and reads runs of neighbours twice
as long from as many places: a memory map is read where the sample is, and the order takes
memory for the places alone.  Every row is as likely as any other, and all strata count
alike.  Where neighbours resemble each other, a sample knows less than its size promises,
though never less than one row of each stratum would.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.rows import BLOCK_MULTIPLE, ArrayRows, Block, Rows, twice

KEPT_BYTES = 1 << 26
"""A sample of at most this size is copied; a larger one is gathered anew on every pass."""
BLOCK_VALUES = 1 << 20
"""Values that are gathered at a time."""


class SampledRows:
    """Runs of rows of a table, one from each stratum, as a table of their own.

    Parameters
    ----------
    rows : Rows
    counted : ndarray of int64
        The rows that the strata consist of; of size 0: all.
    edges, firsts, lengths : ndarray of int64
        The bounds of the strata; where the run of each begins, from the start of its
        stratum; how many rows it has.
    """

    def __init__(
        self,
        rows: Rows,
        counted: NDArray[np.int64],
        edges: NDArray[np.int64],
        firsts: NDArray[np.int64],
        lengths: NDArray[np.int64],
    ) -> None:
        d = rows.shape[1]
        self.room, self.memory_limit = rows.room, rows.memory_limit
        self.shape, self.dtype = (int(lengths.sum()), d), rows.dtype
        self._height = max(1, BLOCK_VALUES // d // BLOCK_MULTIPLE) * BLOCK_MULTIPLE
        self._rows, self._counted = rows, counted
        self._edges, self._firsts = edges, firsts
        self._ends = np.cumsum(lengths)
        self._begins = self._ends - lengths

    def places(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where rows of the sample are in the table."""
        s = np.searchsorted(self._ends, indices, side="right")
        found: NDArray[np.int64]
        height = self._edges[s + 1] - self._edges[s]
        found = self._edges[s] + (self._firsts[s] + indices - self._begins[s]) % height
        if self._counted.size:
            found = self._counted[found]
        return found

    def blocks(self) -> Iterator[tuple[int, Block]]:
        n = self.shape[0]
        for start in range(0, n, self._height):
            yield start, twice(self.take(np.arange(start, min(n, start + self._height))))

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
        return self._rows.empty(shape, dtype)

    def take(self, indices: NDArray[np.int64]) -> Block:
        return self._rows.take(self.places(indices))


class Batch(NamedTuple):
    """Rows and their weights (of size 0: all ones)."""

    rows: Rows
    weights: NDArray[np.float64]


class Sample:
    """A sample of the rows of a table that have weight, as large as one likes.

    Parameters
    ----------
    rows : Rows
    weights : ndarray of shape (n_samples,) or of size 0
    n_strata : int
        The strata, if there are as many rows.
    least : int
        Rows that there shall be, of weight zero if need be.
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        rows: Rows,
        weights: NDArray[np.float64],
        n_strata: int,
        least: int,
        rng: np.random.Generator,
    ) -> None:
        self._rows, self._weights = rows, weights
        self._counted = np.empty(0, np.int64)
        self.n_rows = self.n_samples = rows.shape[0]
        if weights.size and not weights.all():
            counted = np.flatnonzero(weights)
            spare = np.flatnonzero(weights == 0.0)[: max(0, least - len(counted))]
            self._counted = np.sort(np.append(counted, spare))
            self.n_rows = len(self._counted)
        n_strata = min(n_strata, self.n_rows)
        self._edges = np.arange(n_strata + 1) * self.n_rows // n_strata
        self._heights = np.diff(self._edges)
        self._firsts = rng.integers(0, self._heights)
        self._order = rng.permutation(n_strata)

    def _lengths(self, count: int) -> NDArray[np.int64]:
        """Return the lengths of the runs of the first ``count`` rows."""
        whole, rest = divmod(count, len(self._order))
        lengths = np.full(len(self._order), whole)
        lengths[self._order[self._heights[self._order] > whole][:rest]] += 1
        return lengths

    def first(self, count: int) -> Batch:
        """Return the first ``count`` rows, in the order in which they lie in the strata."""
        count = min(count, self.n_rows)
        if count == self.n_samples:
            return Batch(self._rows, self._weights)
        lengths = self._lengths(count)
        rows = SampledRows(self._rows, self._counted, self._edges, self._firsts, lengths)
        weights, indices = self._weights, np.arange(count)
        if weights.size:
            weights = weights[rows.places(indices)]
            weights.flags.writeable = False
        if count * rows.shape[1] * rows.dtype.itemsize <= KEPT_BYTES:
            return Batch(ArrayRows(rows.take(indices)), weights)
        return Batch(rows, weights)
