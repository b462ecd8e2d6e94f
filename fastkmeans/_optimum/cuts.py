"""The cuts between the clusters of sorted values that give the least sum of squares."""

import numpy as np
from numpy.typing import NDArray

from .._kernels.line.cuts import DEPTH, add_cluster, first_cluster
from .._kernels.line.moments import CELL, Line, fill_cells
from .._kernels.line.pointers import find_pointer, keep_pointers
from .._runtime.arrays import Floats
from .limits import limits_of, runs_of


def line_of(values: Floats, weights: Floats) -> Line:
    """Return the moments of distinct values in rising order."""
    n = len(values)
    to_end, from_start = np.empty((2, 4, n))
    fill_cells(values, weights, to_end, from_start)
    first = np.arange(0, n, CELL)
    gaps = values[first] - values[np.maximum(first - 1, 0)]
    last = weights[np.minimum(first + CELL, n) - 1]
    runs = runs_of(np.ascontiguousarray(to_end[:, ::CELL]), gaps, last)
    return Line(values, weights, to_end, from_start, runs)


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
