"""A guard around all tests of engines: none of them allocates a huge array.

The package is imported inside the fixture: pytest imports this file before
``tests/conftest.py`` has chosen the compile cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


class Guarded:
    """NumPy, except that it refuses arrays of more than a gigabyte: these data are small."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = float) -> Array:
        assert np.prod(shape, dtype=np.float64) * np.dtype(dtype).itemsize < 1e9, shape
        return np.empty(shape, dtype)


@pytest.fixture(autouse=True)
def _no_huge_array(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastkmeans._engines import boxes

    monkeypatch.setattr(boxes, "np", Guarded())
