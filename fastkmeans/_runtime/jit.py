"""The options of the compiler: every kernel is compiled through a function of this module.

* ``nogil``: kernels can run in a thread pool as well as under ``prange``.
* ``error_model="numpy"``: a division by zero gives inf or nan; kernels never raise.
* ``fastmath={"contract"}``: a multiplication and an addition may fuse into one ``fma``.
  Nothing is reordered, so results do not depend on an array's layout or on the threads.
* ``no_cfunc_wrapper``: nothing calls a kernel as a function of C.
* ``no_rewrites``: numba does not search for expressions to simplify.  The search takes a tenth
  of the compile time, and LLVM simplifies anyway.  ``X.shape[2]`` then costs more, so kernels
  unpack the tuple: ``_, _, d = X.shape``.

Compiled code is kept on disk (``code_cache``), under a name with a digest of the kernel's file and
of all files from which it imports, directly or not.  numba notices an edit of a kernel's own file
only: after an edit of a file that the kernel calls into, numba would run the old code.  An edit of
other files leaves the kernel as it is.  If no folder can be written (a read-only installation and
no home), kernels compile in memory.  ``NUMBA_CACHE_DIR`` names another folder.
"""

import functools
import gc
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import event
from numba.core.compiler import Compiler

from .. import __version__
from .code_cache import CodeCache
from .target import TARGET
from .waiting import waiting

LATEST = (0, 68)
"""The latest numba whose inner parts ``compiler`` is known to fit."""


def _pipeline() -> Any:
    """Return the steps in which kernels are compiled: ours, or those of a numba later than known.

    Results are the same; numba's own take about twice as long.
    """
    if tuple(numba.version_info[:2]) > LATEST:
        return Compiler
    from .compiler import KernelCompiler

    return KernelCompiler


_POLICY: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
    "no_cfunc_wrapper": True,
    "no_rewrites": True,
    "pipeline_class": _pipeline(),
}
PACKAGE = Path(__file__).resolve().parents[1]
COMPILED = ("_kernels", "_runtime")
"""Folders whose files define kernels, intrinsics and records of arrays."""


