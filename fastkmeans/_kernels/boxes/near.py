"""Label the rows of one box that has several candidates.

The rows are scored in coordinates of the box, around its middle.  Float32 then has its full digits,
however small the box is: it separates the rows of a dense clump among far outliers.  The rows come
from a copy in the order of the boxes, in 16-bit steps of the extent of their box.  That is half the
bytes of float32.  It also avoids jumps in ``X``, which cost more than the scores.  Labels are
certified as in ``plain.assign``; the bound holds in any coordinates.  The coarseness of the copy is
added to the bound (``pack_near``).  About one row in ten thousand must be read from ``X``.

Loop order of ``pack_near``: candidates outside, features inside, as the table of candidates is
written.
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_inline
from ..emit.dots import lowest_bit
from ..plain.bound import rounding
from ..plain.exact import closest
from .candidates import BOX, HIGH, LOW, label_points
from .tree import STEPS


@jit
def pack_near(
    limits,  # in (2, all boxes, d) float64
    b,  # in int, the box
    table,  # in (d + 1, room) float64, see Candidates
    n,  # in int, number of candidates
    by_cosine,  # in bool
    near,  # out (room, 1 + d) float32
):
    """Write candidates in the steps of a box, around its middle; return the margin needed.

    Measured from the middle, ``|y|^2 <= E`` for a row ``y``, and ``|c|^2 <= C`` for the candidates.
    ``R`` is the largest squared norm of a row or a candidate, from the origin.  Then the difference
    of two scores is off by at most

        2 g (sqrt(E C) + C / 2)                 the float32 tile (``plain.bound``, A)
        2 sqrt(E C) / STEPS                     the copy: half a step in each feature
        2^-67 R + 2^-28 (E + C)                 coordinates are rounded to 2^-51 of sqrt(R)
        (d + 4) 2^-53 (E + 2 sqrt(E C) + C)     to agree with float64 differences
        3 (d + 4) 2^-53 R                       by cosine: to agree with float64 products, and for
                                                the rounding of the centers to one length
    """
    _, _, d = limits.shape
    extent, far, largest = 0.0, 0.0, 0.0
    for f in range(d):
        low, high = limits[LOW, b, f], limits[HIGH, b, f]
        extent += 0.25 * (high - low) * (high - low)
        far += max(low * low, high * high)
    for q in range(n):
        norm = 0.0
        for f in range(d):
            low, high = limits[LOW, b, f], limits[HIGH, b, f]
            c = table[f, q] - 0.5 * (low + high)
            near[q, 1 + f] = c * ((high - low) / STEPS)
            norm += c * c
        near[q, 0] = -0.5 * norm
        largest = norm if norm > largest else largest
        far = table[d, q] if table[d, q] > far else far
    g = rounding(d, 2.0**-24, largest)
    root = math.sqrt(extent * largest)
    bound = 2.0 * g * (root + 0.5 * largest) + 2.01 / STEPS * root
    bound += 2.0**-67 * far + (2.0**-28 + (d + 4) * 2.0**-52) * (extent + largest)
    if by_cosine:
        bound += (d + 4) * 2.0**-51 * far
    return np.float32(1.01 * bound + d * 1e-40)


@jit_inline
def score_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    b,  # in int, the box
    tree,  # in Tree
    centers,  # in (k, d) float64
    scale,  # in float64, power of two
    by_cosine,  # in bool
    found,  # in Candidates, of the box
    n,  # in int, number of candidates
    near,  # scratch (room, 1 + d) float32
    now,  # out (BOX,) int32, the labels
):
    """Find the labels of the rows of a box; return how many needed differences."""
    order, (table, ids) = tree.order, found
    need = pack_near(tree.limits, b, table, n, by_cosine, near)
    unproven, settled = label_points(tree.copy, b, near, ids, n, need, now), 0
    while unproven != 0:
        p = lowest_bit(unproven)
        unproven &= unproven - 1
        if b * BOX + p < order.size:
            now[p] = closest(X, order[b * BOX + p], centers, scale, by_cosine)
            settled += 1
    return settled
