"""Break the package on purpose, one line at a time: do the tests see it?

    python tests/mutations.py             all mutations
    python tests/mutations.py tile pack   those whose file name contains a word
    python tests/mutations.py --list      what there is

Each mutation replaces one text, which must occur exactly once, in a copy of the package,
and runs the few tests that ought to catch it, with a compile cache of its own.  Exits
with 1 if a mutation survives, or no longer fits the source.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 120


class Mutation(NamedTuple):
    what: str
    file: str
    old: str
    new: str
    tests: str  # expression for pytest -k, on the file before the colon


TILE, PACK, ASSIGN = "kernels/test_tile", "kernels/test_pack", "kernels/test_assign"
UPDATE, MOMENTS, SEEDING = "kernels/test_update", "kernels/test_moments", "kernels/test_potential"
N, E, P = "lloyd/test_numerics", "lloyd/test_empty", "runtime/test_threads"
C, D, B, W = (
    "kernels/test_boxes",
    "kernels/test_order",
    "kernels/test_bytes",
    "kernels/test_byte_bounds",
)
G = "engines/test_given_centers"

MUTATIONS = [
    Mutation(
        "a tie goes to the highest index",
        "_kernels/plain/tile.py",
        'builder.fcmp_ordered(">", score, best)',
        'builder.fcmp_ordered(">=", score, best)',
        f"{TILE}: test_ties_go_to and float32",
    ),
    Mutation(
        "the second best is not tracked",
        "_kernels/plain/tile.py",
        "builder.store(builder.select(runner_up, loser, second), second_slot)",
        "builder.store(second, second_slot)",
        f"{TILE}: test_second_best and float32",
    ),
    Mutation(
        "the old best does not become the second best",
        "_kernels/plain/tile.py",
        "loser = builder.select(wins, best, score)",
        "loser = builder.select(wins, second, score)",
        f"{TILE}: test_second_best and float32",
    ),
    Mutation(
        "the index of a center is that within its tile",
        "_kernels/plain/tile.py",
        "number = builder.add(first, ir.Constant(I32, center))",
        "number = ir.Constant(I32, center)",
        f"{TILE}: test_best_two and float32",
    ),
    Mutation(
        "a block's second half of float64 lanes reads the first",
        "_kernels/plain/tile.py",
        "offsets = [integer(lane + v * emit.lanes) for v in range(VECTORS)]",
        "offsets = [integer(v * emit.lanes) for v in range(VECTORS)]",
        f"{TILE}: test_best_two and float64",
    ),
    Mutation(
        "squared distances start at the bias",
        "_kernels/plain/tile.py",
        "sums = _feature_loop(emit, points, pointer, n_features, False)",
        "sums = _feature_loop(emit, points, pointer, n_features, True)",
        f"{TILE}: test_squared_distances and float32",
    ),
    Mutation(
        "the last panel is dropped",
        "_kernels/plain/assign.py",
        "for start in range(0, n_tiles, panel):",
        "for start in range(0, n_tiles - n_tiles % panel, panel):",
        f"{ASSIGN}: test_score_blocks and float32",
    ),
    Mutation(
        "a block too few in a group",
        "_kernels/plain/assign.py",
        "+ r\n        n_blocks = pack_points(X, rows, count, offset",
        "+ r\n        n_blocks = pack_points(X, rows, count - 1, offset",
        f"{ASSIGN}: test_assign_rows_at_every_edge and float32",
    ),
    Mutation(
        "the last row of a block is not checked",
        "_kernels/plain/assign.py",
        "for p in range(POINTS if count - b * POINTS > POINTS else count - b * POINTS):",
        "for p in range(POINTS if count - b * POINTS > POINTS else count - b * POINTS - 1):",
        f"{ASSIGN}: test_every_lane and float32",
    ),
    Mutation(
        "the float32 bound is half too small",
        "_kernels/plain/assign.py",
        "g = rounding(d, 2.0**-24, largest)",
        "g = 0.5 * rounding(d, 2.0**-24, largest)",
        f"{N}: test_rounding_that_conspires and float32",
    ),
    Mutation(
        "the bound forgets the rounding of the differences",
        "_kernels/plain/assign.py",
        "agree = by_differences * (norm + 2.0 * abs(best))",
        "agree = 0.0",
        f"{N}: test_a_far_row and float64",
    ),
    Mutation(
        "no bound: the best score is the label",
        "_kernels/plain/assign.py",
        "    if n_narrow:\n",
        "    if n_narrow < 0:\n",
        f"{ASSIGN}: test_rows_that_moved and float32",
    ),
    Mutation(
        "by differences a tie goes to the highest index",
        "_kernels/plain/assign.py",
        "        if total < best:\n",
        "        if total <= best:\n",
        f"{ASSIGN}: test_by_differences and float32",
    ),
    Mutation(
        "rows that moved are counted twice",
        "_kernels/plain/assign.py",
        "            moved -= labels[i] != previous[i]\n",
        "",
        f"{ASSIGN}: test_rows_that_moved and float32",
    ),
    Mutation(
        "an incomplete last block is not settled",
        "_kernels/plain/assign.py",
        "if count == POINTS or (row == stop - 1 and count > 0):",
        "if count == POINTS:",
        f"{ASSIGN}: test_settle_rows and float32",
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
        "iterations of a small table go on with old sums",
        "_kernels/plain/serial.py",
        "room -= 0 if rebuild else counts[0]",
        "room -= 0",
        "lloyd/test_iterations: test_iterations_in_one_call",
    ),
    Mutation(
        "iterations of a small table go on without a cluster",
        "_kernels/plain/serial.py",
        "counts[0] == 0 or n_empty > 0 or",
        "counts[0] == 0 or",
        "lloyd/test_iterations: test_iterations_in_one_call",
    ),
    Mutation(
        "a dropped weight",
        "_kernels/shared/update.py",
        "add_row(X, i, f_start, f_stop, offset, scale, w, total, j)",
        "add_row(X, i, f_start, f_stop, offset, scale, 1.0, total, j)",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "a row does not leave its old cluster",
        "_kernels/shared/update.py",
        "add_row(X, i, f_start, f_stop, offset, scale, -w, total, old)",
        "pass",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "weights are added once per slice of the features",
        "_kernels/shared/update.py",
        "        if s == 0:\n",
        "        if s >= 0:\n",
        f"{UPDATE}: test_move_rows and C-float32",
    ),
    Mutation(
        "the remainder of a row's features is not added",
        "_kernels/emit/row.py",
        "with _loop(builder, middle, stop, integer(1)) as f:",
        "with _loop(builder, stop, stop, integer(1)) as f:",
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
        "if total_weights[COUNT, j] == 0.0:",
        "if total_weights[WEIGHT, j] == 0.0:",
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
        "distances keep the scale",
        "_kernels/plain/distances.py",
        "np.sqrt(squares[r, p]) / scale",
        "np.sqrt(squares[r, p])",
        f"{TILE}: test_distance_rows and C-float32",
    ),
    Mutation(
        "the last tile writes one center too few",
        "_kernels/plain/distances.py",
        "CENTERS if k - tile * CENTERS > CENTERS else k - tile * CENTERS):",
        "CENTERS if k - tile * CENTERS > CENTERS else k - tile * CENTERS - 1):",
        f"{TILE}: test_distance_rows and C-float32",
    ),
    Mutation(
        "candidates ignore the weights",
        "_kernels/seeding/potential.py",
        "potentials[c, p] += w[p] * square if w.size else square",
        "potentials[c, p] += square",
        f"{SEEDING}: test_try_and_adopt and float32",
    ),
    Mutation(
        "an equal distance counts as closer",
        "_kernels/seeding/potential.py",
        "nearer = squares[c, p] < known[p]",
        "nearer = squares[c, p] <= known[p]",
        f"{SEEDING}: test_try_and_adopt and float32",
    ),
    Mutation(
        "a row without a share can be drawn",
        "_kernels/seeding/potential.py",
        "            if share > 0.0:\n",
        "            if share >= 0.0:\n",
        f"{SEEDING}: draw",
    ),
    Mutation(
        "the draw stops one row early",
        "_kernels/seeding/potential.py",
        "                if target < share:\n",
        "                if target <= share:\n",
        f"{SEEDING}: draw",
    ),
    Mutation(
        "a pool lists rows at an equal distance",
        "_kernels/seeding/pool.py",
        'builder.fcmp_ordered("<", left, right)',
        'builder.fcmp_ordered("<=", left, right)',
        "kernels/test_pool: lists_hold and float32",
    ),
    Mutation(
        "a pool rejects no candidate",
        "_kernels/seeding/pool.py",
        "if not (luck[candidate] * drawn[candidate] < now or drawn[candidate] == 0.0):",
        "if now < 0.0:",
        "kernels/test_pool: steps_are",
    ),
    Mutation(
        "gains in a pool ignore the weights",
        "_kernels/seeding/pool.py",
        "total += weights[i] * less if weights.size else less",
        "total += less",
        "kernels/test_pool: steps_are",
    ),
    Mutation(
        "rows of later blocks of the data are listed for the wrong chunk",
        "_kernels/seeding/pool.py",
        "for chunk in range((share - first_chunk) % n_shares, n_chunks, n_shares):",
        "for chunk in range(share, n_chunks, n_shares):",
        "kernels/test_pool: lists_hold and 512",
    ),
    Mutation(
        "a donor is not corrected",
        "_lloyd/empty.py",
        "    run.new_centers[donor] = mean / scaling.scale + scaling.shift\n",
        "",
        f"{E}: by_hand or donor",
    ),
    Mutation(
        "the nearest row is given away",
        "_data/rows.py",
        "np.lexsort((places, -values))",
        "np.lexsort((places, values))",
        f"{E}: test_farthest",
    ),
    Mutation(
        "a cluster gives its last row",
        "_lloyd/empty.py",
        "if members[donor] < 2:",
        "if members[donor] < 1:",
        f"{E}: test_a_cluster_keeps or test_a_cluster_gives",
    ),
    Mutation(
        "the ranges of the sums follow the threads",
        "_engines/sums.py",
        "self.bounds = cut(n, parts)",
        "self.bounds = cut(n, 1 if team.serial else 3)",
        f"{P}: test_same_bits and 5000",
    ),
    Mutation(
        "a candidate is dropped by a margin that is rounding",
        "_kernels/boxes/candidates.py",
        "need = builder.fmul(terms, _constant(emit.floats, SURE))",
        "need = builder.fmul(terms, _constant(emit.floats, 0.0))",
        f"{C}: test_climbing or test_no_winner",
    ),
    Mutation(
        "the wrong end of a box is the nearer one",
        "_kernels/boxes/candidates.py",
        'builder.fcmp_ordered(">", w, zero),',
        'builder.fcmp_ordered("<", w, zero),',
        f"{C}: test_narrow_equals",
    ),
    Mutation(
        "rows of a box have no second best",
        "_kernels/boxes/candidates.py",
        "builder.store(builder.select(runner_up, loser, low), second)",
        "builder.store(low, second)",
        f"{C}: test_label_points",
    ),
    Mutation(
        "unproven rows of the second half are those of the first",
        "_kernels/boxes/candidates.py",
        "unproven = builder.or_(unproven, builder.shl(bits, integer(first)))",
        "unproven = builder.or_(unproven, bits)",
        f"{C}: test_unproven_bits",
    ),
    Mutation(
        "the margin forgets that the copy is coarse",
        "_kernels/boxes/visit.py",
        "bound = 2.0 * g * (root + 0.5 * largest) + 2.01 / STEPS * root",
        "bound = 2.0 * g * (root + 0.5 * largest)",
        f"{C}: test_proven_labels",
    ),
    Mutation(
        "unproven rows of a box keep their label",
        "_kernels/boxes/visit.py",
        "while unproven != 0:",
        "while unproven < 0:",
        f"{G}: test_near_ties and boxes-float32",
    ),
    Mutation(
        "the sum of a box is added twice",
        "_kernels/boxes/visit.py",
        "sums[z, f] += box_sums[b, f]",
        "sums[z, f] += 2.0 * box_sums[b, f]",
        f"{G}: test_sums_follow and boxes",
    ),
    Mutation(
        "a box of one label leaves its old cluster to it",
        "_kernels/boxes/visit.py",
        "cluster_weights[kind, old] -= box_weights[b, kind]",
        "pass",
        f"{G}: test_sums_follow and boxes",
    ),
    Mutation(
        "rows leave sums that are built anew",
        "_kernels/boxes/visit.py",
        "before, z = -1 if rebuild else part[q], now[q]",
        "before, z = part[q], now[q]",
        f"{G}: test_sums_follow and boxes",
    ),
    Mutation(
        "boxes of one label are left out of sums built anew",
        "_kernels/boxes/visit.py",
        "    if old == z and not rebuild:\n",
        "    if old == z:\n",
        f"{G}: test_sums_follow and boxes",
    ),
    Mutation(
        "rows that wait to be moved when a share ends are forgotten",
        "_kernels/boxes/visit.py",
        """terms, totals)
    counts[0]""",
        """terms, totals) if False else None
    counts[0]""",
        f"{G}: test_sums_follow and boxes",
    ),
    Mutation(
        "rows of the last, incomplete box are left out",
        "_engines/boxes.py",
        "n_boxes = -(-n // BOX)",
        "n_boxes = max(1, n // BOX)",
        f"{D}: test_boxes_hold and float32",
    ),
    Mutation(
        "the sum of a box ignores the weights",
        "_kernels/boxes/order.py",
        "w = weights[i] if weights.size else 1.0",
        "w = 1.0",
        f"{D}: test_boxes_hold and float32",
    ),
    Mutation(
        "a superbox forgets its last box",
        "_kernels/boxes/order.py",
        "first + min(b * fan + fan, count)",
        "first + min(b * fan + fan - 1, count)",
        f"{D}: test_boxes_hold and float32",
    ),
    Mutation(
        "a value on a cut lies below it",
        "_kernels/boxes/order.py",
        """builder.fcmp_ordered("<=", emit.load(row, place, emit.floats), value)""",
        """builder.fcmp_ordered("<", emit.load(row, place, emit.floats), value)""",
        f"{D}: test_keys",
    ),
    Mutation(
        "sums of squared differences are not rounded as NumPy's",
        "_kernels/plain/assign.py",
        "@jit_unfused",
        "@jit_inline",
        f"{ASSIGN}: test_where_rounding",
    ),
    Mutation(
        "what rounding to bytes takes from a row is forgotten",
        "_kernels/bytes/quantize.py",
        "residual[i] = lost + norm * np.float32(PACKING_UNITS * UNIT)",
        "residual[i] = norm * np.float32(PACKING_UNITS * UNIT)",
        f"{B}: test_no_score",
    ),
    Mutation(
        "what rounding to bytes takes from a center is forgotten",
        "_kernels/bytes/quantize.py",
        "lost[j] = math.sqrt(dot(scratch, 1, scratch, 1))",
        "lost[j] = 0.0",
        f"{B}: test_no_score or test_quantised",
    ),
    Mutation(
        "how far a center moved is rounded down",
        "_kernels/bytes/quantize.py",
        "math.sqrt(dot(scratch, 1, scratch, 1)) * WIDER",
        "math.sqrt(dot(scratch, 1, scratch, 1))",
        f"{B}: test_drift",
    ),
    Mutation(
        "bytes of centers stay in the order of their index",
        "_kernels/bytes/quantize.py",
        "j = order[t * CENTERS + r]",
        "j = t * CENTERS + r",
        f"{B}: test_the_order",
    ),
    Mutation(
        "the bound of a center is that of the first of its tile",
        "_kernels/bytes/rivals.py",
        "parameters[tile, OF_REACH, r]",
        "parameters[tile, OF_REACH, 0]",
        f"{B}: test_rivals_are_listed",
    ),
    Mutation(
        "sums that have cancelled are kept",
        "_engines/sums.py",
        "return not self.rebuild and bool(lost.any())",
        "return False",
        "lloyd/test_runs: test_light_rows",
    ),
    Mutation(
        "a cluster that has lost its weight does not stop the iterations of a small table",
        "_kernels/plain/serial.py",
        "decide |= has_cancelled",
        "decide |= False",
        "lloyd/test_runs: test_light_rows",
    ),
    Mutation(
        "the sums of all centers are added up range by range, by the threads at hand",
        "_engines/sums.py",
        "self.center_bounds = cut_centers(n_clusters, d)",
        "self.center_bounds = np.arange(team.size + 1) * n_clusters // team.size",
        "runtime/test_threads: test_wide_centers",
    ),
    Mutation(
        "the bound of a tile forgets the residual",
        "_kernels/bytes/tile.py",
        "error = emit.fma(reach, coefficient[0], builder.fmul(residual, coefficient[1]))",
        "error = builder.fmul(reach, coefficient[0])",
        f"{B}: test_no_score",
    ),
    Mutation(
        "the own center is its own rival",
        "_kernels/bytes/tile.py",
        "row.append(builder.select(is_own, lowest, score))",
        "row.append(score)",
        f"{B}: test_screen_tile",
    ),
    Mutation(
        "a rival's score bounds the others as well as that of no one",
        "_kernels/bytes/tile.py",
        "top = emit.larger(builder.select(rival, lowest, score), top)",
        "top = lowest",
        f"{B}: test_no_score",
    ),
    Mutation(
        "a lower bound does not widen",
        "_kernels/bytes/bounds.py",
        "far[r] = least[r] if apart else far[r]",
        "far[r] = far[r]",
        f"{W}: test_bounds_widen",
    ),
    Mutation(
        "centers that a row is not compared with do not widen its lower bound",
        "_kernels/bytes/bounds.py",
        "lower[i] = least * NARROWER if depth < n_tiles else np.inf",
        "lower[i] = np.inf",
        f"{W}: test_rows_need",
    ),
    Mutation(
        "a row is compared with one tile less than it needs",
        "_kernels/bytes/bounds.py",
        "if depth > 0 and at == (depth - 1) * CENTERS and fastest[1, depth - 1] < gap:",
        "if depth > 0:",
        f"{W}: test_rows_need",
    ),
    Mutation(
        "a block goes as deep as its first row",
        "_kernels/bytes/screen.py",
        "depths[begin + count - 1]",
        "depths[begin]",
        f"{G}: test_some_centers",
    ),
    Mutation(
        "a lower bound from some tiles takes the place of that of the others",
        "_kernels/bytes/screen.py",
        "lower[i] = points[LIMIT, p] if points[LIMIT, p] < lower[i] else lower[i]",
        "lower[i] = points[LIMIT, p]",
        f"{W}: test_bounds_hold",
    ),
    Mutation(
        "an upper bound does not widen",
        "_kernels/bytes/bounds.py",
        "near[r] = (near[r] + each[a]) * WIDER",
        "near[r] = near[r] * WIDER",
        f"{W}: test_bounds_widen",
    ),
    Mutation(
        "the last, incomplete block of rows is not screened",
        "_kernels/bytes/screen.py",
        "for begin in range(0, n_rows, POINTS):",
        "for begin in range(0, n_rows - POINTS + 1, POINTS):",
        f"{G}: test_any_centers and bytes-float32",
    ),
    Mutation(
        "rivals are told apart by the best score alone",
        "_kernels/bytes/screen.py",
        """g, largest, tiny, error):
            labels[i]""",
        """g, 0.0, 0.0, 0.0) or high > low:
            labels[i]""",
        f"{G}: test_near_ties and bytes-float32",
    ),
    Mutation(
        "of centers that scores leave open only the best is looked at",
        "_kernels/bytes/screen.py",
        """g, largest, tiny, error):
            continue""",
        """g, largest, tiny, error) or high > low:
            continue""",
        f"{G}: test_near_ties and bytes-float32",
    ),
    Mutation(
        "a score that is rounded up excludes what it cannot",
        "_kernels/bytes/rivals.py",
        "limit = score - points[SLACK, p]",
        "limit = score",
        f"{W}: test_a_score",
    ),
    Mutation(
        "the best score of a tile in bytes counts as certain",
        "_kernels/bytes/tile.py",
        "sure = builder.fsub(builder.fsub(best, error), slack)",
        "sure = builder.fsub(best, slack)",
        f"{B}: test_no_score",
    ),
    Mutation(
        "a rival that is left out bounds the others no more",
        "_kernels/bytes/rivals.py",
        "points[OTHERS, p] = max(points[OTHERS, p], bound)",
        "pass",
        f"{W}: test_bounds_hold",
    ),
    Mutation(
        "where there is no room for more rivals they are dropped",
        "_kernels/bytes/rivals.py",
        "if n_pairs > ROOM // 2:",
        "if False:",
        f"{G}: test_many_rivals",
    ),
    Mutation(
        "a row whose scores overflow keeps the center that it has, or none",
        "_kernels/bytes/screen.py",
        "if index[p] == NONE and previous[i] >= 0:",
        "if points[BEST, p] == -np.inf:",
        f"{G}: test_all_centers and bytes",
    ),
    Mutation(
        "bounds of one run serve the next",
        "_engines/bytes.py",
        "self.forget_rows(slice(None))",
        "pass",
        "engines/test_probe: test_bounds_end",
    ),
    Mutation(
        "the probe keeps the bounds of rows that moved while it did not look",
        "_engines/bytes.py",
        "self._bytes.forget_rows(before != self._labels)",
        "pass",
        "engines/test_probe: lost_sight",
    ),
]


def copy_package(folder: Path) -> None:
    for name in ("fastkmeans", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)


def run(folder: Path, tests: str) -> tuple[bool, str]:
    """Run tests on a copy of the package; return whether they passed, and who did not.

    Tests that crash or do not end have noticed, too.  They keep their compile cache in
    the copy (see ``conftest.py``).
    """
    file, _, expression = tests.partition(": ")
    command = [
        sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "--assert=plain",
        f"tests/{file}.py", "-k", expression,
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    # In a session of its own, so that what a test started ends with it.
    pytest = subprocess.Popen(
        command, cwd=folder, env=env, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    with pytest:
        try:
            output, _ = pytest.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(pytest.pid, signal.SIGKILL)
            return False, f"no end within {TIMEOUT} s"
    if pytest.returncode < 0:
        return False, f"killed by signal {-pytest.returncode}"
    failed = re.findall(r"^(?:FAILED|ERROR) tests/\S+?::(\S+)", output, re.MULTILINE)
    if pytest.returncode not in (0, 1) or (pytest.returncode == 1 and not failed):
        raise RuntimeError(f"pytest could not run:\n{output}")
    return pytest.returncode == 0, failed[0] if failed else ""


def attempt(mutation: Mutation) -> tuple[bool, str]:
    """Return whether the tests pass in spite of a mutation, and which one did not."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        copy_package(folder)
        path = folder / "fastkmeans" / mutation.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        return run(folder, mutation.tests)


