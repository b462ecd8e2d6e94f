"""Mini-batches choose their engine as ``KMeans`` does; runs begin ready to iterate."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from fastkmeans import KMeans, MiniBatchKMeans
from fastkmeans._data.problem import open_problem
from fastkmeans._data.rows import ArrayRows
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._engines import boxes
from fastkmeans._engines import bytes as _bytes
from fastkmeans._engines.costs import REPAID_AFTER
from fastkmeans._lloyd.loop import finish
from fastkmeans._lloyd.run import Run, Workspace
from tests.helpers.batches import SCHEDULES
from tests.helpers.data import blobs
from tests.helpers.engines import F32, F64, Array
from tests.helpers.processes import digest


def fit(X: Array, k: int, **options: Any) -> MiniBatchKMeans:
    return MiniBatchKMeans(k, init=X[:k], random_state=0, **options).fit(X)


def on_full_size(model: MiniBatchKMeans) -> list[float]:
    """Return the shares avoided in the steps on the largest batch; those before must be 0."""
    largest = model.history_[-1].n_rows
    assert {step.avoided for step in model.history_ if step.n_rows < largest} <= {0.0}
    found = [step.avoided for step in model.history_ if step.n_rows == largest]
    assert all(0.0 <= share <= 1.0 for share in found)
    return found


@pytest.mark.parametrize(("shape", "k"), [((12_000, 64), 100), ((6_000, 384), 60)], ids=str)
def test_bytes_are_used_where_kmeans_uses_them(
    products_of_bytes: Any, shape: tuple[int, int], k: int
) -> None:
    X = blobs(np.random.default_rng(0), *shape, k, 2.0).astype(F32)
    digests = set()
    for exist in (False, True):
        products_of_bytes(exist)
        model = fit(X, k, max_no_improvement=None)
        batch = KMeans(k, init=X[:k], max_iter=100).fit(X)
        assert any(on_full_size(model)) == any(step.avoided for step in batch.history_) == exist
        digests.add(digest(model))
    assert len(digests) == 1


def test_bytes_are_not_used_on_noise(products_of_bytes: Any) -> None:
    products_of_bytes(True)
    X = np.random.default_rng(1).normal(size=(12_000, 64)).astype(F32)
    model = fit(X, 64, max_no_improvement=None, max_iter=12)
    assert len(on_full_size(model)) > 4
    assert on_full_size(model)[1:5] == [0.0] * 4


def test_boxes_are_used_for_few_features_and_many_clusters() -> None:
    X = blobs(np.random.default_rng(7), 100_000, 2, 120).astype(F32)
    assert all(on_full_size(fit(X, 120)))
    kept = fit(X, 120, max_iter=12)
    assert all(on_full_size(kept))


def test_boxes_are_used_though_few_steps_are_left() -> None:
    """After the smaller batches ``max_iter`` leaves three steps on all the rows."""
    X = blobs(np.random.default_rng(7), 100_000, 2, 120).astype(F32)
    model = fit(X, 120, max_iter=4)
    assert 0 < len(on_full_size(model)) < REPAID_AFTER
    assert all(on_full_size(model))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_steps_of_plain_lloyd_avoid_nothing(schedule: str) -> None:
    X = blobs(np.random.default_rng(3), 2_000, 3, 8)
    model = fit(X, 8, schedule=schedule)
    assert {step.avoided for step in model.history_} == {0.0}


@pytest.mark.parametrize(
    ("module", "name", "shape", "k"),
    [
        (boxes, "Boxes", (100_000, 2), 120),
        (_bytes, "Bytes", (12_000, 64), 100),
        (_bytes, "Probe", (12_000, 64), 100),
    ],
    ids=str,
)
def test_runs_share_what_an_engine_keeps_of_the_rows(
    products_of_bytes: Any, monkeypatch: Any, module: Any, name: str, shape: Any, k: int
) -> None:
    products_of_bytes(True)
    X = blobs(np.random.default_rng(4), *shape, k, 2.0).astype(F32)
    made: list[int] = []

    class Counted(getattr(module, name)):  # type: ignore[misc]
        def __init__(self, problem: Any, *rest: Any) -> None:
            made.append(problem.shape[0])
            super().__init__(problem, *rest)

    monkeypatch.setattr(module, name, Counted)
    KMeans(k, init="random", n_init=3, max_iter=12, tol=0.0, random_state=0).fit(X)
    whole = [n for n in made if name == "Probe" or n == len(X)]  # a probe has a Bytes too
    assert len(whole) == 1


@pytest.mark.parametrize("function", [Run, Workspace.begin, Workspace.restore])
def test_a_run_begins_with_all_that_it_needs(function: Any) -> None:
    parameters = inspect.signature(function).parameters
    assert all(p.default is inspect.Parameter.empty for p in parameters.values())
    assert "n_expected" in parameters


@pytest.mark.parametrize("algorithm", ["lloyd", "boxes", "bytes"])
def test_a_run_whose_buffers_are_taken_over_does_not_go_on(algorithm: str) -> None:
    X = blobs(np.random.default_rng(5), 3_000, 3, 9)
    with open_problem(ArrayRows(X), NO_WEIGHTS, 1, 1e12) as problem:
        workspace = Workspace(problem, 9, algorithm)
        first = workspace.begin(X[:9].astype(F64), 20)
        alone = finish(first, [], 20, 0.0)
        second = workspace.begin(X[:9].astype(F64), 20)
        with pytest.raises(RuntimeError, match="later run"):
            first.step()
        again = finish(second, [], 20, 0.0)
    assert again.centers.tobytes() == alone.centers.tobytes()
    np.testing.assert_array_equal(again.labels, alone.labels)
    assert [step.n_moved for step in again.history] == [step.n_moved for step in alone.history]
