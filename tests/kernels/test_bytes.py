"""The kernels of the bytes: products, quantisation, the screen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans._data.rows import twice
from fastkmeans._kernels.bytes import quantize
from fastkmeans._kernels.bytes import tile as bytes_tile
from fastkmeans._kernels.bytes.quantize import FLOATS
from fastkmeans._kernels.bytes.rivals import ROOM, Rivals, list_rivals
from fastkmeans._kernels.bytes.tile import BIAS, OF_REACH, OF_RESIDUAL, REACH, RESIDUAL
from fastkmeans._kernels.emit import dots, row
from fastkmeans._kernels.emit.simd import CENTERS, CODES, POINTS, VECTORS
from fastkmeans._runtime.jit import jit
from fastkmeans._runtime.target import TARGET
from tests.helpers.byte_screen import UNIT, Screen, adversarial, padded
from tests.helpers.engines import F32, F64

Array = NDArray[Any]
WIDTHS = [1, 3, 4, 5, 15, 16, 17, 31, 33, 63, 64, 65, 100, 130]


@jit
def run_screen_tile(
    block, tiles, starts, parameters, coefficients, tile, own, points, rivals, most
):
    return bytes_tile.screen_tile(
        block, tiles, starts, parameters, coefficients, tile, own, points, rivals, most
    )


@jit
def run_quantize(values, p, step, most, out):
    return quantize.quantize(values, p, step, most, out)


@jit
def run_dot(a, i, b, j):
    return dots.dot(a, i, b, j)


@jit
def run_code_dot(words, i, centers, j):
    return dots.code_dot(words, i, centers, j)


@jit
def run_lowest_bit(bits):
    return dots.lowest_bit(bits)


@jit
def run_load_row(X, i, offset, scale, out, p):
    row.load_row(X, i, offset, scale, out, p)


# --- products and bytes against their twins


@pytest.mark.parametrize("d", WIDTHS)
def test_dot(d: int) -> None:
    rng = np.random.default_rng(d)
    a, b = (padded(rng.integers(-9, 10, (3, d)).astype(F32), FLOATS) for _ in range(2))
    for i, j in np.ndindex(3, 3):
        assert run_dot(a, i, b, j) == dots._dot_twin(a, i, b, j) == a[i] @ b[j]


@pytest.mark.parametrize("d", WIDTHS)
def test_code_dot(d: int) -> None:
    """Codes of rows may be unsigned, those of centers are signed; words beyond count not."""
    rng = np.random.default_rng(d)
    most, per_word = CODES.most(d), CODES.per_word
    q, p = rng.integers(-most, most + 1, (2, 3, d))
    x = padded((q + CODES.offset).astype(CODES.of_rows), per_word, CODES.offset)
    c = padded(p.astype(CODES.of_centers), per_word * FLOATS)
    for i, sign in ((0, 1), (1, -1)):
        x[i, :d], c[i, :d] = CODES.offset + sign * most, most
    words, centers = twice(x.view(np.int32)), c.view(np.int32)
    for i, j in np.ndindex(3, 3):
        expected = x[i].astype(int) @ c[j, : x.shape[1]].astype(int)
        assert abs(expected) < 1 << 31
        assert run_code_dot(words, i, centers, j) == expected
        assert dots._code_dot_twin(words, i, centers, j) == expected


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
    most = CODES.most(d)
    q = rng.integers(-most, most + 1, (2, d))
    values = ((q + rng.uniform(-0.45, 0.45, (2, d))) * step).astype(F32)
    values[1, : d // 2] *= 1e3  # cut off
    values = padded(values, FLOATS)
    digits = 1e-5 if TARGET.fuses else 1e-2  # of a small difference of large products
    out, twin = np.zeros((2, values.shape[1]), CODES.of_rows)
    for p in (0, 1):
        lost = run_quantize(values, p, step, F32(most), out)
        same = quantize._quantize_twin(values, p, step, F32(most), twin)
        assert same == pytest.approx(lost, rel=digits)
        np.testing.assert_array_equal(out, twin)
        kept = np.clip(np.rint(values[p] / F64(step)), -most, most)
        np.testing.assert_array_equal(out.astype(int) - CODES.offset, kept)
        exact = ((values[p] - kept * F64(step)) ** 2).sum()
        assert lost == pytest.approx(exact, rel=digits)


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
                for slack in (0.0, 1e-3, np.inf):
                    arguments = (tile, own, limit, F32(slack))
                    found = screen.screen(run_screen_tile, *arguments)
                    twin = screen.screen(bytes_tile._screen_tile_twin, *arguments)
                    assert found[0] == twin[0]
                    np.testing.assert_array_equal(found[1], twin[1])
                    for ours, other in zip(found[2:], twin[2:], strict=True):
                        np.testing.assert_allclose(ours, other, rtol=1e-5, atol=1e-5)
                    some += found[0]
    assert some


@pytest.mark.parametrize("d", [1, 2, 5, 16, 33, 100])
def test_no_score_exceeds_its_bound(d: int) -> None:
    """A center that is no rival scores less than the limit, and less than OTHERS.

    The limit is raised to no more than the best rival scores.
    """
    rng = np.random.default_rng(d)
    excluded = raised = 0
    for _ in range(2560 // POINTS):  # as many rows, however many a block has
        screen = adversarial(rng, d, int(rng.integers(1, 2 * CENTERS)))
        own = rng.integers(0, screen.k, POINTS)
        slack = (4 * (d + 4) * UNIT + 64 * UNIT) * screen.farthest
        slack = slack * (screen.rows.reach + screen.farthest) + 1e-35
        limit = (screen.scores.max(axis=1) - rng.random(POINTS) * screen.rows.reach).astype(F32)
        for tile in range(screen.n_tiles):
            high = np.full(POINTS, np.inf, F32)
            for before, pad in ((limit, np.inf), (high, np.inf), (-high, slack), (limit, slack)):
                _, rivals, scores, others, limits = screen.screen(
                    run_screen_tile, tile, own, before, pad
                )
                assert (limits >= before).all()
                assert pad is slack or (limits == before).all()
                higher, best = limits > before, np.full(POINTS, -np.inf)
                raised += higher.sum()
                for r in range(min(CENTERS, screen.k - tile * CENTERS)):
                    j = tile * CENTERS + r
                    score, out = screen.scores[:, j], ~rivals[r] & (own != j)
                    assert (score <= limits + slack)[out].all()
                    assert (score <= others + slack)[out].all()
                    found = rivals[r] & (own != j)
                    bound = scores[r] + screen.error(tile, r)
                    assert (score <= bound + slack)[found].all()
                    best[found] = np.maximum(best, score)[found]
                    excluded += out.sum()
                assert (limits <= best)[higher].all()
    assert excluded > 1000
    assert raised > 1000


def test_rivals_are_listed_with_the_bounds_of_their_centers() -> None:
    """Lanes beyond the rows of a block and padding of a tile are left out."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        screen = adversarial(rng, 5, CENTERS + 3)
        k, own = screen.k, np.full(POINTS, -1)
        count = 5 * POINTS // 8  # the last vector of a block is full in part
        points = np.zeros((8, POINTS), F32)
        points[REACH], points[RESIDUAL] = screen.rows.reach, screen.rows.residual
        pairs, at_most = np.zeros((2, ROOM), np.int32), np.zeros(ROOM, F32)
        limit, expected, n_pairs = np.full(POINTS, -np.inf, F32), {}, 0
        for tile in range(screen.n_tiles):
            _, rivals, scores, _, _ = screen.screen(run_screen_tile, tile, own, limit)
            bits = rivals.reshape(CENTERS * VECTORS, -1) @ (1 << np.arange(POINTS // VECTORS))
            found = Rivals(bits, scores, pairs, at_most)
            parameters = screen.tiles.parameters
            n_pairs = list_rivals(count, tile, k, parameters, points, n_pairs, found)
            for r, p in np.argwhere(rivals[: k - tile * CENTERS, :count]):
                expected[p, tile * CENTERS + r] = scores[r, p], screen.error(tile, r)[p]
        assert n_pairs == len(expected) == count * k
        for p, j, bound in zip(*pairs[:, :n_pairs], at_most, strict=False):
            score, error = expected[p, j]
            assert bound == pytest.approx(
                float(score) + float(error), rel=1e-6, abs=1e-6 * float(error)
            )


@pytest.mark.parametrize("d", [1, 4, 6, 67])
def test_drift_is_rounded_up(d: int) -> None:
    rng = np.random.default_rng(d)
    before = rng.normal(size=(50, d))
    after = before + rng.normal(size=(50, d)) * 10.0 ** rng.uniform(-12, 1, (50, 1))
    after[3] = before[3]
    exact = ((after - before).astype(np.longdouble) ** 2).sum(axis=1) ** 0.5
    screen = Screen(np.zeros((1, d), F32), after, 1.0, None, before)
    np.testing.assert_allclose(screen.drift, exact.astype(F64), rtol=1e-6)
    assert (screen.drift >= exact).all()
    np.testing.assert_array_equal(screen.quantized.before, after)
    assert not Screen(np.zeros((1, d), F32), after, 1.0, None, after).drift.any()


def test_the_order_of_the_tiles() -> None:
    """Centers in another order are the same bytes, norms and values in other places."""
    rng = np.random.default_rng(0)
    X, centers = rng.normal(size=(POINTS, 7)).astype(F32), rng.normal(size=(CENTERS + 3, 7))
    order = rng.permutation(CENTERS + 3).astype(np.int32)
    plain, other = Screen(X, centers, 0.03), Screen(X, centers, 0.03, order)
    for ours, theirs in zip(other.quantized, plain.quantized, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    places = np.arange(CENTERS + 3)
    tile, r = places // CENTERS, places % CENTERS
    ours, theirs = other.tiles, plain.tiles
    for t, s, j in zip(tile, r, order, strict=True):
        u, v = j // CENTERS, j % CENTERS
        np.testing.assert_array_equal(ours.words[t, :, s], theirs.words[u, :, v])
        np.testing.assert_array_equal(ours.parameters[t, :, s], theirs.parameters[u, :, v])
        assert ours.starts[t, s] == theirs.starts[u, v]


def test_quantised_centers() -> None:
    rng = np.random.default_rng(0)
    X, centers = rng.normal(size=(POINTS, 6)).astype(F32), rng.normal(size=(CENTERS + 2, 6))
    centers[1] = 0.0
    centers[3] = centers[0]
    repeated = np.arange(CENTERS + 2) == 3
    screen = Screen(X, centers, 0.03)
    np.testing.assert_array_equal(screen.repeated, repeated)
    np.testing.assert_array_equal(screen.quantized.scaled[:, :6], centers.astype(F32))
    np.testing.assert_allclose(screen.norms, (centers**2).sum(axis=1), rtol=1e-14)
    assert screen.largest == screen.norms.max()
    bias = screen.tiles.parameters[:, BIAS].ravel()
    assert np.isneginf(bias).nonzero()[0].tolist() == [3, *range(CENTERS + 2, bias.size)]
    unit = np.abs(centers).max(axis=1, keepdims=True) / CODES.most(6) + (screen.norms == 0)[:, None]
    error = np.linalg.norm(centers - screen.quantized.codes[:, :6] * unit, axis=1)
    reach = np.sqrt(screen.norms) + error
    words = screen.tiles.words
    codes = words.view(CODES.of_centers).reshape(*words.shape, CODES.per_word)
    by_center = codes.transpose(0, 2, 1, 3).reshape(2 * CENTERS, -1)
    of_center = screen.tiles.parameters.transpose(0, 2, 1).reshape(-1, 4)
    for j in np.flatnonzero(~repeated):
        np.testing.assert_array_equal(screen.quantized.codes[j, : by_center.shape[1]], by_center[j])
        for place, value in ((OF_REACH, error[j]), (OF_RESIDUAL, reach[j])):
            assert value <= of_center[j, place] <= value * (1 + 1e-5) + 1e-15
    for t in range(2):
        largest = screen.tiles.parameters[t, OF_REACH:].max(axis=1)
        np.testing.assert_array_equal(screen.tiles.coefficients[t], largest)
    assert reach[~repeated].max() <= screen.farthest <= reach.max() * (1 + 1e-5)
