"""The tasks of ``compare``: Lloyd iterations, seeding.

Each takes workers whose libraries are loaded and returns outcomes.  Runs are
interleaved: every round visits every library once, in an order that rotates.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.datasets import Cell, make, reference_inertia

from .peer import WHOLE, Array
from .results import Outcome, mean_and_error, per_iteration
from .worker import PeerError, Worker

Log = Callable[[str], None]

SEEDING_SECONDS = 5.0
"""Cheap cells get up to five times the seeds asked for: few clusters scatter most."""


@dataclass(frozen=True)
class Options:
    """What the command line decides.

    ``baselines`` are the baseline and further engines of ours, ``converging`` the peers
    that run to convergence, ``limit`` is in seconds for one peer in one cell.
    ``processor_time`` counts that of a process, not the time on the wall.
    ``methods`` are patterns of the ways to call libraries that take part.
    """

    baseline: str = "fastkmeans"
    baselines: tuple[str, ...] = ("fastkmeans",)
    converging: tuple[str, ...] = ("scikit-learn",)
    repeats: int = 5
    short: int = 2
    long: int = 12
    seeds: int = 3
    calls: int = 50
    rate_turns: int = 3
    rate_seconds: float = 0.3
    limit: float = 300.0
    processor_time: bool = False
    methods: tuple[str, ...] = ("*",)


@dataclass
class Entry:
    """One library from one start, and the times of its runs."""

    worker: Worker
    outcome: Outcome
    centers: Array
    first: int = 0  # iterations before the start, of a peer with its own
    short: list[float] = field(default_factory=list)
    long: list[float] = field(default_factory=list)
    n_short: int = 0
    n_long: int = 0
    found: Array | None = None

    def run(self, n_iter: int) -> dict[str, Any]:
        """Run ``n_iter`` iterations from the start."""
        result: dict[str, Any] = self.worker.call("fit", self.centers, self.first + n_iter)
        return result

    def fail(self, error: PeerError) -> None:
        """Record why there is no time."""
        self.outcome.note = str(error)


def rounds(entries: Sequence[Entry], repeats: int) -> Iterator[Entry]:
    """Yield every entry once a round, rotating the order, leaving out failed ones."""
    for turn in range(repeats):
        shift = turn % max(1, len(entries))
        for entry in (*entries[shift:], *entries[:shift]):
            if not entry.outcome.note:
                yield entry


def open_entries(
    workers: Sequence[Worker],
    cell: Cell,
    dtype: str,
    centers: Array,
    baselines: Sequence[str],
    task: str = "iterations",
) -> list[Entry]:
    """Load the data everywhere and settle who starts where.

    A peer that refuses centers starts from those after its first iteration; a further
    entry of every baseline starts from the same.
    """
    entries = []
    by_name = {worker.library: worker for worker in workers}
    for worker in workers:
        peer = worker.peer
        start = worker.library if peer.own_start else "shared"
        outcome = Outcome(task, cell.name, dtype, worker.library, start)
        entry = Entry(worker, outcome, centers, int(peer.own_start))
        entries.append(entry)
        whole = task in WHOLE
        outcome.note = peer.refuses((cell.n, cell.d), cell.k) if whole else ""
        if dtype not in peer.dtypes:
            outcome.note = f"no {dtype}"
        if outcome.note:
            continue
        try:
            worker.call("data", cell, dtype)
            if peer.own_start:
                own = worker.call("fit", centers, 1)["centers"]
                for name in baselines:
                    if name in by_name:
                        again = Outcome(task, cell.name, dtype, name, start)
                        entries.append(Entry(by_name[name], again, own))
        except PeerError as error:
            entry.fail(error)
    return entries


def close_entry(entry: Entry, X: Array, options: Options) -> Outcome:
    """Turn the times of an entry into its outcome."""
    outcome = entry.outcome
    if outcome.note or entry.found is None:
        outcome.note = outcome.note or "not run"
        return outcome
    n_short, n_long = entry.n_short - entry.first, entry.n_long - entry.first
    outcome.seconds, spread = per_iteration(entry.short, entry.long, n_short, n_long)
    outcome.inertia = reference_inertia(X, entry.found)
    outcome.details |= {
        "short": entry.short,
        "long": entry.long,
        "n_short": n_short,
        "n_long": n_long,
        "spread": spread,
    }
    if n_long <= n_short:
        outcome.note = f"converged after {n_long} iterations"
    elif not math.isfinite(outcome.seconds):
        outcome.note = "lost in the noise: repeat on a quiet machine"
    elif (n_short, n_long) != (options.short, options.long):
        outcome.remark = f"converged after {n_long} iterations"
    return outcome


def run_iterations(
    workers: Sequence[Worker], cell: Cell, dtype: str, options: Options, log: Log
) -> list[Outcome]:
    """Time one Lloyd iteration of every library in one cell.

    Runs of ``options.short`` and ``options.long`` iterations alternate; the difference
    leaves out whatever a run pays only once.
    """
    X, centers = make(cell, dtype)
    chosen = [worker for worker in workers if "iterations" in worker.peer.tasks]
    entries = open_entries(chosen, cell, dtype, centers, [options.baseline])
    for entry in rounds(entries, 1):
        try:
            entry.run(options.short)  # compiles, allocates, wakes threads up
        except PeerError as error:
            entry.fail(error)
    for entry in rounds(entries, options.repeats):
        try:
            result = entry.run(options.short)
            entry.short.append(result["seconds"])
            entry.n_short = result["n_iter"]
            result = entry.run(options.long)
            entry.long.append(result["seconds"])
            entry.n_long, entry.found = result["n_iter"], result["centers"]
        except PeerError as error:
            entry.fail(error)
    outcomes = [close_entry(entry, X, options) for entry in entries]
    for outcome in outcomes:
        if outcome.library == options.baseline and outcome.start == "shared":
            worker = next(w for w in workers if w.library == options.baseline)
            add_rates(worker, outcome, cell, centers, options)
        log(describe(outcome))
    return outcomes


def add_rates(
    worker: Worker, outcome: Outcome, cell: Cell, centers: Array, options: Options
) -> None:
    """Add the arithmetic rates of the E step and of this machine's matrix product.

    All are taken in the baseline's process, in turn; the best of each counts.
    """
    work = 2e-9 * cell.n * cell.k * cell.d
    best: dict[str, float] = {}
    least = options.rate_seconds
    try:
        for _ in range(options.rate_turns):
            seconds = worker.call("e_step", centers, least)
            rates = {
                "gemm_gflops": worker.call("gemm", centers, least),
                "square_gflops": worker.call("gemm_square", outcome.dtype, least),
            }
            if seconds is not None:
                rates["e_step_gflops"] = work / seconds
            best = {name: max(rate, best.get(name, 0.0)) for name, rate in rates.items()}
    except PeerError as error:
        outcome.details["rates_error"] = str(error)
        return
    if math.isfinite(outcome.seconds):
        best["iteration_gflops"] = work / outcome.seconds
    outcome.details |= best


def run_seeding(
    workers: Sequence[Worker], cell: Cell, dtype: str, options: Options, log: Log
) -> list[Outcome]:
    """Time greedy k-means++ with equally many local trials, over several seeds."""
    X, _ = make(cell, dtype)
    trials = 2 + int(math.log(cell.k))
    entries = []
    for worker in workers:
        if "seeding" in worker.peer.tasks:
            outcome = Outcome("seeding", cell.name, dtype, worker.library)
            entries.append(Entry(worker, outcome, X[:0]))
    for entry in rounds(entries, 1):
        try:
            entry.worker.call("data", cell, dtype)
            entry.worker.call("seed", min(cell.k, 8), trials, 0)  # compiles
        except PeerError as error:
            entry.fail(error)
    potentials: dict[str, list[float]] = {entry.worker.library: [] for entry in entries}
    for turn in range(5 * options.seeds):
        if turn >= options.seeds and max(sum(entry.short) for entry in entries) > SEEDING_SECONDS:
            break
        for entry in rounds(entries, 1):
            try:
                result = entry.worker.call("seed", cell.k, trials, turn)
            except PeerError as error:
                entry.fail(error)
                continue
            entry.short.append(result["seconds"])
            potentials[entry.worker.library].append(reference_inertia(X, result["centers"]))
    for entry in entries:
        outcome, values = entry.outcome, potentials[entry.worker.library]
        if not outcome.note:
            outcome.seconds = statistics.median(entry.short)
            outcome.inertia, outcome.error = mean_and_error(values)
            outcome.details |= {"seconds": entry.short, "potentials": values, "trials": trials}
        log(describe(outcome))
    return [entry.outcome for entry in entries]


def describe(outcome: Outcome) -> str:
    """Write one outcome on one line, as it comes in."""
    start = "" if outcome.start == "shared" else f" from the start of {outcome.start}"
    time = f"{outcome.seconds * 1e3:.4g} ms" if math.isfinite(outcome.seconds) else outcome.note
    what = f"{outcome.task} {outcome.cell} {outcome.dtype} {outcome.library}{start}"
    return f"  {what}: {time}, inertia {outcome.inertia:.9g}"
