"""Packing of points and centers, at the edges of blocks and tiles, against NumPy."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastkmeans._data.rows import twice
from fastkmeans._data.scaling import make_scaling, unshifted
from fastkmeans._engines.base import Packed
from fastkmeans._kernels.emit.simd import CENTERS, POINTS, VECTOR_BYTES
from fastkmeans._kernels.shared.pack import mark_repeats, pack_centers, pack_points
from tests.helpers.kernels import (
    DTYPES,
    LAYOUTS,
    Array,
    lay_out,
    make_tiles,
)
from tests.helpers.processes import run


def packed_blocks(
    X: Array, rows: list[int], dtype: Any, offset: Array, scale: float, capacity: int = 1
) -> tuple[Array, Array]:
    """Pack rows; a float64 block is packed in float64 arithmetic (see ``settle_rows``)."""
    blocks = np.full((capacity, X.shape[1], POINTS), np.nan, dtype)
    norms = np.full((capacity, POINTS), np.nan, dtype)
    places = np.zeros(capacity * POINTS, np.int64)
    places[: len(rows)] = rows
    places[len(rows) :] = 1 << 40  # must not be read
    kind = np.promote_types(X.dtype, dtype)
    count = pack_points(
        twice(X), places, len(rows), offset.astype(kind), kind.type(scale), blocks, norms
    )
    assert count == -(-len(rows) // POINTS)
    assert np.isnan(blocks[count:]).all()
    return blocks[:count], norms[:count]


@pytest.mark.parametrize("out", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pack_points(dtype: Any, out: Any, layout: str) -> None:
    rng = np.random.default_rng(0)
    m = 4 * POINTS
    for d in range(1, 2 * VECTOR_BYTES // 4 + 9):
        whole = rng.integers(-99, 99, (m, d)) / 8
        X = lay_out(whole.astype(dtype), layout)
        offset = rng.integers(-99, 99, d) / 8
        for count in {1, 2, POINTS - 1, POINTS, POINTS + 1, 3 * POINTS, int(rng.integers(1, m))}:
            some = np.sort(rng.permutation(m)[:count]).tolist()
            gap = [i + (i > count // 2) for i in range(count)]  # a run, a gap, a run
            for rows in (some, list(range(m - count, m)), gap if count < m else some):
                blocks, norms = packed_blocks(X, rows, out, offset, 0.25, 4)
                filled = rows + rows[-1:] * (-count % POINTS)
                expected = (whole[filled] * 0.25 + offset).reshape(-1, POINTS, d)
                np.testing.assert_array_equal(blocks, expected.transpose(0, 2, 1))
                np.testing.assert_array_equal(norms, (expected**2).sum(axis=2))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("out", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_packing_rounds_as_the_bound_supposes(dtype: Any, out: Any, layout: str) -> None:
    """One rounding to the block's precision, and none coarser than that."""
    rng = np.random.default_rng(3)
    unit = float(np.finfo(out).eps) / 2 + (2.0**-53 if out == np.float32 else 0.0)
    for d in (1, 3, 20):
        X = lay_out(rng.normal(size=(POINTS, d)).astype(dtype), layout)
        offset = (rng.normal(size=d) * 3).astype(dtype)
        blocks, _ = packed_blocks(X, list(range(POINTS)), out, offset, 0.5)
        for p, f in product(range(POINTS), range(d)):
            exact = Fraction(float(X[p, f])) / 2 + Fraction(float(offset[f]))
            error = abs(Fraction(float(blocks[0, f, p])) - exact)
            assert error <= Fraction(unit) * abs(exact)


