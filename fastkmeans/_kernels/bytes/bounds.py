"""Bounds on the distances of rows to centers, carried from one iteration to the next.

A row carries an upper bound on the distance to its own center and a lower bound on that to
any other (Hamerly 2010, SDM, "Making k-means even faster").  When the centers move, the
bounds widen by how far they moved; a row whose bounds stay apart keeps its label and costs
nothing.

Depth.  The tiles hold the centers in the order of how far they moved, farthest first.  Of
a row whose bounds meet, the upper one is tightened first, by the bytes of its own center.
Then a center can be closer only if it moved farther than the bounds had been apart, so
the row needs the first tiles, its *depth*, or none.  Rows are sorted by it, and a block
goes as deep as its deepest row.  What is left out widens the lower bound as before, which
so grows old; ``_engines.bytes.Patience`` decides when all tiles are compared for a new one.

Lower bounds for groups of centers (Ding et al. 2015, ICML, "Yinyang k-means") instead of
one for all leave a third of the pairs of a row and a tile of 16 centers over 20
iterations.  As other rows need other tiles they ask for lanes that are centers; written
and measured, that took 0.5 to 0.75 of the speed of ``bytes`` with 16 to 128 features, and
1.07 with 384.

Rounding.  The bounds are rounded outwards by the ``slack`` of ``bytes`` when they are
taken, and by a few units whenever they widen: each time a bound is added to or subtracted
from in float32, it is stretched or shrunk by 2^-21 of its size, eight times what rounding
can take.
"""

from __future__ import annotations

import numpy as np

from ..._runtime.jit import jit
from ..emit.dots import byte_dot
from ..emit.simd import CENTERS, POINTS
from .quantize import NARROWER, UNIT, WIDER
from .tile import BIAS, FACTOR, OF_REACH, OF_RESIDUAL

STRETCH = 512
"""Rows whose bounds are widened together."""
LIMIT, REACH, RESIDUAL, OTHERS, SLACK, NORM, BEST, SECOND = range(8)
"""Rows of the lanes of a block, ``(8, POINTS)`` float32; the first four are those that
``screen_tile`` knows.  SLACK: how far below the best score the limit is.  NORM: |x'|^2."""
OWN, INDEX = 0, 1
"""Rows of the centers of a block, ``(2, POINTS)`` int32: before, and best so far; NONE for
a point without a rival, whose row is not read."""
NONE = -1
SLOPE, CONSTANT, AGREE, SHRUNK, GROWN = range(5)
"""What bounds are made of, ``(5,)`` float32."""


@jit
def widen(
    start,  # first row
    stop,  # row to stop before
    previous,  # in (m,) int32
    labels,  # out (m,) int32
    drift,  # in (k,) float32
    others,  # in (k,) float32, the largest drift of any other center
    upper,  # in/out (m,) float32
    lower,  # in/out (m,) float32; of a row whose bounds meet it stays as it was
    widened,  # scratch (STRETCH,) float32
    rows,  # out (stop - start,) int64, the rows whose bounds meet
):
    """Widen the bounds of some rows; return how many may have another center now.

    The loops over rows that write next to what they read vectorise; the last does not.
    """
    before, now = previous[start:stop], labels[start:stop]
    near, far, least = upper[start:stop], lower[start:stop], widened[: stop - start]
    zero, one = np.float32(0.0), np.float32(1.0)
    for r in range(now.size):
        a = before[r]
        now[r] = a
        near[r] = (near[r] + drift[a]) * WIDER
        least[r] = (far[r] - others[a]) * NARROWER
    for r in range(now.size):
        apart = near[r] * WIDER * WIDER < least[r]
        far[r] = least[r] if apart else far[r]
        least[r] = zero if apart else one
    count = 0
    for r in range(now.size):
        rows[count] = start + r
        count += least[r] == one
    return count


@jit
def list_all(
    start,  # first row
    stop,  # row to stop before
    rows,  # out (stop - start,) int64
):
    """List all rows of a stretch; return how many there are."""
    for r in range(stop - start):
        rows[r] = start + r
    return stop - start


