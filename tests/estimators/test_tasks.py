"""scikit-learn's callbacks: the tasks of a fit, progress bars and monitors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastkmeans import KMeans, MiniBatchKMeans
from fastkmeans.compat import sklearn as compat

Array = NDArray[Any]
BOTH = [KMeans, MiniBatchKMeans, compat.KMeans, compat.MiniBatchKMeans]


def test_an_older_scikit_learn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    with pytest.raises(
        RuntimeError, match=r"set_callbacks needs the callbacks of scikit-learn 1\.9"
    ):
        KMeans().set_callbacks()


@pytest.fixture(scope="module")
def theirs() -> Any:
    return pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")


class Recorder:
    """A callback that notes the tasks, and sees a model at the end of each."""

    def __init__(self, stop: Callable[[Any], bool] = lambda context: False) -> None:
        self.events: list[tuple[str, str, int]] = []
        self.models: list[Any] = []
        self.given: list[Any] = []
        self.most: dict[str, Any] = {}
        self.stop = stop

    def setup(self, estimator: Any, context: Any) -> None:
        self.events.append(("setup", context.task_name, 0))

    def teardown(self, estimator: Any, context: Any) -> None:
        self.events.append(("teardown", context.task_name, 0))

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.events.append(("begin", context.task_name, context.task_id))
        self.most[context.task_name] = context.max_subtasks

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any, fitted_estimator: Any
    ) -> bool:
        self.events.append(("end", context.task_name, context.task_id))
        self.models.append(fitted_estimator)
        self.given.append((X, y, metadata))
        return self.stop(context)


def iterations(n: int) -> list[tuple[str, str, int]]:
    return [(what, "iteration", i) for i in range(n) for what in ("begin", "end")]


@pytest.mark.parametrize("kind", BOTH)
def test_the_tasks_of_a_fit(theirs: Any, X: Array, kind: Any) -> None:
    recorder, y, weights = Recorder(), np.arange(400), np.linspace(1, 2, 400)
    model = kind(4, random_state=0)
    expected = clone(model).fit(X, sample_weight=weights)
    assert model.set_callbacks(recorder) is model
    model.fit(X, y, weights)
    n = len(model.history_)
    assert model.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()
    assert n == len(expected.history_)
    outer = [("setup", "fit", 0), ("begin", "fit", 0)], [("end", "fit", 0), ("teardown", "fit", 0)]
    assert recorder.events == outer[0] + iterations(n) + outer[1]
    assert recorder.most == {
        "fit": None if n == 0 or "Mini" in kind.__name__ else 300,
        "iteration": 0,
    }
    for each in recorder.given:
        assert each[0] is X
        assert each[1] is y
        assert each[2]["sample_weight"] is weights
    for number, seen in enumerate(recorder.models[:-1], 1):
        assert type(seen) is kind
        np.testing.assert_array_equal(seen.predict(X), seen.labels_)
        assert getattr(seen, "n_steps_" if "Mini" in kind.__name__ else "n_iter_") == number
    final = recorder.models[-1]
    assert final.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()
    assert final.inertia_ == model.inertia_
    assert not hasattr(model, "_callback_fit_ctx")
    recorder.events.clear()
    model.set_callbacks().fit(X)
    assert not recorder.events


def test_the_tasks_of_several_runs(theirs: Any, X: Array) -> None:
    recorder = Recorder()
    model = KMeans(4, init="random", n_init=3, random_state=0, local_search=0)
    model.set_callbacks(recorder).fit(X)
    assert recorder.most == {"fit": 3, "run": 300, "iteration": 0}
    runs = [event for event in recorder.events if event[1] == "run"]
    assert runs == [(what, "run", i) for i in range(3) for what in ("begin", "end")]
    names = [event[1] for event in recorder.events if event[0] == "end"]
    ends = [m for m, name in zip(recorder.models, names, strict=True) if name == "run"]
    assert min(ends, key=lambda m: m.inertia_).inertia_ == model.inertia_
    for each in ends:
        assert each.score(X) == pytest.approx(-each.inertia_, rel=1e-12)


def test_a_callback_ends_its_level(theirs: Any, X: Array) -> None:
    def last(context: Any) -> bool:
        return (context.task_name, context.task_id) == ("iteration", 2)

    def second_run(context: Any) -> bool:
        return (context.task_name, context.task_id) == ("run", 1)

    model = KMeans(4, random_state=0, tol=0.0).set_callbacks(Recorder(last)).fit(X)
    assert (model.n_iter_, model.stop_reason_) == (3, "a callback ended the fit")
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    recorder = Recorder(last)
    KMeans(4, init="random", n_init=2, random_state=0, tol=0.0).set_callbacks(recorder).fit(X)
    assert [e[1] for e in recorder.events if e[0] == "end"] == (["iteration"] * 3 + ["run"]) * 2 + [
        "fit"
    ]
    recorder = Recorder(second_run)
    model = KMeans(4, init="random", n_init=5, random_state=0).set_callbacks(recorder).fit(X)
    assert len([event for event in recorder.events if event[:2] == ("end", "run")]) == 2
    assert model.stop_reason_ == "a callback ended the fit"


def test_callbacks_are_torn_down_after_an_error(theirs: Any, X: Array) -> None:
    def fails(context: Any) -> bool:
        raise ZeroDivisionError("of a callback")

    recorder = Recorder(fails)
    model = KMeans(4).set_callbacks(recorder)
    with pytest.raises(ZeroDivisionError, match="of a callback"):
        model.fit(X)
    assert recorder.events[-1] == ("teardown", "fit", 0)
    assert not hasattr(model, "cluster_centers_")
    assert not hasattr(model, "_callback_fit_ctx")


def test_a_model_on_the_way_knows_its_features(theirs: Any, X: Array) -> None:
    frame, recorder = pd.DataFrame(X, columns=list("abc")), Recorder()
    model = KMeans(4, random_state=0).fit(frame).set_callbacks(recorder)
    model.fit(X)
    recorder.models[0].predict(X)  # no warning of names: they are of the fit before
    model.fit(frame)
    recorder.models[-2].predict(frame)


def test_both_kinds_of_callbacks(theirs: Any, X: Array) -> None:
    recorder, calls = Recorder(), []
    model = KMeans(4, random_state=0, callback=lambda i, run: calls.append(i)).set_callbacks(
        recorder
    )
    model.fit(X)
    assert calls == list(range(1, model.n_iter_ + 1))
    assert len(recorder.models) == model.n_iter_ + 1


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans])
def test_a_scoring_monitor(theirs: Any, X: Array, kind: Any) -> None:
    y = np.random.default_rng(0).integers(0, 3, 400)
    monitor = theirs.ScoringMonitor(scoring="adjusted_rand_score")
    model = kind(4, random_state=0).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(rows) == len(model.history_)
    from sklearn.metrics import adjusted_rand_score

    ends = [row for row in monitor.get_logs().data if row["task_name"] == "fit"]
    expected = adjusted_rand_score(y, model.labels_)
    assert ends[0]["adjusted_rand_score"] == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
def test_a_pipeline_passes_them_on(theirs: Any, X: Array) -> None:
    class Spreading(Recorder):
        max_propagation_depth = None

    recorder = Spreading()
    pipeline = make_pipeline(StandardScaler(), KMeans(4, random_state=0))
    pipeline.set_callbacks(recorder).fit(X)
    n = pipeline[-1].n_iter_
    assert [e for e in recorder.events if e[1] == "iteration"] == iterations(n)
    assert not hasattr(pipeline[-1], "_skl_callbacks")
    assert not hasattr(pipeline[-1], "_parent_callback_ctx")


@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans])
def test_progress_bars(theirs: Any, X: Array, kind: Any, capsys: Any) -> None:
    pytest.importorskip("rich")
    model = kind(4, random_state=0).set_callbacks(theirs.ProgressBar())
    model.fit(X)
    assert f"{kind.__name__} - fit" in capsys.readouterr().out
    depth = theirs.ProgressBar(max_propagation_depth=None)
    pipeline = make_pipeline(StandardScaler(), kind(4, random_state=0))
    clone(pipeline).set_callbacks(depth).fit(X)
    assert f"{kind.__name__} - fit" in capsys.readouterr().out
    search = GridSearchCV(pipeline, {f"{kind.__name__.lower()}__n_clusters": [2, 3]}, cv=2)
    search.set_callbacks(theirs.ProgressBar(max_propagation_depth=None)).fit(X)
    assert f"{kind.__name__} - fit" in capsys.readouterr().out
