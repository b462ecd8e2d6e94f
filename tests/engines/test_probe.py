"""The probe of the bytes engine: what it says of the cost, and of rows it lost sight of."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from fastkmeans import KMeans
from fastkmeans._engines.bytes import MOST_PROBED, PROBED, Bytes, Probe, choose_step
from fastkmeans._runtime.threads import Team
from tests.helpers.data import blobs
from tests.helpers.engines import F32, F64, Array, problem_of
from tests.helpers.reference import closest


class Probed:
    """Rows, a probe of them, and centers that wander."""

    def __init__(self, X: Array, centers: Array) -> None:
        with problem_of(X) as self.problem:
            self.step = choose_step(self.problem.rows, self.problem.scaling)
            self.probe = Probe(self.problem, len(centers), self.step)


def wandering(X: Array, k: int, count: int, step: float) -> list[Array]:
    rng = np.random.default_rng(1)
    centers = X[:k].astype(F64)
    found = []
    for _ in range(count):
        found.append(centers.copy())
        centers += rng.normal(size=centers.shape) * step
    return found


def test_labels_of_rows_it_lost_sight_of() -> None:
    """It looks at some iterations only; in between rows change their center.

    Where the centers are back where they were, bounds that it kept would seem to be good.
    """
    X = blobs(np.random.default_rng(0), 20_000, 16, 40, 2.0).astype(F32)
    sequence = wandering(X, 40, 12, 0.1)
    sequence[5] = sequence[3][::-1]
    sequence[6] = sequence[3]
    labels = [closest(X, centers).astype(np.int32) for centers in sequence]
    assert all((a != b).any() for a, b in pairwise(labels))
    probed = Probed(X, sequence[0])
    share = slice(0, len(X), PROBED)
    for i in (1, 2, 3, 6, 7, 8, 11):
        probed.probe.cost(sequence[i], labels[i - 1])
        np.testing.assert_array_equal(probed.probe._labels, labels[i][share])


@pytest.mark.parametrize("shape", [(30_000, 16, 60), (300_000, 16, 60)], ids=str)
def test_cost_is_that_of_all_rows(shape: tuple[int, int, int]) -> None:
    n, d, k = shape
    X = blobs(np.random.default_rng(2), n, d, k, 2.0).astype(F32)
    sequence = wandering(X, k, 4, 0.05)
    probed = Probed(X, sequence[0])
    assert len(probed.probe._labels) == min(-(-n // PROBED), -(-n // -(-n // MOST_PROBED)))
    engine = Bytes(probed.problem, k, probed.step)
    previous, labels = closest(X, sequence[0]).astype(np.int32), np.empty(n, np.int32)
    costs = []
    for i, centers in enumerate(sequence[1:]):
        cost, first = probed.probe.cost(centers, previous)
        whole = engine.label(centers, None, previous, labels)
        assert first == whole.first == (i == 0)
        assert cost == pytest.approx(whole.cost, rel=0.15)
        costs.append(cost)
        previous, labels = labels, previous
    assert costs[1] < 0.8 * costs[0]  # bounds are worth something
    probed.probe.forget()
    assert probed.probe.cost(centers, previous)[1]


def test_bounds_end_with_their_run() -> None:
    """A run that begins where the last one ended, but with other labels, finds the right ones."""
    X = blobs(np.random.default_rng(6), 3000, 16, 40).astype(F32)
    centers = X[:40].astype(F64)
    probed = Probed(X, centers)
    engine = Bytes(probed.problem, 40, probed.step)
    expected = closest(X, centers)
    labels = np.empty(3000, np.int32)
    engine.label(centers, None, np.full(3000, -1, np.int32), labels)
    np.testing.assert_array_equal(labels, expected)
    engine.forget()
    engine.label(centers, None, labels[::-1].copy(), labels)
    np.testing.assert_array_equal(labels, expected)


def avoided(X: Array, k: int) -> list[float]:
    model = KMeans(k, init=X[:k], max_iter=12, tol=0.0).fit(X)
    return [step.avoided for step in model.history_]


def test_bytes_that_do_not_pay_are_not_begun(products_of_bytes: Any) -> None:
    products_of_bytes(True)
    X = np.random.default_rng(3).normal(size=(30_000, 64)).astype(F32)
    assert not any(avoided(X, 64))


def test_bytes_that_pay_are_begun_at_once(products_of_bytes: Any) -> None:
    products_of_bytes(True)
    X = blobs(np.random.default_rng(4), 30_000, 64, 400).astype(F32)
    assert all(avoided(X, 400)[1:])


def test_many_features_and_clusters_begin_with_bytes(products_of_bytes: Any) -> None:
    products_of_bytes(True)
    X = np.random.default_rng(5).normal(size=(4000, 256)).astype(F32)
    assert avoided(X, 600)[0] > 0.9


def test_the_probe_starts_no_pool() -> None:
    X = np.random.default_rng(0).random((100_000, 32), F32)
    with problem_of(X) as alone:
        step = choose_step(alone.rows, alone.scaling)
    with Team(2, 1e12) as team:
        problem = alone._replace(team=team)
        Probe(problem, 40, step)
        assert team._pool is None
        Bytes(problem, 40, step)
        assert team.serial or team._pool is not None
