"""What the tests of the byte kernels share: rows and centers as bytes, and their scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastkmeans._data.rows import twice
from fastkmeans._kernels.bytes.quantize import (
    DRIFT,
    LANES,
    NORM,
    arrange_tiles,
    quantize_centers,
    quantize_rows,
)
from fastkmeans._kernels.bytes.tile import OF_REACH
from fastkmeans._kernels.emit.simd import CENTERS, POINTS, VECTORS
from tests.helpers.engines import F32

Array = NDArray[Any]
UNIT = 2.0**-24


def padded(values: Array, multiple: int, fill: float = 0.0) -> Array:
    wide = np.full((len(values), -(-values.shape[1] // multiple) * multiple), fill, values.dtype)
    wide[:, : values.shape[1]] = values
    return wide


class Screen:
    """Rows and centers as bytes, made by the kernels, and their exact scores.

    The tiles hold the centers in some order; scores and distances are in that order, too.
    """

    def __init__(
        self, X: Array, centers: Array, step: float, order: Any = None, before: Any = 0.0
    ) -> None:
        (n, d), k = X.shape, len(centers)
        d4, n_tiles = -(-d // 4), -(-k // CENTERS)
        self.X, self.centers, self.d, self.k, self.n_tiles = X, centers, d, k, n_tiles
        as_bytes = np.zeros((n, 4 * d4), np.uint8)
        self.words = as_bytes.view(np.int32)
        self.reach, self.residual, self.upper, self.lower = np.empty((4, n), F32)
        quantize_rows(
            twice(X), 0, n, np.zeros(d, X.dtype), X.dtype.type(1.0), F32(step), as_bytes,
            self.reach, self.residual, self.upper, self.lower,
        )  # fmt: skip
        self.order = np.arange(k, dtype=np.int32) if order is None else order
        self.before, self.facts = np.zeros((k, d)) + before, np.empty((4, k))
        self.values = np.zeros((k, -(-d // LANES) * LANES), F32)
        self.own = np.zeros((k, 4 * -(-d4 // LANES) * LANES), np.int8)
        starts_of = np.empty(k, np.int32)
        for start, stop in ((0, k // 2), (k // 2, k)):
            quantize_centers(
                centers, start, stop, np.zeros(d), 1.0, F32(step), self.before, self.values,
                self.own, self.facts, starts_of,
            )  # fmt: skip
        self.norms, self.drift = self.facts[NORM], self.facts[DRIFT].astype(F32)
        self.tiles = np.zeros((n_tiles, d4, CENTERS), np.int32)
        self.starts = np.empty((n_tiles, CENTERS), np.int32)
        self.parameters = np.empty((n_tiles, 4, CENTERS), F32)
        self.coefficients = np.empty((n_tiles, 2), F32)
        self.repeated, table = np.empty(k, bool), np.empty(1 << (2 * k).bit_length(), np.int32)
        self.farthest, self.largest = arrange_tiles(
            centers, self.order, self.own.view(np.int32), self.facts, starts_of, table,
            self.repeated, self.tiles, self.starts, self.parameters, self.coefficients,
        )  # fmt: skip
        x, c = X.astype(np.longdouble), centers[self.order].astype(np.longdouble)
        self.scores = x @ c.T - (c**2).sum(axis=1) / 2
        self.distances = np.sqrt(((x[:, None] - c) ** 2).sum(axis=2))

    def block(self) -> Array:
        """Return the first rows as a block of words."""
        return np.ascontiguousarray(self.words[:POINTS].T)

    def error(self, tile: int, r: int) -> Array:
        """Return by how much the score of a center may be off in bytes, for the first rows."""
        of_reach, of_residual = self.parameters[tile, OF_REACH:, r]
        return self.reach[:POINTS] * of_reach + self.residual[:POINTS] * of_residual

    def screen(
        self, kernel: Any, tile: int, own: Array, limit: Array, slack: Any = np.inf
    ) -> tuple[Any, ...]:
        """Return whether there is a rival, the rivals by center and point, what the
        centers score in bytes if there are any, lane 3, and the limits, raised but for an
        infinite slack.
        """
        points = np.full((8, POINTS), np.nan, F32)
        points[0], points[1], points[2] = limit, self.reach[:POINTS], self.residual[:POINTS]
        points[3], points[4] = -np.inf, slack
        rivals, scores = np.zeros(CENTERS * VECTORS, np.int64), np.zeros((CENTERS, POINTS), F32)
        ids = np.stack([own, np.full(POINTS, -9)]).astype(np.int32)
        found = kernel(
            self.block(), self.tiles, self.starts, self.parameters,
            self.coefficients, tile, ids, points, rivals, scores,
        )  # fmt: skip
        lanes = POINTS // VECTORS
        bits = rivals.reshape(CENTERS, VECTORS, 1) >> np.arange(lanes) & 1
        return bool(found), bits.reshape(CENTERS, POINTS).astype(bool), scores, points[3], points[0]


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
