"""The plain E step: every row against every center (``_kernels.plain.assign``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import Block, Rows
from .._data.scaling import Frame
from .._kernels.plain.assign import assign_rows, settle_rows
from .._runtime.threads import Team, cut
from .base import Labelled, Packed

if TYPE_CHECKING:
    from .sums import Sums


def assign_block(
    X: Block,
    team: Team,
    frame: Frame,
    centers: NDArray[np.float64],
    packed: Packed,
    previous: NDArray[np.int32],
    labels: NDArray[np.int32],
) -> int:
    """Assign the rows of a block; return how many changed cluster."""
    bounds = team.cut(X.shape[1])
    counts = np.zeros((len(bounds) - 1, 3), np.int64)
    rest = packed.largest, previous, labels
    arguments: tuple[Any, ...] = (frame.x_offset, frame.x_scale, centers, packed.tiles, *rest)
    team.run(assign_rows, X, bounds, arguments, (counts,), prange=True)
    moved = int(counts[:, 0].sum())
    if counts[:, 2].any():
        arguments = (frame.offset, frame.scale, centers, packed.tiles64(centers, frame), *rest)
        bounds = cut(X.shape[1], team.size)  # few: each fills up its last block
        counts = counts[: len(bounds) - 1]
        team.run(settle_rows, X, bounds, arguments, (counts,))
        moved += int(counts[:, 0].sum())
    return moved


class Plain:
    """The engine that compares every row with every center."""

    def __init__(self, rows: Rows, packed: Packed, frame: Frame, team: Team) -> None:
        (n, d), n_clusters = rows.shape, len(packed.norms)
        self._rows, self._packed, self._frame, self._team = rows, packed, frame, team
        self.cost = n * (5 + 0.3 * d + n_clusters * (0.0129 * d + 0.065))

    def label(
        self,
        centers: NDArray[np.float64],
        sums: Sums,
        previous: NDArray[np.int32],
        labels: NDArray[np.int32],
    ) -> Labelled:
        """Label the rows, block by block, and move them between the sums."""
        n_moved, packed = 0, self._packed
        packed.pack(centers, self._frame)
        for start, X in self._rows.blocks():
            part = slice(start, start + X.shape[1])
            before, now = previous[part], labels[part]
            n_moved += assign_block(X, self._team, self._frame, centers, packed, before, now)
            sums.move(start, X, before, now)
        return Labelled(n_moved, 0.0, self.cost)

    def write(self, labels: NDArray[np.int32]) -> None:
        """Do nothing: ``labels`` are where they belong."""

    def forget(self) -> None:
        """Do nothing: nothing is kept."""
