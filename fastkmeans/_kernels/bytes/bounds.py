"""Bounds on the distances of rows to centers, carried from one iteration to the next.

A row carries an upper bound on the distance to its own center and a lower bound on that to
any other (Hamerly 2010, SDM, "Making k-means even faster").  When the centers move by
``drift``, the bounds widen by it:

    upper += drift[own],   lower -= max of drift[j] over all j except own.

A row keeps its label, and costs nothing more, if then ``upper < lower``.

Depth.  The tiles hold the centers in the order of their drift, farthest first.  If the
bounds of a row meet, the upper one is tightened first, by the bytes of the own center.
Then a center can be closer only if it moved farther than the bounds had been apart, so
the row needs the first tiles, its *depth*, or none.  Rows are sorted by depth, and a block
goes as deep as its deepest row.  Centers that are left out widen the lower bound by their
drift, so it loosens from iteration to iteration; ``_engines.bytes.Patience`` decides when all tiles
are compared for a new one.

Loop order: stretches of ``STRETCH`` rows outside, and in each one pass per step over the
rows.  What a step writes is still in the first-level cache for the next, and a loop over
rows that writes next to what it reads vectorises.

Lower bounds for groups of centers (Ding et al. 2015, ICML, "Yinyang k-means") instead of
one for all leave a third of the pairs of a row and a tile of 16 centers over 20
iterations.  Each row needs other tiles then, which asks for lanes that are centers.  That
was written and measured: it took 0.5 to 0.75 of the speed of ``bytes`` with 16 to 128
features, and 1.07 with 384.

Rounding.  A new bound is rounded outwards by the slack of ``bytes``.  An old one is
rounded outwards whenever it widens: each time a bound is added to or subtracted from in
float32, it is stretched or shrunk by 2^-21 of its size, eight times what rounding can take.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit
from ..emit.dots import byte_dot
from ..emit.simd import CENTERS, POINTS
from ..plain.assign import rounding
from .quantize import NARROWER, UNIT, WIDER
from .tile import BEST, BIAS, FACTOR, LIMIT, OF_REACH, OF_RESIDUAL, REACH, RESIDUAL

STRETCH = 512
"""Rows whose bounds are widened together."""
NONE = -1
"""The place of no center."""

UNIT64 = 2.0**-53
"""Unit roundoff of float64."""
SLACK_SCORES, SLACK_UNITS = 4.0, 64.0
"""Multiples of ``g`` and units of roundoff in the slack: two scores take two of the first,
packing, factors and bounds 16 of the second (``bytes``)."""
SPARE = 1.02
"""Factor on the slack: the slack itself is computed in float32."""
SQUARE_SCORES, SQUARE_UNITS = 16.0, 128.0
"""Multiples of ``g`` and units of roundoff that ``|x'|^2`` may be off, of its size."""
AGREE_SUMS = 3.0
"""Relative errors of a float64 sum of squares by which the limit is lowered, so that labels
agree with those by differences."""
UNDERFLOW = 1e-40
"""What underflow in float32 may take from a score, per feature."""


class ByteRows(NamedTuple):
    """The rows of a block of data as bytes, and their bounds."""

    words: Any  # in (2, m, d4) int32, the bytes, q + 128
    reach: Any  # in (m,) float32, |x'| + |r|
    residual: Any  # in (m,) float32, |r|
    upper: Any  # in/out (m,) float32, bound on the distance to the own center
    lower: Any  # in/out (m,) float32, bound on the distance to any other


class ByteCenters(NamedTuple):
    """The centers by their index, and their places in the order of the tiles."""

    exact: Any  # in (k, d) float64, in the units of the data
    scaled: Any  # in (k, padded) float32, in scaled, shifted coordinates
    words: Any  # in (k, width) int32, their bytes
    order: Any  # in (k,) int32, the center at each place of the tiles
    place: Any  # in (k,) int32, the place of each center
    farthest: Any  # in float64, largest |c'| + |e|
    largest: Any  # in float64, largest squared norm


class Drift(NamedTuple):
    """How far the centers moved since the last iteration."""

    each: Any  # in (k,) float32, by center
    others: Any  # in (k,) float32, the largest drift of any other center
    fastest: Any  # in (2, n_tiles + 1) float32, of the first two centers of each tile


class ErrorTerms(NamedTuple):
    """What rounding may take, by terms; the slack of a row is ``slope * reach + constant``."""

    g: Any  # in float64, relative error of a float32 score (``assign``)
    differences: Any  # in float64, relative error of a float64 sum of squares
    tiny: Any  # in float64, what underflow may take from a score
    slope: Any  # in float32
    constant: Any  # in float32
    agree: Any  # in float32, share of the squares for agreement with differences
    shrunk: Any  # in float32, factor that makes |x'|^2 a bound from below
    grown: Any  # in float32, factor that makes |x'|^2 a bound from above


@jit
def error_terms(
    d,  # in int64, number of features
    farthest,  # in float64, largest |c'| + |e|
    largest,  # in float64, largest squared norm of a center
):
    """Return the terms of the errors."""
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
    )  # fmt: skip


