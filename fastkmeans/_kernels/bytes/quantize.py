"""Rows and centers as bytes, and what is lost by it (``bytes`` has the bound).

    x' = step q + r,   c' = unit p + e,   q and p bytes from -127 to 127

One ``step`` serves all rows and features, so that it can be taken out of the product; a
center has a ``unit`` of its own, by its largest coordinate.  The norms of what is lost,
``|r|`` and ``|e|``, are measured, not estimated: values that are cut off only make the
bound of their row worse.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.dots import dot
from ..emit.row import load_row
from ..emit.scratch import empty
from ..emit.simd import CENTERS, I64, VECTOR_BYTES, Emitter, integer
from ..shared.pack import mark_repeats
from .tile import BIAS, FACTOR, OF_REACH, OF_RESIDUAL

UNIT = 2.0**-24
WIDER = np.float32(1.0 + 2.0**-21)
"""A bound that is added to in float32 is stretched by this, to be on the safe side."""
NARROWER = np.float32(1.0 - 2.0**-21)
"""And one that is subtracted from is shrunk by this."""
UPWARDS = 1.0 + 2.0**-20
"""What is rounded to float32 as a bound from above is stretched by this."""
LANES = VECTOR_BYTES // 4
NORM, DRIFT, FACTOR_OF, LOST = range(4)
"""What is known of a center: its squared norm, how far it moved at most, what the product of its
bytes and a row's is multiplied by, and ``|e|``."""


@intrinsic
def _quantize_intrinsic(typingctx: Any, values: Any, p: Any, step: Any, out: Any) -> Any:
    signature = types.float32(values, types.intp, types.float32, out)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        row, out = emit.item(sig.args[0], args[0], args[1]), emit.pointer(sig.args[3], args[3])
        width = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)

        def constant(value: float) -> Any:
            return ir.Constant(emit.floats, [value] * emit.lanes)

        step = emit.broadcast(args[2], emit.floats)
        inverse = builder.fdiv(constant(1.0), step)
        total = emit.variables(1, emit.floats)[0]
        builder.store(constant(0.0), total)
        bytes_kind = ir.VectorType(ir.IntType(8), emit.lanes)
        with cgutils.for_range_slice(builder, integer(0), width, integer(emit.lanes), intp=I64) as (
            f,
            _,
        ):
            x = emit.load(row, f, emit.floats)
            place = emit.fma(x, inverse, constant(128.5))
            place = builder.select(
                builder.fcmp_ordered("<", place, constant(1.0)), constant(1.0), place
            )
            place = builder.select(
                builder.fcmp_ordered(">", place, constant(255.0)), constant(255.0), place
            )
            byte = builder.fptosi(place, emit.ints)
            emit.store(builder.trunc(byte, bytes_kind), out, f)
            q = builder.fsub(builder.sitofp(byte, emit.floats), constant(128.0))
            rest = emit.fma(builder.fneg(q), step, x)
            builder.store(emit.fma(rest, rest, builder.load(total)), total)
        return emit.sum(builder.load(total))

    return signature, codegen


def _quantize_twin(
    values: Any,  # in (n, width) float32, width a multiple of a vector's lanes
    p: int,  # row of values
    step: float,  # float32
    out: Any,  # out (width,) uint8
) -> Any:
    """Round a row to bytes, ``q + 128``; return the squared norm of what is lost."""
    place = np.clip(np.floor(values[p] / step + np.float32(128.5)), 1, 255)
    out[:] = place.astype(np.uint8)
    rest = values[p] - (place - 128) * step
    return np.float32((rest * rest).sum())


quantize = _quantize_twin if config.DISABLE_JIT else _quantize_intrinsic


@jit_with_scratch
def quantize_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # first row
    stop,  # row to stop before
    x_offset,  # in (d,) of X's dtype, -shift * scale
    x_scale,  # power of two, of X's dtype
    step,  # float32, what one unit of a byte stands for
    rows,  # out (m, 4 * d4) uint8
    reach,  # out (m,) float32
    residual,  # out (m,) float32
    upper,  # out (m,) float32
    lower,  # out (m,) float32
):
    """Write rows ``start:stop`` as bytes; bounds on distances say nothing yet."""
    (_, _, d), (_, width) = X.shape, rows.shape
    padded = (d + LANES - 1) // LANES * LANES
    values = np.zeros((1, padded), np.float32)
    row = empty(padded if padded > width else width, np.uint8)
    row[:] = 128  # q = 0 beyond d
    grown = np.float32(1.0 + (d + 16) * UNIT)
    for i in range(start, stop):
        load_row(X, i, x_offset, x_scale, values, 0)
        lost = np.sqrt(quantize(values, 0, step, row) * grown) * grown
        norm = np.sqrt(dot(values, 0, values, 0) * grown) * grown
        for f in range(width):
            rows[i, f] = row[f]
        residual[i] = lost + norm * np.float32(4 * UNIT)
        reach[i] = (lost + norm) * grown
        upper[i] = np.inf
        lower[i] = 0.0


