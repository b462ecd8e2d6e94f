"""``--init FILE``: start from the centers of a model or of a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastkmeans import KMeans
from fastkmeans._cli import job
from tests.helpers.commands import groups, write
from tests.helpers.programs import refused

NAMES = ["a", "b", "c"]
CENTERS = np.array([[0.0, 5.1e5, 1e-3], [2.0, 4.9e5, 0.0], [4.0, 5e5, 2e-3], [9.0, 5e5, 0.0]])


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    frame = groups(200)
    frame.to_csv(tmp_path / "d.csv", index=False)
    return frame


def write_centers(name: str, values: Any = CENTERS, names: Any = tuple(NAMES)) -> None:
    table = pd.DataFrame(values, columns=list(names))
    table.insert(0, "label", [f"center {i}" for i in range(len(table))])
    if name.endswith(".npy"):
        np.save(name, values)
    elif name.endswith(".parquet"):
        table.to_parquet(name)
    else:
        table.to_csv(name, index=False)


@pytest.mark.parametrize("name", ["c.csv", "c.csv.gz", "c.parquet", "c.npy", "random"])
@pytest.mark.parametrize("standardize", [False, True])
def test_centers_are_in_the_units_of_the_file(
    call: Any, frame: pd.DataFrame, name: str, standardize: bool
) -> None:
    """Against a fit from the same centers in Python; columns of text are no coordinates."""
    write_centers(name)
    flags = ["--standardize"] * standardize + ["--max-iter", 2, "--tol", 0]
    file = f"./{name}" if name == "random" else name
    columns = [] if name != "c.npy" else ["--columns", "a,b,c"]
    done = call("csv", "d.csv", *columns, "--init", file, *flags, "--model-out", "m.npz", "--json")
    assert done.code == 0, done.err
    X = frame[NAMES].to_numpy()
    shift, scale = (X.mean(axis=0), X.std(axis=0)) if standardize else (0.0, 1.0)
    want = KMeans(4, init=(CENTERS - shift) / scale, max_iter=2, tol=0).fit((X - shift) / scale)
    summary = json.loads(done.out)
    assert summary["n_clusters"] == 4
    assert [cluster["size"] for cluster in summary["clusters"]] == want.cluster_sizes_.tolist()
    found = KMeans.load("m.npz")
    np.testing.assert_allclose(found.cluster_centers_, want.cluster_centers_, rtol=1e-9, atol=1e-9)
    assert found.n_iter_ == want.n_iter_ == 2


@pytest.mark.parametrize("standardize", [False, True])
def test_outputs_of_a_run_start_the_next(call: Any, frame: Any, standardize: bool) -> None:
    """From its own centers, or its model, a finished run ends at once, with the same labels."""
    flags = ["--standardize"] * standardize + ["--tol", 0, "--json", "--columns", "c,a"]
    outputs = ("--labels-out", "l.csv", "--centers-out", "c.csv", "--model-out", "m.npz")
    assert call("csv", "d.csv", "-k", 5, *flags, *outputs).code == 0
    for start in ("c.csv", "m.npz"):
        for columns in ([], ["--columns", "a,c"]):
            again = [*flags[:-2], *columns]
            done = call("csv", "d.csv", *again, "--init", start, "--labels-out", "again.csv")
            assert done.code == 0, done.err
            summary = json.loads(done.out)
            assert summary["columns"] == (["a", "c"] if columns else ["c", "a"])
            assert summary["n_iter"] <= 2
            assert Path("again.csv").read_bytes() == Path("l.csv").read_bytes()


def test_a_standardised_model_starts_a_run_in_other_units(call: Any, frame: Any) -> None:
    assert call("csv", "d.csv", "-k", 3, "--standardize", "--model-out", "m.npz").code == 0
    flags = ("--init", "m.npz", "--max-iter", 1, "--tol", 0, "--model-out", "n.npz")
    assert call("csv", "d.csv", *flags).code == 0
    own, X = KMeans.load("m.npz"), frame[NAMES].to_numpy()
    centers = own.cluster_centers_ * own.preparation_.scale + own.preparation_.shift
    want = KMeans(3, init=centers, max_iter=1, tol=0).fit(X)
    np.testing.assert_allclose(
        KMeans.load("n.npz").cluster_centers_, want.cluster_centers_, rtol=1e-12
    )


def test_the_number_of_centers_is_that_of_the_file(call: Any, frame: Any) -> None:
    write_centers("c.csv")
    assert call("csv", "d.csv", "--init", "c.csv", "-k", 4).code == 0
    done = call("csv", "d.csv", "--init", "c.csv", "-k", 5)
    refused(done, "-k 5: --init c.csv holds 4 centers; leave -k out, or give 4")
    assert "clusters    8" in call("csv", "d.csv").out
    write("short.csv", "a,b,c\n1,2,3\n4,5,6\n7,8,8\n")
    refused(call("csv", "short.csv", "--init", "c.csv"), "more clusters than there are rows, 3")


def test_columns_are_those_of_the_centers(call: Any, frame: Any) -> None:
    write_centers("c.csv", CENTERS[:, [2, 0]], ["c", "a"])
    assert json.loads(call("csv", "d.csv", "--init", "c.csv", "--json").out)["columns"] == [
        "c", "a"
    ]  # fmt: skip
    done = call("csv", "d.csv", "--init", "c.csv", "--exclude", "c", "--json")
    assert json.loads(done.out)["columns"] == ["a"]
    done = call("csv", "d.csv", "--init", "c.csv", "--columns", "a", "--json")
    assert json.loads(done.out)["columns"] == ["a"]
    done = call("csv", "d.csv", "--init", "c.csv", "--columns", "a,b")
    refused(done, "--init c.csv has no column 'b', which is clustered; it has c, a")
    write_centers("c.csv", CENTERS, ["a", "b", "q"])
    done = call("csv", "d.csv", "--init", "c.csv")
    refused(done, "d.csv has no column 'q' (of the centers in c.csv)")


def test_files_without_names_are_read_by_place(call: Any, frame: Any) -> None:
    np.save("c.npy", CENTERS)
    np.save("b.npy", CENTERS[:, :2])
    refused(call("csv", "d.csv", "--init", "b.npy"), "b.npy has 2 columns without names", "a, b, c")
    np.save("d.npy", frame[NAMES].to_numpy())
    assert call("csv", "d.npy", "--init", "c.npy").code == 0
    write_centers("c.csv", CENTERS, ["x1", "x2", "x3"])
    text = "".join(f"{row[0]!r},{row[1]!r},{row[2]!r}\n" for row in CENTERS.tolist())
    write("bare.csv", text)
    frame[NAMES].to_csv("bare_rows.csv", index=False, header=False)
    outs = []
    for init in ("c.npy", "c.csv", "bare.csv"):
        done = call("csv", "bare_rows.csv", "--no-header", "--init", init, "--labels-out", "l.csv")
        assert done.code == 0, done.err
        outs.append(Path("l.csv").read_bytes())
    assert outs[0] == outs[1] == outs[2]
    refused(call("csv", "d.csv", "--columns", "a", "--init", "bare.csv"), "has no column 'a'")


def test_a_decimal_comma_is_read_as_in_the_table(call: Any) -> None:
    write("d.csv", "a;b\n1,5;2\n2,5;4\n9,0;8\n")
    flags = ("--delimiter", ";", "--decimal", ",")
    assert call("csv", "d.csv", *flags, "-k", 2, "--centers-out", "c.csv").code == 0
    done = call("csv", "d.csv", *flags, "--init", "c.csv", "--centers-out", "e.csv")
    assert done.code == 0, done.err
    assert Path("c.csv").read_bytes() == Path("e.csv").read_bytes()


def test_mistakes_are_named_before_the_table_is_read(call: Any) -> None:
    write("c.csv", "a,b\n1,2\n3,\n")
    write("text.csv", "a,b\n1,2\nx,3\n")
    write("words.csv", "a,b\nx,y\n")
    write("none.csv", "a,b\n")
    np.savez("other.npz", X=CENTERS)
    Path("folder").mkdir()
    for init, *parts in (
        (
            "kmeans++",
            "--init kmeans++: there is no such method (k-means++, random, auto), and no such file",
        ),
        ("folder", "--init folder is no ordinary file"),
        ("c.csv", "--init c.csv: center 2 lacks a value in column 'b'"),
        ("words.csv", "--init words.csv has no column of numbers; it has a, b"),
        ("none.csv", "none.csv"),
        ("other.npz", "other.npz is not a fastkmeans model"),
    ):
        refused(call("csv", "missing.csv", "--init", init), *parts)
    np.save("nan.npy", [[1.0, np.inf]])
    refused(call("csv", "missing.csv", "--init", "nan.npy"), "center 1 is infinite in column 'x2'")
    KMeans(1).fit([[1.0, 2.0]]).save("m.npz")
    write("d.csv", "a,b\n1,2\n3,4\n")
    refused(call("csv", "d.csv", "--init", "m.npz", "--model-out", "m.npz"), "would overwrite")


def test_centers_are_a_part_of_what_a_run_resumes_from(
    call: Any, frame: Any, monkeypatch: Any
) -> None:
    """--resume goes on only from the same centers; their hash stands for them."""
    seen: list[Any] = []
    whole = job.Checkpoint

    def spy(path: Path, settings: Any, resume: bool) -> Any:
        seen.append(settings)
        return whole(path, settings, resume)

    monkeypatch.setattr(job, "Checkpoint", spy)
    for values in (CENTERS, CENTERS, CENTERS + 1e-6):
        write_centers("c.csv", values)
        assert call("csv", "d.csv", "--init", "c.csv", "--labels-out", "l.csv").code == 0
    assert seen[0] == seen[1]
    assert {name for name in seen[0] if seen[0][name] != seen[2][name]} == {"--init"}
    assert call("csv", "d.csv", "--labels-out", "l.csv").code == 0
    assert seen[3]["--init"] == "k-means++"
    json.dumps(seen)
