"""The file of representatives: the rows of the input that are closest to each center."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import FLOAT32
from .._files import Dataset
from .._runtime.arrays import Floats
from .._runtime.extras import need
from .labels import BATCH_ROWS, another
from .outputs import open_csv

DIGITS = {4: 6, 8: 14}
"""Decimal digits of a value that was standardised and is computed back, by its bytes."""


def write_representatives(
    path: Path,
    dataset: Dataset,
    id_column: str | None,
    rows: NDArray[np.int64],  # (n_clusters, n), rows of the dataset, -1 for none
    dialect: tuple[str, str],
) -> None:
    """Write a line per row: its cluster, its number in the input from 1, its id, its values."""
    delimiter, decimal = dialect
    clusters = np.repeat(np.arange(len(rows)), rows.shape[1])[rows.ravel() >= 0]
    order = rows[rows >= 0]
    numbers = source_rows(dataset, order)
    values = values_of(dataset, order)
    known: list[Any] = [numbers + 1]
    known += [] if id_column is None else [ids_of(dataset, numbers)]
    taken = [*dataset.names, *([] if id_column is None else [id_column])]
    with open_csv(path, delimiter) as writer:
        own = [another(name, *taken) for name in ("cluster", "row")]
        writer.writerow([*own, *taken[len(dataset.names) :], *dataset.names])
        for i, cluster in enumerate(clusters):
            numbers_of_row = [str(value).replace(".", decimal) for value in values[i]]
            writer.writerow([cluster, *(column[i] for column in known), *numbers_of_row])


def source_rows(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers, from 0, that rows of the dataset have among all rows of the input."""
    if dataset.kept is None:
        return rows
    numbers, before = np.empty_like(rows), 0
    for start in range(0, dataset.n_source_rows, BATCH_ROWS):
        kept = np.flatnonzero(np.asarray(dataset.kept[start : start + BATCH_ROWS]).view(np.bool_))
        here = (rows >= before) & (rows < before + len(kept))
        numbers[here] = start + kept[rows[here] - before]
        before += len(kept)
    return numbers


def ids_of(dataset: Dataset, numbers: NDArray[np.int64]) -> list[Any]:
    """Return the ids of rows of the input as text, by their numbers from 0; None for a null."""
    ids: list[Any] = [None] * len(numbers)
    text, start = need("pyarrow").large_string(), 0
    for batch in dataset.id_batches():
        for i in np.flatnonzero((numbers >= start) & (numbers < start + len(batch))):
            ids[i] = batch.slice(int(numbers[i]) - start, 1).cast(text)[0].as_py()
        start += len(batch)
    return ids


def values_of(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return rows of the dataset in the units of the input, in the dtype of the dataset."""
    X = dataset.rows.take(rows)
    if not (dataset.shift.any() or (dataset.scale != 1.0).any()):
        return X
    moved = X * dataset.scale
    return _rounded(moved + dataset.shift, np.maximum(np.abs(moved), np.abs(dataset.shift)), X)


def _rounded(values: Floats, sizes: Floats, X: NDArray[Any]) -> NDArray[Any]:
    """Round off what standardising and its inverse add: 2.9999999999999996 becomes 3.0.

    The errors are relative to ``sizes``, the largest number in the calculation of a value.
    """
    digits = DIGITS[X.dtype.itemsize]
    with np.errstate(divide="ignore"):
        magnitudes = np.floor(np.log10(sizes))
    places = np.where(np.isfinite(magnitudes), digits - 1 - magnitudes, 0.0)
    rounded = [
        round(float(value), int(place))
        for value, place in zip(values.flat, places.flat, strict=True)
    ]
    kind = FLOAT32 if X.dtype == FLOAT32 else np.float64
    return np.array(rounded, kind).reshape(values.shape)
