"""Missing values in files: policies, columns without values, scaling, and weights."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastkmeans import open_dataset
from fastkmeans._cli.values import names
from fastkmeans._files import FileError, FileWarning
from fastkmeans._files.errors import argument
from tests.helpers.files import rows_in


def with_gaps(n: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(n, 4)) * [1, 100, 0.01, 1] + [0, 7, 0, 1e6])
    table.columns = list("abcd")
    for name in "abc":
        table.loc[rng.random(n) < 0.1, name] = np.nan
    table["w"] = rng.integers(0, 4, n)
    table["e"] = np.nan
    return table


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("policy", ["drop", "mean", "zero"])
def test_policies(opened, small_blocks, policy, standardize, weighted):
    table = with_gaps()
    w = table["w"].to_numpy() if weighted else np.ones(len(table))
    dataset = opened(
        table.to_csv(index=False), missing=policy, standardize=standardize,
        exclude=[] if weighted else ["w"], weight_column="w" if weighted else None,
    )  # fmt: skip
    given = table[list("abcd")].to_numpy()
    gaps = np.isnan(given)
    kept = ~gaps.any(axis=1) if policy == "drop" else np.ones(len(given), bool)
    means = [np.average(x[~g], weights=w[~g]) for x, g in zip(given.T, gaps.T, strict=True)]
    filled = np.where(gaps, means if policy == "mean" else 0.0, given)[kept]
    center = np.average(filled, axis=0, weights=w[kept])
    spread = np.average((filled - center) ** 2, axis=0, weights=w[kept]) ** 0.5
    expected = (filled - center) / spread if standardize else filled
    assert dataset.names == list("abcd")
    assert dataset.empty == ["e"]
    np.testing.assert_allclose(rows_in(dataset), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rows_in(dataset) * dataset.scale + dataset.shift, filled, atol=1e-8)
    assert (dataset.kept is None) == bool(kept.all())
    if dataset.kept is not None:
        np.testing.assert_array_equal(dataset.kept, kept)
    if weighted:
        np.testing.assert_array_equal(dataset.weights, w[kept])
    statistics = dataset.statistics
    there = ~gaps[kept]
    np.testing.assert_array_equal(statistics.n, there.sum(axis=0))
    np.testing.assert_array_equal(statistics.missing, gaps.sum(axis=0))
    for j in range(4):
        x, v = given[kept][there[:, j], j], w[kept][there[:, j]]
        assert statistics.minimum[j] == x.min()
        assert statistics.maximum[j] == x.max()
        np.testing.assert_allclose(statistics.mean[j], np.average(x, weights=v), rtol=1e-12)
        variance = np.average((x - np.average(x, weights=v)) ** 2, weights=v)
        np.testing.assert_allclose(statistics.variance[j], variance, rtol=1e-9)
    np.testing.assert_array_equal(dataset.sample, rows_in(dataset))  # few rows: all of them


@pytest.mark.usefixtures("small_blocks")
def test_a_column_that_begins_late_drops_the_rows_before(opened, refused):
    rows = [f"{i},{'' if i < 1500 else i}," for i in range(2000)]
    text = "a,b,e\n" + "\n".join(rows) + "\n"
    dataset = opened(text, missing="drop")
    assert dataset.names == ["a", "b"]
    assert rows_in(dataset).tolist() == [[i, i] for i in range(1500, 2000)]
    np.testing.assert_array_equal(dataset.kept, np.arange(2000) >= 1500)
    assert dataset.statistics.mean.tolist() == [1749.5, 1749.5]
    np.testing.assert_array_equal(dataset.sample, rows_in(dataset))
    with pytest.raises(FileError, match=r"1500 of 2000 rows lack a value, first row 1 .*'b'"):
        opened(text)


def test_columns_without_values(opened, refused):
    refused("a,b\n1,\n2,\n", "'b'", "no values at all", columns=["a", "b"])
    refused("a\nNA\nNA\n", "no values at all")
    refused("a,b\n1,\n,2\n3,\n", "every row", "--exclude b", "--missing mean", missing="drop")


def test_values_that_mean_missing_are_text(opened):
    assert rows_in(opened("a\nNO\n7\n", na="NO", missing="drop")).tolist() == [[7.0]]
    with pytest.raises(TypeError, match=r"na must hold .* as text: '1', not 1"):
        opened("a\n1\n", na=[1])


# --- columns without a name -----------------------------------------------------------------------


@pytest.mark.parametrize("header", ["a,b,,,", ",a, ,b,", '"",a,"",b,'])
@pytest.mark.parametrize("missing", ["error", "drop", "mean"])
@pytest.mark.usefixtures("small_blocks")
def test_columns_without_name_and_values(opened, header, missing):
    """Spreadsheets write them; several are left out as one is."""
    columns = header.replace('"', "").split(",")
    blank = [f"x{f + 1}" for f, name in enumerate(columns) if not name.strip()]
    numbers = iter(range(2000))
    rows = [[str(next(numbers)) if name.strip() else "" for name in columns] for _ in range(500)]
    text = "\n".join([header, *map(",".join, rows)]) + "\n"
    with opened(text, missing=missing) as dataset:
        assert dataset.names == ["a", "b"]
        assert dataset.empty == blank
        assert rows_in(dataset).ravel().tolist() == list(range(1000))
    with opened(text, missing=missing, exclude=[""]) as dataset:
        assert (dataset.names, dataset.empty) == (["a", "b"], [])
    rows[400][columns.index("a") - 1] = "7.5"  # deep in the file one has a value after all
    text = "\n".join([header, *map(",".join, rows)]) + "\n"
    name = blank[-1] if header.startswith("a") else "x1"
    with opened(text, missing="zero") as dataset:
        assert sorted(dataset.names) == ["a", "b", name]
        assert dataset.statistics.maximum[dataset.names.index(name)] == 7.5


def test_a_place_that_is_a_name_already(opened):
    assert opened("x2,,\n1,,\n2,,\n").names == ["x2"]
    assert opened("x2,,\n1,5,\n2,6,\n").names == ["x2", "x2_"]


@pytest.mark.parametrize("header", ["a,", "a,,"])
def test_a_file_that_lacks_columns_without_a_name(tmp_path, header):
    (tmp_path / "1.csv").write_text(header + "\n1" + header[1:] + "\n")
    (tmp_path / "2.csv").write_text("a\n2\n")
    with pytest.raises(FileError, match="leave it out with exclude='', or") as caught:
        open_dataset(tmp_path)
    assert "--exclude '\"\"', or" in caught.value.in_flags
    assert open_dataset(tmp_path, exclude=[""]).shape == (2, 1)


@pytest.mark.parametrize(
    "name", ["", " ", "plain", "a b", "b,c", 'say "so"', "it's", "-x", "$x", "ü"]
)
def test_advice_can_be_typed(name):
    """The flag with a name, as a message gives it, is read back as that name."""
    advice = FileError(f"try {argument('exclude', name)}").in_flags
    flag, _, words = (
        " ".join(shlex.split(advice)[1:]).replace("=", " ", name == "-x").partition(" ")
    )
    assert (flag, names(words)) == ("--exclude", [name])


# --- scaling --------------------------------------------------------------------------------------


def test_a_constant_column_is_left_unscaled(opened):
    with pytest.warns(FileWarning, match="'b' is constant"):
        dataset = opened("a,b\n1,0.1\n2,0.1\n9,0.1\n", standardize=True)
    assert rows_in(dataset)[:, 1].tolist() == [0.0, 0.0, 0.0]
    assert (dataset.shift[1], dataset.scale[1]) == (0.1, 1.0)


@pytest.mark.parametrize("weight", [0.0, 1e-305, 1.0, 1e303])
@pytest.mark.parametrize("size", [1e-310, 1e-170, 1.0, 1e160, 4e307])
def test_standardize_where_squares_overflow_or_vanish(tmp_path, size, weight):
    """A power of two times a column is standardized into the same numbers."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.uniform(-4, 4, 3000), "b": rng.normal(size=3000)})
    table["w"] = rng.integers(1, 4, 3000)
    table.loc[7, "a"] = np.nan
    options: dict[str, Any] = {"missing": "zero", "standardize": True, "dtype": "float64"}
    options |= {"weight_column": "w"} if weight else {"exclude": ["w"]}
    table.to_parquet(tmp_path / "1.parquet")
    unit = 2.0 ** np.round(np.log2(size))
    table.assign(a=table["a"] * unit, w=table["w"] * weight).to_parquet(tmp_path / "2.parquet")
    expected = open_dataset(tmp_path / "1.parquet", **options)
    with open_dataset(tmp_path / "2.parquet", **options) as found:
        atol = 1e-12 if size > 1e-300 else 1e-8  # subnormal numbers have fewer digits
        np.testing.assert_allclose(rows_in(found), rows_in(expected), atol=atol)
        np.testing.assert_allclose(found.sample, expected.sample, atol=atol)
        np.testing.assert_allclose(found.scale[0] / unit, expected.scale[0], rtol=1e-8)


