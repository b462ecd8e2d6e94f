"""KMeans as an estimator: fitted attributes, methods, and the functions beside it."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from fastkmeans import KMeans, k_means, kmeans_plusplus, open_dataset

Array = NDArray[Any]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_and_shapes(X: Array, dtype: Any) -> None:
    model = KMeans(4, random_state=0).fit(X.astype(dtype))
    assert (model.cluster_centers_.dtype, model.cluster_centers_.shape) == (np.float64, (4, 3))
    assert (model.labels_.dtype, model.labels_.shape) == (np.int32, (400,))
    assert type(model.inertia_) is float
    assert type(model.n_iter_) is int
    assert type(model.converged_) is bool
    assert type(model.stop_reason_) is str
    assert model.n_features_in_ == 3
    assert model.predict(X.astype(dtype)).dtype == np.int32
    distances = model.transform(X.astype(dtype))
    assert (distances.dtype, distances.shape) == (dtype, (400, 4))
    assert type(model.score(X.astype(dtype))) is float
    assert model.cluster_centers_.flags.c_contiguous
    assert model.cluster_centers_.flags.writeable


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 2, 5, 400])
def test_methods_agree(X: Array, dtype: Any, rows: int) -> None:
    X = X.astype(dtype)
    model = KMeans(4, random_state=0).fit(X)
    part = X[:rows]
    exact = np.linalg.norm(part[:, None].astype(float) - model.cluster_centers_, axis=2)
    rtol = 5e-5 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(model.transform(part), exact, rtol=rtol)
    np.testing.assert_array_equal(model.predict(part), exact.argmin(axis=1))
    np.testing.assert_array_equal(model.predict(part), model.labels_[:rows])
    assert -model.score(part) == pytest.approx((exact.min(axis=1) ** 2).sum(), rel=1e-12)
    weights = np.arange(1.0, rows + 1)
    expected = (exact.min(axis=1) ** 2 * weights).sum()
    assert -model.score(part, None, weights) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(clone(model).fit_predict(X), model.labels_)
    np.testing.assert_array_equal(clone(model).fit_transform(X), model.transform(X))
    assert model.score(X) == pytest.approx(-model.inertia_, rel=1e-14)


@pytest.mark.parametrize("unit", [2.0**-1074, 2.0**-1000, 2.0**-600, 2.0**600, 2.0**1007])
def test_score_by_weights_at_the_ends_of_the_range(model: KMeans, X: Array, unit: float) -> None:
    """Exact in their unit, although the squares of the data alone would lose digits in it."""
    weights = np.arange(400.0)
    fine = 2.0**200 if unit < 1.0 else 2.0**-200  # brings the score back into the range
    other = copy.copy(model)
    other.cluster_centers_ = model.cluster_centers_ * fine
    expected = model.score(X, sample_weight=weights) * fine * fine * unit
    assert other.score(X * fine, sample_weight=weights * unit) == expected


@pytest.mark.parametrize("init", ["random", "k-means++"])
@pytest.mark.parametrize("unit", [2.0**-1074, 2.0**-1030, 2.0**-600, 2.0**600, 2.0**1000])
def test_the_unit_of_the_weights_is_that_of_the_inertia_alone(
    X: Array, unit: float, init: str, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = np.random.default_rng(0).integers(0, 9, 400).astype(float)
    model = KMeans(5, init=init, n_init=4, random_state=0, verbose=1)
    expected = clone(model).fit(X, sample_weight=weights)
    capsys.readouterr()
    model.fit(X, sample_weight=weights * unit)
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    assert model.inertia_ == expected.inertia_ * unit
    assert f"inertia {model.inertia_:.8g}" in capsys.readouterr().out
    for step, other in zip(model.history_, expected.history_, strict=True):
        assert step.inertia == other.inertia * unit
        assert step.center_shift == other.center_shift


def test_fit_methods_use_the_weights(X: Array) -> None:
    weights = np.linspace(0.0, 9.0, 400)
    model = KMeans(4, random_state=0).fit(X, sample_weight=weights)
    for method in ("fit_predict", "fit_transform"):
        other = KMeans(4, random_state=0)
        getattr(other, method)(X, sample_weight=weights)
        np.testing.assert_array_equal(other.cluster_centers_, model.cluster_centers_)
    assert model.score(X, sample_weight=weights) == pytest.approx(-model.inertia_, rel=1e-14)
    assert model.inertia_ != KMeans(4, random_state=0).fit(X).inertia_


def test_why_it_stopped(X: Array) -> None:
    cases = [
        ({"max_iter": 1}, "max_iter was reached", False),
        ({"tol": 0.0}, "no row changed its cluster", True),
        ({"tol": 10.0}, "the centers moved less than tol", True),
    ]
    for parameters, reason, converged in cases:
        model = KMeans(4, init=X[:4], **parameters).fit(X)
        assert (model.stop_reason_, model.converged_) == (reason, converged)


def test_one_cluster_and_as_many_as_rows(X: Array) -> None:
    one = KMeans(1).fit(X)
    np.testing.assert_allclose(one.cluster_centers_[0], X.mean(axis=0), rtol=1e-13)
    assert one.inertia_ == pytest.approx(X.var(axis=0).sum() * len(X), rel=1e-12)
    all_rows = KMeans(50, random_state=0).fit(X[:50])
    assert all_rows.inertia_ == 0.0
    assert sorted(all_rows.labels_) == list(range(50))


def test_one_row_and_one_column() -> None:
    model = KMeans(1).fit([[3.0, 4.0]])
    assert model.cluster_centers_.tolist() == [[3.0, 4.0]]
    assert model.inertia_ == 0.0
    column = KMeans(2, random_state=0).fit([[0.0], [1.0], [10.0], [11.0]])
    assert sorted(column.cluster_centers_.ravel()) == [0.5, 10.5]
    assert column.inertia_ == 1.0


def test_too_few_distinct_rows_warn() -> None:
    X = np.repeat([[0.1, 0.7], [0.3, 0.9]], 7, axis=0)
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(2\) found smaller than n_cl"):
        model = KMeans(4, random_state=0).fit(X)
    assert model.inertia_ == 0.0
    assert np.isfinite(model.cluster_centers_).all()
    assert len(set(model.labels_)) == 2


def test_a_second_fit_forgets_the_first(X: Array) -> None:
    model = KMeans(4, random_state=0).fit(X[:, :2], sample_weight=np.arange(400.0))
    again = model.fit(X)
    fresh = KMeans(4, random_state=0).fit(X)
    assert again is model
    assert vars(again).keys() == vars(fresh).keys()
    np.testing.assert_array_equal(again.cluster_centers_, fresh.cluster_centers_)
    assert model.n_features_in_ == 3


def test_a_failed_fit_keeps_the_fitted_state(X: Array) -> None:
    model = KMeans(4, random_state=0).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((9, 2), np.nan))
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_a_standardised_dataset_is_predicted_in_the_units_of_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) * [1.0, 100.0, 1e4]
    path = tmp_path / "table.csv"
    np.savetxt(path, X, delimiter=",", header="a,b,c", comments="")
    with open_dataset(path, standardize=True, dtype="float64") as dataset:
        model = KMeans(4, random_state=0).fit(dataset)
        names, labels = dataset.names, model.labels_.copy()
        np.testing.assert_array_equal(model.predict(dataset), labels)
    model.save(tmp_path / "model.npz")
    for each in (model, KMeans.load(tmp_path / "model.npz")):
        np.testing.assert_array_equal(each.predict(pd.DataFrame(X, columns=names)), labels)
        np.testing.assert_array_equal(each.predict(path), labels)
        with open_dataset(path, standardize=True, dtype="float64") as dataset:
            np.testing.assert_array_equal(each.predict(dataset), labels)
        half = tmp_path / "half.csv"  # standardised in another way
        np.savetxt(half, X[:150], delimiter=",", header="a,b,c", comments="")
        with open_dataset(half, standardize=True, dtype="float64") as dataset:
            np.testing.assert_array_equal(each.predict(dataset), labels[:150])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.fit(X).preparation_ is None


# Functions ----------------------------------------------------------------------------------


def test_k_means_returns_what_scikit_learn_returns(X: Array) -> None:
    weights = np.arange(400.0)
    arguments: dict[str, Any] = {"sample_weight": weights, "init": X[:5], "n_init": 1}
    ours = k_means(X, 5, **arguments, return_n_iter=True)
    theirs = sklearn.cluster.k_means(X, 5, **arguments, return_n_iter=True)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10)
    assert len(k_means(X, 5, **arguments)) == 3


def test_k_means_hands_its_arguments_on(X: Array, capsys: pytest.CaptureFixture[str]) -> None:
    arguments: dict[str, Any] = {
        "init": "random", "n_init": 2, "max_iter": 3, "tol": 0.1, "random_state": 1,
        "copy_x": False, "algorithm": "lloyd", "n_threads": 1, "verbose": 1,
    }  # fmt: skip
    centers, labels, inertia, n_iter = k_means(X, 5, **arguments, return_n_iter=True)
    out = capsys.readouterr().out
    model = KMeans(5, **arguments).fit(X)
    assert capsys.readouterr().out == out != ""
    np.testing.assert_array_equal(centers, model.cluster_centers_)
    np.testing.assert_array_equal(labels, model.labels_)
    assert (inertia, n_iter) == (model.inertia_, model.n_iter_)


def test_kmeans_plusplus_returns_rows_and_places(X: Array) -> None:
    centers, indices = kmeans_plusplus(X, 6, random_state=0)
    np.testing.assert_array_equal(centers, X[indices])
    assert len(set(indices.tolist())) == 6
    assert centers.dtype == X.dtype
    assert kmeans_plusplus(X.astype(np.float32), 2, random_state=0)[0].dtype == np.float32
    with pytest.raises(ValueError, match="n_samples=400 should be >= n_clusters=401"):
        kmeans_plusplus(X, 401)
    for bad in (0, -1):
        with pytest.raises(ValueError, match="n_local_trials must be at least 1"):
            kmeans_plusplus(X, 2, n_local_trials=bad)
    with pytest.raises(ValueError, match="sample_weight holds"):
        kmeans_plusplus(X, 2, sample_weight=-np.ones(400))
    norms = (X**2).sum(axis=1)
    found = kmeans_plusplus(X, 6, x_squared_norms=norms, random_state=0)
    np.testing.assert_array_equal(found[1], indices)
    with pytest.raises(
        ValueError, match="x_squared_norms 399 should be equal to the length of n_s"
    ):
        kmeans_plusplus(X, 6, x_squared_norms=norms[1:])


def test_dask_distinguishes_models_that_were_fitted_to_other_data(X: Any) -> None:
    """It hashes what this method returns; by fields, two fits would be one."""
    tokens = [KMeans(3, random_state=0).fit(rows).__dask_tokenize__() for rows in (X, X[::2])]
    names, states = zip(*tokens, strict=True)
    assert names == ("KMeans", "KMeans")
    assert pickle.dumps(states[0]["cluster_centers_"]) != pickle.dumps(
        states[1]["cluster_centers_"]
    )
