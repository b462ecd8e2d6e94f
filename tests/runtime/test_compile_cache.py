"""How the kernels come to be compiled: from a cache, without one, ahead of time, not at all."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastkmeans import KMeans, warmup
from fastkmeans._runtime import threads
from tests.conftest import ROOT
from tests.helpers.processes import data, run

TWINS = """
import warnings
from fastkmeans import KMeans, find_closest_centroids, kmeans_plusplus
warnings.simplefilter("error")
for dtype in ("float32", "float64"):
    X = np.random.default_rng(0).integers(-3, 4, (90, 3)).astype(dtype)
    model = KMeans(4, init=X[:4], max_iter=5).fit(X)
    print(model.labels_.tolist(), round(model.inertia_, 9))
    print(find_closest_centroids(X, np.vstack([X[5:25], X[:5]])).tolist())
    print(kmeans_plusplus(X, 5, random_state=0)[1].tolist())
    print(round(float(model.transform(X).sum()), 3))
    few = np.random.default_rng(0).integers(0, 2, (12, 3)).astype(dtype)
    far = np.vstack([few[:3], np.full((6, 3), 1e17) * np.arange(1, 7)[:, None]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for algorithm in ("boxes", "bytes"):
            for table, init in ((X, X[:4]), (X, X[:19]), (few, far)):  # far: nothing is proven
                model = KMeans(len(init), init=init, max_iter=5, algorithm=algorithm).fit(table)
                print(model.labels_.tolist(), round(model.inertia_, 9))
for bad in (np.inf, -np.inf, np.nan):
    for size in (90, 400):
        X = make(size, 3, 4)
        X[size // 2, 1] = bad
        try:
            KMeans(4).fit(X)
        except ValueError as error:
            print(str(error).partition(".")[0])
"""


def test_without_jit_the_twins_take_over(tmp_path: Path) -> None:
    """They find the same, and what is not finite warns of nothing."""
    without_jit = run(TWINS, tmp_path, NUMBA_DISABLE_JIT="1")
    assert without_jit.splitlines()[-6:] == [
        f"Input X contains {what} at row {row}, column 1"
        for what in ("infinity", "infinity", "NaN")
        for row in (45, 200)
    ]
    with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        exec(TWINS, {"np": np, "make": lambda m, d, _: data(m, d, np.float64)})
    assert without_jit == printed.getvalue().strip()


def test_import_is_light(tmp_path: Path) -> None:
    code = """
    before = set(sys.modules)
    import fastkmeans
    loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(sorted(loaded & {"numba", "llvmlite", "sklearn", "pandas", "scipy", "polars", "pyarrow"}))
    """
    assert run(code, tmp_path) == "[]"


def test_first_fit_from_a_warm_cache(tmp_path: Path) -> None:
    code = """
    began = time.perf_counter()
    fit(300, dtype="float32"), fit(dtype="float32")
    print(time.perf_counter() - began)
    """
    for m, dtype in ((300, np.float32), (12_000, np.float64)):  # now they are in the cache
        KMeans(8, max_iter=6, random_state=0).fit(data(m, 8, dtype))
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
    for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
        (folder / "__pycache__").write_text("")
    code = """
    import numba
    from fastkmeans._runtime import errors
    try:
        numba.njit(cache=True)(errors.convergence_warning)
    except RuntimeError as error:
        assert "no locator available" in str(error)
    else:
        raise SystemExit("numba found a folder after all")
    from fastkmeans._kernels.text.lines import last_line_end  # of all kernels the quickest
    print(last_line_end(np.frombuffer(b"a\\nb\\nc", np.uint8), 44, 0)[0])
    """
    nowhere = str(package / "__pycache__" / "below")
    found = run(
        code, tmp_path, PYTHONPATH=str(package.parent), NUMBA_CACHE_DIR=None, HOME=nowhere,
        XDG_CACHE_HOME=nowhere, PYTHONDONTWRITEBYTECODE="1", LOCALAPPDATA=nowhere,
    )  # fmt: skip
    assert found == "4"


def test_garbage_collector_rests_while_a_kernel_compiles(tmp_path: Path) -> None:
    code = """
    import gc
    import numba
    from numba.core import event
    from fastkmeans._kernels.text.lines import last_line_end

    class States(event.Listener):
        seen = []
        def on_start(self, notice):
            self.seen.append(gc.isenabled())
        def on_end(self, notice):
            pass

    event.register("numba:compile", States())
    for delimiter, switch in ((44, gc.enable), (np.uint8(44), gc.disable)):  # two types
        switch()
        last_line_end(np.zeros(3, np.uint8), delimiter, 0)
        print(set(States.seen), gc.isenabled())
        States.seen.clear()
    gc.enable()
    numba.njit(lambda x: x)(1)  # not ours
    print(set(States.seen), gc.isenabled())
    """
    found = run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert found.splitlines() == ["{False} True", "{False} False", "{True} True"]


@pytest.fixture(scope="module")
def warm_cache(warmed_up: tuple[Path, str]) -> Path:
    """A cache that ``python -m fastkmeans.warmup`` alone has filled, kept beside the tests'."""
    kept, wrong = warmed_up
    assert not wrong
    return kept


USES = {
    "fit": "KMeans(k, max_iter=3, random_state=0).fit(X)",
    "weighted fit": "KMeans(k, max_iter=3, random_state=0).fit(X, sample_weight=np.ones(len(X)))",
    "use": "m = KMeans(k, init=X[:k], max_iter=1).fit(X); m.predict(X); m.predict(X[:1]);"
    " m.transform(X); m.score(X)",
    "quality": "m = KMeans(k, init=X[:k], max_iter=1).fit(X);"
    " metrics.simplified_silhouette_score(X, m.labels_, m.cluster_centers_)",
    "engines": "for a in ('boxes', 'bytes'): KMeans(k, init=X[:k], max_iter=3, algorithm=a).fit(X)",
    "large table": "L = np.tile(X[:3000], (240, 1));"
    " KMeans(k, init=L[:k], max_iter=2, algorithm='bytes').fit(L) if m > 300 else None",
    "many clusters": "Y = X.copy(); Y[0] = 1e7; kmeans_plusplus(X, 150, random_state=0);"
    " kmeans_plusplus(Y, 150, random_state=0)",
    "functions": "kmeans_plusplus(X, 5, random_state=0); find_closest_centroids(X, X[:k]);"
    " compute_centroids(X, np.arange(len(X)) % k, k); kMeans_init_centroids(X, k)",
}


@pytest.fixture(scope="module")
def compiled_by_uses(warm_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What each use still compiles, in one process whose cache the warm-up has filled."""
    folder = tmp_path_factory.mktemp("uses")
    shutil.copytree(warm_cache, folder / "cache")
    code = """
    import json, warnings
    from numba.core import event
    from fastkmeans import KMeans, compute_centroids, find_closest_centroids, metrics
    from fastkmeans import kMeans_init_centroids, kmeans_plusplus
    warnings.simplefilter("ignore")
    found = {}
    for use, text in USES.items():
        with event.install_recorder("numba:compile") as compiled:
            for dtype in ("float32", "float64"):
                for m, k in ((300, 8), (30000, 8)):
                    base = make(m, 6, k, dtype)
                    base[m // 2 :] = np.round(base[m // 2 :])
                    for X in (base, np.asfortranarray(base), np.repeat(base, 2, axis=1)[:, ::2]):
                        exec(text)
        kernels = [notice.data for _, notice in compiled.buffer]
        found[use] = sorted({str(of["dispatcher"]) + str(of["args"]) for of in kernels})
    print(json.dumps(found))
    """
    uses = f"USES = {USES!r}\n{textwrap.dedent(code)}"
    return json.loads(run(uses, folder, NUMBA_CACHE_DIR=str(folder / "cache")))


@pytest.mark.parametrize("use", USES)
def test_warmup_compiles_all_that_is_used(use: str, compiled_by_uses: Any) -> None:
    """A kernel that several uses lack is reported with the first of them."""
    assert compiled_by_uses[use] == []


def test_the_parts_of_the_warm_up_are_all_there_are() -> None:
    parts = [*warmup.PARTS, *warmup.REST]
    assert sorted(parts) == sorted(f"{k} {d}" for k in warmup.KINDS for d in ("float32", "float64"))


def test_a_part_that_fails_ends_the_warm_up(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def fail(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(3, command)

    monkeypatch.setattr(sys, "argv", ["warmup"])
    monkeypatch.setattr(threads, "count_threads", lambda _: 2)
    monkeypatch.setattr(subprocess, "run", fail)
    assert warmup.main() == 1
    assert capsys.readouterr().out == "the warm-up of dense float32 ended with exit code 3\n"
