"""``compat.fastkmeans.FastKMeans``: the interface of the PyPI package of our name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans.compat.fastkmeans import FastKMeans
from tests.helpers import reference
from tests.helpers.data import blobs
from tests.helpers.sparse import texts

Array = NDArray[Any]


@pytest.fixture(scope="module")
def data() -> Array:
    return blobs(1, 900, 5, 6).astype(np.float32)


def test_parameters_are_those_of_the_original() -> None:
    """In their order: calls by position go on working."""
    signature = inspect.signature(FastKMeans).parameters
    assert {name: parameter.default for name, parameter in list(signature.items())[2:]} == {
        "niter": 25, "tol": 1e-8, "gpu": True, "seed": 0,
        "max_points_per_centroid": 1_000_000_000, "chunk_size_data": 51_200,
        "chunk_size_centroids": 10_240, "device": None, "dtype": None, "pin_gpu_memory": True,
        "verbose": False, "nredo": 1, "use_triton": None,
    }  # fmt: skip
    assert list(signature)[:7] == ["d", "k", "niter", "tol", "gpu", "seed",
                                   "max_points_per_centroid"]  # fmt: skip
    model = FastKMeans(5, 6, device="cuda", use_triton=True, chunk_size_data=7)
    assert (model.d, model.k, model.device, model.chunk_size_data) == (5, 6, "cuda", 7)


def test_train_fit_and_predict(data: Array) -> None:
    expected = KMeans(
        6, init="random", n_init=1, max_iter=25, tol=1e-8, random_state=0, local_search=0
    ).fit(data)
    model = FastKMeans(d=5, k=6)
    assert model.centroids is None
    assert model.train(data) is None
    np.testing.assert_array_equal(model.centroids, expected.cluster_centers_.astype(np.float32))
    assert model.centroids.dtype == np.float32
    labels = model.predict(data)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, reference.closest(data, model.centroids))
    again = FastKMeans(5, 6)
    assert again.fit(data) is again
    np.testing.assert_array_equal(again.centroids, model.centroids)
    np.testing.assert_array_equal(FastKMeans(5, 6).fit_predict(data), labels)
    other = FastKMeans(5, 6, seed=3, niter=1).fit(data)
    assert not np.array_equal(other.centroids, FastKMeans(5, 6, niter=1).fit(data).centroids)


def test_large_tables_are_sampled(data: Array) -> None:
    model = FastKMeans(5, 6, max_points_per_centroid=10).fit(data)
    rows = np.sort(np.random.default_rng(0).choice(900, 60, replace=False))
    np.testing.assert_array_equal(model.centroids, FastKMeans(5, 6).fit(data[rows]).centroids)


def test_files_and_iterators(data: Array, tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", data)
    labels = FastKMeans(5, 6).fit_predict(data)
    np.testing.assert_array_equal(FastKMeans(5, 6).fit_predict(tmp_path / "data.npy"), labels)
    model = FastKMeans(5, 6).fit(iter([data[:100], data[100:]]))
    np.testing.assert_array_equal(model.predict(data), labels)


def test_mistakes_are_named(data: Array) -> None:
    with pytest.raises(RuntimeError, match="not trained: call train or fit before predict"):
        FastKMeans(5, 6).predict(data)
    with pytest.raises(ValueError, match="nredo must be 1, got 2"):
        FastKMeans(5, 6, nredo=2)
    with pytest.raises(ValueError, match="data has 5 columns, and FastKMeans was made for d=4"):
        FastKMeans(4, 6).fit(data)
    with pytest.raises(ValueError, match="n_samples=3"):
        FastKMeans(5, 6).fit(data[:3])
    with pytest.raises(TypeError, match="unexpected keyword argument 'spherical'"):
        FastKMeans(5, 6, spherical=True)


@pytest.mark.parametrize("most", [50, 10**9])  # a sample of the rows, all rows
def test_sparse_rows_give_what_dense_rows_give(most: int) -> None:
    X = texts(700, 60, dtype=np.float32)
    expected, found = (FastKMeans(60, 9, max_points_per_centroid=most) for _ in range(2))
    labels = expected.fit_predict(X.toarray())
    np.testing.assert_array_equal(found.fit_predict(X), labels)
    np.testing.assert_allclose(found.centroids, expected.centroids, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("d", "4", "an integer"), ("k", 3.0, "an integer"), ("niter", "5", "an integer"),
     ("seed", "a", "an integer"), ("max_points_per_centroid", None, "an integer"),
     ("tol", "0", "a number"), ("verbose", "yes", "True, False or an integer")],
)  # fmt: skip
def test_wrong_types_name_the_parameter(name: str, value: Any, kind: str, data: Array) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be {kind}, got {value!r}"):
        FastKMeans(**{"d": 5, "k": 6} | {name: value})
    if name != "d":
        model = FastKMeans(5, 6)
        setattr(model, name, value)
        with pytest.raises(TypeError, match=f"^{name} must be"):
            model.fit(data)


@pytest.mark.parametrize("size", [1e39, 1e300, 1e-39, 1e-300])
def test_centers_beyond_float32_are_refused(size: float, data: Array) -> None:
    with pytest.raises(ValueError, match=r"^Center \d is .*e.*\d\d in column \d.* scale data"):
        FastKMeans(5, 6).fit(data.astype(np.float64) * size)
