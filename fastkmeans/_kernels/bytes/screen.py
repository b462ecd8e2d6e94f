"""The E step for many features: rule centers out by bytes and by distance, exactly.

Two screens stand before the exact score of a row and a center.

Bounds on distances, carried from iteration to iteration (``bounds``), let most rows keep
their labels late in a run, and others need the centers alone that moved far.

Scores in bytes.  Those rows are compared with the centers by the integers of
``bytes_tile``.  With ``x' = step q + r`` and ``c' = unit p + e`` (``q, p`` bytes),

    x'.c' = step unit q.p + step q.e + r.c'
          <= step unit q.p + |step q| |e| + |r| |c'|
          <= step unit q.p + reach |e|_max + residual (|c'| + |e|)_max,

``reach = |x'| + |r|``, ``residual = |r|`` per row, the maxima over the centers of a tile,
by Cauchy-Schwarz, and from below likewise.  Those serve to find rivals, all centers of a
tile at once; of the own center and of a rival that was found it is its own norms.  The
score of the own center is at least what its bytes say less that bound, or what the upper
bound ``D`` on its distance says, ``(|x'|^2 - D^2) / 2``; that is the *limit* at first,
and nothing is for a row without a center, in the first iteration of a run.  Centers whose
score can on no account reach the limit are excluded; the few that can are the row's
*rivals*, and what the bytes of one say at least becomes the limit, if that is higher.
Rivals are kept until the block has been compared with all tiles, and looked at again: of
a row without a center all but one or two are below the limit by then.  Only a row that
has a rival left is read from ``X``, for the exact scores (float32, as in ``assign``) of
its own center and of the rivals.  Nothing is assumed about the data.

Rounding
--------
With ``u = 2^-24`` and ``g = (d + 4) u`` as in ``assign``, the float32 scores of the own
center and of a rival are off by at most ``g (|x| |c| + |c|^2/2)`` each (the bound holds
for any order of the sum).  Beside them: packing x' and c' (``2 u``), turning the integer
into a float and the factor (``4 u`` of ``reach (|c| + |e|)``), the final ``fma`` and the
bias (``2 u``), the bound itself (``8 u`` of it).  All are below

    slack = (4 g + 64 u) (reach C + C^2 / 2),

``C`` the largest ``|c| + |e|``.  A center is excluded only if its bound plus ``slack``
plus the margin of ``assign`` that makes the label agree with float64 differences is
below the limit; a label is accepted by ``assign.margin_needed`` among the rivals,
and else settled by differences among those that the scores leave open.  ``|x|^2`` is
taken from ``reach`` and ``residual``, each rounded up by ``(d + 16) u`` or so: right to
``16 g + 128 u``, because ``|r| <= |x'|``.
"""

from __future__ import annotations

import math

import numpy as np

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.dots import dot
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS, VECTORS
from ..plain.assign import margin_needed, rounding, square_below
from ..shared.pack import pack_points
from .bounds import (
    AGREE,
    BEST,
    CONSTANT,
    GROWN,
    INDEX,
    LIMIT,
    NONE,
    NORM,
    OTHERS,
    OWN,
    REACH,
    RESIDUAL,
    SECOND,
    SHRUNK,
    SLACK,
    SLOPE,
    STRETCH,
    list_all,
    list_loose,
    set_bounds,
    sort_by_depth,
    take_all,
    tighten,
    widen,
)
from .quantize import NARROWER, UNIT, WIDER
from .rivals import ROOM, compare_block
from .tile import BIAS


