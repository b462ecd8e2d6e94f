"""Sums of the distances of every row to the rows of every cluster.

    sums[c, i] = sum of w_j |x_i - x_j| over the rows j of cluster c

The rows are sorted by cluster, and cut into *strips* of ``STRIP`` rows.  A task compares two
strips, and adds each distance to the sums of both rows.  So a pair of rows is compared once.  A
strip is in one task at a time, in an order that depends on the number of strips alone.  So a sum
has the same bits for any number of threads.

A task shifts both strips by a mean of rows of the first.  If the strips share a cluster, norms are
then about as small as distances, and products lose few digits.

Loop order: panels of tiles, then blocks, then the tiles of the panel, so that a panel stays in the
second-level cache.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit_inline, jit_with_scratch
from ..emit.row import load_row
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..shared.lengths import inverse_length, to_length_one
from ..shared.pack import pack_points
from .pairs import BY_COSINE, LANES, add_to_points, add_to_rows, pair_distances

STRIP = 1024
"""Most rows of a strip."""
PANEL_BYTES = 200_000
"""Bytes of a panel of tiles."""
SAMPLED = 16
"""Rows of a strip whose mean is the shift."""


class Sorted(NamedTuple):
    """The rows, sorted by cluster."""

    order: Any  # in (n,) int64, their places in X
    clusters: Any  # in (n,) int32, rising
    weights: Any  # in (n,) float64


class Side(NamedTuple):
    """Consecutive clusters, whose rows are cut into strips."""

    first: Any  # in int, first of the sorted rows
    stop: Any  # in int, row to stop before
    cluster: Any  # in int, first cluster
    height: Any  # in int, rows of a strip


@jit_inline
def strip_shift(
    X,  # in (2, m, d) float32 or float64, any strides
    order,  # in (n,) int64
    start,  # in int, first row of the strip
    stop,  # in int, row to stop before
    scale,  # in float of X's dtype, power of two
    row,  # scratch (1, d) of X's dtype
    zeros,  # in (d,) of X's dtype
    offset,  # out (d,) of X's dtype, minus the mean of some rows, scaled
):
    """Write what to shift two strips by."""
    for f in range(offset.size):
        offset[f] = 0.0
    for s in range(SAMPLED):
        load_row(X, order[start + (stop - start) * s // SAMPLED], zeros, scale, row, 0)
        for f in range(offset.size):
            offset[f] -= row[0, f] / SAMPLED


@jit_inline
def pack_strip(
    X,  # in (2, m, d) float32 or float64, any strides
    order,  # in (n,) int64
    start,  # in int, first of the sorted rows
    count,  # in int, rows to pack
    offset,  # in (d,) of X's dtype
    scale,  # in float of X's dtype, power of two
    by_cosine,  # in bool
    rows,  # scratch (n_blocks * POINTS,) int64
    inverse,  # scratch (n_blocks, POINTS) float64
    blocks,  # out (n_blocks, d, POINTS) of X's dtype
    norms,  # out (n_blocks, POINTS) of X's dtype, squared norms; by cosine 1
):
    """Pack some of the sorted rows as points; by cosine of length 1."""
    for r in range(count):
        rows[r] = order[start + r]
    n_blocks = pack_points(X, rows, count, offset, scale, blocks, norms)
    if by_cosine:
        for b in range(n_blocks):
            for p in range(POINTS):
                inverse[b, p] = inverse_length(X, rows[b * POINTS + p], np.float64(scale))
                norms[b, p] = 1.0
            to_length_one(X, rows, b, inverse, blocks)
    return n_blocks


@jit_inline
def fill_tiles(
    block,  # in (1, d, POINTS) float32 or float64, packed rows
    norms,  # in (1, POINTS) of the same dtype
    first,  # in int, number of the first row in the strip
    tiles,  # out (n_tiles, 1 + d, CENTERS) of the same dtype
    reach,  # in/out (n_tiles,) of the same dtype, largest squared norm
):
    """Write a block of packed rows to the tiles of a strip."""
    _, d, _ = block.shape
    for p in range(POINTS):
        t, r = (first + p) // CENTERS, (first + p) % CENTERS
        if t < reach.size:
            tiles[t, 0, r] = -0.5 * norms[0, p]
            reach[t] = norms[0, p] if r == 0 or norms[0, p] > reach[t] else reach[t]
    for f in range(d):
        for p in range(POINTS):
            t, r = (first + p) // CENTERS, (first + p) % CENTERS
            if t < reach.size:
                tiles[t, 1 + f, r] = block[0, f, p]


@jit_inline
def take_rows(
    clusters,  # in (n,) int32, rising
    weights,  # in (n,) float64
    start,  # in int, first row of a strip
    stop,  # in int, row to stop before
    count,  # in int, rows of all tiles
    tile_weights,  # out (count,) float64
    tile_clusters,  # out (count,) int32
):
    """Copy weights and clusters of a strip; rows that fill its last tile up have no weight."""
    for q in range(count):
        i = start + q if start + q < stop else stop - 1
        tile_weights[q] = weights[i] if start + q < stop else 0.0
        tile_clusters[q] = clusters[i]


@jit_inline
def cut_runs(
    clusters,  # in (n,) int32, rising
    weights,  # in (n,) float64
    start,  # in int, first row of a block
    stop,  # in int, the end of the strip
    runs,  # out (POINTS, 2) int64, cluster of a run, and whether it ends in the block
    run_weights,  # out (POINTS, POINTS) float64, weights of its rows, 0 for others
):
    """List the clusters of a block's rows; return their number."""
    n_runs = 0
    for p in range(POINTS if stop - start > POINTS else stop - start):
        i = start + p
        if p == 0 or clusters[i] != clusters[i - 1]:
            runs[n_runs, 0] = clusters[i]
            for q in range(POINTS):
                run_weights[n_runs, q] = 0.0
            n_runs += 1
        run_weights[n_runs - 1, p] = weights[i]
        runs[n_runs - 1, 1] = i == stop - 1 or clusters[i + 1] != clusters[i]
    return n_runs


