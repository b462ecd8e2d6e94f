"""What scikit-learn's tools expect of an estimator, without importing scikit-learn.

Parameters from the signature of ``__init__``, feature names, ``set_output``, tags, a readable
``repr`` and a view for notebooks: pipelines, ``clone`` and searches accept this duck typing.
"""

import inspect
import os
import sys
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._data.rows import StandardizedRows
from .._data.sparse import SparseRows
from .._data.tables import Preparation, Table
from .._data.validation import refuse_by_cosine
from .._runtime.arrays import Floats, Labels
from .._runtime.errors import not_fitted
from .._runtime.text import bare
from .inputs import as_table
from .routing import Routed


class Estimator(Routed):
    """Parameters, feature names and output containers of an estimator."""

    n_features_in_: int
    feature_names_in_: NDArray[Any]
    preparation_: Preparation | None = None
    cluster_centers_: Floats
    labels_: Labels
    inertia_: float
    _estimator_type = "clusterer"  # what scikit-learn had before its tags; others still read it
    _stored: tuple[str, ...]  # the fitted attributes in a model file
    _stored_too: tuple[str, ...] = ()  # the same, if the model has them

    @classmethod
    def _parameters(cls) -> dict[str, Any]:
        signature = inspect.signature(cls.__init__)
        return {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if name != "self"
        }

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name.

        Parameters
        ----------
        deep : bool
            Accepted for compatibility; there are no nested estimators.
        """
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name and return the estimator.

        Raises
        ------
        ValueError
            If a name is not a parameter.
        """
        known = self._parameters()
        for name in params:
            if name not in known:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self!r}. Valid parameters are: "
                    f"{sorted(known)!r}."
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = []
        for name, default in self._parameters().items():
            value = getattr(self, name)
            if value is not default and repr(value) != repr(default):
                given.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(given)})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: scikit-learn's diagram if scikit-learn is loaded."""
        bundle, theirs = {"text/plain": repr(self)}, sys.modules.get("sklearn")
        if theirs is not None and theirs.get_config()["display"] == "diagram":
            from sklearn.utils import estimator_html_repr

            bundle["text/html"] = estimator_html_repr(self)
        return bundle

    def _get_params_html(self, *args: Any, **kwargs: Any) -> Any:
        """Return the table of parameters for the diagram, as scikit-learn makes it."""
        from sklearn.base import BaseEstimator

        return BaseEstimator._get_params_html(self, *args, **kwargs)

    def _get_fitted_attr_html(self, *args: Any, **kwargs: Any) -> Any:
        """Return the table of fitted attributes for the diagram, as scikit-learn makes it."""
        from sklearn.base import BaseEstimator

        return BaseEstimator._get_fitted_attr_html(self, *args, **kwargs)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        """Describe the estimator to scikit-learn's tools (this imports scikit-learn)."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="clusterer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=["float64", "float32"]),
            input_tags=InputTags(sparse=True),
        )

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise not_fitted(self)

    def _learn_features(self, table: Table) -> None:
        """Store the number and the names of the features of ``fit``."""
        self.n_features_in_ = table.rows.shape[1]
        names = text_names(table)
        if names is not None:
            self.feature_names_in_ = np.asarray(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.__dict__.pop("preparation_", None)
        if table.preparation is not None:
            self.preparation_ = table.preparation

    def _table_like_fit(self, X: Any) -> Table:
        """Wrap ``X`` and compare its features with those of ``fit``."""
        self._check_fitted()
        table = as_table(X, columns=getattr(self, "feature_names_in_", None))
        self._check_like_fit(table)
        own, theirs = self.preparation_, table.preparation
        if own is not None and theirs is not None:
            own = own.after(theirs)
        if own:
            if isinstance(table.rows, SparseRows):
                raise ValueError(
                    "X is sparse, but the model standardises its rows, which would make them "
                    "dense: pass X.toarray() if it fits in memory."
                )
            table = table._replace(rows=StandardizedRows(table.rows, own.shift, own.scale))
        return table

    def _check_like_fit(self, table: Table) -> None:
        """Compare the features of a table with those of ``fit``."""
        name, d = type(self).__name__, table.rows.shape[1]
        seen, names = getattr(self, "feature_names_in_", None), text_names(table)
        if seen is not None and names is not None:
            _compare_names(list(seen), names)
        elif names is not None or seen is not None:
            have, had = ("has", "without") if seen is None else ("does not have valid", "with")
            message = f"X {have} feature names, but {name} was fitted {had} feature names"
            warnings.warn(message, UserWarning, stacklevel=4)
        if d != self.n_features_in_:
            raise ValueError(
                f"X has {d} features, but {name} is expecting {self.n_features_in_} features "
                "as input."
            )
        refuse_by_cosine(getattr(self, "metric", "euclidean"), table)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to a file, for ``load``.

        The file is an ``.npz`` archive without pickled objects.  Its ``metadata.json`` holds
        parameters, feature names and versions.  The file appears when it is complete.  Labels are
        not stored: ``predict`` finds them again.

        Parameters
        ----------
        path : str or path-like
            The file, by its full name; an existing file is replaced.
        """
        from .model_file import write_model

        self._check_fitted()
        write_model(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the model that ``save`` wrote, ready to predict.

        Nothing is unpickled: a file from an untrusted source can be wrong, but cannot run code.

        Parameters
        ----------
        path : str or path-like
            The file.

        Raises
        ------
        ValueError
            If the file is not a model, damaged, of a later version, or of another class.
        OSError
            If it cannot be read.
        """
        from .model_file import read_model

        model: Self = read_model(path, cls)
        return model

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns of ``transform``: ``kmeans0``, ``kmeans1``, ..."""
        self._check_fitted()
        prefix = type(self).__name__.lower()
        return np.asarray([f"{prefix}{j}" for j in range(len(self.cluster_centers_))], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the container of ``transform``.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None
            ``"default"`` returns NumPy arrays; None keeps the current choice.
        """
        if transform not in (None, "default", "pandas", "polars"):
            raise ValueError(
                f"transform must be 'default', 'pandas', 'polars' or None, got {transform!r}."
            )
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}  # clone copies it
        return self

    def _contain(self, values: NDArray[Any], X: Any) -> Any:
        """Put the output of ``transform`` into the chosen container."""
        container = getattr(self, "_sklearn_output_config", {}).get("transform")
        if container is None and "sklearn" in sys.modules:
            container = sys.modules["sklearn"].get_config().get("transform_output")
        if container == "pandas":
            import pandas

            index = X.index if isinstance(X, pandas.DataFrame) else None
            return pandas.DataFrame(values, columns=self.get_feature_names_out(), index=index)
        if container == "polars":
            import polars

            return polars.DataFrame(values, schema=list(self.get_feature_names_out()))
        return values


def text_names(table: Table) -> list[str] | None:
    """Return the column names if all are text, None if none is; a mix is an error."""
    if not table.names:
        return None
    kinds = sorted({type(name).__name__ for name in table.names})
    if kinds == ["str"]:
        return list(table.names)
    if "str" in kinds:
        raise TypeError(
            "Feature names are only supported if all input features have string names, but "
            f"your input has {kinds} as feature name / column name types. Convert them with "
            "X.columns = X.columns.astype(str)."
        )
    return None


def _compare_names(seen: list[str], names: list[str]) -> None:
    if seen == names:
        return
    message = "The feature names should match those that were passed during fit.\n"
    for title, group in (
        ("Feature names unseen at fit time:\n", {*names} - {*seen}),
        ("Feature names seen at fit time, yet now missing:\n", {*seen} - {*names}),
    ):
        if group:
            message += title + "".join(f"- {bare(name, 100)}\n" for name in sorted(group)[:5])
            message += "- ...\n" if len(group) > 5 else ""
    if {*names} == {*seen}:
        message += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(message)
