"""The scripts: what they write, what they say about mistakes, and that they leave no rubbish."""

from __future__ import annotations

import contextlib
import csv
import gzip
import importlib
import io
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
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from conftest import room_for
from PIL import Image

from fastkmeans import KMeans
from fastkmeans._files import csv_blocks

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
FLIGHTS = SCRIPTS / "data" / "flights.csv.gz"


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module", autouse=True)
def _scripts_on_the_path():
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


@pytest.fixture
def script(capsys) -> Callable[..., Result]:
    """Run a script's `main` in this process."""

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
def cluster(script, tmp_path, monkeypatch) -> Callable[..., Result]:
    """Write a CSV file and cluster it; the current folder is an empty one."""
    monkeypatch.chdir(tmp_path)

    def run(content: str | bytes, *argv: object, name: str = "data.csv") -> Result:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return script("cluster_csv", name, *argv)

    return run


def as_program(*argv: object, cwd: Path, **options: Any) -> Result:
    """Run a script the way a user does."""
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    done = subprocess.run(
        [sys.executable, *map(str, argv)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        **{"stdout": subprocess.PIPE, **options},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def table(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """Three well separated groups, in units of very different size."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 3
    return pd.DataFrame(
        {
            "key": [f"row-{i:03d}" for i in range(n)],
            "height": group * 10 + rng.normal(size=n),
            "weight": (group == 1) * 5e4 + rng.normal(size=n) * 1000,
        }
    )


def refused(result: Result, *parts: str) -> None:
    """Check that a script ended with one clear line."""
    lines = result.err.strip().splitlines()
    assert result.code == 2, result
    assert lines, result
    assert lines[-1].startswith("error: "), result
    assert sum(line.startswith("error: ") for line in lines) == 1
    assert "Traceback" not in result.err
    for part in parts:
        assert part in lines[-1]


def no_leftovers(folder: Path, *expected: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(expected)


# --- cluster_csv: what it writes ------------------------------------------------------------------


def test_cluster_csv_as_a_program(tmp_path):
    done = as_program(
        SCRIPTS / "cluster_csv.py",
        *(FLIGHTS, "-k", 4, "--id", "rownames", "--exclude", "year", "--missing", "drop"),
        *(
            "--standardize",
            "--tol",
            0,
            "--labels-out",
            "labels.csv",
            "--centers-out",
            "centers.csv",
        ),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    no_leftovers(tmp_path, "labels.csv", "centers.csv")

    flights = pd.read_csv(FLIGHTS)
    labels = pd.read_csv(tmp_path / "labels.csv")
    centers = pd.read_csv(tmp_path / "centers.csv")
    assert labels["rownames"].tolist() == flights["rownames"].tolist()
    features = list(centers.columns[2:])
    numeric = flights.select_dtypes("number").columns.drop(["rownames", "year"])
    assert features == list(numeric)
    complete = flights[features].notna().all(axis=1)
    assert labels["cluster"].notna().tolist() == complete.tolist()

    # The centers are the means of their rows, in the units of the file.
    means = flights[features][complete].groupby(labels["cluster"][complete]).mean()
    np.testing.assert_allclose(centers[features], means, rtol=1e-6, atol=1e-6)
    assert centers["size"].tolist() == labels["cluster"].value_counts().sort_index().tolist()

    for text in ("carrier ('UA')", "tailnum", "origin", "dest", "time_hour"):
        assert text in done.err
    assert f"rows        {complete.sum()} of {len(flights)}" in done.out
    for word in ("columns     13", "clusters    4", "inertia", "iterations", "reading"):
        assert word in done.out


def test_labels_equal_a_direct_fit(cluster, tmp_path):
    frame = table()
    done = cluster(frame.to_csv(index=False), "-k", 3, "--id", "key", "--labels-out", "l.csv")
    assert done.code == 0
    X = np.asfortranarray(frame[["height", "weight"]].to_numpy())
    direct = KMeans(3, random_state=0).fit(X)
    labels = pd.read_csv(tmp_path / "l.csv")
    assert labels["cluster"].tolist() == direct.labels_.tolist()
    assert labels["key"].tolist() == frame["key"].tolist()
    assert f"{direct.inertia_:.6g}" in done.out


def test_standardize_finds_what_the_larger_unit_hides(cluster, tmp_path):
    frame = table()
    text = frame.to_csv(index=False)
    for flags in ([], ["--standardize"]):
        outputs = ("--labels-out", "l.csv", "--centers-out", "c.csv")
        assert cluster(text, "-k", 3, "--tol", 0, *outputs, *flags).code == 0
        labels = pd.read_csv(tmp_path / "l.csv")["cluster"].to_numpy()
        groups = {tuple(labels[start::3]) for start in range(3)}
        pure = all(len(set(group)) == 1 for group in groups) and len(groups) == 3
        assert pure == bool(flags)
        centers = pd.read_csv(tmp_path / "c.csv")
        means = frame[["height", "weight"]].groupby(labels).mean()
        np.testing.assert_allclose(centers[["height", "weight"]], means, rtol=1e-9)


def test_float32_and_an_empty_output_folder_by_default(cluster, tmp_path):
    done = cluster(table().to_csv(index=False), "-k", 3, "--dtype", "float32")
    assert done.code == 0
    no_leftovers(tmp_path, "data.csv")
    assert "size   share" in done.out


def test_rows_are_numbered_from_one_without_an_id(cluster, tmp_path):
    assert cluster("a\n1\n2\n9\n", "-k", 2, "--labels-out", "l.csv").code == 0
    labels = pd.read_csv(tmp_path / "l.csv")
    assert labels["row"].tolist() == [1, 2, 3]
    assert labels["cluster"][0] == labels["cluster"][1] != labels["cluster"][2]


def test_ids_are_carried_through_untouched(cluster, tmp_path):
    ids = ["007", "NA", 'say "hi"', "one, two", "two\nlines", "", " x ", "1e3"]
    text = io.StringIO()
    csv.writer(text).writerows([["v", "id"], *([i, value] for i, value in enumerate(ids))])
    assert cluster(text.getvalue(), "-k", 2, "--id", "id", "--labels-out", "l.csv").code == 0
    with open(tmp_path / "l.csv", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["id", *ids]


def test_columns_are_taken_in_the_order_named(cluster, tmp_path):
    done = cluster(
        'a,"b,c",d\n1,2,3\n4,5,6\n', "-k", 1, "--columns", 'd,"b,c"', "--centers-out", "c.csv"
    )
    assert done.code == 0
    with open(tmp_path / "c.csv", newline="") as file:
        assert list(csv.reader(file)) == [
            ["cluster", "size", "d", "b,c"],
            ["0", "2", "4.5", "3.5"],
        ]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\n1,5\n2,6\n9,7\n",
        b"a,b\r\n1,5\r\n2,6\r\n9,7\r\n",
        b"a,b\r1,5\r2,6\r9,7\r",
        b"a,b\n1,5\n\n2,6\n\n9,7",
        b'"a","b"\n"1","5"\n"2","6"\n"9","7"\n',
        b"a,b\n 1, 5\n2 ,6 \n+9,7e0\n",
        b'note,a,b\n"two\nlines",1,5\n"say ""hi""",2,6\nplain,9,7\n',
        gzip.compress(b"a,b\n1,5\n2,6\n9,7\n"),
        "a,b\n1,5\n2,6\n9,7\n",
    ],
    ids=["bom", "crlf", "cr", "blank lines", "quotes", "spaces", "quoted newline", "gzip", "plain"],
)
def test_ways_of_writing_the_same_numbers(cluster, tmp_path, content):
    done = cluster(content, "-k", 1, "--centers-out", "c.csv")
    assert done.code == 0, done.err
    assert (tmp_path / "c.csv").read_text() == "cluster,size,a,b\n0,3,4.0,6.0\n"


def test_delimiter_and_encoding(cluster, tmp_path):
    done = cluster(
        "größe\ttext\n1\té\n3\tü\n".encode("latin-1"),
        *("-k", 1, "--delimiter", "tab", "--encoding", "latin-1", "--centers-out", "c.csv"),
    )
    assert done.code == 0, done.err
    assert (tmp_path / "c.csv").read_text(encoding="utf-8") == "cluster\tsize\tgröße\n0\t2\t2.0\n"


def test_text_in_another_encoding_does_not_matter_where_it_is_not_used(cluster):
    assert cluster(b"a,b,c\n1,\xe9,\xe8\n2,\xe9,\xe8\n", "-k", 2).code == 0


def test_a_column_that_drowns_the_others_is_pointed_out(cluster):
    text = table().to_csv(index=False)
    assert "'weight' makes up 100.0% of the variance" in cluster(text, "-k", 3).err
    for flags in (["--standardize"], ["--exclude", "weight"]):
        assert "variance" not in cluster(text, "-k", 3, *flags).err


def test_quiet(cluster):
    done = cluster("a,t\n1,x\n2,y\n", "-k", 2, "--quiet")
    assert done.code == 0
    assert done.err == ""


# --- cluster_csv: pipes, packed outputs, full disks -----------------------------------------------

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
def test_standard_input_as_a_program(tmp_path, kind):
    content = table().to_csv(index=False)
    (tmp_path / "data.csv").write_text(content)
    flags = (SCRIPTS / "cluster_csv.py", "/dev/stdin", "-k", 3, "--centers-out", "c.csv")
    with open(tmp_path / "data.csv") as file:
        given = {"input": content} if kind == "pipe" else {"stdin": file}
        done = as_program(*flags, cwd=tmp_path, **given)
    assert done.code == 0, done.err
    assert "rows        60" in done.out
    no_leftovers(tmp_path, "data.csv", "c.csv")


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs devices")
def test_a_device_is_no_table(script):
    refused(script("cluster_csv", "/dev/null"), "/dev/null is neither a file nor a pipe")


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


@pytest.fixture
def full_disk(monkeypatch) -> Callable[[str, str], None]:
    """Give a function of a script a disk on which a hundred bytes are free."""

    def fill(module: str, function: str) -> None:
        script = importlib.import_module(module)
        whole = getattr(script, function)

        def run(*argv: object) -> None:
            with room_for(100):
                whole(*argv)

        monkeypatch.setattr(script, function, run)

    return fill


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


# --- cluster_csv: missing values ------------------------------------------------------------------

GAPS = "id,a,b\nx,1,10\ny,,20\nz,3,NA\nw,5,30\n"


def test_missing_error_names_the_first_place(cluster, tmp_path):
    done = cluster('id,a,b\n"x\nx",1,10\ny,,20\nz,3,NA\n', "-k", 1, "--labels-out", "l.csv")
    refused(done, "2 of 3 rows", "row 2 (line 4)", "'a'", "a 1, b 1", "--missing drop", "mean")
    no_leftovers(tmp_path, "data.csv")


def test_missing_drop_keeps_the_lines_in_step(cluster, tmp_path):
    done = cluster(GAPS, "-k", 2, "--id", "id", "--missing", "drop", "--labels-out", "l.csv")
    assert done.code == 0
    with open(tmp_path / "l.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["id", "x", "y", "z", "w"]
    assert [row[1] == "" for row in rows[1:]] == [False, True, True, False]
    assert {rows[1][1], rows[4][1]} == {"0", "1"}
    assert "rows        2 of 4" in done.out


def test_missing_mean_fills_in_the_mean(cluster, tmp_path):
    assert cluster(GAPS, "-k", 1, "--missing", "mean", "--centers-out", "c.csv").code == 0
    assert (tmp_path / "c.csv").read_text() == "cluster,size,a,b\n0,4,3.0,20.0\n"


def test_na_names_a_further_missing_value(cluster, tmp_path):
    text = "a,b\n1,-999\n3, unknown\n-999,4\n"
    refused(cluster(text, "--columns", "a,b"), "'b'", "row 2 (line 3)", "'unknown'", "--na")
    flags = ("--na", "unknown", "--na", "-999", "--missing", "mean", "--centers-out", "c.csv")
    assert cluster(text, "-k", 1, *flags).code == 0
    assert (tmp_path / "c.csv").read_text() == "cluster,size,a,b\n0,3,2.0,4.0\n"


def test_columns_without_values(cluster):
    text = "a,b,c\n1,,x\n2,NA,y\n"
    done = cluster(text, "-k", 2)
    assert done.code == 0
    assert "without any value: 'b'" in done.err
    refused(cluster(text, "--columns", "a,b"), "'b'", "no values at all")
    refused(cluster("a\nNA\nNA\n"), "no values at all")


def test_missing_drop_that_leaves_nothing(cluster):
    refused(cluster("a,b\n1,\n,2\n3,\n", "--missing", "drop"), "every row", "--exclude b", "mean")


def test_a_constant_column_under_standardize(cluster, tmp_path):
    text = "a,b\n1,0.1\n2,0.1\n9,0.1\n"
    done = cluster(text, "-k", 2, "--standardize", "--centers-out", "c.csv")
    assert done.code == 0
    assert "warning: column 'b' is constant (0.1)" in done.err
    assert pd.read_csv(tmp_path / "c.csv")["b"].tolist() == [0.1, 0.1]


# --- cluster_csv: text where numbers should be ----------------------------------------------------


def test_a_text_column_asked_for(cluster, tmp_path):
    done = cluster("a,b\n1,2\n3,x\n", "--columns", "a,b", "--labels-out", "l.csv")
    refused(done, "data.csv", "'b'", "row 2 (line 3)", "'x'", "--columns", "--na")
    no_leftovers(tmp_path, "data.csv")


def deep(bad: str, n: int = 20_000) -> str:
    """Return a file whose row 15 001 is bad, far behind the rows looked at first."""
    rows = [f"{i},{i % 7}.5,{i % 5}" for i in range(n)]
    rows[15_000] = bad
    return "id,a,b\n" + "\n".join(rows) + "\n"


@pytest.fixture
def small_blocks(monkeypatch):
    """Make pyarrow read in many small blocks."""
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 1 << 14)


@pytest.mark.usefixtures("small_blocks")
def test_text_deep_in_the_file(cluster, tmp_path):
    done = cluster(deep("15000,oops,3"), "--columns", "a,b", "--labels-out", "l.csv")
    refused(done, "'a'", "row 15001 (line 15002)", "'oops'")
    no_leftovers(tmp_path, "data.csv")

    done = cluster(deep("15000,oops,3"), "-k", 2, "--id", "id", "--labels-out", "l.csv")
    assert done.code == 0
    assert "warning: skipped column 'a': row 15001 (line 15002) holds 'oops'" in done.err
    assert "columns     1: b" in done.out
    assert len(pd.read_csv(tmp_path / "l.csv")) == 20_000

    done = cluster(deep("15000,oops,3"), "-k", 2, "--na", "oops", "--missing", "drop")
    assert done.code == 0
    assert "rows        19999 of 20000" in done.out


def test_text_behind_the_first_block_of_the_real_size(cluster):
    n = 700_000
    text = "a,b\n" + "1.5,2\n" * n + "2.5,2x\n"
    assert len(text) > csv_blocks.BLOCK_BYTES
    refused(cluster(text, "--columns", "a,b"), f"row {n + 1} (line {n + 2})", "'b'", "'2x'")


@pytest.mark.usefixtures("small_blocks")
def test_a_float_deep_in_a_column_of_integers_is_a_number(cluster):
    done = cluster(deep("15000,1,2.25"), "-k", 2)
    assert done.code == 0
    assert "columns     3: id, a, b" in done.out


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("bad", "parts"),
    [
        ("15000,1", ["row 15001 (line 15002)", "2 values", "names 3", "'b'", "'15000,1'"]),
        ("15000,1,2,9", ["row 15001 (line 15002)", "4 values", "names 3", "'9'", "--delimiter"]),
        ('15000,1,"2', ["row 15001 (line 15002)", "never closed"]),
        ('15000,"1,2', ["row 15001 (line 15002)", "never closed"]),
        ("15000,inf,2", ["row 15001 (line 15002)", "'a'", "infinite", "--exclude a"]),
    ],
    ids=["short", "long", "open quote at the end", "open quote", "infinite"],
)
def test_broken_rows_are_placed(cluster, tmp_path, bad, parts):
    refused(cluster(deep(bad), "--labels-out", "l.csv"), "data.csv", *parts)
    no_leftovers(tmp_path, "data.csv")


