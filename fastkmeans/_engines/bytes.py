"""The engine for many features: rows as codes, bounds on distances (``_kernels.bytes.screen``).

Labels are those of plain Lloyd in every iteration, and the same code adds the sums.  So a
run has the same bits with this engine and without it.
"""

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem
from .._data.rows import ArrayRows, Rows, twice
from .._data.scaling import Scaling
from .._data.validation import NO_WEIGHTS
from .._kernels.bytes.bounds import ByteCenters, ByteRows, Drift
from .._kernels.bytes.quantize import (
    FLOATS,
    WIDER,
    Coordinates,
    QuantizedCenters,
    arrange_tiles,
    quantize_centers,
    quantize_rows,
)
from .._kernels.bytes.screen import screen_rows
from .._kernels.bytes.tile import CenterTiles
from .._kernels.emit.simd import CENTERS, CODES
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, Labels, aligned
from .._runtime.threads import cut_centers, is_large
from .base import Assigned, Packed
from .costs import codes_cost, cost_to_begin
from .sums import Sums

SPANS, SAMPLED = (3.0, 3.5, 4.0, 4.5) if CODES.bits == 8 else (4.0, 6.0, 9.0), 128
"""Ranges that codes may cover, in standard deviations of the widest column, and the rows of
the sample that selects one.  Values beyond are cut off; the bounds of their rows allow for it."""
EXPECTED, LONGEST_WAIT = 0.75, 16
"""Assumed cost of comparing rows with some centers, as a share of the cost with all, until it
is measured; most successive iterations with some centers, before all are tried again."""
MOST_FEATURES = 1 << 16
"""Most features: up to here a dot product of bytes fits into 32 bits."""
PROBED, MOST_PROBED = 64, 1024
"""Least distance between probed rows, in rows, and most probed rows."""


def possible(rows: Rows) -> bool:
    """Return whether dot products of codes fit into 32 bits."""
    return rows.shape[1] <= MOST_FEATURES


