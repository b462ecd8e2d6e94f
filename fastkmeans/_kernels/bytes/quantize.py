"""Rows and centers as codes, and their quantisation error (``screen`` has the bound).

    x' = step q + r,   c' = unit p + e,   q and p integers from -most to most

Codes have 8 or 16 bits (``_runtime.target``).  With 8 bits ``most`` is 127.  With 16 bits it is as
large as the sum of ``d`` products allows, so ``r`` and ``e`` are smaller.  One ``step`` serves all
rows and features, so it can be taken out of the product.  A center has its own ``unit``: its
largest coordinate divided by ``most``.  The norms ``|r|`` and ``|e|`` are measured, not estimated:
values that are cut off only make the bound of their row worse.

Loop order: rows outside, features inside.  A row is loaded once, as floats in the first-level
cache.  One pass over them gives the codes and ``|r|``, a vector at a time.  A center takes several
passes: a loop over features vectorises if it writes to one array.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.dots import dot
from ..emit.row import load_row
from ..emit.scratch import empty
from ..emit.simd import CENTERS, CODES, I64, VECTOR_BYTES, Emitter, integer
from ..shared.pack import mark_repeats
from .tile import BIAS, FACTOR, OF_REACH, OF_RESIDUAL

UNIT = 2.0**-24
"""Unit roundoff of float32."""
WIDER = np.float32(1.0 + 2.0**-21)
"""Factor that stretches a bound after a float32 addition: eight times the rounding error."""
NARROWER = np.float32(1.0 - 2.0**-21)
"""Factor that shrinks a bound after a float32 subtraction, likewise."""
UPWARDS = 1.0 + 2.0**-20
"""Factor that stretches a float64 upper bound before it is rounded to float32."""
NORM_UNITS = 16
"""Units of roundoff, besides one per feature, by which a float32 norm is stretched: for its sum,
its root and the rounding of the factor itself."""
PACKING_UNITS = 4
"""Units of roundoff of ``|x'|`` added to ``|r|``.  Loading a row rounds ``x'``, and a processor
without fused multiply-adds rounds ``step q``."""
FLOATS = VECTOR_BYTES // 4
"""Values of float32 in a vector register."""
ROW_CODE = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16}[CODES.of_rows]
"""The dtype of the codes of rows."""
OFFSET = CODES.offset
"""What is added to the codes of rows before they are stored."""


class Coordinates(NamedTuple):
    """The coordinates of the kernels, ``x' = x * scale + x_offset``, and their codes."""

    x_offset: Any  # in (d,) of X's dtype, -shift * scale
    x_scale: Any  # in float of X's dtype, power of two
    scale: Any  # in float64, the same power of two; by cosine that of the centers
    step: Any  # in float32, value of one unit of a row's code
    most: Any  # in float32, largest size of a code
    by_cosine: Any  # in bool, whether all centers have one length, and products decide


class QuantizedCenters(NamedTuple):
    """The centers by index, in scaled, shifted coordinates and as codes.

    ``quantize_centers`` writes all fields.
    """

    before: Any  # in/out (k, d) float64, the last centers, scaled and shifted
    scaled: Any  # out (k, padded) float32, scaled and shifted, zero beyond d
    codes: Any  # out (k, 4 * width) int8 or (k, 2 * width) int16, zero beyond d
    words: Any  # in (k, width) int32, the same memory as codes
    norms: Any  # out (k,) float64, squared norms
    drift: Any  # out (k,) float64, drift, rounded up
    factors: Any  # out (k,) float64, step * unit: score per product of codes
    lost: Any  # out (k,) float64, |e|
    starts: Any  # out (k,) int32, -OFFSET times the sum of a center's codes


