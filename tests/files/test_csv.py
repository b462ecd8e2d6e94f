"""CSV in files: what is read, and how mistakes and rows that cannot be read are reported."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fastkmeans import open_dataset
from fastkmeans._files import FileError, FileWarning, PathError
from fastkmeans._files.readers import csv_blocks
from fastkmeans._files.readers.csv_blocks import Lines, rows_of
from tests.helpers.files import rows_in

ENDINGS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}


def frame(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Return columns of numbers, names with what CSV must quote, and a column of ids."""
    rng = np.random.default_rng(seed)
    texts = ["plain", 'say "so"', "two\nlines", "a,b", "", "  ", '"', "ü"]
    return pd.DataFrame(
        {
            "id": [f"{i}:{texts[i % len(texts)]}" for i in range(n)],
            "a": rng.normal(size=n) * 10.0 ** rng.integers(-8, 8, n),
            "t": [texts[i] for i in rng.integers(0, len(texts), n)],
            "b,c": rng.integers(-(10**6), 10**6, n),
            "d": np.round(rng.normal(size=n), 3),
        }
    )


@pytest.mark.parametrize("pack", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("block_bytes", [50, 777, 1 << 21])
def test_rows_are_those_that_pandas_wrote(opened, monkeypatch, pack, ending, block_bytes):
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", block_bytes)
    table = frame(100 if block_bytes == 50 else 400)
    quoting = csv.QUOTE_NONNUMERIC if ending == "CR" else csv.QUOTE_MINIMAL
    text = table.to_csv(index=False, lineterminator=ENDINGS[ending], quoting=quoting)
    data = text.encode()
    if pack == "gzip":
        data = gzip.compress(data)
    elif pack == "zstd":
        data = pa.compress(data, "zstd", asbytes=True)
    dataset = opened(data, id_column="id")
    assert dataset.names == ["a", "b,c", "d"]
    assert list(dataset.text) == ["t"]
    np.testing.assert_array_equal(rows_in(dataset), table[dataset.names])
    assert [i for ids in dataset.id_batches() for i in ids.to_pylist()] == list(table["id"])
    assert dataset.kept is None
    assert dataset.n_source_rows == len(table)


@pytest.mark.parametrize("seed", range(40))
def test_blocks_never_cut_a_row(seed):
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(list('a,"\n\r '), 300, p=[0.3, 0.2, 0.2, 0.15, 0.05, 0.1]))
    lines, whole, rest = Lines(","), [], b""
    data, at = text.encode(), 0
    while at < len(data):
        size = int(rng.integers(1, 40))
        piece = data[at : at + size]
        at += size
        if end := lines.last_end(piece):
            whole.append(rest + piece[:end])
            rest = b""
        rest += piece[end:]
    whole.append(rest)
    apart = [row.fields for block in whole for row in rows_of(block.decode(), ",")]
    together = [row.fields for row in rows_of(text, ",")]
    assert (
        apart
        == together
        == [fields for fields in csv.reader(io.StringIO(text, newline="")) if fields]
    )


def test_float32_is_rounded_once(opened):
    # Halfway between two float32 but for the last digit: by way of float64 it would go wrong.
    text = "a\n1.00000017881393432617187499\n1.00000017881393432617187501\n"
    expected = [np.float32(1) + np.float32(2**-23), np.float32(1) + np.float32(2**-22)]
    assert rows_in(opened(text, dtype="float32")).ravel().tolist() == expected


SEPARATOR_LINES = ["sep={}", '"sep={}"', "SEP={}", "sep={0}{0}{0}", '"sep={0}"{0}{0}']


@pytest.mark.parametrize("block_bytes", [7, 1 << 21])
@pytest.mark.parametrize("first", SEPARATOR_LINES)
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("given", [",", ";"])
def test_a_first_line_names_the_delimiter(
    opened, monkeypatch, delimiter, first, given, block_bytes
):
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", block_bytes)
    rows = ["a,t,b", '1,"x,y",2', '3,"u\nv",4']
    text = first.format(delimiter) + "\n" + "\n".join(rows).replace(",", delimiter) + "\n"
    found = opened(text, delimiter=given, bad_rows="skip", exclude=["t"])
    assert (found.names, found.n_skipped, rows_in(found).tolist()) == (
        ["a", "b"],
        0,
        [[1.0, 2.0], [3.0, 4.0]],
    )


@pytest.mark.parametrize("kind", ["BOM", "utf-16", "CR", "CRLF", "gzip", "pipe", "files", "data"])
def test_a_line_that_names_the_delimiter_counts_as_a_line(tmp_path, kind):
    """Rows that cannot be read stand where an editor shows them."""
    path, options = tmp_path / "2.csv", {"encoding": "utf-16"} if kind == "utf-16" else {}
    text = "sep=;\na;b\n1;2\n3;4;5\n6;x\n"
    if kind in ENDINGS:
        text = text.replace("\n", ENDINGS[kind])
    if kind == "data":
        text, options = text.replace("a;b\n", "0;9\n"), {"header": False}
    data = text.encode({"BOM": "utf-8-sig", "utf-16": "utf-16"}.get(kind, "utf-8"))
    expected = [[1.0, 2.0]]
    if kind == "files":
        (tmp_path / "1.csv").write_text("a,b\n7,8\n7,8\n7,8\n")
        expected = [[7.0, 8.0]] * 3 + expected
    source: Any = tmp_path if kind == "files" else path
    if kind == "pipe":
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=(data,), daemon=True).start()
    else:
        path.write_bytes(gzip.compress(data) if kind == "gzip" else data)
    with open_dataset(source, bad_rows="skip", **options) as found:
        places = [row.place for row in found.skipped]
        before = 1 if kind == "data" else 0
        assert rows_in(found)[before:].tolist() == expected
    assert places == [f"row {2 + before} (line 4)", f"row {3 + before} (line 5)"]


