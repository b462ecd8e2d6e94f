"""A private, fresh cache for numba.

numba does not notice when a helper in another module changes, and loads stale code.  The
folder is therefore named after the content of the package: kernels are compiled once per
version of the sources and shared by all processes of a run.  FASTKMEANS_BENCH_CACHE names
another folder, which must hold kernels of these sources only: CI gives that of the tests.
"""

from __future__ import annotations

import getpass
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from pathlib import Path


def package_digest(package: str = "fastkmeans") -> str:
    """Return a digest of the package's sources and of numba's version.

    The package is found but not imported.
    """
    digest = hashlib.sha256(sys.version.encode())
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin is not None:
        for path in sorted(Path(spec.origin).parent.rglob("*.py")):
            digest.update(str(path).encode())
            digest.update(path.read_bytes())
    for name in ("numba", "llvmlite", "numpy"):
        try:
            digest.update(importlib.metadata.version(name).encode())
        except importlib.metadata.PackageNotFoundError:
            digest.update(b"none")
    return digest.hexdigest()[:16]


def use_private_cache() -> str:
    """Point numba at a cache of this very version of the package; return its folder.

    To be called before numba is imported.
    """
    path = os.environ.get("FASTKMEANS_BENCH_CACHE")
    if path is None:
        folder = f"fastkmeans-bench-{getpass.getuser()}-{package_digest()}"
        path = os.path.join(tempfile.gettempdir(), folder)
    os.makedirs(path, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = path
    return path
