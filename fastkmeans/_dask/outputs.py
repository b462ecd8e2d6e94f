"""Labels and distances as dask arrays, computed when asked for."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._runtime.extras import need
from .partitions import Partitions
from .passes import Call, Given
from .worker import Centers


def row_array(
    name: str,
    function: Callable[..., Any],
    partitions: Partitions,
    shared: Centers,
    dtype: Any,
    width: int | None = None,
    sizes: Sequence[float] | None = None,
) -> Any:
    """Return a dask array of what ``function`` returns for the rows of each partition.

    ``width``: number of columns of the array; None for one dimension.  ``sizes``: rows of each
    partition, if they are known.
    """
    dask_array, graphs = need("dask.array", "dask"), need("dask.highlevelgraph", "dask")
    name = f"fastkmeans-{name}-{uuid.uuid4().hex}"
    given = f"{name}-input"
    graph = partitions.graph | {given: (Given(shared),)}
    rest = (0,) if width is not None else ()
    for i, block in enumerate(partitions.blocks):
        graph[name, i, *rest] = (Call(function, i, None), block, None, given)
    sizes = partitions.sizes if sizes is None else sizes
    chunks: list[Any] = [tuple(n if math.isnan(n) else int(n) for n in sizes)]
    if width is not None:
        chunks.append((width,))
    layers = graphs.HighLevelGraph.from_collections(name, graph, dependencies=[])
    meta = np.empty((0,) * len(chunks), dtype)
    return dask_array.Array(layers, name, tuple(chunks), meta=meta)
