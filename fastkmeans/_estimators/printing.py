"""What ``verbose`` prints on standard output, with the catchwords of scikit-learn."""

from .._data.tables import Table
from .._lloyd.loop import LABELS_REPEAT, SMALL_SHIFT
from .._lloyd.run import Iteration, Outcome
from .._lloyd.watch import Label, Watch
from .._minibatch.step import NO_IMPROVEMENT, BatchStep, Course
from .._optimum.fit import OPTIMUM
from .._runtime.arrays import Floats
from .._search.swaps import Search

CONVERGED = {
    SMALL_SHIFT: "Converged (small centers change)",
    NO_IMPROVEMENT: "Converged (lack of improvement in inertia)",
}
"""How scikit-learn words why a fit stopped."""


class PrintRuns(Watch):
    """Prints the iterations of ``KMeans``."""

    _unit = 1.0

    def fit_begins(self, table: Table, n_runs: int, unit: float) -> None:
        self._unit = unit

    def start_chosen(self, name: str) -> None:
        print(f"Initial centers: {name}")

    def run_begins(self, number: int, n_runs: int) -> None:
        print(f"Run {number + 1} of {n_runs}")

    def seeded(self) -> None:
        print("Initialization complete")

    def iteration(self, number: int, record: Iteration, centers: Floats, label: Label) -> str:
        print(
            f"Iteration {number}, inertia {record.inertia * self._unit:.8g}, centers moved by "
            f"{record.center_shift:.3g}, {record.n_moved} rows changed cluster"
        )
        return ""

    def run_ends(self, run: Outcome) -> bool:
        how = {
            LABELS_REPEAT: "strict convergence, ",
            SMALL_SHIFT: f"center shift {run.history[-1].center_shift:.3g} within tolerance, ",
            OPTIMUM: "",
        }.get(run.stop_reason)
        print(
            f"{'Stopped' if how is None else 'Converged'} at iteration {run.n_iter}: {how or ''}"
            f"{run.stop_reason}; inertia {run.inertia * self._unit:.8g}"
        )
        return False

    def searched(self, inertia: float, search: Search) -> None:
        print(
            f"Local search: {search.kept} of {search.tries} swaps kept, {search.reason}; inertia "
            f"{inertia * self._unit:.8g}"
        )


class PrintBatches(Watch):
    """Prints the batches of ``MiniBatchKMeans``."""

    def iteration(self, number: int, record: BatchStep, centers: Floats, label: Label) -> str:
        print(
            f"  step {number}: {record.n_rows} rows, mean inertia {record.inertia:.8g}, centers "
            f"moved by {record.center_shift:.3g}"
        )
        return ""

    def run_ends(self, run: Course) -> bool:
        how = CONVERGED.get(run.stop_reason, "Stopped")
        print(f"{how} at step {len(run.history)}: {run.stop_reason}")
        return False
