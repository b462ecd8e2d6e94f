"""MiniBatchKMeans against its rule in NumPy, against scikit-learn, and against KMeans."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
import sklearn.cluster
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastkmeans import KMeans, MiniBatchKMeans, _nested, open_dataset
from fastkmeans._assign import work_of
from fastkmeans._batches import Means, Plan, is_due, reassign
from fastkmeans._frame import make_frame
from fastkmeans._parallel import SERIAL_NANOSECONDS
from fastkmeans._random import Monitor, _Drawer
from fastkmeans._rows import ArrayRows, ConvertedRows
from fastkmeans._sample import Sample, SampledRows
from fastkmeans._validation import NO_WEIGHTS, as_table

Array = NDArray[Any]

SCHEDULES = ("nested", "random")


def mixture(n: int, d: int, k: int, seed: int = 0) -> Array:
    """Overlapping components in no order."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(0.0, 5.0, (k, d))
    return means[rng.integers(0, k, n)] + rng.normal(size=(n, d))


@pytest.fixture(scope="module")
def X() -> Array:  # noqa: N802
    return mixture(20_000, 5, 12)


def reference_step(X: Array, weights: Array, centers: Array, counts: Array) -> tuple[Array, Array]:
    """Make every center the mean of all the rows that it was ever given."""
    labels = reference.closest(X, centers)
    gained = np.zeros(len(centers))
    sums = np.zeros(centers.shape)
    np.add.at(gained, labels, weights)
    np.add.at(sums, labels, weights[:, None] * (X - centers[labels]))
    seen = gained > 0.0
    centers, counts = centers.copy(), counts + gained
    centers[seen] += sums[seen] / counts[seen, None]
    return centers, counts


# scikit-learn's protocol --------------------------------------------------------------------

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Estimator MiniBatchKMeans does not inherit", UserWarning)
    all_checks = parametrize_with_checks(
        [
            MiniBatchKMeans(3, max_iter=10),
            MiniBatchKMeans(init="random", schedule="random", max_iter=2, batch_size=10),
        ],
        # Weighted rows are other draws than repeated ones; scikit-learn expects the same of
        # its own MiniBatchKMeans.
        expected_failed_checks=lambda _: {
            "check_sample_weight_equivalence_on_dense_data": "random batches"
        },
    )


@all_checks
@pytest.mark.filterwarnings("ignore:Only .* clusters have rows")  # some checks repeat a row
@pytest.mark.filterwarnings("ignore:Estimator MiniBatchKMeans does not inherit")
def test_scikit_learn_checks(estimator: MiniBatchKMeans, check: Any) -> None:
    check(estimator)


def test_parameters_are_those_of_scikit_learn() -> None:
    ours, theirs = MiniBatchKMeans().get_params(), sklearn.cluster.MiniBatchKMeans().get_params()
    assert set(ours) - set(theirs) == {"schedule", "n_threads"}
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_clusters", 0, ValueError),
        ("batch_size", 0, ValueError),
        ("batch_size", 10.5, TypeError),
        ("batch_size", None, TypeError),
        ("max_iter", 0, ValueError),
        ("max_no_improvement", -1, ValueError),
        ("max_no_improvement", "never", TypeError),
        ("init_size", 0, ValueError),
        ("reassignment_ratio", -0.1, ValueError),
        ("reassignment_ratio", np.nan, ValueError),
        ("reassignment_ratio", None, TypeError),
        ("compute_labels", "yes", (TypeError, ValueError)),
        ("schedule", "nestled", ValueError),
        ("schedule", None, ValueError),
        ("tol", -1.0, ValueError),
        ("n_init", 0, ValueError),
        ("init", "kmeans", ValueError),
        ("n_threads", 0, ValueError),
    ],
)
def test_bad_parameters_are_named(name: str, value: Any, error: Any) -> None:
    model = MiniBatchKMeans(**{"n_clusters": 3, name: value})
    for method in ("fit", "partial_fit"):
        with pytest.raises(error, match=name):
            getattr(model, method)(np.eye(9))
        assert not model.__sklearn_is_fitted__()


