"""What a page says about the rows, whatever the clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._data.sparse import SparseRows
from .._data.tables import Table
from .._runtime.arrays import Floats
from ..plots._rows import Spread, names_of, spread_of
from .source import Source
from .words import column_name, some_of

MOST_FILES = 20
"""Most files that are named."""
DOMINANT = 0.9
"""Share of the variance above which one column outweighs all others."""


@dataclass
class Described:
    """The rows: where they come from, their columns, mean and spread."""

    source: Source
    names: list[str]
    shift: Floats  # (d,); values of the file are coordinates of the fit * scale + shift
    scale: Floats
    spread: Spread  # in the coordinates of the fit
    by_cosine: bool  # whether rows count with length 1
    has_weights: bool

    @property
    def in_units(self) -> str:
        """The unit of centers and rows, for captions."""
        return ", of rows brought to length 1" if self.by_cosine else ""

    @property
    def standard(self) -> bool:
        """Whether columns are standardised."""
        return bool((self.scale != 1.0).any())

    @property
    def distance_unit(self) -> str:
        """The unit of distances, for captions."""
        if self.by_cosine:
            return "1 - cosine"
        return "in standard deviations" if self.standard else "in the units of the columns"

    def to_units(self, X: Floats) -> Floats:
        """Return coordinates of the fit in the units of the file."""
        found: Floats = X * self.scale + self.shift
        return found


def describe(model: Any, table: Table, weights: Floats, source: Source) -> Described:
    """Describe the rows of a table that has the coordinates of the fit of ``model``."""
    own, d, by_cosine = model.preparation_, table.rows.shape[1], model.metric == "cosine"
    shift, scale = (np.zeros(d), np.ones(d)) if own is None else (own.shift, own.scale)
    names = [column_name(name) for name in names_of(model, table)]
    spread = spread_of(table, weights, by_cosine, model.n_threads)
    return Described(source, names, shift, scale, spread, by_cosine, bool(weights.size))


def read_pairs(about: Described) -> list[tuple[str, str]]:
    """Return what was read, as names and texts."""
    source = about.source
    read = [("files", some_of(source.files, MOST_FILES))] if source.files else []
    of = "" if source.total == source.used else f" of {source.total:,}"
    read += [("rows", f"{source.used:,}{of}"), ("columns", f"{len(about.names):,}")]
    if source.missing is not None:
        values = int(source.missing.sum())
        filled = f"; {source.filled}" if source.filled and values else ""
        read.append(("values missing", f"{values:,}{filled}"))
    if about.by_cosine:
        read.append(("rows count", "with length 1 (cosine)"))
    else:
        read.append(("columns count", "alike (standardised)" if about.standard else "as they are"))
    if about.has_weights:
        read.append(("weights", "rows have weights"))
    return read


def column_warnings(about: Described, table: Table) -> list[str]:
    """Return warnings of constant columns, and of one that outweighs all others."""
    found: list[str] = []
    if about.by_cosine or isinstance(table.rows, SparseRows):
        return found
    deviation = about.spread.deviation
    names = [about.names[j] for j in np.flatnonzero(deviation == 0.0)[:20]]
    if names:
        found.append(f"constant columns tell no rows apart: {', '.join(names)}")
    variance = np.square(deviation / (deviation.max() or 1.0))
    j, total = int(variance.argmax()), float(variance.sum())
    if len(variance) > 1 and not about.standard and variance[j] > DOMINANT * total:
        found.append(
            f"column \u201c{about.names[j]}\u201d makes up {variance[j] / total:.1%} of the "
            "variance, so the others hardly count: standardise the columns, or leave it out"
        )
    return found
