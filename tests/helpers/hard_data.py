"""Data that are hard for digits: ties, offsets, scales, extremes, constant columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]
F32, F64 = np.float32, np.float64


class Case(NamedTuple):
    name: str
    make: Callable[[np.random.Generator], Array]
    k: int


def outliers(rng: np.random.Generator, size: float, width: float, d: int = 2) -> Array:
    clump = rng.normal(size=(200, d)) * width
    return np.vstack([clump + 1.0, rng.choice([-1.0, 1.0], (4, d)) * size * [[1], [2], [3], [4]]])


def with_constant_columns(rng: np.random.Generator) -> Array:
    X = np.full((200, 6), [1e6, 0.0, 0.1, -3.0, 1.0, 1.0])
    X[:, 4:] = rng.normal(size=(200, 2))
    return X


CASES = [
    Case("integer grid, float32", lambda r: r.integers(-3, 4, (500, 2)).astype(F32), 9),
    Case("integer grid, float64", lambda r: r.integers(-3, 4, (500, 3)).astype(F64), 20),
    Case("duplicated rows", lambda r: np.repeat(r.normal(size=(12, 3)), 30, axis=0), 12),
    Case("more clusters than rows", lambda r: np.repeat(r.normal(size=(7, 3)), 9, axis=0), 20),
    Case("offset 1e6, float32", lambda r: (r.normal(size=(400, 3)) + 1e6).astype(F32), 6),
    Case("offset 1e8, float64", lambda r: r.normal(size=(400, 3)) + 1e8, 6),
    Case("offset 1e8 in one column", lambda r: np.add(r.normal(size=(400, 3)), [1e8, 0, -1e-3]), 6),
    Case("column scales", lambda r: r.normal(size=(400, 5)) * 10.0 ** np.arange(-6, 9, 3), 8),
    Case("clump, float32", lambda r: outliers(r, 1e3, 1e-3).astype(F32), 6),
    Case("clump, float64", lambda r: outliers(r, 1e3, 1e-3), 6),
    Case("clump, far outliers, float32", lambda r: outliers(r, 1e9, 1e-3).astype(F32), 6),
    Case("clump, far outliers, float64", lambda r: outliers(r, 1e9, 1e-3), 6),
    Case("1e25, float32", lambda r: (r.normal(size=(300, 3)) * 1e25).astype(F32), 5),
    Case("1e38, float32", lambda r: (r.uniform(-3, 3, (300, 3)) * 1e38).astype(F32), 5),
    Case("1e-25, float32", lambda r: (r.normal(size=(300, 3)) * 1e-25).astype(F32), 5),
    Case("1e200", lambda r: r.normal(size=(300, 3)) * 1e200, 5),
    Case("1e-200", lambda r: r.normal(size=(300, 3)) * 1e-200, 5),
    Case("1e300", lambda r: r.normal(size=(300, 3)) * 1e300, 5),
    Case("the largest floats", lambda r: (r.random((300, 3)) * 2 - 1) * 1.7e308, 5),
    Case("1e-300", lambda r: r.normal(size=(300, 3)) * 1e-300, 5),
    Case("denormals, float32", lambda r: r.integers(0, 99, (300, 2)).astype(F32) * F32(1e-45), 4),
    Case("denormals, float64", lambda r: r.integers(0, 99, (300, 2)) * 5e-324, 4),
    Case("one feature", lambda r: r.normal(size=(500, 1)), 7),
    Case("one feature, float32", lambda r: r.normal(size=(500, 1)).astype(F32), 30),
    Case("a thousand features", lambda r: r.normal(size=(60, 1000)), 4),
    Case("a thousand features, float32", lambda r: r.normal(size=(60, 1000)).astype(F32), 14),
    Case("one cluster", lambda r: r.normal(size=(100, 4)), 1),
    Case("a cluster per row", lambda r: r.normal(size=(50, 4)), 50),
    Case("one row", lambda r: r.normal(size=(1, 3)), 1),
    Case("constant", lambda r: np.full((100, 3), 0.1), 3),
    Case("constant, float32", lambda r: np.full((100, 3), 0.1, F32), 3),
    Case("zeros", lambda r: np.zeros((50, 2)), 2),
    Case("constant columns", with_constant_columns, 4),
    Case("constant columns, float32", lambda r: with_constant_columns(r).astype(F32), 4),
]


each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
