"""Standardised centers as a heat map."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._data.validation import weights_of
from .._runtime.arrays import Floats
from ._rows import names_of, spread_of, standardised
from ._style import DIVERGING, axes_or_new, name_ticks, number_ticks

LIMIT = 3.0
"""Standard deviations from the mean that have the strongest colour."""
MOST_TEXTS = 150
"""Most cells that have their number written in them."""
LEAST_HEIGHT = 9.0
"""Points of height that a cell needs for its number."""


def profile(
    model: Any, X: Any, *, sample_weight: Any = None, most_columns: int = 60, ax: Any = None
) -> Any:
    """Draw how the centers differ from the mean of all rows, as a heat map.

    Parameters
    ----------
    model : KMeans or MiniBatchKMeans
        A fitted model.
    X : array-like, sparse matrix or dataset of shape (n_samples, n_features)
        Rows as in ``fit``; their mean and standard deviation are what the centers compare with.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row in mean and deviation.
    most_columns : int, default=60
        If there are more columns, those in which the centers differ most are drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One row per cluster and one column per feature.  Values are in standard deviations; by
        cosine, and for sparse rows, mean and deviation are those of a sample.

    Raises
    ------
    ValueError
        If ``X`` does not fit the model.
    MissingExtra
        An ``ImportError``, if matplotlib is not installed.
    """
    table = model._table_like_fit(X)
    weights = weights_of(table, sample_weight).values
    spread = spread_of(table, weights, model.metric == "cosine", model.n_threads)
    z = standardised(model.cluster_centers_, spread)
    columns = telling(z, most_columns)
    names = names_of(model, table)
    return draw_profile(z[:, columns], [names[j] for j in columns], ax)


def telling(z: Floats, most: int) -> Any:
    """Return, in their order, the columns in which the centers differ most."""
    strength = np.abs(z).max(axis=0)
    chosen = np.argsort(-strength, kind="stable")[: max(1, most)]
    return np.sort(chosen)


def draw_profile(
    z: Floats, names: Sequence[object], ax: Any = None, clusters: Sequence[int] | Any = None
) -> Any:
    """Draw standardised centers of shape (n_clusters, n_columns); ``clusters`` numbers them."""
    k, d = z.shape
    ax = axes_or_new(ax, min(24.0, max(6.4, 2.2 + 0.2 * d)), min(24.0, max(3.2, 2.0 + 0.19 * k)))
    image = ax.imshow(z, cmap=DIVERGING, vmin=-LIMIT, vmax=LIMIT, aspect="auto",
                      interpolation="nearest")  # fmt: skip
    long = d > 6 or max(len(str(name)) for name in names) > 60 // d
    text = {"rotation": 90 if d > 20 else 45, "ha": "center" if d > 20 else "right"} if long else {}
    if long and d <= 20:
        text["rotation_mode"] = "anchor"
    name_ticks(ax.xaxis, names, fontsize="small" if d <= 30 else "x-small", **text)
    number_ticks(ax.yaxis, np.arange(k), 50, clusters)
    if k > 20:
        ax.tick_params(axis="y", labelsize="x-small")
    ax.set_ylabel("cluster")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    high = 72.0 * ax.get_window_extent().height / ax.figure.dpi / k  # points of a row
    if k * d <= MOST_TEXTS and d <= 15 and high >= LEAST_HEIGHT:
        for (j, f), value in np.ndenumerate(z):
            # The middle of the map is light, its ends are dark, on any background.
            ink = "white" if abs(value) > 0.62 * LIMIT else "black"
            ax.text(f, j, f"{value:+.1f}", ha="center", va="center", color=ink, fontsize="small")
    bar = ax.figure.colorbar(image, ax=ax, extend="both", extendfrac=0.03, pad=0.02, fraction=0.05)
    bar.set_label("standard deviations from the mean")
    bar.outline.set_visible(False)
    return ax
