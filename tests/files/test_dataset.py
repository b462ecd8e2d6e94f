"""Tables in files as one dataset: formats, columns, weights, and fits of it."""

from __future__ import annotations

import decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.sparse

from fastkmeans import KMeans, MiniBatchKMeans, kmeans_plusplus, open_dataset
from fastkmeans._data.rows import largest
from fastkmeans._files import FileError
from fastkmeans._files.statistics import MOST_SAMPLED, Reservoir
from tests.helpers.files import NAMES, csv_file, data, rows_in, table_of, write_every_format


def test_every_format_gives_the_same_fit(tmp_path):
    X = data()
    expected = KMeans(5, random_state=0, local_search=0).fit(X)
    for name, path in write_every_format(tmp_path, X).items():
        # CSV holds the digits that float32 needs, which are not those of float64.
        with open_dataset(path, dtype="float32") as found:
            np.testing.assert_array_equal(rows_in(found), X)
            assert found.names == (NAMES if name != "t.npy" else ["x1", "x2", "x3", "x4"])
            model = KMeans(5, random_state=0).fit(found)
            assert model.inertia_ == expected.inertia_
            np.testing.assert_array_equal(model.labels_, expected.labels_)
            np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
            np.testing.assert_array_equal(model.predict(found), expected.labels_)
            assert model.score(found) == expected.score(X)
            np.testing.assert_array_equal(model.transform(found), expected.transform(X))
            indices = kmeans_plusplus(found, 5, random_state=1)[1]
            np.testing.assert_array_equal(indices, kmeans_plusplus(X, 5, random_state=1)[1])
        assert not found.folder.exists()
        np.testing.assert_array_equal(model.labels_, expected.labels_)  # outlives the files


def test_paths_and_iterables_are_tables(tmp_path):
    X = data().astype(np.float64)
    expected = KMeans(5, random_state=0, local_search=0).fit(X)
    frame = pd.DataFrame(X, columns=NAMES)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.iloc[:1700].to_parquet(tmp_path / "1.parquet")
    frame.iloc[1700:].to_parquet(tmp_path / "2.parquet")
    exactly = dict.fromkeys(NAMES, float)  # pandas 2.1 misreads the last bit of some decimals
    sources: list[Any] = [
        tmp_path / "t.csv",
        str(tmp_path / "t.csv"),
        [tmp_path / "1.parquet", tmp_path / "2.parquet"],
        (X[at : at + 170] for at in range(0, 3000, 170)),
        [X[:10], X[10:]],
        pd.read_csv(tmp_path / "t.csv", chunksize=900, converters=exactly),
        table_of(X).to_reader(max_chunksize=500),
    ]
    for source in sources:
        model = KMeans(5, random_state=0).fit(source)
        np.testing.assert_array_equal(model.labels_, expected.labels_)
        assert model.inertia_ == expected.inertia_
    assert list(model.feature_names_in_) == NAMES
    # A file may have more columns: those of the fit are taken, in their order.
    wider = frame.assign(z=1.0)[["z", *NAMES[::-1]]]
    wider.to_csv(tmp_path / "w.csv", index=False)
    np.testing.assert_array_equal(model.predict(tmp_path / "w.csv"), expected.labels_)


# --- columns and types ----------------------------------------------------------------------------


def test_no_columns_are_not_all_columns(tmp_path):
    csv_file(tmp_path / "t.csv")
    for none in ([], (), np.array([])):
        with pytest.raises(FileError, match="columns names no column: leave it out"):
            open_dataset(tmp_path / "t.csv", columns=none)


