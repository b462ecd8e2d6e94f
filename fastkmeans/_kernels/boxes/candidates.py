"""Find the centers that may be closest to some point of a box.

``z`` is the candidate to beat, best the one closest to the middle of the box.  Another candidate
``c`` is closest to no point of the box if it is farther than ``z`` from all of them, that is, if

    min over x in the box of  |x - c|^2 - |x - z|^2
        = |c|^2 - |z|^2 - 2 sum_f w_f (high_f if w_f > 0 else low_f),   w = c - z,

is positive.  All terms sum up to at most ``T = |c|^2 + |z|^2 + 2 |x|^2``.  In float64 the sum is
off by less than ``(4 d + 8) 2^-53 T``, and the coordinates by less than ``2^-51 T``.  The test
demands ``2^-43 T`` (d is at most 128).  This also covers the rounding of float64 differences, so
every point of the box has the label that ``exact.closest_by_differences`` finds.  By cosine the
rows of a box have length 1.  The test covers the rounding of float64 products, and that of the
centers to one length: less than ``(3 d + 12) 2^-53 T`` together.

If several candidates remain, ``label_points`` scores the rows of the box against these alone, in
coordinates of the box.

Loop order of ``narrow``: vectors of candidates outside, features inside.  Lanes are candidates,
because features are few.  So a sum over features stays in a register and never crosses lanes.
Candidates that remain are stored without gaps, in their order.

Loop order of ``label_points``: vectors of rows outside, then candidates, then features.  Lanes are
rows.  Their best two scores stay in registers while all candidates pass by.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..emit.simd import I32, I64, Emitter, integer

SURE = 2.0**-43
"""Share of ``T`` by which a candidate must be farther than ``z`` to be dropped."""
BOX = 32
"""Rows of a box."""
LOW, HIGH = 0, 1
"""Indices of the two limits of a box."""


class Candidates(NamedTuple):
    """Centers that may be closest to some point of a box; their number is kept apart.

    ``room`` is a multiple of a vector's lanes.
    """

    table: Any  # in/out (d + 1, room) float64, a column is a candidate and its squared norm
    ids: Any  # in/out (room,) int32, the indices of these centers


def _constant(kind: Any, value: Any) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def _closest(emit: Emitter, table: Any, room: Any, box: tuple[Any, Any], n: Any, d: Any) -> Any:
    """Emit the search for the candidate closest to the middle of the box."""
    builder = emit.builder
    best, place = emit.variables(1, emit.floats)[0], emit.variables(1, emit.ints)[0]
    builder.store(_constant(emit.floats, float("inf")), best)
    builder.store(_constant(emit.ints, 0), place)
    total = emit.variables(1, emit.floats)[0]
    step = integer(emit.lanes)
    with cgutils.for_range_slice(builder, integer(0), n, step, intp=I64) as (j, _):
        builder.store(_constant(emit.floats, 0.0), total)
        with cgutils.for_range(builder, d, intp=I64) as loop:
            low, high = (builder.load(emit.at(limit, loop.index)) for limit in box)
            middle = builder.fmul(builder.fadd(low, high), ir.Constant(emit.element, 0.5))
            c = emit.load(table, builder.add(builder.mul(loop.index, room), j), emit.floats)
            distance = builder.fsub(c, emit.broadcast(middle, emit.floats))
            builder.store(emit.fma(distance, distance, builder.load(total)), total)
        numbers = emit.numbers(j)
        valid = builder.icmp_signed("<", numbers, emit.broadcast(builder.trunc(n, I32), emit.ints))
        found = builder.and_(
            valid, builder.fcmp_ordered("<", builder.load(total), builder.load(best))
        )
        builder.store(builder.select(found, builder.load(total), builder.load(best)), best)
        builder.store(builder.select(found, numbers, builder.load(place)), place)
    least = emit.broadcast(emit.fold(builder.load(best), emit.smaller), emit.floats)
    closest = builder.fcmp_ordered("==", builder.load(best), least)
    numbers = builder.select(closest, builder.load(place), _constant(emit.ints, 2**31 - 1))
    where = emit.fold(numbers, lambda x, y: builder.select(builder.icmp_signed("<", x, y), x, y))
    return builder.zext(where, I64)


def _place_of(emit: Emitter, ids: Any, n: Any, label: Any) -> Any:
    """Emit the place of a center among the candidates, -1 if it is not there."""
    builder, place = emit.builder, emit.variables(1, I64)[0]
    builder.store(integer(-1), place)
    wanted = emit.broadcast(builder.trunc(label, I32), emit.ints)
    known = builder.icmp_signed(">=", label, integer(0))
    last, step = builder.select(known, n, integer(0)), integer(emit.lanes)
    with cgutils.for_range_slice(builder, integer(0), last, step, intp=I64) as (j, _):
        found = emit.bits(builder.icmp_signed("==", emit.load(ids, j, emit.ints), wanted))
        here = builder.add(j, builder.cttz(found, ir.Constant(ir.IntType(1), 0)))
        is_one = builder.and_(
            builder.icmp_signed("!=", found, integer(0)), builder.icmp_signed("<", here, n)
        )
        builder.store(builder.select(is_one, here, builder.load(place)), place)
    return builder.load(place)


def _farthest(emit: Emitter, box: tuple[Any, Any], d: Any) -> Any:
    """Emit the squared norm of the corner of the box that is farthest from the origin."""
    builder, total = emit.builder, emit.variables(1, emit.element)[0]
    builder.store(ir.Constant(emit.element, 0.0), total)
    with cgutils.for_range(builder, d, intp=I64) as loop:
        ends = [builder.load(emit.at(end, loop.index)) for end in box]
        square = emit.larger(*(builder.fmul(end, end) for end in ends))
        builder.store(builder.fadd(square, builder.load(total)), total)
    return builder.load(total)


def _fields(emit: Emitter, kind: Any, record: Any) -> tuple[Any, Any, Any]:
    """Emit the pointers to table and ids of ``Candidates``, and their room."""
    table, ids = cgutils.unpack_tuple(emit.builder, record)
    room = emit.builder.extract_value(emit.array(kind[0], table).shape, 1)
    return emit.pointer(kind[0], table), emit.pointer(kind[1], ids), room


@intrinsic
def _narrow_intrinsic(
    typingctx: Any, limits: Any, b: Any, given: Any, n: Any, label: Any, kept: Any
) -> Any:
    i = types.intp
    signature = i(limits, i, given, i, i, kept)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float64)
        n = args[3]
        shape = emit.array(sig.args[0], args[0]).shape
        n_boxes, d = (builder.extract_value(shape, axis) for axis in (1, 2))
        limits = emit.pointer(sig.args[0], args[0])
        (table, ids, room), (to_table, to_ids, to_room) = (
            _fields(emit, sig.args[i], args[i]) for i in (2, 5)
        )
        low = emit.at(limits, builder.mul(args[1], d))
        high = emit.at(low, builder.mul(n_boxes, d))
        slot = emit.variables(1, I64)[0]
        builder.store(_place_of(emit, ids, n, args[4]), slot)
        with builder.if_then(builder.icmp_signed("<", builder.load(slot), integer(0))):
            builder.store(_closest(emit, table, room, (low, high), n, d), slot)
        z, farthest = builder.load(slot), _farthest(emit, (low, high), d)
        norm_row = emit.at(table, builder.mul(d, room))
        own_norm = emit.broadcast(builder.load(emit.at(norm_row, z)), emit.floats)
        count = emit.variables(1, I64)[0]
        margin = emit.variables(1, emit.floats)[0]
        builder.store(integer(0), count)
        step = integer(emit.lanes)
        zero = _constant(emit.floats, 0.0)
        with cgutils.for_range_slice(builder, integer(0), n, step, intp=I64) as (j, _):
            norm = emit.load(norm_row, j, emit.floats)
            builder.store(builder.fsub(norm, own_norm), margin)
            with cgutils.for_range(builder, d, intp=I64) as loop:
                row = emit.at(table, builder.mul(loop.index, room))
                ends = [builder.load(emit.at(limit, loop.index)) for limit in (low, high)]
                own = emit.broadcast(builder.load(emit.at(row, z)), emit.floats)
                w = builder.fsub(emit.load(row, j, emit.floats), own)
                end = builder.select(
                    builder.fcmp_ordered(">", w, zero),
                    emit.broadcast(ends[1], emit.floats),
                    emit.broadcast(ends[0], emit.floats),
                )
                twice = builder.fmul(w, _constant(emit.floats, -2.0))
                builder.store(emit.fma(twice, end, builder.load(margin)), margin)
            far = emit.broadcast(farthest, emit.floats)
            terms = builder.fadd(builder.fadd(norm, own_norm), builder.fadd(far, far))
            need = builder.fmul(terms, _constant(emit.floats, SURE))
            limit = emit.broadcast(builder.trunc(n, I32), emit.ints)
            valid = builder.icmp_signed("<", emit.numbers(j), limit)
            keep = builder.and_(valid, builder.fcmp_unordered("<=", builder.load(margin), need))
            place = builder.load(count)
            with cgutils.for_range(builder, builder.add(d, integer(1)), intp=I64) as loop:
                c = emit.load(table, builder.add(builder.mul(loop.index, room), j), emit.floats)
                to = builder.add(builder.mul(loop.index, to_room), place)
                emit.compress(c, to_table, to, keep)
            emit.compress(emit.load(ids, j, emit.ints), to_ids, place, keep)
            builder.store(builder.add(place, emit.count(keep)), count)
        return builder.load(count)

    return signature, codegen


@intrinsic
def _label_points_intrinsic(
    typingctx: Any, copy: Any, b: Any, near: Any, ids: Any, n: Any, need: Any, now: Any
) -> Any:
    i = types.intp
    signature = types.int64(copy, i, near, ids, i, types.float32, now)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        width, d = (
            builder.extract_value(emit.array(sig.args[0], args[0]).shape, axis) for axis in (2, 1)
        )
        rows = emit.item(sig.args[0], args[0], args[1])
        near, ids, now = (emit.pointer(sig.args[n], args[n]) for n in (2, 3, 6))
        stride = builder.add(d, integer(1))
        need = emit.broadcast(args[5], emit.floats)
        narrow = ir.VectorType(ir.IntType(16), emit.lanes)
        score = emit.variables(1, emit.floats)[0]
        unproven = integer(0)
        for first in range(0, BOX, emit.lanes):
            best, second = emit.variables(2, emit.floats)
            label = emit.variables(1, emit.ints)[0]
            for slot in (best, second):
                builder.store(_constant(emit.floats, float("-inf")), slot)
            builder.store(_constant(emit.ints, 0), label)
            with cgutils.for_range(builder, args[4], intp=I64) as candidate:
                center = emit.at(near, builder.mul(candidate.index, stride))
                builder.store(emit.broadcast(builder.load(center), emit.floats), score)
                with cgutils.for_range(builder, d, intp=I64) as loop:
                    place = builder.add(builder.mul(loop.index, width), integer(first))
                    x = builder.sitofp(emit.load(rows, place, narrow), emit.floats)
                    c = builder.load(emit.at(center, builder.add(loop.index, integer(1))))
                    c = emit.broadcast(c, emit.floats)
                    builder.store(emit.fma(x, c, builder.load(score)), score)
                value, high = builder.load(score), builder.load(best)
                wins = builder.fcmp_ordered(">", value, high)
                loser = builder.select(wins, high, value)
                low = builder.load(second)
                runner_up = builder.fcmp_ordered(">", loser, low)
                builder.store(builder.select(runner_up, loser, low), second)
                builder.store(builder.select(wins, value, high), best)
                number = emit.broadcast(builder.load(emit.at(ids, candidate.index)), emit.ints)
                builder.store(builder.select(wins, number, builder.load(label)), label)
            emit.store(builder.load(label), now, integer(first))
            margin = builder.fsub(builder.load(best), builder.load(second))
            bits = emit.bits(builder.fcmp_unordered("<=", margin, need))
            unproven = builder.or_(unproven, builder.shl(bits, integer(first)))
        return unproven

    return signature, codegen


def _narrow_twin(
    limits: Any,  # in (2, n_boxes, d) float64, LOW and HIGH
    b: int,  # in, the box
    given: Candidates,  # in
    n: int,  # in, number of given candidates
    label: int,  # in, the candidate to beat; if it is not given, the one closest to the middle
    kept: Candidates,  # out
) -> int:
    """Keep the candidates that may be closest to some point of the box; return how many."""
    (table, ids), (to_table, to_ids) = given, kept
    low, high = limits[LOW, b], limits[HIGH, b]
    c, norm = table[:-1, :n], table[-1, :n]
    places = np.flatnonzero(ids[:n] == label) if label >= 0 else np.empty(0, int)
    distances = ((c.T - 0.5 * (low + high)) ** 2).sum(axis=1)
    z = int(places[-1] if places.size else distances.argmin())
    w = c.T - c[:, z]
    margin = norm - norm[z] - 2.0 * (w * np.where(w > 0.0, high, low)).sum(axis=1)
    square = np.maximum(low * low, high * high).sum()
    keep = np.flatnonzero(~(margin > SURE * (norm + norm[z] + 2.0 * square)))
    to_table[:, : len(keep)] = table[:, keep]
    to_ids[: len(keep)] = ids[keep]
    return len(keep)


def _label_points_twin(
    copy: Any,  # in (n_boxes, d, BOX) int16, the rows of a box in steps of the box
    b: int,  # in, the box
    near: Any,  # in (room, 1 + d) float32, bias and coordinates of a candidate, in steps of the box
    ids: Any,  # in (room,) int32, the indices of the candidates
    n: int,  # in, number of candidates
    need: float,  # in float32, margin above which a label is proven
    now: Any,  # out (BOX,) int32, labels
) -> int:
    """Label the rows of a box; return a bit for each row whose label is unproven."""
    scores = near[:n, 0, None] + near[:n, 1:] @ copy[b].astype(np.float32)
    order = np.sort(scores, axis=0)
    now[:] = ids[scores.argmax(axis=0)]
    unproven = ~(order[-1] - order[-2] > need) if n > 1 else np.zeros(BOX, bool)
    return int((unproven.astype(np.int64) << np.arange(BOX)).sum())


if config.DISABLE_JIT:
    narrow, label_points = _narrow_twin, _label_points_twin
else:
    narrow, label_points = _narrow_intrinsic, _label_points_intrinsic
