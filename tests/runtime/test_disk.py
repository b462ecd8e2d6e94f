"""Temporary folders that are swept away when their process is gone; files that appear whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest

from fastkmeans import KMeans, open_dataset
from fastkmeans._cli import arguments
from fastkmeans._lloyd import checkpoint
from fastkmeans._runtime.disk import LOCK, PREFIX, Temporary, locked, replacing, sweep

ROOT = Path(__file__).resolve().parents[2]

HELD = """
import sys
from pathlib import Path
from fastkmeans._runtime.disk import Temporary
folder = Temporary(Path(sys.argv[1]))
(folder.path / "deep").mkdir()
(folder.path / "deep" / "file").touch()
print(folder.path, flush=True)
sys.stdin.read()
"""

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX locks and signals")


@posix
def test_a_folder_is_swept_once_its_process_is_gone(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HELD, str(tmp_path)], env=env, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        folder = Path(process.stdout.readline().strip())
        sweep(tmp_path)
        assert (folder / "deep" / "file").exists()
        process.send_signal(signal.SIGKILL)
    assert (folder / "deep" / "file").exists()
    own = Temporary(tmp_path)
    assert list(tmp_path.iterdir()) == [own.path]
    own.remove()
    assert not list(tmp_path.iterdir())


@posix
def test_nothing_else_is_swept(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").touch()
    theirs = tmp_path / f"{PREFIX}theirs"
    theirs.mkdir()
    (theirs / "thesis.tex").touch()
    trap = tmp_path / f"{PREFIX}trap"  # whose lock leads to a file of another
    trap.mkdir()
    (tmp_path / "precious").write_text("mine")
    (trap / LOCK).symlink_to(tmp_path / "precious")
    before = set(tmp_path.rglob("*"))
    left = Temporary(tmp_path)
    left._lock.close()  # as if it had been killed
    (left.path / "out").symlink_to(elsewhere)
    sweep(tmp_path)
    assert set(tmp_path.rglob("*")) == before
    assert (tmp_path / "precious").read_text() == "mine"


@posix
def test_a_forked_child_removes_nothing(tmp_path):
    folder = Temporary(tmp_path)
    child = os.fork()
    if child == 0:
        folder.remove()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    sweep(tmp_path)
    assert folder.path.exists()
    folder.remove()


@posix
def test_locks(tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(FileNotFoundError):
        locked(path)
    with locked(path, create=True), pytest.raises(BlockingIOError):
        locked(path, shared=True)
    with locked(path, shared=True), locked(path, shared=True), pytest.raises(BlockingIOError):
        locked(path)


@posix
def test_a_lock_on_a_file_that_went_away_is_none(tmp_path, monkeypatch):
    import fcntl

    path, lock = tmp_path / "lock", fcntl.flock

    def late(file, how):
        path.rename(tmp_path / "old")
        path.touch()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(FileNotFoundError):
        locked(path, create=True)


@posix
@pytest.mark.parametrize("error", [OSError(95, "Operation not supported"), ImportError()])
def test_where_there_are_no_locks_nothing_is_swept(tmp_path, monkeypatch, error):
    import fcntl

    def none(*_):
        raise error

    monkeypatch.setattr(fcntl, "flock", none)
    left, own = Temporary(tmp_path), Temporary(tmp_path)
    own.remove()
    assert list(tmp_path.iterdir()) == [left.path]


def test_the_folder_of_temporary_files_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Temporary() as folder:
        assert folder.path.parent == tmp_path
        assert folder.path.name.startswith("fastkmeans-")
        (folder.path / "file").touch()
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fails() -> None:
        with replacing(path) as temporary:
            temporary.write_text("ne")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert path.read_text() == "old"
    (tmp_path / "link").symlink_to(path)
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
    with pytest.raises(FileNotFoundError, match=r"no.file'$"), replacing(tmp_path / "no" / "file"):
        pass


# --- what is renamed is on the disk before --------------------------------------------------------


@pytest.fixture
def renamed(monkeypatch) -> dict[str, list[Path]]:
    """Hear of all that is renamed; fail if it, or what is in it, was not synced before.

    In "pending" are the folders whose names changed and that were not synced since.
    """
    synced: set[int] = set()
    heard: dict[str, list[Path]] = {"names": [], "pending": []}
    sync, move = os.fsync, os.replace

    def fsync(file: int) -> None:
        sync(file)
        synced.add(os.fstat(file).st_ino)
        heard["pending"] = [p for p in heard["pending"] if p.stat().st_ino not in synced]

    def replace(source, target) -> None:
        source, target = Path(source), Path(target)
        if Path(numba.config.CACHE_DIR) in target.parents:  # a kernel: nothing is lost with it
            pass
        elif target.parent.name != "old" and target.name != "old":
            for path in (source, *source.glob("*")):
                assert path.name == LOCK or path.stat().st_ino in synced, path
            heard["names"].append(target.name)
            heard["pending"].append(target.parent)
            synced.discard(target.parent.stat().st_ino)
            if target.exists():  # its number may be given to another file
                synced.discard(target.stat().st_ino)
        move(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return heard


def test_models_and_tables_are_synced_before_they_are_renamed(tmp_path, renamed):
    KMeans(1).fit([[1.0], [2.0]]).save(tmp_path / "m.npz")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    found = open_dataset(tmp_path / "t.csv", cache=tmp_path / "keep", id_column="b")
    assert renamed == {"names": ["m.npz", found.folder.name], "pending": []}


def test_outputs_and_checkpoints_are_synced_before_they_are_renamed(tmp_path, renamed, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "SECONDS", 1e-9)
    monkeypatch.setattr(checkpoint.Checkpoint.__init__, "__defaults__", (0.0,))
    Path("t.csv").write_text("a,b\n" + "".join(f"{i},{i * i % 7}\n" for i in range(50)))
    Path("l.csv").write_text("old")
    outputs = ("--labels-out", "l.csv", "--centers-out", "c.csv", "--model-out", "m.npz")
    assert arguments.main(["csv", "t.csv", "-k", "3", *outputs]) == 0
    names = [name for name in renamed["names"] if not name.startswith("t-")]
    assert names[:2] == ["checkpoint.npz"] * 2
    assert names[-4:] == ["m.npz", "l.csv", "c.csv", "m.npz"]
    assert renamed["pending"] == []


def test_a_file_that_could_not_be_synced_is_not_renamed(tmp_path, monkeypatch):
    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    def unknown(_: int) -> None:
        raise OSError(22, "Invalid argument")

    model = KMeans(1).fit([[1.0], [2.0]])
    model.save(tmp_path / "m.npz")
    before = (tmp_path / "m.npz").read_bytes()
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=r"Input/output error: .*m\.npz"):
        KMeans(1).fit([[1.0], [5.0]]).save(tmp_path / "m.npz")
    assert (tmp_path / "m.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]
    monkeypatch.setattr(os, "fsync", unknown)  # a file system that has no such thing
    model.save(tmp_path / "n.npz")
    assert (tmp_path / "n.npz").read_bytes() == before
