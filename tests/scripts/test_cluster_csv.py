"""scripts/cluster_csv.py: what it reads, and what it writes."""

from __future__ import annotations

import csv
import gzip
import io

import numpy as np
import pandas as pd
import pytest

from fastkmeans import KMeans
from tests.helpers.programs import FLIGHTS, SCRIPTS, as_program, no_leftovers, refused, table


def test_cluster_csv_as_a_program(tmp_path):
    done = as_program(
        SCRIPTS / "cluster_csv.py",
        *(FLIGHTS, "-k", 4, "--id", "rownames", "--exclude", "year", "--missing", "drop"),
        *(
            "--standardize",
            "--tol",
            0,
            "--labels-out",
            "labels.csv",
            "--centers-out",
            "centers.csv",
        ),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    no_leftovers(tmp_path, "labels.csv", "centers.csv")

    flights = pd.read_csv(FLIGHTS)
    labels = pd.read_csv(tmp_path / "labels.csv")
    centers = pd.read_csv(tmp_path / "centers.csv")
    assert labels["rownames"].tolist() == flights["rownames"].tolist()
    features = list(centers.columns[2:])
    numeric = flights.select_dtypes("number").columns.drop(["rownames", "year"])
    assert features == list(numeric)
    complete = flights[features].notna().all(axis=1)
    assert labels["cluster"].notna().tolist() == complete.tolist()

    # The centers are the means of their rows, in the units of the file.
    means = flights[features][complete].groupby(labels["cluster"][complete]).mean()
    np.testing.assert_allclose(centers[features], means, rtol=1e-6, atol=1e-6)
    assert centers["size"].tolist() == labels["cluster"].value_counts().sort_index().tolist()

    for text in ("carrier ('UA')", "tailnum", "origin", "dest", "time_hour"):
        assert text in done.err
    assert f"rows        {complete.sum()} of {len(flights)}" in done.out
    for word in ("columns     13", "clusters    4", "inertia", "iterations", "reading"):
        assert word in done.out


def test_labels_equal_a_direct_fit(cluster, tmp_path):
    frame = table()
    done = cluster(frame.to_csv(index=False), "-k", 3, "--id", "key", "--labels-out", "l.csv")
    assert done.code == 0
    X = np.asfortranarray(frame[["height", "weight"]].to_numpy())
    direct = KMeans(3, random_state=0, local_search=0).fit(X)
    labels = pd.read_csv(tmp_path / "l.csv")
    assert labels["cluster"].tolist() == direct.labels_.tolist()
    assert labels["key"].tolist() == frame["key"].tolist()
    assert f"{direct.inertia_:.6g}" in done.out


def test_standardize_finds_what_the_larger_unit_hides(cluster, tmp_path):
    frame = table()
    text = frame.to_csv(index=False)
    for flags in ([], ["--standardize"]):
        outputs = ("--labels-out", "l.csv", "--centers-out", "c.csv")
        assert cluster(text, "-k", 3, "--tol", 0, *outputs, *flags).code == 0
        labels = pd.read_csv(tmp_path / "l.csv")["cluster"].to_numpy()
        groups = {tuple(labels[start::3]) for start in range(3)}
        pure = all(len(set(group)) == 1 for group in groups) and len(groups) == 3
        assert pure == bool(flags)
        centers = pd.read_csv(tmp_path / "c.csv")
        means = frame[["height", "weight"]].groupby(labels).mean()
        np.testing.assert_allclose(centers[["height", "weight"]], means, rtol=1e-9)


def test_float32_and_an_empty_output_folder_by_default(cluster, tmp_path):
    done = cluster(table().to_csv(index=False), "-k", 3, "--dtype", "float32")
    assert done.code == 0
    no_leftovers(tmp_path, "data.csv")
    assert "size   share" in done.out


def test_rows_are_numbered_from_one_without_an_id(cluster, tmp_path):
    assert cluster("a\n1\n2\n9\n", "-k", 2, "--labels-out", "l.csv").code == 0
    labels = pd.read_csv(tmp_path / "l.csv")
    assert labels["row"].tolist() == [1, 2, 3]
    assert labels["cluster"][0] == labels["cluster"][1] != labels["cluster"][2]


def test_ids_are_carried_through_untouched(cluster, tmp_path):
    ids = ["007", "NA", 'say "hi"', "one, two", "two\nlines", "", " x ", "1e3"]
    text = io.StringIO()
    csv.writer(text).writerows([["v", "id"], *([i, value] for i, value in enumerate(ids))])
    assert cluster(text.getvalue(), "-k", 2, "--id", "id", "--labels-out", "l.csv").code == 0
    with open(tmp_path / "l.csv", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["id", *ids]


def test_columns_are_taken_in_the_order_named(cluster, tmp_path):
    done = cluster(
        'a,"b,c",d\n1,2,3\n4,5,6\n', "-k", 1, "--columns", 'd,"b,c"', "--centers-out", "c.csv"
    )
    assert done.code == 0
    with open(tmp_path / "c.csv", newline="") as file:
        assert list(csv.reader(file)) == [
            ["cluster", "size", "d", "b,c"],
            ["0", "2", "4.5", "3.5"],
        ]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\n1,5\n2,6\n9,7\n",
        b"a,b\r\n1,5\r\n2,6\r\n9,7\r\n",
        b"a,b\r1,5\r2,6\r9,7\r",
        b"a,b\n1,5\n\n2,6\n\n9,7",
        b'"a","b"\n"1","5"\n"2","6"\n"9","7"\n',
        b"a,b\n 1, 5\n2 ,6 \n+9,7e0\n",
        b'note,a,b\n"two\nlines",1,5\n"say ""hi""",2,6\nplain,9,7\n',
        gzip.compress(b"a,b\n1,5\n2,6\n9,7\n"),
        "a,b\n1,5\n2,6\n9,7\n",
    ],
    ids=["bom", "crlf", "cr", "blank lines", "quotes", "spaces", "quoted newline", "gzip", "plain"],
)
def test_ways_of_writing_the_same_numbers(cluster, tmp_path, content):
    done = cluster(content, "-k", 1, "--centers-out", "c.csv")
    assert done.code == 0, done.err
    assert (tmp_path / "c.csv").read_text() == "cluster,size,a,b\n0,3,4.0,6.0\n"


