"""What ``choose_k`` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._estimators.kmeans import KMeans
from .._runtime.arrays import Floats
from .._runtime.extras import need

BEST = {
    "calinski_harabasz": np.nanargmax,
    "davies_bouldin": np.nanargmin,
    "simplified_silhouette": np.nanargmax,
    "bic": np.nanargmin,
}
"""The indices, and whether the largest or the smallest is best."""


@dataclass(frozen=True, eq=False, repr=False)
class Choice:
    """Fits for several numbers of clusters, their indices, and the one that stands out.

    Attributes
    ----------
    k : ndarray of shape (n_k,), int64
        The numbers of clusters, rising.
    inertia, simplified_silhouette, calinski_harabasz, davies_bouldin, bic : ndarray (n_k,)
        Inertia and indices of each fit, see ``fastkmeans.metrics``; NaN where an index is not
        defined (one cluster; by cosine all but the silhouette).
    gap, contrast : ndarray of shape (n_k,)
        What the recommendation rests on; see Notes of ``choose_k``.
    n_iter, seconds : ndarray of shape (n_k,)
        Iterations on all rows, and wall time of each fit and its indices.
    models : list of KMeans
        The fitted models; without ``labels_`` if the table is in files.
    choices : dict
        The k that each index takes.  They often differ.
    best_k : int or None
        The k that stands out; None if none does.
    reason : str
        Why, in words.
    interrupted : bool
        Whether Ctrl-C ended the fits before the last k.
    """

    k: NDArray[np.int64]
    inertia: Floats
    simplified_silhouette: Floats
    calinski_harabasz: Floats
    davies_bouldin: Floats
    bic: Floats
    gap: Floats
    contrast: Floats
    n_iter: NDArray[np.int64]
    seconds: Floats
    models: list[KMeans] = field(repr=False)
    choices: dict[str, int]
    best_k: int | None
    reason: str
    interrupted: bool = False

    @property
    def best_model(self) -> KMeans | None:
        """The model for ``best_k``; None if no k stands out."""
        return None if self.best_k is None else self.models[self.k.tolist().index(self.best_k)]

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the figures as columns, one item per k."""
        names = "k", "inertia", *BEST, "gap", "contrast", "n_iter", "seconds"
        return {name: getattr(self, name) for name in names}

    def to_pandas(self) -> Any:
        """Return the figures as a data frame of pandas, one row per k.

        Raises
        ------
        MissingExtra
            An ``ImportError``, if pandas is not installed.
        """
        return need("pandas").DataFrame(self.columns()).set_index("k")

    def __repr__(self) -> str:
        return "\n".join(table_lines(self))


def table_lines(choice: Choice) -> list[str]:
    """Return a table of the figures, the k of each index and the recommendation, as lines."""
    lines = [
        f"{'k':>5} {'inertia':>12} {'silhouette':>10} {'CH':>11} {'DB':>7} {'BIC':>12} {'gap':>7} "
        f"{'contrast':>8} {'seconds':>8}"
    ]
    for i, k in enumerate(choice.k.tolist()):
        mark = " <-" if k == choice.best_k else ""
        lines.append(
            f"{k:>5} {choice.inertia[i]:>12.6g} {choice.simplified_silhouette[i]:>10.3f} "
            f"{choice.calinski_harabasz[i]:>11.5g} {choice.davies_bouldin[i]:>7.3f} "
            f"{choice.bic[i]:>12.6g} {choice.gap[i]:>7.2f} {choice.contrast[i]:>8.2f} "
            f"{choice.seconds[i]:>8.2f}{mark}"
        )
    if choice.choices:
        takes = ", ".join(f"{name} {k}" for name, k in choice.choices.items())
        lines.append(f"each index alone would take: {takes}")
    lines += [f"best k: {choice.best_k}", choice.reason]
    return lines
