"""Where the scores of a block begin: at nothing, or at the labels of the rows.

A row that has a label begins with the score of that center as its best.  Its *limit* is that score
minus a margin: ``second`` begins there.  ``tile.best_two`` then skips a tile in which no other
center scores above a limit, and most rows keep their label.  So a tile costs one comparison per
score instead of the five operations that keep best, second-best and index.

    best   = s_label,    second = s_label - MARGINS n,    n as in find_unproven

``second`` stays an upper bound on the scores of all other centers, whatever the limit is.  So the
limit decides about speed, never about a label.  A row without rival is proven: ``find_unproven``
asks for ``best - second > n``.  Both sides are rounded a few times, relative errors of ``u`` to
``best`` and to ``n``.  But ``n >= 2 g |s| >= 10 u |s|``, since ``|s| <= |x| C + C^2 / 2``: half of
``n`` covers them.

In its tile a center must score above its own limit.  Here and there the score starts at the bias
and adds the features in order; and two roundings of it differ by less than the limit lies below.

Loop order: vectors of rows outside, then squares of features.  The centers of the labels are
transposed in registers, as ``shared.pack`` does with rows.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit_inline
from ..emit.simd import CENTERS, I32, I64, POINTS, VECTOR_BYTES, Emitter, integer

MARGINS = 1.5
"""Margins between a row's score and its limit.  One, and half of one for rounding."""
LEAST_CENTERS = 8
"""Centers, besides one per feature, from which on rows start at their labels.  Measured with AVX2:
the own score takes 2.2 + 0.14 d ns per row, a limit saves 2 + 0.12 k ns."""
TABLE_WORK = 4
"""Rows times centers, less features, that a value of the table of centers must spare: to write one
takes four times as long as a limit spares per row and center."""
TABLE_MULTIPLE = VECTOR_BYTES // 4
"""The width of a table of centers is a multiple of this: a vector of float32."""


@jit_inline
def fill_table(
    tiles,  # in (n_tiles, 1 + d, CENTERS) float32
    table,  # out (k, width) float32, a center, its bias, zeros
):
    """Write the centers as rows: those of labels are read one by one."""
    (k, width), (_, height, _) = table.shape, tiles.shape
    d = height - 1
    for j in range(k):
        tile, r = tiles[j // CENTERS], j % CENTERS
        for f in range(d):
            table[j, f] = tile[1 + f, r]
        table[j, d] = tile[0, r]
        for f in range(height, width):
            table[j, f] = 0.0


def _own_scores(emit: Emitter, block: Any, lane: Any, rows: list[Any], n_features: Any) -> Any:
    """Emit the scores of a vector of points, each with one center, rounded as in the tile."""
    builder, lanes = emit.builder, integer(emit.lanes)
    square = cgutils.alloca_once(builder, emit.floats, emit.lanes)
    total = emit.variables(1, emit.floats)[0]
    builder.store(emit.gather([emit.at(row, n_features) for row in rows], emit.floats), total)
    with cgutils.for_range_slice(builder, integer(0), n_features, lanes, intp=I64) as (f, _):
        for t, c in enumerate(emit.transpose([emit.load(row, f, emit.floats) for row in rows])):
            builder.store(c, builder.gep(square, [integer(t)]))
        left = builder.sub(n_features, f)
        count = builder.select(builder.icmp_signed("<", left, lanes), left, lanes)
        with cgutils.for_range(builder, count, intp=I64) as loop:
            place = builder.mul(builder.add(f, loop.index), integer(POINTS))
            x = emit.load(block, builder.add(place, lane), emit.floats)
            c = builder.load(builder.gep(square, [loop.index]))
            builder.store(emit.fma(x, c, builder.load(total)), total)
    return builder.load(total)


def _emit_margins(emit: Emitter, narrow: Any, norm: Any, score: Any) -> Any:
    """Emit ``MARGINS`` times the margin that ``find_unproven`` demands."""
    builder = emit.builder
    slope, constant, agree = (
        emit.broadcast(value, emit.floats) for value in cgutils.unpack_tuple(builder, narrow, 3)
    )
    name = f"llvm.sqrt.v{emit.lanes}f{8 * emit.itemsize}"
    kind = ir.FunctionType(emit.floats, [emit.floats])
    root = builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [norm])
    size = emit.larger(score, builder.fneg(score))
    margin = emit.fma(slope, root, constant)
    margin = emit.fma(agree, builder.fadd(norm, builder.fadd(size, size)), margin)
    return builder.fmul(margin, ir.Constant(emit.floats, [MARGINS] * emit.lanes))


