"""The micro-kernel in codes: a block of points against a tile of centers.

    block  (n_words, POINTS) int32      a word holds the codes of four or two features, q + OFFSET
    tile   (n_words, CENTERS) int32     likewise, p
    sum    = -OFFSET sum_f p_f + sum_f (q_f + OFFSET) p_f = q.p
    score  = sum * factor + bias,  factor = step * unit,  bias = -|c'|^2 / 2

A point is stored as codes ``q`` (``x' ~ step * q``), a center as codes ``p`` (``c' ~ unit * p``).
Their product is exact in integers.  ``screen`` bounds the quantisation error.

Loop order: words outside, centers of the tile inside, points in the lanes.  All sums of the tile
stay in registers, and a word of the block is loaded once for all centers.  With products of bytes
(``_runtime.target``) this is four times as fast as the float32 tile and reads a quarter of the
memory.  With codes of 16 bits it is 1.4 times as fast (Zen 3, 384 features) and reads half.
"""

from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..emit.dots import emit_products
from ..emit.simd import CENTERS, CODES, I32, I64, POINTS, VECTORS, Emitter, integer

FACTOR, BIAS, OF_REACH, OF_RESIDUAL = range(4)
"""Rows of the parameters of a tile of centers, ``(4, CENTERS)``.  In the bound of a center, the
last two are multiplied by a point's ``reach`` and ``residual``.  Their largest values in a tile are
its coefficients."""
LIMIT, REACH, RESIDUAL, OTHERS, SLACK, NORM, BEST, SECOND = range(8)
"""Rows of the points of a block, ``(8, POINTS)`` float32; this file needs the first five.  LIMIT: a
center with a lower score is not the closest.  OTHERS: upper bound on the scores of excluded
centers.  SLACK: distance from the best score down to the limit.  NORM: ``|x'|^2``.  BEST and
SECOND: the best exact scores."""


class CenterTiles(NamedTuple):
    """The centers as tiles of codes, in the order of ``bounds.ByteCenters``.

    ``quantize.arrange_tiles`` writes all fields.  A repeated center and padding have the bias minus
    infinity, so they never win.
    """

    words: Any  # in (n_tiles, n_words, CENTERS) int32, the codes of the centers
    starts: Any  # in (n_tiles, CENTERS) int32, -OFFSET times the sum of a center's codes
    parameters: Any  # in (n_tiles, 4, CENTERS) float32, FACTOR to OF_RESIDUAL
    coefficients: Any  # in (n_tiles, 2) float32, the largest OF_REACH and OF_RESIDUAL


def _integer_loop(emit: Emitter, block: Any, tile: Any, starts: Any, n_words: Any) -> list[Any]:
    """Emit the loop over words; return sums ``[center][vector]``."""
    builder = emit.builder
    n_centers, n_points = emit.target.centers, VECTORS * emit.lanes
    slots = [emit.variables(VECTORS, emit.ints) for _ in range(n_centers)]
    for center, row in enumerate(slots):
        start = emit.broadcast(builder.load(emit.at(starts, integer(center))), emit.ints)
        for slot in row:
            builder.store(start, slot)
    with cgutils.for_range(builder, n_words, intp=I64) as loop:
        points = emit.at(block, builder.mul(loop.index, integer(n_points)))
        centers = emit.at(tile, builder.mul(loop.index, integer(n_centers)))
        xs = [emit.load(points, integer(v * emit.lanes), emit.ints) for v in range(VECTORS)]
        for center, row in enumerate(slots):
            c = emit.broadcast(builder.load(emit.at(centers, integer(center))), emit.ints)
            for x, slot in zip(xs, row, strict=True):
                builder.store(emit_products(emit, builder.load(slot), x, c), slot)
    return [[builder.load(slot) for slot in row] for row in slots]


def _write_rivals(
    emit: Emitter, v: int, scores: list[Any], best: Any, error: Any, arrays: tuple[Any, ...]
) -> Any:
    """Emit a vector's higher limits and its rivals; return the best score of the others."""
    builder, offset = emit.builder, v * emit.lanes
    points, rivals, found = arrays
    slack = emit.load(points, integer(SLACK * POINTS + offset), emit.floats)
    sure = builder.fsub(builder.fsub(best, error), slack)
    limit = emit.load(points, integer(offset), emit.floats)
    limit = builder.select(builder.fcmp_ordered(">", sure, limit), sure, limit)
    emit.store(limit, points, integer(offset))
    limit = builder.fsub(limit, error)
    top = lowest = ir.Constant(emit.floats, [float("-inf")] * emit.lanes)
    for center, score in enumerate(scores):
        rival = builder.fcmp_unordered(">=", score, limit)
        builder.store(emit.bits(rival), emit.at(rivals, integer(center * VECTORS + v)))
        emit.store(score, found, integer(center * POINTS + offset))
        top = emit.larger(builder.select(rival, lowest, score), top)
    return top