@jit_inline
def close_run(
    parts,  # in/out (n, LANES) float64; set to zero
    place,  # in int, row of parts of the tile's first row
    sums,  # in/out (k, width) float64
    j,  # in int, row of sums
    column,  # in int, column of the tile's first row
    count,  # in int, rows of the tile
):
    """Add the parts of a tile's rows to their sums over one cluster."""
    for r in range(count):
        total = 0.0
        for lane in range(LANES):
            total += parts[place + r, lane]
            parts[place + r, lane] = 0.0
        sums[j, column + r] += total


@jit_with_scratch
def compare_strips(
    X,  # in (2, m, d) float32 or float64, any strides
    task,  # in int, first task
    next_task,  # in int, task to stop before
    pairs,  # in (n_tasks, 2) int64, numbers of the strips of each task
    rows_sorted,  # in Sorted
    left,  # in Side, of the first strip
    right,  # in Side, of the second strip
    scale,  # in float of X's dtype, power of two
    how,  # in int, BY_PRODUCTS, BY_DIFFERENCES or BY_COSINE
    left_sums,  # in/out (k_right, width) float64, of the left rows over the right clusters
    right_sums,  # in/out (k_left, width) float64; the same array if the sides are the same
):
    """Add the distances between two strips to the sums of their rows."""
    order, clusters, weights = rows_sorted
    _, _, d = X.shape
    by_cosine = how == BY_COSINE
    most = left.height if left.height > right.height else right.height
    n_most = (most + POINTS - 1) // POINTS
    rows, one_block = empty(n_most * POINTS, np.int64), empty((1, d, POINTS), X.dtype)
    blocks, norms = empty((n_most, d, POINTS), X.dtype), empty((n_most, POINTS), X.dtype)
    one_norm, inverse = empty((1, POINTS), X.dtype), empty((n_most, POINTS), np.float64)
    n_tiles = (most + CENTERS - 1) // CENTERS
    tiles, reach = empty((n_tiles, 1 + d, CENTERS), X.dtype), empty(n_tiles, X.dtype)
    tile_weights = empty(n_tiles * CENTERS, np.float64)
    tile_clusters = empty(n_tiles * CENTERS, np.int32)
    parts = empty((n_tiles * CENTERS, LANES), np.float64)
    runs, run_weights = empty((POINTS, 2), np.int64), empty((POINTS, POINTS), np.float64)
    out = empty((CENTERS, POINTS), X.dtype)
    offset, zeros, row = empty(d, X.dtype), empty(d, X.dtype), empty((1, d), X.dtype)
    for f in range(d):
        zeros[f], offset[f] = 0.0, 0.0
    for q in range(n_tiles * CENTERS):
        for lane in range(LANES):
            parts[q, lane] = 0.0
    panel = PANEL_BYTES // ((1 + d) * CENTERS * tiles.itemsize) + 1
    for t in range(task, next_task):
        a, e = left.first + pairs[t, 0] * left.height, right.first + pairs[t, 1] * right.height
        a_stop = a + left.height if a + left.height < left.stop else left.stop
        e_stop = e + right.height if e + right.height < right.stop else right.stop
        if not by_cosine:
            strip_shift(X, order, a, a_stop, scale, row, zeros, offset)
        n_blocks = pack_strip(
            X, order, a, a_stop - a, offset, scale, by_cosine, rows, inverse, blocks, norms
        )
        n_right = (e_stop - e + CENTERS - 1) // CENTERS
        for first in range(0, n_right * CENTERS, POINTS):
            start = e + first if e + first < e_stop else e_stop - 1
            count = POINTS if e_stop - start > POINTS else e_stop - start
            pack_strip(
                X, order, start, count, offset, scale, by_cosine, rows, inverse, one_block, one_norm
            )
            fill_tiles(one_block, one_norm, first, tiles, reach)
        take_rows(clusters, weights, e, e_stop, n_right * CENTERS, tile_weights, tile_clusters)
        for begin in range(0, n_right, panel):
            end = begin + panel if begin + panel < n_right else n_right
            for b in range(n_blocks):
                n_runs = cut_runs(clusters, weights, a + b * POINTS, a_stop, runs, run_weights)
                column = a - left.first + b * POINTS
                for tile in range(begin, end):
                    q = tile * CENTERS
                    pair_distances(blocks, b, tiles, tile, norms, reach, how, out)
                    add_to_points(
                        out, tile_weights, tile_clusters, q, left_sums, column, right.cluster
                    )
                    if a == e:  # each pair comes in both orders
                        continue
                    rest = e_stop - e - q
                    for run in range(n_runs):
                        add_to_rows(out, b, run_weights, run, parts, q)
                        if runs[run, 1]:
                            j = runs[run, 0] - left.cluster
                            count = CENTERS if rest > CENTERS else rest
                            close_run(parts, q, right_sums, j, e - right.first + q, count)
