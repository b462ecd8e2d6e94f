"""Run a serial kernel over ranges of rows in numba's threads.

Each range writes to its own rows and outputs, so the order of the ranges does not matter.
"""

import numba

from .calls import call_range
from .jit import parallel_jit


@parallel_jit
def drive(
    kernel,  # in int, address of the machine code of a kernel, see jit.address_of
    X,  # in (2, m, d) float32 or float64, any strides
    bounds,  # in (n_ranges + 1,) int64
    arguments,  # in tuple, what every range is given
    outputs,  # in/out tuple of arrays (n_ranges, ...), one item per range
):
    """Call ``kernel(X, bounds[r], bounds[r + 1], *arguments, *outputs[r])`` for every r."""
    for r in numba.prange(bounds.size - 1):
        call_range(kernel, X, bounds, r, arguments, outputs)
