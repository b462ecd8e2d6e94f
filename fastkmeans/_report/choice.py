"""What the page says about a choice of k: which k stands out, and the figures of each k."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plots._criteria import criteria
from . import tables
from .pictures import picture
from .words import count

SECTIONS = {"numbers": "How many clusters"}
FIGURES = {
    "inertia": "inertia",
    "simplified_silhouette": "simplified silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "bic": "BIC",
    "gap": "gap",
    "contrast": "contrast",
}
"""The figures of a choice, and what they are called."""


def choice_parts(choice: Any, follow: list[str]) -> dict[str, Any]:
    """Return what the template of a choice shows; ``follow`` are the commands to run next."""
    best = choice.best_k
    said = "no k stands out" if best is None else f"k = {best} stands out"
    ks = f"{count(len(choice.k), 'number')} of clusters from {choice.k[0]} to {choice.k[-1]}"
    drawn = picture(
        lambda ax: criteria(choice, ax=ax), (6.4, 4.8),
        f"Lines of the criteria against {ks}; {said}. The table below has the numbers.",
    )  # fmt: skip
    return {
        "reason": choice.reason,
        "criteria": drawn,
        "figures": _figures_table(choice),
        "indices": _indices_table(choice),
        "follow": follow,
    }  # fmt: skip


def _indices_table(choice: Any) -> tables.HtmlTable | None:
    takes = {what: choice.choices[name] for name, what in FIGURES.items() if name in choice.choices}
    caption = "The k that each index alone would take"
    return tables.pairs_table("indices", caption, takes, "index", "k") if takes else None


def choice_lead(choice: Any) -> str:
    """Sum the choice up in a sentence."""
    k = choice.k
    ks = f"{count(len(k), 'number')} of clusters, {k[0]} to {k[-1]}, {_was(len(k))} compared"
    if choice.best_k is None:
        return f"{ks}. None is recommended."
    return f"{ks}. k = {choice.best_k} stands out; its clusters are described below."


def _was(n: int) -> str:
    return "was" if n == 1 else "were"


def _figures_table(choice: Any) -> tables.HtmlTable:
    heads = [tables.Head("k"), *(tables.Head(what) for what in FIGURES.values())]
    heads += [tables.Head("iterations"), tables.Head("seconds")]
    figures = [np.asarray(getattr(choice, name), np.float64) for name in FIGURES]
    rows = []
    for i, k in enumerate(choice.k.tolist()):
        best = k == choice.best_k
        first = tables.Cell(str(k), str(k), note="stands out" if best else "")
        row = [first, *(tables.value(float(values[i])) for values in figures)]
        row += [tables.whole(int(choice.n_iter[i])), tables.value(float(choice.seconds[i]))]
        rows.append([cell._replace(look="best") for cell in row] if best else row)
    caption = "Figures of each number of clusters, k; a dash where an index is not defined"
    return tables.HtmlTable("figures", caption, heads, rows)
