"""Seeding: greedy k-means++ on the tile.

k-means++ (Arthur & Vassilvitskii 2007, SODA) draws each center among the rows with
probability ``w_i D_i^2``, D_i the distance to the closest center so far; the greedy
variant draws a few candidates and keeps the one that lowers the potential
``sum_i w_i D_i^2`` most.  A step by the kernels of this file reads the data once:

    draw    candidates, from sums of ``w D^2`` per group of rows
    visit   to try them, one pass: the potential with each candidate, and one bit per
            row and candidate that tells whether the candidate is closer
    visit   to adopt the winner: D_i of the rows whose bit is set for it (a share of
            about 1/t in step t); new sums per group

(``pool`` does many steps with one pass, once candidates are close to few rows.)  The
arithmetic is that of the tiles: coordinates are scaled (see ``pack``), so that squares
are finite, and shifted only where they are rounded to fewer digits; else the
differences of rows keep all theirs.
"""

from __future__ import annotations

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from ..plain.tile import squared_distances
from ..shared.pack import pack_points

GROUP_ROWS = 256
"""Rows that share one sum of ``w D^2``; row ranges begin at multiples of it."""
TRY = -1
"""In place of a winner: there is none yet."""


@jit
def pack_candidates(
    points,  # in (n_candidates, d) float32 or float64
    offset,  # in (d,) float32 or float64, no narrower than points
    scale,  # power of two, of offset's dtype
    tiles,  # out (n_tiles, 1 + d, CENTERS) float32 or float64
):
    """Pack rows as the centers of tiles for ``squared_distances``, as blocks are packed."""
    n_candidates, d = points.shape
    for c in range(n_candidates):
        for f in range(d):
            tiles[c // CENTERS, 1 + f, c % CENTERS] = points[c, f] * scale + offset[f]


@jit_inline
def compare(
    squares,  # in (CENTERS, POINTS), squared distances to the candidates
    n_candidates,  # number of candidates
    start,  # first row of the block
    stop,  # row to stop before, at most POINTS further on
    closest,  # in (m,), D^2 to the closest center so far
    weights,  # in (m,) float64, or of size 0: all ones
    closer,  # out (m,) uint16
    potentials,  # in/out (CENTERS, POINTS) float64
):
    """Add the potentials of a block and note who is closer."""
    known, bits = closest[start:stop], closer[start:stop]
    w = weights[start:stop] if weights.size else weights
    for p in range(known.size):
        bits[p] = 0
    for c in range(n_candidates):
        bit = np.uint16(1 << c)
        for p in range(known.size):
            nearer = squares[c, p] < known[p]
            square = np.float64(squares[c, p] if nearer else known[p])
            potentials[c, p] += w[p] * square if w.size else square
            bits[p] |= bit if nearer else np.uint16(0)


@jit_inline
def group_sum(
    start,  # first row
    stop,  # row to stop before
    closest,  # in (m,) float32 or float64
    weights,  # in (m,) float64, or of size 0: all ones
):
    """Return the sum of ``w D^2`` over some rows, in four independent sums."""
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
    squares,  # in (CENTERS, POINTS), squared distances to the candidates
    winner,  # the candidate that becomes a center
    rows,  # in (n,) int64, the rows of the blocks
    first,  # place in rows of the first row of this block
    stop,  # place in rows to stop before
    closest,  # in/out (m,)
):
    """Lower D^2 of the rows of a block."""
    for p in range(first, stop):
        i, square = rows[p], squares[winner, p - first]
        closest[i] = square if square < closest[i] else closest[i]


@jit_with_scratch
def visit(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # first row, a multiple of GROUP_ROWS
    stop,  # row to stop before
    weights,  # in (m,) float64, or of size 0: all ones
    offset,  # in (d,) float32 or float64, no narrower than X
    scale,  # power of two, of offset's dtype
    tiles,  # in (n_tiles, 1 + d, CENTERS) float32 or float64, the packed candidates
    n_candidates,  # number of candidates, at most CENTERS
    winner,  # the candidate that becomes a center, or TRY
    closest,  # in (m,) of tiles' dtype, D^2 to the closest center so far; of a winner out
    closer,  # out (m,) uint16, bit c is set where candidate c is closer; of a winner in
    group_sums,  # in/out (m / GROUP_ROWS,) float64, sums of w D^2, of a winner
    potentials,  # in/out (CENTERS, POINTS) float64, sum w D^2 with each candidate, by lane
):
    """Try candidates on rows ``start:stop``, or make one of them a center.

    The two are one kernel because numba takes half a second for each: all rows are
    tried, and of a winner those are packed and measured once more whose bit is set.
    """
    _, _, d = X.shape
    rows = empty(GROUP_ROWS, np.int64)
    blocks = empty((GROUP_ROWS // POINTS, d, POINTS), tiles.dtype)
    norms = empty((GROUP_ROWS // POINTS, POINTS), tiles.dtype)
    squares = empty((CENTERS, POINTS), tiles.dtype)
    for first in range(start, stop, GROUP_ROWS):
        last = first + GROUP_ROWS if first + GROUP_ROWS < stop else stop
        count = np.int64(0)  # of the literal 0 numba would compile pack_points once more
        for i in range(first, last):
            rows[count] = i
            count += winner == TRY or closer[i] >> winner & 1
        if count == 0:
            continue
        n_blocks = pack_points(X, rows, count, offset, scale, blocks, norms)
        for b in range(n_blocks):
            squared_distances(blocks, b, tiles, 0, squares)
            at = b * POINTS
            end = at + POINTS if at + POINTS < count else count
            if winner == TRY:
                at, end = first + at, first + end
                compare(squares, n_candidates, at, end, closest, weights, closer, potentials)
            else:
                lower(squares, winner, rows, at, end, closest)
        if winner != TRY:
            group_sums[first // GROUP_ROWS] = group_sum(first, last, closest, weights)


@jit
def sum_groups(
    closest,  # in (n,) float32 or float64
    weights,  # in (n,) float64, or of size 0: all ones
    group_sums,  # out (n / GROUP_ROWS,) float64
):
    """Sum ``w D^2`` anew in every group of rows."""
    for group in range(group_sums.size):
        first = group * GROUP_ROWS
        last = first + GROUP_ROWS if first + GROUP_ROWS < closest.size else closest.size
        group_sums[group] = group_sum(first, last, closest, weights)


@jit
def draw(
    uniforms,  # in (n_candidates,) float64 in [0, 1)
    weights,  # in (n,) float64, or of size 0: all ones
    closest,  # in (n,) float32 or float64
    group_sums,  # in (n / GROUP_ROWS,) float64
    rows,  # out (n_candidates,) int64
):
    """Draw rows with probability proportional to ``w D^2``.

    The group is found first, then the row in it, both by running sums.  A row of
    probability zero is never drawn unless all are: then rows are drawn by weight.
    """
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
