"""Faults in the Lloyd loop, and in the rows that it asks for: relocation of empty clusters."""

from __future__ import annotations

from faults.mutation import Mutation

EMPTY = "lloyd/test_empty"

MUTATIONS = [
    Mutation(
        "a donor is not corrected",
        "_lloyd/empty.py",
        "    run.new_centers[donor] = mean / scaling.scale + scaling.shift\n",
        "",
        f"{EMPTY}: by_hand or donor",
    ),
    Mutation(
        "the nearest row is given away",
        "_data/rows.py",
        "np.lexsort((places, -values))",
        "np.lexsort((places, values))",
        f"{EMPTY}: test_farthest",
    ),
    Mutation(
        "a cluster gives its last row",
        "_lloyd/empty.py",
        "if members[donor] < 2:",
        "if members[donor] < 1:",
        f"{EMPTY}: test_a_cluster_keeps or test_a_cluster_gives",
    ),
]