@intrinsic
def _quantize_intrinsic(typingctx: Any, values: Any, p: Any, step: Any, most: Any, out: Any) -> Any:
    signature = types.float32(values, types.intp, types.float32, types.float32, out)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        row, out = emit.item(sig.args[0], args[0], args[1]), emit.pointer(sig.args[4], args[4])
        width = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        codes_kind = ir.VectorType(ir.IntType(CODES.bits), emit.lanes)

        def constant(value: float) -> Any:
            return ir.Constant(emit.floats, [value] * emit.lanes)

        step, most = (emit.broadcast(args[n], emit.floats) for n in (2, 3))
        inverse = builder.fdiv(constant(1.0), step)
        # Positive places are truncated to the nearest; the middle is the code zero.
        middle, highest = builder.fadd(most, constant(1.0)), builder.fadd(most, most)
        highest, rounded = builder.fadd(highest, constant(1.0)), constant(0.5)
        total = emit.variables(1, emit.floats)[0]
        builder.store(constant(0.0), total)
        with cgutils.for_range_slice(
            builder, integer(0), width, integer(emit.lanes), intp=I64
        ) as (f, _):  # fmt: skip
            x = emit.load(row, f, emit.floats)
            place = emit.fma(x, inverse, builder.fadd(middle, rounded))
            place = emit.larger(place, constant(1.0))
            place = emit.smaller(place, highest)
            place = builder.sitofp(builder.fptosi(place, emit.ints), emit.floats)
            q = builder.fsub(place, middle)
            code = builder.add(builder.fptosi(q, emit.ints), emit.whole(OFFSET))
            emit.store(builder.trunc(code, codes_kind), out, f)
            rest = emit.fma(builder.fneg(q), step, x)
            builder.store(emit.fma(rest, rest, builder.load(total)), total)
        return emit.sum(builder.load(total))

    return signature, codegen


def _quantize_twin(
    values: Any,  # in (n, width) float32, width a multiple of a vector's lanes
    p: int,  # in int64, row of values
    step: float,  # in float32, value of one unit of a code
    most: float,  # in float32, largest size of a code
    out: Any,  # out (width,) of the codes of rows
) -> Any:
    """Round a row to codes, ``q + OFFSET``; return ``|r|^2``."""
    middle = most + np.float32(1.0)
    place = np.floor(values[p] / step + (middle + np.float32(0.5)))
    q = np.clip(place, 1, 2 * most + 1) - middle
    out[:] = (q + OFFSET).astype(out.dtype)
    rest = values[p] - q.astype(np.float64) * step  # rounded once, as an fma
    return np.float32((rest * rest).sum())


quantize = _quantize_twin if config.DISABLE_JIT else _quantize_intrinsic


@jit_with_scratch
def quantize_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int64, first row
    stop,  # in int64, row to stop before
    coordinates,  # in Coordinates
    codes,  # out (m, width) uint8, int8 or int16, q + OFFSET
    reach,  # out (m,) float32, |x'| + |r|
    residual,  # out (m,) float32, |r|
    upper,  # out (m,) float32, infinite: bounds nothing yet
    lower,  # out (m,) float32, zero: bounds nothing yet
):
    """Write rows ``start:stop`` as codes, and the norms that bound their errors."""
    x_offset, x_scale = coordinates.x_offset, coordinates.x_scale
    step, most = coordinates.step, coordinates.most
    (_, _, d), (_, width) = X.shape, codes.shape
    padded = (d + FLOATS - 1) // FLOATS * FLOATS
    scaled = np.zeros((1, padded), np.float32)
    row = empty(padded if padded > width else width, ROW_CODE)
    row[:] = OFFSET  # q = 0 beyond d
    grown = np.float32(1.0 + (d + NORM_UNITS) * UNIT)
    for i in range(start, stop):
        load_row(X, i, x_offset, x_scale, scaled, 0)
        lost = np.sqrt(quantize(scaled, 0, step, most, row) * grown) * grown
        norm = np.sqrt(dot(scaled, 0, scaled, 0) * grown) * grown
        for f in range(width):
            codes[i, f] = row[f]
        residual[i] = lost + norm * np.float32(PACKING_UNITS * UNIT)
        reach[i] = (lost + norm) * grown
        upper[i] = np.inf
        lower[i] = 0.0


