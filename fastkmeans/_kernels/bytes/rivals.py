"""Rivals: the centers of a block of rows that codes cannot exclude, listed and scored.

For a row with the limit ``L``, a center is a rival unless

    score in codes + reach |e| + residual (|c'| + |e|) < L   (``screen`` has the bound).

Loop order: tiles outside, points in the lanes of ``screen_tile``; then pairs of a point and a
rival, in the order in which they were found.  The words of the block stay in the first-level cache
while the tiles pass by.  A rival's score in codes may raise the limit of its row.  So most rivals
that are found early are below the limit in the end.  They wait in a list, each with a bound on its
score.  When all tiles have been compared, or the list is full, the limits are applied again.  Only
the rivals that remain are scored exactly.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline
from ..emit.dots import dot, lowest_bit
from ..emit.row import load_row
from ..emit.simd import CENTERS, POINTS, VECTORS
from .bounds import NONE
from .tile import (
    BEST,
    BIAS,
    LIMIT,
    NORM,
    OF_REACH,
    OF_RESIDUAL,
    OTHERS,
    REACH,
    RESIDUAL,
    SECOND,
    SLACK,
    screen_tile,
)

ROOM = 4 * CENTERS * POINTS
"""Pairs of a point and a rival that are listed at most before they are scored."""


class Block(NamedTuple):
    """A block of rows, its points: some rows of the data, padded by the first.

    Centers are given by their places in the order of the tiles.
    """

    words: Any  # scratch (1, n_words, POINTS) int32, the codes of the points
    points: Any  # scratch (8, POINTS) float32, LIMIT to SECOND
    own: Any  # scratch (POINTS,) int32, the assigned center, or NONE
    index: Any  # scratch (POINTS,) int32, the best center, or NONE if no rival was found
    scaled: Any  # scratch (POINTS, padded) float32, the rows that have a rival, zero beyond d


class Rivals(NamedTuple):
    """The rivals of a tile, as bits, and the list of pairs of a point and a rival."""

    bits: Any  # scratch (CENTERS * VECTORS,) int64, see screen_tile
    scores: Any  # scratch (CENTERS, POINTS) float32, scores in codes, see screen_tile
    pairs: Any  # scratch (2, ROOM) int32, points, and places of their rivals
    at_most: Any  # scratch (ROOM,) float32, bounds on the scores of the pairs


@jit_inline
def list_rivals(
    count,  # in int64, number of valid points
    tile,  # in int64, the tile
    k,  # in int64, number of centers
    parameters,  # in (n_tiles, 4, CENTERS) float32, see CenterTiles
    points,  # in (8, POINTS) float32, see tile.LIMIT
    n_pairs,  # in int64, number of pairs so far
    rivals,  # in/out Rivals
):
    """List what ``screen_tile`` found; return the number of pairs."""
    found, scores, pairs, at_most = rivals.bits, rivals.scores, rivals.pairs, rivals.at_most
    width = POINTS // VECTORS
    for place in range(CENTERS * VECTORS):
        bits = found[place]
        while bits != 0:
            p, r = place % VECTORS * width + lowest_bit(bits), place // VECTORS
            bits &= bits - 1
            if p >= count or tile * CENTERS + r >= k:
                continue
            bound = points[REACH, p] * parameters[tile, OF_REACH, r]
            bound += points[RESIDUAL, p] * parameters[tile, OF_RESIDUAL, r] + scores[r, p]
            pairs[0, n_pairs], pairs[1, n_pairs] = p, tile * CENTERS + r
            at_most[n_pairs] = bound
            n_pairs += 1
    return n_pairs


@jit
def drop_pairs(
    n_pairs,  # in int64, number of pairs
    rivals,  # in/out Rivals
    points,  # in/out (8, POINTS) float32, see tile.LIMIT
):
    """Drop the rivals that the limits exclude now; return how many are left."""
    pairs, at_most = rivals.pairs, rivals.at_most
    n_kept = 0
    for n in range(n_pairs):
        p, bound = pairs[0, n], at_most[n]
        if bound < points[LIMIT, p]:
            points[OTHERS, p] = max(points[OTHERS, p], bound)
            continue
        pairs[0, n_kept], pairs[1, n_kept], at_most[n_kept] = p, pairs[1, n], bound
        n_kept += 1
    return n_kept


@jit_inline
def raise_limit(
    score,  # in float32, the best score of a point so far
    p,  # in int64, the point
    points,  # in/out (8, POINTS) float32, see tile.LIMIT
):
    """Store a best score; a center whose score is lower by more than the slack is out."""
    limit = score - points[SLACK, p]
    points[BEST, p] = score
    points[LIMIT, p] = limit if limit > points[LIMIT, p] else points[LIMIT, p]


@jit
def score_pairs(
    X,  # in (2, m, d) float32 or float64, any strides
    numbers,  # in (POINTS,) int64, the rows of the block
    coordinates,  # in Coordinates
    centers,  # in ByteCenters
    parameters,  # in (n_tiles, 4, CENTERS) float32, see CenterTiles
    n_pairs,  # in int64, number of pairs
    rivals,  # in Rivals
    block,  # in/out Block
):
    """Score rows and their rivals; return the number of exact scores.

    All rows are loaded before the first is scored: they lie anywhere in memory, and no load waits
    for another.
    """
    x_offset, x_scale, of_centers, order = (
        coordinates.x_offset, coordinates.x_scale, centers.scaled, centers.order
    )  # fmt: skip
    points, own, index, scaled = block.points, block.own, block.index, block.scaled
    pairs, at_most = rivals.pairs, rivals.at_most
    n_scored, loaded = 0, 0
    for n in range(n_pairs):
        p = pairs[0, n]
        if index[p] == NONE:
            load_row(X, numbers[p], x_offset, x_scale, scaled, p)
            index[p] = own[p] if own[p] != NONE else pairs[1, n]
            loaded |= 1 << p
    while loaded != 0:
        p = lowest_bit(loaded)
        loaded &= loaded - 1
        a = own[p]
        points[NORM, p], points[SECOND, p] = dot(scaled, p, scaled, p), -np.inf
        if a != NONE:
            bias = parameters[a // CENTERS, BIAS, a % CENTERS]
            raise_limit(dot(scaled, p, of_centers, order[a]) + bias, p, points)
            n_scored += 1
    for n in range(n_pairs):
        p, j = pairs[0, n], pairs[1, n]
        if at_most[n] < points[LIMIT, p]:
            points[OTHERS, p] = max(points[OTHERS, p], at_most[n])
            continue
        score = dot(scaled, p, of_centers, order[j]) + parameters[j // CENTERS, BIAS, j % CENTERS]
        n_scored += 1
        if score > points[BEST, p]:
            points[SECOND, p], index[p] = points[BEST, p], j
            raise_limit(score, p, points)
        elif score > points[SECOND, p]:
            points[SECOND, p] = score
    return n_scored


@jit
def compare_block(
    X,  # in (2, m, d) float32 or float64, any strides
    numbers,  # in (POINTS,) int64, the rows of the block
    count,  # in int64, number of valid points
    depth,  # in int64, tiles to compare with
    coordinates,  # in Coordinates
    centers,  # in ByteCenters
    tiles,  # in CenterTiles
    block,  # in/out Block
    rivals,  # scratch Rivals
):
    """Compare a block with the first tiles; return the number of rivals and exact scores."""
    words, starts = tiles.words, tiles.starts
    parameters, coefficients = tiles.parameters, tiles.coefficients
    packed, points, own = block.words[0], block.points, block.own
    bits, scores, k = rivals.bits, rivals.scores, centers.order.size
    n_pairs, n_listed, n_scored = 0, 0, 0
    for tile in range(depth):
        if n_pairs > ROOM - CENTERS * POINTS:
            n_pairs = drop_pairs(n_pairs, rivals, points)
            if n_pairs > ROOM // 2:
                n_scored += score_pairs(
                    X, numbers, coordinates, centers, parameters, n_pairs, rivals, block
                )
                n_pairs = 0
        if screen_tile(
            packed, words, starts, parameters, coefficients, tile, own, points, bits, scores
        ):
            n_before = n_pairs
            n_pairs = list_rivals(count, tile, k, parameters, points, n_pairs, rivals)
            n_listed += n_pairs - n_before
    n_pairs = drop_pairs(n_pairs, rivals, points)
    n_scored += score_pairs(X, numbers, coordinates, centers, parameters, n_pairs, rivals, block)
    return n_listed, n_scored
