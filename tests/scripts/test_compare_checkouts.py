"""scripts/compare: other checkouts of this library, their processes, and single calls."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import FakeWorker, fit_fakes, outcome

pytestmark = pytest.mark.usefixtures("scripts_path")

ROOT = Path(__file__).resolve().parents[2]

LIBRARY = """
import os
import platform
from pathlib import Path

CACHE = Path(os.environ["NUMBA_CACHE_DIR"])
__version__ = f"{CACHE} {os.environ['PYTHONPATH']}"


class KMeans:
    def __init__(self, n_clusters, **parameters):
        self.parameters = parameters

    def fit(self, X):
        (CACHE / str(len(list(CACHE.iterdir())))).touch()
        self.inertia_ = X.size * len(list(CACHE.iterdir()))
        return self
"""
"""A library whose version names its cache; its inertia counts the fits that used the cache."""


def write_tree(folder: Path, library: str = LIBRARY) -> Path:
    """Make a folder that looks like a checkout."""
    (folder / "fastkmeans").mkdir(parents=True)
    (folder / "fastkmeans" / "__init__.py").write_text(library)
    return folder


class FakeCalls:
    """A worker whose calls take ``seconds``, and the first ones longer.

    The mean of a call is twice the least.
    """

    def __init__(self, library: str, seconds: float, error: str = "") -> None:
        from compare.peers import peer_of

        self.library, self.peer = library, peer_of(library)
        self.seconds, self.error = seconds, error
        self.calls: list[str] = []

    def call(self, method: str, *arguments: Any) -> dict[str, Any]:
        from compare.worker import PeerError

        self.calls.append(method)
        if self.error and method == "first_fits":
            raise PeerError(self.error)
        seconds = self.seconds * (1 + 1 / len(self.calls))
        if method == "first_fits":
            warm = [seconds / 10] * arguments[2]
            return {"cold": seconds, "warm": warm, "inertia": 5.0}
        return {"seconds": 2 * seconds, "least": seconds, "inertia": 5.0, "error": 0.0}


def test_a_checkout_may_be_given_twice() -> None:
    from compare.arguments import choose_libraries, parse_arguments
    from compare.ours import tree_of
    from compare.program import make_options

    name = f"checkout:{ROOT}"
    options = parse_arguments(["fits", "--peers", name, "faiss", name, "faiss"])
    names = choose_libraries(options, ("fits",))
    assert names == ["fastkmeans", name, "faiss", f"{name}#2"]
    assert {tree_of(names[1]), tree_of(names[3])} == {ROOT}
    converging = make_options(options, names, ["fastkmeans"]).converging
    assert converging == ("scikit-learn", name, f"{name}#2")


@pytest.mark.parametrize("name", ["checkout:nowhere", "checkout:", "weka"])
def test_unknown_peers_are_refused(
    name: str, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from compare.arguments import parse_arguments

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        parse_arguments(["fits", "--peers", name])
    message = capsys.readouterr().err
    assert "no library 'weka'" in message or "is no checkout of fastkmeans" in message


def test_a_checkout_runs_from_its_folder_with_a_cache_of_its_own(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """Two trees of equal content, and a decoy in the current folder."""
    from compare.worker import Worker

    monkeypatch.chdir(write_tree(tmp_path / "decoy", "raise ImportError('the decoy')"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "ours")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    caches = set()
    for name in ("a", "b"):
        worker = Worker(f"checkout:{write_tree(tmp_path / name)}", 1)
        try:
            cache, path, *_ = worker.start().split(" ")
        finally:
            worker.stop()
        assert path == str(tmp_path / name)
        caches.add(cache)
    assert len(caches - {"ours"}) == 2
    assert os.environ["NUMBA_CACHE_DIR"] == "ours"


def test_a_library_from_elsewhere_is_an_error(tmp_path: Path) -> None:
    from compare.worker import PeerError, Worker

    other = write_tree(tmp_path / "other")
    library = f"import sys; sys.modules[__name__].__file__ = {str(other / 'x.py')!r}"
    worker = Worker(f"checkout:{write_tree(tmp_path / 'tree', library)}", 1)
    try:
        with pytest.raises(PeerError, match=r"fastkmeans came from .*other"):
            worker.start()
    finally:
        worker.stop()


def test_first_fits_start_with_an_empty_cache_and_then_keep_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    from benchmarks.datasets import Cell
    from compare.first import first_fits

    monkeypatch.chdir(write_tree(tmp_path / "decoy", "raise ImportError('the decoy')"))
    tree, cell = write_tree(tmp_path / "tree"), Cell("", 60, 2, 3)
    for _ in range(2):
        found = first_fits(tree, cell, "float32", 1, 2)
        assert found["inertia"] == 2 * 3  # features, and fits since the cache was empty
        assert 0.0 < found["cold"] < 60.0
        assert len(found["warm"]) == 2
    write_tree(tmp_path / "broken", "raise ImportError('broken')")
    with pytest.raises(RuntimeError, match="ImportError: broken"):
        first_fits(tmp_path / "broken", cell, "float32", 1, 2)


def test_the_program_runs_from_any_folder(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    command = [sys.executable, ROOT / "scripts" / "compare", "small", "--quick"]
    command += ["--dtype", "float32", "--threads", "1"]
    command += ["--baseline", "scikit-learn", "--peers", "scikit-learn"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cpu ")
    assert "predict 1 row" in done.stdout


# --- what checkouts are asked, and what is reported


def test_a_checkout_takes_part_as_ours_does() -> None:
    name = f"checkout:{ROOT}"
    for task, n_iter in (("fits", 20), ("convergence", 100)):
        worker = FakeWorker(name, 0.002)
        options = {"converging": (name,), "cell": "noise-100kx32-k100", "task": task}
        ours, theirs = fit_fakes(FakeWorker("fastkmeans", 0.001), worker, **options)
        assert theirs.seconds > ours.seconds
        # Its kernels are compiled by a full run before the clock starts.
        assert worker.fits == [(n_iter, True)] * 3


def test_the_summary_names_the_worst_cell_and_the_scatter() -> None:
    from compare.report import checkout_lines

    old, again = "checkout:old", "checkout:old#2"
    times = {"a": (1.0, 2.0, 2.5), "b": (1.0, 0.5, 0.5), "c": (1.0, 1.0, math.nan)}
    outcomes = [
        outcome(name, seconds, 5.0, cell=cell)
        for cell, row in times.items()
        for name, seconds in zip(("fastkmeans", old, again), row, strict=True)
    ]
    outcomes.append(outcome("faiss", 9.0, 5.0))
    assert checkout_lines(outcomes, "fastkmeans") == [
        f"iterations: {old} / fastkmeans: geometric mean 1.000 of 3 cells, "
        "worst 0.500 (b float32), best 2.000 (a float32)",
        f"iterations: {again} / fastkmeans: geometric mean 1.118 of 2 cells, "
        "worst 0.500 (b float32), best 2.500 (a float32)",
        f"iterations: {again} / {old}: geometric mean 1.118 of 2 cells, "
        "worst 1.000 (b float32), best 1.250 (a float32)",
    ]


def test_calls_count_the_least_time_of_ours_and_of_checkouts() -> None:
    from compare.calls import WARM, run_calls
    from compare.results import ratios
    from compare.tasks import Options

    name = f"checkout:{ROOT}"
    ours, theirs = FakeCalls("fastkmeans", 0.1), FakeCalls(name, 0.2)
    workers: Any = [ours, theirs, FakeCalls("scikit-learn", 1.0)]
    outcomes = run_calls(workers, "float32", Options(repeats=2), lambda _: None)
    assert {o.library for o in outcomes} == {"fastkmeans", name}
    assert workers[2].calls == []
    found = {o.cell: o for o in outcomes if o.library == "fastkmeans"}
    cold, warm = (found[f"150x4-k3 first fit, {kind} cache"] for kind in ("empty", "warm"))
    assert cold.seconds == min(cold.details["seconds"])
    assert len(cold.details["seconds"]) == 2
    assert len(warm.details["seconds"]) == 2 * WARM
    assert warm.seconds == pytest.approx(cold.seconds / 10)
    given, drawn = (found[f"150x4-k3 fit, {start}"] for start in ("given centers", "k-means++"))
    assert drawn.seconds > 1.5 * given.seconds  # the mean of a call, and the least
    assert len(found) == 7
    assert all(r.value == pytest.approx(2.0) for _, r in ratios(outcomes, "fastkmeans"))


def test_a_first_fit_that_fails_is_reported() -> None:
    from compare.calls import run_calls
    from compare.tasks import Options

    workers: Any = [FakeCalls("fastkmeans", 0.1, "ImportError: no numba")]
    outcomes = run_calls(workers, "float32", Options(repeats=2), lambda _: None, quick=True)
    notes = {o.cell: o.note for o in outcomes}
    assert sum(note == "ImportError: no numba" for note in notes.values()) == 4
    assert notes["predict 1 row"] == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "model name\t: A\nflags\t\t: sse2 avx avx2 avx512f avx512_vnni\n\n"
            "model name\t: B\nflags\t\t: sse2\n",
            {"cpu": "A", "vectors": "AVX-512", "avx512_vnni": "yes", "avx_vnni": "no"},
        ),
        (
            "model name : C\nflags : sse2 avx avx2 avx_vnni\n",
            {"cpu": "C", "vectors": "AVX2", "avx512_vnni": "no", "avx_vnni": "yes"},
        ),
        ("Features : fp asimd sve\n", {"vectors": "SVE", "avx512_vnni": "no", "avx_vnni": "no"}),
        ("", {}),
    ],
)
def test_the_processor_is_named(text: str, expected: dict[str, str]) -> None:
    from compare.machine import describe_processor

    found = describe_processor(text)
    assert found["cpu"]
    assert found == {"cpu": found["cpu"], **expected}


def test_masks_reach_the_workers(monkeypatch: Any) -> None:
    """Ours is compiled for the mask, and OpenBLAS obeys; what a library says is passed on."""
    from compare.machine import MASKS, mask_processor
    from compare.worker import Worker

    for name in MASKS["avx2"]:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")  # so that it is restored
    mask_processor("avx2")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the masks are those of x86")
    worker = Worker("fastkmeans", 1, 60.0)
    try:
        worker.start()
        assert worker.call("made_for").startswith("vectors of 32 bytes, codes of 16 bits")
    finally:
        worker.stop()
