"""A line for whoever waits: the first fit compiles its kernels, which takes seconds.

It appears once per process, on standard error, after ``PATIENCE`` seconds of compiling, while
the compiler still works.  It appears at the command line (``announce``) and where somebody types:
in Python's prompt and in IPython.  Scripts and workers stay silent.
"""

import contextlib
import sys
import threading
import time

PATIENCE = 2.0
"""Seconds of compiling after which the line appears."""
MESSAGE = (
    "fastkmeans: compiling for this processor; later runs read the result from disk "
    "(python -m fastkmeans.warmup compiles everything at once)\n"
)


def is_interactive() -> bool:
    """Return whether somebody types the commands of this process."""
    ipython = sys.modules.get("IPython")
    return hasattr(sys, "ps1") or (ipython is not None and ipython.get_ipython() is not None)


class Waiting:
    """Counts the seconds of compiling, and says so once they are many.

    A thread waits for the rest of ``PATIENCE`` during each compilation: the compiler itself calls
    nothing while it works.
    """

    def __init__(self) -> None:
        self.announced = False  # whether to speak although nobody types
        self._spoken = False
        self._seconds = self._began = 0.0
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Note that a compilation begins."""
        if self._spoken or not (self.announced or is_interactive()):
            return
        self._began = time.monotonic()
        self._timer = threading.Timer(max(0.0, PATIENCE - self._seconds), self._speak)
        self._timer.daemon = True
        with contextlib.suppress(RuntimeError):  # no thread is left, or Python ends
            self._timer.start()

    def end(self) -> None:
        """Note that the compilation has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._seconds += time.monotonic() - self._began

    def _speak(self) -> None:
        self._spoken = True
        if sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):  # nobody reads, or it is closed
                sys.stderr.write(MESSAGE)
                sys.stderr.flush()


waiting = Waiting()


def announce() -> None:
    """Let the line appear in this process, although nobody types its commands."""
    waiting.announced = True
