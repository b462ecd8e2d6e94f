"""Axes, colours, and labels that are drawn as they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._runtime.extras import need
from .._runtime.text import literal

COLORS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c8c8c")
"""Colours that colour-blind readers tell apart (after Okabe and Ito), legible on white and black.

Cluster j has colour j modulo 7; numbers stand next to colours, which repeat.
"""
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
"""Cluster j has marker j // 7 modulo 7, so that 49 clusters differ."""
DIVERGING = "PuOr_r"
"""A map of colours from low to high that does not need red and green."""


def color_of(cluster: int) -> str:
    """Return the colour of a cluster, the same in all pictures."""
    return COLORS[cluster % len(COLORS)]


def marker_of(cluster: int) -> str:
    """Return the marker of a cluster."""
    return MARKERS[cluster // len(COLORS) % len(MARKERS)]


def rgb_of(clusters: NDArray[Any]) -> NDArray[np.float64]:
    """Return the colours of clusters as numbers from 0 to 1, with a last axis of 3."""
    table = [[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in COLORS]
    chosen: NDArray[np.float64] = np.array(table)[clusters % len(COLORS)]
    return chosen


def axes_or_new(ax: Any, width: float = 6.4, height: float = 4.4) -> Any:
    """Return the given Axes, or those of a new figure of some inches."""
    if ax is None:
        pyplot = need("matplotlib.pyplot", "plots")
        return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    need("matplotlib", "plots")
    if not hasattr(ax, "plot") or not hasattr(ax, "figure"):
        raise TypeError(f"ax must be Axes of matplotlib or None, got {type(ax).__name__}.")
    return ax


def name_ticks(axis: Any, names: Sequence[object], **text: Any) -> None:
    """Write names at 0, 1, 2, ... of an axis, as they are: ``$`` begins no formula."""
    axis.set_ticks(range(len(names)), [literal(name) for name in names], parse_math=False, **text)


def number_ticks(axis: Any, places: NDArray[Any], room: int, numbers: Any = None) -> None:
    """Write the numbers of clusters at some places, at most ``room`` of them."""
    step = -(-len(places) // room)
    numbers = np.arange(len(places)) if numbers is None else np.asarray(numbers)
    axis.set_ticks(places[::step].tolist(), [str(j) for j in numbers[::step].tolist()])


def whole_ticks(axis: Any) -> None:
    """Let an axis of whole numbers have no ticks between them."""
    axis.set_major_locator(
        need("matplotlib.ticker", "plots").MaxNLocator(integer=True, min_n_ticks=1)
    )


def bare(ax: Any) -> None:
    """Remove the upper and the right edge."""
    ax.spines[["top", "right"]].set_visible(False)
