"""Sparse rows by cosine: their lengths, and the labels that float32 does not prove.

    label(x) = argmax_j x.c_j,   all centers of length 1

``screen_rows`` scores rows brought to length 1, without biases: a score is a cosine.  A row that it
leaves open is labelled here, by float64 products.  They are the sums that
``plain.exact.closest_by_products`` adds for the same row made dense, bit by bit: what is not stored
adds nothing.  So no lists of nonzero values are needed, as for differences.

The margin is that of ``assign``, with |x| = 1 and C = 1, except for rounding.  It covers more than
the cosine needs.  Scores without biases have errors of at most ``g |x| C``, because the factor of a
row is the same for all centers: its rounding changes no order.  Multiplying rounds each value twice
more, by ``2^-53``.  The products have errors of at most ``(m + 1) 2^-53 |x| C``.  So

    computed s_best - computed s_j > 2 (g + (m + 1) 2^-53) |x| C

proves that center j is not the label, and ``margin`` returns more.

Rows that share no column with any center have cosine 0 to all: label 0.  They are many at the
start, when centers are rows of few values.  ``used`` finds them without a product.

Loop order: rows, then tiles, then centers.
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_unfused, jit_with_scratch
from ..emit.scratch import empty
from ..shared.lengths import SAFE, scale_of
from .assign import LEFT, MOVED, SETTLED, SKIPPED, margin32, squared_norm
from .rows import factor_of
from .score import score_row


@jit_inline
def row_scale(
    values,  # in (n_stored,) float32 or float64
    row,  # in tuple of int, the first stored value of the row and the one to stop before
):
    """Return the power of two that brings the largest value of a row to about 1; 0 if all are 0."""
    size = 0.0
    for e in range(row[0], row[1]):
        value = abs(np.float64(values[e]))
        size = value if value > size else size
    return scale_of(size)


@jit
def measure_lengths(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    stored,  # in Stored
    scale,  # in float64, power of two
    inverse,  # out (m,) float64, 1 / |x * scale|, or 0; see shared.lengths.inverse_length
):
    """Write the inverse lengths of rows ``start:stop``."""
    _, starts = stored
    for i in range(start, stop):
        row, own = (starts[i], starts[i + 1]), scale
        square = squared_norm(values, row[0], row[1], own)
        if not SAFE < square < 1.0 / SAFE:
            own = row_scale(values, row)
            square = squared_norm(values, row[0], row[1], own)
        value = own / scale / math.sqrt(square) if square > 0.0 else 0.0
        inverse[i] = value if value < np.inf else 0.0


@jit
def find_used(
    centers,  # in (k, d) float64
    start,  # in int, first column
    stop,  # in int, column to stop before
    used,  # out (d,) bool
):
    """Mark the columns in which a center is not zero."""
    k, _ = centers.shape
    for f in range(start, stop):
        used[f] = False
    for j in range(k):
        for f in range(start, stop):
            used[f] |= centers[j, f] != 0.0


@jit_inline
def shares_a_column(
    row,  # in tuple of int, the first stored value of the row and the one to stop before
    indices,  # in (n_stored,) int32
    used,  # in (d,) bool, or of size 0: not known
):
    """Return whether a row may share a column with a center."""
    if used.size == 0:
        return True
    for e in range(row[0], row[1]):
        if used[indices[e]]:
            return True
    return False


@jit_unfused
def product(
    values,  # in (n_stored,) float32 or float64
    row,  # in tuple of int, the first stored value of the row and the one to stop before
    indices,  # in (n_stored,) int32
    scale,  # in float64, power of two
    centers,  # in (k, d) float64
    j,  # in int, row of centers
):
    """Return the product of a row and a center, added up value by value, in order."""
    total = 0.0
    for e in range(row[0], row[1]):
        total += np.float64(values[e]) * scale * centers[j, indices[e]]
    return total


@jit_with_scratch
def settle_directions(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    scaled,  # in Scaled
    centers,  # in Centers
    used,  # in (d,) bool, columns in which a center is not zero; of size 0: not known
    previous,  # in (m,) int32, labels to compare with
    labels,  # in/out (m,) int32; negative ones are replaced by the center of largest cosine
    counts,  # out (4,) int64: MOVED, SETTLED, LEFT, SKIPPED
):
    """Label the open rows among ``start:stop`` by float64 products, lowest index first.

    Only centers whose float32 scores come close to the largest are compared.
    """
    indices, starts = scaled.indices, scaled.starts
    exact, repeated = centers.exact, centers.repeated
    tiles, biases = centers.tiles, centers.biases
    (k, _), (n_tiles, d, width) = exact.shape, tiles.shape
    scores = empty(width, np.float32)
    moved, settled = 0, 0
    for i in range(start, stop):
        if labels[i] >= 0:
            continue
        row, index = (starts[i], starts[i + 1]), 0
        first, last = row
        scale, factor = row_scale(values, row), factor_of(scaled, i)
        if scale > 0.0 and shares_a_column(row, indices, used):
            top, best, settled = np.float32(-np.inf), -np.inf, settled + 1
            for tile in range(n_tiles):
                score = score_row(values, indices, first, last, factor, tiles, tile, biases, scores)
                top = score if score > top else top
            limit = top - margin32(1.0, last - first, d, centers.largest)
            for tile in range(n_tiles):
                if n_tiles > 1:
                    score_row(values, indices, first, last, factor, tiles, tile, biases, scores)
                for lane in range(width if k - tile * width > width else k - tile * width):
                    j = tile * width + lane
                    # What is not a number excludes nothing.
                    if repeated[j] or (factor > 0.0 and scores[lane] < limit):
                        continue
                    total = product(values, row, indices, scale, exact, j)
                    if total > best:
                        best, index = total, j
        labels[i] = index
        moved += index != previous[i]
    counts[MOVED], counts[SETTLED], counts[LEFT], counts[SKIPPED] = moved, settled, 0, 0
