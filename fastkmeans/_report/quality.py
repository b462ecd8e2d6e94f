"""The sample of rows behind pictures and quality, and its simplified silhouettes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.rows import CHUNK
from .._data.tables import Table, table_in_memory
from .._lloyd.predict import center_distances
from .._runtime.arrays import Floats, Labels
from ..plots._rows import room_for, sample_indices, taken

FEW = 25
"""Rows of a cluster that quality takes at least, if there are so many."""
MOST_DISTANCES = 1 << 21
"""Most distances that are in memory at a time."""


class Sample(NamedTuple):
    """Rows behind pictures and quality; the first ``n_uniform`` are a uniform sample."""

    rows: Floats  # (m, n_features), as the metric counts them
    labels: Labels  # (m,)
    n_uniform: int


class Quality(NamedTuple):
    """Simplified silhouettes, and distances to the own center."""

    values: Floats  # (m,), silhouettes of the sample
    by_cluster: Floats  # (n_clusters,), means; NaN for empty clusters
    overall: float  # mean by the true sizes
    distances: Floats  # (n_clusters,), mean distance to the center; NaN for empty clusters


def draw_sample(table: Table, labels: Labels, sizes: NDArray[np.int64], by_cosine: bool) -> Sample:
    """Draw a uniform sample, and more rows of clusters that it hardly meets."""
    n, d = table.rows.shape
    room = room_for(d)
    indices = sample_indices(n, room)
    own = labels[indices]
    have = np.bincount(own, minlength=len(sizes))
    few = np.minimum(sizes, max(1, min(FEW, room // len(sizes))))
    more = _systematic(labels, sizes, np.where(have < few, few, 0))
    more = np.setdiff1d(more, indices, assume_unique=True)
    rows = taken(table, indices, by_cosine)
    if more.size:
        rows = np.concatenate([rows, taken(table, more, by_cosine)])
    return Sample(rows, np.concatenate([own, labels[more]]), len(indices))


def _systematic(
    labels: Labels, sizes: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the wanted number of rows of each cluster, evenly spaced among its rows."""
    found: list[NDArray[np.int64]] = []
    if not wanted.any():
        return np.empty(0, np.int64)
    stride = -(-sizes // np.maximum(wanted, 1))
    seen = np.zeros(len(sizes), np.int64)
    for start in range(0, len(labels), CHUNK):
        part = labels[start : start + CHUNK]
        at = np.flatnonzero(wanted[part])
        for j in np.unique(part[at]).tolist():
            own = at[part[at] == j]
            found.append(start + own[(seen[j] + np.arange(len(own))) % stride[j] == 0])
            seen[j] += len(own)
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def quality_of(
    sample: Sample, centers: Floats, sizes: NDArray[np.int64], by_cosine: bool
) -> Quality:
    """Return simplified silhouettes: distances to the own center and to the next closest.

    Hruschka, de Castro and Campello (2004), "Evolutionary algorithms for clustering gene-expression
    data", ICDM.  A cluster of one row has silhouette 0; empty clusters do not count.
    """
    m, k = len(sample.rows), len(centers)
    own, other = np.empty(m), np.empty(m)
    step = max(1, MOST_DISTANCES // k)
    for start in range(0, m, step):
        part = slice(start, min(start + step, m))
        at = center_distances(table_in_memory(sample.rows[part]), centers, 1, by_cosine)
        places = np.arange(len(at)), sample.labels[part]
        own[part] = at[places]
        at[places] = np.inf
        at[:, sizes == 0] = np.inf
        other[part] = at.min(axis=1)
    larger = np.maximum(own, other)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(larger > 0.0, (other - own) / larger, 0.0)
    values = np.where(np.isfinite(values) & (sizes[sample.labels] > 1), values, 0.0)
    values = np.clip(values, -1.0, 1.0)
    counts = np.bincount(sample.labels, minlength=k)
    with np.errstate(invalid="ignore"):
        means = np.bincount(sample.labels, values, k) / counts
        distances = np.bincount(sample.labels, own, k) / counts
    overall = float(np.nansum(means * sizes) / max(1, sizes.sum()))
    return Quality(values, means, overall, distances)