# partial_fit --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_partial_fit_follows_the_rule(X: Array, dtype: Any, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    rows = X.astype(dtype)
    model = MiniBatchKMeans(12, init=rows[:12], reassignment_ratio=0.0)
    centers, counts = rows[:12].astype(float), np.zeros(12)
    for number, start in enumerate((0, 700, 1100, 5000)):
        batch = rows[start : start + 300 + 400 * number]
        weights = rng.integers(0, 4, len(batch)).astype(float) if weighted else np.ones(len(batch))
        model.partial_fit(batch, sample_weight=weights if weighted else None)
        centers, counts = reference_step(batch.astype(float), weights, centers, counts)
        np.testing.assert_allclose(model.cluster_centers_, centers, rtol=1e-11, atol=1e-11)
        labels = reference.closest(batch, model.cluster_centers_)
        np.testing.assert_array_equal(model.labels_, labels)
        expected = reference.inertia(batch, labels, model.cluster_centers_, weights)
        assert model.inertia_ == pytest.approx(expected, rel=1e-12)
        assert model.n_steps_ == number + 1


@pytest.mark.parametrize("weighted", [False, True])
def test_partial_fit_is_that_of_scikit_learn(X: Array, weighted: bool) -> None:
    weights = np.random.default_rng(0).random(20_000) if weighted else np.ones(20_000)
    parameters: dict[str, Any] = {"init": X[:12], "n_init": 1, "reassignment_ratio": 0.0}
    ours = MiniBatchKMeans(12, **parameters)
    theirs = sklearn.cluster.MiniBatchKMeans(12, **parameters)
    for part in np.array_split(np.arange(6000), 7):
        ours.partial_fit(X[part], sample_weight=weights[part])
        theirs.partial_fit(X[part], sample_weight=weights[part])
        np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-9)
        np.testing.assert_array_equal(ours.labels_, theirs.labels_)
        assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-9)


def test_a_batch_may_be_a_million_times_larger(X: Array) -> None:
    rows = X.astype(np.float32)
    model = MiniBatchKMeans(12, init=rows[:12], reassignment_ratio=0.0)
    centers, counts = rows[:12].astype(float), np.zeros(12)
    for factor in (1.0, 1e6, 1e-6, 1.0):
        batch = (rows[:500] * np.float32(factor)).astype(np.float32)
        model.partial_fit(batch)
        centers, counts = reference_step(batch.astype(float), np.ones(500), centers, counts)
        np.testing.assert_allclose(model.cluster_centers_, centers, rtol=1e-9)
        np.testing.assert_array_equal(model.labels_, reference.closest(batch, centers))


@pytest.mark.parametrize("factor", [2.0**-100, 2.0**100])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_scale_of_the_data_does_not_matter(X: Array, factor: float, schedule: str) -> None:
    rows = X[:5000].astype(np.float32)
    model = MiniBatchKMeans(12, random_state=0, schedule=schedule, max_iter=3)
    plain, scaled = clone(model).fit(rows), clone(model).fit(rows * np.float32(factor))
    for _ in range(2):
        np.testing.assert_array_equal(scaled.cluster_centers_, plain.cluster_centers_ * factor)
        np.testing.assert_array_equal(scaled.labels_, plain.labels_)
        assert scaled.inertia_ == plain.inertia_ * factor * factor
        plain.partial_fit(rows[:900])
        scaled.partial_fit(rows[:900] * np.float32(factor))


@pytest.mark.parametrize("unit", [2.0**-1000, 2.0**-600, 2.0**600, 2.0**1000])
def test_the_unit_of_the_weights_does_not_matter(X: Array, unit: float) -> None:
    weights = np.random.default_rng(0).integers(0, 9, 3000).astype(float)
    model = MiniBatchKMeans(6, random_state=0)
    plain = clone(model).fit(X[:3000], sample_weight=weights)
    other = clone(model).fit(X[:3000], sample_weight=weights * unit)
    for _ in range(2):
        np.testing.assert_array_equal(plain.cluster_centers_, other.cluster_centers_)
        assert other.inertia_ == plain.inertia_ * unit
        plain.partial_fit(X[3000:3400], sample_weight=weights[:400])
        other.partial_fit(X[3000:3400], sample_weight=weights[:400] * unit)
    before = plain.cluster_centers_.copy()
    plain.partial_fit(X[:50] + 9.0, sample_weight=np.full(50, 2.0**-1040))
    np.testing.assert_allclose(plain.cluster_centers_, before, rtol=1e-15)
    plain.set_params(reassignment_ratio=0.0).partial_fit(
        X[:1] + 9.0, sample_weight=np.full(1, 2.0**1000)
    )
    np.testing.assert_array_equal(plain.cluster_centers_[plain.labels_[0]], X[0] + 9.0)


