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
        from fastkmeans._data.rows import ArrayRows
        from fastkmeans._data.scaling import frame_of
        from fastkmeans._engines.base import work_of
        from fastkmeans._lloyd.loop import Workspace
        from fastkmeans._runtime.threads import Team

        k = len(centers)
        self.rows = ArrayRows(X)
        self.weights = np.empty(0)
        self.team = Team(n_threads, work_of(X.shape, k)).__enter__()
        frame = frame_of(self.rows, self.weights, self.team)
        assert frame is not None, "the data hold a value that is not finite"
        self.frame = frame
        self.workspace = Workspace(self.rows, self.weights, k, frame, self.team, algorithm)
        self.lloyd = self.workspace.begin(centers, EXPECTED)
        self.ends: tuple[Any, ...] = ()
        self.previous = np.full(len(X), -1, np.int32)
        self.labels = np.empty(len(X), np.int32)

    def close(self) -> None:
        """Leave the team of threads."""
        self.team.__exit__(None, None, None)

    def moments(self) -> None:
        """Mean, variance and range of every column: one pass over the data."""
        from fastkmeans._data.scaling import frame_of

        frame_of(self.rows, self.weights, self.team)

    def assign(self) -> None:
        """The E step alone, settled: packed centers, the label of every row."""
        from fastkmeans._engines.plain import assign_block

        self.lloyd.packed.pack(self.lloyd.centers, self.frame)
        for start, X in self.rows.blocks():
            part = slice(start, start + X.shape[1])
            assign_block(
                X,
                self.team,
                self.frame,
                self.lloyd.centers,
                self.lloyd.packed,
                self.previous[part],
                self.labels[part],
            )

    def iterate(self) -> None:
        """E and M step, always from the same centers."""
        self.lloyd.step()

    def advance(self, n_iter: int) -> None:
        """Run some iterations, and keep the centers of the last two for ``there_and_back``."""
        self.lloyd = self.workspace.begin(self.lloyd.centers.copy(), EXPECTED)
        self.lloyd.go_on([], n_iter, 0.0)
        before = self.lloyd.centers.copy()
        self.lloyd.step()
        self.ends = before, self.lloyd.new_centers.copy()

    def there_and_back(self) -> None:
        """Two iterations as they are in the middle of a run: rows and centers do move."""
        for centers in reversed(self.ends):
            self.lloyd.centers[:] = centers
            self.lloyd.step()
