"""What runs on the workers: tasks on one partition, and the merges of their results.

Every task takes the number of its partition (or a record that holds it), the block of rows, its
weights or None, and what all partitions share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.rows import largest
from .._data.sparse import SparseRows, sample_of
from .._data.tables import Table, table_in_memory
from .._data.validation import check_finite
from .._distributed.partial import partial_statistics, weights_for
from .._distributed.statistics import Statistics
from .._lloyd.predict import center_distances, closest_centers
from .._runtime.arrays import Floats, Labels
from .._runtime.extras import need
from .._runtime.text import shown

Integers = NDArray[np.int64]


class Expected(NamedTuple):
    """What every block must look like; None if anything will do."""

    names: list[Any] | None  # of its columns, if it has names
    n_features: int | None


class Measured(NamedTuple):
    """What a fit must know of partitions before it begins."""

    n_rows: list[int]  # of each partition
    weights: list[float]  # the sum of the weights of each
    n_bytes: float
    n_zero: int  # rows of length 0
    first: int  # number of the first partition with rows, or -1
    n_features: int
    names: list[Any] | None
    dtype: np.dtype[Any]


class Centers(NamedTuple):
    """What a pass of Lloyd's algorithm shares."""

    centers: Floats
    expected: Expected
    metric: str
    n_threads: int | None
    dtype: Any = None  # of distances


class Share(NamedTuple):
    """How many rows to draw from a partition."""

    number: int
    n_draws: int  # -1 for all rows, with their weights
    seed: Integers


@contextmanager
def located(number: int) -> Iterator[None]:
    """Let errors about a block name its partition."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"In partition {number} (rows are counted from its first): {error}") from None


def table_of(block: Any, expected: Expected) -> Table:
    """Return a block as a table with the expected columns, in the expected order."""
    table = table_in_memory(block_like(block, expected), "X", fewest=0)
    n, d = table.rows.shape
    if n and expected.n_features not in (None, d):
        raise ValueError(
            f"X has {d} columns where {expected.n_features} are expected: give every partition the "
            "same columns."
        )
    return table


def _weights_of(weights: Any, table: Table) -> Floats | None:
    return None if weights is None else weights_for(table, weights)


def measure(number: int, block: Any, weights: Any, expected: Expected) -> Measured:
    """Check a partition, and measure it."""
    with located(number):
        if is_empty(block):  # of any width
            return Measured([0], [0.0], 0.0, 0, -1, 0, None, np.dtype(np.float32))
        table = table_of(block, expected)
        n, d = table.rows.shape
        own = _weights_of(weights, table)
        if n:
            check_finite(table)
        weight = float(n) if own is None else float(own.sum())
        n_bytes = float(need("dask.sizeof", "dask").sizeof(block))
        if own is not None:
            n_bytes += own.nbytes
        return Measured(
            [n], [weight], n_bytes, _count_zeros(table), number if n else -1, d, table.names,
            table.rows.dtype,
        )  # fmt: skip


def _count_zeros(table: Table) -> int:
    if isinstance(table.rows, SparseRows):
        before = np.concatenate([[0], np.cumsum(table.rows.values != 0)])
        return int(np.count_nonzero(np.diff(before[table.rows.stored.starts]) == 0))
    return sum(int(np.count_nonzero(~X[0].any(axis=1))) for _, X in table.rows.blocks())


def merge_measured(parts: list[Measured]) -> Measured:
    """Merge what is known of neighbouring partitions; their columns must agree."""
    with_rows = [part for part in parts if part.first >= 0] or parts[:1]
    first, named = with_rows[0], [part for part in with_rows if part.names is not None]
    names = named[0].names if named else None
    for part in with_rows[1:]:
        if part.n_features != first.n_features:
            raise ValueError(
                f"Partition {part.first} has {part.n_features} columns, partition {first.first} "
                f"has {first.n_features}: give every partition the same columns."
            )
    for part in named[1:]:
        odd = [name for name in part.names or [] if name not in (names or [])]
        if odd:
            raise ValueError(
                f"Partition {part.first} has a column {shown(odd[0])}, which partition "
                f"{named[0].first} has not: give every partition the same columns."
            )
    return Measured(
        [n for part in parts for n in part.n_rows],
        [w for part in parts for w in part.weights],
        sum(part.n_bytes for part in parts),
        sum(part.n_zero for part in parts),
        first.first, first.n_features, names,
        np.result_type(*(part.dtype for part in with_rows)),
    )  # fmt: skip


def assign(number: int, block: Any, weights: Any, shared: Centers) -> Statistics:
    """Assign the rows of a partition; return their statistics."""
    with located(number):
        rows = block_like(block, shared.expected)
        return partial_statistics(
            rows, shared.centers, weights, metric=shared.metric, n_threads=shared.n_threads
        )


def block_like(block: Any, expected: Expected) -> Any:
    """Return a block with the expected columns in order, of the user's type."""
    if expected.n_features is not None and is_empty(block):
        return np.empty((0, expected.n_features))
    own, names = _names_of(block), expected.names
    if names is None or own is None or own == names:
        return block
    missing = [name for name in names if name not in own]
    if missing:
        raise ValueError(f"X has no column {shown(missing[0])}: its columns are {own}.")
    return block.select(names) if hasattr(type(block), "select") else block[names]


