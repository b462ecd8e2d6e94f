"""One table in many containers, types and memory layouts: one answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._engines.base import work_of
from fastkmeans._runtime.threads import SERIAL_NANOSECONDS, SMALL_TABLE

Array = NDArray[Any]
NAMES = ["a", "b", "c", "d", "e"]


def small_integers(n: int) -> Array:
    """Return values that every type here holds exactly, none smaller than 0."""
    rng = np.random.default_rng(n)
    return (rng.integers(0, 30, (n, 5)) + 20 * rng.integers(0, 4, (n, 1))).astype(np.float64)


def columns_apart(X: Array) -> dict[str, Array]:
    return {name: X[:, f].copy() for f, name in enumerate(NAMES)}


def unaligned(X: Array) -> Array:
    buffer = np.zeros(X.nbytes + 1, np.uint8)
    view = buffer[1:].view(X.dtype).reshape(X.shape)
    view[...] = X
    assert not view.flags.aligned
    return view


def padded(X: Array) -> Array:
    """Return rows and columns that lie among others."""
    wide = np.full((2 * len(X), 3 * X.shape[1]), np.nan, X.dtype)
    wide[1::2, 2::3] = X
    return wide[1::2, 2::3]


def odd_strides(X: Array) -> Array:
    """Return rows 4 bytes apart from any multiple of the item size."""
    step = X.shape[1] * X.itemsize + 4
    buffer = np.zeros(len(X) * step + 16, np.uint8)
    buffer = buffer[: buffer.size // X.itemsize * X.itemsize]
    view = as_strided(buffer.view(X.dtype), X.shape, (step, X.itemsize))
    view[...] = X
    return view


def read_only(X: Array) -> Array:
    X = X.copy()
    X.flags.writeable = False
    return X


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "Fortran": np.asfortranarray,
    "among others": padded,
    "rows reversed": lambda X: np.ascontiguousarray(X[::-1])[::-1],
    "columns reversed": lambda X: np.ascontiguousarray(X[:, ::-1])[:, ::-1],
    "Fortran, reversed": lambda X: np.asfortranarray(X[::-1, ::-1])[::-1, ::-1],
    "transposed view": lambda X: np.ascontiguousarray(X.T).T,
    "slice of 3-D": lambda X: np.stack([X * 0, X, X * 0], axis=1)[:, 1],
    "read-only": read_only,
    "unaligned": unaligned,
    "odd strides": odd_strides,
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "big-endian, Fortran": lambda X: np.asfortranarray(X.astype(X.dtype.newbyteorder(">"))),
    "matrix": lambda X: X.view(np.matrix),
    "masked": lambda X: np.ma.array(X),
    "a frame of one block": lambda X: pd.DataFrame(X, columns=NAMES, copy=False),
    "a frame of columns": lambda X: pd.DataFrame(columns_apart(X)),
    "polars": lambda X: pl.DataFrame(X, schema=NAMES),
    "polars, chunked": lambda X: pl.concat(
        [pl.DataFrame(X[:7], schema=NAMES), pl.DataFrame(X[7:], schema=NAMES)], rechunk=False
    ),
    "pyarrow": lambda X: pa.table(columns_apart(X)),
    "pyarrow, chunked": lambda X: pa.concat_tables(
        [pa.table(columns_apart(X[:9])), pa.table(columns_apart(X[9:]))]
    ),
    "pyarrow, sliced": lambda X: pa.table(columns_apart(np.concatenate([X, X]))).slice(
        len(X), len(X)
    ),
}
READ_IN_PLACE = {
    "Fortran", "among others", "rows reversed", "columns reversed", "Fortran, reversed",
    "transposed view", "slice of 3-D", "read-only", "matrix", "masked", "a frame of one block",
}  # fmt: skip


def with_nulls_elsewhere(X: Array) -> pa.Table:
    """Return a slice of a table whose other rows hold nulls."""
    table = pa.table({n: pa.array([None, *X[:, f], None]) for f, n in enumerate(NAMES)})
    return table.slice(1, len(X))


# Other types: the answer is that of the same numbers in float32 or float64.
TYPES: dict[str, tuple[Callable[[Array], Any], Any]] = {
    **{
        name: ((lambda X, name=name: X.astype(name)), np.float64)
        for name in ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i2", ">u4", ">i8", "g", "O"]
    },
    "f2": (lambda X: X.astype("f2"), np.float32),
    ">f2": (lambda X: np.asfortranarray(X.astype(">f2")), np.float32),
    "u1, among others": (lambda X: np.repeat(X.astype("u1"), 2, axis=1)[:, ::2], np.float64),
    "lists": (lambda X: X.tolist(), np.float64),
    "tuples of integers": (lambda X: tuple(map(tuple, X.astype(int).tolist())), np.float64),
    "list of arrays": (lambda X: list(X.astype("f4")), np.float32),
    "pandas, mixed": (
        lambda X: pd.DataFrame(columns_apart(X)).astype(
            {"a": "f4", "b": "i8", "c": "u1", "d": "f2"}
        ),
        np.float64,
    ),
    "pandas, float32 and float16": (
        lambda X: pd.DataFrame(columns_apart(X)).astype(dict.fromkeys(NAMES, "f4") | {"b": "f2"}),
        np.float32,
    ),
    "pandas, nullable": (
        lambda X: pd.DataFrame(columns_apart(X)).astype({"a": "Int64", "b": "Float32"}),
        np.float64,
    ),
    "pandas, arrow": (
        lambda X: pd.DataFrame(columns_apart(X)).astype("double[pyarrow]"), np.float64
    ),
    "pandas, odd index": (
        lambda X: pd.DataFrame(X, columns=NAMES, index=np.arange(len(X))[::-1] * 7), np.float64
    ),
    "pandas, equal names": (lambda X: pd.DataFrame(X, columns=[3] * 5), np.float64),
    "polars, integers": (lambda X: pl.DataFrame(X.astype("i4"), schema=NAMES), np.float64),
    "polars, mixed": (
        lambda X: pl.DataFrame(X, schema=NAMES).with_columns(
            pl.col("a").cast(pl.Int16), pl.col("b").cast(pl.Float32), pl.col("c").cast(pl.UInt64)
        ),
        np.float64,
    ),
    "polars, decimal": (
        lambda X: pl.DataFrame(X, schema=NAMES).with_columns(pl.col("a").cast(pl.Decimal(12, 2))),
        np.float64,
    ),
    "pyarrow, mixed": (
        lambda X: pa.table({n: X[:, f].astype(t) for f, (n, t) in enumerate(
            zip(NAMES, ("f4", "i8", "u1", "i2", "f8"), strict=True))}),
        np.float64,
    ),
    "pyarrow, decimal": (
        lambda X: pa.table(columns_apart(X)).set_column(
            0, "a", pa.array(X[:, 0]).cast(pa.decimal128(12, 2))
        ),
        np.float64,
    ),
    "pyarrow, nulls elsewhere": (with_nulls_elsewhere, np.float64),
}  # fmt: skip
SIZES = [300, 17_011]  # one thread; several, with a remainder at the end


def snapshot(X: Any) -> Any:
    if isinstance(X, np.ndarray):
        return X.tobytes(), X.flags.writeable, X.strides
    if isinstance(X, list | tuple):
        return type(X), np.array(X).tobytes()
    return X.copy() if isinstance(X, pd.DataFrame) else str(X)


def unchanged(X: Any, before: Any) -> bool:
    return X.equals(before) if isinstance(X, pd.DataFrame) else snapshot(X) == before


class Answers(NamedTuple):
    """What a plain array gives."""

    model: KMeans
    distances: Array
    score: float
    seeded: Array  # centers after one iteration from k-means++


KNOWN: dict[tuple[str, bytes], Answers] = {}
"""Answers by type and content: many tests ask for those of one table."""


def answers_of(plain: Array, init: Array) -> Answers:
    key = plain.dtype.str, hashlib.sha256(plain.tobytes()).digest()
    if key not in KNOWN:
        model = KMeans(4, init=init, max_iter=6).fit(plain)
        seeded = KMeans(4, max_iter=1, random_state=0).fit(plain).cluster_centers_
        KNOWN[key] = Answers(model, model.transform(plain), model.score(plain), seeded)
    return KNOWN[key]


def fit_and_check(X: Any, plain: Array, same_bits: bool = False) -> None:
    """Compare with the plain array, for every method.

    What is converted comes block by block: its sums may be added in another order.
    """
    rtol = 0.0 if same_bits else 1e-13
    init = plain[[0, 7, 60, 120]] + plain.dtype.type(0.25)
    before = snapshot(X)
    model = KMeans(4, init=init, max_iter=6).fit(X)
    expected, distances, score, seeded = answers_of(plain, init)
    assert len(set(expected.labels_)) == 4
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_allclose(model.cluster_centers_, expected.cluster_centers_, rtol=rtol)
    assert model.inertia_ == pytest.approx(expected.inertia_, rel=rtol, abs=0.0)
    assert model.n_iter_ == expected.n_iter_
    np.testing.assert_array_equal(expected.predict(X), expected.labels_)
    found = expected.transform(X)
    np.testing.assert_array_equal(found, distances)
    assert found.dtype == plain.dtype
    assert expected.score(X) == pytest.approx(score, rel=rtol, abs=0.0)
    same = KMeans(4, max_iter=1, random_state=0).fit(X)
    np.testing.assert_allclose(same.cluster_centers_, seeded, rtol=rtol)
    assert unchanged(X, before), "X was modified"


def test_the_sizes_lie_on_both_sides_of_the_thresholds() -> None:
    few, many = SIZES
    assert work_of((few, 5), 4) < SERIAL_NANOSECONDS < work_of((many, 5), 4)
    assert few * 5 < SMALL_TABLE < many * 5  # seeding


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_layouts_and_containers(layout: str, n: int, dtype: Any) -> None:
    """Values with full mantissas: any other order of the sums would show."""
    rng = np.random.default_rng(1)
    plain = (small_integers(n) + rng.normal(size=(n, 5))).astype(dtype)
    fit_and_check(LAYOUTS[layout](plain), plain, same_bits=layout in READ_IN_PLACE)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.filterwarnings("ignore:X .*feature names")
def test_types_give_the_answer_of_floats(kind: str, n: int) -> None:
    make, dtype = TYPES[kind]
    plain = small_integers(n)
    fit_and_check(make(plain), plain.astype(dtype))


@pytest.mark.parametrize("n", SIZES)
def test_booleans(n: int) -> None:
    plain = np.random.default_rng(0).random((n, 12)) < np.linspace(0.1, 0.9, n)[:, None]
    init = np.eye(4, 12)
    model = KMeans(4, init=init, max_iter=5).fit(plain)
    expected = KMeans(4, init=init, max_iter=5).fit(plain.astype(float))
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_allclose(model.cluster_centers_, expected.cluster_centers_, rtol=1e-12)
    framed = KMeans(4, init=init, max_iter=5).fit(pl.DataFrame(plain))
    np.testing.assert_array_equal(framed.labels_, model.labels_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_zero_strides(n: int, dtype: Any) -> None:
    column = np.random.default_rng(0).normal(size=(n, 1)).astype(dtype)
    fit_and_check(np.broadcast_to(column, (n, 5)), np.repeat(column, 5, axis=1))
    row = np.broadcast_to(np.arange(5, dtype=dtype), (n, 5))
    model = KMeans(1).fit(row)
    np.testing.assert_array_equal(model.cluster_centers_, [np.arange(5)])
    assert model.inertia_ == 0.0


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f8", "i2"])
def test_memory_mapped_files(tmp_path: Path, mode: Any, dtype: str) -> None:
    plain = small_integers(3000)
    np.save(tmp_path / "X.npy", plain.astype(dtype))
    content = (tmp_path / "X.npy").read_bytes()
    X = np.load(tmp_path / "X.npy", mmap_mode=mode)
    fit_and_check(X, plain.astype(np.float32 if dtype in ("f4", "f2") else np.float64))
    model = KMeans(3, random_state=0).fit(X)
    for values in (model.labels_, model.cluster_centers_, model.predict(X), model.transform(X)):
        assert type(values) is np.ndarray
    assert (tmp_path / "X.npy").read_bytes() == content


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_single_row(layout: str) -> None:
    plain = small_integers(50) + 0.125
    X = LAYOUTS[layout](plain)
    model = KMeans(4, init=plain[:4]).fit(X)
    first = X.slice(0, 1) if isinstance(X, pa.Table | pl.DataFrame) else X[:1]
    np.testing.assert_array_equal(model.predict(first), model.labels_[:1])
    np.testing.assert_array_equal(model.transform(first), model.transform(X)[:1])


@pytest.mark.parametrize("kind", TYPES)
def test_initial_centers_in_any_type(kind: str) -> None:
    plain = small_integers(200)
    init = TYPES[kind][0](plain[:6])
    model = KMeans(6, init=init, max_iter=3).fit(plain)
    expected = KMeans(6, init=plain[:6], max_iter=3).fit(plain)
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
