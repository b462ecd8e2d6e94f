"""KMeans in scikit-learn's protocol: its checks, clones, pipelines, names, imports."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.typing import NDArray
from sklearn.base import clone, is_clusterer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
)

from fastkmeans import KMeans
from tests.conftest import ROOT
from tests.helpers.estimators import all_checks

Array = NDArray[Any]
PARAMETERS = {
    "n_clusters": 8,
    "init": "k-means++",
    "n_init": "auto",
    "max_iter": 300,
    "tol": 1e-4,
    "verbose": 0,
    "random_state": None,
    "copy_x": True,
    "algorithm": "auto",
    "local_search": "auto",
    "end_check": False,
    "early_stop": False,
    "n_threads": None,
    "callback": None,
    "metric": "euclidean",
}


# Random draws from shuffled rows are other draws; scikit-learn expects the same of its own
# KMeans.  With given centers the check passes, see the test below.
@all_checks(
    [KMeans(3, max_iter=10), KMeans(init="random", n_init=2)],
    {
        "check_sample_weight_equivalence_on_dense_data": "random initial centers",
        "check_sample_weight_equivalence_on_sparse_data": "random initial centers",
    },
)
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")  # some checks repeat a row
@pytest.mark.filterwarnings("ignore:Estimator KMeans does not inherit")
def test_scikit_learn_checks(estimator: KMeans, check: Any) -> None:
    check(estimator)


def test_weights_count_rows_by_scikit_learns_own_check() -> None:
    init = np.random.default_rng(0).random((3, 30))  # the check's data have 30 columns
    check_sample_weight_equivalence_on_dense_data("KMeans", KMeans(3, init=init))
    check_sample_weight_equivalence_on_sparse_data("KMeans", KMeans(3, init=init))


def test_parameters_are_those_of_scikit_learn() -> None:
    ours = KMeans().get_params()
    assert ours == PARAMETERS
    theirs = sklearn.cluster.KMeans().get_params()
    own = {"n_threads", "callback", "metric", "local_search", "end_check", "early_stop"}
    assert set(theirs) == set(ours) - own
    same = set(theirs) - {"algorithm"}  # theirs has no "auto" any more
    assert {name: theirs[name] for name in same} == {name: ours[name] for name in same}


def test_set_params() -> None:
    model = KMeans(3)
    assert model.set_params(n_clusters=5, tol=0.0) is model
    assert (model.n_clusters, model.tol) == (5, 0.0)
    with pytest.raises(ValueError, match="Invalid parameter 'n_cluster' for estimator KMeans"):
        model.set_params(max_iter=7, n_cluster=4)
    assert model.max_iter == 300, "nothing is set when one name is wrong"
    with pytest.raises(TypeError):
        KMeans(3, "random")  # as in scikit-learn, the rest is by keyword


def test_repr_shows_what_was_given() -> None:
    assert repr(KMeans()) == "KMeans()"
    assert repr(KMeans(3, init="random", tol=0.5)) == "KMeans(n_clusters=3, init='random', tol=0.5)"
    assert "init=array" in repr(KMeans(2, init=np.zeros((2, 2))))


def test_clone_copy_and_pickle(X: Array, model: KMeans) -> None:
    blank = clone(model)
    assert blank.get_params() == model.get_params()
    assert not hasattr(blank, "labels_")
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert sorted(vars(other)) == sorted(vars(model))
        np.testing.assert_array_equal(other.cluster_centers_, model.cluster_centers_)
        np.testing.assert_array_equal(other.predict(X), model.labels_)
        assert other.history_ == model.history_


def test_pipeline_and_search(X: Array) -> None:
    pipeline = make_pipeline(StandardScaler(), KMeans(3, random_state=0))
    assert is_clusterer(pipeline)
    labels = pipeline.fit_predict(X)
    expected = KMeans(3, random_state=0).fit_predict(StandardScaler().fit_transform(X))
    np.testing.assert_array_equal(labels, expected)
    assert pipeline.transform(X).shape == (400, 3)
    assert list(pipeline.get_feature_names_out()) == ["kmeans0", "kmeans1", "kmeans2"]
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(KMeans(random_state=0), {"n_clusters": [1, 2, 6]}, cv=folds).fit(X)
    assert search.best_params_ == {"n_clusters": 6}
    assert search.best_score_ < 0.0


def test_a_subclass_keeps_working(X: Array) -> None:
    class Mine(KMeans):
        pass

    mine = clone(Mine(3, random_state=0)).fit(X)
    assert repr(mine) == "Mine(n_clusters=3, random_state=0)"
    assert list(mine.get_feature_names_out()) == ["mine0", "mine1", "mine2"]


def test_not_fitted() -> None:
    for method in ("predict", "transform", "score"):
        with pytest.raises(NotFittedError, match="This KMeans instance is not fitted yet"):
            getattr(KMeans(), method)([[1.0]])
    with pytest.raises(NotFittedError):
        KMeans().get_feature_names_out()


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output(X: Array, container: str) -> None:
    frames = pytest.importorskip(container)
    model = KMeans(3, random_state=0)
    assert model.set_output(transform=container) is model
    out = model.fit(X).transform(X)
    assert isinstance(out, frames.DataFrame)
    assert list(out.columns) == ["kmeans0", "kmeans1", "kmeans2"]
    plain = clone(model).set_output(transform="default").fit(X).transform(X)
    np.testing.assert_array_equal(out.to_numpy(), plain)
    assert isinstance(model.set_output().fit_transform(X), frames.DataFrame)
    with sklearn.config_context(transform_output=container):
        assert isinstance(KMeans(3).fit(X).transform(X), frames.DataFrame)
    with pytest.raises(ValueError, match="transform must be"):
        model.set_output(transform="arrow")


def test_set_output_keeps_the_index_and_survives_clone(X: Array) -> None:

    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(400) * 3)
    model = clone(KMeans(3).set_output(transform="pandas"))
    assert model.fit_transform(frame).index.equals(frame.index)


def test_feature_names(X: Array) -> None:

    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = KMeans(2, random_state=0).fit(frame)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert model.feature_names_in_.dtype == object
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match=r"(?s)should match those.*unseen.*- z.*missing:\n- c"):
        model.predict(frame.rename(columns={"c": "z"}))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.transform(frame[["b", "a", "c"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.score(X)
    unnamed = KMeans(2, random_state=0).fit(X)
    assert not hasattr(unnamed, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but KMeans was fitted without"):
        unnamed.predict(frame)
    assert not hasattr(model.fit(X), "feature_names_in_"), "names of an earlier fit"
    assert not hasattr(KMeans(2).fit(pd.DataFrame(X)), "feature_names_in_"), "columns 0, 1, 2"
    with pytest.raises(TypeError, match="string names"):
        KMeans(2).fit(frame.rename(columns={"a": 1}))


def run_python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_nothing_imports_scikit_learn_or_a_data_frame_library() -> None:
    run_python(
        "import sys, numpy as np\n"
        "from fastkmeans import KMeans, k_means, kmeans_plusplus, open_dataset\n"
        "X = np.arange(40.0).reshape(20, 2)\n"
        "model = KMeans(3, random_state=0).fit(X)\n"
        "model.predict(X), model.transform(X), model.score(X), repr(model), k_means(X, 2)\n"
        "model.set_output(transform='default').get_feature_names_out(), kmeans_plusplus(X, 2)\n"
        "try: KMeans().predict(X)\n"
        "except (ValueError, AttributeError) as e: assert 'not fitted' in str(e)\n"
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    KMeans(3).fit(np.ones((5, 2)))\n"
        "assert seen and issubclass(seen[0].category, UserWarning)\n"
        "assert 'Convergence' in seen[0].category.__name__\n"
        "loaded = {'sklearn', 'pandas', 'polars', 'pyarrow'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )


def test_import_is_lazy() -> None:
    run_python(
        "import sys, fastkmeans\n"
        "assert 'numba' not in sys.modules and 'sklearn' not in sys.modules\n"
        "assert set(fastkmeans.__all__) <= set(dir(fastkmeans))\n"
        "assert fastkmeans.__version__\n"
        "try: fastkmeans.nonsense\n"
        "except AttributeError as e: assert 'nonsense' in str(e)\n"
        "else: raise SystemExit('no error')\n"
    )
