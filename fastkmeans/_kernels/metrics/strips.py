"""Two strips of rows, packed for the distances between them: points and tiles.

The left strip becomes points, the right one tiles.  Both are shifted by a mean of rows of the
left one.  If the strips share a cluster, norms are then about as small as distances, and products
lose few digits.

Loop order: rows of a strip, block by block.  A block of the right strip is packed as points, and
then turned into the lanes of its tiles.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit_inline
from ..emit.row import load_row
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..shared.lengths import inverse_length, to_length_one
from ..shared.pack import pack_points
from .pairs import LANES

STRIP = 1024
"""Most rows of a strip."""
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


class Scratch(NamedTuple):
    """The two strips of a task, packed, and what is added up over them."""

    zeros: Any  # scratch (d,) of X's dtype
    offset: Any  # scratch (d,) of X's dtype, see strip_shift
    row: Any  # scratch (1, d) of X's dtype
    rows: Any  # scratch (n_blocks * POINTS,) int64, places of rows in X
    inverse: Any  # scratch (n_blocks, POINTS) float64, one over their lengths
    blocks: Any  # scratch (n_blocks, d, POINTS) of X's dtype, the left strip
    norms: Any  # scratch (n_blocks, POINTS) of X's dtype, its squared norms; by cosine 1
    block: Any  # scratch (1, d, POINTS) of X's dtype, some rows of the right strip
    norm: Any  # scratch (1, POINTS) of X's dtype
    tiles: Any  # scratch (n_tiles, 1 + d, CENTERS) of X's dtype, the right strip
    reach: Any  # scratch (n_tiles,) of X's dtype, largest squared norm of each tile
    tile_weights: Any  # scratch (n_tiles * CENTERS,) float64
    tile_clusters: Any  # scratch (n_tiles * CENTERS,) int32
    parts: Any  # scratch (n_tiles * CENTERS, LANES) float64, sums of the rows of tiles over a run
    runs: Any  # scratch (POINTS, 2) int64, see cut_runs
    run_weights: Any  # scratch (POINTS, POINTS) float64


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
def prepare(
    X,  # in (2, m, d) float32 or float64
    most,  # in int, rows of the highest strip
):
    """Return scratch for two strips; no distance is added to ``parts`` yet."""
    _, _, d = X.shape
    n_blocks, n_tiles = (most + POINTS - 1) // POINTS, (most + CENTERS - 1) // CENTERS
    count = n_tiles * CENTERS
    zeros, offset, parts = empty(d, X.dtype), empty(d, X.dtype), empty((count, LANES), np.float64)
    for f in range(d):
        zeros[f], offset[f] = 0.0, 0.0
    for q in range(count):
        for lane in range(LANES):
            parts[q, lane] = 0.0
    return Scratch(
        zeros, offset, empty((1, d), X.dtype),
        empty(n_blocks * POINTS, np.int64), empty((n_blocks, POINTS), np.float64),
        empty((n_blocks, d, POINTS), X.dtype), empty((n_blocks, POINTS), X.dtype),
        empty((1, d, POINTS), X.dtype), empty((1, POINTS), X.dtype),
        empty((n_tiles, 1 + d, CENTERS), X.dtype), empty(n_tiles, X.dtype),
        empty(count, np.float64), empty(count, np.int32), parts,
        empty((POINTS, 2), np.int64), empty((POINTS, POINTS), np.float64),
    )  # fmt: skip


@jit_inline
def pack_pair(
    X,  # in (2, m, d) float32 or float64, any strides
    rows_sorted,  # in Sorted
    left,  # in tuple of int, first row of the left strip and the one to stop before
    right,  # in tuple of int, the same of the right strip
    scale,  # in float of X's dtype, power of two
    by_cosine,  # in bool
    s,  # in/out Scratch
):
    """Pack the left strip as points, the right one as tiles; return the number of tiles."""
    order, clusters, weights = rows_sorted
    (a, a_stop), (e, e_stop) = left, right
    if not by_cosine:
        strip_shift(X, order, a, a_stop, scale, s.row, s.zeros, s.offset)
    pack_strip(
        X, order, a, a_stop - a, s.offset, scale, by_cosine, s.rows, s.inverse, s.blocks, s.norms
    )
    n_tiles = (e_stop - e + CENTERS - 1) // CENTERS
    for first in range(0, n_tiles * CENTERS, POINTS):
        start = e + first if e + first < e_stop else e_stop - 1
        count = POINTS if e_stop - start > POINTS else e_stop - start
        pack_strip(
            X, order, start, count, s.offset, scale, by_cosine, s.rows, s.inverse, s.block, s.norm
        )
        fill_tiles(s.block, s.norm, first, s.tiles, s.reach)
    take_rows(clusters, weights, e, e_stop, n_tiles * CENTERS, s.tile_weights, s.tile_clusters)
    return n_tiles
