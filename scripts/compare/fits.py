"""Whole fits, for ``compare``: a number of iterations, or to convergence.

Every library fits the same rows from the same centers and labels them all at the end.
The least of the interleaved times counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.datasets import Cell, make, reference_inertia

from .peer import WHOLE, Array
from .results import (
    Outcome,
    Ratio,
    foot_notes,
    format_ratio,
    format_seconds,
    geometric_mean,
    ratios,
)
from .tasks import Entry, Log, Options, describe, open_entries, rounds
from .worker import PeerError, Worker

ITERATIONS = {"fits": 20, "convergence": 100}
"""The most iterations of each task."""
TITLES = {"fits": "20 iterations", "convergence": "to convergence"}
OWN = "fastkmeans-"
"""What the names of our engines begin with, left out in tables."""
SHOWN = (1, 2, 5, 10, 20)
"""The iterations in the table of what ours did."""


def run_fits(
    workers: Sequence[Worker], cell: Cell, dtype: str, task: str, options: Options, log: Log
) -> list[Outcome]:
    """Time the whole fits of every library in one cell.

    A peer that refuses centers runs as many iterations from its own start; that its
    result is right is checked after one iteration more, which is as many from the
    centers that the baseline got.
    """
    X, centers = make(cell, dtype)
    n_iter = ITERATIONS[task]
    chosen = [w for w in workers if takes_part(w, task, options)]
    entries = open_entries(chosen, cell, dtype, centers, options.baselines, task)
    for entry in rounds(entries, 1):
        try:
            fit(entry, n_iter if entry.worker.peer.compiles else 1, options)
        except PeerError as error:
            entry.fail(error)
    for entry in rounds(entries, options.repeats):
        if sum(entry.short) + min(entry.short, default=0.0) > options.limit:
            entry.outcome.remark = f"timed {len(entry.short)} times of {options.repeats}"
            continue
        try:
            time_fit(entry, n_iter, options)
        except PeerError as error:
            entry.fail(error)
    outcomes = [close_fit(entry, X, n_iter, options) for entry in entries]
    remark_iterations(outcomes, options.baseline)
    for outcome in outcomes:
        log(describe(outcome))
    return outcomes


def takes_part(worker: Worker, task: str, options: Options) -> bool:
    """Tell whether a library is to be timed: to convergence, only where asked for."""
    if task == "convergence" and worker.library not in (*options.baselines, *options.converging):
        return False
    return task in worker.peer.tasks


def fit(entry: Entry, n_iter: int, options: Options) -> dict[str, Any]:
    """Run one whole fit; only peers have a time limit."""
    limit = math.inf if entry.outcome.library in options.baselines else options.limit
    result: dict[str, Any] = entry.worker.call("fit", entry.centers, n_iter, True, limit=limit)
    return result


def time_fit(entry: Entry, n_iter: int, options: Options) -> None:
    """Run one whole fit and keep its time and result."""
    result = fit(entry, n_iter, options)
    seconds = result["seconds"]
    if seconds < min(entry.short, default=math.inf):
        entry.outcome.details["history"] = result["history"]
    entry.short.append(seconds)
    entry.n_long, entry.found = result["n_iter"], result["centers"]


def close_fit(entry: Entry, X: Array, n_iter: int, options: Options) -> Outcome:
    """Turn the times of an entry into its outcome."""
    outcome = entry.outcome
    if not outcome.note and entry.first:
        try:
            entry.found = fit(entry, n_iter + entry.first, options)["centers"]
        except PeerError as error:
            entry.fail(error)
    if outcome.note or entry.found is None:
        outcome.note = outcome.note or "not run"
        return outcome
    outcome.seconds = min(entry.short)
    outcome.inertia = reference_inertia(X, entry.found)
    outcome.details |= {"seconds": entry.short, "n_iter": entry.n_long}
    return outcome


def remark_iterations(outcomes: Sequence[Outcome], baseline: str) -> None:
    """Say where a peer did not run as many iterations as the baseline."""
    ours = {o.key: o.details.get("n_iter") for o in outcomes if o.library == baseline}
    for outcome in outcomes:
        own, expected = outcome.details.get("n_iter"), ours.get(outcome.key)
        if None not in (own, expected) and own != expected:
            text = f"{own} iterations beside {expected}"
            outcome.remark = "; ".join(filter(None, (outcome.remark, text)))


def ratio_row(
    chosen: Sequence[Outcome], cell: str, ours: str, peers: Sequence[str]
) -> tuple[list[str], list[float | None]]:
    """Return the row of one cell and one engine of ours, and its ratios, the best last."""
    own = next((o for o in chosen if (o.cell, o.library, o.start) == (cell, ours, "shared")), None)
    paired = ratios([o for o in chosen if o.cell == cell], ours)
    found = {outcome.library: result for outcome, result in paired}
    values = [found.get(peer, Ratio(None)).value for peer in peers]
    values.append(min((v for v in values if v is not None), default=None))
    seconds = math.nan if own is None else own.seconds
    n_iter = "-" if own is None else str(own.details.get("n_iter", "-"))
    return [n_iter, format_seconds(seconds), *(format_ratio(v) for v in values)], values


def fits_table(
    outcomes: Sequence[Outcome], task: str, dtype: str, baselines: Sequence[str]
) -> tuple[list[str], list[list[str]], list[str]]:
    """Return header, rows and foot notes of the table of one task for one dtype.

    A row per cell and engine of ours: its iterations and time, how many times as long
    each peer takes, and the least of these.  The last rows are geometric means.
    """
    chosen = [o for o in outcomes if o.task == task and o.dtype == dtype]
    names = dict.fromkeys(o.library for o in chosen)
    peers = [name for name in names if name not in baselines]
    engines = [name for name in baselines if name in names]
    header = [f"{TITLES[task]}, {dtype}", "iterations", baselines[0], *peers, "best peer"]
    notes = foot_notes(chosen, ratios(chosen, baselines[0]), baselines[0])
    rows: list[list[str]] = []
    columns: dict[str, list[list[float | None]]] = {name: [] for name in engines}
    for cell in dict.fromkeys(o.cell for o in chosen):
        for name in engines:
            row, values = ratio_row(chosen, cell, name, peers)
            rows.append([label(cell, name, baselines), *row])
            columns[name].append(values)
    if not peers:
        return header[:3], [row[:3] for row in rows], notes
    for name in engines:
        means = (
            geometric_mean(filter(None, column)) for column in zip(*columns[name], strict=True)
        )
        title = label("geometric mean", name, baselines)
        rows.append([title, "", "", *(format_ratio(mean) for mean in means)])
    return header, rows, notes


def label(cell: str, name: str, baselines: Sequence[str]) -> str:
    """Name a row: the baseline's own has the name of the cell alone."""
    return cell if name == baselines[0] else f"{cell}, {name.removeprefix(OWN)}"


def history_rows(
    outcomes: Sequence[Outcome], dtype: str, baselines: Sequence[str]
) -> Iterator[list[str]]:
    """Yield the rows of the table of what ours did, iteration by iteration."""
    seen = set()
    for o in outcomes:
        steps = o.details.get("history")
        key = o.cell, o.library
        if o.task not in WHOLE or o.dtype != dtype or o.start != "shared" or not steps:
            continue
        if key not in seen:
            seen.add(key)
            texts = [
                f"{100 * steps[i - 1][0]:.1f}% {1e3 * steps[i - 1][1]:7.2f}"
                if i <= len(steps)
                else "-"
                for i in SHOWN
            ]
            yield [label(o.cell, o.library, baselines), *texts]
