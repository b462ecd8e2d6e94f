"""Statistics of the first pass: moments, missing values, a sample of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.moments import merge_moments, no_moments
from .._kernels.shared.moments import M2, MAXIMUM, MEAN, MINIMUM, WEIGHT
from .._runtime.arrays import Floats

SAMPLE_VALUES = 1 << 20
FEWEST_SAMPLED, MOST_SAMPLED = 1 << 10, 1 << 16


@dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of columns over the kept rows, in the units of the file: (n_features,) each."""

    n: NDArray[np.int64]  # values present
    missing: NDArray[np.int64]  # values missing, including those in rows dropped because of them
    minimum: Floats  # over the values present, like all that follow
    maximum: Floats
    mean: Floats  # a column of weights weights mean and variance
    variance: Floats

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Columns that hold only one value."""
        same: NDArray[np.bool_] = self.minimum == self.maximum
        return same

    def take(self, columns: NDArray[np.int64]) -> ColumnStatistics:
        """Return the statistics of some columns."""
        return ColumnStatistics(*(field[columns] for field in vars(self).values()))


class Moments:
    """Collects the statistics piece by piece."""

    def __init__(self, n_features: int) -> None:
        self.missing = np.zeros(n_features, np.int64)
        self.forget()

    def forget(self) -> None:
        """Start again, but keep the count of missing values."""
        self.n = np.zeros(self.missing.size, np.int64)
        self._moments = no_moments(1, self.missing.size)[0]

    def add(self, part: Floats, n_rows: int) -> None:
        """Add the moments of rows without missing values."""
        self.n += n_rows
        merge_moments([self._moments, part])

    def add_with_gaps(self, x: Floats, gaps: NDArray[np.bool_], weights: Floats) -> None:
        """Add rows; ``gaps`` marks the missing values."""
        if not len(x):
            return
        part = no_moments(1, x.shape[1])[0]
        w = weights if weights.size else np.ones(len(x))
        filled = np.where(gaps, 0.0, x)
        with np.errstate(over="ignore", invalid="ignore"):
            part[WEIGHT] = np.einsum("i,ij->j", w, ~gaps)
            divisor = np.maximum(part[WEIGHT], np.finfo(np.float64).tiny)
            part[MEAN] = np.einsum("i,ij->j", w, filled) / divisor
            apart = filled - part[MEAN]
            apart[gaps] = 0.0
            apart *= apart
            part[M2] = np.einsum("i,ij->j", w, apart)
        part[MINIMUM] = np.where(gaps, np.inf, x).min(0)
        part[MAXIMUM] = np.where(gaps, -np.inf, x).max(0)
        self.n += len(x) - gaps.sum(axis=0)
        merge_moments([self._moments, part])

    def result(self) -> ColumnStatistics:
        """Return the statistics of all rows so far."""
        m = self._moments
        variance = m[M2] / np.maximum(m[WEIGHT], np.finfo(np.float64).tiny)
        return ColumnStatistics(
            self.n.copy(), self.missing.copy(), m[MINIMUM].copy(), m[MAXIMUM].copy(),
            m[MEAN].copy(), variance,
        )  # fmt: skip

    def share(self, total: float) -> Floats:
        """Return for each column the fraction of the total weight whose rows have a value."""
        return np.minimum(1.0, self._moments[WEIGHT] / total) if total else np.ones(self.n.size)


class Reservoir:
    """A uniform sample of the rows, in their order: the rows with the smallest random keys.

    Keys are drawn in the order of the rows, so the sample does not depend on their grouping.
    """

    def __init__(self, n_features: int, dtype: np.dtype[Any], seed: int = 0) -> None:
        self._size = min(MOST_SAMPLED, max(FEWEST_SAMPLED, SAMPLE_VALUES // n_features))
        self._seed = seed
        self._keys = np.empty(2 * self._size)
        self._rows = np.empty((2 * self._size, n_features), dtype)
        self.forget()

    def forget(self) -> None:
        """Start again."""
        self._rng = np.random.default_rng(self._seed)
        self._n, self._most = 0, 1.0

    def add(self, rows: NDArray[Any]) -> None:
        """Offer rows to the sample."""
        for at in range(0, len(rows), self._size):
            part = rows[at : at + self._size]
            keys = self._rng.random(len(part))
            chosen = np.flatnonzero(keys < self._most)
            if self._n + chosen.size > self._keys.size:
                self._thin()
            stop = self._n + chosen.size
            self._keys[self._n : stop], self._rows[self._n : stop] = keys[chosen], part[chosen]
            self._n = stop

    def _thin(self) -> None:
        if self._n <= self._size:
            return
        keys = self._keys[: self._n]
        self._most = float(np.partition(keys, self._size)[self._size])
        chosen = np.flatnonzero(keys < self._most)
        self._n = chosen.size
        self._keys[: self._n], self._rows[: self._n] = keys[chosen], self._rows[chosen]

    def result(self) -> NDArray[Any]:
        """Return the sample of all rows so far."""
        self._thin()
        return self._rows[: self._n].copy()
