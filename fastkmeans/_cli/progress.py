"""Progress bars on a terminal, and the check of the memory limit."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any

from .._data.rows import Block, Rows, RowsView
from .._lloyd.run import Iteration, Outcome
from .._lloyd.watch import Label, Watch
from .._runtime.arrays import Floats
from .._runtime.disk import human_size
from .._runtime.extras import install_hint
from .._runtime.waiting import announce
from .console import UserError, note

BLOCK_BYTES = 1 << 26
"""Bytes of rows that are read between two checks of clock, memory and Ctrl-C."""


def memory_taken() -> int | None:
    """Return the bytes of memory of this process besides mapped files; None if unknown."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


class MemoryGuard:
    """Ends the work with an error when it takes more memory than allowed."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self.peak = 0

    def look(self) -> None:
        """Measure the memory, and raise if it is above the limit."""
        taken = memory_taken()
        if taken is None:
            return
        self.peak = max(self.peak, taken)
        if self._limit is not None and taken > self._limit:
            raise UserError(
                f"--memory-limit {human_size(self._limit)} is not enough: {human_size(taken)} are "
                "taken; allow more, or use fewer columns, a lower -k, --algorithm lloyd, or fewer "
                "--threads"
            )


class Progress(Watch):
    """Shows a bar for the parsing and for each pass over the rows."""

    def __init__(self, guard: MemoryGuard, quiet: bool) -> None:
        self.guard = guard
        self._quiet, self._noted = quiet, False
        if not quiet:
            announce()
        self._bar: Any = None
        self._doing = "parsing"
        self._run = ""

    @contextlib.contextmanager
    def shown(self, total: int, unit: str) -> Iterator[None]:
        """Show a bar while a block runs, unless --quiet is given or tqdm is missing."""
        tqdm = self._tqdm()
        if tqdm is None:
            yield
            return
        self._bar = tqdm(
            total=total,
            unit=unit,
            unit_scale=True,
            desc=self._doing,
            disable=None,  # shown on a terminal only
            leave=False,
            file=sys.stderr,
        )
        try:
            yield
        finally:
            self._bar.close()
            self._bar = None

    def _tqdm(self) -> Any:
        """Return the class of bars, or None; note once that tqdm is missing."""
        if self._quiet:
            return None
        try:
            return importlib.import_module("tqdm").tqdm
        except ImportError:
            if not self._noted:
                note(f"note: without tqdm there are no progress bars: {install_hint('csv')}")
            self._noted = True
            return None

    def read(self, what: str, done: int, total: int) -> None:
        """Show how many bytes are parsed, or how many rows are finished."""
        self.guard.look()
        if self._bar is None or self._bar.disable:
            return
        if self._doing != what or self._bar.total != total:
            self._name(what)
            self._bar.unit = "rows" if what == "finishing" else "B"
            self._bar.reset(total)
        self._bar.update(done - self._bar.n)

    def passed(self, n_rows: int) -> None:
        """Show how many rows of a pass are done; 0 begins a pass."""
        self.guard.look()
        if self._bar is None or self._bar.disable:
            return
        if n_rows == 0:  # complete the pass before, whose rate still counts
            self._bar.update(self._bar.total - self._bar.n)
        self._bar.update(n_rows - self._bar.n)

    def run_begins(self, number: int, n_runs: int) -> None:
        """Show the number of the run."""
        self._run = f"run {number + 1} of {n_runs}, " if n_runs > 1 else ""
        self._name("choosing the first centers")

    def iteration(self, number: int, record: Iteration, centers: Floats, label: Label) -> str:
        """Show the number of the next iteration."""
        self.guard.look()
        self._name(f"iteration {number + 1} ({record.n_moved} rows moved)")
        return ""

    def run_ends(self, run: Outcome) -> bool:
        """Show that the run ends."""
        self._name("ending the run")
        return False

    def show(self, what: str) -> None:
        """Show what is done after the runs."""
        self._run = ""
        self._name(what)

    def _name(self, what: str) -> None:
        self._doing = f"{self._run}{what}"
        if self._bar is not None:
            self._bar.set_description(self._doing, refresh=False)


class WatchedRows(RowsView):
    """Rows in blocks so small that a pass shows progress; results do not depend on the blocks."""

    def __init__(self, rows: Rows, progress: Progress) -> None:
        super().__init__(rows, BLOCK_BYTES // rows.dtype.itemsize)
        self._progress = progress

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """Yield parts of the blocks, and show the progress before each."""
        for start, X in self.pieces():
            self._progress.passed(start)
            yield start, X