@jit
def begin_block(
    rows,  # in (POINTS,) int64, the rows of the block
    count,  # number of valid points; the others repeat the first
    farthest,  # largest |c'| + |e|
    bounds,
    reach,
    residual,
    previous,
    place,
    upper,
    lanes,  # out (8, POINTS) float32
    ids,  # out (2, POINTS) int32
):
    """Find what the rows' own centers score at least: of those that have none, nothing."""
    half, most = np.float32(0.5), np.float32(farthest)
    for p in range(POINTS):
        i = rows[p if p < count else 0]
        lanes[LIMIT, p], lanes[REACH, p], lanes[RESIDUAL, p] = upper[i], reach[i], residual[i]
        ids[OWN, p] = place[previous[i]] if previous[i] >= 0 else NONE
    for p in range(POINTS):
        norm = (lanes[REACH, p] - lanes[RESIDUAL, p]) * (lanes[REACH, p] - lanes[RESIDUAL, p])
        square = lanes[LIMIT, p] * lanes[LIMIT, p]
        far = lanes[REACH, p] + most
        pad = bounds[SLOPE] * lanes[REACH, p] + bounds[CONSTANT]
        lanes[SLACK, p] = pad + bounds[AGREE] * (norm + min(square, far * far))
        lanes[LIMIT, p] = half * (norm * bounds[SHRUNK] - square) - lanes[SLACK, p]
        lanes[OTHERS, p], lanes[BEST, p], lanes[NORM, p] = -np.inf, -np.inf, norm
        ids[INDEX, p] = NONE