def test_iterables_that_do_not_fit_together(tmp_path):
    with pytest.raises(FileError, match=r"row 6 on has 3 columns, and the first one has 2"):
        open_dataset(iter([np.ones((5, 2)), np.ones((0, 2)), np.ones((4, 3))]))
    with pytest.raises(ValueError, match=r"X\[1\] holds text"):
        open_dataset(iter([np.ones((5, 1)), np.array([["x"]])]))
    with pytest.raises(FileError, match="no rows"):
        open_dataset(iter([]))
    sparse = scipy.sparse.csr_matrix(np.eye(3))
    for sources in (sparse, [sparse, sparse], iter([sparse])):
        with pytest.raises(FileError, match=r"X is sparse, .* scipy\.sparse\.vstack"):
            open_dataset(sources)
    with pytest.raises(FileError, match=r"X\[1\] is sparse"):
        KMeans(2).fit([np.eye(3), sparse])
    with pytest.raises(FileError, match="1 of 6 rows lack a value, first row 6 in column 'x2'"):
        open_dataset([np.ones((5, 2)), np.array([[1.0, np.nan]])])
    narrow = open_dataset(iter([np.ones((2, 1), np.float16), np.ones((2, 1), int)]), dtype="auto")
    assert narrow.rows.dtype == np.float32
    assert open_dataset([np.ones((2, 1), int)], dtype="auto").rows.dtype == np.float64


def test_columns_are_matched_by_name(tmp_path):
    X = np.abs(data(400)).astype(np.float64)
    frame = pd.DataFrame(X, columns=NAMES)
    parts = [frame[:200], frame[200:][list("cdab")]]
    for i, part in enumerate(parts):
        part.to_csv(tmp_path / f"{i}.csv", index=False)
        part.to_parquet(tmp_path / f"{i}.parquet")
    sources = [
        iter(parts),
        parts,
        [tmp_path / "0.csv", tmp_path / "1.csv"],
        [tmp_path / "0.parquet", tmp_path / "1.parquet"],
    ]
    for source in sources:
        with open_dataset(
            source, columns=["d", "a"], weight_column="b", id_column="c", missing="drop",
            dtype="float64",
        ) as found:  # fmt: skip
            ids = np.concatenate([np.array(ids, float) for ids in found.id_batches()])
            np.testing.assert_array_equal(rows_in(found), X[:, [3, 0]])
            np.testing.assert_array_equal(found.weights, X[:, 1])
            np.testing.assert_array_equal(ids, X[:, 2])
    expected = KMeans(4, random_state=0, local_search=0).fit(frame)
    model = KMeans(4, random_state=0).fit(iter(parts))
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    with pytest.raises(FileError, match=r"X\[1\] has no columns 'a', .* it has b, c, d, z"):
        open_dataset([frame, frame.rename(columns={"a": "z"})[list("bcdz")]])
    with pytest.raises(FileError, match=r"X\[1\] has 2 columns 'a'"):
        open_dataset([frame, frame.set_axis(list("aacd"), axis=1)])
    with pytest.raises(FileError, match=r"X\[1\] does not, and the first table names its"):
        open_dataset([frame, X])


def test_later_arrays_are_not_rounded():
    first = np.ones((2, 2), np.float32)
    message = r"X\[1\] holds 0\.1, which float32, the type of the first array, would round"
    with pytest.raises(FileError, match=message):
        open_dataset([first, np.array([[0.5, 0.1]])], dtype="auto")
    with pytest.raises(FileError, match=message):
        KMeans(1).fit(iter([first, np.array([[0.5, 0.1]])]))
    gap = np.array([[0.5, np.nan], [0.25, 8.0]])
    assert open_dataset([first, gap], dtype="auto", missing="drop").shape == (3, 2)
    assert open_dataset([first, np.array([[0.5, 0.1]])], dtype="float32").shape == (3, 2)


@pytest.mark.parametrize(
    "array",
    [
        np.float64(1.0), np.ones(3), np.ones((2, 2, 2)), np.ones((2, 2), complex),
        np.zeros((2, 2), "i4,f4"), np.array([["x"]]), np.ones((2, 0)),
    ],
    ids=["0-D", "1-D", "3-D", "complex", "structured", "text", "no columns"],
)  # fmt: skip
def test_npy_files_that_are_no_table(tmp_path, array):
    np.save(tmp_path / "t.npy", array)
    with pytest.raises(FileError, match=r"t\.npy holds no table of numbers: "):
        open_dataset(tmp_path / "t.npy")


