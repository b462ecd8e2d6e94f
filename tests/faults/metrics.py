"""Faults in kernels/metrics (silhouettes, spreads)."""

from __future__ import annotations

from faults.mutation import Mutation

SILHOUETTE = "metrics/test_silhouette"
METRICS = "metrics/test_metrics"

MUTATIONS = [
    Mutation(
        "distances that lost digits stay as they are",
        "_kernels/metrics/pairs.py",
        "builder.store(builder.select(lost, square, product), slot[v])",
        "builder.store(product, slot[v])",
        f"{SILHOUETTE}: test_close_rows and float64 and 12",
    ),
    Mutation(
        "the rows of a tile count for the cluster of the first",
        "_kernels/metrics/pairs.py",
        'one = builder.icmp_signed("==", cluster_of(0), cluster_of(CENTERS - 1))',
        'one = builder.icmp_signed("==", cluster_of(0), cluster_of(0))',
        f"{SILHOUETTE}: test_any_number and float64 and 1301",
    ),
    Mutation(
        "pairs of a strip with itself are added in both orders twice",
        "_kernels/metrics/silhouette.py",
        "                    if a == e:  # each pair comes in both orders",
        "                    if False:",
        f"{SILHOUETTE}: test_any_number and float64 and 300",
    ),
    Mutation(
        "rows beyond the last of a strip have weight",
        "_kernels/metrics/strips.py",
        "tile_weights[q] = weights[i] if start + q < stop else 0.0",
        "tile_weights[q] = weights[i]",
        f"{SILHOUETTE}: test_numbers_of_rows_around",
    ),
    Mutation(
        "a run of a cluster goes on in the next one",
        "_kernels/metrics/silhouette.py",
        "            parts[place + r, lane] = 0.0",
        "            parts[place + r, lane] *= 1.0",
        f"{SILHOUETTE}: test_any_number and float64 and 1301",
    ),
    Mutation(
        "rows of length 0 have cosine 1 to each other",
        "_kernels/metrics/strips.py",
        "                norms[b, p] = 1.0",
        "                norms[b, p] *= 1.0",
        f"{SILHOUETTE}: test_rows_of_length_zero",
    ),
    Mutation(
        "a tile of sparse rows keeps the values of the tile before",
        "_kernels/metrics/sparse_pairs.py",
        "                for g in range(starts[y], starts[y + 1]):\n"
        "                    table[0, indices[g], lane] = 0.0",
        "                for g in range(starts[y], starts[y]):\n"
        "                    table[0, indices[g], lane] = 0.0",
        f"{SILHOUETTE}: test_sparse_rows and float64",
    ),
    Mutation(
        "the own center is the closest other one",
        "_kernels/metrics/own.py",
        "rival = builder.select(is_own, nothing, square)",
        "rival = square",
        f"{METRICS}: test_simplified_silhouette and iris and euclidean-float64",
    ),
    Mutation(
        "rows alone in their cluster have a silhouette",
        "_kernels/metrics/simplified.py",
        "value = 0.0 * value if alone[j] or w == 0.0 else value",
        "value = 0.0 * value if w == 0.0 else value",
        f"{METRICS}: test_single_rows",
    ),
    Mutation(
        "spreads forget the weights",
        "_kernels/metrics/spread.py",
        "spreads[DISTANCES, j] += w * math.sqrt(square)",
        "spreads[DISTANCES, j] += math.sqrt(square)",
        f"{METRICS}: test_weights_are_repeated and davies",
    ),
    Mutation(
        "groups of clusters leave out one side",
        "_metrics/silhouette.py",
        "                _take(means, rows, right, over_left, total, left.cluster)",
        "                pass",
        f"{SILHOUETTE}: test_groups_of_clusters and float64",
    ),
]
