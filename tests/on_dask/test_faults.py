"""Workers that die, join and leave; placements; fits that are interrupted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

from fastkmeans.dask import KMeans  # noqa: E402

Array = NDArray[Any]


def bits(model: Any) -> tuple[bytes, float, int]:
    return model.cluster_centers_.tobytes(), model.inertia_, model.n_iter_


def slowly(block: Array, seconds: float = 0.0) -> Array:
    """Return a block later."""
    time.sleep(seconds)
    return block


def lazy(rows: Array, seconds: float = 0.0) -> list[Any]:
    """Return blocks of rows that can be computed again."""
    return [dask.delayed(slowly)(part, seconds) for part in np.array_split(rows, 6)]


@pytest.fixture
def fitted(client: Any, rows: Array, start: Array) -> Any:
    return KMeans(7, init=start, tol=0, max_iter=9).fit(lazy(rows))


def test_bits_do_not_depend_on_placement_or_workers(
    client: Any, cluster: Any, rows: Array, start: Array, fitted: Any
) -> None:
    model = KMeans(7, init=start, tol=0, max_iter=9)
    assert bits(model.fit(lazy(rows))) == bits(fitted)
    model.set_params(persist=False)
    assert bits(model.fit(lazy(rows))) == bits(fitted)
    one, two = client.run(os.getpid)
    for places in ([one] * 6, [one, two] * 3, [two, two, one, one, one, two]):
        futures = [
            client.submit(slowly, part, workers=[place], pure=False)
            for part, place in zip(np.array_split(rows, 6), places, strict=True)
        ]
        assert bits(model.fit(futures)) == bits(fitted)
    cluster.scale(1)
    assert bits(model.fit(lazy(rows))) == bits(fitted)


def test_nothing_is_left_in_the_cluster(client: Any, rows: Array, fitted: Any) -> None:
    assert client.who_has() == {}
    KMeans(7, random_state=0, max_iter=3).fit(lazy(rows))
    assert client.who_has() == {}
    own = client.persist(da.from_array(rows, chunks=(500, 4)))
    distributed.wait(own)
    before = {*client.who_has()}
    KMeans(7, random_state=0, max_iter=3).fit(own)
    KMeans(7, random_state=0, max_iter=3).fit(own, sample_weight=own[:, 0])
    assert {*client.who_has()} == before  # the user's rows stay
    assert own.sum().compute() == pytest.approx(rows.sum())


def test_a_worker_dies(
    client: Any, rows: Array, start: Array, fitted: Any, kill: Callable[..., str]
) -> None:
    def strike(iteration: int, run: Any) -> None:
        if iteration == 3:
            kill()

    model = KMeans(7, init=start, tol=0, max_iter=9, callback=strike)
    assert bits(model.fit(lazy(rows))) == bits(fitted)
    assert client.who_has() == {}


def test_the_worker_that_holds_large_centers_dies(
    client: Any, rows: Array, start: Array, fitted: Any, kill: Callable[..., str],
    wait_for: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from fastkmeans._dask import passes

    monkeypatch.setattr(passes, "INLINE", 0)

    def holders() -> Any:
        found = client.who_has()
        return next((v for key, v in found.items() if "assign-input" in str(key) and v), None)

    killed: list[str] = []
    killer = threading.Thread(target=lambda: killed.append(kill(wait_for(holders)[0])))
    killer.start()
    model = KMeans(7, init=start, tol=0, max_iter=9, persist=False)
    try:
        assert bits(model.fit(lazy(rows, 0.1))) == bits(fitted)
    finally:
        killer.join()
    assert killed


def test_partitions_that_were_cancelled_are_computed_again(
    client: Any, rows: Array, start: Array, fitted: Any
) -> None:
    def strike(iteration: int, run: Any) -> None:
        if iteration == 2:
            # Not the sums, which are being released: two reasons at once upset Dask's scheduler.
            held = [key for key in client.futures if "assign" not in str(key)]
            assert held
            client.cancel([distributed.Future(key, client) for key in held], force=True)

    model = KMeans(7, init=start, tol=0, max_iter=9, callback=strike, persist=True)
    assert bits(model.fit(lazy(rows))) == bits(fitted)
    assert client.who_has() == {}


def test_a_client_that_is_closed_ends_the_fit(
    client: Any, cluster: Any, rows: Array, start: Array
) -> None:
    with distributed.Client(cluster) as other:
        model = KMeans(7, init=start, callback=lambda i, run: other.close())
        with pytest.raises(RuntimeError, match="The Dask client was closed"):
            model.fit(lazy(rows))


def test_rows_that_others_hold_are_not_waited_for(
    client: Any, cluster: Any, rows: Array, start: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastkmeans._dask import client as module
    from fastkmeans._dask import passes

    waited: list[float] = []

    def wait(client: Any, keys: Any) -> None:
        began = time.monotonic()
        module.wait_for_release(client, keys, patience=40.0)
        waited.append(time.monotonic() - began)

    monkeypatch.setattr(passes, "wait_for_release", wait)
    X = da.from_array(rows, chunks=(500, 4))
    with distributed.Client(cluster, set_as_default=False) as other:
        held = other.persist(X)
        distributed.wait(held)
        KMeans(7, init=start, max_iter=2).fit(X)
        del held
    assert max(waited) < 20.0


def test_the_cluster_grows_and_shrinks(
    client: Any, cluster: Any, rows: Array, start: Array, fitted: Any
) -> None:
    def change(iteration: int, run: Any) -> None:
        cluster.scale({2: 3, 4: 1}.get(iteration, len(cluster.workers)))

    model = KMeans(7, init=start, tol=0, max_iter=9, callback=change)
    assert bits(model.fit(lazy(rows))) == bits(fitted)


def test_lost_rows_end_the_fit(
    client: Any, rows: Array, start: Array, kill: Callable[..., str]
) -> None:
    address, _ = client.run(os.getpid)
    futures = client.scatter(np.array_split(rows, 3), workers=[address])

    def strike(iteration: int, run: Any) -> None:
        if iteration == 2:
            kill(address)

    with pytest.raises(RuntimeError, match="cannot compute them again"):
        KMeans(7, init=start, tol=0, callback=strike).fit(futures)


def test_rows_are_held_if_they_fit(
    client: Any, rows: Array, start: Array, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastkmeans._dask import kmeans

    def read(part: Array, number: int) -> Array:
        with open(tmp_path / str(number), "a", encoding="ascii") as file:
            file.write("x")
        return part

    blocks = [dask.delayed(read)(part, i) for i, part in enumerate(np.array_split(rows, 3))]
    reads = []
    for share in (kmeans.HELD_SHARE, 1e-9):
        monkeypatch.setattr(kmeans, "HELD_SHARE", share)
        model = KMeans(7, init=start, tol=0, max_iter=4).fit(blocks)
        reads.append([len(path.read_text()) for path in sorted(tmp_path.iterdir())])
    assert reads[0] == [2, 2, 2]  # to measure them, and to hold them
    assert [b - a for a, b in zip(*reads, strict=True)] == [2 + model.n_iter_] * 3


def test_an_interrupt_stops_the_work(
    client: Any, rows: Array, start: Array, wait_for: Callable[..., Any]
) -> None:
    def busy(dask_scheduler: Any) -> int:
        return sum(
            task.state in ("processing", "waiting") for task in dask_scheduler.tasks.values()
        )

    def interrupt() -> None:
        wait_for(lambda: client.run_on_scheduler(busy))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            KMeans(7, init=start).fit(lazy(rows, 2.0))
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: not client.run_on_scheduler(busy))
    assert client.who_has() == {}
