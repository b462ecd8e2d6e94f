"""Rows without clusters that spread like the data: what fits of them gain by another center.

The reference rows are normal or uniform, and independent along axes with the variances of the
principal components of the data.  Their fits show how inertia falls with k if nothing is there
to find (the idea of the gap statistic: Tibshirani, Walther and Hastie (2001), JRSS B 63).
"""

from collections.abc import Sequence

import numpy as np

from .._data.problem import Problem, problem_of
from .._data.rows import ArrayRows
from .._data.validation import NO_WEIGHTS
from .._runtime.arrays import Floats
from .._runtime.threads import Team
from .fits import Fits, Options

ROWS, AXES = 2000, 64
"""Most rows of a reference, and most axes; the variance of the others is added as it is."""
VALUES = 1 << 22
"""Most values of the sample that the principal components are found on, if d allows."""
SEED = 2212
"""Seed of the reference rows: they are the same for every ``random_state``."""


def variances_of(problem: Problem) -> Floats:
    """Return the variances of the rows along their principal axes, falling, in scaled units."""
    n, d = problem.shape
    most = min(ROWS, max(AXES, VALUES // d))
    chosen = np.arange(0, n, -(-n // most))
    points = problem.points(chosen)
    if not problem.scaling.by_cosine:
        points *= problem.scaling.scale
    weights = problem.weights_of(chosen)
    if not weights.size or not weights.any():
        weights = np.ones(len(chosen))
    shares = weights / weights.sum()
    points = (points - shares @ points) * np.sqrt(shares)[:, None]
    # Rows times rows has the same eigenvalues as columns times columns.
    square = points.T @ points if d <= len(points) else points @ points.T
    variances: Floats = np.maximum(np.linalg.eigvalsh(square)[::-1], 0.0)
    return variances


def reference_curves(
    variances: Floats, n_rows: int, ks: Sequence[int]
) -> list[tuple[Floats, Floats]]:
    """Return mean inertias and entropies of the clusters, ``(len(ks),)`` each, of both references.

    ``ks`` rise.
    """
    m, spreads = max(min(n_rows, ROWS), ks[-1]), np.sqrt(variances[:AXES])
    rest = float(variances[AXES:].sum())
    rng = np.random.default_rng(SEED)
    shape = m, len(spreads)
    tables = rng.standard_normal(shape), (rng.random(shape) - 0.5) * np.sqrt(12.0)
    curves = []
    for table in tables:
        with Team(1, 0.0) as team:
            problem = problem_of(ArrayRows(table * spreads), NO_WEIGHTS, team)
            fits = Fits(problem, ks[-1], Options(100, 1e-3, "lloyd", 2), rng)
            inertias, entropies = np.empty(len(ks)), np.empty(len(ks))
            for i, k in enumerate(ks):
                run = fits.fit(k)
                sizes = np.bincount(run.labels, minlength=k).astype(np.float64)
                inertias[i] = run.inertia / m + rest * (m - k) / m
                entropies[i] = entropy_of(sizes)
        curves.append((inertias * m / np.maximum(m - np.array(ks), 1), entropies))
    return curves


def entropy_of(weights: Floats) -> float:
    """Return the entropy of the shares of some clusters, in nats."""
    shares = weights[weights > 0.0] / weights.sum()
    return float(-(shares * np.log(shares)).sum())
