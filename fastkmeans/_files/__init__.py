"""Tables in files, of any size.

The map
-------
::

    open         open_dataset: from options to a memory map
       |
    dataset      Dataset, what is mapped           cache       where it is parsed into, once
    parse/       one pass over all files           options     what is asked, checked
    digits       columns that float32 cannot hold  statistics  moments, a sample of the rows
       |
    readers/     CSV, Parquet, Arrow, arrays       sources     files, folders, pipes
                                                   errors      in words of arguments, or flags

pyarrow is needed here and nowhere else, and imported where it is used.
"""

from .dataset import Dataset
from .errors import FileError, FileWarning, MissingExtra, PathError
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
