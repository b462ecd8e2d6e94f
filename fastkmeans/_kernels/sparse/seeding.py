"""Greedy k-means++ on sparse rows.

The steps are those of ``seeding.potential``: rows are drawn as candidates, tried in one pass, and
the best becomes a center.  Candidates are the lanes of a table ``(1, d, CANDIDATES)``, dense, in
float64.  So a stored value meets all candidates at once::

    |x - c|^2 = |x|^2 - 2 x.c + |c|^2

If the three terms cancel, the two rows are compared value by value.  So the distance of equal rows
is zero.

By cosine a row has the squared norm 1, and the products are multiplied by its inverse length.  The
candidates in the table have length 1.

Loop order of ``visit``: ``GROUP_ROWS`` rows outside, then rows, then stored values.  ``try_rows``
keeps the products of a row with all candidates in registers.  Lanes are candidates, so that no sum
crosses lanes.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import I64, Emitter, integer
from ..seeding.potential import GROUP_ROWS, TRY, group_sum
from .assign import squared_norm
from .distances import CLOSE
from .score import emit_column, emit_value

CANDIDATES = 8
"""Candidates that are tried together: whole vectors of float64."""
NOBODY = 2.0**600
"""Squared norm of a lane without a candidate: no row is close to it."""


class Candidates(NamedTuple):
    """Rows that may become centers."""

    items: Any  # in (n_candidates,) int64, their rows
    norms: Any  # in (CANDIDATES,) float64, their squared norms; NOBODY in lanes without one
    table: Any  # in (d, CANDIDATES) float64, see above; zero in lanes without a candidate


def _emit_squares(
    emit: Emitter, pointers: dict[int, Any], scale: Any, pull: Any, i: Any, slots: list[Any]
) -> tuple[list[Any], Any]:
    """Emit the squared distances of a row to the candidates, and bits of those that cancelled."""
    builder = emit.builder
    start = builder.load(emit.at(pointers[2], i))
    stop = builder.load(emit.at(pointers[2], builder.add(i, integer(1))))
    offsets = [integer(v * emit.lanes) for v in range(len(slots))]
    for slot in slots:
        builder.store(ir.Constant(emit.floats, [0.0] * emit.lanes), slot)
    with cgutils.for_range_slice(builder, start, stop, integer(1), intp=I64) as (e, _):
        x = emit_value(emit, pointers[0], e, scale)
        column = emit_column(emit, pointers[1], e)
        row = emit.at(pointers[9], builder.mul(column, integer(CANDIDATES)))
        for slot, offset in zip(slots, offsets, strict=True):
            c = emit.load(row, offset, emit.floats)
            builder.store(emit.fma(x, c, builder.load(slot)), slot)
    norm = emit.broadcast(builder.load(emit.at(pointers[6], i)), emit.floats)
    two = builder.fmul(ir.Constant(ir.DoubleType(), 2.0), builder.load(pull))
    two, share = (
        emit.broadcast(value, emit.floats) for value in (two, ir.Constant(ir.DoubleType(), CLOSE))
    )
    bits, squares = integer(0), []
    for slot, offset in zip(slots, offsets, strict=True):
        both = builder.fadd(norm, emit.load(pointers[8], offset, emit.floats))
        square = builder.fsub(both, builder.fmul(two, builder.load(slot)))
        cancelled = builder.fcmp_ordered("<=", square, builder.fmul(share, both))
        bits = builder.or_(bits, emit.bits(cancelled))
        squares.append(square)
    return squares, bits


def _emit_comparison(
    emit: Emitter, pointers: dict[int, Any], weight: Any, i: Any, squares: list[Any], sums: Any
) -> None:
    """Emit what a row adds to the potentials, and the bits of the candidates that are closer."""
    builder, bits = emit.builder, integer(0)
    known = emit.broadcast(builder.load(emit.at(pointers[10], i)), emit.floats)
    w = emit.broadcast(builder.load(weight), emit.floats)
    for v, (square, total) in enumerate(zip(squares, sums, strict=True)):
        nearer = builder.fcmp_ordered("<", square, known)
        least = builder.select(nearer, square, known)
        builder.store(emit.fma(w, least, builder.load(total)), total)
        shifted = builder.shl(emit.bits(nearer), integer(v * emit.lanes))
        bits = builder.or_(bits, shifted)
    builder.store(builder.trunc(bits, ir.IntType(16)), emit.at(pointers[11], i))


@intrinsic
def _try_rows_intrinsic(
    typingctx: Any, values: Any, indices: Any, starts: Any, first: Any, last: Any, scale: Any,
    norms: Any, weights: Any, centers: Any, table: Any, closest: Any, closer: Any, potentials: Any,
    close: Any, inverse: Any
) -> Any:  # fmt: skip
    n = types.intp
    signature = n(
        values, indices, starts, n, n, types.float64, norms, weights, centers, table, closest,
        closer, potentials, close, inverse,
    )  # fmt: skip

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float64)
        pointers = {i: emit.pointer(sig.args[i], args[i]) for i in range(15) if i not in (3, 4, 5)}
        weights, potentials, close = (pointers[i] for i in (7, 12, 13))
        weighted, by_cosine = (
            builder.icmp_signed(
                ">", builder.extract_value(emit.array(sig.args[a], args[a]).shape, 0), integer(0)
            )
            for a in (7, 14)
        )
        one = cgutils.alloca_once_value(builder, ir.Constant(ir.DoubleType(), 1.0))
        found = emit.variables(1, I64)[0]
        slots, sums = (emit.variables(CANDIDATES // emit.lanes, emit.floats) for _ in range(2))
        builder.store(integer(0), found)
        for v, total in enumerate(sums):
            builder.store(emit.load(potentials, integer(v * emit.lanes), emit.floats), total)
        with cgutils.for_range_slice(builder, args[3], args[4], integer(1), intp=I64) as (i, _):
            pull = builder.select(by_cosine, emit.at(pointers[14], i), one)
            squares, cancelled = _emit_squares(emit, pointers, args[5], pull, i, slots)
            far = builder.icmp_unsigned("==", cancelled, integer(0))
            with builder.if_else(far, likely=True) as (then, otherwise):
                with then:
                    weight = builder.select(weighted, emit.at(weights, i), one)
                    _emit_comparison(emit, pointers, weight, i, squares, sums)
                with otherwise:
                    at = builder.load(found)
                    builder.store(i, emit.at(close, at))
                    builder.store(builder.add(at, integer(1)), found)
        for v, total in enumerate(sums):
            emit.store(builder.load(total), potentials, integer(v * emit.lanes))
        return builder.load(found)

    return signature, codegen


def _try_rows_twin(
    values: Any,  # in (n_stored,) float32 or float64
    indices: Any,  # in (n_stored,) int32
    starts: Any,  # in (m + 1,) int64
    first: int,  # in, first row
    last: int,  # in, row to stop before
    scale: float,  # in, power of two
    norms: Any,  # in (m,) float64, squared norms of the rows
    weights: Any,  # in (m,) float64, or of size 0: all ones
    centers: Any,  # in (CANDIDATES,) float64, squared norms of the candidates
    table: Any,  # in (d, CANDIDATES) float64
    closest: Any,  # in (m,) float64, D^2
    closer: Any,  # out (m,) uint16, bit c is set if candidate c is closer
    potentials: Any,  # in/out (CANDIDATES,) float64, parts of sum w D^2 with each candidate
    close: Any,  # out (last - first,) int64, rows for which terms cancel; they are left out
    inverse: Any,  # in (m,) float64, inverse lengths; of size 0: rows count with their lengths
) -> int:
    """Try candidates on some rows; return how many rows are left out."""
    count = 0
    for i in range(first, last):
        part = slice(starts[i], starts[i + 1])
        products = (values[part, None].astype(np.float64) * scale * table[indices[part]]).sum(
            axis=0
        )
        both = norms[i] + centers
        squares = both - 2.0 * (inverse[i] if inverse.size else 1.0) * products
        if (squares <= CLOSE * both).any():
            close[count] = i
            count += 1
            continue
        nearer = squares < closest[i]
        w = weights[i] if weights.size else 1.0
        potentials += w * np.where(nearer, squares, closest[i])
        closer[i] = sum(1 << c for c in np.flatnonzero(nearer).tolist())
    return count


try_rows = _try_rows_twin if config.DISABLE_JIT else _try_rows_intrinsic


@jit
def row_norms(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    stored,  # in Stored
    scale,  # in float64, power of two
    norms,  # out (m,) float64
):
    """Write the squared norms of rows ``start:stop``, scaled."""
    _, starts = stored
    for i in range(start, stop):
        norms[i] = squared_norm(values, starts[i], starts[i + 1], scale)


@jit
def square_between(
    values,  # in (n_stored,) float32 or float64
    stored,  # in Stored
    scale,  # in float64, power of two
    pulls,  # in tuple of float64, inverse lengths of the two rows by cosine, else 1 and 1
    i,  # in int, row
    j,  # in int, row
):
    """Return the squared distance of two rows, value by value, scaled."""
    indices, starts = stored
    e, e_last, p, p_last = starts[i], starts[i + 1], starts[j], starts[j + 1]
    total = 0.0
    while e < e_last or p < p_last:
        x, y = 0.0, 0.0
        first = e < e_last and (p == p_last or indices[e] <= indices[p])
        second = p < p_last and (e == e_last or indices[p] <= indices[e])
        if first:
            x = np.float64(values[e]) * scale * pulls[0]
            e += 1
        if second:
            y = np.float64(values[p]) * scale * pulls[1]
            p += 1
        total += (x - y) * (x - y)
    return total


@jit_inline
def square_by_product(
    values,  # in (n_stored,) float32 or float64
    stored,  # in Stored
    scale,  # in float64, power of two
    norms,  # in (m,) float64, squared norms of the rows
    inverse,  # in (m,) float64, inverse lengths; of size 0: rows count with their lengths
    product,  # in float64, of row i and candidate j; by cosine j has length 1, and i has not
    i,  # in int, row
    j,  # in int, row of a candidate
):
    """Return the squared distance of a row and a candidate, scaled."""
    pulls = (1.0, 1.0)
    if inverse.size:
        pulls = inverse[i], inverse[j]
    both = norms[i] + norms[j]
    square = both - 2.0 * pulls[0] * product
    return square if square > CLOSE * both else square_between(values, stored, scale, pulls, i, j)


@jit
def square_of(
    values,  # in (n_stored,) float32 or float64
    stored,  # in Stored
    scale,  # in float64, power of two
    norms,  # in (m,) float64, squared norms of the rows
    table,  # in (d, CANDIDATES) float64, see Candidates
    inverse,  # in (m,) float64, inverse lengths; of size 0: rows count with their lengths
    i,  # in int, row
    j,  # in int, row of a candidate
    lane,  # in int, the candidate
):
    """Return the squared distance of a row and a candidate, scaled."""
    (indices, starts), product = stored, 0.0
    for e in range(starts[i], starts[i + 1]):
        product += np.float64(values[e]) * scale * table[indices[e], lane]
    return square_by_product(values, stored, scale, norms, inverse, product, i, j)


@jit_with_scratch
def visit(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row, a multiple of GROUP_ROWS
    stop,  # in int, row to stop before
    stored,  # in Stored
    scale,  # in float64, power of two
    norms,  # in (m,) float64, squared norms of the rows
    candidates,  # in Candidates
    nearest,  # in/out Nearest: a try writes closer, a winner closest and group_sums
    winner,  # in int, the candidate that becomes a center, or TRY
    potentials,  # in/out (CANDIDATES,) float64, parts of sum w D^2 with each candidate
):
    """Try candidates on rows ``start:stop``, or make one of them a center.

    A winner needs only the rows whose bit is set.
    """
    (indices, starts), (weights, closest, closer, group_sums, inverse) = stored, nearest
    items, centers, table = candidates.items, candidates.norms, candidates.table
    close = empty(GROUP_ROWS, np.int64)
    for first in range(start, stop, GROUP_ROWS):
        last = first + GROUP_ROWS if first + GROUP_ROWS < stop else stop
        if winner == TRY:
            count = try_rows(
                values, indices, starts, first, last, scale, norms, weights, centers, table,
                closest, closer, potentials, close, inverse,
            )  # fmt: skip
            for r in range(count):
                i = close[r]
                w, known, bits = weights[i] if weights.size else 1.0, closest[i], 0
                for c in range(items.size):
                    square = square_of(values, stored, scale, norms, table, inverse, i, items[c], c)
                    nearer = square < known
                    potentials[c] += w * (square if nearer else known)
                    bits |= nearer << c
                closer[i] = bits
            continue
        for i in range(first, last):
            if closer[i] >> winner & 1:
                square = square_of(
                    values, stored, scale, norms, table, inverse, i, items[winner], winner
                )
                closest[i] = square if square < closest[i] else closest[i]
        group_sums[first // GROUP_ROWS] = group_sum(first, last, nearest)