def test_a_refused_batch_leaves_the_model_alone(X: Array) -> None:
    model = MiniBatchKMeans(5, random_state=0).partial_fit(X[:500])
    before = pickle.dumps(model)
    bad = X[:500].copy()
    bad[77, 3] = np.nan
    with pytest.raises(ValueError, match="NaN at row 77, column 3"):
        model.partial_fit(bad)
    with pytest.raises(ValueError, match="expecting 5 features"):
        model.partial_fit(X[:500, :4])
    with pytest.raises(ValueError, match="sample_weight"):
        model.partial_fit(X[:500], sample_weight=-np.ones(500))
    with pytest.raises(ValueError, match="sample_weight is zero for every row"):
        model.partial_fit(X[:500], sample_weight=np.zeros(500))
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="NaN"):
        model.fit(bad)
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="n_clusters is 7, but the model has 5 centers"):
        model.set_params(n_clusters=7).partial_fit(X[:500])
    fresh = MiniBatchKMeans(5, random_state=np.random.RandomState(0))
    with pytest.raises(ValueError, match="NaN"):
        fresh.partial_fit(bad)
    assert not hasattr(fresh, "labels_")
    fresh.partial_fit(X[:500])  # nothing was drawn for the batch that was refused
    expected = MiniBatchKMeans(5, random_state=np.random.RandomState(0)).partial_fit(X[:500])
    np.testing.assert_array_equal(fresh.cluster_centers_, expected.cluster_centers_)


def test_the_first_batch_needs_a_row_per_cluster(X: Array) -> None:
    model = MiniBatchKMeans(9)
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match="n_samples=8 should be >= n_clusters=9"):
            getattr(model, method)(X[:8])
    model.partial_fit(X[:9]).partial_fit(X[9:10])
    assert model.n_steps_ == 2


def test_partial_fit_goes_on_after_fit_and_after_pickle(X: Array) -> None:
    model = MiniBatchKMeans(4, random_state=0, reassignment_ratio=0.0).fit(X[:2000])
    centers, counts = model.cluster_centers_.copy(), np.bincount(model.labels_, minlength=4)
    other = pickle.loads(pickle.dumps(model))
    steps = model.n_steps_
    for each in (model, other, copy.deepcopy(model)):
        each.partial_fit(X[2000:2600])
    expected, _ = reference_step(X[2000:2600], np.ones(600), centers, counts.astype(float))
    np.testing.assert_allclose(model.cluster_centers_, expected, rtol=1e-2)
    np.testing.assert_array_equal(model.cluster_centers_, other.cluster_centers_)
    assert model.n_steps_ == steps + 1
    again = model.fit(X[:2000])
    np.testing.assert_array_equal(again.cluster_centers_, centers)
    assert again.n_steps_ == steps


def test_a_small_batch_runs_on_one_thread() -> None:
    assert work_of((1024, 16), 8) < SERIAL_NANOSECONDS


# Reassignment -------------------------------------------------------------------------------


def test_light_clusters_become_rows_of_the_batch() -> None:
    rows = ArrayRows(np.arange(20.0).reshape(10, 2))
    weights = np.array([5.0, 100.0, 0.0, 60.0, 0.9])
    means = Means(np.full((5, 2), -1.0), weights, since=10)
    rng = np.random.default_rng(0)
    new = reassign(means, rows, NO_WEIGHTS, 0.01, rng)
    assert new.since == 0
    np.testing.assert_array_equal(new.weights, [5.0, 100.0, 5.0, 60.0, 5.0])
    np.testing.assert_array_equal(new.centers[[0, 1, 3]], np.full((3, 2), -1.0))
    taken = new.centers[[2, 4], 0] // 2
    assert set(taken.tolist()) <= set(range(10))
    assert taken[0] != taken[1]
    assert (means.weights == weights).all(), "the old means were changed"
    assert (reassign(means, rows, NO_WEIGHTS, 0.0, rng).centers == -1.0).all()


