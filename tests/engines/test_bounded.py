"""The engine of bounds in float32: its labels, its bounds, and when ``auto`` takes it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans, open_dataset
from fastkmeans._engines import auto, costs
from fastkmeans._engines.base import Packed
from fastkmeans._engines.bounded import Bounded
from fastkmeans._engines.sums import Sums
from fastkmeans._kernels.bounded.group import GROUPS
from fastkmeans._kernels.emit.simd import CENTERS
from tests.helpers.data import blobs
from tests.helpers.engines import F32, F64, by_differences, each_dtype, near_ties, problem_of
from tests.helpers.fits import quietly
from tests.helpers.processes import digest
from tests.helpers.reference import squared_distances

Array = NDArray[Any]
K = 37


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``auto`` take bounds for data of this size, from the third iteration on."""
    monkeypatch.setattr(costs, "FEWEST_FEATURES", 1000)
    monkeypatch.setattr(costs, "FEWEST_FOR_BOUNDS", 1)
    monkeypatch.setattr(costs, "PRODUCTS_FOR_BOUNDS", 1)
    monkeypatch.setattr(costs, "FEW_MOVED", 1.0)
    monkeypatch.setattr(auto, "WORTH", 10.0)


def assert_bounds_hold(bounded: Bounded, X: Array, centers: Array, labels: Array) -> None:
    """Compare the bounds with exact distances, in scaled units."""
    unit = bounded._problem.scaling.unit
    distances = np.sqrt(squared_distances(X.astype(F64) * unit, centers * unit))
    own = distances[np.arange(len(X)), labels]
    # What the reference itself is off by, if rows and centers lie far from 0.
    off = 1e-13 * np.abs(np.vstack([X, centers]) * unit).max()
    assert (bounded._upper >= own - off).all()
    distances[np.arange(len(X)), labels] = np.inf
    groups = np.searchsorted(bounded._edges, bounded._place // CENTERS, side="right") - 1
    for g in range(GROUPS):
        nearest = distances[:, groups == g].min(axis=1, initial=np.inf)
        assert (bounded._lower[:, g] <= nearest + off).all()


def follow(X: Array, sequence: list[Array], k: int, n_threads: int = 1) -> list[float]:
    """Label rows by one set of centers after the other; return the shares that were avoided."""
    shares = []
    with problem_of(X, n_threads=n_threads) as problem:
        sums = Sums(problem, k)
        bounded = Bounded(problem, Packed(k, X.shape[1]))
        previous, labels = by_differences(X, sequence[0]), np.full(len(X), -1, np.int32)
        bounded.note(sequence[0])
        for centers in sequence[1:]:
            sums.clear()
            assigned = bounded.label(centers, sums, previous, labels)
            np.testing.assert_array_equal(labels, by_differences(X, centers))
            assert assigned.n_moved == (labels != previous).sum()
            if not bounded._first:  # else the bounds are forgotten
                assert_bounds_hold(bounded, X, centers, labels)
            previous, labels = labels, previous
            shares.append(assigned.avoided)
    return shares


def drifting(rng: np.random.Generator, centers: Array, n: int) -> list[Array]:
    """Return centers that move ever less, some far, and most of them hardly."""
    sequence, width = [centers], np.abs(centers).max()
    for step in range(n):
        sizes = width * 10.0 ** rng.uniform(-7, -1 - step / 4, (len(centers), 1))
        sizes[rng.random(len(centers)) < 0.2] = 0.0
        sequence.append(sequence[-1] + rng.normal(size=centers.shape) * sizes)
    return sequence


@each_dtype
@pytest.mark.parametrize(("d", "k"), [(1, 5), (2, K), (5, 8 * CENTERS), (12, 64), (33, 50)])
def test_labels_and_bounds(d: int, k: int, dtype: Any) -> None:
    rng = np.random.default_rng(d)
    X = blobs(rng, 1500, d, k, 1.0).astype(dtype)
    centers = X[rng.choice(len(X), k, replace=False)].astype(F64)
    shares = follow(X, drifting(rng, centers + 1e-3, 10), k)
    assert k < 8 * CENTERS or shares[-1] > 0.3


@pytest.mark.parametrize("seed", range(6))
def test_rows_near_ties_and_far_from_the_origin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, centers = near_ties(rng, 900, int(rng.integers(1, 20)), K)
    far = rng.choice([0.0, 1e3, 1e8]) * np.abs(centers).max()
    sequence = [one + far for one in drifting(rng, centers, 6)]
    sequence[3:3] = [centers + far] * 2  # ties again
    follow(X + far, sequence, K)


def test_duplicates_and_centers_that_become_equal_for_a_while() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(-3, 4, (1200, 4)).astype(F64)
    centers = np.unique(X, axis=0)[rng.choice(300, K, replace=False)]
    twins = centers.copy()
    twins[[30, 5]], twins[20] = twins[[7, 36]], twins[2]
    near = drifting(rng, centers, 3)
    follow(X, [*near, twins, twins + 1e-9, *near, centers, centers], K)


def test_jumps_of_any_size() -> None:
    rng = np.random.default_rng(1)
    X = blobs(rng, 800, 6, K, 1.0)
    centers = X[:K] + 1e-3
    far = centers.copy()
    far[3] *= 1e12
    follow(X, [centers, far, centers, centers * 1e30, centers, centers[::-1].copy()], K)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e20, 1e40, 1e160, 1e300, 1.7e308])
