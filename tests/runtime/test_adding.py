"""Sums of floats in one order, whatever the versions of Python and NumPy and the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._engines.sums import Sums
from fastkmeans._kernels.shared.update import GAINED, N_EMPTY, SHIFT, update_centers
from fastkmeans._runtime.adding import PIECE, column_totals, total_of
from tests.helpers.engines import problem_of
from tests.helpers.processes import digest, run

Array = NDArray[Any]


def by_halves(values: list[float]) -> float:
    """Add as NumPy 2 does: eight chains up to 128 values, halves beyond."""
    n = len(values)
    if n > 128:
        half = n // 2 - n // 2 % 8
        return by_halves(values[:half]) + by_halves(values[half:])
    total, whole = 0.0, n - n % 8
    if n >= 8:
        chains = values[:8]
        for start in range(8, whole, 8):
            chains = [a + b for a, b in zip(chains, values[start : start + 8], strict=True)]
        a, b, c, d, e, f, g, h = chains
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for value in values[whole:]:
        total += value
    return total


@settings(deadline=None, max_examples=30)
@given(n=st.integers(0, 4 * PIECE), seed=st.integers(0, 99))
def test_a_total_is_added_by_halves(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=n)
    assert total_of(values) == by_halves(values.tolist())


@pytest.mark.parametrize("shape", [(3000, 7), (64, 4, 100), (PIECE, 1), (1, PIECE + 1)])
def test_a_total_depends_on_no_layout(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    expected = by_halves(values.ravel().tolist())
    wide = np.zeros((*shape[:-1], 2 * shape[-1]))
    wide[..., ::2] = values
    for laid_out in (values, np.asfortranarray(values), wide[..., ::2]):
        assert total_of(laid_out) == expected


@pytest.mark.parametrize("shape", [(5, 1), (PIECE + 9, 1), (3000, 7), (3, PIECE + 9), (1, 4)])
def test_columns_are_added_row_after_row(shape: tuple[int, int]) -> None:
    table = np.random.default_rng(0).normal(size=shape)
    if shape[1] == 1:
        expected = np.array([by_halves(table[:, 0].tolist())])
    else:
        expected = np.zeros(shape[1])
        for row in table:
            expected += row
    for laid_out in (table, np.asfortranarray(table)):
        np.testing.assert_array_equal(column_totals(laid_out), expected)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ranges_of_centers_are_added_one_after_the_other(n_threads: int) -> None:
    """As the loop over the ranges in ``iterate_serial``: no compensated sum, no halves."""
    n, d, k = 900, 5, 300
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-6, 6, d)
        labels = rng.integers(0, k, n).astype(np.int32)
        centers, new = X[:k].copy(), np.empty((k, d))
        with problem_of(X, n_threads=n_threads) as problem:
            scaling, sums = problem.scaling, Sums(problem, k)
            sums.center_bounds = np.arange(0, k + 1, 6)
            sums.clear()
            for part, block in problem.blocks():
                sums.move(part, block, np.full(n, -1, np.int32), labels)
            inertia, moved, n_empty = sums.means(centers, new)
        expected, totals = np.zeros(3), np.empty(3)
        for start in range(0, k, 6):
            update_centers(
                sums.parts, start, start + 6, sums.part_weights, scaling.shift, scaling.scale,
                centers, np.empty((2, k)), np.empty((k, d)), totals,
            )  # fmt: skip
            expected += totals
        assert moved == expected[SHIFT]
        assert inertia == max(0.0, scaling.scatter - expected[GAINED])
        assert n_empty == expected[N_EMPTY] > 0


def test_boxes_depend_on_no_layout_though_columns_vary_alike() -> None:
    """Boxes sort the columns by their deviations, here equal but for rounding."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(5000, 4))
        sampled = X[::78]  # the rows that the deviations are taken of
        sampled[:] = np.column_stack([rng.permutation(sampled[:, 0]) for _ in range(4)])
        digests = {
            digest(KMeans(20, init=X[:20], max_iter=5, algorithm="boxes").fit(laid_out))
            for laid_out in (X, np.asfortranarray(X))
        }
        assert len(digests) == 1


FITS = """
try:
    from numpy._core import _multiarray_umath as numpy_core
except ImportError:
    from numpy.core import _multiarray_umath as numpy_core

if len(sys.argv) > 1:  # which features of the processor NumPy may be denied
    has = numpy_core.__cpu_features__
    print(" ".join(name for name in numpy_core.__cpu_dispatch__ if has.get(name)))
    raise SystemExit

from fastkmeans import KMeans

def show(model):
    values = [model.cluster_centers_, model.labels_, model.inertia_, model.n_iter_]
    for step in model.history_:
        values += [step.inertia, step.center_shift]
    h = hashlib.sha256()
    for value in values:
        h.update(np.asarray(value).tobytes())
    print(h.hexdigest())

show(KMeans(8, random_state=0, max_iter=2).fit(make(9000, 150, 8)))
rng = np.random.default_rng(0)
X, weights = rng.normal(size=(400, 9)), rng.random(400)
X[0], weights[0] = 9.0, 1e9  # the farthest row: without it, its cluster is added up again
show(KMeans(3, init=np.zeros((3, 9)) + [[0], [1e3], [2e3]], max_iter=2).fit(X, None, weights))
"""


def test_results_depend_on_no_kernel_of_numpy_or_blas(tmp_path: Path) -> None:
    features = run(f"import sys; sys.argv.append('')\n{FITS}", tmp_path, 300)
    as_it_is = run(FITS, tmp_path, 300)
    masked = run(
        FITS, tmp_path, 300, NPY_DISABLE_CPU_FEATURES=features or None,
        OPENBLAS_CORETYPE="Prescott", OPENBLAS_NUM_THREADS="1",
    )  # fmt: skip
    assert masked == as_it_is
