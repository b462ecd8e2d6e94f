"""MiniBatchKMeans as an estimator, by both schedules, against KMeans and NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.cluster
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastkmeans import MiniBatchKMeans, open_dataset
from fastkmeans._data.rows import ArrayRows, ConvertedRows
from fastkmeans._data.sample import Sample
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._estimators.inputs import as_table
from tests.helpers import reference
from tests.helpers.batches import SCHEDULES, Array, mixture
from tests.helpers.estimators import all_checks


@pytest.fixture(scope="module")
def X() -> Array:  # noqa: N802
    return mixture(20_000, 5, 12)


# Weighted rows are other draws than repeated ones; scikit-learn expects the same of its own
# MiniBatchKMeans.
@all_checks(
    [
        MiniBatchKMeans(3, max_iter=10),
        MiniBatchKMeans(init="random", schedule="random", max_iter=2, batch_size=10),
    ],
    {
        "check_sample_weight_equivalence_on_dense_data": "random batches",
        "check_sample_weight_equivalence_on_sparse_data": "random batches",
    },
)
@pytest.mark.filterwarnings("ignore:Only .* clusters have rows")  # some checks repeat a row
@pytest.mark.filterwarnings("ignore:Estimator MiniBatchKMeans does not inherit")
def test_scikit_learn_checks(estimator: MiniBatchKMeans, check: Any) -> None:
    check(estimator)


def test_parameters_are_those_of_scikit_learn() -> None:
    ours, theirs = MiniBatchKMeans().get_params(), sklearn.cluster.MiniBatchKMeans().get_params()
    assert set(ours) - set(theirs) == {"schedule", "n_threads", "callback", "metric"}
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_clusters", 0, ValueError),
        ("batch_size", 0, ValueError),
        ("batch_size", 10.5, TypeError),
        ("batch_size", None, TypeError),
        ("max_iter", 0, ValueError),
        ("max_no_improvement", -1, ValueError),
        ("max_no_improvement", "never", TypeError),
        ("init_size", 0, ValueError),
        ("reassignment_ratio", -0.1, ValueError),
        ("reassignment_ratio", np.nan, ValueError),
        ("reassignment_ratio", None, TypeError),
        ("compute_labels", "yes", (TypeError, ValueError)),
        ("schedule", "nestled", ValueError),
        ("schedule", None, ValueError),
        ("tol", -1.0, ValueError),
        ("n_init", 0, ValueError),
        ("init", "kmeans", ValueError),
        ("n_threads", 0, ValueError),
    ],
)
def test_bad_parameters_are_named(name: str, value: Any, error: Any) -> None:
    model = MiniBatchKMeans(**{"n_clusters": 3, name: value})
    for method in ("fit", "partial_fit"):
        with pytest.raises(error, match=name):
            getattr(model, method)(np.eye(9))
        assert not model.__sklearn_is_fitted__()


# Both schedules -----------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_and_layouts_do_not_matter(schedule: str, dtype: Any) -> None:
    X = mixture(6000, 24, 40).astype(dtype)
    model = MiniBatchKMeans(
        40, random_state=0, schedule=schedule, batch_size=2000, max_iter=2, n_threads=1
    )
    expected = clone(model).fit(X).partial_fit(X[:4000])
    wide = np.zeros((12_000, 30), dtype)
    wide[::2, 3:27] = X
    for rows in (X, np.asfortranarray(X), wide[::2, 3:27], X[::-1].copy()[::-1]):
        found = clone(model).set_params(n_threads=2).fit(rows).partial_fit(rows[:4000])
        np.testing.assert_array_equal(found.cluster_centers_, expected.cluster_centers_)
        np.testing.assert_array_equal(found.labels_, expected.labels_)
        assert found.inertia_ == expected.inertia_


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("dtype", "same"), [("int16", "float64"), ("uint8", "float64"), ("float16", "float32")]
)
def test_other_dtypes_and_tables(schedule: str, dtype: str, same: str) -> None:
    import pandas as pd

    X = (mixture(4000, 3, 6) * 20.0).clip(0, 255).astype(dtype)
    model = MiniBatchKMeans(6, random_state=0, schedule=schedule, max_iter=3)
    expected = clone(model).fit(X.astype(same)).partial_fit(X[:99].astype(same))
    frame = pd.DataFrame({name: X[:, f].astype(dtype) for f, name in enumerate("abc")})
    frame["b"] = frame["b"].astype(same)  # columns of their own
    for rows in (X, frame):
        found = clone(model).fit(rows).partial_fit(rows[:99])
        np.testing.assert_array_equal(found.cluster_centers_, expected.cluster_centers_)
        assert found.inertia_ == expected.inertia_
    assert found.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        found.partial_fit(frame.rename(columns={"a": "z"}))


def test_converted_rows_are_taken_in_any_order() -> None:
    X = np.random.default_rng(0).integers(0, 99, (40, 3)).astype(np.int8)
    order = np.array([7, 8, 9, 3, 3, 39, 0, 1])
    taken = ConvertedRows(X, np.dtype(np.float64)).take(order)
    np.testing.assert_array_equal(taken, X[order].astype(float))
    import pandas as pd

    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1].astype(np.float32)})
    taken = as_table(frame).rows.take(order)
    np.testing.assert_array_equal(taken, X[order, :2].astype(float))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_methods_agree(X: Array, schedule: str) -> None:
    model = MiniBatchKMeans(7, random_state=0, schedule=schedule, max_iter=5).fit(X)
    assert (model.cluster_centers_.dtype, model.labels_.dtype) == (np.float64, np.int32)
    assert type(model.inertia_) is float
    assert {type(model.n_iter_), type(model.n_steps_)} == {int}
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_array_equal(model.labels_, reference.closest(X, model.cluster_centers_))
    assert model.score(X) == -model.inertia_
    np.testing.assert_array_equal(model.transform(X).argmin(axis=1), model.labels_)
    np.testing.assert_array_equal(clone(model).fit_predict(X), model.labels_)
    np.testing.assert_array_equal(clone(model).fit_transform(X), model.transform(X))
    assert len(model.history_) == model.n_steps_
    quick = clone(model).set_params(compute_labels=False).fit(X)
    np.testing.assert_array_equal(quick.cluster_centers_, model.cluster_centers_)
    assert not hasattr(quick, "labels_")
    assert quick.inertia_ == pytest.approx(model.inertia_, rel=0.05)
    with pytest.raises(NotFittedError, match="This MiniBatchKMeans instance is not fitted"):
        clone(model).predict(X)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_weight_zero_is_no_row_and_scale_is_no_matter(X: Array, schedule: str) -> None:
    weights = np.random.default_rng(0).random(20_000)
    weights[::3] = 0.0
    model = MiniBatchKMeans(8, random_state=0, schedule=schedule, max_iter=3, init_size=900)
    found = clone(model).fit(X, sample_weight=weights)
    total = reference.inertia(X, found.labels_, found.cluster_centers_, weights)
    assert found.inertia_ == pytest.approx(total, rel=1e-12)
    kept = weights > 0.0
    absent = clone(model).fit(X[kept], sample_weight=weights[kept])
    double = clone(model).fit(X, sample_weight=2.0 * weights)
    np.testing.assert_array_equal(double.cluster_centers_, found.cluster_centers_)
    if schedule == "nested":
        np.testing.assert_allclose(absent.cluster_centers_, found.cluster_centers_, rtol=1e-12)
    assert absent.inertia_ == pytest.approx(found.inertia_, rel=0.03)
    few = np.zeros(20_000)
    few[[5, 700, 9000]] = 1.0
    assert clone(model).set_params(n_clusters=3).fit(X, sample_weight=few).inertia_ == 0.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_constant_data(schedule: str) -> None:
    X = np.tile([0.1, 0.7, 1e5], (3000, 1))
    model = MiniBatchKMeans(4, random_state=0, schedule=schedule)
    with pytest.warns(ConvergenceWarning, match="Only 1 of the 4 clusters have rows"):
        model.fit(X)
    assert model.inertia_ == 0.0
    np.testing.assert_allclose(model.cluster_centers_, X[:4], rtol=1e-15)
    model.partial_fit(X[:100])
    np.testing.assert_allclose(model.cluster_centers_, X[:4], rtol=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_batch_larger_than_the_table(X: Array, schedule: str) -> None:
    model = MiniBatchKMeans(5, batch_size=10**6, random_state=0, schedule=schedule)
    assert {step.n_rows for step in model.fit(X[:300]).history_} == {300}
    assert len(MiniBatchKMeans(300, random_state=0, batch_size=10).fit(X[:300]).labels_) == 300


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_starts(X: Array, schedule: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Array] = []

    def init(rows: Array, k: int, random_state: np.random.RandomState) -> Array:
        seen.append(rows)
        return rows[random_state.choice(len(rows), k, replace=False)]

    model = MiniBatchKMeans(
        6, init=init, schedule=schedule, init_size=400, random_state=0, verbose=1, max_iter=1
    ).fit(X)
    assert [rows.shape for rows in seen] == [(400, 5)] * 3
    assert np.isin(seen[0][:, 0], X[:, 0]).all()
    out = capsys.readouterr().out
    assert out.count("Initialisation ") == 3
    assert out.count("  step ") == model.n_steps_
    assert f"step 1: {model.history_[0].n_rows} rows, mean inertia" in out
    shown = [float(line.split()[-1]) for line in out.splitlines() if line.startswith("Init")]
    sizes = len(seen[0]) if schedule == "nested" else None
    if sizes is not None:  # the first batch is the sample
        assert model.history_[0].inertia * sizes == pytest.approx(min(shown), rel=1e-6)
    assert out.splitlines()[-1].endswith(f"{model.n_steps_}: {model.stop_reason_}")
    assert (model._n_init, model._init_size) == (3, 400)
    with pytest.warns(RuntimeWarning, match="init_size=3 should be larger than n_clusters=6"):
        MiniBatchKMeans(6, init_size=3, random_state=0, schedule=schedule).fit(X)


@pytest.mark.parametrize(
    ("parameters", "how"),
    [
        ({"max_no_improvement": 1}, "Converged (lack of improvement in inertia)"),
        ({"tol": 10.0}, "Converged (small centers change)"),
        ({"max_iter": 1, "max_no_improvement": None}, "Stopped"),
    ],
)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_verbose_ends_with_the_reason(
    X: Array, schedule: str, parameters: dict[str, Any], how: str, capsys: Any
) -> None:
    model = MiniBatchKMeans(
        6, random_state=0, schedule=schedule, batch_size=400, verbose=1, **parameters
    ).fit(X[:2000])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"{how} at step {model.n_steps_}: {model.stop_reason_}"


def test_given_centers_and_many_runs_warn_once() -> None:
    rows = np.arange(12.0).reshape(6, 2)
    model = MiniBatchKMeans(2, init=rows[:2], n_init=5)
    for method in ("fit", "partial_fit"):
        fresh = clone(model)
        with pytest.warns(RuntimeWarning, match="only one init in MiniBatchKMeans instead of n_in"):
            getattr(fresh, method)(rows)
        assert fresh._n_init == 1
        fresh.partial_fit(rows)  # it has its centers: nothing to warn of


def test_rows_that_are_in_no_batch_are_not_looked_at(tmp_path: Path) -> None:
    """A memory map may hold NaN in them as well: they do not matter."""
    path = tmp_path / "rows.npy"
    file = np.lib.format.open_memmap(path, "w+", np.float32, (60_000, 4))
    file[:] = mixture(60_000, 4, 3)
    model = MiniBatchKMeans(3, random_state=0, compute_labels=False)
    expected = clone(model).fit(np.load(path, mmap_mode="r"))
    sizes = [step.n_rows for step in expected.history_]
    assert sizes[0] < sizes[-1] < 60_000
    largest, rng = sizes[-1], np.random.default_rng(0)
    sample = Sample(ArrayRows(np.arange(60_000.0).reshape(-1, 1)), NO_WEIGHTS, sizes[0], 3, rng)
    used = sample.first(largest).rows.take(np.arange(largest))[:, 0].astype(int)
    unused = np.setdiff1d(np.arange(60_000), used)
    file[unused] = np.nan
    file.flush()
    mapped = np.load(path, mmap_mode="r")
    found = clone(model).fit(mapped)
    np.testing.assert_array_equal(found.cluster_centers_, expected.cluster_centers_)
    with pytest.raises(ValueError, match=f"NaN at row {unused[0]}, column 0"):
        clone(model).set_params(compute_labels=True).fit(mapped)


def test_a_saved_model_goes_on(tmp_path: Path) -> None:
    """It predicts the same, and the next batch finds the weights of the centers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    fitted = MiniBatchKMeans(5, random_state=0).fit(X[:2000])
    streamed = MiniBatchKMeans(5, random_state=0).partial_fit(X[:1000]).partial_fit(X[1000:2000])
    for model in (fitted, streamed):
        model.save(tmp_path / "model.npz")
        loaded = MiniBatchKMeans.load(tmp_path / "model.npz")
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        assert loaded.n_steps_ == model.n_steps_
        assert getattr(loaded, "n_iter_", None) == getattr(model, "n_iter_", None)
        for each in (loaded, model):
            each.set_params(reassignment_ratio=0.0).partial_fit(X[2000:])
        np.testing.assert_array_equal(loaded.cluster_centers_, model.cluster_centers_)


def test_a_dataset_brings_its_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(500, 2)), rng.integers(0, 3, 500)
    rows = np.column_stack([X, w])
    np.savetxt(tmp_path / "table.csv", rows, delimiter=",", header="a,b,w", comments="")
    with open_dataset(tmp_path / "table.csv", weight_column="w", dtype="float64") as dataset:
        model = MiniBatchKMeans(4, random_state=0).fit(dataset)
    expected = MiniBatchKMeans(4, random_state=0).fit(X, sample_weight=w)
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    assert model.inertia_ == expected.inertia_
