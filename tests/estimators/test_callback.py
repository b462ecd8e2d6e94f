"""The parameter ``callback``: it sees each iteration, changes nothing, and can end the fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone

from fastkmeans import KMeans, MiniBatchKMeans, k_means
from tests.helpers import reference
from tests.helpers.batches import SCHEDULES, mixture

Array = NDArray[Any]
STOPPED = "a callback ended the fit"


def same_bits(model: Any, other: Any) -> None:
    for name in ("cluster_centers_", "labels_"):
        assert getattr(model, name).tobytes() == getattr(other, name).tobytes()
    for name in ("inertia_", "n_iter_", "stop_reason_", "converged_"):
        assert getattr(model, name) == getattr(other, name)
    assert [s._replace(seconds=0.0) for s in model.history_] == [
        s._replace(seconds=0.0) for s in other.history_
    ]


def nothing(iteration: int, run: Any) -> None:
    """Return nothing, and so change nothing."""


def looking(iteration: int, run: Any) -> bool:
    run.centers[:] = np.nan  # a copy
    run.labels[:] = -1
    return False


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 300),
    d=st.integers(1, 5),
    seed=st.integers(0, 99),
    k=st.integers(1, 12),
    dtype=st.sampled_from([np.float32, np.float64]),
    weighted=st.booleans(),
    distinct=st.integers(1, 300),
    tol=st.sampled_from([0.0, 1e-4, 0.1]),
)
def test_fits_of_small_tables_keep_their_bits(
    n: int, d: int, seed: int, k: int, dtype: Any, weighted: bool, distinct: int, tol: float
) -> None:
    """Without a callback, one call of a kernel does many iterations of these."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(distinct, d)).astype(dtype)[rng.integers(0, distinct, n)]
    weights = rng.integers(0, 3, n) + (np.arange(n) == 0) if weighted else None
    model = KMeans(min(n, k), init="random", n_init=2, tol=tol, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few rows are distinct
        expected = clone(model).fit(X, sample_weight=weights)
        for callback in (nothing, looking):
            same_bits(clone(model).set_params(callback=callback).fit(X, None, weights), expected)


@pytest.mark.parametrize(
    ("algorithm", "d"), [("lloyd", 3), ("boxes", 3), ("auto", 3), ("bytes", 40), ("auto", 40)]
)
def test_fits_of_every_engine_keep_their_bits(algorithm: str, d: int) -> None:
    X = mixture(20_000, d, 30)
    model = KMeans(40, algorithm=algorithm, random_state=0, max_iter=12)
    expected = clone(model).fit(X)
    for callback in (nothing, looking):
        same_bits(clone(model).set_params(callback=callback).fit(X), expected)


@pytest.mark.parametrize("callback", [nothing, looking])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("compute_labels", [True, False])
def test_fits_by_batches_keep_their_bits(
    schedule: str, callback: Any, compute_labels: bool
) -> None:
    X = mixture(9000, 4, 9)
    model = MiniBatchKMeans(
        9, schedule=schedule, random_state=0, max_iter=4, compute_labels=compute_labels
    )
    expected = clone(model).fit(X)
    found = clone(model).set_params(callback=callback).fit(X)
    if not compute_labels:
        expected.labels_ = found.labels_ = np.empty(0)
    same_bits(found, expected)
    assert found.partial_fit(X[:99]).n_steps_ == expected.n_steps_ + 1


@pytest.mark.parametrize("n", [120, 20_000])  # one call for all iterations, and one for each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("last", [1, 2, 5])
def test_true_ends_the_fit_with_labels_of_its_centers(n: int, dtype: Any, last: int) -> None:
    X = mixture(n, 3, 12).astype(dtype)
    seen: list[Any] = []

    def callback(iteration: int, run: Any) -> bool:
        seen.append((run.centers, run.labels))
        return iteration == last

    model = KMeans(12, init=X[:12], tol=0.0, callback=callback).fit(X)
    assert len(seen) == model.n_iter_ == len(model.history_) == last
    assert (model.stop_reason_, model.converged_) == (STOPPED, False)
    centers, labels = seen[-1]
    assert centers.tobytes() == model.cluster_centers_.tobytes()
    np.testing.assert_array_equal(labels, model.labels_)
    np.testing.assert_array_equal(labels, reference.closest(X, model.cluster_centers_))
    assert model.inertia_ == pytest.approx(reference.inertia(X, labels, centers), rel=1e-12)
    shorter = KMeans(12, init=X[:12], tol=0.0, max_iter=last).fit(X)
    assert shorter.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()
    assert shorter.inertia_ == model.inertia_


def test_the_view_is_the_entry_of_the_history(X: Array) -> None:
    seen: list[Any] = []
    numbers: list[int] = []
    last: list[Array] = []

    def callback(iteration: int, run: Any) -> np.bool_:
        numbers.append(iteration)
        seen.append(run)
        last[:] = [run.centers]
        assert run.labels is run.labels  # found once
        assert {"inertia", "n_moved", "centers", "labels"} <= set(dir(run))
        with pytest.raises(AttributeError, match="n_rows"):
            _ = run.n_rows
        with pytest.raises(AttributeError):
            run.centers = 0.0
        return np.bool_(False)

    weights = np.full(400, 2.0**600)  # with a unit of their own
    model = KMeans(5, random_state=0, local_search=0, tol=0.0, callback=callback).fit(
        X, sample_weight=weights
    )
    assert numbers == list(range(1, model.n_iter_ + 1))
    for run, entry in zip(seen, model.history_, strict=True):
        names = ("inertia", "center_shift", "n_moved", "seconds", "avoided")
        assert tuple(getattr(run, name) for name in names) == entry
        assert (run.run, run.n_runs) == (1, 1)
        assert repr(run).startswith(f"<iteration {run.iteration} of run 1 of 1: Iteration(")
    assert last[0].tobytes() == model.cluster_centers_.tobytes(), "centers of the end"
    for name in ("centers", "labels"):
        with pytest.raises(RuntimeError, match="while the callback runs"):
            getattr(seen[0], name)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("last", [1, 3])
def test_true_ends_a_fit_by_batches(schedule: str, last: int) -> None:
    X = mixture(9000, 4, 9)
    seen: list[Any] = []

    def callback(iteration: int, run: Any) -> bool:
        seen.append((run.n_rows, run.inertia, run.center_shift, run.seconds, run.avoided))
        seen.append((run.centers, run.labels))
        return iteration == last

    model = MiniBatchKMeans(
        9, schedule=schedule, batch_size=500, random_state=0, callback=callback
    ).fit(X)
    assert (model.n_steps_, model.stop_reason_, model.converged_) == (last, STOPPED, False)
    assert seen[::2] == model.history_
    centers, labels = seen[-1]
    assert centers.tobytes() == model.cluster_centers_.tobytes()
    np.testing.assert_array_equal(labels, model.labels_)
    np.testing.assert_array_equal(labels, reference.closest(X, centers))


def test_true_ends_all_runs_and_the_best_is_kept(X: Array) -> None:
    calls: list[tuple[int, int, int]] = []

    def callback(iteration: int, run: Any) -> bool:
        calls.append((run.run, run.n_runs, iteration))
        return run.run == 3

    model = KMeans(9, init="random", n_init=8, random_state=5, callback=callback).fit(X)
    assert calls[-1] == (3, 8, 1)
    rng = np.random.default_rng(5)
    runs = [
        KMeans(9, init="random", n_init=1, random_state=rng, local_search=0).fit(X)
        for _ in range(2)
    ]
    best = min(runs, key=lambda run: run.inertia_)
    assert (
        best.inertia_
        < KMeans(9, init="random", n_init=1, max_iter=1, random_state=rng).fit(X).inertia_
    )
    assert model.cluster_centers_.tobytes() == best.cluster_centers_.tobytes()
    assert model.inertia_ == best.inertia_
    assert (model.n_iter_, len(model.history_)) == (best.n_iter_, best.n_iter_)
    assert (model.stop_reason_, model.converged_) == (STOPPED, False)


def test_true_in_the_last_iteration(X: Array) -> None:
    whole = KMeans(5, random_state=0, local_search=0, tol=0.0).fit(X)
    model = KMeans(5, random_state=0, tol=0.0, callback=lambda i, run: run.n_moved == 0).fit(X)
    assert whole.stop_reason_ == "no row changed its cluster"
    assert (model.n_iter_, model.stop_reason_) == (whole.n_iter_, STOPPED)
    assert model.cluster_centers_.tobytes() == whole.cluster_centers_.tobytes()
    np.testing.assert_array_equal(model.labels_, whole.labels_)


class CallbackError(Exception):
    """Raised by a callback."""


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans])
@pytest.mark.parametrize("n", [400, 20_000])
def test_an_error_in_it_propagates_and_the_model_stays_as_it_was(kind: Any, n: int) -> None:
    X = mixture(n, 3, 6)

    def callback(iteration: int, run: Any) -> None:
        if iteration == 2:
            raise CallbackError("of a callback")

    model = kind(6, random_state=0, callback=callback)
    blank = dict(vars(model))
    with pytest.raises(CallbackError, match="of a callback"):
        model.fit(X)
    assert vars(model) == blank
    model.set_params(callback=None).fit(X)
    inertia = model.inertia_
    with pytest.raises(CallbackError):
        model.set_params(callback=callback).fit(X[::-1])
    assert model.inertia_ == inertia
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    same_bits(clone(model).set_params(callback=None).fit(X), model)


