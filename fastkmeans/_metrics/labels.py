"""Labels of any kind as clusters, numbered from 0."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._data.rows import CHUNK, Rows
from .._data.tensors import as_array
from .._runtime.arrays import Labels
from .._runtime.errors import plain

SPARE = 1 << 16
"""Numbers without a row, among labels that are whole numbers, that a table of them may hold."""


class Clustering(NamedTuple):
    """Which cluster each row is in; every cluster has a row, perhaps of weight 0."""

    labels: Labels  # (n_samples,)
    n_clusters: int


def clustering_of(labels: Any, rows: Rows) -> Clustering:
    """Return clusters numbered by rising label, whatever the labels are."""
    array = _as_column(labels, rows.shape[0])
    if array.dtype.kind in "biu":
        low, high = int(array.min()), int(array.max())
        if high - low < len(array) + SPARE:
            return _from_integers(array, low, high, rows)
    _refuse_none(array)
    try:
        values, numbers = np.unique(array, return_inverse=True)
    except TypeError as error:
        raise TypeError(
            f"labels cannot be sorted ({error}): give labels of one type, numbers or text."
        ) from error
    return Clustering(numbers.reshape(-1).astype(np.int32), len(values))


def _refuse_none(array: NDArray[Any]) -> None:
    """Raise if a label says that there is none: NaN, infinity, NaT, None or NA."""
    kind = array.dtype.kind
    if kind in "fc":
        bad = np.flatnonzero(~np.isfinite(array))
    elif kind in "mM":
        bad = np.flatnonzero(np.isnat(array))
    elif kind == "O":
        bad = np.flatnonzero([_is_none(each) for each in array])
    else:
        return
    if bad.size:
        raise ValueError(
            f"labels holds {plain(array[bad[0]])} at row {bad[0]} (Input y contains NaN or "
            "infinity): give every row a label, or drop the row."
        )


def _is_none(label: Any) -> bool:
    """Return whether a label of any type stands for none."""
    if label is None or (isinstance(label, float) and not math.isfinite(label)):
        return True
    same = label == label  # NaN and NaT differ from themselves, NA from all
    return not isinstance(same, bool | np.bool_) or not same


def _as_column(labels: Any, n_samples: int) -> NDArray[Any]:
    try:
        array = as_array(labels, "labels")
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            f"labels is a list of lists of different lengths, expected {(n_samples,)}: one label "
            "per row of X."
        ) from error
    if array.ndim != 1:
        raise ValueError(
            f"labels has shape {array.shape}, expected {(n_samples,)}: one label per row of X. "
            "(y should be a 1d array.)"
        )
    if len(array) != n_samples:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"{[n_samples, len(array)]}. labels needs one label per row of X."
        )
    return array


def _from_integers(array: NDArray[Any], low: int, high: int, rows: Rows) -> Clustering:
    """Return clusters numbered with a table of all whole numbers between the labels."""
    used = np.zeros(high - low + 1, np.bool_)
    for at in range(0, len(array), CHUNK):
        used[_above(array[at : at + CHUNK], low)] = True
    n_clusters = int(np.count_nonzero(used))
    if low == 0 and n_clusters == len(used) and array.dtype == np.int32:
        return Clustering(np.ascontiguousarray(array), n_clusters)
    numbers = (np.cumsum(used) - 1).astype(np.int32)
    out = rows.empty(len(array), np.int32)
    for at in range(0, len(array), CHUNK):
        out[at : at + CHUNK] = numbers[_above(array[at : at + CHUNK], low)]
    return Clustering(out, n_clusters)


def _above(part: NDArray[Any], low: int) -> NDArray[np.int64]:
    """Return how far labels are above the lowest one; differences of any two types overflow."""
    if part.dtype == np.uint64:
        return (part - np.uint64(low)).astype(np.int64)
    return part.astype(np.int64) - low


def center_labels(labels: Any, rows: Rows, n_clusters: int) -> Labels:
    """Return labels that are the numbers of given centers, as int32."""
    array = _as_column(labels, rows.shape[0])
    if array.dtype.kind not in "biu":
        raise TypeError(
            f"labels has dtype {array.dtype}; it must hold row numbers of centers, from 0 to "
            f"{n_clusters - 1}."
        )
    for at in range(0, len(array), CHUNK):
        part = array[at : at + CHUNK]
        bad = np.flatnonzero((part < 0) | (part >= n_clusters))
        if bad.size:
            raise ValueError(
                f"labels holds {part[bad[0]]} at row {at + bad[0]}; there are {n_clusters} "
                f"centers, so labels must be from 0 to {n_clusters - 1}."
            )
    if array.dtype == np.int32:
        return np.ascontiguousarray(array)
    out = rows.empty(len(array), np.int32)
    out[:] = array
    return out


def check_number(n_labels: int, n_samples: float, fewest: int = 2) -> None:
    """Raise unless there are enough labels, and fewer than rows; weights count rows."""
    if not fewest <= n_labels < n_samples:
        found = f"{n_samples:g} row{'s' if n_samples != 1.0 else ''}"
        raise ValueError(
            f"Number of labels is {n_labels}. Valid values are {fewest} to n_samples - 1 "
            f"(inclusive); X has {found}, each counted as often as its weight says. "
            "If weights are shares, multiply them by the number of rows."
        )
