"""The data of the fits of ``digests.py``: the same bits on every machine.

They are made from uniform draws by additions, multiplications and divisions, which are
rounded in one way everywhere; so nothing here takes a logarithm, or adds up by NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from digest_cases import Case
from numpy.typing import NDArray

Array = NDArray[Any]

EMBEDDINGS = Path(__file__).resolve().parent / "resources" / "summaries_minilm_2k_384_f16.npy"


def bell(rng: np.random.Generator, n: int, d: int) -> Array:
    """Draw numbers from -2 to 2, most of them near 0."""
    a, b, c, e = (rng.random((n, d)) for _ in range(4))
    return ((a + b) + (c + e)) - 2.0


def whole(rng: np.random.Generator, most: int, shape: tuple[int, ...]) -> Array:
    """Draw whole numbers below ``most``."""
    return np.floor(rng.random(shape) * most)


@cache
def embeddings() -> Array:
    return np.load(EMBEDDINGS).astype(np.float64)


def mixture(rng: np.random.Generator, n: int, d: int) -> Array:
    """Draw twelve groups that overlap."""
    middles = whole(rng, 13, (12, d)) - 6.0
    return middles[whole(rng, 12, (n,)).astype(int)] + bell(rng, n, d)


def scales(rng: np.random.Generator, n: int, d: int) -> Array:
    """Draw rows and columns of very different size; the first column is constant."""
    X = bell(rng, n, d) * 2.0 ** (whole(rng, 12, (n, 1)) - 6.0)
    X = X * 2.0 ** (3.0 * (np.arange(d) % 7) - 9.0)
    X[:, 0] = 3.0
    return X


DATA: dict[str, Callable[[np.random.Generator, int, int], Array]] = {
    "noise": bell,
    "mixture": mixture,
    "scales": scales,
    "grid": lambda rng, n, d: whole(rng, 4, (n, d)),  # distances are equal often
    "repeats": lambda rng, n, d: bell(rng, 20, d)[whole(rng, 20, (n,)).astype(int)],
    "offset": lambda rng, n, d: mixture(rng, n, d) + 1e6,
    "measures": lambda rng, n, d: np.floor(10.0 * (mixture(rng, n, d) + 9.0)) / 10.0,
    "pictures": lambda rng, n, d: np.clip(np.floor(2.0 * mixture(rng, n, d)), 0.0, 16.0),
    "embeddings": lambda rng, n, d: embeddings()[:n, :d].copy(),
}


def as_type(X: Array, dtype: str) -> Array:
    """Convert to a dtype; nothing is rounded that a processor could round otherwise."""
    if np.dtype(dtype).kind == "f":
        return (np.floor(X * 32.0) / 32.0 if dtype == "float16" else X).astype(dtype)
    X = np.floor(X * 8.0)
    return (X - X.min() if dtype.startswith("u") else X).astype(dtype)


def laid_out(X: Array, layout: str) -> Array:
    """Return the same values in another layout."""
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "strided":
        wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), X.dtype)
        wide[::2, ::3] = X
        return wide[::2, ::3]
    if layout == "backwards":
        return np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
    return X


def rows_of(case: Case, seed: int = 0) -> Array:
    rng = np.random.Generator(np.random.PCG64([case.n, case.d, seed]))
    return laid_out(as_type(DATA[case.data](rng, case.n, case.d), case.dtype), case.layout)


def weights_of(case: Case) -> Any:
    """Return the weights of a case, or None."""
    uniform = np.random.Generator(np.random.PCG64(case.n)).random(case.n)
    return {
        "": lambda: None,
        "even": lambda: np.ones(case.n),
        "random": lambda: uniform,
        "zeros": lambda: np.where(uniform < 0.3, 0.0, uniform),
        "huge": lambda: np.where(uniform < 0.5, uniform, uniform * 2.0**40) * 2.0**960,
    }[case.weights]()


def first_centers(X: Array, case: Case) -> Any:
    """Return the ``init`` of a case: rows at equal distances, some of them moved far away."""
    if case.init in ("k-means++", "random", "auto"):
        return case.init
    if case.init == "function":
        return lambda X, k, random_state: X[random_state.permutation(len(X))[:k]]
    centers = X[:: len(X) // case.k][: case.k].astype(np.float64)
    if case.init == "far":  # clusters that begin without a row
        centers[::3] += 1000.0 * (1.0 + np.arange(len(centers[::3])))[:, None]
    return centers