@pytest.mark.usefixtures("small_blocks")
def test_a_row_larger_than_a_block(cluster, tmp_path):
    long = "z" * 600_000
    done = cluster(f'a,t\n1,x\n3,{long}\n5,"{long}"\n', "-k", 1, "--centers-out", "c.csv")
    assert done.code == 0, done.err
    assert (tmp_path / "c.csv").read_text() == "cluster,size,a\n0,3,3.0\n"
    refused(cluster('a,t\n1,x\n3,"z\n' + "5,y\n" * 99_999), "row 2 (line 3)", "never closed")


def test_an_open_quote_in_the_last_text_column(cluster):
    # pyarrow alone would take the rest of the file for one value, and lose the rows.
    refused(cluster('a,t\n1,x\n2,"y\n3,z\n4,z\n'), "row 2 (line 3)", "never closed")


def test_a_ragged_first_row(cluster):
    refused(cluster("a,b\n1\n2,3\n"), "row 1 (line 2)", "1 value where", "names 2")


def test_too_large_for_float32(cluster):
    refused(cluster("a\n1\n1e39\n", "--dtype", "float32"), "row 2 (line 3)", "'a'", "float64")
    assert cluster("a\n1\n1e39\n", "-k", 1).code == 0


# --- cluster_csv: other mistakes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "flags", "parts"),
    [
        ("", [], ["data.csv is empty"]),
        ("\n\n", [], ["data.csv is empty"]),
        ("a,b\n", [], ["header (line 1)", "no rows"]),
        ("a,b,a\n1,2,3\n", [], ["2 columns are named 'a'", "--exclude a"]),
        ("a,b\n1,2\n", ["-k", "3"], ["-k 3", "rows, 1"]),
        ("a,b\n1,\n2,3\n", ["-k", "2", "--missing", "drop"], ["rows, 1 (1 dropped"]),
        ("t,u\nx,y\n", [], ["no numeric column", "t, u"]),
        ("t;u\n1;2\n", [], ["'t;u'", "--delimiter ';'"]),
        ("t\tu\n1\t2\n", [], ["--delimiter tab"]),
        ("a,b\n1,2\n", ["--exclude", "a,b"], ["no numeric column"]),
        ("speed,b\n1,2\n", ["--columns", "sped"], ["'sped'", "--columns", "'speed'"]),
        ("speed,b\n1,2\n", ["--exclude", "zzz"], ["'zzz'", "--exclude", "speed, b"]),
        ("a,b\n1,2\n", ["--id", "c"], ["'c'", "--id"]),
        ("a,b\n1,2\n", ["--id", "a", "--columns", "a"], ["--id and --columns"]),
        (b"a,\xe9\n1,2\n", [], ["line 1", "--encoding"]),
        (b"a,b\n1,2\n2,\xe9\n", ["--id", "b"], ["row 2 (line 3)", "--encoding"]),
        ("a\n1\n".encode("utf-16"), [], ["--encoding utf-16"]),
        ("a\n1\n", ["--encoding", "klingon"], ["klingon"]),
        (b"a\n1\n", ["--encoding", "utf-16"], ["not written in utf-16", "--encoding"]),
        (gzip.compress(b"a\n" + os.urandom(999).hex().encode())[:300], [], ["damaged"]),
        (b"PK\x03\x04....", [], ["zip archive or an Excel workbook"]),
        (b"PAR1....", [], ["Parquet"]),
    ],
)
def test_one_line_for_each_mistake(cluster, tmp_path, content, flags, parts):
    refused(cluster(content, *flags, "--labels-out", "l.csv"), *parts)
    no_leftovers(tmp_path, "data.csv")


