"""Tables in files, of any size.

The map
-------
::

    dataset      Dataset, open_dataset: from the user's question to a memory map
       |
    table        several files as one table            cache       the folder it is parsed into
    finish       gaps, scales: after the first pass    statistics  moments, a sample
    first_pass   pieces in; rows, weights, ids out
       |
    csv_reader   CSV by pyarrow, blocks side by side   table_readers  Parquet, Arrow, arrays
                                                       pieces      what every file is read into
    csv_blocks   text, cut into blocks of rows         source      files, folders, pipes
    csv_errors   what can be wrong with CSV            wording     arguments, or flags

pyarrow is needed here and nowhere else, and imported where it is used.
"""

from .dataset import Dataset, open_dataset
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
