"""fastkmeans: exact k-means on a CPU, compiled by numba.

The map
-------
::

    _cli, __main__                                                        at the command line
        |
    lesson, _estimator (KMeans, k_means), _minibatch, _seeding            what users call
        |
    _clusterer  what estimators with centers share
    _course     from parameters to centers, by batches
    _batches    running means of batches        _nested      batches that grow
    _sample     a nested order of the rows      _random      batches drawn at random
        |
    _model      predict, transform, score       _base        scikit-learn's protocol
    _lloyd      one run: label, update, stop    _validation  input and its messages
    _empty      empty clusters                  _tables      arrays and lists as rows
    _storage    model files                     _checkpoint  a fit's state on disk
    _files      tables in files, of any size    _dataframes  pandas, polars, pyarrow
    _engines    who finds the labels:           _rows        blocks of rows, no copies
      _assign   every row, every center         _errors      warnings, scikit-learn's
      _boxes    boxes of neighbours, few features
      _bytes    bounds and bytes, many features
    _sums       sums of the clusters            _plusplus    k-means++
    _frame      shift and scale of the data
    _parallel   threads, forks, row ranges          _disk        files that are whole, and last
    _aligned    arrays for vectors                  _adding      sums in one order
        |
    _kernels    numba only.  tile, pack, assign: the plain E step; update, row: the M step;
                order, boxes, candidates; quantize, bounds, bytes, rivals, bytes_tile, dots:
                the engines; moments, seeding, pool, distances; lines, of CSV; drivers, the
                parallel entry points; simd, the words of the vector IR

Imports go downwards.  Public names load on first use: ``import fastkmeans`` itself
loads nothing but this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "KMeans",
    "MiniBatchKMeans",
    "compute_centroids",
    "find_closest_centroids",
    "kMeans_init_centroids",
    "k_means",
    "kmeans_plusplus",
    "open_dataset",
]

if TYPE_CHECKING:
    from ._estimator import KMeans, k_means
    from ._files import open_dataset
    from ._minibatch import MiniBatchKMeans
    from ._seeding import kmeans_plusplus
    from .lesson import compute_centroids, find_closest_centroids, kMeans_init_centroids

_HOMES = {
    "KMeans": "_estimator",
    "MiniBatchKMeans": "_minibatch",
    "k_means": "_estimator",
    "kmeans_plusplus": "_seeding",
    "compute_centroids": "lesson",
    "find_closest_centroids": "lesson",
    "kMeans_init_centroids": "lesson",
    "open_dataset": "_files",
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
