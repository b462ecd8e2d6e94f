"""The rounding bound of scores: by how much the best must exceed the second to prove a label.

    s_j = x.c_j - |c_j|^2 / 2,   |computed s_j - s_j| <= e_j

Loop order: none.  Each function is a formula for one row.

``u`` is the unit roundoff of the tile's precision (2^-24 or 2^-53).  Packing rounds each
coordinate of ``x`` and of ``c_j`` once, relative error at most ``u`` (float64 rows in a float32
tile: ``u + 2^-53``).  It rounds the bias once.  In the float64 tile the bias is itself a rounded
sum of d squares; there 2 d replaces d.  A chain of ``d`` fused multiply-adds that starts at the
bias has an error of at most ``g_d (|c_j|^2/2 + sum_f |x_f c_jf|)``, ``g_d = d u / (1 - d u)``
(Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1).  If the processor has
none, a product is rounded once more: ``g_(d+1)``.  With Cauchy-Schwarz, for every center,

    |computed s_j - s_j| <= e_j = g (|x| |c_j| + |c_j|^2 / 2),   g = (d + 4) u * 1.01

as long as d u < 0.005.  Two bounds on ``e_j`` hold for all centers at once:

    (A)  |c_j| <= C, the largest norm:    e_j <= g (|x| C + C^2 / 2)
    (B)  |c_j| <= |x| + D_j, where D_j^2 = |x - c_j|^2 = |x|^2 - 2 s_j:
             e_j <= g (2.5 |x|^2 + 1.5 D_j^2) = g (4 |x|^2 - 3 s_j),
         using 2 |x| D_j <= |x|^2 + D_j^2.  In terms of the computed score,
             e_j <= h (4 |x|^2 - 3 computed s_j),   h = g / (1 - 3 g).

(A) is tighter if the centers are near the mean, (B) if a few centers are far away.  Under (B),
computed s_j + e_j <= (1 - 3 h) computed s_j + 4 h |x|^2 grows with the computed score.  So the
second-best score bounds all others, and

    computed s_best - computed s_second > min(2 g (|x| C + C^2 / 2),
                                              h (8 |x|^2 - 3 (s_best + s_second)))

proves the label in exact arithmetic.  ``closest_by_differences`` must find the same label.  Its
sums have a relative error of at most ``v = (d + 4) 2^-53``.  So the margin must also exceed
``v D_best^2 <= v (|x|^2 + 2 |s_best|)``: then (1 - v) D_j^2 > (1 + v) D_best^2 for every other
center.

Underflow adds at most ``d 2^-149`` in float32 (coordinates are scaled to about 1) and ``d 2^-1074``
in float64: ``d * tiny`` covers it.  ``norms`` are rounded too, relative error at most g: a factor
1.01 covers that.

By cosine
---------
    label(x) = argmax_j x.c_j,   all centers of length 1

The length of ``x`` does not matter, so rows come as they are.  In scaled units all centers have the
same length ``C``.  Scores have no bias, so ``e_j <= g |x| C``: the bound falls with the row, and
short rows are proven as well as long ones.  ``closest_by_products`` must find the same label.  Its
products have an error of at most ``v |x| C``, so that

    computed s_best - computed s_second > 2 (g + v) |x| C

proves the label.  Underflow takes up to ``d 2^-149`` from ``|x|^2``: the square root of
``d * tiny`` covers it.

The other engines compare distances.  ``|x - c_j|^2 = |x|^2 + C^2 - 2 x.c_j`` has the same order for
all ``x``, except for the rounding of ``C``.  Their bounds allow for it (``bounds.error_terms``,
``boxes.near.pack_near``).
"""

import math

import numpy as np

from ..._runtime.jit import jit_inline

EXACT_NORM = 2.0**100
"""Squared norm of a center (data are scaled to about 1) above which scores may overflow.  Then
every row is settled by differences."""


@jit_inline
def rounding(
    d,  # in int, number of features
    unit,  # in float64, unit roundoff of the tile
    largest,  # in float64, largest squared norm of a center
):
    """Return ``g`` of the bound; infinite, so that nothing is proven, if the bound fails."""
    return (d + 4) * unit * 1.01 if d * unit < 0.005 and largest <= EXACT_NORM else np.inf


@jit_inline
def margin_needed(
    norm,  # in float64, squared norm of the packed point
    best,  # in float64, best computed score
    second,  # in float64, second-best computed score
    g,  # in float64, rounding(d, u)
    largest,  # in float64, largest squared norm of a center
    tiny,  # in float64, bound on underflow
    by_differences,  # in float64, relative rounding of a float64 sum of squared differences
    by_cosine,  # in bool, whether scores are products alone
):
    """Return the margin ``best - second`` above which the label is proven."""
    if by_cosine:
        slope = 2.03 * (g + by_differences) * math.sqrt(largest)
        return slope * (math.sqrt(norm) + math.sqrt(tiny)) + tiny
    near = 2.0 * g * (math.sqrt(norm * largest) + 0.5 * largest)
    h = g / (1.0 - 3.0 * g)
    far = h * (8.0 * norm - 3.0 * (best + second)) if h > 0.0 else np.inf
    agree = by_differences * (norm + 2.0 * abs(best))
    return 1.01 * (near if near < far else far) + agree + tiny


@jit_inline
def narrow_bound(
    g,  # in float64, rounding(d, u)
    largest,  # in float64, largest squared norm of a center
    tiny,  # in float64, bound on underflow
    by_differences,  # in float64, relative rounding of a float64 sum of squared differences
    by_cosine,  # in bool, whether scores are products alone
):
    """Return slope, constant and agree of bound (A), somewhat rounded up.

    The margin needed is at most ``slope |x| + constant + agree (|x|^2 + 2 |s_best|)``.
    """
    if by_cosine:
        slope = 2.04 * (g + by_differences) * math.sqrt(largest)
        constant = 1.01 * (slope * math.sqrt(tiny) + tiny)
        return np.float32(slope), np.float32(constant), np.float32(0.0)
    return (
        np.float32(2.03 * g * math.sqrt(largest)),
        np.float32(1.02 * g * largest + tiny),
        np.float32(1.01 * by_differences),
    )
