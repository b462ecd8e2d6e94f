"""The cuts between the clusters of sorted values that give the least sum of squares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._kernels.line.cells import add_cluster_by_cells, first_cluster_by_cells
from .._kernels.line.cuts import DEPTH, add_cluster, first_cluster
from .._kernels.line.moments import CELL, Line, fill_cells, fill_runs
from .._kernels.line.pointers import find_pointer, keep_pointers
from .._runtime.arrays import Floats

Limits = NDArray[np.int64]
"""First and last place where each cut can lie, ``(2, n_clusters + 1)``."""

STRIDES = 16, 1
"""Cells of the line in the cells of the lower bounds, one after the other."""
FEWEST_CELLS = 4
"""Fewest cells per cluster for which lower bounds pay."""
SLACK = 1e-9
"""Relative error that a sum of squares is allowed; its rounding error is far smaller."""


def line_of(values: Floats, weights: Floats) -> Line:
    """Return the moments of distinct values in rising order."""
    n = len(values)
    n_cells = -(-n // CELL)
    n_levels = max(1, (n_cells - 1).bit_length())
    line = Line(
        values, weights, np.empty((4, n)), np.empty((4, n)), np.empty((n_levels, 4, n_cells)),
        np.empty(1 << n_levels, np.uint8),
    )  # fmt: skip
    fill_cells(values, weights, line.to_end, line.from_start)
    fill_runs(values, line.to_end, line.runs, line.heights)
    return line


def best_cuts(line: Line, n_clusters: int) -> NDArray[np.int64]:
    """Return where the clusters of least squares begin, and the number of values.

    There are more values than clusters.  If several clusterings are as good, cuts lie as low as
    they can, the last one first.
    """
    n, k = len(line.values), n_clusters
    limits = limits_of(line, k)
    before, after = np.empty((2, n + 1))
    pointers = np.empty(n + 1, np.int32)
    scratch = np.empty((2, DEPTH), np.int64), np.empty(CELL)
    kept: list[NDArray[np.uint64]] = []
    first_cluster(line, limits[1, 1], before)
    for q in range(2, k + 1):
        cuts, prefixes = limits[:, q - 1], limits[:, q]
        add_cluster(line, before, cuts, prefixes, after, pointers, *scratch)
        n_bits = int(np.diff(cuts)[0] + np.diff(prefixes)[0]) + 1
        kept.append(np.zeros(n_bits // 64 + 1, np.uint64))
        keep_pointers(pointers, prefixes[0], prefixes[1], cuts[0], kept[-1])
        before, after = after, before
    found = np.zeros(k + 1, np.int64)
    found[k] = n
    for q in range(k, 1, -1):
        number = found[q] - limits[0, q]
        found[q - 1] = find_pointer(kept.pop(), limits[0, q - 1], number)
    return found


def limits_of(line: Line, n_clusters: int) -> Limits:
    """Return where each cut of a clustering of least squares can lie."""
    n, k = len(line.values), n_clusters
    limits = np.array([np.arange(k + 1), np.arange(n - k, n + 1)])
    limits[1, 0], limits[0, k] = 0, n
    least = np.inf
    for stride in STRIDES:
        if -(-n // (CELL * stride)) >= FEWEST_CELLS * k and k > 1:
            bounds = Bounds(line, limits, stride)
            least = min(least, bounds.some_squares())
            bounds.narrow(limits, least)
    return limits


class Bounds:
    """Bounds on the squares of all clusterings whose cuts lie in some cells."""

    def __init__(self, line: Line, limits: Limits, stride: int) -> None:
        self._line, self._stride, self._width = line, stride, CELL * stride
        self._k = limits.shape[1] - 1
        self._last = m = -(-len(line.values) // self._width)
        self._cells = limits // self._width
        self._cells[:, self._k] = m
        self._scratch = np.empty(m + 1, np.int32), np.empty((2, DEPTH), np.int64)

    def _add(self, before: Floats, cuts: Any, ends: Any, skip: int, backward: bool) -> Floats:
        """Return the least squares for each cell of the next cut."""
        after = np.full(self._last + 1, np.inf)
        add_cluster_by_cells(
            self._line, before, cuts, ends, self._stride, skip, backward, after, *self._scratch
        )
        return after

    def _first(self) -> Floats:
        after = np.full(self._last + 1, np.inf)
        first_cluster_by_cells(self._line, self._cells[1, 1], self._stride, after)
        return after

    def some_squares(self) -> float:
        """Return the least squares of the clusterings whose cuts lie at beginnings of cells."""
        k, numbers = self._k, np.arange(self._k + 1)
        cells = np.array([
            np.maximum(self._cells[0], numbers),
            np.minimum(self._cells[1], self._last - k + numbers),
        ])  # fmt: skip
        if (cells[0] > cells[1]).any():
            return np.inf
        squares = self._first()
        for q in range(2, k + 1):
            squares = self._add(squares, cells[:, q - 1], cells[:, q], 0, False)
        return float(squares[self._last])

    def narrow(self, limits: Limits, least: float) -> None:
        """Narrow the limits to cells that can hold cuts of a clustering of ``least`` squares."""
        k, cells = self._k, self._cells
        ahead = [self._first()]
        for q in range(2, k):
            ahead.append(self._add(ahead[-1], cells[:, q - 1], cells[:, q], 1, False))
        behind = np.full(self._last + 1, np.inf)
        behind[self._last] = 0.0
        for q in range(k - 1, 0, -1):
            behind = self._add(behind, cells[:, q + 1], cells[:, q], 1, True)
            own = slice(cells[0, q], cells[1, q] + 1)
            bound = ahead.pop()[own] + behind[own]
            can = np.flatnonzero(bound <= least * (1.0 + SLACK)) + cells[0, q]
            limits[0, q] = max(limits[0, q], can[0] * self._width)
            limits[1, q] = min(limits[1, q], (can[-1] + 1) * self._width - 1)
        for q in range(1, k):
            limits[0, q] = max(limits[0, q], limits[0, q - 1] + 1)
        for q in range(k - 1, 0, -1):
            limits[1, q] = min(limits[1, q], limits[1, q + 1] - 1)
