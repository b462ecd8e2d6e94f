"""Right digits on data that is hard: ties, offsets, scales, extremes, near-ties by design."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans, find_closest_centroids
from fastkmeans._data.rows import twice
from fastkmeans._data.scaling import make_scaling
from fastkmeans._engines.base import Packed
from fastkmeans._kernels.plain.assign import assign_rows, settle_rows
from fastkmeans._kernels.plain.exact import closest_by_differences
from tests.helpers.fits import quietly
from tests.helpers.hard_data import CASES, Case, each_case
from tests.helpers.reference import squared_distances

Array = NDArray[Any]
F32, F64 = np.float32, np.float64


def unit_of(*arrays: Array) -> float:
    """Return a power of two that makes squares of all values finite, and not zero."""
    size = max(float(np.abs(array).max()) for array in arrays)
    return math.ldexp(1.0, min(-math.frexp(size)[1] - 2, 1000)) if size else 1.0


def exact_square(x: Array, center: Array) -> Fraction:
    pairs = zip(x.tolist(), center.tolist(), strict=True)
    return sum(((Fraction(a) - Fraction(b)) ** 2 for a, b in pairs), Fraction(0))


def assert_closest(X: Array, centers: Array, labels: Array) -> None:
    """Labels are those of a float64 argmin by differences; ties are the lowest index.

    Where they differ from it, exact arithmetic decides whether rounding may be the cause.
    """
    unit = unit_of(X, centers)
    expected = squared_distances(X.astype(F64) * unit, centers * unit).argmin(axis=1)
    for i in np.flatnonzero(labels != expected):
        found = exact_square(X[i].astype(F64), centers[labels[i]])
        best = exact_square(X[i].astype(F64), centers[expected[i]])
        assert found - best <= best * Fraction(2 * X.shape[1] + 4, 2**53), f"row {i}"
        assert found != best or labels[i] < expected[i], f"row {i}: a tie"


def exact_inertia(X: Array, labels: Array, centers: Array) -> float:
    unit = unit_of(X, centers)
    difference = X.astype(F64) * unit - centers[labels] * unit
    return math.fsum((difference**2).ravel().tolist()) / unit / unit


@each_case
def test_labels_of_given_centers(case: Case) -> None:
    X = case.make(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    rows = X[rng.choice(len(X), case.k, replace=False)].astype(F64)
    between = rows / 2 + X[rng.choice(len(X), case.k)] / 2
    for centers in (rows, between, np.vstack([between, rows])[::-1]):
        labels = find_closest_centroids(X, centers)
        assert_closest(X, centers, labels)
        single = [
            int(find_closest_centroids(X[i : i + 1], centers)[0]) for i in range(0, len(X), 37)
        ]
        assert_closest(X[::37], centers, np.array(single))


@each_case
@pytest.mark.parametrize("init", ["k-means++", "random", "first rows"])
def test_fit(case: Case, init: str) -> None:
    X = case.make(np.random.default_rng(2))
    start: Any = X[: case.k] if init == "first rows" else init
    model = KMeans(case.k, init=start, n_init=1, random_state=0, max_iter=50)
    quietly(model, X)
    assert np.isfinite(model.cluster_centers_).all()
    assert_closest(X, model.cluster_centers_, model.labels_)
    exact = exact_inertia(X, model.labels_, model.cluster_centers_)
    tiny = 1e-320  # the digits of a denormal number
    assert model.inertia_ == pytest.approx(exact, rel=1e-12, abs=tiny)
    assert -model.score(X) == pytest.approx(exact, rel=1e-12, abs=tiny)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert not np.isnan(model.transform(X)).any()


@each_case
@pytest.mark.parametrize("init", ["k-means++", "first rows"])
def test_means(case: Case, init: str) -> None:
    """Where no label changed any more, every center is the mean of its rows.

    The error is one of the digits of the data's extent, also where far rows came and went.
    """
    X = case.make(np.random.default_rng(3))
    start: Any = X[: case.k] if init == "first rows" else init
    model = quietly(KMeans(case.k, init=start, tol=0.0, random_state=0), X)
    assert model.converged_
    scale = unit_of(X)
    extent = np.ptp(X * F64(scale), axis=0).max()
    for j in np.unique(model.labels_):
        own = X[model.labels_ == j].astype(F64) * scale
        spread = np.abs(own - own[0]).max()
        for f in range(min(9, X.shape[1])):
            mean = math.fsum(own[:, f].tolist()) / len(own)
            error = abs(model.cluster_centers_[j, f] * scale - mean)
            allowed = 1e-14 * (abs(mean) + spread) + 1e-15 * extent + 5e-324 * scale
            assert error <= allowed


@pytest.mark.parametrize("name", ["1e25, float32", "1e-25, float32", "1e200", "1e-200"])
def test_the_unit_of_the_data_changes_no_label(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    X = case.make(np.random.default_rng(4))
    ordinary = X * X.dtype.type(unit_of(X))
    here, there = (KMeans(5, random_state=0).fit(data) for data in (X, ordinary))
    np.testing.assert_array_equal(here.labels_, there.labels_)
    assert here.n_iter_ == there.n_iter_
    np.testing.assert_array_equal(here.cluster_centers_ * unit_of(X), there.cluster_centers_)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("far", [1e5, 1e15, 1e30, 1e150])
def test_centers_far_from_the_data(dtype: Any, far: float) -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(3000, 3)).astype(dtype)
    centers = rng.normal(size=(20, 3))
    centers[::3] *= far
    assert_closest(X, centers, find_closest_centroids(X, centers))
    all_far = rng.normal(size=(20, 3)) * far
    assert_closest(X, all_far, find_closest_centroids(X, all_far))
    for init in (centers, all_far):
        model = quietly(KMeans(20, init=init, max_iter=4), X)
        assert_closest(X, model.cluster_centers_, model.labels_)
        exact = exact_inertia(X, model.labels_, model.cluster_centers_)
        assert model.inertia_ == pytest.approx(exact, rel=1e-12)


def test_centers_so_far_that_squares_overflow() -> None:
    X = np.random.default_rng(6).normal(size=(500, 2))
    init = np.array([[1e200, 0.0], [0.0, 1e250], [0.5, 0.5], [-1e300, 1e300]])
    assert (find_closest_centroids(X, init) == 2).all()
    model = quietly(KMeans(4, init=init), X)
    assert np.isfinite(model.cluster_centers_).all()
    assert_closest(X, model.cluster_centers_, model.labels_)


@each_case
def test_distances_are_as_good_as_the_dtype(case: Case) -> None:
    """The error is one of the coordinates (relative to the data's extent), not of squares."""
    X = case.make(np.random.default_rng(7))
    model = quietly(KMeans(case.k, n_init=1, random_state=0, max_iter=2), X)
    unit, dtype, d = unit_of(X), np.finfo(X.dtype), X.shape[1]
    exact = np.sqrt(squared_distances(X * F64(unit), model.cluster_centers_ * unit))
    extent = np.sqrt(d) * np.ptp(X * F64(unit), axis=0).max()
    found = model.transform(X).astype(F64) * unit
    bound = float(dtype.eps) * (4 * extent + (d + 8) * exact)
    bound += float(dtype.smallest_subnormal) * unit
    representable = exact < float(dtype.max) * unit
    assert (np.abs(found - exact) <= bound)[representable].all()
    assert (found[~representable] == np.inf).all()


# --- the rounding bound of the E step


def both_stages(X: Array, centers: Array, shift: Array, scale: float) -> list[Array]:
    """Return the labels by the float32 tile (-1: left open), and by the float64 tile."""
    scaling = make_scaling(X.dtype, shift, scale)
    packed = Packed(*centers.shape)
    packed.pack(centers, scaling)
    m = len(X)
    x, nobody = twice(X), np.full(m, -2, np.int32)
    first, second = np.empty(m, np.int32), np.full(m, -1, np.int32)
    counts = np.empty(3, np.int64)
    rest = packed.largest, False, nobody
    in_float32 = scaling.x_offset, scaling.x_scale, centers, packed.tiles
    assign_rows(x, 0, m, *in_float32, *rest, first, counts)
    in_float64 = scaling.offset, scaling.scale, centers, packed.tiles64(centers, scaling)
    settle_rows(x, 0, m, *in_float64, *rest, second, counts)
    return [first, second]


def wrong_labels(X: Array, centers: Array, labels: Array) -> list[float]:
    """Return the relative gaps of the rows labelled wrongly beyond float64's rounding."""
    difference = X[:, None].astype(np.longdouble) - centers.astype(np.longdouble)
    squares = (difference**2).sum(axis=2)
    own = np.take_along_axis(squares, np.maximum(labels, 0)[:, None], 1)[:, 0]
    gap = np.where(labels < 0, 0, own / squares.min(axis=1) - 1)
    suspects = np.flatnonzero(gap > 1e-15 * X.shape[1])
    tolerance = Fraction(2 * X.shape[1] + 4, 2**53)
    wrong = []
    for i in suspects:
        exact = [exact_square(X[i].astype(F64), center) for center in centers]
        if exact[labels[i]] > min(exact) * (1 + tolerance):
            wrong.append(float(exact[labels[i]] / min(exact) - 1))
    return wrong


def near_bisector(
    rng: np.random.Generator, m: int, d: int, spread: float, noise: float, dtype: Any
) -> tuple[Array, Array]:
    """Return rows almost equally far from two centers, at relative distances of ``noise``."""
    centers = rng.normal(size=(2, d)) * spread
    if rng.random() < 0.3:  # centers that almost coincide
        centers[1] = centers[0] * (1 + rng.normal(size=d) * 10.0 ** rng.uniform(-9, -1))
    axis = centers[1] - centers[0]
    X = rng.normal(size=(m, d)) * 10.0 ** rng.uniform(-2, 1, (m, 1))
    excess = (X - centers.mean(axis=0)) @ axis / (axis @ axis)
    X -= excess[:, None] * axis * (1 + rng.normal(size=(m, 1)) * noise)
    return X.astype(dtype), centers


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("d", [1, 2, 3, 8, 33, 300])
def test_no_near_tie_is_decided_wrongly(dtype: Any, d: int) -> None:
    rng = np.random.default_rng(d)
    m = 256 if d < 100 else 64
    for round_ in range(40):
        spread = 10.0 ** rng.uniform(-4, 6)
        noise = 0.0 if round_ % 2 else 10.0 ** rng.uniform(-16, -5)
        X, centers = near_bisector(rng, m, d, spread, noise, dtype)
        shift = X.mean(axis=0, dtype=F64) + rng.normal(size=d) * rng.choice([0, 1, 1e3])
        scale = 2.0 ** float(rng.integers(-12, 3))
        for labels in both_stages(X, centers, shift, scale):
            assert not wrong_labels(X, centers, labels)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_hill_climbing_finds_no_wrong_label(dtype: Any) -> None:
    """Climb towards a wide gap between the scores' verdict and the truth."""
    rng = np.random.default_rng(0)
    for _ in range(15):
        d = int(rng.integers(1, 5))
        X, centers = near_bisector(rng, 64, d, 10.0 ** rng.uniform(-2, 4), 0.0, dtype)
        for _ in range(20):
            for labels in both_stages(X, centers, np.zeros(d), 1.0):
                assert not wrong_labels(X, centers, labels)
            squares = ((X[:, None] - centers.astype(np.longdouble)) ** 2).sum(axis=2)
            hardest = X[np.abs(squares[:, 0] / squares[:, 1] - 1).argmin()]
            steps = rng.integers(-4, 5, X.shape) * np.spacing(np.abs(hardest))
            X = (hardest + steps).astype(dtype)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_rounding_that_conspires(dtype: Any) -> None:
    """All roundings of one center's score go up, all of the other's go down.

    A leading feature of 1 keeps the running sums just above a power of two; each later
    product is a little less than half a unit in the last place for one center (and is
    lost), a little more for the other (and counts double).  The same happens in the
    float64 sum of the squared norm.
    """
    unit, d = float(np.finfo(dtype).eps) / 2, 2001
    first, second = (np.full(d, math.sqrt(part * unit), dtype) for part in (0.96, 1.04))
    first[0], second[0] = 1.0, -1.0
    rows = np.full((201, d), -0.5 * math.sqrt(unit), dtype)
    rows[:, 0] = np.linspace(-2, 2, 201) * d * unit
    for centers in (np.array([first, second]), np.array([second, first])):
        centers = centers.astype(F64)
        exact = [[exact_square(x.astype(F64), c) for c in centers] for x in rows[::10]]
        expected = np.array([int(b < a) for a, b in exact])
        by_differences = [closest_by_differences(twice(rows), i, centers, 1.0)
                          for i in range(0, len(rows), 10)]  # fmt: skip
        sure = expected == by_differences
        assert sure.sum() > 15
        for labels in both_stages(rows, centers, np.zeros(d), 1.0):
            proven = labels[::10] >= 0
            np.testing.assert_array_equal(labels[::10][sure & proven], expected[sure & proven])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_far_row_has_one_label_whatever_its_path(dtype: Any) -> None:
    """Seen from 1e15, distances differ by no more than their rounding."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 33)).astype(dtype)
    X[-1] = 1e15
    for seed in range(12):
        C = X[np.random.default_rng(seed).choice(2999, 3, replace=False)].astype(float)
        alone = find_closest_centroids(X[-1:], C)[0]
        assert find_closest_centroids(X, C)[-1] == alone
        for n_threads in (1, 2):
            model = KMeans(3, init=C, max_iter=1, n_threads=n_threads).fit(X)
            assert model.labels_[-1] == find_closest_centroids(X[-1:], model.cluster_centers_)[0]
            if n_threads == 1:
                first = model
        np.testing.assert_array_equal(first.labels_, model.labels_)
        np.testing.assert_array_equal(first.cluster_centers_, model.cluster_centers_)
