"""scripts/compare: what it counts, and what it reports."""

from __future__ import annotations

import math

import pytest

from tests.helpers.fakes import outcome

pytestmark = pytest.mark.usefixtures("scripts_path")


def test_per_iteration_cancels_what_a_run_pays_once() -> None:
    from compare.results import per_iteration

    seconds, spread = per_iteration([1.2, 1.1], [1.6, 1.8], 2, 12)
    assert seconds == pytest.approx(0.05)
    assert spread > 0
    assert math.isnan(per_iteration([1.0], [2.0], 5, 5)[0])
    assert math.isnan(per_iteration([1.0], [0.9], 2, 12)[0])


def test_geometric_mean() -> None:
    from compare.results import geometric_mean

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
    from compare.results import ratio

    ours = outcome("ours", 1.0, 50.0, dtype=dtype)
    found = ratio(ours, outcome("peer", 3.0, 50.0 * (1 + difference), dtype=dtype))
    assert (found.value == 3.0) if fair else (found.value is None)
    assert fair or "not comparable" in found.reason


def test_means_over_draws_agree_within_their_errors() -> None:
    from compare.results import Outcome, mean_and_error, ratio

    mean, error = mean_and_error([90.0, 110.0])
    assert (mean, error) == (100.0, pytest.approx(10.0))
    ours = Outcome("seeding", "a", "float32", "ours", seconds=1.0, inertia=mean, error=error)
    near = Outcome("seeding", "a", "float32", "peer", seconds=2.0, inertia=125.0, error=1.0)
    far = Outcome("seeding", "a", "float32", "peer", seconds=2.0, inertia=140.0, error=1.0)
    assert ratio(ours, near).value == 2.0
    assert ratio(ours, far).value is None


def test_no_ratio_without_a_baseline_from_the_same_start() -> None:
    from compare.results import ratios

    ours = outcome("ours", 1.0, 50.0)
    other = outcome("peer", 2.0, 50.0, start="peer")
    ((_, found),) = ratios([ours, other], "ours")
    assert found.value is None
    assert "no baseline" in found.reason


def test_summary_reports_means_and_reasons() -> None:
    from compare.results import format_table, slower_cells, summarize

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


def test_a_lower_inertia_is_no_objection_for_mini_batches_alone() -> None:
    from compare.results import Outcome, agree

    for task, fair in (("minibatch", True), ("seeding", False)):
        ours = Outcome(task, "a", "float32", "ours", seconds=1.0, inertia=90.0)
        assert agree(ours, Outcome(task, "a", "float32", "peer", inertia=100.0)) == fair
        assert not agree(ours, Outcome(task, "a", "float32", "peer", inertia=80.0))
