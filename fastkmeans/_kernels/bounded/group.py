"""The micro-kernels of bounds: the bounds of one row, and a block of rows against a group.

A row has ``GROUPS`` lower bounds, side by side: ``lower[i, g]``.  So its bounds are one vector, and
the groups that it needs are the bits of one comparison.

A lower bound on the distances to all other centers needs the largest score among them.  So every
score counts, and no tile can be skipped as in ``plain.tile``.  Three operations per score keep the
two largest, without a branch and without an index::

    second = max(second, min(top, score)),    top = max(top, score)

If the assigned center is in the group, and the second score is not above the limit, then the top
score is that of the assigned center, and the second is the largest of the others.

Loop order: vectors of points outside, then tiles, then features, as in ``plain.tile``.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..bytes.quantize import NARROWER, WIDER
from ..emit.simd import CENTERS, I64, POINTS, VECTORS, Emitter, integer
from ..plain.tile import feature_loop, tile_offset

GROUPS = 8
"""Groups of centers: as many as fill a vector of AVX2.  More of them ask for more memory."""
LINE = 64
"""Bytes of a cache line."""
BOUNDS = ir.VectorType(ir.FloatType(), GROUPS)


def _needs(emit: Emitter, upper: Any, bounds: Any) -> Any:
    """Emit a bit per group whose lower bound does not exceed the upper bound."""
    builder = emit.builder
    wider = ir.Constant(BOUNDS, [float(WIDER * WIDER)] * GROUPS)
    near = builder.fmul(emit.broadcast(upper, BOUNDS), wider)
    meets = builder.fcmp_unordered(">=", near, bounds)
    return builder.zext(builder.bitcast(meets, ir.IntType(GROUPS)), I64)


@intrinsic
def _widen_row_intrinsic(typingctx: Any, lower: Any, i: Any, fastest: Any, upper: Any) -> Any:
    signature = types.int64(lower, types.intp, fastest, types.float32)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        row, fastest = emit.item(sig.args[0], args[0], args[1]), emit.pointer(sig.args[2], args[2])
        narrower = ir.Constant(BOUNDS, [float(NARROWER)] * GROUPS)
        old, step = emit.load(row, integer(0), BOUNDS), emit.load(fastest, integer(0), BOUNDS)
        bounds = builder.fmul(builder.fsub(old, step), narrower)
        emit.store(bounds, row, integer(0))
        return _needs(emit, args[3], bounds)

    return signature, codegen


@intrinsic
def _needs_of_intrinsic(typingctx: Any, lower: Any, i: Any, upper: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        row = emit.item(sig.args[0], args[0], args[1])
        return _needs(emit, args[2], emit.load(row, integer(0), BOUNDS))

    return types.int64(lower, types.intp, types.float32), codegen


def _two_largest(emit: Emitter, points: Any, tiles: Any, d: Any, edges: tuple[Any, Any]) -> Any:
    """Emit the two largest scores of a group; return them, for each vector of points."""
    builder = emit.builder
    tops, seconds = emit.variables(VECTORS, emit.floats), emit.variables(VECTORS, emit.floats)
    for slot in (*tops, *seconds):
        builder.store(ir.Constant(emit.floats, [float("-inf")] * emit.lanes), slot)
    with cgutils.for_range_slice(builder, *edges, integer(1), intp=I64) as (tile, _):
        pointer = emit.at(tiles, tile_offset(builder, tile, d))
        scores = feature_loop(emit, points, pointer, d, True)
        for v in range(VECTORS):
            top, second = builder.load(tops[v]), builder.load(seconds[v])
            for row in scores:
                second = emit.larger(emit.smaller(top, row[v]), second)
                top = emit.larger(row[v], top)
            builder.store(top, tops[v])
            builder.store(second, seconds[v])
    return [
        (builder.load(top), builder.load(second)) for top, second in zip(tops, seconds, strict=True)
    ]


def _lower_bound(emit: Emitter, base: Any, others: Any) -> Any:
    """Emit ``NARROWER sqrt(base - 2 others)``, 0 where that is no number."""
    builder = emit.builder
    square = emit.fma(others, ir.Constant(emit.floats, [-2.0] * emit.lanes), base)
    square = emit.larger(square, ir.Constant(emit.floats, [0.0] * emit.lanes))
    kind = ir.FunctionType(emit.floats, [emit.floats])
    name = f"llvm.sqrt.v{emit.lanes}f32"
    root = builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [square])
    return builder.fmul(root, ir.Constant(emit.floats, [float(NARROWER)] * emit.lanes))


@intrinsic
def _compare_group_intrinsic(
    typingctx: Any, blocks: Any, tiles: Any, start: Any, stop: Any, own: Any, limits: Any,
    bases: Any, bounds: Any
) -> Any:  # fmt: skip
    n = types.intp
    signature = types.int64(blocks, tiles, n, n, own, limits, bases, bounds)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        block, tiles, own, limits, bases, bounds = (
            emit.pointer(sig.args[i], args[i]) for i in (0, 1, 4, 5, 6, 7)
        )
        d = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        size, places = integer(CENTERS), []
        for edge in args[2:4]:
            at = builder.trunc(builder.mul(edge, size), ir.IntType(32))
            places.append(emit.broadcast(at, emit.ints))
        found = integer(0)
        for lane in range(0, POINTS, VECTORS * emit.lanes):
            best = _two_largest(emit, emit.at(block, integer(lane)), tiles, d, args[2:4])
            for v, (top, second) in enumerate(best):
                place = integer(lane + v * emit.lanes)
                mine = emit.load(own, place, emit.ints)
                limit, base = (emit.load(a, place, emit.floats) for a in (limits, bases))
                inside = builder.and_(
                    builder.icmp_signed(">=", mine, places[0]),
                    builder.icmp_signed("<", mine, places[1]),
                )
                alone = builder.and_(inside, builder.fcmp_ordered("<=", second, limit))
                others = builder.select(alone, second, top)
                rival = emit.bits(builder.fcmp_unordered(">", others, limit))
                found = builder.or_(found, builder.shl(rival, place))
                emit.store(_lower_bound(emit, base, others), bounds, place)
        return found

    return signature, codegen


@intrinsic
def _fetch_row_intrinsic(typingctx: Any, X: Any, i: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        matrix = emit.array(sig.args[0], args[0])
        d = builder.extract_value(matrix.shape, 2)
        row_stride, stride = (builder.extract_value(matrix.strides, axis) for axis in (1, 2))
        row = cgutils.pointer_add(builder, matrix.data, builder.mul(args[1], row_stride))
        size, line = builder.mul(d, stride), integer(LINE)
        step = builder.select(builder.icmp_signed(">", stride, line), stride, line)
        with cgutils.for_range_slice(builder, integer(0), size, step, intp=I64) as (at, _):
            emit.prefetch(cgutils.pointer_add(builder, row, at))
        return context.get_dummy_value()

    return types.void(X, types.intp), codegen


def _fetch_row_twin(
    X: Any,  # in (2, m, d)
    i: int,  # in, row
) -> None:
    """Ask the processor to read a row into its caches: every line that holds a feature, once."""


def _needs_of_twin(
    lower: Any,  # in (m, GROUPS) float32, bounds on the distances to the centers of a group
    i: int,  # in, row
    upper: Any,  # in float32, bound on the distance to the assigned center
) -> int:
    """Return the groups whose lower bound does not exceed the upper bound, as bits."""
    meets = ~(upper * (WIDER * WIDER) < lower[i])
    return int(meets @ (1 << np.arange(GROUPS)))


def _widen_row_twin(
    lower: Any,  # in/out (m, GROUPS) float32
    i: int,  # in, row
    fastest: Any,  # in (GROUPS,) float32, what the bounds lose
    upper: Any,  # in float32, bound on the distance to the assigned center
) -> int:
    """Widen the lower bounds of a row; return what it needs, see ``needs_of``."""
    lower[i] = (lower[i] - fastest) * NARROWER
    return _needs_of_twin(lower, i, upper)


def _compare_group_twin(
    blocks: Any,  # in (1, d, POINTS) float32, a packed block
    tiles: Any,  # in (n_tiles, 1 + d, CENTERS) float32
    start: int,  # in, first tile of the group
    stop: int,  # in, tile to stop before
    own: Any,  # in (1, POINTS) int32, places of the assigned centers
    limits: Any,  # in (1, POINTS) float32; the score of the assigned center is above it
    bases: Any,  # in (1, POINTS) float32, lower bound on |x'|^2, less twice the slack of a score
    bounds: Any,  # out (1, POINTS) float32, lower bound on the distance to any other of the group
) -> int:
    """Compare a block with a group; return the points for which another is above the limit."""
    n_scored, (_, d, _) = (stop - start) * CENTERS, blocks.shape
    values = tiles[start:stop, 1:].swapaxes(1, 2).reshape(n_scored, d)
    scores = np.full((2 + n_scored, POINTS), -np.inf)
    scores[2:] = tiles[start:stop, 0].reshape(-1, 1) + values @ blocks[0]
    scores.sort(axis=0)
    inside = (own[0] >= start * CENTERS) & (own[0] < stop * CENTERS)
    others = np.where(inside & (scores[-2] <= limits[0]), scores[-2], scores[-1])
    square = bases[0] - 2 * others
    bounds[0] = np.sqrt(np.where(square > 0, square, 0)) * NARROWER
    return int(~(others <= limits[0]) @ (1 << np.arange(POINTS)))


if config.DISABLE_JIT:
    widen_row, needs_of, compare_group = _widen_row_twin, _needs_of_twin, _compare_group_twin
    fetch_row = _fetch_row_twin
else:
    widen_row, needs_of, compare_group = (
        _widen_row_intrinsic, _needs_of_intrinsic, _compare_group_intrinsic,
    )  # fmt: skip
    fetch_row = _fetch_row_intrinsic
