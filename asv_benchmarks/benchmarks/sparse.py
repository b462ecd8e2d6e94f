"""Benchmarks on sparse rows: synthetic texts, as TF-IDF."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from .common import DTYPES, QUICK, choose

ITERATIONS = 10
CLUSTERS = choose("20", "50", "200", "1000")


@lru_cache(maxsize=1)
def texts(dtype: str) -> Any:
    """Return rows like TF-IDF of short texts: words by Zipf's law, about six in a row."""
    import scipy.sparse

    n, d = (4_000, 1_500) if QUICK else (100_000, 15_000)
    rng = np.random.default_rng(0)
    lengths = 1 + rng.poisson(5.0, n)
    shares = np.cumsum(1.0 / np.arange(1, d + 1))
    words = np.searchsorted(shares, rng.random(lengths.sum()) * shares[-1])
    rows = np.repeat(np.arange(n), lengths)
    values = rng.gamma(2.0, size=len(words)) * np.log1p(words + 1.0)
    X = scipy.sparse.csr_matrix((values, (rows, words)), shape=(n, d))
    X.sum_duplicates()
    norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X.data /= np.repeat(norms, np.diff(X.indptr))
    return X.astype(dtype)


def group_means(X: Any, k: int) -> Any:
    """Return the means of random groups of rows, as centers without ties."""
    import scipy.sparse

    group = np.random.default_rng(0).permutation(X.shape[0]) % k
    ones = np.ones(len(group)), (group, np.arange(len(group)))
    total = scipy.sparse.csr_matrix(ones, shape=(k, len(group))) @ X
    return total.toarray() / np.bincount(group)[:, None]


class Sparse:
    """Base: data, and a call before the timing that compiles."""

    param_names = ("clusters", "dtype")
    params = (CLUSTERS, DTYPES)
    timeout = 600.0
    warmup_time = 0.0
    repeat = (1, 5, 10.0) if QUICK else (3, 20, 10.0)
    rounds = 1

    def setup(self, clusters: str, dtype: str) -> None:
        """Make the data and warm up."""
        self.X, self.k = texts(dtype), int(clusters)
        self.run()

    def run(self) -> None:
        """Do what is timed."""
        raise NotImplementedError


class SparseFit(Sparse):
    """Lloyd iterations from fixed centers."""

    def run(self) -> None:
        from fastkmeans import KMeans

        model = KMeans(self.k, init=group_means(self.X, self.k), max_iter=ITERATIONS, tol=0.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model = model.fit(self.X)

    def time_ten_iterations(self, clusters: str, dtype: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(self.X)

    def time_predict(self, clusters: str, dtype: str) -> None:
        self.model.predict(self.X)


class SparseSeeding(Sparse):
    """Greedy k-means++."""

    def run(self) -> None:
        from fastkmeans import kmeans_plusplus

        kmeans_plusplus(self.X, self.k, random_state=0)

    def time_seeding(self, clusters: str, dtype: str) -> None:
        self.run()
