"""Iterations by the call: many at once of a small table, one at a time of a large one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans._data.problem import open_problem
from fastkmeans._data.rows import ArrayRows
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._engines import sums as _sums
from fastkmeans._lloyd.loop import finish
from fastkmeans._lloyd.run import Workspace
from fastkmeans._lloyd.watch import Watch

Array = NDArray[Any]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tol", [0.0, 1e-4, 0.01])
@pytest.mark.parametrize(("rebuild_after", "turnover"), [(2, 2.0), (64, 0.1), (64, 2.0)])
def test_iterations_in_one_call_are_those_one_by_one(
    monkeypatch: Any, rebuild_after: int, turnover: float, tol: float, dtype: Any
) -> None:
    """Small tables, sums that are built again, and clusters that lose all their rows."""
    monkeypatch.setattr(_sums, "REBUILD_AFTER", rebuild_after)
    monkeypatch.setattr(_sums, "TURNOVER", turnover)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)).astype(dtype)
    for number in range(8):
        centers = rng.normal(size=(12, 3))
        centers[: number % 3] += 50.0  # no row is close
        found = []
        for pause in (None, lambda history: None):
            with open_problem(ArrayRows(X), NO_WEIGHTS, 1, 0.0) as problem:
                run = Workspace(problem, 12).begin(centers, 40)
                calls, one = [0], run.steps

                def counted(*arguments: Any, one: Any = one, calls: list[int] = calls) -> Any:
                    calls[0] += 1
                    return one(*arguments)

                run.steps = counted  # type: ignore[method-assign]
                outcome = finish(run, [], 40, tol, pause=pause)
            found.append((outcome, calls[0]))
        (together, few), (single, many) = found
        assert few < many
        assert together.centers.tobytes() == single.centers.tobytes()
        np.testing.assert_array_equal(together.labels, single.labels)
        assert together[1] == single[1]
        assert together[3:6] == single[3:6]
        for a, b in zip(together.history, single.history, strict=True):
            assert a._replace(seconds=0.0) == b._replace(seconds=0.0)


def test_of_a_large_table_every_iteration_is_told_when_it_ends() -> None:
    X = np.random.default_rng(0).normal(size=(300, 3))
    with open_problem(ArrayRows(X), NO_WEIGHTS, 1, 1e12) as problem:
        run = Workspace(problem, 12).begin(X[:12], 40)
        seen: list[bytes] = []

        class Listener(Watch):
            def iteration(self, number: int, record: Any, centers: Array, label: Any) -> str:
                seen.append(centers.tobytes())
                return ""

        outcome = finish(run, [], 40, 0.0, Listener())
    assert len(set(seen[:-1])) == outcome.n_iter - 1 > 5
    assert seen[-1] == seen[-2], "the last iteration moved no row"