def test_light_clusters_are_looked_for_when_scikit_learn_does() -> None:
    theirs = sklearn.cluster.MiniBatchKMeans(4)
    theirs._n_since_last_reassign, theirs._batch_size = 0, 7
    means = Means(np.zeros((4, 1)), np.zeros(4))
    for number in range(30):
        theirs._counts = means.weights
        due = is_due(means, 7)
        assert due == theirs._random_reassign()
        means = means._replace(weights=np.minimum(means.weights + number % 3, 2.0))
        means = means._replace(since=0 if due else means.since + 7)


def test_at_most_half_of_a_batch_and_no_row_of_weight_zero_is_taken() -> None:
    rows = ArrayRows(np.arange(6.0).reshape(6, 1))
    means = Means(np.full((6, 1), -1.0), np.array([9.0, 3.0, 2.0, 1.0, 0.0, 4.0]))
    new = reassign(means, rows, NO_WEIGHTS, 2.0, np.random.default_rng(0))
    assert np.flatnonzero(new.centers[:, 0] >= 0.0).tolist() == [2, 3, 4]
    np.testing.assert_array_equal(new.weights, [9.0, 3.0, 3.0, 3.0, 3.0, 4.0])
    weights = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    new = reassign(means, rows, weights, 2.0, np.random.default_rng(0))
    assert sorted(new.centers[new.centers[:, 0] >= 0.0, 0]) == [2.0, 4.0]


# The random schedule ------------------------------------------------------------------------


def plan(**parameters: Any) -> Plan:
    return MiniBatchKMeans(**parameters)._plan()


@pytest.mark.parametrize("tol", [0.0, 0.05])
@pytest.mark.parametrize("patience", [None, 0, 4])
def test_random_batches_stop_as_scikit_learn_does(tol: float, patience: int | None) -> None:
    rng = np.random.default_rng(0)
    theirs = sklearn.cluster.MiniBatchKMeans(3, tol=tol, max_no_improvement=patience)
    theirs._batch_size, theirs._tol, theirs._no_improvement = 50, tol * 2.0, 0
    theirs._ewa_inertia = theirs._ewa_inertia_min = None
    frame = make_frame(np.dtype(np.float64), np.zeros(2), 1.0, 2.0)
    ours = Monitor(plan(tol=tol, max_no_improvement=patience), 50 / 1001, frame)
    for number in range(300):
        inertia, moved = rng.random() + 30.0 / (1.0 + number), rng.random() * 10.0 / (1 + number)
        stop = theirs._mini_batch_convergence(number, 300, 1000, moved, 50 * inertia)
        assert bool(ours.reason(number + 1, inertia, moved)) == stop
        if stop:
            assert tol > 0.0 or patience is not None
            break
    else:
        assert tol == 0.0
        assert patience is None
    if ours.average is not None:
        assert ours.average == pytest.approx(theirs._ewa_inertia, rel=1e-12)


def test_rows_are_drawn_by_weight() -> None:
    rows = ArrayRows(np.arange(4.0).reshape(4, 1))
    weights = np.array([0.0, 3.0, 1.0, 0.0])
    drawn = _Drawer(rows, weights, np.random.default_rng(0)).draw(40_000)
    counts = np.bincount(drawn.take(np.arange(40_000))[:, 0].astype(int), minlength=4)
    assert counts[0] == counts[3] == 0
    assert counts[1] == pytest.approx(30_000, abs=5 * 40_000**0.5)
    drawn = _Drawer(rows, NO_WEIGHTS, np.random.default_rng(0)).draw(40_000)
    counts = np.bincount(drawn.take(np.arange(40_000))[:, 0].astype(int), minlength=4)
    np.testing.assert_allclose(counts, 10_000, atol=5 * 40_000**0.5)