def misfits() -> list[str]:
    """Return what is wrong with the list itself: texts that the source no longer has."""
    problems = []
    for mutation in MUTATIONS:
        text = (ROOT / "fastkmeans" / mutation.file).read_text(encoding="utf-8")
        count = text.count(mutation.old)
        if count != 1:
            problems.append(f"{mutation.file}: {mutation.what}: found {count} times")
    return problems


def main(words: list[str]) -> int:
    problems = misfits()
    for problem in problems:
        print(f"misfit    {problem}")
    if "--list" in words:
        for mutation in MUTATIONS:
            print(f"{mutation.file:24} {mutation.what}")
        return int(bool(problems))
    chosen = [m for m in MUTATIONS if not words or any(word in m.file for word in words)]
    chosen = [m for m in chosen if not any(f": {m.what}:" in problem for problem in problems)]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="unchanged-") as folder:
        copy_package(Path(folder))
        sound = {tests: run(Path(folder), tests) for tests in {m.tests for m in chosen}}
    for tests, (passed, failed) in sound.items():
        if not passed:
            print(f"unsound   {tests}: {failed} fails without any mutation")
    for mutation in chosen:
        if not sound[mutation.tests][0]:
            survivors += 1
            continue
        began = time.perf_counter()
        passed, caught_by = attempt(mutation)
        seconds = time.perf_counter() - began
        survivors += passed
        verdict = "SURVIVED" if passed else "caught"
        line = f"{verdict:9} {seconds:5.1f} s  {mutation.file}: {mutation.what}  [{caught_by}]"
        print(line, flush=True)
    print(f"{len(chosen)} mutations, {survivors} not caught, {len(problems)} no longer fit")
    return int(bool(survivors or problems))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
