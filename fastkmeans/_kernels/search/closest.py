"""The closest and the second-closest center of rows, and the sums of the clusters.

Rows lie in blocks, as ``squared_distances`` takes them.  Distances are sums of squared differences,
feature by feature, in the dtype of the blocks.  They decide which swaps are tried and kept, never a
label of a fit.

``two_closest`` keeps the two smallest distances of a block's rows in registers::

    for each tile, for each of its centers:         lanes are rows
        far, near       <- the middle, the smallest of (square, near, far)
        seconds, labels <- their centers; a center that is no closer changes nothing

Loop order of ``renew``: ``GROUP`` rows outside, then their blocks, then tiles.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_inline
from ..emit.dots import lowest_bit
from ..emit.simd import CENTERS, I32, I64, POINTS, VECTORS, Emitter, integer
from ..plain.tile import feature_loop, tile_offset

GROUP = 32
"""Rows that are compared with the same centers: a multiple of any processor's ``POINTS``."""
BLOCKS = GROUP // POINTS
"""Blocks of a group."""


class Points(NamedTuple):
    """Rows in scaled, shifted coordinates; rows of weight 0 fill the last group."""

    blocks: Any  # in (n_blocks, d, POINTS) float32 or float64
    weights: Any  # in (n_blocks, POINTS) float64


class Closest(NamedTuple):
    """The two closest centers of rows, and how far they are."""

    labels: Any  # in/out (n_blocks, POINTS) int32, the closest center
    seconds: Any  # in/out (n_blocks, POINTS) int32, the second-closest center
    near: Any  # in/out (n_blocks, POINTS) float32 or float64, squared distance to the closest
    far: Any  # in/out (n_blocks, POINTS) of near's dtype, squared distance to the second-closest


class Clusters(NamedTuple):
    """Centers, and sums over their rows, in scaled, shifted coordinates."""

    centers: Any  # in/out (k, d) float64
    sums: Any  # in/out (k, d) float64, weighted
    weights: Any  # in/out (k,) float64
    counts: Any  # in/out (k,) int64, rows of a weight above zero


class Local(NamedTuple):
    """Scratch: the clusters around a swap, and their rows."""

    clusters: Clusters  # scratch Clusters, at most LOCAL
    chosen: Any  # scratch (LOCAL,) int64, their numbers; the center that leaves is the first
    place_of: Any  # scratch (k,) int64, the place of a cluster in chosen, or -1
    apart: Any  # scratch (k,) float64, squared distances of centers
    groups: Any  # scratch (n_groups,) int64, the groups with rows of these clusters
    labels: Any  # scratch (n_blocks, POINTS) int32, places in chosen of all rows, or -1
    shares: Any  # scratch (n_blocks, POINTS) float64, weights of rows of these clusters, else 0
    found: Closest  # scratch Closest of one block
    parts: Any  # scratch (GROUP,) float64, parts of a potential


class Tiles(NamedTuple):
    """Scratch: centers packed for ``two_closest``."""

    every: Any  # scratch (n_tiles, 1 + d, CENTERS) of the blocks' dtype, all centers
    some: Any  # scratch (n_tiles, 1 + d, CENTERS) of the same dtype, the local ones


