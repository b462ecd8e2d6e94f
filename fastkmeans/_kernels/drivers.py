"""Entry points above the serial kernels.

``drive`` runs a serial kernel over ranges with ``prange``; each range writes to rows and
to an output of its own, so their order does not matter.  It calls the kernel by its
address: a kernel that it called by name would be compiled into it once more, and again
into each of the three functions that numba makes of a ``prange``.
``iterate_serial`` is whole Lloyd iterations for data too small to share out: one call from
Python for as many as there are, because with a hundred rows the call takes longer than an
iteration does.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from .._jit import jit_with_scratch, parallel_jit
from .assign import assign_rows, closest_by_differences
from .pack import pack_centers
from .update import move_rows, update_centers


def _emit_item(context: Any, builder: Any, kinds: tuple[Any, Any], value: Any, r: Any) -> Any:
    """Emit ``array[r]`` of an array, by the types of the two."""
    whole = context.make_array(kinds[0])(context, builder, value)
    item = context.make_array(kinds[1])(context, builder)
    lengths, steps = (cgutils.unpack_tuple(builder, x) for x in (whole.shape, whole.strides))
    size = context.get_constant(types.intp, 1)
    for length in lengths[1:]:
        size = builder.mul(size, length)
    item.data = cgutils.pointer_add(builder, whole.data, builder.mul(r, steps[0]))
    item.shape, item.strides = (cgutils.pack_array(builder, x[1:]) for x in (lengths, steps))
    item.itemsize, item.nitems = whole.itemsize, size
    for owner in ("meminfo", "parent"):
        setattr(item, owner, cgutils.get_null_value(getattr(item, owner).type))
    return item._getvalue()


@intrinsic
def _call_intrinsic(
    typingctx: Any, kernel: Any, X: Any, bounds: Any, r: Any, arguments: Any, outputs: Any
) -> Any:
    items = [array.copy(ndim=array.ndim - 1) for array in outputs]
    kinds = (X, types.intp, types.intp, *arguments, *items)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kernel, X, bounds, r, arguments, outputs = args
        start = builder.gep(context.make_array(sig.args[2])(context, builder, bounds).data, [r])
        stop = builder.gep(start, [context.get_constant(types.intp, 1)])
        values = [X, builder.load(start), builder.load(stop)]
        values += cgutils.unpack_tuple(builder, arguments)
        arrays = cgutils.unpack_tuple(builder, outputs)
        for kinds_of, value in zip(zip(sig.args[5], items, strict=True), arrays, strict=True):
            values.append(_emit_item(context, builder, kinds_of, value, r))
        function = context.call_conv.get_function_type(types.none, kinds).as_pointer()
        kernel = builder.inttoptr(kernel, function)
        context.call_conv.call_function(builder, kernel, types.none, kinds, values)
        return context.get_dummy_value()

    return types.void(kernel, X, bounds, r, arguments, outputs), codegen


def _call_twin(
    kernel: Any,  # the kernel itself
    X: Any,
    bounds: Any,
    r: int,
    arguments: Any,
    outputs: Any,
) -> None:
    """Call a kernel for range ``r``."""
    kernel(X, bounds[r], bounds[r + 1], *arguments, *(array[r] for array in outputs))


call = _call_twin if config.DISABLE_JIT else _call_intrinsic


@parallel_jit
def drive(
    kernel,  # address of the machine code of a kernel, see ``_jit.address_of``
    X,  # in (2, m, d)
    bounds,  # in (n_ranges + 1,) int64
    arguments,  # tuple of what all ranges are given
    outputs,  # tuple of arrays (n_ranges, ...), an item for each range
):
    """Call ``kernel(X, bounds[r], bounds[r + 1], *arguments, *outputs[r])`` for every r."""
    for r in numba.prange(bounds.size - 1):
        call(kernel, X, bounds, r, arguments, outputs)


INERTIA, SHIFT, N_EMPTY, N_MOVED = range(4)
"""Columns of the steps of ``iterate_serial``."""


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
    centers,  # in (k, d) float64, and of every other iteration out
    norms,
    table,
    repeated,
    scaled,
    tiles,
    previous,  # in (m,) int32, and of every other iteration out
    labels,  # out (m,) int32
    counts,  # out (3,) int64
    slices,  # in (2,) int64: all features
    rebuild,  # whether the first iteration builds the sums anew
    sums,  # in/out, see move_rows
    cluster_weights,  # in/out
    total,
    total_weights,
    new_centers,
    room,  # rows that may move before the sums are to be built anew
    tolerance,  # squared move of the centers to stop at, in scaled units
    steps,  # out (n_steps, 4) float64: INERTIA, SHIFT, as update_centers has it, ...
):
    """Run Lloyd iterations on one thread, ``n_steps`` at most; return how many.

    It stops where there is something to decide: no row moved, or too many, the centers
    moved little, a cluster is empty.  ``previous`` and ``labels`` change places from one
    iteration to the next, ``centers`` and ``new_centers`` too.
    """
    m, n_done = X.shape[1], 0
    first = bounds[0]  # 0, but a literal would make kernels of their own of two kernels
    while True:
        largest = pack_centers(centers, shift, scale, norms, table, repeated, scaled, tiles)
        assign_rows(
            X, first, m, x_offset, x_scale, centers, tiles, largest, previous, labels, counts
        )
        if counts[2]:
            for i in range(m):
                if labels[i] < 0:
                    labels[i] = closest_by_differences(X, i, centers, scale)
                    counts[0] += labels[i] != previous[i]
        if rebuild:
            sums[:] = 0.0
            cluster_weights[:] = 0.0
        move_rows(
            X, first, bounds.size - 1, bounds, slices, weights, previous, labels, rebuild,
            offset, scale, sums, cluster_weights,
        )  # fmt: skip
        inertia, shifted, n_empty = update_centers(
            sums, cluster_weights, shift, scale, scatter, scaled, centers,
            total, total_weights, new_centers,
        )  # fmt: skip
        steps[n_done, INERTIA], steps[n_done, SHIFT] = inertia, shifted
        steps[n_done, N_EMPTY], steps[n_done, N_MOVED] = n_empty, counts[0]
        n_done += 1
        room -= 0 if rebuild else counts[0]
        rebuild = False
        decide = counts[0] == 0 or n_empty > 0 or room < 0 or not shifted > tolerance
        if decide or n_done == steps.shape[0]:
            return n_done
        # Copies take numba longer to compile than all that.
        previous, labels = labels, previous
        centers, new_centers = new_centers, centers
