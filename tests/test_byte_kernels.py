"""The kernels of the bytes: products, quantisation, the screen, and the bounds they keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines import F32, F64, blobs, by_differences, visits
from numpy.typing import NDArray

from fastkmeans._jit import jit
from fastkmeans._kernels import bytes_tile, dots, quantize, row
from fastkmeans._kernels.bytes import (
    BEST,
    LIMIT,
    begin_block,
    set_bounds,
    two_largest,
    widen,
)
from fastkmeans._kernels.bytes_tile import BIAS, OF_REACH, OF_RESIDUAL
from fastkmeans._kernels.quantize import LANES, quantize_centers, quantize_rows
from fastkmeans._kernels.simd import CENTERS, POINTS, VECTORS
from fastkmeans._rows import twice

Array = NDArray[Any]
UNIT = 2.0**-24
WIDTHS = [1, 3, 4, 5, 15, 16, 17, 31, 33, 63, 64, 65, 100, 130]


@jit
def run_screen_tile(block, tiles, starts, parameters, coefficients, tile, own, points, rivals):
    return bytes_tile.screen_tile(
        block, tiles, starts, parameters, coefficients, tile, own, points, rivals
    )


@jit
def run_quantize(values, p, step, out):
    return quantize.quantize(values, p, step, out)


@jit
def run_dot(a, i, b, j):
    return dots.dot(a, i, b, j)


@jit
def run_byte_dot(words, i, centers, j):
    return dots.byte_dot(words, i, centers, j)


@jit
def run_lowest_bit(bits):
    return dots.lowest_bit(bits)


@jit
def run_load_row(X, i, offset, scale, out, p):
    row.load_row(X, i, offset, scale, out, p)


def padded(values: Array, multiple: int, fill: float = 0.0) -> Array:
    wide = np.full((len(values), -(-values.shape[1] // multiple) * multiple), fill, values.dtype)
    wide[:, : values.shape[1]] = values
    return wide


# --- products and bytes against their twins


@pytest.mark.parametrize("d", WIDTHS)
def test_dot(d: int) -> None:
    rng = np.random.default_rng(d)
    a, b = (padded(rng.integers(-9, 10, (3, d)).astype(F32), LANES) for _ in range(2))
    for i, j in np.ndindex(3, 3):
        assert run_dot(a, i, b, j) == dots._dot_twin(a, i, b, j) == a[i] @ b[j]


@pytest.mark.parametrize("d", WIDTHS)
def test_byte_dot(d: int) -> None:
    """Bytes of rows are unsigned, those of centers signed; words beyond the last count not."""
    rng = np.random.default_rng(d)
    x = padded(rng.integers(1, 256, (3, d)).astype(np.uint8), 4, 128)
    c = padded(rng.integers(-127, 128, (3, d)).astype(np.int8), 4 * LANES)
    for i, value in ((0, 255), (1, 1)):
        x[i, :d], c[i, :d] = value, (127, -127)[i]
    words, centers = twice(x.view(np.int32)), c.view(np.int32)
    for i, j in np.ndindex(3, 3):
        expected = x[i].astype(int) @ c[j, : x.shape[1]].astype(int)
        assert run_byte_dot(words, i, centers, j) == expected
        assert dots._byte_dot_twin(words, i, centers, j) == expected


def test_lowest_bit() -> None:
    for bits in (1, 2, 12, 1 << 31, 1 << 32, 5 << 40, 1 << 62):
        expected = (bits & -bits).bit_length() - 1
        assert run_lowest_bit(bits) == dots._lowest_bit_twin(bits) == expected


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_load_row(dtype: Any, order: Any) -> None:
    rng = np.random.default_rng(0)
    for d in (1, 7, 8, 9, 20):
        X = np.asarray(rng.integers(-9, 9, (4, d)), dtype, order=order)
        offset = rng.integers(-9, 9, d) / 4
        found, twin = np.full((2, 3, d + 2), 7, F32)
        run_load_row(twice(X), 2, offset, 0.25, found, 1)
        row._load_row_twin(twice(X), 2, offset, 0.25, twin, 1)
        np.testing.assert_array_equal(found, twin)
        np.testing.assert_array_equal(found[1, :d], X[2] * 0.25 + offset)
        assert (np.delete(found.ravel(), np.s_[d + 2 : 2 * d + 2]) == 7).all()


@pytest.mark.parametrize("d", [1, 16, 17, 64])
def test_quantize(d: int) -> None:
    rng = np.random.default_rng(d)
    step = F32(0.013)
    q = rng.integers(-127, 128, (2, d))
    values = ((q + rng.uniform(-0.45, 0.45, (2, d))) * step).astype(F32)
    values[1, : d // 2] *= 1e3  # cut off
    values = padded(values, LANES)
    out, twin = np.zeros((2, values.shape[1]), np.uint8)
    for p in (0, 1):
        lost = run_quantize(values, p, step, out)
        assert quantize._quantize_twin(values, p, step, twin) == pytest.approx(lost, rel=1e-5)
        np.testing.assert_array_equal(out, twin)
        kept = np.clip(np.rint(values[p] / F64(step)), -127, 127)
        np.testing.assert_array_equal(out.astype(int) - 128, kept)
        exact = ((values[p] - kept * F64(step)) ** 2).sum()
        assert lost == pytest.approx(exact, rel=1e-5)


class Screen:
    """Rows and centers as bytes, made by the kernels, and their exact scores."""

    def __init__(self, X: Array, centers: Array, step: float, repeated: Any = None) -> None:
        (n, d), k = X.shape, len(centers)
        d4, n_tiles = -(-d // 4), -(-k // CENTERS)
        self.X, self.centers, self.d, self.k, self.n_tiles = X, centers, d, k, n_tiles
        as_bytes = np.zeros((n, 4 * d4), np.uint8)
        self.words = as_bytes.view(np.int32)
        self.reach, self.residual, self.upper, self.lower = np.empty((4, n), F32)
        quantize_rows(
            twice(X), 0, n, np.zeros(d), 1.0, F32(step), as_bytes,
            self.reach, self.residual, self.upper, self.lower,
        )  # fmt: skip
        self.norms = (centers**2).sum(axis=1)
        self.before = np.zeros((k, d))
        self.values = np.zeros((k, -(-d // LANES) * LANES), F32)
        self.bytes = np.zeros((n_tiles, d4, CENTERS, 4), np.int8)
        self.own = np.zeros((k, 4 * -(-d4 // LANES) * LANES), np.int8)
        self.starts = np.empty((n_tiles, CENTERS), np.int32)
        self.parameters = np.empty((n_tiles, 2, CENTERS), F32)
        self.coefficients = np.empty((n_tiles, 2), F32)
        self.drift = np.empty(k, F32)
        self.repeated = np.zeros(k, bool) if repeated is None else repeated
        self.farthest = quantize_centers(
            centers, self.norms, self.repeated, F32(step), self.before, self.values, self.bytes,
            self.own, self.starts, self.parameters, self.coefficients, self.drift,
        )  # fmt: skip
        x, c = X.astype(np.longdouble), centers.astype(np.longdouble)
        self.scores = x @ c.T - (c**2).sum(axis=1) / 2
        self.distances = np.sqrt(((x[:, None] - c) ** 2).sum(axis=2))

    def block(self) -> Array:
        """Return the first rows as a block of words."""
        return np.ascontiguousarray(self.words[:POINTS].T)

    def screen(self, kernel: Any, tile: int, own: Array, limit: Array) -> tuple[Any, ...]:
        """Return whether there is a rival, the rivals by center and point, and lane 3."""
        points = np.full((8, POINTS), np.nan, F32)
        points[0], points[1], points[2] = limit, self.reach[:POINTS], self.residual[:POINTS]
        points[3] = -np.inf
        rivals = np.zeros(CENTERS * VECTORS, np.int64)
        ids = np.stack([own, np.full(POINTS, -9)]).astype(np.int32)
        found = kernel(
            self.block(), self.bytes.view(np.int32)[..., 0], self.starts, self.parameters,
            self.coefficients, tile, ids, points, rivals,
        )  # fmt: skip
        lanes = POINTS // VECTORS
        bits = rivals.reshape(CENTERS, VECTORS, 1) >> np.arange(lanes) & 1
        return bool(found), bits.reshape(CENTERS, POINTS).astype(bool), points[3]


def adversarial(rng: np.random.Generator, d: int, k: int) -> Screen:
    """Return rows and centers that bytes tell badly: cut off, lopsided, zero, far."""
    X = (rng.normal(size=(POINTS, d)) * 10.0 ** rng.uniform(-3, 0)).astype(F32)
    X[::3] *= 10.0 ** rng.uniform(0, 3)
    X[1::5, rng.integers(d)] *= 1e3
    X[2] = 0.0
    X[3] = rng.choice([-1.0, 1.0], d) * 10.0 ** rng.uniform(-6, 1)
    centers = rng.normal(size=(k, d)) * 10.0 ** rng.uniform(-3, 1, (k, 1))
    centers[0] = 0.0
    centers[1 % k] = X[0]
    centers[2 % k] = 0.0
    centers[2 % k, rng.integers(d)] = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 2)
    return Screen(X, centers, 10.0 ** rng.uniform(-5, 0))


@pytest.mark.parametrize("d", [1, 4, 5, 16, 33, 64, 200])
def test_screen_tile_equals_its_twin(d: int) -> None:
    rng = np.random.default_rng(d)
    some = 0
    for k in (1, CENTERS - 1, CENTERS, 2 * CENTERS + 1):
        X, centers = rng.normal(size=(POINTS, d)).astype(F32), rng.normal(size=(k, d))
        screen = Screen(X, centers, 0.03)
        own = rng.integers(0, k, POINTS)
        for tile in range(screen.n_tiles):
            for shift in (-2.0, 0.0, 2.0, np.inf):
                limit = screen.scores[:, 0].astype(F32) + F32(shift * d**0.5)
                found = screen.screen(run_screen_tile, tile, own, limit)
                twin = screen.screen(bytes_tile._screen_tile_twin, tile, own, limit)
                assert found[0] == twin[0]
                np.testing.assert_array_equal(found[1], twin[1])
                np.testing.assert_allclose(found[2], twin[2], rtol=1e-5, atol=1e-5)
                some += found[0]
    assert some


@pytest.mark.parametrize("d", [1, 2, 5, 16, 33, 100])
def test_no_score_exceeds_its_bound(d: int) -> None:
    """A center that is no rival scores less than the limit; the others, than lane 3."""
    rng = np.random.default_rng(d)
    excluded = 0
    for _ in range(80):
        screen = adversarial(rng, d, int(rng.integers(1, 2 * CENTERS)))
        own = rng.integers(0, screen.k, POINTS)
        slack = (4 * (d + 4) * UNIT + 64 * UNIT) * screen.farthest
        slack = slack * (screen.reach + screen.farthest) + 1e-35
        limit = (screen.scores.max(axis=1) - rng.random(POINTS) * screen.reach).astype(F32)
        for tile in range(screen.n_tiles):
            for limits in (limit, np.full(POINTS, np.inf, F32)):
                _, rivals, others = screen.screen(run_screen_tile, tile, own, limits)
                for r in range(min(CENTERS, screen.k - tile * CENTERS)):
                    j = tile * CENTERS + r
                    score, out = screen.scores[:, j], ~rivals[r] & (own != j)
                    assert (score <= limits + slack)[out].all()
                    assert (score <= others + slack)[out].all()
                    excluded += out.sum()
    assert excluded > 1000


@pytest.mark.parametrize("d", [1, 2, 5, 16, 33, 100])
def test_bytes_of_the_own_center_bound_score_and_distance(d: int) -> None:
    rng = np.random.default_rng(d)
    bounds, tight = np.empty(5, F32), 0
    for _ in range(80):
        screen = adversarial(rng, d, 9)
        g = (d + 4) * UNIT * 1.01
        set_bounds(d, g, screen.farthest, bounds)
        previous = rng.integers(0, 9, POINTS).astype(np.int32)
        every, lanes = np.arange(POINTS), np.empty((8, POINTS), F32)
        exact = screen.distances[every, previous]
        known = rng.random(POINTS) < 0.5  # a bound from before, just above the distance
        screen.upper[known] = np.nextafter(exact[known].astype(F32) * F32(1.0001), F32(np.inf))
        before = screen.upper.copy()
        begin_block(
            every, POINTS, twice(screen.words), screen.own.view(np.int32), screen.starts,
            screen.parameters, screen.coefficients, bounds, screen.reach, screen.residual,
            screen.upper, previous, lanes, np.empty((2, POINTS), np.int32),
        )  # fmt: skip
        assert (screen.upper >= exact).all()
        assert (screen.upper <= before).all()
        score = screen.scores[every, previous]
        assert (lanes[LIMIT] <= score).all()
        assert (lanes[BEST] == -np.inf).all()
        tight += (lanes[LIMIT] > score - 0.1 * np.abs(score)).sum()
    assert tight > 100


def test_quantised_centers() -> None:
    rng = np.random.default_rng(0)
    X, centers = rng.normal(size=(POINTS, 6)).astype(F32), rng.normal(size=(CENTERS + 2, 6))
    centers[1] = 0.0
    repeated = np.arange(CENTERS + 2) == 3
    screen = Screen(X, centers, 0.03, repeated)
    np.testing.assert_allclose(screen.drift, np.sqrt(screen.norms), rtol=1e-6)
    assert (screen.drift >= np.sqrt(screen.norms)).all()
    np.testing.assert_array_equal(screen.values[:, :6], centers.astype(F32))
    bias = screen.parameters[:, BIAS].ravel()
    assert np.isneginf(bias).nonzero()[0].tolist() == [3, *range(CENTERS + 2, bias.size)]
    by_center = screen.bytes.transpose(0, 2, 1, 3).reshape(-1, 8)[: CENTERS + 2]
    np.testing.assert_array_equal(screen.own[:, :8], by_center)
    unit = np.abs(centers).max(axis=1, keepdims=True) / 127 + (screen.norms == 0)[:, None]
    error = np.linalg.norm(centers - by_center[:, :6] * unit, axis=1)
    error[3] = 0.0
    norms = np.where(repeated, 0.0, np.sqrt(screen.norms) + error)
    for t, part in enumerate((slice(0, CENTERS), slice(CENTERS, None))):
        for place, values in ((OF_REACH, error[part]), (OF_RESIDUAL, norms[part])):
            assert screen.coefficients[t, place] >= values.max()
            assert screen.coefficients[t, place] <= values.max() * (1 + 1e-5)
    assert screen.farthest >= norms.max()


# --- bounds on distances


def test_two_largest() -> None:
    for drift, expected in [([3, 1, 2], (3, 2, 0)), ([0, 0], (0, 0, -1)), ([1, 5, 5], (5, 5, 1)),
                            ([2], (2, 0, 0)), ([1, 2, 3], (3, 2, 2))]:  # fmt: skip
        assert two_largest(np.array(drift, F32)) == expected


def test_bounds_widen_by_what_moved() -> None:
    drift = np.array([0.5, 2.0, 0.25], F32)
    previous = np.array([0, 0, 1, 2, 1, 0, 0], np.int32)
    upper = np.array([7.0, 1, 1, 1, 1, 9, 7], F32)
    lower = np.array([7, 3.6, 1.5, 3.4, 3.6, 9, 7], F32)
    before = upper.copy(), lower.copy()
    labels, rows = np.full(7, -1, np.int32), np.full(5, -1, np.int64)
    count = widen(1, 6, previous, labels, drift, two_largest(drift), upper, lower, rows)
    assert rows[:count].tolist() == [2, 5]
    part = slice(1, 6)
    np.testing.assert_array_equal(labels[part], previous[part])
    assert labels[[0, -1]].tolist() == [-1, -1]
    furthest = np.where(previous == 1, 0.5, 2.0)
    for found, old, move in ((upper, before[0], drift[previous]), (-lower, -before[1], furthest)):
        assert (found[part] >= (old + move)[part]).all()
        assert (found[part] <= (old + move)[part] + 1e-5).all()
        np.testing.assert_array_equal(found[[0, -1]], old[[0, -1]])


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("d", [1, 3, 16, 64])
def test_bounds_hold_after_any_moves(d: int, dtype: Any) -> None:
    """Also where centers meet and part, and for rows far beyond what the bytes cover."""
    rng = np.random.default_rng(d)
    informed = 0
    for _ in range(5):
        X, centers = blobs(rng, 500, d, 6, 0.5), rng.normal(size=(9, d)) * 4
        X[::50] *= 10.0 ** rng.uniform(0, 4)
        X[1::50, 0] *= 10.0 ** rng.uniform(0, 4)
        X = X.astype(dtype)
        sequence = [centers]
        for _ in range(12):
            step = rng.normal(size=centers.shape) * 10.0 ** rng.uniform(-9, -1, (9, 1))
            sequence.append(sequence[-1] + step * (rng.random((9, 1)) < 0.7))
            if rng.random() < 0.2:  # two centers meet
                sequence[-1][rng.integers(9)] = sequence[-1][rng.integers(9)]
        seen = visits(
            "bytes", X, sequence,
            lambda lloyd: (lloyd.frame.scale, lloyd.labels.copy(),
                           None if lloyd.engines._other is None
                           else lloyd.engines._other._state[2:].astype(F64)),
        )  # fmt: skip
        for centers, (scale, labels, state) in zip(sequence[1:], seen[1:], strict=True):
            exact = ((X[:, None].astype(np.longdouble) - centers) ** 2).sum(axis=2) ** 0.5 * scale
            np.testing.assert_array_equal(labels, by_differences(X, centers))
            own = exact[np.arange(500), labels]
            exact[np.arange(500), labels] = np.inf
            nearest = exact.min(axis=1)
            upper, lower = state
            assert (upper >= own).all()
            assert (lower <= nearest).all()
            informed += (upper < lower).sum()
    assert informed > 2000
