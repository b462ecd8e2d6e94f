"""Bounds on the distances of rows to centers, carried from one iteration to the next.

A row carries an upper bound on the distance to its assigned center and a lower bound on the
distance to any other (Hamerly 2010, SDM, "Making k-means even faster").  When the centers move by
``drift``, the bounds widen:

    upper += drift[own],   lower -= max of drift[j] over all j except own.

If still ``upper < lower``, the row keeps its label and costs nothing more.

Depth.  The tiles hold the centers in the order of their drift, largest first.  If the bounds of a
row meet, the codes of its assigned center tighten the upper bound.  Then a center can be closer
only if it moved farther than the gap from there to the old lower bound.  So the row needs the first
tiles, its *depth*, or none.  Rows are sorted by depth, and a block goes as deep as its deepest row.
Centers that are left out widen the lower bound by their drift, so it gets looser in every
iteration.  ``_engines.bytes.Patience`` decides when all tiles are compared for a new one.

Loop order: ``STRETCH`` rows outside, then one pass over them per step.  What a step writes is still
in the first-level cache for the next.  A loop over rows that writes next to what it reads
vectorises.

Lower bounds for groups of centers (Ding et al. 2015, ICML, "Yinyang k-means") leave a third of the
pairs of a row and a tile of 16 centers over 20 iterations.  But each row then needs other tiles, so
lanes must be centers.  That was written and measured: 0.5 to 0.75 of the speed of ``bytes`` with 16
to 128 features, 1.07 with 384.

Rounding.  A new bound is rounded outwards by the slack of ``screen``.  An old one is rounded
outwards whenever it widens.  Each float32 addition or subtraction stretches or shrinks it by 2^-21
of its size, eight times the rounding error.

By cosine, products decide (``exact``), and they have an error of ``v |x| C``, ``v = (d + 4)
2^-53``.  Bounds must be apart by more than that, however close the row is to its center.  If
``|x|`` is more than twice ``C``, or less than half of it, the row is far from all centers, and
2^-20 of the distance is enough.  Else the upper bound is raised by ``a``, so that squared distances
differ by ``a^2`` or more.  Twice the error of two products, and of the rounding of the centers to
one length, is at most ``12 (d + 4) 2^-53 C^2``: ``a^2 = 16 (d + 8) 2^-53 C^2``.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit
from ..emit.dots import code_dot
from ..emit.simd import CENTERS, POINTS
from ..plain.bound import rounding
from .quantize import NARROWER, UNIT, WIDER
from .tile import BEST, BIAS, FACTOR, LIMIT, OF_REACH, OF_RESIDUAL, REACH, RESIDUAL

STRETCH = 512
"""Rows whose bounds are widened together."""
NONE = -1
"""In place of a center: there is none."""
UNIT64 = 2.0**-53
"""Unit roundoff of float64."""
SLACK_SCORES, SLACK_UNITS = 4.0, 64.0
"""Multiples of ``g`` and units of roundoff in the slack.  Two scores take two of the first;
packing, factors and bounds take 16 of the second (``screen``)."""
SPARE = 1.02
"""Factor on the slack, because the slack itself is computed in float32."""
SQUARE_SCORES, SQUARE_UNITS = 16.0, 128.0
"""Multiples of ``g`` and units of roundoff in the relative error of ``|x'|^2``."""
AGREE_SUMS = 3.0
"""Relative errors of a float64 sum of squares by which the limit is lowered.  So labels agree with
labels by differences."""
UNDERFLOW = 1e-40
"""Bound on what underflow in float32 takes from a score, per feature."""


class ByteRows(NamedTuple):
    """The rows of a block of data as codes, and their bounds."""

    words: Any  # in (2, m, n_words) int32, codes, q + OFFSET
    reach: Any  # in (m,) float32, |x'| + |r|
    residual: Any  # in (m,) float32, |r|
    upper: Any  # in/out (m,) float32, bound on the distance to the assigned center
    lower: Any  # in/out (m,) float32, bound on the distance to any other


