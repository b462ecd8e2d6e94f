"""Tables in files as one dataset: formats, the cache, full disks, memory, and fits of it."""

from __future__ import annotations

import decimal
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest

from fastkmeans import KMeans, MiniBatchKMeans, kmeans_plusplus, open_dataset
from fastkmeans._data.rows import SMALL_STATE, MappedRows, largest
from fastkmeans._files import FileError, FileWarning, PathError, cache, dataset
from fastkmeans._files import open as opening
from fastkmeans._files.readers import csv_blocks
from fastkmeans._files.statistics import MOST_SAMPLED, Reservoir
from fastkmeans._runtime import disk
from fastkmeans._runtime.disk import PREFIX
from tests.conftest import room_for

NAMES = list("abcd")


def table_of(X: np.ndarray) -> pa.Table:
    return pa.table({name: X[:, j] for j, name in enumerate(NAMES[: X.shape[1]])})


def data(n: int = 3000, d: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) + rng.integers(0, 4, (n, 1)) * 2).astype(np.float32)


def write(folder: Path, X: np.ndarray) -> dict[str, Path]:
    """Write a table in every format."""
    table, paths = table_of(X), {}
    for name in ("t.csv", "t.parquet", "t.arrow", "t.arrows", "t.feather", "t.npy"):
        paths[name] = folder / name
    pa.csv.write_csv(table, paths["t.csv"])
    pa.parquet.write_table(table, paths["t.parquet"], row_group_size=1000)
    with pa.ipc.new_file(paths["t.arrow"], table.schema) as file:
        file.write_table(table, max_chunksize=700)
    with pa.ipc.new_stream(paths["t.arrows"], table.schema) as file:
        file.write_table(table, max_chunksize=700)
    pa.feather.write_feather(table, str(paths["t.feather"]), compression="zstd")
    np.save(paths["t.npy"], X)
    return paths


def rows_in(found: dataset.Dataset) -> np.ndarray:
    return np.concatenate([block[0] for _, block in found.rows.blocks()])


# --- formats --------------------------------------------------------------------------------------


def test_every_format_gives_the_same_fit(tmp_path):
    X = data()
    expected = KMeans(5, random_state=0).fit(X)
    for name, path in write(tmp_path, X).items():
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
    expected = KMeans(5, random_state=0).fit(X)
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
    # Of a file with more columns, those of the fit are taken, in their order.
    wider = frame.assign(z=1.0)[["z", *NAMES[::-1]]]
    wider.to_csv(tmp_path / "w.csv", index=False)
    np.testing.assert_array_equal(model.predict(tmp_path / "w.csv"), expected.labels_)


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
    expected = KMeans(4, random_state=0).fit(frame)
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


# --- digits that float32 loses --------------------------------------------------------------------


def bursts() -> np.ndarray:
    """Return Unix times of two bursts, five seconds apart: one value in float32."""
    return 1527007410.0 + np.concatenate([np.arange(20) / 100, 5 + np.arange(20) / 100])


def every_kind(folder: Path, x: np.ndarray) -> list[Any]:
    """Return a column, after one of its ranks, in every kind of source."""
    frame = pd.DataFrame({"rank": np.arange(float(len(x))), "x": x})
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_csv(folder / "t.csv.gz", index=False)
    frame.to_parquet(folder / "t.parquet")
    pa.feather.write_feather(pa.table(frame), str(folder / "t.arrow"))
    return [*sorted(folder.glob("t.*")), [frame], iter([frame[:9], frame[9:]])]


def test_no_digits_are_lost_by_default(tmp_path):
    for source in every_kind(tmp_path, bursts()):
        with open_dataset(source) as found:
            assert found.rows.dtype == np.float64
            np.testing.assert_array_equal(rows_in(found)[:, 1], bursts())
            labels = KMeans(2, random_state=0).fit(rows_in(found)[:, 1:]).labels_
        assert len(set(labels[:20])) == len(set(labels[20:])) == len(set(labels[[0, 39]])) - 1


