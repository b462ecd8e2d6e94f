"""The E step for many features: bounds and codes exclude centers, exact scores decide.

The pass over a block of ``POINTS`` rows, with the arrays that it reads (left) and writes::

    rows of the data                     512 at a time
      |  upper, lower, drift             bounds widen; most rows end here late in a run
      v
    met   rows whose bounds meet         codes: the assigned center tightens upper
      |
      v
    list  rows and depths                rows sorted by depth, the tiles that each needs
      |  words (m, n_words)                   packed: POINTS rows of the list
      v
    block (n_words, POINTS)  x  tiles[0], tiles[1], ... tiles[depth - 1], each (n_words, CENTERS)
      |                                  screen_tile: integer products, a bit per rival
      v
    pairs (2, ROOM)                      rivals wait; limits rise; most are dropped
      |  X[0, i]                         only a row that has a rival left is read
      v
    exact scores, float32                assigned center and rivals: BEST and SECOND
      |                                  by differences if the two are too close
      v
    labels, upper, lower

                   before               after
    labels         previous[i]          the closest center
    upper          old bound + drift    bound on the distance to the closest center
    lower          old bound - drift    bound on the distances to all others
    counts         -                    rows moved, settled, met; pairs and scores

Bounds on distances (``bounds``) are carried from iteration to iteration.  Late in a run they let
most rows keep their labels; other rows need only the centers that moved far.

Scores in codes (``tile``) compare those rows with the centers.  With ``x' = step q + r`` and
``c' = unit p + e`` (``q, p`` integers),

    x'.c' = step unit q.p + step q.e + r.c'
          <= step unit q.p + |step q| |e| + |r| |c'|
          <= step unit q.p + reach |e|_max + residual (|c'| + |e|)_max,

by Cauchy-Schwarz, and from below likewise.  A row has ``reach = |x'| + |r|`` and
``residual = |r|``.  To find rivals, one comparison with the tile's largest norms covers all its
centers.  The assigned center and each rival are bounded again with their own norms, which is
tighter.

The *limit* of a row is a score that its closest center reaches.  At first it comes from the upper
bound ``D`` on the distance to the assigned center: ``(|x'|^2 - D^2) / 2``.  A row without a center,
in the first iteration of a run, has none.  Centers whose scores are surely below the limit are
excluded; the others are the row's *rivals*.  The lower bound on a rival's score raises the limit if
it is higher.  When the block has been compared with all tiles, rivals are compared with the limit
again.  Then most rows without a center have one or two left.  Rows that have a rival left are read
from ``X``, for exact scores (float32, as in ``assign``) of the assigned center and the rivals.
Nothing is assumed about the data.

Loop order: ``STRETCH`` rows, then blocks, then tiles, then words.  A block stays
in the first-level cache while the tiles pass by.  So the tiles are read once per block, the rows
once per iteration.

Rounding
--------
As in ``plain.bound``: ``u = 2^-24``, ``g = (d + 4) u``.  The float32 scores of the assigned center
and of a rival are off by at most ``g (|x| |c| + |c|^2/2)`` each.  This holds for any order of the
sum.  Besides: packing x' and c' (``2 u``), converting the integer to float and the factor (``4 u``
of ``reach (|c| + |e|)``), the final ``fma`` and the bias (``2 u``), the bound itself (``8 u`` of
it).  All are below

    slack = (4 g + 64 u) (reach C + C^2 / 2),

``C`` the largest ``|c| + |e|``.  A center is excluded only if its bound plus ``slack``, plus the
margin of ``plain.bound`` for agreement with float64 differences, is below the limit.
``margin_needed`` accepts a label among the rivals.  Else float64 decides among the centers
that the scores leave open: differences, by cosine products.  These take 2^-29 of what the slack
allows for, and its factor ``SPARE`` is 2 %.  ``|x|^2`` is taken from ``reach`` and ``residual``,
each rounded up by about ``(d + 16) u``.  Because ``|r| <= |x'|``, its error is at most ``16 g +
128 u``.
"""

import math

import numpy as np

from ..._runtime.jit import jit, jit_with_scratch
from ..emit.dots import dot
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS, VECTORS
from ..plain.bound import margin_needed
from ..plain.exact import product, square_below
from ..shared.lengths import row_scale
from ..shared.pack import pack_points
from .bounds import (
    NONE,
    STRETCH,
    error_terms,
    sort_by_depth,
    tighten,
    widen,
)
from .quantize import NARROWER, WIDER
from .rivals import ROOM, Block, Rivals, compare_block
from .tile import BEST, BIAS, LIMIT, NORM, OTHERS, REACH, RESIDUAL, SECOND, SLACK