def test_random_batches_follow_the_rule(X: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Array] = []

    def draw(self: _Drawer, size: int) -> ArrayRows:
        drawn.append(X[500 * len(drawn) :][:size])
        return ArrayRows(drawn[-1])

    monkeypatch.setattr(_Drawer, "draw", draw)
    model = MiniBatchKMeans(
        12, init=X[:12], schedule="random", batch_size=500, max_iter=1,
        max_no_improvement=None, reassignment_ratio=0.0,
    ).fit(X)  # fmt: skip
    assert len(drawn) == model.n_steps_ == 40
    assert (model.n_iter_, model.converged_) == (1, False)
    assert model.stop_reason_ == "max_iter was reached"
    centers, counts = X[:12].copy(), np.zeros(12)
    for batch, step in zip(drawn, model.history_, strict=True):
        labels = reference.closest(batch, centers)
        expected = reference.inertia(batch, labels, centers) / 500
        assert step.inertia == pytest.approx(expected, rel=1e-10)
        before = centers
        centers, counts = reference_step(batch, np.ones(500), centers, counts)
        assert step.center_shift == pytest.approx(np.linalg.norm(centers - before), rel=1e-6)
    np.testing.assert_allclose(model.cluster_centers_, centers, rtol=1e-10)


# The nested schedule ------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "n_strata"), [(1, 1), (10, 3), (10, 10), (1000, 7), (997, 64)])
def test_samples_are_nested_and_end_with_all_rows(n: int, n_strata: int) -> None:
    X = np.arange(float(n)).reshape(n, 1)
    sample = Sample(ArrayRows(X), NO_WEIGHTS, n_strata, 1, np.random.default_rng(0))
    before: set[float] = set()
    for count in range(1, n + 1):
        rows = sample.first(count).rows
        found = rows.take(np.arange(count))[:, 0].tolist()
        assert len(set(found)) == count
        assert before <= set(found)
        before = set(found)
        if count == n_strata:
            assert sorted(int(np.searchsorted(sample._edges, x, "right")) for x in found) == list(
                range(1, n_strata + 1)
            )
    assert sample.first(n).rows.take(np.arange(n))[:, 0].tolist() == X[:, 0].tolist()


def test_every_row_is_as_likely() -> None:
    counts = np.zeros(23)
    for seed in range(3000):
        sample = Sample(ArrayRows(np.eye(23)), NO_WEIGHTS, 5, 1, np.random.default_rng(seed))
        counts += sample.first(8).rows.take(np.arange(8)).sum(axis=0)
    np.testing.assert_allclose(counts / 3000, 8 / 23, atol=0.08)  # strata of 4 and of 5 rows


def test_rows_of_weight_zero_are_in_no_sample() -> None:
    X, weights = np.arange(50.0).reshape(50, 1), np.zeros(50)
    weights[10:40:3] = np.arange(1.0, 11.0)
    sample = Sample(ArrayRows(X), weights, 4, 2, np.random.default_rng(0))
    for count in range(1, 11):
        batch = sample.first(count)
        assert (batch.weights == weights[batch.rows.take(np.arange(count))[:, 0].astype(int)]).all()
        assert batch.weights.all()
    assert len(sample.first(99).weights) == 10
    more = Sample(ArrayRows(X), weights, 40, 14, np.random.default_rng(0)).first(14)
    assert np.count_nonzero(more.weights) == 10


def test_a_large_sample_is_gathered_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).random((3000, 4))
    kept = Sample(ArrayRows(X), NO_WEIGHTS, 100, 1, np.random.default_rng(0)).first(1700).rows
    monkeypatch.setattr("fastkmeans._sample.KEPT_BYTES", 0)
    monkeypatch.setattr("fastkmeans._sample.BLOCK_VALUES", 2048)
    rows = Sample(ArrayRows(X), NO_WEIGHTS, 100, 1, np.random.default_rng(0)).first(1700).rows
    assert isinstance(rows, SampledRows)
    blocks = list(rows.blocks())
    assert [start for start, _ in blocks] == [0, 512, 1024, 1536]
    found = np.concatenate([block[0] for _, block in blocks])
    np.testing.assert_array_equal(found, kept.take(np.arange(1700)))
    model = MiniBatchKMeans(9, random_state=0)
    gathered = clone(model).fit(X)
    monkeypatch.undo()
    np.testing.assert_array_equal(gathered.cluster_centers_, model.fit(X).cluster_centers_)


