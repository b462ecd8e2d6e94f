"""A random order of the rows of a table: the first rows of it are a sample, for any number.

The table is cut into strata of equal height, and one row of each is drawn at random.  These
rows come first, then the row after each, and so on; the end of a stratum wraps around:

    stratum 0      stratum 1      stratum 2
    . . a b c .    b c . . . a    . a b c . .        first the a, then the b, then the c

So a larger sample contains the smaller one: it reads longer runs of neighbours from the same
places.  Only the sampled parts of a memory map are read, and the order takes memory for one
place per stratum.  All rows are equally likely, and all strata count alike.  If neighbours
resemble each other, a sample is worth less than its size, but at least one row per stratum.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats
from .rows import ArrayRows, Block, Rows, RowsView, twice
from .sparse import SparseRows

KEPT_BYTES = 1 << 26
"""Bytes of the largest sample that is copied; a larger one is gathered on every pass."""
BLOCK_VALUES = 1 << 20
"""Values gathered at a time."""


class SampledRows(RowsView):
    """Runs of rows of a table, one from each stratum, as a table of their own."""

    def __init__(
        self,
        rows: Rows,
        counted: NDArray[np.int64],  # the rows that form the strata; of size 0: all rows
        edges: NDArray[np.int64],  # of the strata
        firsts: NDArray[np.int64],  # first row of each run, from the start of its stratum
        lengths: NDArray[np.int64],  # number of rows of each run
    ) -> None:
        super().__init__(rows, BLOCK_VALUES)
        self.shape = int(lengths.sum()), rows.shape[1]
        self._counted = counted
        self._edges, self._firsts = edges, firsts
        self._ends = np.cumsum(lengths)
        self._begins = self._ends - lengths

    def places(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places in the table of rows of the sample."""
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

    def take(self, indices: NDArray[np.int64]) -> Block:
        return self._rows.take(self.places(indices))


class Batch(NamedTuple):
    """Rows and their weights (of size 0: all ones)."""

    rows: Rows
    weights: Floats


class Sample:
    """A sample, of any size, of the rows of a table that have weight."""

    def __init__(
        self,
        rows: Rows,
        weights: Floats,  # of shape (n_samples,), or of size 0
        n_strata: int,  # fewer if there are fewer rows
        least: int,  # least number of rows; rows of weight zero fill up
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
        """Return the lengths of the runs that hold the first ``count`` rows."""
        whole, rest = divmod(count, len(self._order))
        lengths = np.full(len(self._order), whole)
        lengths[self._order[self._heights[self._order] > whole][:rest]] += 1
        return lengths

    def first(self, count: int) -> Batch:
        """Return the first ``count`` rows, stratum by stratum."""
        count = min(count, self.n_rows)
        if count == self.n_samples:
            return Batch(self._rows, self._weights)
        lengths = self._lengths(count)
        rows = SampledRows(self._rows, self._counted, self._edges, self._firsts, lengths)
        weights, indices = self._weights, np.arange(count)
        if weights.size:
            weights = weights[rows.places(indices)]
            weights.flags.writeable = False
        if isinstance(self._rows, SparseRows):  # a copy takes little memory
            return Batch(self._rows.select(rows.places(indices)), weights)
        if count * rows.shape[1] * rows.dtype.itemsize <= KEPT_BYTES:
            return Batch(ArrayRows(rows.take(indices)), weights)
        return Batch(rows, weights)
