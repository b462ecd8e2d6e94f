"""Entry points above the serial kernels.

``drive`` runs a serial kernel over ranges with ``prange``; each range writes to rows and
to an output of its own, so their order does not matter.
``iterate_serial`` is whole Lloyd iterations for data too small to share out: one call from
Python for as many as there are, because with a hundred rows the call takes longer than an
iteration does.

Both call kernels by their addresses (see ``calls``).
"""

from __future__ import annotations

from typing import Any

from ..._runtime.calls import call
from ..._runtime.jit import address_of, jit
from ..shared.pack import pack_centers
from ..shared.update import COUNT, GAINED, N_EMPTY, SHIFT, WEIGHT, move_rows, update_centers
from .assign import assign_rows, closest_by_differences

INERTIA, SHIFTED, EMPTY, MOVED = range(4)
"""Columns of the steps of ``iterate_serial``."""


@jit
def iterate_serial(
    kernels,  # addresses of the four, in the order of their calls
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
    total_weights,
    new_centers,
    center_bounds,  # in (n_center_ranges + 1,) int64
    totals,  # scratch (3,) float64
    heaviest,  # in/out (k,) float64, of every cluster since the sums were built anew
    cancelled,  # share of that under which what is left must be added up anew
    room,  # rows that may move before the sums are to be built anew
    tolerance,  # squared move of the centers to stop at, in scaled units
    steps,  # out (n_steps, 4) float64: INERTIA, SHIFTED, EMPTY, MOVED
):
    """Run Lloyd iterations on one thread, ``n_steps`` at most; return how many.

    It stops where there is something to decide: no row moved, or too many, the centers
    moved little, a cluster is empty, or has lost almost all of its weight.  ``previous`` and
    ``labels`` change places from one iteration to the next, ``centers`` and ``new_centers``
    too.
    """
    pack, assign, move, update = kernels
    (_, m, _), (n_steps, _), n_done = X.shape, steps.shape, 0
    first = bounds[0]  # 0, as an integer of the type that the kernels are compiled for
    while True:
        packing = centers, shift, scale, norms, table, repeated, scaled, tiles
        largest = call(pack, 0.0, packing)
        call(assign, None, (
            X, first, m, x_offset, x_scale, centers, tiles, largest, previous, labels, counts,
        ))  # fmt: skip
        if counts[2]:
            for i in range(m):
                if labels[i] < 0:
                    labels[i] = closest_by_differences(X, i, centers, scale)
                    counts[0] += labels[i] != previous[i]
        if rebuild:
            sums[:] = 0.0
            cluster_weights[:] = 0.0
        call(move, None, (
            X, first, bounds.size - 1, bounds, slices, weights, previous, labels, rebuild,
            offset, scale, sums, cluster_weights,
        ))  # fmt: skip
        gained, shifted, n_empty = 0.0, 0.0, 0.0
        for c in range(center_bounds.size - 1):
            call(update, None, (
                sums, center_bounds[c], center_bounds[c + 1], cluster_weights, shift, scale,
                centers, total_weights, new_centers, totals,
            ))  # fmt: skip
            gained += totals[GAINED]
            shifted += totals[SHIFT]
            n_empty += totals[N_EMPTY]
        has_cancelled = False
        for j in range(heaviest.size):
            w, before = total_weights[WEIGHT, j], 0.0 if rebuild else heaviest[j]
            heaviest[j] = max(w, before)
            has_cancelled |= w < cancelled * before and total_weights[COUNT, j] > 0.0
        inertia = scatter - gained
        steps[n_done, INERTIA], steps[n_done, SHIFTED] = max(inertia, 0.0), shifted
        steps[n_done, EMPTY], steps[n_done, MOVED] = n_empty, counts[0]
        n_done += 1
        room -= 0 if rebuild else counts[0]
        rebuild = False
        decide = counts[0] == 0 or n_empty > 0 or room < 0 or not shifted > tolerance
        decide |= has_cancelled
        if decide or n_done == n_steps:
            return n_done
        # Copies take numba longer to compile than all that.
        previous, labels = labels, previous
        centers, new_centers = new_centers, centers


_serial_kernels: dict[tuple[Any, ...], tuple[Any, ...]] = {}


def run_serial(*arguments: Any) -> int:
    """Call ``iterate_serial`` with the addresses of its kernels before the arguments."""
    X, _, weights, *_ = arguments
    # The types of all others follow from these: a fit makes them itself.
    key = X.dtype, X.flags.num, weights.flags.num
    if key not in _serial_kernels:
        _serial_kernels[key] = _compile_serial(*arguments)
    n_done: int = iterate_serial(_serial_kernels[key], *arguments)
    return n_done


def _compile_serial(
    X: Any, bounds: Any, weights: Any, shift: Any, scale: Any, scatter: Any, x_offset: Any,
    x_scale: Any, offset: Any, centers: Any, norms: Any, table: Any, repeated: Any, scaled: Any,
    tiles: Any, previous: Any, labels: Any, counts: Any, slices: Any, rebuild: Any, sums: Any,
    cluster_weights: Any, total_weights: Any, new_centers: Any, center_bounds: Any, totals: Any,
    *_: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the addresses of the kernels that ``iterate_serial`` calls."""
    packing = centers, shift, scale, norms, table, repeated, scaled, tiles
    assigning = X, 0, 0, x_offset, x_scale, centers, tiles, 0.0, previous, labels, counts
    moving = (
        X, 0, 0, bounds, slices, weights, previous, labels, rebuild, offset, scale, sums,
        cluster_weights,
    )  # fmt: skip
    updating = (
        sums, 0, 0, cluster_weights, shift, scale, centers, total_weights, new_centers, totals,
    )  # fmt: skip
    return (
        address_of(pack_centers, packing),
        address_of(assign_rows, assigning),
        address_of(move_rows, moving),
        address_of(update_centers, updating),
    )
