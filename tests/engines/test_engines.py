"""The engines: whatever finds the labels, they are those of ``reference.py``.

An engine that is named is used on small data too; ``auto`` uses it on large data only.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._engines.bytes import state_bytes
from fastkmeans._kernels.emit.simd import CODES
from tests.helpers import reference
from tests.helpers.data import blobs
from tests.helpers.engines import CASES, ENGINES, F32, F64, Case, each_dtype, each_engine
from tests.helpers.fits import assert_equals_reference, quietly
from tests.helpers.processes import digest, layouts

Array = NDArray[Any]
ITERATIONS = (1, 2, 3, 5, 8, 13, 20)


def fit(case: Case, algorithm: str, max_iter: int = 300, **options: Any) -> KMeans:
    model = KMeans(
        len(case.centers), init=case.centers, max_iter=max_iter, algorithm=algorithm,
        **({"tol": 0.0} | options),
    )  # fmt: skip
    return quietly(model, case.X, case.weights)


def assert_every_iteration(case: Case, algorithms: list[str], iterations: Any = ITERATIONS) -> None:
    answers = reference.lloyd_at(case.X, case.centers, iterations, 0.0, case.weights)
    for max_iter, expected in answers.items():
        for algorithm in algorithms:
            model = fit(case, algorithm, max_iter)
            assert_equals_reference(model, case.X, expected)
            assert len(model.history_) == expected.n_iter


# --- the answers of the reference


@each_dtype
@pytest.mark.parametrize("name", CASES)
def test_every_iteration_equals_the_reference(name: str, dtype: Any) -> None:
    case = CASES[name]()
    assert_every_iteration(case._replace(X=case.X.astype(dtype)), [*ENGINES, "auto"])


@each_engine
@pytest.mark.parametrize("n", [9, 31, 32, 33, 63, 65, 511, 512, 513, 8191, 8192, 8193])
def test_at_the_edges_of_boxes(n: int, algorithm: str) -> None:
    """Boxes are 32 rows, superboxes 512, hyperboxes 8192."""
    rng = np.random.default_rng(n)
    for d in (2, 5):
        X = blobs(rng, n, d, 5)
        assert_every_iteration(Case(X, X[:7] + 0.1), [algorithm], (1, 4))


@each_engine
@pytest.mark.parametrize("k", [1, 2, 5, 6, 7, 8, 9, 12, 13, 15, 16, 17, 31, 33])
def test_at_the_edges_of_tiles(k: int, algorithm: str) -> None:
    rng = np.random.default_rng(k)
    for d in (1, 3, 4, 5, 8, 17):
        X = blobs(rng, 600, d, 5).astype(F32)
        assert_every_iteration(Case(X, X[:k].astype(F64)), [algorithm], (1, 4))


@each_dtype
@each_engine
def test_to_the_end_with_tol(algorithm: str, dtype: Any) -> None:
    for name in ("mixture, d = 2", "mixture, d = 16", "weights with zeros"):
        case = CASES[name]()
        case = case._replace(X=case.X.astype(dtype))
        model = fit(case, algorithm, tol=1e-4)
        expected = reference.lloyd(case.X, case.centers, sample_weight=case.weights)
        assert_equals_reference(model, case.X, expected)
        assert model.converged_


# --- the same bits


@each_dtype
@pytest.mark.parametrize("algorithm", [*ENGINES, "auto"])
@pytest.mark.parametrize("shape", [(30_000, 2, 9), (9_000, 3, 20), (5_000, 40, 40)], ids=str)
def test_same_bits_for_any_threads_and_layout(
    shape: tuple[int, int, int], algorithm: str, dtype: Any
) -> None:
    m, d, k = shape
    rng = np.random.default_rng(0)
    X = blobs(rng, m, d, k, 2.0).astype(dtype)
    X[: m // 4] = np.round(X[: m // 4])  # ties
    for weights in (None, rng.integers(0, 3, m).astype(float)):
        found = {}
        for name, table in layouts(X):
            for n_threads in (1, 2):
                case = Case(table, X[-k:].astype(F64), weights)
                model = fit(case, algorithm, 9, n_threads=n_threads)
                found[name, n_threads] = digest(model)
        assert len(set(found.values())) == 1, found


@each_dtype
@pytest.mark.parametrize("shape", [(700, 3, 5), (20_000, 2, 9), (6_000, 40, 33)], ids=str)
def test_bytes_give_the_bits_of_lloyd(shape: tuple[int, int, int], dtype: Any) -> None:
    m, d, k = shape
    X = blobs(np.random.default_rng(1), m, d, k, 2.0).astype(dtype)
    for weights in (None, np.random.default_rng(2).integers(0, 3, m).astype(float)):
        case = Case(X, X[:k].astype(F64), weights)
        assert digest(fit(case, "bytes")) == digest(fit(case, "lloyd"))


@each_engine
def test_restarts_share_an_engine(algorithm: str) -> None:
    X = blobs(np.random.default_rng(3), 3000, 3, 12, 2.0)
    for init in ("random", "k-means++"):
        found = [
            KMeans(12, init=init, n_init=3, random_state=5, algorithm=name).fit(X)
            for name in (algorithm, "lloyd")
        ]
        np.testing.assert_array_equal(found[0].labels_, found[1].labels_)
        np.testing.assert_allclose(
            found[0].cluster_centers_, found[1].cluster_centers_, rtol=0, atol=1e-13
        )
        assert found[0].n_iter_ == found[1].n_iter_
        assert [step.n_moved for step in found[0].history_] == [
            step.n_moved for step in found[1].history_
        ]
        if algorithm == "bytes":
            assert digest(found[0]) == digest(found[1])


def test_tables_that_come_in_blocks() -> None:
    """Converted rows cannot be read in any order: boxes are not used, bytes are."""
    X = np.random.default_rng(4).integers(-9, 10, (9_000, 20))
    centers = X[:40].astype(F64)
    for algorithm in ENGINES:
        blocks, array = (fit(Case(table, centers), algorithm, 9) for table in (X, X.astype(F64)))
        np.testing.assert_array_equal(blocks.labels_, array.labels_)
        np.testing.assert_allclose(
            blocks.cluster_centers_, array.cluster_centers_, rtol=0, atol=1e-12
        )
        used = [step.avoided > 0.0 for step in blocks.history_]
        assert any(used) == (algorithm == "bytes")


# --- what is avoided, and what auto chooses


def shares(model: KMeans) -> list[float]:
    found = [step.avoided for step in model.history_]
    assert all(0.0 <= share <= 1.0 for share in found)
    return found


@pytest.mark.parametrize("name", ["mixture, d = 2", "mixture, d = 16", "grid, d = 2"])
def test_shares_avoided(name: str) -> None:
    case = CASES[name]()
    assert set(shares(fit(case, "lloyd"))) == {0.0}
    for algorithm in ENGINES:
        assert max(shares(fit(case, algorithm))) > 0.0


@pytest.mark.parametrize(("algorithm", "d"), [("boxes", 2), ("bytes", 16)])
def test_an_easy_case_is_avoided(algorithm: str, d: int) -> None:
    rng = np.random.default_rng(5)
    corners = np.array(list(np.ndindex(5, 5)), F64) * 10
    own = rng.integers(0, 25, 20_000)
    X = corners[own] @ rng.normal(size=(2, d)) + rng.normal(size=(20_000, d)) * 1e-2
    centers = X[[np.flatnonzero(own == j)[0] for j in range(25)]]
    assert shares(fit(Case(X, centers), algorithm))[-1] > 0.9


def test_auto_chooses_by_shape() -> None:
    rng = np.random.default_rng(6)
    for shape, k, engine in [((100_000, 2), 120, "boxes"), ((20_000, 64), 100, "bytes"),
                             ((1_000, 2), 20, "lloyd"), ((500, 64), 40, "lloyd")]:  # fmt: skip
        X = blobs(rng, *shape, k).astype(F32)
        case = Case(X, X[:k].astype(F64))
        model, plain = (fit(case, name, 12) for name in ("auto", "lloyd"))
        np.testing.assert_array_equal(model.labels_, plain.labels_)
        used = [share > 0.0 for share in shares(model)]
        if engine == "bytes" and not CODES.product:
            engine = "lloyd"
        assert any(used) == (engine != "lloyd")
        if engine != "lloyd":
            assert digest(model) == digest(fit(case, engine, 12)) or engine == "bytes"
            assert used[0] == (engine == "boxes")  # bytes follow an iteration of plain Lloyd
            assert used[-1]


def test_auto_sorts_only_where_it_is_repaid() -> None:
    X = blobs(np.random.default_rng(7), 100_000, 2, 120).astype(F32)
    case = Case(X, X[:120].astype(F64))
    assert not any(shares(fit(case, "auto", 2)))
    assert all(shares(fit(case, "auto", 20)))


def test_auto_falls_back_on_noise() -> None:
    X = np.random.default_rng(8).normal(size=(6_000, 64)).astype(F32)
    case = Case(X, X[:64].astype(F64))
    model = fit(case, "auto", 12)
    assert digest(model) == digest(fit(case, "lloyd", 12))
    assert 0.0 in shares(model)[1:]


# --- memory


def extra_bytes(case: Case, algorithm: str) -> int:
    """Return the most memory that a fit holds at a time, beyond that of plain Lloyd."""
    peaks = []
    for name in ("lloyd", algorithm):
        fit(case, name, 2)  # compiled
        tracemalloc.start()
        fit(case, name, 2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return peaks[1] - peaks[0]


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_memory_of_boxes(d: int, dtype: Any) -> None:
    """For each row: order, labels in order, copy; for each box: limits, sums, weights."""
    n = 200_000
    X = blobs(np.random.default_rng(9), n, d, 5).astype(dtype)
    per_row = 4 + 4 + 2 * d + (24 * d + 20) / 32
    extra = extra_bytes(Case(X, X[:5].astype(F64)), "boxes")
    assert extra <= n * per_row * 1.05 + 50_000


@pytest.mark.parametrize("d", [2, 15, 16, 17, 64])
def test_memory_of_bytes(d: int) -> None:
    n, k = 20_000, 9
    X = blobs(np.random.default_rng(10), n, d, 5).astype(F32)
    extra = extra_bytes(Case(X, X[:k].astype(F64)), "bytes")
    assert extra <= n * state_bytes(d) + k * d * 40 + 50_000
    assert state_bytes(d) == 16 + 4 * -(-d // CODES.per_word) <= 16 + 2 * d + 3


def test_auto_begins_with_bytes_only_where_that_is_repaid() -> None:
    """Few iterations left: plain Lloyd goes on, where more of them make bytes worth while."""
    rng = np.random.default_rng(8)
    X = blobs(rng, 30_000, 32, 120, 3.0).astype(F32)
    skipped = {}
    for max_iter in (6, 60):
        case = Case(X, X[:120].astype(F64))
        skipped[max_iter] = [step.avoided > 0.0 for step in fit(case, "auto", max_iter).history_]
    assert not any(skipped[6])
    assert not CODES.product or any(skipped[60])
    assert not any(skipped[60][:6])
