"""Whether it lowers the inertia to move one row to another cluster: Hartigan's criterion.

A row ``x`` of weight ``w`` leaves cluster ``a`` for cluster ``b``, and both means follow.  The
inertia falls if and only if

    W_a / (W_a - w) |x - c_a|^2  >  W_b / (W_b + w) |x - c_b|^2

``W`` are the weights of the clusters, ``c`` their means.  The best ``b`` need not have the
second-closest mean: the factor depends on its weight.  So all clusters are candidates, and three
steps rule them out:

    bound   all clusters of a row    |x - c_b| >= |c_a - c_b| - |x - c_a|
    tile    a row and a cluster      squared distances as tiles round them
    exact   a row and a cluster      float64 differences

Only the last step finds a move.  So the answer does not depend on the processor.

Loop order: rows outside.  ``ROWS`` rows that the bound leaves are compared with all means: centers
outside, then these rows.  The first move found ends the work.

Hartigan (1975), "Clustering Algorithms"; Telgarsky and Vattani (2010), "Hartigan's Method: k-means
Clustering without Voronoi", AISTATS.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..plain.exact import square_below
from ..plain.tile import squared_distances
from ..shared.pack import pack_points

ROWS = 128
"""Rows measured together."""

ETA = 2.0**-10
"""Slack of the step by tiles, as a share: (D + h)^2 <= D^2 (1 + ETA) + h^2 (1 + 1 / ETA)."""


class Partition(NamedTuple):
    """Clusters.  A row with ``|x - c_a| (1 + sqrt(W_a / (W_a - w)))`` up to ``reach`` stays."""

    labels: Any  # in (m,) int32
    weights: Any  # in (m,) float64, or of size 0: all ones
    means: Any  # in (k, d) float64
    tiles: Any  # in (n_tiles, 1 + d, CENTERS) float32 or float64, the means, scaled and shifted
    totals: Any  # in (k,) float64, weights of the clusters
    reach: Any  # in (k,) float64, at most sqrt(W_b / (W_b + w)) |c_a - c_b|, scaled


class Place(NamedTuple):
    """Scaled, shifted coordinates, in the precision in which tiles are read, and exact."""

    scale: Any  # in float64, power of two
    x_offset: Any  # in (d,) of X's dtype, -shift * scale
    x_scale: Any  # in float of X's dtype, the same as scale


class Measured(NamedTuple):
    """Scratch: some rows, and their squared distances to all means."""

    rows: Any  # scratch (ROWS,) int64
    blocks: Any  # scratch (ROWS / POINTS, d, POINTS) float32 or float64
    norms: Any  # scratch (ROWS / POINTS, POINTS) of the same dtype
    tile: Any  # scratch (CENTERS, POINTS) of the same dtype
    squares: Any  # scratch (k, ROWS) of the same dtype


class Roundings(NamedTuple):
    """Rounding errors of distances, in scaled units."""

    tile: Any  # in float64, of a distance by tiles
    tile_share: Any  # in float64, of a square by tiles, as a share
    exact: Any  # in float64, of a distance in float64: that of the means
    exact_share: Any  # in float64, of a square in float64, as a share


@jit_inline
def loss_of_leaving(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    scale,  # in float64, power of two
    partition,  # in Partition
):
    """Return the left side of the criterion, and its factor; 0 if the row cannot move.

    A row that is all the weight of its cluster does not move.
    """
    a = partition.labels[i]
    w = partition.weights[i] if partition.weights.size else 1.0
    total = partition.totals[a]
    if not (w > 0.0 and total > w):
        return 0.0, 1.0
    factor = total / (total - w)
    square = square_below(X, i, partition.means, a, scale, np.inf)
    if math.sqrt(square) + math.sqrt(factor * square) <= partition.reach[a]:
        return 0.0, factor
    return factor * square, factor


@jit_inline
def gains(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    b,  # in int, cluster to move to
    left,  # in float64, from loss_of_leaving
    factor,  # in float64, likewise
    scale,  # in float64, power of two
    partition,  # in Partition
    roundings,  # in Roundings
):
    """Return whether a move lowers the inertia by more than rounding."""
    w = partition.weights[i] if partition.weights.size else 1.0
    total, h = partition.totals[b], roundings.exact
    right = square_below(X, i, partition.means, b, scale, np.inf) * (total / (total + w))
    error = 2.0 * h * (math.sqrt(factor * left) + math.sqrt(right)) + (factor + 1.0) * h * h
    return left - right > error + roundings.exact_share * (left + right)


@jit_inline
def measure(
    X,  # in (2, m, d) float32 or float64, any strides
    count,  # in int, number of rows
    place,  # in Place
    tiles,  # in (n_tiles, 1 + d, CENTERS) float32 or float64, the means
    measured,  # in/out Measured: rows in, squares out
):
    """Write the squared distances of some rows to all means."""
    rows, blocks, norms, tile, squares = measured
    k, _ = squares.shape
    n_blocks = pack_points(X, rows, count, place.x_offset, place.x_scale, blocks, norms)
    for first in range(0, k, CENTERS):
        last = CENTERS if k - first > CENTERS else k - first
        for b in range(n_blocks):
            squared_distances(blocks, b, tiles, first // CENTERS, tile)
            for r in range(last):
                for p in range(POINTS):
                    squares[first + r, b * POINTS + p] = tile[r, p]


@jit_inline
def any_gains(
    X,  # in (2, m, d) float32 or float64, any strides
    count,  # in int, number of rows in measured
    left,  # in (ROWS,) float64, from loss_of_leaving
    factors,  # in (ROWS,) float64, likewise
    limits,  # scratch (ROWS,) float64
    shares,  # scratch (ROWS,) float64
    scale,  # in float64, power of two
    partition,  # in Partition
    roundings,  # in Roundings
    measured,  # in/out Measured: rows and squares in
):
    """Return whether a move of one of some measured rows lowers the inertia."""
    labels, weights, totals = partition.labels, partition.weights, partition.totals
    h, share = roundings.tile, 1.0 + roundings.tile_share
    floor = share * (1.0 + 1.0 / ETA) * h * h
    for p in range(ROWS):
        limits[p], shares[p] = -np.inf, 0.0
    for p in range(count):
        i = measured.rows[p]
        limits[p] = share * (1.0 + ETA) * left[p]
        shares[p] = limits[p] * weights[i] if weights.size else limits[p]
        measured.squares[labels[i], p] = np.inf
    for b in range(totals.size):
        squares, inverse, n_near = measured.squares[b], 1.0 / totals[b], 0
        for p in range(ROWS):
            n_near += squares[p] < limits[p] + shares[p] * inverse + floor
        if n_near == 0:
            continue
        for p in range(count):
            if squares[p] < limits[p] + shares[p] * inverse + floor:
                row, own, factor = measured.rows[p], left[p], factors[p]
                if gains(X, row, b, own, factor, scale, partition, roundings):
                    return True
    return False


@jit_with_scratch
def find_move(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    place,  # in Place
    partition,  # in Partition
    roundings,  # in Roundings
    found,  # out (1,) int64, 1 if there is such a move, else 0
):
    """Find out whether moving one of the rows ``start:stop`` lowers the inertia."""
    (_, _, d), k, dtype = X.shape, partition.totals.size, partition.tiles.dtype
    measured = Measured(
        empty(ROWS, np.int64), empty((ROWS // POINTS, d, POINTS), dtype),
        empty((ROWS // POINTS, POINTS), dtype), empty((CENTERS, POINTS), dtype),
        empty((k, ROWS), dtype),
    )  # fmt: skip
    left, factors = empty(ROWS, np.float64), empty(ROWS, np.float64)
    limits, shares = empty(ROWS, np.float64), empty(ROWS, np.float64)
    found[0], count = 0, np.int64(0)
    for i in range(start, stop):
        left[count], factors[count] = loss_of_leaving(X, i, place.scale, partition)
        measured.rows[count] = i
        count += left[count] > 0.0
        if count == ROWS or (i == stop - 1 and count > 0):
            measure(X, count, place, partition.tiles, measured)
            if any_gains(
                X, count, left, factors, limits, shares, place.scale, partition, roundings, measured
            ):
                found[0] = 1
                return
            count = np.int64(0)