def is_empty(block: Any) -> bool:
    """Return whether a block has no rows, and so perhaps no columns."""
    if isinstance(block, list | tuple):
        return not block
    shape = getattr(block, "shape", ()) or (getattr(block, "num_rows", None),)
    return bool(shape[0] == 0)


def _names_of(block: Any) -> list[Any] | None:
    """Return the names of the columns of a frame of pandas, polars or pyarrow."""
    if hasattr(type(block), "num_columns"):  # pyarrow: columns are the data
        return list(block.schema.names)
    own = getattr(block, "columns", None)
    return None if own is None else list(own)


def draw(own: Share, block: Any, weights: Any, expected: Expected) -> list[Any]:
    """Draw rows of a partition: distinct ones, or by weight if rows have weights.

    Returns a list of one (rows, weights).  Rows that were drawn by weight count alike.
    """
    with located(own.number):
        table = table_of(block, expected)
        n, given = table.rows.shape[0], _weights_of(weights, table)
        chosen = np.arange(n)
        if own.n_draws >= 0:
            rng = np.random.default_rng([own.number, *own.seed])
            if given is None:
                chosen = np.sort(rng.choice(n, own.n_draws, replace=False))
            else:
                edges = np.cumsum(given)
                at = np.searchsorted(edges, rng.random(own.n_draws) * edges[-1], side="right")
                chosen, given = np.sort(at), None
        kept = np.ones(len(chosen)) if given is None else given
        return [(sample_of(table.rows, chosen), kept)]


def take(own: tuple[int, Integers], block: Any, weights: Any, expected: Expected) -> list[Any]:
    """Return some rows of a partition, as a list of one."""
    number, rows = own
    with located(number):
        return [table_of(block, expected).rows.take(rows)]


def keys(own: Share, block: Any, weights: Any, expected: Expected) -> Any:
    """Return the rows of largest key for a draw by weight without replacement.

    Efraimidis and Spirakis (2006): the largest ``u^(1/w)`` are such a draw.  Returns keys,
    numbers of partitions and numbers of rows.
    """
    with located(own.number):
        table = table_of(block, expected)
        n, own_weights = table.rows.shape[0], _weights_of(weights, table)
        given = np.ones(n) if own_weights is None else own_weights
        rng = np.random.default_rng([own.number, *own.seed])
        with np.errstate(divide="ignore"):
            key = np.log(given) - np.log(-np.log(rng.random(n)))
        rows = largest([key], own.n_draws)
        return key[rows], np.full(len(rows), own.number), rows


def merge_keys(count: int, parts: list[Any]) -> Any:
    """Merge the rows of largest key, and keep ``count`` of them."""
    key, numbers, rows = map(np.concatenate, zip(*parts, strict=True))
    best = largest([key], count)
    return key[best], numbers[best], rows[best]


def merge_lists(parts: list[list[Any]]) -> list[Any]:
    """Return the items of all lists, in order."""
    return [item for part in parts for item in part]


def label(number: int, block: Any, weights: Any, shared: Centers) -> Labels:
    """Return the closest center of each row of a partition."""
    with located(number):
        table = table_of(block, shared.expected)
        if not table.rows.shape[0]:
            return np.empty(0, np.int32)
        return closest_centers(
            table, shared.centers, shared.n_threads, by_cosine=shared.metric == "cosine"
        )


def distances(number: int, block: Any, weights: Any, shared: Centers) -> NDArray[Any]:
    """Return the distances of the rows of a partition to each center."""
    with located(number):
        table = table_of(block, shared.expected)
        if not table.rows.shape[0]:
            return np.empty((0, len(shared.centers)), shared.dtype)
        found = center_distances(
            table, shared.centers, shared.n_threads, by_cosine=shared.metric == "cosine"
        )
        return found.astype(shared.dtype, copy=False)
