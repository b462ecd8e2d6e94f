"""The centers as sparse rows meet them: feature by feature, a tile of lanes at a time.

    table[tile, f, lane] = c'_jf,   j = tile * width + lane,   c' = c * scale

The bias of a center is ``-|c'|^2 / 2``; for padding and repeated centers it is ``-inf``, so that
they never win.  By cosine all other biases are 0.  A tile is as wide as the features of usual words
fit the second-level cache.

Loop order: blocks of ``STEP`` features outside, then vectors of centers, then features.  A block of
the centers is read twice, the second time from the first-level cache.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import I64, VECTOR_BYTES, Emitter, integer
from ..shared.pack import mark_repeats

STEP = 128
"""Features of a block: a multiple of a vector's lanes."""
NORM, PRINT = range(2)
"""Rows of the parts that ``fill_table`` writes for a range of features."""
GOLDEN = 0.6180339887498949


class Centers(NamedTuple):
    """The centers, exact and as a table."""

    exact: Any  # in (k, d) float64, in the units of the data
    norms: Any  # in (k,) float64, squared norms, scaled
    repeated: Any  # in (k,) bool, center equals one of lower index
    tiles: Any  # in (n_tiles, d, width) float32
    biases: Any  # in (n_tiles, width) float32
    largest: Any  # in float64, largest squared norm


@intrinsic
def _pack_lanes_intrinsic(
    typingctx: Any, centers: Any, j: Any, start: Any, stop: Any, scale: Any, tiles: Any, tile: Any,
    lane: Any, moves: Any
) -> Any:  # fmt: skip
    n = types.intp
    signature = types.void(centers, n, n, n, types.float64, tiles, n, n, moves)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[5].dtype)
        centers, j, start, stop, scale = args[:5]
        lanes, kind = integer(emit.lanes), ir.VectorType(ir.DoubleType(), emit.lanes)
        k = builder.extract_value(emit.array(sig.args[0], centers).shape, 0)
        rows = []
        for p in range(emit.lanes):  # padding repeats the first center
            row = builder.add(j, integer(p))
            row = builder.select(builder.icmp_signed("<", row, k), row, j)
            rows.append(emit.item(sig.args[0], centers, row))
        width = builder.extract_value(emit.array(sig.args[5], args[5]).shape, 2)
        out = emit.at(emit.item(sig.args[5], args[5], args[6]), args[7])
        moves, factor = emit.pointer(sig.args[8], args[8]), emit.broadcast(scale, kind)
        zero = ir.Constant(emit.floats, [0.0] * emit.lanes)
        with cgutils.for_range_slice(builder, start, stop, lanes, intp=I64) as (f, _):
            loaded = [builder.fmul(emit.load(row, f, kind), factor) for row in rows]
            square = emit.transpose([emit.convert(value, emit.floats) for value in loaded])
            for q, value in enumerate(square):
                feature = builder.add(f, integer(q))
                place = builder.mul(feature, width)
                move = builder.fsub(value, emit.load(out, place, emit.floats))
                size = emit.larger(move, builder.fsub(zero, move))
                at = builder.mul(builder.sub(feature, start), lanes)
                emit.store(emit.larger(size, emit.load(moves, at, emit.floats)), moves, at)
                emit.store(value, out, place)
        return context.get_dummy_value()

    return signature, codegen


def _pack_lanes_twin(
    centers: Any,  # in (k, d) float64
    j: int,  # in, first center
    start: int,  # in, first feature
    stop: int,  # in, feature to stop before, a multiple of a vector's lanes further on
    scale: float,  # in, power of two
    tiles: Any,  # in/out (n_tiles, d, width) float32 or float64
    tile: int,  # in, tile
    lane: int,  # in, lane of the first center
    moves: Any,  # in/out (STEP, lanes) of tiles' dtype, the largest change in each feature
) -> None:
    """Write as many centers as a vector has lanes, some features of them."""
    lanes = moves.shape[1]
    rows = [j + p if j + p < len(centers) else j for p in range(lanes)]
    new = (centers[rows, start:stop] * scale).T.astype(tiles.dtype)
    old = tiles[tile, start:stop, lane : lane + lanes]
    part = moves[: stop - start]
    np.fmax(part, np.abs(new - old), out=part)
    old[:] = new


