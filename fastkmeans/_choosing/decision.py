"""Which number of clusters stands out, if any.

Two figures are compared with those of rows without clusters that spread alike (``reference``):

gap       how much better k spherical normals of one variance describe the rows than one does
          (log-likelihood per row of the labelled rows, as in the BIC), beyond the reference
contrast  how much the last cluster lowers the inertia, divided by the larger of what the next two
          do, and then by the same ratio of the reference

Inertia alone always falls, and any convex curve has an elbow (Schubert (2023), "Stop using the
elbow criterion for k-means", SIGKDD Explorations 25).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats

LEAST_GAP, LEAST_CONTRAST = 0.25, 2.5
"""Least figures of a k that stands out.  60 mixtures of normals six standard deviations apart had
at least 0.49 and 3.3.  Normal and uniform noise exceeded one, never both."""
NEGLIGIBLE = 1e-9
"""Share of the total scatter below which a gain counts as this share."""


class Curve(NamedTuple):
    """What fits gave for rising k, from 1 to one beyond those that were asked for."""

    inertia: Floats  # mean per row
    entropy: Floats  # of the clusters' shares


class Decision(NamedTuple):
    """The number that stands out, and why."""

    best_k: int | None
    reason: str
    gap: Floats  # for each k that was asked for
    contrast: Floats


def decide(
    ks: Sequence[int],
    wanted: Sequence[int],
    n_features: int,
    data: Curve,
    references: Sequence[Curve],
    may: Collection[int],
) -> Decision:
    """Compare the curve of the data with those of the references; ``ks`` has the k of all.

    Only a k in ``may`` can stand out.
    """
    total = data.inertia[0]
    if not total > 0.0:
        return undecided("No k stands out: all rows are equal.", len(wanted))
    by_data = _likelihood(data, n_features)
    gap = by_data - np.max([_likelihood(curve, n_features) for curve in references], axis=0)
    steepest = np.max([_contrast(ks, curve.inertia) for curve in references], axis=0)
    contrast = _contrast(ks, data.inertia) / np.maximum(steepest, 1.0)
    places = [list(ks).index(k) for k in wanted]
    able = [i for i in places if ks[i] in may and ks[i] > 1 and i + 1 < len(ks)]
    stands = [i for i in able if gap[i] >= LEAST_GAP and contrast[i] >= LEAST_CONTRAST]
    best = max(stands, key=lambda i: float(gap[i]), default=None)
    reason = _no_reason(ks, places, gap) if best is None else _reason(ks, data.inertia, best, gap)
    chosen = None if best is None else ks[best]
    return Decision(chosen, reason, gap[places], contrast[places])


def undecided(reason: str, n_wanted: int) -> Decision:
    """Return that no k stands out, without figures."""
    nothing = np.full(n_wanted, np.nan)
    return Decision(None, reason, nothing, nothing)


def _likelihood(curve: Curve, n_features: int) -> Floats:
    """Return the gain in log-likelihood per row, against one cluster."""
    inertia = np.maximum(curve.inertia, 1e-12 * curve.inertia[0])
    gained: Floats = 0.5 * n_features * np.log(inertia[0] / inertia) - curve.entropy
    return gained


def _contrast(ks: Sequence[int], inertia: Floats) -> Floats:
    """Return how the fall of inertia per cluster before each k compares with that after it."""
    falls = -np.diff(inertia) / np.diff(np.asarray(ks, np.float64))
    falls = np.maximum(falls, NEGLIGIBLE * inertia[0])
    contrast: Floats = np.zeros(len(ks))
    for i in range(1, len(ks) - 1):
        contrast[i] = falls[i - 1] / falls[i : i + 2].max()
    return contrast


def _reason(ks: Sequence[int], inertia: Floats, best: int, gap: Floats) -> str:
    """Say why a k stands out."""
    fall, after = (_fall(inertia[i], inertia[i + 1]) for i in (best - 1, best))
    before, k, beyond = ks[best - 1], ks[best], ks[best + 1]
    return (
        f"k = {k} stands out: inertia falls by {fall:.1f} % from k = {before} to {k}, and by "
        f"{after:.1f} % from {k} to {beyond}. Rows without clusters that spread alike "
        "show no such bend."
    )


def _fall(before: float, after: float) -> float:
    """Return how much inertia falls, in per cent."""
    return 100.0 * max(0.0, 1.0 - after / before) if before > 0.0 else 0.0


def _no_reason(ks: Sequence[int], places: Sequence[int], gap: NDArray[np.float64]) -> str:
    """Say why no k stands out."""
    top = max(places, key=lambda i: float(gap[i]))
    if gap[top] < LEAST_GAP:
        return (
            "No k stands out: inertia falls with k about as it does for rows without clusters that "
            "spread alike. Choose k by what the clusters are for."
        )
    if top == places[-1]:
        return (
            f"No k stands out up to k = {ks[top]}: the rows are not spread evenly, but more "
            "clusters keep describing them better. Try larger k, or choose k by what the clusters "
            "are for."
        )
    return (
        "No k stands out: the rows are not spread evenly, but inertia falls smoothly with k, "
        f"without a bend. Clusters describe them best near k = {ks[top]}, and its neighbours do "
        "about as well."
    )
