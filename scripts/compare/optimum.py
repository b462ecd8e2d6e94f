"""Which optimum a fit ends in, for ``compare``: the best known one, from how many seeds.

Every method fits the same rows from the same seeds.  The best known inertia is the least
of all these runs and, where the components of a mixture are known, of a run from their
means.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.datasets import Cell, make, reference_inertia
from benchmarks.optima import Known, true_centers

from .methods import open_methods, solve_all
from .results import Outcome, format_seconds, geometric_mean
from .tasks import Log, Options, describe
from .worker import PeerError, Worker

NEAR = 1e-3
"""A run reaches the best known optimum if its inertia is higher by at most this share."""
KNOWN, REAL = "optimum", "optimum of real data"
"""The task of outcomes of mixtures whose components are known, and of other data."""
ITERATIONS = 300
"""The most iterations of the run from the means of the components."""

QUICK = ("unbalanced8", "digits-k10")
"""The cells of a smoke test."""

Table = tuple[list[str], list[list[str]]]


class Figure(NamedTuple):
    """One table: its title, what it shows of an outcome, the mean of a column, how to write it."""

    title: str
    value: Callable[[Outcome], float]
    mean: Callable[[Sequence[float]], float]
    write: Callable[[float], str]


def run_optimum(
    workers: Sequence[Worker], cell: Cell, dtype: str, options: Options, log: Log
) -> list[Outcome]:
    """Run every method of the libraries that take part, in one cell."""
    chosen = [worker for worker in workers if "optimum" in worker.peer.tasks]
    task = KNOWN if isinstance(cell, Known) else REAL
    methods = open_methods(
        chosen, cell, dtype, task, lambda worker: worker.peer.methods, options.methods
    )
    solve_all(methods, cell, dtype, options)
    best = min(
        from_truth(chosen, cell, dtype, options),
        *(value for method in methods for value in method.inertias),
        math.inf,
    )
    for method in methods:
        rate(method.outcome, best)
        log(describe(method.outcome) + describe_rate(method.outcome))
    return [method.outcome for method in methods]


def from_truth(workers: Sequence[Worker], cell: Cell, dtype: str, options: Options) -> float:
    """Return the inertia of the baseline's run from the means of the components, if known."""
    baselines = [worker for worker in workers if worker.library == options.baseline]
    if not isinstance(cell, Known) or not baselines:
        return math.inf
    try:
        baselines[0].call("data", cell, dtype)
        found = baselines[0].call("fit", true_centers(cell), ITERATIONS, True)["centers"]
    except PeerError:
        return math.inf
    return reference_inertia(make(cell, dtype)[0], found, cell.n, cell.n * cell.k)


def rate(outcome: Outcome, best: float) -> None:
    """Add how many seeds reached the best known inertia, and the mean excess over it."""
    if outcome.note:
        return
    excesses = [value / best - 1.0 for value in outcome.details["inertias"]]
    outcome.details |= {
        "best": best,
        "share": sum(excess <= NEAR for excess in excesses) / len(excesses),
        "excess": statistics.fmean(excesses),
    }


def describe_rate(outcome: Outcome) -> str:
    """Write what ``rate`` added, for the line that comes in: a long run may be ended early."""
    if outcome.note:
        return ""
    share, excess = outcome.details["share"], outcome.details["excess"]
    return f", {write_share(share)} of the seeds near the best, {write_excess(excess)}"


def optimum_tables(outcomes: Sequence[Outcome], task: str, dtype: str) -> list[Table]:
    """Return three tables, a row per cell and a column per method: share, excess, seconds."""
    chosen = [o for o in outcomes if o.task == task and o.dtype == dtype]
    tables: list[Table] = []
    cells = list(dict.fromkeys(o.cell for o in chosen))
    names = list(dict.fromkeys(o.library for o in chosen if not o.note))
    for figure in FIGURES if chosen else ():
        values = {(o.cell, o.library): figure.value(o) for o in chosen if not o.note}
        columns = {name: [values.get((c, name), math.nan) for c in cells] for name in names}
        rows = [
            [cell, *(figure.write(columns[name][i]) for name in names)]
            for i, cell in enumerate(cells)
        ]
        # A method that lacks some cells has no mean: it would be one of other data.
        rows.append(["mean", *(figure.write(figure.mean(columns[name])) for name in names)])
        tables.append(([f"{figure.title}, {dtype}", *names], rows))
    return tables


def write_share(value: float) -> str:
    """Write a share in whole per cent."""
    return "-" if math.isnan(value) else f"{100 * value:.0f} %"


def write_excess(value: float) -> str:
    """Write an excess in per cent, with two digits after the point."""
    return "-" if math.isnan(value) else f"{100 * value:+.2f} %"


FIGURES = (
    Figure(
        f"seeds within {NEAR:.1%} of the best",
        lambda outcome: outcome.details["share"],
        statistics.fmean,
        write_share,
    ),
    Figure(
        "mean excess over the best",
        lambda outcome: outcome.details["excess"],
        statistics.fmean,
        write_excess,
    ),
    Figure("mean time", lambda outcome: outcome.seconds, geometric_mean, format_seconds),
)