@jit
def widen(
    start,  # in int64, first row
    stop,  # in int64, row to stop before
    drift,  # in Drift
    rows,  # in/out ByteRows, upper and lower
    previous,  # in (m,) int32
    labels,  # out (m,) int32
    widened,  # scratch (STRETCH,) float32
    met,  # out (stop - start,) int64, the rows whose bounds meet
):
    """Widen the bounds of some rows; return how many may have another center now.

    If the bounds of a row meet, its lower bound stays as it was: ``sort_by_depth`` needs it.
    The first two loops vectorise; the last does not.
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
def list_all(
    start,  # in int64, first row
    stop,  # in int64, row to stop before
    met,  # out (stop - start,) int64
):
    """List all rows of a stretch; return how many there are."""
    for r in range(stop - start):
        met[r] = start + r
    return stop - start


@jit
def list_loose(
    met,  # in (count,) int64, rows
    count,  # in int64
    previous,  # in (m,) int32
    drift,  # in (k,) float32, by center
    upper,  # in (m,) float32
    loose,  # out (count,) int64
):
    """List the rows whose upper bound is wider than it was; return how many there are.

    The upper bounds of the other rows have been tightened before.
    """
    n_loose = 0
    for r in range(count):
        i = met[r]
        loose[n_loose] = i
        n_loose += drift[previous[i]] > 0 or upper[i] == np.inf
    return n_loose


@jit
def tighten(
    loose,  # in (count,) int64, rows
    count,  # in int64
    rows,  # in/out ByteRows, upper
    centers,  # in ByteCenters
    tiles,  # in CenterTiles
    terms,  # in ErrorTerms
    previous,  # in (m,) int32
    points,  # scratch (8, POINTS) float32
):
    """Tighten the upper bounds of some rows by the bytes of their own centers."""
    words, reach, residual, upper = rows.words, rows.reach, rows.residual, rows.upper
    own_words, place = centers.words, centers.place
    starts, parameters = tiles.starts, tiles.parameters
    slope, constant, grown = terms.slope, terms.constant, terms.grown
    two, zero = np.float32(2.0), np.float32(0.0)
    for begin in range(0, count, POINTS):
        length = POINTS if count - begin > POINTS else count - begin
        part = loose[begin : begin + length]
        for p in range(POINTS):
            i = part[p if p < length else 0]
            at = place[previous[i]]
            tile, r = at // CENTERS, at % CENTERS
            points[REACH, p], points[RESIDUAL, p] = reach[i], residual[i]
            product = np.float32(byte_dot(words, i, own_words, previous[i]) + starts[tile, r])
            error = reach[i] * parameters[tile, OF_REACH, r]
            error += residual[i] * parameters[tile, OF_RESIDUAL, r]
            score = product * parameters[tile, FACTOR, r] + parameters[tile, BIAS, r]
            points[BEST, p], points[LIMIT, p] = score - error, upper[i]
        for p in range(POINTS):
            root = points[REACH, p] - points[RESIDUAL, p]
            norm = root * root
            pad = slope * points[REACH, p] + constant
            square = norm * grown - two * (points[BEST, p] - pad)
            # A square that is not a number stays so, and bounds nothing.
            near = np.sqrt(zero if square < zero else square) * WIDER
            points[LIMIT, p] = near if near < points[LIMIT, p] else points[LIMIT, p]
        for p in range(length):
            upper[part[p]] = points[LIMIT, p]


@jit
def sort_by_depth(
    met,  # in (count,) int64, rows
    count,  # in int64
    place,  # in (k,) int32, the place of each center in the order of the tiles
    fastest,  # in (2, n_tiles + 1) float32, see Drift
    rows,  # in/out ByteRows, lower widens by the drift of the centers that are left out
    previous,  # in (m,) int32
    places,  # scratch (n_tiles + 1,) int64
    depths,  # scratch (count,) int64
    to_rows,  # out (count,) int64
    to_depths,  # out (count,) int64, rising, none is zero
):
    """Find with how many tiles each row has to be compared; return how many rows have any.

    A row needs the tiles in which a center moved farther than the row's bounds are apart.
    """
    upper, lower = rows.upper, rows.lower
    _, n_tiles = fastest.shape
    n_tiles -= 1
    places[:] = 0
    for r in range(count):
        i = met[r]
        at = place[previous[i]]
        gap = (lower[i] - upper[i] * WIDER * WIDER) * NARROWER
        depth = 0
        for t in range(n_tiles):
            depth += not fastest[0, t] < gap
        if depth > 0 and at == (depth - 1) * CENTERS and fastest[1, depth - 1] < gap:
            depth -= 1  # it is its own center that moved so far
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


@jit
def take_all(
    met,  # in (count,) int64, rows
    count,  # in int64
    n_tiles,  # in int64
    lower,  # out (m,) float32, infinite: no center is left out
    to_rows,  # out (count,) int64
    to_depths,  # out (count,) int64
):
    """Compare all rows with all tiles; return how many rows there are."""
    for r in range(count):
        to_rows[r], to_depths[r] = met[r], n_tiles
        lower[met[r]] = np.inf
    return count
