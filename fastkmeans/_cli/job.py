"""What is kept of a job while it runs, so that it can go on after an interruption.

Beside the first output lies, for the time of the job, a folder of its name and
``.fastkmeans-work``::

    checkpoint.npz   the state of the clustering (``_checkpoint``)
    table/           the parsed table (``_files.cache``), unless --cache names another place
    fastkmeans.lock  held while the job runs, and what tells the folder from another's

A folder that is neither empty nor marked by the lock is refused: nothing in it is ours.
The work folder goes away with the end of the job, and after an error or interruption too,
unless there is work in it that ``--resume`` can save.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shlex
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .._checkpoint import SECONDS, Checkpoint
from .console import UserError, note

WORK = ".fastkmeans-work"
LOCK = "fastkmeans.lock"
TEMPORARY = re.compile(r"\.checkpoint\.npz\.\d+\.tmp")
"""What a killed process may have left of a checkpoint."""


class Job:
    """The work folder of one call, as a context manager.

    Attributes
    ----------
    table : Path
        Where the parsed table is kept.
    """

    def __init__(self, args: argparse.Namespace, outputs: dict[str, Path | None]) -> None:
        first = next((path for path in outputs.values() if path is not None), None)
        self._command_line, self._resume = args.command_line, args.resume
        self._named = first is not None or args.cache is not None
        if first is not None:
            self._folder = first.resolve().with_name(first.resolve().name + WORK)
        elif args.cache is not None:
            self._folder = args.cache / WORK
        elif args.resume:
            raise UserError(
                "--resume finds what is kept by the name of the first output, or by --cache: name "
                "one as before"
            )
        else:
            self._folder = Path(tempfile.gettempdir())  # until it is entered
        self._cache = args.cache
        self._check_apart(outputs)
        self._checkpoint: Checkpoint | None = None
        self._table_done = self._done = False
        self._lock: IO[bytes] | None = None

    def _check_apart(self, outputs: dict[str, Path | None]) -> None:
        """Refuse outputs that would be, or lie in, what is kept of the job."""
        for flag, path in outputs.items():
            for folder in (self._cache, self._folder if self._named else None):
                if path is None or folder is None:
                    continue
                here, there = path.resolve(), folder.resolve()
                if here == there or here in there.parents or there in here.parents:
                    what = f"--cache {folder}" if folder == self._cache else f"{folder}"
                    raise UserError(
                        f"{flag} {path} and {what}, which keeps the parsed table or the state of "
                        "the work, are in each other's way: name a folder of its own with --cache, "
                        "or another output"
                    )

    @property
    def table(self) -> Path:
        return self._cache or self._folder / "table"

    def __enter__(self) -> Job:
        try:
            if not self._named:
                self._folder = Path(tempfile.mkdtemp(prefix="fastkmeans-"))
            self._folder.mkdir(parents=True, exist_ok=True)
            if not (self._folder / LOCK).exists() and any(self._folder.iterdir()):
                raise UserError(
                    f"{self._folder} holds files that are not ours, and is where the state of the "
                    "work would be kept: rename it, or name another output or --cache"
                )
            self._lock = _locked(self._folder / LOCK)
        except BlockingIOError:
            raise UserError(
                f"{self._folder} is in use by another run: wait for it, or name other outputs"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self._folder} cannot be made ({error.strerror or error}): it keeps the parsed "
                "table and the state of the work"
            ) from None
        self._began = time.monotonic()
        return self

    def table_is_done(self) -> None:
        """Hear that the table is parsed."""
        self._table_done = time.monotonic() - self._began > SECONDS

    def is_done(self) -> None:
        """Hear that the outputs are written: nothing need be kept, whatever comes."""
        self._done = True

    def checkpoint(self, settings: dict[str, Any], quiet: bool) -> Checkpoint:
        """Return the checkpoint, with what it holds if the job goes on."""
        path = self._folder / "checkpoint.npz"
        if path.exists() and not self._resume:
            note(f"note: an unfinished run was found in {self._folder} and is dropped")
        try:
            checkpoint = Checkpoint(path, settings, self._resume)
        except ValueError as error:
            raise UserError(f"{error} Without --resume the work begins anew") from None
        if self._resume and not quiet:
            if checkpoint.found:
                note(f"going on from {path}")
            else:
                note(f"{self._folder} holds no state of the clustering: it begins anew")
        self._checkpoint = checkpoint
        return checkpoint

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit)
        saved = (self._folder / "checkpoint.npz").exists()
        worth = self._named and (saved or (stopped and self._table_done))
        if kind is None or self._done or not worth:
            self._remove()
        elif self._checkpoint is None and not stopped:  # the same call would fail again
            note(f"the unfinished run in {self._folder} is kept as it was")
        else:
            note(f"what is done so far is kept in {self._folder}; to go on:")
            words = [word for word in self._command_line if word != "--resume"]
            note(f"    {shlex.join([*words, '--resume'])}")
        if self._lock is not None:
            self._lock.close()

    def _remove(self) -> None:
        """Remove what is the job's own; whoever else keeps something in the folder keeps it."""
        shutil.rmtree(self._folder / "table", ignore_errors=True)
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.name == "checkpoint.npz" or TEMPORARY.fullmatch(path.name):
                    path.unlink()
            if len(list(self._folder.iterdir())) == 1:
                (self._folder / LOCK).unlink()
            self._folder.rmdir()


def _locked(path: Path) -> IO[bytes] | None:
    file = open(path, "ab")  # noqa: SIM115  open as long as the lock is held
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows has none
        file.close()
        return None
    except OSError:
        file.close()
        raise BlockingIOError from None
    return file
