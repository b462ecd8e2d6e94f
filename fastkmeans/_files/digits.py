"""Columns whose rows no longer differ because float32 loses digits.

float32 holds 24 bits, so a Unix time such as 1527007410.25 is rounded to 128 seconds.  Whether
that matters depends on the column.  A warning needs a loss in both of two checks:

- The first rows of a file: at least half of the different values became equal to others.  A
  time that was written every second fails this check, even in a table of a whole year.
- A sample of the whole table: only a few different values are left.  The year passes this
  check: it still has some hundred thousand.

Ordinary columns pass: those with few values lose none, and those with many keep many.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats
from .._runtime.text import shown
from .errors import argument, warn
from .readers.pieces import Reader

FEW_VALUES = 256
"""Different values in a sample, at most, of a column that fails.  With more, rounding moves a
value by less than a 500th of the column's range."""
_BITS = 40  # leading bits of a value that count: later bits differ by float64 rounding of sums


def warn_of_lost_digits(
    readers: Sequence[Reader], names: Sequence[str], sample: NDArray[Any]
) -> None:
    """Warn of columns that have too few different values left as float32.

    ``readers`` give the exact values of the first rows; ``sample`` holds rows of the whole table.
    """
    for f, name in enumerate(names):
        for reader in readers:
            exact = reader.first_values(name)
            before, after = _n_different(exact), _n_different(_rounded(exact))
            if before > 1 and 2 * after <= before and _n_different(sample[:, f]) <= FEW_VALUES:
                warn(
                    f"column {shown(name)} loses digits as float32: in the first rows of "
                    f"{reader.source.path}, {before} different values become {after}; "
                    f"{argument('dtype', 'float64')} keeps them apart",
                    stacklevel=5,
                )
                break


def _rounded(values: Floats) -> Floats:
    with np.errstate(over="ignore"):  # an infinity is reported as such
        return values.astype(np.float32).astype(np.float64)


def _n_different(values: NDArray[Any]) -> int:
    """Return the number of different finite values, compared to 40 bits."""
    values = values[np.isfinite(values)].astype(np.float64)
    digits, exponent = np.frexp(values)
    return int(np.unique(np.ldexp(np.rint(np.ldexp(digits, _BITS)), exponent - _BITS)).size)
