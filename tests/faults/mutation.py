"""What a mutation is."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """A fault made on purpose: one text of a file of the package becomes another.

    Two mutations are tried at a time, so the tests must not measure time or memory.
    """

    what: str  # the fault, in words
    file: str  # below fastkmeans/
    old: str  # occurs exactly once in the file
    new: str
    tests: str  # file below tests/, a colon, and an expression for pytest -k
    hangs: bool = False  # whether the tests may not end: that counts as caught, too
