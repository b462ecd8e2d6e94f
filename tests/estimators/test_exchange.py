"""Models from and to scikit-learn and ONNX: the same predictions, parameters and attributes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.cluster
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import fastkmeans
from fastkmeans import KMeans, MiniBatchKMeans, open_dataset

Array = NDArray[Any]
NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def raw() -> Array:
    """Columns in units of very different size."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)) + 3 * rng.integers(0, 3, (500, 1))
    return X * [1.0, 1e4, 1e-3] + [0.0, 1e6, 0.0]


@pytest.fixture(scope="module")
def frame(raw: Array) -> pd.DataFrame:
    return pd.DataFrame(raw, columns=NAMES)


@pytest.fixture(scope="module")
def standardised(frame: pd.DataFrame) -> KMeans:
    """A model of a standardised dataset."""
    with open_dataset(iter([frame]), standardize=True) as dataset:
        return KMeans(4, random_state=0).fit(dataset)


def same_parameters(ours: Any, theirs: Any) -> bool:
    own, other = ours.get_params(), theirs.get_params()
    return all(np.all(own[name] == other[name]) for name in {*own} & {*other} - {"algorithm"})


@pytest.mark.parametrize("kind", ["KMeans", "MiniBatchKMeans"])
def test_an_estimator_of_scikit_learn(kind: str, frame: pd.DataFrame) -> None:
    ours = getattr(fastkmeans, kind)(5, tol=1e-3, max_iter=50, random_state=3).fit(frame)
    theirs = ours.to_sklearn()
    assert type(theirs) is getattr(sklearn.cluster, kind)
    assert same_parameters(ours, theirs)
    np.testing.assert_array_equal(theirs.predict(frame), ours.labels_)
    np.testing.assert_array_equal(theirs.labels_, ours.labels_)
    np.testing.assert_allclose(theirs.transform(frame), ours.transform(frame), rtol=1e-4)
    assert theirs.score(frame) == pytest.approx(ours.score(frame))
    assert theirs.feature_names_in_.tolist() == NAMES
    assert (theirs.inertia_, theirs.n_iter_) == (ours.inertia_, ours.n_iter_)
    assert theirs.get_feature_names_out().tolist() == ours.get_feature_names_out().tolist()
    theirs.cluster_centers_[:] = 0.0
    assert ours.cluster_centers_.any(), "the centers are a copy"
    assert clone(theirs).fit(frame).n_features_in_ == 3


def test_algorithms_and_generators_that_scikit_learn_lacks(raw: Array) -> None:
    ours = KMeans(3, algorithm="boxes", random_state=np.random.default_rng(0)).fit(raw)
    theirs = ours.to_sklearn()
    assert theirs.algorithm == "lloyd"
    assert theirs.random_state is None
    assert clone(theirs).fit(raw).n_iter_ > 0
    given = KMeans(3, init=raw[:3]).fit(raw).to_sklearn()
    np.testing.assert_array_equal(given.init, raw[:3])


def test_the_dtype_is_that_of_the_rows(raw: Array) -> None:
    X = raw.astype(np.float32)
    ours = KMeans(3, random_state=0).fit(X)
    theirs = ours.to_sklearn(dtype=np.float32)
    assert theirs.cluster_centers_.dtype == np.float32
    np.testing.assert_array_equal(theirs.predict(X), ours.labels_)
    for dtype in ("int64", "float16"):
        with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64', got"):
            ours.to_sklearn(dtype)
    with pytest.raises(ValueError, match="dtype='float32' does not hold the centers"):
        KMeans(1).fit(raw * 1e200).to_sklearn("float32")


def test_centers_that_are_equal(raw: Array) -> None:
    with pytest.warns(UserWarning, match="distinct"):
        ours = KMeans(3, init=np.zeros((3, 3))).fit(np.ones((4, 3)))
    np.testing.assert_array_equal(ours.to_sklearn().predict(raw), ours.predict(raw))


def test_batches_go_on(raw: Array) -> None:
    """What partial_fit knows goes with the model, there and back."""
    ours = MiniBatchKMeans(4, random_state=0, reassignment_ratio=0.0).fit(raw)
    theirs = ours.to_sklearn()
    back = MiniBatchKMeans.from_sklearn(theirs)
    for model in (ours, theirs, back):
        model.partial_fit(raw[:100])
    np.testing.assert_allclose(theirs.cluster_centers_, ours.cluster_centers_, rtol=1e-9)
    np.testing.assert_allclose(back.cluster_centers_, ours.cluster_centers_, rtol=1e-9)
    assert ours.n_steps_ == theirs.n_steps_ == back.n_steps_


