"""``early_stop``: runs that look hopeless end, by a rule that the histories alone decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._lloyd.loop import HOPELESS, is_hopeless, next_look
from fastkmeans._lloyd.run import Iteration
from fastkmeans._lloyd.watch import Watch
from tests.helpers.checkpoints import bits, stop_and_resume

Array = NDArray[Any]


def steps(*inertias: float) -> list[Iteration]:
    return [Iteration(inertia, 0.0, 0, 0.0, 0.0) for inertia in inertias]


def test_looks_and_the_rule() -> None:
    assert [next_look(n) for n in (0, 7, 8, 11, 12, 17, 26, 27, 100)] == [
        8, 8, 12, 12, 18, 18, 27, 40, 135,
    ]  # fmt: skip
    falling = steps(100, 90, 80, 70, 60, 58, 56, 55)  # from the fourth to the eighth: 15
    assert not is_hopeless(falling, 40.5)
    assert not is_hopeless(falling, 40.0)
    assert is_hopeless(falling, 39.5)
    assert not is_hopeless(steps(100, 90, 80, 70, 70, 70, 70, 71), 71.0)  # a rise is no gain
    assert is_hopeless(steps(100, 90, 80, 70, 70, 70, 70, 71), 70.5)
    assert is_hopeless(steps(np.inf, np.inf), 3.0)
    assert not is_hopeless(steps(np.inf, np.inf), np.inf)


def overlapping(n: int) -> Array:
    rng = np.random.default_rng(2)
    means, spread, group = rng.random((15, 2)), rng.uniform(0.05, 0.15, 15), rng.integers(0, 15, n)
    X = means[group] + spread[group, None] * rng.standard_normal((n, 2))
    return X.astype(np.float32)


X = overlapping(3000)


class Runs(Watch):
    """Keeps what the runs of a fit end with."""

    def __init__(self) -> None:
        self.ends: list[Any] = []

    def run_ends(self, run: Any) -> bool:
        self.ends.append(run)
        return False


def model(**options: Any) -> KMeans:
    return KMeans(**({"n_clusters": 15, "n_init": 10, "random_state": 0, "tol": 0.0} | options))


def fit(rows: Array, checkpoint: Any = None, **options: Any) -> tuple[KMeans, list[Any]]:
    from fastkmeans._estimators.inputs import as_table

    runs, own = Runs(), model(**options)
    return own._fit(as_table(rows), rows, None, runs, checkpoint), runs.ends


def simulated(full: list[Any]) -> tuple[list[int], int]:
    """Return how many iterations each run takes, and which is kept, from runs to their ends."""
    taken: list[int] = []
    best, kept = np.inf, 0
    for number, run in enumerate(full):
        inertias = [step.inertia for step in run.history]
        n, look = len(inertias), 8
        while look <= n:
            now = inertias[look - 1]
            if now - max(0.0, inertias[look // 2 - 1] - now) > best:
                break
            look += look // 2
        taken.append(min(n, look))
        if look > n and run.inertia < best:
            best, kept = run.inertia, number
    return taken, kept


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("options", [{}, {"max_iter": 20}, {"tol": 1e-4}, {"algorithm": "boxes"}])
def test_the_rule_depends_on_histories_alone(init: str, options: dict[str, Any]) -> None:
    options = {"init": init, "early_stop": True, "local_search": 0} | options
    _, full = fit(X, **options | {"early_stop": False})
    early, ends = fit(X, **options)
    taken, kept = simulated(full)
    assert [run.n_iter for run in ends] == taken
    assert sum(taken) < sum(run.n_iter for run in full)
    winner = full[kept]
    assert early.cluster_centers_.tobytes() == winner.centers.tobytes()
    assert early.labels_.tobytes() == winner.labels.tobytes()
    assert (early.inertia_, early.n_iter_) == (winner.inertia, winner.n_iter)
    assert early.stop_reason_ == winner.stop_reason != HOPELESS
    assert [step.inertia for step in early.history_] == [step.inertia for step in winner.history]
    ended = [run for run in ends if run.stop_reason == HOPELESS]
    assert ended
    assert not any(run.converged or run.labels.size for run in ended)
    assert all(run.inertia > early.inertia_ for run in ended)


def test_single_runs_are_those_without() -> None:
    for options in ({"n_init": 1}, {"init": X[:15], "n_init": 1}):
        assert bits(fit(X, early_stop=True, **options)[0]) == bits(fit(X, **options)[0])


def test_callbacks_verbose_and_threads_change_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    expected = bits(model(early_stop=True).fit(X))
    seen: list[int] = []
    watched = model(early_stop=True, callback=lambda number, run: seen.append(run.run)).fit(X)
    assert bits(watched) == expected
    assert set(seen) == set(range(1, 11))
    assert bits(model(early_stop=True, verbose=1).fit(X)) == expected
    assert f"Stopped at iteration 8: {HOPELESS}; inertia" in capsys.readouterr().out
    many = overlapping(60_000)
    options = {"early_stop": True, "n_init": 4, "max_iter": 40}
    one, two = (model(n_threads=n, **options).fit(many) for n in (1, 2))
    assert bits(one) == bits(two)


@pytest.mark.parametrize("after", [(1,), (12,), (60,), (30, 40, 50)], ids=str)
def test_a_stopped_fit_goes_on_with_the_same_bits(tmp_path: Path, after: tuple[int, ...]) -> None:
    early = model(early_stop=True)
    resumed = stop_and_resume(model(early_stop=True), X, tmp_path / "c", after)
    assert bits(resumed) == bits(early.fit(X))


def test_the_parameter(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="early_stop"):
        model(early_stop="yes").fit(X)
    model(early_stop=True).fit(X).save(tmp_path / "model.npz")
    assert KMeans.load(tmp_path / "model.npz").early_stop is True
