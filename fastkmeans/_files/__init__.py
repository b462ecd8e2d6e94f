"""Tables in files, of any size.

The map
-------
::

    opening      open_dataset: from a question to a memory map
       |
    dataset      Dataset, what is mapped           cache       where it is parsed into, once
    table        several files as one table        question    what is asked, checked
    finish       gaps, scales: after the first pass
    digits       columns that float32 is too narrow for
    first_pass   pieces in; rows, weights, ids out
    growing      the files that they go into       statistics  moments, a sample
       |
    csv_reader   CSV by pyarrow, blocks side by side   table_readers  Parquet, Arrow, arrays
                                                       pieces      what every file is read into
    csv_blocks   text, cut into blocks of rows         source      files, folders, pipes
    csv_errors   what can be wrong with CSV            wording     arguments, or flags

pyarrow is needed here and nowhere else, and imported where it is used.
"""

from .dataset import Dataset
from .opening import open_dataset
from .source import is_source
from .wording import FileError, FileWarning, MissingExtra, PathError

__all__ = [
    "Dataset",
    "FileError",
    "FileWarning",
    "MissingExtra",
    "PathError",
    "is_source",
    "open_dataset",
]
