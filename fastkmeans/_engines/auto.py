"""Choose the engine that finds the labels of each iteration; all give the same labels.

``auto`` chooses by the shape of the data, a probe that labels some rows in codes, and the
work of the engine so far.  It counts work and never reads the clock, so a fit takes the
same course every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._data.problem import Problem
from .._data.rows import OVERHEAD, SMALL_STATE, Rows
from .._data.sparse import SparseRows
from .._runtime.arrays import Floats, Labels
from .._runtime.disk import human_size
from . import costs
from .base import Assigned, Engine, Packed, Regrouped
from .plain import Plain
from .sums import Sums

if TYPE_CHECKING:
    from .bytes import Probe

ALGORITHMS = ("auto", "lloyd", "boxes", "bytes")
"""The values of ``algorithm``; "lloyd" is the plain engine."""
BY_ROW = "boxes by row"
"""The engine of boxes with the sums of plain Lloyd: it may begin at any iteration."""
BOUNDS = "bounds"
"""The engine of bounds in float32, which begins late in a run."""
BOXES = ("boxes", BY_ROW)
WORTH = 0.95
"""Share of plain Lloyd's cost; an engine is used while its estimated cost is below it."""
HOPELESS = 2.0
"""The same limit for an engine's first iteration, which does extra work."""
FORESEEN, LIVELY = 6, 0.007
"""The iteration of a few rows that is looked at before boxes by row begin, and the share of these
rows that must move in it.  Measured on 45 runs (2 and 3 features, 4 to 20 clusters, ``tol=1e-4``):
all runs with a larger share took 7 iterations or more.  The others took 6 at most, except one,
which took 13."""
SOON = 5
"""Iterations that a new run is assumed to take: most runs take more."""
FEWER = 2
"""Factor by which the moved rows must fall before an engine that did not pay is retried."""


MAY_PAY = {
    "boxes": costs.boxes_may_pay,
    BY_ROW: costs.boxes_by_row_may_pay,
    "bytes": costs.codes_may_pay,
    BOUNDS: costs.bounds_may_pay,
}
"""Whether the shape of the data speaks for an engine.  Only the first changes the last digit of
centers, so it asks for the same shapes on every processor."""


def _load(name: str) -> Any:
    """Import an engine when it is used: its kernels take a tenth of a warm first fit."""
    if name in BOXES:
        from . import boxes as engine
    elif name == "csr":
        from . import csr as engine  # type: ignore[no-redef]
    elif name == BOUNDS:
        from . import bounded as engine  # type: ignore[no-redef]
    else:
        from . import bytes as engine  # type: ignore[no-redef]
    return engine


def beyond_limit(algorithm: str, rows: Rows) -> str:
    """Return a phrase on the memory of the chosen engine if it exceeds the limit, else ""."""
    if algorithm not in MAY_PAY or rows.memory_limit is None:
        return ""
    n, d = rows.shape
    kept = n * _load(algorithm).state_bytes(d)
    if kept <= max(rows.room, SMALL_STATE):  # the limit of auto, except for small tables
        return ""
    return (
        f"{human_size(kept)} for what it keeps of {n} rows, and about {human_size(OVERHEAD)} "
        f"besides, which is more than {human_size(rows.memory_limit)}"
    )


class Engines:
    """The engines of one fit, created on first use; all runs share them.

    ``before``: engines of the same problem, for another number of clusters, that are not used any
    more; their state of the rows is taken over.
    """

    def __init__(
        self, algorithm: str, problem: Problem, packed: Packed, before: Engines | None = None
    ) -> None:
        self._problem, self._packed = problem, packed
        self.shape, self.n_clusters = problem.shape, len(packed.norms)
        self.auto = algorithm == "auto"
        self.plain: Engine = Plain(problem, packed)
        if isinstance(problem.rows, SparseRows):
            self.plain = _load("csr").Sparse(problem, self.n_clusters)
        self.name = self._pick(algorithm)
        self.other: Regrouped | None = None
        self._probe: Probe | None = None
        self._step: np.float32 | None = None  # the quantisation step of the codes
        if before is not None:
            self._step = before._step
            if before.other is not None and before.name == self.name:
                self.other = before.other.regrouped(packed)

    def _pick(self, algorithm: str) -> str:
        """Return the name of the engine to use besides the plain one, or "lloyd"."""
        rows, team = self._problem.rows, self._problem.team
        if isinstance(rows, SparseRows):  # there is one engine for them
            return "lloyd"
        n, d = rows.shape
        guess = self.auto and not team.small
        for name, may_pay in MAY_PAY.items():
            if name == BOUNDS and self._problem.scaling.by_cosine:
                continue  # its scores are those of distances
            if algorithm == name or (guess and may_pay(self.shape, self.n_clusters)):
                engine = _load(name)
                within = not guess or n * engine.state_bytes(d) <= rows.room
                if within and engine.possible(rows):
                    return name
        return "lloyd"

    def begin(self, n_expected: int) -> Choice:
        """Begin a run; the ``Choice`` of the run before must not label any more."""
        for engine in (self.plain, self.other, self._probe):
            if engine is not None:
                engine.forget()
        return Choice(self, n_expected)

    def make_other(self, previous: Labels) -> Regrouped:
        """Return the engine besides the plain one; all but boxes by row may overwrite labels."""
        if self.other is None:
            if self.name in BOXES:
                by_row = self.name == BY_ROW
                spare = np.empty_like(previous) if by_row else previous
                boxes = _load(self.name).Boxes
                self.other = boxes(self._problem, self._packed, spare, by_row)
            elif self.name == BOUNDS:
                self.other = _load(BOUNDS).Bounded(self._problem, self._packed)
            else:
                self.other = _load("bytes").Bytes(
                    self._problem, self.n_clusters, self._choose_step()
                )
        return self.other

    def probe(self) -> Probe:
        """Return the engine of codes on a sample of the rows."""
        if self._probe is None:
            self._probe = _load("bytes").Probe(self._problem, self.n_clusters, self._choose_step())
        return self._probe

    def foresee(self, centers: Floats) -> float:
        """Return the share of a few rows that move in an iteration to come."""
        from .forecast import share_moved

        return share_moved(self._problem, centers, FORESEEN)

    def _choose_step(self) -> np.float32:
        if self._step is None:
            self._step = _load("bytes").choose_step(self._problem.rows, self._problem.scaling)
        return self._step


