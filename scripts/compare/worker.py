"""One process per library, run by ``compare`` one at a time.

Processes keep the libraries' OpenMP, BLAS and TBB thread pools apart, let thread counts
be set before anything is imported, and turn an abort in C++ into a line of the report.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from benchmarks.datasets import Cell, make

from .peer import Array
from .peers import peer_of
from .results import mean_and_error

PAUSE = 0.3
"""Seconds before a timing: threads of the library before may still spin (OpenMP's do so
for 0.2 seconds)."""
MAX_GEMM_BYTES = 400_000_000


class PeerError(Exception):
    """A library is missing, raised, crashed or ran out of time."""


def set_thread_environment(threads: int) -> None:
    """Set the thread counts that libraries read when they are imported."""
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "BLIS", "VECLIB_MAXIMUM"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)


def time_call(function: Callable[[], Any], least: float = 0.0) -> float:
    """Return the seconds of one call, the least of several within ``least`` seconds."""
    time.sleep(PAUSE)
    best, end = np.inf, time.perf_counter() + least
    while best == np.inf or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return float(best)


def time_each(functions: Sequence[Callable[[], Any]]) -> dict[str, float]:
    """Time some calls, one by one: ``seconds`` is the mean, ``least`` the least."""
    time.sleep(PAUSE)
    times = []
    for function in functions:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.fmean(times), "least": min(times)}


class Session:
    """The operations a worker offers; results are plain numbers and arrays."""

    def __init__(self, library: str, threads: int) -> None:
        self.peer = peer_of(library)()
        self.threads = threads
        self.X: Array = np.empty((0, 0))

    def load(self) -> str:
        """Import the library; return its version."""
        return self.peer.load(self.threads)

    def data(self, cell: Cell, dtype: str) -> None:
        """Make the rows of a cell."""
        self.X, _ = make(cell, dtype)

    def fit(self, centers: Array, n_iter: int, whole: bool = False) -> dict[str, Any]:
        """Time a run of ``n_iter`` iterations, or a whole fit of at most so many."""
        function = self.peer.whole if whole else self.peer.fit
        result: list[Any] = []
        seconds = time_call(lambda: result.append(function(self.X, centers, n_iter)))
        return {
            "seconds": seconds,
            "centers": np.asarray(result[0].centers),
            "n_iter": result[0].n_iter,
            "history": result[0].history,
        }

    def seed(self, k: int, trials: int, random_state: int) -> dict[str, Any]:
        """Time one seeding."""
        result: list[Array] = []
        seconds = time_call(lambda: result.append(self.peer.seed(self.X, k, trials, random_state)))
        return {"seconds": seconds, "centers": np.asarray(result[0])}

    def minibatch(self, k: int, batch: int, random_state: int, max_iter: int) -> dict[str, Any]:
        """Time one fit by mini-batches."""
        result: list[Any] = []
        arguments = self.X, k, batch, random_state, max_iter
        seconds = time_call(lambda: result.append(self.peer.minibatch(*arguments)))
        centers = np.asarray(result[0].centers)
        return {"seconds": seconds, "centers": centers, "n_iter": result[0].n_iter}

    def solve(
        self,
        k: int,
        parameters: dict[str, Any],
        seeds: Sequence[int],
        burst: float,
        processor_time: bool = False,
    ) -> list[dict[str, Any]]:
        """Time fits from the library's own start, a seed each, until ``burst`` seconds passed."""
        clock = time.process_time if processor_time else time.perf_counter
        time.sleep(PAUSE)
        found: list[dict[str, Any]] = []
        end = clock() + burst
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for seed in seeds:
                start = clock()
                centers = self.peer.solve(self.X, k, seed, **parameters)
                now = clock()
                found.append({"seconds": now - start, "centers": np.asarray(centers)})
                if now >= end:
                    break
        return found

    def e_step(self, centers: Array, least: float) -> float | None:
        """Time the E step alone, where the library lends it."""
        function = self.peer.e_step(self.X, centers)
        if function is None:
            return None
        function()  # compiles
        return time_call(function, least)

    def gemm(self, centers: Array, least: float) -> float:
        """Return the rate, in GFLOP/s, of the matrix product of this cell's shape."""
        k, d = centers.shape
        rows = min(len(self.X), max(1, MAX_GEMM_BYTES // (k * self.X.itemsize)))
        X, out = self.X[:rows], np.empty((rows, k), self.X.dtype)
        factor = np.ascontiguousarray(centers, self.X.dtype).T
        seconds = time_call(lambda: np.matmul(X, factor, out=out), least)
        return float(2e-9 * rows * k * d / seconds)

    def gemm_square(self, dtype: str, least: float, size: int = 2000) -> float:
        """Return the rate, in GFLOP/s, of a square matrix product."""
        a = np.random.default_rng(0).random((size, size)).astype(dtype)
        out = np.empty_like(a)
        seconds = time_call(lambda: np.matmul(a, a, out=out), least)
        return 2e-9 * float(size) ** 3 / seconds

    def small(self, X: Array, parameters: dict[str, Any], calls: int) -> dict[str, Any]:
        """Time fits of small data, each from another seed: seconds of one, mean and least."""
        models = [self.peer.estimator(random_state=s, **parameters) for s in range(calls)]
        times = time_each([partial(model.fit, X) for model in models])
        inertia, error = mean_and_error([float(model.inertia_) for model in models])
        return {**times, "inertia": inertia, "error": error}

    def predict(self, X: Array, rows: int, calls: int) -> dict[str, Any]:
        """Time ``predict`` of a few rows by a fitted model: seconds of one, mean and least."""
        model = self.peer.estimator(n_clusters=3, n_init=10, random_state=0).fit(X)
        times = time_each([partial(model.predict, X[:rows])] * calls)
        return {**times, "inertia": float(model.inertia_), "error": 0.0}

    def first_fits(self, cell: Cell, dtype: str, warm: int) -> dict[str, Any]:
        """Time first fits in new processes, with an empty cache and then with a warm one."""
        return self.peer.first_fits(cell, dtype, warm)

    def thread_pools(self) -> list[dict[str, Any]]:
        """Return the thread pools of this process, as threadpoolctl sees them."""
        try:
            from threadpoolctl import threadpool_info
        except ImportError:
            return []
        names = ("internal_api", "num_threads", "version", "architecture")
        return [{name: pool.get(name) for name in names} for pool in threadpool_info()]

    def made_for(self) -> str:
        """Return for which processor the code of this process is made, as far as it tells."""
        found = []
        if "fastkmeans" in sys.modules:
            with contextlib.suppress(ImportError):  # an older checkout
                from fastkmeans._runtime.target import TARGET

                width, bits = TARGET.vector_bytes, TARGET.codes.bits
                found.append(f"vectors of {width} bytes, codes of {bits} bits")
        if faiss := sys.modules.get("faiss"):
            found.append(faiss.get_compile_options().strip())
        blas = {pool["architecture"] for pool in self.thread_pools() if pool["architecture"]}
        return ", ".join(found + sorted(blas)) or "not known"


def serve(connection: Connection, library: str, threads: int) -> None:
    """Answer requests ``(method, arguments)`` until the other end closes."""
    session = Session(library, threads)
    while True:
        try:
            method, arguments = connection.recv()
            try:
                answer = True, getattr(session, method)(*arguments)
            except Exception as error:  # whatever a library raises is its result
                lines = "".join(traceback.format_exception_only(error)).strip().splitlines()
                answer = False, lines[-1][:200]
            connection.send(answer)
        except (EOFError, BrokenPipeError):
            return


class Worker:
    """A library in its own process.

    Parameters
    ----------
    library : str
        A key of ``PEERS``, or the name of a checkout.
    threads : int
    timeout : float
        Seconds after which a call is given up and the process ended.
    """

    def __init__(self, library: str, threads: int, timeout: float = 600.0) -> None:
        self.library = library
        self.peer = peer_of(library)
        self.threads = threads
        self.timeout = timeout
        self._process: Any = None
        self._connection: Any = None

    def start(self) -> str:
        """Start the process and import the library; return its version."""
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=serve, args=(other, self.library, self.threads), daemon=True
        )
        self._process.start()
        other.close()
        return str(self.call("load"))

    def call(self, method: str, *arguments: Any, limit: float = math.inf) -> Any:
        """Run a method of ``Session`` there; raise ``PeerError`` with the reason.

        ``limit`` is a time limit in seconds, if less than that of the worker.
        """
        if self._process is None:
            self.start()
        seconds = min(limit, self.timeout)
        try:
            self._connection.send((method, arguments))
            if not self._connection.poll(seconds):
                self.stop()
                raise PeerError(f"no answer within {seconds:.0f} s")
            done, result = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join(5.0)
            code = self._process.exitcode
            self.stop()
            raise PeerError(f"the process crashed (exit code {code})") from error
        if not done:
            raise PeerError(result)
        return result

    def stop(self) -> None:
        """End the process; the next call starts another."""
        if self._process is not None:
            self._connection.close()
            self._process.join(1.0)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(5.0)
        self._process = None
