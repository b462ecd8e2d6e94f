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
    """Answers like a worker; ``wrong`` centers are off, ``error`` is raised.

    It converges after ``converges`` iterations, and is ended by a time limit.
    """

    def __init__(
        self,
        library: str,
        speed: float,
        wrong: bool = False,
        error: str = "",
        converges: int = 1000,
    ) -> None:
        from _compare_peers import PEERS

        self.library, self.peer = library, PEERS[library]
        self.speed, self.wrong, self.error, self.converges = speed, wrong, error, converges
        self.fits: list[tuple[int, bool]] = []

    def call(self, method: str, *arguments: Any, limit: float = math.inf) -> Any:
        from _compare_worker import PeerError

        if self.error:
            raise PeerError(self.error)
        if method == "fit":
            centers, n_iter, *whole = arguments
            self.fits.append((n_iter, bool(whole)))
            n_iter = min(n_iter, self.converges)
            seconds = 0.01 + self.speed * n_iter
            if seconds > limit:
                raise PeerError(f"no answer within {limit:.0f} s")
            return {
                "seconds": seconds,
                "centers": centers + self.wrong,
                "n_iter": n_iter,
                "history": ((0.0, self.speed), (0.875, self.speed))
                if "fast" in self.library
                else (),
            }
        return 100.0 if method.startswith("gemm") else None


def run_fakes(*workers: FakeWorker) -> list[Any]:
    from _compare_tasks import Options, run_iterations
    from benchmarks.datasets import CELLS

    cell = CELLS["100kx64-k100"].quick()
    return run_iterations(workers, cell, "float32", Options(repeats=2), lambda _: None)  # type: ignore[arg-type]


def fit_fakes(*workers: FakeWorker, cell: str, task: str = "fits", **options: Any) -> list[Any]:
    from _compare_fits import run_fits
    from _compare_tasks import Options
    from benchmarks.datasets import CELLS

    chosen = Options(**{"repeats": 2, **options})
    small = CELLS[cell].quick()
    return run_fits(workers, small, "float32", task, chosen, lambda _: None)  # type: ignore[arg-type]


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


def test_whole_fits_of_fake_libraries() -> None:
    from _compare_fits import fits_table, history_rows
    from _compare_results import format_table

    ours = FakeWorker("fastkmeans", 0.001)
    outcomes = fit_fakes(
        ours,
        FakeWorker("fastkmeans-boxes", 0.002),
        FakeWorker("scikit-learn", 0.004),
        FakeWorker("scikit-learn-elkan", 0.0025, converges=19),
        FakeWorker("faiss", 0.0001, wrong=True),
        FakeWorker("superkmeans", 0.001),
        FakeWorker("faiss-superkmeans", 0.001),
        cell="noise-100kx32-k100",
        baselines=("fastkmeans", "fastkmeans-boxes"),
    )
    assert all(fit == (20, True) for fit in ours.fits)
    baselines = ["fastkmeans", "fastkmeans-boxes"]
    header, rows, notes = fits_table(outcomes, "fits", "float32", baselines)
    peers = ["scikit-learn", "scikit-learn-elkan", "faiss", "superkmeans"]
    assert header == ["20 iterations, float32", "iterations", "fastkmeans", *peers, "best peer"]
    cell = "noise-100kx32-k100"
    assert rows[0] == [cell, "20", "30 ms", "3.00", "1.92", "-", "-", "1.92"]
    assert rows[1] == [f"{cell}, boxes", "20", "50 ms", "1.80", "1.15", "-", "-", "1.15"]
    assert rows[2][3:] == rows[0][3:]
    text = format_table(header, rows) + "\n".join(notes)
    for reason in ("inertia differs", "19 iterations beside 20", "made for 128 features"):
        assert reason in text
    (first, second) = history_rows(outcomes, "float32", baselines)
    assert first == [cell, "0.0%    1.00", "87.5%    1.00", "-", "-", "-"]
    assert second[0] == f"{cell}, boxes"


class FakeBatches:
    """A worker whose fits by mini-batches take ``seconds`` and end ``off`` the rows' means."""

    def __init__(self, library: str, seconds: float, off: float, error: str = "") -> None:
        from _compare_peers import PEERS

        self.library, self.peer = library, PEERS[library]
        self.seconds, self.off, self.error = seconds, off, error
        self.fits: list[tuple[int, ...]] = []

    def call(self, method: str, *arguments: Any) -> Any:
        from _compare_worker import PeerError

        if method == "data":
            self.cell, self.dtype = arguments
            return None
        if self.error:
            raise PeerError(self.error)
        from benchmarks.datasets import make

        self.fits.append(arguments)
        centers = make(self.cell, self.dtype)[1] + self.off
        return {"seconds": self.seconds, "centers": centers, "n_iter": 7}


