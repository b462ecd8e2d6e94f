"""Tables of many kinds are read as they are: no copy of one, nor of much of it, is made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT

MEMORY_SCRIPT = r"""
import json, sys, tracemalloc
import numba
import numpy as np
from fastkmeans import KMeans, find_closest_centroids, compute_centroids

D, BYTES = 16, 50 << 20
rng = np.random.default_rng(0)


def plain(dtype, n=None, order="C"):
    n = n or BYTES // (D * np.dtype(dtype).itemsize)
    X = np.empty((n, D), dtype, order)
    part = (rng.normal(size=(1000, D)) * 20 + 100).astype(dtype)
    for start in range(0, n, 1000):
        X[start : start + 1000] = part[: n - start]
    return X


def column(dtype, n):
    return np.resize(rng.normal(size=1000) * 20 + 100, n).astype(dtype)


def pandas(X):
    import pandas as pd
    return pd.DataFrame(X, copy=False)


def pandas_columns(n):
    import pandas as pd
    kinds = ["f8", "f4", "i8", "u1"]
    return pd.DataFrame({str(f): column(kinds[f % 4], n) for f in range(D)})


def polars(n):
    import polars as pl
    return pl.DataFrame({str(f): column("f4", n) for f in range(D)})


def pyarrow(n):
    import pyarrow as pa
    def part(m):
        return pa.table({str(f): column("f4", m) for f in range(D)})
    return pa.concat_tables([part(n // 2), part(n // 3), part(n // 6)])


CASES = {
    "f4": lambda: plain("f4"),
    "f8": lambda: plain("f8"),
    "f4, Fortran": lambda: plain("f4", order="F"),
    "f8, strided": lambda: plain("f8", BYTES // (4 * D))[::-2],
    "f2": lambda: plain("f2"),
    "u1": lambda: plain("u1"),
    "i8, Fortran": lambda: plain("i8", order="F"),
    ">f4": lambda: plain(">f4"),
    "pandas, f4": lambda: pandas(plain("f4")),
    "pandas, mixed": lambda: pandas_columns(720_000),
    "polars, f4": lambda: polars(720_000),
    "pyarrow, chunked f4": lambda: pyarrow(720_000),
}


ALL_METHODS = sys.argv[-2:]


def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(key))


def reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def measure(call):
    # NumPy's allocations on the books, then everything that became resident.
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    call()
    booked = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    reset_peak()
    before = status("VmRSS")
    call()
    return {"booked": booked, "resident": max(0, status("VmHWM") - before)}


def first(X, n):
    return X.slice(0, n) if hasattr(X, "slice") else X.iloc[:n] if hasattr(X, "iloc") else X[:n]


results = {}
for name in sys.argv[1:]:
    # Blocks of converted rows are many small parallel regions: slow where cores are shared.
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS if name[:2] in ("f4", "f8") else 1)
    X = CASES[name]()
    model = KMeans(8, init=rng.normal(size=(8, D)) * 20 + 100, max_iter=2, tol=0.0)
    small = first(X, 20_000)
    idx = model.fit(small).labels_
    centers = model.cluster_centers_
    calls = {
        "fit": lambda X: model.fit(X),
        "predict": lambda X: model.predict(X),
        "score": lambda X: model.score(X),
        "find_closest_centroids": lambda X: find_closest_centroids(X, centers),
        "compute_centroids": lambda X: compute_centroids(X, idx, 8),
    }
    if name not in ALL_METHODS:
        calls = {"fit": calls["fit"]}
    for call in calls.values():
        call(small)  # compiles, and starts the threads
    idx = np.resize(idx, len(X))
    if hasattr(X, "estimated_size"):
        size = X.estimated_size()
    else:
        size = X.memory_usage(index=False).sum() if hasattr(X, "iloc") else X.nbytes
    results[name] = {"n": len(X), "size": int(size)}
    results[name] |= {method: measure(lambda: call(X)) for method, call in calls.items()}
    del X, small
print(json.dumps(results))
"""
ROW_CASES = ["f4, Fortran", "u1"]
MEMORY_CASES = [
    "f4", "f8", "f8, strided", "f2", "i8, Fortran", ">f4", "pandas, f4", "polars, f4",
    "pyarrow, chunked f4", "pandas, mixed", *ROW_CASES,
]  # fmt: skip
# Bytes of per-row state that a call may keep: labels, those of the iteration before, and the
# copy that is handed out; the lesson's labels are int64, and it tells who belongs to no centroid.
ROW_BYTES = {"fit": 12, "predict": 8, "score": 8, "find_closest_centroids": 16,
             "compute_centroids": 20}  # fmt: skip
SLACK = 3 << 20  # threads' scratch, the allocator's rounding


@pytest.fixture(scope="module")
def memory() -> dict[str, Any]:
    """Measure in one process of its own, so that no other test's memory is in the way."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEMORY_SCRIPT, *MEMORY_CASES],
        cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
        env={**os.environ, "MALLOC_TRIM_THRESHOLD_": "0"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("case", "method"),
    [(case, "fit") for case in MEMORY_CASES]
    + [(case, method) for case in ROW_CASES for method in ROW_BYTES if method != "fit"],
)
def test_no_copy_of_x(memory: dict[str, Any], case: str, method: str) -> None:
    """At most 0.1 of the bytes of X, beyond labels and per-row state."""
    result = memory[case]
    assert result["size"] > 40 << 20
    allowed = 0.1 * result["size"] + ROW_BYTES[method] * result["n"]
    assert result[method]["booked"] <= allowed
    assert result[method]["resident"] <= allowed + SLACK
