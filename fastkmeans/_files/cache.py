"""The folder that a table is parsed into, once.

    rows.npy       (n_rows, n_features), C order: what is clustered, read as a memory map
    weights.npy    (n_rows,) float64, if there is a column of weights
    kept.npy       (n_source_rows,) bool, if rows were left out
    ids.arrow      one id per source row, if there is a column of ids
    sample.npy     some of the rows, drawn at random
    skipped.jsonl  the rows that could not be read, and why
    meta.json      names, statistics, and the fingerprint of what was asked of which files

It is written under a temporary name and renamed when it is complete.  The writer holds
a lock on a file in it, so that what a killed one left behind is known, and swept away.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .pieces import Skipped
from .source import Source, fingerprint
from .wording import PathError, argument, need

VERSION = 2
_PREFIX = ".parsing-"
_YOUNG = 60.0  # seconds in which a folder without a lock may be about to get one
_ROOM = 1 << 24  # bytes that shall stay free


def human_size(n_bytes: float) -> str:
    """Write a number of bytes in the largest unit that keeps it above one."""
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} GB"


def check_room(folder: Path, n_bytes: float) -> None:
    """Raise unless a folder has room for some more bytes."""
    free = shutil.disk_usage(folder).free
    if n_bytes + _ROOM > free:
        raise PathError(
            f"{folder} has {human_size(free)} free, and the parsed table takes about "
            f"{human_size(n_bytes)} more: name a roomier folder with {argument('cache')} or "
            f"leave columns out with {argument('exclude')}"
        )


@contextlib.contextmanager
def blamed_on(path: Path) -> Iterator[None]:
    """Name the file in an error of writing: Python names none, or a temporary one."""
    try:
        yield
    except PathError:
        raise
    except OSError as error:
        raise PathError(
            f"{path} could not be written: {error.strerror or error}; name another folder with "
            f"{argument('cache')}"
        ) from None


class Column:
    """An ``.npy`` file that grows: the header tells the number of rows once it is known."""

    def __init__(self, path: Path, dtype: np.dtype[Any], n_columns: int | None = None) -> None:
        self.path, self.dtype, self._n_columns = path, dtype, n_columns
        self.n_rows = 0
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115  closed by `close`
        self._write(self._header())

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
        """Begin again without any rows."""
        self.n_rows = 0
        self._file.seek(128)
        self._file.truncate()

    def rewrite(self, n_columns: int, height: int) -> Iterator[tuple[NDArray[Any], Any]]:
        """Yield (rows, write) block by block; what is written takes the place of the rows.

        The new rows may have fewer columns: they never catch up with those still unread.
        """
        blocks, written = self.blocks(height), 128
        rows = next(blocks, None)  # from here on, blocks knows how many rows there were
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
            self._file.seek(0)
            self._write(self._header())
            self._file.close()

    def remove(self) -> None:
        """Close and delete the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Partial:
    """A folder that is being written, under a temporary name."""

    def __init__(self, parent: Path) -> None:
        with blamed_on(parent):
            parent.mkdir(parents=True, exist_ok=True)
            sweep(parent)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock: IO[bytes] | None = _locked(self.path / "lock")

    def remove(self) -> None:
        """Leave nothing behind."""
        self._unlock()
        shutil.rmtree(self.path, ignore_errors=True)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            (self.path / "lock").unlink(missing_ok=True)

    def publish(self, path: Path) -> Path:
        """Give the folder its name, in place of an older one, and return it."""
        with blamed_on(path):
            if path.exists():
                old = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=path.parent))
                os.replace(path, old / "old")
                shutil.rmtree(old, ignore_errors=True)
            os.replace(self.path, path)
            self.path = path
            self._unlock()
        return path


def _locked(path: Path) -> IO[bytes] | None:
    try:
        import fcntl
    except ImportError:  # Windows: what is left behind stays
        return None
    file = open(path, "wb")  # noqa: SIM115  open as long as the lock is held
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def sweep(parent: Path) -> None:
    """Remove what writers that were killed left behind."""
    for folder in parent.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):
            lock = folder / "lock"
            if lock.exists():
                if (held := _locked(lock)) is None:
                    continue
                held.close()
            elif time.time() - folder.stat().st_mtime < _YOUNG:
                continue
            shutil.rmtree(folder, ignore_errors=True)


def entry_name(sources: Sequence[Source], question: dict[str, Any]) -> str:
    """Return the name of the folder that answers a question about some files."""
    paths = [str(source.path.resolve()) for source in sources]
    digest = hashlib.sha256(json.dumps([paths, question], sort_keys=True).encode()).hexdigest()
    stem = sources[0].path.name.partition(".")[0] or "table"
    return f"{stem}-{digest[:12]}"


def read_meta(folder: Path, sources: Sequence[Source], question: dict[str, Any]) -> Any:
    """Return the metadata of a complete cache that is up to date, else None."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        if meta["version"] != VERSION or meta["question"] != question:
            return None
        if meta["sources"] != [fingerprint(source) for source in sources]:
            return None
        for name, size in meta["sizes"].items():
            if (folder / name).stat().st_size != size:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return meta


def load_meta(folder: Path) -> Any:
    """Return the metadata of a folder that is known to be complete."""
    return json.loads((folder / "meta.json").read_text(encoding="utf-8"))


def write_meta(folder: Path, meta: dict[str, Any]) -> None:
    """Write the metadata, with the sizes of all other files."""
    sizes = {
        path.name: path.stat().st_size
        for path in sorted(folder.iterdir())
        if path.name not in ("lock", "meta.json")
    }
    text = json.dumps({"version": VERSION, "sizes": sizes} | meta, indent=1)
    (folder / "meta.json").write_text(text, encoding="utf-8")


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
        self._path, self.n = path, 0
        self._file: IO[str] | None = None

    def append(self, skipped: Skipped) -> None:
        """Write one."""
        if self._file is None:
            self._file = open(self._path, "w", encoding="utf-8")  # noqa: SIM115
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
