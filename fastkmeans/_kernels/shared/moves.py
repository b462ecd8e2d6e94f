"""Move rows between the sums of the clusters (``update``), in the order of the rows.

A row whose label changed leaves the sum of one cluster and enters that of another.  Few rows change
late in a run, and they lie far apart in memory.  So the rows of a stretch that change are found
without a branch per row, listed and prefetched.  They move when ``ROOM`` rows are listed.

Loop order: ranges outside, then slices of the features, then rows, then features.  Rows stay in
order, and the loop over features is elementwise, so it vectorises without reordering.
"""

from typing import Any

import numpy as np
from numba.core import config, types
from numba.extending import intrinsic

from ..._runtime.jit import jit_inline, jit_with_scratch
from ..emit.dots import lowest_bit
from ..emit.row import add_row, prefetch_row
from ..emit.scratch import empty
from ..emit.simd import Emitter, integer
from .update import COUNT, WEIGHT

STRETCH = 32
"""Rows that are checked together for a changed label: a bit of an integer for each."""
ROOM = 128
"""Most rows in a list."""


@intrinsic
def _changed_intrinsic(typingctx: Any, labels: Any, previous: Any, first: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit, bits = Emitter(context, builder, types.float32), integer(0)
        arrays = [emit.pointer(sig.args[n], args[n]) for n in range(2)]
        for place in range(0, STRETCH, emit.lanes):
            row = builder.add(args[2], integer(place))
            now, before = (emit.load(pointer, row, emit.ints) for pointer in arrays)
            found = emit.bits(builder.icmp_signed("!=", now, before))
            bits = builder.or_(bits, builder.shl(found, integer(place)))
        return bits

    return types.int64(labels, previous, types.intp), codegen


def _changed_twin(
    labels: Any,  # in (m,) int32, contiguous
    previous: Any,  # in (m,) int32, contiguous
    first: int,  # in, the first of STRETCH rows
) -> int:
    """Return a bit for each row of a stretch: whether its label changed."""
    part = slice(first, first + STRETCH)
    return int(((labels[part] != previous[part]).astype(np.int64) << np.arange(STRETCH)).sum())


changed = _changed_twin if config.DISABLE_JIT else _changed_intrinsic


@jit_inline
def list_changed(
    X,  # in (2, m, d) float32 or float64, any strides
    first,  # in int, first row of a stretch
    last,  # in int, row to stop before
    previous,  # in (m,) int32, see move_rows
    labels,  # in (m,) int32, see move_rows
    count,  # in int, rows that are listed already
    listed,  # in/out (ROOM, 3) int32, rows, their old label, -1 for none, and their new one
):
    """List the rows of a stretch that change, and prefetch them; return how many are listed."""
    bits = (1 << (last - first)) - 1
    if last - first == STRETCH:
        bits = changed(labels, previous, first)
    while bits != 0:
        i = first + lowest_bit(bits)
        bits &= bits - 1
        if labels[i] != previous[i]:
            listed[count, 0], listed[count, 1], listed[count, 2] = i, previous[i], labels[i]
            count += 1
            prefetch_row(X, i)
    return count


@jit_inline
def move_listed(
    X,  # in (2, m, d) float32 or float64, any strides
    count,  # in int, number of rows
    listed,  # in (ROOM, 3) int32, see list_changed
    f_start,  # in int, first feature
    f_stop,  # in int, feature to stop before
    terms,  # in Terms
    total,  # in/out (k, d) float64, the sums of a range
    table,  # in/out (2, k) float64, the weights of its clusters; the first slice changes them
):
    """Move rows between the sums of a range, in their order."""
    weights, offset, scale, inverse = terms
    for q in range(count):
        i, j, one = listed[q, 0], listed[q, 2], 1.0
        w = weights[i] if weights.size else 1.0
        pull = w * inverse[i] if inverse.size else w
        if pull == 0.0:
            continue
        for _ in range(2 if listed[q, 1] >= 0 else 1):  # it enters a cluster, and leaves one
            add_row(X, i, f_start, f_stop, offset, scale, pull, total, j)
            if f_start == 0:
                table[WEIGHT, j] += w
                table[COUNT, j] += one
            j, w, pull, one = listed[q, 1], -w, -pull, -1.0


@jit_inline
def add_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # in int, first row
    stop,  # in int, row to stop before
    f_start,  # in int, first feature
    f_stop,  # in int, feature to stop before
    terms,  # in Terms
    labels,  # in (m,) int32, see move_rows
    total,  # in/out (k, d) float64, the sums of a range
    table,  # in/out (2, k) float64, the weights of its clusters; the first slice changes them
):
    """Add rows to the sums of a range, in their order."""
    weights, offset, scale, inverse = terms
    for i in range(start, stop):
        j = labels[i]
        w = weights[i] if weights.size else 1.0
        pull = w * inverse[i] if inverse.size else w
        if pull == 0.0:
            continue
        add_row(X, i, f_start, f_stop, offset, scale, pull, total, j)
        if f_start == 0:
            table[WEIGHT, j] += w
            table[COUNT, j] += 1.0


@jit_with_scratch
def move_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    task,  # in int, first task: a range of rows and a slice of the features
    next_task,  # in int, task to stop before
    bounds,  # in (n_ranges + 1,) int64, the ranges of the rows
    slices,  # in (n_slices + 1,) int64, the slices of the features
    terms,  # in Terms, what a row adds
    previous,  # in (m,) int32, the label under which the sums hold a row; -1: none
    labels,  # in (m,) int32, the label under which they will hold it
    rebuild,  # in bool, whether the sums hold no row, whatever previous says
    cluster_sums,  # in/out ClusterSums; only the first slice changes the weights
):
    """Move rows between the sums of their range, in row order."""
    sums, cluster_weights = cluster_sums
    listed, n_slices = empty((ROOM, 3), np.int32), slices.size - 1
    for t in range(task, next_task):
        r, s = t // n_slices, t % n_slices
        start, stop, f_start, f_stop = bounds[r], bounds[r + 1], slices[s], slices[s + 1]
        total, table, count = sums[r], cluster_weights[r], 0
        if rebuild:
            add_rows(X, start, stop, f_start, f_stop, terms, labels, total, table)
            continue
        for first in range(start, stop, STRETCH):
            last = min(first + STRETCH, stop)
            count = list_changed(X, first, last, previous, labels, count, listed)
            if count > ROOM - STRETCH or last == stop:
                move_listed(X, count, listed, f_start, f_stop, terms, total, table)
                count = 0
