"""Fitted models in files (the format is that of ``_runtime.archive``).

A file is an ``.npz`` archive, as ``numpy.load`` reads it, with one more member,
``metadata.json``.  Nothing in it is unpickled: a member must be a plain array of one of a few
types, with as many bytes as its shape needs.  A file appears under its name when it is complete.
Equal models give equal files, so the history is stored without times (``seconds`` is 0.0).
"""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

import fastkmeans

from .. import __version__
from .._data.tables import Preparation
from .._data.validation import METRICS
from .._lloyd.run import Iteration
from .._runtime.archive import read_archive, write_archive
from .._search.swaps import Search

MODEL = "fastkmeans model"
VERSION = 1
"""Version of the layout of model files; a reader refuses every other version."""
CLASSES = ("KMeans", "MiniBatchKMeans")
"""The estimators that a model file may hold."""


def write_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Write the parameters and the stored attributes (``_stored``) of a fitted model."""
    parameters, arrays = model.get_params(), {}
    for name, value in list(parameters.items()):
        if name == "init" and not isinstance(value, str) and not callable(value):
            arrays["init"] = np.asarray(parameters.pop(name), np.float64)
        elif isinstance(value, np.generic):
            parameters[name] = value.item()
        elif value is not None and not isinstance(value, bool | int | float | str):
            warnings.warn(
                f"{name}={value!r} is not saved: a model file holds numbers and text only. The "
                "loaded model will have the default.",
                UserWarning,
                stacklevel=3,
            )
            del parameters[name]
    metadata: dict[str, Any] = {
        "format": MODEL,
        "format_version": VERSION,
        "fastkmeans": __version__,
        "class": type(model).__name__,
        "parameters": parameters,
        "feature_names": None,
        "fitted": {},
    }
    if hasattr(model, "feature_names_in_"):
        metadata["feature_names"] = model.feature_names_in_.tolist()
    present = [name for name in model._stored_too if hasattr(model, name)]
    for name in (*model._stored, *present):
        value = getattr(model, name)
        if name == "history_":
            value = [step._replace(seconds=0.0) for step in value]
        if name == "search_" and value is not None:
            value = value._replace(seconds=0.0)
        if isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            metadata["fitted"][name] = value.item() if isinstance(value, np.generic) else value
    if model.preparation_ is not None:
        own = model.preparation_._asdict()
        metadata["preparation"] = {name: own.pop(name) for name in ("missing", "dtype")}
        arrays |= own
    write_archive(path, metadata, arrays)


def _class_of(path: str | os.PathLike[str], name: Any, expected: type[Any] | None) -> type[Any]:
    """Return the class of a model by its name, which must be that of ``expected`` if given."""
    own = name if expected is None else expected.__name__
    known = CLASSES if expected is None else (*CLASSES, own)  # a subclass may read its own models
    if name not in known:
        raise ValueError(
            f"{path} is damaged, or of a later version: it holds a {name!r}, which is no model of "
            f"fastkmeans {__version__}."
        )
    if name != own:
        raise ValueError(f"{path} holds a {name}, not a {own}: use {name}.load.")
    found: type[Any] = expected or getattr(fastkmeans, str(name))
    return found


def _check_metadata(path: str | os.PathLike[str], metadata: Mapping[str, Any]) -> None:
    """Raise an error if the metadata about the features have wrong types."""
    names, fitted = metadata.get("feature_names"), metadata.get("fitted")
    own = metadata.get("preparation")
    if isinstance(fitted, dict) and type(fitted.get("n_features_in_", 0)) is not int:
        raise ValueError(f"{path} is damaged: its number of features is no whole number.")
    if names is not None and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise ValueError(f"{path} is damaged: its feature names are not a list of texts.")
    if isinstance(own, dict) and (
        own.get("missing") not in ("error", "drop", "mean", "zero")
        or own.get("dtype") not in ("float32", "float64")
    ):
        raise ValueError(f"{path} is damaged: it holds no known preparation of its rows.")


def read_model(path: str | os.PathLike[str], expected: type[Any] | None = None) -> Any:
    """Return the model that ``write_model`` wrote, of any class if none is expected."""
    metadata, arrays = read_archive(path, MODEL, VERSION)
    model_class = _class_of(path, metadata.get("class"), expected)
    _check_metadata(path, metadata)
    try:
        parameters = metadata["parameters"]
        if "init" in arrays:
            parameters["init"] = arrays.pop("init")
        model = model_class(**parameters)
        k, d = arrays["cluster_centers_"].shape
        names, own = metadata["feature_names"], metadata.get("preparation")
        if names is not None:
            model.feature_names_in_ = np.asarray(names, dtype=object)
        if own is not None:
            shift, scale, fill = (arrays.pop(name) for name in ("shift", "scale", "fill"))
            model.preparation_ = Preparation(shift, scale, fill, own["missing"], own["dtype"])
        fitted = metadata["fitted"] | arrays
        if "history_" in model_class._stored:
            fitted["history_"] = [Iteration(*step) for step in fitted["history_"]]
        if fitted.get("search_") is not None:
            fitted["search_"] = Search(*fitted["search_"])
        present = [name for name in model_class._stored_too if name in fitted]
        for name in (*model_class._stored, *present):
            setattr(model, name, fitted[name])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: it lacks, or has too much, of {error}.") from error
    sizes = getattr(model, "cluster_sizes_", None)
    if sizes is not None and (sizes.shape != (k,) or sizes.dtype != np.int64):
        raise ValueError(f"{path} is damaged: it has no size for each cluster.")
    lengths = {d, model.n_features_in_, d if names is None else len(names)}
    lengths |= set() if own is None else {shift.size, scale.size, fill.size}
    centers = model.cluster_centers_
    whole = np.isfinite(centers).all() and k == model.n_clusters and model.metric in METRICS
    if whole and model.metric == "cosine":
        whole = np.abs((centers * centers).sum(axis=1) - 1.0).max() < 1e-9
    if lengths != {d} or not whole:
        raise ValueError(f"{path} is damaged: its parts do not fit together.")
    return model
