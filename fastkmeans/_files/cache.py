"""The folder of a parsed table.

    rows.npy       (n_rows, n_features), C order: the rows, read as a memory map
    weights.npy    (n_rows,) float64, if there is a column of weights
    kept.npy       (n_source_rows,) bool, if rows were left out
    ids.arrow      one id per source row, if there is a column of ids
    sample.npy     some of the rows, drawn at random
    skipped.jsonl  the rows that could not be read, and why
    meta.json      names, statistics, the options, and fingerprints of the files

The folder is temporary (``_runtime.disk``) until it is complete.  An entry of a cache then gets
its final name, a hash of the options and the fingerprints.  A table from a pipe, or without a
cache, cannot be found again, so its folder stays temporary.

A reader of an entry shares a lock on its ``meta.json``.  A new entry removes entries of the same
files that nobody reads.  If the files have changed since, it removes them all; otherwise all
except the last used.  Only folders whose name follows from their metadata are ever removed.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from .._runtime.disk import LOCK, Temporary, blamed, human_size, locked
from .errors import PathError, argument

META = "meta.json"
VERSION = 3
KEPT = 4
"""Tables of the same files that a cache keeps."""
_ROOM = 1 << 24  # bytes of the disk to leave free; for a smaller table, its own size


def check_room(folder: Path, n_bytes: float) -> None:
    """Raise unless the disk of a folder has room for some more bytes, and a margin."""
    free = shutil.disk_usage(folder).free
    if n_bytes + min(n_bytes, _ROOM) > free:
        raise PathError(
            f"{folder} has {human_size(free)} free, and the parsed table takes about "
            f"{human_size(n_bytes)} more: name a roomier folder with {argument('cache')} or "
            f"leave columns out with {argument('exclude')}"
        )


def blamed_on(path: Path) -> contextlib.AbstractContextManager[None]:
    """Name the file in errors of writing."""
    advice = f"; name another folder with {argument('cache')}"
    return blamed(PathError, f"{path} could not be written", advice)


class Parsed(NamedTuple):
    """The folder of a parsed table, and its metadata."""

    folder: Path
    meta: dict[str, Any]
    let_go: Callable[[], object]  # after this call, the folder may be removed
    reused: bool = False  # whether an earlier call parsed the table


class Entry:
    """The place of a table in a cache, given its options and the fingerprints of its files."""

    def __init__(self, parent: Path, question: dict[str, Any], sources: list[Any]) -> None:
        self._question, self._sources = question, sources
        self.folder = parent / _name(question, sources)

    def find(self) -> Parsed | None:
        """Return the table, if it exists, is complete, and no process is removing it."""
        try:
            lock = locked(self.folder / META, shared=True)
        except OSError:
            return None
        meta, asked = _complete(self.folder), (self._question, self._sources)
        if meta is None or (meta.get("question"), meta.get("sources")) != asked:
            lock.close()
            return None
        with contextlib.suppress(OSError):
            os.utime(self.folder / META)  # used last
        return Parsed(self.folder, meta, lock.close, reused=True)

    def keep(self, temporary: Temporary, meta: dict[str, Any]) -> Parsed:
        """Move a parsed table to its place, unless another process was faster."""
        if (found := self.find()) is not None:
            temporary.remove()
            return found
        with blamed_on(self.folder):
            if self.folder.exists():  # ``find`` did not accept it, so it is damaged
                _move_away(self.folder)
            lock = locked(temporary.path / META, shared=True)
            try:
                temporary.rename(self.folder)
            except OSError:
                lock.close()
                if (found := self.find()) is None:
                    raise
                temporary.remove()
                return found
        with contextlib.suppress(OSError):  # other processes may remove the same
            self._push_out()
        return Parsed(self.folder, meta, lock.close)

    def _push_out(self) -> None:
        """Remove entries of the same files that are out of date, or were not used for long."""
        current, stale = [], []
        for folder in self.folder.parent.iterdir():
            sources = _sources_of(folder)
            if sources == self._sources:
                current.append(folder)
            elif _paths(sources) == _paths(self._sources):
                stale.append(folder)
        current.sort(key=lambda folder: (folder / META).stat().st_mtime_ns)
        for folder in [*stale, *current[:-KEPT]]:
            with contextlib.suppress(OSError), locked(folder / META) as lock:
                if lock:
                    _move_away(folder)


def _paths(sources: list[Any]) -> list[str]:
    return [source["path"] for source in sources]


def _sources_of(folder: Path) -> list[Any]:
    """Return the fingerprints of the files of an entry; none if the folder is no entry."""
    meta = _complete(folder)
    try:
        sources: list[Any] = meta["sources"]
        return sources if folder.name == _name(meta["question"], sources) else []
    except (KeyError, IndexError, TypeError, AttributeError):
        return []


def _name(question: dict[str, Any], sources: list[Any]) -> str:
    """Return the name of an entry: the name of the first file, and a hash."""
    stem = Path(sources[0]["path"]).name.partition(".")[0] or "table"
    text = json.dumps([question, sources], sort_keys=True)
    return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _move_away(folder: Path) -> None:
    """Remove a folder.  It is renamed first, so that it never exists in part."""
    with Temporary(folder.parent) as temporary:
        os.replace(folder, temporary.path / "old")


def _complete(folder: Path) -> Any:
    """Return the metadata of a folder if its files are all there and whole, else None."""
    if folder.is_symlink():
        return None
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in meta["sizes"]}
        return meta if meta["version"] == VERSION and meta["sizes"] == sizes else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_meta(folder: Path, meta: dict[str, Any]) -> dict[str, Any]:
    """Add the sizes of all other files to the metadata; write and return these."""
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != LOCK}
    meta = {"version": VERSION, "sizes": sizes} | meta
    (folder / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
    return meta
