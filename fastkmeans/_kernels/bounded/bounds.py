"""The bounds of the rows: they widen by what the centers moved, and tell what a row needs.

Loop order: rows outside, the groups of a row in one vector.  So the bounds of a row lie side by
side.  What a pass writes is still in the first-level cache for the next.
"""

from typing import Any, NamedTuple

from ..._runtime.jit import jit
from ..bytes.quantize import WIDER
from .group import fetch_row, widen_row

STRETCH = 1024
"""Rows whose bounds are widened together, and which are sorted by their needs."""


class BoundedRows(NamedTuple):
    """The bounds of the rows of a block of data."""

    upper: Any  # in/out (m,) float32, bound on the distance to the assigned center
    lower: Any  # in/out (m, GROUPS) float32, bound on the distance to any other of a group


class GroupedCenters(NamedTuple):
    """The centers as tiles, group by group."""

    tiles: Any  # in (n_tiles, 1 + d, CENTERS) float32
    edges: Any  # in (GROUPS + 1,) int64, first tiles of the groups; some may have none
    order: Any  # in (k,) int32, the center at each place of the tiles
    place: Any  # in (k,) int32, the place of each center
    table: Any  # in (k, width) float32, a center, its bias, zeros; by index
    drift: Any  # in (k,) float32, drift of each center
    fastest: Any  # in (GROUPS,) float32, largest drift of a center of each group
    largest: Any  # in float64, largest squared norm of a center


@jit
def widen(
    start,  # in int, first row
    stop,  # in int, row to stop before
    centers,  # in GroupedCenters
    rows,  # in/out BoundedRows
    previous,  # in (m,) int32, labels before
    labels,  # out (m,) int32, the same labels
    needs,  # out (STRETCH,) int32, the groups that each row needs
):
    """Widen the bounds of some rows, and find what they need."""
    drift, upper = centers.drift, rows.upper
    before, now, near = previous[start:stop], labels[start:stop], upper[start:stop]
    for r in range(now.size):
        now[r] = before[r]
        near[r] = (near[r] + drift[before[r]]) * WIDER
    for r in range(now.size):
        needs[r] = widen_row(rows.lower, start + r, centers.fastest, near[r])


@jit
def sort_by_needs(
    X,  # in (2, m, d) float32 or float64, any strides; rows that need a group are fetched
    first,  # in int, first row
    count,  # in int, number of rows
    needs,  # in (STRETCH,) int32
    places,  # scratch (2^n_groups + 1,) int64
    met,  # out (STRETCH,) int64, rows that need a group, by their needs
):
    """Sort some rows by their needs; return how many need any group."""
    for t in range(places.size):
        places[t] = 0
    for r in range(count):
        places[needs[r] + 1] += 1
    n_apart = places[1]
    places[1] = 0
    for t in range(2, places.size):
        places[t] += places[t - 1]
    for r in range(count):
        need = needs[r]
        if need != 0:
            met[places[need]] = first + r
            fetch_row(X, first + r)
            places[need] += 1
    return count - n_apart
