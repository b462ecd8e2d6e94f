"""Seeding: greedy k-means++ on the tile.

k-means++ (Arthur & Vassilvitskii 2007, SODA) draws each center among the rows, with probability
``w_i D_i^2``.  D_i is the distance to the closest center so far.  The greedy variant draws a few
candidates c and keeps the one with the lowest potential

    sum_i w_i min(D_i^2, |x_i - c|^2)

A step by the kernels of this file reads the data once:

    draw    draws candidates, from sums of ``w D^2`` over ``GROUP_ROWS`` rows
    visit   tries them in one pass: the potential with each candidate, and one bit per row and
            candidate: is the candidate closer?
    visit   adopts the winner: D_i of the rows whose bit is set (a share of about 1/t in step
            t), and new sums

(``pool`` does many steps with one pass, once candidates are close to few rows.)

Loop order of ``visit``: ``GROUP_ROWS`` rows outside, then blocks, then candidates.  The rows are
packed once and compared with all candidates while they are in the cache.  Lanes are rows, each with
its own sums, so that no reduction is reordered.

The arithmetic is that of the tiles.  Coordinates are scaled (see ``pack``), so squares are finite.
They are shifted only if they are rounded to fewer digits; otherwise the differences of rows keep
all digits.

By cosine the packed rows are brought to length 1: ``D^2`` is then ``2 (1 - cos)``.  A row of length
0 begins with ``D^2 = 0``: it is never drawn.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.calls import call
from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.dots import lowest_bit
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..plain.tile import squared_distances
from ..shared.pack import pack_points
from .compare import compare

GROUP_ROWS = 256
"""Rows in one sum of ``w D^2``; row ranges begin at multiples of it."""
MOST_TRIED = 16
"""Most candidates that are tried in one pass."""
TILES = -(-MOST_TRIED // CENTERS)
"""Tiles that hold them."""
BITS, WORDS = 64, GROUP_ROWS // 64
"""Bits of a word, and words for the rows of a group."""
TRY = -1
"""In place of a winner: candidates are tried."""


class Nearest(NamedTuple):
    """How far rows are from the closest center chosen so far."""

    weights: Any  # in (m,) float64, or of size 0: all ones
    closest: Any  # in/out (m,) float32 or float64, D^2
    closer: Any  # in/out (n_groups, WORDS, MOST_TRIED) uint64, a bit for each row that is closer
    group_sums: Any  # in/out (m / GROUP_ROWS,) float64, sums of w D^2 over GROUP_ROWS rows
    inverse: Any  # in (m,) float64, inverse lengths; of size 0: rows count with their lengths


@jit
def pack_candidates(
    points,  # in (n_candidates, d) float32 or float64
    offset,  # in (d,) float32 or float64, no narrower than points
    scale,  # in float of offset's dtype, power of two
    tiles,  # out (n_tiles, 1 + d, CENTERS) float32 or float64
):
    """Pack rows as the centers of tiles for ``squared_distances``."""
    n_candidates, d = points.shape
    for c in range(n_candidates):
        for f in range(d):
            tiles[c // CENTERS, 1 + f, c % CENTERS] = points[c, f] * scale + offset[f]


@jit_inline
def whole_group(
    first,  # in int, first row
    last,  # in int, row to stop before
    nearest,  # in/out Nearest: no candidate is closer yet
    rows,  # out (GROUP_ROWS,) int64, the rows
    known,  # out (GROUP_ROWS // POINTS, POINTS) of closest's dtype, their D^2
    shares,  # out (GROUP_ROWS // POINTS, POINTS) float64, their weights
):
    """Begin to try candidates on a group; return how many rows it has."""
    weights, closest = nearest.weights, nearest.closest
    for r in range(GROUP_ROWS):
        i, is_row = first + r, first + r < last
        rows[r] = i
        known[r // POINTS, r % POINTS] = closest[i] if is_row else 0.0
        shares[r // POINTS, r % POINTS] = weights[i] if is_row and weights.size else 1.0
    nearest.closer[first // GROUP_ROWS] = 0
    return np.int64(last - first)


@jit_inline
def closer_rows(
    first,  # in int, first row
    last,  # in int, row to stop before
    winner,  # in int, the candidate that becomes a center
    closer,  # in (n_groups, WORDS, MOST_TRIED) uint64
    rows,  # out (GROUP_ROWS,) int64, the rows
):
    """List the rows of a group that the winner is closer to; return how many."""
    count = np.int64(0)  # the literal 0 would make numba compile pack_points again
    for word in range(WORDS):
        bits = closer[first // GROUP_ROWS, word, winner]
        while bits != 0:
            rows[count] = first + BITS * word + lowest_bit(np.int64(bits))
            bits &= bits - np.uint64(1)
            count += rows[count] < last
    return count


@jit_inline
def try_block(
    squares,  # in (TILES, CENTERS, POINTS) of closest's dtype, squared distances to candidates
    n_candidates,  # in int, number of candidates
    b,  # in int, block of the group
    known,  # in (GROUP_ROWS // POINTS, POINTS) of closest's dtype
    shares,  # in (GROUP_ROWS // POINTS, POINTS) float64
    closer,  # in/out (WORDS, MOST_TRIED) uint64, of the group
    potentials,  # in/out (MOST_TRIED, SUMS) float64
):
    """Add the potentials of a block and mark which candidates are closer."""
    word, shift = b * POINTS // BITS, np.uint64(b * POINTS % BITS)
    for c in range(n_candidates):
        bits = compare(squares[c // CENTERS], c % CENTERS, known, shares, b, potentials, c)
        closer[word, c] |= np.uint64(bits) << shift


@jit_inline
def group_sum(
    start,  # in int, first row
    stop,  # in int, row to stop before
    nearest,  # in Nearest
):
    """Return the sum of ``w D^2`` over some rows, in four independent sums.

    An addition to a single sum would wait for the one before.  ``dots.dot`` adds in another order,
    so it rounds differently.
    """
    weights, closest = nearest.weights, nearest.closest
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = start + (stop - start) // 4 * 4
    if weights.size:
        for i in range(start, whole, 4):
            a += weights[i] * np.float64(closest[i])
            b += weights[i + 1] * np.float64(closest[i + 1])
            c += weights[i + 2] * np.float64(closest[i + 2])
            d += weights[i + 3] * np.float64(closest[i + 3])
    else:
        for i in range(start, whole, 4):
            a += np.float64(closest[i])
            b += np.float64(closest[i + 1])
            c += np.float64(closest[i + 2])
            d += np.float64(closest[i + 3])
    for i in range(whole, stop):
        a += (weights[i] if weights.size else 1.0) * np.float64(closest[i])
    return (a + b) + (c + d)


@jit_inline
def lower(
    squares,  # in (POINTS,) of closest's dtype, squared distances to the new center
    rows,  # in (n,) int64, the rows of the blocks
    first,  # in int, place in rows of the first row of this block
    stop,  # in int, place in rows to stop before
    closest,  # in/out (m,) float32 or float64, D^2
):
    """Lower D^2 of the rows of a block."""
    for p in range(first, stop):
        i, square = rows[p], squares[p - first]
        closest[i] = square if square < closest[i] else closest[i]


@jit_with_scratch
def visit(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row, a multiple of GROUP_ROWS
    stop,  # in int, row to stop before
    nearest,  # in/out Nearest: a try writes closer, a winner closest and group_sums
    offset,  # in (d,) float32 or float64, no narrower than X
    scale,  # in float of offset's dtype, power of two
    tiles,  # in (n_tiles, 1 + d, CENTERS) of closest's dtype, the packed candidates
    n_candidates,  # in int, number of candidates, at most MOST_TRIED
    winner,  # in int, the candidate that becomes a center, or TRY
    lengthen,  # in int, address of lengths.to_length_one; not read without inverse lengths
    potentials,  # in/out (MOST_TRIED, SUMS) float64, parts of sum w D^2 with each candidate
):
    """Try candidates on rows ``start:stop``, or make one of them a center.

    Trying packs and measures all rows; a winner needs only the rows whose bit is set.  Both are one
    kernel because numba takes half a second for each.  ``to_length_one`` takes as long, and only
    fits by cosine need it.
    """
    _, closest, closer, group_sums, inverse = nearest
    _, _, d = X.shape
    rows = empty(GROUP_ROWS, np.int64)
    blocks = empty((GROUP_ROWS // POINTS, d, POINTS), tiles.dtype)
    norms = empty((GROUP_ROWS // POINTS, POINTS), tiles.dtype)
    known = empty((GROUP_ROWS // POINTS, POINTS), tiles.dtype)
    squares = empty((TILES, CENTERS, POINTS), tiles.dtype)
    own = empty((GROUP_ROWS // POINTS, POINTS), np.float64)
    shares = empty((GROUP_ROWS // POINTS, POINTS), np.float64)
    tries = winner == TRY
    first_tile = np.int64(0) if tries else winner // CENTERS
    last_tile = (n_candidates - 1) // CENTERS if tries else first_tile
    for first in range(start, stop, GROUP_ROWS):
        last = first + GROUP_ROWS if first + GROUP_ROWS < stop else stop
        if tries:
            count = whole_group(first, last, nearest, rows, known, shares)
        else:
            count = closer_rows(first, last, winner, closer, rows)
        if count == 0:
            continue
        n_blocks = pack_points(X, rows, count, offset, scale, blocks, norms)
        if inverse.size:
            for r in range(n_blocks * POINTS):
                own[r // POINTS, r % POINTS] = inverse[rows[r]]
        for b in range(n_blocks):
            if inverse.size:
                call(lengthen, None, (X, rows, b, own, blocks))
            for tile in range(first_tile, last_tile + 1):
                squared_distances(blocks, b, tiles, tile, squares[tile])
            if tries:
                group = closer[first // GROUP_ROWS]
                try_block(squares, n_candidates, b, known, shares, group, potentials)
            else:
                at = b * POINTS
                end = at + POINTS if at + POINTS < count else count
                new = squares[winner // CENTERS, winner % CENTERS]
                lower(new, rows, at, end, closest)
        if not tries:
            group_sums[first // GROUP_ROWS] = group_sum(first, last, nearest)


@jit
def sum_groups(
    nearest,  # in/out Nearest, group_sums out
):
    """Sum ``w D^2`` again in every group of rows."""
    closest, group_sums = nearest.closest, nearest.group_sums
    for group in range(group_sums.size):
        first = group * GROUP_ROWS
        last = first + GROUP_ROWS if first + GROUP_ROWS < closest.size else closest.size
        group_sums[group] = group_sum(first, last, nearest)


@jit
def draw(
    uniforms,  # in (n_candidates,) float64 in [0, 1)
    nearest,  # in Nearest, of all rows
    rows,  # out (n_candidates,) int64, the rows drawn
):
    """Draw rows with probability proportional to ``w D^2``.

    Running sums find first the ``GROUP_ROWS`` rows, then the row in them.  A row of probability
    zero is never drawn.  If all are zero, rows are drawn by weight.
    """
    weights, closest, group_sums = nearest.weights, nearest.closest, nearest.group_sums
    n = closest.size
    potential = 0.0
    for total in group_sums:
        potential += total
    weight = 0.0
    if potential <= 0.0:
        for i in range(n):
            weight += weights[i] if weights.size else 1.0
    for c in range(uniforms.size):
        start, stop, target = 0, n, uniforms[c] * weight
        if potential > 0.0:
            target = uniforms[c] * potential
            for group in range(group_sums.size):
                if group_sums[group] > 0.0:
                    start = group * GROUP_ROWS
                    stop = start + GROUP_ROWS if start + GROUP_ROWS < n else n
                    if target < group_sums[group]:
                        break
                    target -= group_sums[group]
        for i in range(start, stop):
            w = weights[i] if weights.size else 1.0
            share = w * np.float64(closest[i]) if potential > 0.0 else w
            if share > 0.0:
                rows[c] = i
                if target < share:
                    break
                target -= share
