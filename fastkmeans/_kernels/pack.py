"""Packing: rows into blocks of points, centers into tiles.

Everything that the micro-kernel reads lives in *scaled, shifted* coordinates

    x' = (x - shift) * scale,

with ``shift`` near the mean of the data and ``scale`` a power of two that brings the
largest coordinate near 1.  Multiplying by ``scale`` is exact, so labels do not depend
on the unit of the data, and nothing overflows in float32.  Packing is also where
element types, strides and column order end: no copy of ``X`` is ever made.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from .._jit import jit
from .simd import CENTERS, I64, POINTS, VECTOR_BYTES, Emitter, integer


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


def _emit_pack(context: Any, builder: Any, sig: Any, args: Any, contiguous: bool) -> Any:
    """Emit the packing of a vector of rows, features ``start:stop``.

    Contiguous features (as many as a vector has lanes) are loaded row by row and
    transposed; others are gathered feature by feature.
    """
    x_type, rows_type, _, _, _, offset_type, _, block_type = sig.args
    x, rows, lane, start, stop, offset, scale, block = args
    emit = Emitter(context, builder, block_type.dtype)
    source = ir.VectorType(context.get_value_type(x_type.dtype), emit.lanes)
    matrix, rows = emit.array(x_type, x), emit.pointer(rows_type, rows)
    offset, block = emit.pointer(offset_type, offset), emit.pointer(block_type, block)
    scale = emit.broadcast(scale, source)
    pointers = _row_pointers(emit, matrix, rows, lane)

    def put(f: Any, vector: Any) -> None:
        emit.store(vector, block, builder.add(builder.mul(f, integer(POINTS)), lane))

    if contiguous:
        shift = emit.load(offset, start, source)
        loaded = [emit.load(pointer, start, source) for pointer in pointers]
        packed = [emit.convert(emit.fma(v, scale, shift), emit.floats) for v in loaded]
        for t, vector in enumerate(emit.transpose(packed)):
            put(builder.add(start, integer(t)), vector)
    else:
        stride = cgutils.unpack_tuple(builder, matrix.strides, 3)[2]
        with cgutils.for_range_slice(builder, start, stop, integer(1), intp=I64) as (f, _):
            place = builder.mul(f, stride)
            values = [cgutils.pointer_add(builder, pointer, place) for pointer in pointers]
            shift = emit.broadcast(builder.load(emit.at(offset, f)), source)
            moved = emit.fma(emit.gather(values, source), scale, shift)
            put(f, emit.convert(moved, emit.floats))
    return context.get_dummy_value()


def _pack_signature(arguments: tuple[Any, ...]) -> Any:
    X, rows, _, _, _, offset, scale, block = arguments
    return types.void(X, rows, types.intp, types.intp, types.intp, offset, scale, block)


@intrinsic
def _pack_square_intrinsic(
    typingctx: Any,
    X: Any,
    rows: Any,
    lane: Any,
    start: Any,
    stop: Any,
    offset: Any,
    scale: Any,
    block: Any,
) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _emit_pack(context, builder, sig, args, contiguous=True)

    return _pack_signature((X, rows, lane, start, stop, offset, scale, block)), codegen


@intrinsic
def _pack_strip_intrinsic(
    typingctx: Any,
    X: Any,
    rows: Any,
    lane: Any,
    start: Any,
    stop: Any,
    offset: Any,
    scale: Any,
    block: Any,
) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _emit_pack(context, builder, sig, args, contiguous=False)

    return _pack_signature((X, rows, lane, start, stop, offset, scale, block)), codegen


def _pack_twin(
    X: Any,  # in (2, m, d)
    rows: Any,  # in (POINTS,) int64
    lane: int,  # first point of the strip, as wide as a vector
    start: int,  # first feature
    stop: int,  # feature to stop before; for a square, a vector's lanes further on
    offset: Any,  # in (d,) of X's dtype
    scale: Any,  # of X's dtype
    block: Any,  # out (d, POINTS)
) -> None:
    """Pack a vector of rows, some features of each."""
    p = slice(lane, lane + VECTOR_BYTES // block.itemsize)
    strip = X[0][rows[p], start:stop] * scale + offset[start:stop]
    block[start:stop, p] = strip.T


if config.DISABLE_JIT:
    _pack_square = _pack_strip = _pack_twin
else:
    _pack_square, _pack_strip = _pack_square_intrinsic, _pack_strip_intrinsic


@jit
def pack_points(
    X,  # in (2, m, d) float32 or float64, any strides
    rows,  # in/out (POINTS,) int64, rows of X to pack
    count,  # number of valid entries of rows; the last one fills the other lanes
    offset,  # in (d,) of X's dtype, -shift * scale
    scale,  # power of two, of X's dtype
    block,  # out (d, POINTS) float32 or float64
    norms,  # out (POINTS,) of block's dtype, squared norms of the packed points
):
    """Pack rows: ``block[f, p] = x[rows[p], f] * scale + offset[f]``.

    C-ordered rows are read a vector at a time and transposed in registers, square by
    square; the last square overlaps its neighbour rather than leave a remainder.
    """
    d = X.shape[2]
    for p in range(count, POINTS):
        rows[p] = rows[count - 1]
    width = VECTOR_BYTES // block.itemsize
    for lane in range(0, POINTS, width):
        if X.strides[2] == X.itemsize and d >= width:
            for start in range(0, d, width):
                f = min(start, d - width)
                _pack_square(X, rows, lane, f, f + width, offset, scale, block)
        else:
            _pack_strip(X, rows, lane, 0, d, offset, scale, block)
    for p in range(POINTS):
        norms[p] = 0
    for f in range(d):
        for p in range(POINTS):
            norms[p] += block[f, p] * block[f, p]


@jit
def same_row(
    A,  # in (k, d)
    i,  # a row
    j,  # another row
):
    """Tell whether two rows are equal in every feature."""
    for f in range(A.shape[1]):
        if A[i, f] != A[j, f]:
            return False
    return True


@jit
def mark_repeats(
    centers,  # in (k, d) float64
    norms,  # in (k,) float64, equal for equal centers
    table,  # scratch (power of two above k,) int32
    repeated,  # out (k,) bool
):
    """Mark every center that equals a center of lower index.

    Such a center never wins (ties go to the lowest index), but each of its rows would
    be an exact tie and fall through to the slowest way of settling it.  A hash table
    over the mantissa of the norm finds them in O(k d).
    """
    mask = table.size - 1
    for slot in range(table.size):
        table[slot] = -1
    for j in range(centers.shape[0]):
        repeated[j] = False
        mantissa, exponent = math.frexp(norms[j] if norms[j] < np.inf else 0.0)
        mixed = np.uint64(abs(mantissa) * 9007199254740992.0) * np.uint64(0x9E3779B97F4A7C15)
        slot = np.int64(mixed >> np.uint64(33)) + exponent & mask
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
    scale,  # power of two
    norms,  # out (k,) float64, squared norms in scaled, shifted coordinates
    table,  # scratch (power of two above k,) int32
    repeated,  # out (k,) bool, center equals one of lower index
    scaled,  # out (k, d) float64, centers in scaled, shifted coordinates
    tiles32,  # out (n_tiles, 1 + d, CENTERS) float32
    tiles64,  # out (n_tiles, 1 + d, CENTERS) float64
):
    """Pack centers in both precisions; return the largest squared norm.

    Row 0 of a tile is the bias ``-|c'|^2 / 2``, or ``-inf`` for padding and repeated
    centers, so that neither can win.
    """
    k, d = centers.shape
    largest = 0.0
    for j in range(k):
        tile, r = j // CENTERS, j % CENTERS
        norm = 0.0
        for f in range(d):
            c = (centers[j, f] - shift[f]) * scale
            norm += c * c
            scaled[j, f] = c
            tiles64[tile, 1 + f, r] = c
            tiles32[tile, 1 + f, r] = np.float32(c)
        norms[j] = norm
        largest = max(largest, norm) if norm == norm else np.inf
    mark_repeats(centers, norms, table, repeated)
    for j in range(tiles64.shape[0] * CENTERS):
        tile, r = j // CENTERS, j % CENTERS
        bias = -0.5 * norms[j] if j < k and not repeated[j] else -np.inf
        tiles64[tile, 0, r] = bias
        tiles32[tile, 0, r] = bias
    return largest
