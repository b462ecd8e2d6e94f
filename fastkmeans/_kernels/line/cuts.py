"""One more cluster: the least squares of every prefix of the values, and its best last cut.

    after[t] = min over s < t of  before[s] + squares(s, t)

``before[s]`` are the least squares of the first s values in q - 1 clusters, and ``after[t]`` those
of the first t values in q.  A best s never falls as t rises.  So the best cut of the middle t
limits those on both sides: divide and conquer (Bellman 1973, Mathematical Biosciences 18; Wu 1991,
Journal of Algorithms 12(4); Groenlund et al. 2017, arXiv 1701.07204).

Loop order: prefixes by halves, then cells of cuts from the last one down, then cuts.  Within a cell
of cuts, the squares of ``s:t`` take one merge: of the moments from s to the end of the cell with
those from there to t, which the cell has in common.  That loop vectorises.
"""

import numpy as np

from ..._runtime.jit import jit_unfused
from .moments import (
    BITS,
    CELL,
    SQUARES,
    TO_LAST,
    WEIGHT,
    column,
    from_cell,
    merged,
)

DEPTH = 64
"""Open halves at a time, at most."""


@jit_unfused
def try_first_cell(
    line,  # in Line
    before,  # in (n + 1,) float64, least squares with one cluster less
    t,  # in int, the prefix
    low,  # in int, first cut
    high,  # in int, last cut
):
    """Return the least squares for cuts in the cell of the last value, and the cut."""
    best, where = np.inf, low
    moments = (line.weights[t - 1], 0.0, 0.0, 0.0)
    for s in range(t - 1, low - 1, -1):
        if s < t - 1:
            own = (line.weights[s], 0.0, 0.0, 0.0)
            moments = merged(own, line.values[s + 1] - line.values[s], moments)
        squares = before[s] + moments[SQUARES]
        if s <= high and squares <= best:
            best, where = squares, s
    return best, where


@jit_unfused
def try_cell(
    line,  # in Line
    before,  # in (n + 1,) float64, least squares with one cluster less
    rest,  # in tuple of 4 float64, moments from the end of the cell to the end of the prefix
    low,  # in int, first cut
    high,  # in int, last cut, in the same cell
    squares,  # scratch (CELL,) float64
):
    """Return the least squares for cuts in one cell, and the first cut that has it."""
    weight, from_first, _, own = rest
    distance = line.runs.gaps[(low >> BITS) + 1] + from_first
    to_last, w = line.to_end[TO_LAST, low : high + 1], line.to_end[WEIGHT, low : high + 1]
    inner, earlier = line.to_end[SQUARES, low : high + 1], before[low : high + 1]
    for p in range(w.size):
        delta = to_last[p] + distance
        moved = delta * delta * (w[p] * (weight / (w[p] + weight)))
        squares[p] = earlier[p] + (inner[p] + own + moved)
    best, at = np.inf, 0
    for p in range(w.size):
        if squares[p] < best:
            best, at = squares[p], p
    return best, low + at


@jit_unfused
def best_cut(
    line,  # in Line
    before,  # in (n + 1,) float64, least squares with one cluster less
    t,  # in int, the prefix
    low,  # in int, first cut
    high,  # in int, last cut
    squares,  # scratch (CELL,) float64
):
    """Return the least squares of a prefix, and the first cut that has it."""
    best, where = np.inf, low
    last = (t - 1) >> BITS
    cell = high >> BITS
    if cell == last:
        best, where = try_first_cell(line, before, t, max(low, cell * CELL), high)
        cell -= 1
    if low >> BITS > cell:
        return best, where
    rest = from_cell(line, cell + 1, t)
    bottom = low >> BITS
    while True:
        first = cell * CELL
        found, at = try_cell(
            line, before, rest, max(low, first), min(high, first + CELL - 1), squares
        )
        if found <= best:
            best, where = found, at
        if cell == bottom:
            return best, where
        rest = merged(column(line.runs.whole, cell), line.runs.gaps[cell + 1], rest)
        cell -= 1


@jit_unfused
def add_cluster(
    line,  # in Line
    before,  # in (n + 1,) float64, least squares with one cluster less
    cuts,  # in (2,) int64, first and last cut that can be best
    prefixes,  # in (2,) int64, first and last prefix; the first one has a cut
    after,  # out (n + 1,) float64, least squares
    pointers,  # out (n + 1,) int32, the best cuts
    halves,  # scratch (2, DEPTH) int64
    squares,  # scratch (CELL,) float64
):
    """Write the least squares and the best cut of each prefix."""
    begin, end = prefixes[0], prefixes[1]
    halves[0, 0], halves[1, 0] = begin, end
    n_open = 1
    while n_open:
        n_open -= 1
        first, last = halves[0, n_open], halves[1, n_open]
        low = np.int64(pointers[first - 1]) if first > begin else cuts[0]
        high = np.int64(pointers[last + 1]) if last < end else cuts[1]
        t = (first + last) >> 1
        after[t], pointers[t] = best_cut(line, before, t, low, min(high, t - 1), squares)
        if first < t:
            halves[0, n_open], halves[1, n_open] = first, t - 1
            n_open += 1
        if t < last:
            halves[0, n_open], halves[1, n_open] = t + 1, last
            n_open += 1


@jit_unfused
def first_cluster(
    line,  # in Line
    last,  # in int, last prefix
    after,  # out (n + 1,) float64, least squares of each prefix in one cluster
):
    """Write the squares of each prefix, which has one cluster."""
    for t in range(1, last + 1):
        after[t] = from_cell(line, 0, t)[SQUARES]
