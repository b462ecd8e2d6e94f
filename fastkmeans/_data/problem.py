"""A clustering problem: rows, weights, scaling, and the threads that work on them."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.sparse.rows import Scaled
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import Team
from .lengths import Lengths, lengths_of, measure, to_length_one
from .rows import Block, Rows, StandardizedRows
from .scaling import NotFiniteError, Scaling, scaling_of
from .sparse import SparseRows
from .tables import Table
from .validation import NO_WEIGHTS, first_not_finite

LIFT = 2.0**500
"""Factor for rows that are all shorter than 1, some of them subnormal."""

Take = Callable[[slice, Block, Labels], object]
"""Takes some rows of a pass, in order: their slice of all rows, their values and labels."""


class Problem(NamedTuple):
    """Rows to cluster, and what every step needs with them."""

    rows: Rows
    weights: Floats  # (n_samples,), or of size 0 if all rows count alike
    scaling: Scaling  # to the coordinates of the kernels
    team: Team
    lengths: Lengths | None = None  # by cosine

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and features."""
        return self.rows.shape

    def blocks(self) -> Iterator[tuple[slice, Block]]:
        """Yield the blocks, each with its slice of arrays that hold one item per row."""
        for start, X in self.rows.blocks():
            yield slice(start, start + X.shape[1]), X

    def weights_of(self, part: slice | NDArray[np.int64]) -> Floats:
        """Return the weights of some rows; of size 0 if all rows count alike."""
        return self.weights[part] if self.weights.size else self.weights

    @property
    def inverse(self) -> Floats:
        """Inverse lengths; of size 0 if rows count with the lengths that they have."""
        return NO_WEIGHTS if self.lengths is None else self.lengths.inverse

    def inverse_of(self, part: slice | NDArray[np.int64]) -> Floats:
        """Return the inverse lengths of some rows; of size 0 if rows count as they are."""
        return self.inverse[part] if self.inverse.size else self.inverse

    @property
    def scaled(self) -> Scaled:
        """Sparse rows as kernels count them."""
        assert isinstance(self.rows, SparseRows)
        return Scaled(*self.rows.stored, self.scaling.scale, self.inverse)

    def points(self, indices: NDArray[np.int64]) -> Floats:
        """Return some rows as centers: float64, by cosine brought to length 1."""
        points: Floats = self.rows.take(indices).astype(np.float64)
        return to_length_one(points) if self.scaling.by_cosine else points


def problem_of(rows: Rows, weights: Floats, team: Team, by_cosine: bool = False) -> Problem:
    """Measure rows for the threads of a team."""
    if by_cosine:
        scaling, lengths = measure(rows, weights, team)
        if scaling.scale * float(lengths.inverse.max(initial=0.0)) == math.inf:
            rows = _lifted(rows)
            scaling, lengths = measure(rows, weights, team)
        return Problem(rows, weights, scaling, team, lengths)
    return Problem(rows, weights, scaling_of(rows, weights, team), team)


def _lifted(rows: Rows) -> Rows:
    """Return rows times a power of two: float64 then holds the inverses of subnormal lengths."""
    if isinstance(rows, SparseRows):
        return rows.times(LIFT)
    d = rows.shape[1]
    return StandardizedRows(rows, np.zeros(d), np.full(d, 1.0 / LIFT))


def given_problem(rows: Rows, scaling: Scaling, team: Team) -> Problem:
    """Return rows to compare with given centers; sparse ones by cosine need their lengths."""
    lengths = None
    if scaling.by_cosine and isinstance(rows, SparseRows):
        lengths = lengths_of(rows, NO_WEIGHTS, scaling.scale, team)
    return Problem(rows, NO_WEIGHTS, scaling, team, lengths)


@contextmanager
def open_problem(
    rows: Rows, weights: Floats, n_threads: int | None, work: float, by_cosine: bool = False
) -> Iterator[Problem]:
    """Measure rows, and start threads for them for the time of a ``with`` block.

    ``n_threads`` is the most threads to use (see ``count_threads``).  ``work`` is the estimated
    nanoseconds of one pass on one thread.  A NaN or infinite value is a ``NotFiniteError``.
    """
    with Team(n_threads, work) as team:
        yield problem_of(rows, weights, team, by_cosine)


@contextmanager
def naming(table: Table) -> Iterator[None]:
    """Replace a ``NotFiniteError`` by an error that names the value in the table."""
    try:
        yield
    except NotFiniteError:
        raise first_not_finite(table) from None
