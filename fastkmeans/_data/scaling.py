"""The scaling of the data, from one pass for mean, variance, minimum and maximum per column.

They give the scaled, shifted coordinates of the kernels and the tolerance in the units of the
data.  They also show whether a value is not finite.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.shared.moments import M2, MEAN, MINIMUM, WEIGHT
from .._runtime.adding import total_of
from .._runtime.arrays import Floats
from .._runtime.threads import Team
from .moments import moments
from .rows import FLOAT32, Rows
from .sparse import SparseRows, column_moments

LARGEST = float(np.finfo(np.float32).max)


class NotFiniteError(Exception):
    """A value of the rows is NaN or infinite."""


class Scaling(NamedTuple):
    """Scaled, shifted coordinates ``x' = (x - shift) * scale`` of one table."""

    shift: Floats  # (n_features,), close to the mean, exact in the data's dtype
    scale: float  # power of two that brings the largest coordinate to about 1
    mean_variance: float  # mean over the columns of the (weighted) variance, in scaled units
    scatter: float  # weighted sum of |x'|^2 over all rows
    widest: float  # largest standard deviation of a column, in scaled units
    offset: Floats  # -shift * scale
    x_offset: NDArray[Any]  # offset in the data's dtype
    x_scale: Any  # scale in the data's dtype
    unit: float  # power of two from a center's coordinates to scaled ones: scale, unless by cosine
    by_cosine: bool = False  # rows and centers count with length 1; then nothing is shifted


def power_of_two(size: float, dtype: np.dtype[Any]) -> float:
    """Return the power of two that brings ``size`` to about 1, exact in ``dtype``."""
    if not 0.0 < size < math.inf:
        return 1.0
    limit = 126 if dtype == np.float32 else 1022
    return math.ldexp(1.0, min(limit, max(-limit, -math.frexp(size)[1])))


def make_scaling(
    dtype: np.dtype[Any],
    mean: Floats,
    scale: float,
    mean_variance: float = 0.0,
    weight: float = 0.0,
    widest: float = 0.0,
) -> Scaling:
    """Return the scaling for data around ``mean`` with total weight ``weight``."""
    shift = mean
    if dtype == FLOAT32:
        shift = np.minimum(np.maximum(mean, -LARGEST), LARGEST).astype(dtype).astype(np.float64)
    offset = shift * -scale
    scatter = mean_variance * len(mean)
    if shift is not mean:
        beside = (mean - shift) * scale
        scatter += total_of(beside * beside)
    scatter *= weight
    return Scaling(
        shift, scale, mean_variance, scatter, widest,
        offset, offset.astype(dtype, copy=False), dtype.type(scale), scale,
    )  # fmt: skip


def unshifted(
    dtype: np.dtype[Any],
    n_features: int,
    scale: float,
    unit: float = 1.0,
    mean_variance: float = 0.0,
    scatter: float = 0.0,
    widest: float = 0.0,
) -> Scaling:
    """Return a scaling by cosine; centers have length ``unit`` in scaled units."""
    zeros = np.zeros(n_features)
    return Scaling(
        zeros, scale, mean_variance, scatter, widest, zeros, zeros.astype(dtype),
        dtype.type(scale), unit, True,
    )  # fmt: skip


def _sparse_scaling(rows: SparseRows, weights: Floats, team: Team) -> Scaling:
    """Return the scaling of sparse rows, without a shift, which would make them dense."""
    size = rows.largest_magnitude()
    if not math.isfinite(size):
        raise NotFiniteError
    scale = power_of_two(size, rows.dtype)
    found = column_moments(rows, weights, team, scale)
    d = rows.shape[1]
    own = make_scaling(rows.dtype, np.zeros(d), scale, total_of(found.variances) / d)
    return own._replace(scatter=found.scatter)


def checked_moments(rows: Rows, weights: Floats, team: Team) -> tuple[Floats, float]:
    """Return the moments of the data times a power of two, and this power.

    A NaN or infinite value is a ``NotFiniteError``.
    """
    table = moments(rows, weights, team, 1.0)
    size = float(np.abs(table[MINIMUM:]).max())
    if not math.isfinite(size) or (size < 1e150 and math.isnan(sum(table[MEAN].tolist()))):
        raise NotFiniteError
    unit = 1.0
    if size > 1e150 or 0.0 < size < 1e-150:  # squares overflow, or vanish
        unit = power_of_two(size, np.dtype(np.float64))
        table = moments(rows, weights, team, unit)
        if np.isnan(table[MEAN]).any():
            raise NotFiniteError
    return table, unit


def scaling_of(rows: Rows, weights: Floats, team: Team) -> Scaling:
    """Return the scaling of the data; raise ``NotFiniteError`` if a value is NaN or infinite."""
    if isinstance(rows, SparseRows):
        return _sparse_scaling(rows, weights, team)
    table, unit = checked_moments(rows, weights, team)
    mean = table[MEAN]
    reach = float(np.abs(table[MINIMUM:] - mean).max())
    zoom = min(power_of_two(reach, rows.dtype), 2.0**1022 / unit)  # denormals
    weight = float(table[WEIGHT, 0])
    variances = table[M2] / weight
    variance = total_of(variances) / len(mean) * zoom * zoom
    widest = math.sqrt(float(variances.max())) * zoom
    mean = mean if unit == 1.0 else mean / unit
    return make_scaling(rows.dtype, mean, zoom * unit, variance, weight, widest)
