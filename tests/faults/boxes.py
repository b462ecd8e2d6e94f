"""Faults in kernels/boxes: candidates of a box, visits of boxes, the order of the rows."""

from __future__ import annotations

from faults.mutation import Mutation

BOXES = "kernels/test_boxes"
ORDER = "kernels/test_order"
GIVEN_CENTERS = "engines/test_given_centers"
BY_ROW = "engines/test_boxes_by_row"
UPDATE = "kernels/test_update"

MUTATIONS = [
    Mutation(
        "a candidate is dropped by a margin that is rounding",
        "_kernels/boxes/candidates.py",
        "need = builder.fmul(terms, _constant(emit.floats, SURE))",
        "need = builder.fmul(terms, _constant(emit.floats, 0.0))",
        f"{BOXES}: test_climbing or test_no_winner",
    ),
    Mutation(
        "the wrong end of a box is the nearer one",
        "_kernels/boxes/candidates.py",
        'builder.fcmp_ordered(">", w, zero),',
        'builder.fcmp_ordered("<", w, zero),',
        f"{BOXES}: test_narrow_equals",
    ),
    Mutation(
        "rows of a box have no second best",
        "_kernels/boxes/candidates.py",
        "builder.store(builder.select(runner_up, loser, low), second)",
        "builder.store(low, second)",
        f"{BOXES}: test_label_points",
    ),
    Mutation(
        "unproven rows of the second half are those of the first",
        "_kernels/boxes/candidates.py",
        "unproven = builder.or_(unproven, builder.shl(bits, integer(first)))",
        "unproven = builder.or_(unproven, bits)",
        f"{BOXES}: test_unproven_bits",
    ),
    Mutation(
        "the margin forgets that the copy is coarse",
        "_kernels/boxes/near.py",
        "bound = 2.0 * g * (root + 0.5 * largest) + 2.01 / STEPS * root",
        "bound = 2.0 * g * (root + 0.5 * largest)",
        f"{BOXES}: test_proven_labels",
    ),
    Mutation(
        "unproven rows of a box keep their label",
        "_kernels/boxes/near.py",
        "while unproven != 0:",
        "while unproven < 0:",
        f"{GIVEN_CENTERS}: test_near_ties and boxes-float32",
    ),
    Mutation(
        "the sum of a box is added twice",
        "_kernels/boxes/sums.py",
        "sums[z, f] += box_sums[b, f]",
        "sums[z, f] += 2.0 * box_sums[b, f]",
        f"{GIVEN_CENTERS}: test_sums_follow and boxes",
    ),
    Mutation(
        "a box of one label leaves its old cluster to it",
        "_kernels/boxes/sums.py",
        "cluster_weights[kind, old] -= box_weights[b, kind]",
        "pass",
        f"{GIVEN_CENTERS}: test_sums_follow and boxes",
    ),
    Mutation(
        "rows leave sums that are built anew",
        "_kernels/boxes/sums.py",
        "before, z = -1 if rebuild else part[q], now[q]",
        "before, z = part[q], now[q]",
        f"{GIVEN_CENTERS}: test_sums_follow and boxes",
    ),
    Mutation(
        "boxes of one label are left out of sums built anew",
        "_kernels/boxes/sums.py",
        "    if old == z and not rebuild:\n",
        "    if old == z:\n",
        f"{GIVEN_CENTERS}: test_sums_follow and boxes",
    ),
    Mutation(
        "rows that wait to be moved when a share ends are forgotten",
        "_kernels/boxes/visit.py",
        """terms, totals)
    counts[0]""",
        """terms, totals) if False else None
    counts[0]""",
        f"{GIVEN_CENTERS}: test_sums_follow and boxes",
    ),
    Mutation(
        "a box of one label counts all its rows as moved, whatever label they had",
        "_kernels/boxes/by_row.py",
        "moved += by_row[rows[q]] != z",
        "moved += 1",
        f"{BY_ROW}: test_the_bits and float32",
    ),
    Mutation(
        "rows of a box change their labels in its own order only",
        "_kernels/boxes/by_row.py",
        "by_row[rows[q]] = now[q]",
        "pass",
        f"{BY_ROW}: test_the_bits and float32",
    ),
    Mutation(
        "boxes by row forget the labels of the iteration before",
        "_engines/boxes.py",
        "labels[:] = previous",
        "pass",
        f"{BY_ROW}: test_the_bits and float32",
    ),
    Mutation(
        "labels of the last iteration but one stay in the buffer that comes next",
        "_kernels/boxes/by_row.py",
        "previous[listed[q, 0]] = listed[q, 2]",
        "pass",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "after sums are built again the buffers of labels differ",
        "_kernels/boxes/by_row.py",
        "previous[bounds[r] : bounds[r + 1]] = labels[bounds[r] : bounds[r + 1]]",
        "pass",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "the rows listed last stay in their clusters",
        "_kernels/boxes/by_row.py",
        "if count > ROOM - STRETCH or last == bounds[r + 1]:",
        "if count > ROOM - STRETCH:",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "boxes by row take both buffers of labels for alike from the start",
        "_engines/boxes.py",
        "self._alike = False",
        "self._alike = True",
        f"{BY_ROW}: later_iteration and float32",
    ),
    Mutation(
        "the second step of a search begins at the first cuts",
        "_kernels/boxes/order.py",
        "place = (place + count_not_above(coarse, f, place, value) - 1) * FINE",
        "place = (count_not_above(coarse, f, place, value) - 1) * FINE",
        f"{ORDER}: test_keys",
    ),
    Mutation(
        "the padding of the last box is not one of its rows",
        "_kernels/boxes/extents.py",
        "column[p] = column[0]",
        "column[p] = 0.0",
        f"{ORDER}: test_boxes_hold and float32",
    ),
    Mutation(
        "the sum of a box ignores the weights",
        "_kernels/boxes/extents.py",
        "row_weights[p] = weights[rows[p]]",
        "row_weights[p] = 1.0",
        f"{ORDER}: test_boxes_hold and float32",
    ),
    Mutation(
        "the sum of a box is added up in as many parts as a wider vector holds",
        "_kernels/boxes/extents.py",
        "SUM_LANES = 4",
        "SUM_LANES = 8",
        f"{ORDER}: test_a_box_is_summed",
    ),
    Mutation(
        "a superbox forgets its last box",
        "_kernels/boxes/extents.py",
        "first + min(b * fan + fan, count)",
        "first + min(b * fan + fan - 1, count)",
        f"{ORDER}: test_boxes_hold and float32",
    ),
    Mutation(
        "a value on a cut lies below it",
        "_kernels/boxes/order.py",
        """builder.fcmp_ordered("<=", emit.load(row, place, emit.floats), value)""",
        """builder.fcmp_ordered("<", emit.load(row, place, emit.floats), value)""",
        f"{ORDER}: test_keys",
    ),
    Mutation(
        "the margin forgets the rounding of products",
        "_kernels/boxes/near.py",
        "bound += (d + 4) * 2.0**-51 * far",
        "pass",
        "kernels/test_boxes: test_by_cosine",
    ),
    Mutation(
        "by cosine boxes hold rows of any length",
        "_kernels/boxes/extents.py",
        "values[f, p] *= pull",
        "pass",
        "lloyd/test_cosine: test_boxes_hold_directions",
    ),
]
