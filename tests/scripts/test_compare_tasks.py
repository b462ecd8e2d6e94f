"""scripts/compare: its tasks, by libraries that are fakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import FakeBatches, FakeWorker, fit_fakes, run_fakes

pytestmark = pytest.mark.usefixtures("scripts_path")


def test_iterations_of_fake_libraries() -> None:
    from compare.results import ratios

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
    from compare.fits import fits_table, history_rows
    from compare.results import format_table

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


@pytest.mark.parametrize(("off", "value"), [(0.0, 4.0), (-0.5, None)])
def test_mini_batches_count_where_ours_is_no_worse(off: float, value: float | None) -> None:
    """``off`` is what the centers of the peer are better by than ours."""
    from benchmarks.datasets import BATCHES, reference_inertia
    from compare.minibatch import run_minibatch
    from compare.report import quality_rows
    from compare.results import ratios
    from compare.tasks import Options

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


def test_a_peer_with_its_own_start_runs_as_many_iterations() -> None:
    from compare.results import ratios

    peer = FakeWorker("superkmeans", 0.002)
    outcomes = fit_fakes(FakeWorker("fastkmeans", 0.001), peer, cell="overlap-100kx128-k1000")
    (found,) = [r.value for o, r in ratios(outcomes, "fastkmeans") if o.library == "superkmeans"]
    assert found == pytest.approx(0.05 / 0.03)
    # Its start, a warm-up, two timed runs, and the run that is as far as the baseline's.
    assert [n_iter for n_iter, _ in peer.fits] == [1, 1, 20, 20, 21]


def test_a_slow_peer_is_skipped_with_the_reason() -> None:
    from compare.results import ratios

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


def test_scaling_draws_every_panel(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from compare.scaling import draw_scaling, run_scaling, sweeps
    from compare.tasks import Options

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
    from benchmarks.datasets import CELLS
    from compare.tasks import Options, run_iterations

    workers: Any = [FakeWorker("fastkmeans", 0.001), FakeWorker("faiss", 0.001)]
    cell = CELLS["1Mx2-k8"].quick()
    outcomes = run_iterations(workers, cell, "float64", Options(repeats=1), lambda _: None)
    assert [o.note for o in outcomes] == ["", "no float64"]