MOVED, SETTLED, MET, SCREENED, LISTED, SCORED = range(6)
"""What ``screen_rows`` counts: rows that moved, rows settled by differences, rows whose bounds met,
pairs of a row and a center compared in codes, rivals, exact scores."""


@jit
def begin_block(
    numbers,  # in (POINTS,) int64, the rows of the block
    count,  # in int64, number of valid points; the others repeat the first
    rows,  # in ByteRows
    place,  # in (k,) int32, the place of each center in the order of the tiles
    farthest,  # in float64, largest |c'| + |e|
    terms,  # in ErrorTerms
    previous,  # in (m,) int32, labels before
    block,  # out Block: points, own and index
):
    """Set the limits of a block by the upper bounds on distances to assigned centers."""
    reach, residual, upper = rows.reach, rows.residual, rows.upper
    slope, constant, agree, shrunk = terms.slope, terms.constant, terms.agree, terms.shrunk
    points, own, index = block.points, block.own, block.index
    half, most = np.float32(0.5), np.float32(farthest)
    for p in range(POINTS):
        i = numbers[p if p < count else 0]
        points[LIMIT, p], points[REACH, p], points[RESIDUAL, p] = upper[i], reach[i], residual[i]
        own[p] = place[previous[i]] if previous[i] >= 0 else NONE
    for p in range(POINTS):
        root = points[REACH, p] - points[RESIDUAL, p]
        norm = root * root
        square = points[LIMIT, p] * points[LIMIT, p]
        far = points[REACH, p] + most
        pad = slope * points[REACH, p] + constant
        points[SLACK, p] = pad + agree * (norm + min(square, far * far))
        points[LIMIT, p] = half * (norm * shrunk - square) - points[SLACK, p]
        points[OTHERS, p], points[BEST, p], points[NORM, p] = -np.inf, -np.inf, norm
        index[p] = NONE