@jit_inline
def largest_size(
    values,  # in (d,) float64
):
    """Return the largest absolute value, in four chains that do not wait on each other."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = values.size // 4 * 4
    for f in range(0, whole, 4):
        first = max(first, abs(values[f]))
        second = max(second, abs(values[f + 1]))
        third = max(third, abs(values[f + 2]))
        fourth = max(fourth, abs(values[f + 3]))
    for f in range(whole, values.size):
        first = max(first, abs(values[f]))
    return max(max(first, second), max(third, fourth))


@jit_with_scratch
def quantize_centers(
    centers,  # in (k, d) float64
    start,  # first center
    stop,  # center to stop before
    shift,  # in (d,) float64
    scale,  # power of two
    step,  # float32, what one unit of a row's byte stands for
    before,  # in/out (k, d) float64, the centers of the last time, scaled and shifted
    values,  # out (k, padded) float32, scaled and shifted, zero beyond d
    as_bytes,  # out (k, 4 * width) int8, zero beyond d
    facts,  # out (4, k) float64: NORM, DRIFT, FACTOR_OF, LOST
    starts,  # out (k,) int32, -128 times the sum of a center's bytes
):
    """Write some centers as bytes, and measure how far they moved.

    The loops over features write to one array each, which is what it takes to vectorise.
    """
    (_, d), (_, padded) = centers.shape, values.shape
    scratch = np.zeros((3, padded), np.float64)
    c, rest, places = scratch[0], scratch[1], scratch[2]
    for j in range(start, stop):
        center, old, single, own = centers[j], before[j], values[j], as_bytes[j]
        for f in range(d):
            c[f] = (center[f] - shift[f]) * scale
        for f in range(d):
            rest[f] = c[f] - old[f]
        for f in range(d):
            old[f] = c[f]
        for f in range(d):
            single[f] = c[f]
        facts[NORM, j] = dot(scratch, 0, scratch, 0)
        facts[DRIFT, j] = math.sqrt(dot(scratch, 1, scratch, 1)) * WIDER
        high = largest_size(c)
        unit = high / 127.0 if high > 0.0 else 1.0
        inverse = 1.0 / unit if 1.0 / unit < np.inf else 0.0
        for f in range(d):
            places[f] = np.floor(c[f] * inverse + 0.5)
        for f in range(d):
            rest[f] = c[f] - places[f] * unit
        for f in range(d):
            own[f] = np.int8(np.int32(places[f]))
        total = 0
        for f in range(d):
            total += np.int32(own[f])
        starts[j] = -128 * total
        facts[FACTOR_OF, j] = np.float64(step) * unit
        facts[LOST, j] = math.sqrt(dot(scratch, 1, scratch, 1))


@jit
def arrange_tiles(
    centers,  # in (k, d) float64
    order,  # in (k,) int32, the centers in the order of the tiles
    words,  # in (k, width) int32, the bytes of the centers
    facts,  # in (4, k) float64
    starts_of,  # in (k,) int32
    table,  # scratch (power of two above k,) int32
    repeated,  # out (k,) bool, center equals one of lower index
    tiles,  # out (n_tiles, d4, CENTERS) int32, bytes of the centers
    starts,  # out (n_tiles, CENTERS) int32
    parameters,  # out (n_tiles, 4, CENTERS) float32
    coefficients,  # out (n_tiles, 2) float32
):
    """Copy the bytes of the centers to the tiles.

    A repeated center never wins; neither it nor padding has a score.  Returns the largest
    ``|c'| + |e|`` of those that have, and the largest squared norm.
    """
    (k, _), (n_tiles, d4, _) = centers.shape, tiles.shape
    mark_repeats(centers, facts[NORM], table, repeated)
    farthest, largest = 0.0, 0.0
    for t in range(n_tiles):
        far, worst = 0.0, 0.0
        for r in range(CENTERS):
            parameters[t, FACTOR, r], parameters[t, BIAS, r], starts[t, r] = 0.0, -np.inf, 0
            parameters[t, OF_REACH, r], parameters[t, OF_RESIDUAL, r] = 0.0, 0.0
            if t * CENTERS + r >= k:
                continue
            j = order[t * CENTERS + r]
            norm, lost = facts[NORM, j], facts[LOST, j]
            if not norm <= largest:
                largest = norm if norm == norm else np.inf
            if repeated[j]:
                continue
            for w in range(d4):
                tiles[t, w, r] = words[j, w]
            starts[t, r] = starts_of[j]
            parameters[t, FACTOR, r], parameters[t, BIAS, r] = facts[FACTOR_OF, j], -0.5 * norm
            reach = (math.sqrt(norm) + lost) * UPWARDS
            parameters[t, OF_REACH, r], parameters[t, OF_RESIDUAL, r] = lost * UPWARDS, reach
            far, worst = max(far, reach), max(worst, lost * UPWARDS)
        coefficients[t, 0], coefficients[t, 1] = worst, far
        farthest = max(farthest, far)
    return farthest, largest
