"""Ways to call a library as a user would, for ``compare``: each from its own start, by seeds.

The same for all: a table of rows and a number of clusters, one random state after the
other, the labels of all rows at the end.  What counts is the inertia of the centers, as
float64 NumPy computes it over all rows, and the seconds.
"""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from benchmarks.datasets import Cell, make, reference_inertia

from .results import Outcome, mean_and_error
from .tasks import Entry, Options, rounds
from .worker import PeerError, Worker

BURST = 2.0
"""Seconds after which a library gives way to the next, if it has not run all seeds before."""
WARM_CLUSTERS = 8
"""Clusters of the first run of a library that compiles nothing: it only wakes threads up."""


@dataclass
class Method(Entry):
    """One library with one set of parameters, the seconds (``short``) and inertias of its runs."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    inertias: list[float] = field(default_factory=list)

    def solve(self, k: int, seeds: Sequence[int], options: Options) -> list[dict[str, Any]]:
        """Run some seeds, for about ``BURST`` seconds."""
        arguments = k, dict(self.parameters), list(seeds), BURST, options.processor_time
        found: list[dict[str, Any]] = self.worker.call("solve", *arguments)
        return found


def open_methods(
    workers: Sequence[Worker],
    cell: Cell,
    dtype: str,
    task: str,
    parameters_of: Callable[[Worker], Mapping[str, Mapping[str, Any]]],
    patterns: Sequence[str] = ("*",),
) -> list[Method]:
    """Load the data everywhere; return a method for each set of parameters, by its name.

    ``patterns`` leave out methods whose full name, with that of the library, matches none.
    """
    nothing = np.empty((0, 0))
    methods: list[Method] = []
    for worker in workers:
        own = []
        for name, parameters in parameters_of(worker).items():
            outcome = Outcome(task, cell.name, dtype, f"{worker.library} {name}".rstrip())
            if not any(fnmatch.fnmatchcase(outcome.library, pattern) for pattern in patterns):
                continue
            own.append(Method(worker, outcome, nothing, parameters=parameters))
        reason = worker.peer.refuses((cell.n, cell.d), cell.k)
        if dtype not in worker.peer.dtypes:
            reason = f"no {dtype}"
        try:
            if own and not reason:
                worker.call("data", cell, dtype)
        except PeerError as error:
            reason = str(error)
        for method in own:
            method.outcome.note = reason
        methods += own
    return methods


def solve_all(methods: Sequence[Method], cell: Cell, dtype: str, options: Options) -> None:
    """Run every method from all seeds, in turn.

    A method that has taken ``options.limit`` seconds gets no further seeds.
    """
    X, _ = make(cell, dtype)
    seeds = options.seeds
    for method in rounds(methods, 1):
        full = method.worker.peer.compiles
        attempt(method, cell, cell.k if full else min(cell.k, WARM_CLUSTERS), [0], options)
    for method in rounds(methods, seeds):
        done = len(method.short)
        if done < seeds and sum(method.short) <= options.limit:
            for run in attempt(method, cell, cell.k, range(done, seeds), options):
                method.short.append(run["seconds"])
                inertia = reference_inertia(X, run["centers"], cell.n, cell.n * cell.k)
                method.inertias.append(inertia)
    for method in methods:
        close_method(method, seeds)


def attempt(
    method: Method, cell: Cell, k: int, seeds: Sequence[int], options: Options
) -> list[dict[str, Any]]:
    """Run some seeds; none, and a note in the outcome, if that fails.

    A process that was ended starts again, with the data, for the other methods of its library.
    """
    try:
        return method.solve(k, seeds, options)
    except PeerError as error:
        method.fail(error)
        with contextlib.suppress(PeerError):
            method.worker.call("data", cell, method.outcome.dtype)
        return []


def close_method(method: Method, seeds: int) -> None:
    """Write what the runs took and found into the outcome."""
    outcome, done = method.outcome, len(method.short)
    if outcome.note:
        return
    outcome.seconds = sum(method.short) / done
    outcome.inertia, outcome.error = mean_and_error(method.inertias)
    outcome.details |= {"seconds": method.short, "inertias": method.inertias}
    if done < seeds:
        outcome.remark = f"{done} of {seeds} seeds, for the time they take"
