"""What was read: files with dropped and skipped rows, or an array."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._runtime.arrays import Floats
from .words import count

FEW = 20
"""Most skipped rows that are listed."""


@dataclass
class Source:
    """What was read, what was left out and why, and how rows are called."""

    files: list[str]
    used: int
    total: int
    left_out_rows: list[str] = field(default_factory=list)
    left_out_columns: list[tuple[str, str]] = field(default_factory=list)  # name, reason
    missing: NDArray[np.int64] | None = None  # (n_features,), values missing in each column
    ranges: tuple[Floats, Floats] | None = None  # least and greatest values, (n_features,)
    filled: str = ""  # what stands for missing values
    warnings: list[str] = field(default_factory=list)
    row_heading: str = "row (from 0)"
    numbers: Callable[[NDArray[np.int64]], NDArray[np.int64]] = np.asarray
    id_heading: str | None = None
    ids: Callable[[NDArray[np.int64]], Sequence[Any]] | None = None  # of row numbers from 0


FILLED = {"mean": "the mean of the column stands for missing values",
          "zero": "zero stands for missing values"}  # fmt: skip


def source_of(data: Any, files: Sequence[object], n: int, missing: str = "error") -> Source:
    """Describe a dataset, or ``n`` rows of an array."""
    from .._files import Dataset

    if not isinstance(data, Dataset):
        return Source([], n, n)
    skipped = data.n_skipped
    dropped = data.n_source_rows - n - skipped
    rows = [f"{count(dropped, 'row')} dropped, because a value is missing"] if dropped else []
    if skipped:
        rows.append(f"{count(skipped, 'row')} skipped, because they could not be read")
        few = itertools.islice(data.skipped, FEW)
        rows += [f"{one.place} of {one.file}: {one.reason}" for one in few]
        if skipped > FEW:
            rows.append(f"... and {count(skipped - FEW, 'more row')}")
    columns = [(name, f"holds text, as {at.value!r}") for name, at in data.text.items()]
    columns += [(name, "holds no values") for name in data.empty]
    return Source(
        [str(file) for file in files], n, data.n_source_rows, rows, columns,
        data.statistics.missing, (data.statistics.minimum, data.statistics.maximum),
        FILLED.get(missing, ""),
        row_heading="row used (from 0)",
    )  # fmt: skip
