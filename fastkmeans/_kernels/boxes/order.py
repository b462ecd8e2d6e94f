"""Sort rows once, so that neighbours in the order are neighbours in space.

Every feature is cut into ``2^bits`` cells with about as many rows in each.  The cuts are quantiles
of a sample, so far outliers or a dense clump do not make the other cells coarser.  The interleaved
bits of the cell numbers are the place of a row on a Morton curve (Morton 1966, IBM):

    bit j of the cell number of feature f  ->  bit j n_columns + f of the key

By cosine the rows are brought to length 1 first: directions are what lies close together.

Two passes of a counting sort, each over half of the bits, sort the rows by their keys.  Rows of one
cell keep their order.

Loop order of ``find_keys``: rows outside, features inside: data and keys are touched once.  Loop
order of ``measure_boxes``: boxes outside, then rows, then features.  Rows of a box lie far apart in
memory, and each is read once.  Then features outside, rows inside: lanes are the rows of a box.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.row import prefetch_row
from ..emit.scratch import empty
from ..emit.simd import I64, Emitter, integer
from ..shared.lengths import inverse_length
from ..shared.update import COUNT, WEIGHT
from .candidates import BOX, HIGH, LOW
from .visit import STEPS

SUM_LANES = 4
"""Partial sums that the sum of a box is made of, whatever the vectors of the processor
hold: with as many as they hold, centers would differ in the last digit."""
FINE = 16
"""Cuts that the second step of a search compares at once: a vector of float32."""


class Cells(NamedTuple):
    """A grid over the features that vary most, with about as many rows in each slice."""

    columns: Any  # in (n_columns,) int64, the features of the grid
    coarse: Any  # in (n_columns, a multiple of FINE) of X's dtype, every FINE-th cut, then inf
    cuts: Any  # in (n_columns, a multiple of FINE) of X's dtype, from -inf, rising; then inf
    spread: Any  # in (n_columns, 2^bits) uint32, where the bits of a cell number go


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
    cuts: Any,  # in (n_columns, width) float32 or float64
    f: int,  # in, row of cuts
    start: int,  # in, first cut, a multiple of FINE
    stop: int,  # in, cut to stop before, a multiple of FINE
    value: Any,  # in, of the dtype of cuts
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


if config.DISABLE_JIT:
    count_not_above, extent = _count_twin, _extent_twin
else:
    count_not_above, extent = _count_intrinsic, _extent_intrinsic


@jit
def find_keys(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    cells,  # in Cells
    scale,  # in float64, power of two
    inverse,  # in (m,) float64, inverse lengths; of size 0: rows are sorted as they are
    keys,  # out (m,) uint32
):
    """Compute the place on the curve of rows ``start:stop``.

    The cell number is the number of cuts that are not above a value: first among every FINE-th cut,
    then among the FINE cuts between two of these.  A binary search compares fewer cuts, but one at
    a time, with branches.
    """
    columns, coarse, cuts, spread = cells
    for i in range(start, stop):
        key = np.uint32(0)
        for f in range(columns.size):
            value = X[0, i, columns[f]]
            if inverse.size:
                value = X.dtype.type(np.float64(value) * scale * inverse[i])
            place = (count_not_above(coarse, f, 0, coarse.shape[1], value) - 1) * FINE
            cell = place + count_not_above(cuts, f, place, place + FINE, value) - 1
            key |= spread[f, cell]
        keys[i] = key


@jit
def count_digits(
    keys,  # in (m,) uint32
    start,  # in int, first row
    stop,  # in int, row to stop before
    shift,  # in int, bits below the digit
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
    start,  # in int, first place in keys
    stop,  # in int, place to stop before
    shift,  # in int, bits below the digit
    places,  # in/out (2^bits of a digit,) int64, where the next row of a digit goes
    sorted_keys,  # out (m,) uint32, or of size 0
    sorted_rows,  # out (m,) int32
):
    """Sort the rows of a range by their digit; equal digits keep their order."""
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
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first box
    stop,  # in int, box to stop before
    tree,  # in/out Tree, order in; limits, copy, sums, weights out, for the lowest level
    terms,  # in Terms
):
    """Find the extent, the sum and the weight of every box of rows, and copy its rows.

    The copy holds steps of the extent, from the middle.  Padding repeats the first row of the box.
    By cosine rows have length 1.  Their lengths are measured again: to read them from anywhere in
    memory takes longer.
    """
    order, limits, copy, box_sums, box_weights, _, _, _ = tree
    weights, offset, scale, lengths = terms
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
            pull = inverse_length(X, i, scale) if lengths.size else 1.0
            if pull == 0.0:
                w = 0.0
            row_weights[p] = w
            box_weights[b, WEIGHT] += w
            box_weights[b, COUNT] += w > 0.0
            for f in range(d):
                values[f, p] = np.float64(X[0, i, f]) * scale + offset[f]
            if lengths.size:
                for f in range(d):
                    values[f, p] *= pull
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


@jit
def write_in_place(
    order,  # in (m,) int32
    start,  # in int, first place in the order
    stop,  # in int, place to stop before
    whole,  # in (at least n_boxes,) int32, labels of boxes, or negative
    labels,  # in (m,) int32, in the order in space; valid in boxes without one label
    out,  # out (m,) int32
):
    """Write labels, which are in the order in space, to the places of their rows."""
    for q in range(start, stop):
        z = whole[q // BOX]
        out[order[q]] = z if z >= 0 else labels[q]
