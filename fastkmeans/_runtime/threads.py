"""Threads: how many, over which rows, and by which means.

A ``Team`` decides per use how a kernel runs:

``prange``   numba's threads, through ``drivers.drive``: the steps of an iteration.
``pool``     the serial kernels in a ``ThreadPoolExecutor`` (they release the GIL): passes
             made once per fit or per center, because numba compiles the driver for every
             kernel that it is to call, unless the table is large (``is_large``): the pool
             shares the processors with numba's threads, which spin for a while after a
             region; and everything in a forked child, where
             numba's threads are gone and a parallel region would hang or abort the
             process, and where numba's ``workqueue`` layer is busy with another
             caller, which it does not survive.
``serial``   the serial kernels, here and now: where the work is too small to share.

Results do not depend on the choice: what may not depend on the number of threads is
cut by the shape of the data (see ``_engines.sums``), the rest (labels, distances) is the same
for any cut.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from .drive import drive
from .jit import address_of, fields_of

RANGE_MULTIPLE = 256
"""Row ranges begin at multiples of this (a group of blocks; a group of seeding)."""
SERIAL_NANOSECONDS = 200_000
"""Below this much estimated work a parallel region costs more than it saves."""
POOL_NANOSECONDS = 1_000_000
"""Below this much, a pool: its threads begin beside those of numba, which still spin."""
MANY_RANGES = 32
"""Ranges of a table for sums that must not depend on the number of threads ..."""
SMALL_TABLE = 1 << 16
"""... unless the table has no more values than this."""

LARGE_TABLE = 1 << 22
"""Values from which on a pass that is made once runs in numba's threads as well."""

LARGE_CENTERS, CENTER_RANGES = 1 << 15, 8
"""Values from which on work on every center is shared among the threads; ranges of them."""

_workqueue_lock = threading.Lock()
_forked = False


def _after_fork() -> None:
    global _forked, _workqueue_lock
    _forked = True
    _workqueue_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _cgroup_cpus() -> int | None:
    """Return the CPU quota of the container, rounded up; None if there is none."""
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        return None


def _available_cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # absent on macOS and Windows
    cpus = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return min(cpus, _cgroup_cpus() or cpus)


def count_threads(n_threads: int | None) -> int:
    """Return the number of threads to use.

    None means numba's own number (``NUMBA_NUM_THREADS``, ``numba.set_num_threads``),
    within the CPU affinity and the quota of the container.  A number asked for is
    limited by the threads that numba has.
    """
    limit = numba.config.NUMBA_NUM_THREADS if not _forked else _available_cpus()
    if n_threads is not None:
        return min(n_threads, limit)
    mask = limit if _forked else numba.get_num_threads()
    return max(1, min(mask, _available_cpus()))


def cut(n_rows: int, parts: int) -> NDArray[np.int64]:
    """Cut rows into ``parts`` even ranges, if there are rows enough; return their bounds."""
    if parts <= 1:
        return np.array([0, n_rows])
    n_units = max(1, -(-n_rows // RANGE_MULTIPLE))
    parts = min(parts, n_units)
    bounds = np.arange(parts + 1) * n_units // parts * RANGE_MULTIPLE
    bounds[-1] = n_rows
    return bounds


def cut_centers(n_clusters: int, n_features: int) -> NDArray[np.int64]:
    """Cut centers into ranges, by their shape alone: one, but where there is much to do."""
    parts = CENTER_RANGES if n_clusters * n_features >= LARGE_CENTERS else 1
    return np.arange(parts + 1) * n_clusters // parts


def within(bounds: NDArray[np.int64], start: int, stop: int) -> tuple[slice, NDArray[np.int64]]:
    """Return which ranges of a table a block touches, and their bounds in the block.

    A range that crosses from one block to the next is worked off in two goes; kernels
    that add to an output of the range give the same bits then as in one.
    """
    if start == 0 and stop == bounds[-1]:
        return slice(0, len(bounds) - 1), bounds
    first = int(np.searchsorted(bounds, start, side="right")) - 1
    last = int(np.searchsorted(bounds, stop, side="left"))
    return slice(first, last), np.clip(bounds[first : last + 1] - start, 0, stop - start)


def is_large(X: NDArray[Any]) -> bool:
    """Tell whether a pass over these rows, ``(2, m, d)``, made once, is worth a ``prange``."""
    _, m, d = X.shape
    return bool(m * d >= LARGE_TABLE)


class Team:
    """A number of threads, for the time of a ``with`` block.

    Parameters
    ----------
    n_threads : int or None
        See ``count_threads``.
    work : float
        Estimated nanoseconds of one pass on one thread; small work runs serially.
    """

    def __init__(self, n_threads: int | None, work: float) -> None:
        self._wanted = n_threads
        self.small = work < SERIAL_NANOSECONDS  # depends on the shape alone
        self.serial = self.small or n_threads == 1
        self.size = 1
        self._mask: int | None = None
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Team:
        if not self.serial:
            self.size = count_threads(self._wanted)
            self.serial = self.size == 1
        if not self.serial and not _forked:
            self._mask = numba.get_num_threads()
            numba.set_num_threads(self.size)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._mask is not None:
            numba.set_num_threads(self._mask)
        if self._pool is not None:
            self._pool.shutdown()

    def cut(self, n_rows: int, pool_work: float = math.inf) -> NDArray[np.int64]:
        """Cut rows for kernels whose results do not depend on the cut.

        ``pool_work``: estimated nanoseconds of a pass by the pool.
        """
        alone = self.serial or pool_work < POOL_NANOSECONDS
        return cut(n_rows, 1 if alone else 4 * self.size)

    def run(
        self,
        kernel: Callable[..., Any],
        X: NDArray[Any],
        bounds: NDArray[np.int64],
        arguments: Sequence[Any],
        outputs: Sequence[NDArray[Any]] = (),
        prange: bool = False,
    ) -> None:
        """Run ``kernel(X, start, stop, *arguments, *outputs[r])`` for every range r.

        With ``prange`` in numba's threads, where that is safe.
        """
        n_ranges = len(bounds) - 1
        if n_ranges == 1:
            kernel(X, bounds[0], bounds[1], *arguments, *[o[0] for o in outputs])
            return

        def work(ranges: range) -> None:
            for r in ranges:
                kernel(X, bounds[r], bounds[r + 1], *arguments, *(o[r] for o in outputs))

        if self.serial:
            work(range(n_ranges))
        elif not prange or _forked or not self._drive(kernel, X, bounds, arguments, outputs):
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.size)
            cuts = np.linspace(0, n_ranges, min(n_ranges, 2 * self.size) + 1).astype(int).tolist()
            for task in [self._pool.submit(work, range(a, b)) for a, b in pairwise(cuts)]:
                task.result()

    def _drive(self, kernel: Callable[..., Any], *arguments: Any) -> bool:
        """Run a kernel; return False if numba's threads are busy and cannot be shared."""
        X, bounds, inputs, outputs = arguments
        inputs, outputs = tuple(inputs), tuple(outputs)
        address = address_of(kernel, (X, 0, 0, *inputs, *(o[0] for o in outputs)))
        lock = _workqueue_lock if _may_be_workqueue() else None
        if lock is not None and not lock.acquire(blocking=False):
            return False
        try:
            drive(address, X, bounds, fields_of(inputs), outputs)
        finally:
            if lock is not None:
                lock.release()
        return True


def _may_be_workqueue() -> bool:
    """Tell whether numba runs, or may come to run, on its ``workqueue`` layer."""
    try:
        return bool(numba.threading_layer() == "workqueue")
    except ValueError:  # no parallel region has run yet
        return True
