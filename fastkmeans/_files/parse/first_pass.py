"""The first pass over a table: pieces come in; rows, weights, ids and statistics go out.

Rows are written as they are read, with NaN for a missing value, unless they are dropped.
``finish`` later does in place all that needs statistics of all rows: filling with means,
scaling, and removing empty columns.

A column is alive from its first value on.  A column without any value is left out at the end,
so a gap in it drops no row.  If its first value comes late, all earlier rows had a gap, and are
dropped then.
"""

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._data.moments import block_moments
from ..._data.rows import twice
from ..._data.validation import NO_WEIGHTS
from ..._runtime.adding import total_of
from ..._runtime.arrays import Floats
from ..._runtime.text import shown
from ..cache import blamed_on
from ..errors import FileError, argument
from ..readers.csv_errors import infinite, refuse_infinite
from ..readers.pieces import Piece, Skipped, Wanted
from ..sources import Source
from ..statistics import Moments, Reservoir
from .growing import Column, Ids, SkippedLog

_BLOCK = 1 << 20


class Gap(NamedTuple):
    """A row that lacks values, and the columns that lack one."""

    file: Path
    place: str
    columns: NDArray[np.bool_]


class FirstPass:
    """Writes the rows of a table; applies the policies for missing and bad values."""

    def __init__(self, folder: Path, wanted: Wanted, missing: str) -> None:
        d = len(wanted.names)
        self.wanted, self.missing, self._folder = wanted, missing, folder
        self._drops = missing in ("drop", "error")  # an error is raised at the end, with counts
        self.rows = Column(folder / "rows.npy", wanted.dtype, d)
        self.kept = Column(folder / "kept.npy", np.dtype(np.bool_))
        self.weights: Column | None = None
        if wanted.weight_column is not None:
            self.weights = Column(folder / "weights.npy", np.dtype(np.float64))
        self.ids, self.log = Ids(folder / "ids.arrow"), SkippedLog(folder / "skipped.jsonl")
        self.moments, self.reservoir = Moments(d), Reservoir(d, wanted.dtype)
        self.n_source = self.n_kept = 0
        self.total_weight = 0.0
        self.alive = np.zeros(d, np.bool_)
        self.first_gap: Gap | None = None  # the first row that is dropped
        self._first_row: Gap | None = None

    def add(self, source: Source, piece: Piece) -> None:
        """Add the next rows."""
        values, n = piece.values, len(piece.values)
        weights = NO_WEIGHTS if piece.weights is None else piece.weights.view()
        weights.flags.writeable = False  # the one type that kernels are compiled for
        part = block_moments(twice(values), weights)
        if n and np.isfinite(part).all() and (weights >= 0.0).all():
            if self._first_row is None:
                nothing = np.zeros(self.alive.size, np.bool_)
                first = int(piece.source_rows()[0])
                self._first_row = Gap(source.path, piece.place(first), nothing)
            self._come_alive(~self.alive)
            self.moments.add(part, n)
            self._write(piece, piece.skipped, piece.source_rows(), values, weights)
        else:
            self._add_carefully(source, piece, weights)

    def _add_carefully(self, source: Source, piece: Piece, weights: Floats) -> None:
        """Add rows with missing values, infinite values, or invalid weights."""
        values, rows, skipped = piece.values, piece.source_rows(), dict(piece.skipped)
        x = values.astype(np.float64)
        if bad := infinite_rows(source, piece, x, rows, self.wanted):
            skipped |= bad
            good = ~np.isin(rows, list(bad))
            rows, values, x = rows[good], values[good], x[good]
            weights = weights[good] if weights.size else weights
        gaps = np.isnan(x)
        keep = self._weighted(source, piece, weights, rows)
        keep &= self._complete(source, piece, gaps, rows)
        rows, values, x, gaps = rows[keep], values[keep], x[keep], gaps[keep]
        weights = weights[keep] if weights.size else weights
        self.moments.add_with_gaps(x, gaps, weights)
        self._write(piece, skipped, rows, values, weights)

    def _weighted(
        self, source: Source, piece: Piece, weights: Floats, rows: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which rows have a weight; raise if a weight is invalid."""
        if not weights.size:
            return np.ones(len(rows), np.bool_)
        absent: NDArray[np.bool_] = np.isnan(weights)
        bad = (weights < 0.0) | np.isinf(weights)
        if self.missing != "drop":
            bad |= absent
        if bad.any():
            i = int(bad.argmax())
            what = "no value" if absent[i] else f"{weights[i]:g}"
            way_out = f" or use {argument('missing', 'drop')}" if absent[i] else ""
            raise FileError(
                f"{source.path}: column {shown(self.wanted.weight_column)} has {what} in "
                f"{piece.place(int(rows[i]))}: weights must be finite and not negative; correct "
                f"it{way_out}"
            )
        return ~absent

    def _complete(
        self, source: Source, piece: Piece, gaps: NDArray[np.bool_], rows: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which rows to keep for their values; drop earlier rows if a column comes alive."""
        if not len(rows):
            return np.ones(0, np.bool_)
        self.moments.missing += gaps.sum(axis=0)
        if self._first_row is None:
            self._first_row = Gap(source.path, piece.place(int(rows[0])), gaps[0].copy())
        self._come_alive(~gaps.all(axis=0) & ~self.alive)
        lacking = np.asarray(gaps[:, self.alive].any(axis=1)) & self._drops
        if self.first_gap is None and lacking.any():
            i = int(lacking.argmax())
            self.first_gap = Gap(source.path, piece.place(int(rows[i])), gaps[i].copy())
        return ~lacking

    def _come_alive(self, late: NDArray[np.bool_]) -> None:
        """Note the columns that have their first value in this piece."""
        self.alive |= late
        if self._drops and self.n_kept and late.any():
            self._drop_all_so_far()

    def _drop_all_so_far(self) -> None:
        """Drop all rows so far: each lacks a value in a column that just came alive."""
        self.first_gap = self._first_row
        self.n_kept, self.total_weight = 0, 0.0
        self.moments.forget()
        self.reservoir.forget()
        for column in (self.rows, self.weights, self.kept):
            if column is not None:
                column.forget()
        for start in range(0, self.n_source, _BLOCK):
            self.kept.append(np.zeros(min(_BLOCK, self.n_source - start), np.bool_))

    def _write(
        self,
        piece: Piece,
        skipped: dict[int, Skipped],
        rows: NDArray[np.int64],
        values: NDArray[Any],
        weights: Floats,
    ) -> None:
        kept = np.zeros(piece.n_source, np.bool_)
        kept[rows] = True
        self.n_source += piece.n_source
        self.n_kept += len(rows)
        with np.errstate(over="ignore"):  # ``finish`` refuses an infinite sum
            self.total_weight += total_of(weights) if weights.size else len(rows)
        with blamed_on(self._folder.parent):  # the folder itself has no final name yet
            for at in sorted(skipped):
                self.log.append(skipped[at])
            if self.missing == "error" and self.first_gap is not None:
                return  # only the counts are still needed
            self.rows.append(values)
            self.kept.append(kept)
            if self.weights is not None:
                self.weights.append(weights)
            if piece.ids is not None:
                self.ids.append(piece.ids)
        self.reservoir.add(values)

    def close(self) -> None:
        """Close the files, all of them."""
        with contextlib.ExitStack() as stack:
            for file in (self.rows, self.kept, self.weights, self.ids, self.log):
                if file is not None:
                    stack.callback(file.close)


def infinite_rows(
    source: Source,
    piece: Piece,
    x: NDArray[Any],  # values of some rows of the piece
    rows: NDArray[np.int64],  # their numbers
    wanted: Wanted,
    fixed: bool = False,  # whether the columns are those of a model
) -> dict[int, Skipped]:
    """Return the rows to skip because a value is infinite; raise if rows may not be skipped."""
    bad: dict[int, Skipped] = {}
    for i in np.flatnonzero(np.isinf(x).any(axis=1)).tolist():
        name = wanted.names[int(np.isinf(x[i]).argmax())]
        place, dtype = piece.place(int(rows[i])), wanted.dtype.name
        if not wanted.skip:
            refuse_infinite(source, name, place, dtype, fixed)
        bad[int(rows[i])] = Skipped(str(source.path), place, infinite(name, dtype), "")
    return bad
