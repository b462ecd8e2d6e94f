"""Real data whose best clustering is not known: flights, digits, a photograph, embeddings."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .datasets import SAMPLE, Array, Cell, cells_of

FLIGHTS = Path(__file__).parents[2] / "scripts" / "data" / "flights.csv.gz"
"""Every tenth flight, which every checkout has."""
COLUMNS = (
    "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time",
    "arr_delay", "flight", "air_time", "distance", "hour", "minute",
)  # fmt: skip
"""The columns of numbers that are not constant and do not only count the rows."""


@dataclass(frozen=True)
class Real(Cell):
    """Rows that scikit-learn or a file has; ``kind`` says which."""

    @property
    def repeats(self) -> bool:
        return True

    def fill(self, rng: np.random.Generator, out: Array) -> None:
        """Copy the first rows."""
        out[:] = _READERS[self.kind](self.source)[: self.n]


@lru_cache(maxsize=1)
def _flights(source: str) -> Array:
    """Return the flights without missing values, every column standardised."""
    with gzip.open(source, "rt", newline="") as file:
        found = [[row[name] for name in COLUMNS] for row in csv.DictReader(file)]
    rows = np.array([row for row in found if all(row)], np.float64)
    return np.asarray((rows - rows.mean(axis=0)) / rows.std(axis=0))


def _digits(source: str) -> Array:
    from sklearn.datasets import load_digits  # an optional dependency of this cell

    return np.asarray(load_digits().data)


def _photograph(source: str) -> Array:
    """Return the colours of scikit-learn's photograph of a temple, between 0 and 1."""
    from sklearn.datasets import load_sample_image  # an optional dependency of this cell

    return np.asarray(load_sample_image("china.jpg").reshape(-1, 3) / 255.0)


_READERS: dict[str, Any] = {"flights": _flights, "digits": _digits, "photograph": _photograph}


def real_cells(embeddings: Path | None = None, flights: Path | None = None) -> tuple[Cell, ...]:
    """Return the cells of real data; files may replace the samples that a checkout has."""
    source = str((flights or FLIGHTS).resolve())
    rows = len(_flights(source))
    return (
        Real("digits-k10", 1_797, 64, 10, "digits"),
        Real("digits-k30", 1_797, 64, 30, "digits"),
        Real(f"flights-{rows // 1000}k-k12", rows, len(COLUMNS), 12, "flights", source=source),
        *cells_of(embeddings or SAMPLE, (50, 200)),
        Real("photograph-k32", 427 * 640, 3, 32, "photograph"),
    )
