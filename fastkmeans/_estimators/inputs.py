"""From ``X``, as users pass it, to a table: arrays, data frames, tables in files."""

from typing import Any

import numpy as np

from .._data.sparse import is_sparse
from .._data.tables import Preparation, Table, table_in_memory


def as_table(X: Any, name: str = "X", columns: Any = None, fewest: int = 1) -> Table:
    """Wrap anything array-like as ``table_in_memory`` does, and open files.

    A path, a list of paths or an iterator over arrays is parsed once into temporary files.
    ``columns`` names the columns to read from files with names; None reads all numeric ones.
    ``fewest``: rows that a table in memory must have.
    """
    if isinstance(X, np.ndarray) or is_sparse(X):  # the usual cases need no import
        return table_in_memory(X, name, fewest)
    from .._files import Dataset

    X = opened(X, name, columns)
    if isinstance(X, Dataset):
        own = Preparation(X.shift, X.scale, X.statistics.mean, "error", X.rows.dtype.name)
        return Table(X.rows, list(X.names) if X.named else None, X.weights, own if own else None)
    return table_in_memory(X, name, fewest)


def opened(X: Any, name: str = "X", columns: Any = None) -> Any:
    """Return the dataset of files or of an iterator, which can be read only once; else ``X``."""
    if isinstance(X, np.ndarray) or is_sparse(X):
        return X
    from .._files import FileError, is_source, open_dataset

    if not is_source(X):
        return X
    try:
        return open_dataset(X, columns=columns, dtype="auto")
    except FileError as error:
        error.args = (f"{name}: {error}",)
        raise
