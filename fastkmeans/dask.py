"""KMeans on a Dask cluster (extra ``dask``)."""

from ._dask.kmeans import KMeans

__all__ = ["KMeans"]