def test_a_mean_that_overflows_fills_no_gaps(refused, opened):
    text = "a,b\n1e308,1\n1.5e308,2\n1e308,\n,4\n"
    refused(text, "column 'a' add up", missing="mean")
    found = opened(text.replace("\n,4", "\n1e308,4"), missing="mean", standardize=True)
    x = np.array([1.0, 1.5, 1.0, 1.0])
    np.testing.assert_allclose(rows_in(found)[:, 0], (x - x.mean()) / x.std())


# --- weights and ids ------------------------------------------------------------------------------


def test_weights_without_a_sum(refused):
    for values, what in (("0\n0", "are all zero"), ("1e308\n1e308", "more than float64 holds")):
        text = "a,w\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values.split("\n")))
        for policy in ("error", "drop"):
            refused(text, "data.csv", "column 'w'", what, weight_column="w", missing=policy)


def test_one_column_for_ids_and_weights(refused):
    message = "column 'w' is named in both --id and --weight: keep one"
    refused("a,w\n1,2\n", message, weight_column="w", id_column="w")


def test_text_among_weights(refused):
    for columns in (None, ["a"]):
        text = refused("a,w\n1,x\n", "'w' is not numeric", weight_column="w", columns=columns)
        assert ". If the value stands for a missing one" in text
    text = refused("a,b\n1,x\n", columns=["a", "b"])
    assert "Leave the column out of columns, or, if the value stands" in text
