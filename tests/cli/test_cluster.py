"""The command ``csv``: its outputs, its summary, its warnings, and flags out of range."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastkmeans import KMeans
from fastkmeans._cli import progress
from fastkmeans._cli.values import memory
from tests.conftest import ROOT
from tests.helpers.commands import groups, write
from tests.helpers.programs import refused


def test_labels_as_parquet_with_distances(call: Any) -> None:
    frame = groups()
    frame.loc[5, "a"] = np.nan
    frame.to_csv("d.csv", index=False)
    flags = ("-k", 3, "--id", "id", "--missing", "drop", "--standardize", "--tol", 0)
    for name in ("l.csv", "l.parquet"):
        assert call("csv", "d.csv", *flags, "--labels-out", name, "--distances").code == 0
    labels, text = pd.read_parquet("l.parquet"), pd.read_csv("l.csv", dtype={"distance": str})
    assert labels["id"].tolist() == frame["id"].tolist()
    assert list(labels.columns) == ["id", "cluster", "distance"]
    assert labels["cluster"].isna().tolist() == [i == 5 for i in range(300)]
    X = frame[["a", "b", "c"]].drop(5)
    Z = ((X - X.mean()) / X.std(ddof=0)).to_numpy()
    known = labels.drop(5)
    cluster = known["cluster"].astype(int).to_numpy()
    centers = np.stack([Z[cluster == j].mean(axis=0) for j in range(3)])
    expected = np.sqrt(((Z[:, None] - centers) ** 2).sum(axis=2))
    np.testing.assert_array_equal(expected.argmin(axis=1), cluster)
    np.testing.assert_allclose(known["distance"], expected.min(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(text["distance"].astype(float), labels["distance"])
    np.testing.assert_array_equal(text["cluster"], labels["cluster"].astype(float))
    refused(call("csv", "d.csv", "--distances"), "--distances", "--labels-out")


def test_the_summary_as_json(call: Any) -> None:
    frame = groups()
    frame.loc[5, "a"] = np.nan
    frame.to_csv("d.csv", index=False)
    with open("d.csv", "a", encoding="utf-8") as file:
        file.write("late,1,2\nlater,1,2,3\nlast,1,x,3\n")
    done = call(
        *("csv", "d.csv", "-k", 3, "--missing", "drop", "--bad-rows", "skip", "--json"),
        *("--centers-out", "c.csv", "--skipped-out", "s.csv"),
    )
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert summary["rows"] == {"input": 303, "used": 300, "dropped": 1, "skipped": 2}
    assert summary["columns"] == ["a", "b", "c"]
    assert summary["outputs"] == {"centers-out": "c.csv", "skipped-out": "s.csv"}
    assert sum(cluster["size"] for cluster in summary["clusters"]) == 300
    centers = pd.read_csv("c.csv")
    assert [c["center"]["b"] for c in summary["clusters"]] == centers["b"].tolist()
    X = frame[["a", "b", "c"]].dropna().to_numpy()
    X = np.vstack([X, [1, 2, 3]])
    assert summary["inertia"] == pytest.approx(
        KMeans(3, random_state=0, local_search=0).fit(X).inertia_
    )
    assert "rows        300 of 303 (the others: 1 lack a value, 2 could not be read)" in done.err
    assert "warning: skipped row 301 (line 302) of d.csv: 3 values" in done.err
    skipped = pd.read_csv("s.csv")
    assert skipped["place"].tolist() == ["row 301 (line 302)", "row 303 (line 304)"]
    assert "column 'b' holds 'x'" in skipped["reason"][1]
    assert skipped["text"].tolist() == ["late,1,2", "last,1,x,3"]


def test_weights_of_a_column(call: Any) -> None:
    frame = groups(200)
    frame["w"] = np.arange(200) % 3
    frame.to_csv("d.csv", index=False)
    flags = ("-k", 3, "--weight", "w", "--standardize", "--seed", 3, "--json")
    summary = json.loads(call("csv", "d.csv", *flags).out)
    X = frame[["a", "b", "c"]].to_numpy()
    w = frame["w"].to_numpy(float)
    mean = np.average(X, axis=0, weights=w)
    Z = (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
    direct = KMeans(3, random_state=3, local_search=0).fit(Z, sample_weight=w)
    assert summary["inertia"] == pytest.approx(direct.inertia_, rel=1e-9)
    assert "w" not in summary["columns"]


def test_the_decimal_comma_is_written_as_it_is_read(call: Any) -> None:
    write("d.csv", "a;b\n1,5;2\n2,5;4\n9,0;8\n")
    flags = (
        "--delimiter",
        ";",
        "--decimal",
        ",",
        "--labels-out",
        "l.csv",
        "--centers-out",
        "c.csv",
    )
    assert call("csv", "d.csv", "-k", 1, *flags, "--distances").code == 0
    assert Path("c.csv").read_text() == f"cluster;size;a;b\n0;3;{13 / 3!r};{14 / 3!r}\n".replace(
        ".", ","
    )
    assert Path("l.csv").read_text().startswith("row;cluster;distance\n1;0;3,8")


def test_tables_of_other_formats(call: Any) -> None:
    frame = groups()
    frame["text"] = "t"
    frame.to_csv("d.csv", index=False)
    Path("parts").mkdir()
    frame[:120].to_parquet("parts/1.parquet")
    frame[120:].to_csv("parts/2.csv.gz", index=False)
    flags = ("-k", 3, "--exclude", "text", "--id", "id", "--labels-out")
    for name, out in (("d.csv", "d.out"), ("parts", "p.out")):
        done = call("csv", name, *flags, out, "--model-out", "m.npz")
        assert done.code == 0, done.err
    assert Path("p.out").read_bytes() == Path("d.out").read_bytes()
    for files in (["d.csv"], ["parts"], ["parts/1.parquet", "parts/2.csv.gz"]):
        done = call("predict", "m.npz", *files, "--id", "id", "--labels-out", "q.out")
        assert done.code == 0, done.err
        assert Path("q.out").read_bytes() == Path("d.out").read_bytes()
    refused(
        call("csv", "parts", *flags, "parts/l.csv"), "parts/l.csv would lie in the input folder"
    )
    np.save("x.npy", frame[["a", "b", "c"]].to_numpy())
    assert call("csv", "x.npy", "-k", 3, "--labels-out", "x.out", "--model-out", "x.npz").code == 0
    assert call("predict", "x.npz", "x.npy", "--labels-out", "y.out").code == 0
    assert Path("y.out").read_bytes() == Path("x.out").read_bytes()
    assert pd.read_csv("x.out")["cluster"].tolist() == pd.read_csv("d.out")["cluster"].tolist()


# --- columns and warnings -------------------------------------------------------------------------


def test_constant_and_drowning_columns_are_pointed_out(call: Any) -> None:
    frame = groups(60).assign(same=7)
    frame.to_csv("d.csv", index=False)
    done = call("csv", "d.csv", "-k", 2, "--quiet")
    assert "warning: column 'same' is constant (7): it does not tell rows apart" in done.err
    assert "warning: column 'b' makes up 100.0% of the variance" in done.err
    done = call("csv", "d.csv", "-k", 2, "--quiet", "--standardize")
    assert done.err.count("column 'same' is constant") == 1
    assert "variance" not in done.err


def test_a_line_of_a_spreadsheet_names_the_delimiter(call: Any) -> None:
    write("d.csv", "sep=;\na;b\n1;2\n3;4\n")
    for flags in ([], ["--delimiter", ";", "--bad-rows", "skip"]):
        done = call("csv", "d.csv", "-k", 2, "--json", "--labels-out", "l.csv", *flags)
        assert json.loads(done.out)["columns"] == ["a", "b"]
        assert json.loads(done.out)["rows"]["used"] == 2


def test_digits_that_float32_loses_are_pointed_out(call: Any) -> None:
    write("d.csv", "time,b\n" + "".join(f"{1527007410 + i / 4},{i}\n" for i in range(20)))
    warning = "warning: column 'time' loses digits as float32: in the first rows of d.csv, 20"
    done = call("csv", "d.csv", "-k", 2, "--quiet", "--dtype", "float32")
    assert warning in done.err
    assert "--dtype float64 keeps them apart" in done.err
    assert "loses" not in call("csv", "d.csv", "-k", 2).err


def test_a_column_without_a_name(call: Any) -> None:
    groups(20)[["a", "b"]].to_csv("d.csv")  # as pandas writes the numbers of rows
    done = call("csv", "d.csv", "-k", 2, "--exclude", '""', "--json")
    assert json.loads(done.out)["columns"] == ["a", "b"]


def test_a_first_line_of_numbers_is_pointed_out(call: Any) -> None:
    write("d.csv", "1.5,2\n3,4\n5,7\n")
    warning = "warning: the first line of d.csv holds numbers only"
    done = call("csv", "d.csv", "-k", 1, "--model-out", "m.npz", "--quiet")
    assert warning in done.err
    assert "--no-header" in done.err
    assert warning not in call("csv", "d.csv", "-k", 1, "--no-header").err
    KMeans(1).fit([[1.0, 2.0]]).save("plain.npz")
    assert warning in call("predict", "plain.npz", "d.csv", "--labels-out", "l.csv").err
    assert warning not in call("predict", "m.npz", "d.csv", "--labels-out", "l.csv").err
    write("d.csv", "place,2019,2020\nhere,3,4\nthere,5,6\n")
    assert warning not in call("csv", "d.csv", "-k", 1).err
    assert warning not in call("csv", "d.csv", "-k", 1, "--id", "place").err
    pd.DataFrame({"1": [1.0, 2.0], "2": [2.0, 5.0]}).to_parquet("d.parquet")
    assert "first line" not in call("csv", "d.parquet", "-k", 1).err


# --- flags ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "size"), [("400MB", 400e6), ("1.5 GiB", 1.5 * 2**30), ("7", 7)])
def test_sizes(text: str, size: float) -> None:
    assert memory(text) == int(size)


def test_flags_out_of_range(call: Any) -> None:
    for flag, value in (("--memory-limit", "much"), ("--memory-limit", "0"), ("--decimal", ";")):
        done = call("csv", "d.csv", flag, value)
        assert done.code == 2
        assert flag in done.err
    for names in ("", " "):
        assert (
            "argument --columns: no column is named" in call("csv", "d.csv", "--columns", names).err
        )
    assert "is too large: 4294967295 is the most" in call("csv", "d.csv", "-k", 10**30).err
    assert "is too large" in call("csv", "d.csv", "-k", "9" * 5000).err
    assert "is not a whole number from 1 up" in call("csv", "d.csv", "-k", "0").err
    assert call().code == 2
    done = call("predict", "m.npz", "d.csv")
    assert "--labels-out" in done.err


def test_an_algorithm_beyond_the_limit_is_refused_before_the_work(
    call: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(progress, "memory_taken", lambda: 0)  # of all the tests before
    np.save("d.npy", np.random.default_rng(0).normal(size=(100_000, 2)))
    flags = ("csv", "d.npy", "-k", 40, "--memory-limit", "310MB", "--max-iter", 1)
    done = call(*flags, "--algorithm", "boxes", "--labels-out", "l.csv")
    refused(done, "--algorithm boxes takes 1.5 MB for what it keeps of 100000 rows",
            "more than 310.0 MB, the --memory-limit: use --algorithm auto")  # fmt: skip
    assert [path.name for path in Path().iterdir()] == ["d.npy"]


def test_help_needs_no_libraries() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = "import sys; sys.modules.update(numpy=None, numba=None, pyarrow=None, tqdm=None)\n"
    program += "from fastkmeans._cli.arguments import main\nmain(sys.argv[1:])"
    for command in ([], ["csv"], ["predict"]):
        done = subprocess.run(
            [sys.executable, "-S", "-c", program, *command, "--help"],
            env=env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "exit codes:" in done.stdout
        assert "130  interrupted" in done.stdout


@pytest.mark.slow
def test_local_search(call: Any, monkeypatch: Any) -> None:
    """It improves a start with two centers in one group; what it cannot do is refused before."""
    monkeypatch.setattr(progress, "memory_taken", lambda: 0)  # of all the tests before
    rng = np.random.default_rng(0)
    np.save("d.npy", np.repeat(np.eye(4), 50, axis=0) + 0.01 * rng.normal(size=(200, 4)))
    Path("start.csv").write_text("x1,x2,x3,x4\n1,0,0,0\n0.99,0,0,0\n0,1,0,0\n0,0,1,1\n")
    inertia = []
    for tries in ("auto", 20):  # a table in files: none
        done = call("csv", "d.npy", "--init", "start.csv", "--local-search", tries, "--json")
        inertia.append(json.loads(done.out)["inertia"])
    assert inertia[1] < 0.1 < 10.0 < inertia[0]
    refused(call("csv", "d.npy", "-k", 4, "--local-search", 5, "--metric", "cosine"),
            "--local-search is for Euclidean distances")  # fmt: skip
    np.save("d.npy", rng.normal(size=(100_000, 2)))
    done = call("csv", "d.npy", "-k", 4, "--local-search", 5, "--memory-limit", "310MB")
    refused(done, "--local-search takes a copy of the table in memory, 8.0 MB, which is more than")
