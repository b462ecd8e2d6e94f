"""Faults in the engines: sums of ranges, the last box, bounds that outlive their run."""

from __future__ import annotations

from faults.mutation import Mutation

THREADS = "runtime/test_threads"
ORDER = "kernels/test_order"

MUTATIONS = [
    Mutation(
        "the ranges of the sums follow the threads",
        "_engines/sums.py",
        "self.bounds = cut(n, parts)",
        "self.bounds = cut(n, 1 if team.serial else 3)",
        f"{THREADS}: test_same_bits and 5000",
    ),
    Mutation(
        "rows of the last, incomplete box are left out",
        "_engines/boxes.py",
        "n_boxes = -(-n // BOX)",
        "n_boxes = max(1, n // BOX)",
        f"{ORDER}: test_boxes_hold and float32",
    ),
    Mutation(
        "sums that have cancelled are kept",
        "_engines/sums.py",
        "return bool(((weights < CANCELLED * self.heaviest) & (counts > 0.0)).any())",
        "return False",
        "lloyd/test_runs: test_light_rows and 10-1e and lloyd",
    ),
    Mutation(
        "the sums of all centers are added up range by range, by the threads at hand",
        "_engines/sums.py",
        "self.center_bounds = cut_centers(n_clusters, d)",
        "self.center_bounds = np.arange(team.size + 1) * n_clusters // team.size",
        "runtime/test_threads: test_wide_centers",
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
    Mutation(
        "drivers are compiled at the first call",
        "_runtime/threads.py",
        "return n_calls >= DRIVEN_AFTER",
        "return True",
        "runtime/test_threads: test_a_driver_is_compiled",
    ),
    Mutation(
        "a driver that is compiled waits",
        "_runtime/threads.py",
        "n_calls = DRIVEN_AFTER\n",
        "pass\n",
        "runtime/test_threads: test_a_driver_is_compiled",
    ),
    Mutation(
        "a forecast looks at the first iteration, in which all rows move",
        "_engines/forecast.py",
        "for _ in range(n_iter):",
        "for _ in range(1):",
        "engines/test_boxes_by_row: test_a_forecast_is and float32",
    ),
    Mutation(
        "boxes by row begin whatever the forecast is",
        "_engines/auto.py",
        "return engines.foresee(centers) >= LIVELY",
        "return True",
        "engines/test_boxes_by_row: later_iteration and float32",
    ),
    Mutation(
        "boxes by row begin whatever is left of the run",
        "_engines/auto.py",
        "if self._n_expected - done < costs.REPAID_AFTER:",
        "if self._n_expected - done < 0:",
        "engines/test_boxes_by_row: test_they_begin_only",
    ),
]
