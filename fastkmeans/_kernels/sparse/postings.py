"""Greedy k-means++ on sparse rows by postings: a candidate meets only rows that share a column.

The *postings* of a column are the rows that store a value in it, and these values.  Adding up the
postings of a candidate c, column by column, gives its products with all rows that share a column.
All other rows have a product of zero::

    |x - c|^2 = |x|^2 + |c|^2

Such rows are not visited if it is known that none comes closer.  A center c' *bounds* the distances
of some rows if ``D^2 <= |x|^2 + |c'|^2`` for each of them.  Let the squared norm of c be no smaller
than that of c'.  Then ``|x|^2 + |c|^2`` is no smaller than D^2: a sum of floats rounds
monotonically.  If it is smaller, all rows are visited.  Every center bounds all distances if no
value is negative.  By cosine all norms are 1.

A candidate lowers the potential by its *gain*: the sum of ``w (D^2 - |x - c|^2)`` over the rows
that come closer.

The products are added in the order of the columns, as ``seeding`` does.  So distances have the
same bits.

Loop order of ``meet``: candidates, then their stored values, then postings.  A second loop over the
same postings reads the products and sets them back to zero.  Postings are kept range by range of
rows, so that what belongs to the rows of a range stays in the cache.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit
from ..seeding.potential import GROUP_ROWS, group_sum
from .seeding import square_by_product


class Postings(NamedTuple):
    """The stored values of each range of rows, column by column.

    Those of column f lie in ``firsts[f]:firsts[f + 1]``; every range has its own ``firsts``.
    """

    scale: Any  # in float64, power of two
    rows: Any  # in (n_stored,) int32, rising within a column
    values: Any  # in (n_stored,) float32 or float64
    norms: Any  # in (m,) float64, squared norms of the rows, scaled
    products: Any  # scratch (m,) float64, zeros before and after


@jit
def post_rows(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    stored,  # in Stored
    postings,  # in/out Postings, rows and values out
    firsts,  # in/out (d + 1,) int64, zeros; then see Postings
):
    """Sort the stored values of rows ``start:stop`` by column: count, add up, and fill."""
    (indices, starts), d = stored, firsts.size - 1
    for e in range(starts[start], starts[stop]):
        firsts[indices[e]] += 1
    end = starts[start]
    for f in range(d):
        end += firsts[f]
        firsts[f] = end
    firsts[d] = end
    for back in range(stop - start):  # from the last row, so that ends become firsts
        i = stop - 1 - back
        for e in range(starts[i], starts[i + 1]):
            place = firsts[indices[e]] - 1
            firsts[indices[e]] = place
            postings.rows[place], postings.values[place] = i, values[e]


@jit
def meet(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row, a multiple of GROUP_ROWS
    stop,  # in int, row to stop before
    stored,  # in Stored
    postings,  # in Postings
    nearest,  # in/out Nearest: a new center writes closest and group_sums
    items,  # in (n_candidates,) int64, rows
    adopts,  # in bool, whether the rows become centers
    firsts,  # in (d + 1,) int64, see Postings
    bound,  # in/out (1,) float64, the least squared norm of a center that bounds the distances
    gains,  # out (n_candidates,) float64
):
    """Write the gains of candidates on rows ``start:stop``; the candidates may become centers."""
    (indices, starts), (scale, rows, posted, norms, products) = stored, postings
    weights, closest, group_sums = nearest.weights, nearest.closest, nearest.group_sums
    inverse = nearest.inverse
    for c in range(items.size):
        j, total = items[c], 0.0
        pull = inverse[j] if inverse.size else 1.0
        for e in range(starts[j], starts[j + 1]):
            x, f = np.float64(values[e]) * scale * pull, indices[e]
            for p in range(firsts[f], firsts[f + 1]):
                i = np.uint64(rows[p])  # no index is negative: numba would look at each
                products[i] += np.float64(posted[p]) * scale * x
        visits_all = norms[j] < bound[0]
        for e in range(starts[j], starts[j] + 1 if visits_all else starts[j + 1]):
            first, last = start, stop
            if not visits_all:
                first, last = firsts[indices[e]], firsts[indices[e] + 1]
            for p in range(first, last):
                i = np.uint64(p) if visits_all else np.uint64(rows[p])
                product = products[i]
                products[i] = 0.0
                # A row that was visited before has a product of zero, and comes no closer.
                square = square_by_product(values, stored, scale, norms, inverse, product, i, j)
                less = closest[i] - square
                less = less if less > 0.0 else 0.0
                total += weights[i] * less if weights.size else less
                if adopts and less > 0.0:
                    closest[i] = square
                    group_sums[i // np.uint64(GROUP_ROWS)] = -1.0  # to be added again
        gains[c] = total
        if adopts and visits_all:
            beyond = 0
            for i in range(start, stop):
                beyond += closest[i] > norms[i] + norms[j]
            bound[0] = norms[j] if beyond == 0 else bound[0]
    for first in range(start, stop if adopts else start, GROUP_ROWS):
        if group_sums[first // GROUP_ROWS] < 0.0:
            last = first + GROUP_ROWS if first + GROUP_ROWS < stop else stop
            group_sums[first // GROUP_ROWS] = group_sum(first, last, nearest)
