"""Candidates for a swap, and the price of each in the place of every center.

``a`` and ``b`` are the squared distances of a row to its closest and its second-closest center,
``s`` that to the candidate::

    potential with the candidate    sum_i w_i min(a_i, s_i)
    and without center j            more by the sum of w_i (min(b_i, s_i) - min(a_i, s_i)), over
                                    the rows whose closest center is j

A row with ``s >= b`` adds to both what it adds without the candidate.  So few rows are visited,
and groups of rows that are far from all candidates are passed over.

Loop order of ``price``: groups outside, then blocks, candidates, and rows that are closer to one.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.core import config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit_inline
from ..emit.dots import lowest_bit
from ..emit.simd import POINTS, Emitter, integer
from ..plain.tile import squared_distances
from .closest import BLOCKS, GROUP, pack_tiles
from .renew import bits_near

CANDIDATES = 6
"""Rows drawn together: one pass prices them.  No tile has fewer centers.

The cheapest is tried.  In mixtures it brings more than 90 % of all that trying all six would gain.
"""


class Priced(NamedTuple):
    """Scratch: candidates, and what each changes in the place of every center."""

    labels: Any  # scratch (CANDIDATES,) int64, clusters of the rows drawn
    points: Any  # scratch (CANDIDATES, d) float64, scaled and shifted
    losses: Any  # scratch (CANDIDATES, k + 1) float64; the last column is about the potential
    squares: Any  # scratch (CENTERS, POINTS) of the blocks' dtype


@intrinsic
def _closer_intrinsic(typingctx: Any, squares: Any, c: Any, far: Any, b: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        row, limits = (emit.item(sig.args[i], args[i], args[i + 1]) for i in (0, 2))
        bits = integer(0)
        for lane in range(0, POINTS, emit.lanes):
            left, right = (emit.load(p, integer(lane), emit.floats) for p in (row, limits))
            nearer = builder.fcmp_ordered("<", left, right)
            bits = builder.or_(bits, builder.shl(emit.bits(nearer), integer(lane)))
        return bits

    return types.int64(squares, types.intp, far, types.intp), codegen


def _closer_twin(
    squares: Any,  # in (CENTERS, POINTS) float32 or float64, to candidates
    c: int,  # in, row of squares
    far: Any,  # in (n_blocks, POINTS) of the same dtype
    b: int,  # in, row of far
) -> int:
    """Return a bit for each row that is closer to a candidate than to its second center."""
    return sum(1 << p for p in np.flatnonzero(squares[c] < far[b]).tolist())


closer = _closer_twin if config.DISABLE_JIT else _closer_intrinsic


@jit_inline
def draw(
    points,  # in Points
    closest,  # in Closest
    clusters,  # in Clusters
    shares,  # in Shares
    uniforms,  # in (n, CANDIDATES) float64, below 1
    i,  # in int, row of uniforms
    priced,  # out Priced: labels and points
):
    """Draw rows by their potential.

    Every second candidate is half-way between its row and the center: with many features, a row is
    too far from all others to have a good price.
    """
    ends, (_, d, _) = shares.ends, points.blocks.shape
    potential = ends[ends.size - 1]
    for c in range(CANDIDATES):
        low, high, aim = np.int64(0), np.int64(ends.size - 1), uniforms[i, c] * potential
        if aim >= potential:
            aim = potential * (1.0 - 2.0**-53)
        while low < high:  # the first row with an end above aim
            middle = (low + high) // 2
            if ends[middle] > aim:
                high = middle
            else:
                low = middle + 1
        b, p = low // POINTS, low % POINTS
        j = closest.labels[b, p]
        priced.labels[c] = j
        for f in range(d):
            x = np.float64(points.blocks[b, f, p])
            priced.points[c, f] = 0.5 * (x + clusters.centers[j, f]) if c % 2 else x


@jit_inline
def price(
    points,  # in Points
    closest,  # in Closest
    shares,  # in Shares
    near,  # in int64, bits of clusters with rows that may be close to a candidate
    priced,  # in/out Priced: losses out
    tiles,  # scratch Tiles
):
    """Price the candidates in the place of every center; return the distances computed."""
    losses, squares, (n_blocks, _, _) = priced.losses, priced.squares, points.blocks.shape
    labels, _, closer_squares, far = closest
    _, width = losses.shape
    for c in range(CANDIDATES):
        for j in range(width):
            losses[c, j] = shares.base[j]
    pack_tiles(priced.points, CANDIDATES, tiles.some)
    distances = np.int64(0)
    for first in range(0, n_blocks, BLOCKS):
        if shares.bits[0, first // BLOCKS] & near == 0:
            continue
        distances += GROUP * CANDIDATES
        for b in range(first, first + BLOCKS):
            squared_distances(points.blocks, b, tiles.some, 0, squares)
            for c in range(CANDIDATES):
                bits = closer(squares, c, far, b)
                while bits != 0:
                    p = lowest_bit(bits)
                    bits &= bits - 1
                    w, s = points.weights[b, p], np.float64(squares[c, p])
                    a = np.float64(closer_squares[b, p])
                    least = s if s < a else a
                    losses[c, width - 1] += w * (least - a)
                    losses[c, labels[b, p]] += w * ((s - least) - (np.float64(far[b, p]) - a))
    return distances


@jit_inline
def cheapest(
    priced,  # in Priced
    barred,  # in int, a center that stays, or -1
):
    """Return the candidate and the center to replace that cost least together.

    A candidate does not replace the center of its own row: this gains next to nothing.
    """
    losses, best = priced.losses, np.inf
    _, width = losses.shape
    candidate, removed = np.int64(0), np.int64(0)
    for c in range(CANDIDATES):
        for j in range(width - 1):
            price = losses[c, j] + losses[c, width - 1]
            if price < best and j != priced.labels[c] and j != barred:
                best, candidate, removed = price, np.int64(c), np.int64(j)
    return candidate, removed


@jit_inline
def choose_swap(
    points,  # in Points
    closest,  # in Closest
    clusters,  # in Clusters
    shares,  # in Shares
    uniforms,  # in (n, CANDIDATES) float64
    i,  # in int, row of uniforms
    barred,  # in int, a center that stays, or -1
    priced,  # in/out Priced
    tiles,  # scratch Tiles
):
    """Draw candidates; return the one to try, the center to replace, and the distances computed."""
    draw(points, closest, clusters, shares, uniforms, i, priced)
    near = bits_near(clusters, shares, priced.points, CANDIDATES)
    distances = price(points, closest, shares, near, priced, tiles)
    candidate, removed = cheapest(priced, barred)
    return candidate, removed, distances