class ByteCenters(NamedTuple):
    """The centers by index, and their places in the order of the tiles."""

    exact: Any  # in (k, d) float64, in the units of the data
    scaled: Any  # in (k, padded) float32, in scaled, shifted coordinates
    words: Any  # in (k, width) int32, codes
    order: Any  # in (k,) int32, the center at each place of the tiles
    place: Any  # in (k,) int32, the place of each center
    farthest: Any  # in float64, largest |c'| + |e|
    largest: Any  # in float64, largest squared norm of a center


class Drift(NamedTuple):
    """How far the centers moved since the last iteration."""

    each: Any  # in (k,) float32, drift of each center
    others: Any  # in (k,) float32, largest drift of any other center
    fastest: Any  # in (2, n_tiles + 1) float32, drift of the first two centers of each tile


class ErrorTerms(NamedTuple):
    """What rounding may take; the slack of a row is ``slope * reach + constant``."""

    g: Any  # in float64, relative error of a float32 score (``plain.bound``)
    differences: Any  # in float64, relative error of a float64 sum of squares
    tiny: Any  # in float64, score that underflow may take
    slope: Any  # in float32, slack per reach
    constant: Any  # in float32, slack of any row
    agree: Any  # in float32, share of squares for agreement with differences
    shrunk: Any  # in float32, factor that makes |x'|^2 a lower bound
    grown: Any  # in float32, factor that makes |x'|^2 an upper bound
    apart: Any  # in float32, what is added to upper bounds, for agreement with products
    by_cosine: Any  # in bool, whether products decide, not differences


@jit
def error_terms(
    d,  # in int64, number of features
    farthest,  # in float64, largest |c'| + |e|
    largest,  # in float64, largest squared norm of a center
    by_cosine,  # in bool, whether products decide, not differences
):
    """Return the terms of the rounding errors."""
    g = rounding(d, UNIT, largest)
    unit = SLACK_SCORES * g + SLACK_UNITS * UNIT
    differences, tiny = (d + 4) * UNIT64, d * UNDERFLOW
    slope, half = SPARE * unit * farthest, 0.5 * SPARE
    constant = half * unit * farthest * farthest + tiny
    shrunk = 1.0 - SQUARE_SCORES * g - SQUARE_UNITS * UNIT
    grown = 1.0 + SQUARE_SCORES * g + SQUARE_UNITS * UNIT
    return ErrorTerms(
        g, differences, tiny, np.float32(slope), np.float32(constant),
        np.float32(AGREE_SUMS * differences), np.float32(shrunk), np.float32(grown),
        np.float32(math.sqrt(16.0 * (d + 8) * UNIT64 * largest) if by_cosine else 0.0), by_cosine,
    )  # fmt: skip


@jit
def widen(
    start,  # in int64, first row
    stop,  # in int64, row to stop before
    drift,  # in Drift
    rows,  # in/out ByteRows, upper and lower are written
    previous,  # in (m,) int32, labels before
    labels,  # out (m,) int32, the same labels
    widened,  # scratch (STRETCH,) float32
    met,  # out (stop - start,) int64, rows whose bounds meet
):
    """Widen the bounds of some rows; return how many may have another center now.

    If the bounds of a row meet, its lower bound stays: ``sort_by_depth`` needs it.  The bounds of a
    row without a center meet.  The first two loops vectorise; the last does not.
    """
    each, others = drift.each, drift.others
    before, now = previous[start:stop], labels[start:stop]
    near, far, least = rows.upper[start:stop], rows.lower[start:stop], widened[: stop - start]
    zero, one = np.float32(0.0), np.float32(1.0)
    for r in range(now.size):
        a = before[r]
        now[r] = a
        near[r] = (near[r] + each[a]) * WIDER
        least[r] = (far[r] - others[a]) * NARROWER
    for r in range(now.size):
        apart = near[r] * WIDER * WIDER < least[r]
        far[r] = least[r] if apart else far[r]
        least[r] = zero if apart else one
    count = 0
    for r in range(now.size):
        met[count] = start + r
        count += least[r] == one
    return count


