"""Mini-batches, for ``compare``: whole fits as a user calls them, seeding included.

Every library fits the same rows with the same batch size from the same random states,
in turn, and labels all rows at the end.  The median time counts, and the mean inertia of
the centers over all rows: a time is compared only where ours is no worse.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.datasets import Cell, make, reference_inertia

from .results import Outcome, mean_and_error
from .tasks import Entry, Log, Options, describe, rounds
from .worker import PeerError, Worker


def run_minibatch(
    workers: Sequence[Worker],
    cell: Cell,
    dtype: str,
    batch_size: int,
    options: Options,
    log: Log,
) -> list[Outcome]:
    """Time the mini-batch fits of every library in one cell, over several seeds."""
    X, centers = make(cell, dtype)
    name = f"{cell.name} batch {batch_size}"
    entries = [
        Entry(worker, Outcome("minibatch", name, dtype, worker.library), centers)
        for worker in workers
        if "minibatch" in worker.peer.tasks
    ]
    found: dict[str, list[float]] = {entry.worker.library: [] for entry in entries}
    steps: dict[str, list[int]] = {entry.worker.library: [] for entry in entries}
    for entry in rounds(entries, 1):
        try:
            entry.worker.call("data", cell, dtype)
            full = entry.worker.peer.compiles
            k, max_iter = (cell.k, 100) if full else (min(cell.k, 8), 1)
            entry.worker.call("minibatch", k, batch_size, 0, max_iter)
        except PeerError as error:
            entry.fail(error)
    for turn in range(options.seeds):
        for entry in rounds(entries, 1):
            try:
                result = entry.worker.call("minibatch", cell.k, batch_size, turn, 100)
            except PeerError as error:
                entry.fail(error)
                continue
            entry.short.append(result["seconds"])
            steps[entry.worker.library].append(result["n_iter"])
            inertia = reference_inertia(X, result["centers"], cell.n, cell.n * cell.k)
            found[entry.worker.library].append(inertia)
    for entry in entries:
        outcome, library = entry.outcome, entry.worker.library
        if not outcome.note:
            outcome.seconds = statistics.median(entry.short)
            outcome.inertia, outcome.error = mean_and_error(found[library])
            outcome.details |= {"seconds": entry.short, "inertias": found[library]}
            outcome.details["n_steps"] = steps[library]
        log(describe(outcome))
    return [entry.outcome for entry in entries]
