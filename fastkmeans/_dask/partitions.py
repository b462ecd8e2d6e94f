"""From ``X``, as users pass it, to partitions: keys of a graph, or futures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._runtime.errors import plain
from .._runtime.extras import need

WAYS = (
    "a dask array, a dask dataframe, a list of delayed objects or futures that give one block of "
    "rows each, or the path of a folder of Parquet files"
)


class Partitions(NamedTuple):
    """Blocks of rows on a cluster, in order."""

    graph: dict[Any, Any]  # the tasks that compute them
    blocks: list[Any]  # of each partition: a key of the graph, or a future
    weights: list[Any]  # likewise, one block of weights per partition; or None
    names: list[Any] | None  # of the columns, if they are known before any block is computed
    n_features: int | None  # likewise
    dtype: np.dtype[Any] | None  # likewise
    sizes: tuple[float, ...]  # rows of each block; NaN if unknown
    origin: Any  # holds the futures that the graph refers to

    @property
    def are_futures(self) -> bool:
        """Whether all blocks are results of the cluster already, or about to be."""
        return all(map(is_future, [*self.blocks, *(w for w in self.weights if w is not None)]))


def is_future(thing: Any) -> bool:
    """Return whether something is a result of the cluster, or is about to be."""
    return isinstance(thing, need("distributed", "dask").Future)


def _is_delayed(thing: Any) -> bool:
    return isinstance(thing, need("dask.delayed", "dask").Delayed)


def _is_path(thing: Any) -> bool:
    return isinstance(thing, str | os.PathLike)


def _kind(X: Any) -> str:
    """Return what ``X`` is: "array", "frame", "list", "path", or "" for anything else."""
    if need("dask", "dask").is_dask_collection(X) and not _is_delayed(X):
        if hasattr(X, "chunks"):
            return "array"
        return "frame" if hasattr(X, "columns") or hasattr(X, "npartitions") else ""
    if _is_path(X):
        return "path"
    if isinstance(X, list | tuple) and X:
        if all(is_future(part) or _is_delayed(part) for part in X):
            return "list"
        return "path" if all(map(_is_path, X)) else ""
    return "list" if is_future(X) or _is_delayed(X) else ""


def _lowered(collection: Any) -> tuple[dict[Any, Any], list[Any]]:
    """Return the graph of a collection, optimised, and its blocks: keys of it, or futures."""
    futures = {f.key: f for f in need("distributed", "dask").futures_of(collection)}
    delayed = np.asarray(collection.to_delayed(), dtype=object).ravel().tolist()
    return _merged(delayed, futures)


def _merged(delayed: Iterable[Any], futures: dict[Any, Any]) -> tuple[dict[Any, Any], list[Any]]:
    graph: dict[Any, Any] = {}
    seen: dict[int, Any] = {}  # blocks of a collection share a graph
    blocks: list[Any] = []
    for part in delayed:
        if is_future(part):
            blocks.append(part)
            continue
        own = part.__dask_graph__()
        if id(own) not in seen:
            seen[id(own)] = own  # held, so that no other graph gets its number
            graph.update(own)
        blocks.append(part.key)
    return graph, [_followed(block, graph, futures) for block in blocks]


def _followed(block: Any, graph: dict[Any, Any], futures: dict[Any, Any]) -> Any:
    """Return the future that a key stands for, if any: an alias would count its memory twice."""
    if is_future(block):
        return block
    key = block
    while key in graph:
        node = graph[key]
        if is_future(node):
            return node
        if not hasattr(node, "target"):  # a task, not another name of one
            return key
        key = node.target
    return futures[key]


def _frame_of(path: Any, names: Sequence[Any] | None) -> Any:
    """Return the named or else all numeric columns of Parquet files, as a dask dataframe."""
    frame = need("dask.dataframe", "dask").read_parquet(
        [os.fspath(part) for part in path] if isinstance(path, list | tuple) else os.fspath(path)
    )
    if names is not None and set(names) <= set(frame.columns):
        return frame[list(names)]
    numeric = [name for name, dtype in frame.dtypes.items() if _is_numeric(dtype)]
    if not numeric:
        raise ValueError(f"X: {plain(str(path))} has no numeric column.")
    return frame if len(numeric) == len(frame.columns) else frame[numeric]


def _is_numeric(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") in "biuf"


def partitions_of(
    X: Any, sample_weight: Any = None, names: Sequence[Any] | None = None
) -> Partitions:
    """Return the partitions of ``X`` and of its weights.

    Nothing is computed.  Blocks of columns are joined.  ``names``: the columns to read from files.
    """
    kind = _kind(X)
    if kind == "path":
        X, kind = _frame_of(X, names), "frame"
    if kind == "array":
        found = _of_array(X)
    elif kind == "frame":
        found = _of_frame(X)
    elif kind == "list":
        parts = list(X) if isinstance(X, list | tuple) else [X]
        graph, blocks = _merged(parts, {})
        found = Partitions(
            graph, blocks, [None] * len(blocks), None, None, None, (np.nan,) * len(blocks), parts
        )
    else:
        raise TypeError(
            f"X must be {WAYS}, got {type(X).__name__}. fastkmeans.KMeans clusters tables in the "
            "memory of one machine; dask.array.from_array(X, chunks=(100_000, -1)) brings one here."
        )
    return found if sample_weight is None else _with_weights(found, sample_weight)


def _of_array(X: Any) -> Partitions:
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead: X has shape {X.shape}. Reshape your "
            "data either using array.reshape(-1, 1) if your data has a single feature or "
            "array.reshape(1, -1) if it contains a single sample."
        )
    if X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    n_features = None if np.isnan(X.shape[1]) else int(X.shape[1])
    graph, blocks = _lowered(X)
    return Partitions(
        graph, blocks, [None] * len(blocks), None, n_features, X.dtype,
        tuple(map(float, X.chunks[0])), X,
    )  # fmt: skip


def _of_frame(X: Any) -> Partitions:
    if not hasattr(X, "columns") or len(getattr(X, "shape", ())) != 2:
        raise ValueError(
            "Expected 2D array, got 1D array instead: X is a series or a bag. Pass a dask "
            "dataframe, such as X.to_frame()."
        )
    graph, blocks = _lowered(X)
    dtypes = [np.dtype(t) for t in X.dtypes if isinstance(t, np.dtype)]
    narrow = len(dtypes) == len(X.columns) and all(
        t.kind == "f" and t.itemsize <= 4 for t in dtypes
    )
    return Partitions(
        graph, blocks, [None] * len(blocks), list(X.columns), len(X.columns),
        np.dtype(np.float32 if narrow else np.float64), (np.nan,) * len(blocks), X,
    )  # fmt: skip


def _with_weights(parts: Partitions, given: Any) -> Partitions:
    """Return partitions with weights, one block of weights for each block of rows."""
    kind, n = _kind(given), len(parts.blocks)
    known = not np.isnan(parts.sizes).any()
    if kind == "array" and given.ndim == 1:
        if known and not np.isnan(given.shape[0]):
            given = _like_rows(given, parts)
        graph, weights = _lowered(given)
    elif kind == "frame" and hasattr(given, "to_delayed"):
        graph, weights = _lowered(given)
    elif kind == "list":
        graph, weights = _merged(given if isinstance(given, list | tuple) else [given], {})
    elif known and not kind and np.ndim(given) == 1:
        # A few bytes a row, which the client has anyway.
        array = need("dask.array", "dask").from_array(np.asarray(given), chunks=-1)
        graph, weights = _lowered(_like_rows(array, parts))
    else:
        raise TypeError(
            f"sample_weight must come in blocks like X, as a dask array of one dimension, a dask "
            f"series or a list of delayed objects or futures, got {type(given).__name__}."
        )
    if len(weights) != n:
        raise ValueError(
            f"sample_weight has {len(weights)} partitions, X has {n}: each block of rows needs the "
            "block of its weights. Make both from one dataframe, or rechunk the weights like X."
        )
    return parts._replace(graph=parts.graph | graph, weights=weights, origin=(parts.origin, given))


def _like_rows(weights: Any, parts: Partitions) -> Any:
    total = int(sum(parts.sizes))
    if weights.shape[0] != total:
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(total,)}: one weight per row of "
            "X. (Sample weights must be 1D array or scalar.)"
        )
    return weights.rechunk((tuple(int(size) for size in parts.sizes),))
