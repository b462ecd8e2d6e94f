"""Products of single rows and centers, in floats and in bytes.

    dot(A, i, B, j) = sum_f A[i, f] B[j, f],    byte_dot = sum_f (q_f + 128) p_f

Loop order: features, a vector at a time.  Lanes are features, because there is one row and one
center.  ``dot`` adds in four chains that do not wait for each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from .simd import BYTE_DOT, I32, I64, Emitter, integer


def emit_dot4(emit: Emitter, total: Any, x: Any, c: Any) -> Any:
    """Emit ``total + sum of four products``, unsigned bytes of x by signed bytes of c."""
    builder = emit.builder
    if BYTE_DOT is not None:
        signature = ir.FunctionType(emit.ints, [emit.ints] * 3)
        function = cgutils.get_or_insert_function(builder.module, signature, BYTE_DOT)
        return builder.call(function, [total, x, c])
    for byte in range(4):
        left, right = (ir.Constant(emit.ints, [bits] * emit.lanes) for bits in (24 - 8 * byte, 24))
        unsigned = builder.lshr(builder.shl(x, left), right)
        signed = builder.ashr(builder.shl(c, left), right)
        total = builder.add(total, builder.mul(unsigned, signed))
    return total


@intrinsic
def _dot_intrinsic(typingctx: Any, A: Any, i: Any, B: Any, j: Any) -> Any:
    signature = A.dtype(A, types.intp, B, types.intp)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.return_type)
        a, b = (emit.item(sig.args[n], args[n], args[n + 1]) for n in (0, 2))
        width = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        chains = emit.variables(4, emit.floats)
        zero = ir.Constant(emit.floats, [0.0] * emit.lanes)
        for chain in chains:
            builder.store(zero, chain)

        def add(f: Any, chain: Any) -> None:
            x, y = emit.load(a, f, emit.floats), emit.load(b, f, emit.floats)
            builder.store(emit.fma(x, y, builder.load(chain)), chain)

        stride = integer(4 * emit.lanes)
        whole = builder.mul(builder.sdiv(width, stride), stride)
        with cgutils.for_range_slice(builder, integer(0), whole, stride, intp=I64) as (f, _):
            for n, chain in enumerate(chains):
                add(builder.add(f, integer(n * emit.lanes)), chain)
        with cgutils.for_range_slice(
            builder, whole, width, integer(emit.lanes), intp=I64
        ) as (f, _):  # fmt: skip
            add(f, chains[0])
        first, second, third, fourth = (builder.load(chain) for chain in chains)
        return emit.sum(builder.fadd(builder.fadd(first, second), builder.fadd(third, fourth)))

    return signature, codegen


@intrinsic
def _byte_dot_intrinsic(typingctx: Any, words: Any, i: Any, centers: Any, j: Any) -> Any:
    signature = types.int32(words, types.intp, centers, types.intp)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        rows, centers = emit.array(sig.args[0], args[0]), emit.array(sig.args[2], args[2])
        n_words = builder.extract_value(rows.shape, 2)
        width = builder.extract_value(centers.shape, 1)
        row = emit.at(rows.data, builder.mul(args[1], n_words))
        center = emit.at(centers.data, builder.mul(args[3], width))
        total = emit.variables(1, emit.ints)[0]
        builder.store(ir.Constant(emit.ints, [0] * emit.lanes), total)
        step = integer(emit.lanes)
        limit = emit.broadcast(builder.trunc(n_words, I32), emit.ints)
        with cgutils.for_range_slice(builder, integer(0), n_words, step, intp=I64) as (w, _):
            valid = builder.icmp_signed("<", emit.numbers(w), limit)
            x, c = emit.load_some(row, w, valid), emit.load(center, w, emit.ints)
            builder.store(emit_dot4(emit, builder.load(total), x, c), total)
        return emit.sum(builder.load(total))

    return signature, codegen


@intrinsic
def _lowest_bit_intrinsic(typingctx: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


def _dot_twin(
    A: Any,  # in (n, width) float32 or float64, width a multiple of a vector's lanes
    i: int,  # in, row of A
    B: Any,  # in (k, width), of the same dtype
    j: int,  # in, row of B
) -> Any:
    """Return the product of two rows."""
    return (A[i] * B[j]).sum()


def _byte_dot_twin(
    words: Any,  # in (2, m, d4) int32, C-ordered rows, bytes of the points plus 128
    i: int,  # in, row of words
    centers: Any,  # in (k, width) int32, bytes of the centers, zero beyond d4
    j: int,  # in, row of centers
) -> int:
    """Return the product of a row and a center, with the offset of 128."""
    x = np.ascontiguousarray(words[0, i]).view(np.uint8).astype(np.int64)
    c = np.ascontiguousarray(centers[j]).view(np.int8).astype(np.int64)
    return int(x @ c[: x.size])


def _lowest_bit_twin(
    bits: int,  # in, not zero
) -> int:
    """Return the number of the lowest bit that is set."""
    return (int(bits) & -int(bits)).bit_length() - 1


if config.DISABLE_JIT:
    dot, byte_dot, lowest_bit = _dot_twin, _byte_dot_twin, _lowest_bit_twin
else:
    dot, byte_dot, lowest_bit = _dot_intrinsic, _byte_dot_intrinsic, _lowest_bit_intrinsic
