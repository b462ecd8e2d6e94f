"""The sample of rows behind pictures and quality, and its simplified silhouettes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.rows import CHUNK
from .._data.tables import Table, table_in_memory
from .._data.validation import NO_WEIGHTS
from .._kernels.metrics.simplified import DISTANCE, SILHOUETTE, WEIGHT
from .._metrics.simplified import tally
from .._runtime.arrays import Floats, Labels
from ..plots._rows import room_for, sample_indices, taken

FEW = 25
"""Rows of a cluster that quality takes at least, if there are so many."""


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
    """Return simplified silhouettes of the sample.

    A cluster of one row has silhouette 0; empty clusters do not count.
    """
    k, used = len(centers), np.flatnonzero(sizes)
    values, means, distances = np.zeros(len(sample.rows)), np.full(k, np.nan), np.full(k, np.nan)
    number = (np.cumsum(sizes > 0) - 1).astype(np.int32)[sample.labels]
    totals = tally(
        table_in_memory(sample.rows), NO_WEIGHTS, number, centers[used], 1, by_cosine, values,
        sizes[used] <= 1,
    )  # fmt: skip
    with np.errstate(invalid="ignore"):
        means[used] = totals[SILHOUETTE] / totals[WEIGHT]
        distances[used] = totals[DISTANCE] / totals[WEIGHT]
    overall = float(np.nansum(means * sizes) / max(1, sizes.sum()))
    return Quality(values, means, overall, distances)
