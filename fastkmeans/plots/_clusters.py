"""Rows and centers on the first two principal components."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.tables import table_in_memory
from .._data.validation import check_count
from .._lloyd.predict import closest_centers
from .._runtime.arrays import Floats, Labels
from ._rows import MOST_ROWS, room_for, sample_indices, taken
from ._style import axes_or_new, bare, color_of, marker_of, rgb_of

MOST_POINTS = 3000
"""Most rows that are drawn as points; more are drawn as a density."""
CELLS = 110, 80
"""Cells of the density, from left to right and from top to bottom."""
WIDE = 1024
"""Most columns of a matrix of covariances; with more, that of the rows is smaller."""
MOST_NUMBERS = 120
"""Most clusters whose numbers are written; the centers of more are crosses."""
TAIL, STRETCH = 0.005, 2.5
"""Rows at the ends that may lie outside, if the others then take this many times the room."""


class Plane(NamedTuple):
    """The first two principal components of some rows."""

    mean: Floats  # (n_features,)
    axes: Floats  # (n_features, 2)
    shares: Floats  # (2,), of the variance

    def places(self, rows: Floats) -> Floats:
        """Return the coordinates of rows in the plane."""
        at: Floats = (rows - self.mean) @ self.axes
        return at


def clusters(
    model: Any, X: Any, *, most_rows: int = MOST_ROWS, random_state: int = 0, ax: Any = None
) -> Any:
    """Draw rows and centers on the first two principal components of the rows.

    Parameters
    ----------
    model : KMeans or MiniBatchKMeans
        A fitted model.
    X : array-like, sparse matrix or dataset of shape (n_samples, n_features)
        Rows as in ``fit``.
    most_rows : int, default=20000
        If there are more rows, a random sample of so many is drawn (of fewer, if they are wide).
    random_state : int, default=0
        Seed of the sample.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Up to 3000 rows are points.  More are a density: a cell has the colour of the cluster that
        most of its rows belong to, the stronger the more rows it holds.  Numbers are at the
        centers.  By cosine rows count with length 1.

    Raises
    ------
    ValueError
        If ``X`` does not fit the model, or has more than 65536 columns.
    MissingExtra
        An ``ImportError``, if matplotlib is not installed.
    """
    check_count(most_rows, "most_rows")
    table, by_cosine = model._table_like_fit(X), model.metric == "cosine"
    n, d = table.rows.shape
    indices = sample_indices(n, room_for(d, most_rows), random_state)
    rows = taken(table, indices, by_cosine)
    labels = closest_centers(
        table_in_memory(rows), model.cluster_centers_, model.n_threads, by_cosine=by_cosine
    )
    ax = draw_clusters(rows, labels, model.cluster_centers_, ax)
    if len(indices) < n:
        ax.set_title(f"a sample of {len(indices):,} of {n:,} rows", fontsize="medium")
    return ax


def plane_of(rows: Floats) -> Plane:
    """Return the plane of largest variance, of a small matrix of covariances in float64.

    The sign of an axis is that its largest entry is positive.
    """
    mean = rows.mean(axis=0)
    if rows.shape[1] > WIDE:
        rows = rows[:: -(-len(rows) // WIDE)]
    apart = rows - mean
    size = float(np.abs(apart).max())
    if size >= np.finfo(np.float64).tiny:  # NumPy 1 warns of divisors below it
        apart = apart / size  # so that no square overflows
    wide = apart.shape[1] > len(apart)
    values, vectors = np.linalg.eigh(apart @ apart.T if wide else apart.T @ apart)
    axes = np.zeros((apart.shape[1], 2))
    top = vectors[:, ::-1][:, :2]
    found = apart.T @ top if wide else top
    lengths = np.sqrt((found * found).sum(axis=0))
    axes[:, : found.shape[1]] = found / np.where(lengths > 0.0, lengths, 1.0)
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.where(axes[largest, [0, 1]] < 0.0, -1.0, 1.0)
    shares = np.zeros(2)
    positive = np.maximum(values[::-1], 0.0)
    shares[: len(positive[:2])] = positive[:2] / (positive.sum() or 1.0)
    return Plane(mean, axes, shares)


def draw_clusters(rows: Floats, labels: Labels, centers: Floats, ax: Any = None) -> Any:
    """Draw rows of shape (n, n_features), all of them, and the centers."""
    ax = axes_or_new(ax, 6.4, 5.0)
    plane = plane_of(rows)
    at, middles = plane.places(rows), plane.places(centers)
    limits = _limits(at)
    if len(rows) <= MOST_POINTS:
        _points(ax, at, labels, len(centers))
    else:
        _density(ax, at, labels, limits)
    _numbers(ax, middles, limits)
    (left, right), (bottom, top) = limits
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    outside = int(((at < limits[:, 0]) | (at > limits[:, 1])).any(axis=1).sum())
    note = f"; {outside:,} rows lie outside" if outside else ""
    ax.set_xlabel(f"first principal component ({plane.shares[0]:.0%} of the variance{note})")
    ax.set_ylabel(f"second principal component ({plane.shares[1]:.0%})")
    bare(ax)
    return ax


def _limits(at: Floats) -> Floats:
    """Return the limits (2, 2) of both axes; a few far rows stay outside if they take much room."""
    low, high = at.min(axis=0), at.max(axis=0)
    inner_low, inner_high = np.quantile(at, [TAIL, 1.0 - TAIL], axis=0)
    far = (high - low) > STRETCH * (inner_high - inner_low)
    far &= inner_high > inner_low
    room = 0.25 * (inner_high - inner_low)
    low = np.where(far, np.maximum(low, inner_low - room), low)
    high = np.where(far, np.minimum(high, inner_high + room), high)
    # Limits far from zero must differ as well.
    edge = np.maximum(0.04 * (high - low), 1e-9 * np.maximum(np.abs(low), np.abs(high)))
    edge = np.where(edge > 0.0, edge, 1.0)
    return np.stack([low - edge, high + edge], axis=1)


def _points(ax: Any, at: Floats, labels: Labels, k: int) -> None:
    size = 14 if len(at) <= 500 else 8
    for j in range(k):
        own = at[labels == j]
        if len(own):
            ax.scatter(own[:, 0], own[:, 1], s=size, color=color_of(j), marker=marker_of(j),
                       alpha=0.7, linewidths=0)  # fmt: skip


def _density(ax: Any, at: Floats, labels: Labels, limits: Floats) -> None:
    """Draw cells in the colour of their largest cluster, the stronger the more rows they hold."""
    wide, high = CELLS
    scaled = (at - limits[:, 0]) / (limits[:, 1] - limits[:, 0])
    inside = ((scaled >= 0.0) & (scaled <= 1.0)).all(axis=1)
    cells = np.minimum((scaled[inside] * CELLS).astype(np.int64), [wide - 1, high - 1])
    place = cells[:, 1] * wide + cells[:, 0]
    k = int(labels.max()) + 1
    pairs, counts = np.unique(place * k + labels[inside], return_counts=True)
    order = np.lexsort((counts, pairs // k))
    found, winner = np.full(wide * high, -1), pairs // k
    found[winner[order]] = pairs[order] % k  # the largest cluster of a cell comes last
    totals = np.bincount(place, minlength=wide * high)
    strength = np.log1p(totals) / np.log1p(max(1, int(totals.max())))
    image = np.zeros((wide * high, 4))
    image[:, :3] = rgb_of(np.maximum(found, 0))
    image[:, 3] = np.where(totals > 0, 0.25 + 0.75 * strength, 0.0)
    extent = (*limits[0], *limits[1])
    ax.imshow(image.reshape(high, wide, 4), origin="lower", extent=extent, aspect="auto",
              interpolation="nearest")  # fmt: skip


def _numbers(ax: Any, middles: Floats, limits: Floats) -> None:
    """Write the number of each cluster at its center; those outside the limits at the edge."""
    k = len(middles)
    if k > MOST_NUMBERS:
        ax.plot(middles[:, 0], middles[:, 1], "+", color="0.5", markersize=5, zorder=5)
        return
    inner = 0.02 * (limits[:, 1] - limits[:, 0])
    places: NDArray[Any] = np.clip(middles, limits[:, 0] + inner, limits[:, 1] - inner)
    size = 10.0 if k <= 12 else 8.0 if k <= 30 else 6.5
    box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "linewidth": 1.5}
    for j, (x, y) in enumerate(places.tolist()):
        style = {"ha": "center", "va": "center", "color": "black", "fontsize": size, "zorder": 5}
        ax.text(x, y, str(j), bbox={**box, "edgecolor": color_of(j)}, **style)
