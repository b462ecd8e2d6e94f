"""Sort rows once, so that neighbours in the order are neighbours in space.

Every feature is cut into ``2^bits`` cells with about as many rows in each.  The cuts are quantiles
of a sample, so far outliers or a dense clump do not make the other cells coarser.  The interleaved
bits of the cell numbers are the place of a row on a Morton curve (Morton 1966, IBM):

    bit j of the cell number of feature f  ->  bit j n_columns + f of the key

By cosine the rows are brought to length 1 first: directions are what lies close together.

Two passes of a counting sort, each over half of the bits, sort the rows by their keys.  Rows of one
cell keep their order.

Loop order of ``find_keys``: strips of rows outside, then features, then rows.  A strip of the data
and of the keys stays in the cache.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.core import config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit
from ..emit.simd import Emitter, integer
from .candidates import BOX

FINE = 16
"""Cuts that a step of a search compares at once."""
STRIP = 1024
"""Rows whose keys are found together."""


class Cells(NamedTuple):
    """A grid over the features that vary most, with about as many rows in each slice."""

    columns: Any  # in (n_columns,) int64, the features of the grid
    top: Any  # in (n_columns, FINE) of X's dtype, every FINE-th one of coarse, then inf
    coarse: Any  # in (n_columns, a multiple of FINE) of X's dtype, every FINE-th cut, then inf
    cuts: Any  # in (n_columns, a multiple of FINE) of X's dtype, from -inf, rising; then inf
    spread: Any  # in (n_columns, 2^bits) uint32, where the bits of a cell number go


@intrinsic
def _count_intrinsic(typingctx: Any, cuts: Any, f: Any, start: Any, value: Any) -> Any:
    i = types.intp
    signature = i(cuts, i, i, value)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        row = emit.item(sig.args[0], args[0], args[1])
        value, total = emit.broadcast(args[3], emit.floats), integer(0)
        for first in range(0, FINE, emit.lanes):
            place = builder.add(args[2], integer(first))
            below = builder.fcmp_ordered("<=", emit.load(row, place, emit.floats), value)
            total = builder.add(total, emit.count(below))
        return total

    return signature, codegen


def _count_twin(
    cuts: Any,  # in (n_columns, width) float32 or float64
    f: int,  # in, row of cuts
    start: int,  # in, first cut, a multiple of FINE
    value: Any,  # in, of the dtype of cuts
) -> int:
    """Return how many of FINE cuts are not above a value."""
    return int(np.count_nonzero(cuts[f, start : start + FINE] <= value))


count_not_above = _count_twin if config.DISABLE_JIT else _count_intrinsic


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

    The cell number is the number of cuts that are not above a value, less 1.  The search takes
    three steps at most, each among FINE cuts.  A binary search compares fewer cuts, but one at a
    time, with branches.
    """
    columns, top, coarse, cuts, spread = cells
    _, n_coarse = coarse.shape
    for first in range(start, stop, STRIP):
        part = keys[first : min(first + STRIP, stop)]
        part[:] = 0
        for f in range(columns.size):
            values, own = X[0, first : first + part.size, columns[f]], spread[f]
            for r in range(part.size):
                value = values[r]
                if inverse.size:
                    value = X.dtype.type(np.float64(value) * scale * inverse[first + r])
                place = 0
                if n_coarse > FINE:
                    place = (count_not_above(top, f, 0, value) - 1) * FINE
                place = (place + count_not_above(coarse, f, place, value) - 1) * FINE
                place += count_not_above(cuts, f, place, value) - 1
                part[r] |= own[np.uintp(place)]


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
