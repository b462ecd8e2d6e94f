"""Sorting rows once, so that neighbours in the order are neighbours in space.

Every feature is cut into ``2^bits`` cells with about as many rows in each (cuts at the
quantiles of a sample: far outliers or a dense clump leave the other cells as fine as
they were).  The bits of the cell numbers, interleaved, are the place of a row on a Morton
curve (Morton 1966, IBM), and two passes of a counting sort, each over one half of the
bits, put the rows in the order of their places; rows of one cell keep their order.
"""

from __future__ import annotations

import numpy as np

from .._jit import jit, jit_with_scratch
from .boxes import STEPS
from .candidates import BOX, HIGH, LOW
from .row import prefetch_row
from .update import COUNT, WEIGHT

STRETCH = 256
"""Rows that are looked up together, feature by feature."""


@jit_with_scratch
def find_keys(
    X,  # in (2, m, d) float32 or float64
    start,  # first row
    stop,  # row to stop before
    columns,  # in (d,) int64, the features that count
    coarse,  # in (d, n_coarse) of X's dtype, every n-th of the cuts
    cuts,  # in (d, 2^bits) of X's dtype, rising, the first -inf
    spread,  # in (d, 2^bits) uint32, where the bits of a cell number go
    keys,  # out (m,) uint32
):
    """Compute the place on the curve of rows ``start:stop``.

    A cell is found by counting the cuts that are not above a value, first among every
    n-th, then among the n between two of these: more comparisons than a binary search,
    but a vector at a time and without a branch, three to six times as fast.
    """
    d, n_coarse = coarse.shape
    fine = cuts.shape[1] // n_coarse
    values = np.empty(STRETCH, X.dtype)
    cells = np.empty(STRETCH, np.int32)
    for first in range(start, stop, STRETCH):
        part = keys[first : min(first + STRETCH, stop)]
        part[:] = 0
        for f in range(d):
            for r in range(part.size):
                values[r] = X[0, first + r, columns[f]]
            cells[:] = -1
            for q in range(n_coarse):
                cut = coarse[f, q]
                for r in range(cells.size):
                    cells[r] += cut <= values[r]
            bits = spread[f]
            for r in range(part.size):
                place = max(cells[r], 0) * fine
                value, cell = values[r], place - 1
                among = cuts[f, place : place + fine]
                for q in range(among.size):
                    cell += among[q] <= value
                part[r] |= bits[cell]


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
    d = X.shape[2]
    values = np.empty((d, BOX))
    row_weights = np.empty(BOX)
    for b in range(start, stop):
        low, high, total = limits[LOW, b], limits[HIGH, b], box_sums[b]
        low[:], high[:], total[:] = np.inf, -np.inf, 0.0
        box_weights[b] = 0.0
        rows = order[b * BOX : b * BOX + BOX]
        for q in range(b * BOX + BOX, min(b * BOX + 2 * BOX, order.size)):
            prefetch_row(X, order[q])
        for p in range(rows.size):
            w = weights[rows[p]] if weights.size else 1.0
            row_weights[p] = w
            box_weights[b, WEIGHT] += w
            box_weights[b, COUNT] += w > 0.0
            for f in range(d):
                values[f, p] = np.float64(X[0, rows[p], f]) * scale + offset[f]
        for f in range(d):
            column = values[f]
            for p in range(rows.size):
                x = column[p]
                low[f] = x if x < low[f] else low[f]
                high[f] = x if x > high[f] else high[f]
                total[f] += row_weights[p] * x
            column[rows.size :] = low[f]
            middle, step = 0.5 * (low[f] + high[f]), (high[f] - low[f]) / STEPS
            inverse = 1.0 / step if step > 0.0 else 0.0
            for p in range(BOX):
                place = (column[p] - middle) * inverse if inverse < np.inf else 0.0
                copy[b, f, p] = np.int16(np.floor(place + 0.5))


@jit
def join_boxes(
    limits,  # in/out (2, all boxes, d) float64
    first,  # first box of the level below
    count,  # boxes of the level below
    fan,  # boxes of that level in one of this
    place,  # where this level begins
):
    """Find the extents of one level of boxes from those of the level below."""
    d = limits.shape[2]
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
