"""Whether dense centers of sparse rows fit in memory, which depends on the columns alone."""

from .._runtime.disk import human_size
from .._runtime.memory import total_memory
from .rows import Rows
from .sparse import SparseRows

FIT = 40
"""Bytes that a fit takes per coordinate of the centers, at least: centers, sums, a table."""
CHOICE = 8
"""Bytes that the choice of rows as centers takes per coordinate."""
SMALL = 1 << 30
"""Bytes that are not worth a look at the memory of the machine."""


def check_room(rows: Rows, n_clusters: int, each: int = FIT, name: str = "X") -> None:
    """Raise if the dense centers of sparse rows cannot be held, before they are made.

    ``each`` is the bytes per coordinate.  Dense rows take more than their centers do.
    """
    d = rows.shape[1]
    need = each * n_clusters * d
    if not isinstance(rows, SparseRows) or need < SMALL:
        return
    memory = total_memory()
    if memory is None or need < memory:
        return
    raise ValueError(
        f"{name} has {d} columns, so {n_clusters} dense centers take at least {human_size(need)}, "
        f"and the machine has {human_size(memory)}: keep only the columns in which {name} stores "
        f"values (numpy.unique({name}.indices)), hash the features into fewer, or lower n_clusters."
    )