def test_a_callback_may_fit_and_predict(X: Array) -> None:
    """Its own threads do not disturb those of the fit."""
    big = mixture(20_000, 3, 9)
    inner = KMeans(3, random_state=0).fit(big)

    def callback(iteration: int, run: Any) -> None:
        np.testing.assert_array_equal(KMeans(3, random_state=0).fit_predict(big), inner.labels_)

    model = KMeans(9, random_state=0, max_iter=3)
    same_bits(clone(model).set_params(callback=callback).fit(big), clone(model).fit(big))


def test_what_is_no_callback_is_refused(X: Array) -> None:
    for kind in (KMeans, MiniBatchKMeans):
        with pytest.raises(TypeError, match=r"callback must be None or a function.*got 'print'"):
            kind(3, callback="print").fit(X)


def test_the_function_takes_it_too(X: Array, capsys: pytest.CaptureFixture[str]) -> None:
    found = k_means(X, 5, random_state=0, verbose=1, callback=lambda i, run: i == 3,
                    return_n_iter=True)  # fmt: skip
    assert found[3] == 3
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"Stopped at iteration 3: {STOPPED}; inertia ")


def test_a_model_file_holds_no_callback(X: Array, tmp_path: Any) -> None:
    model = KMeans(3, random_state=0, callback=nothing).fit(X)
    with pytest.warns(UserWarning, match="callback=.* is not saved"):
        model.save(tmp_path / "model.npz")
    assert KMeans.load(tmp_path / "model.npz").callback is None