def test_a_first_line_that_names_no_delimiter(refused, opened):
    for line in ("sep=", '"sep="', "sep=§", 'sep="'):
        refused(f"{line}\na;b\n1;2\n", "data.csv: the first line is", "name the delimiter")
    text = "sep=,\na,b\n1,2\n"
    refused(text, "names the delimiter ','", "--decimal", decimal=",", delimiter=";")
    refused("sep=;\na;b\n", "header (line 2)", "no rows")
    refused("sep=;\n", "is empty")
    for name in ("sep=x", "sep=;b", "sep", "asep=;"):  # these are columns
        assert opened(f"{name}\n1\n2\n").names == [name]


def test_no_header_decimal_comma_and_encoding(opened):
    dataset = opened("1,5;x\n2;ü\n\n3,25;z\n".encode("utf-16"), header=False, delimiter=";",
                     decimal=",", encoding="utf-16", id_column="x2")  # fmt: skip
    assert dataset.names == ["x1"]
    assert rows_in(dataset).ravel().tolist() == [1.5, 2.0, 3.25]
    assert next(dataset.id_batches()).to_pylist() == ["x", "ü", "z"]


def test_several_files_and_a_folder_match_columns_by_name(tmp_path):
    (tmp_path / "2.csv").write_text("b,t,a\n20,x,2\n")
    (tmp_path / "1.csv").write_text("a,b\n1,10\n")
    (tmp_path / "_log.csv").write_text("no table")
    (tmp_path / "notes.md").write_text("no table")
    for sources in (tmp_path, [tmp_path / "1.csv", str(tmp_path / "2.csv")]):
        with open_dataset(sources) as dataset:
            assert rows_in(dataset).tolist() == [[1, 10], [2, 20]]
    (tmp_path / "3.csv").write_text("a\n1\n")
    with pytest.raises(FileError, match=r"3\.csv has no columns 'b'.*1\.csv has one"):
        open_dataset(tmp_path)


# --- mistakes -------------------------------------------------------------------------------------


def deep(bad: str, n: int = 3000) -> str:
    rows = [f"{i},{i % 7}.5,{i % 5}" for i in range(n)]
    rows[2000] = bad
    return "id,a,b\n" + "\n".join(rows) + "\n"


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("bad", "parts"),
    [
        ("2000,1", ["2 values", "names 3", "'b'", "'2000,1'", "--bad-rows skip"]),
        ("2000,1,2,9", ["4 values", "names 3", "'9'", "--delimiter"]),
        ('2000,"1,2', ["never closed"]),
        ("2000,oops,2", ["'a'", "'oops'", "--na oops"]),
        ("2000,1_0,2", ["'a'", "'1_0'"]),
        ("2000,-inf,2", ["'a'", "infinite", "--exclude a"]),
        ("2000,,2", ["1 of 3000 rows", "'a'", "a 1", "--missing drop", "--missing mean"]),
    ],
    ids=["short", "long", "open quote", "text", "underscore", "infinite", "gap"],
)  # fmt: skip
def test_broken_rows_are_placed(refused, bad, parts):
    place = "row 2001 (line 2002)"
    message = refused(deep(bad), "data.csv", place, *parts, columns=["a", "b"])
    assert "--" not in message  # the library speaks of arguments


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_text_deep_in_a_column_that_nobody_asked_for(opened, small_blocks, suffix):
    data = deep("2000,oops,2").encode()
    data = gzip.compress(data) if suffix == "csv.gz" else data
    with pytest.warns(
        FileWarning, match=r"'a': row 2001 \(line 2002\) of .*data\.csv.* holds 'oops'.*na='oops'"
    ):
        dataset = opened(data, name=f"data.{suffix}", exclude=["id"])
    assert dataset.names == ["b"]
    assert rows_in(dataset).ravel().tolist() == [2 if i == 2000 else i % 5 for i in range(3000)]


