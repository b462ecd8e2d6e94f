"""Threads, forks, pools, signals: the same bits, and a process that lives on.

What could kill or hang the process runs in one of its own, under a time limit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from fastkmeans import KMeans
from fastkmeans._engines.base import work_of
from fastkmeans._kernels.emit.simd import POINTS
from fastkmeans._kernels.plain import assign
from fastkmeans._kernels.seeding import potential
from fastkmeans._kernels.shared import moments
from fastkmeans._runtime import threads
from fastkmeans._runtime.arrays import FEW_BYTES, LINE, aligned
from fastkmeans._runtime.threads import (
    CENTER_RANGES,
    LARGE_CENTERS,
    RANGE_MULTIPLE,
    SERIAL_NANOSECONDS,
    Team,
    count_threads,
    cut,
    cut_centers,
)
from tests.helpers.processes import Array, data, digest, layouts, run
from tests.helpers.reference import closest

# --- the driver of numba's threads


@pytest.mark.parametrize("known", [False, True])
def test_a_driver_is_compiled_after_some_calls(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is compiled, here or on disk, is used at once."""
    monkeypatch.setattr(threads, "_calls", {})
    monkeypatch.setattr(threads, "is_compiled", lambda *_: known)
    waits = 0 if known else threads.DRIVEN_AFTER
    for rows in (np.zeros((3, 2)), np.zeros((3, 2), np.float32)):  # a driver each
        used = [threads._has_driver((address, rows, 3)) for address in range(waits + 2)]
        assert used == [False] * waits + [True] * 2


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


