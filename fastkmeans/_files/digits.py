"""Digits that float32 loses: which columns no longer tell rows apart without them.

float32 holds 24 bits.  A Unix time, 1527007410.25, then stands on a grid of 128 seconds.
Whether that matters depends on the column.  Two looks decide, each of which has to find
a loss:

- In the first rows of a file, at least half of the different values have become equal to
  others.  A time that was written every second does so, too, in a table of a whole year.
- In a sample of the whole table only a few different values are left.  The year still has
  some hundred thousand.

Ordinary columns pass: those with few values lose none of them, and those with many keep
many.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FileWarning, argument
from .readers.pieces import Reader

FEW_VALUES = 256
"""Number of different values in a sample up to which a column is coarse.  With more, rounding
moves a value by less than a 500th of the range of the column."""
_BITS = 40  # of a value that count: what differs beyond is the rounding of float64 sums


def warn_of_lost_digits(
    readers: Sequence[Reader], names: Sequence[str], sample: NDArray[Any]
) -> None:
    """Warn of the columns of a float32 table that hold too few different values for it.

    Parameters
    ----------
    readers : sequence of Reader
        The files, which still know the exact values of the first rows.
    names : sequence of str
        The columns of the table.
    sample : ndarray of shape (m, n_features), float32
        Rows of the whole table.
    """
    for f, name in enumerate(names):
        for reader in readers:
            exact = reader.first_values(name)
            before, after = _n_different(exact), _n_different(_rounded(exact))
            if before > 1 and 2 * after <= before and _n_different(sample[:, f]) <= FEW_VALUES:
                warnings.warn(
                    FileWarning(
                        f"column {name!r} loses digits as float32: in the first rows of "
                        f"{reader.source.path}, {before} different values become {after}; "
                        f"{argument('dtype', 'float64')} keeps them apart"
                    ),
                    stacklevel=5,
                )
                break


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # an infinity is reported as such
        return values.astype(np.float32).astype(np.float64)


def _n_different(values: NDArray[Any]) -> int:
    """Return how many different values there are, to 40 bits, gaps aside."""
    values = values[np.isfinite(values)].astype(np.float64)
    digits, exponent = np.frexp(values)
    return int(np.unique(np.ldexp(np.rint(np.ldexp(digits, _BITS)), exponent - _BITS)).size)
