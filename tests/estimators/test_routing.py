"""Weights through scikit-learn's metadata routing, and the view of a notebook."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sklearn
import sklearn.cluster
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from fastkmeans import KMeans, MiniBatchKMeans
from fastkmeans.compat import sklearn as compat
from tests.conftest import ROOT

Array = NDArray[Any]
CLASSES = [KMeans, MiniBatchKMeans, compat.KMeans, compat.MiniBatchKMeans]


@pytest.fixture
def weights() -> Array:
    return np.random.default_rng(0).integers(0, 4, 400).astype(float)


@pytest.fixture
def routed() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize("kind", CLASSES)
def test_a_pipeline_passes_weights_to_whoever_asks(
    X: Array, weights: Array, routed: None, kind: Any
) -> None:
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    model = kind(4, random_state=0)
    with pytest.raises(ValueError, match="not explicitly set as requested"):
        make_pipeline(scaler, model).fit(X, sample_weight=weights)
    assert model.set_fit_request(sample_weight=True) is model
    pipeline = clone(make_pipeline(scaler, model)).fit(X, sample_weight=weights)
    expected = kind(4, random_state=0).fit(StandardScaler().fit_transform(X), None, weights)
    assert pipeline[-1].inertia_ == expected.inertia_
    labels = clone(pipeline).fit_predict(X, sample_weight=weights)
    np.testing.assert_array_equal(labels, expected.labels_)
    named = kind(4, random_state=0).set_fit_request(sample_weight="counts")
    pipeline = make_pipeline(scaler, named).fit(X, counts=weights)
    assert pipeline[-1].inertia_ == expected.inertia_
    without = make_pipeline(scaler, kind(4, random_state=0).set_fit_request(sample_weight=False))
    other = clone(scaler).set_fit_request(sample_weight=True)
    without = make_pipeline(other, without[-1]).fit(X, sample_weight=weights)
    assert without[-1].inertia_ != expected.inertia_


@pytest.mark.parametrize("kind", CLASSES)
def test_a_search_over_a_pipeline_routes_weights_to_fit_and_score(
    X: Array, weights: Array, routed: None, kind: Any
) -> None:
    name, folds = kind.__name__.lower(), KFold(3)
    scaler = StandardScaler().set_fit_request(sample_weight=True)

    def search_with(kind: Any) -> GridSearchCV:
        model = kind(random_state=0).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        pipeline, choices = make_pipeline(scaler, model), {f"{name}__n_clusters": [2, 5]}
        return GridSearchCV(pipeline, choices, cv=folds).fit(X, sample_weight=weights)

    try:
        search_with(getattr(sklearn.cluster, kind.__name__))
    except UnsetMetadataPassedError:
        pytest.skip("this scikit-learn routes no weights to the score of a Pipeline")
    search = search_with(kind)
    for place, k in enumerate((2, 5)):
        for fold, (train, test) in enumerate(folds.split(X)):
            scale = StandardScaler().fit(X[train], sample_weight=weights[train])
            each = kind(k, random_state=0).fit(scale.transform(X[train]), None, weights[train])
            score = each.score(scale.transform(X[test]), None, weights[test])
            assert search.cv_results_[f"split{fold}_test_score"][place] == score


def test_requests(routed: None) -> None:
    model = MiniBatchKMeans()
    assert str(model.get_metadata_routing()) == str(
        get_routing_for_object(sklearn.cluster.MiniBatchKMeans())
    )
    model.set_partial_fit_request(sample_weight=True).set_fit_request()
    requests = clone(model).get_metadata_routing()
    assert requests.partial_fit.requests == {"sample_weight": True}
    assert requests.fit.requests == requests.score.requests == {"sample_weight": None}
    requests.score.add_request(param="sample_weight", alias=True)  # of a copy
    assert model.get_metadata_routing().score.requests == {"sample_weight": None}
    assert not hasattr(KMeans, "set_partial_fit_request")
    with pytest.raises(ValueError, match="alias"):
        model.set_fit_request(sample_weight="not a name")  # as from scikit-learn


@pytest.mark.parametrize("kind", CLASSES)
def test_requests_need_routing(kind: Any) -> None:
    with pytest.raises(RuntimeError, match=r"set_config\(enable_metadata_routing=True\)"):
        kind().set_fit_request(sample_weight=True)


def run_python(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_notebook_shows_text_unless_scikit_learn_is_loaded() -> None:
    run_python(
        "import sys\n"
        "from fastkmeans import KMeans\n"
        "assert KMeans(3)._repr_mimebundle_() == {'text/plain': 'KMeans(n_clusters=3)'}\n"
        "assert 'sklearn' not in sys.modules\n"
    )


@pytest.mark.parametrize("kind", CLASSES)
def test_a_notebook_shows_the_diagram_of_scikit_learn(X: Array, kind: Any) -> None:
    model = kind(n_clusters=3, random_state=0)
    assert "Not fitted" in model._repr_mimebundle_()["text/html"]
    model.fit(X)
    bundle = model._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == f"{kind.__name__}(n_clusters=3, random_state=0)"
    html = bundle["text/html"]
    assert "Fitted" in html
    assert kind.__name__ in html
    theirs = sklearn.cluster.KMeans(3)._repr_mimebundle_()["text/html"]
    assert ("parameters-table" in html) == ("parameters-table" in theirs)
    assert kind.__name__ in make_pipeline(StandardScaler(), model)._repr_html_()
    with sklearn.config_context(display="text"):
        assert "text/html" not in model._repr_mimebundle_()
