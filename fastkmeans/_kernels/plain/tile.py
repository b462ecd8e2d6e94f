"""The micro-kernel: packed points against packed centers, in registers.

A *block* is ``POINTS`` rows of the data, packed feature by feature: ``(d, POINTS)``.  A *tile* is
``R = CENTERS`` centers, packed feature by feature below their bias: ``(1 + d, R)``.  The
accumulators of ``V * W`` points (``V`` vectors of ``W`` lanes) against ``R`` centers stay in
registers for the whole loop over the features::

              R centers                   for f in range(d):
            +-----------+                     x = V vectors of points   (2 loads)
            | acc       |  V vectors          for r in range(R):
            |           |  of W points            c = broadcast tile[1 + f, r]
            +-----------+                         acc[r] = fma(x, c, acc[r])

Lanes are *points*.  So no lane is wasted if there are few centers, no horizontal reduction is
needed, and two features work as well as two thousand.  The matrix of all distances never exists.

Two entry points share the loop.  ``best_two`` adds the scores ``x.c - |c|^2 / 2``: the largest
score is the smallest distance.  For each point it keeps the best score, the second-best score and
the index of the best (the lowest index among equals).  Padding centers have a bias of ``-inf``.
Only a center that scores above the second-best changes any of them.  So a tile costs a comparison
per score, and then nothing if no center does.  To make this the rule, a row that has a label
starts at the score of its own center, and ``second`` at a limit just below (see ``start``).  The
own center alone then exceeds the limit, in the tile ``home``, and is expected there.
``squared_distances`` adds ``(x - c)^2`` and stores every sum.  It does not read the bias.

The width and the number of the machine's registers decide the shape of the tile.  The rule of BLIS
(Van Zee & van de Geijn 2015, ACM TOMS 41(3), 14) gave the candidates, measurement chose.
"""

from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..emit.simd import CENTERS, I32, I64, POINTS, VECTORS, Emitter, integer


def feature_loop(
    emit: Emitter,
    block: Any,  # pointer to the first point of this pass, (d, POINTS)
    tile: Any,  # pointer to the bias of the tile, (1 + d, CENTERS)
    n_features: Any,
    start_at_bias: bool,
) -> list[list[Any]]:
    """Emit the loop over features; return the accumulators ``[center][vector]``."""
    builder = emit.builder
    slots = [emit.variables(VECTORS, emit.floats) for _ in range(CENTERS)]
    for center, row in enumerate(slots):
        start = ir.Constant(emit.floats, [0.0] * emit.lanes)
        if start_at_bias:
            start = emit.broadcast(builder.load(emit.at(tile, integer(center))), emit.floats)
        for slot in row:
            builder.store(start, slot)
    with cgutils.for_range(builder, n_features, intp=I64) as loop:
        points = emit.at(block, builder.mul(loop.index, integer(POINTS)))
        centers = emit.at(tile, builder.mul(builder.add(loop.index, integer(1)), integer(CENTERS)))
        xs = [emit.load(points, integer(v * emit.lanes), emit.floats) for v in range(VECTORS)]
        for center, row in enumerate(slots):
            c = emit.broadcast(builder.load(emit.at(centers, integer(center))), emit.floats)
            for x, slot in zip(xs, row, strict=True):
                total = builder.load(slot)
                if start_at_bias:
                    total = emit.fma(x, c, total)
                else:
                    difference = builder.fsub(x, c)
                    total = emit.fma(difference, difference, total)
                builder.store(total, slot)
    return [[builder.load(slot) for slot in row] for row in slots]


def _keep_best_two(emit: Emitter, score: Any, index: Any, slots: tuple[Any, Any, Any]) -> None:
    """Emit the update of (best, second, index of best) by one vector of scores.

    A strict comparison keeps the lowest index among equal scores.  An equal score becomes the
    second best, so an exact tie shows as a margin of zero.
    """
    builder = emit.builder
    best_slot, second_slot, index_slot = slots
    best, second = builder.load(best_slot), builder.load(second_slot)
    wins = builder.fcmp_ordered(">", score, best)
    loser = builder.select(wins, best, score)
    runner_up = builder.fcmp_ordered(">", loser, second)
    builder.store(builder.select(runner_up, loser, second), second_slot)
    builder.store(builder.select(wins, score, best), best_slot)
    builder.store(builder.select(wins, index, builder.load(index_slot)), index_slot)


