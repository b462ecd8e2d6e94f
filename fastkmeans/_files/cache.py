"""The folder that a table is parsed into, once.

    rows.npy       (n_rows, n_features), C order: what is clustered, read as a memory map
    weights.npy    (n_rows,) float64, if there is a column of weights
    kept.npy       (n_source_rows,) bool, if rows were left out
    ids.arrow      one id per source row, if there is a column of ids
    sample.npy     some of the rows, drawn at random
    skipped.jsonl  the rows that could not be read, and why
    meta.json      names, statistics, and the fingerprint of what was asked of which files

It is a temporary folder (``_runtime.disk``) until it is complete.  An entry of a cache then gets a
name to stay, made of what was asked and of what the files were; what cannot be asked for
again, because it came out of a pipe or because there is no cache, stays temporary.

Whoever reads an entry shares a lock on its ``meta.json``.  A new entry pushes out those of
the same files that nobody reads: of files that have changed since, all; of files as they
are, all but those used last.  Nothing is ever removed that does not bear the name that
follows from its metadata.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .._runtime.disk import LOCK, Temporary, human_size, locked
from .errors import PathError, argument

META = "meta.json"
VERSION = 3
KEPT = 4
"""Tables of the same files that a cache keeps."""
_ROOM = 1 << 24  # bytes that shall stay free, beside a table that is larger


def check_room(folder: Path, n_bytes: float) -> None:
    """Raise unless a folder has room for some more bytes, and a little to spare."""
    free = shutil.disk_usage(folder).free
    if n_bytes + min(n_bytes, _ROOM) > free:
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


class Parsed(NamedTuple):
    """A folder that holds a parsed table, as long as it is held.

    Attributes
    ----------
    folder : Path
        The folder.
    meta : dict
        Its metadata.
    let_go : callable
        Ends the hold: from then on the folder may go away, or has gone.
    reused : bool
        Whether it had been parsed before.
    """

    folder: Path
    meta: dict[str, Any]
    let_go: Callable[[], object]
    reused: bool = False


class Entry:
    """The place in a cache of the answer to one question about some files.

    Parameters
    ----------
    parent : Path
        The folder of the cache.
    question : dict
        What was asked.
    sources : list of dict
        The fingerprints of the files.
    """

    def __init__(self, parent: Path, question: dict[str, Any], sources: list[Any]) -> None:
        self._question, self._sources = question, sources
        self.folder = parent / _name(question, sources)

    def find(self) -> Parsed | None:
        """Return the table, if it is there, complete, and not being removed."""
        try:
            lock = locked(self.folder / META, shared=True)
        except OSError:
            return None
        let_go = lock.close if lock else _nothing
        meta, asked = _complete(self.folder), (self._question, self._sources)
        if meta is None or (meta.get("question"), meta.get("sources")) != asked:
            let_go()
            return None
        with contextlib.suppress(OSError):
            os.utime(self.folder / META)  # used last
        return Parsed(self.folder, meta, let_go, reused=True)

    def keep(self, temporary: Temporary, meta: dict[str, Any]) -> Parsed:
        """Give a parsed table its place, unless another process was faster."""
        if (found := self.find()) is not None:
            temporary.remove()
            return found
        with blamed_on(self.folder):
            if self.folder.exists():  # and is damaged: it was not found
                _move_away(self.folder)
            lock = locked(temporary.path / META, shared=True)
            let_go = lock.close if lock else _nothing
            try:
                temporary.rename(self.folder)
            except OSError:
                let_go()
                if (found := self.find()) is None:
                    raise
                temporary.remove()
                return found
        with contextlib.suppress(OSError):  # others may be at it, too
            self._push_out()
        return Parsed(self.folder, meta, let_go)

    def _push_out(self) -> None:
        """Remove entries of the same files that are of no use, or were not used for long."""
        current, stale = [], []
        for folder in self.folder.parent.iterdir():
            sources = _sources_of(folder)
            if sources == self._sources:
                current.append(folder)
            elif _paths(sources) == _paths(self._sources):
                stale.append(folder)
        current.sort(key=lambda folder: (folder / META).stat().st_mtime_ns)
        for folder in [*stale, *current[:-KEPT]]:
            with contextlib.suppress(OSError):
                lock = locked(folder / META)
                if lock is not None:
                    with lock:
                        _move_away(folder)


def _nothing() -> None:
    """Let go of what could not be locked."""


def _paths(sources: list[Any]) -> list[str]:
    return [source["path"] for source in sources]


def _sources_of(folder: Path) -> list[Any]:
    """Return the fingerprints of the files of an entry; none if it is something else."""
    meta = _complete(folder)
    try:
        sources: list[Any] = meta["sources"]
        return sources if folder.name == _name(meta["question"], sources) else []
    except (KeyError, IndexError, TypeError, AttributeError):
        return []


def _name(question: dict[str, Any], sources: list[Any]) -> str:
    """Return the name of the folder that answers a question about files as they are."""
    stem = Path(sources[0]["path"]).name.partition(".")[0] or "table"
    text = json.dumps([question, sources], sort_keys=True)
    return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _move_away(folder: Path) -> None:
    """Remove a folder: first out of the way, for it never to be there in part."""
    with Temporary(folder.parent) as temporary:
        os.replace(folder, temporary.path / "old")


def _complete(folder: Path) -> Any:
    """Return the metadata of a folder that holds all that they tell of, else None."""
    if folder.is_symlink():
        return None
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in meta["sizes"]}
        return meta if meta["version"] == VERSION and meta["sizes"] == sizes else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_meta(folder: Path, meta: dict[str, Any]) -> dict[str, Any]:
    """Write the metadata, with the sizes of all other files, and return them."""
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != LOCK}
    meta = {"version": VERSION, "sizes": sizes} | meta
    (folder / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
    return meta
