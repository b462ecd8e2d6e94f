"""``--report``: the page about the clusters of a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.commands import groups, write
from tests.helpers.pages import Page
from tests.helpers.programs import refused


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: Any) -> None:
    """tests/report draws them."""
    picture = "data:image/png;base64,AAAA"
    monkeypatch.setattr("fastkmeans._report.pictures._drawn", lambda *_: (picture, picture))


@pytest.mark.parametrize("standardize", [False, True])
def test_the_page_says_what_was_read(call: Any, standardize: bool) -> None:
    frame = groups(200).round(6)
    frame.loc[[0, 3, 50], "a"] = np.nan
    frame["<b>t</b>"] = "x<y"
    frame["rest"] = 1.0
    frame.to_csv("d.csv", index=False)
    lines = Path("d.csv").read_text().splitlines()
    Path("d.csv").write_text("\n".join([*lines[:20], "late,1,2", *lines[20:]]) + "\n")
    flags = ["-k", 4, "--missing", "drop", "--bad-rows", "skip", "--exclude", "rest", "--id", "id"]
    flags += ["--standardize"] * standardize
    done = call("csv", "d.csv", *flags, "--report", "r.html", "--representatives", 3, "--json",
                "--representatives-out", "r.csv", "--centers-out", "c.csv")  # fmt: skip
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert summary["outputs"]["report"] == "r.html"
    page = Page(Path("r.html").read_text(encoding="utf-8"))
    assert page.named("h1")[0].text == "Clusters of d.csv"
    sizes = [int(row[2].replace(",", "")) for row in page.table("sizes")[1:]]
    assert sizes == [one["size"] for one in summary["clusters"]]
    found = pd.read_csv("r.csv", dtype=str)
    rows = page.table("representatives")
    assert rows[0] == ["cluster", "row (from 1)", "id", "a", "b", "c"]
    assert [row[1] for row in rows[1:]] == found["row"].tolist()
    assert [row[2] for row in rows[1:]] == found["id"].str.strip().tolist()
    assert [float(row[3].replace(",", "")) for row in rows[1:]] == pytest.approx(
        found["a"].astype(float).tolist(), rel=1e-3
    )
    said = [one.text for one in page.named("li")]
    assert "3 rows dropped, because a value is missing" in said
    assert "1 row skipped, because they could not be read" in said
    assert "<b>t</b>: holds text, as 'x<y'" in said
    assert "rest: left out by --exclude" in said
    assert "id: names the rows (--id)" in said
    (code,) = page.named("code")
    assert code.text.startswith("python -m fastkmeans csv d.csv -k 4")
    assert "--report r.html" in code.text


def test_warnings_of_reading_are_on_the_page(call: Any) -> None:
    write("d.csv", "a,b\n" + "1,2\n" * 9)
    done = call("csv", "d.csv", "-k", 2, "--report", "r.html")
    assert done.code == 0, done.err
    page = Page(Path("r.html").read_text(encoding="utf-8"))
    (warned,) = [line for line in done.err.splitlines() if "distinct clusters" in line]
    said = [one.text for one in page.named("li")]
    assert warned.removeprefix("warning: ") in said
    assert "constant columns tell no rows apart: a, b" in said


def test_weights_are_shown(call: Any) -> None:
    write("d.csv", "a,w\n" + "".join(f"{i},{1 + i // 5}\n" for i in range(10)))
    done = call("csv", "d.csv", "-k", 2, "--weight", "w", "--report", "r.htm")
    assert done.code == 0, done.err
    page = Page(Path("r.htm").read_text(encoding="utf-8"))
    assert "share of the weight" in page.table("sizes")[0]
    assert "w: holds the weights (--weight)" in [one.text for one in page.named("li")]


def test_a_report_that_cannot_be_made_is_refused_before_the_work(
    call: Any, monkeypatch: Any
) -> None:
    write("d.csv", "a\n1\n2\n3\n")
    refused(call("csv", "d.csv", "-k", 2, "--report", "r.csv"), "end the name in .html")
    refused(call("csv", "d.csv", "-k", 2, "--report", "none/r.html"), "does not exist")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = call("csv", "d.csv", "-k", 2, "--report", "r.html", "--centers-out", "c.csv")
    refused(done, "fastkmeans-numba[report]")
    assert [path.name for path in Path().iterdir()] == ["d.csv"]


def test_a_page_that_fails_leaves_no_output(call: Any, monkeypatch: Any) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fastkmeans._report.api.page", fail)
    write("d.csv", "a\n1\n2\n3\n")
    Path("r.html").write_text("old")
    done = call("csv", "d.csv", "-k", 2, "--report", "r.html", "--centers-out", "c.csv")
    refused(done, "r.html could not be written: No space left on device")
    assert Path("r.html").read_text() == "old"
    assert not Path("c.csv").exists()
