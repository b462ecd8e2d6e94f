"""What a set of centers says of rows: closest center, distances, inertia."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._assign import Packed, assign_block, work_of
from ._frame import Frame, frame_of, make_frame, power_of_two
from ._kernels.assign import assign_few
from ._kernels.distances import distance_rows
from ._kernels.simd import CENTERS
from ._lloyd import Lloyd
from ._parallel import Team
from ._tables import Table
from ._validation import check_finite, first_not_finite, weights_of

FEW_ROWS = 4
"""Up to this many rows are compared with the centers directly: packing costs more."""


def _frame_around(centers: NDArray[np.float64], size: float, dtype: np.dtype[Any]) -> Frame:
    """Return a frame for rows up to ``size`` that need not be those of a fit."""
    shift = (centers / len(centers)).sum(axis=0)  # in this order nothing overflows
    reach = max(size, float(np.abs(centers).max()))
    return make_frame(dtype, shift, power_of_two(reach, dtype))


def closest_centers(
    table: Table, centers: NDArray[np.float64], n_threads: int | None, name: str = "X"
) -> NDArray[np.int32]:
    """Return the closest center of each row, ties to the lowest index."""
    size = check_finite(table, name)
    rows = table.rows
    centers = np.ascontiguousarray(centers, np.float64)
    frame = _frame_around(centers, size, rows.dtype)
    n = rows.shape[0]
    labels = rows.empty(n, np.int32)
    if n <= FEW_ROWS:
        for _, X in rows.blocks():
            assign_few(X, centers, frame.scale, labels)
        return labels
    previous = rows.empty(n, np.int32)
    previous[:] = -1
    packed = Packed(*centers.shape)
    packed.pack(centers, frame)
    with Team(n_threads, work_of(rows.shape, len(centers))) as team:
        for start, X in rows.blocks():
            part = slice(start, start + X.shape[1])
            assign_block(X, team, frame, centers, packed, previous[part], labels[part])
    return labels


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


def inertia(
    table: Table, centers: NDArray[np.float64], sample_weight: Any, n_threads: int | None
) -> float:
    """Return the weighted sum of squared distances to the closest center."""
    rows = table.rows
    weights, unit = weights_of(table, sample_weight)
    k = len(centers)
    with Team(n_threads, work_of(rows.shape, k)) as team:
        frame = frame_of(rows, weights, team)
        if frame is None:
            raise first_not_finite(table)
        lloyd = Lloyd(rows, weights, k, frame, team)
        lloyd.centers[:] = centers
        lloyd.step()
        return lloyd.inertia() / frame.scale * unit / frame.scale