@pytest.mark.parametrize("standardize", [False, True])
def test_a_column_that_float32_makes_equal_is_named(tmp_path, standardize):
    message = "'x' loses digits as float32: in .*, (40|9) different values become 1;"
    for source in every_kind(tmp_path, bursts()):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            open_dataset(source, dtype="float32", standardize=standardize).close()
        texts = [str(warning.message) for warning in caught if "loses" in str(warning.message)]
        assert len(texts) == 1
        assert re.search(f"{message} dtype='float64' keeps them apart", texts[0])


@pytest.mark.parametrize(
    "x",
    [
        bursts() * 1000.0,
        np.rint(bursts() * 100) * 10**7,
        np.where(np.arange(40) % 9 == 0, np.nan, bursts()),
        np.where(np.arange(40) % 9 == 0, -1.0, bursts()),
        np.array([1.0, 1.0 + 1e-9] * 20),
        2.0**30 + np.arange(40),
        np.concatenate([bursts() + 86400.0 * day for day in range(30)]),
    ],
    ids=["milliseconds", "nanoseconds", "gaps", "a code", "small", "integers", "days"],
)
def test_columns_that_float32_is_too_narrow_for(tmp_path, x):
    pd.DataFrame({"x": x}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(FileWarning, match="'x' loses digits"):
        open_dataset(tmp_path / "t.csv", dtype="float32", missing="drop")


RNG = np.random.default_rng(0)
ORDINARY = {
    "normal": RNG.normal(size=3000),
    "far from zero": 1000 + RNG.random(3000),
    "small": 1e-30 * RNG.random(3000),
    "flags": RNG.integers(0, 2, 3000) * 1.0,
    "years": RNG.integers(1990, 2026, 3000) * 1.0,
    "constant": np.full(3000, 0.1),
    "one value": np.full(3000, 1527007410.0),
    "prices": np.round(RNG.random(3000) * 100, 2),
    "counts": RNG.integers(0, 10**6, 3000) * 1.0,
    "rounding": np.concatenate([np.arange(1500) % 7 * 0.1, np.arange(1500) % 7 / 10]),
    "seconds of a year": 1.5e9 + np.arange(3000) % 999 + np.arange(3000) // 2 * 20000.0,
    "a log, line by line": 1.5e9 + np.arange(90_000.0),
    "gaps": np.where(RNG.random(3000) < 0.5, np.nan, RNG.normal(size=3000)),
    "nearly all zero": np.where(RNG.random(3000) < 0.01, RNG.normal(size=3000), 0.0),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_columns_raise_no_alarm(tmp_path, kind):
    """Warnings are errors."""
    x = ORDINARY[kind]
    pd.DataFrame({"x": x, "one": np.arange(len(x))}).to_parquet(tmp_path / "t.parquet")
    with open_dataset(tmp_path / "t.parquet", dtype="float32", missing="zero") as found:
        assert found.shape == (len(x), 2)


def test_what_is_float32_already_has_no_more_digits(tmp_path):
    np.save(tmp_path / "t.npy", bursts()[:, None].astype(np.float32) * [1, 0] + [[0, 1]])
    open_dataset(tmp_path / "t.npy", dtype="float32").close()


# --- the cache ------------------------------------------------------------------------------------


@pytest.fixture
def parses(monkeypatch) -> list[Path]:
    """Count how often a table is parsed."""
    calls: list[Path] = []
    whole = opening.parse

    def counted(readers: Any, *rest: Any) -> Any:
        calls.append(readers[0].source.path)
        return whole(readers, *rest)

    monkeypatch.setattr(opening, "parse", counted)
    return calls


def csv_file(path: Path, n: int = 200, last: int = 7) -> Path:
    path.write_text("a,b\n" + "".join(f"{i},{i % 9}\n" for i in range(n)) + f"1,{last}\n")
    return path


def test_a_cache_is_used_again_until_something_changes(tmp_path, parses):
    path, keep = csv_file(tmp_path / "t.csv"), tmp_path / "keep"
    first = open_dataset(path, cache=keep)
    again = open_dataset(path, cache=keep)
    assert (first.reused, again.reused, len(parses)) == (False, True, 1)
    np.testing.assert_array_equal(rows_in(again), rows_in(first))
    np.testing.assert_array_equal(again.statistics.variance, first.statistics.variance)
    for options in ({"columns": ["a"]}, {"standardize": True}, {"dtype": "float32"}):
        assert not open_dataset(path, cache=keep, **options).reused
    assert open_dataset(path, cache=keep).reused  # they do not push each other out
    status = path.stat()
    csv_file(path, last=8)  # as large as before
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # and as old
    changed = open_dataset(path, cache=keep)
    assert not changed.reused
    assert rows_in(changed)[-1, 1] == 8
    changed.close()
    assert open_dataset(path, cache=keep).reused


@pytest.mark.skipif(os.name == "nt", reason="there, the time is that of the making")
def test_an_edit_in_the_middle_is_noticed(tmp_path):
    path, keep = csv_file(tmp_path / "t.csv", 50_000), tmp_path / "keep"
    assert open_dataset(path, cache=keep).statistics.maximum[1] == 8
    text, status = path.read_bytes(), path.stat()
    assert len(text) > 3 << 16  # its ends are looked at
    path.write_bytes(text.replace(b"\n25000,7\n", b"\n25000,9\n"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert open_dataset(path, cache=keep).statistics.maximum[1] == 9


def test_a_change_that_is_none_does_not_end_the_parsing(tmp_path):
    path = csv_file(tmp_path / "t.csv")
    found = open_dataset(path, cache=tmp_path / "keep", progress=lambda *_: path.chmod(0o600))
    assert found.shape == (201, 2)


def test_a_cache_keeps_what_is_of_use(tmp_path):
    path, keep = csv_file(tmp_path / "t.csv"), tmp_path / "keep"
    other = open_dataset(csv_file(tmp_path / "other.csv"), cache=keep)
    other.close()
    foreign = keep / "a copy of mine"
    (keep / "notes.txt").write_text("mine")
    folders = []
    for na in "123456":
        with open_dataset(path, cache=keep, na=na, missing="zero") as found:
            folders.append(found.folder)
            if na == "1":
                shutil.copytree(found.folder, foreign)
            if na == "4":
                assert open_dataset(path, cache=keep, na="1", missing="zero").reused
    left = {other.folder, foreign, keep / "notes.txt"}
    assert set(keep.iterdir()) == left | {folders[i] for i in (0, 3, 4, 5)}  # those used last
    with open_dataset(path, cache=keep, na="1", missing="zero") as read:
        csv_file(path, n=300)
        new = open_dataset(path, cache=keep)
        assert set(keep.iterdir()) == left | {read.folder, new.folder}
        assert read.rows.empty((SMALL_STATE, 2), np.int32).shape == (SMALL_STATE, 2)
    new.close()
    folders = [
        open_dataset(path, cache=keep, dtype=dtype).folder for dtype in ("float64", "float32")
    ]
    assert set(keep.iterdir()) == left | {new.folder, *folders}


@pytest.mark.parametrize("when", ["while parsing", "at the end"])
def test_two_that_parse_the_same_share_one_entry(tmp_path, monkeypatch, when):
    path, keep = csv_file(tmp_path / "t.csv"), tmp_path / "keep"
    others = []

    def other(*_: object) -> None:
        if not others:
            others.append(None)
            others.append(open_dataset(path, cache=keep))

    if when == "at the end":
        monkeypatch.setattr(disk, "sync", other)
    found = open_dataset(path, cache=keep, progress=other if when == "while parsing" else None)
    assert found.reused
    assert not others[1].reused
    assert list(keep.iterdir()) == [found.folder] == [others[1].folder]


def test_what_goes_wrong_after_a_table_has_its_place_does_no_harm(tmp_path, monkeypatch):
    path, keep = csv_file(tmp_path / "t.csv"), tmp_path / "keep"

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cache.Entry, "_push_out", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_dataset(path, cache=keep)
    assert open_dataset(path, cache=keep).reused


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "meta.json").unlink(),
        lambda folder: (folder / "meta.json").write_text("{"),
        lambda folder: (folder / "rows.npy").unlink(),
        lambda folder: (folder / "rows.npy").write_bytes((folder / "rows.npy").read_bytes()[:-1]),
        lambda folder: (folder / "meta.json").write_text(
            json.dumps(json.loads((folder / "meta.json").read_text()) | {"version": 0})
        ),
    ],
    ids=["no metadata", "half metadata", "no rows", "rows cut short", "another version"],
)
def test_a_damaged_cache_is_parsed_anew(tmp_path, parses, damage):
    path = csv_file(tmp_path / "t.csv")
    expected = rows_in(open_dataset(path, cache=tmp_path / "keep")).copy()
    damage(next((tmp_path / "keep").iterdir()))
    again = open_dataset(path, cache=tmp_path / "keep")
    assert not again.reused
    np.testing.assert_array_equal(rows_in(again), expected)
    assert open_dataset(path, cache=tmp_path / "keep").reused
    assert len(parses) == 2


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = csv_file(tmp_path / "t.csv")

    def progress(phase: str, done: int, total: int) -> None:
        csv_file(path, n=300)

    with pytest.raises(FileError, match="changed while it was read"):
        open_dataset(path, cache=tmp_path / "keep", progress=progress)
    assert not list((tmp_path / "keep").iterdir())


KILLED = """
import os, signal, sys
from fastkmeans import open_dataset
from fastkmeans._files.readers import csv_blocks
csv_blocks.BLOCK_BYTES = 1000
def progress(phase, done, total):
    if done > total / 2:
        os.kill(os.getpid(), signal.SIGKILL)
open_dataset(sys.argv[1], cache=sys.argv[2], progress=progress)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_while_parsing(tmp_path):
    path, keep = csv_file(tmp_path / "t.csv", 5000), tmp_path / "keep"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(keep)], timeout=60)
    assert done.returncode == -9
    (left,) = keep.iterdir()
    assert left.name.startswith(PREFIX)
    assert (left / "rows.npy").stat().st_size > 1000
    found = open_dataset(path, cache=keep)
    assert not found.reused
    assert found.shape == (5001, 2)
    assert list(keep.iterdir()) == [found.folder]


HELD = """
import os, signal, sys
import numpy as np
from fastkmeans import open_dataset
sources = ["/dev/stdin"] if sys.argv[1] == "pipe" else [np.ones((5, 2)), np.zeros((5, 2))]
found = open_dataset(sources, cache=sys.argv[2] or None)
assert found.folder.parent.samefile(sys.argv[3])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and /dev/stdin")
@pytest.mark.parametrize(("source", "kept"), [("pipe", True), ("arrays", False)])
def test_killed_with_a_table_that_cannot_be_had_again(tmp_path, monkeypatch, source, kept):
    words = [sys.executable, "-c", HELD, source, str(tmp_path) if kept else "", str(tmp_path)]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, input=b"a,b\n1,2\n3,4\n", env=env, timeout=60)
    assert done.returncode == -9
    (left,) = tmp_path.iterdir()
    assert (left / "rows.npy").exists()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_dataset([np.ones((2, 1))], cache=tmp_path if kept else None) as found:
        assert list(tmp_path.iterdir()) == [found.folder]
    assert not list(tmp_path.iterdir())


