"""What a set of centers says of rows: closest center, distances, inertia."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import Rows
from .._data.scaling import Frame, frame_of, make_frame, power_of_two
from .._data.tables import Table
from .._data.validation import check_finite, first_not_finite, weights_of
from .._engines.base import Packed, work_of
from .._engines.plain import assign_block
from .._engines.sums import sum_of_squares
from .._kernels.emit.simd import CENTERS
from .._kernels.plain.assign import assign_few
from .._kernels.plain.distances import distance_rows
from .._runtime.adding import column_totals
from .._runtime.threads import Team

ROWS_AT_A_TIME = 1 << 20
"""Rows that are labelled at a time, for labels to be all the memory that it takes."""
FEW_ROWS = 4
"""Up to this many rows are compared with the centers directly: packing costs more."""


def _frame_around(centers: NDArray[np.float64], size: float, dtype: np.dtype[Any]) -> Frame:
    """Return a frame for rows up to ``size`` that need not be those of a fit."""
    shift = column_totals(centers / len(centers))  # in this order nothing overflows
    reach = max(size, float(np.abs(centers).max()))
    return make_frame(dtype, shift, power_of_two(reach, dtype))


def _label(rows: Rows, centers: NDArray[np.float64], frame: Frame, team: Team) -> NDArray[np.int32]:
    """Return the closest center of each row."""
    labels = rows.empty(rows.shape[0], np.int32)
    previous = np.full(min(rows.shape[0], ROWS_AT_A_TIME), -1, np.int32)
    packed = Packed(*centers.shape)
    packed.pack(centers, frame)
    for start, block in rows.blocks():
        for at in range(0, block.shape[1], ROWS_AT_A_TIME):
            X = block[:, at : at + ROWS_AT_A_TIME]
            out = labels[start + at :][: X.shape[1]]
            assign_block(X, team, frame, centers, packed, previous[: len(out)], out)
    return labels


def closest_centers(
    table: Table, centers: NDArray[np.float64], n_threads: int | None, name: str = "X"
) -> NDArray[np.int32]:
    """Return the closest center of each row, ties to the lowest index."""
    size = check_finite(table, name)
    rows = table.rows
    centers = np.ascontiguousarray(centers, np.float64)
    frame = _frame_around(centers, size, rows.dtype)
    if rows.shape[0] <= FEW_ROWS:
        labels = np.empty(rows.shape[0], np.int32)
        for _, X in rows.blocks():
            assign_few(X, centers, frame.scale, labels)
        return labels
    with Team(n_threads, work_of(rows.shape, len(centers))) as team:
        return _label(rows, centers, frame, team)


def center_distances(
    table: Table, centers: NDArray[np.float64], n_threads: int | None
) -> NDArray[Any]:
    """Return the distance of each row to each center, in the dtype of the rows."""
    size = check_finite(table)
    rows = table.rows
    centers = np.asarray(centers, np.float64)
    k, d = centers.shape
    frame = _frame_around(centers, size, rows.dtype)
    tiles = np.zeros((-(-k // CENTERS), CENTERS, 1 + d), rows.dtype)
    tiles.reshape(-1, 1 + d)[:k, 1:] = (centers - frame.shift) * frame.scale
    tiles = np.ascontiguousarray(tiles.transpose(0, 2, 1))
    out = rows.empty((rows.shape[0], k), rows.dtype)
    with Team(n_threads, work_of(rows.shape, k)) as team:
        for start, X in rows.blocks():
            arguments = (frame.x_offset, frame.x_scale, tiles, out[start : start + X.shape[1]])
            team.run(distance_rows, X, team.cut(X.shape[1]), arguments)
    return out


def assess(
    rows: Rows, weights: NDArray[np.float64], centers: NDArray[np.float64], frame: Frame, team: Team
) -> tuple[NDArray[np.int32], float]:
    """Return the closest center of each row, and the inertia in scaled units."""
    labels = _label(rows, centers, frame, team)  # its scratch is gone by now
    return labels, sum_of_squares(rows, weights, labels, centers, frame.scale, team)


def inertia(
    table: Table, centers: NDArray[np.float64], sample_weight: Any, n_threads: int | None
) -> float:
    """Return the weighted sum of squared distances to the closest center."""
    rows = table.rows
    weights, unit = weights_of(table, sample_weight)
    centers = np.ascontiguousarray(centers, np.float64)
    with Team(n_threads, work_of(rows.shape, len(centers))) as team:
        frame = frame_of(rows, weights, team)
        if frame is None:
            raise first_not_finite(table)
        total = assess(rows, weights, centers, frame, team)[1]
    return total / frame.scale * unit / frame.scale
