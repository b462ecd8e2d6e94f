"""Sparse matrices with so many columns that dense centers fit no memory: refused at once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from fastkmeans import KMeans, MiniBatchKMeans, k_means, kmeans_plusplus
from fastkmeans._data import room
from fastkmeans._runtime import memory

USES: dict[str, Callable[[Any], Any]] = {
    "fit": lambda X: KMeans(2).fit(X),
    "fit by cosine": lambda X: KMeans(2, metric="cosine").fit(X),
    "random": lambda X: KMeans(2, init="random").fit(X),
    "fit_predict": lambda X: KMeans(2).fit_predict(X),
    "mini-batches": lambda X: MiniBatchKMeans(2).fit(X),
    "partial_fit": lambda X: MiniBatchKMeans(2).partial_fit(X),
    "k_means": lambda X: k_means(X, 2),
    "kmeans_plusplus": lambda X: kmeans_plusplus(X, 2),
}
MODEL = {
    "predict": lambda model, X: model.predict(X),
    "transform": lambda model, X: model.transform(X),
    "score": lambda model, X: model.score(X),
    "partial_fit": lambda model, X: model.partial_fit(X),
}


def matrix(d: int, kind: type = sp.csr_array, last: int | None = None) -> Any:
    """Return a matrix of four rows, with values in the first and the last column."""
    columns = np.array([0, d - 1 if last is None else last, 0, 3])
    return kind(sp.coo_array((np.ones(4), (np.arange(4), columns)), shape=(4, d)))


@pytest.fixture
def little_memory(monkeypatch: Any) -> None:
    """Give the machine as little memory as the smallest that fits no 2 centers."""
    monkeypatch.setattr(room, "total_memory", lambda: 8 * 10**9)


@pytest.mark.parametrize("d", [10**9, 2**31 - 1, 2**31])
@pytest.mark.parametrize("use", list(USES))
@pytest.mark.usefixtures("little_memory")
def test_centers_that_fit_no_memory(use: str, d: int) -> None:
    X = matrix(d)
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"X has {d} columns, so 2 dense centers take") as caught:
        USES[use](X)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 26  # modules that are imported at first use
    for part in ("the machine has 8.0 GB", "numpy.unique(X.indices)", "n_clusters"):
        assert part in str(caught.value)


@pytest.mark.parametrize("d", [2**31 + 1, 2**32, 2**62, 2**63 - 1])
@pytest.mark.parametrize("kind", [sp.csr_array, sp.coo_array, sp.csr_matrix])
def test_more_columns_than_indices_count(kind: type, d: int) -> None:
    X = matrix(d, kind)
    assert X.shape == (4, d)
    for use in USES.values():
        with pytest.raises(ValueError, match=f"X has {d} columns, and a sparse matrix may have"):
            use(X)


@pytest.mark.parametrize("d", [10**9, 2**31, 2**33, 2**63 - 1])
@pytest.mark.parametrize("use", list(MODEL))
def test_a_model_of_few_columns_gets_many(use: str, d: int) -> None:
    model = MiniBatchKMeans(2, init=np.eye(2, 5), max_iter=1).fit(np.eye(4, 5))
    with pytest.raises(ValueError, match=f"X has {d} (features, but|columns, and)"):
        MODEL[use](model, matrix(d))


@pytest.mark.parametrize("index", [-1, 4, 2**31 - 1, 2**31, 2**32, 2**63 - 1])
def test_indices_out_of_range(index: int) -> None:
    X = matrix(4)
    X.indices = X.indices.astype(np.int64)
    X.indices[1] = index
    for use in USES.values():
        with pytest.raises(ValueError, match="stores a value in a column below 0 or above 3"):
            use(X)


def test_many_columns_that_fit() -> None:
    d = 300_000
    X = sp.csr_array(sp.coo_array((np.ones(4), ([0, 1, 2, 3], [0, d - 1, 0, d - 1])), (4, d)))
    assert sorted(np.bincount(KMeans(2, random_state=0).fit(X).labels_)) == [2, 2]
    assert USES["kmeans_plusplus"](X)[0].shape == (2, d)


def test_the_memory_of_the_machine(tmp_path: Any, monkeypatch: Any) -> None:
    whole = memory.total_memory()
    assert whole is None or whole > 1 << 28
    for text_of_file, found in (("123456\n", 123456), ("max\n", whole)):
        (tmp_path / "limit").write_text(text_of_file)
        monkeypatch.setattr(memory, "LIMITS", (str(tmp_path / "limit"), *memory.LIMITS))
        assert memory.total_memory() == found
