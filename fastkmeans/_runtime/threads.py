"""Threads: how many run a kernel, over which rows, and by which means.

A ``Team`` runs a kernel in one of three ways:

``prange``   numba's threads, through ``_runtime.drive``: the steps of an iteration, once the
             driver is compiled (``DRIVEN_AFTER``).
``pool``     a ``ThreadPoolExecutor``; kernels release the GIL.  It runs
             - passes made once per fit or per center: numba would have to compile the driver
               for each of their kernels.  On large tables (``is_large``) these use ``prange``
               too: pool threads compete with numba's, which spin for a while after a region;
             - all work in a forked child: numba's threads are gone there, and a parallel
               region would hang or abort the process;
             - work while another caller uses numba's ``workqueue`` layer, which would crash.
``serial``   the calling thread, if the work is too small to share.

Results do not depend on the choice.  Sums are cut by the shape of the data only (see
``_engines.sums``); labels and distances are the same for any cut.
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
from .jit import address_of, fields_of, is_compiled, kind_of

RANGE_MULTIPLE = 256
"""Rows.  Ranges and blocks begin at multiples of this: the groups of rows of every kernel."""
SERIAL_NANOSECONDS = 200_000
"""Run less estimated work (ns) than this serially: a parallel region would cost more."""
POOL_NANOSECONDS = 1_000_000
"""Run less work (ns) than this serially, not in a pool: numba's threads may still spin."""
MANY_RANGES = 32
"""Ranges of a table for sums that must not depend on the number of threads."""
SMALL_TABLE = 1 << 16
"""Values (rows times features) up to which a table has one range for such sums."""
LARGE_TABLE = 1 << 22
"""Values from which on a pass made once per fit also runs in numba's threads."""
LIGHT_TABLE = 1 << 19
"""Values below which one thread does a pass that takes about 1 ns a value.  A pool takes half as
long to begin and to end: k-means++ on 7000 x 16, k=35, took 54 ms with it, 11 ms without."""
LARGE_CENTERS, CENTER_RANGES = 1 << 15, 8
"""Values of the centers from which on threads share them; number of ranges then."""

DRIVEN_AFTER = 32
"""Calls of one kernel before numba compiles its driver, which takes half a second.  The pool makes
them, each some 0.1 ms slower.  So the first fit with an empty cache ends sooner."""

_calls: dict[Any, int] = {}  # of kernels that have no driver yet
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

    None means numba's number (``NUMBA_NUM_THREADS``, ``numba.set_num_threads``), at most the CPU
    affinity and the container's quota.  A given number is limited by numba's threads.
    """
    limit = numba.config.NUMBA_NUM_THREADS if not _forked else _available_cpus()
    if n_threads is not None:
        return min(n_threads, limit)
    mask = limit if _forked else numba.get_num_threads()
    return max(1, min(mask, _available_cpus()))


def cut(n_rows: int, parts: int) -> NDArray[np.int64]:
    """Cut rows into ``parts`` even ranges, fewer if rows are few; return the range edges."""
    if parts <= 1:
        return np.array([0, n_rows])
    n_units = max(1, -(-n_rows // RANGE_MULTIPLE))
    parts = min(parts, n_units)
    bounds = np.arange(parts + 1) * n_units // parts * RANGE_MULTIPLE
    bounds[-1] = n_rows
    return bounds


def cut_centers(n_clusters: int, n_features: int) -> NDArray[np.int64]:
    """Cut centers into ranges by their shape alone: one range, unless the work is large."""
    parts = CENTER_RANGES if n_clusters * n_features >= LARGE_CENTERS else 1
    return np.arange(parts + 1) * n_clusters // parts


def within(bounds: NDArray[np.int64], start: int, stop: int) -> tuple[slice, NDArray[np.int64]]:
    """Return which ranges of a table a block touches, and their edges in the block.

    A range that crosses into the next block takes two calls.  Kernels add to the range's output,
    so two calls give the same bits as one.
    """
    if start == 0 and stop == bounds[-1]:
        return slice(0, len(bounds) - 1), bounds
    first = int(np.searchsorted(bounds, start, side="right")) - 1
    last = int(np.searchsorted(bounds, stop, side="left"))
    return slice(first, last), np.clip(bounds[first : last + 1] - start, 0, stop - start)


def is_large(X: NDArray[Any]) -> bool:
    """Return whether one pass over these rows, ``(2, m, d)``, is worth a ``prange``."""
    _, m, d = X.shape
    return bool(m * d >= LARGE_TABLE)


class Team:
    """Threads for a ``with`` block, as many as ``count_threads`` allows.

    ``work`` estimates one pass on one thread, in ns; small work runs serially.
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
        """Cut rows for kernels that allow any cut; ``pool_work``: ns of a pass by the pool."""
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
        light: bool = False,
    ) -> None:
        """Run ``kernel(X, start, stop, *arguments, *outputs[r])`` for every range r.

        ``prange`` asks for numba's threads, which are used if that is safe.  ``light``: the kernel
        takes about 1 ns a value, so it is not worth the pool if the table is small.
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
        elif prange and not _forked and self._drive(kernel, X, bounds, arguments, outputs):
            return
        elif light and X.shape[1] * X.shape[2] < LIGHT_TABLE:
            work(range(n_ranges))
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.size)
            cuts = np.linspace(0, n_ranges, min(n_ranges, 2 * self.size) + 1).astype(int).tolist()
            for task in [self._pool.submit(work, range(a, b)) for a, b in pairwise(cuts)]:
                task.result()

    def _drive(self, kernel: Callable[..., Any], *arguments: Any) -> bool:
        """Run a kernel in numba's threads; return False if they are busy, or not worth the wait."""
        X, bounds, inputs, outputs = arguments
        inputs, outputs = tuple(inputs), tuple(outputs)
        address = address_of(kernel, (X, 0, 0, *inputs, *(o[0] for o in outputs)))
        driven = address, X, bounds, fields_of(inputs), outputs
        if not _has_driver(driven):
            return False
        lock = _workqueue_lock if _may_be_workqueue() else None
        if lock is not None and not lock.acquire(blocking=False):
            return False
        try:
            drive(*driven)
        finally:
            if lock is not None:
                lock.release()
        return True


def _has_driver(arguments: tuple[Any, ...]) -> bool:
    """Return whether to call the driver: it is compiled, or called often enough to be so now."""
    key = kind_of(arguments[1:])
    n_calls = _calls.get(key, 0)
    if n_calls == 0 and is_compiled(drive, arguments):
        n_calls = DRIVEN_AFTER
    _calls[key] = n_calls + 1
    return n_calls >= DRIVEN_AFTER


def _may_be_workqueue() -> bool:
    """Return whether numba uses, or may yet use, its ``workqueue`` layer."""
    try:
        return bool(numba.threading_layer() == "workqueue")
    except ValueError:  # no parallel region has run yet
        return True
