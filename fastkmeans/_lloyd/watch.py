"""Listeners that are notified of the runs of a fit."""

from __future__ import annotations

from .run import Iteration, Outcome


class Watch:
    """A listener to a fit.  This one ignores everything."""

    unit = 1.0  # factor from an inertia of the fit to the inertia with the caller's weights

    def run_begins(self, number: int, n_runs: int) -> None:
        """Note that run ``number`` of ``n_runs``, counted from 0, begins."""

    def iteration(self, number: int, iteration: Iteration) -> None:
        """Note that iteration ``number`` of the run, counted from 1, is done."""

    def run_ends(self, run: Outcome) -> None:
        """Note that the run has ended."""
