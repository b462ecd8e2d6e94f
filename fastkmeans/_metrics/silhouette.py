"""The silhouette, exact: mean distances of each row to the rows of every cluster.

Every pair of rows is compared once (``_kernels.metrics.silhouette``).  The sums of all rows over
all clusters may be large.  So the clusters are taken in groups, pair by pair, and only the smallest
mean of each row is kept.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.lengths import lengths_of
from .._data.rows import ArrayRows, Block, Rows
from .._data.scaling import power_of_two
from .._data.sparse import SparseRows
from .._data.validation import NO_WEIGHTS, Weights
from .._kernels.metrics.pairs import BY_COSINE, BY_DIFFERENCES, BY_PRODUCTS
from .._kernels.metrics.silhouette import compare_strips
from .._kernels.metrics.strips import STRIP, Side, Sorted
from .._kernels.sparse.rows import Scaled
from .._runtime.arrays import Floats
from .._runtime.threads import RANGE_MULTIPLE, Team
from .labels import Clustering
from .simplified import silhouettes

FEW_FEATURES = 3
"""Most features for which distances come from differences: many rows are close to others there."""
TABLE_BYTES = 1 << 25
"""Bytes of the sums of one pair of groups."""
FEW_STRIPS = 24
"""Strips, at least, that a table is cut into if it has rows enough: half as many tasks run at a
time."""
MANY_COLUMNS = 1 << 16
"""Columns of sparse rows beyond which those without values are left out: a tile has all columns."""
HEADROOM = {4: 2.0**40, 8: 2.0**400}
"""The largest coordinate, by the bytes of a coordinate: then squares neither overflow, nor vanish
for rows close to each other."""


class Means(NamedTuple):
    """Mean distances of the sorted rows."""

    own: Floats  # (n,), sums of distances to the own cluster
    other: Floats  # (n,), smallest mean distance to another cluster


class Comparison(NamedTuple):
    """What compares two strips: a kernel, its first argument and those after the sides."""

    kernel: Any
    X: NDArray[Any]  # (2, m, d), or the stored values of sparse rows
    place: tuple[Any, ...]
    zeros: NDArray[np.bool_] | None  # (n,), rows of length 0, by cosine


def silhouette_of_rows(
    rows: Rows,
    weights: Weights,
    clustering: Clustering,
    size: float,
    n_threads: int | None,
    by_cosine: bool,
) -> Floats:
    """Return the silhouette of each row; ``size`` is the largest magnitude."""
    labels, k = clustering
    n, d = rows.shape
    order = np.argsort(labels, kind="stable")
    values, unit = weights
    w = values[order] if values.size else np.ones(n)
    table = Sorted(order, labels[order], w)
    total: Floats = np.bincount(table.clusters, w, k).astype(np.float64)
    means = Means(np.empty(n), np.full(n, np.inf))
    with Team(n_threads, n * n * (d / 40 + 1)) as team:
        comparison = _comparison(rows, size, by_cosine, team)
        _compare(comparison, table, total, means, team)
    if comparison.zeros is not None:  # a row of length 0 has distance 1 to itself there
        means.own[comparison.zeros[order]] -= 1.0 / unit
    one = 1.0 / unit  # the weight of one row
    counted = (total[table.clusters] > one) & (w > 0.0)
    own = means.own[counted] / (total[table.clusters[counted]] - one)
    out = np.zeros(n)
    out[order[counted]] = silhouettes(own, means.other[counted])
    return out


def _comparison(rows: Rows, size: float, by_cosine: bool, team: Team) -> Comparison:
    """Prepare the rows for the kernels."""
    scale, d = power_of_two(size, rows.dtype), rows.shape[1]
    if isinstance(rows, SparseRows):
        return _sparse_comparison(rows, scale, by_cosine, team)
    X = _in_memory(rows)
    if by_cosine:
        return Comparison(
            compare_strips, X, (rows.dtype.type(scale), BY_COSINE), _without_length(X)
        )
    how = BY_DIFFERENCES if d <= FEW_FEATURES else BY_PRODUCTS
    largest = 2.0**126 if rows.dtype.itemsize == 4 else 2.0**1022
    scale = min(scale * HEADROOM[rows.dtype.itemsize], largest)
    return Comparison(compare_strips, X, (rows.dtype.type(scale), how), None)


def _sparse_comparison(rows: SparseRows, scale: float, by_cosine: bool, team: Team) -> Comparison:
    """Prepare sparse rows; if there are many columns, number those with values."""
    from .._kernels.metrics.sparse_pairs import compare_sparse

    lengths = lengths_of(rows, NO_WEIGHTS, scale, team) if by_cosine else None
    inverse = NO_WEIGHTS if lengths is None else lengths.inverse
    indices, d = rows.stored.indices, rows.shape[1]
    if d > MANY_COLUMNS:
        used, numbers = np.unique(indices, return_inverse=True)
        indices, d = numbers.reshape(-1).astype(np.int32), max(1, len(used))
        indices.flags.writeable = False
    place = Scaled(indices, rows.stored.starts, scale, inverse), d
    zeros = None if lengths is None else inverse == 0.0
    return Comparison(compare_sparse, rows.values, place, zeros)


def _in_memory(rows: Rows) -> Block:
    """Return the rows as one block, copied unless they are an array of floats."""
    if not isinstance(rows, ArrayRows):
        rows = ArrayRows(rows.take(np.arange(rows.shape[0])))
    return next(iter(rows.blocks()))[1]


def _without_length(X: Block) -> NDArray[np.bool_]:
    """Return which rows are all zeros."""
    zeros = np.ones(X.shape[1], np.bool_)
    for f in range(X.shape[2]):
        zeros &= X[0, :, f] == 0.0
    return zeros


def _compare(comparison: Comparison, rows: Sorted, total: Floats, means: Means, team: Team) -> None:
    """Compare all pairs of rows, one pair of groups of clusters after the other."""
    kernel, X, place, _ = comparison
    edges = np.searchsorted(rows.clusters, np.arange(len(total) + 1))
    groups = _cut_clusters(edges)
    height = _height(len(rows.order))
    sides = [Side(int(edges[c]), int(edges[e]), c, height) for c, e in pairwise(groups)]
    for g, left in enumerate(sides):
        for h in range(g, len(sides)):
            right = sides[h]
            over_left = np.zeros((groups[g + 1] - groups[g], _width(right)))
            over_right = over_left
            if g != h:
                over_right = np.zeros((groups[h + 1] - groups[h], _width(left)))
            for pairs in _waves(_n_strips(left), _n_strips(right), g == h):
                arguments = pairs, rows, left, right, *place, over_right, over_left
                tasks = np.arange(len(pairs) + 1)
                team.run(kernel, X, tasks, arguments, prange=True)
            _take(means, rows, left, over_right, total, right.cluster)
            if g != h:
                _take(means, rows, right, over_left, total, left.cluster)


def _take(means: Means, rows: Sorted, side: Side, sums: Floats, total: Floats, first: int) -> None:
    """Take the sums of the rows of a side over some clusters into account."""
    part = slice(side.first, side.stop)
    sums, weights = sums[:, : side.stop - side.first], total[first : first + len(sums), None]
    own = rows.clusters[part] - first
    inside = np.flatnonzero((own >= 0) & (own < len(sums)))
    if inside.size:
        places = own[inside], inside
        means.own[part][inside] = sums[places]
        sums[places] = np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        sums /= weights
    sums[weights[:, 0] == 0.0] = np.inf
    np.minimum(means.other[part], sums.min(axis=0), out=means.other[part])


def _height(n_rows: int) -> int:
    """Return the rows of a strip, a multiple of the rows of any block."""
    units = -(-n_rows // (FEW_STRIPS * RANGE_MULTIPLE))
    return min(STRIP, units * RANGE_MULTIPLE)


def _n_strips(side: Side) -> int:
    n_strips: int = -(-(side.stop - side.first) // side.height)
    return n_strips


def _width(side: Side) -> int:
    """Return the columns of sums: the last strip is filled up."""
    n_units: int = -(-(side.stop - side.first) // RANGE_MULTIPLE)
    return n_units * RANGE_MULTIPLE


def _cut_clusters(edges: NDArray[np.int64]) -> list[int]:
    """Cut the clusters into groups, whose pairs have sums of bounded size; return the edges."""
    k, n = len(edges) - 1, int(edges[-1])
    parts = 1
    while (2 * n // parts) * (k // parts) * 8 > TABLE_BYTES * (2 if parts == 1 else 1):
        parts += 1
    groups = [0]
    for c in range(1, k + 1):
        few = c - groups[-1] < -(-k // parts) and edges[c] - edges[groups[-1]] < n / parts
        if c == k or not few:
            groups.append(c)
    return groups


def _waves(n_left: int, n_right: int, same: bool) -> Iterator[NDArray[np.int64]]:
    """Yield all pairs of strips; within a wave each strip is in one pair.

    Among the strips of one side this is a round-robin tournament.
    """
    if not same:
        for shift in range(max(n_left, n_right)):
            few = np.arange(min(n_left, n_right))
            many = (few + shift) % max(n_left, n_right)
            yield np.column_stack([few, many] if n_left <= n_right else [many, few])
        return
    yield np.column_stack([np.arange(n_left)] * 2)
    even = n_left + n_left % 2
    for turn in range(even - 1):
        ring = np.arange(1, even // 2)
        first = np.append((turn + ring) % (even - 1), turn)
        second = np.append((turn - ring) % (even - 1), even - 1)
        pairs = np.column_stack([np.minimum(first, second), np.maximum(first, second)])
        yield pairs[pairs[:, 1] < n_left]
