"""Data of the benchmarks: mixtures with overlap, embeddings, pixels, pure noise, files.

Rows are drawn in float64 and then rounded to the dtype asked for, so that float64 data
really need float64.  Every data set is a function of its cell alone: two processes, or
two machines with the same NumPy, make the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CHUNK = 65_536
"""Rows made at a time, so that making data needs little memory beside the data."""
SEPARATION = 1.5
"""Half the median distance from a component to its nearest neighbour, in standard
deviations: components overlap, as well-separated blobs flatter every algorithm."""


@dataclass(frozen=True)
class Cell:
    """One benchmark case: ``n`` rows of ``d`` features into ``k`` clusters.

    ``spread`` is the mean standard deviation of a mixture's components; without it,
    ``SEPARATION`` decides.  ``source`` is the path of a ``.npy`` file of rows.
    """

    name: str
    n: int
    d: int
    k: int
    kind: str = "mixture"
    spread: float | None = None
    source: str = ""

    @property
    def repeats(self) -> bool:
        """Whether some rows may be equal."""
        return self.kind == "file"

    def quick(self) -> Cell:
        """Return the same regime with few rows and clusters, for smoke tests.

        Low dimensions keep enough rows for the kernels to run in parallel.
        """
        rows = max(600, min(40_000, 400_000 // self.d))
        return replace(self, n=min(self.n, rows), k=min(self.k, 20))

    def fill(self, rng: np.random.Generator, out: Array) -> None:
        """Write the rows into ``out``."""
        _MAKERS[self.kind](self, rng, out)


GRID = (
    Cell("1Mx2-k8", 1_000_000, 2, 8),
    Cell("1Mx3-k16", 1_000_000, 3, 16),
    Cell("1Mx3-k256", 1_000_000, 3, 256),
    Cell("300kx16-k32", 300_000, 16, 32),
    Cell("100kx64-k100", 100_000, 64, 100),
    Cell("100kx128-k256", 100_000, 128, 256),
    Cell("50kx128-k1000", 50_000, 128, 1000),
    Cell("20kx768-k256", 20_000, 768, 256, "embeddings"),
)
"""The regimes of single Lloyd iterations."""

SAMPLE = Path(__file__).parents[2] / "tests" / "resources" / "summaries_minilm_2k_384_f16.npy"
"""Sentence embeddings that every checkout has: few, but real."""

SAMPLE_CELL = "sample-2kx384-k50"

FITS = (
    Cell("overlap-1Mx2-k50", 1_000_000, 2, 50, spread=0.05),
    Cell("overlap-1Mx3-k256", 1_000_000, 3, 256, spread=0.06),
    Cell("pixels-1Mx3-k64", 1_000_000, 3, 64, "pixels"),
    Cell("overlap-300kx16-k100", 300_000, 16, 100, spread=0.22),
    Cell("overlap-100kx64-k200", 100_000, 64, 200, spread=0.30),
    Cell("overlap-100kx128-k1000", 100_000, 128, 1000, spread=0.35),
    Cell(SAMPLE_CELL, 2_000, 384, 50, "file", source=str(SAMPLE)),
    Cell("embeddings-50kx384-k500", 50_000, 384, 500, "embeddings"),
    Cell("noise-100kx32-k100", 100_000, 32, 100, "noise"),
)
"""Whole fits, where engines that prune differ: components overlap more than in ``GRID``."""

BATCHES = (
    Cell("overlap-1Mx16-k100", 1_000_000, 16, 100, spread=0.22),
    Cell("embeddings-20kx384-k200", 20_000, 384, 200, "embeddings"),
)
"""Fits by mini-batches: many rows, and many features."""

CELLS = {cell.name: cell for cell in GRID + FITS + BATCHES}


def cells_of(embeddings: Path, counts: tuple[int, ...]) -> tuple[Cell, ...]:
    """Return a cell for each number of clusters, of the rows of a ``.npy`` file."""
    n, d = np.load(embeddings, mmap_mode="r").shape
    size, source = f"{n // 1000}k" if n >= 1000 else f"{n}", str(embeddings.resolve())
    return tuple(Cell(f"real-{size}x{d}-k{k}", n, d, k, "file", source=source) for k in counts)


def fit_cells(embeddings: Path | None = None) -> tuple[Cell, ...]:
    """Return ``FITS``, with two cells of the rows of a file in place of the sample."""
    if embeddings is None:
        return FITS
    real = cells_of(embeddings, (200, 500))
    place = next(i for i, cell in enumerate(FITS) if cell.kind == "file")
    return (*FITS[:place], *real, *FITS[place + 1 :])


def batch_cells(embeddings: Path | None = None) -> tuple[Cell, ...]:
    """Return ``BATCHES``, with cells of the rows of a file in place of synthetic embeddings."""
    return BATCHES if embeddings is None else (BATCHES[0], *cells_of(embeddings, (50, 200, 500)))


def get_cell(name: str, quick: bool = False) -> Cell:
    """Return the cell called ``name``, shrunk if ``quick``."""
    cell = CELLS[name]
    return cell.quick() if quick else cell


def _overlap(means: Array) -> float:
    """Return the standard deviation that ``SEPARATION`` asks for."""
    sample = means[:512]
    squares = np.einsum("ij,ij->i", means, means)
    squared = squares[:512, None] - 2.0 * sample @ means.T + squares
    squared[np.arange(len(sample)), np.arange(len(sample))] = np.inf
    nearest = np.sqrt(np.maximum(squared.min(axis=1), 0.0))
    return float(np.median(nearest)) / (2.0 * SEPARATION)


def _mixture(cell: Cell, rng: np.random.Generator, out: Array) -> None:
    """Gaussian components of unequal spread at random places of the unit cube."""
    means = rng.random((cell.k, cell.d))
    spread = _overlap(means) if cell.spread is None else cell.spread
    spreads = spread * rng.uniform(0.5, 1.5, cell.k)
    for start in range(0, cell.n, CHUNK):
        block = out[start : start + CHUNK]
        labels = rng.integers(0, cell.k, len(block))
        block[:] = means[labels] + spreads[labels, None] * rng.standard_normal(block.shape)


def _embeddings(cell: Cell, rng: np.random.Generator, out: Array) -> None:
    """Unit vectors of low intrinsic dimension, as a text encoder makes them."""
    latent, hidden = 30, 256
    topics = 0.6 * rng.standard_normal((60, latent))
    first = rng.standard_normal((latent, hidden)) / np.sqrt(latent)
    bias = 0.3 * rng.standard_normal(hidden)
    second = rng.standard_normal((hidden, cell.d)) / 16.0
    for start in range(0, cell.n, CHUNK // 8):
        block = out[start : start + CHUNK // 8]
        z = topics[rng.integers(0, len(topics), len(block))]
        z = z + rng.standard_normal((len(block), latent))
        rows = np.maximum(z @ first + bias, 0.0) @ second
        rows += 0.15 * rows.std() * rng.standard_normal(rows.shape)
        block[:] = rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _noise(cell: Cell, rng: np.random.Generator, out: Array) -> None:
    """One Gaussian: no structure to exploit."""
    for start in range(0, cell.n, CHUNK):
        block = out[start : start + CHUNK]
        block[:] = rng.standard_normal(block.shape)


def _pixels(cell: Cell, rng: np.random.Generator, out: Array) -> None:
    """Colours of scikit-learn's photograph of a temple, jittered within one level."""
    from sklearn.datasets import load_sample_image  # an optional dependency of this cell

    colours = load_sample_image("china.jpg").reshape(-1, 3)
    for start in range(0, cell.n, CHUNK):
        block = out[start : start + CHUNK]
        rows = np.arange(start, start + len(block)) % len(colours)
        block[:] = (colours[rows] + rng.uniform(-0.5, 0.5, block.shape)) / 255.0


