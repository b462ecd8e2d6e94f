"""Candidates from cells: a start for many clusters.

    cells        sqrt(k) / 2 clusters of a sample; a row belongs to that of the closest center
    candidates   greedy k-means++ within each cell, more than k of them in all
    choice       greedy k-means++ among the candidates, each with the weight of its rows

Greedy k-means++ compares each candidate with all rows.  Here it meets the rows of its cell, so
the work is ``sqrt(k) / 2`` times less.  The choice at the end sees all cells: it takes more
centers where they save more, and one candidate only of two that are close on both sides of a
border.  Without it, and with exactly k candidates, a cluster without a center was common where
clusters are far apart.  k-means|| draws its candidates in passes over all rows instead (Bahmani and
others 2012, "Scalable K-Means++", VLDB).

No Lloyd iterations run within the cells.  They lower the inertia of the start, but not that of the
end: after 32 iterations on all rows, it is 0.2 to 0.4 % higher than without them.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem, problem_of
from .._data.sample import Sample
from .._data.sparse import selected
from .._engines.plain import label_rows
from .._lloyd.run import Workspace
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import Team
from .plusplus import plus_plus
from .sampled import part_of

ROWS_PER_CELL = 256
"""Rows of the sample per cell.  They place the cell's center, and estimate its inertia."""
CELL_ITERATIONS = 10
"""Lloyd iterations on that sample."""
CANDIDATES = 2
"""Candidates per center.  With 3, the inertia is 0.2 % lower, for half as much time again."""
MANY_FEATURES = 128
"""Features from which on fewer rows are drawn: a distance then takes long."""
CELL_TRIALS, TRIALS = 3, 4
"""Rows drawn for each candidate and for each center, with many features.  Else it is as many as
greedy k-means++ draws, 7 to 10.  On embeddings with 384 features these lower the inertia by 0.2 %
at most; on a mixture of 2000 clear clusters with 32 features by 1.5 %."""
CELLS_PER_THREAD = 4
"""Least cells per thread.  Each thread copies the rows of one cell.  So the copies take about a
quarter of the memory of the rows at most."""


class Cells(NamedTuple):
    """The rows of each cell, and how many candidates it gives."""

    labels: Labels  # the cell of each row; -1 if it has no weight
    counts: NDArray[np.int64]  # of candidates
    seeds: NDArray[np.int64]  # of the draws in each cell


class Candidates(NamedTuple):
    """Rows that may become centers."""

    places: NDArray[np.int64]
    weights: Floats  # of the rows that are closest to each