def test_without_patience_nested_batches_end_where_lloyd_does(X: Array) -> None:
    model = MiniBatchKMeans(5, max_no_improvement=None, random_state=0).fit(X[:3000])
    assert model.stop_reason_ == "no row changed its cluster"
    assert model.converged_
    sizes = [step.n_rows for step in model.history_]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (1024, 3000)
    assert model.n_iter_ == -(-sum(sizes) // 3000)
    labels = reference.closest(X[:3000], model.cluster_centers_)
    np.testing.assert_array_equal(model.labels_, labels)
    means = reference.means(X[:3000], labels, np.ones(3000), model.cluster_centers_)
    np.testing.assert_allclose(model.cluster_centers_, means, rtol=1e-12)
    batch = KMeans(5, init=model.cluster_centers_).fit(X[:3000])
    assert batch.n_iter_ <= 2
    assert model.inertia_ == pytest.approx(batch.inertia_, rel=1e-12)


def test_batches_grow_to_their_full_size_and_no_further(
    X: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_nested, "ROWS_PER_CLUSTER", 300)
    model = MiniBatchKMeans(12, batch_size=100, init_size=100, random_state=0).fit(X)
    sizes = [step.n_rows for step in model.history_]
    assert sorted(set(sizes)) == [100, 800, 3600]
    assert model.stop_reason_ == "the inertia of the batches did not improve any more"
    loose = MiniBatchKMeans(12, batch_size=100, init_size=100, random_state=0, tol=10.0).fit(X)
    assert loose.stop_reason_ == "the centers moved less than tol"
    assert [step.n_rows for step in loose.history_].count(3600) == 1
    once = MiniBatchKMeans(12, max_iter=1, random_state=0).fit(X[:2000])
    assert once.stop_reason_ == "max_iter was reached"
    assert not once.converged_
    assert sum(step.n_rows for step in once.history_) <= 2000


@pytest.mark.parametrize("order", ["random", "sorted"])
def test_almost_the_inertia_of_all_rows(order: str) -> None:
    X = mixture(60_000, 4, 10, seed=3)
    if order == "sorted":
        X = X[np.argsort(X[:, 0])]
    full = np.mean([KMeans(10, random_state=s).fit(X).inertia_ for s in range(4)])
    found = np.mean([MiniBatchKMeans(10, random_state=s).fit(X).inertia_ for s in range(4)])
    assert found < 1.02 * full


# Both schedules -----------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_and_layouts_do_not_matter(schedule: str, dtype: Any) -> None:
    X = mixture(6000, 24, 40).astype(dtype)
    model = MiniBatchKMeans(
        40, random_state=0, schedule=schedule, batch_size=2000, max_iter=2, n_threads=1
    )
    expected = clone(model).fit(X).partial_fit(X[:4000])
    wide = np.zeros((12_000, 30), dtype)
    wide[::2, 3:27] = X
    for rows in (X, np.asfortranarray(X), wide[::2, 3:27], X[::-1].copy()[::-1]):
        found = clone(model).set_params(n_threads=2).fit(rows).partial_fit(rows[:4000])
        np.testing.assert_array_equal(found.cluster_centers_, expected.cluster_centers_)
        np.testing.assert_array_equal(found.labels_, expected.labels_)
        assert found.inertia_ == expected.inertia_


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("dtype", "same"), [("int16", "float64"), ("uint8", "float64"), ("float16", "float32")]
)
def test_other_dtypes_and_tables(schedule: str, dtype: str, same: str) -> None:
    import pandas as pd

    X = (mixture(4000, 3, 6) * 20.0).clip(0, 255).astype(dtype)
    model = MiniBatchKMeans(6, random_state=0, schedule=schedule, max_iter=3)
    expected = clone(model).fit(X.astype(same)).partial_fit(X[:99].astype(same))
    frame = pd.DataFrame({name: X[:, f].astype(dtype) for f, name in enumerate("abc")})
    frame["b"] = frame["b"].astype(same)  # columns of their own
    for rows in (X, frame):
        found = clone(model).fit(rows).partial_fit(rows[:99])
        np.testing.assert_array_equal(found.cluster_centers_, expected.cluster_centers_)
        assert found.inertia_ == expected.inertia_
    assert found.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        found.partial_fit(frame.rename(columns={"a": "z"}))