@jit_inline
def largest_size(
    values,  # in (d,) float64
):
    """Return the largest absolute value, in four chains that do not wait for each other."""
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
    centers,  # in (k, d) float64, in the units of the data
    start,  # in int64, first center
    stop,  # in int64, center to stop before
    shift,  # in (d,) float64
    coordinates,  # in Coordinates
    quantized,  # in/out QuantizedCenters
):
    """Write some centers as codes, and measure their drift."""
    scale, step, most = coordinates.scale, coordinates.step, np.float64(coordinates.most)
    before, scaled, codes = quantized.before, quantized.scaled, quantized.codes
    norms, drift, starts = quantized.norms, quantized.drift, quantized.starts
    factors, lost = quantized.factors, quantized.lost
    (_, d), (_, padded) = centers.shape, scaled.shape
    scratch = np.zeros((3, padded), np.float64)
    c, rest, places = scratch[0], scratch[1], scratch[2]
    for j in range(start, stop):
        center, old, single, own = centers[j], before[j], scaled[j], codes[j]
        for f in range(d):
            c[f] = (center[f] - shift[f]) * scale
        for f in range(d):
            rest[f] = c[f] - old[f]
        for f in range(d):
            old[f] = c[f]
        for f in range(d):
            single[f] = c[f]
        norms[j] = dot(scratch, 0, scratch, 0)
        drift[j] = math.sqrt(dot(scratch, 1, scratch, 1)) * WIDER
        high = largest_size(c)
        unit = high / most if high > 0.0 else 1.0
        inverse = 1.0 / unit if 1.0 / unit < np.inf else 0.0
        for f in range(d):
            places[f] = np.floor(c[f] * inverse + 0.5)
        for f in range(d):
            rest[f] = c[f] - places[f] * unit
        for f in range(d):
            own[f] = np.int32(places[f])
        total = 0
        for f in range(d):
            total += np.int32(own[f])
        starts[j] = -OFFSET * total
        factors[j] = np.float64(step) * unit
        lost[j] = math.sqrt(dot(scratch, 1, scratch, 1))


@jit
def arrange_tiles(
    centers,  # in (k, d) float64, in the units of the data
    order,  # in (k,) int32, the centers in the order of the tiles
    quantized,  # in QuantizedCenters
    hash_table,  # scratch (power of two above k,) int32
    repeated,  # out (k,) bool, center equals one of lower index
    tiles,  # out CenterTiles
):
    """Copy the codes of the centers to the tiles.

    Returns the largest ``|c'| + |e|`` (without repeated centers) and the largest squared norm.
    """
    own_words, norms, lost = quantized.words, quantized.norms, quantized.lost
    factors, own_starts = quantized.factors, quantized.starts
    words, starts = tiles.words, tiles.starts
    parameters, coefficients = tiles.parameters, tiles.coefficients
    (k, _), (n_tiles, n_words, _) = centers.shape, words.shape
    mark_repeats(centers, norms, hash_table, repeated)
    farthest, largest = 0.0, 0.0
    for t in range(n_tiles):
        far, worst = 0.0, 0.0
        for r in range(CENTERS):
            parameters[t, FACTOR, r], parameters[t, BIAS, r], starts[t, r] = 0.0, -np.inf, 0
            parameters[t, OF_REACH, r], parameters[t, OF_RESIDUAL, r] = 0.0, 0.0
            if t * CENTERS + r >= k:
                continue
            j = order[t * CENTERS + r]
            norm, error = norms[j], lost[j]
            if not norm <= largest:
                largest = norm if norm == norm else np.inf
            if repeated[j]:
                continue
            for w in range(n_words):
                words[t, w, r] = own_words[j, w]
            starts[t, r] = own_starts[j]
            parameters[t, FACTOR, r], parameters[t, BIAS, r] = factors[j], -0.5 * norm
            reach = (math.sqrt(norm) + error) * UPWARDS
            parameters[t, OF_REACH, r], parameters[t, OF_RESIDUAL, r] = error * UPWARDS, reach
            far, worst = max(far, reach), max(worst, error * UPWARDS)
        coefficients[t, 0], coefficients[t, 1] = worst, far
        farthest = max(farthest, far)
    return farthest, largest
