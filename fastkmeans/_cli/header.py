"""A warning if the first line looks like data: ``--no-header`` is easy to forget."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from .._files.readers.csv_blocks import Dialect
from .._files.sources import FORMATS, find_files
from .console import note


def warn_of_numbers(path: Path, names: Sequence[str], decimal: str) -> None:
    """Warn if all column names of a file are numbers."""
    if names and all(map(Dialect(decimal=decimal).is_number, names)):
        note(
            f"warning: the first line of {path} holds numbers only, and is taken for the names of "
            "the columns: if it is data, give --no-header"
        )


def first_csv(files: Sequence[Path]) -> Path | None:
    """Return the first file of a table if it is CSV, or a pipe (likely CSV); else None."""
    with contextlib.suppress(OSError):
        path = find_files(files)[0]
        if not path.is_file():
            return path
        with open(path, "rb") as file:
            start = file.read(8)
        return None if start.startswith(tuple(FORMATS)) else path
    return None