@intrinsic
def _two_closest_intrinsic(
    typingctx: Any, blocks: Any, b: Any, tiles: Any, stop: Any, first: Any, fresh: Any,
    closest: Any, row: Any,
) -> Any:  # fmt: skip
    n = types.intp
    signature = types.void(blocks, n, tiles, n, n, types.boolean, closest, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        block, tiles = emit.item(sig.args[0], args[0], args[1]), emit.pointer(sig.args[2], args[2])
        n_features = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        fields = zip(sig.args[6], cgutils.unpack_tuple(builder, args[6]), strict=True)
        arrays = [emit.item(kind, value, args[7]) for kind, value in fields]
        kinds = emit.ints, emit.ints, emit.floats, emit.floats
        starts = [emit.whole(-1)] * 2 + [ir.Constant(emit.floats, [float("inf")] * emit.lanes)] * 2
        for lane in range(0, POINTS, VECTORS * emit.lanes):
            places = [integer(lane + v * emit.lanes) for v in range(VECTORS)]
            slots = [emit.variables(VECTORS, kind) for kind in kinds]
            for array, kind, start, row in zip(arrays, kinds, starts, slots, strict=True):
                for place, slot in zip(places, row, strict=True):
                    known = emit.load(array, place, kind)
                    builder.store(builder.select(args[5], start, known), slot)
            with cgutils.for_range(builder, args[3], intp=I64) as loop:
                pointer = emit.at(tiles, tile_offset(builder, loop.index, n_features))
                points = emit.at(block, integer(lane))
                squares = feature_loop(emit, points, pointer, n_features, False)
                number = builder.add(args[4], builder.mul(loop.index, integer(CENTERS)))
                number = emit.broadcast(builder.trunc(number, I32), emit.ints)
                for center, row in enumerate(squares):
                    own = builder.add(number, emit.whole(center))
                    for v, square in enumerate(row):
                        _take(emit, square, own, [kept[v] for kept in slots])
            for array, row in zip(arrays, slots, strict=True):
                for place, slot in zip(places, row, strict=True):
                    emit.store(builder.load(slot), array, place)
        return context.get_dummy_value()

    return signature, codegen


def _take(emit: Emitter, square: Any, number: Any, slots: list[Any]) -> None:
    """Emit the update of (labels, seconds, near, far) by the distances of a center."""
    builder = emit.builder
    label, second, near, far = (builder.load(slot) for slot in slots)
    nearer = builder.fcmp_ordered("<", square, near)
    closer = builder.fcmp_ordered("<", square, far)
    other = builder.select(closer, number, second)
    farther = builder.select(closer, square, far)
    new = (
        builder.select(nearer, number, label), builder.select(nearer, label, other),
        builder.select(nearer, square, near), builder.select(nearer, near, farther),
    )  # fmt: skip
    for value, slot in zip(new, slots, strict=True):
        builder.store(value, slot)


def _two_closest_twin(
    blocks: Any,  # in (n_blocks, d, POINTS) float32 or float64
    b: int,  # in, block
    tiles: Any,  # in (n_tiles, 1 + d, CENTERS) of the same dtype, row 0 unused
    stop: int,  # in, number of tiles
    first: int,  # in, number of the first center
    fresh: bool,  # in, whether no center is known yet
    closest: Any,  # in/out Closest
    row: int,  # in, row of closest
) -> None:
    """Take the centers of the tiles for the two closest of a block's rows if they are closer."""
    labels, seconds, near, far = (field[row] for field in closest)
    if fresh:
        labels[:], seconds[:], near[:], far[:] = -1, -1, np.inf, np.inf
    for tile in range(stop):
        for center in range(CENTERS):
            difference = blocks[b] - tiles[tile, 1:, center, None]
            square = (difference * difference).sum(axis=0)
            number = first + tile * CENTERS + center
            nearer, closer = square < near, square < far
            far[:] = np.where(nearer, near, np.where(closer, square, far))
            seconds[:] = np.where(nearer, labels, np.where(closer, number, seconds))
            near[:] = np.where(nearer, square, near)
            labels[:] = np.where(nearer, number, labels)


two_closest = _two_closest_twin if config.DISABLE_JIT else _two_closest_intrinsic


@intrinsic
def _changed_intrinsic(typingctx: Any, before: Any, b: Any, labels: Any, row: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        olds, news = (emit.item(sig.args[i], args[i], args[i + 1]) for i in (0, 2))
        bits, nothing = integer(0), emit.whole(0)
        for lane in range(0, POINTS, emit.lanes):
            old, new = (emit.load(p, integer(lane), emit.ints) for p in (olds, news))
            is_one = builder.icmp_signed(">=", old, nothing)
            moved = builder.and_(is_one, builder.icmp_signed("!=", old, new))
            bits = builder.or_(bits, builder.shl(emit.bits(moved), integer(lane)))
        return bits

    return types.int64(before, types.intp, labels, types.intp), codegen


def _changed_twin(
    before: Any,  # in (n_blocks, POINTS) int32, or -1
    b: int,  # in, row of before
    labels: Any,  # in (n, POINTS) int32
    row: int,  # in, row of labels
) -> int:
    """Return a bit for each row of a block that had a label and has another."""
    moved = (before[b] >= 0) & (before[b] != labels[row])
    return sum(1 << p for p in np.flatnonzero(moved).tolist())


changed = _changed_twin if config.DISABLE_JIT else _changed_intrinsic


@jit_inline
def pack_tiles(
    centers,  # in (n or more, d) float64
    n_centers,  # in int, how many of them
    tiles,  # out (n_tiles or more, 1 + d, CENTERS) float32 or float64
):
    """Pack centers as tiles; return how many.  The last one is filled with infinite centers."""
    _, d = centers.shape
    n_tiles = (n_centers + CENTERS - 1) // CENTERS
    for a in range(n_tiles * CENTERS):
        for f in range(d):
            tiles[a // CENTERS, 1 + f, a % CENTERS] = centers[a, f] if a < n_centers else np.inf
    return n_tiles


@jit_inline
def move_row(
    points,  # in Points
    b,  # in int, block
    p,  # in int, row of the block
    old,  # in int, cluster that the row leaves
    new,  # in int, cluster that it enters
    clusters,  # in/out Clusters
):
    """Move a row between the sums of two clusters."""
    blocks, sums, w = points.blocks, clusters.sums, points.weights[b, p]
    _, d, _ = blocks.shape
    if w > 0.0:
        for f in range(d):
            share = w * np.float64(blocks[b, f, p])
            sums[new, f] += share
            sums[old, f] -= share
        clusters.weights[new] += w
        clusters.weights[old] -= w
        clusters.counts[new] += 1
        clusters.counts[old] -= 1


@jit
def renew(
    points,  # in Points
    closest,  # in/out Closest
    clusters,  # in/out Clusters
    local,  # in Local, the clusters that moved; found is scratch
    n_local,  # in int, how many; 0: no row has a center yet, and the sums stay
    tiles,  # scratch Tiles
):
    """Find the two closest centers of all rows after some moved; return the distances computed.

    A group is compared with all centers if a row of it has a moved center among its two.  The
    others are compared with the moved centers.
    """
    (n_blocks, _, _), (k, _) = points.blocks.shape, clusters.centers.shape
    labels, seconds, _, _ = closest
    chosen, place_of, before = local.chosen, local.place_of, local.found.labels
    n_every = pack_tiles(clusters.centers, k, tiles.every)
    n_some = pack_tiles(local.clusters.centers, n_local, tiles.some)
    distances = 0
    for first in range(0, n_blocks, BLOCKS):
        with_all = n_local == 0
        if n_local:
            for b in range(first, first + BLOCKS):
                for p in range(POINTS):
                    with_all |= place_of[labels[b, p]] >= 0 or place_of[seconds[b, p]] >= 0
        distances += GROUP * (k if with_all else n_local)
        for b in range(first, first + BLOCKS):
            for p in range(POINTS):
                before[0, p] = labels[b, p]
            if with_all:
                two_closest(points.blocks, b, tiles.every, n_every, 0, True, closest, b)
            else:
                two_closest(points.blocks, b, tiles.some, n_some, k, False, closest, b)
            for p in range(POINTS):
                if labels[b, p] >= k:
                    labels[b, p] = chosen[labels[b, p] - k]
                if seconds[b, p] >= k:
                    seconds[b, p] = chosen[seconds[b, p] - k]
            bits = changed(before, 0, labels, b) if n_local else 0
            while bits != 0:
                p = lowest_bit(bits)
                bits &= bits - 1
                move_row(points, b, p, before[0, p], labels[b, p], clusters)
    return distances
