"""Distances of every sparse row to every center, as ``transform`` returns them.

    out[i, j] = sqrt(|x_i|^2 - 2 x_i.c_j + |c_j|^2)

in float64, whatever the dtype of the rows.  If the three terms cancel, the distance is added up
from differences instead.  By cosine the rows have length 1, and ``1 - cos`` is half the square.

Loop order: tiles, then rows, so that a tile stays in the caches.
"""

import math

import numpy as np

from ..._runtime.jit import jit_with_scratch
from ..emit.scratch import empty
from .assign import squared_norm
from .rows import factor_of
from .score import score_row
from .update import square_of

CLOSE = 2.0**-20
"""Share of ``|x|^2 + |c|^2`` up to which a squared distance has lost digits."""


@jit_with_scratch
def distance_rows(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    scaled,  # in Scaled
    unit,  # in float64, scale of the centers; 1 by cosine
    centers,  # in (k, d) float64
    norms,  # in (k,) float64, squared norms of the centers, scaled
    tiles,  # in (n_tiles, d, width) float64
    biases,  # in (n_tiles, width) float64, zeros
    out,  # out (m, k) float32 or float64
):
    """Write the distances of rows ``start:stop``, tile by tile."""
    indices, starts, (n_tiles, _, width) = scaled.indices, scaled.starts, tiles.shape
    k, _ = centers.shape
    scores = empty(width, np.float64)
    for tile in range(n_tiles):
        first = tile * width
        count = width if k - first > width else k - first
        for i in range(start, stop):
            row, factor = (starts[i], starts[i + 1]), factor_of(scaled, i)
            norm = squared_norm(values, row[0], row[1], factor)
            score_row(values, indices, row[0], row[1], factor, tiles, tile, biases, scores)
            for lane in range(count):
                j = first + lane
                both = norm + norms[j]
                square = both - 2.0 * scores[lane]
                if factor == 0.0 or not square > CLOSE * both:
                    square = square_of(values, scaled, i, unit, centers[j], norms[j])
                out[i, j] = 0.5 * square if scaled.inverse.size else math.sqrt(square) / unit
