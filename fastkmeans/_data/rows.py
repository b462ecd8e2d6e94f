"""Sources of row blocks: one way to read any table, without copying it.

The kernels read NumPy arrays of native float32 or float64 with any strides.  Such an array
is one block (``ArrayRows``).  All else (integers, float16, foreign byte order, columns apart
in memory) is converted on every pass, block by block, into one small scratch array.  So
memory stays bounded (``ConvertedRows``, ``ColumnRows``).
"""

import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats, Labels
from .._runtime.threads import RANGE_MULTIPLE

Block = NDArray[Any]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

CHUNK = 1 << 16
"""Rows handled at a time in passes over arrays of one item per row, to bound memory."""
MAPPED_ROOM = 1 << 26
"""Bytes of memory that an engine may take for all rows of a memory map."""
OVERHEAD = 300 << 20
"""Bytes that a process takes without any rows: Python, numba's compiler, blocks of files."""
SMALL_STATE = 1 << 20
"""Most bytes of an array that is kept in memory even if the rows are in a file."""


def twice(array: NDArray[Any]) -> Block:
    """Return a read-only view of shape ``(2, m, d)`` that shows the array twice.

    numba compiles a kernel for each layout of an array: C, Fortran, neither.  A view with a
    stride of zero is always neither, so one compiled kernel serves all layouts with the same
    bits.  The kernels look at the strides when they run.
    """
    if not array.flags.c_contiguous or not array.size:  # no buffer to make a view from
        return np.broadcast_to(array, (2, *array.shape))
    # The same view in half the time, because a fit of a small table makes several.
    view = np.ndarray((2, *array.shape), array.dtype, array, 0, (0, *array.strides))
    view.flags.writeable = False
    return view


class Rows(Protocol):
    """A table of ``shape``; its blocks are ``(2, m, d)`` float32 or float64, see ``twice``."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    room: float
    """Bytes of memory that an engine may take for all rows."""
    memory_limit: int | None
    """Most bytes that the process may take, if the user set a limit."""

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """Yield (first row, read-only block) in order; a block is valid until the next."""

    def take(self, indices: NDArray[np.int64]) -> Block:
        """Return a C-ordered copy of some rows, in ``dtype``."""

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return an empty array for the state of all rows."""


class InMemory:
    """Rows whose state may lie in memory."""

    room = math.inf
    memory_limit: int | None = None

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
        return np.empty(shape, dtype)


class ArrayRows(InMemory):
    """A native float array: one block, never copied."""

    def __init__(self, array: NDArray[Any], owners: Any = None) -> None:
        self._owners = owners  # of the memory that the array views
        self._array = array.view(np.ndarray)
        self._block = twice(self._array)
        self.shape = (array.shape[0], array.shape[1])
        self.dtype = array.dtype

    def blocks(self) -> Iterator[tuple[int, Block]]:
        yield 0, self._block

    def take(self, indices: NDArray[np.int64]) -> Block:
        return np.ascontiguousarray(self._array[indices])


class MappedRows(ArrayRows):
    """A memory map; the state of its rows lies in unnamed files in ``folder``."""

    def __init__(self, array: NDArray[Any], folder: Path, memory_limit: int | None = None) -> None:
        super().__init__(array)
        self.array = self._array
        self.folder = folder
        self.room, self.memory_limit = MAPPED_ROOM, memory_limit
        if memory_limit is not None:
            self.room = max(0, memory_limit - OVERHEAD)

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
        n_bytes = math.prod((shape,) if isinstance(shape, int) else shape)
        n_bytes *= np.dtype(dtype).itemsize
        if n_bytes <= SMALL_STATE:
            return np.empty(shape, dtype)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            _reserve(file.fileno(), n_bytes, self.folder)
            return np.memmap(file, dtype, "r+", shape=shape).view(np.ndarray)


