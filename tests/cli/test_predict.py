"""The command ``predict``: labels of new rows by a saved model, and what it refuses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastkmeans import KMeans
from tests.helpers.commands import groups, write
from tests.helpers.programs import refused


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


# --- what is refused ------------------------------------------------------------------------------


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
    refused(done, "column 'b' is infinite in row 1 (line 2)", "--bad-rows skip")
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
