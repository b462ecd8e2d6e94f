"""What ``python -m fastkmeans.warmup --all`` compiles besides is all that is needed."""

import sys
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from fastkmeans import KMeans, choose_k, metrics
from fastkmeans.warmup import warm_rest


def signatures() -> set[Any]:
    """The kernels that are loaded in this process, with the types they are compiled for."""
    kernels = {
        value
        for name, module in list(sys.modules.items())
        if name.startswith("fastkmeans.")
        for value in vars(module).values()
        if isinstance(value, Dispatcher)
    }
    return {(kernel.py_func.__name__, types) for kernel in kernels for types in kernel.overloads}


@pytest.mark.slow
def test_no_index_needs_another_kernel() -> None:
    for dtype in (np.float32, np.float64):
        warm_rest(np.dtype(dtype))
    known = signatures()
    assert len(known) > 20
    rng = np.random.default_rng(1)
    for dtype in (np.float32, np.float64):
        for n, d in ((300, 2), (9000, 5)):
            table = rng.standard_normal((n, d)).astype(dtype)
            labels, weights = np.arange(n) % 3, np.full(n, 2.0)
            centers = table[:3].astype(np.float64)
            for X in (table, np.asfortranarray(table)):
                for w in (None, weights):
                    metrics.calinski_harabasz_score(X, labels, sample_weight=w)
                    metrics.bic(X, labels, sample_weight=w)
                    metrics.distortion(X, labels, centers, sample_weight=w)
                    for metric in ("euclidean", "cosine"):
                        more: Any = {"sample_weight": w, "metric": metric}
                        metrics.simplified_silhouette_score(X, labels, centers, **more)
                        metrics.silhouette_score(X, labels, sample_size=200, **more)
            KMeans(5, max_iter=3, random_state=0, metric="cosine").fit(table).predict(table[:9])
            choose_k(table[:300], [2, 3], random_state=0, sample_weight=weights[:300])
    assert signatures() - known == set()
