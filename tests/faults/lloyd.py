"""Faults in the Lloyd loop, and in the rows that it asks for: empty clusters, representatives."""

from __future__ import annotations

from faults.mutation import Mutation

EMPTY = "lloyd/test_empty"
CALLBACK = "estimators/test_callback"
REPRESENTATIVES = "lloyd/test_representatives"
RESTARTS = "lloyd/test_restarts"

MUTATIONS = [
    Mutation(
        "a donor is not corrected",
        "_lloyd/empty.py",
        "    run.new_centers[donor] = mean / scaling.scale + scaling.shift\n",
        "    pass\n",
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
    Mutation(
        "a run is hopeless, whatever it still gains",
        "_lloyd/loop.py",
        "return now - max(0.0, before - now) > least",
        "return now > least",
        f"{RESTARTS}: test_looks",
    ),
    Mutation(
        "a run is hopeless if it was so before its inertia rose",
        "_lloyd/loop.py",
        "return now - max(0.0, before - now) > least",
        "return now - (before - now) > least",
        f"{RESTARTS}: test_looks",
    ),
    Mutation(
        "small tables are looked at when their run is over",
        "_lloyd/loop.py",
        "left = min(left, next_look(len(self.history)) - len(self.history))",
        "pass",
        f"{RESTARTS}: test_the_rule",
    ),
    Mutation(
        "a callback sees some iterations of a small table only when all are done",
        "_lloyd/loop.py",
        "alone = watch.stepwise or pause is not None",
        "alone = pause is not None",
        f"{CALLBACK}: test_true_ends_the_fit",
    ),
    Mutation(
        "labels are older than the centers of a fit that a callback ended",
        "_lloyd/loop.py",
        "if reason in CUT_SHORT:\n        run.step()",
        "if reason == MAX_ITER:\n        run.step()",
        f"{CALLBACK}: test_true_ends_the_fit",
    ),
    Mutation(
        "a callback sees the centers before they moved",
        "_lloyd/loop.py",
        "            run.move_centers()\n        if reason := rule.record(run, steps, seconds):\n",
        "            pass\n        reason = rule.record(run, steps, seconds)\n"
        "        if not settled:\n            run.move_centers()\n        if reason:\n",
        f"{CALLBACK}: test_true_ends_the_fit",
    ),
    Mutation(
        "a callback ends one run only",
        "_lloyd/watch.py",
        "    def run_ends(self, run: Any) -> bool:\n        return self._over",
        "    def run_ends(self, run: Any) -> bool:\n        return False",
        f"{CALLBACK}: test_true_ends_all_runs",
    ),
    Mutation(
        "a later row takes the place of a representative that is as close",
        "_lloyd/representatives.py",
        "np.flatnonzero(squares < self.squares[labels, -1])",
        "np.flatnonzero(squares <= self.squares[labels, -1])[::-1]",
        f"{REPRESENTATIVES}: test_ties",
    ),
    Mutation(
        "representatives of a piece are numbered from its start",
        "_lloyd/representatives.py",
        "found.add(part.start, labels[part], squares)",
        "found.add(0, labels[part], squares)",
        f"{REPRESENTATIVES}: test_pieces",
    ),
]
