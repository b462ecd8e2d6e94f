"""Sorting rows once, so that neighbours in the order are neighbours in space.

Every feature is cut into ``2^bits`` cells with about as many rows in each (cuts at the
quantiles of a sample: far outliers or a dense clump leave the other cells as fine as
they were).  The bits of the cell numbers, interleaved, are the place of a row on a Morton
curve (Morton 1966, IBM), and two passes of a counting sort, each over one half of the
bits, put the rows in the order of their places; rows of one cell keep their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.row import prefetch_row
from ..emit.scratch import empty
from ..emit.simd import I64, Emitter, integer
from ..shared.update import COUNT, WEIGHT
from .candidates import BOX, HIGH, LOW
from .visit import STEPS

FINE = 16
"""Cuts that the second step of a search compares at once: a vector of float32."""


@intrinsic
def _count_intrinsic(typingctx: Any, cuts: Any, f: Any, start: Any, stop: Any, value: Any) -> Any:
    i = types.intp
    signature = i(cuts, i, i, i, value)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        row = emit.item(sig.args[0], args[0], args[1])
        value, total = emit.broadcast(args[4], emit.floats), emit.variables(1, I64)[0]
        builder.store(integer(0), total)
        step = integer(emit.lanes)
        with cgutils.for_range_slice(builder, args[2], args[3], step, intp=I64) as (place, _):
            below = builder.fcmp_ordered("<=", emit.load(row, place, emit.floats), value)
            builder.store(builder.add(builder.load(total), emit.count(below)), total)
        return builder.load(total)

    return signature, codegen


def _count_twin(
    cuts: Any,  # in (d, width) float32 or float64
    f: int,  # row of cuts
    start: int,  # multiples of FINE
    stop: int,
    value: Any,  # of the dtype of cuts
) -> int:
    """Return how many cuts are not above a value."""
    return int(np.count_nonzero(cuts[f, start:stop] <= value))


@intrinsic
def _extent_intrinsic(typingctx: Any, values: Any, f: Any, weights: Any) -> Any:
    three = types.containers.UniTuple(types.float64, 3)
    signature = three(values, types.intp, weights)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float64)
        row, weights = emit.item(sig.args[0], args[0], args[1]), emit.pointer(sig.args[2], args[2])
        low = high = emit.load(row, integer(0), emit.floats)
        total = ir.Constant(emit.floats, [0.0] * emit.lanes)
        for first in range(0, BOX, emit.lanes):
            x, w = (emit.load(p, integer(first), emit.floats) for p in (row, weights))
            low, high, total = emit.smaller(x, low), emit.larger(x, high), emit.fma(x, w, total)
        found = emit.fold(low, emit.smaller), emit.fold(high, emit.larger), emit.sum(total)
        return context.make_tuple(builder, sig.return_type, found)

    return signature, codegen


def _extent_twin(
    values: Any,  # in (d, BOX) float64
    f: int,  # row of values
    weights: Any,  # in (BOX,) float64
) -> tuple[float, float, float]:
    """Return the smallest and the largest value, and the weighted sum."""
    return values[f].min(), values[f].max(), values[f] @ weights


if config.DISABLE_JIT:
    count_not_above, extent = _count_twin, _extent_twin
else:
    count_not_above, extent = _count_intrinsic, _extent_intrinsic


@jit
def find_keys(
    X,  # in (2, m, d) float32 or float64
    start,  # first row
    stop,  # row to stop before
    columns,  # in (d,) int64, the features that count
    coarse,  # in (d, a multiple of FINE) of X's dtype, every FINE-th of the cuts
    cuts,  # in (d, a multiple of FINE) of X's dtype, rising, from -inf; the rest is inf
    spread,  # in (d, 2^bits) uint32, where the bits of a cell number go
    keys,  # out (m,) uint32
):
    """Compute the place on the curve of rows ``start:stop``.

    A cell is found by counting the cuts that are not above a value, first among every
    FINE-th, then among the FINE between two of these: more comparisons than a binary
    search, but a vector at a time, and hardly a branch.
    """
    for i in range(start, stop):
        key = np.uint32(0)
        for f in range(columns.size):
            value = X[0, i, columns[f]]
            place = (count_not_above(coarse, f, 0, coarse.shape[1], value) - 1) * FINE
            cell = place + count_not_above(cuts, f, place, place + FINE, value) - 1
            key |= spread[f, cell]
        keys[i] = key


@jit
def count_digits(
    keys,  # in (m,) uint32
    start,
    stop,
    shift,  # bits below the digit
    counts,  # out (2^bits of a digit,) int64
):
    """Count the rows of a range by a digit of their key."""
    counts[:] = 0
    mask = np.uint32(counts.size - 1)
    part = keys[start:stop]
    for r in range(part.size):
        counts[(part[r] >> np.uint32(shift)) & mask] += 1


@jit
def place_rows(
    keys,  # in (m,) uint32
    rows,  # in (m,) int32, or of size 0: rows in their own order
    start,
    stop,
    shift,
    places,  # in/out (2^bits of a digit,) int64, where the next row of a digit goes
    sorted_keys,  # out (m,) uint32, or of size 0
    sorted_rows,  # out (m,) int32
):
    """Put the rows of a range where their digit belongs."""
    mask = np.uint32(places.size - 1)
    for r in range(start, stop):
        digit = (keys[r] >> np.uint32(shift)) & mask
        place = places[digit]
        places[digit] = place + 1
        sorted_rows[place] = rows[r] if rows.size else r
        if sorted_keys.size:
            sorted_keys[place] = keys[r]


@jit_with_scratch
def measure_boxes(
    X,  # in (2, m, d)
    start,  # first box
    stop,  # box to stop before
    order,  # in (m,) int32
    weights,  # in (m,) float64, or of size 0: all ones
    offset,  # in (d,) float64
    scale,  # power of two
    limits,  # out (2, at least n_boxes, d) float64
    copy,  # out (n_boxes, d, BOX) int16
    box_sums,  # out (n_boxes, d) float64
    box_weights,  # out (n_boxes, 2) float64
):
    """Find the extent, the sum and the weight of every box of rows, and copy its rows.

    The copy is in steps of the extent, from the middle; the last box is filled up.
    """
    _, _, d = X.shape
    values = empty((d, BOX), np.float64)
    row_weights = empty(BOX, np.float64)
    for b in range(start, stop):
        rows = order[b * BOX : b * BOX + BOX]
        for q in range(b * BOX + BOX, min(b * BOX + 2 * BOX, order.size)):
            prefetch_row(X, order[q])
        box_weights[b] = 0.0
        for p in range(BOX):
            i = rows[p if p < rows.size else 0]
            w = 0.0
            if p < rows.size:
                w = weights[i] if weights.size else 1.0
            row_weights[p] = w
            box_weights[b, WEIGHT] += w
            box_weights[b, COUNT] += w > 0.0
            for f in range(d):
                values[f, p] = np.float64(X[0, i, f]) * scale + offset[f]
        for f in range(d):
            low, high, total = extent(values, f, row_weights)
            limits[LOW, b, f], limits[HIGH, b, f], box_sums[b, f] = low, high, total
            middle, step = 0.5 * (low + high), (high - low) / STEPS
            inverse = 1.0 / step if step > 0.0 else 0.0
            column, to = values[f], copy[b, f]
            for p in range(BOX):
                place = (column[p] - middle) * inverse if inverse < np.inf else 0.0
                to[p] = np.int16(np.floor(place + 0.5))


@jit
def join_boxes(
    limits,  # in/out (2, all boxes, d) float64
    first,  # first box of the level below
    count,  # boxes of the level below
    fan,  # boxes of that level in one of this
    place,  # where this level begins
):
    """Find the extents of one level of boxes from those of the level below."""
    _, _, d = limits.shape
    for b in range((count + fan - 1) // fan):
        for f in range(d):
            low, high = np.inf, -np.inf
            for c in range(first + b * fan, first + min(b * fan + fan, count)):
                low, high = min(low, limits[0, c, f]), max(high, limits[1, c, f])
            limits[0, place + b, f], limits[1, place + b, f] = low, high


@jit
def write_in_place(
    order,  # in (m,) int32
    start,  # first row of the order
    stop,  # row to stop before
    whole,  # in (at least n_boxes,) int32
    labels,  # in (m,) int32, in order; valid for boxes without a label for all
    out,  # out (m,) int32
):
    """Write the labels of rows ``start:stop`` of the order to where the rows are."""
    for q in range(start, stop):
        z = whole[q // BOX]
        out[order[q]] = z if z >= 0 else labels[q]
