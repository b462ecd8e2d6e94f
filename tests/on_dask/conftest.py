"""One cluster of two processes for all tests of this folder, and rows to put on it."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]

PATIENCE = 120.0
"""Seconds until a test gives up: the machine may be busy."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=":0",
        silence_logs=50,
    ) as cluster:  # fmt: skip
        yield cluster


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    """The active client; the cluster has two workers, and nothing in memory."""
    import distributed

    with distributed.Client(cluster) as client:
        cluster.scale(2)
        client.wait_for_workers(2, timeout=PATIENCE)
        last = time.monotonic() + PATIENCE
        while client.who_has() and time.monotonic() < last:  # futures of the test before
            gc.collect()
            time.sleep(0.05)
        yield client
        cluster.scale(2)


@pytest.fixture
def wait_for() -> Callable[[Callable[[], Any]], Any]:
    """Wait until something is true, and return it."""

    def wait(condition: Callable[[], Any]) -> Any:
        last = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < last, "it did not become true"
            time.sleep(0.02)
        return found

    return wait


@pytest.fixture
def kill(client: Any, wait_for: Callable[..., Any]) -> Iterator[Callable[..., str]]:
    """Kill a worker by SIGKILL, the first one unless its address is given.

    The next test begins once the scheduler knows of it: else it may lose what it has computed.
    """
    killed = set()

    def kill(address: str | None = None) -> str:
        pids = client.run(os.getpid)
        address = address or min(pids)
        os.kill(pids[address], signal.SIGKILL)
        killed.add(address)
        return address

    def known(dask_scheduler: Any) -> set[str]:
        return {*dask_scheduler.workers}

    yield kill
    wait_for(lambda: not killed & client.run_on_scheduler(known))


@pytest.fixture(scope="session")
def rows() -> Array:
    """Five groups that overlap, far from the origin, 3000 x 4."""
    rng = np.random.default_rng(5)
    return rng.normal(size=(3000, 4)) + 3.0 * rng.integers(0, 5, (3000, 1)) + 1000.0


@pytest.fixture(scope="session")
def start(rows: Array) -> Array:
    """Seven initial centers; two of them are far from all rows, so their clusters are empty."""
    centers = rows[:7].copy()
    centers[5:] += 1e4
    return centers
