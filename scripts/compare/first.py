"""The first fit of a new process, for ``compare``: with an empty cache, and with a warm one.

What a user waits for is timed: the import of the library and one short fit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import ROOT

PROGRAM = """
import sys, time
from benchmarks.datasets import Cell, make
n, d, k, threads = map(int, sys.argv[1:5])
X, _ = make(Cell("", n, d, k), sys.argv[5])
start = time.perf_counter()
from fastkmeans import KMeans
model = KMeans(k, n_init=1, max_iter=20, random_state=0, n_threads=threads).fit(X)
print(time.perf_counter() - start, model.inertia_)
"""


def first_fits(tree: Path, cell: Any, dtype: str, threads: int, warm: int) -> dict[str, Any]:
    """Time the first fits of one process with an empty cache, then of some with that cache.

    Parameters
    ----------
    tree : Path
        The checkout whose ``fastkmeans`` is imported.
    cell : Cell
        A mixture.
    dtype : str
    threads : int
    warm : int
        Processes that find the cache that the first one filled.

    Returns
    -------
    dict
        ``cold`` in seconds, ``warm`` as a list of seconds, ``inertia``.
    """
    numbers = [str(number) for number in (cell.n, cell.d, cell.k, threads)]
    # -P: a checkout in the current folder must not come first.
    command = [sys.executable, "-P", "-W", "ignore", "-c", PROGRAM, *numbers, dtype]
    path = os.pathsep.join(map(str, (tree, ROOT / "asv_benchmarks")))
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": cache}
        times = []
        for _ in range(1 + warm):
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError((done.stderr.splitlines() or ["no message"])[-1])
            seconds, inertia = map(float, done.stdout.split())
            times.append(seconds)
    return {"cold": times[0], "warm": times[1:], "inertia": inertia / cell.n}
