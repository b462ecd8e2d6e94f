"""The choice of ``init="auto"``: where to look for initial centers, and at which rows.

    k-means++           all rows; for small work
    cells               candidates from cells of rows, k of them chosen; for many clusters
    sample              k-means++ on a sample, then Lloyd's algorithm on a growing sample
    cells of a sample   both

The choice depends on the numbers of rows, features and clusters, on the weights, and on whether
the rows are in memory or in files.  It never depends on the machine.

Measured (AMD EPYC Zen 3, two cores, seconds of processor time; inertia after the fit):

    500k x 32, k=5000, 20 iterations     k-means++ 45.6, 1.5051e7     cells 4.5, 1.5037e7
    embeddings 20k x 384, k=400, 25 it.  k-means++ 1.3, 12207         cells 0.2, 12230
    embeddings 20k x 384, k=1000         k-means++ 2.8, 11084         cells 0.8, 11131
"""

import math
from typing import NamedTuple

import numpy as np

from .._data.problem import Problem
from .._data.sample import KEPT_BYTES, Sample
from .._data.sparse import SparseRows
from .._lloyd.squares import squares_of
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
CELL_ROWS = 16
"""Rows per cluster that are put into cells, where rows have many features.  They are a sample."""
SHARE, FILE_SHARE = 16, 2
"""Fewest rows for a sample, as a multiple of the first one: in memory and in files.  A sample in
memory is at most 1/16 of the rows."""
UNEVEN = 4.0
"""A sample may miss rows of large weight: it must have weights such that ``(sum w)^2 / sum w^2``
is at least the number of rows divided by this.  A sample for cells may miss rows far from all
others, too.  There the same must hold for the weights times the squared distances to the mean."""
LOOKED_AT = 1024
"""Rows whose mean direction stands for that of all rows, by cosine."""


class Start(NamedTuple):
    """How initial centers are found."""

    in_cells: int = 0  # rows that are put into cells; 0: no cells
    first: int = 0  # rows of the first sample; 0: all rows are used
    most: int = 0  # rows of the largest sample

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
        return Start()
    may_sample = not weights.size or _are_even(weights, counted)
    in_file = math.isfinite(rows.room)
    first, most = _sample_sizes(problem, k, counted) if may_sample else (0, 0)
    looked_at = first or n
    in_cells = k >= MANY_CLUSTERS and looked_at * k * (d + 8) >= MUCH_WORK
    if not in_cells or (in_file and not first):  # a cell is read from all over the file
        return Start(0, first, most)
    few = may_sample and d >= MANY_FEATURES
    return Start(min(looked_at, CELL_ROWS * k) if few else looked_at, first, most)


def _sample_sizes(problem: Problem, n_clusters: int, counted: int) -> tuple[int, int]:
    """Return the rows of the first and of the largest sample; 0 and 0 if a sample does not pay."""
    (n, d), rows = problem.shape, problem.rows
    in_file = math.isfinite(rows.room)
    kept = int(min(KEPT_BYTES, rows.room)) // (d * rows.dtype.itemsize) if in_file else n
    first = min(max(SAMPLED_PER_CLUSTER * n_clusters, LEAST_SAMPLE), kept)
    share = FILE_SHARE if in_file else SHARE
    if counted < share * first or first < ROWS_PER_CLUSTER * n_clusters:
        return 0, 0
    return first, min(max(first, counted // SHARE), kept)


def _are_even(weights: Floats, counted: int) -> bool:
    """Return whether no few rows have most of the weight: a sample may miss them."""
    shares = weights / weights.max()
    total = total_of(shares)
    return total * total >= total_of(shares * shares) * (counted / UNEVEN)


def _spread_evenly(problem: Problem) -> bool:
    """Return whether no few rows lie far from all others: a sample may miss them."""
    n = problem.shape[0]
    center = problem.scaling.shift[None]
    if problem.scaling.by_cosine:
        some = problem.points(np.arange(0, n, -(-n // LOOKED_AT))).mean(axis=0, keepdims=True)
        center = some / np.sqrt(total_of(some * some) or 1.0)
    squares = squares_of(problem, np.zeros(n, np.int32), center)
    if problem.weights.size:
        squares *= problem.weights / problem.weights.max()
    return bool(squares.max() > 0.0) and _are_even(squares, n)


def find_centers(problem: Problem, n_clusters: int, rng: np.random.Generator) -> Floats:
    """Return the initial centers of ``init="auto"``; the problem is that of ``choose_start``."""
    start = choose_start(problem, n_clusters)

    def seed(own: Problem, n_clusters: int, rng: np.random.Generator) -> Floats:
        if not start.in_cells:
            return own.points(plus_plus(own, n_clusters, rng))
        if start.in_cells < own.shape[0] and _spread_evenly(own):
            sample = Sample(own.rows, own.weights, n_clusters, n_clusters, rng)
            own = part_of(own, sample, start.in_cells)
        return own.points(from_cells(own, n_clusters, rng))

    if start.first:
        return on_sample(problem, n_clusters, rng, seed, start.first, start.most)
    return seed(problem, n_clusters, rng)