# --- full disks -----------------------------------------------------------------------------------


def test_a_full_disk_is_noticed_before(tmp_path, monkeypatch):
    path = csv_file(tmp_path / "t.csv", 100_000)
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 20_000)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    written = []
    message = r"keep has 1\.0 MB free, and the parsed table takes about .*cache"
    with pytest.raises(PathError, match=message):
        open_dataset(path, cache=tmp_path / "keep", progress=lambda *at: written.append(at))
    assert not written  # after one block
    assert not list((tmp_path / "keep").iterdir())


@pytest.mark.parametrize("policy", ["error", "mean"])
def test_a_full_disk_on_the_way(tmp_path, policy):
    path = csv_file(tmp_path / "t.csv", 20_000)
    with (
        room_for(50_000),
        pytest.raises(PathError, match="keep could not be written: File too large"),
    ):
        open_dataset(path, cache=tmp_path / "keep", missing=policy)
    assert not list((tmp_path / "keep").iterdir())


def test_a_disk_without_any_room(tmp_path):
    path = csv_file(tmp_path / "t.csv")
    with (
        room_for(100),  # less than the first write takes
        pytest.raises(PathError, match="keep could not be written: File too large"),
    ):
        open_dataset(path, cache=tmp_path / "keep")
    assert not list((tmp_path / "keep").iterdir())


