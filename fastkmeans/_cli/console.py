"""One-line errors, notes and exit codes."""

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from .._runtime.extras import MissingExtra
from .._runtime.text import visible

FAILED, INTERRUPTED = 2, 130


class UserError(Exception):
    """An error that the user can correct: shown as one line, without a traceback."""


def note(message: str) -> None:
    """Print a message on stderr, apart from the results on stdout, as one line."""
    print(visible(message), file=sys.stderr)


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Show Python's warnings as one `warning:` line each, without file names and code."""
    with warnings.catch_warnings():

        def show(message: Warning | str, *_: Any, **__: Any) -> None:
            text = getattr(message, "in_flags", None) or str(message)
            note("warning: " + " ".join(text.split()))

        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show  # catch_warnings restores both
        yield


@contextlib.contextmanager
def remembered() -> Iterator[list[str]]:
    """Yield a list to which the text of each of Python's warnings is added, besides showing it."""
    show, kept = warnings.showwarning, list[str]()

    def keep(message: Warning | str, *rest: Any, **more: Any) -> None:
        kept.append(" ".join(str(getattr(message, "in_flags", None) or message).split()))
        show(message, *rest, **more)

    warnings.showwarning = keep
    try:
        yield kept
    finally:
        warnings.showwarning = show


def guarded(work: Callable[[], None]) -> int:
    """Run a program's work, and print an expected error as one `error:` line.

    The exit code is 0, or 2 after an error, as argparse has it for a wrong command line.
    """
    try:
        with warnings_as_notes():
            work()
            sys.stdout.flush()
    except MemoryError:
        note(
            "error: not enough memory: use fewer columns or rows, or --dtype float32 where offered"
        )
    except BrokenPipeError:  # the reader of our output, say `head`, has ended
        _drop_output()
        return 0
    except Exception as error:
        message = _expected(error)
        if message is None:
            raise
        note(f"error: {message}")
    else:
        return 0
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
    return FAILED


def _expected(error: Exception) -> str | None:
    """Return the message of an expected error, None for a fault of the program."""
    in_flags = getattr(error, "in_flags", None)  # an error about files
    if in_flags is not None:
        return str(in_flags)
    if isinstance(error, UserError | MissingExtra):
        return str(error)
    if isinstance(error, OSError):  # an error about a file names it, by ``blamed_on`` at the latest
        return f"{error.filename or 'standard output'}: {error.strerror or error}"
    return None


def _drop_output() -> None:
    """Discard what stdout still buffers, so that Python can exit without an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def exit_with(main: Callable[[], int]) -> None:
    """Run `main` and exit with its code; clean up on SIGTERM as on Ctrl-C."""

    def stop(signal_number: int, _frame: object) -> None:
        note("error: terminated; no output was written")
        sys.exit(128 + signal_number)

    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        note("error: interrupted; no output was written")
        sys.exit(INTERRUPTED)
