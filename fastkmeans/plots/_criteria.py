"""k against inertia and the indices of quality."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats
from ._style import COLORS, MARKERS, axes_or_new, bare, whole_ticks

CRITERIA = {
    "inertia": ("inertia", False),
    "calinski_harabasz": ("Calinski-Harabasz", True),
    "davies_bouldin": ("Davies-Bouldin", False),
    "simplified_silhouette": ("simplified silhouette", True),
    "bic": ("BIC", False),
}
"""Attributes of a choice of k, what they are called, and whether high values are good."""


def criteria(choice: Any, *, ax: Any = None) -> Any:
    """Draw every criterion for the number of clusters against k, each on a scale of its own.

    Parameters
    ----------
    choice : object
        What ``choose_k`` returns, or any object with the attribute ``k`` (the numbers of clusters)
        and some of ``inertia``, ``calinski_harabasz``, ``davies_bouldin``,
        ``simplified_silhouette`` and ``bic``, arrays as long as ``k``.  ``best_k``, if it is not
        None, is marked.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One line per criterion, from its worst value (0) to its best (1); the legend has the best.
        Criteria without a finite value are left out.
        The inertia falls with every further cluster, so its best k says nothing: look at where it
        falls less than before.

    Raises
    ------
    ValueError
        If the object has no ``k``, no criterion, or criteria of another length.
    MissingExtra
        An ``ImportError``, if matplotlib is not installed.
    """
    k = np.atleast_1d(np.asarray(getattr(choice, "k", ())))
    found = {name: getattr(choice, name, None) for name in CRITERIA}
    found = {name: values for name, values in found.items() if values is not None}
    if not k.size or not found:
        raise ValueError(
            f"choice must have k and one of {', '.join(CRITERIA)} at least, got "
            f"{type(choice).__name__}."
        )
    lines = {name: np.asarray(values, np.float64) for name, values in found.items()}
    for name, values in lines.items():
        if values.shape != k.shape:
            raise ValueError(f"choice.{name} has shape {values.shape}, k has {k.shape}.")
    ax = axes_or_new(ax)
    lines = {name: values for name, values in lines.items() if np.isfinite(values).any()}
    for i, (name, values) in enumerate(lines.items()):
        _line(ax, k, values, name, i)
    if not lines:
        ax.text(0.5, 0.5, "no criterion is finite", ha="center", transform=ax.transAxes)
        ax.set_xlim(k[0] - 1, k[-1] + 1)
    best = getattr(choice, "best_k", None)
    if best is not None:
        ax.axvline(best, color="0.45", linestyle=":", linewidth=1.5, label=f"recommended: {best}")
    ax.set_xlabel("number of clusters, k")
    ax.set_ylabel("from worst (0) to best (1)")
    ax.set_ylim(-0.04, 1.06)
    whole_ticks(ax.xaxis)
    bare(ax)
    if lines:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False,
                  fontsize="small")  # fmt: skip
    return ax


def _line(ax: Any, k: NDArray[Any], values: Floats, name: str, i: int) -> None:
    """Draw one criterion; a value that is not finite leaves a gap."""
    what, high = CRITERIA[name]
    finite = np.isfinite(values)
    low, top = values[finite].min(), values[finite].max()
    shown = np.full(values.shape, np.nan)
    shown[finite] = (values[finite] - low) / (top - low) if top > low else 1.0
    if not high and top > low:
        shown = 1.0 - shown
    at = int(np.nanargmax(shown))
    text = f"{what}: best {values[at]:.4g} at {k[at]}"
    if name == "inertia":
        text = f"{what}: {values[finite][0]:.4g} to {values[finite][-1]:.4g}"
    style = {"linestyle": "--", "color": COLORS[6]} if name == "inertia" else {}
    if not style:
        style = {"color": COLORS[i % 6]}
    marker = MARKERS[i % len(MARKERS)] if k.size <= 40 else ""
    ax.plot(k, shown, marker=marker, markersize=5, label=text, **style)
