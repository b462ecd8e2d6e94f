"""The input and output of every reader: wanted columns in, pieces of rows out."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._runtime.arrays import Floats
from ..._runtime.threads import count_threads
from ..sources import Source
from .csv_errors import Text

FIRST_ROWS = 1000
"""Rows checked before the first pass, and for digits that float32 loses."""
MOST_WORKERS = 8
"""Threads that parse, at most.  Each holds a block, so their number bounds the memory."""


class Wanted(NamedTuple):
    """The parts of a table to read."""

    names: list[str]  # the columns to cluster, in order
    id_column: str | None
    weight_column: str | None
    dtype: np.dtype[Any]  # float32 or float64
    skip: bool  # whether to skip rows that cannot be read
    asked: bool  # whether the user named the columns

    @property
    def numbers(self) -> list[str]:
        """The columns that must hold numbers."""
        return self.names if self.weight_column is None else [*self.names, self.weight_column]


class Skipped(NamedTuple):
    """A row that was skipped because it could not be read."""

    file: str
    place: str
    reason: str
    text: str


class Piece(NamedTuple):
    """Some rows of a file.  Its *source rows* are those in the file, including skipped ones."""

    values: NDArray[Any]  # (n_rows, n_features), NaN for missing values
    weights: Floats | None  # (n_rows,)
    ids: Any  # pyarrow.Array of n_source values, null for a skipped row without an id; or None
    n_source: int  # number of source rows
    skipped: dict[int, Skipped]  # by the number of the source row
    read: int = 0  # bytes of the file read so far
    place: Callable[[int], str] = str  # returns the place in the file of a source row

    def source_rows(self) -> NDArray[np.int64]:
        """Return the numbers of the source rows that ``values`` holds."""
        rows = np.arange(self.n_source)
        return np.delete(rows, list(self.skipped)) if self.skipped else rows


class Reader(Protocol):
    """Reads one file."""

    source: Source
    names: list[str]  # all columns
    named: bool  # by the file, not by their numbers
    nameless: list[str]  # columns without a name in the file, if there are several

    def dtype(self, names: list[str]) -> np.dtype[Any]:
        """Return float32 if it holds the columns exactly, else float64."""

    def text(self, wanted: Wanted) -> dict[str, Text]:
        """Return the columns that hold text in the first rows."""

    def first_values(self, name: str) -> Floats:
        """Return the values of a column in the first rows, as float64, without missing ones."""

    def pieces(self, wanted: Wanted) -> Iterator[Piece]:
        """Yield the rows in order; may raise ``TextFound``."""


def n_workers() -> int:
    """Return the number of threads that parse."""
    return min(MOST_WORKERS, count_threads(None))
