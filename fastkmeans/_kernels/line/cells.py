"""Lower bounds that show in which cells a cut can lie, so that most cuts are never tried.

A cell here is a run of ``stride`` cells of the line.  If one cut lies in cell b and the next one in
cell c, all values of the cells between them are one cluster's.  Their squares are a lower bound.
So divide and conquer over the cells, with ``skip`` one, bounds the squares of all values before a
cut in cell c from below, and those after it as well.  If both sum up to more than what some
clustering has, cell c holds no such cut.  With ``skip`` zero, cuts lie at the beginnings of cells.
The least squares are then those of a clustering, so an upper bound.

Loop order: cells of the next cut by halves, then cells of the last cut.
"""

import numpy as np

from ..._runtime.jit import jit_unfused
from .moments import SQUARES, run_of_cells


@jit_unfused
def squares_between(
    line,  # in Line
    one,  # in int, a cell of a cut
    other,  # in int, another one
    stride,  # in int, cells of the line in a cell
    skip,  # in int, 1 to leave the first cell out, else 0
):
    """Return the squares of the cells from one up to another, without the last."""
    _, _, n_cells = line.runs.shape
    first = (min(one, other) + skip) * stride
    stop = min(max(one, other) * stride, n_cells)
    if first >= stop:
        return 0.0
    return run_of_cells(line, first, stop - 1)[SQUARES]


@jit_unfused
def add_cluster_by_cells(
    line,  # in Line
    before,  # in (m + 1,) float64, squares for each cell of the last cut
    cuts,  # in (2,) int64, first and last cell of that cut
    ends,  # in (2,) int64, first and last cell of the next cut
    stride,  # in int, cells of the line in a cell
    skip,  # in int, 1 for lower bounds, 0 for cuts at the beginnings of cells
    backward,  # in bool, whether the next cut lies before the last one
    after,  # out (m + 1,) float64, squares for each cell of the next cut
    pointers,  # scratch (m + 1,) int32
    halves,  # scratch (2, DEPTH) int64
):
    """Write the least squares for each cell of the next cut; infinite if there are none."""
    begin, end = ends[0], ends[1]
    halves[0, 0], halves[1, 0] = begin, end
    n_open = 1
    while n_open:
        n_open -= 1
        first, last = halves[0, n_open], halves[1, n_open]
        c = (first + last) >> 1
        low = np.int64(pointers[first - 1]) if first > begin else cuts[0]
        high = np.int64(pointers[last + 1]) if last < end else cuts[1]
        at = low
        if backward:
            low = max(low, c + 1 - skip)
            at = high
        else:
            high = min(high, c - 1 + skip)
        best = np.inf
        for b in range(low, high + 1):
            squares = before[b] + squares_between(line, b, c, stride, skip)
            if squares < best:
                best, at = squares, b
        after[c], pointers[c] = best, at
        if first < c:
            halves[0, n_open], halves[1, n_open] = first, c - 1
            n_open += 1
        if c < last:
            halves[0, n_open], halves[1, n_open] = c + 1, last
            n_open += 1


@jit_unfused
def first_cluster_by_cells(
    line,  # in Line
    last,  # in int, last cell of the first cut
    stride,  # in int, cells of the line in a cell
    after,  # out (m + 1,) float64, squares of the cells before each cell
):
    """Write the squares of the cells before each cell, which are one cluster's."""
    for c in range(last + 1):
        after[c] = squares_between(line, 0, c, stride, 0)
