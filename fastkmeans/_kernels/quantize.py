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

from .._jit import jit_inline, jit_with_scratch
from .bytes_tile import BIAS, FACTOR, OF_REACH, OF_RESIDUAL
from .dots import dot
from .pack import sum_of_squares
from .row import load_row
from .scratch import empty
from .simd import CENTERS, I64, VECTOR_BYTES, Emitter, integer

UNIT = 2.0**-24
WIDER = np.float32(1.0 + 2.0**-21)
"""A bound that is added to in float32 is stretched by this, to be on the safe side."""
NARROWER = np.float32(1.0 - 2.0**-21)
"""And one that is subtracted from is shrunk by this."""
LANES = VECTOR_BYTES // 4


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
    offset,  # in (d,) float64, -shift * scale
    scale,  # power of two, float64
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
        load_row(X, i, offset, scale, values, 0)
        lost = np.sqrt(quantize(values, 0, step, row) * grown) * grown
        norm = np.sqrt(dot(values, 0, values, 0) * grown) * grown
        for f in range(width):
            rows[i, f] = row[f]
        residual[i] = lost + norm * np.float32(4 * UNIT)
        reach[i] = (lost + norm) * grown
        upper[i] = np.inf
        lower[i] = 0.0


@jit_with_scratch
def measure_drift(
    scaled,  # in (k, d) float64, centers in scaled, shifted coordinates
    before,  # in/out (k, d) float64, what scaled was the last time
    drift,  # out (k,) float32, how far each center has moved since
):
    """Find how far the centers moved, rounded up."""
    k, d = scaled.shape
    steps = empty(d, np.float64)
    for j in range(k):
        now, old = scaled[j], before[j]
        for f in range(d):
            steps[f] = now[f] - old[f]
        for f in range(d):
            old[f] = now[f]
        drift[j] = np.float32(math.sqrt(sum_of_squares(steps))) * WIDER


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
    scaled,  # in (k, d) float64, centers in scaled, shifted coordinates
    norms,  # in (k,) float64, their squared norms
    repeated,  # in (k,) bool, center equals one of lower index
    step,  # float32, what one unit of a row's byte stands for
    order,  # in (k,) int32, the centers in the order of the tiles
    values,  # out (k, padded) float32, in that order, zero beyond d
    tiles,  # out (n_tiles, d4, CENTERS) int32, bytes of the centers, zero beyond d
    own_bytes,  # out (k, 4 * width) int8, the same, center by center
    own_words,  # the memory of own_bytes, (k, width) int32
    starts,  # out (n_tiles, CENTERS) int32
    parameters,  # out (n_tiles, 2, CENTERS) float32
    coefficients,  # out (n_tiles, 2) float32
):
    """Write the centers as bytes, tile by tile; return the largest ``|c'| + |e|``.

    The loops over features write to one array each, which is what it takes to vectorise.
    """
    (k, d), (n_tiles, d4, _) = scaled.shape, tiles.shape
    places, rest = empty(d, np.float64), empty(d, np.float64)
    farthest = 0.0
    for t in range(n_tiles):
        largest, worst = 0.0, 0.0
        for r in range(CENTERS):
            place = t * CENTERS + r
            parameters[t, FACTOR, r], parameters[t, BIAS, r] = 0.0, -np.inf
            starts[t, r] = 0
            if place >= k:
                continue
            j = order[place]
            c, single, own = scaled[j], values[place], own_bytes[place]
            for f in range(d):
                single[f] = c[f]
            if repeated[j]:
                continue
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
            for w in range(d4):
                tiles[t, w, r] = own_words[place, w]
            lost = math.sqrt(sum_of_squares(rest))
            starts[t, r] = -128 * total
            parameters[t, FACTOR, r] = np.float64(step) * unit
            parameters[t, BIAS, r] = -0.5 * norms[j]
            far = math.sqrt(norms[j]) + lost
            largest = far if far > largest else largest
            worst = lost if lost > worst else worst
        coefficients[t, OF_REACH] = worst * (1.0 + 2.0**-20)
        coefficients[t, OF_RESIDUAL] = largest * (1.0 + 2.0**-20)
        farthest = largest if largest > farthest else farthest
    return farthest * (1.0 + 2.0**-20)
