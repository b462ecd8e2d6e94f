"""A local search by swaps after the run of a fit (``_kernels.search.swaps`` is the method).

    measure   the two closest centers of every row             find_closest, in threads
    search    swaps of a row and a center, one after another   search_swaps, on one thread
    finish    a run from the centers found, if any was kept    _lloyd.loop.finish

The run at the end is an ordinary one: labels and inertia are exact.  It counts if its inertia is
lower, so a search never makes a fit worse.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from .._data.problem import Problem, Take
from .._data.rows import FLOAT32, ArrayRows, Block, Rows, twice
from .._data.sparse import SparseRows
from .._kernels.search.around import KEPT, TRIES
from .._kernels.search.closest import Closest, Clusters, Place, find_closest
from .._kernels.search.prices import CANDIDATES
from .._kernels.search.swaps import search_swaps
from .._lloyd.loop import finish
from .._lloyd.run import Outcome, Workspace
from .._lloyd.watch import Watch
from .._runtime.adding import total_of
from .._runtime.arrays import Floats
from .._runtime.disk import human_size

ALL_TRIED = "all tries were used"
NOTHING_LEFT = "no row is apart from its center"
ONE_CLUSTER = "there is one cluster"
TOO_FEW_ROWS = "a cluster has no row"
RESOLVED = 2.0**-28
"""Least inertia per weight and feature, in scaled units, that float32 resolves."""
CALL_WORK = 1 << 27
"""Multiplications of one call of the kernel, about: Ctrl-C waits for it."""
MOST_TRIES = 1 << 40
"""Most tries that are counted: a search for more would take years."""
MOST_DRAWS = 64
"""Most draws of candidates in one call."""


class Search(NamedTuple):
    """What a local search did."""

    tries: int  # swaps that were tried
    kept: int  # swaps that were kept
    iterations: int  # Lloyd iterations of some clusters after the swaps
    n_distances: int  # distances of a row and a center that were computed
    seconds: float  # wall time, with the run at the end
    gain: float  # inertia before, less the inertia after
    reason: str  # why it ended, in words


def refuse_search(rows: Rows, by_cosine: bool) -> None:
    """Raise a ValueError if a local search cannot work on these rows."""
    if by_cosine or isinstance(rows, SparseRows):
        what = "metric='cosine'" if by_cosine else "sparse rows"
        raise ValueError(f"local_search has no method for {what}: use local_search=0.")
    copied = 0 if isinstance(rows, ArrayRows) else rows.shape[0] * rows.shape[1]
    takes = copied * rows.dtype.itemsize
    if takes > rows.room:
        raise ValueError(
            f"local_search takes a copy of {human_size(takes)} of these rows, which is more than "
            "memory_limit allows: use local_search=0, or allow more."
        )


def search_from(
    workspace: Workspace,
    best: Outcome,
    tries: int,
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
    counts, reason, found = np.zeros(6, np.int64), "", best
    if k == 1:
        reason = ONE_CLUSTER
    elif best.n_found < k:
        reason = TOO_FEW_ROWS
    else:
        centers, reason = _swapped(problem, best, tries, rng, counts)
        if counts[KEPT]:
            run = workspace.begin(centers, max_iter)
            ended = finish(run, [], max_iter, tol, _LastPass(watch))
            if ended.inertia < best.inertia:
                found = best._replace(
                    labels=ended.labels, centers=ended.centers, inertia=ended.inertia,
                    n_found=ended.n_found,
                )  # fmt: skip
    tries, kept, iterations, n_distances, *_ = counts.tolist()
    seconds = time.perf_counter() - began
    gain = 0.0 if found is best else best.inertia - found.inertia  # both may be infinite
    return found, Search(tries, kept, iterations, n_distances, seconds, gain, reason)


class _LastPass(Watch):
    """Passes on the rows of the last pass of a run, and nothing else."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def last_pass(self, problem: Problem, centers: Floats) -> Take | None:
        return self._watch.last_pass(problem, centers)


def _swapped(
    problem: Problem, best: Outcome, tries: int, rng: np.random.Generator, counts: Any
) -> tuple[Floats, str]:
    """Return the centers after the swaps, in the units of the data, and why the search ended."""
    (n, d), k, scaling = problem.shape, len(best.centers), problem.scaling
    tries = min(tries, MOST_TRIES)
    X, dtype = _whole(problem.rows), precision(problem, best)
    place = Place(scaling.offset, scaling.scale, scaling.x_offset, scaling.x_scale)
    centers = (best.centers - scaling.shift) * scaling.unit
    closest = Closest(*(problem.rows.empty(n, kind) for kind in (np.int32, np.int32, dtype, dtype)))
    problem.team.run(find_closest, X, problem.team.cut(n), (place, centers, closest))
    sums, weights, members = np.zeros((k, d)), np.zeros(k), np.zeros(k, np.int64)
    clusters = Clusters(centers, sums, weights, members)
    n_draws = max(1, min(MOST_DRAWS, CALL_WORK // (n * d * CANDIDATES)))
    over = False
    while not over:
        uniforms = rng.random((n_draws, CANDIDATES))
        over = search_swaps(
            X, problem.weights, place, closest, clusters, uniforms, tries, tries + 1, counts
        )
    reason = ALL_TRIED if counts[TRIES] == tries else NOTHING_LEFT
    return centers / scaling.unit + scaling.shift, reason


def _whole(rows: Rows) -> Block:
    """Return all rows as one block: arrays in place, others converted once."""
    if isinstance(rows, ArrayRows):
        return next(rows.blocks())[1]
    table = np.empty(rows.shape, rows.dtype)
    for start, X in rows.blocks():
        table[start : start + X.shape[1]] = X[0]
    return twice(table)


def precision(problem: Problem, best: Outcome) -> np.dtype[Any]:
    """Return float32 if it resolves the distances, else the dtype of the rows."""
    weight = total_of(problem.weights) if problem.weights.size else problem.shape[0]
    least = RESOLVED * problem.shape[1] * weight
    return (
        FLOAT32
        if best.inertia * problem.scaling.unit * problem.scaling.unit > least
        else problem.rows.dtype
    )
