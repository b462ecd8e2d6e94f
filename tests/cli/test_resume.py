"""The command line: what is interrupted, or killed, goes on and ends with the same files."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastkmeans._cli import arguments, job, progress
from fastkmeans._files.readers import csv_blocks
from fastkmeans._lloyd import checkpoint
from fastkmeans._runtime.disk import Temporary, locked

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = ("--labels-out", "l.csv", "--centers-out", "c.csv", "--model-out", "m.npz")
CALL = ("csv", "data.csv", "-k", "7", "--tol", "0", "--standardize", "--id", "id", *OUTPUTS)

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: Any, capsys: Any) -> Run:
    """Run the command line in this process, in an empty folder with a table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 1 << 14)  # several, as in the killed process
    rng = np.random.default_rng(0)
    rows = [
        f"r{i},{a:.6f},{b:.6f},{c:.6f}" for i, (a, b, c) in enumerate(rng.normal(size=(3000, 3)))
    ]
    (tmp_path / "data.csv").write_text("\n".join(["id,a,b,c", *rows]) + "\n")

    def call(*argv: str) -> tuple[int, str]:
        capsys.readouterr()
        code = arguments.main(argv)
        return code, capsys.readouterr().err

    return call


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name != "data.csv"
    }


@pytest.fixture
def expected(run: Run, tmp_path: Path) -> dict[str, bytes]:
    """The outputs of a run that nobody disturbed."""
    assert run(*CALL)[0] == 0
    written = files(tmp_path)
    assert sorted(written) == ["c.csv", "l.csv", "m.npz"]
    for name in written:
        (tmp_path / name).unlink()
    return written


def metadata(model: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        return json.loads(archive.read("metadata.json"))


def interrupted_after(saves: int, monkeypatch: Any) -> None:
    """Press Ctrl-C after some checkpoints."""
    whole, count = checkpoint.Checkpoint.save, [0]

    def save(*arguments: Any) -> None:
        whole(*arguments)
        count[0] += 1
        if count[0] == saves:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpoint, "save", save)


def always_save(monkeypatch: Any) -> None:
    real = checkpoint.Checkpoint.__init__

    def patient(self: Any, path: Any, job: Any, resume: bool) -> None:
        real(self, path, job, resume, 0.0)

    monkeypatch.setattr(checkpoint.Checkpoint, "__init__", patient)


@pytest.mark.parametrize("saves", [1, 6])
def test_ctrl_c_says_how_to_go_on(
    run: Run, expected: Any, tmp_path: Path, monkeypatch: Any, capsys: Any, saves: int
) -> None:
    always_save(monkeypatch)
    with monkeypatch.context() as patched:
        interrupted_after(saves, patched)
        with pytest.raises(KeyboardInterrupt):
            arguments.main(CALL)
    err = capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "l.csv.fastkmeans-work"]
    assert f"kept in {tmp_path / 'l.csv.fastkmeans-work'}; to go on:" in err
    words = shlex.split(err.strip().splitlines()[-1])
    assert words[:3] == ["python", "-m", "fastkmeans"]
    assert words[3:] == [*CALL, "--resume"]
    code, err = run(*words[3:])
    assert code == 0
    assert "going on from" in err
    assert files(tmp_path) == expected


