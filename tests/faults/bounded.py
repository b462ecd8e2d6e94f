"""Faults in kernels/bounded and its engine: bounds in float32, groups, rivals."""

from __future__ import annotations

from faults.mutation import Mutation

GROUP = "kernels/test_bounded"
ENGINE = "engines/test_bounded"

MUTATIONS = [
    Mutation(
        "a row does not need a group whose bound equals its upper bound",
        "_kernels/bounded/group.py",
        'builder.fcmp_unordered(">=", near, bounds)',
        'builder.fcmp_unordered(">", near, bounds)',
        f"{GROUP}: test_a_row_needs",
    ),
    Mutation(
        "lower bounds do not widen",
        "_kernels/bounded/group.py",
        "builder.fmul(builder.fsub(old, step), narrower)",
        "builder.fmul(old, narrower)",
        f"{GROUP}: test_a_row_loses",
    ),
    Mutation(
        "two rivals in the group of the own center bound only one of them",
        "_kernels/bounded/group.py",
        'alone = builder.and_(inside, builder.fcmp_ordered("<=", second, limit))',
        "alone = inside",
        f"{GROUP}: test_the_largest_scores and 16",
    ),
    Mutation(
        "the second-largest score is not tracked",
        "_kernels/bounded/group.py",
        "second = emit.larger(emit.smaller(top, row[v]), second)",
        "second = emit.larger(second, second)",
        f"{GROUP}: test_the_largest_scores and 16",
    ),
    Mutation(
        "rivals of the second vector are told of the first",
        "_kernels/bounded/group.py",
        "builder.shl(rival, place)",
        "rival",
        f"{GROUP}: test_the_largest_scores and 16",
    ),
    Mutation(
        "upper bounds do not widen",
        "_kernels/bounded/bounds.py",
        "near[r] = (near[r] + drift[before[r]]) * WIDER",
        "near[r] = near[r] * WIDER",
        f"{ENGINE}: test_labels_and_bounds and float32",
    ),
    Mutation(
        "bounds forget the rounding of scores",
        "_kernels/bounded/rows.py",
        "base[0, p] = norms[0, p] * shrunk - two * pad",
        "base[0, p] = norms[0, p]",
        f"{ENGINE}: test_rows_near_ties or test_labels_and_bounds",
    ),
    Mutation(
        "the group of the center that a row leaves does not bound it",
        "_kernels/bounded/rows.py",
        "rows.lower[i, g] = left if left < rows.lower[i, g] else rows.lower[i, g]",
        "pass",
        f"{ENGINE}: test_labels_and_bounds and float32",
    ),
    Mutation(
        "rows left open keep their lower bounds",
        "_kernels/bounded/rows.py",
        "rows.lower[i, g] = 0.0",
        "pass",
        f"{ENGINE}: test_duplicates or test_rows_near_ties",
    ),
    Mutation(
        "rivals are not compared with the last group",
        "_kernels/bounded/rows.py",
        "if needs >> g & 1:",
        "if needs >> g & 1 and g + 1 < GROUPS:",
        f"{ENGINE}: test_labels_and_bounds and float32",
    ),
    Mutation(
        "the last rivals of a stretch are dropped",
        "_kernels/bounded/rows.py",
        "or (n_rivals > 0 and begin + POINTS >= n_met)",
        "",
        f"{ENGINE}: test_labels_and_bounds and float32",
    ),
    Mutation(
        "the padding of a block counts as rows that move",
        "_kernels/bounded/rows.py",
        "n_rivals += p < count",
        "n_rivals += 1",
        f"{ENGINE}: test_labels_and_bounds and float32",
    ),
    Mutation(
        "of equal centers the first one by drift gets the rows",
        "_engines/bounded.py",
        "packed.repeated.any() or not",
        "not",
        f"{ENGINE}: test_duplicates",
    ),
    Mutation(
        "rows keep their labels where scores overflow",
        "_engines/bounded.py",
        " or not packed.largest <= EXACT_NORM",
        "",
        f"{ENGINE}: test_jumps",
    ),
    Mutation(
        "a new run begins with the lower bounds of the last one",
        "_engines/bounded.py",
        "np.inf if self._first else members.max(initial=0.0)",
        "members.max(initial=0.0)",
        f"{ENGINE}: test_several_runs or test_duplicates",
    ),
    Mutation(
        "the drift is that of the center at the same place",
        "_engines/bounded.py",
        "fastest, falling = np.zeros(GROUPS, np.float32), drift[self._order]",
        "fastest, falling = np.zeros(GROUPS, np.float32), drift",
        f"{ENGINE}: test_labels_and_bounds and float32",
    ),
    Mutation(
        "bounds on distances are used by cosine",
        "_engines/auto.py",
        "if name == BOUNDS and self._problem.scaling.by_cosine:",
        "if False:",
        f"{ENGINE}: test_by_cosine",
    ),
    Mutation(
        "bounds begin however few iterations are left",
        "_engines/auto.py",
        "and left >= costs.BOUNDS_REPAID",
        "",
        f"{ENGINE}: test_they_begin_where",
    ),
]
