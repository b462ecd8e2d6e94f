"""The boxes: the extent, the sum and the weight of their rows, and a copy of these.

Loop order of ``measure_boxes``: boxes outside, then features, then rows.  Rows of a box lie far
apart in memory, so those of the next box are prefetched.  Lanes are the rows of a box.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.row import prefetch_row
from ..emit.scratch import empty
from ..emit.simd import Emitter, integer
from ..shared.lengths import inverse_length
from ..shared.update import COUNT, WEIGHT
from .candidates import BOX, HIGH, LOW
from .tree import STEPS

SUM_LANES = 4
"""Partial sums that the sum of a box is made of, whatever the vectors of the processor
hold: with as many as they hold, centers would differ in the last digit."""


@intrinsic
def _extent_intrinsic(typingctx: Any, values: Any, f: Any, weights: Any) -> Any:
    three = types.containers.UniTuple(types.float64, 3)
    signature = three(values, types.intp, weights)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float64)
        row, weights = emit.item(sig.args[0], args[0], args[1]), emit.pointer(sig.args[2], args[2])
        floats = ir.VectorType(emit.element, SUM_LANES)
        low = high = emit.load(row, integer(0), floats)
        total = ir.Constant(floats, [0.0] * SUM_LANES)
        for first in range(0, BOX, SUM_LANES):
            x, w = (emit.load(p, integer(first), floats) for p in (row, weights))
            low, high, total = emit.smaller(x, low), emit.larger(x, high), emit.fma(x, w, total)
        found = emit.fold(low, emit.smaller), emit.fold(high, emit.larger), emit.sum(total)
        return context.make_tuple(builder, sig.return_type, found)

    return signature, codegen


def _extent_twin(
    values: Any,  # in (d, BOX) float64
    f: int,  # in, row of values
    weights: Any,  # in (BOX,) float64
) -> tuple[float, float, float]:
    """Return the smallest and the largest value, and the weighted sum."""
    return values[f].min(), values[f].max(), values[f] @ weights


extent = _extent_twin if config.DISABLE_JIT else _extent_intrinsic


@jit
def load_box(
    X,  # in (2, m, d) float32 or float64, any strides
    rows,  # in (BOX or fewer,) int32, the rows of a box
    terms,  # in Terms
    values,  # out (d, BOX) float64, the rows, scaled and shifted; by cosine of length 1
    row_weights,  # out (BOX,) float64
):
    """Load the rows of a box; padding repeats the first one, and has no weight.

    By cosine, lengths are measured again: to read them from anywhere in memory takes longer.
    """
    weights, offset, scale, lengths = terms
    _, _, d = X.shape
    for f in range(d):
        column, own = values[f], offset[f]
        for p in range(rows.size):
            column[p] = np.float64(X[0, rows[p], f]) * scale + own
        for p in range(rows.size, BOX):
            column[p] = column[0]
    for p in range(BOX):
        row_weights[p] = 1.0 if p < rows.size else 0.0
    if weights.size:
        for p in range(rows.size):
            row_weights[p] = weights[rows[p]]
    if lengths.size:
        for p in range(BOX):
            pull = inverse_length(X, rows[p if p < rows.size else 0], scale)
            row_weights[p] = 0.0 if pull == 0.0 else row_weights[p]
            for f in range(d):
                values[f, p] *= pull


@jit_with_scratch
def measure_boxes(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first box
    stop,  # in int, box to stop before
    tree,  # in/out Tree, order in; limits, copy, sums, weights out, for the lowest level
    terms,  # in Terms
):
    """Find the extent, the sum and the weight of every box of rows, and copy its rows.

    The copy holds steps of the extent, from the middle.
    """
    order, limits, copy, box_sums, box_weights = (
        tree.order, tree.limits, tree.copy, tree.sums, tree.weights
    )  # fmt: skip
    _, _, d = X.shape
    values = empty((d, BOX), np.float64)
    row_weights = empty(BOX, np.float64)
    for b in range(start, stop):
        for q in range(b * BOX + BOX, min(b * BOX + 2 * BOX, order.size)):
            prefetch_row(X, order[q])
        load_box(X, order[b * BOX : b * BOX + BOX], terms, values, row_weights)
        total, count = 0.0, 0.0
        for p in range(BOX):
            total += row_weights[p]
            count += row_weights[p] > 0.0
        box_weights[b, WEIGHT], box_weights[b, COUNT] = total, count
        for f in range(d):
            low, high, total = extent(values, f, row_weights)
            limits[LOW, b, f], limits[HIGH, b, f], box_sums[b, f] = low, high, total
            middle, step = 0.5 * (low + high), (high - low) / STEPS
            inverse = 1.0 / step if step > 0.0 else 0.0
            inverse = inverse if inverse < np.inf else 0.0
            column, to = values[f], copy[b, f]
            for p in range(BOX):
                to[p] = np.int16(np.int32(np.floor((column[p] - middle) * inverse + 0.5)))


@jit
def join_boxes(
    limits,  # in/out (2, all boxes, d) float64
    first,  # in int, first box of the level below
    count,  # in int, number of boxes of the level below
    fan,  # in int, boxes of that level in a box
    place,  # in int, first box of this level
):
    """Find the extents of the boxes of one level from those of the level below."""
    _, _, d = limits.shape
    for b in range((count + fan - 1) // fan):
        for f in range(d):
            low, high = np.inf, -np.inf
            for c in range(first + b * fan, first + min(b * fan + fan, count)):
                low, high = min(low, limits[0, c, f]), max(high, limits[1, c, f])
            limits[0, place + b, f], limits[1, place + b, f] = low, high