pack_lanes = _pack_lanes_twin if config.DISABLE_JIT else _pack_lanes_intrinsic


@jit_inline
def part_of_norm(
    center,  # in (d,) float64
    start,  # in int, first feature
    stop,  # in int, feature to stop before
    scale,  # in float64, power of two
):
    """Return the sum of some squares, in four chains that do not wait for each other."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = start + (stop - start) // 4 * 4
    for f in range(start, whole, 4):
        a, b = center[f] * scale, center[f + 1] * scale
        c, d = center[f + 2] * scale, center[f + 3] * scale
        first += a * a
        second += b * b
        third += c * c
        fourth += d * d
    for f in range(whole, stop):
        c = center[f] * scale
        first += c * c
    return (first + second) + (third + fourth)


@jit_with_scratch
def fill_table(
    centers,  # in (k, d) float64
    start,  # in int, first feature
    stop,  # in int, feature to stop before
    scale,  # in float64, power of two
    tiles,  # in/out (n_tiles, d, width) float32 or float64
    drift,  # out (d,) of tiles' dtype, the largest change of a center in each feature
    parts,  # out (2, k) float64: NORM, and PRINT, a sum that differs for different centers
):
    """Write a range of features of the table, and their part of the squared norms.

    A fingerprint weighs each block of features differently: rows of text all have norm 1.
    """
    (k, _), (n_tiles, _, width) = centers.shape, tiles.shape
    lanes = VECTOR_BYTES // tiles.itemsize
    moves = empty((STEP, lanes), tiles.dtype)
    for j in range(k):
        parts[NORM, j] = 0.0
        parts[PRINT, j] = 0.0
    for first in range(start, stop, STEP):
        last = first + STEP if first + STEP < stop else stop
        whole = first + (last - first) // lanes * lanes
        share = 1.0 + first * GOLDEN % 1.0
        for f in range(last - first):
            for lane in range(lanes):
                moves[f, lane] = 0.0
        for begin in range(0, n_tiles * width, lanes):
            tile, lane = begin // width, begin % width
            end = begin + lanes if begin + lanes < k else k
            for j in range(begin, end):
                total = part_of_norm(centers[j], first, last, scale)
                parts[NORM, j] += total
                parts[PRINT, j] += share * total
            at = begin if begin < k else 0
            pack_lanes(centers, at, first, whole, scale, tiles, tile, lane, moves)
            for f in range(whole, last):
                for p in range(lanes):
                    before = tiles[tile, f, lane + p]
                    tiles[tile, f, lane + p] = centers[at + p if at + p < k else at, f] * scale
                    size = abs(tiles[tile, f, lane + p] - before)
                    moves[f - first, p] = (
                        size if size > moves[f - first, p] else moves[f - first, p]
                    )
        for f in range(first, last):
            drift[f] = moves[f - first, 0]
            for p in range(1, lanes):
                size = moves[f - first, p]
                drift[f] = size if size > drift[f] else drift[f]


@jit
def finish_table(
    centers,  # in (k, d) float64
    parts,  # in/out (n_ranges, 2, k) float64, see fill_table; the first is overwritten
    slots,  # scratch (power of two above k,) int32
    norms,  # out (k,) float64, squared norms, scaled
    repeated,  # out (k,) bool, center equals one of lower index
    biases,  # out (n_tiles, width) float32 or float64
):
    """Add the parts of the norms in order, find repeated centers; return the largest norm."""
    n_ranges, _, k = parts.shape
    (n_tiles, width), largest = biases.shape, 0.0
    prints = parts[0, PRINT]
    for j in range(k):
        norms[j] = parts[0, NORM, j]
        for r in range(1, n_ranges):
            norms[j] += parts[r, NORM, j]
            prints[j] += (r + 1) * parts[r, PRINT, j]
        if not norms[j] <= largest:
            largest = norms[j] if norms[j] == norms[j] else np.inf
    mark_repeats(centers, prints, slots, repeated)
    for j in range(n_tiles * width):
        bias = -0.5 * norms[j] if j < k and not repeated[j] else -np.inf
        biases[j // width, j % width] = bias
    return largest
