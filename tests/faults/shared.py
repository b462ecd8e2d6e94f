"""Faults in kernels/shared (packing, sums, moments), and in the row loop of kernels/emit."""

from __future__ import annotations

from faults.mutation import Mutation

PACK = "kernels/test_pack"
UPDATE = "kernels/test_update"
MOMENTS = "kernels/test_moments"

MUTATIONS = [
    Mutation(
        "rows of few features are read beyond the end of the data",
        "_kernels/shared/pack.py",
        "safe = m - 2 - (width - d) * X.itemsize // stride",
        "safe = m - 1",
        f"{PACK}: test_packing_reads_nothing",
    ),
    Mutation(
        "rows of few features are packed without their offset",
        "_kernels/shared/pack.py",
        '            with builder.if_then(builder.icmp_signed("<", f, stop)):\n'
        "                put(f, move(values, shift_of(f)))",
        '            with builder.if_then(builder.icmp_signed("<", f, stop)):\n'
        "                put(f, move(values, shift_of(start)))",
        f"{PACK}: test_pack_points and C-float32-float32",
    ),
    Mutation(
        "the remainder of the features is not packed",
        "_kernels/shared/pack.py",
        "for start in range(0, d, width):",
        "for start in range(0, d - width + 1, width):",
        f"{PACK}: test_pack_points and C-float32-float32",
    ),
    Mutation(
        "lanes without a row read past the last",
        "_kernels/shared/pack.py",
        "rows[p] = rows[count - 1]",
        "rows[p] = 0",
        f"{PACK}: test_pack_points and C-float32-float32",
    ),
    Mutation(
        "padding and repeats may win",
        "_kernels/shared/pack.py",
        "if j < k and not repeated[j] else -np.inf",
        "if j < k and not repeated[j] else 0.0",
        f"{PACK}: test_pack_centers or test_repeated_centers",
    ),
    Mutation(
        "centers of equal norm count as repeated",
        "_kernels/shared/pack.py",
        "if same_row(centers, table[slot], j):",
        "if norms[table[slot]] == norms[j]:",
        f"{PACK}: test_equal_norms",
    ),
    Mutation(
        "centers are not shifted",
        "_kernels/shared/pack.py",
        "c[f] = (center[f] - shift[f]) * scale",
        "c[f] = center[f] * scale",
        f"{PACK}: test_pack_centers",
    ),
    Mutation(
        "a dropped weight",
        "_kernels/shared/moves.py",
        """
        pull = w * inverse[i] if inverse.size else w
        if pull == 0.0:
            continue
        for _""",
        """
        pull = 1.0
        for _""",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "a row does not leave its old cluster",
        "_kernels/shared/moves.py",
        "range(2 if listed[q, 1] >= 0 else 1)",
        "range(1)",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "weights are added once per slice of the features",
        "_kernels/shared/moves.py",
        "            if f_start == 0:\n                table[WEIGHT, j] += w",
        "            if f_start >= 0:\n                table[WEIGHT, j] += w",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "the rows of a range that are listed last do not move",
        "_kernels/shared/moves.py",
        "if count > ROOM - STRETCH or last == stop:",
        "if count > ROOM - STRETCH:",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "the rows of the second vector of a stretch are those of the first",
        "_kernels/shared/moves.py",
        "bits = builder.or_(bits, builder.shl(found, integer(place)))",
        "bits = builder.or_(bits, found)",
        f"{UPDATE}: test_changed or test_move_rows and C-float32",
    ),
    Mutation(
        "the remainder of a row's features is not added",
        "_kernels/emit/row.py",
        "half = emit.lanes // 2",
        "half = 0",
        f"{UPDATE}: (test_move_rows or test_add_squares) and C-float32",
    ),
    Mutation(
        "the first range alone counts",
        "_kernels/shared/update.py",
        "for r in range(n_ranges):",
        "for r in range(1):",
        f"{UPDATE}: test_update_centers",
    ),
    Mutation(
        "what rounding leaves of a weight makes a cluster",
        "_kernels/shared/update.py",
        "if total_weights[COUNT, j] == 0.0:\n            n_empty += 1\n            for",
        "if total_weights[WEIGHT, j] == 0.0:\n            n_empty += 1\n            for",
        f"{UPDATE}: test_update_centers",
    ),
    Mutation(
        "merged moments forget the distance of the means",
        "_kernels/shared/moments.py",
        "m2[f] + delta * delta * (moments[WEIGHT, f] * share)",
        "m2[f]",
        f"{MOMENTS}: test_moments and C-float64",
    ),
    Mutation(
        "the last chunk of the moments is dropped",
        "_kernels/shared/moments.py",
        "for first in range(start, stop, length):",
        "for first in range(start, stop - length + 1, length):",
        f"{MOMENTS}: test_moments and C-float64",
    ),
    Mutation(
        "lengths overflow",
        "_kernels/shared/lengths.py",
        "        own = row_scale(X, i)\n        square",
        "        square",
        "kernels/test_lengths: test_measure_lengths and C-float64",
    ),
    Mutation(
        "rows that vanish when they are packed stay so",
        "_kernels/shared/lengths.py",
        "if not 0.0 < inverse[b, p] <= SHORT:",
        "if inverse[b, p] < 0.0:",
        "kernels/test_lengths: test_a_block and float32",
    ),
    Mutation(
        "by cosine rows count with their length",
        "_kernels/shared/moves.py",
        """        pull = w * inverse[i] if inverse.size else w
        if pull == 0.0:
            continue
        add_row(X, i, f_start, f_stop, offset, scale, pull, total, j)""",
        """        pull = w
        add_row(X, i, f_start, f_stop, offset, scale, pull, total, j)""",
        "lloyd/test_cosine: test_fits_are and lloyd and float32 and 10",
    ),
    Mutation(
        "a mean that is rounding error turns a center",
        "_kernels/shared/update.py",
        "if length > NO_DIRECTION else",
        "if length > 0.0 else",
        "lloyd/test_cosine: test_a_mean_of_length",
    ),
    Mutation(
        "by cosine scores have a bias",
        "_kernels/shared/pack.py",
        "share = 0.0 if by_cosine else -0.5",
        "share = -0.5",
        f"{PACK}: test_by_cosine",
    ),
]
