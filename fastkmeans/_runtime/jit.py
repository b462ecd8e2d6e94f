"""The only jit policy: every kernel is compiled through one of its functions.

* ``nogil``: kernels may run in a thread pool as well as under ``prange``.
* ``error_model="numpy"``: a division by zero gives inf or nan; kernels never raise.
* ``fastmath={"contract"}``: a multiplication and an addition may fuse into one
  ``fma``; nothing else may be reordered, so that results do not depend on the
  layout of an array or on the number of threads.
* ``no_cfunc_wrapper``: nothing calls a kernel as a function of C.
* ``no_rewrites``: numba does not look for expressions to simplify, a tenth of the time
  it takes to compile; LLVM does that anyway.  An item of a tuple costs more then, and a
  kernel unpacks it instead: ``_, _, d = X.shape``.
* ``cache``: compiled code is kept on disk, under a name that holds a digest of all the
  kernels' sources.  numba notices an edit of the file of a kernel, but not one of a
  file that the kernel calls into, and would go on running the old code.  Where no
  folder can be written (a read-only installation and no home), the kernels compile in
  memory instead; set ``NUMBA_CACHE_DIR`` to a writable folder to keep them.
"""

from __future__ import annotations

import functools
import gc
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import event

from .. import __version__

_POLICY: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
    "no_cfunc_wrapper": True,
    "no_rewrites": True,
}


PACKAGE = Path(__file__).resolve().parents[1]
COMPILED = ("_kernels", "_runtime")
"""Folders whose files define kernels, intrinsics and records of arrays."""


def sources_digest(package: Path = PACKAGE) -> str:
    """Return a digest of the names and contents of all files that compile something."""
    digest = hashlib.sha256(__version__.encode())
    for folder in COMPILED:
        for path in sorted((package / folder).rglob("*.py")):
            name = path.relative_to(package).as_posix()
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


_DIGEST = sources_digest()


class _NoGarbageWhileCompiling(event.Listener):  # type: ignore[misc]  # numba has no types
    """Python's garbage collector rests while a kernel of this package is compiled.

    numba makes many small objects and keeps most of them; to look through them
    again and again takes a tenth of the time, and the first fit waits for that.  numba
    tells of the start and the end under its lock, so one counter serves all threads.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._paused = False

    def _is_ours(self, notice: Any) -> bool:
        compiled = (notice.data or {}).get("dispatcher")
        return str(getattr(compiled, "__module__", "")).startswith(f"{PACKAGE.name}.")

    def on_start(self, notice: Any) -> None:
        if self._is_ours(notice):
            if self._depth == 0 and gc.isenabled():
                self._paused = True
                gc.disable()
            self._depth += 1

    def on_end(self, notice: Any) -> None:
        if self._is_ours(notice):
            self._depth -= 1
            if self._depth == 0 and self._paused:
                self._paused = False
                gc.enable()


event.register("numba:compile", _NoGarbageWhileCompiling())


def _without_warnings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that, like compiled code, calculates with infinities in silence."""

    @functools.wraps(function)
    def silent(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return silent


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    if numba.config.DISABLE_JIT:
        return _without_warnings(function)
    function.__qualname__ = f"{function.__qualname__}_{_DIGEST}"
    policy = _POLICY | options
    try:
        return numba.njit(cache=True, **policy)(function)
    except RuntimeError as error:  # numba's "no locator available for file ..."
        if "locator" not in str(error):
            raise
        return numba.njit(cache=False, **policy)(function)


def jit(function: Callable[..., Any]) -> Any:
    """Compile a serial kernel that allocates nothing.

    Without numba's runtime an array is passed and sliced without counting references:
    the counters are shared between the threads, and atomic.
    """
    return _compile(function, _nrt=False)


def jit_inline(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel, not by itself but with the kernel that calls it.

    A function by itself takes numba 0.1 s, and LLVM sees it again in every caller.
    """
    return _compile(function, _nrt=False, inline="always")


def jit_unfused(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel whose sums are rounded as NumPy's: nothing fuses.

    A function by itself: inlined into a kernel it would be under that one's rules.
    """
    return _compile(function, _nrt=False, fastmath=False)


def jit_with_scratch(function: Callable[..., Any]) -> Any:
    """Compile a serial kernel that allocates scratch for its range of rows."""
    return _compile(function)


def parallel_jit(function: Callable[..., Any]) -> Any:
    """Compile a driver whose ``prange`` loops run in numba's threads."""
    return _compile(function, parallel=True, _nrt=False, no_rewrites=False)


_addresses: dict[tuple[Any, ...], int] = {}


def _kind_of(argument: Any) -> Any:
    """Return what decides how numba types an argument, and maybe more.

    A record counts by its class and its fields: its class alone does not say whether they
    hold float32 or float64.
    """
    if isinstance(argument, np.ndarray):
        return argument.dtype, argument.ndim, argument.flags.num
    if isinstance(argument, tuple):
        return type(argument), *map(_kind_of, argument)
    return type(argument)


def address_of(kernel: Any, arguments: tuple[Any, ...]) -> Any:
    """Return the address of the machine code of a kernel, for a driver to call.

    It is compiled for the types of these arguments first, if it has not been.
    """
    if numba.config.DISABLE_JIT:
        return kernel
    key = (kernel, *map(_kind_of, arguments))
    if key not in _addresses:
        signature = tuple(map(numba.typeof, arguments))
        kernel.compile(signature)
        compiled = kernel.overloads[signature]
        name = compiled.fndesc.llvm_func_name
        _addresses[key] = compiled.library.get_pointer_to_function(name)
    return _addresses[key]


def fields_of(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments with every record replaced by its fields, in order.

    Machine code takes the fields of a record one by one, so a kernel that is called by its
    address can be given either.  A ``prange`` hands arrays on, but no records.  Without JIT
    the kernel is a function of Python, and wants the records.
    """
    if numba.config.DISABLE_JIT:
        return arguments
    flat: list[Any] = []
    for argument in arguments:
        if isinstance(argument, tuple):
            flat += fields_of(argument)
        else:
            flat.append(argument)
    return tuple(flat)
