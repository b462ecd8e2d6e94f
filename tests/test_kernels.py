"""Each kernel against plain NumPy, at the edges of tiles, blocks, groups and panels.

Most inputs are small integers: every sum is then exact in float32 too, results can be
compared bit for bit, and exact ties abound.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import closest, squared_distances

from fastkmeans._assign import Packed
from fastkmeans._frame import Frame, make_frame, merge_moments, no_moments
from fastkmeans._jit import jit
from fastkmeans._kernels import seeding, tile
from fastkmeans._kernels.assign import (
    GROUP,
    PANEL_BYTES,
    assign_few,
    assign_rows,
    closest_by_differences,
    score_blocks,
    settle_rows,
)
from fastkmeans._kernels.distances import distance_rows
from fastkmeans._kernels.drivers import iterate_serial
from fastkmeans._kernels.moments import (
    CHUNK,
    M2,
    MAXIMUM,
    MEAN,
    MINIMUM,
    WEIGHT,
    add_moments,
)
from fastkmeans._kernels.pack import NARROW, mark_repeats, pack_centers, pack_points
from fastkmeans._kernels.simd import CENTERS, POINTS, VECTOR_BYTES
from fastkmeans._kernels.update import (
    CHAINS,
    COUNT,
    NARROW_CHAINS,
    add_squares,
    move_rows,
    update_centers,
)
from fastkmeans._kernels.update import WEIGHT as WEIGHT_ROW
from fastkmeans._rows import twice
from fastkmeans._validation import NO_WEIGHTS

Array = NDArray[Any]
DTYPES = [np.float32, np.float64]
LAYOUTS = ["C", "F", "strided"]
GROUP_ROWS = seeding.GROUP_ROWS


@jit
def run_best_two(blocks, b, tiles, start, stop, best, second, index):
    tile.best_two(blocks, b, tiles, start, stop, best, second, index)


@jit
def run_squared_distances(blocks, b, tiles, number, out):
    tile.squared_distances(blocks, b, tiles, number, out)


def lay_out(X: Array, layout: str) -> Array:
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "strided":
        wide = np.full((2 * len(X), 3 * X.shape[1] + 1), 99, X.dtype)
        wide[::2, 1::3] = X
        return wide[::2, 1::3]
    return np.ascontiguousarray(X)


def make_tiles(centers: Array, dtype: Any, rubbish: float = 0.0) -> Array:
    """Lay centers out as tiles; the padding holds ``rubbish`` below a bias of -inf."""
    k, d = centers.shape
    padded = np.full((-(-k // CENTERS) * CENTERS, 1 + d), rubbish)
    padded[:, 0] = -np.inf
    padded[:k, 0] = -(centers**2).sum(axis=1) / 2
    padded[:k, 1:] = centers
    return np.ascontiguousarray(padded.reshape(-1, CENTERS, 1 + d).transpose(0, 2, 1), dtype)


def best_two_reference(points: Array, centers: Array) -> tuple[Array, Array, Array]:
    scores = points @ centers.T - (centers**2).sum(axis=1) / 2
    index = scores.argmax(axis=1)
    best = np.take_along_axis(scores, index[:, None], 1)[:, 0]
    np.put_along_axis(scores, index[:, None], -np.inf, 1)
    return best, scores.max(axis=1), index


def new_best_two(dtype: Any, shape: Any = (2, POINTS)) -> tuple[Array, Array, Array]:
    return np.full(shape, -np.inf, dtype), np.full(shape, -np.inf, dtype), np.zeros(shape, np.int32)


# --- the tile


def one_of_two(points: Array, dtype: Any) -> Array:
    """Return points as block 1 of two; block 0 holds other values."""
    return np.stack([np.full(points.T.shape, 3.0), points.T]).astype(dtype)


def second_of(found: tuple[Array, Array, Array]) -> list[Array]:
    """Return what was found for block 1; block 0 is untouched."""
    for array, start in zip(found, (-np.inf, -np.inf, 0), strict=True):
        assert (array[0] == start).all()
    return [array[1] for array in found]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, CENTERS - 1, CENTERS, CENTERS + 1, 5 * CENTERS + 3])
def test_best_two(dtype: Any, k: int) -> None:
    rng = np.random.default_rng(k)
    for d in (1, 2, 3, 17):
        points = rng.integers(-2, 3, (POINTS, d)).astype(float)
        centers = rng.integers(-2, 3, (k, d)).astype(float)
        blocks = one_of_two(points, dtype)
        tiles = make_tiles(centers, dtype, rubbish=7.0)
        found = new_best_two(dtype)
        run_best_two(blocks, 1, tiles, 0, len(tiles), *found)
        for got, expected in zip(
            second_of(found), best_two_reference(points, centers), strict=True
        ):
            np.testing.assert_array_equal(got, expected)
        in_parts = new_best_two(dtype)
        for t in range(len(tiles)):
            run_best_two(blocks, 1, tiles, t, t + 1, *in_parts)
        np.testing.assert_array_equal(in_parts, found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lowest_index_within_and_across_tiles(dtype: Any) -> None:
    k, d = 4 * CENTERS, 3
    blocks = one_of_two(np.ones((POINTS, d)), dtype)
    for winners in ([0, 1], [0, k - 1], [3, CENTERS + 2], [CENTERS - 1, CENTERS], [k - 2, k - 1]):
        centers = np.full((k, d), -5.0)
        centers[winners] = 1.0
        found = new_best_two(dtype)
        run_best_two(blocks, 1, make_tiles(centers, dtype), 0, 4, *found)
        best, second, index = second_of(found)
        assert (index == winners[0]).all()
        np.testing.assert_array_equal(best, second)  # a tie is a margin of zero


@pytest.mark.parametrize("dtype", DTYPES)
def test_second_best_is_kept_wherever_it_stands(dtype: Any) -> None:
    k, d = 2 * CENTERS + 1, 1
    blocks = one_of_two(np.zeros((POINTS, d)), dtype)
    tiles = make_tiles(np.full((k, d), 9.0), dtype)
    places = [0, 1, CENTERS - 1, CENTERS, 2 * CENTERS - 1, 2 * CENTERS]
    for first, other in product(places, places):
        if first != other:
            scored = tiles.copy()
            scored[first // CENTERS, 0, first % CENTERS] = -1.0
            scored[other // CENTERS, 0, other % CENTERS] = -2.0
            found = new_best_two(dtype)
            run_best_two(blocks, 1, scored, 0, 3, *found)
            best, second, index = second_of(found)
            assert (best == -1.0).all()
            assert (second == -2.0).all()
            assert (index == first).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_squared_distances(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for d, n_tiles in product((1, 2, 5, 33), (1, 3)):
        points = rng.integers(-9, 9, (POINTS, d)).astype(float)
        centers = rng.integers(-9, 9, (n_tiles * CENTERS, d)).astype(float)
        tiles = make_tiles(centers, dtype)
        tiles[:, 0] = np.nan  # the bias is not read
        for t in range(n_tiles):
            out = np.full((CENTERS, POINTS), -1, dtype)
            run_squared_distances(one_of_two(points, dtype), 1, tiles, t, out)
            expected = squared_distances(centers[t * CENTERS : (t + 1) * CENTERS], points)
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_blocks", [1, GROUP])
def test_score_blocks_crosses_panels(dtype: Any, n_blocks: int) -> None:
    d = 600
    per_panel = max(1, PANEL_BYTES // ((d + 1) * CENTERS * np.dtype(dtype).itemsize))
    k = (2 * per_panel + 1) * CENTERS - 1
    rng = np.random.default_rng(1)
    centers = rng.integers(-2, 3, (k, d)).astype(float)
    centers[-3:] = centers[2:5]  # ties between the first panel and the last
    points = rng.integers(-2, 3, (n_blocks, POINTS, d)).astype(float)
    points[0, :3] = centers[-3:]
    blocks = np.zeros((GROUP, d, POINTS), dtype)
    blocks[:n_blocks] = points.transpose(0, 2, 1)
    found = new_best_two(dtype, (GROUP, POINTS))
    for array in found:
        array[:] = 3  # cleared by the kernel
    score_blocks(blocks, n_blocks, make_tiles(centers, dtype), *found)
    expected = best_two_reference(points.reshape(-1, d), centers)
    for got, reference in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got[:n_blocks].ravel(), reference)
        assert (got[n_blocks:] == 3).all()


# --- packing


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


def pack(centers: Array, shift: Array, scale: float, table_size: int = 0) -> Packed:
    packed = Packed(*centers.shape)
    if table_size:
        packed.table = np.empty(table_size, np.int32)
    packed.tiles[:] = 5.0
    packed.largest = pack_centers(centers, shift, scale, *packed.buffers)
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
        frame = make_frame(np.dtype(np.float64), shift, 0.5)
        for tiles in (packed.tiles, packed.tiles64(centers, frame)):
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


# --- the E step


def prepare(X: Array, centers: Array, shift: Any = 0.0, scale: float = 1.0) -> tuple[Frame, Packed]:
    frame = make_frame(X.dtype, np.zeros(X.shape[1]) + shift, scale)
    packed = Packed(*centers.shape)
    packed.pack(centers, frame)
    return frame, packed


def assign(
    X: Array,
    centers: Array,
    start: int = 0,
    stop: int | None = None,
    previous: Array | None = None,
    **options: Any,
) -> tuple[Array, Array]:
    frame, packed = prepare(X, centers, **options)
    if previous is None:
        previous = np.full(len(X), -1, np.int32)
    labels, counts = np.full(len(X), -7, np.int32), np.full(3, -9, np.int64)
    assign_rows(
        twice(X), start, len(X) if stop is None else stop, frame.x_offset, frame.x_scale,
        centers, packed.tiles, packed.largest, previous, labels, counts,
    )  # fmt: skip
    return labels, counts


def settle(
    X: Array,
    centers: Array,
    labels: Array,
    start: int = 0,
    stop: int | None = None,
    previous: Array | None = None,
    **options: Any,
) -> tuple[Array, Array]:
    frame, packed = prepare(X, centers, **options)
    if previous is None:
        previous = np.full(len(X), -1, np.int32)
    labels, counts = labels.copy(), np.full(3, -9, np.int64)
    settle_rows(
        twice(X), start, len(X) if stop is None else stop, frame.offset, frame.scale,
        centers, packed.tiles64(centers, frame), packed.largest, previous, labels, counts,
    )  # fmt: skip
    return labels, counts


ROW_COUNTS = [*range(1, POINTS + 2), 2 * POINTS - 1, 2 * POINTS + 1]
ROW_COUNTS += [GROUP * POINTS + delta for delta in (-1, 0, 1, POINTS)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_assign_rows_at_every_edge_of_a_block(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(2 * CENTERS + 1, 3))
    for m in ROW_COUNTS:
        X = rng.normal(size=(m, 3)).astype(dtype)
        expected = closest(X, centers)
        labels, counts = assign(X, centers)
        np.testing.assert_array_equal(labels, expected)
        assert counts[0] == m
        assert counts[2] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_lane_is_checked(dtype: Any) -> None:
    """Rows whose closest center float32 cannot tell, up to every edge of a block."""
    for m, nearer in product((1, POINTS - 1, POINTS, POINTS + 1, GROUP * POINTS + 1), (0, 1)):
        X = np.full((m, 1), 0.25, dtype)
        centers = np.array([[-0.75], [1.25]])
        centers[nearer] += (0.25 - centers[nearer]) * 1e-9
        labels, counts = assign(X, centers)
        assert set(labels.tolist()) <= {nearer, -1}
        assert counts.tolist() == [counts[1], counts[1], m - counts[1]]
        assert (settle(X, centers, labels)[0] == nearer).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_assign_rows_writes_its_range_only(dtype: Any, layout: str) -> None:
    rng = np.random.default_rng(1)
    m = GROUP * POINTS + 77
    X = lay_out(rng.normal(size=(m, 21)).astype(dtype), layout)
    centers = rng.normal(size=(30, 21))
    expected = closest(X, centers)
    for start, stop in [(0, 1), (5, 5 + POINTS), (3, m), (m - 1, m), (40, 40 + GROUP * POINTS)]:
        labels, _ = assign(X, centers, start, stop, shift=0.25, scale=0.5)
        np.testing.assert_array_equal(labels[start:stop], expected[start:stop])
        assert (labels[:start] == -7).all()
        assert (labels[stop:] == -7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_moved_are_counted(dtype: Any) -> None:
    rng = np.random.default_rng(2)
    grid = rng.integers(-2, 3, (30_000, 2)).astype(dtype)  # ties: every path is taken
    centers = rng.integers(-2, 3, (7, 2)).astype(float)
    expected = closest(grid, centers)
    previous = np.where(rng.random(30_000) < 0.3, (expected + 1) % 7, expected).astype(np.int32)
    labels, first = assign(grid, centers, 10, 29_990, previous)
    left = labels[10:29_990] < 0
    assert first[1] > 0
    assert first[2] == left.sum() > 100
    before = labels.copy()
    labels, second = settle(grid, centers, labels, 10, 29_990, previous)
    np.testing.assert_array_equal(labels[10:29_990], expected[10:29_990])
    np.testing.assert_array_equal(labels[:10], before[:10])
    np.testing.assert_array_equal(labels[29_990:], before[29_990:])
    assert second[2] == left.sum()
    assert 0 < second[1] <= second[2]
    assert first[0] + second[0] == (expected != previous)[10:29_990].sum()


@pytest.mark.parametrize("dtype", DTYPES)
def test_settle_rows_touches_open_rows_only(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    centers = rng.normal(size=(CENTERS + 3, 4))
    for m in (1, POINTS - 1, POINTS, POINTS + 1, 3 * POINTS + 5):
        X = rng.normal(size=(m, 4)).astype(dtype)
        expected = closest(X, centers)
        for share in (0.0, 0.2, 1.0):
            is_open = rng.random(m) < share
            labels, counts = settle(X, centers, np.where(is_open, -1, 77).astype(np.int32))
            np.testing.assert_array_equal(labels, np.where(is_open, expected, 77))
            assert counts.tolist()[0::2] == [is_open.sum()] * 2
        one_open = np.full(m, 77, np.int32)
        one_open[-1] = -1  # the last row closes the block
        assert settle(X, centers, one_open)[0][-1] == expected[-1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_float64_scores_of_float32_rows_see_all_their_digits(dtype: Any) -> None:
    """Nearly equidistant pairs of centers, told apart by far less than float32's roundoff."""
    rng = np.random.default_rng(4)
    wrong = []
    for _ in range(200):
        d = int(rng.integers(1, 6))
        x = rng.normal(size=d).astype(dtype)
        c = x + rng.normal(size=d)
        other = 2 * x.astype(float) - c
        other[0] *= 1 + rng.choice([-1, 1]) * 10.0 ** rng.uniform(-12, -8)
        centers = np.array([c, other])
        exact = [sum((Fraction(float(a)) - Fraction(b)) ** 2 for a, b in zip(x, y, strict=True))
                 for y in centers.tolist()]  # fmt: skip
        gap = float(abs(exact[1] - exact[0]) / exact[0])
        still_open = np.full(1, -1, np.int32)
        label, _ = settle(x[None], centers, still_open, shift=rng.normal(size=d) * 3, scale=0.25)
        if gap > 1e-14 and label[0] != int(exact[1] < exact[0]):
            wrong.append(gap)
    assert not wrong


