"""A start on a sample: initial centers from a few rows, Lloyd's algorithm on more and more rows.

The samples are nested.  A larger one follows as soon as the centers move less than the sampling
error of their means: more iterations would fit the sample and not the data (Newling and Fleuret
2016, "Nested Mini-Batch K-Means", NIPS).  The run on all rows then begins near its end.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._data.problem import Problem, problem_of
from .._data.sample import Sample
from .._kernels.shared.update import WEIGHT
from .._lloyd.loop import iterate
from .._lloyd.run import Run, Step, Workspace
from .._runtime.adding import total_of
from .._runtime.arrays import Floats

SETTLED = 1.0
"""Squared center shift, as a share of the squared sampling error of the means, up to which a
larger sample follows."""
GROWTH = 8
"""Ratio of the sizes of two successive samples."""
MOST_STEPS = 50
"""Most Lloyd iterations on one sample."""

Seed = Callable[[Problem, int, np.random.Generator], Floats]
"""Returns initial centers for all rows of a problem."""


def on_sample(
    problem: Problem,
    n_clusters: int,
    rng: np.random.Generator,
    seed: Seed,
    first: int,
    most: int,
) -> Floats:
    """Return centers found on samples of ``first`` rows to ``most`` rows."""
    sample = Sample(problem.rows, problem.weights, n_clusters, n_clusters, rng)
    size, centers = first, None
    while True:
        own = part_of(problem, sample, size)
        if centers is None:
            centers = seed(own, n_clusters, rng)
        run = Workspace(own, n_clusters).begin(centers, MOST_STEPS)
        iterate(run, _UntilSettled())
        centers = run.centers.copy()
        if GROWTH * size > most:
            return centers
        size *= GROWTH


def part_of(problem: Problem, sample: Sample, count: int) -> Problem:
    """Return the first rows of a sample of a problem as a problem of their own."""
    rows, weights = sample.first(count)
    return problem_of(rows, weights, problem.team, problem.scaling.by_cosine)


def sampling_error(run: Run, inertia: float) -> float:
    """Estimate the summed sampling variance of the centers, as means of their rows."""
    weights, counts = run.sums.total_weights
    return inertia / total_of(weights) * total_of(1.0 / counts[counts > 0.0])


@dataclass
class _UntilSettled:
    """The rule that ends the iterations on one sample."""

    tolerance: float = math.inf
    n_done: int = 0

    def begin(self) -> int:
        return MOST_STEPS - self.n_done

    def record(self, run: Run, steps: list[Step], seconds: float) -> str:
        self.n_done += len(steps)
        return ""

    def converged(self, run: Run, step: Step, relocated: int) -> str:
        if relocated or not total_of(run.sums.total_weights[WEIGHT]):
            return ""
        moves = step.moved > SETTLED * sampling_error(run, step.inertia)
        return "" if moves else "the sample has taught enough"