def test_no_room_for_labels(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(600_000.0)[:, None] % 7)
    refusal = pytest.raises(OSError, match="labels and the like could not be kept")
    with open_dataset(tmp_path / "t.npy") as found, room_for(2_000_000), refusal:
        KMeans(2, max_iter=2).fit(found)


# --- memory ---------------------------------------------------------------------------------------

MEMORY = """
import sys, threading, time
import numpy as np
from fastkmeans import KMeans, open_dataset

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

def work(path):
    with open_dataset(path, missing="mean") as found:
        model = KMeans(3, max_iter=3, random_state=0).fit(found)
        model.predict(found)
        return model.labels_

work(sys.argv[1])
before = peak = anonymous()
ended = threading.Event()

def watch():
    global peak
    while not ended.wait(0.002):
        peak = max(peak, anonymous())

thread = threading.Thread(target=watch)
thread.start()
labels = work(sys.argv[2])
ended.set()
thread.join()
print(peak - before, labels.nbytes / 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_does_not_grow_with_the_table(tmp_path):
    n = 12_000_000  # labels alone would take 46 MB, thrice
    np.save(tmp_path / "small.npy", np.arange(300_000, dtype=np.float32)[:, None] % 1000)
    np.save(tmp_path / "large.npy", np.arange(n, dtype=np.float32)[:, None] % 1000)
    program = [sys.executable, "-c", MEMORY, tmp_path / "small.npy", tmp_path / "large.npy"]
    done = subprocess.run(program, timeout=120, capture_output=True, text=True, check=True)
    grown, labels = map(float, done.stdout.split())
    assert labels > 45
    assert grown < 40


def test_state_of_mapped_rows_lies_in_files_without_names(tmp_path):
    np.save(tmp_path / "t.npy", np.ones((4, 1), np.float32))
    rows = MappedRows(np.load(tmp_path / "t.npy", mmap_mode="r"), tmp_path)
    state = rows.empty((SMALL_STATE, 2), np.int32)
    state[:] = 7
    assert isinstance(state.base, np.memmap)
    assert type(state) is np.ndarray
    assert [path.name for path in tmp_path.iterdir()] == ["t.npy"]
    assert rows.empty(10, np.int32).base is None


def test_engines_keep_within_the_room(tmp_path):
    X = np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32)
    np.save(tmp_path / "t.npy", X)
    expected = KMeans(80, random_state=0, max_iter=10).fit(X)
    for limit, avoids in ((None, True), (1 << 20, False)):
        with open_dataset(tmp_path / "t.npy", memory_limit=limit) as found:
            model = KMeans(80, random_state=0, max_iter=10).fit(found)
        np.testing.assert_array_equal(model.labels_, expected.labels_)
        assert (model.history_[-1].avoided > 0) == avoids


@pytest.mark.parametrize("algorithm", ["boxes", "bytes"])
def test_an_engine_beyond_the_limit_is_refused(tmp_path, algorithm):
    X = data(200_000, 2)
    np.save(tmp_path / "t.npy", X)
    start = X[:40].copy()
    model = KMeans(40, init=start, max_iter=2, algorithm=algorithm)
    with open_dataset(tmp_path / "t.npy", memory_limit=301 << 20) as found:
        message = (
            rf"algorithm='{algorithm}' takes \d\.\d MB for .* 200000 rows, and about 314\.6 MB "
            r"besides, which is more than 315\.6 MB, the memory_limit .* use algorithm='auto'"
        )
        with pytest.raises(ValueError, match=message):
            model.fit(found)
        KMeans(40, init=start, max_iter=2).fit(found)
    for limit in (None, 400 << 20):
        with open_dataset(tmp_path / "t.npy", memory_limit=limit) as found:
            assert model.fit(found).history_[-1].avoided > 0.0
    few = X[:1000]
    np.save(tmp_path / "few.npy", few)
    with open_dataset(tmp_path / "few.npy", memory_limit=250 << 20) as found:
        KMeans(2, algorithm=algorithm).fit(found)  # a small table always fits


# --- weights, sample, small parts -----------------------------------------------------------------


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
