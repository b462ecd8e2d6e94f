"""A compile cache that knows the kernels it was made from, marks, data, scripts, a full disk.

``python tests/conftest.py`` prints the folder in which these tests keep compiled kernels.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.register_assert_rewrite("tests.helpers")

Array = NDArray[Any]

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).resolve().parent / "resources"
CACHES_KEPT = 8
"""Compile caches that stay on the disk: .ci/run fills six."""
KERNELS_KEPT = 4000
"""Files with compiled kernels in one cache, of several edits, until it begins again: all tests need
about 700."""

MARKS = {
    "slow": {
        "on_dask",
        "test_choose",
        "test_compare_program",
        "test_compare_tasks",
        "test_compile_cache",
        "test_cosine",
        "test_cosine_batches",
        "test_no_copy",
        "test_pictures",
        "test_postings",
        "test_resume",
        "test_silhouette",
        "test_sparse",
        "test_sparse_cosine",
        "test_sparse_memory",
        "test_sparse_threads",
        "test_threads",
    },
    "kernels": {"kernels"},
    "engines": {"engines", "lloyd"},
    "libraries": {
        "cli",
        "compat",
        "data",
        "estimators",
        "files",
        "plots",
        "report",
        "runtime",
        "test_cluster_csv",
        "test_cluster_csv_files",
        "test_digests",
        "test_lesson",
        "test_readme",
    },
    "no_jit": {
        "test_cache",
        "test_cluster",
        "test_csv",
        "test_disk",
        "test_gaps",
        "test_lesson",
        "test_model_file",
        "test_moments",
        "test_outputs",
        "test_pack",
        "test_parameters",
        "test_predict",
        "test_project",
        "test_quality",
        "test_sparse_rows",
        "test_sparse_score",
        "test_suite",
        "test_tile",
        "test_update",
        "test_validation",
    },
}
"""Which tests bear which mark: names of files, or of folders below this one.

A single test bears one by ``@pytest.mark.slow``.  What a mark means is in pyproject.toml,
which runs take which marks is in .ci/run.
"""


LONG = {"on_dask", "runtime", "test_sklearn_suite"}
"""Files and folders with single tests of many seconds: they come first, so that all processes
of a run end at about the same time."""
WAIT = 500
"""Seconds to wait until the kernels are compiled."""


def _cache_key() -> str:
    """Return a hash of where the sources are, and of what compiles them and for what.

    The name of compiled code holds a digest of its sources (``_runtime.jit``).
    """
    digest = hashlib.sha256(str(ROOT).encode())
    target = [os.environ.get(f"NUMBA_CPU_{what}", "") for what in ("NAME", "FEATURES")]
    digest.update(repr([sys.implementation.cache_tag, version("numba"), *target]).encode())
    return digest.hexdigest()[:16]


def pytest_configure(config: pytest.Config) -> None:
    """Choose the compile cache, and let threads sleep while they wait for work.

    GNU OpenMP's threads spin for milliseconds after each parallel region.  With several
    processes on a few cores (``-n 2``) they take the cores from threads that have work.
    """
    if "numba" in sys.modules:
        raise pytest.UsageError("numba was imported before the tests could choose its cache")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        folder = Path(config.cache.mkdir("numba")) / _cache_key()  # type: ignore[union-attr]
        is_worker = hasattr(config, "workerinput")  # of pytest-xdist
        if not is_worker and sum(1 for _ in folder.rglob("*.nbc")) > KERNELS_KEPT:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        folder.touch()
        others = sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in others[:-CACHES_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except (AttributeError, OSError):  # no cache plugin, or a read-only checkout
        folder = Path(tempfile.mkdtemp(prefix="fastkmeans-tests-"))
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


def _names(item: pytest.Item) -> set[str]:
    """Return the names by which a test may bear a mark."""
    return {item.path.stem, *item.path.relative_to(ROOT).parts}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give marks; begin with the warm-up, and with what takes long."""

    def place(item: pytest.Item) -> int:
        if "warm_cache" in getattr(item, "fixturenames", ()):
            return 0
        return 2 - bool(_names(item) & LONG)

    items.sort(key=place)
    for item in items:
        names = _names(item)
        for mark in MARKS:
            if names & MARKS[mark]:
                item.add_marker(mark)