def n_words(n_features: int) -> int:
    """Return how many words hold the codes of a row."""
    return -(-n_features // CODES.per_word)


def state_bytes(n_features: int) -> int:
    """Return the bytes kept per row: two norms, two bounds and the quantised row."""
    return 16 + n_words(n_features) * 4


def choose_step(rows: Rows, scaling: Scaling) -> np.float32:
    """Return the quantisation step (value of one unit of a code) of least error on a sample."""
    n, d = rows.shape
    most = CODES.most(d)
    sample = rows.take(np.arange(0, n, -(-n // SAMPLED))).astype(np.float64)
    values = (sample * scaling.scale + scaling.offset).astype(np.float32)
    chosen, least = np.float32(1.0), np.inf
    with np.errstate(all="ignore"):  # columns may be constant, except in rows of weight zero
        for span in SPANS:
            step = np.float32(span * scaling.widest / most)
            rest = values - np.clip(np.rint(values / step), -most, most) * step
            lost = total_of(np.sqrt(np.einsum("if,if->i", rest, rest)))
            if step > 0.0 and lost < least:
                chosen, least = step, lost
    return chosen


class Patience:
    """The decision whether rows whose bounds meet are compared with all centers or with some.

    A row needs only the centers that moved farther than the gap between its bounds: those
    of the first tiles.  A comparison with all centers gives a new lower bound, which may
    spare the row the next iterations.  If that did not pay, the next try waits twice as long.
    """

    def __init__(self, cost_of_all: float) -> None:
        self._cost_of_some = EXPECTED * cost_of_all
        self._wait, self._left = 1, 0
        self._was_full = self._failed = False

    @property
    def is_partial(self) -> bool:
        """Whether the next iteration compares rows with some centers only."""
        return self._left > 0 or (self._was_full and self._failed)

    def report(self, cost_of_all: float, cost: float) -> None:
        """Record an iteration's cost, and its cost had the same rows met all centers."""
        partial = self.is_partial
        if self._was_full:
            self._failed = cost_of_all > self._cost_of_some
            self._left = self._wait if self._failed else 0
            self._wait = min(2 * self._wait, LONGEST_WAIT) if self._failed else 1
        elif partial:
            self._left -= 1
        if partial:
            self._cost_of_some = cost
        self._was_full = not partial


def new_quantized(n_clusters: int, n_features: int) -> QuantizedCenters:
    """Return arrays for the quantised centers; all centers are zero so far."""
    before = aligned((n_clusters, n_features), np.float64)
    scaled = aligned((n_clusters, -(-n_features // FLOATS) * FLOATS), np.float32)
    words = aligned((n_clusters, -(-n_words(n_features) // FLOATS) * FLOATS), np.int32)
    before[:] = scaled[:] = words[:] = 0
    norms, drift, factors, lost = np.empty((4, n_clusters))
    return QuantizedCenters(
        before, scaled, words.view(CODES.of_centers), words, norms, drift, factors, lost,
        np.empty(n_clusters, np.int32),
    )  # fmt: skip


def new_tiles(n_clusters: int, n_features: int) -> CenterTiles:
    """Return arrays for the tiles of the centers."""
    n_tiles = -(-n_clusters // CENTERS)
    return CenterTiles(
        np.zeros((n_tiles, n_words(n_features), CENTERS), np.int32),
        np.empty((n_tiles, CENTERS), np.int32),
        np.empty((n_tiles, 4, CENTERS), np.float32), np.empty((n_tiles, 2), np.float32),
    )  # fmt: skip


class Bytes:
    """The state of the rows, and the centers in the layout that the kernel reads."""

    def __init__(self, problem: Problem, n_clusters: int, step: np.float32) -> None:
        rows, _, scaling, team, _ = problem
        n, d = rows.shape
        self._rows, self._scaling, self._team = rows, scaling, team
        self._coordinates = Coordinates(
            scaling.x_offset,
            scaling.x_scale,
            scaling.unit,
            step,
            np.float32(CODES.most(d)),
            scaling.by_cosine,
        )
        words = aligned((n, n_words(d)), np.int32)
        self._words = twice(words)
        self._state = np.empty((4, n), np.float32)  # reach, residual, upper, lower
        self._regroup(n_clusters)
        codes = words.view(CODES.of_rows)
        for start, X in rows.blocks():
            part = slice(start, start + X.shape[1])
            arguments = self._coordinates, codes[part], *self._state[:, part]
            ranges = team.cut(X.shape[1], cost_to_begin((X.shape[1], d)))
            team.run(quantize_rows, X, ranges, arguments, prange=is_large(X))

    def _regroup(self, n_clusters: int) -> None:
        """Set what depends on the number of clusters."""
        n, d = self._rows.shape
        self._quantized, self._tiles = new_quantized(n_clusters, d), new_tiles(n_clusters, d)
        self._hash_table = np.empty(1 << (2 * n_clusters).bit_length(), np.int32)
        self._repeated = np.empty(n_clusters, np.bool_)
        self._fastest = np.zeros((2, len(self._tiles.words) + 1), np.float32)
        self._patience, self._first = Patience(codes_cost((n, d), n, n * n_clusters)), True

    def regrouped(self, packed: Packed) -> Self:
        """Return the engine for other centers, with this one's codes of the rows."""
        other = copy.copy(self)
        other._regroup(len(packed.norms))
        other.forget()
        return other

    def forget(self) -> None:
        """Drop the bounds on all distances."""
        self.forget_rows(slice(None))
        n, k = self._rows.shape[0], len(self._repeated)
        self._patience, self._first = Patience(codes_cost(self._rows.shape, n, n * k)), True

    def forget_rows(self, rows: Any) -> None:
        """Drop the bounds on the distances of some rows."""
        self._state[2, rows], self._state[3, rows] = np.inf, 0.0

    def write(self, labels: Labels) -> None:
        """Do nothing: ``label`` has written the labels."""

    def _sort(self, drift: NDArray[np.float32]) -> tuple[Drift, NDArray[Any], NDArray[Any]]:
        """Return the drift, the order of the tiles (centers by falling drift), and its inverse."""
        k = drift.size
        order = (-drift).argsort(kind="stable").astype(np.int32)
        place = np.empty_like(order)
        place[order] = np.arange(k, dtype=np.int32)
        falling = drift[order] * WIDER
        for rank, row in enumerate(self._fastest):
            firsts = falling[rank::CENTERS]
            row[: firsts.size] = firsts
        others = np.full(k, falling[0])
        others[order[0]] = falling[1] if k > 1 else 0.0
        return Drift(drift, others, self._fastest), order, place

    def _quantize(self, centers: Floats) -> tuple[ByteCenters, Drift]:
        """Quantise the centers and arrange them in tiles by drift."""
        scaling, quantized = self._scaling, self._quantized
        arguments = scaling.shift, self._coordinates, quantized
        cuts = cut_centers(*centers.shape)
        self._team.run(quantize_centers, centers, cuts, arguments, prange=True)
        drift, order, place = self._sort(quantized.drift.astype(np.float32))
        farthest, largest = arrange_tiles(
            centers, order, quantized, self._hash_table, self._repeated, self._tiles
        )
        scaled, words = quantized.scaled, quantized.words
        return ByteCenters(centers, scaled, words, order, place, farthest, largest), drift

    def label(
        self, centers: Floats, sums: Sums | None, previous: Labels, labels: Labels
    ) -> Assigned:
        """Label the rows, block by block, and update the sums."""
        team = self._team
        byte_centers, drift = self._quantize(centers)
        if not self._patience.is_partial:
            drift = drift._replace(fastest=np.full_like(drift.fastest, np.inf))
        shared = self._coordinates, byte_centers, self._tiles, drift
        total = np.zeros(6, np.int64)
        for start, X in self._rows.blocks():
            part = slice(start, start + X.shape[1])
            rows = ByteRows(self._words[:, part], *self._state[:, part])
            ranges = team.cut(X.shape[1])
            counts = np.zeros((len(ranges) - 1, 6), np.int64)
            arguments = (*shared, rows, previous[part], labels[part])
            team.run(screen_rows, X, ranges, arguments, (counts,), prange=True)
            if sums is not None:
                sums.move(part, X, previous[part], labels[part])
            total += counts.sum(axis=0)
        if self._repeated.any():  # equal centers are in no bound, and may move apart
            self._state[3] = 0.0
        moved, settled, met, screened, listed, scored = total.tolist()
        n, k = self._rows.shape[0], len(centers)
        first, self._first = self._first, False
        avoided = 1.0 - (scored + settled * k) / (n * k)
        cost = codes_cost(self._rows.shape, met, screened, listed, scored)
        self._patience.report(codes_cost(self._rows.shape, met, met * k, listed, scored), cost)
        return Assigned(moved, max(0.0, avoided), cost, first)


class Probe:
    """The engine on a sample of the rows, to estimate its cost on all rows."""

    def __init__(self, problem: Problem, n_clusters: int, step: np.float32) -> None:
        rows, n = problem.rows, problem.shape[0]
        every = max(PROBED, -(-n // MOST_PROBED))
        self._share = slice(0, n, every)
        array = rows.take(np.arange(0, n, every))
        probed = problem._replace(rows=ArrayRows(array), weights=NO_WEIGHTS)
        self._bytes = Bytes(probed, n_clusters, step)
        self._labels = np.full(len(array), -1, np.int32)
        self._factor = n / len(array)

    def forget(self) -> None:
        """Drop the bounds of the last run."""
        self._bytes.forget()

    def cost(self, centers: Floats, previous: Labels) -> tuple[float, bool]:
        """Return the estimated cost on all rows, and whether there were no bounds yet."""
        before = previous[self._share].copy()
        self._bytes.forget_rows(before != self._labels)  # moved since the last probe
        labelled = self._bytes.label(centers, None, before, self._labels)
        return self._factor * labelled.cost, labelled.first
