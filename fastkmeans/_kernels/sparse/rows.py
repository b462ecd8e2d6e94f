"""Sparse rows: stored values in compressed rows (CSR), and the moments of their columns.

Row i holds ``values[e]`` in column ``indices[e]`` for ``e`` in ``starts[i]:starts[i + 1]``.  The
columns of a row rise.  What is not stored is zero, and no kernel visits it.  The values of the rows
are the first argument of every kernel, in place of ``X``.

Coordinates are scaled, but not shifted: a shift would make rows dense.  By cosine a row is also
multiplied by its inverse length.

Loop order: rows, then stored values.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._runtime.jit import jit, jit_inline

SUM, WEIGHT, SQUARES = range(3)
"""Rows of a table of column moments."""


class Stored(NamedTuple):
    """Where the stored values belong."""

    indices: Any  # in (n_stored,) int32, columns, rising within a row
    starts: Any  # in (m + 1,) int64, first stored value of each row, and their number


class Scaled(NamedTuple):
    """Rows as they count: ``value * scale``, by cosine times ``inverse``."""

    indices: Any  # in (n_stored,) int32, see Stored
    starts: Any  # in (m + 1,) int64, see Stored
    scale: Any  # in float64, power of two
    inverse: Any  # in (m,) float64, inverse lengths; of size 0: rows count with their lengths


@jit_inline
def factor_of(
    scaled,  # in Scaled
    i,  # in int, row
):
    """Return what the values of a row are multiplied by; 0 by cosine, if float64 holds no such."""
    if scaled.inverse.size == 0:
        return scaled.scale
    factor = scaled.scale * scaled.inverse[i]
    return factor if factor < np.inf else 0.0


@jit
def add_columns(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    stored,  # in Stored
    weights,  # in (m,) float64, or of size 0: all ones
    scale,  # in float64, power of two
    columns,  # in/out (3, d) float64: SUM, WEIGHT of the rows that store a value, SQUARES
):
    """Add weighted values, weights and squares of rows ``start:stop``, column by column."""
    indices, starts = stored
    for i in range(start, stop):
        w = weights[i] if weights.size else 1.0
        for e in range(starts[i], starts[i + 1]):
            f, x = indices[e], np.float64(values[e]) * scale
            columns[SUM, f] += w * x
            columns[WEIGHT, f] += w
            columns[SQUARES, f] += w * (x * x)


@jit
def add_deviations(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    stored,  # in Stored
    weights,  # in (m,) float64, or of size 0: all ones
    scale,  # in float64, power of two
    means,  # in (d,) float64, scaled
    deviations,  # in/out (d,) float64
):
    """Add the weighted squared deviations of the stored values from the means of their columns."""
    indices, starts = stored
    for i in range(start, stop):
        w = weights[i] if weights.size else 1.0
        for e in range(starts[i], starts[i + 1]):
            f = indices[e]
            deviation = np.float64(values[e]) * scale - means[f]
            deviations[f] += w * (deviation * deviation)
