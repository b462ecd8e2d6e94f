"""The only jit policy: every kernel is compiled through ``jit`` or ``parallel_jit``.

* ``nogil``: kernels may run in a thread pool as well as under ``prange``.
* ``error_model="numpy"``: a division by zero gives inf or nan; kernels never raise.
* ``fastmath={"contract"}``: a multiplication and an addition may fuse into one
  ``fma``; nothing else may be reordered, so that results do not depend on the
  layout of an array or on the number of threads.
* ``cache``: compiled code is kept on disk.  Where no folder can be written
  (a read-only installation and no home), the kernels compile in memory instead;
  set ``NUMBA_CACHE_DIR`` to a writable folder to keep them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

_POLICY: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
}


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    try:
        return numba.njit(cache=True, **_POLICY, **options)(function)
    except RuntimeError as error:  # numba's "no locator available for file ..."
        if "locator" not in str(error):
            raise
        return numba.njit(cache=False, **_POLICY, **options)(function)


def jit(function: Callable[..., Any]) -> Any:
    """Compile a serial kernel."""
    return _compile(function)


def parallel_jit(function: Callable[..., Any]) -> Any:
    """Compile a driver whose ``prange`` loops run in numba's threads."""
    return _compile(function, parallel=True)
