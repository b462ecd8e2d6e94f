"""The bounds that the bytes keep on scores and distances, and the margins between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans._data.rows import ArrayRows, twice
from fastkmeans._data.scaling import scaling_of
from fastkmeans._data.validation import NO_WEIGHTS
from fastkmeans._engines.bytes import SPANS, Patience, choose_step
from fastkmeans._kernels.bytes.bounds import (
    NONE,
    STRETCH,
    ByteRows,
    Drift,
    error_terms,
    sort_by_depth,
    tighten,
    widen,
)
from fastkmeans._kernels.bytes.quantize import FLOATS
from fastkmeans._kernels.bytes.rivals import Block
from fastkmeans._kernels.bytes.screen import begin_block, screen_rows
from fastkmeans._kernels.bytes.tile import BEST, LIMIT, OTHERS, SLACK
from fastkmeans._kernels.emit.simd import CENTERS, CODES, POINTS
from fastkmeans._runtime.threads import Team
from tests.helpers.byte_screen import Screen, adversarial
from tests.helpers.data import blobs
from tests.helpers.engines import F32, F64, by_differences, visits
from tests.helpers.kernels import sealed
from tests.helpers.reference import squared_distances

Array = NDArray[Any]


@pytest.mark.parametrize("d", [1, 2, 5, 16, 33, 100])
def test_bytes_of_the_own_center_bound_score_and_distance(d: int) -> None:
    rng = np.random.default_rng(d)
    tight = 0
    for _ in range(80):
        screen = adversarial(rng, d, 9)
        rows, centers, terms = screen.rows, screen.byte_centers(), screen.terms()
        previous = rng.integers(0, 9, POINTS).astype(np.int32)
        every, points = np.arange(POINTS), np.empty((8, POINTS), F32)
        some = every[:: int(rng.integers(1, 3))]  # also less than a block
        exact = screen.distances[every, previous]
        known = rng.random(POINTS) < 0.5  # a bound from before, just above the distance
        rows.upper[known] = np.nextafter(exact[known].astype(F32) * F32(1.0001), F32(np.inf))
        before = rows.upper.copy()
        tighten(
            some, some.size, np.ones(9, F32), rows, centers, screen.tiles, terms, previous,
            np.empty_like(some), points,
        )  # fmt: skip
        assert (rows.upper >= exact).all()
        assert (rows.upper <= before).all()
        others = np.setdiff1d(every, some)
        np.testing.assert_array_equal(rows.upper[others], before[others])
        assert np.isfinite(rows.upper[some]).all()
        own, index = np.empty((2, POINTS), np.int32)
        words, scaled = np.empty((1, 1, POINTS), np.int32), np.empty((POINTS, 1), F32)
        block = Block(words, points, own, index, scaled)
        previous_or_none = np.where(rng.random(POINTS) < 0.1, -1, previous).astype(np.int32)
        rows.upper[previous_or_none < 0] = np.inf
        begin_block(
            every, POINTS, rows, centers.place, screen.farthest, terms, previous_or_none, block
        )
        score = screen.scores[every, previous]
        assert (points[LIMIT] <= score).all()
        assert (points[LIMIT, previous_or_none < 0] == -np.inf).all()
        assert (points[SLACK] >= 0.0).all()
        assert np.isfinite(points[SLACK]).all()
        for row in (BEST, OTHERS):
            assert (points[row] == -np.inf).all()
        np.testing.assert_array_equal(own, previous_or_none)
        assert (index == NONE).all()
        tight += (points[LIMIT] > score - 0.1 * np.abs(score)).sum()
    assert tight > 100


def rounded_up() -> tuple[Array, Array]:
    """Return a row and centers; the last center is the closest, and seems not to be.

    The first center's score is a sum of products just above half a unit in the last
    place of what they are added to, so that float32 makes it larger than any other.
    Codes of up to 127 hold the row and the last center exactly: their bound is close to the
    truth.
    """
    chains = 4 * FLOATS  # sums of products that `dot` adds up at a time
    x = np.full(4096, 2.0**-7)  # so many products round up, whatever the chains
    x[:chains] = 127 * 2.0**-7
    first, last = np.full(x.size, 2.0**-17 + 2.0**-27), np.zeros(x.size)
    first[:chains], last[:chains] = 1.02, x[0]
    place = 0
    while ((x - last) ** 2).sum() < ((x - first) ** 2).sum() + 1e-3:
        place += 1
        last[place] -= 2.0**-4
    need = ((x - last) ** 2).sum() - ((x - first) ** 2).sum() + 3e-4  # the last is so much closer
    first[-1] = x[-1] - ((x[-1] - first[-1]) ** 2 + need) ** 0.5
    noise = np.random.default_rng(0).normal(size=(CENTERS - 1, x.size)) * 0.02
    return x.astype(F32), np.vstack([first, first + noise, last])


def test_a_score_that_is_rounded_up_excludes_no_closer_center() -> None:
    x, centers = rounded_up()
    assert squared_distances(x[None], centers).argmin() == CENTERS
    screen = Screen(np.repeat(x[None], POINTS, axis=0), centers, 2.0**-7, most=127)
    previous, labels = np.zeros((2, POINTS), np.int32)
    still = np.zeros(screen.k, F32)
    for fastest in (np.inf, 0.0):  # all tiles, or those that a row needs
        drift = Drift(still, still, np.full((2, screen.n_tiles + 1), fastest, F32))
        screen_rows(
            twice(screen.X), 0, POINTS, screen.coordinates, screen.byte_centers(), screen.tiles,
            drift, screen.rows, previous, labels, np.empty(6, np.int64),
        )  # fmt: skip
        assert (labels == CENTERS).all()


def rows_of(upper: Array, lower: Array) -> ByteRows:
    """Return rows with bounds on distances, and nothing else that matters."""
    zero = np.zeros_like(upper)
    return ByteRows(twice(np.zeros((upper.size, 1), np.int32)), zero, zero, upper, lower)


def test_bounds_widen_by_what_moved() -> None:
    drift, others = np.array([0.5, 2.0, 0.25], F32), np.array([2.0, 0.5, 2.0], F32)
    previous = np.array([0, 0, 1, 2, 1, 0, 0], np.int32)
    upper = np.array([7.0, 1, 1, 1, 1, 9, 7], F32)
    lower = np.array([7, 3.6, 1.5, 3.4, 3.6, 9, 7], F32)
    before = upper.copy(), lower.copy()
    labels, met = np.full(7, -1, np.int32), np.full(5, -1, np.int64)
    count = widen(
        1, 6, Drift(drift, others, np.zeros((2, 2), F32)), rows_of(upper, lower), previous, labels,
        np.empty(STRETCH, F32), met,
    )  # fmt: skip
    assert met[:count].tolist() == [2, 5]
    part = slice(1, 6)
    np.testing.assert_array_equal(labels[part], previous[part])
    assert labels[[0, -1]].tolist() == [-1, -1]
    assert (upper[part] >= (before[0] + drift[previous])[part]).all()
    assert (upper[part] <= (before[0] + drift[previous])[part] + 1e-5).all()
    apart = [1, 3, 4]
    exact = (before[1] - others[previous])[apart]
    assert (lower[apart] < exact).all()
    np.testing.assert_allclose(lower[apart], exact, rtol=1e-6)
    np.testing.assert_array_equal(lower[[0, 2, 5, 6]], before[1][[0, 2, 5, 6]])
    np.testing.assert_array_equal(upper[[0, -1]], before[0][[0, -1]])


def test_rows_need_the_centers_that_moved_farther_than_their_bounds_are_apart() -> None:
    """The rows come by rising depth; what is left out widens the lower bound."""
    rng = np.random.default_rng(0)
    k = 3 * CENTERS - 2
    kinds = set()
    for _ in range(200):
        drift = (rng.random(k) * 10.0 ** rng.uniform(-3, 0, k)).astype(F32)
        drift[rng.random(k) < 0.3] = 0.0
        order = np.argsort(-drift, kind="stable").astype(np.int32)
        place = np.empty_like(order)
        place[order] = np.arange(k)
        fastest = np.zeros((2, 4), F32)
        fastest[0, :3], fastest[1, :3] = drift[order[::CENTERS]], drift[order[1::CENTERS]]
        previous = rng.integers(0, k, 60).astype(np.int32)
        upper = rng.random(60).astype(F32)
        lower = (upper + rng.choice([-1, 1], 60) * 10.0 ** rng.uniform(-4, 0, 60)).astype(F32)
        before, some = lower.copy(), np.sort(rng.permutation(60)[:50])
        rows, depths = np.full((2, 50), -1, np.int64)
        count = sort_by_depth(
            some, 50, place, fastest, rows_of(upper, lower), previous, np.empty(4, np.int64),
            np.empty(50, np.int64), rows, depths,
        )  # fmt: skip
        found = dict(zip(rows[:count].tolist(), depths[:count].tolist(), strict=True))
        assert len(found) == count
        assert (np.diff(depths[:count]) >= 0).all()
        assert set(found) <= set(some.tolist())
        left_out = np.setdiff1d(np.arange(60), some)
        np.testing.assert_array_equal(lower[left_out], before[left_out])
        for i in some:
            depth = found.get(i, 0)
            rest = [j for j in order[depth * CENTERS :] if j != previous[i]]
            widest = max((drift[j] for j in rest), default=0.0)
            assert before[i] - widest > upper[i] or not rest
            if rest:
                exact = np.float64(before[i]) - widest
                assert exact - 1e-6 * abs(exact) <= lower[i] <= max(exact, exact * (1 - 1e-6))
            else:
                assert lower[i] == np.inf or depth * CENTERS < k
            if depth > 0:  # one tile less would not do
                last = [j for j in order[(depth - 1) * CENTERS :] if j != previous[i]]
                assert before[i] - max(drift[j] for j in last) <= upper[i] * (1 + 1e-5)
            kinds.add(depth)
    assert kinds == {0, 1, 2, 3}


def test_the_step_of_the_codes_is_that_which_loses_least() -> None:
    rng = np.random.default_rng(0)
    even, heavy = rng.uniform(-1, 1, (4000, 8)), rng.laplace(size=(4000, 8))
    spans = []
    for X in (even, heavy):
        scaling = scaling_of(ArrayRows(X), NO_WEIGHTS, Team(1, 0.0))
        spans.append(float(choose_step(ArrayRows(X), scaling)) * CODES.most(8) / scaling.widest)
    assert spans[0] == pytest.approx(min(SPANS))
    assert any(spans[1] == pytest.approx(span) for span in SPANS if span > min(SPANS))
    constant = np.ones((200, 3))
    constant[0] = 7.0  # of no weight
    weights = sealed(np.where(np.arange(200) == 0, 0.0, 1.0))
    scaling = scaling_of(ArrayRows(constant), weights, Team(1, 0.0))
    assert choose_step(ArrayRows(constant), scaling) == 1.0


def test_patience() -> None:
    """New bounds are taken at once where they pay, else after ever more iterations."""

    def course(pays: Any) -> str:
        patience, modes = Patience(100.0), ""
        for number in range(40):
            modes += "s" if patience.is_partial else "A"
            patience.report(10.0 if pays(number) else 99.0, 50.0)
        return modes

    assert course(lambda number: True) == "A" * 40
    waits = [len(some) for some in course(lambda number: False).split("A")]
    assert waits == [0, 0, 3, 5, 9, 17, 0]
    assert course(lambda number: number > 12) == "AAsssAsssssAsssssssssAs" + "A" * 17


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("d", [1, 3, 16, 64])
def test_bounds_hold_after_any_moves(d: int, dtype: Any) -> None:
    """Also where centers meet and part, and for rows far beyond what the bytes cover."""
    rng = np.random.default_rng(d)
    informed = 0
    for _ in range(5):
        k = int(rng.choice([9, 40]))
        X, centers = blobs(rng, 500, d, 6, 0.5), rng.normal(size=(k, d)) * 4
        X[::50] *= 10.0 ** rng.uniform(0, 4)
        X[1::50, 0] *= 10.0 ** rng.uniform(0, 4)
        X = X.astype(dtype)
        sequence = [centers]
        for _ in range(12):
            step = rng.normal(size=centers.shape) * 10.0 ** rng.uniform(-9, -1, (k, 1))
            sequence.append(sequence[-1] + step * (rng.random((k, 1)) < rng.uniform(0, 1)))
            if rng.random() < 0.2:  # two centers meet
                sequence[-1][rng.integers(k)] = sequence[-1][rng.integers(k)]
        seen = visits(
            "bytes", X, sequence,
            lambda lloyd: (lloyd.problem.scaling.scale, lloyd.labels.copy(),
                           None if lloyd._workspace.engines.other is None
                           else lloyd._workspace.engines.other._state[2:].astype(F64)),
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


def test_by_cosine_bounds_are_apart_by_more_than_the_rounding_of_products() -> None:
    for d, largest in ((1, 1.0), (40, 4.0), (60_000, 0.25)):
        apart = float(error_terms(d, 1.0, largest, True).apart)
        assert apart**2 > 12.0 * (d + 4) * 2.0**-53 * largest
        assert apart < 1e-4 * largest**0.5
        assert error_terms(d, 1.0, largest, False).apart == 0.0
