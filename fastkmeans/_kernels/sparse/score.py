"""The micro-kernel for sparse rows: one row against a tile of centers, in registers.

The table holds the centers feature by feature: ``(n_tiles, d, width)``.  Lanes are *centers*.  A
stored value of a row is broadcast and meets the centers of its feature, one vector after the other.
So the work is the number of stored values times the number of centers::

    for a part of the vectors of a tile:          at most MOST accumulators, in registers
        acc = biases
        for each stored value:
            x = broadcast(value)
            for each vector v:
                acc[v] = fma(x, table[column, v], acc[v])

Parts are as even as possible: a part of one vector would wait for each of its additions.  No sum
crosses lanes, so scores do not depend on the width of a vector.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..emit.simd import I64, Emitter, integer

MOST = 8
"""Most accumulators of one part."""


def emit_value(emit: Emitter, values: Any, place: Any, scale: Any) -> Any:
    """Emit a vector of one stored value, scaled."""
    value = emit.convert(emit.builder.load(emit.at(values, place)), ir.DoubleType())
    scaled = emit.builder.fmul(value, scale)
    return emit.broadcast(emit.convert(scaled, emit.element), emit.floats)


def emit_column(emit: Emitter, indices: Any, place: Any) -> Any:
    """Emit the column of a stored value."""
    return emit.builder.sext(emit.builder.load(emit.at(indices, place)), I64)


@intrinsic
def _score_row_intrinsic(
    typingctx: Any, values: Any, indices: Any, start: Any, stop: Any, scale: Any, table: Any,
    tile: Any, biases: Any, scores: Any
) -> Any:  # fmt: skip
    n = types.intp
    signature = table.dtype(values, indices, n, n, types.float64, table, n, biases, scores)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.return_type)
        values, indices, scores = (emit.pointer(sig.args[i], args[i]) for i in (0, 1, 8))
        table, biases = (emit.item(sig.args[i], args[i], args[6]) for i in (5, 7))
        start, stop, scale = args[2:5]
        width = builder.extract_value(emit.array(sig.args[5], args[5]).shape, 2)
        top = emit.variables(1, emit.floats)[0]
        builder.store(ir.Constant(emit.floats, [float("-inf")] * emit.lanes), top)

        def part(first: Any, count: int) -> None:
            slots = emit.variables(count, emit.floats)
            offsets = [integer(v * emit.lanes) for v in range(count)]
            for slot, offset in zip(slots, offsets, strict=True):
                builder.store(emit.load(emit.at(biases, first), offset, emit.floats), slot)
            with cgutils.for_range_slice(builder, start, stop, integer(1), intp=I64) as (e, _):
                x, column = emit_value(emit, values, e, scale), emit_column(emit, indices, e)
                centers = emit.at(table, builder.add(builder.mul(column, width), first))
                for slot, offset in zip(slots, offsets, strict=True):
                    c = emit.load(centers, offset, emit.floats)
                    builder.store(emit.fma(x, c, builder.load(slot)), slot)
            for slot, offset in zip(slots, offsets, strict=True):
                score = builder.load(slot)
                emit.store(score, emit.at(scores, first), offset)
                builder.store(emit.larger(score, builder.load(top)), top)

        vectors = builder.sdiv(width, integer(emit.lanes))
        n_parts = builder.sdiv(builder.add(vectors, integer(MOST - 1)), integer(MOST))
        low, rest = builder.sdiv(vectors, n_parts), builder.srem(vectors, n_parts)
        place = emit.variables(1, I64)[0]
        builder.store(integer(0), place)
        with cgutils.for_range(builder, n_parts, intp=I64) as loop:
            more = builder.zext(builder.icmp_signed("<", loop.index, rest), I64)
            size, first = builder.add(low, more), builder.load(place)
            done = builder.append_basic_block("done")
            sizes = builder.switch(size, done)
            for count in range(1, MOST + 1):
                block = builder.append_basic_block(f"vectors{count}")
                sizes.add_case(integer(count), block)
                builder.position_at_end(block)
                part(first, count)
                builder.branch(done)
            builder.position_at_end(done)
            builder.store(builder.add(first, builder.mul(size, integer(emit.lanes))), place)
        return emit.fold(builder.load(top), emit.larger)

    return signature, codegen


@intrinsic
def _second_best_intrinsic(typingctx: Any, scores: Any, best: Any, second: Any) -> Any:
    signature = types.intp(scores, scores.dtype, second)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        pointer = emit.pointer(sig.args[0], args[0])
        width = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 0)
        best = emit.broadcast(args[1], emit.floats)
        lowest = ir.Constant(emit.floats, [float("-inf")] * emit.lanes)
        count, place = emit.variables(2, I64)
        others = emit.variables(1, emit.floats)[0]
        builder.store(integer(0), count)
        builder.store(integer(0), place)
        builder.store(lowest, others)
        step = integer(emit.lanes)
        with cgutils.for_range_slice(builder, integer(0), width, step, intp=I64) as (at, _):
            score = emit.load(pointer, at, emit.floats)
            equal = builder.fcmp_ordered("==", score, best)
            bits = emit.bits(equal)
            first = builder.add(at, builder.cttz(bits, ir.Constant(ir.IntType(1), 0)))
            found = builder.icmp_unsigned("!=", bits, integer(0))
            builder.store(builder.select(found, first, builder.load(place)), place)
            builder.store(builder.add(builder.load(count), builder.ctpop(bits)), count)
            other = builder.select(equal, lowest, score)
            builder.store(emit.larger(other, builder.load(others)), others)
        single = builder.icmp_signed("==", builder.load(count), integer(1))
        second = builder.select(single, emit.fold(builder.load(others), emit.larger), args[1])
        builder.store(second, emit.pointer(sig.args[2], args[2]))
        return builder.load(place)

    return signature, codegen


def _score_row_twin(
    values: Any,  # in (n_stored,) float32 or float64
    indices: Any,  # in (n_stored,) int32
    start: int,  # in, first stored value of the row
    stop: int,  # in, stored value to stop before
    scale: float,  # in, power of two
    table: Any,  # in (n_tiles, d, width) float32 or float64, width a multiple of a vector's lanes
    tile: int,  # in, tile of the table
    biases: Any,  # in (n_tiles, width) of table's dtype
    scores: Any,  # out (width,) of table's dtype
) -> Any:
    """Write the scores of a row against a tile; return the largest."""
    scores[:] = biases[tile]
    for e in range(start, stop):
        x = table.dtype.type(np.float64(values[e]) * scale)
        scores += x * table[tile, indices[e]]
    return np.fmax.reduce(scores, initial=table.dtype.type(-np.inf))


def _second_best_twin(
    scores: Any,  # in (width,) float32 or float64
    best: Any,  # in, the largest score
    second: Any,  # out (1,) of scores' dtype, the largest other score: best, if several are equal
) -> int:
    """Return the place of the largest score, and write the second."""
    places = np.flatnonzero(scores == best)
    others = np.delete(scores, places)
    second[0] = best if places.size > 1 else np.fmax.reduce(others, initial=-np.inf)
    return int(places[-1]) if places.size else 0


if config.DISABLE_JIT:
    score_row, second_best = _score_row_twin, _second_best_twin
else:
    score_row, second_best = _score_row_intrinsic, _second_best_intrinsic
