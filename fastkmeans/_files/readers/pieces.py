"""What every kind of file is read into: pieces of rows, and what is asked of a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._runtime.threads import count_threads
from ..sources import Source
from .csv_errors import Text

FIRST_ROWS = 1000
"""Rows that are looked at before the first pass, and for digits that float32 loses."""
MOST_WORKERS = 8
"""Each parses a block: together they must stay within the promise of memory."""


class Wanted(NamedTuple):
    """What is to be read of a table.

    Attributes
    ----------
    names : list of str
        The columns to cluster, in order.
    id_column, weight_column : str or None
        Columns that go along.
    dtype : numpy.dtype
        float32 or float64.
    skip : bool
        Whether rows that cannot be read are left out.
    asked : bool
        Whether the columns were named by the user.
    """

    names: list[str]
    id_column: str | None
    weight_column: str | None
    dtype: np.dtype[Any]
    skip: bool
    asked: bool


class Skipped(NamedTuple):
    """A row that was left out because it could not be read."""

    file: str
    place: str
    reason: str
    text: str


class Piece(NamedTuple):
    """Some rows of a file.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features)
        The columns, NaN where a value is missing.
    weights : ndarray of shape (n_rows,), float64, or None
        The column of weights.
    ids : pyarrow.Array of n_source values, or None
        The column of ids, with null where a row was skipped and has none.
    n_source : int
        Rows in the file, those that were skipped included.
    skipped : dict
        For each row that was skipped, its place among the source rows of the piece.
    read : int
        Bytes of the file read so far.
    place : callable
        Tells where in the file a source row of the piece stands.
    """

    values: NDArray[Any]
    weights: NDArray[np.float64] | None
    ids: Any
    n_source: int
    skipped: dict[int, Skipped]
    read: int
    place: Callable[[int], str]

    def source_rows(self) -> NDArray[np.int64]:
        """Return which of the source rows the values are."""
        rows = np.arange(self.n_source)
        return np.delete(rows, list(self.skipped)) if self.skipped else rows


class Reader(Protocol):
    """Reads the tables of one file."""

    source: Source
    names: list[str]  # all columns
    named: bool  # by the file, not by their numbers
    nameless: list[str]  # columns that the file gives no name, if there are several

    def dtype(self, names: list[str]) -> np.dtype[Any]:
        """Return the narrowest of float32 and float64 that holds the columns."""
        ...

    def text(self, wanted: Wanted) -> dict[str, Text]:
        """Return those of the columns that hold text, as far as the first rows tell."""
        ...

    def first_values(self, name: str) -> NDArray[np.float64]:
        """Return a column in the first rows, as exactly as float64 holds it, without gaps."""
        ...

    def pieces(self, wanted: Wanted) -> Iterator[Piece]:
        """Yield the rows in order; may raise ``TextFound``."""
        ...


def n_workers() -> int:
    """Return how many threads may parse."""
    return min(MOST_WORKERS, count_threads(None))
