"""Mixtures whose components are known: what the best clustering of them looks like.

They follow the families of data sets on which methods for k-means are compared (grids and
a curve as in Birch, overlapping Gaussians as in S, A and D31, unbalanced groups), with
parameters and seeds of their own.  ``true_centers`` returns the means of the components:
a run that starts there ends in an optimum that few other starts reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .datasets import Array, Cell

CANDIDATES = 30
"""Random places of which a scattered mean takes the one that is farthest from the others."""


@dataclass(frozen=True)
class Known(Cell):
    """A mixture of ``k`` Gaussian components whose means are known.

    ``kind`` names the places of the means, ``sizes`` the number of rows of each
    component.  ``spread`` is the mean standard deviation of a component.  Its unit is the
    median distance from a mean to the nearest other mean.
    """

    sizes: str = "equal"
    seed: int = 0

    def quick(self) -> Known:
        """Return the same mixture with few rows."""
        return replace(self, n=min(self.n, 40 * self.k))

    def fill(self, rng: np.random.Generator, out: Array) -> None:
        """Draw the rows, as many of each component as ``sizes`` says, in random order.

        The mixture has a seed of its own: ``rng`` is not used.
        """
        means, own = self._means()
        shares = np.concatenate(([0.0], np.cumsum(SIZES[self.sizes](self.k))))
        ends = np.round(shares / shares[-1] * self.n).astype(np.intp)
        labels = own.permutation(np.repeat(np.arange(self.k), np.diff(ends)))
        spreads = (self.spread or 0.0) * own.uniform(0.8, 1.2, self.k)
        out[:] = means[labels] + spreads[labels, None] * own.standard_normal(out.shape)

    def _means(self) -> tuple[Array, np.random.Generator]:
        """Return the means, and the generator that drew them."""
        rng = np.random.default_rng(self.seed)
        means = PLACES[self.kind](self.k, self.d, rng)
        return means / np.median(np.sqrt(_nearest(means))), rng


def true_centers(cell: Known) -> Array:
    """Return the means of the components of a mixture."""
    return cell._means()[0]


def _nearest(means: Array) -> Array:
    """Return the squared distance from each mean to the nearest other one."""
    squared = ((means[:, None, :] - means) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    return np.asarray(squared.min(axis=1))


def _grid(k: int, d: int, rng: np.random.Generator) -> Array:
    """Return the corners of a lattice of equal sides."""
    side = round(k ** (1.0 / d))
    if side**d != k:
        raise ValueError(f"no grid of {k} means in {d} dimensions")
    return np.indices((side,) * d).reshape(d, -1).T.astype(float)


def _scattered(k: int, d: int, rng: np.random.Generator) -> Array:
    """Return random places of the unit cube that keep away from each other."""
    means = rng.random((1, d))
    while len(means) < k:
        places = rng.random((CANDIDATES, d))
        squared = ((places[:, None, :] - means) ** 2).sum(axis=2).min(axis=1)
        means = np.vstack((means, places[squared.argmax()]))
    return means


def _curve(k: int, d: int, rng: np.random.Generator) -> Array:
    """Return places along a sine curve in the plane."""
    x = np.linspace(0.0, 4.0 * np.pi, k)
    return np.column_stack((x, 3.0 * np.sin(x)))


def _rings(k: int, d: int, rng: np.random.Generator) -> Array:
    """Return one place in the middle, a third of the others around it, the rest around these."""
    inner = (k - 1) // 3
    means = [np.zeros((1, 2))]
    for radius, count in ((1.0, inner), (2.0, k - 1 - inner)):
        angles = 2.0 * np.pi * (np.arange(count) + 0.5 * (radius > 1.0)) / count
        means.append(radius * np.column_stack((np.cos(angles), np.sin(angles))))
    return np.vstack(means)


def _two_sides(k: int, d: int, rng: np.random.Generator) -> Array:
    """Return places near each other at the left, and wide apart at the right."""
    left = (3 * k) // 8
    means = np.vstack((_scattered(left, d, rng), 4.0 * _scattered(k - left, d, rng)))
    means[left:, 0] += 6.0
    return means


def _groups(k: int, d: int, rng: np.random.Generator) -> Array:
    """Return groups of four places; the groups are far from each other."""
    middles = 8.0 * _scattered(k // 4, d, rng)
    corners = _grid(4, 2, rng)[:, :d]
    return (middles[:, None, :] + corners).reshape(-1, d)


PLACES: dict[str, Callable[[int, int, np.random.Generator], Array]] = {
    "grid": _grid,
    "scattered": _scattered,
    "curve": _curve,
    "rings": _rings,
    "two sides": _two_sides,
    "groups": _groups,
}
"""The means of the components by the kind of a cell; ``fill`` scales them."""

SIZES: dict[str, Callable[[int], Array]] = {
    "equal": np.ones,
    "left": lambda k: np.where(np.arange(k) < (3 * k) // 8, 20.0, 1.0),
    "zipf": lambda k: 1.0 / np.arange(1.0, k + 1.0),
}
"""The sizes of the components in any unit; ``left``: the first ones have 20 times as many rows."""


def _known(name: str, n: int, d: int, k: int, kind: str, spread: float, seed: int,
           sizes: str = "equal") -> Known:  # fmt: skip
    return Known(name, n, d, k, kind, spread, sizes=sizes, seed=seed)


OPTIMA = (
    _known("grid25", 5_000, 2, 25, "grid", 0.15, 1),
    _known("grid100", 100_000, 2, 100, "grid", 0.18, 2),
    _known("grid100-wide", 20_000, 2, 100, "grid", 0.30, 3),
    _known("grid64-3d", 12_800, 3, 64, "grid", 0.20, 4),
    _known("curve100", 50_000, 2, 100, "curve", 0.20, 5),
    _known("scattered15-a", 5_000, 2, 15, "scattered", 0.15, 6),
    _known("scattered15-b", 5_000, 2, 15, "scattered", 0.22, 6),
    _known("scattered15-c", 5_000, 2, 15, "scattered", 0.29, 6),
    _known("scattered15-d", 5_000, 2, 15, "scattered", 0.36, 6),
    _known("scattered20", 3_000, 2, 20, "scattered", 0.25, 7),
    _known("scattered31", 3_100, 2, 31, "scattered", 0.25, 8),
    _known("scattered35", 5_250, 2, 35, "scattered", 0.25, 9),
    _known("scattered50", 7_500, 2, 50, "scattered", 0.25, 10),
    _known("scattered25-8d", 5_000, 8, 25, "scattered", 0.22, 11),
    _known("scattered35-16d", 7_000, 16, 35, "scattered", 0.20, 12),
    _known("rings31", 3_100, 2, 31, "rings", 0.20, 13),
    _known("unbalanced8", 6_500, 2, 8, "two sides", 0.07, 14, "left"),
    _known("unbalanced16", 13_000, 2, 16, "two sides", 0.10, 15, "left"),
    _known("groups20", 4_000, 2, 20, "groups", 0.20, 16),
    _known("zipf25", 10_000, 2, 25, "scattered", 0.20, 17, "zipf"),
)
"""Twenty mixtures; the letters a to d stand for the same means with growing overlap."""
