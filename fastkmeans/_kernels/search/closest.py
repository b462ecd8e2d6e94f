"""The closest and the second-closest center of rows, and sums over the clusters.

Distances are those of the tile: sums of squared differences, feature by feature, in the dtype of
the tiles.  They decide which swaps are tried and kept, never a label of a fit.

Loop order: ``ROWS`` rows outside, then tiles.  The squared distances of these rows to some centers
lie in one table.  Then centers outside, rows inside: lanes are rows, and no reduction is reordered.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.row import add_row
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..plain.tile import squared_distances
from ..shared.pack import pack_points

ROWS = 128
"""Rows measured together."""


class Place(NamedTuple):
    """Scaled, shifted coordinates, in the two precisions in which rows are read."""

    offset: Any  # in (d,) float64, -shift * scale
    scale: Any  # in float64, power of two
    x_offset: Any  # in (d,) of X's dtype, the same
    x_scale: Any  # in float of X's dtype, the same


class Closest(NamedTuple):
    """The two closest centers of rows, and how far they are; labels of -1: not known."""

    labels: Any  # in/out (m,) int32, the closest center
    seconds: Any  # in/out (m,) int32, the second-closest center
    near: Any  # in/out (m,) float32 or float64, squared distance to the closest
    far: Any  # in/out (m,) of near's dtype, squared distance to the second-closest


class Clusters(NamedTuple):
    """Centers, and sums over their rows, in scaled, shifted coordinates."""

    centers: Any  # in/out (k, d) float64
    sums: Any  # in/out (k, d) float64, weighted
    weights: Any  # in/out (k,) float64
    counts: Any  # in/out (k,) int64, rows of a weight above zero


class Measured(NamedTuple):
    """Scratch: some rows, and their squared distances to some centers."""

    rows: Any  # scratch (ROWS,) int64
    own: Closest  # scratch Closest, of these rows
    blocks: Any  # scratch (ROWS / POINTS, d, POINTS) float32 or float64
    norms: Any  # scratch (ROWS / POINTS, POINTS) of the same dtype
    tile: Any  # scratch (CENTERS, POINTS) of the same dtype
    squares: Any  # scratch (at least as many as centers, ROWS) of the same dtype


@jit_inline
def pack_some(
    centers,  # in (k, d) float64, scaled and shifted
    chosen,  # in (n,) int64, the centers to pack
    n_chosen,  # in int, how many of them
    tiles,  # out (n_tiles, 1 + d, CENTERS) float32 or float64
):
    """Pack some centers as those of tiles for ``squared_distances``."""
    _, d = centers.shape
    for a in range(n_chosen):
        for f in range(d):
            tiles[a // CENTERS, 1 + f, a % CENTERS] = centers[chosen[a], f]


@jit
def measure(
    X,  # in (2, m, d) float32 or float64, any strides
    count,  # in int, number of rows
    place,  # in Place
    tiles,  # in (n_tiles, 1 + d, CENTERS) float32 or float64
    n_centers,  # in int, number of centers in the tiles
    measured,  # in/out Measured: rows in, squares out
):
    """Write the squared distances of some rows to some centers."""
    rows, _, blocks, norms, tile, squares = measured
    n_blocks = pack_points(X, rows, count, place.x_offset, place.x_scale, blocks, norms)
    for first in range(0, n_centers, CENTERS):
        last = CENTERS if n_centers - first > CENTERS else n_centers - first
        for b in range(n_blocks):
            squared_distances(blocks, b, tiles, first // CENTERS, tile)
            for r in range(last):
                for p in range(POINTS):
                    squares[first + r, b * POINTS + p] = tile[r, p]


@jit
def take_closest(
    n_centers,  # in int, number of centers measured
    numbers,  # in (n_centers or more,) int64, their numbers
    measured,  # in/out Measured: squares in, own in/out
):
    """Take the centers measured for the two closest of rows if they are closer."""
    labels, seconds, near, far = measured.own
    for a in range(n_centers):
        squares, number = measured.squares[a], np.int32(numbers[a])
        for p in range(ROWS):
            square, first, second = squares[p], near[p], far[p]
            one, two = labels[p], seconds[p]
            nearer, closer = square < first, square < second
            farther, other = square if closer else second, number if closer else two
            far[p] = first if nearer else farther
            seconds[p] = one if nearer else other
            near[p] = square if nearer else first
            labels[p] = number if nearer else one


@jit_inline
def move_row(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    weight,  # in float64, of the row
    place,  # in Place
    old,  # in int, cluster that the row leaves; -1: none
    new,  # in int, cluster that it enters
    clusters,  # in/out Clusters
):
    """Move a row between the sums of two clusters."""
    _, _, d = X.shape
    _, sums, weights, counts = clusters
    if weight > 0.0:
        add_row(X, i, 0, d, place.offset, place.scale, weight, sums, new)
        weights[new] += weight
        counts[new] += 1
        if old >= 0:
            add_row(X, i, 0, d, place.offset, place.scale, -weight, sums, old)
            weights[old] -= weight
            counts[old] -= 1


@jit_inline
def forget(
    measured,  # in/out Measured: own out
):
    """Begin rows that know no center."""
    labels, seconds, near, far = measured.own
    for p in range(ROWS):
        labels[p] = -1
        seconds[p] = -1
        near[p] = np.inf
        far[p] = np.inf


@jit_inline
def keep(
    p,  # in int, place in measured
    i,  # in int, row of closest
    measured,  # in Measured
    closest,  # in/out Closest
):
    """Write the two closest of a measured row."""
    labels, seconds, near, far = measured.own
    closest.labels[i] = labels[p]
    closest.seconds[i] = seconds[p]
    closest.near[i] = near[p]
    closest.far[i] = far[p]


@jit_with_scratch
def find_closest(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    place,  # in Place
    centers,  # in (k, d) float64, scaled and shifted
    closest,  # out Closest
):
    """Find the two closest centers of rows ``start:stop``."""
    (k, d), (_, _, near, _) = centers.shape, closest
    rows, everything = empty(ROWS, np.int64), empty(k, np.int64)
    own = Closest(
        empty(ROWS, np.int32), empty(ROWS, np.int32), empty(ROWS, near.dtype),
        empty(ROWS, near.dtype),
    )  # fmt: skip
    measured = Measured(
        rows, own, empty((ROWS // POINTS, d, POINTS), near.dtype),
        empty((ROWS // POINTS, POINTS), near.dtype), empty((CENTERS, POINTS), near.dtype),
        empty((k, ROWS), near.dtype),
    )  # fmt: skip
    tiles = empty(((k + CENTERS - 1) // CENTERS, 1 + d, CENTERS), near.dtype)
    for j in range(k):
        everything[j] = j
    pack_some(centers, everything, k, tiles)
    for first in range(start, stop, ROWS):
        count = ROWS if stop - first > ROWS else stop - first
        for p in range(count):
            rows[p] = first + p
        measure(X, count, place, tiles, k, measured)
        forget(measured)
        take_closest(k, everything, measured)
        for p in range(count):
            keep(p, first + p, measured, closest)