def test_delimiter_and_encoding(cluster, tmp_path):
    done = cluster(
        "größe\ttext\n1\té\n3\tü\n".encode("latin-1"),
        *("-k", 1, "--delimiter", "tab", "--encoding", "latin-1", "--centers-out", "c.csv"),
    )
    assert done.code == 0, done.err
    assert (tmp_path / "c.csv").read_text(encoding="utf-8") == "cluster\tsize\tgröße\n0\t2\t2.0\n"


def test_text_in_another_encoding_does_not_matter_where_it_is_not_used(cluster):
    assert cluster(b"a,b,c\n1,\xe9,\xe8\n2,\xe9,\xe8\n", "-k", 2).code == 0


def test_a_column_that_drowns_the_others_is_pointed_out(cluster):
    text = table().to_csv(index=False)
    assert "'weight' makes up 100.0% of the variance" in cluster(text, "-k", 3).err
    for flags in (["--standardize"], ["--exclude", "weight"]):
        assert "variance" not in cluster(text, "-k", 3, *flags).err


def test_quiet(cluster):
    done = cluster("a,t\n1,x\n2,y\n", "-k", 2, "--quiet")
    assert done.code == 0
    assert done.err == ""


# --- missing values -------------------------------------------------------------------------------


GAPS = "id,a,b\nx,1,10\ny,,20\nz,3,NA\nw,5,30\n"


def test_missing_error_names_the_first_place(cluster, tmp_path):
    done = cluster('id,a,b\n"x\nx",1,10\ny,,20\nz,3,NA\n', "-k", 1, "--labels-out", "l.csv")
    refused(done, "2 of 3 rows", "row 2 (line 4)", "'a'", "a 1, b 1", "--missing drop", "mean")
    no_leftovers(tmp_path, "data.csv")


def test_missing_drop_keeps_the_lines_in_step(cluster, tmp_path):
    done = cluster(GAPS, "-k", 2, "--id", "id", "--missing", "drop", "--labels-out", "l.csv")
    assert done.code == 0
    with open(tmp_path / "l.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["id", "x", "y", "z", "w"]
    assert [row[1] == "" for row in rows[1:]] == [False, True, True, False]
    assert {rows[1][1], rows[4][1]} == {"0", "1"}
    assert "rows        2 of 4" in done.out


def test_missing_mean_fills_in_the_mean(cluster, tmp_path):
    assert cluster(GAPS, "-k", 1, "--missing", "mean", "--centers-out", "c.csv").code == 0
    assert (tmp_path / "c.csv").read_text() == "cluster,size,a,b\n0,4,3.0,20.0\n"


def test_na_names_a_further_missing_value(cluster, tmp_path):
    text = "a,b\n1,-999\n3, unknown\n-999,4\n"
    refused(cluster(text, "--columns", "a,b"), "'b'", "row 2 (line 3)", "'unknown'", "--na")
    flags = ("--na", "unknown", "--na", "-999", "--missing", "mean", "--centers-out", "c.csv")
    assert cluster(text, "-k", 1, *flags).code == 0
    assert (tmp_path / "c.csv").read_text() == "cluster,size,a,b\n0,3,2.0,4.0\n"


def test_columns_without_values(cluster):
    text = "a,b,c\n1,,x\n2,NA,y\n"
    done = cluster(text, "-k", 2)
    assert done.code == 0
    assert "without any value: 'b'" in done.err
    refused(cluster(text, "--columns", "a,b"), "'b'", "no values at all")
    refused(cluster("a\nNA\nNA\n"), "no values at all")


def test_missing_drop_that_leaves_nothing(cluster):
    refused(cluster("a,b\n1,\n,2\n3,\n", "--missing", "drop"), "every row", "--exclude b", "mean")


def test_a_constant_column_under_standardize(cluster, tmp_path):
    text = "a,b\n1,0.1\n2,0.1\n9,0.1\n"
    done = cluster(text, "-k", 2, "--standardize", "--centers-out", "c.csv")
    assert done.code == 0
    assert "warning: column 'b' is constant (0.1)" in done.err
    assert pd.read_csv(tmp_path / "c.csv")["b"].tolist() == [0.1, 0.1]
