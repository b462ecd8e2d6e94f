"""Candidates for a swap, and the price of each in the place of every center.

``a`` and ``b`` are the squared distances of a row to its closest and its second-closest center,
``s`` that to the candidate::

    potential with the candidate    sum_i w_i min(a_i, s_i)
    and without center j            more by the sum of w_i (min(b_i, s_i) - min(a_i, s_i)), over
                                    the rows whose closest center is j

A row with ``s >= b`` adds to both what it adds without the candidate.  So few rows are visited.

Loop order of ``price``: blocks outside, then candidates, then the rows that are closer to one.
"""

from typing import Any

import numpy as np
from numba.core import config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit
from ..emit.dots import lowest_bit
from ..emit.simd import POINTS, Emitter, integer
from ..plain.tile import squared_distances
from .closest import pack_tiles

CANDIDATES = 6
"""Rows drawn together: one pass prices them.  No tile has fewer centers."""


@intrinsic
def _closer_intrinsic(typingctx: Any, squares: Any, c: Any, far: Any, b: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        row, limits = (emit.item(sig.args[i], args[i], args[i + 1]) for i in (0, 2))
        bits = integer(0)
        for lane in range(0, POINTS, emit.lanes):
            left, right = (emit.load(p, integer(lane), emit.floats) for p in (row, limits))
            nearer = builder.fcmp_ordered("<", left, right)
            bits = builder.or_(bits, builder.shl(emit.bits(nearer), integer(lane)))
        return bits

    return types.int64(squares, types.intp, far, types.intp), codegen


def _closer_twin(
    squares: Any,  # in (CENTERS, POINTS) float32 or float64, to candidates
    c: int,  # in, row of squares
    far: Any,  # in (n_blocks, POINTS) of the same dtype
    b: int,  # in, row of far
) -> int:
    """Return a bit for each row that is closer to a candidate than to its second center."""
    return sum(1 << p for p in np.flatnonzero(squares[c] < far[b]).tolist())


closer = _closer_twin if config.DISABLE_JIT else _closer_intrinsic


@jit
def price(
    points,  # in Points
    closest,  # in Closest
    candidates,  # in (CANDIDATES, d) float64, scaled and shifted
    tiles,  # scratch Tiles
    squares,  # scratch (CENTERS, POINTS) of the blocks' dtype
    losses,  # in/out (CANDIDATES, k + 1) float64
):
    """Price candidates: add what each changes of the losses of the centers, and of the potential.

    The last column is about the potential.
    """
    blocks, weights = points
    labels, _, near, far = closest
    (n_blocks, _, _), (n_candidates, width) = blocks.shape, losses.shape
    pack_tiles(candidates, n_candidates, tiles.some)
    for b in range(n_blocks):
        squared_distances(blocks, b, tiles.some, 0, squares)
        for c in range(n_candidates):
            bits = closer(squares, c, far, b)
            while bits != 0:
                p = lowest_bit(bits)
                bits &= bits - 1
                w, a, s = weights[b, p], np.float64(near[b, p]), np.float64(squares[c, p])
                least = s if s < a else a
                losses[c, width - 1] += w * (least - a)
                losses[c, labels[b, p]] += w * ((s - least) - (np.float64(far[b, p]) - a))
