"""Faults in kernels/search: prices of swaps, and the state that a kept swap leaves."""

from __future__ import annotations

from faults.mutation import Mutation

SWAPS, CLOSEST = "_kernels/search/swaps.py", "_kernels/search/closest.py"
PRICES = "_kernels/search/prices.py"
TESTS = "search/test_swaps"

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
        SWAPS,
        "                if own.labels[p] != labels[r]:\n",
        "                if False:\n",
        f"{TESTS}: test_search_keeps_its_state_true",
    ),
    Mutation(
        "the closest center so far does not become the second-closest",
        CLOSEST,
        "seconds[p] = one if nearer else other",
        "seconds[p] = two if nearer else other",
        f"{TESTS}: test_find_closest",
    ),
]
