"""The estimators with scikit-learn's bases: what they are, and that they do the same."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import base
from sklearn.base import clone

import fastkmeans
from fastkmeans.compat import sklearn as compat
from tests.conftest import ROOT
from tests.helpers.estimators import all_checks

Array = NDArray[Any]
NAMES = ("KMeans", "MiniBatchKMeans")


@all_checks(
    [compat.KMeans(3, max_iter=10), compat.MiniBatchKMeans(3, max_iter=10)],
    {
        "check_sample_weight_equivalence_on_dense_data": "random initial centers",
        "check_sample_weight_equivalence_on_sparse_data": "random initial centers",
    },
)
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")  # some checks repeat a row
@pytest.mark.filterwarnings("ignore:Only .* clusters have rows")
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("name", NAMES)
def test_they_inherit_and_do_the_same(X: Array, name: str, tmp_path: Path) -> None:
    ours, theirs = getattr(fastkmeans, name), getattr(compat, name)
    for kind in (
        base.BaseEstimator,
        base.ClusterMixin,
        base.TransformerMixin,
        base.ClassNamePrefixFeaturesOutMixin,
        ours,
    ):
        assert issubclass(theirs, kind)
    assert theirs().get_params() == ours().get_params()
    model, expected = theirs(4, random_state=0).fit(X), ours(4, random_state=0).fit(X)
    model.save(tmp_path / "model.npz")
    for each in (
        model,
        clone(model).fit(X),
        pickle.loads(pickle.dumps(model)),
        theirs.load(tmp_path / "model.npz"),
    ):
        assert type(each) is theirs
        assert repr(each) == repr(expected)
        assert each.inertia_ == expected.inertia_
        np.testing.assert_array_equal(each.cluster_centers_, expected.cluster_centers_)
        np.testing.assert_array_equal(each.predict(X), expected.labels_)
        np.testing.assert_array_equal(each.transform(X), expected.transform(X))
        assert list(each.get_feature_names_out()) == list(expected.get_feature_names_out())
    frame = clone(model).set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == list(expected.get_feature_names_out())
    assert ours.load(tmp_path / "model.npz").inertia_ == expected.inertia_


def test_without_scikit_learn_the_extra_is_named() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import fastkmeans.compat.sklearn"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "sklearn is not installed: pip install 'fastkmeans-numba[sklearn]'" in done.stderr