IMPORTS = re.compile(r"^[ \t]*from (\.+)([\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)
"""Imports from this package; kernels have no others."""


@functools.cache
def _content(path: Path) -> bytes:
    """Return what a file holds; nothing if a function comes from no file."""
    return path.read_bytes() if path.is_file() else b""


@functools.cache
def _digest_of(path: Path, package: Path) -> bytes:
    """Return a digest of the name and the content of a file."""
    name = path.relative_to(package).as_posix() if package in path.parents else path.name
    return hashlib.sha256(name.encode() + b"\0" + _content(path)).digest()


def _is_compiled(path: Path, package: Path) -> bool:
    return any(package / folder in path.parents for folder in COMPILED)


@functools.cache
def imported_files(path: Path, package: Path = PACKAGE) -> frozenset[Path]:
    """Return the files in ``COMPILED`` from which one of them imports, wherever in it."""
    files = []
    for dots, module, names in IMPORTS.findall(_content(path).decode()):
        place = path.parents[len(dots) - 1].joinpath(*module.split("."))
        if module and not place.is_dir():
            files.append(place.with_suffix(".py"))
            continue
        inner = [place / f"{name}.py" for name in re.findall(r"\w+", names)]
        files += [file for file in [place / "__init__.py", *inner] if file.exists()]
    return frozenset(file for file in files if _is_compiled(file, package))


@functools.cache
def sources_of(path: Path, package: Path = PACKAGE) -> set[Path]:
    """Return the file of a kernel and all files in ``COMPILED`` from which it imports.

    The imports of those files count, too.  A file outside ``COMPILED``, of a test, may import
    any of them.
    """
    if not _is_compiled(path, package):
        return {path}.union(*((package / folder).rglob("*.py") for folder in COMPILED))
    found, left = {path}, [path]
    while left:
        new = imported_files(left.pop(), package) - found
        found |= new
        left += new
    return found


@functools.cache
def sources_digest(path: Path, package: Path = PACKAGE) -> str:
    """Return a digest of the target, and of the names and contents of ``sources_of`` a kernel.

    numba's own key lacks what LLVM does not report of a processor: products of bytes of Arm.
    """
    digest = hashlib.sha256(f"{__version__} {TARGET}".encode())
    for part in sorted(_digest_of(file, package) for file in sources_of(path, package)):
        digest.update(part)
    return digest.hexdigest()[:12]


class _WhileCompiling(event.Listener):  # type: ignore[misc]  # numba has no types
    """Stops Python's garbage collector while a kernel of this package is compiled.

    numba makes many small objects and keeps most.  To scan them repeatedly takes a tenth of the
    compile time of the first fit.  numba reports start and end under its lock, so one counter
    serves all threads.  ``waiting`` counts the time.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._paused = False

    def _is_ours(self, notice: Any) -> bool:
        compiled = (notice.data or {}).get("dispatcher")
        return str(getattr(compiled, "__module__", "")).startswith(f"{PACKAGE.name}.")

    def on_start(self, notice: Any) -> None:
        if self._is_ours(notice):
            self._depth += 1
            if self._depth == 1:
                self._paused = gc.isenabled()
                gc.disable()
                waiting.begin()

    def on_end(self, notice: Any) -> None:
        if self._is_ours(notice):
            self._depth -= 1
            if self._depth == 0:
                waiting.end()
                if self._paused:
                    gc.enable()


event.register("numba:compile", _WhileCompiling())


def _without_warnings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives no floating-point warnings, like compiled code."""

    @functools.wraps(function)
    def silent(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return silent


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    if numba.config.DISABLE_JIT:
        return _without_warnings(function)
    digest = sources_digest(Path(function.__code__.co_filename).resolve())
    function.__qualname__ = f"{function.__qualname__}_{digest}"
    kernel = numba.njit(**_POLICY | options)(function)
    try:
        kernel._cache = CodeCache(function)
    except RuntimeError as error:  # numba's "no locator available for file ..."
        if "locator" not in str(error):
            raise
    return kernel


def jit(function: Callable[..., Any]) -> Any:
    """Compile a serial kernel that allocates nothing.

    Without numba's runtime, passing and slicing an array counts no references.  The counters
    are atomic and shared between threads, so they would be slow.
    """
    return _compile(function, _nrt=False)


def jit_inline(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel together with the kernel that calls it.

    A separate function costs numba 0.1 s more, and LLVM compiles it again in every caller.
    """
    return _compile(function, _nrt=False, inline="always")


def jit_unfused(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel whose sums round as in NumPy: nothing fuses.

    It is a separate function: inlined, it would follow the options of its caller.
    """
    return _compile(function, _nrt=False, fastmath=False)


def jit_with_scratch(function: Callable[..., Any]) -> Any:
    """Compile a serial kernel that allocates scratch for its range of rows."""
    return _compile(function)


def parallel_jit(function: Callable[..., Any]) -> Any:
    """Compile a driver whose ``prange`` loops run in numba's threads."""
    return _compile(function, parallel=True, _nrt=False, no_rewrites=False, pipeline_class=Compiler)


NO_KERNEL = 0
"""In place of the address of a kernel that is not called."""

_addresses: dict[tuple[Any, ...], int] = {}


def kind_of(argument: Any) -> Any:
    """Return a key that differs for arguments that numba types differently.

    A record's key holds its class and its fields: the class does not tell float32 from float64.
    """
    if isinstance(argument, np.ndarray):
        return argument.dtype, argument.ndim, argument.flags.num
    if isinstance(argument, tuple):
        return type(argument), *map(kind_of, argument)
    return type(argument)


def address_of(kernel: Any, arguments: tuple[Any, ...]) -> Any:
    """Return the address of a kernel's machine code, compiled for the types of the arguments."""
    if numba.config.DISABLE_JIT:
        return kernel
    key = (kernel, *map(kind_of, arguments))
    if key not in _addresses:
        signature = tuple(map(numba.typeof, arguments))
        kernel.compile(signature)
        compiled = kernel.overloads[signature]
        name = compiled.fndesc.llvm_func_name
        _addresses[key] = compiled.library.get_pointer_to_function(name)
    return _addresses[key]


def is_compiled(kernel: Any, arguments: tuple[Any, ...]) -> bool:
    """Return whether a kernel is compiled for the types of the arguments, in memory or on disk."""
    if numba.config.DISABLE_JIT:
        return True
    signature = tuple(map(numba.typeof, arguments))
    if signature in kernel.overloads:
        return True
    return isinstance(kernel._cache, CodeCache) and kernel._cache.holds(signature, kernel.targetctx)


def fields_of(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments with every record replaced by its fields, in order.

    A ``prange`` passes on arrays, but not records.  Machine code takes the fields of a record
    one by one, so both calls are the same to it.  Without JIT the kernel is a Python function
    and needs the records.
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
