"""Tensors and lazy frames: read in place, or refused with the way out."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans, MiniBatchKMeans, compute_centroids, kmeans_plusplus
from fastkmeans._estimators.inputs import as_table

Array = NDArray[Any]
CPU, CUDA, PINNED, ROCM, METAL = 1, 2, 3, 10, 8


def of_library(name: str, kind: str = "Tensor", **members: Any) -> Any:
    """Return an object of a class that seems to come from a library."""
    return type(kind, (), {"__module__": f"{name}.inner", **members})()


def dlpack(X: Array, device: int = CPU) -> dict[str, Any]:
    return {
        "__dlpack__": lambda self, **options: X.__dlpack__(**options),
        "__dlpack_device__": lambda self: (device, 0),
    }


def fails(error: Exception) -> Any:
    def method(self: Any, *_: Any, **__: Any) -> Any:
        raise error

    return method


@pytest.fixture
def rows() -> Array:
    return np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)


def tensors(X: Array) -> dict[str, Any]:
    array = {"__array__": lambda self, dtype=None, copy=None: X}
    detached = of_library("torch", **array, **dlpack(X))
    return {
        "DLPack alone": of_library("tiny", **dlpack(X)),
        "iterable, DLPack alone": of_library("tiny", __iter__=fails(TypeError()), **dlpack(X)),
        "an array alone": of_library("tiny", **array),
        "both": of_library("torch", **array, **dlpack(X)),
        "pinned": of_library("torch", **array, **dlpack(X, PINNED)),
        "with a gradient": of_library(
            "torch", requires_grad=True, detach=lambda self: detached,
            __array__=fails(RuntimeError("requires grad")), **dlpack(X),
        ),
        "unknown to DLPack": of_library(
            "torch", device="cpu", **array, __dlpack__=fails(BufferError()),
            __dlpack_device__=fails(ValueError("no device")),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("kind", tensors(np.zeros((2, 2))))
def test_tensors_are_read_in_place(kind: str, rows: Array) -> None:
    X = tensors(rows)[kind]
    _, block = next(iter(as_table(X).rows.blocks()))
    assert np.shares_memory(block, rows)
    expected = KMeans(3, random_state=0).fit(rows)
    model = KMeans(3, random_state=0).fit(X)
    assert model.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()
    np.testing.assert_array_equal(model.predict(X), expected.labels_)
    assert model.transform(X).dtype == np.float32
    given = tensors(expected.cluster_centers_)[kind]
    assert KMeans(3, init=given).fit(rows).n_iter_ <= 2


@pytest.mark.parametrize("kind", tensors(np.zeros((2, 2))))
def test_weights_and_indices_may_be_tensors(kind: str, rows: Array) -> None:
    weights, index = np.linspace(0.5, 2.0, len(rows)), np.arange(len(rows)) % 3
    expected = KMeans(3, random_state=0).fit(rows, sample_weight=weights)
    model = KMeans(3, random_state=0).fit(rows, sample_weight=tensors(weights)[kind])
    assert model.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()
    means = compute_centroids(rows, tensors(index)[kind], 3)
    np.testing.assert_array_equal(means, compute_centroids(rows, index, 3))


def test_weights_and_indices_on_a_gpu_are_refused(rows: Array) -> None:
    X = of_library("torch", device="cuda:0", **dlpack(rows, CUDA))
    with pytest.raises(TypeError, match=r"sample_weight is a Tensor .* sample_weight\.cpu\(\)"):
        KMeans(3).fit(rows, sample_weight=X)
    with pytest.raises(TypeError, match=r"idx is a Tensor .* idx\.cpu\(\)"):
        compute_centroids(rows, X, 3)


def test_a_tensor_without_a_shape_is_refused() -> None:
    """Nested tensors of PyTorch raise as soon as their shape is read."""
    error = RuntimeError("NestedTensorImpl doesn't support sizes")
    X = of_library(
        "torch", shape=property(fails(error)), __array__=fails(error), **dlpack(np.eye(2))
    )
    with pytest.raises(TypeError, match="X is a Tensor of torch that NumPy cannot read"):
        KMeans(2).fit(X)


def test_real_tensors_of_torch(rows: Array) -> None:
    torch = pytest.importorskip("torch")
    X = torch.from_numpy(rows)
    _, block = next(iter(as_table(X).rows.blocks()))
    assert np.shares_memory(block, rows)
    expected = KMeans(3, random_state=0).fit(rows)
    for tensor in (X, X.clone().requires_grad_(), torch.nn.Parameter(X)):
        np.testing.assert_array_equal(expected.predict(tensor), expected.labels_)
    with pytest.raises(TypeError, match=r"X is a Tensor of torch .* convert it to float32"):
        expected.predict(X.bfloat16())
    with pytest.raises(TypeError, match="X is a Tensor of torch on meta"):
        expected.predict(X.to("meta"))
    with pytest.raises(TypeError, match=r"cannot read .* to a dense tensor"):
        expected.predict(X.to_sparse())
    weights = torch.linspace(0.5, 2.0, len(rows)).requires_grad_()
    weighted = KMeans(3, random_state=0).fit(rows, sample_weight=weights.detach().numpy())
    model = KMeans(3, random_state=0).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(model.labels_, weighted.labels_)
    across = X.T.contiguous().T  # columns are apart
    _, block = next(iter(as_table(across).rows.blocks()))
    assert np.shares_memory(block, across.numpy())
    np.testing.assert_array_equal(expected.predict(across), expected.labels_)


def test_real_arrays_of_jax(rows: Array) -> None:
    jax = pytest.importorskip("jax")
    X = jax.numpy.asarray(rows)
    expected = KMeans(3, random_state=0).fit(rows)
    np.testing.assert_array_equal(KMeans(3, random_state=0).fit(X).labels_, expected.labels_)
    with pytest.raises(TypeError, match=r"bfloat16.*convert it to float32"):
        expected.predict(X.astype("bfloat16"))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (of_library("torch", device="cuda:0", **dlpack(np.zeros((2, 2)), CUDA)),
         r"X is a Tensor of torch on cuda:0, .*: pass X\.cpu\(\)\."),
        (of_library("torch", device="mps:0", **dlpack(np.zeros((2, 2)), METAL)),
         r"torch on mps:0.*X\.cpu\(\)"),
        (of_library("torch", device="meta", __dlpack__=0,
                    __dlpack_device__=fails(ValueError("no device"))), "torch on meta"),
        (of_library("cupy", "ndarray", device=object(), **dlpack(np.zeros((2, 2)), CUDA),
                    __array__=fails(TypeError("Implicit"))),
         r"X is a ndarray of cupy on a GPU.*X\.get\(\)"),
        (of_library("jaxlib", "ArrayImpl", device=object(), **dlpack(np.zeros((2, 2)), ROCM)),
         r"jax\.device_get\(X\)"),
        (of_library("numba", "DeviceNDArray", __cuda_array_interface__={}),
         r"of numba on a GPU.*X\.copy_to_host\(\)"),
        (of_library("other", __cuda_array_interface__={}), "a copy of X in memory of the CPU"),
        (of_library("torch", **dlpack(np.zeros((2, 2))),
                    __array__=fails(TypeError("unsupported ScalarType BFloat16"))),
         r"cannot read \(unsupported ScalarType BFloat16\): convert it to float32"),
        (of_library("jaxlib", **dlpack(np.zeros((2, 2))),
                    __array__=lambda self, dtype=None, copy=None: np.zeros((2, 2), "V2")),
         "dtype |V2.*convert it to float32"),
    ],
)  # fmt: skip
def test_what_a_cpu_cannot_read_is_refused(X: Any, message: str) -> None:
    model = KMeans(1).fit(np.zeros((2, 2)))
    for call in (KMeans(1).fit, model.predict, MiniBatchKMeans(1).partial_fit):
        with pytest.raises(TypeError, match=message):
            call(X)


@pytest.mark.parametrize("library", ["modin.pandas.dataframe", "cudf.core", "pyspark.sql"])
def test_frames_that_are_not_read_name_the_way_to_pandas(library: str) -> None:
    array = {"__array__": lambda self, dtype=None, copy=None: np.zeros((2, 2))}
    X = of_library(library, "DataFrame", columns=["a", "b"], shape=(2, 2), **array)
    root = library.partition(".")[0]
    ways = {"modin": "X.modin.to_pandas()", "cudf": "X.to_pandas()", "pyspark": "X.toPandas()"}
    with pytest.raises(TypeError, match=f"X is a data frame of {root}") as caught:
        KMeans(1).fit(X)
    assert ways[root] in str(caught.value)


def test_a_lazy_frame_is_collected(rows: Array) -> None:
    frame = pl.DataFrame(rows, schema=list("abcd"))
    lazy = frame.lazy().with_columns(pl.col("a") * 2)
    whole = lazy.collect()
    expected = KMeans(3, random_state=0).fit(whole)
    model = KMeans(3, random_state=0).fit(lazy)
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_array_equal(model.predict(lazy), expected.labels_)
    np.testing.assert_array_equal(model.representatives(lazy), expected.representatives(whole))
    found, wanted = (kmeans_plusplus(X, 3, random_state=0)[1] for X in (lazy, whole))
    np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ValueError, match="should match"):
        model.predict(lazy.rename({"a": "z"}))
