"""The E step: the closest center of every row, certified.

    label(x) = argmin_j |x - c_j|^2 = argmax_j s_j,   s_j = x.c_j - |c_j|^2 / 2

Scores are float32, whatever the dtype of ``X``.  A label is accepted only if a rounding bound
proves that no other center can be closer.  The other rows are scored again in float64.  If even
that proves nothing (an exact tie, as a rule), float64 differences ``sum((x - c)^2)`` decide, lowest
index first.  So every label is that of a float64 argmin by differences, whatever path a row took.

Why it matters: float32 cannot tell some pairs of centers apart.  Then the order of the additions
decides, and one row is enough to change a run.  It was measured in NumPy on 20 000 sentence
embeddings with 200 clusters and three starts.  Float32 runs added in another order, or left a row
in place on a tie.  In four of nine cases they left the exact run within ten iterations, and
differed in 190 to 300 rows by the thirtieth.

Loop order: ``GROUP`` blocks of rows outside, then panels of tiles, then blocks, then tiles.  A
panel stays in the second-level cache while all blocks of the group pass by.

The bound
---------
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

The products of ``closest_by_products`` are float64, one feature after the other; ties go to the
lowest index.  The row is multiplied by a power of two first.  So the label does not depend on the
unit of a row, and nothing overflows.  A row of zeros has cosine 0 to all centers: label 0.

The other engines compare distances.  ``|x - c_j|^2 = |x|^2 + C^2 - 2 x.c_j`` has the same order for
all ``x``, except for the rounding of ``C``.  Their bounds allow for it (``bounds.error_terms``,
``boxes.visit.pack_near``).
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_unfused, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..shared.lengths import row_scale
from ..shared.pack import pack_points
from .start import (
    LEAST_CENTERS,
    TABLE_MULTIPLE,
    TABLE_WORK,
    fill_table,
    start_at_labels,
    start_at_nothing,
)
from .tile import best_two

GROUP = 8
"""Blocks that share one pass over a panel of center tiles."""
PANEL_BYTES = 400_000
"""Bytes of a panel of tiles: it and a group of blocks fit the second-level cache."""
SETTLED_WORK = 1 << 15
"""Values of centers, at least, that ``assign_rows`` compares by differences before it leaves rows
to ``settle_rows``.  A second pass costs as much, and compiling it takes longer than a fit."""
SETTLED_SHARE = 10_000
"""Beyond that work, ``assign_rows`` itself settles at most one row in so many.  Differences cost 50
times the scores of a row, the float64 tile of ``settle_rows`` two or three times."""
EXACT_NORM = 2.0**100
"""Squared norm of a center (data are scaled to about 1) above which scores may overflow.  Then
every row is settled by differences."""
UNROLL = 8
"""Features between two checks whether a distance has already lost."""


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


@jit_unfused
def square_below(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64
    j,  # in int, row of centers
    scale,  # in float64, power of two
    limit,  # in float64, squared distance to stop at
):
    """Return the squared distance of a row and a center; once it reaches a limit, a part of it.

    The sum runs feature by feature, in order.  If two centers are equally close, its rounding
    decides; it is the same on any processor.
    """
    _, d = centers.shape
    total = 0.0
    f = 0
    while f < d and total < limit:
        stop = f + UNROLL if f + UNROLL < d else d
        for g in range(f, stop):
            difference = np.float64(X[0, i, g]) * scale - centers[j, g] * scale
            total += difference * difference
        f += UNROLL
    return total


@jit_inline
def closest_by_differences(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64
    scale,  # in float64, power of two
):
    """Return the closest center of one row by float64 differences, lowest index first."""
    k, _ = centers.shape
    best, index = np.inf, 0
    for j in range(k):
        total = square_below(X, i, centers, j, scale, best)
        if total < best:
            best, index = total, j
    return index


@jit_unfused
def product(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64
    j,  # in int, row of centers
    scale,  # in float64, power of two
):
    """Return the product of a row and a center, added up feature by feature, in order."""
    _, d = centers.shape
    total = 0.0
    for f in range(d):
        total += np.float64(X[0, i, f]) * scale * centers[j, f]
    return total


@jit
def closest_by_products(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64, of length 1
):
    """Return the center of largest cosine by float64 products, lowest index first."""
    k, _ = centers.shape
    scale = row_scale(X, i)
    best, index = -np.inf, 0
    if scale == 0.0:
        return index
    for j in range(k):
        total = product(X, i, centers, j, scale)
        if total > best:
            best, index = total, j
    return index


@jit_inline
def closest(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int, row of X
    centers,  # in (k, d) float64
    scale,  # in float64, power of two
    by_cosine,  # in bool
):
    """Return the closest center of one row in float64, lowest index first."""
    if by_cosine:
        return closest_by_products(X, i, centers)
    return closest_by_differences(X, i, centers, scale)


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


@jit_inline
def score_blocks(
    blocks,  # in (n_blocks, d, POINTS) float32 or float64, packed points
    count,  # in int, number of valid blocks
    tiles,  # in (n_tiles, 1 + d, CENTERS) of blocks' dtype
    home,  # in/out (n_blocks, POINTS) int32, see best_two
    best,  # in/out (n_blocks, POINTS) of blocks' dtype
    second,  # in/out (n_blocks, POINTS) of blocks' dtype
    index,  # in/out (n_blocks, POINTS) int32
):
    """Score blocks against all tiles, panel by panel."""
    n_tiles, rows, _ = tiles.shape
    panel = PANEL_BYTES // (rows * CENTERS * tiles.itemsize) + 1
    for start in range(0, n_tiles, panel):
        stop = start + panel if start + panel < n_tiles else n_tiles
        for b in range(count):
            best_two(blocks, b, tiles, start, stop, home, best, second, index)


@jit_inline
def find_unproven(
    first,  # in int, row of lane 0 of block 0
    count,  # in int, number of rows in the blocks
    norms,  # in (GROUP, POINTS) float32
    best,  # in (GROUP, POINTS) float32
    second,  # in (GROUP, POINTS) float32
    g,  # in float64, rounding(d, u)
    largest,  # in float64, largest squared norm of a center
    tiny,  # in float64, bound on underflow
    by_differences,  # in float64, relative rounding of a float64 sum of squared differences
    by_cosine,  # in bool
    rows,  # out (GROUP * POINTS,) int64, rows left open
):
    """List the rows of a group of blocks whose label is not proven; return their number.

    Bound (A) in float32 vectorises, and alone proves nearly all blocks.  The others get both
    bounds.
    """
    slope, constant, agree = narrow_bound(g, largest, tiny, by_differences, by_cosine)
    n_rows = 0
    for b in range((count + POINTS - 1) // POINTS):
        n_narrow = 0
        for p in range(POINTS):
            need = slope * np.sqrt(norms[b, p]) + constant
            need += agree * (norms[b, p] + np.float32(2) * abs(best[b, p]))
            n_narrow += not best[b, p] - second[b, p] > need
        if n_narrow:
            for p in range(POINTS if count - b * POINTS > POINTS else count - b * POINTS):
                high, low = np.float64(best[b, p]), np.float64(second[b, p])
                norm = np.float64(norms[b, p])
                if not high - low > margin_needed(
                    norm, high, low, g, largest, tiny, by_differences, by_cosine
                ):
                    rows[n_rows] = first + b * POINTS + p
                    n_rows += 1
    return n_rows


@jit_inline
def write_labels(
    index,  # in (GROUP, POINTS) int32
    first,  # in int, row of lane 0 of block 0
    count,  # in int, number of rows in the blocks
    previous,  # in (m,) int32
    labels,  # out (m,) int32
):
    """Write labels; return how many differ from the previous ones.

    numba knows that indices of a slice are not negative, so the loop vectorises.
    """
    moved = 0
    for b in range((count + POINTS - 1) // POINTS):
        start = first + b * POINTS
        stop = start + POINTS if (b + 1) * POINTS < count else first + count
        before, now = previous[start:stop], labels[start:stop]
        for p in range(now.size):
            moved += index[b, p] != before[p]
            now[p] = index[b, p]
    return moved


@jit_with_scratch
def assign_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    offset,  # in (d,) of X's dtype, -shift * scale
    scale,  # in float of X's dtype, power of two
    centers,  # in (k, d) float64
    tiles,  # in (n_tiles, 1 + d, CENTERS) float32
    largest,  # in float64, largest squared norm of a center
    by_cosine,  # in bool
    previous,  # in (m,) int32, labels to start at and to compare with, or -1
    labels,  # out (m,) int32, closest center, or -1 for a row left open
    counts,  # out (3,) int64: rows moved, settled by differences, left open
):
    """Assign rows ``start:stop`` in float32.

    A few unproven rows are settled by differences at once.  If there are many, the rest is left
    open for ``settle_rows``.
    """
    _, _, d = X.shape
    moved, settled, left = 0, 0, 0
    g = rounding(d, 2.0**-24, largest)
    error = (d + 4) * 2.0**-53
    at_least = SETTLED_WORK // centers.size
    group = GROUP * POINTS
    rows = empty(group, np.int64)
    unproven = empty(group, np.int64)
    blocks = empty((GROUP, d, POINTS), tiles.dtype)
    norms = empty((GROUP, POINTS), tiles.dtype)
    best = empty((GROUP, POINTS), tiles.dtype)
    second = empty((GROUP, POINTS), tiles.dtype)
    index = empty((GROUP, POINTS), np.int32)
    home = empty((GROUP, POINTS), np.int32)
    k, _ = centers.shape
    # One row speaks for the range: rows without a label are right, too, but slower.
    has_labels = start < stop and previous[start] >= 0 and k >= LEAST_CENTERS + d
    has_labels = has_labels and (stop - start) * (k - d) >= TABLE_WORK * k * d
    width = (d + TABLE_MULTIPLE) // TABLE_MULTIPLE * TABLE_MULTIPLE
    table = empty((k if has_labels else 0, width), np.float32)
    if has_labels:
        fill_table(tiles, table)
    narrow = narrow_bound(g, largest, d * 1e-40, error, by_cosine)
    for first in range(start, stop, group):
        count = group if group < stop - first else stop - first
        for r in range(count):
            rows[r] = first + r
        n_blocks = pack_points(X, rows, count, offset, scale, blocks, norms)
        if has_labels:
            for b in range(n_blocks):
                start_at_labels(
                    blocks, b, rows, previous, table, norms, narrow, home, best, second, index
                )
        else:
            start_at_nothing(n_blocks, home, best, second, index)
        score_blocks(blocks, n_blocks, tiles, home, best, second, index)
        n_unproven = find_unproven(
            first, count, norms, best, second, g, largest, d * 1e-40, error, by_cosine, unproven
        )
        moved += write_labels(index, first, count, previous, labels)
        for u in range(n_unproven):
            i = unproven[u]
            moved -= labels[i] != previous[i]
            # Rows of zeros cost little, and there may be many.
            is_zero = by_cosine and norms[(i - first) // POINTS, (i - first) % POINTS] == 0.0
            if is_zero or settled < at_least or settled * SETTLED_SHARE < first + group - start:
                labels[i] = closest(X, i, centers, np.float64(scale), by_cosine)
                moved += labels[i] != previous[i]
                settled += not is_zero
            else:
                labels[i] = -1
                left += 1
    counts[0], counts[1], counts[2] = moved, settled, left


@jit_with_scratch
def settle_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    offset,  # in (d,) float64, -shift * scale
    scale,  # in float64, power of two
    centers,  # in (k, d) float64
    tiles,  # in (n_tiles, 1 + d, CENTERS) float64
    largest,  # in float64, largest squared norm of a center
    by_cosine,  # in bool
    previous,  # in (m,) int32, labels to compare with
    labels,  # in/out (m,) int32; negative ones are replaced by the closest center
    counts,  # out (3,) int64: rows moved, settled by differences, settled here in all
):
    """Label the open rows among ``start:stop`` in float64, else by differences."""
    _, _, d = X.shape
    moved, by_differences, settled = 0, 0, 0
    g = rounding(2 * d, 2.0**-53, largest)  # the bias is a rounded sum too
    error = (d + 4) * 2.0**-53
    rows = empty(POINTS, np.int64)
    blocks = empty((1, d, POINTS), tiles.dtype)
    norms = empty((1, POINTS), tiles.dtype)
    best = empty((1, POINTS), tiles.dtype)
    second = empty((1, POINTS), tiles.dtype)
    index = empty((1, POINTS), np.int32)
    home = empty((1, POINTS), np.int32)
    count = 0
    for row in range(start, stop):
        if labels[row] < 0:
            rows[count] = row
            count += 1
        if count == POINTS or (row == stop - 1 and count > 0):
            n_blocks = pack_points(X, rows, count, offset, scale, blocks, norms)
            start_at_nothing(1, home, best, second, index)
            score_blocks(blocks, n_blocks, tiles, home, best, second, index)
            for p in range(count):
                i, high, low = rows[p], best[0, p], second[0, p]
                labels[i] = index[0, p]
                if not high - low > margin_needed(
                    norms[0, p], high, low, g, largest, d * 1e-300, error, by_cosine
                ):
                    labels[i] = closest(X, i, centers, scale, by_cosine)
                    by_differences += 1
                moved += labels[i] != previous[i]
            settled += count
            count = 0
    counts[0], counts[1], counts[2] = moved, by_differences, settled


@jit
def assign_few(
    X,  # in (2, m, d) float32 or float64, any strides
    centers,  # in (k, d) float64
    scale,  # in float64, power of two
    by_cosine,  # in bool
    labels,  # out (m,) int32
):
    """Assign rows in float64: so few that packing the centers would cost more."""
    for i in range(labels.size):
        labels[i] = closest(X, i, centers, scale, by_cosine)
