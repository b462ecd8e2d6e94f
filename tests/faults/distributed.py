"""Faults in the statistics of blocks: their kernels, their merge, the centers that follow."""

from __future__ import annotations

from faults.mutation import Mutation

STATISTICS = "distributed/test_statistics"

MUTATIONS = [
    Mutation(
        "a row that stays apart from the sums is in them, too",
        "_kernels/shared/differences.py",
        "if j < 0 or w == 0.0",
        "if w == 0.0",
        f"{STATISTICS}: test_a_cluster_keeps",
    ),
    Mutation(
        "what sparse rows do not store is no difference",
        "_kernels/sparse/differences.py",
        "(table[WEIGHT, j] - stored[j, f])",
        "(stored[j, f] - stored[j, f])",
        f"{STATISTICS}: test_fields and sparse",
    ),
    Mutation(
        "a cluster gives its last row, on many machines",
        "_distributed/statistics.py",
        "if members[donor] > 1:",
        "if members[donor] > 0:",
        f"{STATISTICS}: test_a_cluster_keeps",
    ),
    Mutation(
        "every block counts its rows from 0",
        "_distributed/merge.py",
        "rows=part.farthest.rows + n_rows",
        "rows=part.farthest.rows",
        f"{STATISTICS}: test_the_farthest_rows_of_a_tie",
    ),
    Mutation(
        "two rows that change places leave the hash of labels as it is",
        "_distributed/labels.py",
        "(first * pow(BASE, n_second, PRIME) + second)",
        "(first + second)",
        f"{STATISTICS}: test_the_hash_of_labels",
    ),
]
