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
from .simd import CENTERS, POINTS, VECTOR_BYTES, Emitter, integer


def _row_pointers(emit: Emitter, matrix: Any, rows: Any, lane: Any, f: Any) -> list[Any]:
    """Emit the addresses of feature ``f`` of as many rows as a vector has lanes."""
    builder = emit.builder
    _, row_stride, feature_stride = cgutils.unpack_tuple(builder, matrix.strides, 3)
    column = cgutils.pointer_add(builder, matrix.data, builder.mul(f, feature_stride))
    pointers = []
    for p in range(emit.lanes):
        row = builder.load(emit.at(rows, builder.add(lane, integer(p))))
        pointers.append(cgutils.pointer_add(builder, column, builder.mul(row, row_stride)))
    return pointers


def _define_pack(square: bool) -> Any:
    """Return the code generator for a square of features, or for a single one."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        x_type, rows_type, _, _, offset_type, _, block_type = sig.args
        x, rows, lane, f, offset, scale, block = args
        emit = Emitter(context, builder, block_type.dtype)
        source = ir.VectorType(context.get_value_type(x_type.dtype), emit.lanes)
        matrix, rows = emit.array(x_type, x), emit.pointer(rows_type, rows)
        offset, block = emit.pointer(offset_type, offset), emit.pointer(block_type, block)
        pointers = _row_pointers(emit, matrix, rows, lane, f)
        if square:
            shift = emit.load(offset, f, source)
            vectors = [emit.load(pointer, integer(0), source) for pointer in pointers]
        else:
            shift = emit.broadcast(builder.load(emit.at(offset, f)), source)
            vectors = [emit.gather(pointers, source)]
        scale = emit.broadcast(scale, source)
        vectors = [emit.convert(emit.fma(v, scale, shift), emit.floats) for v in vectors]
        if square:
            vectors = emit.transpose(vectors)
        for t, vector in enumerate(vectors):
            feature = builder.mul(builder.add(f, integer(t)), integer(POINTS))
            emit.store(vector, block, builder.add(feature, lane))
        return context.get_dummy_value()

    return codegen


@intrinsic
def _pack_square_intrinsic(
    typingctx: Any, X: Any, rows: Any, lane: Any, f: Any, offset: Any, scale: Any, block: Any
) -> Any:
    signature = types.void(X, rows, types.intp, types.intp, offset, scale, block)
    return signature, _define_pack(square=True)


@intrinsic
def _pack_feature_intrinsic(
    typingctx: Any, X: Any, rows: Any, lane: Any, f: Any, offset: Any, scale: Any, block: Any
) -> Any:
    signature = types.void(X, rows, types.intp, types.intp, offset, scale, block)
    return signature, _define_pack(square=False)


def _pack_square_twin(
    X: Any,  # in (2, m, d)
    rows: Any,  # in (POINTS,) int64
    lane: int,  # first point of the square
    f: int,  # first feature of the square
    offset: Any,  # in (d,) of X's dtype
    scale: Any,  # of X's dtype
    block: Any,  # out (d, POINTS)
) -> None:
    """Pack a vector of rows, a vector of features each; the features are contiguous."""
    for t in range(f, f + VECTOR_BYTES // block.itemsize):
        _pack_feature_twin(X, rows, lane, t, offset, scale, block)


def _pack_feature_twin(
    X: Any,  # in (2, m, d)
    rows: Any,  # in (POINTS,) int64
    lane: int,  # first point
    f: int,  # feature
    offset: Any,  # in (d,) of X's dtype
    scale: Any,  # of X's dtype
    block: Any,  # out (d, POINTS)
) -> None:
    """Pack one feature of a vector of rows."""
    p = slice(lane, lane + VECTOR_BYTES // block.itemsize)
    block[f, p] = X[0, rows[p], f] * scale + offset[f]


if config.DISABLE_JIT:
    _pack_square, _pack_feature = _pack_square_twin, _pack_feature_twin
else:
    _pack_square, _pack_feature = _pack_square_intrinsic, _pack_feature_intrinsic


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
    if X.strides[2] == X.itemsize and d >= width:
        for start in range(0, d, width):
            f = min(start, d - width)
            for lane in range(0, POINTS, width):
                _pack_square(X, rows, lane, f, offset, scale, block)
    else:
        for f in range(d):
            for lane in range(0, POINTS, width):
                _pack_feature(X, rows, lane, f, offset, scale, block)
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
        mantissa, exponent = math.frexp(norms[j])
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
