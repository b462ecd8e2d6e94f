"""fastkmeans: exact k-means on a CPU, compiled by numba.

The map
-------
k-means is one loop over blocks of rows::

    labels     <- closest center of every row of every block      an engine: _engines
    centers    <- means of the clusters, from their sums          _lloyd

Folders; each imports only the folders below it::

    __main__ warmup lesson     public modules, and dask
    _cli                       the command line
    _choosing                  how many clusters: fits for several k
    compat                     the same in the shape of other libraries
    _report                    a page of HTML about a model
    plots                      pictures of clusters
    metrics                    how good a clustering is
    _dask                      KMeans on a Dask cluster
    _distributed               statistics of blocks of rows, for many machines
    _estimators                KMeans, MiniBatchKMeans and their functions; model files
    _optimum                   the global optimum of one feature
    _minibatch                 fits by batches of rows
    _seeding                   initial centers: k-means++, cells, samples, random rows
    _search                    local search: better centers after a run
    _metrics                   indices of the quality of a clustering
    _lloyd                     one run: the loop, empty clusters, checkpoints, predict
    _files                     tables in files, of any size, as rows of a memory map
    _engines                   closest centers and sums: plain, boxes, bytes, csr, auto
    _data                      rows of any table, weights, scaling, validation
    _kernels                   numba only: the code that runs for every row
    _runtime                   compiler, threads, files, errors

The docstring of a folder's ``__init__.py`` lists its modules.  Public names load on first
use: ``import fastkmeans`` loads only this file.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "KMeans",
    "MiniBatchKMeans",
    "choose_k",
    "compute_centroids",
    "find_closest_centroids",
    "kMeans_init_centroids",
    "k_means",
    "kmeans_plusplus",
    "merge_statistics",
    "open_dataset",
    "partial_statistics",
    "report",
]

if TYPE_CHECKING:
    from ._choosing.choose import choose_k
    from ._distributed.merge import merge_statistics
    from ._distributed.partial import partial_statistics
    from ._estimators.functions import k_means, kmeans_plusplus
    from ._estimators.kmeans import KMeans
    from ._estimators.minibatch import MiniBatchKMeans
    from ._files import open_dataset
    from ._report.api import report
    from .lesson import compute_centroids, find_closest_centroids, kMeans_init_centroids

_HOMES = {
    "KMeans": "_estimators.kmeans",
    "MiniBatchKMeans": "_estimators.minibatch",
    "choose_k": "_choosing.choose",
    "k_means": "_estimators.functions",
    "kmeans_plusplus": "_estimators.functions",
    "compute_centroids": "lesson",
    "find_closest_centroids": "lesson",
    "kMeans_init_centroids": "lesson",
    "merge_statistics": "_distributed.merge",
    "open_dataset": "_files",
    "partial_statistics": "_distributed.partial",
    "report": "_report.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
