"""The command line: its outputs, its summaries, and the command ``predict``."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import tqdm

from fastkmeans import KMeans
from fastkmeans._cli import arguments, progress
from fastkmeans._cli.console import UserError
from fastkmeans._cli.labels import lines_of
from fastkmeans._cli.outputs import whole_files
from fastkmeans._cli.progress import MemoryGuard, Progress, WatchedRows
from fastkmeans._cli.report import tell
from fastkmeans._cli.values import memory
from fastkmeans._data.rows import ArrayRows
from fastkmeans._lloyd.loop import Iteration

ROOT = Path(__file__).resolve().parents[2]
FLIGHTS = ROOT / "scripts" / "data" / "flights.csv.gz"


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def call(tmp_path: Path, monkeypatch: Any, capsys: Any) -> Callable[..., Result]:
    """Run the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> Result:
        capsys.readouterr()
        try:
            code = arguments.main([str(word) for word in argv])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Result(code, *capsys.readouterr())

    return run


def refused(result: Result, *parts: str) -> None:
    """Check that a command ended with one clear line."""
    lines = result.err.strip().splitlines()
    assert result.code == 2, result
    assert "Traceback" not in result.err
    assert lines[-1].startswith("error: "), result
    for part in parts:
        assert part in lines[-1]


def write(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")


def groups(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """Overlapping groups, in units of very different size, with ids."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 3
    return pd.DataFrame(
        {
            "id": [f"row {i}, {'x' * (i % 3)}" for i in range(n)],
            "a": group * 2 + rng.normal(size=n),
            "b": 1e4 * rng.normal(size=n) + 5e5,
            "c": 1e-3 * ((group == 1) + rng.normal(size=n)),
        }
    )


def test_lines_are_those_of_python() -> None:
    texts = ["plain", "", None, 'say "hi"', "a,b", "two\nlines", "cr\rcr", " x ", "é", '"', "1e3"]
    floats = [0.1, 1e300, -2.5, 3.0, None, 1e-7, 0.0, 123456789.0, 5e-324, 1.0, -1e-10]
    whole = [*range(10), None]
    for delimiter in ",;\t|.^-":
        columns = [pa.array(texts), pa.array(whole, pa.int32()), pa.array(floats, pa.float64())]
        data = lines_of(columns, (delimiter, ".")).decode()
        rows = list(csv.reader(io.StringIO(data, newline=""), delimiter=delimiter))
        assert [row[0] for row in rows] == [text or "" for text in texts]
        assert [row[1] for row in rows] == ["" if n is None else str(n) for n in whole]
        assert [float(row[2]) if row[2] else None for row in rows] == floats
        plain = io.StringIO()
        writer = csv.writer(plain, delimiter=delimiter, lineterminator="\n")
        writer.writerows(
            (text, n) for text, n in zip(texts, whole, strict=True) if text != "cr\rcr"
        )
        rest = [
            column.filter(pc.not_equal(columns[1], 6).fill_null(True)) for column in columns[:2]
        ]
        assert lines_of(rest, (delimiter, ".")).decode() == plain.getvalue()
    assert lines_of([pa.array([1.5, None])], (";", ",")) == b"1,5\n\n"
    assert lines_of([pa.array([], pa.string())], (",", ".")) == b""


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
    assert summary["inertia"] == pytest.approx(KMeans(3, random_state=0).fit(X).inertia_)
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
    direct = KMeans(3, random_state=3).fit(Z, sample_weight=w)
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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_on_a_terminal(monkeypatch: Any) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    clock = iter(range(1000))
    monkeypatch.setattr(tqdm.std, "time", lambda: float(next(clock)))  # a second for each look
    bars = Progress(MemoryGuard(None), quiet=False)
    with bars.shown(0, "B"):
        for done in (1000, 2000, 3000):
            bars.read("parsing", done, 4000)
    text = terminal.getvalue()
    assert "parsing:  75%" in text
    assert "3.00k/4.00k" in text
    assert "B/s" in text
    rows = WatchedRows(ArrayRows(np.zeros((4096, 2))), bars)
    rows._height = 1024
    with bars.shown(4096, "rows"):
        bars.run_begins(1, 3)
        assert [start for start, _ in rows.blocks()] == [0, 1024, 2048, 3072]
        bars.iteration(4, Iteration(1.0, 1.0, 17, 0.1, 0.0))
        assert sum(X.shape[1] for _, X in rows.blocks()) == 4096
    text = terminal.getvalue()
    assert "run 2 of 3, choosing the first centers:  75%" in text
    assert "run 2 of 3, iteration 5 (17 rows moved):  50%" in text
    assert "rows/s" in text
    assert "?" not in text.rpartition("50%")[2]  # rate and time left are known


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


# --- predict --------------------------------------------------------------------------------------


@pytest.fixture
def model(call: Any) -> pd.DataFrame:
    """Save a model of standardised columns, some values of which are missing."""
    frame = groups()
    frame.loc[[5, 7], "a"] = np.nan
    frame.to_csv("d.csv", index=False)
    done = call(
        *("csv", "d.csv", "-k", 4, "--id", "id", "--missing", "mean", "--standardize"),
        *("--labels-out", "l.csv", "--model-out", "m.npz", "--distances"),
    )
    assert done.code == 0, done.err
    return frame


def test_predict_repeats_the_labels(call: Any, model: pd.DataFrame) -> None:
    done = call("predict", "m.npz", "d.csv", "--id", "id", "--labels-out", "p.csv", "--distances")
    assert done.code == 0, done.err
    assert Path("p.csv").read_bytes() == Path("l.csv").read_bytes()
    assert "rows        300\n" in done.out


@pytest.mark.usefixtures("model")
def test_predict_finds_columns_by_name_and_scales_them_as_the_model_was(call: Any) -> None:
    new = groups(40, seed=9)
    new[["c", "id", "b", "a"]].assign(other="text").iloc[:25].to_csv("x.csv", index=False)
    new[["a", "b", "c", "id"]].iloc[25:].to_csv("y.csv", index=False)
    done = call("predict", "m.npz", "x.csv", "y.csv", "--labels-out", "p.parquet", "--json")
    assert done.code == 0, done.err
    loaded = KMeans.load("m.npz")
    expected = loaded.predict(new[["a", "b", "c"]])
    labels = pd.read_parquet("p.parquet")
    np.testing.assert_array_equal(labels["cluster"], expected)
    assert labels["row"].tolist() == list(range(1, 41))
    summary = json.loads(done.out)
    assert [c["size"] for c in summary["clusters"]] == np.bincount(expected, minlength=4).tolist()
    assert summary["inertia"] == pytest.approx(-loaded.score(new[["a", "b", "c"]]))


@pytest.mark.usefixtures("model")
def test_predict_and_missing_values(call: Any) -> None:
    write("n.csv", "id,a,b,c\nu,,5e5,0\nv,0,NA,0\nw,0,5e5,0\n")
    frame = pd.read_csv("n.csv")[["a", "b", "c"]]
    loaded = KMeans.load("m.npz")
    means = dict(zip("abc", loaded.preparation_.fill, strict=True))
    expected = {
        "mean": loaded.predict(frame.fillna(means)).tolist(),
        "zero": loaded.predict(frame.fillna(0.0)).tolist(),
    }
    expected["drop"] = [None, None, expected["zero"][2]]
    for flags, policy in (
        ([], "mean"), (["--missing", "zero"], "zero"), (["--missing", "drop"], "drop"),
    ):  # fmt: skip
        done = call("predict", "m.npz", "n.csv", "--labels-out", "p.csv", *flags)
        assert done.code == 0, done.err
        labels = [None if pd.isna(j) else int(j) for j in pd.read_csv("p.csv")["cluster"]]
        assert labels == expected[policy]
    assert "rows        1 of 3 (the others lack a value)" in done.out
    done = call("predict", "m.npz", "n.csv", "--labels-out", "q.csv", "--missing", "error")
    refused(done, "n.csv: row 1 (line 2) lacks a value in column 'a'", "--missing drop")
    assert not Path("q.csv").exists()


@pytest.mark.usefixtures("model")
def test_predict_and_bad_rows(call: Any) -> None:
    write("n.csv", "a,b,c\n1,2,3\n1,2\n1,2,inf\n1,x,3\n4,5,6\n")
    flags = ("predict", "m.npz", "n.csv", "--labels-out", "p.csv", "--skipped-out", "s.csv")
    refused(call(*flags), "n.csv: ")
    done = call(*flags, "--bad-rows", "skip")
    assert done.code == 0, done.err
    assert pd.read_csv("p.csv")["cluster"].isna().tolist() == [False, True, True, True, False]
    assert "rows        2 of 5" in done.out
    assert pd.read_csv("s.csv")["place"].tolist() == [f"row {i} (line {i + 1})" for i in (2, 3, 4)]


@pytest.mark.usefixtures("model")
def test_predict_refuses_what_does_not_fit(call: Any, tmp_path: Path) -> None:
    out = ("--labels-out", "p.csv")
    write("n.csv", "a,b,d\n1,2,3\n")
    done = call("predict", "m.npz", "n.csv", *out)
    refused(done, "n.csv has no column 'c'", "it has a, b, d")
    assert "--columns" not in done.err
    write("n.csv", "a,b,c,c\n1,2,3,4\n")
    done = call("predict", "m.npz", "n.csv", *out)
    refused(done, "n.csv has 2 columns 'c'")
    assert "--exclude" not in done.err
    write("t.csv", "a,b,c\n1,x,3\n")
    done = call("predict", "m.npz", "t.csv", *out)
    refused(done, "column 'b' is not numeric", "'x'")
    assert "--columns" not in done.err
    write("t.csv", "a,b,c\n" + "1,2,3\n" * 3000 + "1,x,3\n")  # beyond what is looked at first
    done = call("predict", "m.npz", "t.csv", *out)
    refused(done, "column 'b' is not numeric: row 3001", "'x'")
    assert "--columns" not in done.err
    write("t.csv", "a,b,c\n1,inf,3\n")
    done = call("predict", "m.npz", "t.csv", *out)
    refused(done, "row 1 (line 2): column 'b' is infinite", "--bad-rows skip")
    assert "--exclude" not in done.err
    refused(call("predict", ".", "d.csv", *out), ". is a folder, not a model")
    refused(call("predict", "m.npz", "d.csv", "--labels-out", "d.csv"), "overwrite the input")
    refused(call("predict", "m.npz", "d.csv", "--labels-out", "m.npz"), "overwrite the input")
    refused(call("predict", "d.csv", "d.csv", *out), "d.csv is not a fastkmeans model")
    refused(call("predict", "no.npz", "d.csv", *out), "no.npz", "No such file")
    refused(call("predict", "m.npz", "no.csv", *out), "no.csv does not exist")
    assert not (tmp_path / "p.csv").exists()
    assert not list(tmp_path.glob(".*"))


def test_predict_refuses_a_hostile_model(call: Any) -> None:
    KMeans(2, random_state=0).fit(np.arange(12.0).reshape(4, 3)).save("m.npz")
    write("d.csv", "a,b,c\n1,2,3\n")
    with zipfile.ZipFile("m.npz") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(parts["metadata.json"])
    for change in ({"class": "kmeans_plusplus"}, {"feature_names": [1, 2, 3]}):
        parts["metadata.json"] = json.dumps(metadata | change).encode()
        with zipfile.ZipFile("h.npz", "w") as archive:
            for name, data in parts.items():
                archive.writestr(name, data)
        refused(call("predict", "h.npz", "d.csv", "--labels-out", "p.csv"), "h.npz is damaged")


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


def test_json_has_no_infinite_numbers(capsys: Any) -> None:
    tell({"inertia": float("inf"), "clusters": [{"center": {"a": float("nan")}}]}, [], True)
    summary = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert summary["inertia"] is None
    assert summary["clusters"] == [{"center": {"a": None}}]


@pytest.mark.parametrize("links", [True, False])
def test_several_files_are_moved_or_none(tmp_path: Path, monkeypatch: Any, links: bool) -> None:
    paths = [tmp_path / name for name in ("old.csv", "new.csv", "late.csv")]
    paths[0].write_text("old")
    move = os.replace

    def fails(source: Any, target: Any) -> None:
        if Path(target) == paths[2]:
            raise OSError(28, "No space left on device")
        move(source, target)

    def no_link(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    def write_all() -> None:
        with whole_files(*paths) as temporary:
            for name in temporary:
                name.write_text("written")

    if not links:
        monkeypatch.setattr(os, "link", no_link)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fails)
        with pytest.raises(UserError, match=r"late\.csv could not be written: No space"):
            write_all()
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert paths[0].read_text() == "old"
    paths[2].mkdir()
    with pytest.raises(UserError, match="no longer an ordinary file"):
        write_all()
    assert paths[0].read_text() == "old"
    paths[2].rmdir()
    write_all()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(p.name for p in paths)
    assert {path.read_text() for path in paths} == {"written"}


def test_predict_by_a_model_made_in_python(call: Any) -> None:
    frame = groups()
    X = frame[["a", "b", "c"]]
    frame.to_csv("d.csv", index=False)
    model = KMeans(3, random_state=0).fit(X)
    model.save("named.npz")
    KMeans(3, random_state=0).fit(X.to_numpy()).save("plain.npz")
    X.to_csv("x.csv", index=False)
    for name, file in (("named.npz", "d.csv"), ("plain.npz", "x.csv")):
        done = call("predict", name, file, "--labels-out", "p.csv")
        assert done.code == 0, done.err
        np.testing.assert_array_equal(pd.read_csv("p.csv")["cluster"], model.labels_)
    refused(
        call("predict", "plain.npz", "d.csv", "--labels-out", "p.csv"),
        "d.csv has 4 columns, and the model was made from 3 without names",
    )
    refused(
        call("predict", "named.npz", "d.csv", "--labels-out", "p.csv", "--missing", "mean"),
        "--missing mean: named.npz does not know the means",
    )


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
