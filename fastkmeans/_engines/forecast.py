"""How long a run is likely to be: plain Lloyd on some of the rows tells, from the same centers."""

import numpy as np

from .._data.problem import Problem
from .._data.rows import ArrayRows
from .._runtime.arrays import Floats
from .._runtime.threads import Team
from .base import Packed
from .plain import Plain
from .sums import Sums

SAMPLED = 4096
"""Most rows of the sample: few against the 300 000 of the smallest table that asks."""


def share_moved(problem: Problem, centers: Floats, n_iter: int) -> float:
    """Return the share of sampled rows that change cluster in iteration ``n_iter``.

    A run on few rows takes about the same course as one on all.  It is only a guess: clusters that
    become empty stay empty here.
    """
    n = problem.shape[0]
    chosen = np.arange(0, n, -(-n // SAMPLED))
    lengths = problem.lengths
    if lengths is not None:
        lengths = lengths._replace(inverse=lengths.inverse[chosen])
    sample = problem._replace(
        rows=ArrayRows(problem.rows.take(chosen)), weights=problem.weights_of(chosen),
        lengths=lengths, team=Team(1, 0.0),
    )  # fmt: skip
    now, before = np.full((2, len(chosen)), -1, np.int32)
    at, to = centers.copy(), centers.copy()
    sums = Sums(sample, len(centers))
    plain = Plain(sample, Packed(*centers.shape))
    n_moved = len(chosen)
    for _ in range(n_iter):
        now, before = before, now
        sums.clear()
        n_moved = plain.label(at, sums, before, now).n_moved
        if n_moved == 0:
            break
        sums.means(at, to)
        sums.end(n_moved, len(chosen))
        at, to = to, at
    return n_moved / len(chosen)
