"""Inertia and moved rows by iteration."""

from typing import Any

import numpy as np

from ._style import COLORS, axes_or_new, bare, whole_ticks


def convergence(model: Any, *, ax: Any = None) -> Any:
    """Draw how a fit went: the inertia, and how much still moved, by iteration.

    Parameters
    ----------
    model : KMeans, MiniBatchKMeans or list
        A fitted model, or its ``history_``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes of the inertia, on the left.  Those of the rows that moved to another cluster
        (for mini-batches, and on a cluster: of the shift of the centers) are on the right.

    Raises
    ------
    ValueError
        If the history is empty, as in a model that comes from scikit-learn.
    MissingExtra
        An ``ImportError``, if matplotlib is not installed.
    """
    history = list(getattr(model, "history_", model if isinstance(model, list) else []))
    if not history:
        raise ValueError(
            "the model has no history_ to draw: it has one after fit, not after partial_fit and "
            "not if it comes from scikit-learn."
        )
    ax = axes_or_new(ax)
    steps = np.arange(1, len(history) + 1)
    whole = hasattr(history[0], "n_moved")
    # On a cluster nobody counts the rows that move: n_moved is -1.
    exact = whole and all(step.n_moved >= 0 for step in history)
    unit, what = ("iteration", "inertia") if whole else ("batch", "inertia of the batch")
    marker = "o" if len(history) <= 40 else ""
    line = ax.plot(steps, [step.inertia for step in history], color=COLORS[0], marker=marker,
                   markersize=4, label=what)  # fmt: skip
    ax.set_xlabel(unit)
    ax.set_ylabel(what)
    whole_ticks(ax.xaxis)
    right = ax.twinx()
    moved = [step.n_moved if exact else step.center_shift for step in history]
    what = "rows that moved to another cluster" if exact else "shift of the centers"
    line += right.plot(steps, moved, color=COLORS[3], linestyle="--", marker=marker and "s",
                       markersize=4, label=what)  # fmt: skip
    right.set_ylabel(what)
    if max(moved) > 0:
        right.set_yscale("symlog", linthresh=1.0 if exact else _threshold(moved))
        right.set_ylim(bottom=0)
    bare(ax)
    right.spines["top"].set_visible(False)
    ax.legend(handles=line, loc="upper right", frameon=False)
    return ax


def _threshold(values: list[float]) -> float:
    """Return the value below which the axis is linear, so that 0 has a place."""
    return float(min(value for value in values if value > 0))
