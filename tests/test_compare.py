"""scripts/compare.py: what it counts, what it refuses, what it reports."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True, scope="module")
def _import_path() -> Iterator[None]:
    """Let the scripts import each other, for the time of these tests."""
    before = sys.path.copy()
    sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "asv_benchmarks")]
    yield
    sys.path[:] = before


def outcome(library: str, seconds: float, inertia: float, **rest: Any) -> Any:
    from _compare_results import Outcome

    dtype = rest.pop("dtype", "float32")
    cell = rest.pop("cell", "a")
    return Outcome("iterations", cell, dtype, library, seconds=seconds, inertia=inertia, **rest)


class FakeWorker:
    """Answers like a worker; ``wrong`` centers are off, ``error`` is raised."""

    def __init__(self, library: str, speed: float, wrong: bool = False, error: str = "") -> None:
        from _compare_peers import PEERS

        self.library, self.peer = library, PEERS[library]
        self.speed, self.wrong, self.error = speed, wrong, error

    def call(self, method: str, *arguments: Any) -> Any:
        from _compare_worker import PeerError

        if self.error:
            raise PeerError(self.error)
        if method == "fit":
            centers, n_iter = arguments
            seconds = 0.01 + self.speed * n_iter
            return {"seconds": seconds, "centers": centers + self.wrong, "n_iter": n_iter}
        return 100.0 if method.startswith("gemm") else None


def run_fakes(*workers: FakeWorker) -> list[Any]:
    from _compare_tasks import Options, run_iterations
    from benchmarks.datasets import CELLS

    cell = CELLS["100kx64-k100"].quick()
    return run_iterations(workers, cell, "float32", Options(repeats=2), lambda _: None)  # type: ignore[arg-type]


def test_per_iteration_cancels_what_a_run_pays_once() -> None:
    from _compare_results import per_iteration

    seconds, spread = per_iteration([1.2, 1.1], [1.6, 1.8], 2, 12)
    assert seconds == pytest.approx(0.05)
    assert spread > 0
    assert math.isnan(per_iteration([1.0], [2.0], 5, 5)[0])
    assert math.isnan(per_iteration([1.0], [0.9], 2, 12)[0])


def test_geometric_mean() -> None:
    from _compare_results import geometric_mean

    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert math.isnan(geometric_mean([]))


@pytest.mark.parametrize(
    ("dtype", "difference", "fair"),
    [
        ("float32", 5e-5, True),
        ("float32", 2e-4, False),
        ("float32", -2e-4, False),
        ("float64", 5e-7, True),
        ("float64", 2e-6, False),
        ("float64", math.nan, False),
    ],
)
def test_a_time_counts_only_if_inertias_agree(dtype: str, difference: float, fair: bool) -> None:
    from _compare_results import ratio

    ours = outcome("ours", 1.0, 50.0, dtype=dtype)
    found = ratio(ours, outcome("peer", 3.0, 50.0 * (1 + difference), dtype=dtype))
    assert (found.value == 3.0) if fair else (found.value is None)
    assert fair or "not comparable" in found.reason


def test_means_over_draws_agree_within_their_errors() -> None:
    from _compare_results import Outcome, mean_and_error, ratio

    mean, error = mean_and_error([90.0, 110.0])
    assert (mean, error) == (100.0, pytest.approx(10.0))
    ours = Outcome("seeding", "a", "float32", "ours", seconds=1.0, inertia=mean, error=error)
    near = Outcome("seeding", "a", "float32", "peer", seconds=2.0, inertia=125.0, error=1.0)
    far = Outcome("seeding", "a", "float32", "peer", seconds=2.0, inertia=140.0, error=1.0)
    assert ratio(ours, near).value == 2.0
    assert ratio(ours, far).value is None


def test_no_ratio_without_a_baseline_from_the_same_start() -> None:
    from _compare_results import ratios

    ours = outcome("ours", 1.0, 50.0)
    other = outcome("peer", 2.0, 50.0, start="peer")
    ((_, found),) = ratios([ours, other], "ours")
    assert found.value is None
    assert "no baseline" in found.reason


def test_summary_reports_means_and_reasons() -> None:
    from _compare_results import format_table, slower_cells, summarize

    outcomes = [
        outcome("ours", 0.001, 50.0),
        outcome("fast", 0.0005, 50.0),
        outcome("wrong", 0.0005, 51.0),
        outcome("ours", 0.001, 50.0, cell="b"),
        outcome("fast", 0.002, 50.0, cell="b"),
        outcome("wrong", math.nan, math.nan, cell="b", note="exit code -6"),
    ]
    header, rows, notes = summarize(outcomes, "iterations", "float32", "ours")
    assert header == ["iterations, float32", "ours", "fast", "wrong"]
    assert rows[0] == ["a", "1 ms", "0.50", "-"]
    assert rows[1] == ["b", "1 ms", "2.00", "-"]
    assert rows[2] == ["geometric mean", "", "1.00", "-"]
    assert any("wrong" in note and "inertia differs by +2.0e-02 (a)" in note for note in notes)
    assert any("exit code -6 (b)" in note for note in notes)
    assert slower_cells(outcomes, "ours") == ["iterations a float32: fast is faster (0.50)"]
    lines = format_table(header, rows, markdown=True).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].endswith(":|") or lines[1].endswith(": |")


def test_iterations_of_fake_libraries() -> None:
    from _compare_results import ratios

    outcomes = run_fakes(
        FakeWorker("fastkmeans", 0.001),
        FakeWorker("scikit-learn", 0.004),
        FakeWorker("faiss", 0.001, wrong=True),
        FakeWorker("scikit-learn-intelex", 0.001, error="the process crashed (exit code -6)"),
        FakeWorker("superkmeans", 0.002),
    )
    found = {o.library: r for o, r in ratios(outcomes, "fastkmeans")}
    assert found["scikit-learn"].value == pytest.approx(4.0)
    assert found["faiss"].value is None
    assert "not comparable" in found["faiss"].reason
    assert found["scikit-learn-intelex"].reason == "the process crashed (exit code -6)"
    # superkmeans takes no centers: the baseline runs again from the start of superkmeans.
    assert found["superkmeans"].value == pytest.approx(2.0)
    assert [o.start for o in outcomes if o.library == "fastkmeans"] == ["shared", "superkmeans"]


def test_a_dtype_that_a_peer_lacks_is_reported() -> None:
    from _compare_tasks import Options, run_iterations
    from benchmarks.datasets import CELLS

    workers: Any = [FakeWorker("fastkmeans", 0.001), FakeWorker("faiss", 0.001)]
    cell = CELLS["1Mx2-k8"].quick()
    outcomes = run_iterations(workers, cell, "float64", Options(repeats=1), lambda _: None)
    assert [o.note for o in outcomes] == ["", "no float64"]


def test_a_missing_library_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    import compare
    from _compare_worker import PeerError, Worker

    def start(self: Worker) -> str:
        if self.library == "faiss":
            raise PeerError("ModuleNotFoundError: No module named 'faiss'")
        return "1.0"

    monkeypatch.setattr(Worker, "start", start)
    workers, versions, missing = compare.start_workers(["scikit-learn", "faiss"], 1, 1.0)
    assert [worker.library for worker in workers] == ["scikit-learn"]
    assert versions == {"scikit-learn": "1.0"}
    assert "No module named" in missing["faiss"]


def test_a_dead_process_is_an_error_not_a_hang() -> None:
    from _compare_worker import PeerError, Worker

    class Dead:
        exitcode = -6

        def join(self, timeout: float) -> None:
            pass

        def is_alive(self) -> bool:
            return False

    class Closed:
        def send(self, message: Any) -> None:
            raise BrokenPipeError

        def close(self) -> None:
            pass

    worker = Worker("scikit-learn", 1)
    worker._process, worker._connection = Dead(), Closed()
    with pytest.raises(PeerError, match="exit code -6"):
        worker.call("load")


@pytest.mark.parametrize("name", ["1Mx3-k16", "100kx64-k100", "20kx768-k256", "noise-100kx32-k100"])
def test_data_are_reproducible_and_truly_float64(name: str) -> None:
    from benchmarks.datasets import get_cell, make

    cell = get_cell(name, quick=True)
    X, centers = make(cell, "float64")
    make.cache_clear()
    again, _ = make(cell, "float64")
    assert X.shape == (cell.n, cell.d)
    assert centers.shape == (cell.k, cell.d)
    assert np.array_equal(X, again)
    assert (X.astype(np.float32) != X).mean() > 0.9
    assert np.array_equal(make(cell, "float32")[0], X.astype(np.float32))


def test_reference_inertia_is_that_of_all_rows() -> None:
    from benchmarks.datasets import reference_inertia

    rng = np.random.default_rng(0)
    X, centers = rng.random((3000, 5)) + 100.0, rng.random((7, 5)) + 100.0
    expected = ((X[:, None] - centers) ** 2).sum(-1).min(1).mean()
    assert reference_inertia(X, centers) == pytest.approx(expected, rel=1e-12)


def test_cells_are_chosen_by_pattern() -> None:
    import compare
    from benchmarks.datasets import GRID

    assert [cell.name for cell in compare.choose_cells(["1Mx3*"], False)] == [
        "1Mx3-k16",
        "1Mx3-k256",
    ]
    assert len(compare.choose_cells(None, False)) == len(GRID)
    assert all(cell.n <= 40_000 for cell in compare.choose_cells(None, True))
    with pytest.raises(SystemExit, match="no cell"):
        compare.choose_cells(["nothing"], False)
