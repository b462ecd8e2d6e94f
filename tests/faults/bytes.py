"""Faults in kernels/bytes: quantisation, tiles of bytes, bounds, candidates, the screen."""

from __future__ import annotations

from faults.mutation import Mutation

BYTES = "kernels/test_bytes"
BYTE_BOUNDS = "kernels/test_byte_bounds"
GIVEN_CENTERS = "engines/test_given_centers"

MUTATIONS = [
    Mutation(
        "codes of 16 bits are as large as they can be, whatever the sum of their products",
        "_runtime/target.py",
        "min(32767, math.isqrt(((1 << 31) - 1) // padded))",
        "32767",
        "runtime/test_target: test_the_largest_codes",
    ),
    Mutation(
        "a row needs one tile less than the centers that moved far fill",
        "_kernels/bytes/bounds.py",
        "if fastest[0, t] < gap:",
        "if fastest[1, t] < gap:",
        f"{BYTE_BOUNDS}: test_rows_need",
    ),
    Mutation(
        "an upper bound that has widened is not tightened",
        "_kernels/bytes/bounds.py",
        "count += previous[i] >= 0 and (drift[previous[i]] > 0 or upper[i] == np.inf)",
        "count += previous[i] >= 0 and upper[i] == np.inf and drift[previous[i]] > 1e30",
        f"{BYTE_BOUNDS}: test_bytes_of_the_own_center",
    ),
    Mutation(
        "what rounding to bytes takes from a row is forgotten",
        "_kernels/bytes/quantize.py",
        "residual[i] = lost + norm * np.float32(PACKING_UNITS * UNIT)",
        "residual[i] = norm * np.float32(PACKING_UNITS * UNIT)",
        f"{BYTES}: test_no_score",
    ),
    Mutation(
        "what rounding to bytes takes from a center is forgotten",
        "_kernels/bytes/quantize.py",
        "lost[j] = math.sqrt(dot(scratch, 1, scratch, 1))",
        "lost[j] = 0.0",
        f"{BYTES}: test_no_score or test_quantised",
    ),
    Mutation(
        "how far a center moved is rounded down",
        "_kernels/bytes/quantize.py",
        "math.sqrt(dot(scratch, 1, scratch, 1)) * WIDER",
        "math.sqrt(dot(scratch, 1, scratch, 1))",
        f"{BYTES}: test_drift",
    ),
    Mutation(
        "bytes of centers stay in the order of their index",
        "_kernels/bytes/quantize.py",
        "j = order[t * CENTERS + r]",
        "j = t * CENTERS + r",
        f"{BYTES}: test_the_order",
    ),
    Mutation(
        "the bound of a center is that of the first of its tile",
        "_kernels/bytes/rivals.py",
        "parameters[tile, OF_REACH, r]",
        "parameters[tile, OF_REACH, 0]",
        f"{BYTES}: test_rivals_are_listed",
    ),
    Mutation(
        "the bound of a tile forgets the residual",
        "_kernels/bytes/tile.py",
        "error = emit.fma(reach, coefficient[0], builder.fmul(residual, coefficient[1]))",
        "error = builder.fmul(reach, coefficient[0])",
        f"{BYTES}: test_no_score",
    ),
    Mutation(
        "the own center is its own rival",
        "_kernels/bytes/tile.py",
        "row.append(builder.select(is_own, lowest, score))",
        "row.append(score)",
        f"{BYTES}: test_screen_tile",
    ),
    Mutation(
        "a rival's score bounds the others as well as that of no one",
        "_kernels/bytes/tile.py",
        "top = emit.larger(builder.select(rival, lowest, score), top)",
        "top = lowest",
        f"{BYTES}: test_no_score",
    ),
    Mutation(
        "a lower bound does not widen",
        "_kernels/bytes/bounds.py",
        "far[r] = least[r] if apart else far[r]",
        "far[r] = far[r]",
        f"{BYTE_BOUNDS}: test_bounds_widen",
    ),
    Mutation(
        "centers that a row is not compared with do not widen its lower bound",
        "_kernels/bytes/bounds.py",
        "lower[i] = least * NARROWER if depth < n_tiles else np.inf",
        "lower[i] = np.inf",
        f"{BYTE_BOUNDS}: test_rows_need",
    ),
    Mutation(
        "a row is compared with one tile less than it needs",
        "_kernels/bytes/bounds.py",
        "if depth > 0 and at == (depth - 1) * CENTERS and fastest[1, depth - 1] < gap:",
        "if depth > 0:",
        f"{BYTE_BOUNDS}: test_rows_need",
    ),
    Mutation(
        "a block goes as deep as its first row",
        "_kernels/bytes/screen.py",
        "depths[begin + count - 1]",
        "depths[begin]",
        f"{GIVEN_CENTERS}: test_some_centers",
    ),
    Mutation(
        "a lower bound from some tiles takes the place of that of the others",
        "_kernels/bytes/screen.py",
        "lower[i] = points[LIMIT, p] if points[LIMIT, p] < lower[i] else lower[i]",
        "lower[i] = points[LIMIT, p]",
        f"{BYTE_BOUNDS}: test_bounds_hold",
    ),
    Mutation(
        "an upper bound does not widen",
        "_kernels/bytes/bounds.py",
        "near[r] = (near[r] + each[a]) * WIDER",
        "near[r] = near[r] * WIDER",
        f"{BYTE_BOUNDS}: test_bounds_widen",
    ),
    Mutation(
        "the last, incomplete block of rows is not screened",
        "_kernels/bytes/screen.py",
        "for begin in range(0, n_rows, POINTS):",
        "for begin in range(0, n_rows - POINTS + 1, POINTS):",
        f"{GIVEN_CENTERS}: test_any_centers and bytes-float32",
    ),
    Mutation(
        "rivals are told apart by the best score alone",
        "_kernels/bytes/screen.py",
        """g, largest, tiny, error, False):
            labels[i]""",
        """g, 0.0, 0.0, 0.0, False) or high > low:
            labels[i]""",
        f"{GIVEN_CENTERS}: test_near_ties and bytes-float32",
    ),
    Mutation(
        "of centers that scores leave open only the best is looked at",
        "_kernels/bytes/screen.py",
        """g, largest, tiny, error, False):
            continue""",
        """g, largest, tiny, error, False) or high > low:
            continue""",
        f"{GIVEN_CENTERS}: test_near_ties and bytes-float32",
    ),
    Mutation(
        "a score that is rounded up excludes what it cannot",
        "_kernels/bytes/rivals.py",
        "limit = score - points[SLACK, p]",
        "limit = score",
        f"{BYTE_BOUNDS}: test_a_score",
    ),
    Mutation(
        "the best score of a tile in bytes counts as certain",
        "_kernels/bytes/tile.py",
        "sure = builder.fsub(builder.fsub(best, error), slack)",
        "sure = builder.fsub(best, slack)",
        f"{BYTES}: test_no_score",
    ),
    Mutation(
        "a rival that is left out bounds the others no more",
        "_kernels/bytes/rivals.py",
        "points[OTHERS, p] = max(points[OTHERS, p], bound)",
        "pass",
        f"{BYTE_BOUNDS}: test_bounds_hold",
    ),
    Mutation(
        "where there is no room for more rivals they are dropped",
        "_kernels/bytes/rivals.py",
        "if n_pairs > ROOM // 2:",
        "if False:",
        f"{GIVEN_CENTERS}: test_many_rivals",
    ),
    Mutation(
        "a row whose scores overflow keeps the center that it has, or none",
        "_kernels/bytes/screen.py",
        "if index[p] == NONE and previous[i] >= 0:",
        "if points[BEST, p] == -np.inf:",
        f"{GIVEN_CENTERS}: test_all_centers and bytes",
    ),
    Mutation(
        "bounds forget the rounding of products",
        "_kernels/bytes/bounds.py",
        "* largest) if by_cosine else 0.0)",
        "* largest) if by_cosine and d < 0 else 0.0)",
        "kernels/test_byte_bounds: test_by_cosine",
    ),
    Mutation(
        "rows that codes leave open are told apart by differences",
        "_kernels/bytes/screen.py",
        "        if terms.by_cosine:\n            total",
        "        if terms.by_cosine and norm < 0.0:\n            total",
        "lloyd/test_cosine: test_near_ties and bytes",
    ),
]