@pytest.mark.parametrize(("off", "value"), [(0.0, 4.0), (-0.5, None)])
def test_mini_batches_count_where_ours_is_no_worse(off: float, value: float | None) -> None:
    """``off`` is what the centers of the peer are better by than ours."""
    from _compare_minibatch import run_minibatch
    from _compare_report import quality_rows
    from _compare_results import ratios
    from _compare_tasks import Options
    from benchmarks.datasets import BATCHES, reference_inertia

    cell = BATCHES[0].quick()
    ours, peer = FakeBatches("fastkmeans", 0.5, 0.5), FakeBatches("scikit-learn", 2.0, 0.5 + off)
    broken = FakeBatches("fastkmeans-random", 1.0, 0.0, "out of memory")
    workers: Any = [ours, peer, broken, FakeWorker("faiss", 1.0)]
    outcomes = run_minibatch(workers, cell, "float32", 4096, Options(seeds=3), lambda _: None)
    found = {o.library: r for o, r in ratios(outcomes, "fastkmeans")}
    assert found["scikit-learn"].value == value
    assert found["fastkmeans-random"].reason == "out of memory"
    fits = [(cell.k, 4096, seed, 100) for seed in range(3)]
    assert ours.fits == [fits[0], *fits]
    assert peer.fits == [(8, 4096, 0, 1), *fits]
    outcome = outcomes[0]
    assert outcome.cell == "overlap-1Mx16-k100 batch 4096"
    assert outcome.details["n_steps"] == [7, 7, 7]
    from benchmarks.datasets import make

    X, centers = make(cell, "float32")
    assert outcome.inertia == pytest.approx(reference_inertia(X, centers + 0.5))
    ((_, library, share, _, draws),) = quality_rows(outcomes, "minibatch", "fastkmeans")
    assert (library, draws) == ("scikit-learn", "3")
    assert (float(share) > 1.0) == (value is None)


def test_a_lower_inertia_is_no_objection_for_mini_batches_alone() -> None:
    from _compare_results import Outcome, agree

    for task, fair in (("minibatch", True), ("seeding", False)):
        ours = Outcome(task, "a", "float32", "ours", seconds=1.0, inertia=90.0)
        assert agree(ours, Outcome(task, "a", "float32", "peer", inertia=100.0)) == fair
        assert not agree(ours, Outcome(task, "a", "float32", "peer", inertia=80.0))


def test_a_peer_with_its_own_start_runs_as_many_iterations() -> None:
    from _compare_results import ratios

    peer = FakeWorker("superkmeans", 0.002)
    outcomes = fit_fakes(FakeWorker("fastkmeans", 0.001), peer, cell="overlap-100kx128-k1000")
    (found,) = [r.value for o, r in ratios(outcomes, "fastkmeans") if o.library == "superkmeans"]
    assert found == pytest.approx(0.05 / 0.03)
    # Its start, a warm-up, two timed runs, and the run that is as far as the baseline's.
    assert [n_iter for n_iter, _ in peer.fits] == [1, 1, 20, 20, 21]


def test_a_slow_peer_is_skipped_with_the_reason() -> None:
    from _compare_results import ratios

    outcomes = fit_fakes(
        FakeWorker("fastkmeans", 1.0),  # ours has no limit
        FakeWorker("scikit-learn", 1.0),
        FakeWorker("scikit-learn-elkan", 0.3),
        cell="noise-100kx32-k100",
        repeats=4,
        limit=15.0,
    )
    found = {o.library: (o, r) for o, r in ratios(outcomes, "fastkmeans")}
    assert found["scikit-learn"][1].reason == "no answer within 15 s"
    assert found["scikit-learn-elkan"][0].remark == "timed 2 times of 4"
    assert found["scikit-learn-elkan"][1].value == pytest.approx(6.01 / 20.01)


def test_to_convergence_only_the_peers_asked_for() -> None:
    workers = [FakeWorker(n, 0.001, converges=40) for n in ("fastkmeans", "scikit-learn", "faiss")]
    cell = "noise-100kx32-k100"
    outcomes = fit_fakes(*workers, cell=cell, task="convergence")
    assert [o.library for o in outcomes] == ["fastkmeans", "scikit-learn"]
    assert {o.details["n_iter"] for o in outcomes} == {40}
    both = fit_fakes(*workers, cell=cell, task="convergence", converging=("faiss",))
    assert [o.library for o in both] == ["fastkmeans", "faiss"]


def test_elkan_is_skipped_where_its_bounds_are_large() -> None:
    from _compare_peers import PEERS

    assert PEERS["scikit-learn"].refuses((1_000_000, 3), 256) == ""
    assert PEERS["scikit-learn-elkan"].refuses((1_000_000, 3), 200) == ""
    assert "2.0 GB" in PEERS["scikit-learn-elkan"].refuses((1_000_000, 3), 256)


