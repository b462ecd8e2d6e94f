"""The files of a table: their paths, their formats, and their fingerprints.

A pipe can be read only once, so its data is copied to a file.  A folder stands for its files.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .._runtime.disk import blamed
from .._runtime.text import shown
from .errors import FileError, PathError, argument, listed

PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""First bytes of a packed file, and the method that unpacks it."""
FORMATS = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow stream",
    b"\x93NUMPY": "npy",
}
FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"%PDF": "a PDF file",
}
SUFFIXES = (".csv", ".tsv", ".txt", ".gz", ".zst", ".parquet", ".pq", ".arrow", ".arrows",
            ".feather", ".ipc", ".npy")  # fmt: skip
"""Suffixes of the files that are read in a folder."""
_EDGE = 1 << 16  # bytes at each end of a file that a fingerprint covers


class Source(NamedTuple):
    """A file: its name in messages, the file to read (a copy, if it is a pipe), its format."""

    path: Path
    kept: Path
    format: str
    packed: str | None

    @property
    def size(self) -> int:
        """Bytes on disk; 0 for arrays, which have no file."""
        return self.kept.stat().st_size if self.format != "arrays" else 0

    @property
    def rewinds(self) -> bool:
        """Whether the file can be found again under its own name."""
        return self.path == self.kept


def is_path(X: Any) -> bool:
    """Return whether something names a file or folder."""
    return isinstance(X, str | os.PathLike)


def is_source(X: Any) -> bool:
    """Return whether something is a path, a list of paths or tables, or an iterator of tables."""
    if is_path(X):
        return True
    if isinstance(X, list | tuple):
        tables = all(len(getattr(item, "shape", ())) == 2 for item in X)
        return bool(X) and (tables or all(map(is_path, X)))
    array = any(hasattr(X, name) for name in ("__len__", "__array__", "__dlpack__"))
    return hasattr(X, "__iter__") and not array


def names_files(sources: Any) -> bool:
    """Return whether sources are paths, not tables."""
    return is_path(sources) or (isinstance(sources, list | tuple) and all(map(is_path, sources)))


def find_files(sources: Any) -> list[Path]:
    """Return the files of a path or a list of paths."""
    given = [sources] if is_path(sources) else list(sources)
    if not given:
        raise FileError("no file is named")
    paths: list[Path] = []
    for path in map(Path, given):
        paths.extend(_files_in(path) if path.is_dir() else [path])
    for path in paths:
        _check_readable(path)
    return paths


def _files_in(folder: Path) -> list[Path]:
    with blamed(PathError, f"{folder} cannot be read"):
        files = sorted(path for path in folder.iterdir() if path.is_file())
    tables = [
        path for path in files
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "_"))
    ]  # fmt: skip
    if not tables:
        raise PathError(
            f"{folder} is a folder without a table: no file in it ends in {', '.join(SUFFIXES)}"
        )
    return tables


def _check_readable(path: Path) -> None:
    if not path.exists():
        where = f"folder {path.parent}" if path.parent.is_dir() else "path (its folder is missing)"
        raise PathError(f"{path} does not exist: check the name and the {where}")
    if not os.access(path, os.R_OK):
        raise PathError(f"{path} cannot be read: check its permissions")


def open_sources(paths: Sequence[Path], folder: Path) -> list[Source]:
    """Find the formats of the files; copy the data of pipes to ``folder``."""
    return [_open_source(path, folder / f"pipe{i}") for i, path in enumerate(paths)]


def _open_source(path: Path, copy: Path) -> Source:
    # On macOS /dev/stdin continues where its last reader stopped, even if it is a file.
    rewinds = path.is_file() and path.parent not in (Path("/dev"), Path("/dev/fd"))
    kept = path if rewinds else copy
    if not rewinds:
        if not (path.is_file() or path.is_fifo()):
            raise PathError(f"{path} is neither a file nor a pipe: save the table to a file first")
        advice = f"; name a roomier folder ({argument('cache')}, or TMPDIR in the environment)"
        advice += ", or give a file"
        what = f"the data of {path} could not be kept in {copy.parent}"
        with blamed(PathError, what, advice), open(path, "rb") as pipe, open(copy, "wb") as file:
            shutil.copyfileobj(pipe, file)
    with blamed(PathError, f"{path} cannot be read"), open(kept, "rb") as file:
        start = file.read(8)
    for magic, what in FOREIGN.items():
        if start.startswith(magic):
            raise FileError(
                f"{path} is {what}, not a CSV file or another table that can be read here: unpack "
                "it or save it as CSV"
            )
    packed = next((name for magic, name in PACKED.items() if start.startswith(magic)), None)
    kind = next((name for magic, name in FORMATS.items() if start.startswith(magic)), "csv")
    return Source(path, kept, kind, packed)


def fingerprint(source: Source) -> dict[str, Any]:
    """Return a record that changes when the file does: size, times, a hash of both ends.

    Programs cannot set ``changed_ns`` back, so it shows an edit that keeps the size and the time
    of the file.  It also changes with permissions or links.  The table is then parsed again
    without need, which is less harm than to miss an edit.
    """
    if source.format == "arrays":
        return {}
    status = source.kept.stat()
    digest = hashlib.sha256()
    with open(source.kept, "rb") as file:
        digest.update(file.read(_EDGE))
        file.seek(max(0, status.st_size - _EDGE))
        digest.update(file.read(_EDGE))
    return {
        "path": str(source.path.resolve()),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "changed_ns": status.st_ctime_ns,
        "ends": digest.hexdigest(),
    }


def contents(fingerprints: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts of fingerprints that change only with the contents of a file."""
    return [{key: of[key] for key in of if key != "changed_ns"} for of in fingerprints]


def choose(
    label: Any,
    header: list[str],
    columns: Sequence[str] | None,
    exclude: Iterable[str],
    id_column: str | None,
    weight_column: str | None,
) -> list[str]:
    """Check the names of columns; return the columns to cluster."""
    import difflib

    single = {"id_column": id_column, "weight_column": weight_column}
    asked: dict[str, list[str]] = {"columns": list(columns or []), "exclude": list(exclude)}
    asked |= {key: [name] for key, name in single.items() if name is not None}
    for key, names in asked.items():
        for name in names:
            if name not in header:
                close = difflib.get_close_matches(name, header, n=1)
                hint = f"did you mean {shown(close[0])}?" if close else listed("it has", header)
                raise FileError(f"{label} has no column {shown(name)} ({argument(key)}): {hint}")
    pairs = ("id_column", "columns"), ("weight_column", "columns"), ("id_column", "weight_column")
    for first, second in pairs:
        if both := {*asked.get(first, ())} & {*asked.get(second, ())}:
            raise FileError(
                f"column {shown(both.pop())} is named in both {argument(first)} and "
                f"{argument(second)}: keep one"
            )
    left_out = {*asked["exclude"], *single.values()}
    chosen = [name for name in dict.fromkeys(columns or header) if name not in left_out]
    for name in [*chosen, *(name for name in single.values() if name is not None)]:
        if (times := header.count(name)) > 1:
            raise FileError(
                f"{label}: {times} columns are named {shown(name)}: rename them in the header, or "
                f"leave them out with {argument('exclude', name)}"
            )
    return chosen
