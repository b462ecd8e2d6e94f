"""One row of the data, scaled and shifted: ``x' = x * scale + offset``.

    load_row     out_p = x'
    add_row      sums_j += weight x'
    add_square   squares_chain += weight (x' - c_j)^2

Loop order: features, a vector at a time, then half a vector, and so on.  The three share this loop.
It is vector IR, because numba vectorises no loop whose stride it does not know.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from .simd import I64, Emitter, integer


@contextmanager
def _loop(builder: Any, start: Any, stop: Any, step: Any) -> Iterator[Any]:
    """Emit a loop over ``start, start + step, ...``; yield its index."""
    with cgutils.for_range_slice(builder, start, stop, step, intp=I64) as (index, _):
        yield index


def _emit_row(
    emit: Emitter,
    x_type: Any,
    arguments: tuple[Any, ...],  # X, i, start, stop, offset pointer, scale
    body: Callable[[Any, Any, Any], None],
) -> None:
    """Emit ``body(f, x', kind)`` for the features of a row, by vectors, then halves of them.

    Contiguous features are loaded by whole vectors, others gathered; the arithmetic is the same.
    """
    X, i, start, stop, offset, scale = arguments
    builder = emit.builder
    matrix = emit.array(x_type, X)
    _, row_stride, stride = cgutils.unpack_tuple(builder, matrix.strides, 3)
    source = cgutils.pointer_add(builder, matrix.data, builder.mul(i, row_stride))
    element = source.type.pointee
    vector = ir.VectorType(element, emit.lanes)

    def gather(f: Any, lanes: int) -> Any:
        places = [builder.mul(builder.add(f, integer(n)), stride) for n in range(lanes)]
        pointers = [cgutils.pointer_add(builder, source, place) for place in places]
        if lanes == 1:
            return builder.load(pointers[0])
        return emit.gather(pointers, ir.VectorType(element, lanes))

    def apply(f: Any, x: Any, kind: Any) -> None:
        factor = emit.broadcast(scale, kind) if isinstance(kind, ir.VectorType) else scale
        body(f, emit.fma(emit.convert(x, kind), factor, emit.load(offset, f, kind)), kind)

    lanes = integer(emit.lanes)
    count = builder.sub(stop, start)
    middle = builder.add(start, builder.and_(count, integer(-emit.lanes)))
    with builder.if_then(builder.icmp_signed(">=", count, lanes)):
        contiguous = builder.icmp_signed("==", stride, integer(x_type.dtype.bitwidth // 8))
        with builder.if_else(contiguous) as (then, otherwise):
            with then, _loop(builder, start, middle, lanes) as f:
                apply(f, emit.load(source, f, vector), emit.floats)
            with otherwise, _loop(builder, start, middle, lanes) as f:
                apply(f, gather(f, emit.lanes), emit.floats)
    half = emit.lanes // 2
    while half:
        left = builder.and_(count, integer(half))
        with builder.if_then(builder.icmp_signed("!=", left, integer(0))):
            kind = emit.element if half == 1 else ir.VectorType(emit.element, half)
            apply(middle, gather(middle, half), kind)
        middle, half = builder.add(middle, left), half // 2


@intrinsic
def _load_row_intrinsic(
    typingctx: Any, X: Any, i: Any, offset: Any, scale: Any, out: Any, p: Any
) -> Any:
    n = types.intp
    signature = types.void(X, n, offset, offset.dtype, out, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[2].dtype)
        target = emit.item(sig.args[4], args[4], args[5])
        d = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 2)
        written = context.get_value_type(sig.args[4].dtype)

        def body(f: Any, x: Any, kind: Any) -> None:
            vector = isinstance(kind, ir.VectorType)
            element = ir.VectorType(written, kind.count) if vector else written
            emit.store(emit.convert(x, element), target, f)

        offset = emit.pointer(sig.args[2], args[2])
        _emit_row(emit, sig.args[0], (args[0], args[1], integer(0), d, offset, args[3]), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _prefetch_row_intrinsic(typingctx: Any, X: Any, i: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float64)
        matrix = emit.array(sig.args[0], args[0])
        _, row_stride, _ = cgutils.unpack_tuple(builder, matrix.strides, 3)
        source = cgutils.pointer_add(builder, matrix.data, builder.mul(args[1], row_stride))
        emit.prefetch(source)
        return context.get_dummy_value()

    return types.void(X, types.intp), codegen


@intrinsic
def _add_row_intrinsic(
    typingctx: Any, X: Any, i: Any, start: Any, stop: Any, offset: Any, scale: Any, weight: Any,
    sums: Any, j: Any
) -> Any:  # fmt: skip
    n, x = types.intp, types.float64
    signature = types.void(X, n, n, n, offset, x, x, sums, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float64)
        total = emit.item(sig.args[7], args[7], args[8])

        def body(f: Any, x: Any, kind: Any) -> None:
            vector = isinstance(kind, ir.VectorType)
            weight = emit.broadcast(args[6], kind) if vector else args[6]
            emit.store(emit.fma(weight, x, emit.load(total, f, kind)), total, f)

        offset = emit.pointer(sig.args[4], args[4])
        _emit_row(emit, sig.args[0], (*args[:4], offset, args[5]), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _add_square_intrinsic(
    typingctx: Any, X: Any, i: Any, start: Any, stop: Any, offset: Any, scale: Any, weight: Any,
    squares: Any, chain: Any, centers: Any, j: Any
) -> Any:  # fmt: skip
    n, x = types.intp, types.float64
    signature = types.void(X, n, n, n, offset, x, x, squares, n, centers, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float64)
        total = emit.item(sig.args[7], args[7], args[8])
        center = emit.item(sig.args[9], args[9], args[10])

        def body(f: Any, x: Any, kind: Any) -> None:
            vector = isinstance(kind, ir.VectorType)
            weight = emit.broadcast(args[6], kind) if vector else args[6]
            difference = builder.fsub(x, emit.load(center, f, kind))
            weighted = builder.fmul(weight, difference)
            emit.store(emit.fma(weighted, difference, emit.load(total, f, kind)), total, f)

        offset = emit.pointer(sig.args[4], args[4])
        _emit_row(emit, sig.args[0], (*args[:4], offset, args[5]), body)
        return context.get_dummy_value()

    return signature, codegen


def _load_row_twin(
    X: Any,  # in (2, m, d)
    i: int,  # in, row of X
    offset: Any,  # in (d,) float64, or of X's dtype
    scale: Any,  # in, power of two, of offset's dtype
    out: Any,  # out (n, width) float32 or float64; only the first d of a row are written
    p: int,  # in, row of out
) -> None:
    """Write a row, scaled and shifted, in the dtype of the offset."""
    out[p, : X.shape[2]] = X[0, i].astype(offset.dtype) * scale + offset


def _prefetch_row_twin(
    X: Any,  # in (2, m, d)
    i: int,  # in, row of X
) -> None:
    """Prefetch the beginning of a row."""


def _add_row_twin(
    X: Any,  # in (2, m, d)
    i: int,  # in, row of X
    start: int,  # in, first feature
    stop: int,  # in, feature to stop before
    offset: Any,  # in (d,) float64
    scale: float,  # in, power of two
    weight: float,  # in, of the row
    sums: Any,  # in/out (k, d) float64
    j: int,  # in, row of sums
) -> None:
    """Add a row, scaled and shifted, to a sum."""
    f = slice(start, stop)
    sums[j, f] += weight * (X[0, i, f].astype(np.float64) * scale + offset[f])


def _add_square_twin(
    X: Any,  # in (2, m, d)
    i: int,  # in, row of X
    start: int,  # in, first feature
    stop: int,  # in, feature to stop before
    offset: Any,  # in (d,) float64
    scale: float,  # in, power of two
    weight: float,  # in, of the row
    squares: Any,  # in/out (CHAINS, max(d, NARROW_CHAINS)) float64
    chain: int,  # in, row of squares
    centers: Any,  # in (k, d) float64, scaled and shifted
    j: int,  # in, row of centers
) -> None:
    """Add the squared difference between a row and a center, feature by feature."""
    f = slice(start, stop)
    x = X[0, i, f].astype(np.float64) * scale + offset[f]
    squares[chain, f] += weight * (x - centers[j, f]) * (x - centers[j, f])


if config.DISABLE_JIT:
    load_row, prefetch_row = _load_row_twin, _prefetch_row_twin
    add_row, add_square = _add_row_twin, _add_square_twin
else:
    load_row, prefetch_row = _load_row_intrinsic, _prefetch_row_intrinsic
    add_row, add_square = _add_row_intrinsic, _add_square_intrinsic
