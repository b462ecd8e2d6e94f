"""Faults in kernels/line: values of one feature, and the best cuts between them."""

from __future__ import annotations

from faults.mutation import Mutation

SLOW = "optimum/test_optimum: slow_programme"

MUTATIONS = [
    Mutation(
        "equal values count once",
        "_kernels/line/moments.py",
        "                weights[count - 1] += w\n",
        "                weights[count - 1] = w\n",
        "optimum/test_optimum: no_clustering_is_better",
    ),
    Mutation(
        "a lower bound counts all values of the cell of a cut",
        "_kernels/line/cells.py",
        "        first += 1\n    if first >= stop:",
        "        first += 0\n    if first >= stop:",
        SLOW,
    ),
    Mutation(
        "cells of cuts below the last two are not tried",
        "_kernels/line/cuts.py",
        "        if cell == bottom:\n",
        "        if cell == bottom or cell < last - 1:\n",
        SLOW,
    ),
    Mutation(
        "the bits of best cuts are counted from the first value",
        "_kernels/line/pointers.py",
        "return least + place - number",
        "return place - number",
        SLOW,
    ),
]
