"""What the tests of checkpoints share: a fit that is stopped and resumed, and its bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fastkmeans import KMeans
from fastkmeans._estimators.inputs import as_table
from fastkmeans._lloyd.checkpoint import Checkpoint
from fastkmeans._lloyd.watch import Watch

JOB = {"-k": 8}


class StoppedError(Exception):
    pass


class Stopping(Checkpoint):
    """Saves at every opportunity; stops the fit after some of them."""

    def __init__(self, path: Path, resume: bool, saves: int) -> None:
        super().__init__(path, JOB, resume, seconds=0.0)
        self.left = saves

    def save(self, *arguments: Any) -> None:
        super().save(*arguments)
        self.left -= 1
        if self.left == 0:
            raise StoppedError


def bits(model: KMeans) -> tuple[Any, ...]:
    steps = [step._replace(seconds=0.0, avoided=0.0) for step in model.history_]
    return (
        model.cluster_centers_.tobytes(), model.labels_.tobytes(), model.inertia_, model.n_iter_,
        model.stop_reason_, steps,
    )  # fmt: skip


def fit(model: KMeans, X: Any, checkpoint: Checkpoint, weights: Any = None) -> KMeans:
    return model._fit(as_table(X), X, weights, Watch(), checkpoint)


def stop_and_resume(
    model: KMeans, X: Any, path: Path, after: tuple[int, ...], weights: Any = None
) -> KMeans:
    """Stop the fit after so many saves, and again, and again; then let it end."""
    for number, saves in enumerate(after):
        with pytest.raises(StoppedError):
            fit(model, X, Stopping(path, number > 0, saves), weights)
    resumed = Stopping(path, True, -1)
    assert resumed.found
    return fit(model, X, resumed, weights)