@jit
def settle(
    X,  # in (2, m, d) float32 or float64, any strides
    i,  # in int64, row of X
    scale,  # in float64, power of two
    centers,  # in ByteCenters
    parameters,  # in (n_tiles, 4, CENTERS) float32, see CenterTiles
    terms,  # in ErrorTerms
    scaled,  # in (POINTS, padded) float32, loaded rows
    p,  # in int64, the row's place in scaled
    norm,  # in float64, squared norm of the row
    high,  # in float64, best score
):
    """Return the closest center in float64, among those that the scores leave open."""
    exact, of_centers, place = centers.exact, centers.scaled, centers.place
    g, largest, tiny, error = terms.g, centers.largest, terms.tiny, terms.differences
    best, index = np.inf, 0
    if terms.by_cosine:
        scale = row_scale(X, i)
        if scale == 0.0:
            return 0
    for j in range(len(exact)):
        at = place[j]
        score = dot(scaled, p, of_centers, j) + parameters[at // CENTERS, BIAS, at % CENTERS]
        low = np.float64(score)
        if high - low > margin_needed(norm, high, low, g, largest, tiny, error, False):
            continue
        if terms.by_cosine:
            total = -product(X, i, exact, j, scale)
        else:
            total = square_below(X, i, exact, j, scale, best)
        if total < best:
            best, index = total, j
    return index


@jit
def end_block(
    X,  # in (2, m, d) float32 or float64, any strides
    numbers,  # in (POINTS,) int64, the rows of the block
    count,  # in int64, number of valid points
    scale,  # in float64, power of two
    centers,  # in ByteCenters
    parameters,  # in (n_tiles, 4, CENTERS) float32, see CenterTiles
    terms,  # in ErrorTerms
    block,  # in/out Block
    rows,  # in/out ByteRows, upper and lower are written
    previous,  # in (m,) int32, labels before
    labels,  # out (m,) int32, labels
):
    """Write labels and bounds of a block; return how many rows moved, and were settled."""
    g, largest, tiny, error = terms.g, centers.largest, terms.tiny, terms.differences
    shrunk, grown, order = terms.shrunk, terms.grown, centers.order
    points, index, scaled = block.points, block.index, block.scaled
    upper, lower = rows.upper, rows.lower
    zero, two = np.float32(0.0), np.float32(2.0)
    for p in range(POINTS):
        others = points[OTHERS, p]
        if index[p] != NONE and points[SECOND, p] > others:
            others = points[SECOND, p]
        square = points[NORM, p] * shrunk - two * (others + points[SLACK, p])
        points[LIMIT, p] = np.sqrt(square if square > zero else zero) * NARROWER
    moved, settled = 0, 0
    for p in range(count):
        i = numbers[p]
        lower[i] = points[LIMIT, p] if points[LIMIT, p] < lower[i] else lower[i]
        if index[p] == NONE and previous[i] >= 0:
            continue
        norm, high = np.float64(points[NORM, p]), np.float64(points[BEST, p])
        low = np.float64(points[SECOND, p])
        if high - low > margin_needed(norm, high, low, g, largest, tiny, error, False):
            labels[i] = order[index[p]]
            near = norm * grown - 2 * high + 2 * points[SLACK, p]
            upper[i] = math.sqrt(0.0 if near < 0.0 else near) * WIDER + terms.apart
        else:
            labels[i] = settle(X, i, scale, centers, parameters, terms, scaled, p, norm, high)
            settled += 1
            upper[i], lower[i] = np.inf, 0.0
        moved += labels[i] != previous[i]
    return moved, settled


@jit_with_scratch
def screen_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int64, first row
    stop,  # in int64, row to stop before
    coordinates,  # in Coordinates
    centers,  # in ByteCenters
    tiles,  # in CenterTiles
    drift,  # in Drift
    rows,  # in/out ByteRows
    previous,  # in (m,) int32, labels before; all are negative (no row has a center), or none
    labels,  # out (m,) int32, labels
    counts,  # out (6,) int64, MOVED to SCORED
):
    """Assign rows ``start:stop``; each knows its center of the last iteration, if any."""
    words, place = rows.words, centers.place
    farthest, scale, parameters = centers.farthest, coordinates.scale, tiles.parameters
    (_, _, d), (_, _, n_words), (_, padded) = X.shape, words.shape, centers.scaled.shape
    n_tiles, _, _ = parameters.shape
    terms = error_terms(d, farthest, centers.largest, coordinates.by_cosine)
    widened = empty(STRETCH, np.float32)
    lists = empty((4, STRETCH), np.int64)
    met, listed_rows, depths, spare = lists[0], lists[1], lists[2], lists[3]
    places = empty(n_tiles + 1, np.int64)
    scaled = empty((POINTS, padded), np.float32)
    scaled[:] = 0.0
    packed, points = empty((1, n_words, POINTS), np.int32), empty((8, POINTS), np.float32)
    nothing = np.zeros(1, np.int32)
    block = Block(packed, points, empty(POINTS, np.int32), empty(POINTS, np.int32), scaled)
    rivals = Rivals(
        empty(CENTERS * VECTORS, np.int64), empty((CENTERS, POINTS), np.float32),
        empty((2, ROOM), np.int32), empty(ROOM, np.float32),
    )  # fmt: skip
    counts[:] = 0
    for first in range(start, stop, STRETCH):
        last = first + STRETCH if first + STRETCH < stop else stop
        n_met = widen(first, last, drift, rows, previous, labels, widened, met)
        tighten(met, n_met, drift.each, rows, centers, tiles, terms, previous, spare, points)
        counts[MET] += n_met
        n_rows = sort_by_depth(
            met, n_met, place, drift.fastest, rows, previous, places, spare, listed_rows, depths
        )
        for begin in range(0, n_rows, POINTS):
            count = POINTS if n_rows - begin > POINTS else n_rows - begin
            numbers, depth = listed_rows[begin : begin + POINTS], depths[begin + count - 1]
            counts[SCREENED] += POINTS * CENTERS * depth
            pack_points(words, numbers, count, nothing, nothing[0], packed, nothing)
            begin_block(numbers, count, rows, place, farthest, terms, previous, block)
            listed, scored = compare_block(
                X, numbers, count, depth, coordinates, centers, tiles, block, rivals
            )
            moved, settled = end_block(
                X, numbers, count, scale, centers, parameters, terms, block, rows, previous, labels
            )
            counts[MOVED] += moved
            counts[SETTLED] += settled
            counts[LISTED] += listed
            counts[SCORED] += scored
