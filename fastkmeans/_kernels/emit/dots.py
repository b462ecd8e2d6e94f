"""Products of single rows and centers, in floats and in codes.

    dot(A, i, B, j) = sum_f A[i, f] B[j, f],    code_dot = sum_f (q_f + OFFSET) p_f

Loop order: features, a vector at a time.  Lanes are features, because there is one row and one
center.  ``dot`` adds in four chains that do not wait for each other.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from .simd import CODES, I32, I64, Emitter, integer


def emit_products(emit: Emitter, total: Any, x: Any, c: Any) -> Any:
    """Emit ``total +`` the products of the codes of a word of x and one of c, in every lane."""
    builder, codes = emit.builder, emit.target.codes
    if not codes.product:
        half = ir.Constant(emit.ints, [codes.bits] * emit.lanes)
        for left in (False, True):
            low, high = (
                builder.ashr(builder.shl(word, half) if left else word, half) for word in (x, c)
            )
            total = builder.add(total, builder.mul(low, high))
        return total
    if codes.bits == 8:
        kind = ir.VectorType(ir.IntType(8), 4 * emit.lanes) if codes.offset == 0 else emit.ints
        signature = ir.FunctionType(emit.ints, [emit.ints, kind, kind])
    else:
        kind = ir.VectorType(ir.IntType(16), 2 * emit.lanes)
        signature = ir.FunctionType(emit.ints, [kind, kind])
    function = cgutils.get_or_insert_function(builder.module, signature, codes.product)
    words = [word if kind == emit.ints else builder.bitcast(word, kind) for word in (x, c)]
    if codes.bits == 8:
        return builder.call(function, [total, *words])
    return builder.add(total, builder.call(function, words))


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
def _code_dot_intrinsic(typingctx: Any, words: Any, i: Any, centers: Any, j: Any) -> Any:
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
            builder.store(emit_products(emit, builder.load(total), x, c), total)
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


def _code_dot_twin(
    words: Any,  # in (2, m, n_words) int32, C-ordered rows, codes of the points plus OFFSET
    i: int,  # in, row of words
    centers: Any,  # in (k, width) int32, codes of the centers, zero beyond n_words
    j: int,  # in, row of centers
) -> int:
    """Return the product of a row and a center, with the offset of the row's codes."""
    x = np.ascontiguousarray(words[0, i]).view(CODES.of_rows).astype(np.int64)
    c = np.ascontiguousarray(centers[j]).view(CODES.of_centers).astype(np.int64)
    return int(x @ c[: x.size])


def _lowest_bit_twin(
    bits: int,  # in, not zero
) -> int:
    """Return the number of the lowest bit that is set."""
    return (int(bits) & -int(bits)).bit_length() - 1


if config.DISABLE_JIT:
    dot, code_dot, lowest_bit = _dot_twin, _code_dot_twin, _lowest_bit_twin
else:
    dot, code_dot, lowest_bit = _dot_intrinsic, _code_dot_intrinsic, _lowest_bit_intrinsic
