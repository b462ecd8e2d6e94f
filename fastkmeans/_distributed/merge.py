"""The reduction: statistics of all rows from those of blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._runtime.text import shown
from .labels import merged_hash
from .statistics import Statistics
from .totals import Farthest, no_totals


def merge_statistics(parts: Iterable[Statistics]) -> Statistics:
    """Merge the statistics of blocks, in the order given.

    Parameters
    ----------
    parts : iterable of Statistics
        The statistics of the blocks, or of merged blocks, for the same centers, in the order of the
        rows.  One part at least.

    Returns
    -------
    Statistics
        Those of all rows.  Row numbers count from the first row of the first part.

    Raises
    ------
    ValueError
        If there is no part, or a part belongs to other centers or another metric.
    TypeError
        If a part is something else.

    Notes
    -----
    Sums are added from left to right.  Merges of merges give the same bits again if their shape is
    the same; another shape changes the last digits only.  To have equal bits on any cluster, let
    the shape depend on the number of blocks alone.

    Examples
    --------
    >>> from fastkmeans import merge_statistics, partial_statistics
    >>> centers = [[0.0], [10.0]]
    >>> first = partial_statistics([[1.0], [9.0]], centers)
    >>> second = partial_statistics([[3.0]], centers)
    >>> merged = merge_statistics([first, second])
    >>> merged.n_rows, merged.counts.tolist(), merged.centers(centers).tolist()
    (3, [2, 1], [[2.0], [9.0]])
    """
    if not isinstance(parts, Iterable):
        raise TypeError(f"parts must be several statistics, got {shown(parts)}: give a list.")
    given = list(parts)
    if not given:
        raise ValueError("parts is empty: give the statistics of one block at least.")
    _check_alike(given)
    first, inertia, label_hash, n_rows = given[0], 0.0, 0, 0
    own, held = no_totals(*first.own.sums.shape), []
    scale = min(part.scale for part in given)
    for part in (each.scaled(scale) for each in given):
        inertia += part.scaled_inertia
        label_hash = merged_hash(label_hash, part.label_hash, part.n_rows)
        own = own.plus(part.own)
        held.append(part.farthest._replace(rows=part.farthest.rows + n_rows))
        n_rows += part.n_rows
    farthest = Farthest(*(np.concatenate(each) for each in zip(*held, strict=True)))
    order = np.lexsort((farthest.rows, -farthest.squares))
    if own.counts_with(farthest).all():
        kept, rest = order[:0], np.sort(order)
    else:
        kept, rest = order[: len(own.counts)], np.sort(order[len(own.counts) :])
    own = own.add(farthest.select(rest))
    return Statistics(
        n_rows, first.metric, first.mark, label_hash, scale, inertia, own,
        farthest.select(kept),
    )  # fmt: skip


def _check_alike(parts: list[Any]) -> None:
    """Raise unless all parts are statistics for the same centers."""
    for number, part in enumerate(parts):
        if not isinstance(part, Statistics):
            raise TypeError(
                f"parts[{number}] is {shown(part)}; give what partial_statistics returns."
            )
        first = parts[0]
        for what in ("metric", "mark"):
            if getattr(part, what) != getattr(first, what):
                name = "another metric" if what == "metric" else "other centers"
                raise ValueError(
                    f"parts[{number}] belongs to {name} than parts[0]: merge the statistics of one "
                    "iteration."
                )
