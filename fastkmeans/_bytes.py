"""The engine for many features: rows as bytes, bounds on distances (``_kernels.bytes``).

It knows the previous center of every row, so the first iteration of a run is one of
plain Lloyd.  Labels are those of plain Lloyd in every iteration, and the sums are added
up by the same code, so a run gives the same bits with this engine as without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._assign import Labelled, Packed
from ._frame import Frame
from ._kernels.bytes import screen_rows
from ._kernels.quantize import LANES, quantize_centers, quantize_rows
from ._kernels.simd import BYTE_DOT, CENTERS
from ._parallel import Team
from ._rows import ArrayRows, Rows, twice
from ._sums import Sums

SPAN = 3.5
"""Standard deviations of the widest column that the bytes cover; the few values beyond
are cut off, which the bound of their row accounts for."""

MOST_FEATURES = 1 << 16
FEWEST_CLUSTERS = 32
"""Below, plain Lloyd reads a row and is done."""
PROBED, MOST_PROBED = 64, 2048
"""Every so many rows are probed, but no more than that."""


def possible(rows: Rows) -> bool:
    """Tell whether products of bytes fit into 32 bits."""
    return rows.shape[1] <= MOST_FEATURES


def state_bytes(n_features: int) -> int:
    """Return the bytes that the engine keeps for a row: four norms and bounds, the bytes."""
    return 16 + -(-n_features // 4) * 4


def promising(shape: tuple[int, int], n_clusters: int) -> bool:
    """Tell whether the engine may be worth its while, within its budget of memory.

    The budget is half the bytes of the data as float32: from 16 features up.
    """
    within = state_bytes(shape[1]) <= 2 * shape[1]
    return BYTE_DOT is not None and within and n_clusters >= FEWEST_CLUSTERS


def _cost(shape: tuple[int, int], k: int, screened: float, scored: float) -> float:
    n, d = shape
    per_row = 16 + 0.1 * d + k * (0.0026 * d + 0.065)
    return 3.0 * n + per_row * screened + (35 + 0.35 * d) * scored


def least_cost(shape: tuple[int, int], k: int, n_moved: int) -> float:
    """Estimate what an iteration costs at least: a row that moves has a rival."""
    n = shape[0]
    return _cost(shape, k, n, 2.0 * n_moved)


def cost_to_begin(shape: tuple[int, int]) -> float:
    """Estimate the cost of writing the rows as bytes."""
    n, d = shape
    return n * (40 + 1.2 * d)


class Bytes:
    """The state of the rows, and the centers in the form the kernel reads."""

    def __init__(self, rows: Rows, n_clusters: int, frame: Frame, team: Team) -> None:
        n, d = rows.shape
        n_tiles, d4 = -(-n_clusters // CENTERS), -(-d // 4)
        self._rows, self._frame, self._team = rows, frame, team
        self._words = np.empty((n, d4), np.int32)
        self._state = np.empty((4, n), np.float32)  # reach, residual, upper, lower
        self._before = np.zeros((n_clusters, d))
        self._values = np.zeros((n_clusters, -(-d // LANES) * LANES), np.float32)
        self._bytes = np.zeros((n_tiles, d4, CENTERS, 4), np.int8)
        width = -(-d4 // LANES) * LANES
        self._own_bytes = np.zeros((n_clusters, 4 * width), np.int8)
        self._starts = np.empty((n_tiles, CENTERS), np.int32)
        self._parameters = np.empty((n_tiles, 2, CENTERS), np.float32)
        self._coefficients = np.empty((n_tiles, 2), np.float32)
        self._drift = np.empty(n_clusters, np.float32)
        self._step = np.float32(SPAN * frame.widest / 127.0 or 1.0)
        self._first = True
        as_bytes = self._words.view(np.uint8)
        for start, X in rows.blocks():
            part = slice(start, start + X.shape[1])
            arguments = (
                frame.offset, frame.scale, self._step, as_bytes[part], *self._state[:, part]
            )  # fmt: skip
            bounds = team.cut(X.shape[1], cost_to_begin((X.shape[1], d)))
            team.run(quantize_rows, X, bounds, arguments)

    def forget(self) -> None:
        """Drop what is known of distances."""
        self.forget_rows(slice(None))
        self._first = True

    def forget_rows(self, rows: Any) -> None:
        """Drop what is known of the distances of some rows."""
        self._state[2, rows], self._state[3, rows] = np.inf, 0.0

    def write(self, labels: NDArray[np.int32]) -> None:
        """Do nothing: ``labels`` are where they belong."""

    def label(
        self,
        centers: NDArray[np.float64],
        packed: Packed,
        sums: Sums | None,
        previous: NDArray[np.int32],
        labels: NDArray[np.int32],
    ) -> Labelled:
        """Label the rows, block by block, and move them between the sums."""
        farthest = quantize_centers(
            packed.scaled, packed.norms, packed.repeated, self._step, self._before,
            self._values, self._bytes, self._own_bytes, self._starts, self._parameters,
            self._coefficients, self._drift,
        )  # fmt: skip
        frame, team = self._frame, self._team
        n_tiles, d4, _, _ = self._bytes.shape
        centers_in: tuple[Any, ...] = (
            frame.offset, frame.scale, centers, self._values,
            self._bytes.view(np.int32).reshape(n_tiles, d4, CENTERS),
            self._own_bytes.view(np.int32), self._starts,
            self._parameters, self._coefficients, farthest, packed.largest, self._drift,
        )  # fmt: skip
        total = np.zeros(4, np.int64)
        for start, X in self._rows.blocks():
            part = slice(start, start + X.shape[1])
            rows_in = (
                twice(self._words[part]), *self._state[:, part], previous[part], labels[part]
            )  # fmt: skip
            bounds = team.cut(X.shape[1])
            counts = np.zeros((len(bounds) - 1, 4), np.int64)
            arguments = (*centers_in, *rows_in)
            team.run(screen_rows, X, bounds, arguments, (counts,), prange=True)
            if sums is not None:
                sums.move(start, X, previous[part], labels[part])
            total += counts.sum(axis=0)
        if packed.repeated.any():  # left out of the bytes, so of the bounds: they may part
            self._state[3] = 0.0
        moved, settled, screened, scored = total.tolist()
        n, k = self._rows.shape[0], len(centers)
        first, self._first = self._first, False
        avoided = 1.0 - (scored + settled * k) / (n * k)
        return Labelled(
            moved, max(0.0, avoided), _cost(self._rows.shape, k, screened, scored), first
        )


class Probe:
    """The engine on some of the rows, to see what it would cost on all."""

    def __init__(self, rows: Rows, n_clusters: int, frame: Frame, team: Team) -> None:
        n = rows.shape[0]
        step = max(PROBED, -(-n // MOST_PROBED))
        self._share = slice(0, n, step)
        array = rows.take(np.arange(0, n, step))
        self._bytes = Bytes(ArrayRows(array), n_clusters, frame, team)
        self._labels = np.full(len(array), -1, np.int32)
        self._factor = n / len(array)

    def forget(self) -> None:
        """Begin a new run."""
        self._bytes.forget()

    def cost(
        self, centers: NDArray[np.float64], packed: Packed, previous: NDArray[np.int32]
    ) -> tuple[float, bool]:
        """Return the cost of labelling all rows, and whether that is without bounds yet."""
        before = previous[self._share].copy()
        self._bytes.forget_rows(before != self._labels)  # moved while this did not look
        labelled = self._bytes.label(centers, packed, None, before, self._labels)
        return self._factor * labelled.cost, labelled.first
