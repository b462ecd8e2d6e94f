"""What the command line writes: lines of CSV, whole files or none, JSON, and bars."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import tqdm

from fastkmeans._cli.console import UserError
from fastkmeans._cli.labels import lines_of
from fastkmeans._cli.outputs import whole_files
from fastkmeans._cli.progress import MemoryGuard, Progress, WatchedRows
from fastkmeans._cli.report import tell
from fastkmeans._data.rows import ArrayRows
from fastkmeans._lloyd.loop import Iteration


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


def test_json_has_no_infinite_numbers(capsys: Any) -> None:
    tell({"inertia": float("inf"), "clusters": [{"center": {"a": float("nan")}}]}, [], True)
    summary = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert summary["inertia"] is None
    assert summary["clusters"] == [{"center": {"a": None}}]


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
        bars.iteration(4, Iteration(1.0, 1.0, 17, 0.1, 0.0), np.zeros((1, 2)), len)
        assert sum(X.shape[1] for _, X in rows.blocks()) == 4096
    text = terminal.getvalue()
    assert "run 2 of 3, choosing the first centers:  75%" in text
    assert "run 2 of 3, iteration 5 (17 rows moved):  50%" in text
    assert "rows/s" in text
    assert "?" not in text.rpartition("50%")[2]  # rate and time left are known
