"""What ``faiss`` is made of: parameters, faiss's random numbers, and products with centers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import CHUNK
from .._data.tables import Table
from .._data.validation import check_count, check_switch

REDO_STEP = 15486557
"""What faiss adds to the seed for each further run."""


@dataclass(slots=True)
class ClusteringParameters:
    """The parameters of ``Kmeans``, as its attribute ``cp``; an unknown one is an error."""

    niter: int = 25
    nredo: int = 1
    verbose: bool = False
    spherical: bool = False
    seed: int = 1234
    min_points_per_centroid: int = 39
    max_points_per_centroid: int = 256

    def check(self) -> None:
        """Raise an error that names the first parameter of a wrong type or size."""
        for name in ("niter", "nredo", "max_points_per_centroid"):
            check_count(getattr(self, name), name)
        check_count(self.min_points_per_centroid, "min_points_per_centroid", low=0)
        check_count(self.seed, "seed", low=-(1 << 63))
        check_switch(self.verbose, "verbose")
        check_switch(self.spherical, "spherical")


def write_products(
    table: Table, centers: NDArray[np.float64], labels: NDArray[Any], out: NDArray[np.float32]
) -> None:
    """Write the product of each row with its center."""
    for start, X in table.rows.blocks():
        for at in range(0, X.shape[1], CHUNK):
            rows = X[0, at : at + CHUNK].astype(np.float64)
            part = slice(start + at, start + at + len(rows))
            out[part] = np.einsum("ij,ij->i", rows, centers[labels[part]])


def permuted(n: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return the first items of faiss's random permutation of ``range(n)``.

    faiss draws by a Mersenne twister, as NumPy's legacy generator does: the shuffle of Fisher and
    Yates takes one 32-bit number per item, modulo the number of items left.
    """
    at = np.arange(min(count, n - 1))
    draws = np.random.RandomState(seed & 0xFFFFFFFF).randint(0, 1 << 32, at.size, np.uint32)
    others = at + draws % (n - at)
    moved: dict[int, int] = {}
    out = []
    for i, j in zip(at.tolist(), others.tolist(), strict=True):
        out.append(moved.get(j, j))
        moved[j] = moved.get(i, i)
    if count == n:
        out.append(moved.get(n - 1, n - 1))
    return np.array(out, np.int64)
