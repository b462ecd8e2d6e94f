"""The state of a fit on disk: a stopped fit goes on and ends with the same bits.

A checkpoint holds the centers and sums of a run at the end of an iteration, the state of the
generator, and the best run so far.  It holds no labels, so it is small.  When the fit goes
on, one pass finds the labels from their centers.  A checkpoint is written every few seconds,
less often on a slow disk, under a temporary name.  It is then moved into place, so a process
that is killed at any moment leaves the last checkpoint whole.

The engine ``boxes`` adds the sums in an order that depends on earlier iterations.  With this
engine, a fit goes on from the beginning of the stopped run.
"""

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._engines.sums import SumsState
from .._runtime.archive import Arrays, read_archive, write_archive
from .run import Iteration, Outcome, Resumed, Run, State, Workspace

CHECKPOINT = "fastkmeans checkpoint"
VERSION = 2
"""Version of checkpoints: a fit goes on with the same bits only if sums are added in the same
order.  Raise it when that order changes."""
SECONDS = 2.0
"""Least time between two checkpoints, in seconds, if writing one is fast."""
SHARE = 0.05
"""Largest share of the time of a fit that checkpoints may take."""
SUMS = ("parts", "part_weights", "heaviest")
"""The fields of ``SumsState`` that are arrays."""


class Checkpoint:
    """Saves a fit now and then, and restores it; refuses a checkpoint of another job."""

    def __init__(
        self,
        path: Path,
        job: Mapping[str, Any],  # all that the result depends on, as JSON can hold it
        resume: bool,  # whether to go on from the file if it exists
        seconds: float = SECONDS,  # least time between two checkpoints, if writing is fast
    ) -> None:
        self.path, self.job, self._seconds = path, dict(job), seconds
        self._due, self._warned = time.monotonic() + seconds, False
        self._found: tuple[dict[str, Any], Arrays] | None = None
        if resume and path.exists():
            self._found = read_archive(path, CHECKPOINT, VERSION)
            found = self._found[0].get("job", {})
            for key, value in self.job.items():
                if found.get(key) != value:
                    raise ValueError(
                        f"{path} belongs to another job: {key} was {found.get(key)}, and is "
                        f"{value} now."
                    )
        elif not resume:
            path.unlink(missing_ok=True)

    @property
    def found(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self._found is not None

    def restore(self, workspace: Workspace, rng: np.random.Generator, max_iter: int) -> Resumed:
        """Restore the fit from the checkpoint."""
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
                        "it to begin again, or go on with that version."
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
        """Write the checkpoint if one is due; ``run`` is None before run ``number`` begins."""
        began = time.monotonic()
        if began < self._due:
            return
        if run is not None and history and not run.choice.resumable:
            return
        metadata: dict[str, Any] = {
            "format": CHECKPOINT,
            "format_version": VERSION,
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
        """Write the file; the fit goes on if the disk is full."""
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
