"""Empty clusters, and data with fewer distinct rows than clusters.

An empty cluster takes the row that is farthest from its assigned center (ties: the lowest
row).  The donor, the cluster that gives the row, is corrected.  That is scikit-learn's rule.
A cluster never gives its only row.  If all rows left lie on their centers, there are no more
distinct rows, and the cluster stays empty.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .._data.lengths import to_length_one
from .._data.problem import Problem
from .._data.rows import CHUNK, largest
from .._data.sparse import SparseRows
from .._engines.sums import CANCELLED, sparse_squares
from .._kernels.shared.update import COUNT, NO_DIRECTION, WEIGHT
from .._runtime.adding import column_totals, total_of
from .._runtime.arrays import Floats, Labels
from .run import Run

ROUNDING = 1e-26
"""Share of the data's scatter; an inertia below it is nothing but rounding error."""


def squared_distances_to_own(problem: Problem, labels: Labels, centers: Floats) -> Floats:
    """Return each row's squared distance to its center, scaled; -1 if it moves no center."""
    n, d = problem.shape
    if isinstance(problem.rows, SparseRows):
        squares = sparse_squares(problem, labels, centers)
        if problem.weights.size:
            squares[problem.weights == 0.0] = -1.0
        if problem.inverse.size:
            squares[problem.inverse == 0.0] = -1.0
        return squares
    inverse, scale = problem.inverse, problem.scaling.scale
    out = problem.rows.empty(n, np.float64)
    height = max(1, CHUNK // d)
    for block, X in problem.blocks():
        for start in range(block.start, block.stop, height):
            part = slice(start, min(start + height, block.stop))
            own = centers[labels[part]]
            rows = X[0, start - block.start :][:height]
            if inverse.size:
                points = rows.astype(np.float64) * scale * inverse[part, None]
                difference = (points - own) * problem.scaling.unit
            else:
                difference = rows.astype(np.float64) * scale - own * scale  # nothing overflows
            difference = np.ascontiguousarray(difference)  # in this order the squares are added
            out[part] = np.einsum("ij,ij->i", difference, difference)
            if inverse.size:
                out[part][inverse[part] == 0.0] = -1.0
            if problem.weights.size:
                out[part][problem.weights[part] == 0.0] = -1.0
    return out


def farthest(distances: Floats, count: int) -> NDArray[np.int64]:
    """Return the ``count`` farthest rows by falling distance, ties by rising row."""
    return largest((distances[at : at + CHUNK] for at in range(0, distances.size, CHUNK)), count)


def relocate(run: Run) -> int:
    """Give rows to empty clusters, in ``new_centers``; return how many clusters got one."""
    run.write_labels()
    members = run.sums.total_weights[COUNT].copy()
    empty = np.flatnonzero(members == 0.0)
    distances = squared_distances_to_own(run.problem, run.labels, run.centers)
    scaling = run.problem.scaling
    floor = ROUNDING * scaling.mean_variance * run.problem.rows.shape[1]
    if scaling.by_cosine:  # rows of one direction, of any lengths, differ by rounding
        floor = ROUNDING * scaling.unit**2
    # A cluster keeps at least one row, so this many candidates are enough.
    n_candidates = min(distances.size, len(empty) + len(run.centers))
    given, sums = 0, run.sums.total()
    taken: list[int] = []
    for row in farthest(distances, n_candidates):
        donor = run.labels[row]
        if given == len(empty) or distances[row] <= floor:
            break
        if members[donor] < 2:
            continue
        taken.append(int(row))
        _move(run, sums, taken, int(donor), int(empty[given]))
        members[donor] -= 1
        given += 1
    return given


def _move(run: Run, sums: Floats, taken: list[int], donor: int, cluster: int) -> None:
    """Give the last row of ``taken`` to a cluster; correct sum and center of its donor."""
    problem, scaling, row = run.problem, run.problem.scaling, taken[-1]
    x = problem.points(np.array([row]))[0]
    run.new_centers[cluster] = x
    weight = run.problem.weights[row] if run.problem.weights.size else 1.0
    left = run.sums.total_weights[WEIGHT, donor] - weight
    if left > CANCELLED * weight:
        sums[donor] -= weight * (x if scaling.by_cosine else x * scaling.scale + scaling.offset)
    else:  # the difference would cancel: add the rows that stay
        sums[donor], left = 0.0, 0.0
        for part in _members(run, donor, taken):
            w = run.problem.weights[part] if run.problem.weights.size else np.ones(len(part))
            points = problem.points(part)
            if not scaling.by_cosine:
                points = points * scaling.scale + scaling.offset
            sums[donor] += column_totals(w[:, None] * points)
            left += float(w.sum())
    run.sums.total_weights[WEIGHT, donor] = left
    mean = sums[donor] / left
    if not scaling.by_cosine:
        run.new_centers[donor] = mean / scaling.scale + scaling.shift
    elif math.sqrt(total_of(mean * mean)) > NO_DIRECTION:
        run.new_centers[donor] = to_length_one(mean[None])[0]
    else:
        run.new_centers[donor] = run.centers[donor]


def _members(run: Run, cluster: int, taken: list[int]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of a cluster that have weight, except those taken, some at a time."""
    for start in range(0, run.labels.size, CHUNK):
        part = slice(start, start + CHUNK)
        stay = run.labels[part] == cluster
        if run.problem.weights.size:
            stay &= run.problem.weights[part] > 0.0
        if run.problem.inverse.size:
            stay &= run.problem.inverse[part] > 0.0
        members = np.setdiff1d(np.flatnonzero(stay) + start, taken)
        # Sparse rows become dense here: some at a time.
        is_sparse = isinstance(run.problem.rows, SparseRows)
        count = max(1, CHUNK // run.problem.shape[1]) if is_sparse else 4096
        yield from (members[at : at + count] for at in range(0, len(members), count))


def snap(run: Run, inertia: float) -> float:
    """Remove the rounding error of means if every cluster is one distinct row.

    The mean of equal rows may differ from them in the last digit; the inertia is then not
    zero.  If the inertia is that small, each center becomes the first of its rows, and the
    rows are assigned once more.  Returns the inertia, in scaled units.
    """
    if not 0.0 < inertia <= ROUNDING * run.problem.scaling.scatter:
        return inertia
    first = _first_rows(run)
    clusters = np.flatnonzero(first >= 0)
    before = run.centers.copy()
    run.centers[clusters] = run.problem.points(first[clusters])
    run.step()
    snapped = run.inertia()
    if snapped >= inertia:
        run.centers[:] = before
        run.step()
        snapped = inertia
    return snapped


def _first_rows(run: Run) -> NDArray[np.int64]:
    """Return the first row of each cluster that moves its center, or -1."""
    first = np.full(len(run.centers), -1, np.int64)
    for start in range(0, run.labels.size, CHUNK):
        rows = np.arange(start, min(start + CHUNK, run.labels.size))
        if run.problem.weights.size:
            rows = rows[run.problem.weights[rows] > 0.0]
        if run.problem.inverse.size:
            rows = rows[run.problem.inverse[rows] > 0.0]
        clusters, at = np.unique(run.labels[rows], return_index=True)
        new = first[clusters] < 0
        first[clusters[new]] = rows[at[new]]
    return first
