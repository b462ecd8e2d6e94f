"""A local search by swaps after the run of a fit.

A swap draws a row with probability ``w D^2``, as k-means++ does, and gives it the place of a center
whose loss costs little.  The cheapest of many such swaps is tried: a few Lloyd iterations follow.
It is kept if the inertia has fallen: Kanungo and others (2004), "A local search approximation
algorithm for k-means clustering", Computational Geometry 28; Beretta and others (2023), "Multi-swap
k-means++", NeurIPS.

    State     the two closest centers of every row, and the sums   renew.renew
    find      until a swap gains:                                  tries.find_swap
                draw candidates, and price each in the place of    prices.choose_swap
                every center, in one pass
                iterate around the cheapest of all these swaps     around.try_swap
    keep      the swap that gains; find the two closest again      renew.renew
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
from .._kernels.search.tries import DISTANCES, STEPS, TRIES
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
BATCH = 64
"""Tries whose random numbers are drawn together."""
LEAST_GAIN = 1e-6
"""Share of the potential that a swap must gain: less may be rounding in float32."""


class Limits(NamedTuple):
    """When a search ends, whatever it finds."""

    tries: float  # swaps that are tried
    work: float = math.inf  # multiplications
    runs: float = math.inf  # work of the run before it, as a multiple; LEAST_WORK is always allowed


AUTO_TRIES = 3
"""Tries of "auto" for each center.  On 100 seeds of each of twenty mixtures, they end in the best
optimum known from 100 % on nineteen of them, and from 98 % on one."""
AUTO_MOST_TRIES = 500
"""Most tries of "auto"."""
AUTO_WORK = 1 << 33
"""Most multiplications of "auto", about."""
AUTO_RUNS = 1.0
"""Work of "auto", as a multiple of that of the run before it.  So a fit takes less time than one of
scikit-learn, which has no search."""
LEAST_WORK = 1 << 26
"""Multiplications that every search by "auto" may do: 20 ms."""
START_ITERATIONS = 6
"""Iterations that cost as much as k-means++, about."""
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
    return Limits(min(AUTO_MOST_TRIES, AUTO_TRIES * n_clusters), AUTO_WORK, AUTO_RUNS)


def within_run(limits: Limits, best: Outcome, shape: tuple[int, int]) -> Limits:
    """Return the limits with the multiplications that are allowed beside a run."""
    run_work = float(math.prod(shape) * len(best.centers)) * (best.n_iter + START_ITERATIONS)
    most = max(float(LEAST_WORK), limits.runs * run_work)
    return limits._replace(work=min(limits.work, most))


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
        limits = within_run(limits, best, problem.shape)
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
    counts, uniforms, kept, reason = state.counts, np.empty((0, CANDIDATES)), 0, ""
    while not reason:
        tries = int(counts[TRIES])
        reason = _over(limits, tries, float(counts[DISTANCES]) * d)
        if not state.potential > 0.0:
            reason = NOTHING_LEFT
        if reason:
            break
        if not len(uniforms):
            uniforms = rng.random((int(min(BATCH, limits.tries - tries)), CANDIDATES))
        least = LEAST_GAIN * state.potential
        if state.find(uniforms, least, limits.work / d) > least:
            kept += 1
            state.keep()
        uniforms = uniforms[int(counts[TRIES]) - tries :]
    centers = state.clusters.centers / scaling.unit + scaling.shift
    done = Search(
        int(counts[TRIES]), kept, int(counts[STEPS]), int(counts[DISTANCES]), 0.0, 0.0, reason
    )
    return centers, done


def _over(limits: Limits, tries: int, work: float) -> str:
    """Return why a search is over, or an empty text."""
    if tries >= limits.tries:
        return ALL_TRIED
    return ENOUGH if work >= limits.work else ""
