"""After the first pass: remove empty columns, fill missing values, scale.

All of this happens in place, in a file that does not have its final name yet.
"""

import math
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..._data.scaling import power_of_two
from ..._runtime.arrays import Floats
from ..._runtime.text import bare, shown
from ..errors import FileError, argument, warn
from ..statistics import ColumnStatistics, Moments
from .first_pass import FirstPass

_BLOCK = 1 << 20  # values that are rewritten at a time
_EXTREME = 1e70  # a weighted square of a value beyond it may overflow; below 1 / it, vanish


def finish(
    first: FirstPass, label: Any, standardize: bool, progress: Any = None
) -> tuple[dict[str, Any], NDArray[Any]]:
    """Rewrite the rows of the first pass in the form to cluster; return metadata and a sample."""
    if first.log.n == first.n_source:
        raise FileError(f"{label}: not one row can be read: every one was skipped")
    alive, names = first.alive, first.wanted.names
    empty = [name for name, has_value in zip(names, alive, strict=True) if not has_value]
    if empty and first.wanted.asked:
        raise FileError(
            f"{label}: column {empty[0]!r} has no values at all: leave it out of "
            f"{argument('columns')}"
        )
    if not alive.any():
        raise FileError(f"{label}: the numeric columns hold no values at all")
    if first.missing == "error" and first.first_gap is not None:
        _refuse_gaps(first)
    if not first.n_kept:
        _refuse_all_dropped(first, label)
    _check_weights(first, label)
    _check_fill(first, label)
    columns = np.flatnonzero(alive)
    statistics = first.moments.result().take(columns)
    share = first.moments.share(first.total_weight)[columns]
    fill = statistics.mean if first.missing == "mean" else np.zeros(len(columns))
    shift, scale, unit = np.zeros(len(columns)), np.ones(len(columns)), np.ones(len(columns))
    left = [names[f] for f in columns]
    if standardize:
        shift, scale, constant = _scales(statistics, share, fill, left)
        for f in np.flatnonzero(~constant & ~_in_range(first, statistics, scale)).tolist():
            shift[f], scale[f], unit[f] = _extreme_scale(first, columns[f], statistics, f, fill[f])
    sample = first.reservoir.result()
    fills = first.missing in ("mean", "zero") and bool(statistics.missing.any())
    if empty or fills or standardize:

        def new(rows: NDArray[Any]) -> NDArray[Any]:
            x = rows[:, columns]
            if fills:
                x = np.where(np.isnan(x), fill.astype(x.dtype), x)
            return ((x * unit - shift) / scale).astype(x.dtype) if standardize else x

        n, height = first.rows.n_rows, max(1, _BLOCK // len(names))
        for rows, write in first.rows.rewrite(len(columns), height):
            write(new(rows))
            if progress is not None:
                progress("finishing", first.rows.n_rows, n)
        sample = new(sample)
    return {
        "names": left,
        "empty": empty,
        "statistics": {name: field.tolist() for name, field in vars(statistics).items()},
        "shift": (shift / unit).tolist(),
        "scale": (scale / unit).tolist(),
    }, sample


def _scales(
    statistics: ColumnStatistics, share: Floats, fill: Floats, names: list[str]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return mean and standard deviation of the filled columns, and which are constant."""
    with np.errstate(over="ignore", invalid="ignore"):
        apart = statistics.mean - fill
        shift = fill + share * apart
        # The variance of a mixture: values present, and gaps filled at a distance from their mean.
        scale = np.sqrt(share * statistics.variance + share * (1.0 - share) * apart * apart)
    constant = statistics.constant & ((share == 1.0) | (apart == 0.0))
    for name, value in zip(np.array(names)[constant], statistics.minimum[constant], strict=True):
        warn(f"column {str(name)!r} is constant ({value:g}): it does not tell rows apart", 6)
    shift = np.where(constant, statistics.minimum, shift)
    return shift, np.where(constant, 1.0, scale), constant


def _in_range(first: FirstPass, statistics: ColumnStatistics, scale: Floats) -> NDArray[np.bool_]:
    """Return the columns whose squares, with or without weights, stay in range of float64."""
    size = np.maximum(-statistics.minimum, statistics.maximum)
    in_range: NDArray[np.bool_] = (scale > 0.0) & np.isfinite(scale)
    for value in (size, first.total_weight):
        in_range &= (value > 1.0 / _EXTREME) & (value < _EXTREME)
    return in_range


def _extreme_scale(
    first: FirstPass, column: int, statistics: ColumnStatistics, f: int, fill: float
) -> tuple[float, float, float]:
    """Return mean and standard deviation of a column times a power of two, and that power.

    The rows are read again, because the power follows from the minimum and maximum.
    """
    size = max(-statistics.minimum[f], statistics.maximum[f])
    unit = power_of_two(float(size), np.dtype(np.float64))
    share = power_of_two(first.total_weight, np.dtype(np.float64))
    moments, height = Moments(1), max(1, _BLOCK // len(first.wanted.names))
    weights = first.weights.blocks(height) if first.weights else None
    for rows in first.rows.blocks(height):
        x = rows[:, [column]].astype(np.float64)
        x = np.where(np.isnan(x), fill, x) * unit
        w = next(weights)[:, 0] if weights else np.ones(len(x))
        moments.add_with_gaps(x, np.zeros(x.shape, np.bool_), w * share)
    found = moments.result()
    return float(found.mean[0]), math.sqrt(found.variance[0]) or 1.0, unit


def _check_fill(first: FirstPass, label: Any) -> None:
    """Raise if a mean to fill in overflowed."""
    mean, missing = first.moments.result().mean, first.moments.missing
    bad = (missing > 0) & first.alive & ~np.isfinite(mean)
    if first.missing == "mean" and bad.any():
        name = first.wanted.names[int(bad.argmax())]
        raise FileError(
            f"{label}: the values of column {shown(name)} add up to more than float64 holds, so "
            f"its gaps cannot be filled with the mean: use {argument('missing', 'drop')}"
        )


def _check_weights(first: FirstPass, label: Any) -> None:
    """Raise unless the sum of the weights is positive and finite."""
    if first.weights is None or 0.0 < first.total_weight < np.inf:
        return
    what, out = ("add up to more than float64 holds", "scale them down")
    if first.total_weight == 0.0:
        what, out = "are all zero", "at least one must be positive"
    raise FileError(
        f"{label}: the weights, column {shown(first.wanted.weight_column)}, {what}: {out}"
    )


def _refuse_gaps(first: FirstPass) -> NoReturn:
    gap, names = first.first_gap, first.wanted.names
    assert gap is not None
    name = names[int((gap.columns & first.alive).argmax())]
    n_rows = first.n_source - first.log.n
    counts = ", ".join(
        f"{bare(name)} {count}"
        for name, count, alive in zip(names, first.moments.missing, first.alive, strict=True)
        if count and alive
    )
    raise FileError(
        f"{gap.file}: {n_rows - first.n_kept} of {n_rows} rows lack a value, first {gap.place} in "
        f"column {shown(name)} (missing by column: {counts}). Use {argument('missing', 'drop')} to "
        f"leave such rows out, or {argument('missing', 'mean')} to fill in the mean"
    )


def _refuse_all_dropped(first: FirstPass, label: Any) -> NoReturn:
    missing = np.where(first.alive, first.moments.missing, -1)
    worst = first.wanted.names[int(missing.argmax())]
    raise FileError(
        f"{label}: every row lacks a value in some column, so {argument('missing', 'drop')} leaves "
        f"none; {argument('exclude', worst)} (the emptiest column), or use "
        f"{argument('missing', 'mean')}"
    )
