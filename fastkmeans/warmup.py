"""Compile the kernels into numba's cache: ``python -m fastkmeans.warmup``.

Compiled code fits one processor, one version of numba and one installation, so it cannot be
shipped.  Run this once after installing, for instance while building a container image; later
processes load the code.  The cache lies next to the package, in the user's cache folder if the
package is read-only, or in ``NUMBA_CACHE_DIR``.

With ``--all`` this takes about half as long again, and also compiles the indices of
``fastkmeans.metrics``, ``choose_k``, and fits of dense rows by cosine.

The work has parts, which share few kernels.  Each part runs in a process of its own, and as many
at a time as there are cores; a process takes about 0.5 GB of memory.
"""

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Compressed:
    """Compressed rows with the attributes of a matrix of SciPy, which need not be there."""

    def __init__(self, parts: tuple[NDArray[Any], ...], shape: tuple[int, int]) -> None:
        self.data, self.indices, self.indptr = parts
        self.shape = shape

    @property
    def nnz(self) -> int:
        return len(self.data)

    def tocsr(self) -> "_Compressed":
        return self


def _sparse(rng: np.random.Generator, n_rows: int, dtype: Any, width: int = 16) -> _Compressed:
    """Return rows of small whole numbers, one of ``width`` in each quarter of the columns."""
    columns = np.arange(4) * width + rng.integers(0, width, (n_rows, 4))
    values = rng.integers(0, 3, 4 * n_rows).astype(dtype)
    starts = 4 * np.arange(n_rows + 1)
    return _Compressed((values, columns.reshape(-1).astype(np.int32), starts), (n_rows, 4 * width))


