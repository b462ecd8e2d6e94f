"""Single calls, for ``compare``: what this library and its checkouts take for small work.

First fits run in new processes.  Fits of 150 rows and ``predict`` of one row run many
times.  The least time of all interleaved rounds counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.datasets import Cell, make

from .peer import Array
from .results import Outcome
from .small import Case, run_cases
from .tasks import Entry, Log, Options, describe, rounds
from .worker import PeerError, Worker

SMALL = Cell("150x4-k3", 150, 4, 3)
"""Rows, features and clusters of iris."""
FIRST = (Cell("200kx16-k32", 200_000, 16, 32), SMALL)
"""The data of first fits: many rows, and few."""
WARM = 3
"""Processes with a warm cache for each one with an empty cache, which takes far longer."""


def run_calls(
    workers: Sequence[Worker], dtype: str, options: Options, log: Log, quick: bool = False
) -> list[Outcome]:
    """Time first fits, fits of small data and predictions of one row.

    ``quick`` is one round of first fits of fewer rows: each compiles all kernels.
    """
    chosen = [worker for worker in workers if "calls" in worker.peer.tasks]
    outcomes: list[Outcome] = []
    first = replace(options, repeats=1) if quick else options
    for cell in FIRST:
        outcomes += run_first(chosen, cell.quick() if quick else cell, dtype, first, log)
    X, centers = make(SMALL, dtype)
    cases = small_cases(X, centers, options.calls)
    return outcomes + run_cases(chosen, "calls", cases, dtype, options, log, min)


def small_cases(X: Array, centers: Array, calls: int) -> dict[str, Case]:
    """Return the calls of small data.

    From given centers all fits do the same: the least time counts.  From k-means++ each
    has its own seed: the mean over all seeds counts.
    """
    given = {"n_clusters": len(centers), "n_init": 1, "init": centers}
    drawn = {"n_clusters": len(centers), "n_init": 1}
    return {
        f"{SMALL.name} fit, given centers": ("least", ("small", X, given, calls)),
        f"{SMALL.name} fit, k-means++": ("seconds", ("small", X, drawn, calls)),
        "predict 1 row": ("least", ("predict", X, 1, 10 * calls)),
    }


def run_first(
    workers: Sequence[Worker], cell: Cell, dtype: str, options: Options, log: Log
) -> list[Outcome]:
    """Time the first fits of every library in one cell."""
    _, centers = make(cell, dtype)
    entries = []
    for worker in workers:
        outcome = Outcome("calls", f"{cell.name} first fit, empty cache", dtype, worker.library)
        entries.append(Entry(worker, outcome, centers))
    for entry in rounds(entries, options.repeats):
        try:
            result = entry.worker.call("first_fits", cell, dtype, WARM)
        except PeerError as error:
            entry.fail(error)
            continue
        entry.short.append(result["cold"])
        entry.long += result["warm"]
        entry.outcome.inertia = result["inertia"]
    cold = [close_first(entry.outcome, entry.short) for entry in entries]
    name = f"{cell.name} first fit, warm cache"
    warm = [close_first(replace(e.outcome, cell=name, details={}), e.long) for e in entries]
    for outcome in (*cold, *warm):
        log(describe(outcome))
    return cold + warm


def close_first(outcome: Outcome, times: list[float]) -> Outcome:
    """Turn the times of first fits into an outcome."""
    if not outcome.note:
        outcome.seconds = min(times)
        outcome.details["seconds"] = times
    return outcome
