"""A clustering problem: rows, weights, scaling, and the threads that work on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats
from .._runtime.threads import Team
from .rows import Block, Rows
from .scaling import NotFiniteError, Scaling, scaling_of
from .tables import Table
from .validation import first_not_finite


class Problem(NamedTuple):
    """Rows to cluster, and what every step needs with them."""

    rows: Rows
    weights: Floats  # (n_samples,), or of size 0 if all rows count alike
    scaling: Scaling  # to the coordinates of the kernels
    team: Team

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


@contextmanager
def open_problem(
    rows: Rows, weights: Floats, n_threads: int | None, work: float
) -> Iterator[Problem]:
    """Measure rows, and start threads for them for the time of a ``with`` block.

    ``n_threads`` is the most threads to use (see ``count_threads``).  ``work`` is the estimated
    nanoseconds of one pass on one thread.  A NaN or infinite value is a ``NotFiniteError``.
    """
    with Team(n_threads, work) as team:
        yield Problem(rows, weights, scaling_of(rows, weights, team), team)


@contextmanager
def naming(table: Table) -> Iterator[None]:
    """Replace a ``NotFiniteError`` by an error that names the value in the table."""
    try:
        yield
    except NotFiniteError:
        raise first_not_finite(table) from None
