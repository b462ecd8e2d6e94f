"""The rows closest to each center, in one pass over rows of any table."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.problem import given_problem
from .._data.rows import CHUNK
from .._data.scaling import make_scaling, power_of_two, unshifted
from .._data.sparse import SparseRows
from .._data.tables import Table
from .._data.validation import check_finite
from .._engines.base import work_of
from .._engines.sums import sparse_squares
from .._kernels.plain.distances import own_squares
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import Team


class Closest(NamedTuple):
    """The rows of each cluster that are closest to its center, by rising distance."""

    rows: NDArray[np.int64]  # (n_clusters, n); -1 after the last row of a cluster
    squares: Floats  # (n_clusters, n), scaled squared distances; infinite where there is no row

    def add(self, first: int, labels: Labels, squares: Floats) -> None:
        """Take further rows into account; they follow all rows before, so they lose ties."""
        n = self.rows.shape[1]
        new = np.flatnonzero(squares < self.squares[labels, -1])
        if not new.size:
            return
        touched = np.unique(labels[new])
        clusters = np.concatenate([np.repeat(touched, n), labels[new]])
        rows = np.concatenate([self.rows[touched].ravel(), first + new])
        values = np.concatenate([self.squares[touched].ravel(), squares[new]])
        order = np.lexsort((values, clusters))  # stable: rows of equal distance keep their order
        starts = np.searchsorted(clusters[order], touched)
        kept = order[starts[:, None] + np.arange(n)]
        self.rows[touched], self.squares[touched] = rows[kept], values[kept]


def closest_rows(
    table: Table,
    centers: Floats,
    labels: Labels,
    n: int,
    n_threads: int | None,
    by_cosine: bool = False,
) -> NDArray[np.int64]:
    """Return row numbers ``(n_clusters, n)``: each cluster's rows that are closest to its center.

    ``labels`` are the closest centers of the rows.  Ties go to the lowest row; -1 fills up the
    clusters that have fewer rows.  At most ``CHUNK`` distances are in memory at a time.
    """
    k = len(centers)
    found = Closest(np.full((k, n), -1), np.full((k, n), np.inf))
    for part, squares, _ in own_squares_of(table, centers, labels, n_threads, by_cosine):
        found.add(part.start, labels[part], squares)
    return found.rows


def own_squares_of(
    table: Table, centers: Floats, labels: Labels, n_threads: int | None, by_cosine: bool = False
) -> Iterator[tuple[slice, Floats, float]]:
    """Yield, for some rows at a time, their squared distances to their centers, and the scale.

    The squares are those of coordinates times the scale, a power of two.  By cosine they are those
    of rows brought to length 1.
    """
    rows = table.rows
    centers = np.ascontiguousarray(centers, np.float64)
    size, reach = check_finite(table), float(np.abs(centers).max())
    scale = 1.0 if by_cosine else power_of_two(max(size, reach), rows.dtype)
    rest = centers, scale, by_cosine
    with Team(n_threads, work_of(rows.shape, 1)) as team:
        if isinstance(rows, SparseRows):
            scaling = make_scaling(rows.dtype, np.zeros(rows.shape[1]), scale)
            if by_cosine:
                scaling = unshifted(rows.dtype, rows.shape[1], power_of_two(size, rows.dtype))
            all_squares = sparse_squares(given_problem(rows, scaling, team), labels, centers)
            for at in range(0, len(labels), CHUNK):
                part = slice(at, min(at + CHUNK, len(labels)))
                yield part, all_squares[part], scale
            return
        for start, X in rows.blocks():
            for at in range(0, X.shape[1], CHUNK):
                block = X[:, at : at + CHUNK]
                m = block.shape[1]
                part, squares = slice(start + at, start + at + m), np.empty(m)
                team.run(own_squares, block, team.cut(m), (labels[part], *rest, squares))
                yield part, squares, scale
