"""The active client of Dask, and what its cluster has."""

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from .._runtime.extras import need

CLOSED = (
    "The Dask client was closed, or lost its scheduler, before the work was done: keep it open "
    "until then, and try again."
)
NO_CLIENT = (
    "No Dask client is active, so there is no cluster to work on. Start one first: "
    "from dask.distributed import Client; client = Client() for the processors of this machine, or "
    "Client('tcp://address:8786') for a running scheduler."
)


def active_client() -> Any:
    """Return the client that is active; without one, raise an error that says how to start it."""
    distributed = need("distributed", "dask")
    try:
        client = distributed.Client.current()
    except ValueError:
        raise RuntimeError(NO_CLIENT) from None
    if client.status != "running":
        raise RuntimeError(f"The active Dask client is {client.status}. {NO_CLIENT}")
    if client.asynchronous:
        raise RuntimeError(
            "The active Dask client is asynchronous: use one with asynchronous=False, because fit "
            "waits for its results."
        )
    return client


def _limit(dask_scheduler: Any) -> float:
    """Return the sum of the memory limits of all workers, in bytes (runs on the scheduler)."""
    limits = [worker.memory_limit for worker in dask_scheduler.workers.values()]
    return float(sum(limit or math.inf for limit in limits))


def memory_limit(client: Any) -> float:
    """Return the bytes that all workers may take; 0 without workers, infinity without limits."""
    return float(client.run_on_scheduler(_limit))


def _kept(keys: Sequence[Any], client_id: str, dask_scheduler: Any) -> list[int]:
    """Return the places of keys that no other client keeps alive (runs on the scheduler)."""
    found = []
    for place, key in enumerate(keys):
        task = dask_scheduler.tasks.get(key)
        if task is not None and not {who.client_key for who in task.who_wants or ()} - {client_id}:
            found.append(place)
    return found


def wait_for_release(client: Any, keys: Iterable[Any], patience: float = 5.0) -> None:
    """Wait until the cluster has dropped results that this client released.

    Releases travel in messages of their own: without this, ``Client.who_has`` could still list
    results of a fit that is over.  Other clients, and other fits of this one, may still use some.
    ``patience``: seconds after which to go on in any case.
    """
    last = time.monotonic() + patience
    left = list(keys)
    while left and client.status == "running" and time.monotonic() < last:
        left = [left[place] for place in client.run_on_scheduler(_kept, left, client.id)]
        left = [key for key in left if key not in client.futures]  # others in this process
        if left:
            time.sleep(0.01)
