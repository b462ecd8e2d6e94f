"""Candidates for a swap, and the price of each in the place of every center.

``a`` and ``b`` are the squared distances of a row to its closest and its second-closest center,
``s`` that to the candidate::

    potential with the candidate    sum_i w_i min(a_i, s_i)
    and without center j            more by the sum of w_i (min(b_i, s_i) - min(a_i, s_i)), over
                                    the rows whose closest center is j

A row with ``s >= b`` adds to both what it adds without the candidate.  So few rows are visited.

Loop order of ``price``: ``ROWS`` rows outside, then candidates, then the rows again.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit_inline
from ..seeding.potential import draw, sum_groups
from .closest import ROWS, Place, measure, pack_some

CANDIDATES = 6
"""Rows drawn together: one pass prices them.  No tile has fewer centers."""


class Table(NamedTuple):
    """What stays the same during a search."""

    weights: Any  # in (m,) float64, or of size 0: all ones
    place: Place  # in Place
    numbers: Any  # in (max(k, CANDIDATES),) int64: 0, 1, 2, ...


class Candidates(NamedTuple):
    """Rows drawn together, and what it costs to give each the place of a center."""

    rows: Any  # scratch (CANDIDATES,) int64
    points: Any  # scratch (CANDIDATES, d) float64, scaled and shifted
    losses: Any  # scratch (CANDIDATES + 1, k + 1) float64, see price
    removed: Any  # scratch (CANDIDATES,) int64, the center to take away
    prices: Any  # scratch (CANDIDATES,) float64, the potential then less that of now


@jit_inline
def price(
    X,  # in (2, m, d) float32 or float64, any strides
    table,  # in Table
    closest,  # in Closest
    tiles,  # in (n_tiles, 1 + d, CENTERS) of closest.near's dtype, the candidates
    measured,  # scratch Measured
    losses,  # out (CANDIDATES + 1, k + 1) float64
):
    """Price the candidates.

    The last row of ``losses`` is about no candidate: the losses of the centers, and the potential.
    Each other row holds what is added to it with a candidate.
    """
    labels, _, near, far = closest
    (_, m, _), (height, width) = X.shape, losses.shape
    weights, k, n_candidates = table.weights, width - 1, height - 1
    for c in range(CANDIDATES + 1):
        for j in range(width):
            losses[c, j] = 0.0
    base = losses[CANDIDATES]
    for first in range(0, m, ROWS):
        count = ROWS if m - first > ROWS else m - first
        for p in range(count):
            measured.rows[p] = first + p
        measure(X, count, table.place, tiles, n_candidates, measured)
        for p in range(count):
            i = first + p
            w = weights[i] if weights.size else 1.0
            a, b = np.float64(near[i]), np.float64(far[i])
            base[k] += w * a
            base[labels[i]] += w * (b - a)
        for c in range(CANDIDATES):
            loss, squares = losses[c], measured.squares[c]
            for p in range(count):
                i = first + p
                if squares[p] < far[i]:
                    w = weights[i] if weights.size else 1.0
                    a, s = np.float64(near[i]), np.float64(squares[p])
                    least = s if s < a else a
                    loss[k] += w * (least - a)
                    loss[labels[i]] += w * ((s - least) - (np.float64(far[i]) - a))


@jit_inline
def cheapest(
    losses,  # in (CANDIDATES + 1, k + 1) float64, from price
    c,  # in int, the candidate
):
    """Return the center to take away, and the potential then less that of now."""
    _, width = losses.shape
    k, best = width - 1, 0
    for j in range(k):
        if losses[c, j] + losses[CANDIDATES, j] < losses[c, best] + losses[CANDIDATES, best]:
            best = j
    return best, losses[c, k] + losses[c, best] + losses[CANDIDATES, best]


@jit_inline
def draw_candidates(
    X,  # in (2, m, d) float32 or float64, any strides
    table,  # in Table
    uniforms,  # in (CANDIDATES,) float64 in [0, 1)
    nearest,  # in/out Nearest, group_sums out
    closest,  # in Closest
    candidates,  # out Candidates
    tiles,  # scratch (n_tiles, 1 + d, CENTERS) float32 or float64
    measured,  # scratch Measured
):
    """Draw candidates and price them; return the potential of now."""
    rows, points, losses, removed, prices = candidates
    _, d = points.shape
    place = table.place
    sum_groups(nearest)
    draw(uniforms, nearest, rows)
    for c in range(CANDIDATES):
        for f in range(d):
            points[c, f] = np.float64(X[0, rows[c], f]) * place.scale + place.offset[f]
    pack_some(points, table.numbers, CANDIDATES, tiles)
    price(X, table, closest, tiles, measured, losses)
    for c in range(CANDIDATES):
        removed[c], prices[c] = cheapest(losses, c)
    return losses[CANDIDATES, losses.shape[1] - 1]


@jit_inline
def next_candidate(
    prices,  # in/out (CANDIDATES,) float64; infinite from then on
):
    """Return the cheapest candidate left."""
    c = 0
    for other in range(CANDIDATES):
        c = other if prices[other] < prices[c] else c
    prices[c] = np.inf
    return c
