"""``Dataset``: a parsed table, as a memory map with statistics."""

from __future__ import annotations

import mmap
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import MappedRows, Rows
from .._runtime.arrays import Floats
from .._runtime.extras import need
from .cache import Parsed
from .parse.growing import read_skipped
from .readers.csv_errors import Text
from .readers.pieces import Skipped
from .statistics import ColumnStatistics


@dataclass
class Dataset:
    """A table in files: the rows to cluster, and facts about them.

    It is a context manager.  Its exit, or ``close``, removes temporary files and lets the cache
    remove the table.

    Attributes
    ----------
    rows : Rows
        The rows, float32 or float64, as a memory map; ``rows.shape`` is
        ``(n_samples, n_features)``.
    names : list of str
        The clustered columns, in order.
    weights : ndarray of shape (n_samples,), float64, or None
        A memory map of the column of weights.
    statistics : ColumnStatistics
        Statistics of each column, in the units of the file.
    sample : ndarray of shape (m, n_features)
        A uniform sample of ``rows``, in their order.
    n_source_rows : int
        Rows in the files, including dropped and skipped ones.
    kept : ndarray of shape (n_source_rows,), bool, or None
        A memory map: which rows of the files are in ``rows``; None for all.
    shift, scale : ndarray of shape (n_features,), float64
        ``rows * scale + shift`` are the values of the file; zeros and ones without
        ``standardize``.
    id_column : str or None
        The column of ``id_batches``.
    text : dict
        The place of a text value for each column left out because it holds text.
    empty : list of str
        Columns left out because they hold no values.
    n_skipped : int
        Rows that could not be read (``bad_rows="skip"``); see ``skipped``.
    named : bool
        Whether the files name the columns; else the names are x1, x2, ...
    folder : Path
        The folder of the parsed table.
    reused : bool
        Whether an earlier call parsed the table.
    """

    rows: Rows
    names: list[str]
    weights: Floats | None
    statistics: ColumnStatistics
    sample: NDArray[Any]
    n_source_rows: int
    kept: NDArray[np.bool_] | None
    shift: Floats
    scale: Floats
    id_column: str | None
    text: dict[str, Text]
    empty: list[str]
    n_skipped: int
    named: bool
    folder: Path
    reused: bool = False
    _close: Callable[[], object] | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and number of clustered columns."""
        return self.rows.shape

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the parsed table; arrays still in use stay readable."""
        if self._close is not None:
            self._close()

    def id_batches(self) -> Iterator[Any]:
        """Yield the ids of all source rows, in order, as pyarrow arrays.

        A skipped row whose id could not be read has a null.
        """
        if not self.has_ids:
            raise ValueError("the dataset has no column of ids: name one by id_column.")
        pa, ipc = need("pyarrow"), need("pyarrow.ipc")
        with pa.memory_map(str(self.folder / "ids.arrow")) as file:
            reader = ipc.open_file(file)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i).column(0)

    @property
    def has_ids(self) -> bool:
        """Whether there is a column of ids."""
        return self.id_column is not None

    @property
    def skipped(self) -> Iterator[Skipped]:
        """Yield the rows that could not be read: file, place, reason, text."""
        return read_skipped(self.folder / "skipped.jsonl")


def load(parsed: Parsed, memory_limit: int | None) -> Dataset:
    """Return the dataset of a parsed table."""
    folder, meta = parsed.folder, parsed.meta

    def mapped(name: str) -> Any:
        path = folder / name
        return np.load(path, mmap_mode="r").view(np.ndarray) if path.exists() else None

    statistics = ColumnStatistics(
        **{name: np.array(values) for name, values in meta["statistics"].items()}
    )
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    if hasattr(mmap, "MADV_SEQUENTIAL"):  # a fit from a cold disk then takes two thirds
        rows.base.madvise(mmap.MADV_SEQUENTIAL)
    dataset = Dataset(
        rows=MappedRows(rows, folder, memory_limit),
        weights=mapped("weights.npy"),
        statistics=statistics,
        sample=np.load(folder / "sample.npy"),
        kept=mapped("kept.npy"),
        shift=np.array(meta["shift"]),
        scale=np.array(meta["scale"]),
        id_column=meta["question"]["id_column"],
        text={name: Text(*text) for name, text in meta["text"].items()},
        **{name: meta[name] for name in ("names", "n_source_rows", "empty", "n_skipped", "named")},
        folder=folder,
        reused=parsed.reused,
    )
    dataset._close = weakref.finalize(dataset.rows, parsed.let_go)
    return dataset
