"""The choice of ``init="auto"``: where to look for initial centers, and at which rows.

    k-means++           all rows; for small work
    cells               candidates from cells of rows, k of them chosen; for many clusters
    sample              k-means++ on a sample, then Lloyd's algorithm on a growing sample
    cells of a sample   both

The choice depends on the numbers of rows, features and clusters, on the weights, and on whether
the rows are in memory or in files.  It never depends on the machine.

Measured (AMD EPYC Zen 3, two cores, seconds of processor time; inertia after the fit):

    500k x 32, k=5000, 20 iterations     k-means++ 45.6, 1.5051e7     cells 4.5, 1.5037e7
    embeddings 20k x 384, k=400, 25 it.  k-means++ 1.3, 12207         cells 0.8, 12234
    embeddings 20k x 384, k=1000         k-means++ 2.8, 11084         cells 1.3, 11134
"""

import math
from typing import NamedTuple

import numpy as np

from .._data.problem import Problem
from .._data.sample import KEPT_BYTES, Sample
from .._data.sparse import SparseRows
from .._runtime.adding import total_of
from .._runtime.arrays import Floats
from .cells import MANY_FEATURES, from_cells
from .plusplus import plus_plus
from .sampled import on_sample, part_of

MANY_CLUSTERS = 256
"""Fewest clusters for cells, so that there are 8 of them at least."""
MUCH_WORK = 1 << 27
"""Least product of rows, clusters and features (each row counts 8 more) for cells.  Below it,
k-means++ takes a tenth of a second at most."""
ROWS_PER_CLUSTER = 8
"""Fewest rows per cluster for cells and samples: with fewer, each row matters."""
SAMPLED_PER_CLUSTER, LEAST_SAMPLE = 256, 1 << 14
"""Rows of the first sample: per cluster, and at least."""
CELLS_PER_CLUSTER = 16
"""Rows per cluster from which cells are made, with many features."""
SHARE, FILE_SHARE = 16, 2
"""Fewest rows for a sample, as a multiple of the first one: in memory and in files.  A sample in
memory is at most 1/16 of the rows."""
UNEVEN = 4.0
"""A sample may miss rows of large weight: it must have weights such that ``(sum w)^2 / sum w^2``
is at least the number of rows divided by this."""


class Start(NamedTuple):
    """How initial centers are found."""

    in_cells: bool  # candidates from cells, not from all rows
    first: int = 0  # rows of the first sample; 0: all rows are used
    most: int = 0  # rows of the largest sample
    in_rows: int = 0  # rows from which cells are made; 0: all, or the first sample

    @property
    def name(self) -> str:
        """What ``init_`` says."""
        if self.first:
            return "cells of a sample" if self.in_cells else "sample"
        return "cells" if self.in_cells else "k-means++"


def choose_start(problem: Problem, n_clusters: int) -> Start:
    """Choose how to find initial centers.  Rows of length 0 must have no weight."""
    rows, weights, k = problem.rows, problem.weights, n_clusters
    n, d = problem.shape
    counted = int(np.count_nonzero(weights)) if weights.size else n
    if isinstance(rows, SparseRows) or counted < ROWS_PER_CLUSTER * k:
        return Start(False)
    in_file = math.isfinite(rows.room)
    kept = int(min(KEPT_BYTES, rows.room)) // (d * rows.dtype.itemsize) if in_file else n
    may_sample = not (weights.size and _are_uneven(weights, counted))
    first = min(max(SAMPLED_PER_CLUSTER * k, LEAST_SAMPLE), kept)
    enough = ROWS_PER_CLUSTER * k <= first <= counted // (FILE_SHARE if in_file else SHARE)
    first = first if may_sample and enough else 0
    most = min(max(first, counted // SHARE), kept) if first else 0
    in_cells = k >= MANY_CLUSTERS and (first or n) * k * (d + 8) >= MUCH_WORK
    if not in_cells or (in_file and not first):  # a cell is read from all over the file
        return Start(False, first, most)
    few = CELLS_PER_CLUSTER * k
    return Start(
        True, first, most, few if may_sample and d >= MANY_FEATURES and few < (first or n) else 0
    )


def _are_uneven(weights: Floats, counted: int) -> bool:
    """Return whether few rows have most of the weight."""
    shares = weights / weights.max()
    total = total_of(shares)
    return total * total < total_of(shares * shares) * (counted / UNEVEN)


def find_centers(problem: Problem, n_clusters: int, rng: np.random.Generator) -> Floats:
    """Return the initial centers of ``init="auto"``; the problem is that of ``choose_start``."""
    start = choose_start(problem, n_clusters)

    def seed(own: Problem, n_clusters: int, rng: np.random.Generator) -> Floats:
        if start.in_rows:
            sample = Sample(own.rows, own.weights, n_clusters, n_clusters, rng)
            own = part_of(own, sample, start.in_rows)
        find = from_cells if start.in_cells else plus_plus
        return own.points(find(own, n_clusters, rng))

    if start.first:
        return on_sample(problem, n_clusters, rng, seed, start.first, start.most)
    return seed(problem, n_clusters, rng)
