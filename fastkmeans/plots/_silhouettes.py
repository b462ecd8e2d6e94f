"""The silhouettes of rows, cluster by cluster."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._style import axes_or_new, bare, color_of

POINTS = 400
"""Most points of the outline of a cluster."""
LEAST_BAND = 0.35
"""Height of the smallest band, as a fraction of the mean height."""


def silhouettes(values: ArrayLike, labels: ArrayLike, *, ax: Any = None) -> Any:
    """Draw the silhouette of every row, sorted in each cluster, and the mean of all rows.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        A value from -1 to 1 for each row: its silhouette, or its simplified silhouette.
    labels : array-like of shape (n_samples,), int
        The cluster of each row, from 0.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One band per cluster, the first on top.  A band is as high as its cluster is large, but
        small clusters are drawn larger than they are.

    Raises
    ------
    ValueError
        If the lengths differ, a value is not in [-1, 1], or a label is negative.
    MissingExtra
        An ``ImportError``, if matplotlib is not installed.

    References
    ----------
    Rousseeuw (1987), "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", Journal of Computational and Applied Mathematics 20.
    """
    heights, groups = np.asarray(values, np.float64), np.asarray(labels)
    _check(heights, groups)
    sizes = np.bincount(groups)
    numbers = np.flatnonzero(sizes)
    ax = axes_or_new(ax, height=min(12.0, max(4.4, 0.16 * len(numbers))))
    bands = np.maximum(sizes[numbers] / sizes[numbers].mean(), LEAST_BAND)
    order = np.lexsort((-heights, groups))
    stops = np.cumsum(sizes)
    top, middles = 0.0, []
    for j, band in zip(numbers.tolist(), bands.tolist(), strict=True):
        own = heights[order[stops[j] - sizes[j] : stops[j]]]
        if len(own) > POINTS:
            own = own[np.linspace(0, len(own) - 1, POINTS).round().astype(int)]
        places = np.linspace(top, top + band, len(own) + 1).repeat(2)[1:-1]
        ax.fill_betweenx(places, 0.0, own.repeat(2), color=color_of(j), linewidth=0)
        middles.append(top + band / 2)
        top += band + 0.12 * float(bands.mean())
    _finish(ax, heights, numbers.tolist(), middles, top)
    return ax


def _check(values: Any, labels: Any) -> None:
    if values.ndim != 1 or labels.shape != values.shape or not len(values):
        raise ValueError(
            f"values and labels must have one item per row, got shapes {values.shape} and "
            f"{labels.shape}."
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, got dtype {labels.dtype}.")
    wrong = np.flatnonzero(~(np.abs(values) <= 1.0 + 1e-6) | (labels < 0))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(
            f"row {i} has silhouette {values[i]:g} and label {labels[i]}: silhouettes are from -1 "
            "to 1, labels are not negative."
        )


def _finish(ax: Any, values: Any, numbers: list[int], middles: list[float], bottom: float) -> None:
    """Write numbers and axes, and draw the mean."""
    mean = float(values.mean())
    ax.axvline(mean, color="0.45", linestyle="--", linewidth=1.2)
    ax.annotate(
        f"mean {mean:.2f}", (mean, 1.0), xycoords=("data", "axes fraction"), xytext=(3, 2),
        textcoords="offset points", fontsize="small", annotation_clip=False,
    )  # fmt: skip
    shown, last = [], -np.inf
    room = bottom / 45  # numbers closer than this would touch
    for j, middle in zip(numbers, middles, strict=True):
        if middle - last >= room:
            shown.append((middle, str(j)))
            last = middle
    ax.set_yticks(*zip(*shown, strict=True), fontsize="small" if len(numbers) > 15 else None)
    ax.set_ylim(bottom, 0.0)
    ax.set_xlim(min(0.0, float(values.min())), 1.0)
    ax.set_xlabel("silhouette")
    ax.set_ylabel("cluster")
    bare(ax)
