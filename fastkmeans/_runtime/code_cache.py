"""Compiled kernels on disk: every signature of a kernel has a file of its own.

numba's own cache lists the signatures of a kernel in one index file, and counts up the files of
machine code.  Two processes that compile two signatures at the same time read the same index
and take the same next number.  Then one signature leads to the machine code of the other.

Here the name of a file is a digest of the signature, the processor and the sources, so writers
need neither an index nor a lock.  A file is written under another name and renamed, so it is
whole or absent, on a network file system too.  It begins with a digest of its content: a file
that lost its content with the power counts as absent.

Nothing here stops a fit.  If a file cannot be read or written (a full disk, a folder that
became read-only), the kernel compiles in memory.
"""

import contextlib
import hashlib
import os
import pickle
from pathlib import Path
from typing import Any
from uuid import uuid4

import numba
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys
from numba.core.serialize import dumps


def _fields(kinds: Any) -> Any:
    """Return the names of the fields of all records among some types, in order.

    numba compares the class of a record by its name alone.  A kernel need not import the class,
    so the digest of its sources need not cover it.
    """
    return [
        (getattr(kind, "fields", ()), _fields(kind.types))
        for kind in kinds
        if hasattr(kind, "types")  # a tuple or a record
    ]


class CodeCache(FunctionCache):  # type: ignore[misc]  # numba has no types
    """The cache of one kernel; numba calls ``load_overload`` and ``save_overload``.

    Raises numba's RuntimeError if no folder can be written.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        locator = self._impl.locator
        self._folder = Path(locator.get_cache_path())
        self._sources = locator.get_source_stamp()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled kernel for a signature, or None if it is not on disk.

        Machine code needs numba's memory for scratch alone.  numba's own cache would first load all
        that numba can compile, and SciPy with it: half of a process's first fit.
        """
        rtsys.initialize(target_context)
        key = self._index_key(sig, target_context.codegen())
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        size = hashlib.sha256().digest_size
        if hashlib.sha256(content[size:]).digest() != content[:size]:
            return None
        known, compiled = pickle.loads(content[size:])
        return self._impl.rebuild(target_context, compiled) if known == key else None

    def holds(self, sig: Any, target_context: Any) -> bool:
        """Return whether there is a file for a signature."""
        return self._path(self._index_key(sig, target_context.codegen())).exists()

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel, if there is a place for it."""
        if not self._impl.check_cachable(data):
            return
        key = self._index_key(sig, data.codegen)
        path = self._path(key)
        content = dumps((key, self._impl.reduce(data)))
        unfinished = path.with_name(f"{path.name}.{uuid4().hex[:16]}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(hashlib.sha256(content).digest() + content)
            os.replace(unfinished, path)
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):  # it has its final name, or was never made
                unfinished.unlink()

    def flush(self) -> None:
        """Remove the files of this kernel: numba compiles it again."""
        for path in self._folder.glob(f"{self._impl.filename_base}.*.nbc"):
            with contextlib.suppress(OSError):
                path.unlink()

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        """Return what tells signatures of one kernel apart."""
        return *super()._index_key(sig, codegen), _fields(getattr(sig, "args", sig))

    def _path(self, key: Any) -> Path:
        """Return the file of a key; the key lies in the file too, since names can repeat."""
        known_by = repr((numba.__version__, self._sources, key))
        digest = hashlib.sha256(known_by.encode()).hexdigest()[:16]
        return self._folder / f"{self._impl.filename_base}.{digest}.nbc"
