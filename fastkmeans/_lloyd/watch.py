"""Who is told of the runs of a fit, while they go on."""

from __future__ import annotations

from .run import Iteration, Outcome


class Watch:
    """A listener to a fit.  This one ignores everything.

    Attributes
    ----------
    unit : float
        Factor from an inertia of the fit to that of the caller's weights.
    """

    unit = 1.0

    def run_begins(self, number: int, n_runs: int) -> None:
        """Note that run ``number`` of ``n_runs`` begins, from 0."""

    def iteration(self, number: int, iteration: Iteration) -> None:
        """Note that iteration ``number`` of the run, from 1, is done."""

    def run_ends(self, run: Outcome) -> None:
        """Note that the run has ended."""