def number_of_cells(n_clusters: int) -> int:
    """Return how many cells there are for ``n_clusters`` centers."""
    return max(1, math.isqrt(n_clusters) // 2)


def from_cells(problem: Problem, n_clusters: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows that become centers.

    At least ``n_clusters`` rows must have a weight above 0.
    """
    few_draws = problem.shape[1] >= MANY_FEATURES
    usual = 2 + int(math.log(n_clusters))
    cells = _make_cells(problem, n_clusters, rng)
    found = _all_candidates(problem, cells, CELL_TRIALS if few_draws else usual)
    rows, by_cosine = selected(problem.rows, found.places), problem.scaling.by_cosine
    own = problem_of(rows, found.weights / found.weights.max(), problem.team, by_cosine)
    chosen = plus_plus(own, n_clusters, rng, TRIALS if few_draws else usual)
    places: NDArray[np.int64] = found.places[chosen]
    return places


def _all_candidates(problem: Problem, cells: Cells, trials: int) -> Candidates:
    """Return the candidates of all cells; threads share the cells."""
    n_cells = len(cells.counts)
    n_threads = min(problem.team.size, n_cells // CELLS_PER_THREAD)

    def choose(cell: int) -> Candidates:
        return _choose_candidates(problem, cells, cell, trials)

    if n_threads < 2:
        found = [choose(cell) for cell in range(n_cells)]
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            found = list(pool.map(choose, range(n_cells)))
    places, weights = zip(*found, strict=True)
    return Candidates(np.concatenate(places), np.concatenate(weights))


def _make_cells(problem: Problem, n_clusters: int, rng: np.random.Generator) -> Cells:
    """Put each row into a cell."""
    weights, n_cells = problem.weights, number_of_cells(n_clusters)
    centers, inertias = _sampled_cells(problem, n_cells, rng)
    labels: Labels = problem.rows.empty(problem.shape[0], np.int32)
    label_rows(problem, centers, labels)
    if weights.size:
        labels[weights == 0.0] = -1
    sizes = np.bincount(labels + 1, minlength=1 + n_cells)[1:]
    totals = np.bincount(labels + 1, weights, 1 + n_cells)[1:] if weights.size else sizes
    wanted = min(CANDIDATES * n_clusters, int(sizes.sum()))
    counts = shared_out(wanted, shares_of(totals * inertias, problem.shape[1]), sizes)
    return Cells(labels, counts, rng.integers(0, 1 << 62, n_cells))


def _sampled_cells(
    problem: Problem, n_cells: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the centers of the cells, and the inertia of each per unit of weight."""
    sample = Sample(problem.rows, problem.weights, n_cells, n_cells, rng)
    own = part_of(problem, sample, ROWS_PER_CELL * n_cells)
    run = Workspace(own, n_cells).begin(own.points(plus_plus(own, n_cells, rng)), CELL_ITERATIONS)
    for _ in range(CELL_ITERATIONS):
        if not run.step().n_moved:
            break
        run.move_centers()
    run.write_labels()
    squares, unit = np.zeros(own.shape[0]), own.scaling.unit
    differences = own.points(np.arange(own.shape[0])) * unit - run.centers[run.labels] * unit
    for column in np.ascontiguousarray(
        differences.T
    ):  # in this order processors agree in every digit
        squares += column * column
    weights = own.weights if own.weights.size else np.ones(len(squares))
    totals = np.bincount(run.labels, weights, n_cells)
    means = np.bincount(run.labels, weights * squares, n_cells) / np.where(totals > 0, totals, 1.0)
    return run.centers.copy(), means


def _choose_candidates(problem: Problem, cells: Cells, cell: int, trials: int) -> Candidates:
    """Return the candidates of a cell, on one thread; the draws depend on its seed alone."""
    count = int(cells.counts[cell])
    places = np.flatnonzero(cells.labels == cell)
    if not count:
        return Candidates(places, np.empty(0))
    rows, by_cosine = selected(problem.rows, places), problem.scaling.by_cosine
    closest, rng = np.empty(len(places), np.int32), np.random.default_rng(cells.seeds[cell])
    with Team(1, 0.0) as alone:
        own = problem_of(rows, problem.weights_of(places), alone, by_cosine)
        chosen = plus_plus(own, count, rng, trials, most_ranges=1)
        label_rows(own, own.points(chosen), closest)
    weights = own.weights if own.weights.size else np.ones(len(places))
    return Candidates(places[chosen], np.bincount(closest, weights, count).astype(np.float64))


def shares_of(inertias: Floats, n_features: int) -> Floats:
    """Return in which proportion the cells give candidates.

    With m centers, the inertia of a cell falls about as ``m^(-2/d)``.  So the sum is least if m is
    in proportion to ``inertia^(d/(d+2))`` (Zador 1982, IEEE Transactions on Information Theory
    28).  The power is rounded to 1/2, 3/4 or 1: square roots are the same on every processor.
    """
    roots: Floats = np.sqrt(inertias)
    if n_features <= 3:
        return roots
    return roots * np.sqrt(roots) if n_features <= 11 else inertias


def shared_out(count: int, shares: Floats, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Share ``count`` rows out in proportion to ``shares``; a cell with rows gives one at least.

    A cell gives no more rows than it has.
    """
    counts = np.minimum(sizes, 1)
    # Any positive share does for cells whose rows are all equal, if no others have rows left.
    least = 1e-12 * max(float(shares.max()), 1e-100)
    while (left := count - int(counts.sum())) > 0:
        wanted = np.where(counts < sizes, shares + least, 0.0)
        more = np.floor(wanted * (left / total_of(wanted))).astype(np.int64)
        more = np.minimum(more, sizes - counts)
        if not more.any():
            more[np.argmax(wanted / (counts + 1))] = 1
        counts += more
    return counts