def _reserve(file: int, n_bytes: int, folder: Path) -> None:
    """Reserve the disk space of a file now: a memory map could not report a full disk."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, n_bytes)
            return
        zeros = bytes(1 << 20)
        for start in range(0, n_bytes, len(zeros)):
            os.write(file, zeros[: n_bytes - start])
    except OSError as error:
        raise OSError(
            error.errno,
            f"{n_bytes} bytes for labels and the like could not be kept ({error.strerror}); "
            "make room, or name a roomier folder for the parsed table (cache; --cache)",
            str(folder),
        ) from None


class _ScratchRows(InMemory):
    """A table that is converted, block by block, into a scratch array."""

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        n, d = shape
        values = min(max(n * d // 128, 1 << 16), 1 << 20)  # less than 0.1 of the table
        height = max(1, values // max(1, d) // RANGE_MULTIPLE) * RANGE_MULTIPLE
        self._height = min(max(1, n), height)

    def _fill(self, out: Block, start: int, stop: int) -> None:
        raise NotImplementedError

    def blocks(self) -> Iterator[tuple[int, Block]]:
        scratch = np.empty((self._height, self.shape[1]), self.dtype)
        for start in range(0, self.shape[0], self._height):
            stop = min(self.shape[0], start + self._height)
            self._fill(scratch[: stop - start], start, stop)
            yield start, twice(scratch[: stop - start])

    def take(self, indices: NDArray[np.int64]) -> Block:
        out = np.empty((len(indices), self.shape[1]), self.dtype)
        cuts = (np.flatnonzero(np.diff(indices) != 1) + 1).tolist()
        for begin, end in pairwise([0, *cuts, len(indices)]):  # runs of neighbours
            if begin < end:
                first = int(indices[begin])
                self._fill(out[begin:end], first, first + end - begin)
        return out


class ConvertedRows(_ScratchRows):
    """An array of another type: integers, booleans, float16, foreign byte order."""

    def __init__(self, array: NDArray[Any], dtype: np.dtype[Any]) -> None:
        super().__init__((array.shape[0], array.shape[1]), dtype)
        self._array = array

    def _fill(self, out: Block, start: int, stop: int) -> None:
        with np.errstate(over="ignore"):  # an infinity is reported as such
            out[...] = self._array[start:stop]

    def take(self, indices: NDArray[np.int64]) -> Block:
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(self._array[indices], self.dtype)


class ColumnRows(_ScratchRows):
    """Columns apart in memory, each read by ``column(start, stop)``."""

    def __init__(
        self,
        columns: Sequence[Callable[[int, int], NDArray[Any]]],
        n_rows: int,
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__((n_rows, len(columns)), dtype)
        self._columns = columns

    def _fill(self, out: Block, start: int, stop: int) -> None:
        for f, column in enumerate(self._columns):
            out[:, f] = column(start, stop)


class RowsView:
    """Rows made from other rows, in blocks of so many values, or of 256 rows if those are more.

    Subclasses change what ``blocks`` yields and ``take`` returns.
    """

    def __init__(self, rows: Rows, block_values: int) -> None:
        self._rows = rows
        self.shape, self.dtype, self.room = rows.shape, rows.dtype, rows.room
        self.memory_limit = rows.memory_limit
        self._height = max(1, block_values // rows.shape[1] // RANGE_MULTIPLE) * RANGE_MULTIPLE

    def pieces(self) -> Iterator[tuple[int, Block]]:
        """Yield the blocks of the other rows, cut into blocks of this height."""
        for start, X in self._rows.blocks():
            for at in range(0, X.shape[1], self._height):
                yield start + at, X[:, at : at + self._height]

    def take(self, indices: NDArray[np.int64]) -> Block:
        return self._rows.take(indices)

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
        return self._rows.empty(shape, dtype)


class StandardizedRows(RowsView):
    """Other rows as ``(x - shift) / scale``, computed in float64, block by block."""

    def __init__(self, rows: Rows, shift: Floats, scale: Floats) -> None:
        super().__init__(rows, 1 << 18)
        self._shift, self._scale = shift, scale

    def _standardized(self, X: Block) -> Block:
        with np.errstate(over="ignore"):  # an infinity is reported as such
            return ((X - self._shift) / self._scale).astype(self.dtype)

    def blocks(self) -> Iterator[tuple[int, Block]]:
        for start, X in self.pieces():
            yield start, twice(self._standardized(X[0]))

    def take(self, indices: NDArray[np.int64]) -> Block:
        return self._standardized(self._rows.take(indices))


def joined(columns: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    """Return columns as one two-dimensional view if they are evenly spaced in memory.

    The float columns of pandas, polars and pyarrow often are: side by side in one buffer.
    """
    first = columns[0]
    if first.dtype not in (FLOAT32, FLOAT64) or not first.dtype.isnative:
        return None
    if any(c.dtype != first.dtype or c.strides != first.strides for c in columns):
        return None
    places = [c.__array_interface__["data"][0] for c in columns]
    step = places[1] - places[0] if len(places) > 1 else first.itemsize
    even = all(b - a == step for a, b in pairwise(places))
    if not even or step % first.itemsize or not first.flags.aligned:
        return None
    shape, strides = (len(first), len(columns)), (first.strides[0], step)
    return np.lib.stride_tricks.as_strided(first, shape, strides, writeable=False)


def sizes_of(labels: Labels, n_clusters: int) -> NDArray[np.int64]:
    """Return the number of rows of each cluster, in little memory."""
    if len(labels) <= CHUNK:
        return np.bincount(labels, minlength=n_clusters).astype(np.int64, copy=False)
    sizes = np.zeros(n_clusters, np.int64)
    for start in range(0, len(labels), CHUNK):
        sizes += np.bincount(labels[start : start + CHUNK], minlength=n_clusters)
    return sizes


def largest(pieces: Iterable[Floats], count: int) -> NDArray[np.int64]:
    """Return the indices of the largest values by falling value, ties by rising index.

    The values come in pieces; only the largest so far are kept.
    """
    values, places, start = np.empty(0), np.empty(0, np.int64), 0
    for piece in pieces:
        full = len(values) == count  # then higher indices lose ties
        new = np.flatnonzero(piece > values[-1]) if full else np.arange(len(piece))
        values = np.concatenate([values, piece[new]])
        places = np.concatenate([places, start + new])
        order = np.lexsort((places, -values))[:count]
        values, places, start = values[order], places[order], start + len(piece)
    return places
