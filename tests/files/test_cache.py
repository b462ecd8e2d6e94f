"""The cache of parsed tables: when it is used again, damage, and kills while parsing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastkmeans import open_dataset
from fastkmeans._data.rows import SMALL_STATE
from fastkmeans._files import FileError, cache
from fastkmeans._files import open as opening
from fastkmeans._runtime import disk
from fastkmeans._runtime.disk import PREFIX
from tests.helpers.files import csv_file, rows_in


@pytest.fixture
def parses(monkeypatch) -> list[Path]:
    """Count how often a table is parsed."""
    calls: list[Path] = []
    whole = opening.parse

    def counted(readers: Any, *rest: Any) -> Any:
        calls.append(readers[0].source.path)
        return whole(readers, *rest)

    monkeypatch.setattr(opening, "parse", counted)
    return calls


def test_a_cache_is_used_again_until_something_changes(tmp_path, parses):
    path, keep = csv_file(tmp_path / "t.csv"), tmp_path / "keep"
    first = open_dataset(path, cache=keep)
    again = open_dataset(path, cache=keep)
    assert (first.reused, again.reused, len(parses)) == (False, True, 1)
    np.testing.assert_array_equal(rows_in(again), rows_in(first))
    np.testing.assert_array_equal(again.statistics.variance, first.statistics.variance)
    for options in ({"columns": ["a"]}, {"standardize": True}, {"dtype": "float32"}):
        assert not open_dataset(path, cache=keep, **options).reused
    assert open_dataset(path, cache=keep).reused  # they do not push each other out
    status = path.stat()
    csv_file(path, last=8)  # as large as before
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # and as old
    changed = open_dataset(path, cache=keep)
    assert not changed.reused
    assert rows_in(changed)[-1, 1] == 8
    changed.close()
    assert open_dataset(path, cache=keep).reused


@pytest.mark.skipif(os.name == "nt", reason="st_ctime is the time of creation there")
def test_an_edit_in_the_middle_is_noticed(tmp_path):
    path, keep = csv_file(tmp_path / "t.csv", 50_000), tmp_path / "keep"
    assert open_dataset(path, cache=keep).statistics.maximum[1] == 8
    text, status = path.read_bytes(), path.stat()
    assert len(text) > 3 << 16  # its ends are looked at
    path.write_bytes(text.replace(b"\n25000,7\n", b"\n25000,9\n"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert open_dataset(path, cache=keep).statistics.maximum[1] == 9


def test_a_change_that_is_none_does_not_end_the_parsing(tmp_path):
    path = csv_file(tmp_path / "t.csv")
    found = open_dataset(path, cache=tmp_path / "keep", progress=lambda *_: path.chmod(0o600))
    assert found.shape == (201, 2)


def test_a_cache_keeps_what_is_of_use(tmp_path):
    path, keep = csv_file(tmp_path / "t.csv"), tmp_path / "keep"
    other = open_dataset(csv_file(tmp_path / "other.csv"), cache=keep)
    other.close()
    foreign = keep / "a copy of mine"
    (keep / "notes.txt").write_text("mine")
    folders = []
    for na in "123456":
        with open_dataset(path, cache=keep, na=na, missing="zero") as found:
            folders.append(found.folder)
            if na == "1":
                shutil.copytree(found.folder, foreign)
            if na == "4":
                assert open_dataset(path, cache=keep, na="1", missing="zero").reused
    left = {other.folder, foreign, keep / "notes.txt"}
    assert set(keep.iterdir()) == left | {folders[i] for i in (0, 3, 4, 5)}  # those used last
    with open_dataset(path, cache=keep, na="1", missing="zero") as read:
        csv_file(path, n=300)
        new = open_dataset(path, cache=keep)
        assert set(keep.iterdir()) == left | {read.folder, new.folder}
        assert read.rows.empty((SMALL_STATE, 2), np.int32).shape == (SMALL_STATE, 2)
    new.close()
    folders = [
        open_dataset(path, cache=keep, dtype=dtype).folder for dtype in ("float64", "float32")
    ]
    assert set(keep.iterdir()) == left | {new.folder, *folders}


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_cache_does_not_keep_what_cannot_be_told_again(tmp_path):
    pipe, keep = tmp_path / "pipe", tmp_path / "keep"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("a\n1\n2\n",))
    writer.start()
    with open_dataset(pipe, cache=keep) as found:
        assert list(keep.iterdir()) == [found.folder]
    writer.join(60)
    assert not writer.is_alive()
    with open_dataset(iter([np.ones((2, 1))]), cache=keep):
        pass
    assert not list(keep.iterdir())


@pytest.mark.parametrize("when", ["while parsing", "at the end"])
def test_two_that_parse_the_same_share_one_entry(tmp_path, monkeypatch, when):
    path, keep = csv_file(tmp_path / "t.csv"), tmp_path / "keep"
    others = []

    def other(*_: object) -> None:
        if not others:
            others.append(None)
            others.append(open_dataset(path, cache=keep))

    if when == "at the end":
        monkeypatch.setattr(disk, "sync", other)
    found = open_dataset(path, cache=keep, progress=other if when == "while parsing" else None)
    assert found.reused
    assert not others[1].reused
    assert list(keep.iterdir()) == [found.folder] == [others[1].folder]


# --- damage, changes and kills --------------------------------------------------------------------


def test_what_goes_wrong_after_a_table_has_its_place_does_no_harm(tmp_path, monkeypatch):
    path, keep = csv_file(tmp_path / "t.csv"), tmp_path / "keep"

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cache.Entry, "_push_out", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_dataset(path, cache=keep)
    assert open_dataset(path, cache=keep).reused


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "meta.json").unlink(),
        lambda folder: (folder / "meta.json").write_text("{"),
        lambda folder: (folder / "rows.npy").unlink(),
        lambda folder: (folder / "rows.npy").write_bytes((folder / "rows.npy").read_bytes()[:-1]),
        lambda folder: (folder / "meta.json").write_text(
            json.dumps(json.loads((folder / "meta.json").read_text()) | {"version": 0})
        ),
    ],
    ids=["no metadata", "half metadata", "no rows", "rows cut short", "another version"],
)
def test_a_damaged_cache_is_parsed_anew(tmp_path, parses, damage):
    path = csv_file(tmp_path / "t.csv")
    expected = rows_in(open_dataset(path, cache=tmp_path / "keep")).copy()
    damage(next((tmp_path / "keep").iterdir()))
    again = open_dataset(path, cache=tmp_path / "keep")
    assert not again.reused
    np.testing.assert_array_equal(rows_in(again), expected)
    assert open_dataset(path, cache=tmp_path / "keep").reused
    assert len(parses) == 2


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = csv_file(tmp_path / "t.csv")

    def progress(phase: str, done: int, total: int) -> None:
        csv_file(path, n=300)

    with pytest.raises(FileError, match="changed while it was read"):
        open_dataset(path, cache=tmp_path / "keep", progress=progress)
    assert not list((tmp_path / "keep").iterdir())


KILLED = """
import os, signal, sys
from fastkmeans import open_dataset
from fastkmeans._files.readers import csv_blocks
csv_blocks.BLOCK_BYTES = 1000
def progress(phase, done, total):
    if done > total / 2:
        os.kill(os.getpid(), signal.SIGKILL)
