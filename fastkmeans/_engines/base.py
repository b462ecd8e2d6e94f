"""What the engines share: their result, their cost and the packed centers."""

from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .._data.scaling import Scaling
from .._kernels.emit.simd import CENTERS
from .._kernels.shared.pack import pack_centers
from .._runtime.arrays import Floats, Labels, aligned
from .sums import Sums


class Assigned(NamedTuple):
    """What an engine did to label all rows."""

    n_moved: int  # rows that changed cluster
    avoided: float  # share of the distances from rows to centers not computed in full
    cost: float  # estimated nanoseconds on one thread
    first: bool = False  # whether it did work that later iterations need not repeat


def work_of(shape: tuple[int, int], n_clusters: int) -> float:
    """Estimate the cost of one pass, in nanoseconds on one thread."""
    n, d = shape
    return n * (n_clusters * d / 50 + d + 8)


class Packed:
    """The centers in the layout that the tile reads."""

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

    def pack(self, centers: Floats, scaling: Scaling) -> None:
        """Pack the centers."""
        place = scaling.shift, scaling.unit, scaling.by_cosine
        self.largest = pack_centers(centers, *place, *self.buffers)

    def tiles64(self, centers: Floats, scaling: Scaling) -> Floats:
        """Return the tiles in float64, for rows whose label float32 cannot decide."""
        tiles = np.zeros(self.tiles.shape)
        place = scaling.shift, scaling.unit, scaling.by_cosine
        pack_centers(centers, *place, *self.buffers[:-1], tiles)
        return tiles


class Engine(Protocol):
    """A way to label all rows and update the sums."""

    cost: float
    """Estimated nanoseconds of an iteration on one thread."""

    def label(self, centers: Floats, sums: Sums, previous: Labels, labels: Labels) -> Assigned:
        """Label the rows; the engine may hold the labels back until ``write``."""
        ...

    def write(self, labels: Labels) -> None:
        """Write the labels of the last iteration if the engine holds them back."""
        ...

    def forget(self) -> None:
        """Drop what is known from the last run."""
        ...


class Regrouped(Engine, Protocol):
    """An engine whose state of the rows serves any number of clusters."""

    def regrouped(self, packed: Packed) -> Self:
        """Return the engine for other centers; this one must not label any more."""
        ...
