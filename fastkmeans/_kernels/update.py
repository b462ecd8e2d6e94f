"""M step: weighted sums, weights and inertia of every cluster.

    sums_j = sum_i w_i x'_i,   weights_j = sum_i w_i,   inertia = sum_i w_i |x'_i - c'_j|^2

over the rows i with label j, all in float64.  The inertia is added up from
differences to the assigned center, never from ``|x|^2 - 2 x.c + |c|^2``.

Rows are cut into ranges whose number depends on the shape of the data alone.  Each
range adds its rows in order into sums of its own, and the ranges are added in order:
the result does not depend on the number of threads.  Where the sums are large (many
clusters, many features) there are few ranges, so that their memory stays a small
part of that of the data; the work is then cut along the features as well, which
changes no bit, because features never mix.

For the same reason the inertia is kept per feature: the inner loops are elementwise,
vectorise without reordering, and give the same bits for every layout of ``X``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from .._jit import jit
from .simd import I64, Emitter, integer

CHAINS = 4
"""Independent sums of squares per feature: consecutive rows do not wait on each other."""


@contextmanager
def _vectors(builder: Any, start: Any, stop: Any, step: Any) -> Iterator[Any]:
    """Emit a loop over ``start, start + step, ...``; yield its index."""
    with cgutils.for_range_slice(builder, start, stop, step, intp=I64) as (index, _):
        yield index


@intrinsic
def _add_row_intrinsic(
    typingctx: Any,
    X: Any,
    i: Any,
    start: Any,
    stop: Any,
    offset: Any,
    scale: Any,
    weight: Any,
    centers: Any,
    j: Any,
    sums: Any,
    row: Any,
    squares: Any,
    chain: Any,
) -> Any:
    n, x = types.intp, types.float64
    signature = types.void(X, n, n, n, offset, x, x, centers, n, sums, n, squares, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, types.float64)
        matrix = emit.array(sig.args[0], args[0])
        _, row_stride, stride = cgutils.unpack_tuple(builder, matrix.strides, 3)
        source = cgutils.pointer_add(builder, matrix.data, builder.mul(args[1], row_stride))
        element = source.type.pointee
        d = builder.extract_value(matrix.shape, 2)
        offset = emit.pointer(sig.args[4], args[4])
        center, total, square = (
            emit.at(emit.pointer(sig.args[a], args[a]), builder.mul(args[a + 1], d))
            for a in (7, 9, 11)
        )

        def load_strided(f: Any, lanes: int) -> Any:
            places = [builder.mul(builder.add(f, integer(n)), stride) for n in range(lanes)]
            pointers = [cgutils.pointer_add(builder, source, place) for place in places]
            if lanes == 1:
                return builder.load(pointers[0])
            return emit.gather(pointers, ir.VectorType(element, lanes))

        def add(f: Any, x: Any, kind: Any, scale: Any, weight: Any) -> None:
            x = emit.fma(emit.convert(x, kind), scale, emit.load(offset, f, kind))
            emit.store(emit.fma(weight, x, emit.load(total, f, kind)), total, f)
            difference = builder.fsub(x, emit.load(center, f, kind))
            weighted = builder.fmul(weight, difference)
            emit.store(emit.fma(weighted, difference, emit.load(square, f, kind)), square, f)

        start, stop = args[2], args[3]
        lanes = integer(emit.lanes)
        whole = builder.mul(builder.sdiv(builder.sub(stop, start), lanes), lanes)
        middle = builder.add(start, whole)
        scale, weight = (emit.broadcast(args[a], emit.floats) for a in (5, 6))
        contiguous = builder.icmp_signed("==", stride, integer(sig.args[0].dtype.bitwidth // 8))
        with builder.if_else(contiguous) as (then, otherwise):
            with then, _vectors(builder, start, middle, lanes) as f:
                x = emit.load(source, f, ir.VectorType(element, emit.lanes))
                add(f, x, emit.floats, scale, weight)
            with otherwise, _vectors(builder, start, middle, lanes) as f:
                add(f, load_strided(f, emit.lanes), emit.floats, scale, weight)
        with _vectors(builder, middle, stop, integer(1)) as f:
            add(f, load_strided(f, 1), emit.element, args[5], args[6])
        return context.get_dummy_value()

    return signature, codegen


def _add_row_twin(
    X: Any,  # in (2, m, d)
    i: int,  # row of X
    start: int,  # first feature
    stop: int,  # feature to stop before
    offset: Any,  # in (d,) float64
    scale: float,  # power of two
    weight: float,  # of the row
    centers: Any,  # in (k, d) float64
    j: int,  # row of centers
    sums: Any,  # in/out (rows, d) float64
    row: int,  # row of sums
    squares: Any,  # in/out (CHAINS, d) float64
    chain: int,  # row of squares
) -> None:
    """Add one row, elementwise: to a sum, and its squared difference to a center."""
    f = slice(start, stop)
    x = X[0, i, f].astype(np.float64) * scale + offset[f]
    sums[row, f] += weight * x
    squares[chain, f] += weight * (x - centers[j, f]) * (x - centers[j, f])


add_row = _add_row_twin if config.DISABLE_JIT else _add_row_intrinsic


@jit
def add_rows(
    X,  # in (2, m, d) float32 or float64, any strides
    start,  # first row
    stop,  # row to stop before
    f_start,  # first feature
    f_stop,  # feature to stop before
    weights,  # in (m,) float64, or of size 0: all ones
    labels,  # in (m,) int32
    offset,  # in (d,) float64, -shift * scale
    scale,  # power of two
    centers,  # in (k, d) float64, scaled and shifted
    sums,  # in/out (chains * k, d) float64, weighted sums
    cluster_weights,  # in/out (chains * k,) float64, touched by the slice with feature 0
    squares,  # in/out (CHAINS, d) float64, weighted squared differences
):
    """Add rows ``start:stop``, features ``f_start:f_stop``, in row order.

    Row ``i`` goes to chain ``i % chains`` of the sums (``chains`` is 1 or CHAINS): consecutive rows of one cluster
    do not wait for each other's additions.
    """
    k = centers.shape[0]
    last_chain = sums.shape[0] // k - 1  # chains is a power of two
    for i in range(start, stop):
        j = labels[i]
        w = weights[i] if weights.size else 1.0
        if w == 0.0:
            continue
        row = (i & last_chain) * k + j
        if f_start == 0:
            cluster_weights[row] += w
        add_row(
            X, i, f_start, f_stop, offset, scale, w,
            centers, j, sums, row, squares, i & CHAINS - 1,
        )  # fmt: skip


@jit
def update_centers(
    sums,  # in (n_ranges, chains * k, d) float64
    cluster_weights,  # in (n_ranges, chains * k) float64
    squares,  # in (n_ranges, CHAINS, d) float64
    shift,  # in (d,) float64
    scale,  # power of two
    centers,  # in (k, d) float64
    total,  # out (k, d) float64, sums of all ranges
    total_weights,  # out (k,) float64
    new_centers,  # out (k, d) float64, means; an empty cluster keeps its center
):
    """Add the ranges in order and take the means.

    Returns the inertia of the rows against ``centers`` and the squared distance that
    the centers move, summed over the centers, both in scaled units, and the number of
    empty clusters.
    """
    k, d = centers.shape
    for j in range(k):
        total_weights[j] = 0.0
        for f in range(d):
            total[j, f] = 0.0
    for r in range(sums.shape[0]):
        for row in range(sums.shape[1]):
            j = row % k
            total_weights[j] += cluster_weights[r, row]
            for f in range(d):
                total[j, f] += sums[r, row, f]
    inertia = 0.0
    for r in range(squares.shape[0]):
        for chain in range(CHAINS):
            for f in range(d):
                inertia += squares[r, chain, f]
    moved, n_empty = 0.0, 0
    for j in range(k):
        if total_weights[j] > 0.0:
            for f in range(d):
                mean = total[j, f] / total_weights[j] / scale + shift[f]
                step = (mean - centers[j, f]) * scale
                moved += step * step
                new_centers[j, f] = mean
        else:
            n_empty += 1
            for f in range(d):
                new_centers[j, f] = centers[j, f]
    return inertia, moved, n_empty
