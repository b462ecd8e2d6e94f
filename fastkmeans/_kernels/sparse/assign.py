"""The E step for sparse rows: the closest center of every row, certified.

Scores are those of ``plain.assign``, ``s_j = x.c_j - |c_j|^2 / 2``.  The label is the center of the
largest score.  ``screen_rows`` computes scores in float32.  A label is accepted only if a rounding
bound proves that no other center can be closer.  ``settle`` labels the other rows.

Rows carry a margin: by how much the score of their center exceeds all others, at least.  When
centers move by ``e_j``, a score changes by ``x.e_j`` and by half of what ``|c_j|^2`` gains.  The
first is at most ``sum_f |x_f| max_j |e_jf|``: a row has few words, and only in these do centers
count.  While the margin lasts, the row keeps its label and meets no center.  (Hamerly 2010, SDM,
"Making k-means even faster", does it with distances.)

The bound is (A) of ``plain.bound``, with the number of stored values m in place of d, because a
chain has only m additions::

    |computed s_j - s_j| <= g (|x| C + C^2 / 2),   g = (m + 5) u 1.01

C is the largest norm of a center.  A score is at most ``|x| C + C^2 / 2`` itself, so one more
multiple of it covers the rounding of the comparisons.  The margin must also exceed the error of the
differences, ``(d + 4) 2^-53 D^2``.  Underflow takes at most ``2^-149`` from a value, a coordinate
or a product.

By cosine the same kernels score rows brought to length 1 against centers of length 1, without
biases.  ``directions`` has the bound, and labels the rows left open.

Loop order: ``CHUNK`` rows outside, then tiles, then rows: a tile stays in the caches while the rows
pass by.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..plain.bound import EXACT_NORM
from .rows import factor_of
from .score import score_row, second_best

CHUNK = 1 << 13
"""Rows that pass by all tiles."""
NARROWER = np.float32(1.0 - 2.0**-20)
"""Factor that rounds a carried margin inwards: 16 times the rounding error of its update."""
UNIT, UNIT64 = 2.0**-24, 2.0**-53
"""Unit roundoff of float32 and of float64."""
MOVED, SETTLED, LEFT, SKIPPED = range(4)
"""Items of ``counts``."""


class Drift(NamedTuple):
    """How the centers moved since the last iteration, scaled."""

    features: Any  # in (d,) float32, largest move of any center in a feature
    norms: Any  # in (k,) float64, what half a squared norm gained
    shrunk: Any  # in float64, the most that half a squared norm lost
    rounding: Any  # in float64, error of all of these per length of a row


@jit_inline
def squared_norm(
    values,  # in (n_stored,) float32 or float64
    first,  # in int, first stored value of the row
    last,  # in int, stored value to stop before
    scale,  # in float64, power of two
):
    """Return the squared norm of a row, scaled, in float64."""
    norm = 0.0
    for e in range(first, last):
        x = np.float64(values[e]) * scale
        norm += x * x
    return norm


@jit_inline
def margin(
    norm,  # in float64, squared norm of the row
    largest,  # in float64, largest squared norm of a center
    g,  # in float64, relative rounding error of a score
    unit,  # in float64, unit roundoff
    differences,  # in float64, relative error of a float64 sum of squared differences
    tiny,  # in float64, bound on underflow
):
    """Return the margin between two scores above which the smaller one cannot win."""
    reach = math.sqrt(norm * largest) + 0.5 * largest
    bound = 2.04 * g * reach + 8.0 * unit * reach
    return bound + 1.01 * differences * (norm + 2.0 * reach) + tiny * (1.0 + math.sqrt(largest))


@jit_inline
def margin32(
    norm,  # in float64, squared norm of the row
    n_values,  # in int, stored values of the row
    n_features,  # in int
    largest,  # in float64, largest squared norm of a center
):
    """Return the margin of float32 scores; infinite if the bound fails."""
    if largest > EXACT_NORM or n_values * UNIT > 0.005:
        return np.float32(np.inf)
    g, differences = (n_values + 5) * UNIT * 1.01, (n_features + 4) * UNIT64
    return np.float32(margin(norm, largest, g, UNIT, differences, (n_values + 1) * 2.0**-120))


@jit
def measure_rows(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    scaled,  # in Scaled
    lengths,  # out (m,) float32, rounded up
):
    """Write the lengths of rows ``start:stop``, scaled."""
    starts = scaled.starts
    for i in range(start, stop):
        norm = squared_norm(values, starts[i], starts[i + 1], factor_of(scaled, i))
        lengths[i] = np.float32(math.sqrt(norm) * (1.0 + 2.0**-22) + 2.0**-120)


@jit_inline
def keeps_label(
    values,  # in (n_stored,) float32 or float64
    row,  # in tuple of int, the first stored value of the row and the one to stop before
    indices,  # in (n_stored,) int32
    factor,  # in float64, see factor_of
    label,  # in int, the label of the row before
    length,  # in float64, length of the row
    margin_before,  # in float32, by how much the score of that center exceeded all others, at least
    drift,  # in Drift
    agree,  # in float64, see margin: for a row of length 1 and one center of length 1
    reach,  # in float64, largest norm of a center
):
    """Return the margin of a row after the centers moved; zero if its label may have changed."""
    product = 0.0
    for e in range(row[0], row[1]):
        product += abs(np.float64(values[e]) * factor) * drift.features[indices[e]]
    lost = 2.0 * product + drift.norms[label] + drift.shrunk + drift.rounding * (1.0 + length)
    # What is lost is not a number if the centers moved too far.
    left = margin_before if lost <= 0.0 else np.float32(margin_before - 1.01 * lost)
    left *= NARROWER
    both = length + reach
    return left if left > agree * both * both + 2.0**-120 else np.float32(0.0)


@jit_with_scratch
def screen_rows(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    scaled,  # in Scaled
    lengths,  # in (m,) float32, lengths of the rows, scaled, rounded up
    centers,  # in Centers
    drift,  # in Drift
    margins,  # in/out (m,) float32, see keeps_label; zero: not known
    previous,  # in (m,) int32, labels before, or -1
    labels,  # out (m,) int32, closest center, or -1 for a row left open
    counts,  # out (4,) int64: MOVED, SETTLED, LEFT, SKIPPED
):
    """Label rows ``start:stop`` in float32; leave those open whose label is not proven."""
    indices, starts, biases = scaled.indices, scaled.starts, centers.biases
    tiles, largest = centers.tiles, centers.largest
    n_tiles, d, width = tiles.shape
    scores, runner_up = empty(width, np.float32), empty(1, np.float32)
    best, second = empty(CHUNK, np.float32), empty(CHUNK, np.float32)
    met = empty(CHUNK, np.int64)
    agree, reach = 1.02 * (d + 4) * UNIT64, math.sqrt(largest)
    moved, left, skipped = 0, 0, 0
    for first in range(start, stop, CHUNK):
        last = first + CHUNK if first + CHUNK < stop else stop
        count = 0
        for i in range(first, last):
            label = previous[i]
            labels[i] = label
            if label >= 0 and margins[i] > 0.0:
                margins[i] = keeps_label(
                    values, (starts[i], starts[i + 1]), indices, factor_of(scaled, i), label,
                    np.float64(lengths[i]), margins[i], drift, agree, reach,
                )  # fmt: skip
            if not (label >= 0 and margins[i] > 0.0):
                best[count], second[count], met[count] = -np.inf, -np.inf, i
                count += 1
        skipped += last - first - count
        for tile in range(n_tiles):
            for r in range(count):
                i = met[r]
                top = score_row(
                    values, indices, starts[i], starts[i + 1], factor_of(scaled, i), tiles, tile,
                    biases, scores,
                )  # fmt: skip
                if top > best[r]:
                    labels[i] = tile * width + second_best(scores, top, runner_up)
                    second[r] = best[r] if best[r] > runner_up[0] else runner_up[0]
                    best[r] = top
                elif top > second[r]:
                    second[r] = top
        for r in range(count):
            i = met[r]
            length = np.float64(lengths[i])
            need = margin32(length * length, starts[i + 1] - starts[i], d, largest)
            margin_now = best[r] - second[r] - need
            proven = margin_now > 0.0
            margins[i] = margin_now * NARROWER if proven else np.float32(0.0)
            moved += proven and labels[i] != previous[i]
            labels[i] = labels[i] if proven else -1
            left += not proven
    counts[MOVED], counts[SETTLED], counts[LEFT], counts[SKIPPED] = moved, 0, left, skipped
