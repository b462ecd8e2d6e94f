"""scripts/compare: its command line, its data, and the processes of its libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("scripts_path")


def test_elkan_is_skipped_where_its_bounds_are_large() -> None:
    from compare.peers import PEERS

    assert PEERS["scikit-learn"].refuses((1_000_000, 3), 256) == ""
    assert PEERS["scikit-learn-elkan"].refuses((1_000_000, 3), 200) == ""
    assert "2.0 GB" in PEERS["scikit-learn-elkan"].refuses((1_000_000, 3), 256)


def test_libraries_are_those_of_the_task() -> None:
    from compare.arguments import choose_libraries, parse_arguments

    def names(*arguments: str) -> list[str]:
        options = parse_arguments(arguments)
        return choose_libraries(options, (options.task,))

    assert names("iterations")[0] == "fastkmeans"
    assert "scikit-learn-elkan" not in names("iterations")
    assert not [name for name in names("iterations") if name.startswith("fastkmeans-")]
    assert "faiss-superkmeans" not in names("fits")
    chosen = names("fits", "--algorithms", "auto,bytes", "--peers", "faiss")
    assert chosen == ["fastkmeans", "fastkmeans-bytes", "faiss"]
    assert names("minibatch") == ["fastkmeans", "fastkmeans-random", "scikit-learn"]
    assert names("scaling", "--plot", "a.png") == ["fastkmeans", "fastkmeans-lloyd"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["scaling"], "needs --plot"),
        (["fits", "--algorithms", "auto,balls"], "no engine ['balls']"),
    ],
)
def test_wrong_command_lines_are_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from compare.arguments import parse_arguments

    with pytest.raises(SystemExit):
        parse_arguments(arguments)
    assert reason in capsys.readouterr().err


def test_a_missing_file_of_embeddings_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    from compare import program

    assert program.main(["fits", "--embeddings", "nowhere.npy"]) == 2
    assert "nowhere.npy does not exist" in capsys.readouterr().err


def test_a_missing_library_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from compare import program
    from compare.worker import PeerError, Worker

    def start(self: Worker) -> str:
        if self.library == "faiss":
            raise PeerError("ModuleNotFoundError: No module named 'faiss'")
        return "1.0"

    monkeypatch.setattr(Worker, "start", start)
    workers, versions, missing = program.start_workers(["scikit-learn", "faiss"], 1, 1.0)
    assert [worker.library for worker in workers] == ["scikit-learn"]
    assert versions == {"scikit-learn": "1.0"}
    assert "No module named" in missing["faiss"]


def test_a_dead_process_is_an_error_not_a_hang() -> None:
    from compare.worker import PeerError, Worker

    class Dead:
        exitcode = -6

        def join(self, timeout: float) -> None:
            pass

        def is_alive(self) -> bool:
            return False

    class Closed:
        def send(self, message: Any) -> None:
            raise BrokenPipeError

        def close(self) -> None:
            pass

    worker = Worker("scikit-learn", 1)
    worker._process, worker._connection = Dead(), Closed()
    with pytest.raises(PeerError, match="exit code -6"):
        worker.call("load")


def test_a_time_limit_ends_the_process() -> None:
    from compare.worker import PeerError, Worker

    class Busy:
        exitcode = None
        killed = False

        def join(self, timeout: float) -> None:
            pass

        def is_alive(self) -> bool:
            return not self.killed

        def kill(self) -> None:
            self.killed = True

    class Silent:
        def send(self, message: Any) -> None:
            pass

        def poll(self, seconds: float) -> bool:
            return False

        def close(self) -> None:
            pass

    worker, process = Worker("scikit-learn", 1, timeout=600.0), Busy()
    worker._process, worker._connection = process, Silent()
    with pytest.raises(PeerError, match="no answer within 3 s"):
        worker.call("fit", limit=3.0)
    assert process.killed


# --- data


@pytest.mark.parametrize(
    "name",
    ["1Mx3-k16", "100kx64-k100", "20kx768-k256", "noise-100kx32-k100", "overlap-300kx16-k100"],
)
def test_data_are_reproducible_and_truly_float64(name: str) -> None:
    from benchmarks.datasets import get_cell, make

    cell = get_cell(name, quick=True)
    X, centers = make(cell, "float64")
    make.cache_clear()
    again, _ = make(cell, "float64")
    assert X.shape == (cell.n, cell.d)
    assert centers.shape == (cell.k, cell.d)
    assert np.array_equal(X, again)
    assert (X.astype(np.float32) != X).mean() > 0.9
    assert np.array_equal(make(cell, "float32")[0], X.astype(np.float32))


def test_reference_inertia_is_that_of_all_rows() -> None:
    from benchmarks.datasets import reference_inertia

    rng = np.random.default_rng(0)
    X, centers = rng.random((3000, 5)) + 100.0, rng.random((7, 5)) + 100.0
    expected = ((X[:, None] - centers) ** 2).sum(-1).min(1).mean()
    assert reference_inertia(X, centers) == pytest.approx(expected, rel=1e-12)


def test_cells_are_chosen_by_pattern() -> None:
    from benchmarks.datasets import GRID
    from compare.arguments import choose_cells

    assert [cell.name for cell in choose_cells(["1Mx3*"], False)] == [
        "1Mx3-k16",
        "1Mx3-k256",
    ]
    assert len(choose_cells(None, False)) == len(GRID)
    assert all(cell.n <= 40_000 for cell in choose_cells(None, True))
    with pytest.raises(SystemExit, match="no cell"):
        choose_cells(["nothing"], False)


def test_overlap_is_as_wide_as_the_cell_says() -> None:
    from dataclasses import replace

    from benchmarks.datasets import get_cell, make

    cell = replace(get_cell("overlap-1Mx2-k50", quick=True), k=1, spread=0.05)
    X, _ = make(cell, "float64")
    assert 0.025 < X.std(axis=0).mean() < 0.075  # one component, of half to one and a half


def test_embeddings_come_from_a_file(tmp_path: Path) -> None:
    from benchmarks.datasets import CELLS, FITS, SAMPLE_CELL, fit_cells, make
    from compare.arguments import choose_cells

    rows = np.random.default_rng(0).standard_normal((1000, 8)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows)
    cells = fit_cells(tmp_path / "rows.npy")
    assert [c.name for c in cells if c.kind == "file"] == ["real-1kx8-k200", "real-1kx8-k500"]
    assert len(cells) == len(FITS) + 1
    assert [c.k for c in choose_cells(["real-*"], False, FITS, cells)] == [200, 500]
    cell = next(c for c in cells if c.kind == "file")
    assert np.array_equal(make(cell, "float32")[0], rows.astype(np.float32))
    assert np.array_equal(make(cell.quick(), "float32")[0], rows.astype(np.float32))
    np.save(tmp_path / "rows.npy", np.repeat(rows[:250], 4, axis=0))
    make.cache_clear()
    assert len(np.unique(make(cell, "float32")[1], axis=0)) == 200  # of 250 different rows
    sample, centers = make(CELLS[SAMPLE_CELL], "float32")
    assert sample.shape == (2000, 384)
    assert centers.shape == (50, 384)
