"""Run a serial kernel over ranges of rows in numba's threads.

Each range writes to its own rows and outputs, so the order of the ranges does not matter.
"""

from __future__ import annotations

import numba

from .calls import call_range
from .jit import parallel_jit


@parallel_jit
def drive(
    kernel,  # address of the machine code of a kernel, see ``_runtime.jit.address_of``
    X,  # in (2, m, d)
    bounds,  # in (n_ranges + 1,) int64
    arguments,  # tuple of what all ranges are given
    outputs,  # tuple of arrays (n_ranges, ...), an item for each range
):
    """Call ``kernel(X, bounds[r], bounds[r + 1], *arguments, *outputs[r])`` for every r."""
    for r in numba.prange(bounds.size - 1):
        call_range(kernel, X, bounds, r, arguments, outputs)
