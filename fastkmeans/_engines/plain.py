"""The plain E step: every row against every center (``_kernels.plain.assign``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._data.problem import Problem, Take
from .._data.rows import Block
from .._data.sparse import SparseRows
from .._kernels.plain.assign import assign_rows, settle_rows
from .._kernels.plain.exact import settle_by_differences, settle_by_products
from .._runtime.arrays import Floats, Labels
from .._runtime.threads import cut
from .base import Assigned, Packed
from .costs import plain_cost

if TYPE_CHECKING:
    from .sums import Sums

SETTLED_WORK = 1 << 15
"""Values of centers, at least, that open rows are compared with in float64, one by one, before they
are worth a second pass.  It costs as much, and compiling it takes longer than a fit."""
SETTLED_SHARE = 10_000
"""Beyond that work, at most one row in so many is settled one by one.  That costs 50 times the
scores of a row, the float64 tile of ``settle_rows`` two or three times."""
ROWS_AT_A_TIME = 1 << 20
"""Rows labelled at a time, so that little memory is needed besides the labels."""


def assign_block(
    X: Block, problem: Problem, centers: Floats, packed: Packed, previous: Labels, labels: Labels
) -> int:
    """Assign the rows of a block; return how many changed cluster."""
    scaling, team = problem.scaling, problem.team
    bounds = team.cut(X.shape[1])
    counts = np.zeros((len(bounds) - 1, 3), np.int64)
    rest = packed.largest, scaling.by_cosine, previous, labels
    arguments = scaling.x_offset, scaling.x_scale, centers, packed.tiles, *rest
    team.run(assign_rows, X, bounds, arguments, (counts,), prange=True)
    settled = settle_open(X, problem, centers, packed, previous, labels, bounds, counts)
    return int(counts[:, 0].sum()) + settled


def settle_open(
    X: Block,
    problem: Problem,
    centers: Floats,
    packed: Packed,
    previous: Labels,
    labels: Labels,
    bounds: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """Label the rows of a block that float32 left open; return how many changed cluster.

    ``counts`` has a row per range: moved, left open, left open with a norm of 0, and others.
    """
    scaling, team = problem.scaling, problem.team
    _, n_open, n_zero = counts[:, :3].sum(axis=0).tolist()
    if not n_open:
        return 0
    # By cosine a row of zeros takes no scores, and there may be many.
    n_slow = n_open - n_zero if scaling.by_cosine else n_open
    in_passes = n_slow > max(SETTLED_WORK // centers.size, X.shape[1] // SETTLED_SHARE)
    moved, has_open = 0, counts[:, 1] > 0
    counts = counts[:, :3].copy()
    if in_passes:
        place = scaling.offset, scaling.scale
        rest = packed.largest, scaling.by_cosine, previous, labels
        arguments: tuple[Any, ...] = (*place, centers, packed.tiles64(centers, scaling), *rest)
        bounds = cut(X.shape[1], team.size)  # few ranges: the last block of each is padded
        counts = counts[: len(bounds) - 1]
        team.run(settle_rows, X, bounds, arguments, (counts,))
        moved, has_open = int(counts[:, 0].sum()), counts[:, 1] > 0
    settle = settle_by_products if scaling.by_cosine else settle_by_differences
    counts[:, 0] = 0
    arguments = scaling.scale, centers, previous, labels
    if in_passes and has_open.any():
        team.run(settle, X, bounds, arguments, (counts,))
    else:
        for r in np.flatnonzero(has_open).tolist():
            settle(X, bounds[r], bounds[r + 1], *arguments, counts[r])
    return int(moved + counts[:, 0].sum())


def label_rows(problem: Problem, centers: Floats, labels: Labels, take: Take | None = None) -> None:
    """Write the closest center of each row; ties go to the lowest index.

    ``take`` gets the rows, some at a time, when they have their labels; it takes no sparse ones.
    """
    if isinstance(problem.rows, SparseRows):
        from .csr import label_sparse_rows

        label_sparse_rows(problem, centers, labels)
        return
    nobody = np.full(min(len(labels), ROWS_AT_A_TIME), -1, np.int32)
    packed = Packed(*centers.shape)
    packed.pack(centers, problem.scaling)
    for start, block in problem.rows.blocks():
        for at in range(0, block.shape[1], ROWS_AT_A_TIME):
            X = block[:, at : at + ROWS_AT_A_TIME]
            out = labels[start + at :][: X.shape[1]]
            assign_block(X, problem, centers, packed, nobody[: len(out)], out)
            if take is not None:
                take(slice(start + at, start + at + len(out)), X, out)


class Plain:
    """The engine that compares every row with every center."""

    def __init__(self, problem: Problem, packed: Packed) -> None:
        self._problem, self._packed = problem, packed
        self.cost = plain_cost(problem.shape, len(packed.norms))

    def label(self, centers: Floats, sums: Sums, previous: Labels, labels: Labels) -> Assigned:
        """Label the rows, block by block, and update the sums."""
        n_moved, packed = 0, self._packed
        packed.pack(centers, self._problem.scaling)
        for part, X in self._problem.blocks():
            before, now = previous[part], labels[part]
            n_moved += assign_block(X, self._problem, centers, packed, before, now)
            sums.move(part, X, before, now)
        return Assigned(n_moved, 0.0, self.cost)

    def write(self, labels: Labels) -> None:
        """Do nothing: ``label`` has written the labels."""

    def forget(self) -> None:
        """Do nothing: the engine keeps nothing."""
