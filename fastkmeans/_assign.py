"""The plain E step: every row against every center (``_kernels.assign``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._aligned import aligned
from ._frame import Frame
from ._kernels.assign import assign_rows, settle_rows
from ._kernels.pack import pack_centers
from ._kernels.simd import CENTERS
from ._parallel import Team, cut
from ._rows import Block, Rows

if TYPE_CHECKING:
    from ._sums import Sums


class Labelled(NamedTuple):
    """What an engine did to label all rows.

    Attributes
    ----------
    n_moved : int
        Rows that changed their cluster.
    avoided : float
        Share of the distances between rows and centers that were not computed in full.
    cost : float
        Estimated nanoseconds on one thread.
    first : bool
        Whether the engine did, for once, more than it will have to from now on.
    """

    n_moved: int
    avoided: float
    cost: float
    first: bool = False


def work_of(shape: tuple[int, int], n_clusters: int) -> float:
    """Estimate the nanoseconds of one pass on one thread."""
    n, d = shape
    return n * (n_clusters * d / 50 + d + 8)


class Packed:
    """Centers in the form the tile reads, and the call that packs them."""

    def __init__(self, n_clusters: int, n_features: int) -> None:
        shape = (-(-n_clusters // CENTERS), 1 + n_features, CENTERS)
        self.norms = np.empty(n_clusters)
        self.table = np.empty(1 << (2 * n_clusters).bit_length(), np.int32)
        self.repeated = np.empty(n_clusters, np.bool_)
        self.scaled = np.empty((n_clusters, n_features))
        self.tiles = aligned(shape, np.float32)
        self.tiles[:] = 0.0
        self.largest = 0.0

    @property
    def buffers(self) -> tuple[NDArray[Any], ...]:
        return self.norms, self.table, self.repeated, self.scaled, self.tiles

    def pack(self, centers: NDArray[np.float64], frame: Frame, tiled: bool = True) -> None:
        """Pack centers, with the tiles or without."""
        tiles = self.tiles if tiled else self.tiles[:0]
        self.largest = pack_centers(centers, frame.shift, frame.scale, *self.buffers[:-1], tiles)

    def tiles64(self, centers: NDArray[np.float64], frame: Frame) -> NDArray[np.float64]:
        """Return the tiles in float64, for the rows that float32 leaves open."""
        tiles = np.zeros(self.tiles.shape)
        pack_centers(centers, frame.shift, frame.scale, *self.buffers[:-1], tiles)
        return tiles


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
