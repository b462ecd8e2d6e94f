"""What one fit is worth: its indices, and whether it may be recommended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._data.problem import Problem
from .._data.sparse import SparseRows
from .._estimators.kmeans import KMeans
from .._lloyd.run import Outcome
from .._metrics.clusters import Clusters
from .._metrics.indices import bayesian
from .._metrics.simplified import Tally
from .._runtime.arrays import Floats
from .._runtime.errors import convergence_warning


@dataclass
class Found:
    """The figures of one fit."""

    model: KMeans
    weights: Floats  # of the clusters
    indices: dict[str, float]
    seconds: float


def assess(problem: Problem, run: Outcome, unit: float) -> tuple[Floats, dict[str, float]]:
    """Return the weights of the clusters of a run, and its indices, in one pass over the rows."""
    k, d = run.centers.shape
    weights = np.zeros(k)
    values = problem.weights if problem.weights.size else None
    weights += np.bincount(run.labels, values, k)
    tally = Tally(problem, run.centers, weights * unit <= 1.0, unit)
    if isinstance(problem.rows, SparseRows):
        tally.add_sparse(run.labels)
    else:
        for part, X in problem.blocks():
            tally.add(part, X, run.labels[part])
    quality = tally.quality()
    indices = {
        "simplified_silhouette": quality.silhouette,
        "calinski_harabasz": quality.calinski_harabasz,
        "davies_bouldin": quality.davies_bouldin,
        "bic": math.nan,
    }
    if not problem.scaling.by_cosine:
        used = weights > 0.0
        inner = np.array([run.inertia])
        clusters = Clusters(weights[used], run.centers[used], inner, inner, 1.0, unit)
        indices["bic"] = bayesian(clusters, d) if run.inertia < math.inf else math.nan
    return weights, indices


def is_sound(weights: Floats, n_rows: int) -> bool:
    """Return whether no cluster is empty, and clusters have two rows on average."""
    return bool((weights > 0.0).all()) and 2 * len(weights) <= n_rows


def note_empty(found: Sequence[Found]) -> None:
    """Warn of the first fit with empty clusters, as ``KMeans.fit`` does."""
    for each in found:
        k, n_found = each.model.n_clusters, int(np.count_nonzero(each.weights))
        if n_found < k:
            convergence_warning(
                f"Number of distinct clusters ({n_found}) found smaller than n_clusters ({k}), "
                "and likewise for larger k. Possibly due to duplicate points in X."
            )
            return
