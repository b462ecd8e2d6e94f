"""Whole Lloyd iterations of a small table: one call from Python for many.

With a hundred rows a call from Python takes longer than an iteration.  The loop is that of
``_lloyd.loop``, until there is something to decide:

    pack centers -> assign rows -> settle ties -> move rows between the sums -> means

What stays the same during a fit comes in plain tuples.  numba types a tuple faster than as many
arguments with a record, and far faster than a record.
"""

from typing import Any

from ..._runtime.calls import call
from ..._runtime.jit import address_of, jit
from ..shared.moves import move_rows
from ..shared.pack import pack_centers
from ..shared.update import (
    COUNT,
    GAINED,
    N_EMPTY,
    SHIFT,
    WEIGHT,
    ClusterSums,
    Terms,
    update_centers,
    update_directions,
)
from .assign import assign_rows
from .exact import settle_by_differences, settle_by_products

INERTIA, SHIFTED, EMPTY, MOVED, LOST = range(5)
"""Columns of ``steps``."""


@jit
def iterate_serial(
    kernels,  # in tuple of int, addresses of the five kernels, in the order of their calls
    X,  # in (2, m, d) float32 or float64, any strides
    weights,  # in (m,) float64, or of size 0: all ones
    coordinates,  # in tuple, see below
    packed,  # scratch tuple, see below
    sums_of,  # in/out tuple, see below
    centers,  # in/out (k, d) float64; in every second iteration the new centers
    new_centers,  # in/out (k, d) float64; in every second iteration the old centers
    previous,  # in/out (m,) int32; in every second iteration the new labels
    labels,  # in/out (m,) int32; in every second iteration the old labels
    rebuild,  # in bool, whether the first iteration builds the sums again
    room,  # in int, rows that may move before the sums must be built again
    cancelled,  # in float64, build again below this share of a cluster's largest weight
    tolerance,  # in float64, squared distance of the centers to stop at, in scaled units
    counts,  # scratch (3,) int64
    totals,  # scratch (3,) float64
    steps,  # out (n_steps, 5) float64: INERTIA, SHIFTED, EMPTY, MOVED, LOST
):
    """Run Lloyd iterations on one thread, ``n_steps`` at most; return how many.

    It stops if there is something to decide: no row moved, or too many; the centers moved little; a
    cluster is empty, or lost almost all of its weight.  After each iteration ``previous`` and
    ``labels`` change places, ``centers`` and ``new_centers`` too.

    ``coordinates`` are shift and offset, (d,) float64, scale, the unit of the centers and scatter,
    float64, offset and scale in X's dtype, and the inverse lengths (see ``Terms``).  ``packed`` are
    the arrays that ``pack_centers`` writes.  ``sums_of`` are the ranges of rows, features and
    centers, int64; the sums and weights of the ranges (see ``ClusterSums``); the total weights; and
    the largest weight of each cluster since its sum was built, (k,) float64.  LOST is 1 if a
    cluster lost almost all of its weight, else 0.
    """
    shift, offset, scale, unit, scatter, x_offset, x_scale, inverse = coordinates
    norms, table, repeated, scaled, tiles = packed
    bounds, slices, center_bounds, sums, cluster_weights, total_weights, heaviest = sums_of
    terms = Terms(weights, offset, scale, inverse)
    cluster_sums, by_cosine = ClusterSums(sums, cluster_weights), inverse.size > 0
    pack, assign, settle, move, update = kernels
    (_, m, _), (n_steps, _), n_done = X.shape, steps.shape, 0
    first = bounds[0]  # 0, of the integer type that the kernels are compiled for
    while True:
        packing = centers, shift, unit, by_cosine, norms, table, repeated, scaled, tiles
        largest = call(pack, 0.0, packing)
        call(assign, None, (
            X, first, m, x_offset, x_scale, centers, tiles, largest, by_cosine, previous, labels,
            counts,
        ))  # fmt: skip
        if counts[1]:
            call(settle, None, (X, first, m, scale, centers, previous, labels, counts))
        if rebuild:
            sums[:] = 0.0
            cluster_weights[:] = 0.0
        call(move, None, (
            X, first, bounds.size - 1, bounds, slices, terms, previous, labels, rebuild,
            cluster_sums,
        ))  # fmt: skip
        gained, shifted, n_empty = 0.0, 0.0, 0.0
        for c in range(center_bounds.size - 1):
            call(update, None, (
                sums, center_bounds[c], center_bounds[c + 1], cluster_weights, shift, unit,
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
        steps[n_done, LOST] = has_cancelled
        n_done += 1
        room -= 0 if rebuild else counts[0]
        rebuild = False
        decide = counts[0] == 0 or n_empty > 0 or room < 0 or not shifted > tolerance
        decide |= has_cancelled
        if decide or n_done == n_steps:
            return n_done
        # numba would compile copies for longer than all of this.
        previous, labels = labels, previous
        centers, new_centers = new_centers, centers


_serial_kernels: dict[tuple[Any, ...], tuple[Any, ...]] = {}


def run_serial(X: Any, weights: Any, *arguments: Any) -> int:
    """Call ``iterate_serial`` with the addresses of its kernels before the arguments."""
    # These decide the types of all others, which a fit makes itself, and the update.
    by_cosine = arguments[0][-1].size > 0
    key = X.dtype, X.flags.num, weights.flags.num, by_cosine
    if key not in _serial_kernels:
        _serial_kernels[key] = _compile_serial(X, weights, *arguments)
    n_done: int = iterate_serial(_serial_kernels[key], X, weights, *arguments)
    return n_done


def _compile_serial(
    X: Any, weights: Any, coordinates: Any, packed: Any, sums_of: Any, centers: Any,
    new_centers: Any, previous: Any, labels: Any, rebuild: Any, *others: Any
) -> tuple[Any, ...]:  # fmt: skip
    """Return the addresses of the kernels that ``iterate_serial`` calls."""
    shift, offset, scale, unit, _, x_offset, x_scale, inverse = coordinates
    bounds, slices, _, sums, cluster_weights, total_weights, _ = sums_of
    _, _, _, counts, totals, _ = others
    terms, cluster_sums = Terms(weights, offset, scale, inverse), ClusterSums(sums, cluster_weights)
    assigning = (
        X, 0, 0, x_offset, x_scale, centers, packed[-1], 0.0, True, previous, labels, counts,
    )  # fmt: skip
    moving = X, 0, 0, bounds, slices, terms, previous, labels, rebuild, cluster_sums
    updating = (
        sums, 0, 0, cluster_weights, shift, unit, centers, total_weights, new_centers, totals,
    )  # fmt: skip
    by_cosine = inverse.size > 0
    settle, update = (
        (settle_by_products, update_directions)
        if by_cosine
        else (settle_by_differences, update_centers)
    )
    settling = X, 0, 0, scale, centers, previous, labels, counts
    return (
        address_of(pack_centers, (centers, shift, unit, True, *packed)),
        address_of(assign_rows, assigning),
        address_of(settle, settling),
        address_of(move_rows, moving),
        address_of(update, updating),
    )
