"""Files that are whole or absent after an error, a kill, or a loss of power.

New data goes into a hidden folder next to its final place.  It is renamed when it is complete
and on the disk itself (``sync``).  Without that wait, a loss of power could leave an empty
file, or one with holes, under the final name.

The folder holds a lock file, which its process keeps locked.  A process that finds the lock
free knows that the owner is gone, and removes the folder.  Without locks (Windows, some
network file systems) such folders stay.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".fastkmeans-"
LOCK = "fastkmeans-temporary.lock"
"""Name of the lock file.  A folder of an earlier process is removed only if it holds one."""


def human_size(n_bytes: float) -> str:
    """Write a number of bytes in the largest unit (at most GB) that keeps it above one."""
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} GB"


class Lock(contextlib.AbstractContextManager["Lock"]):
    """An open file, locked until it is closed or garbage collected; false if it is not locked."""

    def __init__(self, file: int = -1) -> None:
        self.file = file

    def __bool__(self) -> bool:
        return self.file >= 0

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the lock."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    __del__ = close


def locked(path: Path, *, shared: bool = False, create: bool = False) -> Lock:
    """Lock a file, which must exist unless ``create``; the lock is false if there are none here.

    Several holders may have a ``shared`` lock.  Raises a ``BlockingIOError`` if another holder
    prevents the lock, a ``FileNotFoundError`` if the file was removed or replaced meanwhile.
    """
    flags = os.O_RDONLY if shared else os.O_RDWR
    flags |= getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if create else 0)
    lock = Lock(os.open(path, flags, 0o666))
    try:
        import fcntl

        fcntl.flock(lock.file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(lock.file), os.stat(path)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    except (BlockingIOError, FileNotFoundError):
        lock.close()
        raise
    except (ImportError, OSError):
        lock.close()
    return lock


def sync(path: Path) -> None:
    """Wait until a file, or the list of names of a folder, is on the disk itself."""
    windows, folder = os.name == "nt", path.is_dir()
    if windows and folder:  # Windows cannot open folders
        return
    file = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise  # these three mean that the file system cannot sync
    finally:
        os.close(file)


class Temporary(contextlib.AbstractContextManager["Temporary"]):
    """A folder that its process removes, or a later process if that one was killed.

    It is made in ``parent``, by default in the system's folder of temporary files.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent, prefix = (parent, PREFIX) if parent else (Path(tempfile.gettempdir()), PREFIX[1:])
        sweep(parent, prefix)
        self.path, self._lock = _begun(parent, prefix)
        self._process = os.getpid()

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the folder; a forked child leaves it to its parent."""
        if self._process == os.getpid():
            _empty(self.path)
            self._lock.close()
            _drop(self.path)

    def rename(self, path: Path) -> None:
        """Give the folder its final name; it is then no longer temporary."""
        for part in (*self.path.iterdir(), self.path):
            sync(part)
        os.replace(self.path, path)  # from here on, ``remove`` finds nothing
        self._lock.close()
        (path / LOCK).unlink(missing_ok=True)
        sync(path.parent)


def _begun(parent: Path, prefix: str) -> tuple[Path, Lock]:
    """Make a folder with a lock in it."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            return path, locked(path / LOCK, create=True)
        except (BlockingIOError, FileNotFoundError):  # another process swept it at once
            continue
        except OSError:
            path.rmdir()
            raise


def sweep(parent: Path, prefix: str = PREFIX) -> None:
    """Remove the folders of processes that were killed."""
    for folder in parent.glob(prefix + "*"):
        with contextlib.suppress(OSError):
            lock = locked(folder / LOCK) if _is_own(folder) else Lock()
            with lock:
                if lock:
                    _empty(folder)
                    _drop(folder)


def _is_own(folder: Path) -> bool:
    """Return whether this is a folder, not a link, and belongs to the user."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == getattr(os, "geteuid", int)()


def _empty(folder: Path) -> None:
    """Remove all of a folder except the lock, which marks the folder as ours."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                with contextlib.suppress(OSError):
                    path.unlink()


def _drop(folder: Path) -> None:
    """Remove a folder that holds nothing except the lock."""
    with contextlib.suppress(OSError):
        if all(path.name == LOCK for path in folder.iterdir()):
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()


@contextlib.contextmanager
def blamed(kind: type[Exception], what: str, advice: str = "") -> Iterator[None]:
    """Say what failed in an error of the system: Python names no file, or a temporary one."""
    try:
        yield
    except kind:
        raise
    except OSError as error:
        raise kind(f"{what}: {error.strerror or error}{advice}") from None


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name; afterwards give the file written there its final name."""
    target = Path(path).resolve()
    try:
        with Temporary(target.parent) as folder:
            new = folder.path / target.name
            yield new
            sync(new)
            os.replace(new, target)
            sync(target.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror or error, str(target)) from error
