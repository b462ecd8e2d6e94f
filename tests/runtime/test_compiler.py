"""The steps in which kernels are compiled: the results of numba's own, and nothing left over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba import config
from numba.core import types
from numba.core.compiler import Compiler
from numba.core.errors import TypingError

from fastkmeans._runtime.compiler import KernelCompiler
from fastkmeans._runtime.jit import (
    _POLICY,
    LATEST,
    _pipeline,
    jit,
    jit_inline,
    jit_unfused,
    jit_with_scratch,
)
from tests.helpers.processes import run

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled without JIT")


@jit_inline
def share(x: Any, w: Any) -> Any:
    square = x * x
    if w > 0.5:
        square = square * w + x
    return square


@jit_inline
def shares(row: Any, w: Any) -> Any:
    total = 0.0
    for x in row:
        total += share(x, w)
    return total


@jit_unfused
def unfused(a: Any, b: Any, c: Any) -> Any:
    return a * b + c


def weighted(X: Any, weights: Any, out: Any) -> Any:
    n, _ = X.shape
    most = 0.0
    for i in range(n):
        out[i] = shares(X[i], weights[i]) + shares(X[i], 1.0 - weights[i])
        most = max(most, out[i])
    return most


def test_results_are_those_of_the_compiler_of_numba() -> None:
    rng = np.random.default_rng(0)
    ours = jit_with_scratch(weighted)
    options = {name: value for name, value in _POLICY.items() if name != "pipeline_class"}
    theirs = numba.njit(**options)(weighted)
    for dtype in (np.float32, np.float64):
        X, weights = rng.normal(size=(300, 7)).astype(dtype), rng.random(300)
        found, wanted = np.empty(300), np.empty(300)
        assert ours(X, weights, found) == theirs(X, weights, wanted)
        np.testing.assert_array_equal(found, wanted)


def test_a_later_numba_compiles_in_its_own_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours rest on inner parts of numba, which may change with each version."""
    assert _pipeline() is KernelCompiler
    later = numba.version_info._replace(minor=LATEST[1] + 1)
    monkeypatch.setattr(numba, "version_info", later)
    assert _pipeline() is Compiler


def test_a_part_with_other_options_keeps_them() -> None:
    @jit
    def both(a: Any, b: Any, c: Any) -> Any:
        return unfused(a, b, c), a * b + c

    a, b = 1.0 + 2.0**-30, 1.0 - 2.0**-30
    assert both(a, b, -1.0)[0] == a * b - 1.0 == 0.0


def test_numba_is_as_before_after_a_compilation() -> None:
    resolve = types.BaseFunction.get_call_type

    @jit
    def right(x: Any) -> Any:
        return share(x[0], 1.0)

    @jit
    def wrong(x: Any) -> Any:
        return share(x[0], 1.0) + "text"

    assert right(np.array([2.0])) == 6.0
    assert types.BaseFunction.get_call_type is resolve
    with pytest.raises(TypingError):
        wrong(np.array([2.0]))
    assert types.BaseFunction.get_call_type is resolve


FIT = """
from numba.core import event
from fastkmeans import KMeans

X = make(300, 4, 3)
with event.install_recorder("numba:compile") as compiled:
    print(KMeans(3, random_state=0).fit(X).inertia_)
print(len(compiled.buffer) > 0, "numba.np.linalg" in sys.modules)
"""


def test_compiled_kernels_load_without_what_compiles_them(tmp_path: Path) -> None:
    """Before it compiles, numba loads SciPy and much more: half of a first fit."""
    cache = str(tmp_path / "cache")
    first = run(FIT, tmp_path, NUMBA_CACHE_DIR=cache).splitlines()
    assert first[1] == "True True"
    assert run(FIT, tmp_path, NUMBA_CACHE_DIR=cache).splitlines() == [first[0], "False False"]
