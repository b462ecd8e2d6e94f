"""Fitted models from and to scikit-learn, and to ONNX; both are imported when they are used."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from .._data.rows import sizes_of
from .._data.tables import Preparation
from .._runtime.disk import replacing
from .._runtime.errors import plain
from .._runtime.extras import need

CLASSES = ("KMeans", "MiniBatchKMeans")
"""The estimators that have the same name here and in scikit-learn."""
STOP_REASON = "scikit-learn fitted the model"


def to_sklearn(model: Any, dtype: Any) -> Any:
    """Return a fitted estimator of scikit-learn, in a pipeline if the rows were standardised."""
    cluster = need("sklearn.cluster", "sklearn")
    if getattr(model, "metric", "euclidean") != "euclidean":
        raise ValueError(
            f"metric={plain(model.metric)} has no counterpart in scikit-learn, whose k-means is "
            "Euclidean: normalise the rows, and fit with metric='euclidean'."
        )
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {plain(dtype)}.")
    name = next(base.__name__ for base in type(model).__mro__ if base.__name__ in CLASSES)
    estimator = _fitted(getattr(cluster, name), model, kind)
    names = getattr(model, "feature_names_in_", None)
    if not model.preparation_:
        if names is not None:
            estimator.feature_names_in_ = names.copy()
        return estimator
    preprocessing = need("sklearn.preprocessing", "sklearn")
    scaler = preprocessing.StandardScaler().fit(np.zeros((1, model.n_features_in_)))
    scaler.mean_, scaler.scale_ = model.preparation_.shift.copy(), model.preparation_.scale.copy()
    scaler.var_ = scaler.scale_**2
    if names is not None:
        scaler.feature_names_in_ = names.copy()
    steps = [("standardscaler", scaler), (name.lower(), estimator)]
    return need("sklearn.pipeline", "sklearn").Pipeline(steps)


def _fitted(theirs: Any, model: Any, dtype: np.dtype[Any]) -> Any:
    """Return an estimator of scikit-learn with the parameters and the attributes of a model.

    It is fitted to the centers first: that sets what its version keeps for itself.
    """
    with np.errstate(over="ignore"):
        centers = np.array(model.cluster_centers_, dtype, order="C")
    if not np.isfinite(centers).all():
        raise ValueError("dtype='float32' does not hold the centers: choose dtype='float64'.")
    estimator = theirs(len(centers), init=centers, n_init=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # centers may be equal
        if theirs.__name__ == "KMeans":
            estimator.set_params(max_iter=1).fit(centers)
        else:
            estimator.partial_fit(centers)
            estimator.n_steps_ = model.n_steps_
            estimator._counts = (model._mean_weights * model._mean_unit).astype(dtype)
            estimator._n_since_last_reassign = model._mean_since
            estimator._batch_size = model.batch_size
    estimator.cluster_centers_ = centers
    for name in ("labels_", "inertia_", "n_iter_"):
        estimator.__dict__.pop(name, None)
        if hasattr(model, name):
            value = getattr(model, name)
            setattr(estimator, name, np.array(value) if name == "labels_" else value)
    own = {name: getattr(model, name) for name in estimator.get_params() if hasattr(model, name)}
    if "algorithm" in own:
        own["algorithm"] = "elkan" if own["algorithm"] == "elkan" else "lloyd"
    if isinstance(own["init"], str) and own["init"] == "auto":
        own["init"] = "k-means++"  # the method of scikit-learn that is most like it
    if isinstance(own["random_state"], np.random.Generator):  # which scikit-learn refuses
        own["random_state"] = None
    return estimator.set_params(**own)


def from_sklearn(kind: type[Any], fitted: Any) -> Any:
    """Return a model of ``kind`` with the centers of a fitted estimator of scikit-learn."""
    estimator, scaler = _parts(fitted)
    base = next(base.__name__ for base in kind.__mro__ if base.__name__ in CLASSES)
    theirs = getattr(need("sklearn.cluster", "sklearn"), base)
    if not isinstance(estimator, theirs):
        name = type(estimator).__name__
        way_out = f"use {name}.from_sklearn" if name in CLASSES else "its predictions are others"
        raise TypeError(f"model must be a {base} of scikit-learn, got a {name}: {way_out}.")
    if not hasattr(estimator, "cluster_centers_"):
        raise ValueError(f"model is not fitted: call its fit first, got {estimator!r}.")
    given = estimator.get_params()
    parameters = {name: given[name] for name in kind._parameters() if name in given}
    parameters |= {"algorithm": "auto"} if "algorithm" in parameters else {}
    model = kind(**parameters)
    for name in ("n_features_in_", "n_iter_", "n_steps_"):
        if hasattr(estimator, name):
            setattr(model, name, int(getattr(estimator, name)))
    model.cluster_centers_ = np.array(estimator.cluster_centers_, np.float64, order="C")
    model.n_clusters = len(model.cluster_centers_)
    _take_results(model, estimator)
    _take_features(model, estimator if scaler is None else scaler, scaler)
    return model


def _parts(fitted: Any) -> tuple[Any, Any]:
    """Return the estimator, and the StandardScaler before it in a pipeline, or None."""
    if not hasattr(fitted, "steps"):
        return fitted, None
    steps = [step for _, step in fitted.steps if step not in (None, "passthrough")]
    kinds = [type(step).__name__ for step in steps]
    if len(steps) == 1:
        return steps[0], None
    if len(steps) == 2 and kinds[0] == "StandardScaler":
        return steps[1], steps[0]
    raise ValueError(
        f"model is a pipeline of {', '.join(kinds)}: only a StandardScaler can stand before the "
        "clustering; take the last step, and transform the rows before."
    )


def _take_results(model: Any, estimator: Any) -> None:
    """Copy labels, inertia and the state of mini-batches."""
    if hasattr(estimator, "labels_"):
        model.labels_ = np.array(estimator.labels_, np.int32)
        model.cluster_sizes_ = sizes_of(model.labels_, model.n_clusters)
    if hasattr(estimator, "inertia_"):
        model.inertia_ = float(estimator.inertia_)
    if hasattr(estimator, "n_iter_"):
        model.converged_ = model.n_iter_ < model.max_iter
        model.stop_reason_, model.history_ = STOP_REASON, []
    if hasattr(estimator, "_counts"):
        model._mean_weights = np.array(estimator._counts, np.float64)
        model._mean_unit, model._mean_since = 1.0, int(estimator._n_since_last_reassign)


def _take_features(model: Any, first: Any, scaler: Any) -> None:
    """Copy the names of the features, and how the rows are standardised."""
    if hasattr(first, "feature_names_in_"):
        model.feature_names_in_ = np.array(first.feature_names_in_, dtype=object)
    if scaler is not None:
        d = model.n_features_in_
        mean = np.zeros(d) if scaler.mean_ is None else np.array(scaler.mean_, np.float64)
        scale = np.ones(d) if scaler.scale_ is None else np.array(scaler.scale_, np.float64)
        model.preparation_ = Preparation(mean, scale, mean.copy(), "error", "float64")


def to_onnx(model: Any, path: str | os.PathLike[str], dtype: Any) -> None:
    """Write a model as ONNX, converted from its counterpart in scikit-learn."""
    skl2onnx = need("skl2onnx", "onnx")
    types = need("skl2onnx.common.data_types", "onnx")
    fitted = to_sklearn(model, dtype)
    tensor = types.FloatTensorType if np.dtype(dtype) == np.float32 else types.DoubleTensorType
    rows: list[tuple[str, Any]] = [("X", tensor([None, model.n_features_in_]))]
    data: bytes = skl2onnx.convert_sklearn(fitted, initial_types=rows).SerializeToString()
    with replacing(path) as temporary:
        temporary.write_bytes(data)
