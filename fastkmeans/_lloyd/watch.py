"""Listeners to a fit, and what a callback sees of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .._data.problem import Problem, Take
from .._data.tables import Table
from .._runtime.arrays import Floats, Labels

if TYPE_CHECKING:
    from .run import Outcome

STOPPED = "a callback ended the fit"
"""Why a run ends if a listener asks for it."""

Label = Callable[[Floats], Labels]
"""Returns each row's closest one of some centers."""


class Watch:
    """A listener to the runs of a fit.  This one ignores everything."""

    stepwise = False
    """Whether each iteration must be reported before the next one begins."""

    def fit_begins(self, table: Table, n_runs: int, unit: float) -> None:
        """Note that a fit of ``n_runs`` runs begins.

        ``unit`` is the factor from its inertias to those with the caller's weights.
        """

    def run_begins(self, number: int, n_runs: int) -> None:
        """Note that run ``number`` of ``n_runs``, counted from 0, begins."""

    def start_chosen(self, name: str) -> None:
        """Note, in a word, how ``init="auto"`` will find the initial centers of all runs."""

    def seeded(self) -> None:
        """Note that the run has its initial centers."""

    def iteration_begins(self) -> None:
        """Note that an iteration begins."""

    def iteration(self, number: int, record: Any, centers: Floats, label: Label) -> str:
        """Note that iteration ``number``, counted from 1, is done; return why the run ends, or "".

        ``record`` is its entry in the history.  ``centers`` would be those of the fit if the run
        ended now.  They are a buffer: copy them to keep them.  Unless ``stepwise``, they may be
        those of a later iteration.
        """
        return ""

    def last_pass(self, problem: Problem, centers: Floats) -> Take | None:
        """Return what takes the rows and their labels in the last pass of the run, or None.

        The rows are those of ``problem``, which are not sparse if anything takes them.  The labels
        belong to ``centers``, a buffer, unless rows of few distinct values are labelled once more.
        """
        return None

    def run_ends(self, run: Any) -> bool:
        """Note that the run has ended with an outcome; return whether the whole fit ends."""
        return False

    def searched(self, inertia: float, search: Any) -> None:
        """Note that a local search has ended, with an inertia and what it did."""

    def kept(self, problem: Problem, best: Outcome) -> Outcome:
        """Return the outcome that ``KMeans`` keeps: that of its best run, or one as good."""
        return best


class Watches(Watch):
    """Several listeners as one."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = watches
        self.stepwise = any(watch.stepwise for watch in watches)

    def fit_begins(self, table: Table, n_runs: int, unit: float) -> None:
        for watch in self._watches:
            watch.fit_begins(table, n_runs, unit)

    def run_begins(self, number: int, n_runs: int) -> None:
        for watch in self._watches:
            watch.run_begins(number, n_runs)

    def start_chosen(self, name: str) -> None:
        for watch in self._watches:
            watch.start_chosen(name)

    def seeded(self) -> None:
        for watch in self._watches:
            watch.seeded()

    def iteration_begins(self) -> None:
        for watch in self._watches:
            watch.iteration_begins()

    def iteration(self, number: int, record: Any, centers: Floats, label: Label) -> str:
        reasons = [watch.iteration(number, record, centers, label) for watch in self._watches]
        return next(filter(None, reasons), "")

    def run_ends(self, run: Any) -> bool:
        ends = [watch.run_ends(run) for watch in self._watches]  # all of them are notified
        return any(ends)

    def last_pass(self, problem: Problem, centers: Floats) -> Take | None:
        asked = (watch.last_pass(problem, centers) for watch in self._watches)
        takes = [take for take in asked if take is not None]
        return (lambda *rows: [take(*rows) for take in takes]) if takes else None

    def searched(self, inertia: float, search: Any) -> None:
        for watch in self._watches:
            watch.searched(inertia, search)

    def kept(self, problem: Problem, best: Outcome) -> Outcome:
        for watch in self._watches:
            best = watch.kept(problem, best)
        return best


class View:
    """What a callback sees: a fit after an iteration, with the centers moved.

    It can be read while the callback runs, not later.  The fields of the entry in ``history_``
    are attributes too: ``inertia`` (before the centers moved), ``center_shift``, ``seconds``,
    ``avoided`` and, for ``KMeans``, ``n_moved``, for ``MiniBatchKMeans`` ``n_rows``.

    Attributes
    ----------
    iteration : int
        Number of the iteration, from 1.
    run, n_runs : int
        Number of the run, from 1, and how many there are.
    centers : ndarray of shape (n_clusters, n_features), float64
        A copy of the centers: those of the model if the fit ended now.
    labels : ndarray of shape (n_samples,), int32
        The closest of these centers for each row.  The first access takes a pass over the rows.
    """

    def __init__(
        self, iteration: int, run: tuple[int, int], record: Any, centers: Floats, label: Label
    ) -> None:
        self.iteration = iteration
        self.run, self.n_runs = run
        self._record = record
        self._live: tuple[Floats, Label] | None = (centers, label)
        self._labels: Labels | None = None

    def _source(self) -> tuple[Floats, Label]:
        if self._live is None:
            raise RuntimeError(
                "The fit has gone on: take centers and labels while the callback runs."
            )
        return self._live

    @property
    def centers(self) -> Floats:
        return self._source()[0].copy()

    @property
    def labels(self) -> Labels:
        centers, label = self._source()
        if self._labels is None:
            self._labels = label(centers)
        return self._labels

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._record, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._record._fields})

    def __repr__(self) -> str:
        return f"<iteration {self.iteration} of run {self.run} of {self.n_runs}: {self._record}>"

    def close(self) -> None:
        """Refuse centers and labels from now on: their buffers change."""
        self._live = None


class Call(Watch):
    """Calls a function of the user after each iteration."""

    stepwise = True

    def __init__(self, function: Callable[[int, View], Any]) -> None:
        self._function = function
        self._run, self._unit, self._over = (1, 1), 1.0, False

    def fit_begins(self, table: Table, n_runs: int, unit: float) -> None:
        self._unit = unit

    def run_begins(self, number: int, n_runs: int) -> None:
        self._run = number + 1, n_runs

    def iteration(self, number: int, record: Any, centers: Floats, label: Label) -> str:
        if self._unit != 1.0:
            record = record._replace(inertia=record.inertia * self._unit)
        view = View(number, self._run, record, centers, label)
        try:
            self._over = bool(self._function(number, view))
        finally:
            view.close()
        return STOPPED if self._over else ""

    def run_ends(self, run: Any) -> bool:
        return self._over
