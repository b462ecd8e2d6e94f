"""Sparse rows in threads and forked children; a signal within an iteration."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fastkmeans import KMeans
from tests.helpers.processes import digest, run
from tests.helpers.sparse import texts


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_threads_and_forks_on_sparse_rows(layer: str, tmp_path: Path) -> None:
    """Fits of sparse rows in eight threads at a time, then in a forked child."""
    code = """
    import numba
    from concurrent.futures import ThreadPoolExecutor
    from fastkmeans import KMeans
    from tests.helpers.sparse import texts
    tasks = [(texts(5000, 300), 30), (texts(200, 50), 3)]

    def fit_sparse(task):
        return digest(KMeans(task[1], random_state=0, max_iter=4).fit(task[0]))

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(fit_sparse, tasks * 3))
    alone = [fit_sparse(task) for task in tasks]
    assert together == alone * 3
    if hasattr(os, "fork"):
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # a child that hangs dies
            os._exit(0 if [fit_sparse(task) for task in tasks] == alone else 7)
        assert os.waitpid(child, 0)[1] == 0
        assert [fit_sparse(task) for task in tasks] == alone  # the parent as well
    print(numba.threading_layer(), *alone)
    """
    found = run(code, tmp_path, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="4").split()
    assert found[0] == layer
    model = KMeans(30, random_state=0, max_iter=4).fit(texts(5000, 300))
    assert found[1] == digest(model)  # with the layer and the threads of this one


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT between processes there")
def test_ctrl_c_in_a_callback(tmp_path: Path) -> None:
    """The signal comes within one iteration; fits go on after it."""
    code = """
    from fastkmeans import KMeans
    from tests.helpers.sparse import texts
    expected = fit()

    def press(iteration, run):
        seen.append(iteration)
        os.kill(os.getpid(), signal.SIGINT)

    dense, sparse = make(3000, 8, 8), texts(1000, 300)
    for X, metric in ((dense, "euclidean"), (dense, "cosine"), (sparse, "euclidean")):
        settings = {"random_state": 0, "metric": metric}
        before = digest(KMeans(8, max_iter=4, **settings).fit(X))
        seen = []
        try:
            KMeans(8, callback=press, **settings).fit(X)
        except KeyboardInterrupt:
            assert seen == [1]
        else:
            raise SystemExit("the signal was lost")
        assert digest(KMeans(8, max_iter=4, **settings).fit(X)) == before
    assert fit() == expected
    print("interrupted")
    """
    assert run(code, tmp_path) == "interrupted"
