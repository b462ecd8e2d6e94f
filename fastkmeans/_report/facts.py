"""All that a page says about a model and the rows that it labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import sizes_of
from .._data.tables import Table
from .._lloyd.representatives import closest_rows
from .._runtime.arrays import Floats, Labels
from ..plots._profile import telling
from ..plots._rows import standardised, taken
from .described import Described
from .quality import Quality, Sample, draw_sample, quality_of

MOST_LISTED = 300
"""Most clusters, and most columns, that a table lists."""
MOST_COLUMNS = 30
"""Most columns of the profile, and of the tables of centers and rows."""
MANY = 30
"""Number of clusters from which one row stands for each, instead of three."""


@dataclass
class Facts:
    """Sizes, profiles, quality and rows; arrays of clusters have all of them."""

    model: Any
    about: Described
    centers: Floats  # (k, d), in the coordinates of the fit, as z
    sizes: NDArray[np.int64]  # (k,)
    weighted: Floats | None  # (k,), shares of the weight
    z: Floats  # (k, d), standardised centers
    listed: NDArray[np.int64]  # clusters in the tables
    columns: NDArray[np.int64]  # columns of the profile
    sample: Sample
    quality: Quality | None  # None for one cluster
    distances: Floats  # (k,), mean distance to the center
    neighbours: NDArray[np.int64]  # (k,), the cluster with the closest center, or -1
    closest: NDArray[np.int64]  # (listed, n), row numbers, -1 for none
    rows_closest: Floats  # (rows of them, d), with the lengths that they have
    is_fit: bool  # whether the model was fitted to these rows

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self.about.names

    @property
    def n_sampled(self) -> int:
        """Number of rows behind the quality."""
        return len(self.sample.rows)


def facts_of(model: Any, table: Table, labels: Labels, weights: Floats, about: Described) -> Facts:
    """Gather the facts; ``table`` has the coordinates of the fit."""
    centers, by_cosine = model.cluster_centers_, about.by_cosine
    k = len(centers)
    sizes = sizes_of(labels, k)
    sample = draw_sample(table, labels, sizes, by_cosine)
    z = standardised(centers, about.spread)
    listed = np.sort(np.argsort(-sizes, kind="stable")[:MOST_LISTED])
    quality = quality_of(sample, centers, sizes, by_cosine)
    n = 3 if k < MANY else 1
    closest = closest_rows(table, centers, labels, n, model.n_threads, by_cosine)[listed]
    own = getattr(model, "labels_", None)
    return Facts(
        model, about, centers, sizes, _shares(labels, weights, k), z, listed,
        telling(z, MOST_COLUMNS), sample, quality if np.count_nonzero(sizes) > 1 else None,
        quality.distances, _neighbours(centers, sizes), closest,
        taken(table, closest[closest >= 0], False),
        own is None or (len(own) == len(labels) and bool((own == labels).all())),
    )  # fmt: skip


def _shares(labels: Labels, weights: Floats, k: int) -> Floats | None:
    if not weights.size:
        return None
    sums = np.bincount(labels, weights, k)
    total = sums.sum()
    shares: Floats = sums / total if total > 0.0 else np.zeros(k)
    return shares


def _neighbours(centers: Floats, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the other cluster, of those with rows, whose center is closest."""
    found = np.full(len(centers), -1)
    full = np.flatnonzero(sizes)
    size = float(np.abs(centers).max()) or 1.0
    unit = centers / size  # so that no square overflows
    for j in full.tolist():
        others = full[full != j]
        if others.size:
            squares = np.square(unit[others] - unit[j]).sum(axis=1)
            found[j] = others[squares.argmin()]
    return found


def fit_warnings(facts: Facts) -> list[str]:
    """Return what a reader should know of the fit before believing the page."""
    model = facts.model
    if not facts.is_fit:
        return ["the model was not fitted to these rows: it only labels them"]
    if getattr(model, "converged_", True) is False:
        return [f"the fit did not converge: {model.stop_reason_}"]
    return []
