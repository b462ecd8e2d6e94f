"""Empty clusters, and data with fewer distinct rows than clusters.

A cluster that lost all its rows takes the row farthest from its own center (ties: the
lowest row); the cluster that gives the row is corrected.  That is scikit-learn's rule.
A row that is all its cluster has is not taken, nor one that lies on its center: then
there are no more distinct rows, and the cluster stays empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._data.rows import CHUNK, largest
from .._engines.sums import CANCELLED
from .._kernels.shared.update import COUNT, WEIGHT
from .._runtime.adding import column_totals

if TYPE_CHECKING:
    from .loop import Lloyd

ROUNDING = 1e-26
"""Share of the data's scatter under which an inertia is nothing but rounding."""


def squared_distances_to_own(lloyd: Lloyd) -> NDArray[np.float64]:
    """Return the squared distance of each row to its center, in scaled units.

    Rows of weight zero are no candidates and get -1.
    """
    frame, d = lloyd.frame, lloyd.rows.shape[1]
    out = lloyd.rows.empty(lloyd.rows.shape[0], np.float64)
    height = max(1, CHUNK // d)
    for start, X in lloyd.rows.blocks():
        for at in range(0, X.shape[1], height):
            part = slice(start + at, min(start + at + height, start + X.shape[1]))
            own = lloyd.centers[lloyd.labels[part]]
            difference = (X[0, at : at + height].astype(np.float64) - own) * frame.scale
            out[part] = np.einsum("ij,ij->i", difference, difference)
            if lloyd.weights.size:
                out[part][lloyd.weights[part] == 0.0] = -1.0
    return out


def farthest(distances: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return ``count`` rows by falling distance, ties by rising row."""
    return largest((distances[at : at + CHUNK] for at in range(0, distances.size, CHUNK)), count)


def relocate(lloyd: Lloyd) -> int:
    """Give rows to empty clusters, in ``new_centers``; return how many got one."""
    lloyd.write_labels()
    members = lloyd.sums.total_weights[COUNT].copy()
    empty = np.flatnonzero(members == 0.0)
    distances = squared_distances_to_own(lloyd)
    floor = ROUNDING * lloyd.frame.mean_variance * lloyd.rows.shape[1]
    # A cluster gives all but one of its rows, so this many candidates are enough.
    n_candidates = min(distances.size, len(empty) + len(lloyd.centers))
    given, sums = 0, lloyd.sums.total()
    taken: list[int] = []
    for row in farthest(distances, n_candidates):
        donor = lloyd.labels[row]
        if given == len(empty) or distances[row] <= floor:
            break
        if members[donor] < 2:
            continue
        taken.append(int(row))
        _move(lloyd, sums, taken, int(donor), int(empty[given]))
        members[donor] -= 1
        given += 1
    return given


def _move(
    lloyd: Lloyd, sums: NDArray[np.float64], taken: list[int], donor: int, cluster: int
) -> None:
    """Give the last of the rows taken to a cluster; correct sum and center of its donor."""
    frame, row = lloyd.frame, taken[-1]
    x = lloyd.rows.take(np.array([row]))[0].astype(np.float64)
    lloyd.new_centers[cluster] = x
    weight = lloyd.weights[row] if lloyd.weights.size else 1.0
    left = lloyd.sums.total_weights[WEIGHT, donor] - weight
    if left > CANCELLED * weight:
        sums[donor] -= weight * (x * frame.scale + frame.offset)
    else:  # next to nothing is left of the difference: add up the rows that stay
        sums[donor], left = 0.0, 0.0
        for part in _members(lloyd, donor, taken):
            w = lloyd.weights[part] if lloyd.weights.size else np.ones(len(part))
            points = lloyd.rows.take(part).astype(np.float64) * frame.scale + frame.offset
            sums[donor] += column_totals(w[:, None] * points)
            left += float(w.sum())
    lloyd.sums.total_weights[WEIGHT, donor] = left
    mean = sums[donor] / left
    lloyd.new_centers[donor] = mean / frame.scale + frame.shift


def _members(lloyd: Lloyd, cluster: int, taken: list[int]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of a cluster that have a weight, but for those taken, some at a time."""
    for start in range(0, lloyd.labels.size, CHUNK):
        part = slice(start, start + CHUNK)
        stay = lloyd.labels[part] == cluster
        if lloyd.weights.size:
            stay &= lloyd.weights[part] > 0.0
        members = np.setdiff1d(np.flatnonzero(stay) + start, taken)
        yield from (members[at : at + 4096] for at in range(0, len(members), 4096))


def snap(lloyd: Lloyd, inertia: float) -> float:
    """Remove the rounding of means where every cluster is one distinct row.

    The mean of equal rows may differ from them in the last digit, and so the inertia
    from zero.  If all the inertia is that small, each center becomes the first of its
    rows, and the rows are assigned once more.  Returns the inertia, in scaled units.
    """
    if not 0.0 < inertia <= ROUNDING * lloyd.frame.scatter:
        return inertia
    first = _first_rows(lloyd)
    clusters = np.flatnonzero(first >= 0)
    before = lloyd.centers.copy()
    lloyd.centers[clusters] = lloyd.rows.take(first[clusters]).astype(np.float64)
    lloyd.step()
    snapped = lloyd.inertia()
    if snapped >= inertia:
        lloyd.centers[:] = before
        lloyd.step()
        snapped = inertia
    return snapped


def _first_rows(lloyd: Lloyd) -> NDArray[np.int64]:
    """Return the first row of each cluster that has a weight, or -1."""
    first = np.full(len(lloyd.centers), -1, np.int64)
    for start in range(0, lloyd.labels.size, CHUNK):
        part = slice(start, start + CHUNK)
        rows = np.arange(start, min(start + CHUNK, lloyd.labels.size))
        if lloyd.weights.size:
            rows = rows[lloyd.weights[part] > 0.0]
        clusters, at = np.unique(lloyd.labels[rows], return_index=True)
        new = first[clusters] < 0
        first[clusters[new]] = rows[at[new]]
    return first