def warm_dense(dtype: Any) -> None:
    """Compile the kernels of dense rows."""
    from . import KMeans, kmeans_plusplus
    from ._engines.costs import LEAST_ROWS
    from ._runtime.threads import LARGE_TABLE
    from .metrics import simplified_silhouette_score

    rng = np.random.default_rng(0)
    for n_rows in (256, 40_000):  # one thread; several
        # Small whole numbers have many ties.  If the range of each thread is long enough to
        # hold many of them, they take every path through the kernels.
        X = rng.integers(-1, 2, (n_rows, 16)).astype(dtype)
        for algorithm in ("lloyd", "boxes", "bytes"):
            KMeans(8, max_iter=3, init=X[:8], algorithm=algorithm, n_threads=2).fit(X)
        model = KMeans(8, max_iter=3, random_state=0, n_threads=2).fit(X)
        KMeans(8, tol=1e9, random_state=0, n_threads=2, local_search=1).fit(X)
        model.predict(X[:1])
        model.predict(X)
        model.transform(X)
        model.representatives(X)
        model.score(X)
        simplified_silhouette_score(X, model.labels_, model.cluster_centers_)
        KMeans(8).fit(np.arange(float(n_rows)).reshape(-1, 1))  # one feature
    # For a large table, passes that are made once run in numba's threads as well.
    X = rng.integers(-1, 2, (LARGE_TABLE // 16, 16)).astype(dtype)
    KMeans(8, max_iter=2, init=X[:8], algorithm="bytes", n_threads=2).fit(X)
    # Few rows move from the second iteration on, so that bounds in float32 are used.
    centers = rng.standard_normal((64, 12))
    X = (centers[np.arange(40_000) % 64] + 0.7 * rng.standard_normal((40_000, 12))).astype(dtype)
    KMeans(64, max_iter=12, tol=0.0, init=centers, n_threads=2).fit(X)
    # With few features, ``auto`` sorts a large table and adds the sums row by row.
    X = rng.standard_normal((LEAST_ROWS, 2)).astype(dtype)
    KMeans(8, max_iter=20, init=X[:8], n_threads=2, local_search=0).fit(X)
    # Many centers are drawn from pools; one far row makes float32 too coarse.
    X = rng.standard_normal((40_000, 4)).astype(dtype)
    X[0] = 1e7
    for each in (X[1:], X):
        kmeans_plusplus(each, 200, random_state=0)


def warm_sparse(dtype: Any) -> None:
    """Compile the kernels of sparse rows."""
    from . import KMeans, kmeans_plusplus

    rng = np.random.default_rng(0)
    for n_rows in (256, 200_000):
        rows = _sparse(rng, n_rows, dtype)
        for metric in ("euclidean", "cosine"):
            model = KMeans(8, max_iter=3, random_state=0, n_threads=2, metric=metric)
            model.fit(rows).predict(rows)
            model.transform(rows)
        # Postings pay if columns are many, and are sorted first if they do not rise.
        wide = _sparse(rng, n_rows, dtype, 1024)
        wide.indices = wide.indices.reshape(-1, 4)[:, ::-1].reshape(-1).copy()
        kmeans_plusplus(wide, 8, random_state=0)


def warm_rest(dtype: Any) -> None:
    """Compile the kernels of the indices, of ``choose_k``, and of dense rows by cosine."""
    from . import KMeans, choose_k
    from .metrics import davies_bouldin_score, silhouette_score

    rng = np.random.default_rng(0)
    sparse = _sparse(rng, 256, dtype)
    for metric in ("euclidean", "cosine"):
        silhouette_score(sparse, np.arange(256) % 4, metric=metric)
    davies_bouldin_score(sparse, np.arange(256) % 4)
    choose_k(sparse, [2], random_state=0)
    for n_rows in (256, 40_000):
        X, labels = rng.standard_normal((n_rows, 16)).astype(dtype), np.arange(n_rows) % 4
        davies_bouldin_score(X, labels)
        silhouette_score(X, labels, sample_size=256, random_state=0)
        choose_k(X, [2], random_state=0, n_threads=2)
        model = KMeans(8, max_iter=3, random_state=0, n_threads=2, metric="cosine").fit(X)
        model.predict(X)
        model.transform(X)


KINDS: dict[str, Callable[[Any], None]] = {
    "dense": warm_dense,
    "sparse": warm_sparse,
    "rest": warm_rest,
}
PARTS = ("dense float32", "sparse float64", "dense float64", "sparse float32")
"""What is compiled, in an order in which two processes at a time have few kernels in common."""
REST = ("rest float32", "rest float64")
"""What ``--all`` compiles as well."""
MOST_PROCESSES = 4
"""Most processes that compile at a time."""


def warmup(parts: Sequence[str] = PARTS) -> None:
    """Compile parts of the kernels in this process."""
    from ._runtime import threads

    threads.DRIVEN_AFTER = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in parts:
            kind, dtype = part.split()
            KINDS[kind](np.dtype(dtype))


def warmup_in_processes(parts: Sequence[str]) -> None:
    """Compile every part in a process of its own, as many at a time as there are cores."""
    from ._runtime.threads import count_threads

    def compile_part(part: str) -> None:
        command = [sys.executable, "-m", "fastkmeans.warmup", "--part", part]
        subprocess.run(command, check=True)

    n_processes = min(count_threads(None), len(parts), MOST_PROCESSES)
    if n_processes == 1:
        warmup(parts)
    else:
        with ThreadPoolExecutor(n_processes) as pool:
            list(pool.map(compile_part, parts))


def main() -> int:
    """Compile what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m fastkmeans.warmup", description="Compile the kernels into numba's cache."
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="also those of fastkmeans.metrics, choose_k, and dense rows by cosine",
    )
    parser.add_argument("--part", choices=PARTS + REST, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        warmup([args.part])
        return 0
    began = time.perf_counter()
    try:
        warmup_in_processes(PARTS + REST if args.all else PARTS)
    except subprocess.CalledProcessError as error:  # it has said why
        print(f"the warm-up of {error.cmd[-1]} ended with exit code {error.returncode}")
        return 1
    print(f"compiled in {time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
