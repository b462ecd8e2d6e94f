"""The local search: its kernels against NumPy, and what it promises to a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._data.rows import twice
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._estimators.inputs import as_table
from fastkmeans._kernels.emit.simd import CENTERS, POINTS
from fastkmeans._kernels.search import around, prices, swaps
from fastkmeans._kernels.search import closest as kernels
from fastkmeans._lloyd.checkpoint import Checkpoint
from fastkmeans._lloyd.watch import Watch
from tests.helpers import reference

Array = NDArray[Any]
N, D, K = 900, 3, 15
PLACE = kernels.Place(np.zeros(D), 1.0, np.zeros(D, np.float32), np.float32(1.0))


def mixture(n: int = N, seed: int = 1) -> Array:
    """Return overlapping groups of unlike spread."""
    rng = np.random.default_rng(seed)
    means, spread, group = rng.random((K, D)), rng.uniform(0.02, 0.1, K), rng.integers(0, K, n)
    X = means[group] + spread[group, None] * rng.standard_normal((n, D))
    return X.astype(np.float32)


X = mixture()
BLOCK = twice(X)
WEIGHTS = np.random.default_rng(3).integers(0, 4, N) / 2.0
WEIGHTS.flags.writeable = NO_WEIGHTS.flags.writeable
START = X[:K].astype(np.float64)


def all_squares(centers: Array) -> Array:
    return reference.squared_distances(X.astype(np.float64), centers)


def closest_of(centers: Array) -> kernels.Closest:
    kinds = np.int32, np.int32, np.float32, np.float32
    found = kernels.Closest(*(np.empty(N, kind) for kind in kinds))
    kernels.find_closest(BLOCK, 0, 500, PLACE, centers, found)
    kernels.find_closest(BLOCK, 500, N, PLACE, centers, found)
    return found


def test_find_closest() -> None:
    found, squares = closest_of(START), all_squares(START)
    order = np.argsort(squares, axis=1, kind="stable")
    np.testing.assert_array_equal(found.labels, order[:, 0])
    np.testing.assert_array_equal(found.seconds, order[:, 1])
    ranked = np.sort(squares, axis=1)
    np.testing.assert_allclose(found.near, ranked[:, 0], rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(found.far, ranked[:, 1], rtol=1e-4)


@pytest.mark.parametrize("weights", [NO_WEIGHTS, WEIGHTS])
def test_price(weights: Array) -> None:
    """The price of a candidate in the place of a center is the potential that it leads to."""
    f, count = np.float32, prices.CANDIDATES
    drawn = np.arange(100, 100 + count)
    measured = kernels.Measured(
        np.empty(kernels.ROWS, np.int64), closest_of(START),
        np.empty((kernels.ROWS // POINTS, D, POINTS), f),
        np.empty((kernels.ROWS // POINTS, POINTS), f), np.empty((CENTERS, POINTS), f),
        np.empty((K, kernels.ROWS), f),
    )  # fmt: skip
    tiles = np.zeros((-(-count // CENTERS), 1 + D, CENTERS), f)
    kernels.pack_some(X.astype(np.float64), drawn, count, tiles)
    losses = np.empty((count + 1, K + 1))
    table = prices.Table(weights, PLACE, np.arange(K))
    prices.price(BLOCK, table, closest_of(START), tiles, measured, losses)
    w = weights if weights.size else np.ones(N)
    for c in range(count):
        expected = np.empty(K)
        for j in range(K):
            centers = START.copy()
            centers[j] = X[drawn[c]]
            expected[j] = w @ all_squares(centers).min(axis=1)
        best, change = prices.cheapest(losses, c)
        assert change + losses[count, K] == pytest.approx(expected.min(), rel=1e-5)
        assert expected[best] == pytest.approx(expected.min(), rel=1e-5)
        found = losses[c, :K] + losses[count, :K] + losses[c, K] + losses[count, K]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("weights", [NO_WEIGHTS, WEIGHTS])
def test_search_keeps_its_state_true(weights: Array) -> None:
    """After swaps, the two closest centers and the sums are those found from the beginning."""
    state = closest_of(START)
    zeros = np.zeros((K, D)), np.zeros(K), np.zeros(K, np.int64)
    clusters = kernels.Clusters(START.copy(), *zeros)
    uniforms = np.random.default_rng(0).random((40, prices.CANDIDATES))
    counts = np.zeros(6, np.int64)
    over = swaps.search_swaps(BLOCK, weights, PLACE, state, clusters, uniforms, 30, 31, counts)
    assert over
    assert counts[around.TRIES] == 30
    assert 3 <= counts[around.KEPT] < 30
    fresh = closest_of(clusters.centers)
    for own, expected in zip(state, fresh, strict=True):
        np.testing.assert_array_equal(own, expected)
    w = weights if weights.size else np.ones(N)
    one_hot = (state.labels[:, None] == np.arange(K)).astype(float)
    np.testing.assert_allclose(clusters.weights, w @ one_hot)
    np.testing.assert_array_equal(clusters.counts, (w > 0.0) @ one_hot)
    np.testing.assert_allclose(clusters.sums, (w[:, None] * one_hot).T @ X, rtol=1e-9)
    assert w @ state.near < w @ closest_of(START).near


def model(**options: Any) -> KMeans:
    return KMeans(**({"n_clusters": K, "random_state": 0, "local_search": 40} | options))


@pytest.fixture(scope="module")
def searched() -> KMeans:
    return model().fit(X)


def test_a_search_improves_a_fit_and_stays_exact(searched: KMeans) -> None:
    without = model(local_search=0).fit(X)
    assert without.search_ is None
    found = searched.search_
    assert found.tries == 40
    assert 0 < found.kept < 40 < found.iterations
    assert found.reason == "all tries were used"
    assert found.gain == pytest.approx(without.inertia_ - searched.inertia_)
    assert searched.inertia_ < 0.99 * without.inertia_
    squares = all_squares(searched.cluster_centers_)
    np.testing.assert_array_equal(searched.labels_, squares.argmin(axis=1))
    assert searched.inertia_ == pytest.approx(squares.min(axis=1).sum(), rel=1e-6)
    for j in range(K):  # the centers are means: a run has converged
        mean = X[searched.labels_ == j].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(searched.cluster_centers_[j], mean, atol=1e-2)
    assert searched.n_iter_ == without.n_iter_
    assert searched.stop_reason_ == without.stop_reason_
    assert [step.inertia for step in searched.history_] == [
        step.inertia for step in without.history_
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_search_never_makes_a_fit_worse(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(200, D)).astype(np.float32)
    without = model(local_search=0, init="random", n_init=1, random_state=seed).fit(noise)
    searched = model(init="random", n_init=1, random_state=seed, local_search=5).fit(noise)
    assert searched.inertia_ <= without.inertia_
    if not searched.search_.kept:
        assert searched.cluster_centers_.tobytes() == without.cluster_centers_.tobytes()


@pytest.mark.parametrize(
    "same",
    [
        lambda: np.asfortranarray(X),
        lambda: np.repeat(X, 2, axis=1)[:, ::2],
        lambda: X.astype(">f4"),
    ],
    ids=["columns", "strides", "foreign"],
)
def test_results_depend_on_values_alone(searched: KMeans, same: Any) -> None:
    other = model().fit(same())
    assert other.cluster_centers_.tobytes() == searched.cluster_centers_.tobytes()
    assert other.search_._replace(seconds=0.0) == searched.search_._replace(seconds=0.0)


def test_results_do_not_depend_on_threads() -> None:
    many = mixture(40_000)
    one, two = (model(n_threads=n, local_search=6).fit(many) for n in (1, 2))
    assert one.search_.tries == 6
    assert one.cluster_centers_.tobytes() == two.cluster_centers_.tobytes()


def test_weights_count(searched: KMeans) -> None:
    weighted = model().fit(X, sample_weight=WEIGHTS)
    squares = all_squares(weighted.cluster_centers_).min(axis=1)
    assert weighted.inertia_ == pytest.approx(WEIGHTS @ squares, rel=1e-6)
    assert weighted.inertia_ < WEIGHTS @ all_squares(searched.cluster_centers_).min(axis=1)
    eightfold = model().fit(X, sample_weight=8.0 * WEIGHTS)
    assert eightfold.cluster_centers_.tobytes() == weighted.cluster_centers_.tobytes()
    assert eightfold.search_.gain == pytest.approx(8.0 * weighted.search_.gain)


@pytest.mark.slow
def test_tight_clusters_in_float64_are_told_apart() -> None:
    """float32 does not resolve their distances; the search finds the empty group all the same."""
    rng = np.random.default_rng(0)
    tight = np.repeat(rng.random((K, D)), 20, axis=0) + 1e-9 * rng.standard_normal((20 * K, D))
    start = tight[np.arange(K) * 20 + 1]
    start[1] = tight[0]  # two centers in the first group, none in the second
    lloyd = model(init=start, local_search=0).fit(tight)
    assert model(init=start).fit(tight).inertia_ < 1e-12 < lloyd.inertia_
    halves = np.vstack([tight[:20], tight[:20] + 1e-7])  # two groups far below float32's digits
    lopsided = KMeans(4, init=halves[[0, 1, 2, 20]], local_search=0).fit(halves)
    found = KMeans(4, init=halves[[0, 1, 2, 20]], local_search=40, random_state=0).fit(halves)
    assert found.inertia_ < lopsided.inertia_
    assert found.search_.kept


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_rows_whose_squares_no_float_holds(size: float) -> None:
    """The search is that of the same rows in another unit; the inertia is 0, or infinite."""
    fitted = model().fit(X.astype(np.float64) * size)
    assert fitted.search_.kept == model().fit(X.astype(np.float64)).search_.kept
    assert fitted.search_.gain == 0.0


def test_what_is_not_searched() -> None:
    assert model(max_iter=1, tol=0.0).fit(X).search_ is None
    assert model(callback=lambda number, run: True).fit(X).search_ is None
    assert model(n_clusters=1).fit(X).search_.reason == "there is one cluster"
    distinct = np.repeat(X[:K], 3, axis=0)
    for tries in (20, 2**64):  # any number will do
        fitted = model(local_search=tries).fit(distinct)
        assert fitted.search_.reason == "no row is apart from its center"


def test_parameter_and_model_file(searched: KMeans, tmp_path: Path) -> None:
    for wrong, error in ((-1, ValueError), (True, TypeError), (1.5, TypeError), ("x", TypeError)):
        with pytest.raises(error, match="local_search"):
            model(local_search=wrong).fit(X)
    searched.save(tmp_path / "model.npz")
    loaded = KMeans.load(tmp_path / "model.npz")
    assert loaded.search_ == searched.search_._replace(seconds=0.0)
    assert loaded.local_search == 40
    searched.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "model.npz").read_bytes()


def test_verbose_says_what_was_kept(capsys: pytest.CaptureFixture[str]) -> None:
    loud = model(verbose=1).fit(X)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"Local search: {loud.search_.kept} of 40 swaps kept")
    assert last.endswith(f"inertia {loud.inertia_:.8g}")


def test_a_fit_killed_in_its_search_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    """A checkpoint after the last run holds all that the search depends on."""
    fits = []
    for resume in (False, True):
        kept = Checkpoint(tmp_path / "state.npz", {"-k": K}, resume, seconds=0.0)
        assert kept.found == resume
        fits.append(model(n_init=2)._fit(as_table(X), X, None, Watch(), kept))
    first, again = fits
    assert first.search_.kept
    assert again.cluster_centers_.tobytes() == first.cluster_centers_.tobytes()
    assert again.search_._replace(seconds=0.0) == first.search_._replace(seconds=0.0)
