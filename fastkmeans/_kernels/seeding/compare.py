"""Compare the rows of a block with one candidate: the potential, and a bit for each closer row.

Lanes are rows, each with its own sums, so that no reduction is reordered.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import config, types
from numba.extending import intrinsic

from ..emit.simd import POINTS, Emitter, integer

SUMS = 16
"""Partial sums of the potential with a candidate: row i adds to sum ``i % SUMS``.  With as many
as a vector has lanes, the last digit would depend on the processor, and so might the choice
between candidates that lower the potential alike."""


@intrinsic
def _compare_intrinsic(
    typingctx: Any, squares: Any, c: Any, known: Any, weights: Any, b: Any, potentials: Any,
    number: Any,
) -> Any:  # fmt: skip
    n = types.intp
    signature = types.int64(squares, n, known, weights, n, potentials, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        doubles = ir.VectorType(ir.DoubleType(), emit.lanes)
        places = (0, 1), (2, 4), (3, 4), (5, 6)  # arrays, and their rows
        row, limits, w, sums = (emit.item(sig.args[i], args[i], args[j]) for i, j in places)
        first = builder.mul(args[4], integer(POINTS))
        bits = integer(0)
        for lane in range(0, POINTS, emit.lanes):
            left, right = (emit.load(p, integer(lane), emit.floats) for p in (row, limits))
            nearer = builder.fcmp_ordered("<", left, right)
            bits = builder.or_(bits, builder.shl(emit.bits(nearer), integer(lane)))
            square = emit.convert(builder.select(nearer, left, right), doubles)
            share = builder.fmul(emit.load(w, integer(lane), doubles), square)
            place = builder.and_(builder.add(first, integer(lane)), integer(SUMS - 1))
            emit.store(builder.fadd(emit.load(sums, place, doubles), share), sums, place)
        return bits

    return signature, codegen


def _compare_twin(
    squares: Any,  # in (CENTERS, POINTS) float32 or float64
    c: int,  # in, row of squares
    known: Any,  # in (n_blocks, POINTS) of the same dtype, D^2; zero for rows that do not exist
    weights: Any,  # in (n_blocks, POINTS) float64
    b: int,  # in, row of known and weights
    potentials: Any,  # in/out (n_candidates, SUMS) float64
    number: int,  # in, row of potentials
) -> int:
    """Add what a block's potential is with a candidate; return a bit for each closer row."""
    nearer = squares[c] < known[b]
    shares = weights[b] * np.where(nearer, squares[c], known[b]).astype(np.float64)
    np.add.at(potentials[number], (b * POINTS + np.arange(POINTS)) % SUMS, shares)
    return sum(1 << p for p in np.flatnonzero(nearer).tolist())


compare = _compare_twin if config.DISABLE_JIT else _compare_intrinsic