def test_duplicate_columns_that_are_not_used_do_no_harm(cluster):
    done = cluster("a,b,a\n1,2,3\n4,5,6\n", "-k", 2, "--exclude", "a")
    assert done.code == 0
    assert "columns     1: b" in done.out


@pytest.mark.parametrize(
    "flags",
    [
        *(["-k", "0"], ["-k", "two"], ["--seed", "-1"], ["--n-init", "best"], ["--columns", ""]),
        *(["--delimiter", "::"], ["--missing", "guess"], ["--dtype", "int8"], ["--threads", "0"]),
        *(["--tol", "-1"], ["--tol", "nan"], ["--tol", "small"]),
    ],
)
def test_flags_out_of_range(cluster, flags):
    done = cluster("a\n1\n2\n", *flags)
    assert done.code == 2
    assert flags[0] in done.err


def test_missing_file_and_folder(script, tmp_path):
    refused(script("cluster_csv", tmp_path / "no.csv"), "no.csv does not exist", str(tmp_path))
    refused(script("cluster_csv", tmp_path / "no" / "no.csv"), "its folder is missing")
    refused(script("cluster_csv", tmp_path), "is a folder without a table")


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


def test_a_missing_extra_is_named(cluster, monkeypatch):
    real = importlib.import_module

    def without(name: str) -> ModuleType:
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name)

    monkeypatch.setattr(importlib, "import_module", without)
    ways = ("pip install 'fastkmeans-numba[csv]'", "in a clone", "pip install '.[csv]'")
    refused(cluster("a\n1\n"), "pyarrow is not installed", *ways)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_terminated_while_writing(tmp_path):
    """A stopped run leaves neither a half-written file nor a temporary one."""
    (tmp_path / "d.csv").write_text("a\n1\n2\n")
    program = (
        "import sys, time; sys.argv = ['x', 'd.csv', '-k', '2', '--labels-out', 'l.csv']\n"
        f"sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "import cluster_csv\n"
        "from fastkmeans._cli import cluster, console\n"
        "def slow(path, *_):\n"
        "    path.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
        "cluster.write_labels = slow\n"
        "console.exit_with(cluster_csv.main)\n"
    )
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        process.wait(timeout=30)
        assert time.monotonic() - started < 20
    assert process.returncode == 128 + signal.SIGTERM
    no_leftovers(tmp_path, "d.csv")


