"""Packing: rows into blocks of points, centers into tiles.

    x' = (x - shift) * scale

All that a micro-kernel reads is in these *scaled, shifted* coordinates.  ``shift`` is near the mean
of the data.  ``scale`` is a power of two that brings the largest coordinate near 1.  Multiplying by
it is exact, so labels do not depend on the unit of the data, and nothing overflows in float32.
Packing converts element types, strides and column order too: ``X`` is never copied.

Loop order of ``pack_points``: vectors of rows outside, features inside.  So memory is read in the
order of the rows.  ``pack_centers``: centers outside, features inside, for the same reason.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_inline
from ..emit.simd import CENTERS, I64, POINTS, VECTOR_BYTES, Emitter, integer

NARROW = 4
"""Most features of a narrow row.  Narrow rows without a gap between them are deinterleaved."""


def _row_pointers(emit: Emitter, matrix: Any, rows: Any, lane: Any) -> list[Any]:
    """Emit the addresses of as many rows as a vector has lanes."""
    builder = emit.builder
    _, row_stride, _ = cgutils.unpack_tuple(builder, matrix.strides, 3)
    pointers = []
    for p in range(emit.lanes):
        row = builder.load(emit.at(rows, builder.add(lane, integer(p))))
        place = builder.mul(row, row_stride)
        pointers.append(cgutils.pointer_add(builder, matrix.data, place))
    return pointers


def _emit_pack(context: Any, builder: Any, sig: Any, args: Any, how: str) -> Any:
    """Emit the packing of a vector of rows, features ``start:stop``.

    ``"square"``  features are contiguous, as many as a vector has lanes: loaded and transposed
    ``"part"``    features are contiguous, but fewer: likewise, with what follows them in memory
    ``"run"``     rows without a gap between them, of at most NARROW features: deinterleaved
    ``"strip"``   all others: gathered feature by feature
    """
    x_type, rows_type, _, _, _, offset_type, _, blocks_type, _ = sig.args
    x, rows, lane, start, stop, offset, scale, blocks, b = args
    emit = Emitter(context, builder, blocks_type.dtype)
    source = ir.VectorType(context.get_value_type(x_type.dtype), emit.lanes)
    exact = ir.VectorType(context.get_value_type(offset_type.dtype), emit.lanes)
    as_they_are = isinstance(blocks_type.dtype, types.Integer)
    matrix, rows = emit.array(x_type, x), emit.pointer(rows_type, rows)
    offset, block = emit.pointer(offset_type, offset), emit.item(blocks_type, blocks, b)
    scale = None if as_they_are else emit.broadcast(scale, exact)
    place = builder.and_(lane, integer(POINTS - 1))
    pointers = _row_pointers(emit, matrix, rows, lane)
    stride = cgutils.unpack_tuple(builder, matrix.strides, 3)[2]

    def move(values: Any, shift: Any) -> Any:
        if as_they_are:
            return values
        return emit.convert(emit.fma(emit.convert(values, exact), scale, shift), emit.floats)

    def shift_of(f: Any) -> Any:
        if as_they_are:
            return None
        return emit.broadcast(builder.load(emit.at(offset, f)), exact)

    def put(f: Any, vector: Any) -> None:
        emit.store(vector, block, builder.add(builder.mul(f, integer(POINTS)), place))

    if how == "square":
        shift = None if as_they_are else emit.load(offset, start, exact)
        packed = [move(emit.load(pointer, start, source), shift) for pointer in pointers]
        for t, vector in enumerate(emit.transpose(packed)):
            put(builder.add(start, integer(t)), vector)
    elif how == "part":
        loaded = [emit.load(pointer, start, source) for pointer in pointers]
        for t, values in enumerate(emit.transpose(loaded)):
            f = builder.add(start, integer(t))
            with builder.if_then(builder.icmp_signed("<", f, stop)):
                put(f, move(values, shift_of(f)))
    elif how == "run":
        for d in range(1, NARROW + 1):
            with builder.if_then(builder.icmp_signed("==", stop, integer(d))):
                run = [emit.load(pointers[0], integer(q * emit.lanes), source) for q in range(d)]
                for f, values in enumerate(emit.deinterleave(run)):
                    put(integer(f), move(values, shift_of(integer(f))))
    else:
        with cgutils.for_range_slice(builder, start, stop, integer(1), intp=I64) as (f, _):
            step = builder.mul(f, stride)
            values = [cgutils.pointer_add(builder, pointer, step) for pointer in pointers]
            put(f, move(emit.gather(values, source), shift_of(f)))
    return context.get_dummy_value()


def _define_pack(how: str) -> Any:
    """Return the intrinsic that packs a vector of rows in one of the four ways."""

    def pack(
        typingctx: Any, X: Any, rows: Any, lane: Any, start: Any, stop: Any, offset: Any,
        scale: Any, blocks: Any, b: Any
    ) -> Any:  # fmt: skip
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _emit_pack(context, builder, sig, args, how)

        n = types.intp
        return types.void(X, rows, n, n, n, offset, scale, blocks, n), codegen

    pack.__name__ = f"pack_{how}"
    return intrinsic(pack)


def _pack_twin(
    X: Any,  # in (2, m, d)
    rows: Any,  # in (n_blocks * POINTS,) int64
    lane: int,  # in, place in rows of the first row; a vector's lanes are packed
    start: int,  # in, first feature
    stop: int,  # in, feature to stop before; for a square, lanes further on
    offset: Any,  # in (d,) float32 or float64
    scale: Any,  # in, of offset's dtype
    blocks: Any,  # out (n_blocks, d, POINTS)
    b: int,  # in, block, lane // POINTS
) -> None:
    """Pack a vector of rows, some features of each."""
    width = VECTOR_BYTES // blocks.itemsize
    strip = X[0][rows[lane : lane + width], start:stop]
    if blocks.dtype.kind == "f":
        strip = strip * scale + offset[start:stop]
    p = lane % POINTS
    blocks[b, start:stop, p : p + width] = strip.T


@intrinsic
def _square_norms_intrinsic(typingctx: Any, blocks: Any, b: Any, norms: Any) -> Any:
    signature = types.void(blocks, types.intp, norms)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if isinstance(sig.args[0].dtype, types.Integer):
            return context.get_dummy_value()
        emit = Emitter(context, builder, sig.args[0].dtype)
        block = emit.item(sig.args[0], args[0], args[1])
        norms = emit.item(sig.args[2], args[2], args[1])
        n_features = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        offsets = range(0, POINTS, emit.lanes)
        slots = emit.variables(len(offsets), emit.floats)
        for slot in slots:
            builder.store(ir.Constant(emit.floats, [0.0] * emit.lanes), slot)
        with cgutils.for_range(builder, n_features, intp=I64) as loop:
            row = builder.mul(loop.index, integer(POINTS))
            for offset, slot in zip(offsets, slots, strict=True):
                x = emit.load(block, builder.add(row, integer(offset)), emit.floats)
                builder.store(emit.fma(x, x, builder.load(slot)), slot)
        for offset, slot in zip(offsets, slots, strict=True):
            emit.store(builder.load(slot), norms, integer(offset))
        return context.get_dummy_value()

    return signature, codegen


def _square_norms_twin(
    blocks: Any,  # in (n_blocks, d, POINTS)
    b: int,  # in, block
    norms: Any,  # out (n_blocks, POINTS)
) -> None:
    """Compute the squared norms of the points of a block; words have none."""
    if blocks.dtype.kind == "f":
        norms[b] = (blocks[b] * blocks[b]).sum(axis=0)


if config.DISABLE_JIT:
    _pack_square = _pack_part = _pack_run = _pack_strip = _pack_twin
    _square_norms = _square_norms_twin
else:
    _pack_square, _pack_part, _pack_run, _pack_strip = map(
        _define_pack, ("square", "part", "run", "strip")
    )
    _square_norms = _square_norms_intrinsic


@jit
def pack_points(
    X,  # in (2, m, d) float32 or float64, or int32: words; any strides
    rows,  # in/out (n_blocks * POINTS,) int64, rows of X to pack
    count,  # in int, number of valid entries of rows; the last one fills up its block
    offset,  # in (d,) float32 or float64, no narrower than X, -shift * scale
    scale,  # in float of offset's dtype, power of two
    blocks,  # out (n_blocks, d, POINTS) float32 or float64, or int32: words
    norms,  # out (n_blocks, POINTS) of blocks' dtype, squared norms of the packed points
):
    """Pack rows: ``blocks[b, f, p] = x[rows[b * POINTS + p], f] * scale + offset[f]``.

    Contiguous rows are read a vector at a time and transposed in registers, square by square.  The
    last square overlaps the one before it, so that there is no remainder.  If a row has fewer
    features than a vector, the next row fills it; the last rows of ``X`` are gathered.  Narrow rows
    are deinterleaved, all others gathered.  The arithmetic is that of ``offset``.  Words (int32,
    the codes of some features) are copied, without offset, scale and norms.  Returns the number of
    blocks.
    """
    _, m, d = X.shape
    n_blocks = (count + POINTS - 1) // POINTS
    for p in range(count, n_blocks * POINTS):
        rows[p] = rows[count - 1]
    width = VECTOR_BYTES // blocks.itemsize
    _, stride, step = X.strides
    contiguous = step == X.itemsize
    narrow = contiguous and d <= NARROW and stride == d * X.itemsize
    # The last row so far before the end that a vector from its start stays within X.
    safe = -1
    if contiguous and NARROW < d < width and stride > 0:
        safe = m - 2 - (width - d) * X.itemsize // stride
    for lane in range(0, n_blocks * POINTS, width):
        b = lane // POINTS
        run = narrow and lane + width <= count
        last = rows[lane]
        for p in range(lane + 1, lane + width):
            run = run and rows[p] == rows[p - 1] + 1
            last = rows[p] if rows[p] > last else last
        if run:
            _pack_run(X, rows, lane, 0, d, offset, scale, blocks, b)
        elif contiguous and d >= width:
            for start in range(0, d, width):
                f = start if start < d - width else d - width
                _pack_square(X, rows, lane, f, f + width, offset, scale, blocks, b)
        elif last <= safe:
            _pack_part(X, rows, lane, 0, d, offset, scale, blocks, b)
        else:
            _pack_strip(X, rows, lane, 0, d, offset, scale, blocks, b)
    for b in range(n_blocks):
        _square_norms(blocks, b, norms)
    return n_blocks


@jit_inline
def sum_of_squares(
    values,  # in (d,) float64
):
    """Return the sum of the squares, in four chains that do not wait for each other."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = values.size // 4 * 4
    for f in range(0, whole, 4):
        first += values[f] * values[f]
        second += values[f + 1] * values[f + 1]
        third += values[f + 2] * values[f + 2]
        fourth += values[f + 3] * values[f + 3]
    for f in range(whole, values.size):
        first += values[f] * values[f]
    return (first + second) + (third + fourth)