@jit
def tighten(
    met,  # in (n_met,) int64, rows
    n_met,  # in int64, number of rows
    drift,  # in (k,) float32, drift of each center
    rows,  # in/out ByteRows, upper is written
    centers,  # in ByteCenters
    tiles,  # in CenterTiles
    terms,  # in ErrorTerms
    previous,  # in (m,) int32, labels
    loose,  # scratch (n_met,) int64, rows whose upper bound has widened
    points,  # scratch (8, POINTS) float32, see tile.LIMIT
):
    """Tighten the upper bounds that have widened, by the codes of the assigned centers.

    The upper bounds of the other rows are tight already.
    """
    words, reach, residual, upper = rows.words, rows.reach, rows.residual, rows.upper
    own_words, place = centers.words, centers.place
    starts, parameters = tiles.starts, tiles.parameters
    slope, constant, grown, apart = terms.slope, terms.constant, terms.grown, terms.apart
    two, zero = np.float32(2.0), np.float32(0.0)
    count = 0
    for r in range(n_met):
        i = met[r]
        loose[count] = i
        count += previous[i] >= 0 and (drift[previous[i]] > 0 or upper[i] == np.inf)
    for begin in range(0, count, POINTS):
        length = POINTS if count - begin > POINTS else count - begin
        part = loose[begin : begin + length]
        for p in range(POINTS):
            i = part[p if p < length else 0]
            at = place[previous[i]]
            tile, r = at // CENTERS, at % CENTERS
            points[REACH, p], points[RESIDUAL, p] = reach[i], residual[i]
            product = np.float32(code_dot(words, i, own_words, previous[i]) + starts[tile, r])
            error = reach[i] * parameters[tile, OF_REACH, r]
            error += residual[i] * parameters[tile, OF_RESIDUAL, r]
            score = product * parameters[tile, FACTOR, r] + parameters[tile, BIAS, r]
            points[BEST, p], points[LIMIT, p] = score - error, upper[i]
        for p in range(POINTS):
            root = points[REACH, p] - points[RESIDUAL, p]
            norm = root * root
            pad = slope * points[REACH, p] + constant
            square = norm * grown - two * (points[BEST, p] - pad)
            # If the square is not a number, the bound stays.
            near = np.sqrt(zero if square < zero else square) * WIDER + apart
            points[LIMIT, p] = near if near < points[LIMIT, p] else points[LIMIT, p]
        for p in range(length):
            upper[part[p]] = points[LIMIT, p]


@jit
def sort_by_depth(
    met,  # in (count,) int64, rows
    count,  # in int64, number of rows
    place,  # in (k,) int32, the place of each center in the order of the tiles
    fastest,  # in (2, n_tiles + 1) float32, see Drift; infinite: a row needs all tiles
    rows,  # in/out ByteRows, lower widens by the drift of the centers that are left out
    previous,  # in (m,) int32, labels
    places,  # scratch (n_tiles + 1,) int64
    depths,  # scratch (count,) int64
    to_rows,  # out (count,) int64, rows
    to_depths,  # out (count,) int64, their depths, rising, none is zero
):
    """Find the depth of each row and sort by it; return how many rows have any.

    A row needs the tiles in which a center moved farther than the gap between the row's bounds.
    If the gap is not a number, it needs all.
    """
    upper, lower = rows.upper, rows.lower
    _, n_tiles = fastest.shape
    n_tiles -= 1
    places[:] = 0
    for r in range(count):
        i = met[r]
        at = place[previous[i]]
        gap = (lower[i] - upper[i] * WIDER * WIDER) * NARROWER
        depth, beyond = 0, n_tiles  # halve the range: the drift falls from tile to tile
        while depth < beyond:
            t = (depth + beyond) // 2
            if fastest[0, t] < gap:
                beyond = t
            else:
                depth = t + 1
        if depth > 0 and at == (depth - 1) * CENTERS and fastest[1, depth - 1] < gap:
            depth -= 1  # only its assigned center moved so far
        least = lower[i] - fastest[1 if at == depth * CENTERS else 0, depth]
        lower[i] = least * NARROWER if depth < n_tiles else np.inf
        depths[r] = depth
        places[depth] += 1
    total = 0
    for t in range(1, n_tiles + 1):
        places[t], total = total, total + places[t]
    for r in range(count):
        t = depths[r]
        if t > 0:
            to_rows[places[t]], to_depths[places[t]] = met[r], t
            places[t] += 1
    return total
