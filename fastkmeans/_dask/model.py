"""The methods of a fitted model whose rows lie on a cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from .._data.tables import Table
from .._distributed.merge import merge_statistics
from .._estimators.clusterer import Clusterer
from .._estimators.kmeans import KMeans as LocalKMeans
from .outputs import row_array
from .partitions import Partitions, partitions_of
from .passes import Passes
from .worker import Centers, Expected, assign, distances, label


class Unread(NamedTuple):
    """Rows on a cluster, of which only the shape is known here."""

    shape: tuple[int, int]
    dtype: Any


def table_unread(n_rows: int, n_features: int, dtype: Any, names: list[Any] | None) -> Table:
    """Return a table of rows that nobody reads here, for checks of shapes and names."""
    # No Rows: to read such a table by mistake shall fail at once.
    return Table(Unread((n_rows, n_features), dtype), names)  # type: ignore[arg-type]


@dataclass(eq=False, repr=False)
class ClusterModel(Clusterer):
    """Base of ``KMeans`` on a cluster: what its fitted models do."""

    def _partitions_like_fit(self, X: Any, sample_weight: Any = None) -> Partitions:
        """Return the partitions of ``X``; compare their features with those of ``fit``."""
        self._check_fitted()
        found = partitions_of(X, sample_weight, getattr(self, "feature_names_in_", None))
        if found.n_features is not None:
            self._check_like_fit(table_unread(1, found.n_features, found.dtype, found.names))
        return found

    def _shared(self) -> Centers:
        names = getattr(self, "feature_names_in_", None)
        expected = Expected(None if names is None else list(names), self.n_features_in_)
        return Centers(self.cluster_centers_, expected, self.metric, self.n_threads)

    def predict(self, X: Any) -> Any:
        """Return the closest center of each row.

        Parameters
        ----------
        X : dask array, dask dataframe, list of delayed or futures, or path
            Rows as in ``fit``.

        Returns
        -------
        dask array of shape (n_samples,), int32
            It is computed when asked for.  Ties go to the lowest index.
        """
        partitions = self._partitions_like_fit(X)
        return row_array("predict", label, partitions, self._shared(), np.int32)

    def transform(self, X: Any) -> Any:
        """Return the distance of each row to each center.

        Parameters
        ----------
        X : dask array, dask dataframe, list of delayed or futures, or path
            Rows as in ``fit``.

        Returns
        -------
        dask array of shape (n_samples, n_clusters), float32 or float64
            Euclidean distances, or ``1 - cos``, computed when asked for.  float32 if ``X`` is a
            dask array or dataframe of float32.
        """
        partitions = self._partitions_like_fit(X)
        own = partitions.dtype
        narrow = own is not None and own.kind == "f" and own.itemsize <= 4
        shared = self._shared()._replace(dtype=np.dtype(np.float32 if narrow else np.float64))
        width = len(self.cluster_centers_)
        return row_array("transform", distances, partitions, shared, shared.dtype, width)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus the inertia of ``X``: the greater the better.

        Parameters
        ----------
        X : dask array, dask dataframe, list of delayed or futures, or path
            Rows as in ``fit``.
        y : None
            Ignored.
        sample_weight : dask array, dask series, or list of delayed or futures, optional
            Weight of each row, as in ``fit``.

        Raises
        ------
        ValueError
            If there is no row, or no row has a positive weight.
        """
        with Passes(self._partitions_like_fit(X, sample_weight)) as passes:
            found = passes.reduce("score", assign, merge_statistics, self._shared())
        if not found.n_rows:
            raise ValueError("X is empty: score needs one row at least.")
        if not (self._by_cosine or found.counts.any()):
            raise ValueError("sample_weight is zero for every row; at least one must be positive.")
        return -float(found.inertia)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Refuse frames: ``transform`` returns dask arrays.

        Parameters
        ----------
        transform : {"default"} or None
            Nothing else.

        Raises
        ------
        ValueError
            If a frame is asked for.
        """
        if transform in ("pandas", "polars"):
            raise ValueError(
                f"transform={transform!r} is not possible here, where distances are a dask array: "
                "call dask.dataframe.from_dask_array on it."
            )
        return super().set_output(transform=transform)

    def representatives(self, X: Any, n: int = 1) -> Any:
        """Refuse: rows of a cluster have no row numbers here.

        Parameters
        ----------
        X : object
            Ignored.
        n : int
            Ignored.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError(
            "representatives needs rows in the memory of one machine: use "
            "model.to_local().representatives on some of the rows."
        )

    def to_local(self) -> LocalKMeans:
        """Return this fitted model as a ``fastkmeans.KMeans``, which needs no cluster.

        Returns
        -------
        fastkmeans.KMeans
            The same parameters, centers, inertia and history.  It has no ``labels_``: call its
            ``predict`` on rows in memory or in files.
        """
        self._check_fitted()
        own = self.get_params()
        local = LocalKMeans(
            **{name: own[name] for name in LocalKMeans._parameters() if name in own}
        )
        for name in (*self._stored, *self._stored_too, "feature_names_in_"):
            if hasattr(self, name):
                setattr(local, name, getattr(self, name))
        return local

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to a file, for ``load`` here and in ``fastkmeans.KMeans``.

        Parameters
        ----------
        path : str or path-like
            The file, by its full name; an existing file is replaced.
        """
        self.to_local().save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return a model that ``save`` wrote, here or in ``fastkmeans.KMeans``.

        Parameters
        ----------
        path : str or path-like
            The file.

        Raises
        ------
        ValueError
            If the file is not a model of ``KMeans``, damaged, of a later version, or of a
            standardised dataset.
        OSError
            If it cannot be read.
        """
        local = LocalKMeans.load(path)
        if local.preparation_ is not None:
            raise ValueError(
                f"{os.fspath(path)} holds a model that standardises rows, which is done before the "
                "fit here: load it with fastkmeans.KMeans.load."
            )
        given = local.get_params()
        own = cls._parameters()
        model = cls(**{name: given[name] for name in own if name in given})
        for name in (*cls._stored, *cls._stored_too, "feature_names_in_"):
            if hasattr(local, name):
                setattr(model, name, getattr(local, name))
        return model