def test_a_run_without_resume_begins_anew(
    run: Run, expected: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    always_save(monkeypatch)
    with monkeypatch.context() as patched:
        interrupted_after(3, patched)
        with pytest.raises(KeyboardInterrupt):
            arguments.main(CALL)
    other = [word if word != "7" else "6" for word in CALL]
    code, err = run(*other, "--resume")
    assert code == 2
    assert "error: " in err
    assert "another job: -k was 7, and is 6 now. Without --resume the work begins again" in err
    assert "to go on:" not in err
    before = (tmp_path / "l.csv.fastkmeans-work" / "checkpoint.npz").read_bytes()
    code, err = run(*CALL, "--exclude", "nothing", "--resume")
    assert code == 2
    assert "is kept as it was" in err
    assert "to go on:" not in err
    assert (tmp_path / "l.csv.fastkmeans-work" / "checkpoint.npz").read_bytes() == before
    code, err = run(*CALL)
    assert code == 0
    assert "unfinished run" in err
    assert files(tmp_path) == expected


def test_resume_needs_a_name_and_may_find_nothing(run: Run, expected: Any, tmp_path: Path) -> None:
    code, err = run("csv", "data.csv", "--exclude", "id", "--resume")
    assert code == 2
    assert "--resume finds what is kept by the name of the first output" in err
    code, err = run(*CALL, "--resume")
    assert code == 0
    assert "holds no state of the clustering" in err
    assert files(tmp_path) == expected


def test_a_failure_to_write_loses_no_work(
    run: Run, expected: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from fastkmeans._cli import cluster

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    always_save(monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(cluster, "write_centers", full)
        code, err = run(*CALL)
    assert code == 2
    assert "error: c.csv could not be written: No space left on device" in err
    assert "--resume" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "l.csv.fastkmeans-work"]
    assert run(*CALL, "--resume")[0] == 0
    assert files(tmp_path) == expected


def test_nothing_is_kept_once_the_outputs_are_there(
    run: Run, expected: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from fastkmeans._cli import cluster

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    always_save(monkeypatch)
    monkeypatch.setattr(cluster, "tell", full)
    code, err = run(*CALL)
    assert code == 2
    assert "error: standard output: No space left on device" in err
    assert "--resume" not in err
    assert files(tmp_path) == expected
    assert not (tmp_path / "l.csv.fastkmeans-work").exists()


def test_only_what_is_ours_is_removed(run: Run, expected: Any, tmp_path: Path) -> None:
    folder = tmp_path / "l.csv.fastkmeans-work"
    folder.mkdir()
    for name in (job.LOCK, "thesis.tex", "my_checkpoint.npz"):
        (folder / name).touch()
    killed = Temporary(folder)
    killed._lock.close()
    assert run(*CALL)[0] == 0
    left = sorted(path.name for path in folder.iterdir())
    assert left == [job.LOCK, "my_checkpoint.npz", "thesis.tex"]
    assert files(tmp_path) == expected


@pytest.mark.parametrize("flags", [("--labels-out", "l.csv"), ("--cache", ".")])
def test_a_folder_of_another_is_left_alone(
    run: Run, tmp_path: Path, flags: tuple[str, str]
) -> None:
    call = ("csv", "data.csv", "-k", "2", "--exclude", "id", *flags)
    name = ".fastkmeans-work" if flags[0] == "--cache" else "l.csv.fastkmeans-work"
    for folder in (tmp_path / "work", tmp_path / name):
        (folder / "table").mkdir(parents=True)
        for file in ("table/precious.txt", "my_checkpoint.npz", "lock"):
            (folder / file).write_text("mine")
    code, err = run(*call)
    assert code == 2
    assert f"{name} holds files that are not ours" in err
    assert [(tmp_path / name).joinpath("lock").read_text()] == ["mine"]
    for folder in (tmp_path / "work", tmp_path / name):
        assert len(list(folder.rglob("*"))) == 4
    (tmp_path / name).rename(tmp_path / "mine")
    assert run(*call)[0] == 0
    assert not (tmp_path / name).exists()
    assert len(list((tmp_path / "work").rglob("*"))) == 4


def test_outputs_and_cache_are_kept_apart(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for output, cache in (("zz", "zz"), ("kept/c.csv", "kept"), ("c.csv", "."), ("c", "c/d")):
        labels = tmp_path / "ok.csv"
        code, err = run("csv", "data.csv", "--exclude", "id", "--labels-out", str(labels),
                        "--centers-out", output, "--cache", cache)  # fmt: skip
        assert code == 2
        assert f"and --cache {cache}" in err
        assert "in each other's way" in err
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["data.csv", "kept"]


def test_two_runs_do_not_share_a_folder(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    (tmp_path / "l.csv.fastkmeans-work").mkdir()
    lock = locked(tmp_path / "l.csv.fastkmeans-work" / job.LOCK, create=True)
    assert lock is not None
    with lock:
        code, err = run(*CALL)
    assert code == 2
    assert "l.csv.fastkmeans-work is in use by another run" in err
    assert (tmp_path / "l.csv.fastkmeans-work").exists()
    assert run(*CALL)[0] == 0


KILLED = """
import os, signal, sys
from fastkmeans._cli import arguments, progress
from fastkmeans._files.readers import csv_blocks
from fastkmeans._lloyd import checkpoint
csv_blocks.BLOCK_BYTES = 1 << 14
where, left = sys.argv[1], 4
def die(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
if where == "parsing":
    progress.Progress.read = die
else:
    progress.BLOCK_BYTES = 1 << 14  # several blocks: in the middle of an iteration
    real = checkpoint.Checkpoint.__init__
    def patient(self, path, job, resume):
        real(self, path, job, resume, 0.0)
    whole = progress.Progress.passed
    def passed(self, n_rows):
        if n_rows and os.path.exists("l.csv.fastkmeans-work/checkpoint.npz"):
            die()
        whole(self, n_rows)
    checkpoint.Checkpoint.__init__ = patient
    progress.Progress.passed = passed
arguments.main(sys.argv[2:])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("where", ["parsing", "clustering"])
def test_killed_and_resumed(run: Run, expected: Any, tmp_path: Path, where: str) -> None:
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where, *CALL],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "l.csv.fastkmeans-work"]
    assert (tmp_path / "l.csv.fastkmeans-work" / "checkpoint.npz").exists() == (
        where == "clustering"
    )
    code, err = run(*CALL, "--resume")
    assert code == 0
    assert ("going on from" in err) == (where == "clustering")
    assert files(tmp_path) == expected


def test_blocks_and_memory_do_not_matter(
    run: Run, expected: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(progress, "BLOCK_BYTES", 1 << 13)
    assert run(*CALL, "--memory-limit", "2GB", "--threads", "1")[0] == 0
    written = files(tmp_path)
    models = [metadata(of.pop("m.npz")) for of in (written, expected)]
    assert written == expected
    assert models[0]["parameters"].pop("n_threads") == 1
    assert models[1]["parameters"].pop("n_threads") is None
    assert models[0] == models[1]


def test_a_limit_of_memory_is_kept(run: Run, tmp_path: Path) -> None:
    if progress.memory_taken() is None:
        pytest.skip("the memory of a process is not known here")
    code, err = run(*CALL, "--memory-limit", "20MB")
    assert code == 2
    assert "error: --memory-limit 20.0 MB is not enough: " in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv"]


def test_a_cache_is_kept_and_used_again(run: Run, expected: Any, tmp_path: Path) -> None:
    assert run(*CALL, "--cache", "kept")[0] == 0
    [entry] = (tmp_path / "kept").iterdir()
    rows = entry / "rows.npy"
    before = rows.stat().st_mtime_ns
    assert run(*CALL, "--cache", "kept")[0] == 0
    assert rows.stat().st_mtime_ns == before
    assert files(tmp_path) == expected


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("outputs", [OUTPUTS, ()], ids=["outputs", "none"])
def test_what_a_killed_reader_of_a_pipe_left_is_swept_away(
    run: Run, tmp_path: Path, monkeypatch: Any, outputs: tuple[str, ...]
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    call = ("csv", "/dev/stdin", "-k", "2", "--exclude", "id", *outputs)
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    env = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(temporary)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "parsing", *call], cwd=tmp_path, env=env,
        input=(tmp_path / "data.csv").read_bytes(), capture_output=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = (tmp_path / "l.csv.fastkmeans-work" / "table" if outputs else temporary).iterdir()
    assert (left / "pipe0").exists()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert run("csv", "data.csv", *call[2:])[0] == 0
    written = [path for path in outputs if not path.startswith("--")]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(["data.csv", "temporary", *written])
    assert not list(temporary.iterdir())
