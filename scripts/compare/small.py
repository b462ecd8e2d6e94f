"""Small data, for ``compare``: fits of iris, predictions of a few rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .peer import Array
from .results import Outcome
from .tasks import Entry, Log, Options, describe, rounds
from .worker import PeerError, Worker

Case = tuple[str, tuple[Any, ...]]
"""The key of the time that counts, and the call of ``Session`` that takes it."""


def iris(dtype: str) -> Array:
    """Return iris, or a mixture of its shape where scikit-learn is missing."""
    try:
        from sklearn.datasets import load_iris
    except ImportError:
        rng = np.random.default_rng(0)
        means = np.repeat(rng.uniform(0.0, 8.0, (3, 4)), 50, axis=0)
        return np.asarray(means + rng.standard_normal((150, 4)), dtype)
    return np.asarray(load_iris().data, dtype)


def run_small(workers: Sequence[Worker], dtype: str, options: Options, log: Log) -> list[Outcome]:
    """Time fits of iris and predictions of a few rows; median over rounds."""
    X = iris(dtype)
    calls = options.calls
    requests: dict[str, tuple[Any, ...]] = {
        "iris fit n_init=auto": ("small", X, {"n_clusters": 3, "n_init": "auto"}, calls),
        "iris fit n_init=1": ("small", X, {"n_clusters": 3, "n_init": 1}, calls),
        "iris fit n_init=10": ("small", X, {"n_clusters": 3, "n_init": 10}, calls // 5 + 1),
        "predict 1 row": ("predict", X, 1, 10 * calls),
        "predict 150 rows": ("predict", X, 150, 10 * calls),
    }
    cases = {name: ("seconds", request) for name, request in requests.items()}
    chosen = [worker for worker in workers if "small" in worker.peer.tasks]
    return run_cases(chosen, "small", cases, dtype, options, log, statistics.median)


def run_cases(
    workers: Sequence[Worker],
    task: str,
    cases: Mapping[str, Case],
    dtype: str,
    options: Options,
    log: Log,
    choose: Callable[[list[float]], float],
) -> list[Outcome]:
    """Time every case; ``choose`` makes one time of those of all rounds."""
    outcomes = []
    nothing = np.empty((0, 0))
    for name, (figure, request) in cases.items():
        entries = [
            Entry(worker, Outcome(task, name, dtype, worker.library), nothing) for worker in workers
        ]
        for turn, entry in enumerate(rounds(entries, options.repeats + 1)):
            try:
                result = entry.worker.call(*request)
            except PeerError as error:
                entry.fail(error)
                continue
            entry.outcome.inertia, entry.outcome.error = result["inertia"], result["error"]
            if turn >= len(entries):  # the first round compiles
                entry.short.append(result[figure])
        for entry in entries:
            if not entry.outcome.note:
                entry.outcome.seconds = choose(entry.short)
                entry.outcome.details["seconds"] = entry.short
            log(describe(entry.outcome))
        outcomes += [entry.outcome for entry in entries]
    return outcomes