@pytest.mark.parametrize("dtype", DTYPES)
def test_by_differences(dtype: Any) -> None:
    rng = np.random.default_rng(5)
    for d in (1, 7, 8, 9, 16, 30):
        X = rng.integers(-2, 3, (50, d)).astype(dtype)
        centers = rng.integers(-2, 3, (11, d)).astype(float)
        expected = closest(X, centers)
        found = [closest_by_differences(twice(X), i, centers, 0.5) for i in range(50)]
        assert found == expected.tolist()
        labels = np.empty(50, np.int32)
        assign_few(twice(X), centers, 0.5, labels)
        assert labels.tolist() == found


# --- the M step


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rebuild", [True, False])
def test_move_rows(dtype: Any, layout: str, rebuild: bool) -> None:
    rng = np.random.default_rng(0)
    k, m, lanes = 5, 70, VECTOR_BYTES // 8
    some = rng.integers(0, 4, m).astype(float)
    for d in (1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes + 3):
        whole = rng.integers(-9, 9, (m, d)).astype(float)
        X = lay_out(whole.astype(dtype), layout)
        offset = rng.integers(-9, 9, d) / 2
        x = whole * 0.5 + offset
        labels, previous = rng.integers(0, k, (2, m)).astype(np.int32)
        previous[::3] = labels[::3]
        previous[1::9] = -1  # in no cluster before
        for weights, span in product((NO_WEIGHTS, some), [(0, m), (3, 64), (9, 10)]):
            w = weights if weights.size else np.ones(m)
            cuts = np.array(sorted({0, d // 3, d // 2, d}))
            tasks, sums, table = 2 * (len(cuts) - 1), np.ones((2, k, d)), np.ones((2, 2, k))
            bounds = np.array([0, *span])  # the second of two ranges
            move_rows(
                twice(X), tasks // 2, tasks, bounds, cuts, weights, previous, labels, rebuild,
                offset, 0.5, sums, table,
            )  # fmt: skip
            expected, expected_table = np.ones((2, k, d)), np.ones((2, 2, k))
            for i in range(*span):
                changes = [(labels[i], 1.0)]
                if not rebuild and previous[i] >= 0:
                    changes.append((previous[i], -1.0))
                for j, sign in changes:
                    expected[1, j] += sign * w[i] * x[i]
                    expected_table[1, WEIGHT_ROW, j] += sign * w[i]
                    expected_table[1, COUNT, j] += sign * (w[i] > 0)
            np.testing.assert_array_equal(sums, expected)
            np.testing.assert_array_equal(table, expected_table)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_add_squares(dtype: Any, layout: str) -> None:
    """Wide rows add feature by feature to the chain of their number, narrow ones in one sum."""
    rng = np.random.default_rng(0)
    k, m, start, lanes = 5, 70, 3, VECTOR_BYTES // 8
    for d in (1, 2, NARROW, NARROW + 1, lanes - 1, lanes, 2 * lanes + 3):
        whole = rng.integers(-9, 9, (m, d)).astype(float)
        X = lay_out(whole.astype(dtype), layout)
        labels = rng.integers(0, k, m).astype(np.int32)
        centers, offset = rng.integers(-9, 9, (k, d)) / 2, rng.integers(-9, 9, d) / 2
        for weights in (NO_WEIGHTS, rng.integers(0, 4, m).astype(float)):
            w = weights if weights.size else np.ones(m)
            squares, expected = np.ones((2, CHAINS, max(d, NARROW_CHAINS)))
            add_squares(twice(X), start, m - 2, weights, labels, offset, 0.5, centers, squares)
            for i in range(start, m - 2):
                x = whole[i] * 0.5 + offset
                square = w[i] * (x - centers[labels[i]]) ** 2
                if d > NARROW:
                    expected[i % CHAINS, :d] += square
                else:
                    expected[0, i % NARROW_CHAINS] += square.sum()
            np.testing.assert_array_equal(squares, expected)


def test_update_centers() -> None:
    rng = np.random.default_rng(0)
    ranges, k, d, scale, m = 3, 4, 3, 0.25, 60
    x, labels = rng.integers(-9, 9, (m, d)).astype(float), rng.integers(0, k, m)
    labels[labels == 2] = 3  # cluster 2 is empty
    weights, home = rng.integers(1, 4, m).astype(float), rng.integers(0, ranges, m)
    sums, table = np.zeros((ranges, k, d)), np.zeros((ranges, 2, k))
    np.add.at(sums, (home, labels), weights[:, None] * x)
    np.add.at(table, (home, WEIGHT_ROW, labels), weights)
    np.add.at(table, (home, COUNT, labels), 1.0)
    table[0, WEIGHT_ROW, 2] = 1e-17  # what rounding may leave: the count decides
    scaled, shift = rng.integers(-9, 9, (k, d)) / 4, rng.integers(-9, 9, d) / 4
    centers = scaled / scale + shift
    total, total_table = np.full((k, d), 7.0), np.full((2, k), 7.0)
    new = np.full((k, d), 7.0)
    scatter = float(((x**2).sum(axis=1) * weights).sum())
    inertia, moved, n_empty = update_centers(
        sums, table, shift, scale, scatter, scaled, centers, total, total_table, new
    )
    np.testing.assert_array_equal(total, sums.sum(axis=0))
    np.testing.assert_array_equal(total_table, table.sum(axis=0))
    exact = float((((x - scaled[labels]) ** 2).sum(axis=1) * weights).sum())
    assert inertia == pytest.approx(exact, rel=1e-13)
    assert n_empty == 1
    for j in (0, 1, 3):
        mean = np.average(x[labels == j], axis=0, weights=weights[labels == j])
        np.testing.assert_allclose(new[j], mean / scale + shift, rtol=1e-14)
    np.testing.assert_array_equal(new[2], centers[2])
    assert moved == pytest.approx((((new - centers) * scale) ** 2).sum(), rel=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rebuild", [True, False])
def test_one_serial_iteration(dtype: Any, rebuild: bool) -> None:
    rng = np.random.default_rng(0)
    m, d, k = 3000, 2, 6
    X = rng.integers(-4, 5, (m, d)).astype(dtype)
    centers = rng.integers(-4, 5, (k, d)).astype(float)
    weights = rng.integers(0, 3, m).astype(float)
    frame, packed = prepare(X, centers, shift=1.0, scale=0.25)
    expected = closest(X, centers)
    previous = expected.astype(np.int32)
    previous[::7] = (previous[::7] + 1) % k
    labels, counts = np.empty(m, np.int32), np.empty(3, np.int64)
    bounds = np.array([0, 1024, m])
    sums, table = np.full((2, k, d), 99.0), np.full((2, 2, k), 99.0)
    x = (X.astype(float) - 1.0) * 0.25
    if not rebuild:  # those of the previous labels
        home = (np.arange(m) >= 1024).astype(int)
        sums[:], table[:] = 0.0, 0.0
        np.add.at(sums, (home, previous), weights[:, None] * x)
        np.add.at(table, (home, WEIGHT_ROW, previous), weights)
        np.add.at(table, (home, COUNT, previous), weights > 0)
    total, total_table, new = np.empty((k, d)), np.empty((2, k)), np.empty((k, d))
    scatter = float((x**2).sum(axis=1) @ weights)
    inertia, _, n_empty = iterate_serial(
        twice(X), bounds, weights, frame.shift, frame.scale, scatter, frame.x_offset,
        frame.x_scale, frame.offset, centers, *packed.buffers, previous, labels, counts,
        np.array([0, d]), rebuild, sums, table, total, total_table, new,
    )  # fmt: skip
    np.testing.assert_array_equal(labels, expected)
    assert counts[0] == (expected != previous).sum()
    exact = ((X - centers[expected]) ** 2).sum(axis=1) @ weights
    assert inertia / 0.25**2 == pytest.approx(exact, rel=1e-13)
    np.testing.assert_array_equal(total_table[WEIGHT_ROW], np.bincount(expected, weights, k))
    np.testing.assert_array_equal(total_table[COUNT], np.bincount(expected, weights > 0, k))
    assert n_empty == (total_table[COUNT] == 0).sum()
    for j in np.flatnonzero(total_table[COUNT]):
        own = expected == j
        np.testing.assert_allclose(new[j], np.average(X[own], axis=0, weights=weights[own]), 1e-14)


# --- moments


def moments_of(X: Array, weights: Array, cuts: list[int], scale: float = 1.0) -> Array:
    parts = no_moments(max(1, len(cuts) - 1), X.shape[1])
    for part, (start, stop) in zip(parts, pairwise(cuts), strict=False):
        add_moments(twice(X), start, stop, weights, scale, 1, part)
    return merge_moments(parts)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_moments(dtype: Any, layout: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    for m, offset in product((1, CHUNK - 1, CHUNK, CHUNK + 1, 300), (0.0, 1e6)):
        X = lay_out((rng.normal(size=(m, 3)) + offset).astype(dtype), layout)
        weights = rng.integers(0, 3, m).astype(float) if weighted else NO_WEIGHTS
        if weighted:
            weights[:: max(1, m - 1)] = 1.0
        w = weights if weighted else np.ones(m)
        table = moments_of(X, weights, sorted({0, m // 3, m // 2, m}))
        assert (table[WEIGHT] == w.sum()).all()
        for f in range(3):
            x = X[:, f].astype(float)
            mean = math.fsum(w * x) / w.sum()
            m2 = math.fsum(w * (x - mean) ** 2)
            assert table[MEAN, f] == pytest.approx(mean, rel=1e-14, abs=1e-14)
            assert table[M2, f] == pytest.approx(m2, rel=1e-9, abs=1e-9 * (offset > 0))
        np.testing.assert_array_equal(table[MINIMUM], X.min(axis=0))
        np.testing.assert_array_equal(table[MAXIMUM], X.max(axis=0))


def test_moments_of_no_rows_of_weight_zero_and_of_a_scale() -> None:
    X = np.arange(12.0).reshape(6, 2)
    none = moments_of(X, NO_WEIGHTS, [0])
    assert none[WEIGHT].tolist() == [0.0, 0.0]
    weights = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 2.0])
    table = moments_of(X, weights, [0, 3, 6], scale=0.5)
    np.testing.assert_array_equal(table[MEAN], np.average(X / 2, axis=0, weights=weights))
    np.testing.assert_array_equal(table[WEIGHT], [4.0, 4.0])
    np.testing.assert_array_equal(table[MAXIMUM], X[5] / 2)
    np.testing.assert_array_equal(table[MINIMUM], X[0] / 2)  # rows of weight zero have a place


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_moments_show_what_is_not_finite(bad: float) -> None:
    for row in (0, 1, CHUNK, 150):
        X = np.ones((151, 3))
        X[row, 1] = bad
        table = moments_of(X, NO_WEIGHTS, [0, 100, 151])
        if np.isnan(bad):
            assert np.isnan(table[MEAN]).tolist() == [False, True, False]
        else:
            assert max(table[MAXIMUM, 1], -table[MINIMUM, 1]) == np.inf


# --- distances


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_distance_rows(dtype: Any, layout: str) -> None:
    rng = np.random.default_rng(0)
    for m, k, d in [(1, 1, 1), (POINTS - 1, CENTERS - 1, 3), (POINTS, CENTERS, 20),
                    (2 * POINTS + 1, 2 * CENTERS + 1, 5)]:  # fmt: skip
        whole = rng.integers(-9, 9, (m, d)).astype(float)
        X = lay_out(whole.astype(dtype), layout)
        centers = rng.integers(-9, 9, (k, d)).astype(float)
        frame = make_frame(X.dtype, np.full(d, 2.0), 0.25)
        tiles = make_tiles((centers - 2.0) * 0.25, dtype)
        for start, stop in {(0, m), (m // 2, m), (0, (m + 1) // 2)}:
            out = np.full((m, k), -1, dtype)
            distance_rows(twice(X), start, stop, frame.x_offset, frame.x_scale, tiles, out)
            expected = np.sqrt(squared_distances(whole, centers))
            np.testing.assert_allclose(
                out[start:stop], expected[start:stop], rtol=2 * np.finfo(dtype).eps
            )
            assert (np.delete(out, np.s_[start:stop], axis=0) == -1).all()


# --- seeding


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_try_and_adopt(dtype: Any, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    for m, d in [(1, 1), (POINTS - 1, 2), (POINTS, 3), (POINTS + 1, 20), (2 * GROUP_ROWS + 9, 4)]:
        X = rng.integers(-9, 9, (m, d)).astype(dtype)
        weights = rng.integers(0, 3, m).astype(float) if weighted else NO_WEIGHTS
        w = weights if weighted else np.ones(m)
        n_candidates = min(m, CENTERS)
        candidates = rng.permutation(m)[:n_candidates]
        tiles = np.zeros((1, 1 + d, CENTERS), dtype)
        scale = X.dtype.type(0.5)
        offset = np.full(d, 0.25, dtype)
        seeding.pack_candidates(X[candidates], offset, scale, tiles)
        x = X * 0.5 + 0.25
        np.testing.assert_array_equal(tiles[0, 1:, :n_candidates].T, x[candidates])
        squares = squared_distances(x, x[candidates])
        before = rng.integers(0, 200, m).astype(dtype) / 4
        closer, potentials = np.full(m, 0xFFFF, np.uint16), np.zeros((CENTERS, POINTS))
        potentials[:, 0] = 1.0  # added to
        start = GROUP_ROWS if m > 2 * GROUP_ROWS else 0
        seeding.try_candidates(
            twice(X), start, m, weights, offset, scale, tiles, n_candidates,
            before, closer, potentials,
        )  # fmt: skip
        lower = np.minimum(squares, before[:, None])
        expected = (lower * w[:, None])[start:].sum(axis=0)
        np.testing.assert_array_equal(potentials[:n_candidates].sum(axis=1), expected + 1.0)
        bits = (closer[start:, None] >> np.arange(16)) & 1
        np.testing.assert_array_equal(bits[:, :n_candidates], (squares < before[:, None])[start:])
        assert not bits[:, n_candidates:].any()
        assert (closer[:start] == 0xFFFF).all()
        winner = int(np.argmin(expected))
        after, group_sums = before.copy(), np.full(-(-m // GROUP_ROWS), -1.0)
        seeding.adopt(
            twice(X), start, m, weights, offset, scale, tiles, winner, closer, after, group_sums
        )
        np.testing.assert_array_equal(after[start:], lower[start:, winner])
        np.testing.assert_array_equal(after[:start], before[:start])
        assert after[candidates[winner]] == (
            0 if candidates[winner] >= start else before[candidates[winner]]
        )
        for group, total in enumerate(group_sums):
            part = slice(group * GROUP_ROWS, (group + 1) * GROUP_ROWS)
            assert total == (-1.0 if part.start < start else (w * after)[part].sum())


def drawn(uniforms: Array, weights: Array, closest_squares: Array) -> Array:
    w = weights if weights.size else np.ones(closest_squares.size)
    shares = w * closest_squares
    group_sums = np.array(
        [shares[g : g + GROUP_ROWS].sum() for g in range(0, shares.size, GROUP_ROWS)]
    )
    rows = np.full(uniforms.size, -1, np.int64)
    seeding.draw(uniforms, weights, closest_squares, group_sums, rows)
    return rows


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_draw_follows_the_running_sums(dtype: Any, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    for n in (1, 10, GROUP_ROWS, GROUP_ROWS + 1, 3 * GROUP_ROWS + 5):
        squares = rng.integers(0, 4, n).astype(dtype)
        squares[GROUP_ROWS : 2 * GROUP_ROWS] = 0  # a group without any share
        squares[-1] = 3
        weights = rng.integers(0, 3, n).astype(float) if weighted else NO_WEIGHTS
        if weighted:
            weights[-1] = 1.0
        shares = np.cumsum(squares * (weights if weighted else 1.0))
        edges = np.concatenate([[0.0], shares[:-1]])[np.diff(shares, prepend=0.0) > 0]
        uniforms = np.concatenate([edges / shares[-1], rng.random(50), [np.nextafter(1.0, 0.0)]])
        targets = uniforms * shares[-1]
        expected = np.searchsorted(shares, targets, side="right").clip(max=n - 1)
        np.testing.assert_array_equal(drawn(uniforms, weights, squares), expected)


def test_rounding_of_the_sums_draws_no_row_without_a_share() -> None:
    rows = np.full(1, -1, np.int64)
    seeding.draw(
        np.array([np.nextafter(1.0, 0.0)]), NO_WEIGHTS, np.array([1.0, 1.0, 0.0]),
        np.array([np.nextafter(2.0, 3.0)]), rows,
    )  # fmt: skip
    assert rows.tolist() == [1]


def test_draw_without_any_potential_goes_by_weight() -> None:
    nothing = np.zeros(5)
    uniforms = np.array([0.0, 0.19, 0.2, 0.99])
    assert drawn(uniforms, NO_WEIGHTS, nothing).tolist() == [0, 0, 1, 4]
    weights = np.array([0.0, 1.0, 0.0, 3.0, 0.0])
    assert drawn(np.array([0.0, 0.24, 0.25, 0.99]), weights, nothing).tolist() == [1, 1, 3, 3]
