"""scripts/cluster_csv.py: one line for each mistake, and where in the file it is."""

from __future__ import annotations

import gzip
import importlib
import os
import sys
from types import ModuleType

import pandas as pd
import pytest

from fastkmeans._cli.arguments import main
from fastkmeans._files.readers import csv_blocks
from tests.helpers.programs import no_leftovers, refused


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
    assert (
        "warning: skipped column 'a': row 15001 (line 15002) of data.csv holds 'oops'" in done.err
    )
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


# --- other mistakes -------------------------------------------------------------------------------


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


def test_a_missing_extra_is_named(cluster, monkeypatch):
    real = importlib.import_module

    def without(name: str) -> ModuleType:
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name)

    monkeypatch.setattr(importlib, "import_module", without)
    ways = ("pip install 'fastkmeans-numba[csv]'", "in a clone", "pip install '.[csv]'")
    refused(cluster("a\n1\n"), "pyarrow is not installed", *ways)


@pytest.mark.parametrize("flags", [[], ["--quiet"]])
def test_without_tqdm_there_are_no_bars_but_clusters(cluster, tmp_path, monkeypatch, flags):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    outputs = ("--labels-out", "l.csv", "--model-out", "m.npz")
    done = cluster("a\n1\n2\n", "-k", 2, *outputs, *flags)
    assert done.code == 0, done.err
    assert (tmp_path / "l.csv").read_text().count("\n") == 3
    note = "note: without tqdm there are no progress bars: pip install"
    assert done.err.count(note) == (not flags)
    code = main(["predict", "m.npz", "data.csv", "--labels-out", "p.csv", *flags])
    assert code == 0
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "l.csv").read_bytes()