@jit
def settle(
    X,
    i,  # row of X
    scale,
    centers,  # in (k, d) float64
    place,
    values,  # in (POINTS, padded) float32
    p,  # the row's place in values
    packed,  # in (k, padded) float32
    parameters,
    norm,  # squared norm of the row
    high,  # the best score
    g,
    largest,
):
    """Return the closest center by differences, of those that the scores leave open."""
    k, d = centers.shape
    best, index = np.inf, 0
    error = (d + 4) * 2.0**-53
    for j in range(k):
        at = place[j]
        score = dot(values, p, packed, j) + parameters[at // CENTERS, BIAS, at % CENTERS]
        low = np.float64(score)
        if high - low > margin_needed(norm, high, low, g, largest, d * 1e-40, error):
            continue
        total = square_below(X, i, centers, j, scale, best)
        if total < best:
            best, index = total, j
    return index


@jit
def end_block(
    X,
    rows,
    count,
    scale,
    centers,  # in (k, d) float64
    packed,
    parameters,
    order,
    place,
    values,
    g,
    largest,
    bounds,
    lanes,
    ids,
    upper,
    lower,
    previous,
    labels,
):
    """Write labels and bounds of a block; return how many moved, and were settled."""
    (_, d), zero, two = centers.shape, np.float32(0.0), np.float32(2.0)
    for p in range(POINTS):
        others = lanes[OTHERS, p]
        if ids[INDEX, p] != NONE and lanes[SECOND, p] > others:
            others = lanes[SECOND, p]
        square = lanes[NORM, p] * bounds[SHRUNK] - two * (others + lanes[SLACK, p])
        lanes[LIMIT, p] = np.sqrt(square if square > zero else zero) * NARROWER
    moved, settled = 0, 0
    for p in range(count):
        i = rows[p]
        lower[i] = lanes[LIMIT, p] if lanes[LIMIT, p] < lower[i] else lower[i]
        if ids[INDEX, p] == NONE and previous[i] >= 0:
            continue
        norm, high = np.float64(lanes[NORM, p]), np.float64(lanes[BEST, p])
        low = np.float64(lanes[SECOND, p])
        error = (d + 4) * 2.0**-53
        if high - low > margin_needed(norm, high, low, g, largest, d * 1e-40, error):
            labels[i] = order[ids[INDEX, p]]
            near = norm * bounds[GROWN] - 2 * high + 2 * lanes[SLACK, p]
            upper[i] = math.sqrt(0.0 if near < 0.0 else near) * WIDER
        else:
            labels[i] = settle(
                X, i, scale, centers, place, values, p, packed, parameters, norm, high, g, largest
            )
            settled += 1
            upper[i], lower[i] = np.inf, 0.0
        moved += labels[i] != previous[i]
    return moved, settled


@jit_with_scratch
def screen_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # first row
    stop,  # row to stop before
    x_offset,  # in (d,) of X's dtype, -shift * scale
    x_scale,  # power of two, of X's dtype
    scale,  # the same, float64
    centers,  # in (k, d) float64
    order,  # in (k,) int32, the centers in the order of the tiles, fastest first
    place,  # in (k,) int32, where a center is in that order
    fastest,  # in (2, n_tiles + 1) float32, the drift of the first two centers of a tile
    others,  # in (k,) float32, the largest drift of any other center
    partial,  # whether rows are compared only with the tiles that they need
    fresh,  # whether no row has a center
    packed,  # in (k, padded) float32, centers in scaled, shifted coordinates
    tiles,  # in (n_tiles, d4, CENTERS) int32
    own_bytes,  # in (k, width) int32
    starts,  # in (n_tiles, CENTERS) int32
    parameters,  # in (n_tiles, 4, CENTERS) float32
    coefficients,  # in (n_tiles, 2) float32
    farthest,  # largest |c'| + |e|
    largest,  # largest squared norm of a center
    drift,  # in (k,) float32, how far each center moved since the last time
    words,  # in (2, m, d4) int32, the rows as bytes
    reach,  # in (m,) float32, |x'| + |r|
    residual,  # in (m,) float32, |r|
    upper,  # in/out (m,) float32, bound on the distance to the own center
    lower,  # in/out (m,) float32, bound on the distance to any other
    previous,  # in (m,) int32, labels, all of them negative or none
    labels,  # out (m,) int32
    counts,  # out (6,) int64: rows moved, settled by differences, with bounds that met, pairs
    # of a row and a center screened, rivals, exact scores
):
    """Assign rows ``start:stop``, each knowing the center that it had before, if any."""
    (_, _, d), (_, _, d4), (_, padded), (n_tiles, _, _) = (
        X.shape, words.shape, packed.shape, tiles.shape
    )  # fmt: skip
    g = rounding(d, UNIT, largest)
    bounds = empty(5, np.float32)
    set_bounds(d, g, farthest, bounds)
    widened = empty(STRETCH, np.float32)
    lists = empty((4, STRETCH), np.int64)
    met, rows, depths, spare = lists[0], lists[1], lists[2], lists[3]
    places = empty(fastest.shape[1], np.int64)
    values = empty((POINTS, padded), np.float32)
    values[:] = 0.0
    blocks = empty((1, d4, POINTS), np.int32)
    nothing = np.zeros(1, np.int32)
    lanes = empty((8, POINTS), np.float32)
    ids = empty((2, POINTS), np.int32)
    rivals, scores = empty(CENTERS * VECTORS, np.int64), empty((CENTERS, POINTS), np.float32)
    pairs, at_most = empty((2, ROOM), np.int32), empty(ROOM, np.float32)
    counts[:] = 0
    for first in range(start, stop, STRETCH):
        last = first + STRETCH if first + STRETCH < stop else stop
        if fresh:
            n_met = list_all(first, last, met)
        else:
            n_met = widen(first, last, previous, labels, drift, others, upper, lower, widened, met)
            n_loose = list_loose(met, n_met, previous, drift, upper, spare)
            tighten(
                spare, n_loose, words, own_bytes, starts, parameters, bounds,
                reach, residual, previous, place, upper, lanes,
            )  # fmt: skip
        counts[2] += n_met
        if partial:
            n_rows = sort_by_depth(
                met, n_met, previous, place, fastest, upper, lower, places, spare, rows, depths
            )
        else:
            n_rows = take_all(met, n_met, n_tiles, lower, rows, depths)
        for begin in range(0, n_rows, POINTS):
            count = POINTS if n_rows - begin > POINTS else n_rows - begin
            block, depth = rows[begin : begin + POINTS], depths[begin + count - 1]
            counts[3] += POINTS * CENTERS * depth
            pack_points(words, block, count, nothing, nothing[0], blocks, nothing)
            begin_block(
                block, count, farthest, bounds, reach, residual, previous, place, upper, lanes, ids
            )
            listed, scored = compare_block(
                X, block, count, depth, x_offset, x_scale, order, packed, blocks[0], tiles, starts,
                parameters, coefficients, lanes, ids, values, rivals, scores, pairs, at_most,
            )  # fmt: skip
            moved, settled = end_block(
                X, block, count, scale, centers, packed, parameters, order, place, values,
                g, largest, bounds, lanes, ids, upper, lower, previous, labels,
            )  # fmt: skip
            counts[0] += moved
            counts[1] += settled
            counts[4] += listed
            counts[5] += scored
