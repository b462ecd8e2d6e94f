"""Many steps of greedy k-means++ from one pass over the data.

Draw a row with probability ``w D_s^2`` in step s, and keep it with probability ``D_t^2 / D_s^2`` in
a later step t.  Then it is drawn with probability ``w D_t^2``: D only gets smaller (von Neumann
1951, "Various techniques used in connection with random digits").  So a *pool* of candidates for
many steps is drawn at once and compared with all rows at once.  A candidate changes the few rows
that it is closer to, a share of about 1/t:

    list_closer   one pass: for each candidate the rows that it is closer to than all
                  centers so far, and their squared distances
    choose        steps until the pool is used up; each reads only the lists of its
                  candidates.  A candidate c lowers the potential by
                  sum_i w_i max(D_i^2 - |x_i - c|^2, 0) over its list

A candidate that was rejected, or tried and not kept, is not used again.  So all draws are
independent, and the rows chosen have the same distribution as with a pass for every step.

Loop order of ``list_closer``: *chunks* of ``GROUP_ROWS`` rows outside, then tiles of candidates.  A
chunk is packed once and compared with all candidates while it is in the cache.  A row's number
within a chunk fits a byte.  Chunks are dealt in turn to *shares*, each with its own room, so that
sorted data fill the shares evenly.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.core import config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.dots import lowest_bit
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS, Emitter, integer
from ..plain.tile import squared_distances
from ..shared.lengths import to_length_one
from ..shared.pack import pack_points
from .potential import GROUP_ROWS


class Lists(NamedTuple):
    """The rows that each candidate is closer to, chunk by chunk.

    A share holds every ``n_shares``-th chunk.  In chunk h the list of candidate c is
    ``starts[h, c]:starts[h, c + 1]`` of the share of h.
    """

    starts: Any  # in/out (n_chunks, n_candidates + 1) int32
    rows: Any  # in/out (n_shares, room) uint8, numbers of rows within their chunk
    distances: Any  # in/out (n_shares, room) float32, squared distances


class Draws(NamedTuple):
    """The candidates of a pool, in the order of the draws."""

    items: Any  # in (n_candidates,) int64, their rows
    drawn: Any  # in (n_candidates,) float64, D^2 of each when it was drawn
    luck: Any  # in (n_candidates,) float64 in [0, 1), decides whether it is rejected


@intrinsic
def _smaller_intrinsic(typingctx: Any, squares: Any, c: Any, known: Any, b: Any) -> Any:
    signature = types.int64(squares, types.intp, known, types.intp)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float32)
        row = emit.item(sig.args[0], args[0], args[1])
        limits = emit.item(sig.args[2], args[2], args[3])
        bits = integer(0)
        for lane in range(0, POINTS, emit.lanes):
            left, right = (emit.load(p, integer(lane), emit.floats) for p in (row, limits))
            found = emit.bits(builder.fcmp_ordered("<", left, right))
            bits = builder.or_(bits, builder.shl(found, integer(lane)))
        return bits

    return signature, codegen


def _smaller_twin(
    squares: Any,  # in (CENTERS, POINTS) float32
    c: int,  # in, row of squares
    known: Any,  # in (n_blocks, POINTS) float32
    b: int,  # in, row of known
) -> int:
    """Return a bit for each item of a row of squares that is below that of known."""
    return sum(1 << p for p in np.flatnonzero(squares[c] < known[b]).tolist())


smaller = _smaller_twin if config.DISABLE_JIT else _smaller_intrinsic


@jit_inline
def list_tile(
    blocks,  # in (n_blocks, d, POINTS) float32, the packed rows of a chunk
    n_blocks,  # in int, number of valid blocks
    tiles,  # in (n_tiles, 1 + d, CENTERS) float32
    tile,  # in int, tile to compare with
    count,  # in int, number of candidates in the tile
    known,  # in (n_blocks, POINTS) float32, D^2; zero for rows that do not exist
    squares,  # scratch (n_blocks, CENTERS, POINTS) float32
    lists,  # out Lists
    chunk,  # in int, the chunk
    share,  # in int, the share
    place,  # in int, entries of the share so far, even those beyond room
):
    """List the rows of a chunk that the candidates of a tile are closer to."""
    starts, rows, distances = lists
    _, room = rows.shape
    for b in range(n_blocks):
        squared_distances(blocks, b, tiles, tile, squares[b])
    for c in range(count):
        starts[chunk, tile * CENTERS + c] = place
        for b in range(n_blocks):
            bits = smaller(squares[b], c, known, b)
            while bits != 0:
                p = lowest_bit(bits)
                bits &= bits - 1
                if place < room:
                    rows[share, place] = b * POINTS + p
                    distances[share, place] = squares[b, c, p]
                place += 1
    return place


@jit_with_scratch
def list_closer(
    X,  # in (2, m, d) float32 or float64, any strides: a block of the data
    share,  # in int, the share
    next_share,  # in int, unused: a share is a range of shares
    first_chunk,  # in int, number of chunks before this block of the data
    offset,  # in (d,) float32 or float64, no narrower than X
    scale,  # in float of offset's dtype, power of two
    tiles,  # in (n_tiles, 1 + d, CENTERS) float32, the packed candidates
    n_candidates,  # in int, number of candidates
    closest,  # in (m,) float32, D^2
    inverse,  # in (m,) float64, inverse lengths, or of size 0
    lists,  # out Lists, of all chunks
    filled,  # in/out (n_shares,) int64, entries of each share; above room, the rest is missing
):
    """List the rows that candidates are closer to, for the chunks of a share."""
    _, m, d = X.shape
    starts, (n_shares, _) = lists.starts, lists.rows.shape
    numbers = empty(GROUP_ROWS, np.int64)
    blocks = empty((GROUP_ROWS // POINTS, d, POINTS), tiles.dtype)
    norms = empty((GROUP_ROWS // POINTS, POINTS), tiles.dtype)
    squares = empty((GROUP_ROWS // POINTS, CENTERS, POINTS), tiles.dtype)
    known = empty((GROUP_ROWS // POINTS, POINTS), tiles.dtype)
    own = empty((GROUP_ROWS // POINTS, POINTS), np.float64)
    n_chunks = (m + GROUP_ROWS - 1) // GROUP_ROWS
    place = filled[share]
    for chunk in range((share - first_chunk) % n_shares, n_chunks, n_shares):
        first = chunk * GROUP_ROWS
        count = GROUP_ROWS if m - first > GROUP_ROWS else m - first
        for r in range(GROUP_ROWS):
            numbers[r] = first + r
            known[r // POINTS, r % POINTS] = closest[first + r] if r < count else np.float32(0)
        n_blocks = pack_points(X, numbers, count, offset, scale, blocks, norms)
        if inverse.size:
            for r in range(n_blocks * POINTS):
                own[r // POINTS, r % POINTS] = inverse[numbers[r]]
            for b in range(n_blocks):
                to_length_one(X, numbers, b, own, blocks)
        for tile in range((n_candidates + CENTERS - 1) // CENTERS):
            left = n_candidates - tile * CENTERS
            place = list_tile(
                blocks, n_blocks, tiles, tile, CENTERS if left > CENTERS else left,
                known, squares, lists, first_chunk + chunk, share, place,
            )  # fmt: skip
        starts[first_chunk + chunk, n_candidates] = place
    filled[share] = place


@jit_inline
def add_gains(
    tried,  # in (n_trials,) int64, numbers in the pool
    weights,  # in (n,) float64, or of size 0: all ones
    closest,  # in (n,) float32, D^2
    lists,  # in Lists
    gains,  # out (n_trials,) float64
):
    """Set by how much each of some candidates would lower the potential.

    Chunks outside, candidates inside: their lists in a chunk are close together in memory.
    """
    starts, rows, distances = lists
    (n_chunks, _), (n_shares, _) = starts.shape, rows.shape
    gains[:] = 0.0
    for chunk in range(n_chunks):
        share, first = chunk % n_shares, chunk * GROUP_ROWS
        for t in range(tried.size):
            total, candidate = gains[t], tried[t]
            for e in range(starts[chunk, candidate], starts[chunk, candidate + 1]):
                i = first + rows[share, e]
                less = np.float64(closest[i]) - np.float64(distances[share, e])
                less = less if less > 0.0 else 0.0
                total += weights[i] * less if weights.size else less
            gains[t] = total


@jit
def choose(
    draws,  # in Draws
    nearest,  # in/out Nearest, of all rows; closest is written
    lists,  # in Lists
    potential,  # in float64, sum of w D^2
    least,  # in float64, potential below which to stop
    tried,  # out (n_trials,) int64, candidates drawn for the next step
    gains,  # scratch (n_trials,) float64
    chosen,  # out (wanted,) int64, the rows that became centers
):
    """Choose centers while candidates last; return how many, and how many are in tried."""
    (items, drawn, luck), (starts, rows, distances) = draws, lists
    weights, closest = nearest.weights, nearest.closest
    (n_chunks, _), (n_shares, _) = starts.shape, rows.shape
    n_chosen, n_tried = 0, 0
    for candidate in range(items.size):
        if n_chosen == chosen.size or potential < least:
            break
        now = np.float64(closest[items[candidate]])
        if not (luck[candidate] * drawn[candidate] < now or drawn[candidate] == 0.0):
            continue
        tried[n_tried] = candidate
        n_tried += 1
        if n_tried < tried.size:
            continue
        winner, most = tried[0], -1.0
        add_gains(tried, weights, closest, lists, gains)
        for t in range(tried.size):
            if gains[t] > most:
                winner, most = tried[t], gains[t]
        for chunk in range(n_chunks):
            share, first = chunk % n_shares, chunk * GROUP_ROWS
            for e in range(starts[chunk, winner], starts[chunk, winner + 1]):
                i = first + rows[share, e]
                square = distances[share, e]
                closest[i] = square if square < closest[i] else closest[i]
        potential -= most
        chosen[n_chosen] = items[winner]
        n_chosen, n_tried = n_chosen + 1, 0
    return n_chosen, n_tried
