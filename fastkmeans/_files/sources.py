"""The files of a table: which they are, what they hold, how to tell them again.

A pipe can be read once only, so what comes out of it is kept in a file; a folder stands
for the files in it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .errors import FileError, PathError, argument, listed

PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How a file begins that is packed, and what unpacks it."""

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
"""The files that are taken from a folder."""

_EDGE = 1 << 16


class Source(NamedTuple):
    """A file: its name in messages, where it is read from, and what it is.

    ``kept`` is another file than ``path`` where ``path`` is a pipe.
    """

    path: Path
    kept: Path
    format: str
    packed: str | None

    @property
    def size(self) -> int:
        """Bytes on disk; 0 for arrays, which are no file."""
        return self.kept.stat().st_size if self.format != "arrays" else 0

    @property
    def rewinds(self) -> bool:
        """Whether the file can be found again under its own name."""
        return self.path == self.kept


def is_path(X: Any) -> bool:
    """Tell whether something names a file or folder."""
    return isinstance(X, str | os.PathLike)


def is_source(X: Any) -> bool:
    """Tell whether something stands for a table that is read in pieces.

    A path, a list of paths, a list of tables, an iterator over tables.
    """
    if is_path(X):
        return True
    if isinstance(X, list | tuple):
        tables = all(len(getattr(item, "shape", ())) == 2 for item in X)
        return bool(X) and (tables or all(map(is_path, X)))
    return hasattr(X, "__iter__") and not hasattr(X, "__len__") and not hasattr(X, "__array__")


def names_files(sources: Any) -> bool:
    """Tell whether sources are paths, and no tables."""
    return is_path(sources) or (isinstance(sources, list | tuple) and all(map(is_path, sources)))


def find_files(sources: Any) -> list[Path]:
    """Return the files that a path, or a list of paths, stands for."""
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
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise PathError(f"{folder} cannot be read: {error.strerror or error}") from None
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
    """Look at the files; keep what comes out of pipes in ``folder``."""
    return [_open_source(path, folder / f"pipe{i}") for i, path in enumerate(paths)]


def _open_source(path: Path, copy: Path) -> Source:
    # On macOS /dev/stdin goes on where its last reader stopped, even if it is a file.
    rewinds = path.is_file() and path.parent not in (Path("/dev"), Path("/dev/fd"))
    kept = path if rewinds else copy
    if not rewinds:
        if not (path.is_file() or path.is_fifo()):
            raise PathError(f"{path} is neither a file nor a pipe: save the table to a file first")
        try:
            with open(path, "rb") as pipe, open(copy, "wb") as file:
                shutil.copyfileobj(pipe, file)
        except OSError as error:
            raise PathError(
                f"the data of {path} could not be kept in {copy.parent}: "
                f"{error.strerror or error}; name a roomier folder ({argument('cache')}, or TMPDIR "
                "in the environment), or give a file"
            ) from None
    try:
        with open(kept, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise PathError(f"{path} cannot be read: {error.strerror or error}") from None
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
    """Return what tells a file from its later self: size, times, both ends of its bytes.

    ``changed_ns`` cannot be set back, so an edit in the middle that keeps size and time of the
    file is noticed too.  It also moves where only permissions or links change: an entry of
    a cache is then parsed anew for nothing, which is the lesser harm.
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
    """Return what of fingerprints cannot change but with the bytes of a file."""
    return [{key: of[key] for key in of if key != "changed_ns"} for of in fingerprints]


def choose(
    label: Any,
    header: list[str],
    columns: Sequence[str] | None,
    exclude: Iterable[str],
    id_column: str | None,
    weight_column: str | None,
) -> list[str]:
    """Check the names of columns; return those that may be clustered."""
    import difflib

    single = {"id_column": id_column, "weight_column": weight_column}
    asked: dict[str, list[str]] = {"columns": list(columns or []), "exclude": list(exclude)}
    asked |= {key: [name] for key, name in single.items() if name is not None}
    for key, names in asked.items():
        for name in names:
            if name not in header:
                close = difflib.get_close_matches(name, header, n=1)
                hint = f"did you mean {close[0]!r}?" if close else listed("it has", header)
                raise FileError(f"{label} has no column {name!r} ({argument(key)}): {hint}")
    for key, other in single.items():
        if other is not None and other in asked["columns"]:
            raise FileError(
                f"column {other!r} is named in both {argument(key)} and {argument('columns')}: "
                "keep one"
            )
    if id_column is not None and id_column == weight_column:
        raise FileError(
            f"column {id_column!r} is named in both {argument('id_column')} and "
            f"{argument('weight_column')}: keep one"
        )
    left_out = {*asked["exclude"], *single.values()}
    chosen = [name for name in dict.fromkeys(columns or header) if name not in left_out]
    for name in [*chosen, *(name for name in single.values() if name is not None)]:
        if (times := header.count(name)) > 1:
            raise FileError(
                f"{label}: {times} columns are named {name!r}: rename them in the header, or "
                f"leave them out with {argument('exclude', name)}"
            )
    return chosen
