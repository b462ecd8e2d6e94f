"""What the tests of kernels share: rows in every layout, centers as tiles.

Most inputs of these tests are small integers: every sum is then exact in float32 too,
results can be compared bit for bit, and exact ties abound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastkmeans._data.scaling import Scaling, make_scaling
from fastkmeans._engines.base import Packed
from fastkmeans._kernels.emit.simd import CENTERS, POINTS

Array = NDArray[Any]
DTYPES = [np.float32, np.float64]
LAYOUTS = ["C", "F", "strided"]


def sealed(weights: Array) -> Array:
    """Return weights as validation does, read-only: numba compiles for them apart."""
    weights = weights.view()
    weights.flags.writeable = False
    return weights


def lay_out(X: Array, layout: str) -> Array:
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "strided":
        wide = np.full((2 * len(X), 3 * X.shape[1] + 1), 99, X.dtype)
        wide[::2, 1::3] = X
        return wide[::2, 1::3]
    return np.ascontiguousarray(X)


def make_tiles(centers: Array, dtype: Any, rubbish: float = 0.0) -> Array:
    """Lay centers out as tiles; the padding holds ``rubbish`` below a bias of -inf."""
    k, d = centers.shape
    padded = np.full((-(-k // CENTERS) * CENTERS, 1 + d), rubbish)
    padded[:, 0] = -np.inf
    padded[:k, 0] = -(centers**2).sum(axis=1) / 2
    padded[:k, 1:] = centers
    return np.ascontiguousarray(padded.reshape(-1, CENTERS, 1 + d).transpose(0, 2, 1), dtype)


def best_two_reference(points: Array, centers: Array) -> tuple[Array, Array, Array]:
    scores = points @ centers.T - (centers**2).sum(axis=1) / 2
    index = scores.argmax(axis=1)
    best = np.take_along_axis(scores, index[:, None], 1)[:, 0]
    np.put_along_axis(scores, index[:, None], -np.inf, 1)
    return best, scores.max(axis=1), index


def new_best_two(dtype: Any, shape: Any = (2, POINTS)) -> tuple[Array, Array, Array, Array]:
    """Return home, best, second and index of points without a label."""
    nobody, nothing = np.full(shape, -1, np.int32), np.full(shape, -np.inf, dtype)
    return nobody, nothing, nothing.copy(), nobody.copy()


def prepare(
    X: Array, centers: Array, shift: Any = 0.0, scale: float = 1.0
) -> tuple[Scaling, Packed]:
    scaling = make_scaling(X.dtype, np.zeros(X.shape[1]) + shift, scale)
    packed = Packed(*centers.shape)
    packed.pack(centers, scaling)
    return scaling, packed
