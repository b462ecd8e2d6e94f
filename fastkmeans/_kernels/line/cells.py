"""Lower bounds that show in which cells a cut can lie, so that most cuts are never tried.

Cells here are any runs of values.  If one cut lies in cell b and the next one in cell c > b, one
cluster has all values of the cells between them, and the last value of cell b.  Their squares are a
lower bound.  So divide and conquer over the cells bounds the squares of all values before a cut in
cell c from below, and those after it as well.  If both sum up to more than what some clustering
has, cell c holds no such cut.  If cuts lie only at the beginnings of cells (``at_edges``), the
least squares are those of a clustering, so an upper bound.

Loop order: cells of the next cut by halves, then cells of the last cut.
"""

import numpy as np

from ..._runtime.jit import jit_unfused
from .moments import FROM_FIRST, SQUARES, WEIGHT, run_of_cells


@jit_unfused
def squares_between(
    runs,  # in Runs
    one,  # in int, the cell of a cut
    other,  # in int, that of another cut; the number of cells is the end of the values
    at_edges,  # in bool, whether the cuts are the beginnings of the cells
):
    """Return the squares of the values that lie between two cuts."""
    first, stop = min(one, other), max(one, other)
    if not at_edges:
        first += 1
    if first >= stop:
        return 0.0
    moments = run_of_cells(runs, first, stop - 1)
    if at_edges:
        return moments[SQUARES]
    weight, last = moments[WEIGHT], runs.last[first - 1]
    delta = runs.gaps[first] + moments[FROM_FIRST]
    return moments[SQUARES] + delta * delta * (last * (weight / (last + weight)))


@jit_unfused
def add_cluster_by_cells(
    runs,  # in Runs
    before,  # in (n_cells + 1,) float64, squares for each cell of the last cut
    cuts,  # in (2,) int64, first and last cell of that cut
    ends,  # in (2,) int64, first and last cell of the next cut
    at_edges,  # in bool, whether cuts are the beginnings of cells: never two in one
    backward,  # in bool, whether the next cut lies before the last one
    after,  # out (n_cells + 1,) float64, squares for each cell of the next cut
    pointers,  # scratch (n_cells + 1,) int32
    halves,  # scratch (2, DEPTH) int64
):
    """Write the least squares for each cell of the next cut; infinite if there are none."""
    begin, end = ends[0], ends[1]
    halves[0, 0], halves[1, 0] = begin, end
    n_open, apart = 1, 1 if at_edges else 0
    while n_open:
        n_open -= 1
        first, last = halves[0, n_open], halves[1, n_open]
        c = (first + last) >> 1
        low = np.int64(pointers[first - 1]) if first > begin else cuts[0]
        high = np.int64(pointers[last + 1]) if last < end else cuts[1]
        at = low
        if backward:
            low, at = max(low, c + apart), high
        else:
            high = min(high, c - apart)
        best = np.inf
        for b in range(low, high + 1):
            squares = before[b] + squares_between(runs, b, c, at_edges)
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
    runs,  # in Runs
    last,  # in int, last cell of the first cut
    after,  # out (n_cells + 1,) float64, squares of the cells before each cell
):
    """Write the squares of the cells before each cell, which are one cluster's."""
    for c in range(last + 1):
        after[c] = squares_between(runs, 0, c, True)
