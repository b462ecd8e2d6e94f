"""Sums of floats in the same order for all versions of Python and NumPy and all processors.

The built-in ``sum`` is compensated since Python 3.12.  NumPy 1.26 adds more than 8192 numbers
piece by piece, and NumPy 2 by halves.  No result comes from a matrix product (``@``,
``numpy.dot``): BLAS libraries add in another order on each processor.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats

PIECE = 8192
"""The most numbers that all versions of NumPy add in the same order: NumPy's buffer size."""


def total_of(values: NDArray[Any]) -> float:
    """Return the sum of all values, added in the order in which NumPy 2 adds an array."""
    flat = values.reshape(-1)
    if flat.size <= PIECE:
        return float(flat.sum())
    half = flat.size // 2
    half -= half % 8
    return total_of(flat[:half]) + total_of(flat[half:])


def column_totals(table: Floats) -> Floats:
    """Return the sum of each column, in the order in which NumPy 2 adds C-ordered rows."""
    if table.shape[1] == 1:  # NumPy takes a single column for one long array
        return np.array([total_of(table)])
    totals: Floats = np.ascontiguousarray(table).sum(axis=0)
    return totals
