"""Boxes that leave the sums to the code of plain Lloyd: every bit is that of plain Lloyd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._data.problem import open_problem
from fastkmeans._data.rows import ArrayRows
from fastkmeans._engines import auto, costs, forecast, sums
from tests.helpers.data import blobs
from tests.helpers.engines import F32, F64, NO_WEIGHTS, each_dtype
from tests.helpers.fits import quietly
from tests.helpers.kernels import sealed
from tests.helpers.processes import digest

Array = NDArray[Any]
N, K = 30_000, 6
BEGINS = (0, auto.FORESEEN, costs.REPAID_AFTER)
"""Iterations after which boxes may begin."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``auto`` use them for data of this size, with any width of vectors, from the start."""
    monkeypatch.setattr(costs, "LEAST_ROWS", N)
    monkeypatch.setattr(costs, "BY_ROW_FEATURES", range(1, 5))
    begin_after(0, monkeypatch)


def begin_after(n_iter: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boxes begin after so many iterations, one of ``BEGINS``."""
    monkeypatch.setattr(auto.Engines, "foresee", lambda *_: 0.0 if n_iter else 1.0)
    monkeypatch.setattr(auto, "LIVELY", 1e-9 if n_iter == auto.FORESEEN else 1.0)


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


def first_used(model: KMeans) -> int:
    """Return after how many iterations boxes began; they stayed."""
    used = [step.avoided > 0.0 for step in model.history_]
    assert used == sorted(used)
    return used.index(True) if any(used) else -1


@each_dtype
@pytest.mark.parametrize("d", [1, 2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_bits_of_plain_lloyd(d: int, dtype: Any, weighted: bool) -> None:
    X = rows_of(d, dtype)
    weights = np.random.default_rng(1).integers(0, 4, N).astype(F64) if weighted else None
    model, plain = fits(X, weights)
    assert_same_bits(model, plain)
    assert d > 2 or first_used(model) == 0


@each_dtype
@pytest.mark.parametrize("n_iter", BEGINS[1:])
def test_the_bits_of_plain_lloyd_from_a_later_iteration_on(
    n_iter: int, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_after(n_iter, monkeypatch)
    model, plain = fits(rows_of(2, dtype))
    assert_same_bits(model, plain)
    assert first_used(model) == n_iter


def test_sums_that_are_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """From then on as well, both buffers of labels are alike."""
    monkeypatch.setattr(sums, "REBUILD_AFTER", 3)
    assert_same_bits(*fits(rows_of(2, F32)))


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


@pytest.mark.parametrize("n_iter", BEGINS)
def test_they_begin_only_where_iterations_can_repay_the_sort(
    n_iter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = rows_of(2, F32)
    begin_after(n_iter, monkeypatch)
    enough = n_iter + costs.REPAID_AFTER
    for max_iter, first in ((enough - 1, -1), (enough, n_iter)):
        assert first_used(fits(X, max_iter=max_iter)[0]) == first


def test_they_end_where_boxes_do_not_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain Lloyd goes on with their labels and sums."""
    monkeypatch.setattr(auto, "WORTH", 0.0)
    model, plain = fits(rows_of(2, F32))
    assert_same_bits(model, plain)
    used = [step.avoided > 0.0 for step in model.history_]
    assert used == [i == 0 for i in range(len(used))]
    assert len(used) > 2


# --- how long a run is likely to be


@each_dtype
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_forecast_is_a_run_on_every_so_manieth_row(
    dtype: Any, metric: str, weighted: bool
) -> None:
    X = rows_of(3, dtype)
    weights = np.random.default_rng(1).integers(0, 4, N).astype(F64) if weighted else NO_WEIGHTS
    every = -(-N // forecast.SAMPLED)
    chosen, chosen_weights = X[::every], weights[::every] if weighted else None
    init = X[-K:].astype(F64)  # no row of these stands twice
    by_cosine = metric == "cosine"
    if by_cosine:
        init /= np.linalg.norm(init, axis=1, keepdims=True)
    plain = quietly(
        KMeans(K, init=init, tol=0.0, max_iter=5, algorithm="lloyd", metric=metric),
        chosen, chosen_weights,
    )  # fmt: skip
    with open_problem(ArrayRows(X), sealed(weights), 1, 0.0, by_cosine) as problem:
        for n_iter in (2, 5):
            share = forecast.share_moved(problem, init, n_iter)
            assert share == plain.history_[n_iter - 1].n_moved / len(chosen)


def test_a_forecast_of_a_run_that_ends() -> None:
    X = np.repeat(np.eye(2), N // 2, axis=0)
    with open_problem(ArrayRows(X), NO_WEIGHTS, 1, 0.0) as problem:
        assert forecast.share_moved(problem, np.eye(2), 1) == 1.0
        assert forecast.share_moved(problem, np.eye(2), 6) == 0.0
