"""scripts/cluster_csv.py: pipes, packed outputs, full disks, and files that stay whole."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.programs import (
    SCRIPTS,
    Result,
    as_program,
    environment,
    no_leftovers,
    refused,
    table,
)

needs_pipes = pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")


@pytest.fixture
def piped(script, tmp_path, monkeypatch) -> Callable[..., Result]:
    """Write a table into a pipe, once, and cluster what comes out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))

    def write(end: int, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError), open(end, "wb") as pipe:
            pipe.write(data)

    def run(data: bytes, *argv: object) -> Result:
        reading, writing = os.pipe()
        writer = threading.Thread(target=write, args=(writing, data))
        writer.start()
        try:
            done = script("cluster_csv", f"/dev/fd/{reading}", *argv)
        finally:
            os.close(reading)
            writer.join(timeout=30)
        assert not writer.is_alive()
        no_leftovers(tmp_path / "temp")
        return done

    return run


@needs_pipes
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_pipe_is_read_as_a_file_is(piped, cluster, tmp_path, pack):
    """Larger than a pipe's buffer, and with text that shows up late: it is read thrice."""
    frame = table(20_000)
    frame["late"] = ["1"] * 15_000 + ["text"] * 5_000
    data = frame.to_csv(index=False).encode()
    assert cluster(data, "-k", 3, "--labels-out", "file.csv").code == 0
    done = piped(pack(data), "-k", 3, "--labels-out", "pipe.csv")
    assert done.code == 0, done.err
    assert (tmp_path / "pipe.csv").read_bytes() == (tmp_path / "file.csv").read_bytes()


@needs_pipes
def test_mistakes_in_a_pipe_are_told_by_its_name(piped):
    done = piped(b"a,b\n1,2\n3,x\n", "--columns", "a,b")
    refused(done, "error: /dev/fd/", ": column 'b'", "row 2 (line 3)")
    refused(piped(b""), "error: /dev/fd/", "is empty")


@needs_pipes
def test_a_pipe_that_finds_no_room(piped, monkeypatch):
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fails)
    refused(piped(b"a\n1\n2\n"), "data of /dev/fd/", "No space left", "TMPDIR")


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="needs /dev/stdin")
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_input(script, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    content = table().to_csv(index=False).encode()
    (tmp_path / "data.csv").write_bytes(content)
    if kind == "pipe":
        reading, writing = os.pipe()
        os.write(writing, content)  # less than a pipe holds
        os.close(writing)
    else:
        reading = os.open("data.csv", os.O_RDONLY)
    before = os.dup(0)
    try:
        os.dup2(reading, 0)
        done = script("cluster_csv", "/dev/stdin", "-k", 3, "--centers-out", "c.csv")
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reading)
    assert done.code == 0, done.err
    assert "rows        60" in done.out
    no_leftovers(tmp_path, "data.csv", "c.csv")


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs devices")
def test_a_device_is_no_table(script):
    refused(script("cluster_csv", "/dev/null"), "/dev/null is neither a file nor a pipe")


# --- outputs --------------------------------------------------------------------------------------


def test_outputs_are_packed_by_their_names(cluster, tmp_path):
    text = table().to_csv(index=False)
    for folder, suffix in (("plain", ".csv"), ("packed", ".csv.GZ"), ("again", ".csv.GZ")):
        (tmp_path / folder).mkdir()
        labels, centers = f"{folder}/labels{suffix}", f"{folder}/centers{suffix}"
        outputs = ("--labels-out", labels, "--centers-out", centers)
        assert cluster(text, "-k", 3, *outputs).code == 0
    for name in ("labels", "centers"):
        packed = (tmp_path / "packed" / f"{name}.csv.GZ").read_bytes()
        assert gzip.decompress(packed) == (tmp_path / "plain" / f"{name}.csv").read_bytes()
        assert packed == (tmp_path / "again" / f"{name}.csv.GZ").read_bytes()


def test_a_link_is_packed_by_the_name_of_its_file(cluster, tmp_path):
    (tmp_path / "link.csv").symlink_to("real.csv.gz")
    assert cluster("a\n1\n2\n", "-k", 2, "--labels-out", "link.csv").code == 0
    assert gzip.decompress((tmp_path / "real.csv.gz").read_bytes()).startswith(b"row,cluster\n")


@pytest.mark.parametrize("name", ["x.csv.zst", "x.csv.BZ2", "x.xz", "x.zip", "x.parquet", "x.xlsx"])
@pytest.mark.parametrize("flag", ["--labels-out", "--centers-out"])
def test_names_that_promise_another_format_are_refused(cluster, tmp_path, flag, name):
    if (flag, name) == ("--labels-out", "x.parquet"):
        name = "x.parquet.gz.bz2"  # Parquet itself is written
    suffix = Path(name).suffix.lower()
    refused(cluster("a\n1\n2\n", "-k", 2, flag, name), f"{flag} {name}", suffix, ".csv.gz")
    no_leftovers(tmp_path, "data.csv")


