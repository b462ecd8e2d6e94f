"""The M step: weighted sums and weights of every cluster; means; inertia.

    sums_j = sum_i w_i x'_i,   weights_j = sum_i w_i,   over the rows i with label j

All are float64.  After the first iteration only rows whose label changed touch the sums: they leave
one and enter another.  Now and then the sums are built again, before rounding errors add up (see
``_engines.sums``).

The rows are cut into ranges, whose number depends on the shape of the data alone.  Each range adds
its rows in order to its own sums.  The ranges are added in order, so the result does not depend on
the number of threads.  If the sums are large (many clusters, many features), there are few ranges:
their memory must stay a small part of that of the data.  Then the features are cut too.  This
changes no bit, because features never mix.

``moves`` moves the rows between the sums.  Loop order of what is left here: clusters or rows
outside, features inside.  These loops are elementwise, so they vectorise without reordering.

The inertia of the labels against centers ``c_j`` follows from the means ``m_j``,

    sum_i w_i |x'_i - c_j|^2 = scatter - sum_j weights_j (|m_j|^2 - |c_j - m_j|^2),

where ``scatter = sum_i w_i |x'_i|^2`` does not change.  It is free, and right up to the rounding of
the scatter: enough for the history of a run.  The inertia that a fit returns is added up from
differences (``add_squares``).

By cosine, a row counts with length 1: it adds ``w_i x'_i / |x'_i|``.  A center is the mean of its
rows brought back to length 1 (Dhillon and Modha 2001, Machine Learning 42).  With ``u_i`` for the
row of length 1, and centers of length 1,

    sum_i w_i |u_i - c_j|^2 = sum_i 2 w_i - 2 sum_j c_j.sums_j.

All are multiplied by the squared radius of the sphere that the centers lie on in scaled units.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline, jit_with_scratch
from ..emit.row import add_square
from ..emit.scratch import empty
from .pack import NARROW, sum_of_squares

CHAINS = 4
"""Independent sums of squares per feature: a row does not wait for the row before."""
NARROW_CHAINS = 16
"""The same for narrow rows."""
WEIGHT, COUNT = 0, 1
"""Rows of a table of cluster weights.  Only a count proves that a cluster is empty."""
NO_DIRECTION = 2.0**-44
"""Length of a mean of rows of length 1 up to which it is rounding error: it has no direction."""
GAINED, SHIFT, N_EMPTY = range(3)
"""Items of ``totals``, which ``update_centers`` writes besides the means."""


class Terms(NamedTuple):
    """What a row adds to a sum: ``weight * (x * scale + offset)``, by cosine times ``inverse``."""

    weights: Any  # in (m,) float64, or of size 0: all ones
    offset: Any  # in (d,) float64, -shift * scale
    scale: Any  # in float64, power of two
    inverse: Any  # in (m,) float64, inverse lengths; of size 0: rows count with their lengths


class ClusterSums(NamedTuple):
    """Sums over the rows of every cluster: for every range, or without first axis for one."""

    sums: Any  # in/out (n_ranges, k, d) float64
    weights: Any  # in/out (n_ranges, 2, k) float64, WEIGHT and COUNT


@jit
def add_squares(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    terms,  # in Terms
    labels,  # in (m,) int32
    centers,  # in (k, d) float64, scaled and shifted; by cosine of length 1
    squares,  # in/out (CHAINS, max(d, NARROW_CHAINS)) float64, weighted squared differences
):
    """Add the squared differences of rows ``start:stop`` to their centers.

    Narrow rows do not fill a vector, so they take a plain loop and independent sums.
    """
    weights, offset, scale, inverse = terms.weights, terms.offset, terms.scale, terms.inverse
    _, _, d = X.shape
    for i in range(start, stop):
        w = weights[i] if weights.size else 1.0
        own = scale * inverse[i] if inverse.size else scale
        if w == 0.0 or own == 0.0:
            continue
        j = labels[i]
        if d > NARROW:
            add_square(X, i, 0, d, offset, own, w, squares, i & CHAINS - 1, centers, j)
        else:
            total = 0.0
            for f in range(d):
                difference = np.float64(X[0, i, f]) * own + offset[f] - centers[j, f]
                total += difference * difference
            squares[0, i & NARROW_CHAINS - 1] += w * total


@jit_inline
def add_ranges(
    sums,  # in (n_ranges, k, d) float64
    cluster_weights,  # in (n_ranges, 2, k) float64
    j,  # in int, the cluster
    total_weights,  # out (2, k) float64; only those of the cluster are written
    mean,  # out (d,) float64, the mean of the cluster, in scaled units
):
    """Add the ranges of a cluster in order; return its weight, 0 if it is empty."""
    n_ranges, _, d = sums.shape
    total_weights[WEIGHT, j] = 0.0
    total_weights[COUNT, j] = 0.0
    for f in range(d):
        mean[f] = 0.0
    for r in range(n_ranges):
        total_weights[WEIGHT, j] += cluster_weights[r, WEIGHT, j]
        total_weights[COUNT, j] += cluster_weights[r, COUNT, j]
        part = sums[r, j]
        for f in range(d):
            mean[f] += part[f]
    if total_weights[COUNT, j] == 0.0:
        return 0.0
    w = total_weights[WEIGHT, j]
    for f in range(d):
        mean[f] /= w
    return w


@jit_with_scratch
def update_centers(
    sums,  # in (n_ranges, k, d) float64
    start,  # in int, first center
    stop,  # in int, center to stop before
    cluster_weights,  # in (n_ranges, 2, k) float64
    shift,  # in (d,) float64
    scale,  # in float64, power of two
    centers,  # in (k, d) float64
    total_weights,  # out (2, k) float64
    new_centers,  # out (k, d) float64, means; an empty cluster keeps its center
    totals,  # out (3 or more,) float64: GAINED, SHIFT, N_EMPTY
):
    """Add the ranges in order and take the means of some clusters.

    GAINED is the scatter minus the inertia against ``centers`` (see the top of this file).  SHIFT
    is the squared distance that the centers move.  Both are in scaled units, summed over these
    clusters, and first added up per feature.  A loop over the features vectorises if it is
    elementwise and writes to one array.
    """
    _, _, d = sums.shape
    squares = empty((2, d), np.float64)
    between, moved, n_empty = squares[0], squares[1], 0
    inverse = 1.0 / scale  # infinite for the largest data
    for f in range(d):
        between[f] = 0.0
        moved[f] = 0.0
    for j in range(start, stop):
        means, old = new_centers[j], centers[j]
        w = add_ranges(sums, cluster_weights, j, total_weights, means)
        if total_weights[COUNT, j] == 0.0:
            n_empty += 1
            for f in range(d):
                means[f] = old[f]
            continue
        for f in range(d):
            step = means[f] - (old[f] - shift[f]) * scale
            between[f] += w * (means[f] * means[f] - step * step)
        for f in range(d):
            mean = means[f] * inverse if inverse < np.inf else means[f] / scale
            means[f] = mean + shift[f]
        for f in range(d):
            step = (means[f] - old[f]) * scale
            moved[f] += step * step
    totals[GAINED], totals[SHIFT], totals[N_EMPTY] = 0.0, 0.0, n_empty
    for f in range(d):
        totals[GAINED] += between[f]
        totals[SHIFT] += moved[f]


@jit_with_scratch
def update_directions(
    sums,  # in (n_ranges, k, d) float64
    start,  # in int, first center
    stop,  # in int, center to stop before
    cluster_weights,  # in (n_ranges, 2, k) float64
    shift,  # in (d,) float64, not used: the arguments are those of update_centers
    scale,  # in float64, the radius of the sphere in scaled units
    centers,  # in (k, d) float64, of length 1
    total_weights,  # out (2, k) float64
    new_centers,  # out (k, d) float64, of length 1; without rows or direction: the old center
    totals,  # out (3 or more,) float64, see update_centers
):
    """Take the means of some clusters by cosine, and bring them back to length 1.

    It is a kernel of its own, so that fits by distance need not compile it.
    """
    _, _, d = sums.shape
    squares = empty((2, d), np.float64)
    between, moved, n_empty = squares[0], squares[1], 0
    for f in range(d):
        between[f] = 0.0
        moved[f] = 0.0
    for j in range(start, stop):
        means, old = new_centers[j], centers[j]
        w = add_ranges(sums, cluster_weights, j, total_weights, means)
        length = 0.0
        if total_weights[COUNT, j] == 0.0:
            n_empty += 1
        else:
            for f in range(d):
                between[f] += w * (2.0 * scale * scale) * (means[f] * old[f])
            length = math.sqrt(sum_of_squares(means))
        for f in range(d):
            means[f] = means[f] / length if length > NO_DIRECTION else old[f]
        for f in range(d):
            step = (means[f] - old[f]) * scale
            moved[f] += step * step
    totals[GAINED], totals[SHIFT], totals[N_EMPTY] = 0.0, 0.0, n_empty
    for f in range(d):
        totals[GAINED] += between[f]
        totals[SHIFT] += moved[f]
