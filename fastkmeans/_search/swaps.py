"""A local search by swaps after the run of a fit.

A swap draws a row with probability ``w D^2``, as k-means++ does, and gives it the place of a center
whose loss costs little.  A few Lloyd iterations follow, and the swap is kept if the inertia has
fallen: Kanungo and others (2004), "A local search approximation algorithm for k-means clustering",
Computational Geometry 28; Beretta and others (2023), "Multi-swap k-means++", NeurIPS.

    State     the two closest centers of every row, and the sums   closest.renew
    draw      candidates, and the price of each in the place of    prices.price
              every center, in one pass
    gain      the cheapest first: iterate among its neighbours     around.try_swap
    keep      the first that gains; find the two closest again     closest.renew
    finish    a run from the centers found, if any was kept        _lloyd.loop.finish

The run at the end is an ordinary one: labels and inertia are exact.  It counts if its inertia is
lower, so a search never makes a fit worse.  Kernels run on one thread.
"""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import numpy as np

from .._data.problem import Problem, Take
from .._data.rows import Rows
from .._data.sparse import SparseRows
from .._kernels.search.prices import CANDIDATES
from .._lloyd.loop import finish
from .._lloyd.run import Outcome, Workspace
from .._lloyd.watch import Watch
from .._runtime.arrays import Floats
from .._runtime.disk import human_size
from .state import State, bytes_of, scaled_inertia

AUTO = "auto"
ALL_TRIED = "all tries were used"
ENOUGH = "the work that 'auto' allows was done"
NOTHING_LEFT = "no row is apart from its center"
ONE_CLUSTER = "there is one cluster"
TOO_FEW_ROWS = "a cluster has no row"
LEAST_GAIN = 1e-6
"""Share of the potential that a swap must gain: less may be rounding in float32."""


class Limits(NamedTuple):
    """When a search ends, whatever it finds."""

    tries: float  # swaps that are tried
    work: float = math.inf  # multiplications


AUTO_TRIES = 6
"""Tries of "auto" for each center.  Measured on 100 seeds: 15 overlapping groups end in the best
optimum known from 100 %, 31 from 85 %; 13 tries for each of the 31 would give 99 %."""
AUTO_MOST_TRIES = 500
"""Most tries of "auto"."""
AUTO_WORK = 1 << 30
"""Multiplications of "auto", about: a fifth of a second."""
AUTO_SHARE = 4
"""A search by "auto" may do so many times the work of one iteration at least, or none is begun."""
AUTO_BYTES = 1 << 26
"""Most memory that a search by "auto" takes, in bytes: a fit needs little besides ``X``."""


class Search(NamedTuple):
    """What a local search did."""

    tries: int  # swaps that were tried
    kept: int  # swaps that were kept
    iterations: int  # Lloyd iterations of some clusters after the swaps
    n_distances: int  # distances of a row and a center that were computed
    seconds: float  # wall time, with the run at the end
    gain: float  # inertia before, less the inertia after
    reason: str  # why it ended, in words


def limits_of(local_search: str | int, init: Any, rows: Rows, n_clusters: int) -> Limits | None:
    """Return the limits of the search that a fit asks for; None: no search."""
    if local_search != AUTO:
        return Limits(float(local_search)) if local_search else None
    n, d = rows.shape
    in_memory = rows.room == math.inf and not isinstance(rows, SparseRows)
    begins = isinstance(init, str) and in_memory and n_clusters > 1
    if not begins or bytes_of(n, d) > AUTO_BYTES or AUTO_SHARE * n * d * n_clusters > AUTO_WORK:
        return None
    return Limits(min(AUTO_MOST_TRIES, AUTO_TRIES * n_clusters), work=AUTO_WORK)


def refuse_search(rows: Rows, by_cosine: bool) -> None:
    """Raise a ValueError if a local search cannot work on these rows."""
    if by_cosine or isinstance(rows, SparseRows):
        what = "metric='cosine'" if by_cosine else "sparse rows"
        raise ValueError(f"local_search has no method for {what}: use local_search=0.")
    takes = bytes_of(*rows.shape)
    if takes > rows.room:
        raise ValueError(
            f"local_search takes a copy of {human_size(takes)} of these rows, which is more than "
            "memory_limit allows: use local_search=0, or allow more."
        )


def search_from(
    workspace: Workspace,
    best: Outcome,
    limits: Limits,
    rng: np.random.Generator,
    max_iter: int,
    tol: float,
    watch: Watch,
) -> tuple[Outcome, Search]:
    """Search from the outcome of a run; return the better outcome, and what was done.

    The history, and why the run ended, stay those of the first run.
    """
    began = time.perf_counter()
    problem, k = workspace.problem, len(best.centers)
    found, done, gain = best, Search(0, 0, 0, 0, 0.0, 0.0, ONE_CLUSTER), 0.0
    if best.n_found < k:
        done = done._replace(reason=TOO_FEW_ROWS)
    elif k > 1:
        before = scaled_inertia(problem, best)
        centers, done = _swapped(problem, best, before, limits, rng)
        if done.kept:
            run = workspace.begin(centers, max_iter)
            ended = finish(run, [], max_iter, tol, _LastPass(watch))
            gain = before - scaled_inertia(problem, ended)
            if gain > 0.0:
                found = best._replace(
                    labels=ended.labels, centers=ended.centers, inertia=ended.inertia,
                    n_found=ended.n_found,
                )  # fmt: skip
    unit = problem.scaling.unit
    gain = max(0.0, gain) / unit / unit
    return found, done._replace(seconds=time.perf_counter() - began, gain=gain)


class _LastPass(Watch):
    """Passes on the rows of the last pass of a run, and nothing else."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def last_pass(self, problem: Problem, centers: Floats) -> Take | None:
        return self._watch.last_pass(problem, centers)


def _swapped(
    problem: Problem, best: Outcome, before: float, limits: Limits, rng: np.random.Generator
) -> tuple[Floats, Search]:
    """Return the centers after the swaps, in the units of the data, and what was done."""
    state, d, scaling = State(problem, best, before), problem.shape[1], problem.scaling
    tries, kept, reason = 0, 0, ""
    while not reason:
        if not state.potential > 0.0:
            reason = NOTHING_LEFT
            break
        least = LEAST_GAIN * state.potential
        for _, removed, point in state.draw(rng.random(CANDIDATES)):
            reason = _over(limits, tries, state.n_distances * d)
            if reason:
                break
            tries += 1
            if state.gain(point, removed, least) > least:
                kept += 1
                state.keep()
                break
    centers = state.clusters.centers / scaling.unit + scaling.shift
    return centers, Search(tries, kept, state.n_iterations, state.n_distances, 0.0, 0.0, reason)


def _over(limits: Limits, tries: int, work: float) -> str:
    """Return why a search is over, or an empty text."""
    if tries >= limits.tries:
        return ALL_TRIED
    return ENOUGH if work >= limits.work else ""