class Choice:
    """The choice among the engines in one run.

    The ``n_expected`` iterations of the run must repay what an engine costs to begin.
    """

    def __init__(self, engines: Engines, n_expected: int) -> None:
        self._engines, self._n_expected = engines, n_expected
        self.used: Engine = engines.plain
        self._name = engines.name
        if engines.auto and self._name == "boxes" and n_expected < costs.REPAID_AFTER:
            self._name = "lloyd"
        self._done = 0
        self._begin_below = engines.shape[0]  # rows moved
        self._noted = False  # whether bounds in float32 know the last centers

    @property
    def only_plain(self) -> bool:
        return self._name == "lloyd"

    @property
    def resumable(self) -> bool:
        """Whether the sums do not depend on earlier iterations of the engine."""
        return self._name != "boxes"

    def label(
        self, centers: Floats, sums: Sums, previous: Labels, labels: Labels, n_moved: int
    ) -> Assigned:
        """Label the rows; ``n_moved`` rows changed cluster in the iteration before."""
        plain = self._engines.plain
        self.used = self._next(centers, previous, n_moved)
        self._done += 1
        labelled = self.used.label(centers, sums, previous, labels)
        if self.used is not plain and self._is_costly(labelled):
            self.used.write(labels)
            self.used.forget()
            self.used = plain
            if self._name == BY_ROW:
                self._name = "lloyd"
            self._begin_below = labelled.n_moved // FEWER
        return labelled

    def _is_costly(self, labelled: Assigned) -> bool:
        limit = HOPELESS if labelled.first else WORTH
        return self._engines.auto and labelled.cost > limit * self._engines.plain.cost

    def _is_promising(self, centers: Floats, previous: Labels, n_moved: int) -> bool:
        """Return whether to use codes now: the fewer rows move, the fewer have candidates.

        The iterations to come must repay the cost to begin.  A run that has not ended after
        t iterations is likely to take t more.  Each costs less than the first, in which no
        row has a center.  If codes may pay, a sample of rows is labelled in codes to
        estimate the cost.  The first estimate has no bounds on distances.  If it is too
        high, the next iteration makes another one, with bounds.
        """
        engines, begins = self._engines, self._done == 0
        left = max(0, min(max(self._done, SOON), self._n_expected - self._done))
        debt = costs.cost_to_begin(engines.shape) if engines.other is None else 0.0

        def pays(cost: float) -> bool:
            return (WORTH * engines.plain.cost - cost) * left > debt

        if begins:
            least = costs.least_first_cost(engines.shape, engines.n_clusters)
        else:
            least = costs.least_cost(engines.shape, engines.n_clusters, n_moved)
        if (n_moved > self._begin_below and not begins) or not pays(least):
            return False
        cost, first = engines.probe().cost(centers, previous)
        if not first and not pays(cost):
            self._begin_below = n_moved // FEWER
        return pays(cost)

    def _next_by_bounds(self, centers: Floats, previous: Labels, n_moved: int) -> Engine:
        """Return the engine of the next iteration, if bounds in float32 are not in use.

        They begin where few rows move, so that the bounds of many rows may be apart.  The first
        iteration finds the bounds, and those to come must repay it.  An iteration before that
        tells the drift.
        """
        engines, noted = self._engines, self._noted
        few = n_moved <= min(self._begin_below, costs.FEW_MOVED * engines.shape[0])
        left = self._n_expected - self._done
        self._noted = few and self._done > 0 and left >= costs.BOUNDS_REPAID
        if not self._noted:
            return engines.plain
        bounded = engines.make_other(previous)
        if noted:
            return bounded
        bounded.note(centers)  # type: ignore[attr-defined]
        return engines.plain

    def _repays_sort(self, centers: Floats, n_moved: int) -> bool:
        """Return whether iterations to come are likely to repay the sort of boxes by row.

        Runs often end soon.  Few rows tell at the beginning whether this one goes on.  Later all
        rows tell.  And a run that has not ended after so many iterations is likely to take as
        many more.
        """
        engines, done = self._engines, self._done
        if engines.other is not None:
            return True
        if self._n_expected - done < costs.REPAID_AFTER:
            return False
        if done == 0:
            return engines.foresee(centers) >= LIVELY
        is_lively = n_moved >= LIVELY * engines.shape[0]
        return done >= (FORESEEN if is_lively else costs.REPAID_AFTER)

    def _next(self, centers: Floats, previous: Labels, n_moved: int) -> Engine:
        """Return the engine of the next iteration."""
        engines = self._engines
        if self._name == "lloyd":
            return engines.plain
        if self.used is engines.plain:
            if self._name == "boxes" and self._done > 0:  # new boxes add all rows to the sums
                return engines.plain
            if self._name == BY_ROW and not self._repays_sort(centers, n_moved):
                return engines.plain
            if self._name == BOUNDS:
                return self._next_by_bounds(centers, previous, n_moved)
            guess = self._name == "bytes" and engines.auto
            if guess and not self._is_promising(centers, previous, n_moved):
                return engines.plain
        return engines.make_other(previous)