def tile_offset(builder: Any, tile: Any, n_features: Any) -> Any:
    rows = builder.add(n_features, integer(1))
    return builder.mul(tile, builder.mul(rows, integer(CENTERS)))


def _has_rivals(
    emit: Emitter, scores: list[list[Any]], homes: list[Any], limits: list[Any], tile: Any
) -> Any:
    """Emit whether a point's limit is exceeded by a center of the tile that is not its own.

    A point's own center exceeds the limit, too.  So its tile may hold one such center, the others
    none.  One comparison and one subtraction per score need few registers.
    """
    builder = emit.builder
    number = emit.broadcast(builder.trunc(tile, I32), emit.ints)
    surplus = []
    for v, (home, limit) in enumerate(zip(homes, limits, strict=True)):
        count = builder.sext(builder.icmp_signed("==", home, number), emit.ints)
        for row in scores:
            above = builder.fcmp_ordered(">", row[v], limit)
            count = builder.sub(count, builder.sext(above, emit.ints))
        surplus.append(count)
    none = ir.Constant(emit.ints, [0] * emit.lanes)
    found = builder.icmp_signed("!=", reduce(builder.or_, surplus), none)
    return builder.icmp_unsigned("!=", emit.bits(found), integer(0))


def _update_vector(
    emit: Emitter, scores: list[Any], arrays: tuple[Any, ...], offset: Any, tile: Any
) -> None:
    """Emit the update of (home, best, second, index) by the scores of a tile, for one vector."""
    builder = emit.builder
    home, *kept = arrays
    kinds = (emit.floats, emit.floats, emit.ints)
    slots = tuple(emit.variables(1, kind)[0] for kind in kinds)
    for array, kind, slot in zip(kept, kinds, slots, strict=True):
        builder.store(emit.load(array, offset, kind), slot)
    first = builder.trunc(builder.mul(tile, integer(CENTERS)), I32)
    numbers = [
        emit.broadcast(builder.add(first, ir.Constant(I32, center)), emit.ints)
        for center in range(CENTERS)
    ]
    own, at_home = builder.load(slots[2]), emit.load(home, offset, emit.ints)
    lowest = ir.Constant(emit.floats, [float("-inf")] * emit.lanes)
    here = builder.icmp_signed("==", at_home, emit.broadcast(builder.trunc(tile, I32), emit.ints))
    others = emit.variables(CENTERS, emit.floats)
    for score, slot in zip(scores, others, strict=True):
        builder.store(score, slot)
    with builder.if_then(builder.icmp_unsigned("!=", emit.bits(here), integer(0))):
        for number, score, slot in zip(numbers, scores, others, strict=True):
            is_own = builder.icmp_signed("==", own, number)
            builder.store(builder.select(is_own, lowest, score), slot)
    for number, slot in zip(numbers, others, strict=True):
        _keep_best_two(emit, builder.load(slot), number, slots)
    best, second, index = (builder.load(slot) for slot in slots)
    leads = builder.and_(
        builder.icmp_signed("==", index, own), builder.fcmp_ordered(">", best, second)
    )
    nowhere = ir.Constant(emit.ints, [-1] * emit.lanes)
    for array, value in zip(
        arrays, (builder.select(leads, at_home, nowhere), best, second, index), strict=True
    ):
        emit.store(value, array, offset)


