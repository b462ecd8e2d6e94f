"""The engine for few features: boxes of neighbouring rows (``_kernels.boxes.visit``).

The rows are sorted once per fit (``_kernels.boxes.order``); restarts share the order.  Labels
are those of plain Lloyd in every iteration.

Sums are added box by box, so centers may differ from plain Lloyd's in the last digit.  Or, with
``by_row``, rows are added as plain Lloyd adds them, so a run has the same bits with this engine and
without it.  Then the first iteration of a run, which adds all rows, takes longer.
"""

import copy
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem
from .._data.rows import ArrayRows, Block, Rows
from .._kernels.boxes.by_row import move_changed
from .._kernels.boxes.candidates import BOX, Candidates
from .._kernels.boxes.extents import join_boxes, measure_boxes
from .._kernels.boxes.order import (
    FINE,
    Cells,
    count_digits,
    find_keys,
    place_rows,
    write_in_place,
)
from .._kernels.boxes.tree import FAN, NEW, Tree
from .._kernels.boxes.visit import visit_boxes
from .._kernels.emit.simd import VECTOR_BYTES
from .._kernels.shared.update import Terms
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import cut
from .base import Assigned, Packed
from .sums import Sums

LANES = VECTOR_BYTES // 8
"""Candidates in a vector of float64."""
SAMPLE = 16
"""Sampled rows per cut: the number of rows in a cell then varies by about a quarter."""
MOST_BITS = 10
"""Most bits in a feature's slice number: each cut takes time and rows of the sample."""
DIGIT_BITS = 10
"""Bits of the key that one pass of the sort handles."""
MOST_COLUMNS = 16
"""Most features in the key: those with the largest spread."""
LIMIT_FEATURES = 128
"""Most features of the engine: up to here the rounding error of ``candidates`` is bounded."""
COST_TEST, COST_SCORE, COST_MOVE = 8.0, 1.5, 20.0
"""Estimated nanoseconds to test a center against a box, to score a center for a row, and to
move a row to another cluster."""
COSTS = np.array([COST_MOVE, 0.0, COST_SCORE, COST_TEST])
"""The same for the four counts of ``visit_boxes``; settled rows are too few to matter."""
NOWHERE = np.empty(0, np.int32)
"""``by_row`` of the kernel if the sums move there."""


def possible(rows: Rows) -> bool:
    """Return whether rows are one array, numbered by int32, with features within the limit."""
    n, d = rows.shape
    return isinstance(rows, ArrayRows) and n < 2**31 and d <= LIMIT_FEATURES


