"""The closest and the second-closest center of rows, and the sums of the clusters.

Rows lie in blocks, as ``squared_distances`` takes them.  Distances are sums of squared differences,
feature by feature, in the dtype of the blocks.  They decide which swaps are tried and kept, never a
label of a fit.

``two_closest`` keeps the two smallest distances of a block's rows in registers::

    for each tile, for each of its centers:         lanes are rows
        far, near       <- the middle, the smallest of (square, near, far)
        seconds, labels <- their centers; a center that is no closer changes nothing

Loop order: tiles outside, then their centers.  ``move_rows``: features outside, then rows.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit_inline
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


class Shares(NamedTuple):
    """What rows and clusters add to the potential, the sum of ``w |x - c|^2``."""

    potentials: Any  # in/out (k,) float64, of the clusters
    base: Any  # in/out (k + 1,) float64, what the loss of each center adds; then the potential
    ends: Any  # in/out (n_blocks * POINTS,) float64, the potential of the rows up to each
    reach: Any  # in/out (2, k) float64, first row: see renew.bits_near
    bits: Any  # in/out (2, n_groups) int64, see bit_of: of the closest centers; of the two closest


class Local(NamedTuple):
    """Scratch: the clusters around a swap, and their rows."""

    clusters: Clusters  # scratch Clusters, at most LOCAL
    chosen: Any  # scratch (LOCAL,) int64, their numbers; the center that leaves is the first
    place_of: Any  # scratch (k,) int64, the place of a cluster in chosen, or -1
    apart: Any  # scratch (k,) float64, squared distances of centers
    groups: Any  # scratch (n_groups + 1,) int64, first blocks of groups with rows of these clusters
    labels: Any  # scratch (n_blocks, POINTS) int32, in these groups: places in chosen, or -1
    shares: Any  # scratch (n_blocks, POINTS) float64, in these groups: weights of their rows, or 0
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
def bit_of(
    j,  # in int, cluster
):
    """Return the bit that stands for a cluster, and for every 64th one from there.

    So a group with the bit may have no row of the cluster; a group without it has none.
    """
    return np.int64(1) << np.int64(j & 63)


@jit_inline
def move_rows(
    points,  # in Points
    b,  # in int, block
    bits,  # in int64, a bit for each row of the block that moves
    olds,  # in (n, POINTS) int32, clusters that rows leave
    i,  # in int, row of olds
    news,  # in (n_blocks, POINTS) int32, clusters that they enter
    j,  # in int, row of news
    clusters,  # in/out Clusters
):
    """Move rows of a block between the sums of clusters."""
    blocks, sums, weights = points.blocks, clusters.sums, points.weights
    _, d, _ = blocks.shape
    rest = bits
    while rest != 0:
        p = lowest_bit(rest)
        rest &= rest - 1
        w, one = weights[b, p], np.int64(weights[b, p] > 0.0)
        clusters.weights[news[j, p]] += w
        clusters.weights[olds[i, p]] -= w
        clusters.counts[news[j, p]] += one
        clusters.counts[olds[i, p]] -= one
    for f in range(d):
        rest = bits
        while rest != 0:
            p = lowest_bit(rest)
            rest &= rest - 1
            share = weights[b, p] * np.float64(blocks[b, f, p])
            sums[news[j, p], f] += share
            sums[olds[i, p], f] -= share
