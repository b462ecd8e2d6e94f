"""Where each cut of a clustering of least squares can lie: bounds, by finer and finer cells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._kernels.line.cells import add_cluster_by_cells, first_cluster_by_cells
from .._kernels.line.cuts import DEPTH
from .._kernels.line.moments import Line, Runs, fill_runs, take_segments
from .._runtime.arrays import Floats

Limits = NDArray[np.int64]
"""First and last place where each cut can lie, ``(2, n_clusters + 1)``."""

VALUES_PER_CELL = 16
"""Values of a cell, on average, in the last round: with fewer, the cells would take much memory."""
FINER, FEWEST_CELLS = 8, 4
"""How many times as many cells a round has as the one before, and cells per cluster at least."""
NOTHING: Floats = np.empty(0)
SLACK = 1e-9
"""Relative error that a sum of squares is allowed; its rounding error is far smaller."""


def limits_of(line: Line, n_clusters: int) -> Limits:
    """Return where each cut of a clustering of least squares can lie."""
    n, k = len(line.values), n_clusters
    limits = np.array([np.arange(k + 1), np.arange(n - k, n + 1)])
    limits[1, 0], limits[0, k] = 0, n
    rounds, n_cells = [], n // VALUES_PER_CELL
    while k > 1 and n_cells >= FEWEST_CELLS * k:
        rounds.append(n_cells)
        n_cells //= FINER
    least, measure = np.inf, measure_of(line) if rounds else NOTHING
    for n_cells in reversed(rounds):
        bounds = Bounds(line, limits, measure, n_cells)
        least = min(least, bounds.some_squares())
        bounds.narrow(limits, least)
    return limits


def runs_of(whole: Floats, gaps: Floats, last: Floats) -> Runs:
    """Return the moments of runs of cells from those of the cells."""
    n_cells = len(gaps)
    n_levels = max(1, (n_cells - 1).bit_length())
    table, heights = np.empty((n_levels, 4, n_cells)), np.empty(1 << n_levels, np.uint8)
    runs = Runs(whole, gaps, last, table, heights)
    fill_runs(runs)
    return runs


def measure_of(line: Line) -> Floats:
    """Return a measure of the values before each value, by which cells are cut; 2 in all.

    Clusters of least squares are narrow where values are dense: if f is the density, about as
    many lie in each part of equal ``f^(1/3) dx`` (Panter and Dite 1951, Proceedings of the IRE 39).
    Half of the cells are cut by this measure, half by the number of values.  The cells change no
    result, so this may round in any way.
    """
    n = len(line.values)
    gaps = np.diff(line.values, prepend=line.values[0])
    measure = np.cumsum(np.cbrt(gaps * gaps * (line.weights / line.weights.max())))
    measure /= max(measure[-1], np.finfo(np.float64).tiny)
    measure += np.arange(n) / n
    return measure


class Bounds:
    """Bounds on the squares of all clusterings whose cuts lie within limits."""

    def __init__(self, line: Line, limits: Limits, measure: Floats, n_cells: int) -> None:
        n, self._k = len(measure), limits.shape[1] - 1
        inner = np.searchsorted(measure, np.arange(1, n_cells) * (2.0 / n_cells))
        self._edges = np.unique(np.concatenate([[0], np.minimum(inner, n), [n]]))
        self._last = m = len(self._edges) - 1
        whole, firsts = np.empty((4, m)), self._edges[:-1]
        take_segments(line, self._edges, whole)
        gaps = line.values[firsts] - line.values[np.maximum(firsts - 1, 0)]
        self._runs = runs_of(whole, gaps, line.weights[self._edges[1:] - 1])
        self._cells = np.searchsorted(self._edges, limits, side="right") - 1
        self._scratch = np.empty(m + 1, np.int32), np.empty((2, DEPTH), np.int64)

    def _first(self) -> Floats:
        after = np.full(self._last + 1, np.inf)
        first_cluster_by_cells(self._runs, self._cells[1, 1], after)
        return after

    def _add(self, before: Floats, cuts: Any, ends: Any, at_edges: bool, backward: bool) -> Floats:
        """Return the least squares for each cell of the next cut."""
        after = np.full(self._last + 1, np.inf)
        add_cluster_by_cells(
            self._runs, before, cuts, ends, at_edges, backward, after, *self._scratch
        )
        return after

    def some_squares(self) -> float:
        """Return the least squares of the clusterings whose cuts lie at beginnings of cells."""
        k, numbers = self._k, np.arange(self._k + 1)
        first = np.maximum(self._cells[0], numbers)
        cells = np.array([first, np.minimum(self._cells[1], self._last - k + numbers)])
        if (cells[0] > cells[1]).any():
            return np.inf
        squares = self._first()
        for q in range(2, k + 1):
            squares = self._add(squares, cells[:, q - 1], cells[:, q], True, False)
        return float(squares[self._last])

    def narrow(self, limits: Limits, least: float) -> None:
        """Narrow the limits to cells that can hold cuts of a clustering of ``least`` squares."""
        k, cells, edges = self._k, self._cells, self._edges
        ahead = [self._first()]
        for q in range(2, k):
            ahead.append(self._add(ahead[-1], cells[:, q - 1], cells[:, q], False, False))
        behind = np.full(self._last + 1, np.inf)
        behind[self._last] = 0.0
        for q in range(k - 1, 0, -1):
            behind = self._add(behind, cells[:, q + 1], cells[:, q], False, True)
            own = slice(cells[0, q], cells[1, q] + 1)
            bound = ahead.pop()[own] + behind[own]
            can = np.flatnonzero(bound <= least * (1.0 + SLACK)) + cells[0, q]
            limits[0, q] = max(limits[0, q], edges[can[0]])
            limits[1, q] = min(limits[1, q], edges[can[-1] + 1] - 1)
        for q in range(1, k):
            limits[0, q] = max(limits[0, q], limits[0, q - 1] + 1)
        for q in range(k - 1, 0, -1):
            limits[1, q] = min(limits[1, q], limits[1, q + 1] - 1)
