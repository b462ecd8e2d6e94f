"""Arguments of the indices: checked, and led to what measures."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data.problem import naming, open_problem
from .._data.tables import Table
from .._data.validation import (
    Weights,
    as_centers,
    as_generator,
    check_count,
    check_finite,
    check_metric,
    check_random_state,
    directions,
    refuse_by_cosine,
    weights_of,
)
from .._engines.base import work_of
from .._kernels.metrics.simplified import WEIGHT
from .._runtime.adding import total_of
from .._runtime.arrays import Floats
from .clusters import Clusters, measure_clusters
from .labels import Clustering, center_labels, check_number, clustering_of
from .silhouette import silhouette_of_rows
from .simplified import tally

MANY_ROWS = 1 << 24
"""Rows beyond which a sample is drawn without a permutation of all of them."""


def check(table: Table, metric: str, n_threads: int | None) -> bool:
    """Check what all indices take; return whether the metric is the cosine."""
    if n_threads is not None:
        check_count(n_threads, "n_threads")
    by_cosine = check_metric(metric)
    refuse_by_cosine(metric, table)
    return by_cosine


def sealed(weights: Floats) -> Floats:
    weights.flags.writeable = False
    return weights


def _count(weights: Weights, n_samples: int) -> float:
    return total_of(weights.values) * weights.unit if weights.values.size else float(n_samples)


def _n_used(weights: Weights, clustering: Clustering) -> int:
    """Return the number of clusters that have weight."""
    if not weights.values.size:
        return clustering.n_clusters
    return int(np.unique(clustering.labels[weights.values > 0.0]).size)


def silhouettes(
    table: Table,
    weights: Weights,
    clustering: Clustering,
    n_threads: int | None,
    by_cosine: bool,
) -> Floats:
    rows = table.rows
    check_number(_n_used(weights, clustering), _count(weights, rows.shape[0]))
    size = check_finite(table)
    return silhouette_of_rows(rows, weights, clustering, size, n_threads, by_cosine)


def draw(n_samples: int, size: int, random_state: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw rows without replacement, those that scikit-learn draws if it can be."""
    check_random_state(random_state)
    if n_samples > MANY_ROWS:
        rng = as_generator(random_state)
        return rng.choice(n_samples, min(size, n_samples), replace=False, shuffle=False)
    source = random_state
    if random_state is None:
        source = np.random
    elif not hasattr(random_state, "permutation"):
        source = np.random.RandomState(random_state)
    drawn: np.ndarray[Any, np.dtype[np.int64]] = source.permutation(n_samples)[:size]
    return drawn


def totals_of(
    table: Table,
    labels: Any,
    centers: Any,
    metric: str,
    sample_weight: Any,
    n_threads: int | None,
    samples: Floats,
) -> Floats:
    """Check the arguments of a simplified silhouette; return the totals by cluster."""
    by_cosine = check(table, metric, n_threads)
    weights, rows = weights_of(table, sample_weight), table.rows
    points = as_centers(centers, rows.shape[1], "centers")
    if by_cosine:
        points = directions(points, "centers")
    own = center_labels(labels, rows, len(points))
    values, unit = weights
    totals = tally(table, values, own, points, n_threads, by_cosine, samples, unit=unit)
    used = int(np.count_nonzero(totals[WEIGHT]))
    check_number(used, _count(weights, rows.shape[0]))
    return totals


def measure(
    table: Table, labels: Any, sample_weight: Any, n_threads: int | None, fewest: int = 2
) -> tuple[Clusters, int]:
    """Check arguments; return the measured clusters and the number of features."""
    check(table, "euclidean", n_threads)
    weights, rows = weights_of(table, sample_weight), table.rows
    clustering = clustering_of(labels, rows)
    n_used = _n_used(weights, clustering)
    check_number(n_used, _count(weights, rows.shape[0]), fewest)
    work = work_of(rows.shape, 1)
    with naming(table), open_problem(rows, weights.values, n_threads, work) as problem:
        clusters = measure_clusters(problem, *clustering)
    return clusters._replace(unit=weights.unit), rows.shape[1]