def test_centers_that_float32_cannot_hold_give_no_warning(size: float) -> None:
    rng = np.random.default_rng(2)
    X = blobs(rng, 600, 5, K, 1.0)
    centers = X[:K] + 1e-3
    far, farther = centers.copy(), centers.copy()
    far[3], farther[4:6] = size, -size
    follow(X, [far, far, centers, centers, farther, far, centers], K)


def fits(X: Any, weights: Array | None = None, **options: Any) -> tuple[KMeans, KMeans]:
    """Return the fits with ``auto`` and with the plain engine."""
    options = {"tol": 0.0, "max_iter": 25, "n_clusters": K, "n_init": 1} | options
    if not isinstance(X, np.ndarray):
        options.setdefault("init", "k-means++")
        options["random_state"] = 0
    options.setdefault("init", None)
    if options["init"] is None:
        options["init"] = X[50 : 50 + K].astype(F64)
    auto_model, plain = (
        quietly(KMeans(algorithm=name, **options), X, weights) for name in ("auto", "lloyd")
    )
    return auto_model, plain


def assert_same_course(model: KMeans, plain: KMeans, used: bool = True) -> None:
    assert digest(model) == digest(plain)
    first, second = (
        [(step.inertia, step.center_shift, step.n_moved) for step in one.history_]
        for one in (model, plain)
    )
    assert first == second
    assert any(step.avoided > 0.0 for step in model.history_) == used


def rows_of(d: int, dtype: Any = F32, n: int = 9000) -> Array:
    """Return overlapping clusters, and some rows that stand many times."""
    X = blobs(np.random.default_rng(d), n, d, K, 1.0).astype(dtype)
    X[:90] = X[7]
    return X


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fits of this size count as large."""
    monkeypatch.setattr("fastkmeans._runtime.threads.SERIAL_NANOSECONDS", 0)


@pytest.mark.usefixtures("large")
@each_dtype
@pytest.mark.parametrize("weighted", [False, True])
def test_the_bits_of_plain_lloyd(dtype: Any, weighted: bool) -> None:
    X = rows_of(10, dtype)
    weights = np.random.default_rng(1).integers(0, 4, len(X)).astype(F64) if weighted else None
    model, plain = fits(X, weights)
    assert_same_course(model, plain)
    assert_same_course(fits(X, weights, n_threads=1)[0], plain)
    assert_same_course(fits(X, weights, n_threads=2)[0], plain)


@pytest.mark.usefixtures("large")
def test_several_runs_begin_without_bounds() -> None:
    assert_same_course(*fits(rows_of(11), init="random", n_init=3, random_state=0, local_search=0))


@pytest.mark.usefixtures("large")
def test_clusters_that_become_empty() -> None:
    X = rows_of(10)
    init = X[50 : 50 + K].astype(F64)
    init[1:6] = 1e3
    assert_same_course(*fits(X, init=init))


@pytest.mark.usefixtures("large")
def test_rows_in_a_file_come_block_by_block(tmp_path: Path) -> None:
    X = rows_of(10)
    np.save(tmp_path / "rows.npy", X)
    with open_dataset(tmp_path / "rows.npy") as rows:
        assert_same_course(*fits(rows))


@pytest.mark.usefixtures("large")
def test_by_cosine_they_are_not_used() -> None:
    assert_same_course(*fits(rows_of(10), metric="cosine"), used=False)


@pytest.mark.usefixtures("large")
def test_they_end_where_they_do_not_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain Lloyd goes on with their labels, until half as many rows move."""
    monkeypatch.setattr(auto, "WORTH", 0.0)
    model, plain = fits(rows_of(10), max_iter=40)
    assert_same_course(model, plain)
    used = [step.avoided > 0.0 for step in model.history_]
    assert not any(a and b for a, b in pairwise(used))


@pytest.mark.usefixtures("large")
def test_they_begin_where_few_rows_move_and_iterations_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The iteration in which the bounds begin avoids nothing; the next does."""
    monkeypatch.setattr(costs, "FEW_MOVED", 0.05)
    X = rows_of(10)
    model, plain = fits(X, max_iter=40)
    assert_same_course(model, plain)
    begun = next(i for i, step in enumerate(model.history_) if step.avoided > 0.0)
    moved = [step.n_moved / len(X) for step in model.history_[:begun]]
    noted = next(i for i, share in enumerate(moved[1:], 2) if share <= 0.05)
    assert begun == noted + 2
    last = begun - 1 + costs.BOUNDS_REPAID
    for max_iter, used in ((last, True), (last - 1, False)):
        assert_same_course(*fits(X, max_iter=max_iter), used=used)
