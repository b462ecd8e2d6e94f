"""Faults in kernels/sparse: scores, certified labels, sums, seeding on sparse rows."""

from __future__ import annotations

from faults.mutation import Mutation

ENGINE, ESTIMATORS = "engines/test_sparse", "estimators/test_sparse"
COSINE = "estimators/test_sparse_cosine"

MUTATIONS = [
    Mutation(
        "a label that is not proven stays",
        "_kernels/sparse/assign.py",
        "proven = margin_now > 0.0",
        "proven = margin_now > -1.0",
        f"{ENGINE}: hardly_differ",
    ),
    Mutation(
        "a rival in another tile is not seen",
        "_kernels/sparse/assign.py",
        "elif top > second[r]:",
        "elif top < second[r]:",
        f"{ENGINE}: tie_across_tiles",
    ),
    Mutation(
        "the margin is zero",
        "_kernels/sparse/assign.py",
        "    bound = 2.04 * g * reach + 8.0 * unit * reach\n",
        "    bound = 0.0 * g * reach\n",
        f"{ENGINE}: hardly_differ",
    ),
    Mutation(
        "carried margins ignore how far the centers moved",
        "_kernels/sparse/assign.py",
        "lost = 2.0 * product + drift.norms[label]",
        "lost = 0.0 * product + drift.norms[label]",
        f"{ESTIMATORS}: fits_equal_the_reference or carried",
    ),
    Mutation(
        "equal differences go to the highest index",
        "_kernels/sparse/assign.py",
        "if total < least:",
        "if total <= least:",
        f"{ENGINE}: lowest_index",
    ),
    Mutation(
        "differences leave out where only the center is not zero",
        "_kernels/sparse/assign.py",
        "            c = centers[j, f] * scale\n            p += 1",
        "            c = centers[j, f] * scale if column == f else 0.0\n            p += 1",
        f"{ENGINE}: share_no_word",
    ),
    Mutation(
        "rows leave no cluster",
        "_kernels/sparse/update.py",
        "            if low <= old < high:\n",
        "            if low <= old < low:\n",
        f"{ESTIMATORS}: fits_equal_the_reference",
    ),
    Mutation(
        "a rest that has cancelled is used",
        "_kernels/sparse/update.py",
        "if not rest >= norm * CANCELLED:",
        "if not rest >= norm * -1.0:",
        f"{ESTIMATORS}: distinct_row or lie_on_centers",
    ),
    Mutation(
        "sums ignore the weights",
        "_kernels/sparse/update.py",
        "total[indices[e]] += weight * (np.float64(values[e]) * scale)",
        "total[indices[e]] += np.sign(weight) * (np.float64(values[e]) * scale)",
        f"{ESTIMATORS}: fits_equal_the_reference",
    ),
    Mutation(
        "values that are not stored do not deviate",
        "_data/sparse.py",
        "rest = np.maximum(weight - total[WEIGHT], 0.0) * (means * means)",
        "rest = 0.0 * (means * means)",
        "data/test_sparse_rows: variance_of_dense",
    ),
    Mutation(
        "the larger distance counts",
        "_kernels/sparse/seeding.py",
        'nearer = builder.fcmp_ordered("<", square, known)',
        'nearer = builder.fcmp_ordered(">", square, known)',
        "seeding/test_sparse_seeding: distances_and_potentials",
    ),
    Mutation(
        "close rows keep what is left after cancellation",
        "_kernels/sparse/seeding.py",
        "return square if square > CLOSE * both else",
        "return square if square > CLOSE * -1.0 else",
        "seeding/test_sparse_seeding: equal_rows or distances_and",
    ),
    Mutation(
        "candidates ignore the weights",
        "_kernels/sparse/seeding.py",
        "weight = builder.select(weighted, emit.at(weights, i), one)",
        "weight = one",
        "seeding/test_sparse_seeding: distances_and_potentials",
    ),
    Mutation(
        "by cosine, distances are those of rows with their own lengths",
        "_kernels/sparse/rows.py",
        "factor = scaled.scale * scaled.inverse[i]",
        "factor = scaled.scale",
        f"{COSINE}: test_methods_of_a_fitted_model",
    ),
    Mutation(
        "a row that only shares its last column is taken for one that shares none",
        "_kernels/sparse/directions.py",
        "    for e in range(row[0], row[1]):\n        if used",
        "    for e in range(row[0], row[1] - 1):\n        if used",
        f"{COSINE}: smallest_coordinates or share_no_column",
    ),
    Mutation(
        "a rival whose float32 score is a little lower is not compared",
        "_kernels/sparse/directions.py",
        "limit = top - margin32(1.0, last - first, d, centers.largest)",
        "limit = top",
        f"{COSINE}: hardly_differ",
    ),
    Mutation(
        "equal products go to the highest index",
        "_kernels/sparse/directions.py",
        "if total > best:",
        "if total >= best:",
        f"{COSINE}: share_no_column or any_shape",
    ),
    Mutation(
        "rows without an inverse length are not compared",
        "_kernels/sparse/directions.py",
        "(factor > 0.0 and scores[lane] < limit)",
        "(factor == 0.0 or scores[lane] < limit)",
        f"{COSINE}: hostile_lengths",
    ),
    Mutation(
        "sums take rows with their own lengths",
        "_kernels/sparse/update.py",
        "pull = w * inverse[i] if inverse.size else w",
        "pull = w",
        f"{COSINE}: after_every_iteration",
    ),
    Mutation(
        "candidates are compared with rows of their own lengths",
        "_kernels/sparse/seeding.py",
        "pull = builder.select(by_cosine, emit.at(pointers[14], i), one)",
        "pull = one",
        "seeding/test_sparse_cosine: distances_and_potentials",
    ),
    Mutation(
        "merged runs lose the order of values of the same place",
        "_kernels/sparse/order.py",
        "columns[a] <= columns[b]",
        "columns[a] < columns[b]",
        "data/test_sparse_rows: any_length",
    ),
    Mutation(
        "the last run of a row is not merged if it is short",
        "_kernels/sparse/order.py",
        "for low in range(begin, end - width, 2 * width):",
        "for low in range(begin, end - 2 * width + 1, 2 * width):",
        "data/test_sparse_rows: any_length",
    ),
    Mutation(
        "of values of the same place, the last one counts",
        "_kernels/sparse/order.py",
        "sums[last] += sums[e]",
        "sums[last] = sums[e]",
        "data/test_sparse_rows: any_length or repeated",
    ),
]