@pytest.mark.parametrize("row", [1, 2, 1500])
@pytest.mark.parametrize("bad", ["text", "gap", "short", "infinite", "weight"])
def test_messages_with_a_row_name_its_file(tmp_path, bad, row):
    """The second of two files of one table holds the fault."""
    fault = {"text": "x,1", "gap": ",1", "short": "1", "infinite": "inf,1", "weight": "1,-1"}[bad]
    rows = ["1,1", "2,1"] * 1000
    (tmp_path / "1.csv").write_text("\n".join(["a,b", *rows]) + "\n")
    rows[row - 1] = fault
    (tmp_path / "2.csv").write_text("\n".join(["a,b", *rows]) + "\n")
    weight = {"weight_column": "b"} if bad == "weight" else {}
    place = rf"row {row} \(line {row + 1}\)"
    if bad == "text":
        with pytest.warns(FileWarning, match=rf"'a': {place} of .*2\.csv holds 'x'"):
            assert open_dataset(tmp_path).names == ["b"]
        return
    with pytest.raises(FileError) as caught:
        open_dataset(tmp_path, **weight)
    assert re.search(place, str(caught.value))
    assert "2.csv" in str(caught.value)
    if bad in ("short", "infinite"):
        with open_dataset(tmp_path, bad_rows="skip") as dataset:
            assert [Path(skipped.file).name for skipped in dataset.skipped] == ["2.csv"]


def test_text_by_its_type_in_a_second_file(tmp_path):
    pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]}).to_parquet(tmp_path / "2.parquet")
    with pytest.warns(FileWarning, match=r"'a': row 1 .* of .*2\.parquet holds 'x'") as caught:
        assert open_dataset(tmp_path).names == ["b"]
    assert "na=" not in str(caught[0].message)  # which reads text of CSV only
    with pytest.raises(FileError, match=r"'a' is not numeric: row 1 .* holds 'x'\. Leave") as error:
        open_dataset(tmp_path / "2.parquet", columns=["a"])
    assert "na=" not in str(error.value)


def test_other_mistakes(refused, tmp_path):
    refused("", "is empty")
    refused("a,b\n", "header (line 1)", "no rows")
    refused("a\n1\n", "'c'", "--id", id_column="c")
    refused("a,w\n1,x\n", "'w' is not numeric", weight_column="w")
    refused("a,w\n1,1\n1,-2\n", "'w'", "-2", "row 2 (line 3)", weight_column="w")
    refused(
        "a,w\n1,1\n1,\n", "'w'", "no value", "--missing drop", weight_column="w", missing="mean"
    )
    refused("a;b\n1;2\n", "--delimiter ';'")
    refused("a;b\n1;2\n", "--decimal", "--delimiter", delimiter=",", decimal=",")
    refused(b"BZh91AY", "bzip2")
    refused(gzip.compress(b"a\n" + b"1\n" * 9999)[:40], "damaged or incomplete")
    with pytest.raises(PathError, match=r"no\.csv does not exist") as caught:
        open_dataset(tmp_path / "no.csv")
    assert isinstance(caught.value, OSError)
    with pytest.raises(PathError, match="folder without a table"):
        open_dataset(tmp_path / "cache")
    with pytest.raises(ValueError, match="missing must be one of"):
        open_dataset(tmp_path, missing="guess")
    with pytest.raises(TypeError, match="columns must be a list"):
        open_dataset(tmp_path, columns="a")


def test_pyarrow_is_an_extra(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("a\n1\n")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"fastkmeans-numba\[csv\]"):
        open_dataset(tmp_path / "a.csv")
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    assert open_dataset(tmp_path / "a.npy").shape == (3, 2)


# --- rows that cannot be read ---------------------------------------------------------------------


@pytest.mark.parametrize("block_bytes", [60, 1 << 21])
def test_bad_rows_are_skipped_and_logged(opened, monkeypatch, block_bytes):
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", block_bytes)
    good = [f"{i},{i}.5,{i}" for i in range(100)]
    bad = {3: "3,oops,3", 50: "50,1", 51: "51,1,2,3", 77: "77,1,inf", 99: '"9\n9",1,x'}
    lines = [bad.get(i, row) for i, row in enumerate(good)]
    text = "id,a,b\n" + "\n".join(lines) + "\n"
    dataset = opened(text, id_column="id", bad_rows="skip", columns=["a", "b"])
    left = [i for i in range(100) if i not in bad]
    assert rows_in(dataset).tolist() == [[i + 0.5, i] for i in left]
    assert np.flatnonzero(dataset.kept).tolist() == left
    assert dataset.n_source_rows == 100
    ids = [i for batch in dataset.id_batches() for i in batch.to_pylist()]
    ragged = {50, 51}
    assert ids == [None if i in ragged else "9\n9" if i == 99 else str(i) for i in range(100)]
    log = list(dataset.skipped)
    assert dataset.n_skipped == len(log) == 5
    assert [row.place for row in log] == [f"row {i + 1} (line {i + 2})" for i in bad]
    for row, why in zip(log, ["'oops'", "2 values", "4 values", "infinite", "'x'"], strict=True):
        assert why in row.reason
    assert log[1].text == "50,1"


def test_a_column_of_text_is_no_column_of_bad_rows(opened, refused):
    text = "t,a\n" + "".join(f"x{i},{i}\n" for i in range(50)) + "1,?\n"
    dataset = opened(text, bad_rows="skip")
    assert dataset.names == ["a"]
    assert dataset.n_skipped == 1
    dataset.close()


def test_every_row_is_bad(opened):
    with pytest.raises(FileError, match="not one row can be read"):
        opened("a,b\n1\n2\n", bad_rows="skip")
