"""What the tests of the byte kernels share: rows and centers as bytes, and their scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastkmeans._data.rows import twice
from fastkmeans._engines.bytes import n_words, new_quantized, new_tiles
from fastkmeans._kernels.bytes.bounds import ByteCenters, ByteRows, ErrorTerms, error_terms
from fastkmeans._kernels.bytes.quantize import (
    Coordinates,
    arrange_tiles,
    quantize_centers,
    quantize_rows,
)
from fastkmeans._kernels.bytes.tile import LIMIT, OF_REACH, OTHERS, REACH, RESIDUAL, SLACK
from fastkmeans._kernels.emit.simd import CENTERS, CODES, POINTS, VECTORS
from tests.helpers.engines import F32

Array = NDArray[Any]
UNIT = 2.0**-24


def padded(values: Array, multiple: int, fill: float = 0.0) -> Array:
    wide = np.full((len(values), -(-values.shape[1] // multiple) * multiple), fill, values.dtype)
    wide[:, : values.shape[1]] = values
    return wide


class Screen:
    """Rows and centers as codes, made by the kernels, and their exact scores.

    The tiles hold the centers in some order; scores and distances are in that order, too.
    """

    def __init__(
        self, X: Array, centers: Array, step: float, order: Any = None, before: Any = 0.0,
        most: int | None = None,
    ) -> None:  # fmt: skip
        (n, d), k = X.shape, len(centers)
        n_tiles = -(-k // CENTERS)
        self.X, self.centers, self.d, self.k, self.n_tiles = X, centers, d, k, n_tiles
        self.words = np.zeros((n, n_words(d)), np.int32)
        self.coordinates = Coordinates(
            np.zeros(d, X.dtype),
            X.dtype.type(1.0),
            1.0,
            F32(step),
            F32(most or CODES.most(d)),
            False,
        )
        state = np.empty((4, n), F32)
        codes = self.words.view(CODES.of_rows)
        quantize_rows(twice(X), 0, n, self.coordinates, codes, *state)
        self.rows = ByteRows(twice(self.words), *state)
        self.order = np.arange(k, dtype=np.int32) if order is None else order
        self.quantized, self.tiles = new_quantized(k, d), new_tiles(k, d)
        self.quantized.before[:] = before
        for start, stop in ((0, k // 2), (k // 2, k)):
            quantize_centers(centers, start, stop, np.zeros(d), self.coordinates, self.quantized)
        self.norms, self.drift = self.quantized.norms, self.quantized.drift.astype(F32)
        self.repeated, table = np.empty(k, bool), np.empty(1 << (2 * k).bit_length(), np.int32)
        self.farthest, self.largest = arrange_tiles(
            centers, self.order, self.quantized, table, self.repeated, self.tiles
        )
        x, c = X.astype(np.longdouble), centers[self.order].astype(np.longdouble)
        self.scores = x @ c.T - (c**2).sum(axis=1) / 2
        self.distances = np.sqrt(((x[:, None] - c) ** 2).sum(axis=2))

    def byte_centers(self) -> ByteCenters:
        """Return the record of the centers."""
        scaled, words, place = (
            self.quantized.scaled,
            self.quantized.words,
            np.empty_like(self.order),
        )
        place[self.order] = np.arange(self.k)
        return ByteCenters(
            self.centers, scaled, words, self.order, place, self.farthest, self.largest
        )

    def terms(self) -> ErrorTerms:
        """Return the terms of the errors; Python makes float64 of a kernel's float32."""
        found = error_terms(self.d, self.farthest, self.largest, False)
        return ErrorTerms(*found[:3], *map(F32, found[3:-1]), found[-1])

    def block(self) -> Array:
        """Return the first rows as a block of words."""
        return np.ascontiguousarray(self.words[:POINTS].T)

    def error(self, tile: int, r: int) -> Array:
        """Return by how much the score of a center may be off in bytes, for the first rows."""
        of_reach, of_residual = self.tiles.parameters[tile, OF_REACH:, r]
        reach, residual = self.rows.reach[:POINTS], self.rows.residual[:POINTS]
        return reach * of_reach + residual * of_residual

    def screen(
        self, kernel: Any, tile: int, own: Array, limit: Array, slack: Any = np.inf
    ) -> tuple[Any, ...]:
        """Return whether there is a rival, and what the kernel wrote.

        That is the rivals by center and point, the scores of the centers in bytes if there
        is a rival, OTHERS, and the limits.  They are raised unless the slack is infinite.
        """
        points = np.full((8, POINTS), np.nan, F32)
        points[LIMIT], points[REACH] = limit, self.rows.reach[:POINTS]
        points[RESIDUAL] = self.rows.residual[:POINTS]
        points[OTHERS], points[SLACK] = -np.inf, slack
        rivals, scores = np.zeros(CENTERS * VECTORS, np.int64), np.zeros((CENTERS, POINTS), F32)
        found = kernel(
            self.block(), *self.tiles, tile, own.astype(np.int32), points, rivals, scores
        )
        lanes = POINTS // VECTORS
        bits = rivals.reshape(CENTERS, VECTORS, 1) >> np.arange(lanes) & 1
        by_point = bits.reshape(CENTERS, POINTS).astype(bool)
        return bool(found), by_point, scores, points[OTHERS], points[LIMIT]


def adversarial(rng: np.random.Generator, d: int, k: int) -> Screen:
    """Return rows and centers that codes tell badly: cut off, lopsided, zero, far."""
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