def test_types_of_columns(tmp_path):
    half = pa.array(np.array([0.5, 1.5, 2.5], np.float16))
    columns = {
        "whole": pa.array([1, None, 3], pa.int64()),
        "flag": pa.array([True, None, False]),
        "price": pa.array([decimal.Decimal("1.25"), decimal.Decimal("2.50"), None]),
        "kind": pa.array([7.0, 8.0, 7.0]).dictionary_encode(),
        "half": half,
        "nothing": pa.nulls(3),
        "text": pa.array(["x", "y", "z"]),
        "when": pa.array(["2026-01-01"] * 3).cast(pa.timestamp("s")),
    }
    pa.parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    found = open_dataset(tmp_path / "t.parquet", missing="zero", dtype="auto", id_column="whole")
    assert found.names == ["flag", "price", "kind", "half"]
    expected = [[1, 1.25, 7, 0.5], [0, 2.5, 8, 1.5], [0, 0, 7, 2.5]]
    assert rows_in(found).tolist() == expected
    assert found.empty == ["nothing"]
    assert {name: at.value for name, at in found.text.items()} == {
        "text": "x",
        "when": "2026-01-01 00:00:00",
    }
    assert next(found.id_batches()).to_pylist() == [1, None, 3]
    with pytest.raises(FileError, match=r"'text' is not numeric: row 1 .*'x'"):
        open_dataset(tmp_path / "t.parquet", columns=["text"])
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:500])
    with pytest.raises(FileError, match=r"cut\.parquet could not be read as Parquet"):
        open_dataset(tmp_path / "cut.parquet")


# --- weights, initial centers, sample -------------------------------------------------------------


def test_weights_are_those_of_the_fit(tmp_path):
    X = data(500, 2)
    w = np.random.default_rng(1).integers(0, 4, 500)
    pd.DataFrame({"w": w, "a": X[:, 0], "b": X[:, 1]}).to_parquet(tmp_path / "t.parquet")
    found = open_dataset(tmp_path / "t.parquet", weight_column="w")
    start = X[[1, 50, 400]]
    expected = KMeans(3, init=start).fit(X, sample_weight=w)
    model = KMeans(3, init=start).fit(found)
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    assert model.score(found) == expected.score(X, sample_weight=w)
    both = "sample_weight was given for a dataset that has a column of weights"
    for fails in (KMeans(3).fit, MiniBatchKMeans(3).fit, MiniBatchKMeans(3).partial_fit,
                  model.score, partial(kmeans_plusplus, n_clusters=3)):  # fmt: skip
        with pytest.raises(ValueError, match=both):
            fails(found, sample_weight=np.ones(500))
    with pytest.raises(ValueError, match="no column of ids"):
        next(found.id_batches())


def test_a_callable_init_sees_the_rows(tmp_path):
    X = data(100)
    np.save(tmp_path / "t.npy", X)

    def init(rows: Any, n_clusters: int, random_state: Any) -> np.ndarray:
        np.testing.assert_array_equal(rows, X)
        return rows[:n_clusters]

    model = KMeans(3, init=init).fit(tmp_path / "t.npy")
    np.testing.assert_array_equal(model.labels_, KMeans(3, init=X[:3]).fit(X).labels_)


def test_the_sample_does_not_depend_on_how_rows_come():
    n = 4 * MOST_SAMPLED
    rows = np.arange(n, dtype=np.float64)[:, None]
    samples = []
    for height in (1000, 77_777, n):
        reservoir = Reservoir(1, np.dtype(np.float64))
        for at in range(0, n, height):
            reservoir.add(rows[at : at + height])
        samples.append(reservoir.result())
    assert samples[0].shape == (MOST_SAMPLED, 1)
    for sample in samples[1:]:
        np.testing.assert_array_equal(sample, samples[0])
    assert (np.diff(samples[0][:, 0]) > 0).all()
    # Every part of the table is as likely: the binomial's standard deviation is 96.
    parts = np.histogram(samples[0], bins=8, range=(0, n))[0]
    assert abs(parts - MOST_SAMPLED / 8).max() < 5 * 96


def test_the_largest_of_many_pieces():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 50, 1000).astype(np.float64)
    pieces = np.array_split(values, 13)
    for count in (1, 40, 1000, 2000):
        expected = np.lexsort((np.arange(1000), -values))[:count]
        np.testing.assert_array_equal(largest(iter(pieces), count), expected)
