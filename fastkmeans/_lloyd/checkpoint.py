"""The state of a fit on disk: one that was stopped goes on, and ends with the same bits.

A checkpoint holds centers, sums, the state of the generator, and the best run so far;
of a run, where it is at the end of an iteration.  Labels are not in it: they follow from
the centers that they belong to, by one pass when the fit goes on.  So it is small, it is
written every few seconds (more seldom on a slow disk) under a temporary name and moved
into place, and a process that is killed at any moment leaves the last one whole.

``boxes`` adds the sums up in an order that depends on what it did before: with this
engine a fit goes on from the beginning of the run that was stopped.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._engines.sums import SumsState
from .._runtime.archive import Arrays, read_archive, write_archive
from .run import Iteration, Outcome, Run, State, Workspace

CHECKPOINT = "fastkmeans checkpoint"
SECONDS = 2.0
SHARE = 0.05
"""The most of the time of a fit that goes into checkpoints."""


SUMS = ("parts", "part_weights", "heaviest")
"""The arrays among what is kept of the sums."""


class Resumed(NamedTuple):
    """Where a fit goes on.

    Attributes
    ----------
    number : int
        The run, from 0.
    run : Run or None
        The run as it was; None if it has not begun.
    history : list of Iteration
        What the run has done.
    best : Outcome or None
        The best of the runs before.
    """

    number: int
    run: Run | None
    history: list[Iteration]
    best: Outcome | None


class Checkpoint:
    """Saves a fit now and then, and brings it back.

    Parameters
    ----------
    path : Path
        The file.
    job : mapping of str to values that JSON can hold
        What the result depends on, in the words of who calls: a checkpoint of another job
        is refused.
    resume : bool
        Whether to go on from the file, if it is there.
    seconds : float
        The least time between two checkpoints; it grows where writing one takes long.
    """

    def __init__(
        self, path: Path, job: Mapping[str, Any], resume: bool, seconds: float = SECONDS
    ) -> None:
        self.path, self.job, self._seconds = path, dict(job), seconds
        self._due, self._warned = time.monotonic() + seconds, False
        self._found: tuple[dict[str, Any], Arrays] | None = None
        if resume and path.exists():
            self._found = read_archive(path, CHECKPOINT)
            self._compare_jobs(self._found[0].get("job", {}))
        elif not resume:
            path.unlink(missing_ok=True)

    @property
    def found(self) -> bool:
        """Whether there is something to go on from."""
        return self._found is not None

    def _compare_jobs(self, found: Mapping[str, Any]) -> None:
        for key, value in self.job.items():
            if found.get(key) != value:
                raise ValueError(
                    f"{self.path} belongs to another job: {key} was {found.get(key)}, and is "
                    f"{value} now."
                )

    def restore(self, workspace: Workspace, rng: np.random.Generator, max_iter: int) -> Resumed:
        """Bring a fit to where the checkpoint was made."""
        if self._found is None:
            return Resumed(0, None, [], None)
        metadata, arrays = self._found
        self._found = None
        rng.bit_generator.state = metadata["generator"]
        best = None
        if metadata["best"] is not None:
            history = [Iteration(*step) for step in metadata["best"].pop("history")]
            centers = arrays["best_centers"]
            labels = workspace.label_by(centers).copy()
            best = Outcome(labels=labels, centers=centers, history=history, **metadata["best"])
        if metadata["history"] is None:
            return Resumed(metadata["number"], None, [], best)
        if "labelled_by" in arrays:
            for name in SUMS:
                if name not in arrays:
                    raise ValueError(
                        f"{self.path} lacks {name}, as of another version of fastkmeans: remove "
                        "it to begin anew, or go on with that version."
                    )
            kept: dict[str, Any] = {name: arrays[name] for name in SUMS}
            sums = SumsState(**kept, **metadata["sums"])
            state = State(arrays["centers"], arrays["labelled_by"], metadata["n_moved"], sums)
            run = workspace.restore(state, max_iter)
        else:
            run = workspace.begin(arrays["centers"], max_iter)
        history = [Iteration(*step) for step in metadata["history"]]
        return Resumed(metadata["number"], run, history, best)

    def save(
        self,
        rng: np.random.Generator,
        number: int,
        best: Outcome | None,
        run: Run | None,
        history: list[Iteration],
    ) -> None:
        """Write where the fit is, unless that was done a moment ago.

        ``run`` is None before the run ``number`` begins.
        """
        began = time.monotonic()
        if began < self._due:
            return
        if run is not None and history and not run.choice.resumable:
            return
        metadata: dict[str, Any] = {
            "format": CHECKPOINT,
            "format_version": 1,
            "job": self.job,
            "number": number,
            "generator": rng.bit_generator.state,
            "history": None if run is None else history,
            "best": None,
        }
        arrays: Arrays = {}
        if best is not None:
            kept = best._asdict()
            arrays["best_centers"] = kept.pop("centers")
            del kept["labels"]
            metadata["best"] = kept
        if run is not None and history:
            state = run.state()
            own = state.sums._asdict()
            arrays |= {name: own.pop(name) for name in SUMS}
            arrays |= {"centers": state.centers, "labelled_by": state.labelled_by}
            metadata |= {"sums": own, "n_moved": state.n_moved}
        elif run is not None:
            arrays["centers"] = run.centers
        self._write(metadata, arrays)
        now = time.monotonic()
        self._due = now + self._seconds * max(1.0, (now - began) / (SHARE * SECONDS))

    def _write(self, metadata: dict[str, Any], arrays: Arrays) -> None:
        """Write the file; a disk that is full is no reason to end the fit."""
        try:
            write_archive(self.path, metadata, arrays)
        except OSError as error:
            if not self._warned:
                warnings.warn(
                    f"{self.path} could not be written: {error.strerror or error}. The fit goes "
                    "on, but what is not saved is lost if it is interrupted.",
                    UserWarning,
                    stacklevel=3,
                )
            self._warned = True
