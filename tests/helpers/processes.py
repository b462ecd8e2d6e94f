"""What the tests of threads and processes share: digests of fits, and scripts of their own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastkmeans import KMeans
from tests.conftest import ROOT

Array = NDArray[Any]
COMMON = """
import hashlib, os, signal, sys, time
import numpy as np

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it

def make(m, d, k, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, d)).astype(dtype)
    X[: m // 4] = np.round(X[: m // 4])  # ties
    return X

def digest(model):
    h = hashlib.sha256()
    for part in (model.cluster_centers_, model.labels_, model.inertia_, model.n_iter_):
        h.update(np.asarray(part).tobytes())
    return h.hexdigest()

def fit(m=12000, d=8, k=8, dtype="float64", seed=0, **options):
    from fastkmeans import KMeans
    options = {"max_iter": 6, "random_state": 0} | options
    return digest(KMeans(k, **options).fit(make(m, d, k, dtype, seed)))
"""


def run(code: str, tmp_path: Path, timeout: float = 120, **environment: str | None) -> str:
    """Run a script in a process of its own; return what it prints."""
    script = tmp_path / "script.py"
    script.write_text(COMMON + textwrap.dedent(code))
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in ("NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER", "NUMBA_DISABLE_JIT"):
        env.pop(name, None)
    for name, value in environment.items():
        env.pop(name, None)
        if value is not None:
            env[name] = value
    done = subprocess.run(
        [sys.executable, str(script)],
        env=env, capture_output=True, text=True, timeout=timeout, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def digest(model: KMeans) -> str:
    h = hashlib.sha256()
    for part in (model.cluster_centers_, model.labels_, model.inertia_, model.n_iter_):
        h.update(np.asarray(part).tobytes())
    return h.hexdigest()


def data(m: int, d: int, dtype: Any) -> Array:
    X = np.random.default_rng(0).normal(size=(m, d)).astype(dtype)
    X[: m // 4] = np.round(X[: m // 4])  # ties: every path is taken
    return X


def layouts(X: Array) -> Iterator[tuple[str, Array]]:
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), X.dtype)
    wide[::2, ::3] = X
    backwards = np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
    yield from [("C", X), ("F", np.asfortranarray(X)), ("strided", wide[::2, ::3])]
    yield "backwards", backwards