# --- compress_image -------------------------------------------------------------------------------


@pytest.fixture
def compress(script, tmp_path, monkeypatch) -> Callable[..., Result]:
    """Compress a picture in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> Result:
        return script("compress_image", *argv, "--out", "out.png")

    return run


def noise(shape: tuple[int, ...] = (40, 50, 3), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_compress_image_as_a_program(tmp_path):
    flags = ("-k", 16, "--compare-out", "before_after.png")
    done = as_program(SCRIPTS / "compress_image.py", *flags, cwd=tmp_path)
    assert done.code == 0, done.err
    no_leftovers(tmp_path, "compressed.png", "before_after.png")
    sample = SCRIPTS / "data" / "summer_palace.png"
    with Image.open(tmp_path / "compressed.png") as after, Image.open(sample) as before:
        assert after.mode == "P"
        assert after.size == before.size
        assert len(after.getcolors()) == 16
        error = np.asarray(after.convert("RGB"), float) - np.asarray(before.convert("RGB"), float)
    assert np.sqrt((error**2).mean()) < 15
    assert (tmp_path / "compressed.png").stat().st_size < 0.2 * sample.stat().st_size
    with Image.open(tmp_path / "before_after.png") as picture:
        assert picture.width > 1000
    for word in ("raw size         442.4 kB", "73.7 kB (4 bits", "278.2 kB", "colour error"):
        assert word in done.out


def test_no_picture_is_drawn_unasked(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noise()).save(tmp_path / "in.png")
    done = script("compress_image", "in.png", "-k", 2)
    assert done.code == 0, done.err
    assert "written          compressed.png\n" in done.out
    no_leftovers(tmp_path, "in.png", "compressed.png")


@pytest.mark.parametrize(
    ("function", "name"), [("write_palette_png", "out.png"), ("draw_comparison", "both.png")]
)
def test_a_full_disk_is_named_with_the_picture(compress, full_disk, tmp_path, function, name):
    Image.fromarray(noise()).save(tmp_path / "in.png")
    full_disk("compress_image", function)
    done = compress("in.png", "-k", 16, "--compare-out", "both.png")
    refused(done, f"{name} could not be written: File too large")
    no_leftovers(tmp_path, "in.png")


@pytest.mark.parametrize(("k", "bits"), [(2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8)])
def test_the_palette_takes_as_few_bits_as_it_can(compress, tmp_path, k, bits):
    Image.fromarray(noise()).save(tmp_path / "in.png")
    assert compress("in.png", "-k", k).code == 0
    assert (tmp_path / "out.png").read_bytes()[24] == bits  # the IHDR chunk's bit depth


def test_fewer_colours_than_k_are_kept_without_loss(compress, tmp_path):
    colours = np.array([[0, 0, 0], [255, 0, 0], [1, 2, 3], [255, 255, 255]], dtype=np.uint8)
    pixels = colours[np.arange(400).reshape(20, 20) % 4]
    Image.fromarray(pixels).save(tmp_path / "in.png")
    done = compress("in.png", "-k", 9)
    assert done.code == 0
    assert "only 4 colours" in done.err
    assert "colour error     0.0" in done.out
    with Image.open(tmp_path / "out.png") as after:
        np.testing.assert_array_equal(np.asarray(after.convert("RGB")), pixels)


def stripes(mode: str) -> tuple[Image.Image, np.ndarray]:
    """Return a picture of two stripes in some mode, and the greys they should come out as."""
    if mode == "I;16":
        deep = np.repeat(np.array([[0, 65535]], dtype=np.uint16), 4, axis=0)
        return Image.fromarray(deep), np.array([0, 255])
    if mode == "RGBA":  # half transparent black, and opaque black
        pixels = np.zeros((4, 2, 4), dtype=np.uint8)
        pixels[:, 1, 3] = 255
        pixels[:, 0, 3] = 102
        return Image.fromarray(pixels), np.array([153, 0])
    grey = Image.fromarray(np.repeat(np.array([[0, 255]], dtype=np.uint8), 4, axis=0))
    return grey.convert(mode), np.array([0, 255])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"])
def test_modes_of_pictures(compress, tmp_path, mode):
    picture, expected = stripes(mode)
    if mode == "I":
        picture = picture.point(lambda value: value * 257)
    name = "in.tif" if mode == "I" else "in.png"
    picture.save(tmp_path / name)
    done = compress(name, "-k", 2)
    assert done.code == 0, done.err
    assert ("laid on white" in done.err) == (mode == "RGBA")
    with Image.open(tmp_path / "out.png") as after:
        result = np.asarray(after.convert("RGB"))
    assert (result == expected[:, None]).all()


def test_a_background_of_choice(compress, tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "in.png")
    assert compress("in.png", "-k", 1, "--background", "#102030").code == 0
    with Image.open(tmp_path / "out.png") as after:
        assert after.convert("RGB").getpixel((0, 0)) == (0x10, 0x20, 0x30)
    refused(compress("in.png", "--background", "mud"), "'mud'", "white")


def test_a_jpeg_turned_by_its_camera(compress, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise((20, 30, 3))).save(tmp_path / "in.jpg", exif=exif)
    assert compress("in.jpg", "-k", 4).code == 0
    with Image.open(tmp_path / "out.png") as after:
        assert after.size == (20, 30)


def test_the_first_frame_of_an_animation(compress, tmp_path):
    frames = [Image.new("L", (8, 8), value) for value in (0, 255)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    done = compress("in.gif", "-k", 1)
    assert done.code == 0
    assert "2 frames" in done.err


def test_what_cannot_be_compressed(compress, script, tmp_path):
    Image.fromarray(noise()).save(tmp_path / "in.png")
    (tmp_path / "text.png").write_text("no picture")
    whole = (tmp_path / "in.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(tmp_path / "deep.tif")
    before = {path.name for path in tmp_path.iterdir()}
    refused(compress("in.png", "-k", 257), "-k 257", "256 colours")
    refused(compress("no.png"), "no.png does not exist")
    refused(compress("."), "is a folder")
    refused(compress("text.png"), "text.png is not a picture")
    refused(compress("cut.png"), "cut.png is damaged")
    refused(compress("deep.tif"), "deep.tif", "16 bits")
    refused(script("compress_image", "in.png", "--out", "x.jpg"), "--out x.jpg", ".png")
    refused(script("compress_image", "in.png", "--out", "in.png"), "overwrite the input")
    refused(script("compress_image", "in.png", "--out", "no/x.png"), "folder no does not exist")
    no_leftovers(tmp_path, *before)


def test_a_picture_that_fails_to_draw_leaves_nothing(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noise()).save(tmp_path / "in.png")

    def fails(path: Path, *_: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importlib.import_module("compress_image"), "draw_comparison", fails)
    outputs = ("--out", "out.png", "--compare-out", "both.png")
    refused(script("compress_image", "in.png", "-k", 2, *outputs), "both.png", "No space left")
    no_leftovers(tmp_path, "in.png")


# --- demo -----------------------------------------------------------------------------------------


def test_demo(script, tmp_path):
    out = tmp_path / "demo.png"
    done = script("demo", "--out", out, "--starts", 4)
    assert done.code == 0, done.err
    no_leftovers(tmp_path, "demo.png")
    with Image.open(out) as picture:
        assert picture.width > 1000
    starts = [line for line in done.out.splitlines() if line.startswith("start ")]
    assert len(starts) == 4
    finals = {}
    for line in starts:
        words = line.partition("  <-")[0].split()
        path = [float(word) for word in words[3:]]
        assert path == sorted(path, reverse=True)  # the distortion never rises
        finals[line] = path[-1]
    [kept] = [line for line in starts if "kept" in line]
    assert finals[kept] == min(finals.values())
    assert (
        script("demo", "--out", out, "--starts", 4).out == done.out
    )  # and nothing is left to chance


def test_a_full_disk_is_named_with_the_demo(script, full_disk, tmp_path):
    full_disk("demo", "draw")
    done = script("demo", "--out", tmp_path / "demo.png", "--starts", 1)
    refused(done, "demo.png could not be written: File too large")
    no_leftovers(tmp_path)


def test_demo_refuses_an_output_it_cannot_write(script, tmp_path):
    refused(script("demo", "--out", tmp_path / "no" / "demo.png"), "--out", "does not exist")
    refused(script("demo", "--out", tmp_path), "not an ordinary file")


@pytest.mark.parametrize("name", ["cluster_csv", "compress_image", "demo"])
def test_help(script, name):
    done = script(name, "--help")
    assert done.code == 0
    assert "--out" in done.out or "--labels-out" in done.out
