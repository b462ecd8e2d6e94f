"""What the scripts have in common: one-line errors, and outputs that appear whole or not at all."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

DISTRIBUTION = "fastkmeans-numba"


class UserError(Exception):
    """Something the person at the keyboard can put right: shown as one line, no traceback."""


def note(message: str) -> None:
    """Say something on stderr, where it does not mix with the results on stdout."""
    print(message, file=sys.stderr)


def shown(value: str, width: int = 40) -> str:
    """Quote a value for a message, shortened to `width` characters and kept on one line."""
    return repr(value if len(value) <= width else value[: width - 3] + "...")


def human_size(n_bytes: float) -> str:
    """Write a number of bytes in the largest unit that keeps it above one."""
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} GB"


def whole_number(least: int) -> Callable[[str], int]:
    """Return a converter for argparse: a whole number of at least `least`, and 32 bits at most."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) < 2**32):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return int(text)

    return convert


def need(module: str, extra: str | None = None) -> ModuleType:
    """Import a module, or say which `pip install` brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        if missing != module.partition(".")[0]:
            raise  # installed, but broken inside: the traceback is worth more than advice
        extras = f"[{extra}]" if extra else ""
        raise UserError(
            f"{missing} is not installed: pip install '{DISTRIBUTION}{extras}', or, in a clone of "
            f"the repository, pip install '.{extras}'"
        ) from None


def check_input(path: Path) -> None:
    """Refuse a path that cannot be read, before anything else is done."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file in it")
    if not path.exists():
        where = f"folder {path.parent}" if path.parent.is_dir() else "path (its folder is missing)"
        raise UserError(f"{path} does not exist: check the name and the {where}")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} cannot be read: check its permissions")


def check_outputs(outputs: dict[str, Path | None], *, inputs: tuple[Path, ...] = ()) -> None:
    """Refuse outputs that could not be written at the end, before the long work starts.

    Parameters
    ----------
    outputs
        The path asked for by each flag; None where the flag was not given.
    inputs
        Files that no output may overwrite.
    """
    taken = {path.resolve(): "the input file" for path in inputs}
    for flag, path in outputs.items():
        if path is None:
            continue
        if path.resolve() in taken:
            raise UserError(f"{flag} {path} would overwrite {taken[path.resolve()]}")
        taken[path.resolve()] = f"the file of {flag}"
        folder = path.resolve().parent
        if not folder.is_dir():
            raise UserError(
                f"{flag} {path}: the folder {path.parent} does not exist; make it first"
            )
        if path.exists() and not path.is_file():
            raise UserError(f"{flag} {path} is not an ordinary file: give another name")
        trial = _temporary_name(path)
        try:
            trial.touch(exist_ok=False)
            trial.unlink()
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"{flag} {path}: cannot write into {path.parent} ({reason})") from None


def _temporary_name(path: Path) -> Path:
    """Return a hidden name beside the file that `path` leads to."""
    path = path.resolve()
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


@contextlib.contextmanager
def blamed_on(path: Path) -> Iterator[None]:
    """Name the file in an error of writing: Python names none, or a temporary one."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} could not be written: {error.strerror or error}") from None


@contextlib.contextmanager
def whole_files(*paths: Path) -> Iterator[list[Path]]:
    """Give a temporary name for each path, and move all into place once every one is written.

    The temporary names lie in the folder of the file they stand for, so that the move is atomic.
    When the block is left by an error, or by Ctrl-C, they are removed and the old files stay.
    """
    temporary = [_temporary_name(path) for path in paths]
    try:
        yield temporary
        for name, path in zip(temporary, paths, strict=True):
            with blamed_on(path):
                os.replace(name, path.resolve())
    finally:
        for name in temporary:
            name.unlink(missing_ok=True)


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Show Python's warnings as one `warning:` line each, without file names and code."""
    with warnings.catch_warnings():

        def show(message: Warning | str, *_: Any, **__: Any) -> None:
            note("warning: " + " ".join(str(message).split()))

        warnings.showwarning = show  # put back by catch_warnings
        yield


def guarded(work: Callable[[], None]) -> int:
    """Run a script's work and turn what can be expected to go wrong into an `error:` line.

    Returns
    -------
    exit_code
        0, or 2 after an error (the code argparse uses for a wrong command line).
    """
    try:
        with warnings_as_notes():
            work()
            sys.stdout.flush()
    except UserError as error:
        note(f"error: {error}")
    except MemoryError:
        note(
            "error: not enough memory: use fewer columns or rows, or --dtype float32 where offered"
        )
    except BrokenPipeError:  # the reader of our output, say `head`, has seen enough
        _drop_output()
        return 0
    except OSError as error:  # what concerns a file has its name, or was blamed on it
        note(f"error: {error.filename or 'standard output'}: {error.strerror or error}")
    else:
        return 0
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
    return 2


def _drop_output() -> None:
    """Send what stdout still holds nowhere, so that Python can end without complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def exit_with(main: Callable[[], int]) -> None:
    """Call `main` as a program: clean up on SIGTERM as on Ctrl-C, and exit with its code."""

    def stop(signal_number: int, _frame: object) -> None:
        sys.exit(128 + signal_number)

    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        note("error: interrupted; nothing was written")
        sys.exit(130)
