"""Faults in kernels/plain: the tile, the E step, the loop of small tables, distances."""

from __future__ import annotations

from faults.mutation import Mutation

TILE = "kernels/test_tile"
ASSIGN = "kernels/test_assign"
START = "kernels/test_start"
NUMERICS = "lloyd/test_numerics"

MUTATIONS = [
    Mutation(
        "a tie goes to the highest index",
        "_kernels/plain/tile.py",
        'builder.fcmp_ordered(">", score, best)',
        'builder.fcmp_ordered(">=", score, best)',
        f"{TILE}: test_ties_go_to and float32",
    ),
    Mutation(
        "the second best is not tracked",
        "_kernels/plain/tile.py",
        "builder.store(builder.select(runner_up, loser, second), second_slot)",
        "builder.store(second, second_slot)",
        f"{TILE}: test_second_best and float32",
    ),
    Mutation(
        "the old best does not become the second best",
        "_kernels/plain/tile.py",
        "loser = builder.select(wins, best, score)",
        "loser = builder.select(wins, second, score)",
        f"{TILE}: test_second_best and float32",
    ),
    Mutation(
        "the index of a center is that within its tile",
        "_kernels/plain/tile.py",
        "emit.broadcast(builder.add(first, ir.Constant(I32, center)), emit.ints)",
        "emit.broadcast(ir.Constant(I32, center), emit.ints)",
        f"{TILE}: test_best_two and float32",
    ),
    Mutation(
        "a block's second half of float64 lanes reads the first",
        "_kernels/plain/tile.py",
        "offsets = [integer(lane + v * emit.lanes) for v in range(VECTORS)]",
        "offsets = [integer(v * emit.lanes) for v in range(VECTORS)]",
        f"{TILE}: test_best_two and float64",
    ),
    Mutation(
        "squared distances start at the bias",
        "_kernels/plain/tile.py",
        "sums = _feature_loop(emit, points, pointer, n_features, False)",
        "sums = _feature_loop(emit, points, pointer, n_features, True)",
        f"{TILE}: test_squared_distances and float32",
    ),
    Mutation(
        "a tile is skipped if its only rival stands next to an own center that no longer leads",
        "_kernels/plain/tile.py",
        "builder.select(leads, at_home, nowhere), best",
        "at_home, best",
        f"{START}: test_best_two_from and False-float32",
    ),
    Mutation(
        "a point's own center is its rival",
        "_kernels/plain/tile.py",
        "builder.store(builder.select(is_own, lowest, score), slot)",
        "builder.store(score, slot)",
        f"{START}: test_best_two_from and False-float32",
    ),
    Mutation(
        "the second vector of a tile has no rivals",
        "_kernels/plain/tile.py",
        "reduce(builder.or_, surplus)",
        "surplus[0]",
        f"{START}: test_best_two_from and False-float32",
    ),
    Mutation(
        "the limit is too high for the bound",
        "_kernels/plain/start.py",
        "MARGINS = 1.5",
        "MARGINS = 0.9",
        f"{START}: test_a_row_without_rival and 8-float32",
    ),
    Mutation(
        "a label that is no center is taken for one",
        "_kernels/plain/start.py",
        'known = builder.icmp_unsigned("<", label, n_centers)',
        'known = builder.icmp_signed("<", label, n_centers)',
        f"{START}: test_starting_at_labels and 8",
    ),
    Mutation(
        "a repeated center is expected to exceed its limit",
        "_kernels/plain/start.py",
        "builder.select(leads, tile, nobody)",
        "builder.select(known, tile, nobody)",
        f"{START}: test_starting_at_labels and 8",
    ),
    Mutation(
        "the own score starts at nothing, not at the bias",
        "_kernels/plain/start.py",
        "emit.gather([emit.at(row, n_features) for row in rows], emit.floats)",
        "ir.Constant(emit.floats, [0.0] * emit.lanes)",
        f"{START}: test_the_own_score and 8",
    ),
    Mutation(
        "the last panel is dropped",
        "_kernels/plain/assign.py",
        "for start in range(0, n_tiles, panel):",
        "for start in range(0, n_tiles - n_tiles % panel, panel):",
        f"{ASSIGN}: test_score_blocks and float32",
    ),
    Mutation(
        "a block too few in a group",
        "_kernels/plain/assign.py",
        "+ r\n        n_blocks = pack_points(X, rows, count, offset",
        "+ r\n        n_blocks = pack_points(X, rows, count - 1, offset",
        f"{ASSIGN}: test_assign_rows_at_every_edge and float32",
    ),
    Mutation(
        "the last row of a block is not checked",
        "_kernels/plain/assign.py",
        "for p in range(POINTS if count - b * POINTS > POINTS else count - b * POINTS):",
        "for p in range(POINTS if count - b * POINTS > POINTS else count - b * POINTS - 1):",
        f"{ASSIGN}: test_every_lane and float32",
    ),
    Mutation(
        "the float32 bound is half too small",
        "_kernels/plain/assign.py",
        "g = rounding(d, 2.0**-24, largest)",
        "g = 0.5 * rounding(d, 2.0**-24, largest)",
        f"{NUMERICS}: test_rounding_that_conspires and float32",
    ),
    Mutation(
        "the bound forgets the rounding of the differences",
        "_kernels/plain/assign.py",
        "agree = by_differences * (norm + 2.0 * abs(best))",
        "agree = 0.0",
        f"{NUMERICS}: test_a_far_row and float64",
    ),
    Mutation(
        "no bound: the best score is the label",
        "_kernels/plain/assign.py",
        "    if n_narrow:\n",
        "    if n_narrow < 0:\n",
        f"{ASSIGN}: test_rows_that_moved and float32",
    ),
    Mutation(
        "by differences a tie goes to the highest index",
        "_kernels/plain/assign.py",
        "        if total < best:\n",
        "        if total <= best:\n",
        f"{ASSIGN}: test_by_differences and float32",
    ),
    Mutation(
        "rows that moved are counted twice",
        "_kernels/plain/assign.py",
        "            moved -= labels[i] != previous[i]\n",
        "",
        f"{ASSIGN}: test_rows_that_moved and float32",
    ),
    Mutation(
        "an incomplete last block is not settled",
        "_kernels/plain/assign.py",
        "if count == POINTS or (row == stop - 1 and count > 0):",
        "if count == POINTS:",
        f"{ASSIGN}: test_settle_rows and float32",
    ),
    Mutation(
        "iterations of a small table go on with old sums",
        "_kernels/plain/serial.py",
        "room -= 0 if rebuild else counts[0]",
        "room -= 0",
        "lloyd/test_iterations: test_iterations_in_one_call and 64-0.1 and float64",
    ),
    Mutation(
        "iterations of a small table go on without a cluster",
        "_kernels/plain/serial.py",
        "counts[0] == 0 or n_empty > 0 or",
        "counts[0] == 0 or",
        "lloyd/test_iterations: test_iterations_in_one_call and 2-2.0 and float32",
    ),
    Mutation(
        "distances keep the scale",
        "_kernels/plain/distances.py",
        "np.sqrt(squares[r, p]) / scale",
        "np.sqrt(squares[r, p])",
        f"{TILE}: test_distance_rows and C-float32",
    ),
    Mutation(
        "the last tile writes one center too few",
        "_kernels/plain/distances.py",
        "CENTERS if k - tile * CENTERS > CENTERS else k - tile * CENTERS):",
        "CENTERS if k - tile * CENTERS > CENTERS else k - tile * CENTERS - 1):",
        f"{TILE}: test_distance_rows and C-float32",
    ),
    Mutation(
        "sums of squared differences are not rounded as NumPy's",
        "_kernels/plain/assign.py",
        "@jit_unfused",
        "@jit_inline",
        f"{ASSIGN}: test_where_rounding",
    ),
    Mutation(
        "a cluster that has lost its weight does not stop the iterations of a small table",
        "_kernels/plain/serial.py",
        "decide |= has_cancelled",
        "decide |= False",
        "lloyd/test_runs: test_light_rows and 10000000000000 and lloyd",
    ),
]
