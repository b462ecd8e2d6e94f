"""Sparse rows stay sparse: memory beside them, in a process of its own; the same bits there."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.processes import run

PROGRAM = r"""
import warnings
from pathlib import Path
from fastkmeans import KMeans, MiniBatchKMeans, kmeans_plusplus
import scipy.sparse

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

def texts(n, d, seed=0):
    rng = np.random.default_rng(seed)
    lengths = 1 + rng.poisson(5.0, n)
    words = (d ** rng.random(lengths.sum())).astype(np.int32)
    parts = rng.gamma(2.0, size=len(words)).astype(np.float32), words
    X = scipy.sparse.csr_matrix((*parts, np.concatenate([[0], np.cumsum(lengths)])), shape=(n, d))
    X.sum_duplicates()
    return X

def work(X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KMeans(20, max_iter=5, random_state=0).fit(X)
        model.predict(X), model.transform(X[:1000]), model.score(X)
        for schedule in ("nested", "random"):
            MiniBatchKMeans(20, max_iter=1, random_state=0, schedule=schedule).fit(X)
    return digest(model)

work(texts(3000, 200))  # compiles
work(texts(30_000, 3000))  # numba's threads and pools
X = texts(100_000, 4000)
before = peak()
print(work(X))
print((peak() - before) / (X.shape[0] * X.shape[1] * 4))
"""


def test_memory_beside_the_rows_is_a_small_part_of_a_dense_copy(tmp_path: Path) -> None:
    two, share = run(PROGRAM, tmp_path, 400, NUMBA_NUM_THREADS="2").splitlines()
    assert float(share) < 0.1
    one, _ = run(PROGRAM, tmp_path, 400, NUMBA_NUM_THREADS="1").splitlines()
    assert one == two
