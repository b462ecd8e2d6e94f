"""How much memory the machine has: a system may promise more, and end the process later."""

import contextlib
import os
from pathlib import Path

LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
"""Files with the limit of a container, of both versions of Linux's control groups."""


def total_memory() -> int | None:
    """Return the bytes of memory that a process can have; None if the system does not report it."""
    sizes = []
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows lacks sysconf
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in LIMITS:
        with contextlib.suppress(ValueError, OSError):  # "max" is no number: no limit
            sizes.append(int(Path(path).read_text()))
    return min((size for size in sizes if size > 0), default=None)