AT_THE_END_OF_MEMORY = """
import ctypes, mmap
from fastkmeans._data.rows import twice
from fastkmeans._kernels.emit.simd import POINTS
from fastkmeans._kernels.shared.pack import pack_points

page = mmap.PAGESIZE
memory = mmap.mmap(-1, 8 * page)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
protect = ctypes.CDLL(None).mprotect
assert protect(ctypes.c_void_p(address + 7 * page), ctypes.c_size_t(page), 0) == 0
for dtype in ("float32", "float64"):
    size = np.dtype(dtype).itemsize
    for d in range(1, 20):
        for m in (1, 2, 3, POINTS, 2 * POINTS + 1):
            whole = np.frombuffer(memory, dtype, m * d, 7 * page - m * d * size).reshape(m, d)
            whole[:] = np.arange(m * d).reshape(m, d)
            for X in (whole, whole[::2] if m % 2 else whole[1::2]):
                blocks = np.zeros((3, d, POINTS), "float32")
                rows, norms = np.arange(3 * POINTS), np.zeros((3, POINTS), "float32")
                zero = np.zeros(d, dtype)
                pack_points(twice(X), rows, len(X), zero, zero.dtype.type(1), blocks, norms)
                found = blocks.transpose(0, 2, 1).reshape(-1, d)[: len(X)]
                np.testing.assert_array_equal(found, X)
print("packed")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no mprotect")
def test_packing_reads_nothing_beyond_the_last_row(tmp_path: Path) -> None:
    assert run(AT_THE_END_OF_MEMORY, tmp_path) == "packed"


# --- centers


def pack(centers: Array, shift: Array, scale: float, table_size: int = 0) -> Packed:
    packed = Packed(*centers.shape)
    if table_size:
        packed.table = np.empty(table_size, np.int32)
    packed.tiles[:] = 5.0
    packed.largest = pack_centers(centers, shift, scale, False, *packed.buffers)
    return packed


@pytest.mark.parametrize("k", [1, CENTERS - 1, CENTERS, CENTERS + 1, 3 * CENTERS])
def test_pack_centers(k: int) -> None:
    rng = np.random.default_rng(k)
    for d in (1, 4, 19):
        centers = rng.integers(-99, 99, (k, d)) / 4 + np.arange(k)[:, None] * 64
        shift = rng.integers(-9, 9, d) / 4
        packed = pack(centers, shift, 0.5)
        scaled = (centers - shift) * 0.5
        norms = (scaled**2).sum(axis=1)
        np.testing.assert_array_equal(packed.scaled, scaled)
        np.testing.assert_array_equal(packed.norms, norms)
        assert packed.largest == norms.max()
        assert not packed.repeated.any()
        expected = make_tiles(scaled, np.float64)
        scaling = make_scaling(np.dtype(np.float64), shift, 0.5)
        for tiles in (packed.tiles, packed.tiles64(centers, scaling)):
            by_center = tiles.transpose(0, 2, 1).reshape(-1, 1 + d)
            reference = expected.transpose(0, 2, 1).reshape(-1, 1 + d).astype(tiles.dtype)
            np.testing.assert_array_equal(by_center[:k], reference[:k])
            assert (by_center[k:, 0] == -np.inf).all()


def repeats_reference(centers: Array) -> list[bool]:
    seen: set[tuple[float, ...]] = set()
    marks = []
    for row in (centers + 0.0).tolist():  # -0.0 + 0.0 is 0.0
        marks.append(tuple(row) in seen)
        seen.add(tuple(row))
    return marks


def test_repeated_centers_are_marked_and_cannot_win() -> None:
    rng = np.random.default_rng(0)
    for k, d in [(2, 1), (9, 2), (40, 1), (60, 2), (200, 3)]:
        centers = rng.integers(-2, 3, (k, d)).astype(float)
        centers[rng.random((k, d)) < 0.2] = -0.0
        smallest = 1 << k.bit_length()  # the fullest table allowed
        for size in (0, smallest):
            packed = pack(centers, np.zeros(d), 1.0, size)
            assert packed.repeated.tolist() == repeats_reference(centers)
            bias = packed.tiles[:, 0].ravel()[:k]
            np.testing.assert_array_equal(bias == -np.inf, packed.repeated)


def test_equal_norms_are_no_repeats() -> None:
    """Sign flips and permutations have the same hash and are different centers."""
    signs = np.array(list(product([-1.0, 1.0], repeat=6)))
    centers = np.vstack([signs * np.arange(1.0, 7.0), signs * np.arange(6.0, 0.0, -1.0)])
    packed = pack(centers, np.zeros(6), 1.0)
    assert len(set(packed.norms)) == 1
    assert not packed.repeated.any()
    again = np.vstack([centers, centers[::-1]])
    assert pack(again, np.zeros(6), 1.0).repeated.tolist() == [False] * 128 + [True] * 128


def test_mark_repeats_survives_odd_norms() -> None:
    norms = np.array([0.0, 5e-324, 1e300, np.inf, np.inf, 0.0])
    centers = np.array([0.0, 1e-162, 1e150, 1e200, 2e200, -0.0])[:, None]
    repeated = np.empty(6, np.bool_)
    mark_repeats(centers, norms, np.empty(8, np.int32), repeated)
    assert repeated.tolist() == [False] * 5 + [True]


def test_by_cosine_scores_have_no_bias() -> None:
    packed = Packed(4, 2)
    centers = np.array([[0.6, 0.8], [1.0, 0.0], [-0.8, 0.6], [0.0, -1.0]])
    packed.pack(centers, unshifted(np.dtype(np.float32), 2, 1.0))
    assert (packed.tiles[:, 0].ravel()[:4] == 0.0).all()
