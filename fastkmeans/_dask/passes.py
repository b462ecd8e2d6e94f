r"""Passes over the partitions of a fit: one task per partition, then a tree of merges.

    partition, centers ---> statistics \
    partition, centers ---> statistics  > merge \
    ...                                          > merge ---> the client
    partition, centers ---> statistics  > merge /

The tree joins ``FAN`` neighbours at a time, so its shape depends on the number of partitions
alone.  So do the bits of the result: neither workers nor their order change them.

Small centers are an argument of each task.  Large ones are a task of their own, which the workers
fetch from each other.  They are not scattered: scattered data dies with its only holder, but the
scheduler has the bytes of a task, and runs it again on another worker.
"""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from .._runtime.extras import need
from .client import CLOSED, active_client, wait_for_release
from .partitions import Partitions, is_future

FAN = 16
"""Results that one task merges."""
INLINE = 1 << 16
"""Bytes up to which what all partitions need is an argument of each task: that saves 5 ms."""
TRIES = 4
"""Times that a pass is tried if the cluster loses what it needs."""


class Given:
    """The task that holds what all partitions need: it returns its value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        """Return the value."""
        return self.value

    def __dask_tokenize__(self) -> int:
        return id(self)


class Call:
    """A function with the arguments that Dask need not look at: a graph is built faster so."""

    def __init__(self, function: Callable[..., Any], own: Any, shared: Any) -> None:
        self.function, self.own, self.shared = function, own, shared

    def __call__(self, block: Any, weights: Any, shared: Any = None) -> Any:
        """Run the function on a partition."""
        return self.function(self.own, block, weights, self.shared if shared is None else shared)

    def __repr__(self) -> str:
        return f"{self.function.__name__}({self.own!r})"

    def __dask_tokenize__(self) -> int:
        return id(self)  # the keys of a pass are unique by themselves


class Passes:
    """The passes of one fit; a ``with`` block releases all that they hold in the cluster."""

    def __init__(self, partitions: Partitions) -> None:
        self.client = active_client()
        self.partitions = partitions
        # The user's own futures may have the keys of partitions.  They are listed now: the client
        # forgets those of this fit some time after their release.
        self._of_user = {*self.client.futures}
        self._token, self._count = uuid.uuid4().hex, 0
        self._graph, self._blocks = partitions.graph, partitions.blocks
        self._weights = partitions.weights
        self._held: list[Any] = []  # futures of partitions
        self._last: list[Any] = []  # keys of the last pass

    def __enter__(self) -> Passes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        keys = [*self._last, *(future.key for future in self._held)]
        self._let_go()
        with suppress(*([] if kind is None else [Exception])):  # the error that came first counts
            wait_for_release(self.client, [key for key in keys if key not in self._of_user])

    def __len__(self) -> int:
        return len(self._blocks)

    def hold(self) -> None:
        """Compute the partitions once, and hold them in the cluster until the end of the fit.

        Workers spill to disk what their memory does not hold.  A partition that is lost with its
        worker is computed again.
        """
        keys = [b for b in [*self._blocks, *self._weights] if b is not None and not is_future(b)]
        held = dict(zip(keys, self.client.get(self._graph, keys, sync=False), strict=True))
        self._blocks = [b if is_future(b) else held[b] for b in self._blocks]
        self._weights = [w if w is None or is_future(w) else held[w] for w in self._weights]
        self._held, self._graph = list(held.values()), {}

    def _let_go(self) -> None:
        """Release the partitions that are held."""
        for future in self._held:
            future.release()
        self._held, self._graph = [], self.partitions.graph
        self._blocks, self._weights = self.partitions.blocks, self.partitions.weights

    def reduce(
        self,
        name: str,
        function: Callable[..., Any],
        merge: Callable[[list[Any]], Any],
        shared: Any,
        own: Sequence[Any] | None = None,
        only: Iterable[int] | None = None,
    ) -> Any:
        """Return the merged results of ``function(own, block, weights, shared)``.

        ``name`` is what Dask's dashboard shows.  ``own``: an argument for each partition; its
        number by default.  ``only``: the numbers of some partitions; all by default.
        """
        chosen = range(len(self)) if only is None else list(only)
        calls = [(function, i if own is None else own[i]) for i in chosen]
        for left in reversed(range(TRIES)):
            blocks = [(self._blocks[i], self._weights[i]) for i in chosen]
            graph, last = self._tree(name, calls, blocks, merge, shared)
            try:
                return self._computed(graph, last)
            except need("distributed", "dask").CancelledError as error:
                if self.client.status != "running":
                    raise RuntimeError(CLOSED) from None
                if not left:
                    raise RuntimeError(
                        f"The cluster lost rows {TRIES} times, and cannot compute them again: "
                        f"{error} Futures of X may have been cancelled. Scattered data dies with "
                        "the only worker that holds it. Pass a lazy dask array or dataframe, "
                        "delayed objects, or files."
                    ) from None
                if self._held:  # somebody cancelled them
                    self._let_go()
                    self.hold()
        raise AssertionError  # not reached

    def _tree(
        self,
        name: str,
        calls: Sequence[tuple[Callable[..., Any], Any]],
        blocks: Sequence[tuple[Any, Any]],
        merge: Callable[[list[Any]], Any],
        shared: Any,
    ) -> tuple[dict[Any, Any], Any]:
        """Return the graph of a pass, and the key of its result."""
        self._count += 1

        def key(what: str, *place: int) -> tuple[Any, ...]:
            return (f"fastkmeans-{name}{what}-{self._token}", self._count, *place)

        graph, last = dict(self._graph), list[Any]()
        if len(pickle.dumps(shared, protocol=5)) > INLINE:
            graph[key("-input")] = (Given(shared),)
            shared, last = None, [key("-input")]
        level: list[Any] = []
        for i, ((function, own), block) in enumerate(zip(calls, blocks, strict=True)):
            level.append(key("", i))
            graph[level[-1]] = (Call(function, own, shared), *block, *last)
        height = 0
        while len(level) > 1 or not height:
            below, level, height = level, [], height + 1
            for at in range(0, len(below), FAN):
                level.append(key("-merge", height, at // FAN))
                graph[level[-1]] = (merge, below[at : at + FAN])
        return graph, level[0]

    def _computed(self, graph: dict[Any, Any], key: Any) -> Any:
        """Return the result of a key; an error or Ctrl-C stops the cluster's work on it."""
        self._last = [*graph]
        if self.client.status != "running":
            raise RuntimeError(CLOSED)
        (future,) = self.client.get(graph, [key], sync=False)
        try:
            return future.result()
        except BaseException as error:
            # Dask's scheduler drops a client that cancels what somebody has cancelled already.  A
            # client that was closed cannot cancel.
            if not isinstance(error, need("distributed", "dask").CancelledError):
                with suppress(Exception):
                    self.client.cancel([future])
            raise
        finally:
            future.release()