def _emit_labels(
    emit: Emitter, rows_type: Any, rows: Any, labels_type: Any, labels: Any, lane: Any
) -> Any:
    """Emit the labels of a vector of rows."""
    builder, rows = emit.builder, emit.pointer(rows_type, rows)
    labels = emit.array(labels_type, labels)
    stride = builder.extract_value(labels.strides, 0)
    places = []
    for p in range(emit.lanes):
        row = builder.load(emit.at(rows, builder.add(lane, integer(p))))
        places.append(cgutils.pointer_add(builder, labels.data, builder.mul(row, stride)))
    return emit.gather(places, emit.ints)


@intrinsic
def _start_at_labels_intrinsic(
    typingctx: Any, blocks: Any, b: Any, rows: Any, labels: Any, table: Any, norms: Any,
    narrow: Any, home: Any, best: Any, second: Any, index: Any
) -> Any:  # fmt: skip
    signature = types.void(
        blocks, types.intp, rows, labels, table, norms, narrow, home, best, second, index
    )

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        block, norms, home, best, second, index = (
            emit.item(sig.args[i], args[i], args[1]) for i in (0, 5, 7, 8, 9, 10)
        )
        n_features = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        table = emit.array(sig.args[4], args[4])
        k, width = cgutils.unpack_tuple(builder, table.shape, 2)
        lowest = ir.Constant(emit.floats, [float("-inf")] * emit.lanes)
        zero, nobody, size = (
            ir.Constant(emit.ints, [value] * emit.lanes) for value in (0, -1, CENTERS)
        )
        n_centers = emit.broadcast(builder.trunc(k, I32), emit.ints)
        step, first = integer(emit.lanes), builder.mul(args[1], integer(POINTS))
        with cgutils.for_range_slice(
            builder, integer(0), integer(POINTS), step, intp=I64
        ) as (lane, _):  # fmt: skip
            place = builder.add(first, lane)
            label = _emit_labels(emit, sig.args[2], args[2], sig.args[3], args[3], place)
            known = builder.icmp_unsigned("<", label, n_centers)
            valid = builder.select(known, label, zero)
            numbers = [builder.zext(emit.lane(valid, p), I64) for p in range(emit.lanes)]
            centers = [emit.at(table.data, builder.mul(number, width)) for number in numbers]
            score = _own_scores(emit, block, lane, centers, n_features)
            margin = _emit_margins(emit, args[6], emit.load(norms, lane, emit.floats), score)
            limit = builder.select(known, builder.fsub(score, margin), lowest)
            score = builder.select(known, score, lowest)
            leads = builder.fcmp_ordered(">", score, limit)
            tile = builder.udiv(valid, size)
            emit.store(builder.select(leads, tile, nobody), home, lane)
            emit.store(score, best, lane)
            emit.store(limit, second, lane)
            emit.store(builder.select(known, label, nobody), index, lane)
        return context.get_dummy_value()

    return signature, codegen


def _start_at_labels_twin(
    blocks: Any,  # in (n_blocks, d, POINTS) float32
    b: int,  # in, block
    rows: Any,  # in (n_blocks * POINTS,) int64, the rows in the blocks
    labels: Any,  # in (m,) int32, the labels of all rows; what is no center is none
    table: Any,  # in (k, width) float32, see fill_table
    norms: Any,  # in (n_blocks, POINTS) float32
    narrow: Any,  # in tuple of three float32, see bound.narrow_bound
    home: Any,  # out (n_blocks, POINTS) int32, tile of the label, or -1
    best: Any,  # out (n_blocks, POINTS) float32, score of the label, or -inf
    second: Any,  # out (n_blocks, POINTS) float32, limit, or -inf
    index: Any,  # out (n_blocks, POINTS) int32, label, or -1
) -> None:
    """Start a block at the labels of its rows."""
    d, (slope, constant, agree) = blocks.shape[1], narrow
    label = labels[rows[b * POINTS : (b + 1) * POINTS]]
    known = (label >= 0) & (label < len(table))
    centers = table[np.where(known, label, 0)]
    score = centers[:, d] + (centers[:, :d] * blocks[b].T).sum(axis=1)
    margin = slope * np.sqrt(norms[b]) + constant + agree * (norms[b] + 2 * np.abs(score))
    best[b] = np.where(known, score, -np.inf)
    second[b] = np.where(known, score - MARGINS * margin, -np.inf)
    index[b] = np.where(known, label, -1)
    home[b] = np.where(best[b] > second[b], index[b] // CENTERS, -1)


start_at_labels = _start_at_labels_twin if config.DISABLE_JIT else _start_at_labels_intrinsic


@jit_inline
def start_at_nothing(
    count,  # in int, number of blocks
    home,  # out (n_blocks, POINTS) int32
    best,  # out (n_blocks, POINTS) float32 or float64
    second,  # out (n_blocks, POINTS) of best's dtype
    index,  # out (n_blocks, POINTS) int32
):
    """Start blocks of rows without a label."""
    for b in range(count):
        for p in range(POINTS):
            home[b, p] = -1
            best[b, p] = -np.inf
            second[b, p] = -np.inf
            index[b, p] = -1