def test_converted_rows_are_taken_in_any_order() -> None:
    X = np.random.default_rng(0).integers(0, 99, (40, 3)).astype(np.int8)
    order = np.array([7, 8, 9, 3, 3, 39, 0, 1])
    taken = ConvertedRows(X, np.dtype(np.float64)).take(order)
    np.testing.assert_array_equal(taken, X[order].astype(float))
    import pandas as pd

    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1].astype(np.float32)})
    taken = as_table(frame).rows.take(order)
    np.testing.assert_array_equal(taken, X[order, :2].astype(float))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_methods_agree(X: Array, schedule: str) -> None:
    model = MiniBatchKMeans(7, random_state=0, schedule=schedule, max_iter=5).fit(X)
    assert (model.cluster_centers_.dtype, model.labels_.dtype) == (np.float64, np.int32)
    assert type(model.inertia_) is float
    assert {type(model.n_iter_), type(model.n_steps_)} == {int}
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_array_equal(model.labels_, reference.closest(X, model.cluster_centers_))
    assert model.score(X) == -model.inertia_
    np.testing.assert_array_equal(model.transform(X).argmin(axis=1), model.labels_)
    np.testing.assert_array_equal(clone(model).fit_predict(X), model.labels_)
    np.testing.assert_array_equal(clone(model).fit_transform(X), model.transform(X))
    assert len(model.history_) == model.n_steps_
    quick = clone(model).set_params(compute_labels=False).fit(X)
    np.testing.assert_array_equal(quick.cluster_centers_, model.cluster_centers_)
    assert not hasattr(quick, "labels_")
    assert quick.inertia_ == pytest.approx(model.inertia_, rel=0.05)
    with pytest.raises(NotFittedError, match="This MiniBatchKMeans instance is not fitted"):
        clone(model).predict(X)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_weight_zero_is_no_row_and_scale_is_no_matter(X: Array, schedule: str) -> None:
    weights = np.random.default_rng(0).random(20_000)
    weights[::3] = 0.0
    model = MiniBatchKMeans(8, random_state=0, schedule=schedule, max_iter=3, init_size=900)
    found = clone(model).fit(X, sample_weight=weights)
    total = reference.inertia(X, found.labels_, found.cluster_centers_, weights)
    assert found.inertia_ == pytest.approx(total, rel=1e-12)
    kept = weights > 0.0
    absent = clone(model).fit(X[kept], sample_weight=weights[kept])
    double = clone(model).fit(X, sample_weight=2.0 * weights)
    np.testing.assert_array_equal(double.cluster_centers_, found.cluster_centers_)
    if schedule == "nested":
        np.testing.assert_allclose(absent.cluster_centers_, found.cluster_centers_, rtol=1e-12)
    assert absent.inertia_ == pytest.approx(found.inertia_, rel=0.03)
    few = np.zeros(20_000)
    few[[5, 700, 9000]] = 1.0
    assert clone(model).set_params(n_clusters=3).fit(X, sample_weight=few).inertia_ == 0.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_constant_data(schedule: str) -> None:
    X = np.tile([0.1, 0.7, 1e5], (3000, 1))
    model = MiniBatchKMeans(4, random_state=0, schedule=schedule)
    with pytest.warns(ConvergenceWarning, match="Only 1 of the 4 clusters have rows"):
        model.fit(X)
    assert model.inertia_ == 0.0
    np.testing.assert_allclose(model.cluster_centers_, X[:4], rtol=1e-15)
    model.partial_fit(X[:100])
    np.testing.assert_allclose(model.cluster_centers_, X[:4], rtol=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_batch_larger_than_the_table(X: Array, schedule: str) -> None:
    model = MiniBatchKMeans(5, batch_size=10**6, random_state=0, schedule=schedule)
    assert {step.n_rows for step in model.fit(X[:300]).history_} == {300}
    assert len(MiniBatchKMeans(300, random_state=0, batch_size=10).fit(X[:300]).labels_) == 300


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_starts(X: Array, schedule: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Array] = []

    def init(rows: Array, k: int, random_state: np.random.RandomState) -> Array:
        seen.append(rows)
        return rows[random_state.choice(len(rows), k, replace=False)]

    model = MiniBatchKMeans(
        6, init=init, schedule=schedule, init_size=400, random_state=0, verbose=1, max_iter=1
    ).fit(X)
    assert [rows.shape for rows in seen] == [(400, 5)] * 3
    assert np.isin(seen[0][:, 0], X[:, 0]).all()
    out = capsys.readouterr().out
    assert out.count("Initialisation ") == 3
    assert out.count("  step ") == model.n_steps_
    assert f"step 1: {model.history_[0].n_rows} rows, mean inertia" in out
    shown = [float(line.split()[-1]) for line in out.splitlines() if line.startswith("Init")]
    sizes = len(seen[0]) if schedule == "nested" else None
    if sizes is not None:  # the first batch is the sample
        assert model.history_[0].inertia * sizes == pytest.approx(min(shown), rel=1e-6)
    with pytest.warns(RuntimeWarning, match="init_size=3 should be larger than n_clusters=6"):
        MiniBatchKMeans(6, init_size=3, random_state=0, schedule=schedule).fit(X)


def test_rows_that_are_in_no_batch_are_not_looked_at(tmp_path: Path) -> None:
    """Of a memory map as well: NaN in them do not matter."""
    path = tmp_path / "rows.npy"
    file = np.lib.format.open_memmap(path, "w+", np.float32, (60_000, 4))
    file[:] = mixture(60_000, 4, 3)
    model = MiniBatchKMeans(3, random_state=0, compute_labels=False)
    expected = clone(model).fit(np.load(path, mmap_mode="r"))
    sizes = [step.n_rows for step in expected.history_]
    assert sizes[0] < sizes[-1] < 60_000
    largest, rng = sizes[-1], np.random.default_rng(0)
    sample = Sample(ArrayRows(np.arange(60_000.0).reshape(-1, 1)), NO_WEIGHTS, sizes[0], 3, rng)
    used = sample.first(largest).rows.take(np.arange(largest))[:, 0].astype(int)
    unused = np.setdiff1d(np.arange(60_000), used)
    file[unused] = np.nan
    file.flush()
    mapped = np.load(path, mmap_mode="r")
    found = clone(model).fit(mapped)
    np.testing.assert_array_equal(found.cluster_centers_, expected.cluster_centers_)
    with pytest.raises(ValueError, match=f"NaN at row {unused[0]}, column 0"):
        clone(model).set_params(compute_labels=True).fit(mapped)


def test_a_saved_model_goes_on(tmp_path: Path) -> None:
    """It predicts the same, and the next batch finds the weights of the centers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    fitted = MiniBatchKMeans(5, random_state=0).fit(X[:2000])
    streamed = MiniBatchKMeans(5, random_state=0).partial_fit(X[:1000]).partial_fit(X[1000:2000])
    for model in (fitted, streamed):
        model.save(tmp_path / "model.npz")
        loaded = MiniBatchKMeans.load(tmp_path / "model.npz")
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        assert loaded.n_steps_ == model.n_steps_
        assert getattr(loaded, "n_iter_", None) == getattr(model, "n_iter_", None)
        for each in (loaded, model):
            each.set_params(reassignment_ratio=0.0).partial_fit(X[2000:])
        np.testing.assert_array_equal(loaded.cluster_centers_, model.cluster_centers_)


def test_a_dataset_brings_its_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(500, 2)), rng.integers(0, 3, 500)
    rows = np.column_stack([X, w])
    np.savetxt(tmp_path / "table.csv", rows, delimiter=",", header="a,b,w", comments="")
    with open_dataset(tmp_path / "table.csv", weight_column="w", dtype="float64") as dataset:
        model = MiniBatchKMeans(4, random_state=0).fit(dataset)
    expected = MiniBatchKMeans(4, random_state=0).fit(X, sample_weight=w)
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    assert model.inertia_ == expected.inertia_