def state_bytes(n_features: int) -> int:
    """Return the bytes that the engine keeps per row (see ``Boxes``)."""
    return 8 + 2 * n_features + -(-(24 * n_features + 20) // BOX)


def _cells(X: Block, scale: float, inverse: Floats) -> Cells:
    """Cut the features of largest spread at quantiles of a sample of the rows."""
    n, d = X.shape[1:]
    n_columns = min(d, MOST_COLUMNS)
    bits = max(1, min(2 * DIGIT_BITS, int(n // 4).bit_length()) // n_columns)
    bits = min(bits, MOST_BITS)
    step = max(1, n // (SAMPLE << bits))
    sample = X[0, ::step]
    if inverse.size:  # by cosine
        points = sample.astype(np.float64, order="C") * scale * inverse[::step, None]
        sample, scale = points.astype(X.dtype), 1.0
    # C order: column sums then have the same bits for every layout of X.
    spreads = (sample.astype(np.float64, order="C") * scale).std(axis=0)
    columns = np.argsort(-spreads, kind="stable")[:n_columns]
    sample = np.sort(sample[:, columns], axis=0)
    places = np.linspace(0, len(sample), (1 << bits) + 1)[1:-1].astype(np.int64)
    cuts = np.full((n_columns, max(FINE, 1 << bits)), np.inf, sample.dtype)
    cuts[:, 0], cuts[:, 1 : 1 << bits] = -np.inf, sample[places].T
    coarse = np.full((n_columns, -(-cuts.shape[1] // FINE**2) * FINE), np.inf, sample.dtype)
    coarse[:, : cuts.shape[1] // FINE] = cuts[:, ::FINE]
    top = np.full((n_columns, FINE), np.inf, sample.dtype)
    top[:, : coarse.shape[1] // FINE] = coarse[:, ::FINE]
    numbers = np.arange(1 << bits, dtype=np.uint32)
    spread = np.zeros((n_columns, 1 << bits), np.uint32)
    for f in range(n_columns):
        for bit in range(bits):
            place = np.uint32(bit * n_columns + f)
            spread[f] |= (numbers >> np.uint32(bit) & np.uint32(1)) << place
    return Cells(columns, top, coarse, cuts, spread)


class Boxes:
    """The order of the rows, the boxes, and the labels in that order.

    Bytes per row: 4 for the order, 4 for the label, ``2 d`` for the copy, and
    ``(24 d + 20) / BOX`` for the boxes.
    """

    def __init__(
        self, problem: Problem, packed: Packed, spare: Labels, by_row: bool = False
    ) -> None:
        rows, weights, scaling, team, _ = problem
        self._problem, self._by_row = problem, by_row
        _, X = next(iter(rows.blocks()))
        _, n, d = X.shape
        self._X, self._scaling, self._team = X, scaling, team
        self._inverse = problem.inverse
        self._regroup(packed)
        labels = np.empty(n, np.int32)
        order = self._sort(spare, labels)
        n_boxes = -(-n // BOX)
        n_super = -(-n_boxes // FAN)
        n_hyper = -(-n_super // FAN)
        self._terms = Terms(weights, scaling.offset, scaling.scale, problem.inverse)
        self._tree = Tree(
            order,
            np.empty((2, n_boxes + n_super + n_hyper, d)),
            np.empty((n_boxes, d, BOX), np.int16),
            np.empty((n_boxes, d)),
            np.empty((n_boxes, 2)),
            np.empty(n_boxes + n_super, np.int32),
            labels,
            NOWHERE,
        )
        team.run(measure_boxes, X, team.cut(n_boxes), (self._tree, self._terms))
        limits = self._tree.limits
        join_boxes(limits, 0, n_boxes, FAN, n_boxes)
        join_boxes(limits, n_boxes, n_super, FAN, n_boxes + n_super)
        self.forget()

    def _regroup(self, packed: Packed) -> None:
        """Set what depends on the number of clusters."""
        d, room = self._X.shape[2], -(-len(packed.norms) // LANES) * LANES
        self._packed = packed
        self._given = Candidates(np.zeros((d + 1, room)), np.zeros(room, np.int32))
        self._costs = np.zeros(1)  # of each share in the last iteration

    def regrouped(self, packed: Packed) -> Self:
        """Return the engine for other centers, with this one's order and boxes."""
        other = copy.copy(self)
        other._regroup(packed)
        other.forget()
        return other

    def forget(self) -> None:
        """Drop all labels."""
        self._tree.whole[:] = NEW
        self._alike = False  # whether both buffers of labels hold those of the last iteration

    def _sort(self, spare: Labels, labels: Labels) -> Labels:
        """Return the order of the rows; both arguments are scratch."""
        X, team = self._X, self._team
        n = X.shape[1]
        keys = np.empty(n, np.uint32)
        scale = self._scaling.scale
        cells = _cells(X, scale, self._inverse)
        team.run(find_keys, X, team.cut(n), (cells, scale, self._inverse, keys))
        half = -(-int(cells.spread.max()).bit_length() // 2)
        rows, keys_between = spare, labels.view(np.uint32)
        nothing = np.empty(0, np.int32)
        self._pass(keys, nothing, 0, half, keys_between, rows)
        order = keys.view(np.int32)
        self._pass(keys_between, rows, half, half, nothing.view(np.uint32), order)
        return order

    def _pass(
        self, keys: NDArray[np.uint32], rows: Labels, shift: int, bits: int,
        sorted_keys: NDArray[np.uint32], sorted_rows: Labels
    ) -> None:  # fmt: skip
        """Sort by one digit; rows with equal digits keep their order."""
        bounds = cut(keys.size, self._team.size)
        counts = np.empty((len(bounds) - 1, 1 << bits), np.int64)
        team = self._team
        team.run(
            lambda _, start, stop, out: count_digits(keys, start, stop, shift, out),
            self._X, bounds, (), (counts,),
        )  # fmt: skip
        places = counts.T.ravel().cumsum().reshape(counts.T.shape).T - counts
        places = np.ascontiguousarray(places)
        team.run(
            lambda _, start, stop, out: place_rows(
                keys, rows, start, stop, shift, out, sorted_keys, sorted_rows
            ),
            self._X, bounds, (), (places,),
        )  # fmt: skip

    def _turns(self, n_shares: int) -> NDArray[np.int64]:
        """Return the shares in the order of their turns; each thread takes consecutive turns.

        Shares are dealt back and forth by their cost in the last iteration, so that all
        threads get about the same work.  If they were dealt by number, the slowest of 8
        threads would have 14 % more work (for 1 000 000 x 2 rows).
        """
        places, size = np.arange(n_shares), self._team.size
        turn = places % (2 * size)
        thread = np.minimum(turn, 2 * size - 1 - turn)
        by_cost = (-np.broadcast_to(self._costs, n_shares)).argsort(kind="stable")
        turns: NDArray[np.int64] = by_cost[thread.argsort(kind="stable")]
        return turns

    def _tabulate(self, centers: Floats) -> int:
        """Write the distinct centers as candidates; return how many there are."""
        (table, ids), packed, d = self._given, self._packed, centers.shape[1]
        packed.pack(centers, self._scaling)
        first = np.flatnonzero(~packed.repeated)
        n = len(first)
        table[:d, :n], table[d, :n] = packed.scaled[first].T, packed.norms[first]
        if self._scaling.by_cosine:  # rows of boxes have length 1, and so have candidates
            table[:d, :n] /= self._scaling.unit
            table[d, :n] /= self._scaling.unit**2
        table[:, n:] = 0.0
        ids[:n] = first
        return n

    def label(self, centers: Floats, sums: Sums, previous: Labels, labels: Labels) -> Assigned:
        """Label all rows, in their order in space, and update the sums.

        ``previous`` are the labels before, in the order of the data.  With ``by_row`` they are
        read, and become those of ``labels``: so the next iteration need not copy them.
        """
        k, n_parts = len(centers), len(sums.parts)
        counts = np.zeros((n_parts, 4), np.int64)
        n = self._tabulate(centers)
        tree, rebuild = self._tree, sums.rebuild
        if self._by_row:
            if not self._alike:
                labels[:] = previous
            tree, rebuild = tree._replace(by_row=labels), False
        arguments = (
            self._turns(n_parts), tree, self._terms, centers, self._given, n, rebuild,
            sums.by_range, counts,
        )  # fmt: skip
        bounds = np.arange(n_parts + 1)
        self._team.run(visit_boxes, self._X, bounds, arguments, prange=True)
        self._costs = (counts * COSTS).sum(axis=1)
        moved, settled, scored, tested = counts.sum(axis=0).tolist()
        n_rows = self._tree.order.size
        avoided = 1.0 - (scored + tested + settled * k) / (n_rows * k)
        cost = COST_TEST * tested + COST_SCORE * scored
        if self._by_row:
            moving = (
                sums.bounds, sums.all_features, self._terms, previous, labels, sums.rebuild,
                sums.by_range,
            )  # fmt: skip
            self._team.run(move_changed, self._X, bounds, moving, prange=True)
            self._alike = True
        return Assigned(moved, max(0.0, avoided), cost)

    def write(self, labels: Labels) -> None:
        """Write the labels in the order of the data."""
        if self._by_row:  # ``label`` has written them
            return
        order, whole, in_order = self._tree.order, self._tree.whole, self._tree.labels
        self._team.run(
            lambda _, start, stop: write_in_place(order, start, stop, whole, in_order, labels),
            self._X, self._team.cut(labels.size), (),
        )  # fmt: skip