open_dataset(sys.argv[1], cache=sys.argv[2], progress=progress)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_while_parsing(tmp_path):
    path, keep = csv_file(tmp_path / "t.csv", 5000), tmp_path / "keep"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(keep)], timeout=60)
    assert done.returncode == -9
    (left,) = keep.iterdir()
    assert left.name.startswith(PREFIX)
    assert (left / "rows.npy").stat().st_size > 1000
    found = open_dataset(path, cache=keep)
    assert not found.reused
    assert found.shape == (5001, 2)
    assert list(keep.iterdir()) == [found.folder]


HELD = """
import os, signal, sys
import numpy as np
from fastkmeans import open_dataset
sources = ["/dev/stdin"] if sys.argv[1] == "pipe" else [np.ones((5, 2)), np.zeros((5, 2))]
found = open_dataset(sources, cache=sys.argv[2] or None)
assert found.folder.parent.samefile(sys.argv[3])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and /dev/stdin")
@pytest.mark.parametrize(("source", "kept"), [("pipe", True), ("arrays", False)])
def test_killed_with_a_table_that_cannot_be_had_again(tmp_path, monkeypatch, source, kept):
    words = [sys.executable, "-c", HELD, source, str(tmp_path) if kept else "", str(tmp_path)]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, input=b"a,b\n1,2\n3,4\n", env=env, timeout=60)
    assert done.returncode == -9
    (left,) = tmp_path.iterdir()
    assert (left / "rows.npy").exists()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_dataset([np.ones((2, 1))], cache=tmp_path if kept else None) as found:
        assert list(tmp_path.iterdir()) == [found.folder]
    assert not list(tmp_path.iterdir())
