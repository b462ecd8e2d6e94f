"""Threads, forks, pools, signals, caches: the same bits, and a process that lives on.

What could kill or hang the process runs in one of its own, under a time limit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray
from reference import closest

from fastkmeans import KMeans
from fastkmeans._assign import work_of
from fastkmeans._parallel import SERIAL_NANOSECONDS, Team, count_threads, cut

Array = NDArray[Any]
ROOT = Path(__file__).resolve().parents[1]

COMMON = """
import hashlib, os, signal, sys, time
import numpy as np

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


# --- the same bits for any number of threads and any layout


SHAPES = [
    (300, 3, 5),  # serial
    (20_000, 2, 9),  # just parallel
    (40_000, 3, 4),  # many ranges
    (5_000, 40, 30),
    (1_000, 300, 40),  # few ranges, cut along the features
    (6_000, 5, 400),  # large sums, one range
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits_for_any_threads_and_layout(shape: tuple[int, int, int], dtype: Any) -> None:
    m, d, k = shape
    X = data(m, d, dtype)
    weights = np.random.default_rng(1).integers(0, 3, m).astype(float)
    for sample_weight in (None, weights):
        found = {}
        for name, table in layouts(X):
            for n_threads in (1, 2):
                model = KMeans(k, init=X[-k:], max_iter=3, n_threads=n_threads)
                found[name, n_threads] = digest(model.fit(table, sample_weight=sample_weight))
        assert len(set(found.values())) == 1, found


def test_the_shapes_lie_on_both_sides_of_the_threshold() -> None:
    works = [work_of((m, d), k) for m, d, k in SHAPES]
    assert works[0] < SERIAL_NANOSECONDS < works[1] < 2 * SERIAL_NANOSECONDS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_labels_and_distances_for_any_threads_and_layout(dtype: Any) -> None:
    X = data(9_001, 7, dtype)
    models = [KMeans(30, init=X[-30:], max_iter=1, n_threads=n).fit(X) for n in (1, 2)]
    centers = np.round(models[0].cluster_centers_ * 8) / 8  # distances are exact
    expected = closest(X, centers)
    for model in models:
        model.cluster_centers_ = centers
    distances, score = models[0].transform(X), models[0].score(X)
    for _, table in layouts(X):
        for model in models:
            np.testing.assert_array_equal(model.predict(table), expected)
            np.testing.assert_array_equal(model.transform(table), distances)
            assert model.score(table) == score


def test_up_to_four_threads(tmp_path: Path) -> None:
    code = """
    for shape in [(12000, 2, 9), (5000, 40, 30), (1000, 300, 40)]:
        digests = {fit(*shape, n_threads=n) for n in (1, 2, 3, 4, None)}
        assert len(digests) == 1, shape
        print(digests.pop())
    """
    four = run(code, tmp_path, NUMBA_NUM_THREADS="4")
    assert four == run(code, tmp_path, NUMBA_NUM_THREADS="1")


def test_repeated_fits_give_the_same_bits() -> None:
    X = data(15_000, 4, np.float32)
    assert len({digest(KMeans(12, max_iter=5, random_state=3).fit(X)) for _ in range(6)}) == 1


# --- teams


def test_cut_covers_all_rows() -> None:
    for n in (1, 255, 256, 257, 1000, 4096, 100_001):
        for parts in (1, 2, 7, 64):
            bounds = cut(n, parts)
            assert bounds[0] == 0
            assert bounds[-1] == n
            assert (np.diff(bounds) > 0).all()
            assert (bounds[:-1] % 256 == 0).all()
            assert len(bounds) - 1 <= max(1, parts)


def test_the_mask_is_restored() -> None:
    X = data(12_000, 8, np.float64)
    before = numba.get_num_threads()

    def fails(*_: Any, **__: Any) -> Array:
        raise ZeroDivisionError

    try:
        for mask in {1, before}:
            numba.set_num_threads(mask)
            for n_threads in (1, 2, None):
                KMeans(8, max_iter=2, n_threads=n_threads, random_state=0).fit(X)
                assert numba.get_num_threads() == mask
                with pytest.raises(ZeroDivisionError):
                    KMeans(8, init=fails, n_threads=n_threads).fit(X)
                assert numba.get_num_threads() == mask
    finally:
        numba.set_num_threads(before)


def test_count_threads() -> None:
    limit = numba.config.NUMBA_NUM_THREADS
    assert count_threads(1) == 1
    assert count_threads(10**6) == limit
    assert 1 <= count_threads(None) <= limit
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert count_threads(None) == 1
    finally:
        numba.set_num_threads(before)


def test_small_work_is_serial_whatever_is_asked_for() -> None:
    with Team(8, SERIAL_NANOSECONDS - 1) as small:
        assert small.serial
    with Team(1, 1e12) as alone:
        assert alone.serial
        assert not alone.small


# --- processes


LAYERS = ["default", "omp", "workqueue"]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_fits(layer: str, tmp_path: Path) -> None:
    code = """
    import multiprocessing
    expected = [fit(), fit(k=40, dtype="float32")]
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs dies
        again = [fit(), fit(k=40, dtype="float32")]
        os._exit(0 if again == expected else 7)
    assert os.waitpid(child, 0)[1] == 0
    with multiprocessing.get_context("fork").Pool(2) as pool:
        tasks = [pool.apply_async(fit) for _ in range(3)]
        assert {task.get(60) for task in tasks} == {expected[0]}
    assert fit() == expected[0]  # the parent as well
    print("the same")
    """
    name = None if layer == "default" else layer
    assert run(code, tmp_path, NUMBA_THREADING_LAYER=name).endswith("the same")


def test_a_spawned_pool_fits(tmp_path: Path) -> None:
    code = """
    import multiprocessing

    if __name__ == "__main__":
        expected = fit()
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            tasks = [pool.apply_async(fit) for _ in range(3)]
            assert {task.get(100) for task in tasks} == {expected}
        print("the same")
    """
    assert run(code, tmp_path) == "the same"


@pytest.mark.parametrize("layer", LAYERS)
def test_concurrent_fits(layer: str, tmp_path: Path) -> None:
    code = """
    import numba
    from concurrent.futures import ThreadPoolExecutor
    shapes = [(12000, 8, 8), (20000, 2, 5), (3000, 40, 25), (500, 3, 4)] * 2
    with ThreadPoolExecutor(8) as pool:  # the very first parallel regions as well
        together = list(pool.map(lambda s: fit(*s), shapes))
    alone = [fit(*s) for s in shapes]
    assert together == alone
    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda s: fit(*s), shapes)) == alone
    assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
    print(numba.threading_layer(), "the same")
    """
    name = None if layer == "default" else layer
    layer_used, _, verdict = run(code, tmp_path, NUMBA_THREADING_LAYER=name).partition(" ")
    assert verdict == "the same"
    assert layer in ("default", layer_used)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT between processes there")
def test_ctrl_c(tmp_path: Path) -> None:
    code = """
    import threading, numba
    from fastkmeans import KMeans
    expected, mask = fit(), numba.get_num_threads()
    X = np.random.default_rng(0).random((100_000, 40), dtype=np.float32)
    KMeans(4, max_iter=1, random_state=0).fit(X)  # compiled
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(1.0, press).start()
    try:
        KMeans(150, init="random", n_init=10_000, tol=0.0).fit(X)  # hours
    except KeyboardInterrupt:
        assert time.perf_counter() - pressed[0] < 5.0
    else:
        raise SystemExit("the fit was over before it could be interrupted")
    assert numba.get_num_threads() == mask
    assert fit() == expected
    print("interrupted")
    """
    assert run(code, tmp_path) == "interrupted"


# --- the numba settings that users reach for


def test_without_jit_the_twins_take_over(tmp_path: Path) -> None:
    code = """
    import warnings
    warnings.simplefilter("error")
    from fastkmeans import KMeans, find_closest_centroids, kmeans_plusplus
    for dtype in ("float32", "float64"):
        X = np.random.default_rng(0).integers(-3, 4, (90, 3)).astype(dtype)
        model = KMeans(4, init=X[:4], max_iter=5).fit(X)
        print(model.labels_.tolist(), round(model.inertia_, 9))
        print(find_closest_centroids(X, np.vstack([X[5:25], X[:5]])).tolist())
        print(kmeans_plusplus(X, 5, random_state=0)[1].tolist())
        print(round(float(model.transform(X).sum()), 3))
        few = np.random.default_rng(0).integers(0, 2, (12, 3)).astype(dtype)
        far = np.vstack([few[:3], np.full((6, 3), 1e17) * np.arange(1, 7)[:, None]])
        warnings.simplefilter("ignore")
        for algorithm in ("boxes", "bytes"):
            for table, init in ((X, X[:4]), (X, X[:19]), (few, far)):  # far: nothing is proven
                model = KMeans(len(init), init=init, max_iter=5, algorithm=algorithm).fit(table)
                print(model.labels_.tolist(), round(model.inertia_, 9))
    """
    assert run(code, tmp_path, NUMBA_DISABLE_JIT="1") == run(code, tmp_path)


def test_import_is_light(tmp_path: Path) -> None:
    code = """
    before = set(sys.modules)
    import fastkmeans
    loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(sorted(loaded & {"numba", "llvmlite", "sklearn", "pandas", "scipy", "polars", "pyarrow"}))
    fit(300)
    print(sorted({"sklearn", "pandas", "polars", "pyarrow"} & set(sys.modules)))
    """
    assert run(code, tmp_path) == "[]\n[]"


def test_first_fit_from_a_warm_cache(tmp_path: Path) -> None:
    code = """
    began = time.perf_counter()
    fit(300, dtype="float32"), fit(dtype="float32")
    print(time.perf_counter() - began)
    """
    run(code, tmp_path)
    assert float(run(code, tmp_path)) < 5.0


def test_no_folder_for_a_cache(tmp_path: Path) -> None:
    """An installation that numba can write no cache for still works.

    Permissions do not stop root, so a file stands where numba would make its folder
    (``__pycache__``), and the user's cache folder lies below a file.  The script shows
    first that numba itself gives up there: this is the error of a read-only
    installation, if not its cause.
    """
    package = tmp_path / "site" / "fastkmeans"
    shutil.copytree(ROOT / "fastkmeans", package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (package, package / "_kernels"):
        (folder / "__pycache__").write_text("")
    code = """
    import numba
    from fastkmeans import _errors
    try:
        numba.njit(cache=True)(_errors.convergence_warning)
    except RuntimeError as error:
        assert "no locator available" in str(error)
    else:
        raise SystemExit("numba found a folder after all")
    from fastkmeans import KMeans
    from fastkmeans._kernels.assign import assign_rows
    X = make(300, 3, 4)
    print(KMeans(4, init=X[:4]).fit(X).labels_.tolist())
    """
    nowhere = str(package / "__pycache__" / "below")
    found = run(
        code, tmp_path, PYTHONPATH=str(package.parent), NUMBA_CACHE_DIR=None, HOME=nowhere,
        XDG_CACHE_HOME=nowhere, PYTHONDONTWRITEBYTECODE="1", LOCALAPPDATA=nowhere,
    )  # fmt: skip
    X = data(300, 3, np.float64)
    assert found == str(KMeans(4, init=X[:4]).fit(X).labels_.tolist())


@pytest.fixture(scope="module")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that ``python -m fastkmeans.warmup`` alone has filled.

    It is kept beside the cache of the tests, and copied: nothing else is written to it.
    """
    kept = Path(os.environ["NUMBA_CACHE_DIR"]) / "warmup"
    env = {**os.environ, "NUMBA_CACHE_DIR": str(kept), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "fastkmeans.warmup"],
        env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "compiled in" in done.stdout
    return kept


USES = {
    "fit": "KMeans(k, max_iter=3, random_state=0).fit(X)",
    "weighted fit": "KMeans(k, max_iter=3, random_state=0).fit(X, sample_weight=np.ones(len(X)))",
    "use": "m = KMeans(k, init=X[:k], max_iter=1).fit(X); m.predict(X); m.predict(X[:1]);"
    " m.transform(X); m.score(X)",
    "engines": "for a in ('boxes', 'bytes'): KMeans(k, init=X[:k], max_iter=3, algorithm=a).fit(X)",
    "functions": "kmeans_plusplus(X, 5, random_state=0); find_closest_centroids(X, X[:k]);"
    " compute_centroids(X, np.arange(len(X)) % k, k); kMeans_init_centroids(X, k)",
}


@pytest.mark.parametrize("use", USES)
def test_warmup_compiles_all_that_is_used(use: str, warm_cache: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(warm_cache, cache)
    code = f"""
    from numba.core import event
    from fastkmeans import *
    from fastkmeans import KMeans, compute_centroids, find_closest_centroids
    from fastkmeans import kMeans_init_centroids, kmeans_plusplus
    import warnings
    warnings.simplefilter("ignore")
    with event.install_recorder("numba:compile") as compiled:
        for dtype in ("float32", "float64"):
            for m, k in ((300, 8), (30000, 8)):
                base = make(m, 6, k, dtype)
                base[m // 2 :] = np.round(base[m // 2 :])
                for X in (base, np.asfortranarray(base), np.repeat(base, 2, axis=1)[:, ::2]):
                    {USES[use]}
    print(sorted({{str(e.data["dispatcher"]) + str(e.data["args"]) for _, e in compiled.buffer}}))
    """
    assert run(code, tmp_path, NUMBA_CACHE_DIR=str(cache)) == "[]"


def test_the_functions_do_not_depend_on_threads(tmp_path: Path) -> None:
    code = """
    from fastkmeans import find_closest_centroids, kmeans_plusplus
    X = make(20000, 5, 9, "float32")
    print(kmeans_plusplus(X, 9, random_state=0)[1].tolist())
    print(hashlib.sha256(find_closest_centroids(X, X[:9]).tobytes()).hexdigest())
    """
    assert run(code, tmp_path, NUMBA_NUM_THREADS="1") == run(code, tmp_path, NUMBA_NUM_THREADS="3")
