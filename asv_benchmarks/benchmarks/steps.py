"""Single steps of the algorithm, called below the estimator.

The one place of the benchmarks that knows the package's inside; ``scripts/compare``
takes the E step from here to set its rate against a matrix product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

EXPECTED = 300
"""Iterations that engines expect of a run, as with the default ``max_iter`` of ``KMeans``."""


class Steps:
    """One table and one set of centers, ready for calls of single steps.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64
    centers : ndarray of shape (k, d)
    n_threads : int, optional
        As in ``KMeans``.
    algorithm : str
        The engine of ``iterate`` and ``there_and_back``.

    Notes
    -----
    ``close`` gives numba its number of threads back.
    """

    def __init__(
        self, X: Any, centers: Any, n_threads: int | None = None, algorithm: str = "lloyd"
    ) -> None:
        from fastkmeans._data.problem import open_problem
        from fastkmeans._data.rows import ArrayRows
        from fastkmeans._engines.base import work_of
        from fastkmeans._lloyd.run import Workspace

        k = len(centers)
        self.opened = open_problem(ArrayRows(X), np.empty(0), n_threads, work_of(X.shape, k))
        self.problem = self.opened.__enter__()
        self.workspace = Workspace(self.problem, k, algorithm)
        self.run = self.workspace.begin(centers, EXPECTED)
        self.ends: tuple[Any, ...] = ()
        self.previous = np.full(len(X), -1, np.int32)
        self.labels = np.empty(len(X), np.int32)

    def close(self) -> None:
        """Leave the team of threads."""
        self.opened.__exit__(None, None, None)

    def moments(self) -> None:
        """Mean, variance and range of every column: one pass over the data."""
        from fastkmeans._data.scaling import scaling_of

        scaling_of(self.problem.rows, self.problem.weights, self.problem.team)

    def assign(self) -> None:
        """The E step alone, settled: packed centers, the label of every row."""
        from fastkmeans._engines.plain import assign_block

        run = self.run
        run.packed.pack(run.centers, self.problem.scaling)
        for part, X in self.problem.blocks():
            before, now = self.previous[part], self.labels[part]
            assign_block(X, self.problem, run.centers, run.packed, before, now)

    def iterate(self) -> None:
        """E and M step, always from the same centers."""
        self.run.step()

    def advance(self, n_iter: int) -> None:
        """Run some iterations, and keep the centers of the last two for ``there_and_back``."""
        from fastkmeans._lloyd.loop import finish

        self.run = self.workspace.begin(self.run.centers.copy(), EXPECTED)
        finish(self.run, [], n_iter, 0.0)
        before = self.run.centers.copy()
        self.run.step()
        self.ends = before, self.run.new_centers.copy()

    def there_and_back(self) -> None:
        """Two iterations as they are in the middle of a run: rows and centers do move."""
        for centers in reversed(self.ends):
            self.run.centers[:] = centers
            self.run.step()
