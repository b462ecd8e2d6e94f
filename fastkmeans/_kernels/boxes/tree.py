"""The tree: rows in their order in space, the boxes of them, and boxes of boxes."""

from typing import Any, NamedTuple

FAN = 16
"""Boxes of one level in a box of the next."""
STEPS = 65534
"""Steps from the low end of a box to its high end, in the copy of its rows."""
MIXED, NEW = -1, -2
"""In place of the label of a box: its rows have several labels; none so far."""


class Tree(NamedTuple):
    """The rows in their order in space, and the boxes, superboxes and hyperboxes over them.

    Arrays over all levels hold the boxes first, then the superboxes, then the hyperboxes.
    """

    order: Any  # in (m,) int32, the rows in their order in space
    limits: Any  # in (2, all boxes, d) float64, LOW and HIGH of every feature
    copy: Any  # in (n_boxes, d, BOX) int16, rows in steps of their box, from its middle
    sums: Any  # in (n_boxes, d) float64, sums of the rows of a box
    weights: Any  # in (n_boxes, 2) float64, WEIGHT and COUNT of the rows of a box
    whole: Any  # in/out (boxes and superboxes,) int32, the label of all rows, MIXED or NEW
    labels: Any  # in/out (m,) int32, labels in the order in space; valid in MIXED boxes
    by_row: Any  # in/out (m,) int32, labels in the order of the data; of size 0: not wanted
