"""Types of arrays, and arrays that begin with a cache line.

NumPy aligns arrays to 16 bytes; every load of 64 bytes (AVX-512) would straddle two lines.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]
"""One cluster per row."""
LINE = 64
"""Bytes of a cache line."""
FEW_BYTES = 4096
"""Bytes up to which an array is left as NumPy aligns it: to find its address takes longer than
the loads that straddle two lines."""


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an uninitialised array in C order."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    if n_bytes <= FEW_BYTES:
        return np.empty(shape, dtype)
    memory = np.empty(n_bytes + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    array: NDArray[Any] = memory[start : start + n_bytes].view(dtype).reshape(shape)
    return array