@jit
def list_loose(
    rows,  # in (count,) int64
    count,
    previous,
    drift,
    upper,
    loose,  # out (count,) int64
):
    """List the rows whose upper bound is wider than it was; return how many there are.

    Of most others it has been tightened before; none has to be.
    """
    n_loose = 0
    for r in range(count):
        i = rows[r]
        loose[n_loose] = i
        n_loose += drift[previous[i]] > 0 or upper[i] == np.inf
    return n_loose


@jit
def tighten(
    rows,  # in (count,) int64
    count,
    words,  # in (2, m, d4) int32
    own_bytes,  # in (k, width) int32
    starts,
    parameters,
    bounds,
    reach,
    residual,
    previous,
    place,
    upper,  # in/out (m,) float32
    lanes,  # scratch (8, POINTS) float32
):
    """Tighten the upper bounds of some rows by what the bytes of their own centers say."""
    two, zero = np.float32(2.0), np.float32(0.0)
    for begin in range(0, count, POINTS):
        length = POINTS if count - begin > POINTS else count - begin
        part = rows[begin : begin + length]
        for p in range(POINTS):
            i = part[p if p < length else 0]
            at = place[previous[i]]
            tile, r = at // CENTERS, at % CENTERS
            lanes[REACH, p], lanes[RESIDUAL, p] = reach[i], residual[i]
            product = np.float32(byte_dot(words, i, own_bytes, previous[i]) + starts[tile, r])
            error = reach[i] * parameters[tile, OF_REACH, r]
            error += residual[i] * parameters[tile, OF_RESIDUAL, r]
            score = product * parameters[tile, FACTOR, r] + parameters[tile, BIAS, r]
            lanes[BEST, p], lanes[LIMIT, p] = score - error, upper[i]
        for p in range(POINTS):
            norm = (lanes[REACH, p] - lanes[RESIDUAL, p]) * (lanes[REACH, p] - lanes[RESIDUAL, p])
            pad = bounds[SLOPE] * lanes[REACH, p] + bounds[CONSTANT]
            square = norm * bounds[GROWN] - two * (lanes[BEST, p] - pad)
            # A square that is not a number stays so, and bounds nothing.
            near = np.sqrt(zero if square < zero else square) * WIDER
            lanes[LIMIT, p] = near if near < lanes[LIMIT, p] else lanes[LIMIT, p]
        for p in range(length):
            upper[part[p]] = lanes[LIMIT, p]


@jit
def sort_by_depth(
    rows,  # in (count,) int64
    count,
    previous,
    place,
    fastest,
    upper,
    lower,  # in/out (m,) float32, widened by how far the centers that are left out moved
    places,  # scratch (n_tiles + 1,) int64
    depths,  # scratch (count,) int64
    to_rows,  # out (count,) int64
    to_depths,  # out (count,) int64, rising, none is zero
):
    """Find with how many tiles each row has to be compared; return how many rows have any.

    The tiles come in the order of how far their centers moved: a row needs those in which
    a center moved farther than its bounds are apart.
    """
    n_tiles = fastest.shape[1] - 1
    places[:] = 0
    for r in range(count):
        i = rows[r]
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
            to_rows[places[t]], to_depths[places[t]] = rows[r], t
            places[t] += 1
    return total


@jit
def take_all(
    met,  # in (count,) int64
    count,
    n_tiles,
    lower,  # out (m,) float32, nothing is left out
    rows,  # out (count,) int64
    depths,  # out (count,) int64
):
    """Compare all rows with all tiles; return how many rows there are."""
    for r in range(count):
        rows[r], depths[r] = met[r], n_tiles
        lower[met[r]] = np.inf
    return count


@jit
def set_bounds(
    d,  # number of features
    g,  # rounding(d, u)
    farthest,  # largest |c'| + |e|
    bounds,  # out (5,) float32
):
    """Compute the coefficients of the slack, and the factors for squared norms."""
    unit = 4.0 * g + 64.0 * UNIT
    bounds[SLOPE] = 1.02 * unit * farthest
    bounds[CONSTANT] = 0.51 * unit * farthest * farthest + d * 1e-40
    bounds[AGREE] = 3.0 * (d + 4) * 2.0**-53
    bounds[SHRUNK] = 1.0 - 16.0 * g - 128.0 * UNIT
    bounds[GROWN] = 1.0 + 16.0 * g + 128.0 * UNIT
