"""MiniBatchKMeans batch by batch: its rule in NumPy, scikit-learn, units, reassignment."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import sklearn.cluster
from sklearn.base import clone

from fastkmeans import MiniBatchKMeans
from fastkmeans._data.problem import Problem, problem_of
from fastkmeans._data.rows import ArrayRows
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._engines.base import work_of
from fastkmeans._minibatch.step import Means, is_due, reassign
from fastkmeans._runtime.threads import SERIAL_NANOSECONDS, Team
from tests.helpers import reference
from tests.helpers.batches import SCHEDULES, Array, mixture, reference_step


@pytest.fixture(scope="module")
def X() -> Array:  # noqa: N802
    return mixture(20_000, 5, 12)


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


def whole(rows: ArrayRows, weights: Array = NO_WEIGHTS) -> Problem:
    return problem_of(rows, weights, Team(1, 0.0))


def test_light_clusters_become_rows_of_the_batch() -> None:
    rows = ArrayRows(np.arange(20.0).reshape(10, 2))
    weights = np.array([5.0, 100.0, 0.0, 60.0, 0.9])
    means = Means(np.full((5, 2), -1.0), weights, since=10)
    rng = np.random.default_rng(0)
    new = reassign(means, whole(rows), 0.01, rng)
    assert new.since == 0
    np.testing.assert_array_equal(new.weights, [5.0, 100.0, 5.0, 60.0, 5.0])
    np.testing.assert_array_equal(new.centers[[0, 1, 3]], np.full((3, 2), -1.0))
    taken = new.centers[[2, 4], 0] // 2
    assert set(taken.tolist()) <= set(range(10))
    assert taken[0] != taken[1]
    assert (means.weights == weights).all(), "the old means were changed"
    assert (reassign(means, whole(rows), 0.0, rng).centers == -1.0).all()


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
    new = reassign(means, whole(rows), 2.0, np.random.default_rng(0))
    assert np.flatnonzero(new.centers[:, 0] >= 0.0).tolist() == [2, 3, 4]
    np.testing.assert_array_equal(new.weights, [9.0, 3.0, 3.0, 3.0, 3.0, 4.0])
    weights = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    new = reassign(means, whole(rows, weights), 2.0, np.random.default_rng(0))
    assert sorted(new.centers[new.centers[:, 0] >= 0.0, 0]) == [2.0, 4.0]