@pytest.mark.parametrize("n", [60, 20_000], ids=["fails at the end", "fails on the way"])
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
@pytest.mark.parametrize("which", ["labels", "centers"])
def test_a_full_disk_is_named_with_the_file(cluster, full_disk, tmp_path, which, suffix, n):
    (tmp_path / f"labels.{suffix}").write_text("old")
    full_disk("fastkmeans._cli.cluster", f"write_{which}")
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(n, 40 if n == 60 else 2)))
    outputs = ("--labels-out", f"labels.{suffix}", "--centers-out", f"centers.{suffix}")
    done = cluster(frame.to_csv(index=False), "-k", 20, "--max-iter", 2, *outputs)
    refused(done, f"{which}.{suffix} could not be written: File too large")
    assert (tmp_path / f"labels.{suffix}").read_text() == "old"
    no_leftovers(tmp_path, "data.csv", f"labels.{suffix}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("python_flags", [[], ["-u"]], ids=["buffered", "unbuffered"])
def test_a_full_disk_under_standard_output(tmp_path, monkeypatch, python_flags):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    (tmp_path / "d.csv").write_text("a\n1\n2\n")
    flags = ("d.csv", "-k", 2, "--quiet", "--labels-out", "l.csv")
    with open("/dev/full", "w") as full:
        program = (*python_flags, SCRIPTS / "cluster_csv.py", *flags)
        done = as_program(*program, cwd=tmp_path, stdout=full)
    refused(done, "standard output: No space left")
    assert done.err.count("\n") == 1  # and no complaint of Python's on its way out
    assert (tmp_path / "l.csv").read_text().count("\n") == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_is_no_output(cluster):
    done = cluster("a\n1\n2\n", "-k", 2, "--labels-out", "/dev/full")
    refused(done, "--labels-out /dev/full is not an ordinary file")


def test_outputs_are_checked_before_the_work(cluster, tmp_path):
    unreadable = b"PK\x03\x04...."  # would be refused too, but only when it is read
    (tmp_path / "sub").mkdir()
    refused(cluster(unreadable, "--labels-out", "no/l.csv"), "--labels-out", "folder no does not")
    refused(cluster(unreadable, "--labels-out", "sub"), "sub is not an ordinary file")
    refused(cluster(unreadable, "--centers-out", "data.csv"), "overwrite the input file")
    both = ("--labels-out", "x.csv", "--centers-out", "./x.csv")
    refused(cluster(unreadable, *both), "overwrite the file of --labels-out")
    no_leftovers(tmp_path, "data.csv", "sub")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder closed even to root")
def test_a_folder_that_cannot_be_written(cluster):
    refused(cluster("a\n1\n", "--labels-out", "/proc/l.csv"), "cannot write into /proc")


def test_a_failure_while_writing_leaves_the_old_files(cluster, tmp_path, monkeypatch):
    (tmp_path / "l.csv").write_text("old")
    module = importlib.import_module("fastkmeans._cli.cluster")

    def fails(path: Path, *_: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(module, "write_labels", fails)
    outputs = ("--labels-out", "l.csv", "--centers-out", "c.csv")
    refused(cluster("a\n1\n2\n", "-k", 2, *outputs), "No space left")
    assert (tmp_path / "l.csv").read_text() == "old"
    no_leftovers(tmp_path, "data.csv", "l.csv")


def test_outputs_replace_old_files_and_follow_links(cluster, tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert cluster("a\n1\n2\n", "-k", 2, "--labels-out", "link.csv").code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("row,cluster\n1,")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_terminated_while_writing(tmp_path):
    """A stopped run leaves neither a half-written file nor a temporary one."""
    (tmp_path / "d.csv").write_text("a\n1\n2\n")
    program = (
        "import sys, time; sys.argv = ['x', 'd.csv', '-k', '2', '--labels-out', 'l.csv']\n"
        f"sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "import cluster_csv\n"
        "from fastkmeans._cli import cluster, console, job\n"
        "from fastkmeans._lloyd.checkpoint import Checkpoint\n"
        "job.SECONDS, Checkpoint.save = 1e9, lambda *_: None\n"  # nothing is worth keeping
        "def slow(path, *_):\n"
        "    path.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
        "cluster.write_labels = slow\n"
        "console.exit_with(cluster_csv.main)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        process.wait(timeout=30)
        watchdog.cancel()
        assert time.monotonic() - started < 20
    assert process.returncode == 128 + signal.SIGTERM
    no_leftovers(tmp_path, "d.csv")
