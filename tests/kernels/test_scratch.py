"""Scratch arrays of kernels: what ``numpy.empty`` gives."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from fastkmeans._kernels.emit.scratch import ALIGNMENT, empty
from fastkmeans._runtime.jit import jit_with_scratch
from tests.helpers.kernels import Array


@jit_with_scratch
def fill_scratch(like: Array, n: int, rounds: int) -> Any:
    """Fill arrays in a loop, so that they are given back as often as they are made."""
    total = 0.0
    for _ in range(rounds):
        flat, cube = empty(n, np.int64), empty((2, n, 3), like.dtype)
        for i in range(flat.size):
            flat[i] = i
        for a in range(cube.shape[0]):
            for i in range(cube.shape[1]):
                for f in range(cube.shape[2]):
                    cube[a, i, f] = a + i + f
        total += flat.sum() + cube[1, n - 1, 2]
    return total, flat.shape, flat.size, cube.size, cube.strides, cube.itemsize, cube.ctypes.data


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_scratch_is_as_numpys(dtype: Any) -> None:
    n = 17
    total, shape, flat_size, size, strides, itemsize, address = fill_scratch(
        np.zeros(1, dtype), n, 3
    )
    same = np.empty((2, n, 3), dtype)
    assert (shape, flat_size) == ((n,), n)
    assert (size, strides, itemsize) == (same.size, same.strides, same.itemsize)
    assert total == 3 * (n * (n - 1) / 2 + n + 2)
    assert address % ALIGNMENT == 0


@pytest.mark.skipif(sys.platform != "linux", reason="counts kilobytes")
def test_scratch_is_given_back() -> None:
    resource = pytest.importorskip("resource")
    fill_scratch(np.zeros(1), 1000, 10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fill_scratch(np.zeros(1), 1000, 20_000)  # 1.1 GB in all
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
