"""Tables in files, of any size.

The map
-------
::

    open         open_dataset: from options to a memory map
       |
    dataset      Dataset: the memory map           cache       the folder of a parsed table
    parse/       one pass over all files           options     options, checked
    digits       columns that float32 cannot hold  statistics  moments, a sample of the rows
       |
    readers/     CSV, Parquet, Arrow, arrays       sources     files, folders, pipes
                                                   errors      errors that name arguments or flags

Only this folder needs pyarrow, and its functions import it when they use it.
"""

from .._runtime.extras import MissingExtra
from .dataset import Dataset
from .errors import FileError, FileWarning, PathError
from .open import open_dataset
from .sources import is_source

__all__ = [
    "Dataset",
    "FileError",
    "FileWarning",
    "MissingExtra",
    "PathError",
    "is_source",
    "open_dataset",
]
