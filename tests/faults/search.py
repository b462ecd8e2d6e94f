"""Faults in kernels/search: prices of swaps, and the state that a kept swap leaves."""

from __future__ import annotations

from faults.mutation import Mutation

AROUND, CLOSEST = "_kernels/search/around.py", "_kernels/search/closest.py"
PRICES, MOVES = "_kernels/search/prices.py", "_kernels/search/moves.py"
RENEW = "_kernels/search/renew.py"
TESTS, ENDS = "search/test_swaps", "search/test_moves"

MUTATIONS = [
    Mutation(
        "a price counts rows that the candidate takes as lost",
        PRICES,
        "least = s if s < a else a",
        "least = a",
        f"{TESTS}: test_price",
    ),
    Mutation(
        "a row that changes its cluster after a swap stays in its sum",
        RENEW,
        "bits = changed(before, 0, labels, b) if n_local else 0",
        "bits = 0",
        f"{TESTS}: test_search_keeps_its_state_true",
    ),
    Mutation(
        "rows are taken for farther from a candidate than they are",
        RENEW,
        "limit = shares.reach[0, j] * shares.reach[0, j]",
        "limit = 0.1 * shares.reach[0, j] * shares.reach[0, j]",
        f"{TESTS}: test_far_groups_of_rows_are_passed_over",
    ),
    Mutation(
        "no group of rows is passed over",
        RENEW,
        "            if square < limit:\n",
        "            if square < np.inf:\n",
        f"{TESTS}: test_far_groups_of_rows_are_passed_over",
    ),
    Mutation(
        "rows whose second-closest center moved keep it",
        RENEW,
        "        bits[1, b // BLOCKS] |= own | both\n",
        "        bits[1, b // BLOCKS] |= own\n",
        f"{TESTS}: test_search_keeps_its_state_true",
    ),
    Mutation(
        "a candidate may replace the center of its own row",
        PRICES,
        "if price < best and j != priced.labels[c] and j != barred:",
        "if price < best and j != barred:",
        f"{TESTS}: test_a_candidate_does_not_replace",
    ),
    Mutation(
        "the same center leaves again and again",
        PRICES,
        "if price < best and j != priced.labels[c] and j != barred:",
        "if price < best and j != priced.labels[c]:",
        f"{TESTS}: test_price",
    ),
    Mutation(
        "swaps are given up after one iteration",
        AROUND,
        "return n_steps == 2 and total + AHEAD * gain < least",
        "return n_steps == 1",
        f"{TESTS}: test_a_search_improves_a_fit_and_stays_exact",
    ),
    Mutation(
        "a search by default does not heed the work of the run",
        "_search/swaps.py",
        "work=min(limits.work, most)",
        "work=limits.work",
        f"{TESTS}: test_limits_of_auto",
    ),
    Mutation(
        "the closest center so far does not become the second-closest",
        CLOSEST,
        "builder.select(nearer, label, other)",
        "builder.select(nearer, second, other)",
        f"{TESTS}: test_the_two_closest",
    ),
    Mutation(
        "rows of other clusters count in the potential around a swap",
        AROUND,
        "points.weights[b, p] if a >= 0 else 0.0",
        "points.weights[b, p]",
        f"{TESTS}: test_search_keeps_its_state_true",
    ),
    Mutation(
        "a row leaves its cluster for nothing: its mean does not follow",
        MOVES,
        "factor = total / (total - w)",
        "factor = 1.0",
        f"{ENDS}: test_ends_of_lloyd",
    ),
    Mutation(
        "the mean of the cluster that a row enters does not follow",
        MOVES,
        "np.inf) * (total / (total + w))",
        "np.inf)",
        f"{ENDS}: test_any_partition",
    ),
    Mutation(
        "the bound forgets that the mean of the own cluster follows",
        MOVES,
        "if math.sqrt(square) + math.sqrt(factor * square) <= partition.reach[a]:",
        "if math.sqrt(square) <= partition.reach[a]:",
        f"{ENDS}: test_the_last_move",
    ),
    Mutation(
        "tiles rule a cluster out without the factor of its weight",
        MOVES,
        "            if squares[p] < limits[p] + shares[p] * inverse + floor:\n",
        "            if squares[p] < limits[p]:\n",
        f"{ENDS}: test_the_last_move",
    ),
    Mutation(
        "tiles are taken for exact",
        MOVES,
        "floor = share * (1.0 + 1.0 / ETA) * h * h",
        "floor = 0.0 * share * h",
        f"{ENDS}: test_far_and_tight",
    ),
    Mutation(
        "a gain of rounding counts",
        MOVES,
        "return left - right > error + roundings.exact_share * (left + right)",
        "return left - right > 0.0 * error",
        f"{ENDS}: test_equal_rows",
    ),
    Mutation(
        "the rows after the last full group are not looked at",
        MOVES,
        "if count == ROWS or (i == stop - 1 and count > 0):",
        "if count == ROWS:",
        f"{ENDS}: test_the_last_move",
    ),
    Mutation(
        "the means of far clusters count as close ones",
        "_search/moves.py",
        "least = math.sqrt(float((totals / (totals + heaviest)).min())) * (1.0 - 2.0**-40)",
        "least = 1.0",
        f"{ENDS}: test_any_partition",
    ),
    Mutation(
        "blocks of rows get the labels of the first block",
        "_search/moves.py",
        "labels=best.labels[part]",
        "labels=best.labels",
        f"{ENDS}: test_the_last_move",
    ),
]
