"""Fits of one table for several numbers of clusters, on shared work.

The rows are measured once, and what an engine keeps of them serves all fits.  Most iterations
run on a sample: a fit for k begins there, from several starts, among them the centers of the
smaller k and one more row.  The best of them goes on with all rows, which takes few iterations.

k-means++ chooses its centers one by one, so one chain of them holds a start for every k.  The
chain of all rows checks the sample: a row that lies far from every center may be one that the
sample lacks, and then runs on all rows begin from the chain and from the smaller k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem, problem_of
from .._data.sparse import selected
from .._engines.base import work_of
from .._lloyd.loop import finish
from .._lloyd.run import Outcome, Workspace
from .._lloyd.squares import squares_of
from .._lloyd.watch import Watch
from .._runtime.arrays import Floats
from .._runtime.threads import Team
from .._seeding.initial import moving
from .._seeding.plusplus import more_centers, plus_plus

SAMPLE, PER_CLUSTER = 1 << 14, 256
"""Rows of the sample, at least, and per cluster."""
COARSER = 4
"""The sample, or a larger one, is used for a table of so many times its rows."""
ALONE_NANOSECONDS = 2e6
"""Estimated cost of a pass over a sample below which one thread is used: there are many passes."""
EASE = 10.0
"""Factor of the tolerance on samples between the smallest and the whole table."""
FAR, UNSEEN = 4.0, 4.0
"""A row of the chain is far if its squared distance is so many times the mean, and what the
sample may lack of its kind outweighs what the last cluster gained.  The sample may lack so many
times the rows that one of its rows stands for."""


class Options(NamedTuple):
    """How each fit runs; see ``KMeans``."""

    max_iter: int
    tol: float
    algorithm: str
    n_init: int  # starts besides the centers of the smaller k


class Level:
    """The table or a sample of it, with the workspace of the last fit."""

    def __init__(self, problem: Problem, options: Options) -> None:
        self.problem = problem
        self._options = options
        self._workspace: Workspace | None = None

    def run(self, start: Floats, watch: Watch | None = None, ease: float = 1.0) -> Outcome:
        """Return the run from some centers; its tolerance is ``ease`` times that of the user."""
        k, options, before = len(start), self._options, self._workspace
        if before is None or before.n_clusters != k:
            self._workspace = before = Workspace(self.problem, k, options.algorithm, before)
        run = before.begin(start, options.max_iter)
        return finish(run, [], options.max_iter, ease * options.tol, watch)

    def chain(self, n_clusters: int, rng: np.random.Generator) -> Floats:
        """Return centers by greedy k-means++; the first k of them are a start for k."""
        chosen = plus_plus(moving(self.problem, n_clusters), n_clusters, rng)
        return self.problem.points(chosen)

    def extended(self, run: Outcome, n_clusters: int, rng: np.random.Generator) -> Floats:
        """Return the centers of a run and further rows, chosen by k-means++."""
        k = len(run.centers)
        squares = squares_of(self.problem, run.labels, run.centers)
        new = more_centers(moving(self.problem, n_clusters), squares, k, n_clusters - k, rng)
        return np.vstack([run.centers, self.problem.points(new)])


class Fits:
    """The fits for rising numbers of clusters."""

    def __init__(
        self, problem: Problem, most: int, options: Options, rng: np.random.Generator
    ) -> None:
        self._options, self._rng = options, rng
        self._all = Level(problem, options)
        samples = _samples(problem, most, rng)
        self._levels = [*(Level(sample, options) for sample in samples), self._all]
        self.smallest = self._levels[0].problem
        self._chain = self._all.chain(most, rng)
        first = self._levels[0]
        self._starts = [first.chain(most, rng) for _ in range(options.n_init)]
        if first is self._all:
            self._starts[0] = self._chain
        self._coarse: Outcome | None = None  # the last best run on the smallest sample
        self._best: Outcome | None = None  # the last fit

    @property
    def last_coarse(self) -> float:
        """The inertia of the last best run on the smallest sample."""
        assert self._coarse is not None
        return self._coarse.inertia

    def one_cluster(self, coarse: float, inertia: float) -> float:
        """Return the inertia of one cluster of all rows.

        ``coarse`` is that of the sample, and ``inertia`` that of the last fit.
        """
        if self.last_coarse > 0.0:
            return coarse / self.last_coarse * inertia
        # The sample has no more distinct rows than the fit has clusters.
        return self._all.run(self._chain[:1]).inertia

    def coarse(self, n_clusters: int, watch: Watch | None = None) -> Outcome:
        """Return the best run on the smallest sample; ``n_clusters`` is more than before."""
        k, first = n_clusters, self._levels[0]
        starts = [chain[:k] for chain in self._starts]
        if self._coarse is not None:
            starts.append(first.extended(self._coarse, k, self._rng))
        if k == 1:
            starts = starts[:1]
        own = watch if first is self._all else None
        self._coarse = _lowest([first.run(start, own) for start in starts])
        return self._coarse

    def fit(self, n_clusters: int, watch: Watch | None = None) -> Outcome:
        """Return the fit for ``n_clusters``, more than before."""
        k, first = n_clusters, self._levels[0]
        best = self.coarse(k, watch)
        for level in self._levels[1:-1]:
            best = level.run(best.centers, ease=EASE)
        if first is not self._all:
            best = self._all.run(best.centers, watch)
        begins = []
        if first is not self._all and self._is_short(best):
            begins.append(self._chain[:k])
        if self._best is not None and (begins or best.inertia > self._best.inertia):
            begins.append(self._all.extended(self._best, k, self._rng))
        best = _lowest([best, *(self._all.run(start, watch) for start in begins)])
        self._best = best
        return best

    def _is_short(self, run: Outcome) -> bool:
        """Return whether the sample may lack rows that deserve a center."""
        problem = self._all.problem
        n, k = problem.shape[0], len(run.centers)
        points = self._chain[:k]
        apart = np.array([((point - run.centers) ** 2).sum(axis=1).min() for point in points])
        weight = float(problem.weights.sum()) if problem.weights.size else float(n)
        far = apart > FAR * run.inertia / weight
        gained = run.inertia / k if self._best is None else self._best.inertia - run.inertia
        unseen = UNSEEN * weight / self._levels[0].problem.shape[0]
        return bool((far & (unseen * apart > gained)).any())


def _lowest(runs: list[Outcome]) -> Outcome:
    """Return the run of lowest inertia, the first of several equal ones."""
    return min(runs, key=lambda run: run.inertia)


def _samples(problem: Problem, most: int, rng: np.random.Generator) -> list[Problem]:
    """Return samples of rising size, drawn without replacement; none of a small table."""
    rows, n = problem.rows, problem.shape[0]
    counted = moving(problem, most).weights
    allowed = np.flatnonzero(counted > 0.0) if counted.size else None
    n_allowed = n if allowed is None else len(allowed)
    found, size = [], max(SAMPLE, PER_CLUSTER * most)
    while COARSER * size <= n_allowed:
        drawn = np.sort(rng.choice(n_allowed, size, replace=False, shuffle=False))
        chosen: NDArray[np.int64] = drawn if allowed is None else allowed[drawn]
        sample = selected(rows, chosen)
        weights = np.ascontiguousarray(problem.weights_of(chosen))
        work = work_of(sample.shape, most)
        team = Team(1, work) if work < ALONE_NANOSECONDS else problem.team
        found.append(problem_of(sample, weights, team, problem.scaling.by_cosine))
        size *= COARSER
    return found
