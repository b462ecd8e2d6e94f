"""Sums of the distances of every row to the rows of every cluster.

    sums[c, i] = sum of w_j |x_i - x_j| over the rows j of cluster c

The rows are sorted by cluster, and cut into *strips* of ``STRIP`` rows.  A task compares two
strips, and adds each distance to the sums of both rows.  So a pair of rows is compared once.  A
strip is in one task at a time, in an order that depends on the number of strips alone.  So a sum
has the same bits for any number of threads.

Loop order: panels of tiles, then blocks, then the tiles of the panel, so that a panel stays in the
second-level cache.
"""

from ..._runtime.jit import jit_inline, jit_with_scratch
from ..emit.scratch import empty
from ..emit.simd import CENTERS, POINTS
from .pairs import BY_COSINE, LANES, add_to_points, add_to_rows, pair_distances
from .strips import pack_pair, prepare

PANEL_BYTES = 200_000
"""Bytes of a panel of tiles."""


@jit_inline
def cut_runs(
    clusters,  # in (n,) int32, rising
    weights,  # in (n,) float64
    start,  # in int, first row of a block
    stop,  # in int, the end of the strip
    runs,  # out (POINTS, 2) int64, cluster of a run, and whether it ends in the block
    run_weights,  # out (POINTS, POINTS) float64, weights of its rows, 0 for others
):
    """List the clusters of a block's rows; return their number."""
    n_runs = 0
    for p in range(POINTS if stop - start > POINTS else stop - start):
        i = start + p
        if p == 0 or clusters[i] != clusters[i - 1]:
            runs[n_runs, 0] = clusters[i]
            for q in range(POINTS):
                run_weights[n_runs, q] = 0.0
            n_runs += 1
        run_weights[n_runs - 1, p] = weights[i]
        runs[n_runs - 1, 1] = i == stop - 1 or clusters[i + 1] != clusters[i]
    return n_runs


@jit_inline
def close_run(
    parts,  # in/out (n, LANES) float64; set to zero
    place,  # in int, row of parts of the tile's first row
    sums,  # in/out (k, width) float64
    j,  # in int, row of sums
    column,  # in int, column of the tile's first row
    count,  # in int, rows of the tile
):
    """Add the parts of a tile's rows to their sums over one cluster."""
    for r in range(count):
        total = 0.0
        for lane in range(LANES):
            total += parts[place + r, lane]
            parts[place + r, lane] = 0.0
        sums[j, column + r] += total


@jit_with_scratch
def compare_strips(
    X,  # in (2, m, d) float32 or float64, any strides
    task,  # in int, first task
    next_task,  # in int, task to stop before
    pairs,  # in (n_tasks, 2) int64, numbers of the strips of each task
    rows_sorted,  # in Sorted
    left,  # in Side, of the first strip
    right,  # in Side, of the second strip
    scale,  # in float of X's dtype, power of two
    how,  # in int, BY_PRODUCTS, BY_DIFFERENCES or BY_COSINE
    left_sums,  # in/out (k_right, width) float64, of the left rows over the right clusters
    right_sums,  # in/out (k_left, width) float64; the same array if the sides are the same
):
    """Add the distances between two strips to the sums of their rows."""
    clusters, weights = rows_sorted.clusters, rows_sorted.weights
    _, _, d = X.shape
    s = prepare(X, left.height if left.height > right.height else right.height)
    out = empty((CENTERS, POINTS), X.dtype)
    panel = PANEL_BYTES // ((1 + d) * CENTERS * s.tiles.itemsize) + 1
    for t in range(task, next_task):
        a, e = left.first + pairs[t, 0] * left.height, right.first + pairs[t, 1] * right.height
        a_stop = a + left.height if a + left.height < left.stop else left.stop
        e_stop = e + right.height if e + right.height < right.stop else right.stop
        n_tiles = pack_pair(X, rows_sorted, (a, a_stop), (e, e_stop), scale, how == BY_COSINE, s)
        for begin in range(0, n_tiles, panel):
            end = begin + panel if begin + panel < n_tiles else n_tiles
            for b in range((a_stop - a + POINTS - 1) // POINTS):
                n_runs = cut_runs(clusters, weights, a + b * POINTS, a_stop, s.runs, s.run_weights)
                column = a - left.first + b * POINTS
                for tile in range(begin, end):
                    q = tile * CENTERS
                    pair_distances(s.blocks, b, s.tiles, tile, s.norms, s.reach, how, out)
                    add_to_points(
                        out, s.tile_weights, s.tile_clusters, q, left_sums, column, right.cluster
                    )
                    if a == e:  # each pair comes in both orders
                        continue
                    count = CENTERS if e_stop - e - q > CENTERS else e_stop - e - q
                    for run in range(n_runs):
                        add_to_rows(out, b, s.run_weights, run, s.parts, q)
                        if s.runs[run, 1]:
                            j = s.runs[run, 0] - left.cluster
                            close_run(s.parts, q, right_sums, j, e - right.first + q, count)