def test_ranges_begin_where_the_groups_of_the_kernels_do() -> None:
    groups = moments.GROUP, potential.GROUP_ROWS, assign.GROUP * POINTS
    assert [RANGE_MULTIPLE % rows for rows in groups] == [0, 0, 0]


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
    """Fits and functions, in a process that may start four threads and in one that may not."""
    code = """
    from fastkmeans import find_closest_centroids, kmeans_plusplus
    for shape in [(12000, 2, 9), (5000, 40, 30), (1000, 300, 40)]:
        digests = {fit(*shape, n_threads=n) for n in (1, 2, 3, 4, None)}
        assert len(digests) == 1, shape
        print(digests.pop())
    X = make(20000, 5, 9, "float32")
    print(kmeans_plusplus(X, 9, random_state=0)[1].tolist())
    print(hashlib.sha256(find_closest_centroids(X, X[:9]).tobytes()).hexdigest())
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
            assert len(bounds) - 1 == max(1, min(parts, -(-n // 256)))
            assert np.diff(bounds).max() - np.diff(bounds).min() < 512


WIDE = 128  # features
WIDE_CLUSTERS = -(-LARGE_CENTERS // WIDE) + 3


@pytest.fixture(scope="module")
def wide_inertias() -> list[float]:
    """The inertias of the first three iterations on wide centers, by NumPy."""
    X = data(6000, WIDE, np.float32)
    centers = X[:WIDE_CLUSTERS].astype(np.float64)
    found = []
    for _ in range(3):
        labels = closest(X, centers)
        square = ((X - centers[labels].astype(np.longdouble)) ** 2).sum()
        found.append(float(square))
        for j in np.unique(labels):
            centers[j] = X[labels == j].astype(np.float64).mean(axis=0)
    return found


@pytest.mark.parametrize("algorithm", ["lloyd", "bytes", "auto"])
def test_wide_centers_give_the_same_bits(algorithm: str, wide_inertias: list[float]) -> None:
    """Where there is much to do for every center it is shared out, and history adds it up."""
    X, k = data(6000, WIDE, np.float32), WIDE_CLUSTERS
    assert len(cut_centers(k, WIDE)) == CENTER_RANGES + 1
    models = [KMeans(k, init=X[:k], max_iter=6, algorithm=algorithm, n_threads=t) for t in (1, 2)]
    first, second = (model.fit(X) for model in models)
    np.testing.assert_array_equal(first.labels_, second.labels_)
    np.testing.assert_array_equal(first.cluster_centers_, second.cluster_centers_)
    for one, other in zip(first.history_, second.history_, strict=True):
        assert one[:3] == other[:3]
    inertias = [step.inertia for step in first.history_] + [first.inertia_]
    assert inertias[:3] == pytest.approx(wide_inertias, rel=1e-12)


def test_aligned_arrays_begin_with_a_line() -> None:
    for shape in ((1,), (7, 3), (FEW_BYTES + 1,), (130, 41), (2, 90, 41), (100, 1000)):
        for dtype in (np.float64, np.float32, np.int8):
            array = aligned(shape, dtype)
            assert array.shape == shape
            assert array.dtype == dtype
            assert array.flags.c_contiguous
            assert array.flags.writeable
            assert array.ctypes.data % LINE == 0 or array.nbytes <= FEW_BYTES


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


@pytest.mark.parametrize("layer", ["default", "omp", "workqueue"])
def test_threads_and_forks(layer: str, tmp_path: Path) -> None:
    """Fits in many threads at a time, then in forked children, then in the parent."""
    code = """
    import numba
    from concurrent.futures import ThreadPoolExecutor
    shapes = [(12000, 8, 8), (20000, 2, 5), (3000, 40, 25), (500, 3, 4)]
    tasks = [dict(zip("mdk", shape)) for shape in shapes]
    tasks += [dict(m=30000, d=2, k=9, algorithm="boxes", max_iter=9),
              dict(m=5000, d=40, k=33, algorithm="bytes", max_iter=9),
              dict(k=40, dtype="float32"),
              dict(metric="cosine"), dict(m=500, d=3, k=4, metric="cosine"),
              dict(m=5000, d=40, k=33, algorithm="bytes", metric="cosine")]
    with ThreadPoolExecutor(8) as pool:  # the very first parallel regions as well
        together = list(pool.map(lambda task: fit(**task), tasks * 2))
    alone = [fit(**task) for task in tasks]
    assert together == alone * 2
    assert [fit(**task, n_threads=1) for task in tasks] == alone
    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda task: fit(**task), tasks * 2)) == together
    assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
    if hasattr(os, "fork"):
        import multiprocessing
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # a child that hangs dies
            again = [fit(**task) for task in tasks]
            os._exit(0 if again == alone else 7)
        assert os.waitpid(child, 0)[1] == 0
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = [pool.apply_async(fit, kwds=tasks[0]) for _ in range(3)]
            assert {task.get(60) for task in found} == {alone[0]}
        assert [fit(**task) for task in tasks] == alone  # the parent as well
    print(numba.threading_layer(), *alone)
    """
    boxes = KMeans(9, max_iter=9, random_state=0, algorithm="boxes")
    expected = digest(boxes.fit(data(30_000, 2, np.float64)))  # with the layer of this one
    if layer == numba.threading_layer():
        pytest.skip("it is the default layer")
    name = None if layer == "default" else layer
    output = run(code, tmp_path, timeout=300, NUMBA_THREADING_LAYER=name)  # may compile it all
    layer_used, *found = output.split()
    assert layer in ("default", layer_used)
    assert found[4] == expected


def test_a_spawned_pool_fits(tmp_path: Path) -> None:
    code = """
    import multiprocessing

    if __name__ == "__main__":
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            tasks = [pool.apply_async(fit) for _ in range(3)]
            print({task.get(100) for task in tasks})
    """
    model = KMeans(8, max_iter=6, random_state=0).fit(data(12_000, 8, np.float64))
    assert run(code, tmp_path) == str({digest(model)})


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT between processes there")
def test_ctrl_c(tmp_path: Path) -> None:
    code = """
    import threading, numba
    from fastkmeans import KMeans
    expected, mask = fit(), numba.get_num_threads()
    X = np.random.default_rng(0).random((100_000, 40), dtype=np.float32)
    for metric in ("euclidean", "cosine"):
        KMeans(4, max_iter=1, random_state=0, metric=metric).fit(X)  # compiled
        pressed = []

        def press():
            pressed.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Timer(1.0, press).start()
        try:
            KMeans(150, init="random", n_init=10_000, tol=0.0, metric=metric).fit(X)  # hours
        except KeyboardInterrupt:
            assert time.perf_counter() - pressed[0] < 5.0
        else:
            raise SystemExit("the fit was over before it could be interrupted")
        assert numba.get_num_threads() == mask
        assert fit() == expected
    print("interrupted")
    """
    assert run(code, tmp_path) == "interrupted"
