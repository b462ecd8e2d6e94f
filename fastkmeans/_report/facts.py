"""All that the page says about a model and the rows that it labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import sizes_of
from .._data.sparse import SparseRows
from .._data.tables import Table
from .._lloyd.representatives import closest_rows
from .._runtime.arrays import Floats, Labels
from .._runtime.text import literal
from ..plots._profile import telling
from ..plots._rows import Spread, names_of, spread_of, standardised, taken
from .quality import Quality, Sample, draw_sample, quality_of
from .source import Source

MOST_LISTED = 300
"""Most clusters, and most columns, that a table lists."""
MOST_COLUMNS = 30
"""Most columns of the profile, and of the tables of centers and rows."""
MOST_LETTERS = 120
"""Longest name of a column."""
MANY = 30
"""Number of clusters from which one row stands for each, instead of three."""
DOMINANT = 0.9
"""Share of the variance above which one column outweighs all others."""


@dataclass
class Facts:
    """Sizes, profiles, quality and rows; arrays of clusters have all of them."""

    model: Any
    source: Source
    names: list[str]
    centers: Floats  # (k, d), in the coordinates of the fit, as z and spread
    shift: Floats  # (d,); values of the file are coordinates * scale + shift
    scale: Floats
    sizes: NDArray[np.int64]  # (k,)
    weighted: Floats | None  # (k,), shares of the weight
    spread: Spread
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
    def by_cosine(self) -> bool:
        """Whether rows count with length 1."""
        return bool(self.model.metric == "cosine")

    @property
    def n_sampled(self) -> int:
        """Number of rows behind the quality."""
        return len(self.sample.rows)

    @property
    def in_units(self) -> str:
        """The unit of centers and rows, for captions."""
        return ", of rows brought to length 1" if self.by_cosine else ""

    @property
    def distance_unit(self) -> str:
        """The unit of distances, for captions."""
        if self.by_cosine:
            return "1 - cosine"
        standard = bool((self.scale != 1.0).any())
        return "in standard deviations" if standard else "in the units of the columns"

    def to_units(self, X: Floats) -> Floats:
        """Return coordinates of the fit in the units of the file."""
        found: Floats = X * self.scale + self.shift
        return found


def facts_of(model: Any, table: Table, labels: Labels, weights: Floats, source: Source) -> Facts:
    """Gather the facts; ``table`` has the coordinates of the fit."""
    centers, by_cosine = model.cluster_centers_, model.metric == "cosine"
    k, d = centers.shape
    sizes = sizes_of(labels, k)
    sample = draw_sample(table, labels, sizes, by_cosine)
    spread = spread_of(table, weights, by_cosine, model.n_threads)
    z = standardised(centers, spread)
    listed = np.sort(np.argsort(-sizes, kind="stable")[:MOST_LISTED])
    quality = quality_of(sample, centers, sizes, by_cosine)
    shift, scale = _units(model, d)
    n = 3 if k < MANY else 1
    closest = closest_rows(table, centers, labels, n, model.n_threads, by_cosine)[listed]
    own = getattr(model, "labels_", None)
    names = [literal(name, MOST_LETTERS) for name in names_of(model, table)]
    return Facts(
        model, source, names, centers, shift, scale, sizes,
        _shares(labels, weights, k), spread, z, listed, telling(z, MOST_COLUMNS), sample,
        quality if np.count_nonzero(sizes) > 1 else None, quality.distances,
        _neighbours(centers, sizes), closest, taken(table, closest[closest >= 0], False),
        own is None or (len(own) == len(labels) and bool((own == labels).all())),
    )  # fmt: skip


def _units(model: Any, d: int) -> tuple[Floats, Floats]:
    own = model.preparation_
    return (np.zeros(d), np.ones(d)) if own is None else (own.shift, own.scale)


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


def warnings_of(facts: Facts, table: Table) -> list[str]:
    """Return what a reader should know before believing the page."""
    model, found = facts.model, list(facts.source.warnings)
    if not facts.is_fit:
        found.append("the model was not fitted to these rows: it only labels them")
    elif getattr(model, "converged_", True) is False:
        found.append(f"the fit did not converge: {model.stop_reason_}")
    if facts.by_cosine or isinstance(table.rows, SparseRows):
        return found
    deviation = facts.spread.deviation
    names = [str(facts.names[j]) for j in np.flatnonzero(deviation == 0.0)[:20]]
    if names:
        found.append(f"constant columns tell no rows apart: {', '.join(names)}")
    with np.errstate(over="ignore"):
        variance = np.square(deviation)
    j, total = int(variance.argmax()), float(variance.sum())
    if len(variance) > 1 and (facts.scale == 1.0).all() and variance[j] > DOMINANT * total:
        found.append(
            f"column \u201c{facts.names[j]}\u201d makes up {variance[j] / total:.1%} of the "
            "variance, so the others hardly count: standardise the columns, or leave it out"
        )
    return found
