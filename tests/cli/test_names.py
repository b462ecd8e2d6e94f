"""Hard names of columns at the command line: matched as they are, printed without control."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from fastkmeans import KMeans
from fastkmeans._cli.values import names as names_of
from fastkmeans._runtime.text import bare, shown, visible
from tests.helpers.names import HARD_NAMES, is_clean
from tests.helpers.programs import shell_words

X = np.random.default_rng(0).normal(size=(40, len(HARD_NAMES)))
OUTPUTS = "--labels-out", "l.csv", "--centers-out", "c.csv", "--model-out", "m"
WORST = ["a\nb", "\x1b[31mred", "\u202eright", "\ue000a\ue001b\ue002", "--", "x" * 100_000]
WIDEST = 2000
"""Characters of an error, at most: a long name is shortened."""


def write(path: str, names: list[str], rows: Any) -> None:
    """Write a table as CSV, or as Parquet."""
    if path.endswith(".parquet"):
        pa.parquet.write_table(pa.table(list(np.transpose(rows)), names=names), path)
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def header_of(path: str) -> list[str]:
    with open(path, encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("path", ["t.csv", "t.parquet"])
def test_columns_are_matched_and_printed(call: Any, path: str) -> None:
    names = HARD_NAMES + ["a\0b"] * path.endswith(".parquet")
    rows = X if len(names) == X.shape[1] else np.c_[X, X[:, 0]]
    write(path, names, rows)
    found = call("csv", path, "-k", 3, *OUTPUTS, "--max-iter", 2, "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["columns"] == names
    assert list(KMeans.load("m").feature_names_in_) == names
    assert header_of("c.csv") == ["cluster_", "size_", *names]
    assert is_clean(found.out)
    assert is_clean(found.err)
    labels = Path("l.csv").read_text()
    found = call("csv", path, "-k", 3, "--max-iter", 2)
    assert is_clean(found.out)
    assert len(found.out) < 2 * WIDEST
    assert not any(f"warning: {name}" in found.err for name in names)

    order = np.random.default_rng(1).permutation(len(names))
    write(f"other-{path}", [names[f] for f in order], rows[:, order])
    assert call("predict", "m", f"other-{path}", *OUTPUTS[:2]).code == 0
    assert Path("l.csv").read_text() == labels
    if path == "t.csv":  # the centers of a column with a NUL can start from a model only
        write("both.csv", names[::-1], rows[:, ::-1])
        for start in ("m", "c.csv"):
            assert call("csv", "both.csv", "--init", start, "--max-iter", 1, *OUTPUTS[:2]).code == 0
            assert Path("l.csv").read_text() == labels


def test_choose_k_prints_names_without_control(call: Any) -> None:
    """The next command names the columns as a shell reads them."""
    groups = np.repeat(np.eye(3, len(HARD_NAMES)), 40, axis=0)
    noise = np.random.default_rng(2).normal(size=groups.shape)
    write("t.csv", HARD_NAMES, 100 * groups + noise)
    given = ",".join('"' + name.replace('"', '""') + '"' for name in HARD_NAMES)
    found = call("choose-k", "t.csv", "-k", "2-5", f"--columns={given}")
    assert found.code == 0, found.err
    assert is_clean(found.out + found.err)
    words = shell_words(found.out.splitlines()[-1])
    columns = next(word for word in words if word.startswith("--columns="))
    assert names_of(columns.removeprefix("--columns=")) == HARD_NAMES


@pytest.mark.parametrize("name", WORST, ids=lambda name: ascii(name[:9]))
def test_errors_name_a_column_in_one_short_line(call: Any, name: str) -> None:
    names, fine = [name, "p"], [[i % 3, i] for i in range(6)]
    write("t.csv", names, fine)
    write("text.csv", names, [*fine, ["\x1b[2Jx" * 9, 1]])
    write("gap.csv", names, [*fine, ["", 1]])
    write("inf.csv", names, [*fine, ["inf", 1]])
    write("lacks.csv", ["q", "p"], fine)
    write("twice.csv", [name, name], fine)
    assert call("csv", "t.csv", "-k", 2, "--model-out", "m").code == 0
    for path in ("text", "gap", "inf", "lacks", "twice"):
        for argv in (
            ["csv", f"{path}.csv", "-k", 2],
            ["csv", "t.csv", f"{path}.csv", "-k", 2],
            ["csv", f"{path}.csv", "-k", 2, f"--weight={name}"],
            ["predict", "m", f"{path}.csv", "--labels-out", "l.csv"],
        ):
            found = call(*argv)
            assert found.code in (0, 2)
            assert is_clean(found.out + found.err)
            assert len(found.err) < WIDEST
            if argv[0] == "predict":
                assert found.code == 2
                assert found.err.splitlines()[-1].startswith("error: ")


def test_a_terminal_that_shows_ascii_only(call: Any, monkeypatch: Any) -> None:
    names = ["caf\xe9", "\U0001f600", "p"]
    write("t.csv", names, X[:, :3])
    for flags in ((), ("--json",)):
        out = io.TextIOWrapper(io.BytesIO(), "ascii")
        monkeypatch.setattr("sys.stdout", out)
        assert call("csv", "t.csv", "-k", 2, *flags).code == 0
        out.flush()
        text = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
        assert ("caf\\xe9, \\U0001f600, p" in text) or json.loads(text)["columns"] == names


def test_text_of_the_user_in_messages() -> None:
    for name in HARD_NAMES:
        for text in (visible(name), shown(name), bare(name), shown((name, 1))):
            assert is_clean(text)
            assert "\n" not in text
    assert visible("caf\xe9 \U0001f600 \u3000") == "caf\xe9 \U0001f600 \u3000"
    assert [bare("a b"), bare("a,b"), bare(" a"), bare("")] == ["a b", "'a,b'", "' a'", "''"]
    assert len(bare("x" * 100)) == len(shown("x" * 100)) == 42
