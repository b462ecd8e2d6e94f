"""Which rows are in the batches of MiniBatchKMeans, and when it stops, by each schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.cluster
from sklearn.base import clone

from fastkmeans import KMeans, MiniBatchKMeans
from fastkmeans._data.rows import ArrayRows
from fastkmeans._data.sample import Sample, SampledRows
from fastkmeans._data.scaling import make_scaling
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._minibatch import nested as _nested
from fastkmeans._minibatch.random import Monitor, _Drawer
from fastkmeans._minibatch.step import Plan
from tests.helpers import reference
from tests.helpers.batches import Array, mixture, reference_step


@pytest.fixture(scope="module")
def X() -> Array:  # noqa: N802
    return mixture(20_000, 5, 12)


def plan(**parameters: Any) -> Plan:
    return MiniBatchKMeans(**parameters)._plan()


@pytest.mark.parametrize("tol", [0.0, 0.05])
@pytest.mark.parametrize("patience", [None, 0, 4])
def test_random_batches_stop_as_scikit_learn_does(tol: float, patience: int | None) -> None:
    rng = np.random.default_rng(0)
    theirs = sklearn.cluster.MiniBatchKMeans(3, tol=tol, max_no_improvement=patience)
    theirs._batch_size, theirs._tol, theirs._no_improvement = 50, tol * 2.0, 0
    theirs._ewa_inertia = theirs._ewa_inertia_min = None
    scaling = make_scaling(np.dtype(np.float64), np.zeros(2), 1.0, 2.0)
    ours = Monitor(plan(tol=tol, max_no_improvement=patience), 50 / 1001, scaling)
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
    monkeypatch.setattr("fastkmeans._data.sample.KEPT_BYTES", 0)
    monkeypatch.setattr("fastkmeans._data.sample.BLOCK_VALUES", 2048)
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
    full = np.mean([KMeans(10, random_state=s, local_search=0).fit(X).inertia_ for s in range(4)])
    found = np.mean([MiniBatchKMeans(10, random_state=s).fit(X).inertia_ for s in range(4)])
    assert found < 1.02 * full
