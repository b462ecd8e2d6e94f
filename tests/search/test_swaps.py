"""The local search: its kernels against NumPy, and what it promises to a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from fastkmeans import KMeans, open_dataset
from fastkmeans._data.problem import open_problem
from fastkmeans._data.rows import ArrayRows
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._estimators.inputs import as_table
from fastkmeans._kernels.search import prices, tries
from fastkmeans._lloyd.checkpoint import Checkpoint
from fastkmeans._lloyd.run import Outcome
from fastkmeans._lloyd.watch import Watch
from fastkmeans._search import state as states
from fastkmeans._search import swaps
from tests.helpers import reference

Array = NDArray[Any]
N, D, K = 1200, 3, 15


def mixture(n: int = N, seed: int = 2) -> Array:
    """Return overlapping groups of unlike spread."""
    rng = np.random.default_rng(seed)
    means, spread, group = rng.random((K, D)), rng.uniform(0.02, 0.1, K), rng.integers(0, K, n)
    X = means[group] + spread[group, None] * rng.standard_normal((n, D))
    return X.astype(np.float32)


X = mixture()
WEIGHTS = np.random.default_rng(3).integers(0, 4, N) / 2.0
WEIGHTS.flags.writeable = NO_WEIGHTS.flags.writeable
START = X[:K].astype(np.float64)


def all_squares(centers: Array) -> Array:
    return reference.squared_distances(X.astype(np.float64), centers)


def state_of(weights: Array = NO_WEIGHTS, centers: Array = START) -> tuple[states.State, Array]:
    """Return the state of a search from some centers, and its rows in the order that it has."""
    labels = all_squares(centers).argmin(axis=1).astype(np.int32)
    best = Outcome(labels, 1.0, centers, 1, True, "", [], K)
    with open_problem(ArrayRows(X), weights, 1, 0.0) as problem:
        state = states.State(problem, best, states.scaled_inertia(problem, best))
        scaling = problem.scaling
    blocks = state.points.blocks
    rows = blocks.transpose(0, 2, 1).reshape(-1, D)[:N] / scaling.scale + scaling.shift
    return state, rows


def flat(state: states.State) -> list[Array]:
    return [field.reshape(-1)[:N] for field in state.closest]


def units(state: states.State) -> float:
    """Return what squares of the state are multiplied by: those of a row and its scaled copy."""
    return float(np.square(X - X.mean(axis=0)).sum() / np.square(state.points.blocks).sum())


def test_the_two_closest() -> None:
    state, rows = state_of()
    np.testing.assert_allclose(np.sort(rows, axis=0), np.sort(X, axis=0), atol=1e-6)
    squares = reference.squared_distances(rows, START)
    order, ranked = np.argsort(squares, axis=1, kind="stable"), np.sort(squares, axis=1)
    labels, seconds, near, far = flat(state)
    np.testing.assert_array_equal(labels, order[:, 0])
    np.testing.assert_array_equal(seconds, order[:, 1])
    np.testing.assert_allclose(near * units(state), ranked[:, 0], rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(far * units(state), ranked[:, 1], rtol=1e-3)


@pytest.mark.parametrize("weights", [NO_WEIGHTS, WEIGHTS])
def test_price(weights: Array) -> None:
    """The price of a candidate in the place of a center is the potential that it leads to.

    The cheapest swap is tried.  A candidate does not replace the center of its own row, and a
    center that left in vain stays in the next try.
    """
    state, rows = state_of(weights)
    w = state.points.weights.reshape(-1)[:N]
    state.find(np.random.default_rng(0).random((1, prices.CANDIDATES)), np.inf, np.inf)
    losses, labels = state.priced.losses, state.priced.labels
    blocks = state.points.blocks.transpose(0, 2, 1).reshape(-1, D)[:N]
    unit = units(state) ** 0.5
    places = state.priced.points * unit + (rows - blocks * unit).mean(axis=0)
    np.testing.assert_array_equal(labels, reference.squared_distances(places, START).argmin(axis=1))
    found = (losses[:, :K] + losses[:, K:]) * units(state)
    for c, place in enumerate(places):
        for j in range(K):
            centers = START.copy()
            centers[j] = place
            potential = w @ reference.squared_distances(rows, centers).min(axis=1)
            assert found[c, j] == pytest.approx(potential, rel=1e-3)
    found[range(prices.CANDIDATES), labels] = np.inf
    first = found.min(axis=0).argmin()
    assert state.local.chosen[0] == first == state.counts[tries.BARRED]
    state.find(np.random.default_rng(0).random((1, prices.CANDIDATES)), np.inf, np.inf)
    found[:, first] = np.inf
    assert state.local.chosen[0] == found.min(axis=0).argmin()


def test_a_candidate_does_not_replace_the_center_of_its_own_row() -> None:
    """With few clusters, that is often the cheapest swap."""
    k = 3
    state, _ = state_of(centers=KMeans(k, init=START[:k]).fit(X).cluster_centers_)
    rng = np.random.default_rng(0)
    tempting = 0
    for _ in range(50):
        state.counts[tries.BARRED] = -1
        state.find(rng.random((1, prices.CANDIDATES)), np.inf, np.inf)
        found = state.priced.losses[:, :k] + state.priced.losses[:, k:]
        cheapest = found.min()
        found[range(prices.CANDIDATES), state.priced.labels] = np.inf
        tempting += cheapest < found.min()
        assert state.local.chosen[0] == found.min(axis=0).argmin()
    assert tempting > 0


def test_far_groups_of_rows_are_passed_over() -> None:
    """No price changes by that, and six candidates are far from most rows of a hundred groups."""
    rng = np.random.default_rng(0)
    means = np.indices((10, 10)).reshape(2, -1).T
    groups = (np.repeat(means, 80, axis=0) + 0.1 * rng.standard_normal((8000, 2))).astype(
        np.float32
    )
    labels = np.repeat(np.arange(100, dtype=np.int32), 80)
    best = Outcome(labels, 1.0, means.astype(np.float64), 1, True, "", [], 100)
    uniforms, whole, part = rng.random((1, prices.CANDIDATES)), {}, {}
    with open_problem(ArrayRows(groups), NO_WEIGHTS, 1, 0.0) as problem:
        for found, factor in ((whole, np.inf), (part, 1.0)):
            state = states.State(problem, best, states.scaled_inertia(problem, best))
            state.shares.reach[0] *= factor
            before = state.counts[tries.DISTANCES]
            state.find(uniforms, np.inf, np.inf)
            found["distances"] = state.counts[tries.DISTANCES] - before
            found["losses"] = state.priced.losses.copy()
    np.testing.assert_array_equal(part["losses"], whole["losses"])
    assert part["distances"] < 0.6 * whole["distances"]


@pytest.mark.parametrize("weights", [NO_WEIGHTS, WEIGHTS])
def test_search_keeps_its_state_true(weights: Array) -> None:
    """After swaps, the two closest centers and the sums are those found from the beginning."""
    state, _ = state_of(weights)
    rng, kept, began = np.random.default_rng(0), 0, state.potential
    for _ in range(40):
        before, least = state.potential, 1e-6 * state.potential
        gain = state.find(rng.random((1, prices.CANDIDATES)), least, np.inf)
        if gain > least:
            kept += 1
            state.keep()
            assert state.potential <= (before - gain) * (1.0 + 1e-5)
    assert 3 <= kept < 40
    assert state.counts[tries.TRIES] == 40
    assert state.potential < 0.9 * began
    blocks, (centers, sums, weights_of, counts) = state.points.blocks, state.clusters
    rows, w = blocks.transpose(0, 2, 1).reshape(-1, D).astype(np.float64), state.points.weights
    squares = reference.squared_distances(rows, centers.astype(np.float32).astype(np.float64))
    labels, _, near, far = flat(state)
    ranked = np.sort(squares, axis=1)[:N]
    np.testing.assert_allclose(near, ranked[:, 0], rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(far, ranked[:, 1], rtol=1e-3)
    np.testing.assert_allclose(squares[np.arange(N), labels], ranked[:, 0], rtol=1e-3, atol=1e-9)
    one_hot, own = (labels[:, None] == np.arange(K)).astype(float), w.reshape(-1)[:N]
    np.testing.assert_allclose(weights_of, own @ one_hot)
    np.testing.assert_allclose(counts, (own > 0.0) @ one_hot)
    np.testing.assert_allclose(sums, (own[:, None] * one_hot).T @ rows[:N], rtol=1e-7, atol=1e-9)


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
    assert fitted.search_.kept == model().fit(X.astype(np.float64)).search_.kept > 0
    assert fitted.search_.gain == (0.0 if size < 1.0 else np.inf)
    unsearched = model(local_search=0).fit(X.astype(np.float64) * size)
    assert (fitted.labels_ != unsearched.labels_).any()


def test_what_is_not_searched() -> None:
    assert model(max_iter=1, tol=0.0).fit(X).search_ is None
    assert model(callback=lambda number, run: True).fit(X).search_ is None
    assert model(n_clusters=1).fit(X).search_.reason == "there is one cluster"
    distinct = np.repeat(X[:K], 3, axis=0)
    for many in (20, 2**64):  # any number will do
        fitted = model(local_search=many).fit(distinct)
        assert fitted.search_.reason == "no row is apart from its center"


def test_auto_searches_what_it_should() -> None:
    fitted = model(local_search="auto").fit(X)
    assert fitted.search_.tries == swaps.AUTO_TRIES * K
    assert fitted.inertia_ < model(local_search=0).fit(X).inertia_
    again = model(local_search=swaps.AUTO_TRIES * K).fit(X)
    assert again.cluster_centers_.tobytes() == fitted.cluster_centers_.tobytes()
    for options in (
        {"init": START}, {"init": lambda X, k, random_state: X[:k], "n_init": 1},
        {"metric": "cosine"}, {"n_clusters": 1},
    ):  # fmt: skip
        assert model(local_search="auto", **options).fit(X).search_ is None
    assert model(local_search="auto").fit(csr_array(X)).search_ is None
    with open_dataset(iter([X])) as dataset:
        assert model(local_search="auto").fit(dataset).search_ is None


def test_limits_of_auto() -> None:
    """They depend on the shape of the table and the number of clusters alone."""

    def limits(n: int, d: int, k: int) -> Any:
        rows = ArrayRows(np.broadcast_to(np.float32(0.0), (n, d)))
        return swaps.limits_of("auto", "random", rows, k)

    assert limits(5000, 2, 15) == (45, swaps.AUTO_WORK, swaps.AUTO_RUNS)
    assert limits(100_000, 2, 200) == (500, swaps.AUTO_WORK, swaps.AUTO_RUNS)
    assert limits(5000, 384, 50) is not None
    assert limits(1 << 20, 17, 2) is None  # values
    assert limits(20_000, 384, 300) is None  # work
    assert swaps.limits_of(3, START, ArrayRows(X), K) == (3, np.inf, np.inf)
    run = Outcome(np.zeros(1, np.int32), 1.0, START, 20, True, "", [], K)
    large, small = (1 << 20, 2), (100, 2)
    least, runs = swaps.Limits(9, 1e30, 2.0), (20 + swaps.START_ITERATIONS) * 2.0
    assert swaps.within_run(least, run, large).work == runs * K * 2 * (1 << 20)
    assert swaps.within_run(least, run, small).work == swaps.LEAST_WORK
    assert swaps.within_run(swaps.Limits(9, 100.0, 2.0), run, large).work == 100.0
    assert swaps._over(swaps.Limits(5, 100.0), 4, 100.0) == "the work that 'auto' allows was done"
    assert swaps._over(swaps.Limits(5, 100.0), 5, 0.0) == "all tries were used"


def test_parameter_and_model_file(searched: KMeans, tmp_path: Path) -> None:
    for wrong, error in ((-1, ValueError), (True, TypeError), (1.5, TypeError), ("x", ValueError)):
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
