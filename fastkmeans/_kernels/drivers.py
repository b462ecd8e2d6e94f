"""Entry points above the serial kernels.

The ``*_parallel`` drivers run a serial kernel over row ranges with ``prange``; each
range writes to rows and to an output of its own, so their order does not matter.
There is one for each step that every iteration takes, and no more, because each costs
a second or two to compile; passes made once per fit or per center run their serial
kernels in a thread pool (``_parallel``).  ``iterate_serial`` is one whole Lloyd
iteration for data too small to share out: one call from Python.
"""

from __future__ import annotations

import numba
import numpy as np

from .._jit import jit_with_scratch, parallel_jit
from .assign import assign_rows, closest_by_differences
from .boxes import visit_boxes
from .bytes import screen_rows
from .pack import pack_centers
from .update import move_rows, update_centers


@parallel_jit
def assign_parallel(
    X,  # in (2, m, d)
    bounds,  # in (n_ranges + 1,) int64
    offset,
    scale,
    centers,
    tiles,
    largest,
    previous,
    labels,  # out (m,) int32
    counts,  # out (n_ranges, 3) int64
):
    """Run ``assign_rows`` over row ranges."""
    for r in numba.prange(bounds.size - 1):
        assign_rows(
            X, bounds[r], bounds[r + 1], offset, scale, centers, tiles, largest,
            previous, labels, counts[r],
        )  # fmt: skip


@parallel_jit
def screen_parallel(
    X,  # in (2, m, d)
    bounds,  # in (n_ranges + 1,) int64
    offset,
    scale,
    centers,
    packed,
    tiles,
    own_bytes,
    starts,
    parameters,
    coefficients,
    farthest,
    largest,
    drift,
    words,
    reach,
    residual,
    upper,
    lower,
    previous,
    labels,  # out (m,) int32
    counts,  # out (n_ranges, 4) int64
):
    """Run ``screen_rows`` over row ranges."""
    for r in numba.prange(bounds.size - 1):
        screen_rows(
            X, bounds[r], bounds[r + 1], offset, scale, centers, packed, tiles, own_bytes,
            starts, parameters, coefficients, farthest, largest, drift, words, reach,
            residual, upper, lower, previous, labels, counts[r],
        )  # fmt: skip


@parallel_jit
def visit_parallel(
    X,  # in (2, m, d)
    bounds,  # in (n_ranges + 1,) int64, of the shares
    stride,
    order,
    weights,
    offset,
    scale,
    centers,
    table,
    ids,
    n,
    limits,
    copy,
    box_sums,
    box_weights,
    whole,
    labels,
    rebuild,
    sums,  # in/out (n_ranges, k, d) float64
    cluster_weights,  # in/out (n_ranges, 2, k) float64
    counts,  # out (n_ranges, 4) int64
):
    """Run ``visit_boxes`` over its shares of the boxes."""
    for r in numba.prange(bounds.size - 1):
        visit_boxes(
            X, bounds[r], bounds[r + 1], stride, order, weights, offset, scale, centers, table,
            ids, n, limits, copy, box_sums, box_weights, whole, labels, rebuild, sums[r],
            cluster_weights[r], counts[r],
        )  # fmt: skip


@parallel_jit
def move_parallel(
    X,  # in (2, m, d)
    bounds,  # in (n_ranges + 1,) int64
    slices,  # in (n_slices + 1,) int64, cuts along the features
    weights,
    previous,
    labels,
    rebuild,
    offset,
    scale,
    sums,  # in/out (n_ranges, k, d) float64
    cluster_weights,  # in/out (n_ranges, 2, k) float64
):
    """Run ``move_rows`` over row ranges times slices of the features."""
    n_slices = slices.size - 1
    for task in numba.prange((bounds.size - 1) * n_slices):
        r, s = task // n_slices, task % n_slices
        move_rows(
            X, bounds[r], bounds[r + 1], slices[s], slices[s + 1], weights, previous, labels,
            rebuild, offset, scale, sums[r], cluster_weights[r],
        )  # fmt: skip


@jit_with_scratch
def iterate_serial(
    X,  # in (2, m, d)
    bounds,  # in (n_ranges + 1,) int64, the ranges of the sums
    weights,
    shift,
    scale,  # float64
    scatter,
    x_offset,  # (d,) of X's dtype
    x_scale,  # of X's dtype
    offset,  # (d,) float64
    centers,
    norms,
    table,
    repeated,
    scaled,
    tiles,
    previous,
    labels,  # out (m,) int32
    counts,  # out (3,) int64
    rebuild,
    sums,  # in/out, see move_rows
    cluster_weights,  # in/out
    total,
    total_weights,
    new_centers,
):
    """Run one Lloyd iteration on one thread; return what ``update_centers`` returns."""
    m, d = X.shape[1], np.int64(X.shape[2])
    largest = pack_centers(centers, shift, scale, norms, table, repeated, scaled, tiles)
    assign_rows(X, 0, m, x_offset, x_scale, centers, tiles, largest, previous, labels, counts)
    if counts[2]:
        for i in range(m):
            if labels[i] < 0:
                labels[i] = closest_by_differences(X, i, centers, scale)
                counts[0] += labels[i] != previous[i]
    if rebuild:
        sums[:] = 0.0
        cluster_weights[:] = 0.0
    for r in range(bounds.size - 1):
        move_rows(
            X, bounds[r], bounds[r + 1], 0, d, weights, previous, labels, rebuild,
            offset, scale, sums[r], cluster_weights[r],
        )  # fmt: skip
    return update_centers(
        sums, cluster_weights, shift, scale, scatter, scaled, centers,
        total, total_weights, new_centers,
    )  # fmt: skip
