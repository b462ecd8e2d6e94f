"""The files of a parsed table while they grow: rows, ids, and skipped rows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..._runtime.extras import need
from ..readers.pieces import Skipped


class Column:
    """An ``.npy`` file that grows; its header, with the number of rows, is written last."""

    def __init__(self, path: Path, dtype: np.dtype[Any], n_columns: int | None = None) -> None:
        self.path, self.dtype, self._n_columns = path, dtype, n_columns
        self.n_rows = 0
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115  closed by `close`
        self._file.seek(128)

    def _header(self) -> bytes:
        shape = (self.n_rows,) if self._n_columns is None else (self.n_rows, self._n_columns)
        words = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        text = repr(words).encode("latin-1").ljust(117) + b"\n"  # 128 bytes in all, for any shape
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text

    def _write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        while view:
            view = view[self._file.write(view) or 0 :]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.dtype.itemsize * (1 if self._n_columns is None else self._n_columns)

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows to the end."""
        if len(rows):
            self._write(np.ascontiguousarray(rows, self.dtype))
            self.n_rows += len(rows)

    def forget(self) -> None:
        """Remove all rows."""
        self.n_rows = 0
        self._file.seek(128)
        self._file.truncate()

    def rewrite(self, n_columns: int, height: int) -> Iterator[tuple[NDArray[Any], Any]]:
        """Yield (rows, write) block by block; written rows replace those that were read.

        New rows may have fewer columns, so writing never overtakes reading.
        """
        blocks, written = self.blocks(height), 128
        rows = next(blocks, None)  # ``blocks`` has now read the old number of rows
        self.n_rows, self._n_columns = 0, n_columns
        while rows is not None:
            self._file.seek(written)
            yield rows, self.append
            written = 128 + self.n_rows * self.row_bytes
            rows = next(blocks, None)
        self._file.truncate(written)

    def blocks(self, height: int) -> Iterator[NDArray[Any]]:
        """Yield the rows written so far, block by block, as tables."""
        n, row_bytes = self.n_rows, self.row_bytes
        for start in range(0, n, height):
            m = min(height, n - start)
            self._file.seek(128 + start * row_bytes)
            yield np.frombuffer(self._read(m * row_bytes), self.dtype).reshape(m, -1)

    def _read(self, n_bytes: int) -> bytearray:
        data = bytearray(n_bytes)
        view = memoryview(data)
        while view:
            if not (n := self._file.readinto(view)):
                raise OSError(f"{self.path} became shorter while it was in use")
            view = view[n:]
        return data

    def close(self) -> None:
        """Write the header."""
        if not self._file.closed:
            with self._file:
                self._file.seek(0)
                self._write(self._header())


class Ids:
    """The ids of all source rows, in an Arrow file that is read batch by batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def append(self, ids: Any) -> None:
        """Write the ids of a piece."""
        pa, ipc = need("pyarrow"), need("pyarrow.ipc")
        if self._writer is None:
            self._type = ids.type
            self._writer = ipc.new_file(str(self._path), pa.schema([("id", ids.type)]))
        if ids.type != self._type:
            ids = ids.cast(self._type)
        self._writer.write(pa.record_batch([ids], names=["id"]))

    def close(self) -> None:
        """Write the end of the file."""
        if self._writer is not None:
            self._writer.close()


class SkippedLog:
    """The rows that were skipped, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.path, self.n = path, 0
        self._file: IO[str] | None = None

    def append(self, skipped: Skipped) -> None:
        """Write one row."""
        if self._file is None:
            self._file = open(self.path, "w", encoding="utf-8")  # noqa: SIM115
        self._file.write(json.dumps(skipped._asdict()) + "\n")
        self.n += 1

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def read_skipped(path: Path) -> Iterator[Skipped]:
    """Yield the rows of a log."""
    if path.exists():
        with open(path, encoding="utf-8") as file:
            for line in file:
                yield Skipped(**json.loads(line))