def test_a_standardised_model_becomes_a_pipeline(
    standardised: KMeans, frame: pd.DataFrame, raw: Array
) -> None:
    pipeline = standardised.to_sklearn()
    assert isinstance(pipeline, Pipeline)
    assert [type(step).__name__ for _, step in pipeline.steps] == ["StandardScaler", "KMeans"]
    np.testing.assert_array_equal(pipeline.predict(frame), standardised.predict(frame))
    np.testing.assert_array_equal(pipeline.predict(frame), standardised.labels_)
    np.testing.assert_allclose(pipeline.transform(frame), standardised.transform(frame), rtol=1e-6)
    assert pipeline.feature_names_in_.tolist() == NAMES
    np.testing.assert_allclose(pipeline[0].inverse_transform(pipeline[0].transform(frame)), raw)
    assert clone(pipeline).fit(frame)[1].n_iter_ > 0


@pytest.mark.parametrize("kind", ["KMeans", "MiniBatchKMeans"])
def test_a_model_of_scikit_learn(kind: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    theirs = getattr(sklearn.cluster, kind)(5, n_init=2, tol=1e-3, random_state=3).fit(frame)
    ours = getattr(fastkmeans, kind).from_sklearn(theirs)
    assert type(ours) is getattr(fastkmeans, kind)
    assert same_parameters(ours, theirs)
    np.testing.assert_array_equal(ours.predict(frame), theirs.labels_)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.cluster_sizes_.tolist() == np.bincount(theirs.labels_).tolist()
    assert ours.score(frame) == pytest.approx(theirs.score(frame))
    assert ours.inertia_ == theirs.inertia_
    assert ours.feature_names_in_.tolist() == NAMES
    ours.save(tmp_path / "m")
    loaded = getattr(fastkmeans, kind).load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(frame), theirs.labels_)
    assert not hasattr(loaded.to_sklearn(), "labels_")
    np.testing.assert_array_equal(loaded.to_sklearn().predict(frame), theirs.labels_)
    assert clone(ours).fit(frame).n_iter_ > 0


def test_a_pipeline_of_scikit_learn(frame: pd.DataFrame, standardised: KMeans) -> None:
    for pipeline in (
        make_pipeline(StandardScaler(), sklearn.cluster.KMeans(4, n_init=1)).fit(frame),
        make_pipeline(StandardScaler(with_std=False), sklearn.cluster.KMeans(4)).fit(frame),
        make_pipeline("passthrough", sklearn.cluster.KMeans(4)).fit(frame),
        standardised.to_sklearn(),
    ):
        ours = KMeans.from_sklearn(pipeline)
        np.testing.assert_array_equal(ours.predict(frame), pipeline.predict(frame))
        assert ours.feature_names_in_.tolist() == NAMES


def test_what_has_no_counterpart_is_refused(raw: Array) -> None:
    model = KMeans(2, random_state=0).fit(raw)
    model.metric = "cosine"
    with pytest.raises(ValueError, match="metric='cosine' has no counterpart in scikit-learn"):
        model.to_sklearn()
    with pytest.raises(ValueError, match="not fitted"):
        KMeans().to_sklearn()
    other = sklearn.cluster.BisectingKMeans(2, random_state=0).fit(raw)
    with pytest.raises(TypeError, match="got a BisectingKMeans: its predictions are others"):
        KMeans.from_sklearn(other)
    batches = sklearn.cluster.MiniBatchKMeans(2, random_state=0).fit(raw)
    with pytest.raises(TypeError, match=r"MiniBatchKMeans: use MiniBatchKMeans\.from_sklearn"):
        KMeans.from_sklearn(batches)
    with pytest.raises(ValueError, match="is not fitted: call its fit first"):
        KMeans.from_sklearn(sklearn.cluster.KMeans())
    scaled = make_pipeline(MinMaxScaler(), sklearn.cluster.KMeans(2)).fit(raw)
    with pytest.raises(ValueError, match="a pipeline of MinMaxScaler, KMeans: only a Standard"):
        KMeans.from_sklearn(scaled)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_onnx(dtype: str, standardised: KMeans, raw: Array, tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")
    from onnx import load
    from onnx.reference import ReferenceEvaluator

    X = (raw / [1.0, 1e4, 1e-3]).astype(dtype)
    plain = KMeans(4, random_state=0).fit(X)
    for model, rows in ((plain, X), (standardised, raw.astype(dtype))):
        model.to_onnx(tmp_path / "m.onnx", dtype=dtype)
        session = ReferenceEvaluator(load(str(tmp_path / "m.onnx")))
        labels, scores = session.run(["label", "scores"], {"X": rows})
        expected = model.transform(rows)
        near = np.sort(expected, axis=1)
        clear = near[:, 1] - near[:, 0] > 1e-3 * near[:, 0]
        assert clear.mean() > 0.95
        np.testing.assert_array_equal(labels[clear], model.predict(rows)[clear])
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-2)


def test_missing_libraries_name_the_extra(raw: Array, tmp_path: Path, monkeypatch: Any) -> None:
    model = KMeans(2, random_state=0).fit(raw)
    for module in ("skl2onnx", "skl2onnx.common.data_types"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"skl2onnx is not installed: .*numba\[onnx\]"):
        model.to_onnx(tmp_path / "m.onnx")
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ImportError, match=r"sklearn is not installed: .*numba\[sklearn\]"):
        model.to_sklearn()
    assert not list(tmp_path.iterdir())