def _warm_up(kept: Path) -> str:
    """Run ``python -m fastkmeans.warmup``, which uses all cores; return what went wrong.

    It fills a cache of its own, and nothing else does.  The cache of the tests gets a copy.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fastkmeans.warmup"],
            env={**os.environ, "NUMBA_CACHE_DIR": str(kept), "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=WAIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it did not end within {WAIT} s"
    if done.returncode or not done.stdout.startswith("compiled in"):
        return f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    shutil.copytree(kept, kept.parent, dirs_exist_ok=True)
    return ""


@pytest.fixture(scope="session", autouse=True)
def warmed_up(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """If all tests run, let the warm-up compile first what they need; wait for it.

    Of several processes (``-n 2``) the first one starts it.  Return the cache that the
    warm-up alone has filled, and what went wrong.
    """
    kept = Path(os.environ["NUMBA_CACHE_DIR"]) / "warmup"
    if not any("warm_cache" in getattr(i, "fixturenames", ()) for i in request.session.items):
        return kept, "no test asked for it"
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return kept, _warm_up(kept)
    end = tmp_path_factory.getbasetemp().parent / "warmed-up"  # all processes have this folder
    if worker == "gw0":
        unfinished = end.with_suffix(".part")
        unfinished.write_text(_warm_up(kept))
        unfinished.replace(end)
    last = time.monotonic() + WAIT + 10
    while not end.exists() and time.monotonic() < last:
        time.sleep(0.1)
    return kept, end.read_text()


@pytest.fixture
def products_of_bytes(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Declare that the processor has fast products of bytes, or none: labels are the same.

    Bounds in float32 do not count either: what is avoided is avoided by bytes.
    """
    from fastkmeans._engines import auto, costs

    def declare(exist: bool) -> None:
        monkeypatch.setitem(auto.MAY_PAY, auto.BOUNDS, lambda shape, n_clusters: False)
        monkeypatch.setattr(costs, "FEWEST_FEATURES", 16 if exist else np.inf)
        monkeypatch.setattr(costs, "COSTS", costs.MEASURED[8])

    return declare


@pytest.fixture(scope="session", autouse=True)
def patient() -> None:
    """Leave out the line for whoever waits: what tests compile depends on their order."""
    from fastkmeans._runtime import waiting

    waiting.PATIENCE = 1e6  # seconds; a timer takes no infinity


@pytest.fixture(scope="session")
def X() -> Array:  # noqa: N802
    """Three groups that overlap, 400 x 3."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 3)) + 4 * rng.integers(0, 3, (400, 1))


@pytest.fixture(scope="session")
def model(X: Array) -> Any:
    from fastkmeans import KMeans

    return KMeans(4, random_state=0).fit(X)


@pytest.fixture(scope="session")
def iris() -> Array:
    from sklearn.datasets import load_iris

    return load_iris().data


@pytest.fixture(scope="session")
def digits() -> Array:
    from sklearn.datasets import load_digits

    return load_digits().data


@pytest.fixture(scope="session")
def flights() -> Array:
    """The numeric columns of complete rows, float64; one column (the year) is constant."""
    import pandas as pd

    table = pd.read_csv(ROOT / "scripts" / "data" / "flights.csv.gz")
    numeric = table.drop(columns="rownames").select_dtypes("number").dropna()
    assert numeric.shape[1] == 14
    return numeric.to_numpy(np.float64)[::2].copy()


@pytest.fixture(scope="session")
def flights_standard(flights: Array) -> Array:
    deviation = flights.std(axis=0)
    return (flights - flights.mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)


@pytest.fixture(scope="session")
def embeddings() -> Array:
    """Sentence embeddings, 2 000 x 384, float32 (every value is exact in float16)."""
    return np.load(DATA / "summaries_minilm_2k_384_f16.npy").astype(np.float32)


@pytest.fixture(scope="session")
def china() -> Array:
    """Every ninth pixel of the photograph, uint8: many rows are equal."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg").reshape(-1, 3)[::9].copy()


REAL_DATA = ("iris", "digits", "flights", "flights_standard", "embeddings", "china")


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> Array:
    """One of ``REAL_DATA``, by indirect parametrisation."""
    return request.getfixturevalue(request.param)


@contextlib.contextmanager
def room_for(n_bytes: int) -> Iterator[None]:
    """Let writing to any file fail beyond this size, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def scripts_path() -> Iterator[None]:
    """Let the scripts import each other, and the benchmarks, for the time of some tests."""
    before = sys.path.copy()
    sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "asv_benchmarks")]
    yield
    sys.path[:] = before


@pytest.fixture
def script(scripts_path: None, capsys: Any) -> Callable[..., Any]:
    """Run a script's `main` in this process."""
    from tests.helpers.programs import Result

    def run(name: str, *argv: object) -> Result:
        module = importlib.import_module(name)
        capsys.readouterr()
        try:
            code = module.main([str(argument) for argument in argv])
        except SystemExit as stop:  # argparse leaves this way
            code = int(stop.code or 0)
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def cluster(script: Any, tmp_path: Path, monkeypatch: Any) -> Callable[..., Any]:
    """Write a CSV file and cluster it; the current folder is an empty one.

    No fit lasts so long that its state is kept, even if its kernels have to be compiled.
    """
    from fastkmeans._lloyd.checkpoint import Checkpoint

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Checkpoint, "save", lambda *_: None)

    def run(content: str | bytes, *argv: object, name: str = "data.csv") -> Any:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return script("cluster_csv", name, *argv)

    return run


@pytest.fixture
def full_disk(scripts_path: None, monkeypatch: Any) -> Callable[[str, str], None]:
    """Give a function of a script a disk on which a hundred bytes are free."""

    def fill(module: str, function: str) -> None:
        script = importlib.import_module(module)
        whole = getattr(script, function)

        def run(*argv: object) -> None:
            with room_for(100):
                whole(*argv)

        monkeypatch.setattr(script, function, run)

    return fill


if __name__ == "__main__":
    print(ROOT / ".pytest_cache" / "d" / "numba" / _cache_key())
