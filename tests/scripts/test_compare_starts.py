"""scripts/compare: fits from the libraries' own starts, their tables and the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import FakeSolver

pytestmark = pytest.mark.usefixtures("scripts_path")


def run_optimum(
    *workers: FakeSolver, name: str = "unbalanced8", log: Any = None, **options: Any
) -> list[Any]:
    from benchmarks.optima import OPTIMA
    from compare import optimum
    from compare.tasks import Options

    cell = next(cell for cell in OPTIMA if cell.name == name).quick()
    chosen = Options(**{"seeds": 4, **options})
    said = log or (lambda _: None)
    return optimum.run_optimum(workers, cell, "float32", chosen, said)  # type: ignore[arg-type]


def run_curve(workers: Sequence[FakeSolver], quick: bool = False, **options: Any) -> list[Any]:
    from benchmarks.datasets import Cell
    from compare import curve
    from compare.tasks import Options

    cell = Cell("tiny", 200, 130, 8, "embeddings")
    args = workers, cell, "float32", Options(**{"seeds": 2, **options}), lambda _: None
    return curve.run_curve(*args, quick=quick)  # type: ignore[arg-type]


# --- the best optimum known


def test_shares_and_excesses_are_those_of_the_seeds() -> None:
    outcomes = run_optimum(
        FakeSolver("fastkmeans", 0.25, (0.0, 0.0, 0.0, 0.5)),
        FakeSolver("scikit-learn", 1.0, (0.5,)),
    )
    found = {o.library: o for o in outcomes}
    ours, theirs = found["fastkmeans"], found["scikit-learn n_init=10"]
    assert ours.seconds == pytest.approx(0.25)
    assert ours.details["share"] == pytest.approx(0.75)
    assert theirs.details["share"] == 0.0
    assert theirs.details["excess"] == pytest.approx(4 * ours.details["excess"])
    assert theirs.details["excess"] > 1.0  # half a unit is seven standard deviations
    best = ours.details["best"]
    assert best == pytest.approx(min(ours.details["inertias"]))
    assert theirs.details["excess"] == pytest.approx(theirs.inertia / best - 1.0)
    assert [name for name in found if name.startswith("fastkmeans")] == [
        "fastkmeans",
        "fastkmeans local_search=0",
        "fastkmeans local_search=100",
        "fastkmeans n_init=10",
    ]


def test_a_run_from_the_truth_counts_as_known() -> None:
    """Nobody finds the components; they are the best known all the same."""
    outcomes = run_optimum(FakeSolver("fastkmeans", 0.1, (0.5,)))
    assert {o.details["share"] for o in outcomes} == {0.0}
    assert min(o.details["excess"] for o in outcomes) > 1.0


def test_every_seed_runs_once_after_a_first_run_that_does_not_count() -> None:
    ours, peer = (FakeSolver(name, 0.9, (0.0,)) for name in ("fastkmeans", "flspp"))
    run_optimum(ours, peer, seeds=5)
    # Bursts of two seconds; ours compiles what all clusters need.
    assert peer.calls == [(8, {}, [0]), (8, {}, [0, 1, 2, 3, 4]), (8, {}, [3, 4])]
    own = [seeds for _, parameters, seeds in ours.calls if not parameters]
    assert own == [[0], [0, 1, 2, 3, 4], [3, 4]]
    wide = FakeSolver("flspp", 9.0, (0.0,))
    run_optimum(wide, name="grid25", seeds=1)
    assert [k for k, *_ in wide.calls] == [8, 25]


def test_a_run_that_is_ended_early_has_said_what_it_found() -> None:
    lines: list[str] = []
    run_optimum(
        FakeSolver("fastkmeans", 0.25, (0.0, 0.0, 0.0, 0.0), refuses="n_init"), log=lines.append
    )
    assert lines[0].endswith(", 100 % of the seeds near the best, +0.00 %")
    assert "ValueError: n_init" in lines[-1]


def test_a_slow_method_runs_fewer_seeds_and_a_broken_one_is_named() -> None:
    outcomes = run_optimum(
        FakeSolver("fastkmeans", 0.1, (0.0,), refuses="local_search"),
        FakeSolver("bkmeans", 10.0, (0.0,)),
        seeds=4,
        limit=15.0,
    )
    found = {o.library: o for o in outcomes}
    assert found["bkmeans"].remark == "2 of 4 seeds, for the time they take"
    assert found["fastkmeans local_search=0"].note == "ValueError: local_search"
    assert found["fastkmeans"].note == ""


def test_methods_are_chosen_by_pattern() -> None:
    names = ("fastkmeans", "scikit-learn", "flspp")
    workers = [FakeSolver(name, 0.1, (0.0,)) for name in names]
    outcomes = run_optimum(*workers, methods=("fastkmeans", "scikit-learn n_init=*"))
    expected = ["fastkmeans", "scikit-learn n_init=1", "scikit-learn n_init=10"]
    assert [o.library for o in outcomes] == expected
    assert not workers[2].calls
    (alone,) = run_optimum(workers[0], FakeSolver("flspp", 0.1, (0.5,)), methods=("flspp",))
    assert alone.details["share"] == 0.0  # the truth is known all the same


def test_tables_of_the_optimum(capsys: pytest.CaptureFixture[str]) -> None:
    from compare.optimum import KNOWN, optimum_tables
    from compare.report import print_report

    outcomes = [
        *run_optimum(FakeSolver("fastkmeans", 0.25, (0.0, 0.0, 0.0, 0.5))),
        *run_optimum(FakeSolver("fastkmeans", 1.0, (0.0,), refuses="n_init"), name="scattered15-a"),
    ]
    shares, excesses, times = optimum_tables(outcomes, KNOWN, "float32")
    names = ["fastkmeans", "fastkmeans local_search=0", "fastkmeans local_search=100"]
    names.append("fastkmeans n_init=10")
    assert shares[0] == ["seeds within 0.1% of the best, float32", *names]
    assert shares[1] == [
        ["unbalanced8", "75 %", "75 %", "75 %", "75 %"],
        ["scattered15-a", "100 %", "100 %", "100 %", "-"],
        ["mean", "88 %", "88 %", "88 %", "-"],
    ]
    assert excesses[1][1][1] == "+0.00 %"
    assert times[1][2] == ["mean", "500 ms", "500 ms", "500 ms", "-"]
    print_report(outcomes, ["float32"], ["fastkmeans"], [])
    printed = capsys.readouterr().out
    assert printed.count("unbalanced8") == 3
    assert printed.count("mean ") == 5  # no table of real data, of which there are none
    assert "fastkmeans n_init=10, float32: ValueError: n_init (scattered15-a)" in printed


# --- inertia against seconds


def test_curves_have_a_point_per_budget(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("matplotlib")
    from compare.curve import draw_curves
    from compare.report import print_report

    ours = FakeSolver("fastkmeans", 0.5, (0.0, 0.1), refuses="init")
    faiss = FakeSolver("faiss", 1.5, (0.2,))
    outcomes = run_curve((ours, faiss, FakeSolver("bkmeans", 1.0, (0.0,))))
    lines: dict[str, list[str]] = {}
    for o in outcomes:
        lines.setdefault(o.library, []).append(o.details["setting"])
    assert lines["faiss"] == ["niter=5", "niter=10", "niter=25"]
    assert lines["fastkmeans mini-batches"][-1] == "max_iter=100"
    assert "bkmeans" not in lines
    notes = {o.note for o in outcomes if o.library == "fastkmeans init=auto"}
    assert notes == {"ValueError: init"}
    print_report(outcomes, ["float32"], ["fastkmeans"], [])
    printed = capsys.readouterr().out
    assert "fastkmeans init=auto, float32: ValueError: init (tiny)" in printed
    (row,) = [line for line in printed.splitlines() if line.startswith("faiss niter=10 ")]
    assert "1.5 s" in row
    draw_curves(tmp_path / "curve.png", outcomes)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_curves_of_one_colour_differ_in_marker_and_stroke() -> None:
    from compare.curve import FURTHER, colour_of, number_curves

    names = ["fastkmeans k-means++", "checkout:a x", "fastkmeans mini-batches", "checkout:b x"]
    assert number_curves(names) == dict(zip(names, (0, 0, 1, 1), strict=True))
    assert colour_of(names[0]) == colour_of(names[2]) != FURTHER
    assert colour_of(names[1]) == colour_of(names[3]) == FURTHER


def test_a_smoke_test_has_the_ends_of_curves() -> None:
    outcomes = run_curve((FakeSolver("superkmeans", 0.5, (0.0,)),), quick=True)
    settings = [o.details["setting"] for o in outcomes if o.library == "superkmeans flat"]
    assert settings == ["iters=5", "iters=25"]
    assert [o.details["setting"] for o in outcomes if o.library == "superkmeans default"] == [""]


# --- the command line, and what libraries are asked


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["curve"], "curve needs --plot"),
        (["optimum", "--processor-time", "--threads", "2"], "needs --threads 1"),
    ],
)
def test_wrong_command_lines_are_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from compare.arguments import parse_arguments

    with pytest.raises(SystemExit):
        parse_arguments(arguments)
    assert reason in capsys.readouterr().err


def test_libraries_and_cells_are_those_of_the_task() -> None:
    from compare.arguments import choose_libraries, parse_arguments
    from compare.program import cells_of_starts

    options = parse_arguments(["optimum", "--quick"])
    names = choose_libraries(options, ("optimum",))
    assert names == ["fastkmeans", "scikit-learn", "bkmeans", "flspp"]
    assert [c.name for c in cells_of_starts("optimum", options)] == ["unbalanced8", "digits-k10"]
    assert options.seeds == 10
    options = parse_arguments(["curve", "--plot", "a.png", "--cells", "*k400"])
    names = choose_libraries(options, ("curve",))
    assert names == ["fastkmeans", "scikit-learn", "faiss", "superkmeans"]
    assert [c.name for c in cells_of_starts("curve", options)] == ["embeddings-20kx384-k400"]
    assert options.seeds == 3


def test_a_burst_ends_after_the_first_seed_beyond_it() -> None:
    pytest.importorskip("sklearn")
    from benchmarks.optima import OPTIMA
    from compare.worker import Session

    session = Session("scikit-learn", 1)
    session.load()
    session.data(OPTIMA[0].quick(), "float32")
    for processor_time in (False, True):
        (run,) = session.solve(5, {"n_init": 1}, [3, 4], 0.0, processor_time)
        assert run["centers"].shape == (5, 2)
        assert 0.0 < run["seconds"] < 60.0
    assert len(session.solve(5, {"n_init": 1}, [3, 4], 60.0)) == 2
    assert len({float(session.solve(5, {}, [s], 0.0)[0]["centers"].sum()) for s in (1, 2)}) == 2


def test_our_parameters_are_those_of_our_estimators() -> None:
    from compare.ours import FastKMeans

    import fastkmeans

    points = [point for curve in FastKMeans.curves.values() for point in curve]
    for parameters in (*FastKMeans.methods.values(), *points):
        named = dict(parameters)
        model = getattr(fastkmeans, named.pop("kind", "KMeans"))
        assert set(named) <= {field.name for field in fields(model)}
