"""The simplified silhouette: distances to centers stand for mean distances to rows.

    s_i = (b_i - a_i) / max(a_i, b_i),   a_i = |x_i - c_own|,   b_i = min |x_i - c_other|

(Hruschka, de Castro and Campello 2004, "Evolutionary algorithms for clustering gene-expression
data", ICDM).  One pass gives it for each row, and by cluster what other indices need.

Loop order: blocks of rows, then tiles.  So a block is packed once.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import POINTS
from ..shared.lengths import inverse_length, to_length_one
from ..shared.pack import pack_points
from .own import own_and_other

WEIGHT, SILHOUETTE, DISTANCE, SQUARE = range(4)
"""Rows of a table of totals by cluster: weights, and weighted sums of silhouettes, of distances to
the own center and of their squares."""


class Labelled(NamedTuple):
    """What is known of each row."""

    labels: Any  # in (m,) int32, the own center
    weights: Any  # in (m,) float64, or of size 0: all ones
    alone: Any  # in (k,) bool, clusters of weight 1 or less: silhouette 0


@jit_inline
def silhouette_of(
    own,  # in float64, distance to the own cluster
    other,  # in float64, distance to the closest other one
):
    """Return the silhouette of a row; 0 if both distances are 0."""
    larger = own if own > other else other
    return (other - own) / larger if larger > 0.0 else 0.0 * larger


@jit_with_scratch
def simplified_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    offset,  # in (d,) of X's dtype, -shift * scale
    scale,  # in float of X's dtype, power of two
    tiles,  # in (n_tiles, 1 + d, CENTERS) of X's dtype, padding at infinity
    by_cosine,  # in bool
    labelled,  # in Labelled
    samples,  # out (m,) float64, silhouettes; of size 0: not written
    totals,  # in/out (4, k) float64, WEIGHT to SQUARE; a NaN if a value is not finite
):
    """Add up, and write, the simplified silhouettes of rows ``start:stop``."""
    labels, weights, alone = labelled
    _, _, d = X.shape
    rows = empty(POINTS, np.int64)
    blocks = empty((1, d, POINTS), X.dtype)
    norms = empty((1, POINTS), X.dtype)
    own = empty((1, POINTS), X.dtype)
    other = empty((1, POINTS), X.dtype)
    inverse = empty((1, POINTS), np.float64)
    numbers = empty((1, POINTS), np.int32)
    for first in range(start, stop, POINTS):
        count = POINTS if stop - first > POINTS else stop - first
        for p in range(POINTS):
            rows[p] = first + p
            numbers[0, p] = labels[first + p if p < count else first]
        pack_points(X, rows, count, offset, scale, blocks, norms)
        if by_cosine:
            for p in range(POINTS):
                inverse[0, p] = inverse_length(X, rows[p], np.float64(scale))
            to_length_one(X, rows, 0, inverse, blocks)
        own_and_other(blocks, 0, tiles, numbers, own, other)
        for p in range(count):
            i, j = first + p, numbers[0, p]
            w = weights[i] if weights.size else 1.0
            a, b = np.float64(own[0, p]), np.float64(other[0, p])
            if by_cosine:
                a = 0.5 * a if inverse[0, p] != 0.0 else 1.0
                b = 0.5 * b if inverse[0, p] != 0.0 else 1.0
            else:
                a, b = math.sqrt(a), math.sqrt(b)
            value = silhouette_of(a, b)
            value = 0.0 * value if alone[j] or w == 0.0 else value
            totals[WEIGHT, j] += w
            totals[SILHOUETTE, j] += w * value
            totals[DISTANCE, j] += w * a
            totals[SQUARE, j] += w * (a * a)
            if samples.size:
                samples[i] = value
