"""Whatever the arguments are: ``main`` ends with an exit code and, if it fails, with a line."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fastkmeans import KMeans
from fastkmeans._cli import arguments
from fastkmeans._cli.values import names
from tests.helpers.programs import Result

EXIT_CODES = (0, 2)  # 130 and 143 are for signals
HOSTILE = [
    *("", " ", "-", "--", "---", "=", "-1", "0", "3", "0.5", "1e309", "nan", "inf", "9" * 30),
    *(
        "a",
        "b",
        "a,b",
        "b,c",
        ",",
        '"',
        '"a',
        "''",
        "a\nb",
        "\n",
        "\t",
        "tab",
        ";",
        "é",
        "\0",
        "\udcff",
    ),
    *("error", "drop", "skip", "auto", "float32", "boxes", "bytes", "random", "zero", "mean"),
    *("utf-16", "latin-1", "utf-7", "hex", "rot13", "zlib", "idna", "punycode", "undefined"),
    *("unicode_escape", "raw_unicode_escape", "cp037", "utf_8_sig", "mbcs", "oem"),
    *("d.csv", "e.csv", "m.npz", "no.csv", "no/x.csv", "d.csv/x", ".", "folder", "x" * 300),
    *("l.csv", "l.csv.gz", "l.parquet", "l.xz", "/dev/null", "10MB", "1", "1GB", "x{}%s"),
]
SWITCHES = ["--standardize", "--no-header", "--distances", "--json", "--quiet", "--resume", "-h"]
FLAGS = [
    *("--columns", "--exclude", "--id", "--weight", "--missing", "--na", "--bad-rows", "-k"),
    *("--skipped-out", "--delimiter", "--decimal", "--encoding", "--init", "--n-init"),
    *("--max-iter", "--tol", "--seed", "--algorithm", "--threads", "--memory-limit", "--dtype"),
    *("--cache", "--labels-out", "--centers-out", "--model-out", "--unknown", "--version"),
    *("--representatives", "--representatives-out", "--local-search", "--early-stop"),
]

values = st.sampled_from(HOSTILE) | st.text(max_size=3)
words = st.one_of(
    st.builds(lambda flag, value: [f"{flag}={value}"], st.sampled_from(FLAGS), values),
    st.builds(lambda flag, value: [flag, value], st.sampled_from(FLAGS), values),
    st.sampled_from(SWITCHES).map(lambda flag: [flag]),
    values.map(lambda value: [value]),
)
BEGINNINGS = [
    *([], ["csv"], ["predict"], ["csv", "d.csv", "-k", "2"], ["csv", "d.csv", "-k", "2"]),
    ["csv", "d.csv", "e.csv", "--labels-out", "l.csv"],
    ["predict", "m.npz", "d.csv", "--labels-out", "l.csv"],
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: Any) -> bytes:
    path = tmp_path_factory.mktemp("model") / "m.npz"
    KMeans(2, random_state=0).fit(np.arange(6.0).reshape(3, 2)).save(path)
    return path.read_bytes()


def run(main: Any, argv: list[str]) -> Result:
    """Call ``main`` as a process would, with streams that encode."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors)
        for errors in ("surrogateescape", "backslashreplace")
    )
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(argv)
        except SystemExit as stop:  # argparse leaves this way
            code = 0 if stop.code is None else stop.code
        out.flush()
        err.flush()
    return Result(code, *(s.buffer.getvalue().decode("utf-8", "replace") for s in (out, err)))


def check(done: Result, argv: list[str]) -> None:
    assert type(done.code) is int, argv
    assert done.code in EXIT_CODES, argv
    assert "Traceback" not in done.err, argv
    if done.code:
        last = done.err.rstrip("\n").rpartition("\n")[2]
        assert last.startswith("error: ") or (": error: " in last), (argv, done.err)


@contextlib.contextmanager
def folder_of(model: bytes) -> Any:
    """A folder with two tables of three rows and a model, to work in."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("d.csv").write_text("a,b\n1,2\n3,4\n5,x\n")
            Path("e.csv").write_text("b,a,t\n1,,x\n3,4,y\n5,6,z\n")
            Path("m.npz").write_bytes(model)
            Path("folder").mkdir()
            yield
        finally:
            os.chdir(before)


@settings(
    max_examples=200,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(BEGINNINGS), st.lists(words, max_size=5))
@example(["csv", "d.csv"], [["--na=--"]])
@example(["csv", "d.csv"], [["--encoding", "hex"]])
@example(["csv", "\n"], [])
@example(["csv", "d.csv"], [["--columns=a\nb"]])
def test_main_ends_with_a_code_and_a_line(
    model: bytes, command: list[str], rest: list[list[str]]
) -> None:
    argv = [*command, *(word for part in rest for word in part)]
    with folder_of(model):
        check(run(arguments.main, argv), argv)


@pytest.mark.parametrize("encoding", ["hex", "rot13", "zlib", "klingon", "\0", "", "undefined"])
def test_encodings_that_are_none_of_text(model: bytes, encoding: str) -> None:
    with folder_of(model):
        done = run(arguments.main, ["csv", "d.csv", "--encoding", encoding])
    assert done.code == 2
    check(done, [encoding])


@pytest.mark.parametrize("name", ["", "\0", "a\0b", "\n", "x" * 300, "\udcff", "no/\u2028"])
@pytest.mark.parametrize(
    "flag", ["", "--labels-out=", "--model-out=", "--skipped-out=", "--cache="]
)
def test_names_that_are_no_file(model: bytes, flag: str, name: str) -> None:
    argv = ["csv", flag + name, *(["d.csv"] if flag else [])]
    with folder_of(model):
        check(run(arguments.main, argv), argv)


def test_names_of_columns_with_line_breaks() -> None:
    assert names('"a\nb",c') == ["a\nb", "c"]
    for text in ("a\nb", "a\rb", "a\n"):
        with pytest.raises(argparse.ArgumentTypeError):
            names(text + "c")


@pytest.mark.parametrize("flag", FLAGS)
def test_two_dashes_are_a_value_behind_an_equals_sign(model: bytes, flag: str) -> None:
    """Python before 3.13 hands over an empty list instead."""
    for command in (["csv", "d.csv"], ["predict", "m.npz", "d.csv", "--labels-out", "l.csv"]):
        with folder_of(model):
            argv = [*command, f"{flag}=--"]
            check(run(arguments.main, argv), argv)


def test_two_dashes_can_mean_missing(model: bytes) -> None:
    with folder_of(model):
        Path("d.csv").write_text("a\n1\n--\n5\n")
        done = run(arguments.main, ["csv", "d.csv", "-k", "2", "--na=--", "--missing", "drop"])
    assert done.code == 0, done.err
    assert "rows        2 of 3" in done.out


@pytest.mark.usefixtures("scripts_path")
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("cluster_csv", ["--na=--", "--labels-out=--", "-k=--", "--exclude=--"]),
        ("demo", ["--out=--", "--seed=--"]),
        ("compress_image", ["--out=--", "-k=--"]),
    ],
)
def test_two_dashes_for_the_scripts(model: bytes, name: str, flags: list[str]) -> None:
    script = importlib.import_module(name)
    with folder_of(model):
        for flag in flags[1:]:
            argv = [*(["d.csv"] if name == "cluster_csv" else []), flag]
            done = run(script.main, argv)
            check(done, argv)
