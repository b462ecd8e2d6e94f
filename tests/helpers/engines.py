"""What the tests of the engines share: labels for given centers, and data to try them on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans._data.problem import Problem, open_problem
from fastkmeans._data.rows import ArrayRows, twice
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._kernels.plain.exact import closest_by_differences
from fastkmeans._lloyd.run import Run, Workspace
from tests.helpers.data import blobs
from tests.helpers.kernels import sealed

Array = NDArray[Any]
F32, F64 = np.float32, np.float64
ENGINES = ["boxes", "bytes"]

each_engine = pytest.mark.parametrize("algorithm", ENGINES)
each_dtype = pytest.mark.parametrize("dtype", [F32, F64])


class Case(NamedTuple):
    """Rows, initial centers and, where rows have weights, those."""

    X: Array
    centers: Array
    weights: Array | None = None


def problem_of(
    X: Array, weights: Array = NO_WEIGHTS, n_threads: int = 1
) -> contextlib.AbstractContextManager[Problem]:
    """Open a problem that is large enough for several threads."""
    return open_problem(ArrayRows(X), sealed(weights), n_threads, 1e12)


def visits(
    algorithm: str,
    X: Array,
    sequence: Iterable[Array],
    look: Callable[[Run], Any],
    weights: Array = NO_WEIGHTS,
    n_threads: int = 1,
    begins: Container[int] = (0,),
) -> list[Any]:
    """Label the rows by one set of centers after the other; return what ``look`` sees.

    The engine is the one named from the first set of a run on, or the second (see
    ``_engines.bytes``); ``begins`` has the numbers of the sets that runs begin with.
    """
    sequence = [np.asarray(centers, F64) for centers in sequence]
    seen = []
    with problem_of(X, weights, n_threads) as problem:
        workspace = Workspace(problem, len(sequence[0]), algorithm)
        run = workspace.begin(sequence[0], len(sequence))
        for number, centers in enumerate(sequence):
            if number in begins:
                run = workspace.begin(centers, len(sequence))
            run.centers[:] = centers
            run.step()
            run.write_labels()
            seen.append(look(run))
    return seen


def labels_of(run: Run) -> Array:
    return run.labels.copy()


def by_differences(X: Array, centers: Array) -> Array:
    """Return the labels that every engine must find, on whatever path a row takes."""
    rows, scale = twice(X), float(scale_of(X))
    found = [closest_by_differences(rows, i, centers, scale) for i in range(len(X))]
    return np.array(found, np.int32)


def scale_of(X: Array) -> float:
    with problem_of(X) as problem:
        return problem.scaling.scale


def near_ties(rng: np.random.Generator, m: int, d: int, k: int) -> tuple[Array, Array]:
    """Return rows close to the bisectors of pairs of centers, at gaps of any size."""
    centers = rng.normal(size=(k, d)) * 10.0 ** rng.uniform(-2, 1)
    first, second = centers[rng.integers(0, k, m)], centers[rng.integers(0, k, m)]
    axis = second - first
    X = (first + second) / 2 + rng.normal(size=(m, d)) * 10.0 ** rng.uniform(-3, 0)
    square = np.maximum((axis**2).sum(axis=1), 1e-300)
    excess = ((X - (first + second) / 2) * axis).sum(axis=1) / square
    gap = rng.choice([-1.0, 1.0], m) * 10.0 ** rng.uniform(-17, -2, m)
    return X - ((excess - gap) * np.sign(square))[:, None] * axis, centers


def some_rows(rng: np.random.Generator, X: Array, k: int) -> Array:
    return X[rng.choice(len(X), k, replace=False)].astype(F64)


def mixture(d: int, n: int = 900, k: int = 9, spread: float = 1.5) -> Case:
    rng = np.random.default_rng(d)
    X = blobs(rng, n, d, k, spread)
    return Case(X, some_rows(rng, X, k))


def grid(d: int, k: int) -> Case:
    rng = np.random.default_rng(d)
    X = rng.integers(-4, 5, (1200, d)).astype(F64)
    return Case(X, np.unique(X, axis=0)[rng.choice(min(9**d, 400), k, replace=False)])


def duplicates() -> Case:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(40, 3)), rng.integers(1, 60, 40), axis=0)
    X = X[rng.permutation(len(X))]
    return Case(X, np.unique(X, axis=0)[:12] + 0.01)


def constant_columns() -> Case:
    rng = np.random.default_rng(1)
    X = np.full((700, 6), [1e3, 0.0, 0.1, -3.0, 1.0, 1.0])
    X[:, 4:] = rng.normal(size=(700, 2))
    return Case(X, some_rows(rng, X, 8))


def offset(size: float, d: int = 3) -> Case:
    rng = np.random.default_rng(2)
    X = blobs(rng, 800, d, 6, 2.0) + size
    return Case(X, some_rows(rng, X, 6))


def column_scales() -> Case:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(800, 5)) * 10.0 ** np.arange(-4, 6, 2)
    return Case(X, some_rows(rng, X, 8))


def clump() -> Case:
    """A clump of width 1e-3 among outliers at 1e3: float32 cannot see it from afar."""
    rng = np.random.default_rng(4)
    X = np.vstack([rng.normal(size=(700, 2)) * 1e-3, rng.choice([-1e3, 1e3], (8, 2)), [[900, 1e3]]])
    X[700:] += rng.normal(size=(9, 2))
    return Case(X, np.vstack([X[:7], X[700:703]]))


def a_cluster_per_row() -> Case:
    X = np.random.default_rng(5).normal(size=(45, 3))
    return Case(X, X + 1e-3)


def repeated_centers() -> Case:
    case = mixture(4)
    return Case(case.X, case.centers[[0, 1, 1, 2, 0, 3, 3, 3, 4]])


def far_centers(far: float) -> Case:
    case = mixture(3)
    return Case(case.X, case.centers * np.where(np.arange(9) % 3 == 1, far, 1.0)[:, None])


def weighted(zeros: bool) -> Case:
    case, rng = mixture(5), np.random.default_rng(6)
    weights = rng.gamma(1.0, size=len(case.X)) * 100
    if zeros:
        weights[rng.random(len(weights)) < 0.4] = 0.0
    return Case(*case[:2], weights)


def emptying() -> Case:
    """A chain of centers at one end: clusters lose their rows as others move in."""
    rng = np.random.default_rng(7)
    X = np.vstack([rng.normal(size=(400, 2)) * 0.02 + [x, 0.0] for x in (0.0, 1.0, 9.0)])
    return Case(X, np.column_stack([np.linspace(-40.0, -1.0, 8), np.zeros(8)]))


def equal_outliers() -> Case:
    """Two empty clusters are given equal rows, and so share a center for an iteration."""
    rng = np.random.default_rng(0)
    near = rng.normal(size=(4000, 2)) * 0.01
    X = np.vstack([near, near + np.array([3.0, 0.0]), [[100.0, 0.0]] * 2, [[99.0, 0.0]] * 10])
    return Case(X, np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 0.0], [3.0, 0.0]]))


CASES: dict[str, Callable[[], Case]] = {
    "blobs": lambda: mixture(4, 150, 3, 0.7),
    **{f"mixture, d = {d}": lambda d=d: mixture(d) for d in (1, 2, 3, 4, 7, 16, 33, 64)},
    **{f"grid, d = {d}": lambda d=d: grid(d, 7) for d in (1, 2, 3, 5)},
    "duplicated rows": duplicates,
    "constant columns": constant_columns,
    "offset 1e6": lambda: offset(1e6),
    "offset 1e6, d = 20": lambda: offset(1e6, 20),
    "column scales": column_scales,
    "clump among outliers": clump,
    "a cluster per row": a_cluster_per_row,
    "repeated centers": repeated_centers,
    "centers far away": lambda: far_centers(1e4),
    "centers very far away": lambda: far_centers(1e17),
    "weights": lambda: weighted(False),
    "weights with zeros": lambda: weighted(True),
    "clusters become empty": emptying,
    "equal outliers": equal_outliers,
    "one cluster": lambda: mixture(2, 300, 1),
}