def test_libraries_are_those_of_the_task() -> None:
    import compare

    def names(*arguments: str) -> list[str]:
        options = compare.parse_arguments(arguments)
        return compare.choose_libraries(options, (options.task,))

    assert names("iterations")[0] == "fastkmeans"
    assert "scikit-learn-elkan" not in names("iterations")
    assert not [name for name in names("iterations") if name.startswith("fastkmeans-")]
    assert "faiss-superkmeans" not in names("fits")
    chosen = names("fits", "--algorithms", "auto,bytes", "--peers", "faiss")
    assert chosen == ["fastkmeans", "fastkmeans-bytes", "faiss"]
    assert names("minibatch") == ["fastkmeans", "fastkmeans-random", "scikit-learn"]
    assert names("scaling", "--plot", "a.png") == ["fastkmeans", "fastkmeans-lloyd"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["scaling"], "needs --plot"),
        (["fits", "--algorithms", "auto,balls"], "no engine ['balls']"),
    ],
)
def test_wrong_command_lines_are_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import compare

    with pytest.raises(SystemExit):
        compare.parse_arguments(arguments)
    assert reason in capsys.readouterr().err


def test_a_missing_file_of_embeddings_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    import compare

    assert compare.main(["fits", "--embeddings", "nowhere.npy"]) == 2
    assert "nowhere.npy does not exist" in capsys.readouterr().err


def test_scaling_draws_every_panel(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from _compare_scaling import draw_scaling, run_scaling, sweeps
    from _compare_tasks import Options

    shape = (200, 3, 16)
    workers: Any = [FakeWorker("fastkmeans", 0.001), FakeWorker("fastkmeans-lloyd", 0.002)]
    options = Options(repeats=1, baselines=("fastkmeans", "fastkmeans-lloyd"))
    outcomes = run_scaling(workers, shape, "float32", options, lambda _: None, quick=True)
    panels = sweeps(shape)
    assert [cell.d for cell in panels["d"]] == [2, 3, 4, 8, 16, 32, 64, 128]
    assert all((c.n, c.d) == shape[:2] for c in panels["k"])
    names = {cell.name for panel in panels.values() for cell in panel}
    assert {o.cell for o in outcomes if o.task == "fits"} == names
    draw_scaling(tmp_path / "scaling.png", outcomes, shape)
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


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


def test_a_time_limit_ends_the_process() -> None:
    from _compare_worker import PeerError, Worker

    class Busy:
        exitcode = None
        killed = False

        def join(self, timeout: float) -> None:
            pass

        def is_alive(self) -> bool:
            return not self.killed

        def kill(self) -> None:
            self.killed = True

    class Silent:
        def send(self, message: Any) -> None:
            pass

        def poll(self, seconds: float) -> bool:
            return False

        def close(self) -> None:
            pass

    worker, process = Worker("scikit-learn", 1, timeout=600.0), Busy()
    worker._process, worker._connection = process, Silent()
    with pytest.raises(PeerError, match="no answer within 3 s"):
        worker.call("fit", limit=3.0)
    assert process.killed


@pytest.mark.parametrize(
    "name",
    ["1Mx3-k16", "100kx64-k100", "20kx768-k256", "noise-100kx32-k100", "overlap-300kx16-k100"],
)
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


def test_overlap_is_as_wide_as_the_cell_says() -> None:
    from dataclasses import replace

    from benchmarks.datasets import get_cell, make

    cell = replace(get_cell("overlap-1Mx2-k50", quick=True), k=1, spread=0.05)
    X, _ = make(cell, "float64")
    assert 0.025 < X.std(axis=0).mean() < 0.075  # one component, of half to one and a half


def test_embeddings_come_from_a_file(tmp_path: Path) -> None:
    import compare
    from benchmarks.datasets import CELLS, FITS, SAMPLE_CELL, fit_cells, make

    rows = np.random.default_rng(0).standard_normal((1000, 8)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows)
    cells = fit_cells(tmp_path / "rows.npy")
    assert [c.name for c in cells if c.kind == "file"] == ["real-1kx8-k200", "real-1kx8-k500"]
    assert len(cells) == len(FITS) + 1
    assert [c.k for c in compare.choose_cells(["real-*"], False, FITS, cells)] == [200, 500]
    cell = next(c for c in cells if c.kind == "file")
    assert np.array_equal(make(cell, "float32")[0], rows.astype(np.float32))
    assert np.array_equal(make(cell.quick(), "float32")[0], rows.astype(np.float32))
    np.save(tmp_path / "rows.npy", np.repeat(rows[:250], 4, axis=0))
    make.cache_clear()
    assert len(np.unique(make(cell, "float32")[1], axis=0)) == 200  # of 250 different rows
    sample, centers = make(CELLS[SAMPLE_CELL], "float32")
    assert sample.shape == (2000, 384)
    assert centers.shape == (50, 384)