@intrinsic
def _best_two_intrinsic(
    typingctx: Any, blocks: Any, b: Any, tiles: Any, start: Any, stop: Any, home: Any, best: Any,
    second: Any, index: Any
) -> Any:  # fmt: skip
    n = types.intp
    signature = types.void(blocks, n, tiles, n, n, home, best, second, index)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        b, start, stop = args[1], args[3], args[4]
        block = emit.item(sig.args[0], args[0], b)
        tiles = emit.pointer(sig.args[2], args[2])
        arrays = tuple(emit.item(sig.args[i], args[i], b) for i in (5, 6, 7, 8))
        home, _, second, _ = arrays
        n_features = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        for lane in range(0, POINTS, VECTORS * emit.lanes):
            offsets = [integer(lane + v * emit.lanes) for v in range(VECTORS)]
            with cgutils.for_range_slice(builder, start, stop, integer(1), intp=I64) as (tile, _):
                pointer = emit.at(tiles, tile_offset(builder, tile, n_features))
                points = emit.at(block, integer(lane))
                scores = feature_loop(emit, points, pointer, n_features, True)
                homes = [emit.load(home, offset, emit.ints) for offset in offsets]
                limits = [emit.load(second, offset, emit.floats) for offset in offsets]
                found = _has_rivals(emit, scores, homes, limits, tile)
                with builder.if_then(found, likely=False):
                    for v, offset in enumerate(offsets):
                        _update_vector(emit, [row[v] for row in scores], arrays, offset, tile)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _squared_distances_intrinsic(
    typingctx: Any, blocks: Any, b: Any, tiles: Any, tile: Any, out: Any
) -> Any:
    signature = types.void(blocks, types.intp, tiles, types.intp, out)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        block = emit.item(sig.args[0], args[0], args[1])
        tiles, out = (emit.pointer(sig.args[i], args[i]) for i in (2, 4))
        n_features = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        pointer = emit.at(tiles, tile_offset(builder, args[3], n_features))
        for lane in range(0, POINTS, VECTORS * emit.lanes):
            points = emit.at(block, integer(lane))
            sums = feature_loop(emit, points, pointer, n_features, False)
            for center, row in enumerate(sums):
                for v, value in enumerate(row):
                    emit.store(value, out, integer(center * POINTS + lane + v * emit.lanes))
        return context.get_dummy_value()

    return signature, codegen


def _best_two_twin(
    blocks: Any,  # in (n_blocks, d, POINTS)
    b: int,  # in, block
    tiles: Any,  # in (n_tiles, 1 + d, CENTERS) of the same dtype
    start: int,  # in, first tile to score
    stop: int,  # in, tile to stop before
    home: Any,  # in/out (n_blocks, POINTS) int32, tile of index if best began as its score, or -1
    best: Any,  # in/out (n_blocks, POINTS) of the same dtype, best score so far
    second: Any,  # in/out (n_blocks, POINTS) of the same dtype, bound on the other scores so far
    index: Any,  # in/out (n_blocks, POINTS) int32, the center of the best score, or -1
) -> None:
    """Score ``CENTERS * (stop - start)`` centers and keep the best two per point."""
    for tile in range(start, stop):
        own = index[b].copy()
        for center in range(CENTERS):
            number = tile * CENTERS + center
            score = tiles[tile, 0, center] + tiles[tile, 1:, center] @ blocks[b]
            score = np.where(own == number, -np.inf, score)
            wins = score > best[b]
            second[b] = np.maximum(second[b], np.where(wins, best[b], score))
            index[b][wins] = number
            best[b][wins] = score[wins]
        home[b][(index[b] != own) | ~(best[b] > second[b])] = -1


def _squared_distances_twin(
    blocks: Any,  # in (n_blocks, d, POINTS)
    b: int,  # in, block
    tiles: Any,  # in (n_tiles, 1 + d, CENTERS) of the same dtype, row 0 unused
    tile: int,  # in, tile to compare with
    out: Any,  # out (CENTERS, POINTS) of the same dtype
) -> None:
    """Store the squared distance of every point to every center of a tile."""
    for center in range(CENTERS):
        difference = blocks[b] - tiles[tile, 1:, center, None]
        out[center] = (difference * difference).sum(axis=0)


if config.DISABLE_JIT:
    best_two, squared_distances = _best_two_twin, _squared_distances_twin
else:
    best_two, squared_distances = _best_two_intrinsic, _squared_distances_intrinsic
