"""Boxes that leave the sums to the code of plain Lloyd: every bit is that of plain Lloyd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._engines import auto, costs
from tests.helpers.data import blobs
from tests.helpers.engines import F32, F64, each_dtype
from tests.helpers.fits import quietly
from tests.helpers.processes import digest

Array = NDArray[Any]
N, K, TAKES = 30_000, 6, 3


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``auto`` use them for data of this size, with any width of vectors."""
    monkeypatch.setattr(costs, "LEAST_ROWS", N)
    monkeypatch.setattr(costs, "SORT_TAKES", dict.fromkeys(range(1, 5), TAKES))


def rows_of(d: int, dtype: Any, spread: float = 1.0) -> Array:
    """Return overlapping clusters, and some rows that stand many times."""
    X = blobs(np.random.default_rng(d), N, d, K, spread).astype(dtype)
    X[: N // 50] = X[7]
    return X


def fits(X: Array, weights: Array | None = None, **options: Any) -> tuple[KMeans, KMeans]:
    """Return the fits with ``auto`` and with the plain engine."""
    options = {"tol": 0.0, "max_iter": 25, "init": X[50 : 50 + K].astype(F64)} | options
    auto_model, plain = (
        quietly(KMeans(K, algorithm=name, **options), X, weights) for name in ("auto", "lloyd")
    )
    return auto_model, plain


def courses(model: KMeans) -> list[tuple[float, float, int]]:
    return [(step.inertia, step.center_shift, step.n_moved) for step in model.history_]


def assert_same_bits(model: KMeans, plain: KMeans) -> None:
    assert digest(model) == digest(plain)
    assert courses(model) == courses(plain)


@each_dtype
@pytest.mark.parametrize("d", [1, 2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_bits_of_plain_lloyd(d: int, dtype: Any, weighted: bool) -> None:
    X = rows_of(d, dtype)
    weights = np.random.default_rng(1).integers(0, 4, N).astype(F64) if weighted else None
    model, plain = fits(X, weights)
    assert_same_bits(model, plain)
    shares = [step.avoided for step in model.history_]
    assert not any(shares[:TAKES])
    assert d > 2 or (len(shares) > TAKES and all(shares[TAKES:]))


def test_in_threads_and_in_one() -> None:
    X = rows_of(2, F32)
    model, plain = fits(X, n_threads=1)
    assert_same_bits(model, plain)
    assert_same_bits(model, fits(X, n_threads=2)[0])


@pytest.mark.filterwarnings("ignore:1 row has length 0")
def test_by_cosine() -> None:
    X = rows_of(3, F32) - 0.5
    X[11] = 0.0
    assert_same_bits(*fits(X, metric="cosine"))


def test_clusters_that_become_empty() -> None:
    X = rows_of(2, F64)
    init = X[50 : 50 + K].astype(F64)
    init[1:3] = 1e3, 1e3
    assert_same_bits(*fits(X, init=init))


def test_restarts_share_the_order_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """They need not wait for the sort to be repaid."""
    X, begun = rows_of(2, F32), []
    begin = auto.Engines.begin

    def watched(engines: auto.Engines, n_expected: int) -> Any:
        begun.append(engines.other)
        return begin(engines, n_expected)

    monkeypatch.setattr(auto.Engines, "begin", watched)
    model, plain = fits(X, init="k-means++", n_init=3, random_state=0)
    assert_same_bits(model, plain)
    assert begun[0] is None
    assert begun[1] is not None
    assert begun[1] is begun[2]


def test_they_begin_only_where_iterations_can_repay_the_sort() -> None:
    X = rows_of(2, F32)
    for max_iter, used in ((4 * TAKES, False), (4 * TAKES + 1, True)):
        model, _ = fits(X, max_iter=max_iter)
        assert any(step.avoided > 0.0 for step in model.history_) == used


def test_they_end_where_boxes_do_not_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain Lloyd goes on with their labels and sums."""
    monkeypatch.setattr(auto, "WORTH", 0.0)
    model, plain = fits(rows_of(2, F32))
    assert_same_bits(model, plain)
    used = [step.avoided > 0.0 for step in model.history_]
    assert used == [i == TAKES for i in range(len(used))]
    assert len(used) > TAKES + 1