def _file(cell: Cell, rng: np.random.Generator, out: Array) -> None:
    """The first rows of a ``.npy`` file of any real dtype."""
    out[:] = np.load(cell.source, mmap_mode="r")[: cell.n]


_MAKERS = {
    "mixture": _mixture,
    "embeddings": _embeddings,
    "noise": _noise,
    "pixels": _pixels,
    "file": _file,
}


@lru_cache(maxsize=1)
def make(cell: Cell, dtype: str) -> tuple[Array, Array]:
    """Make the rows of a cell and the centers that every library starts from.

    Parameters
    ----------
    cell : Cell
    dtype : str
        ``"float32"`` or ``"float64"``.

    Returns
    -------
    X : ndarray of shape (n, d)
    centers : ndarray of shape (k, d)
        Rows of ``X``, drawn without replacement; all different, as libraries differ in
        what becomes of a cluster without rows.
    """
    rng = np.random.default_rng(0)
    X = np.empty((cell.n, cell.d), dtype)
    cell.fill(rng, X)
    rows: Any = cell.n
    if cell.repeats:
        rows = np.sort(np.unique(X, axis=0, return_index=True)[1])
    centers = X[rng.choice(rows, cell.k, replace=False)].copy()
    return X, centers


def reference_inertia(
    X: Array, centers: Array, max_rows: int = 200_000, max_scores: int = 50_000_000
) -> float:
    """Inertia of ``centers`` in float64 NumPy, on evenly spaced rows where ``X`` is large.

    Labels come from the expanded form, the inertia from differences.  Only values from
    the same ``X`` may be compared: it is a mean over the rows looked at.
    """
    k = len(centers)
    rows = min(len(X), max_rows, max(1000, max_scores // k))
    sample = X[np.linspace(0, len(X) - 1, rows).astype(np.intp)]
    exact = np.asarray(centers, np.float64)
    shift = exact.mean(axis=0)
    moved = exact - shift
    bias = 0.5 * np.einsum("ij,ij->i", moved, moved)
    step, total = max(1, 4_000_000 // k), 0.0
    for start in range(0, rows, step):
        block = np.asarray(sample[start : start + step], np.float64)
        labels = np.argmax((block - shift) @ moved.T - bias, axis=1)
        difference = block - exact[labels]
        total += float(np.einsum("ij,ij->", difference, difference))
    return total / rows
