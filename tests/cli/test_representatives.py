"""``--representatives-out``: the rows closest to each center, as they are in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastkmeans import KMeans
from tests.helpers.commands import groups, write
from tests.helpers.programs import refused


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("id_column", [None, "id"])
def test_rows_are_those_of_the_file(call: Any, standardize: bool, id_column: str | None) -> None:
    """Numbers count dropped and skipped rows, as in the file of labels."""
    frame = groups(200).round(6)
    frame.loc[[0, 3, 50], "a"] = np.nan
    frame.to_csv("d.csv", index=False)
    lines = Path("d.csv").read_text().splitlines()
    Path("d.csv").write_text("\n".join([*lines[:20], "late,1,2", *lines[20:]]) + "\n")
    flags = ["-k", 4, "--missing", "drop", "--bad-rows", "skip", "--representatives", 3]
    flags += ["--standardize"] * standardize
    flags += [] if id_column is None else ["--id", id_column]
    done = call("csv", "d.csv", *flags, "--labels-out", "l.csv", "--model-out", "m.npz", "--json",
                "--representatives-out", "r.csv")  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["outputs"]["representatives-out"] == "r.csv"
    found = pd.read_csv("r.csv", dtype=dict.fromkeys("abc", str))  # pandas rounds floats
    ids = [] if id_column is None else ["id"]
    assert list(found.columns) == ["cluster", "row", *ids, "a", "b", "c"]
    assert found["cluster"].tolist() == np.repeat(np.arange(4), 3).tolist()
    skipped = pd.DataFrame({"id": ["late"]})
    source = pd.concat([frame[:19], skipped, frame[19:]], ignore_index=True)
    rows = source.iloc[found["row"] - 1].reset_index(drop=True)
    for name in (*ids, "a", "b", "c"):
        values = [float(text) for text in found[name]] if name != "id" else found[name].tolist()
        assert values == rows[name].tolist()
    labels = pd.read_csv("l.csv")["cluster"]
    assert labels.iloc[found["row"] - 1].tolist() == found["cluster"].tolist()
    kept = source.dropna().index.to_numpy()
    want = KMeans.load("m.npz").representatives(source[["a", "b", "c"]].loc[kept], 3)
    assert found["row"].tolist() == (kept[want].ravel() + 1).tolist()


def test_names_and_numbers_of_the_file_stay(call: Any) -> None:
    write("d.csv", "row;cluster;size\n1,5;2;0,1\n2,5;4;0,2\n9,0;8;0,3\n")
    flags = ("--delimiter", ";", "--decimal", ",", "--standardize", "--dtype", "float32")
    done = call("csv", "d.csv", "-k", 3, *flags, "--representatives-out", "r.csv.gz",
                "--centers-out", "c.csv")  # fmt: skip
    assert done.code == 0, done.err
    text = pd.read_csv("r.csv.gz", sep=";", dtype=str)
    assert list(text.columns) == ["cluster_", "row_", "row", "cluster", "size"]
    assert sorted(text["row"]) == ["1,5", "2,5", "9,0"]
    assert sorted(text["size"]) == ["0,1", "0,2", "0,3"]
    assert Path("c.csv").read_text().startswith("cluster_;size_;row;cluster;size\n")


def test_fewer_rows_than_asked_for(call: Any) -> None:
    write("d.csv", "a\n0\n0\n9\n")
    done = call("csv", "d.csv", "-k", 2, "--representatives-out", "r.csv", "--representatives", 5)
    assert done.code == 0, done.err
    assert len(Path("r.csv").read_text().splitlines()) == 4


def test_mistakes_before_the_work(call: Any) -> None:
    write("d.csv", "a\n1\n2\n")
    refused(call("csv", "d.csv", "--representatives", 2), "name it with --representatives-out")
    refused(call("csv", "d.csv", "--representatives-out", "r.parquet"), "end the name in .csv")
    done = call("csv", "d.csv", "--representatives", 0, "--representatives-out", "r.csv")
    assert "is not a whole number from 1 up" in done.err
