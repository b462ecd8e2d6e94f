"""The work folder of a job, from which ``--resume`` goes on after an interruption.

It lies next to the first output and has its name plus ``.fastkmeans-work``.  Without an
output it lies in the folder of --cache::

    checkpoint.npz   the state of the clustering (``_lloyd.checkpoint``)
    table/           the parsed table (``_files.cache``), unless --cache names a folder
    fastkmeans.lock  held while the job runs; it marks the folder as ours

A folder with files but without the lock is refused.  The job removes its folder at the end,
unless it failed or was interrupted and left work that ``--resume`` can use.  A job without
output and --cache has no work folder, because the next call could not find it.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import shutil
import time
from pathlib import Path
from typing import Any

from .._lloyd.checkpoint import SECONDS, Checkpoint
from .._runtime.disk import Lock, locked, sweep
from .console import UserError, note

WORK = ".fastkmeans-work"
LOCK, CHECKPOINT = "fastkmeans.lock", "checkpoint.npz"


class Job:
    """The work folder of one call, as a context manager."""

    def __init__(self, args: argparse.Namespace, outputs: dict[str, Path | None]) -> None:
        first = next((path for path in outputs.values() if path is not None), None)
        self._args = args
        self._folder: Path | None = None
        if first is not None:
            self._folder = first.resolve().with_name(first.resolve().name + WORK)
        elif args.cache is not None:
            self._folder = args.cache / WORK
        elif args.resume:
            raise UserError(
                "--resume finds what is kept by the name of the first output, or by --cache: name "
                "one as before"
            )
        self._check_apart(outputs)
        self._checkpoint: Checkpoint | None = None
        self._table_done = self._done = False
        self._lock = Lock()

    def _check_apart(self, outputs: dict[str, Path | None]) -> None:
        """Refuse outputs that are, contain or lie in the cache or the work folder."""
        for flag, path in outputs.items():
            for folder in (self._args.cache, self._folder):
                if path is None or folder is None:
                    continue
                here, there = path.resolve(), folder.resolve()
                if here == there or here in there.parents or there in here.parents:
                    what = f"--cache {folder}" if folder == self._args.cache else f"{folder}"
                    raise UserError(
                        f"{flag} {path} and {what}, which keeps the parsed table or the state of "
                        "the work, are in each other's way: name a folder of its own with --cache, "
                        "or another output"
                    )

    @property
    def table(self) -> Path | None:
        """Folder of the parsed table; None stands for a temporary folder."""
        return self._args.cache or (self._folder and self._folder / "table")

    def __enter__(self) -> Job:
        self._began = time.monotonic()
        if self._folder is not None:
            self._lock = _entered(self._folder)
        return self

    def table_is_done(self) -> None:
        """Note that the table is parsed: if that took long, it is worth keeping."""
        self._table_done = time.monotonic() - self._began > SECONDS

    def is_done(self) -> None:
        """Note that the outputs are written, so that nothing needs to be kept."""
        self._done = True

    def checkpoint(self, settings: dict[str, Any], quiet: bool) -> Checkpoint | None:
        """Return the checkpoint; with ``--resume`` it holds the state of the job before."""
        if self._folder is None:
            return None
        path = self._folder / CHECKPOINT
        if path.exists() and not self._args.resume:
            note(f"note: an unfinished run was found in {self._folder} and is dropped")
        try:
            checkpoint = Checkpoint(path, settings, self._args.resume)
        except ValueError as error:
            raise UserError(f"{error} Without --resume the work begins again") from None
        if self._args.resume and not quiet:
            if checkpoint.found:
                note(f"going on from {path}")
            else:
                note(f"{self._folder} holds no state of the clustering: it begins again")
        self._checkpoint = checkpoint
        return checkpoint

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._folder is not None:
            self._leave(self._folder, kind)
        self._lock.close()

    def _leave(self, folder: Path, kind: type[BaseException] | None) -> None:
        """Remove the work folder, or print what it keeps and how to go on."""
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit)
        worth = (folder / CHECKPOINT).exists() or (stopped and self._table_done)
        if kind is None or self._done or not worth:
            _remove(folder)
        elif self._checkpoint is None and not stopped:  # the same call would fail again
            note(f"the unfinished run in {folder} is kept as it was")
        else:
            note(f"what is done so far is kept in {folder}; to go on:")
            words = [word for word in self._args.command_line if word != "--resume"]
            note(f"    {shlex.join([*words, '--resume'])}")


def _entered(folder: Path) -> Lock:
    """Create the work folder, or find that of a stopped run; lock it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / LOCK).exists() and any(folder.iterdir()):
            raise UserError(
                f"{folder} holds files that are not ours, and is where the state of the work would "
                "be kept: rename it, or name another output or --cache"
            )
        return locked(folder / LOCK, create=True)
    except BlockingIOError:
        raise UserError(
            f"{folder} is in use by another run: wait for it, or name other outputs"
        ) from None
    except OSError as error:
        raise UserError(
            f"{folder} cannot be made ({error.strerror or error}): it keeps the parsed table and "
            "the state of the work"
        ) from None


def _remove(folder: Path) -> None:
    """Remove the job's own files; other files stay, and so does their folder."""
    shutil.rmtree(folder / "table", ignore_errors=True)
    with contextlib.suppress(OSError):
        sweep(folder)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        if len(list(folder.iterdir())) == 1:
            (folder / LOCK).unlink()
        folder.rmdir()
