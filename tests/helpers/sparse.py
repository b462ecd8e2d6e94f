"""What the tests of sparse rows share: text-like rows, and starts without ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Array = NDArray[Any]


def texts(
    n: int = 3000, d: int = 400, per_row: float = 6.0, dtype: Any = np.float64, seed: int = 0
) -> Any:
    """Return rows like TF-IDF of short texts: words by Zipf's law, length 1, some empty."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.poisson(per_row, n), d)
    share = 1.0 / np.arange(1, d + 1)
    words = [rng.choice(d, m, replace=False, p=share / share.sum()) for m in lengths]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.concatenate([np.sort(row) for row in words]).astype(np.int32)
    values = rng.gamma(2.0, size=len(indices)) * np.log1p(indices + 1.0)
    X = scipy.sparse.csr_matrix((values, indices, indptr), shape=(n, d))
    norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X.data /= np.repeat(np.where(norms > 0.0, norms, 1.0), lengths)
    return X.astype(dtype)


def of_any_length(X: Any, spread: float, seed: int = 0) -> Any:
    """Multiply the rows by positive numbers over some powers of ten."""
    factors = 10.0 ** np.random.default_rng(seed).uniform(-spread, spread, X.shape[0])
    return scipy.sparse.csr_matrix(scipy.sparse.diags(factors) @ X).astype(X.dtype)


def group_means(X: Any, k: int, seed: int = 0) -> Array:
    """Return the means of random groups of rows: no row is as far from two of them."""
    group = np.random.default_rng(seed).permutation(X.shape[0]) % k
    total = np.zeros((k, X.shape[1]))
    np.add.at(total, group, X.toarray().astype(np.float64))
    return total / np.bincount(group, minlength=k)[:, None]


def shuffled(X: Any, rng: np.random.Generator) -> Any:
    """Return the same matrix with columns in any order, and some values stored in two parts."""
    coo = X.tocoo()
    twice = rng.random(coo.nnz) < 0.3
    part = np.where(twice, np.trunc(coo.data * 4.0) / 8.0, 0.0)  # both parts are exact
    data = np.concatenate([coo.data - part, part[twice]]).astype(X.dtype)
    rows = np.concatenate([coo.row, coo.row[twice]])
    columns = np.concatenate([coo.col, coo.col[twice]])
    order = np.lexsort((rng.random(len(rows)), rows))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=X.shape[0]))])
    return scipy.sparse.csr_matrix((data[order], columns[order], indptr), shape=X.shape)
