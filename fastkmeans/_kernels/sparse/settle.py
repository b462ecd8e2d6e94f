"""The E step for the sparse rows that ``assign`` left open: scores in float64, else differences.

The bound is that of ``assign``, with float64's unit roundoff.  If it proves nothing, the sums of
squared differences decide, lowest index first.  They are the sums that
``plain.exact.closest_by_differences`` adds for the same row made dense, bit by bit: what is not
stored in a row and is zero in a center adds nothing.

Loop order: rows, then centers, then stored values.  Few rows come here, so no tiles are packed.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit_inline, jit_unfused, jit_with_scratch
from ..emit.scratch import empty
from .assign import LEFT, MOVED, SETTLED, SKIPPED, UNIT64, margin, squared_norm

LARGE64 = 2.0**1000
"""Squared norm above which float64 scores may overflow."""
FEW = 2
"""Rows of a range whose label may be found by differences without lists of nonzero values."""


class Nonzero(NamedTuple):
    """The columns in which centers are not zero; without columns: not known."""

    starts: Any  # in (k + 1,) int64
    columns: Any  # in (n_nonzero,) int32, or of size 0


@jit_unfused
def square_below(
    values,  # in (n_stored,) float32 or float64
    row,  # in tuple of int, the first stored value of a row and the one to stop before
    indices,  # in (n_stored,) int32
    scale,  # in float64, power of two
    centers,  # in (k, d) float64
    j,  # in int, row of centers
    nonzero,  # in Nonzero
    limit,  # in float64, squared distance to stop at
):
    """Return the squared distance of a row and a center; once it reaches a limit, a part of it.

    The sum runs feature by feature, in order, and leaves out zeros.
    """
    e, last = row
    _, d = centers.shape
    listed = nonzero.columns.size > 0
    p = nonzero.starts[j] if listed else 0
    p_last = nonzero.starts[j + 1] if listed else d
    total = 0.0
    while (p < p_last or e < last) and total < limit:
        column = indices[e] if e < last else d
        other = p if p < p_last else d
        if listed:
            other = nonzero.columns[p] if p < p_last else d
        x, c = 0.0, 0.0
        f = column if column < other else other
        if column == f:
            x = np.float64(values[e]) * scale
            e += 1
        if other == f:
            c = centers[j, f] * scale
            p += 1
        total += (x - c) * (x - c)
    return total


@jit_inline
def score_exactly(
    values,  # in (n_stored,) float32 or float64
    row,  # in tuple of int, the first stored value of the row and the one to stop before
    indices,  # in (n_stored,) int32
    scale,  # in float64, power of two
    centers,  # in Centers
    scores,  # out (k,) float64
):
    """Score a row in float64 against all centers; return the largest score and its center."""
    exact, norms, repeated = centers.exact, centers.norms, centers.repeated
    best, index = -np.inf, 0
    for j in range(norms.size):
        score = -0.5 * norms[j]
        for e in range(row[0], row[1]):
            score += np.float64(values[e]) * scale * (exact[j, indices[e]] * scale)
        scores[j] = -np.inf if repeated[j] else score
        if scores[j] > best:
            best, index = scores[j], j
    return best, index


@jit_with_scratch
def settle_rows(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    scaled,  # in Scaled
    centers,  # in Centers
    nonzero,  # in Nonzero
    previous,  # in (m,) int32, labels to compare with
    labels,  # in/out (m,) int32; negative ones are replaced by the closest center
    counts,  # out (4,) int64: MOVED, SETTLED by differences, LEFT, SKIPPED
):
    """Label the open rows among ``start:stop`` in float64, else by differences.

    Without lists of nonzero values, differences take the time of a dense row.  Then all but a few
    such rows stay open.
    """
    indices, starts, scale = scaled.indices, scaled.starts, scaled.scale
    exact, repeated, largest = centers.exact, centers.repeated, centers.largest
    k, d = exact.shape
    scores = empty(k, np.float64)
    most = FEW if nonzero.columns.size == 0 else stop - start
    moved, settled, left = 0, 0, 0
    for i in range(start, stop):
        if labels[i] >= 0:
            continue
        row = starts[i], starts[i + 1]
        n_values = row[1] - row[0]
        norm = squared_norm(values, row[0], row[1], scale)
        best, index = score_exactly(values, row, indices, scale, centers, scores)
        g, differences = (n_values + 2 * d + 8) * UNIT64 * 1.01, (d + 4) * UNIT64
        tiny = (n_values + 1) * 2.0**-1000
        need = margin(norm, largest, g, UNIT64, differences, tiny)
        known = largest <= LARGE64 and need < np.inf
        rivals = 0
        for j in range(k):
            rivals += not scores[j] < best - need
        if rivals != 1 or not known:
            if settled == most:
                left += 1
                continue
            least, settled = np.inf, settled + 1
            for j in range(k):
                if not repeated[j] and not (known and scores[j] < best - need):
                    total = square_below(values, row, indices, scale, exact, j, nonzero, least)
                    if total < least:
                        least, index = total, j
            if least == np.inf:
                index = 0
        labels[i] = index
        moved += index != previous[i]
    counts[MOVED], counts[SETTLED], counts[LEFT], counts[SKIPPED] = moved, settled, left, 0
