"""Rivals: the centers of a block of rows that bytes cannot exclude, kept and scored.

A block is compared with tile after tile.  What the bytes of a rival say at least may raise the
limit of its row (``bytes_tile``), so most rivals that are found early are below the limit in
the end.  They wait in a list, each with what it scores at most; when all tiles have been seen,
or there is no more room, the limits are applied to them again, and the rows and centers that
are left are scored (``bytes`` has the bounds).
"""

from __future__ import annotations

import numpy as np

from ..._runtime.jit import jit, jit_inline
from ..emit.dots import dot, lowest_bit
from ..emit.row import load_row
from ..emit.simd import CENTERS, POINTS, VECTORS
from .bounds import BEST, INDEX, LIMIT, NONE, NORM, OTHERS, OWN, REACH, RESIDUAL, SECOND, SLACK
from .tile import BIAS, OF_REACH, OF_RESIDUAL, screen_tile

ROOM = 4 * CENTERS * POINTS
"""Pairs of a row and a rival that are kept until they are scored."""


@jit_inline
def list_rivals(
    count,  # number of valid points
    tile,
    k,
    parameters,
    lanes,  # in (8, POINTS) float32
    rivals,  # in (CENTERS * VECTORS,) int64
    scores,  # in (CENTERS, POINTS) float32
    n_pairs,  # number of pairs so far
    pairs,  # in/out (2, ROOM) int32, points and their rivals
    bounds,  # in/out (ROOM,) float32, what the rivals score at most
):
    """List what ``screen_tile`` found; return the number of pairs."""
    width = POINTS // VECTORS
    for place in range(CENTERS * VECTORS):
        bits = rivals[place]
        while bits != 0:
            p, r = place % VECTORS * width + lowest_bit(bits), place // VECTORS
            bits &= bits - 1
            if p >= count or tile * CENTERS + r >= k:
                continue
            bound = lanes[REACH, p] * parameters[tile, OF_REACH, r]
            bound += lanes[RESIDUAL, p] * parameters[tile, OF_RESIDUAL, r] + scores[r, p]
            pairs[0, n_pairs], pairs[1, n_pairs] = p, tile * CENTERS + r
            bounds[n_pairs] = bound
            n_pairs += 1
    return n_pairs


@jit
def drop_pairs(
    n_pairs,
    pairs,  # in/out (2, ROOM) int32
    bounds,  # in/out (ROOM,) float32
    lanes,  # in/out (8, POINTS) float32
):
    """Drop the rivals that the limits exclude by now; return how many are left."""
    n_kept = 0
    for n in range(n_pairs):
        p, bound = pairs[0, n], bounds[n]
        if bound < lanes[LIMIT, p]:
            lanes[OTHERS, p] = max(lanes[OTHERS, p], bound)
            continue
        pairs[0, n_kept], pairs[1, n_kept], bounds[n_kept] = p, pairs[1, n], bound
        n_kept += 1
    return n_kept


@jit_inline
def raise_limit(
    score,  # the best score of a point so far
    p,  # point
    lanes,  # in/out (8, POINTS) float32
):
    """Write down a best score: no center that scores less than the slack allows matters."""
    limit = score - lanes[SLACK, p]
    lanes[BEST, p] = score
    lanes[LIMIT, p] = limit if limit > lanes[LIMIT, p] else lanes[LIMIT, p]


@jit
def score_pairs(
    X,
    rows,  # in (POINTS,) int64, the rows of the block
    x_offset,
    x_scale,
    order,  # in (k,) int32, the centers in the order of the tiles
    centers,  # in (k, padded) float32
    parameters,
    n_pairs,
    pairs,  # in (2, ROOM) int32, points and their rivals
    bounds,  # in (ROOM,) float32, what the rivals score at most
    lanes,  # in/out (8, POINTS) float32
    ids,  # in/out (2, POINTS) int32
    values,  # out (POINTS, padded) float32, the points that have a rival
):
    """Score rows and their rivals; return the number of exact scores.

    The rows are loaded one after the other, before anything waits for one of them: they
    come from anywhere in memory.
    """
    n_scored, loaded = 0, 0
    for n in range(n_pairs):
        p = pairs[0, n]
        if ids[INDEX, p] == NONE:
            load_row(X, rows[p], x_offset, x_scale, values, p)
            ids[INDEX, p] = ids[OWN, p] if ids[OWN, p] != NONE else pairs[1, n]
            loaded |= 1 << p
    while loaded != 0:
        p = lowest_bit(loaded)
        loaded &= loaded - 1
        a = ids[OWN, p]
        lanes[NORM, p], lanes[SECOND, p] = dot(values, p, values, p), -np.inf
        if a != NONE:
            best = dot(values, p, centers, order[a]) + parameters[a // CENTERS, BIAS, a % CENTERS]
            raise_limit(best, p, lanes)
            n_scored += 1
    for n in range(n_pairs):
        p, j = pairs[0, n], pairs[1, n]
        if bounds[n] < lanes[LIMIT, p]:
            lanes[OTHERS, p] = max(lanes[OTHERS, p], bounds[n])
            continue
        score = dot(values, p, centers, order[j]) + parameters[j // CENTERS, BIAS, j % CENTERS]
        n_scored += 1
        if score > lanes[BEST, p]:
            lanes[SECOND, p], ids[INDEX, p] = lanes[BEST, p], j
            raise_limit(score, p, lanes)
        elif score > lanes[SECOND, p]:
            lanes[SECOND, p] = score
    return n_scored


@jit
def compare_block(
    X,
    rows,  # in (POINTS,) int64, the rows of the block
    count,  # number of valid points
    depth,  # tiles to compare with
    x_offset,
    x_scale,
    order,
    centers,  # in (k, padded) float32
    block,  # in (d4, POINTS) int32
    tiles,
    starts,
    parameters,
    coefficients,
    lanes,  # in/out (8, POINTS) float32
    ids,  # in/out (2, POINTS) int32
    values,  # out (POINTS, padded) float32, the points that have a rival
    rivals,  # scratch (CENTERS * VECTORS,) int64
    scores,  # scratch (CENTERS, POINTS) float32
    pairs,  # scratch (2, ROOM) int32
    bounds,  # scratch (ROOM,) float32
):
    """Compare a block with the first tiles; return how many rivals and exact scores there were."""
    n_pairs, n_listed, n_scored = 0, 0, 0
    for tile in range(depth):
        if n_pairs > ROOM - CENTERS * POINTS:
            n_pairs = drop_pairs(n_pairs, pairs, bounds, lanes)
            if n_pairs > ROOM // 2:
                n_scored += score_pairs(
                    X, rows, x_offset, x_scale, order, centers, parameters, n_pairs, pairs,
                    bounds, lanes, ids, values,
                )  # fmt: skip
                n_pairs = 0
        if screen_tile(
            block, tiles, starts, parameters, coefficients, tile, ids, lanes, rivals, scores
        ):
            n_before = n_pairs
            n_pairs = list_rivals(
                count, tile, len(centers), parameters, lanes, rivals, scores, n_pairs, pairs, bounds
            )
            n_listed += n_pairs - n_before
    n_pairs = drop_pairs(n_pairs, pairs, bounds, lanes)
    n_scored += score_pairs(
        X, rows, x_offset, x_scale, order, centers, parameters, n_pairs, pairs, bounds, lanes,
        ids, values,
    )  # fmt: skip
    return n_listed, n_scored