@intrinsic
def _screen_tile_intrinsic(
    typingctx: Any, block: Any, tiles: Any, starts: Any, parameters: Any, coefficients: Any,
    tile: Any, own: Any, points: Any, rivals: Any, found: Any
) -> Any:  # fmt: skip
    n = types.intp
    signature = n(block, tiles, starts, parameters, coefficients, n, own, points, rivals, found)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        tile = args[5]
        words, first, numbers, bound = (emit.item(sig.args[i], args[i], tile) for i in (1, 2, 3, 4))
        block, own, points, rivals, found = (
            emit.pointer(sig.args[i], args[i]) for i in (0, 6, 7, 8, 9)
        )
        n_words = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 0)
        sums = _integer_loop(emit, block, words, first, n_words)

        def parameter(place: int) -> Any:
            return emit.broadcast(builder.load(emit.at(numbers, integer(place))), emit.floats)

        coefficient = [
            emit.broadcast(builder.load(emit.at(bound, integer(i))), emit.floats) for i in (0, 1)
        ]
        lowest = ir.Constant(emit.floats, [float("-inf")] * emit.lanes)
        number = builder.trunc(builder.mul(tile, integer(CENTERS)), I32)
        errors, limits, highest, scores = [], [], [], []
        for v in range(VECTORS):
            places = [integer(row * POINTS + v * emit.lanes) for row in (LIMIT, REACH, RESIDUAL)]
            limit, reach, residual = (emit.load(points, place, emit.floats) for place in places)
            error = emit.fma(reach, coefficient[0], builder.fmul(residual, coefficient[1]))
            mine = emit.load(own, integer(v * emit.lanes), emit.ints)
            top, row = lowest, []
            for center in range(CENTERS):
                score = builder.sitofp(sums[center][v], emit.floats)
                score = emit.fma(score, parameter(center), parameter(CENTERS + center))
                j = emit.broadcast(builder.add(number, ir.Constant(I32, center)), emit.ints)
                is_own = builder.icmp_signed("==", mine, j)
                row.append(builder.select(is_own, lowest, score))
                top = emit.larger(row[-1], top)
            errors.append(error)
            limits.append(builder.fsub(limit, error))
            highest.append(top)
            scores.append(row)
        # Unordered: a limit that is not a number excludes no center.
        hits = [
            emit.bits(builder.fcmp_unordered(">=", top, limit))
            for top, limit in zip(highest, limits, strict=True)
        ]
        any_hit = reduce(builder.or_, hits)
        tops = emit.variables(VECTORS, emit.floats)
        for slot, top in zip(tops, highest, strict=True):
            builder.store(top, slot)
        with builder.if_then(builder.icmp_unsigned("!=", any_hit, integer(0)), likely=False):
            for v, slot in enumerate(tops):
                arrays = points, rivals, found
                top = _write_rivals(emit, v, scores[v], highest[v], errors[v], arrays)
                builder.store(top, slot)
        for v, slot in enumerate(tops):
            place = integer(OTHERS * POINTS + v * emit.lanes)
            others = emit.load(points, place, emit.floats)
            top = builder.fadd(builder.load(slot), errors[v])
            emit.store(emit.larger(top, others), points, place)
        return any_hit

    return signature, codegen


def _screen_tile_twin(
    block: Any,  # in (n_words, POINTS) int32, codes of the points plus OFFSET
    tiles: Any,  # in (n_tiles, n_words, CENTERS) int32, codes of the centers
    starts: Any,  # in (n_tiles, CENTERS) int32, -OFFSET times the sum of a center's codes
    parameters: Any,  # in (n_tiles, 4, CENTERS) float32
    coefficients: Any,  # in (n_tiles, 2) float32, the largest OF_REACH and OF_RESIDUAL
    tile: int,  # in, tile to score
    own: Any,  # in (POINTS,) int32, assigned centers: no rivals
    points: Any,  # in/out (5 or more, POINTS) float32, LIMIT to SLACK
    rivals: Any,  # out (CENTERS * VECTORS,) int64, bit by point; only if the result is not 0
    found: Any,  # out (CENTERS, POINTS) float32, the centers' scores in codes; likewise
) -> int:
    """Find the centers of a tile whose score may reach a point's limit.

    The best score in codes, minus error and slack, raises the limit if it is higher.  The bound on
    the scores of the tile's other centers raises ``OTHERS``.  Returns 0 if no point has a rival.
    """
    limit, reach, residual, others, slack = points[:5]
    x = np.ascontiguousarray(block).view(CODES.of_rows).astype(np.int64)
    x = x.reshape(*block.shape, CODES.per_word)
    c = np.ascontiguousarray(tiles[tile]).view(CODES.of_centers)
    c = c.reshape(*tiles[tile].shape, CODES.per_word)
    sums = starts[tile][:, None] + np.einsum("wpb,wcb->cp", x, c.astype(np.int64))
    scores = sums * parameters[tile, FACTOR][:, None] + parameters[tile, BIAS][:, None]
    mine = own == np.arange(tile * CENTERS, (tile + 1) * CENTERS)[:, None]
    scores = np.where(mine, -np.inf, scores).astype(np.float32)
    error = reach * coefficients[tile, 0] + residual * coefficients[tile, 1]
    sure = scores.max(axis=0) - error - slack
    limit[:] = np.where(sure > limit, sure, limit)
    rival = ~(scores < limit - error)
    others[:] = np.maximum(others, np.where(rival, -np.inf, scores).max(axis=0) + error)
    lanes = POINTS // VECTORS
    bits = rival.reshape(CENTERS * VECTORS, lanes) @ (1 << np.arange(lanes))
    if bits.any():
        rivals[:], found[:] = bits, scores
    return int(bits.sum())


screen_tile = _screen_tile_twin if config.DISABLE_JIT else _screen_tile_intrinsic
