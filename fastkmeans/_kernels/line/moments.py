"""Moments of segments of sorted values: weight, mean, and squared deviations from the mean.

    squares = squares_a + squares_b + delta^2 * w_a * w_b / (w_a + w_b),   delta = mean_b - mean_a

These formulas merge two neighbouring segments (Chan, Golub and LeVeque 1983, The American
Statistician 37(3)).  A difference of prefix sums would lose the digits of a narrow segment between
far ones.  Here nothing is subtracted except neighbouring values: a mean is kept as its distance
from the first value of its segment, and as that to the last one.  All terms are positive, so each
sum of squares keeps its digits, whatever the offset.

The moments of any segment come from two or three merges.  The values are cut into cells of
``CELL``.  Kept are the moments from each value to the end of its cell, from the beginning of the
cell to each value, and those of some runs of whole cells (``Runs``).  Row h of their table has, for
each cell, the run between it and the closest boundary that is a multiple of ``2^h`` but not of
``2^(h+1)``.  Two cells l < r differ first in bit h.  The boundary ``(r >> h) << h`` lies between
them, so they take two runs of row h.

Nothing here fuses (``jit_unfused``), so that a choice between two equal sums of squares does not
depend on the processor.  Loop order: cells, then the values of a cell, or levels, then cells.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit_unfused

BITS = 6
CELL = 1 << BITS
"""Values in a cell."""

WEIGHT, FROM_FIRST, TO_LAST, SQUARES = range(4)
"""Moments of a segment: its weight, mean minus first value, last value minus mean, squares."""


class Runs(NamedTuple):
    """Cells of values, and the moments of all runs of them."""

    whole: Any  # in (4, n_cells) float64, moments of each cell
    gaps: Any  # in (n_cells,) float64, first value of a cell minus last value before it
    last: Any  # in (n_cells,) float64, weight of the last value of each cell
    table: Any  # in (n_levels, 4, n_cells) float64, moments of runs
    heights: Any  # in (2^n_levels,) uint8, the highest bit that is set, by number


class Line(NamedTuple):
    """Distinct values in rising order, and the moments of their segments."""

    values: Any  # in (n,) float64, rising
    weights: Any  # in (n,) float64, above zero
    to_end: Any  # in (4, n) float64, moments from each value to the end of its cell
    from_start: Any  # in (4, n) float64, moments from the beginning of its cell to each value
    runs: Any  # in Runs, of the cells of CELL values


@jit_unfused
def merge_equal(
    values,  # in/out (n,) float64, rising; then the distinct ones that have weight
    order,  # in (n,) int64, the row of each value, or of size 0 if no row has a weight
    row_weights,  # in (n,) float64, or of size 0: all ones
    weights,  # out (n,) float64, of the distinct values
):
    """Merge equal values; return how many distinct ones have weight."""
    count = 0
    for i in range(values.size):
        w = row_weights[order[i]] if order.size else 1.0
        if w > 0.0:
            if count > 0 and values[count - 1] == values[i]:
                weights[count - 1] += w
            else:
                values[count] = values[i]
                weights[count] = w
                count += 1
    return count


@jit_unfused
def merged(
    left,  # in tuple of 4 float64, moments
    gap,  # in float64, first value of the right segment minus last value of the left one
    right,  # in tuple of 4 float64, moments
):
    """Return the moments of two neighbouring segments."""
    w_left, from_left, to_left, squares_left = left
    w_right, from_right, to_right, squares_right = right
    weight = w_left + w_right
    share, other = w_right / weight, w_left / weight
    delta = to_left + gap + from_right
    squares = squares_left + squares_right + delta * delta * (w_left * share)
    return weight, from_left + delta * share, to_right + delta * other, squares


@jit_unfused
def fill_cells(
    values,  # in (n,) float64, rising
    weights,  # in (n,) float64
    to_end,  # out (4, n) float64, see Line
    from_start,  # out (4, n) float64, see Line
):
    """Write the moments of the parts of cells."""
    n = values.size
    for first in range(0, n, CELL):
        stop = min(first + CELL, n)
        moments = (weights[first], 0.0, 0.0, 0.0)
        for i in range(first, stop):
            if i > first:
                own = (weights[i], 0.0, 0.0, 0.0)
                moments = merged(moments, values[i] - values[i - 1], own)
            for m in range(4):
                from_start[m, i] = moments[m]
        moments = (weights[stop - 1], 0.0, 0.0, 0.0)
        for i in range(stop - 1, first - 1, -1):
            if i < stop - 1:
                own = (weights[i], 0.0, 0.0, 0.0)
                moments = merged(own, values[i + 1] - values[i], moments)
            for m in range(4):
                to_end[m, i] = moments[m]


@jit_unfused
def column(
    table,  # in (4, n) float64
    i,  # in int
):
    """Return a column of moments."""
    return table[0, i], table[1, i], table[2, i], table[3, i]


@jit_unfused
def fill_runs(
    runs,  # in/out Runs; the table and the heights are written
):
    """Write the moments of runs of cells, and the highest bits."""
    n_levels, _, n_cells = runs.table.shape
    for i in range(runs.heights.size):
        runs.heights[i] = 0 if i < 2 else runs.heights[i >> 1] + 1
    for h in range(n_levels):
        half = 1 << h
        for middle in range(half, n_cells, 2 * half):
            moments = column(runs.whole, middle - 1)
            for c in range(middle - 1, middle - half - 1, -1):
                if c < middle - 1:
                    moments = merged(column(runs.whole, c), runs.gaps[c + 1], moments)
                for m in range(4):
                    runs.table[h, m, c] = moments[m]
            moments = column(runs.whole, middle)
            for c in range(middle, min(middle + half, n_cells)):
                if c > middle:
                    moments = merged(moments, runs.gaps[c], column(runs.whole, c))
                for m in range(4):
                    runs.table[h, m, c] = moments[m]


@jit_unfused
def run_of_cells(
    runs,  # in Runs
    first,  # in int, first cell
    last,  # in int, last cell, not before it
):
    """Return the moments of whole cells."""
    if first == last:
        return column(runs.whole, first)
    h = np.int64(runs.heights[first ^ last])
    gap = runs.gaps[(last >> h) << h]
    return merged(column(runs.table[h], first), gap, column(runs.table[h], last))


@jit_unfused
def from_cell(
    line,  # in Line
    cell,  # in int, first cell, at most that of the last value
    stop,  # in int, value to stop before
):
    """Return the moments of the values from the beginning of a cell."""
    last = (stop - 1) >> BITS
    part = column(line.from_start, stop - 1)
    if cell == last:
        return part
    return merged(run_of_cells(line.runs, cell, last - 1), line.runs.gaps[last], part)


@jit_unfused
def segment(
    line,  # in Line
    start,  # in int, first value
    stop,  # in int, value to stop before, after it
):
    """Return the moments of the values ``start:stop``."""
    cell = start >> BITS
    if cell != (stop - 1) >> BITS:
        rest = from_cell(line, cell + 1, stop)
        return merged(column(line.to_end, start), line.runs.gaps[cell + 1], rest)
    moments = (line.weights[start], 0.0, 0.0, 0.0)
    for i in range(start + 1, stop):
        own = (line.weights[i], 0.0, 0.0, 0.0)
        moments = merged(moments, line.values[i] - line.values[i - 1], own)
    return moments


@jit_unfused
def take_segments(
    line,  # in Line
    cuts,  # in (k + 1,) int64, where the segments begin, and the number of values
    moments,  # out (4, k) float64
):
    """Write the moments of segments."""
    _, k = moments.shape
    for j in range(k):
        found = segment(line, cuts[j], cuts[j + 1])
        for m in range(4):
            moments[m, j] = found[m]