@jit_inline
def same_row(
    A,  # in (k, d) float64
    i,  # in int, row of A
    j,  # in int, row of A
):
    """Return whether two rows are equal in every feature."""
    _, d = A.shape
    for f in range(d):
        if A[i, f] != A[j, f]:
            return False
    return True


@jit_inline
def mark_repeats(
    centers,  # in (k, d) float64
    norms,  # in (k,) float64, equal for equal centers
    table,  # scratch (power of two above k,) int32
    repeated,  # out (k,) bool
):
    """Mark every center that equals a center of lower index.

    Such a center never wins, because ties go to the lowest index.  But each of its rows would be an
    exact tie, which takes longest to settle.  A hash table of the norms' mantissas takes O(k d).
    """
    mask = table.size - 1
    for slot in range(table.size):
        table[slot] = -1
    for j in range(repeated.size):
        repeated[j] = False
        mantissa, exponent = math.frexp(norms[j] if norms[j] < np.inf else 0.0)
        slot = np.int64(mantissa * 0.6180339887498949e9 % 1.0 * table.size) + exponent & mask
        while table[slot] >= 0:
            if same_row(centers, table[slot], j):
                repeated[j] = True
                break
            slot = slot + 1 & mask
        if not repeated[j]:
            table[slot] = j


@jit
def pack_centers(
    centers,  # in (k, d) float64
    shift,  # in (d,) float64
    scale,  # in float64, power of two
    by_cosine,  # in bool, whether scores are products alone
    norms,  # out (k,) float64, squared norms in scaled, shifted coordinates
    table,  # scratch (power of two above k,) int32
    repeated,  # out (k,) bool, center equals one of lower index
    scaled,  # out (k, d) float64, centers in scaled, shifted coordinates
    tiles,  # out (n_tiles, 1 + d, CENTERS) float32 or float64
):
    """Pack centers; return the largest squared norm.

    Row 0 of a tile is the bias: ``-|c'|^2 / 2``, and by cosine 0.  For padding and repeated centers
    it is ``-inf``, so that they never win.
    """
    (k, d), (n_tiles, _, _) = centers.shape, tiles.shape
    largest = 0.0
    for j in range(k):
        center, c = centers[j], scaled[j]
        for f in range(d):
            c[f] = (center[f] - shift[f]) * scale
        tile, r = tiles[j // CENTERS], j % CENTERS
        for f in range(d):
            tile[1 + f, r] = c[f]
        norm = sum_of_squares(c)
        norms[j] = norm
        if not norm <= largest:
            largest = norm if norm == norm else np.inf
    mark_repeats(centers, norms, table, repeated)
    for j in range(n_tiles * CENTERS):
        tile, r = j // CENTERS, j % CENTERS
        share = 0.0 if by_cosine else -0.5
        bias = share * norms[j] if j < k and not repeated[j] else -np.inf
        tiles[tile, 0, r] = bias
    return largest
