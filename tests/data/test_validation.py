"""Bad input: the message names the argument, the first offending row and column."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans, k_means, kmeans_plusplus

Array = NDArray[Any]

GOOD = np.arange(24.0).reshape(8, 3) ** 1.5

# Every way by which X reaches the library.
ENTRIES: dict[str, Callable[[Any], Any]] = {
    "fit": lambda X: KMeans(2).fit(X),
    "predict": lambda X: KMeans(2).fit(GOOD).predict(X),
    "transform": lambda X: KMeans(2).fit(GOOD).transform(X),
    "score": lambda X: KMeans(2).fit(GOOD).score(X),
    "k_means": lambda X: k_means(X, 2),
    "kmeans_plusplus": lambda X: kmeans_plusplus(X, 2),
}
each_entry = pytest.mark.parametrize("entry", ENTRIES)


def with_value(value: Any, row: int = 5, column: int = 1, dtype: Any = np.float64) -> Array:
    X = GOOD.astype(dtype)
    X[row, column] = value
    return X


def masked() -> Any:
    X = np.ma.array(GOOD, mask=np.zeros(GOOD.shape, bool))
    X[4, 2] = np.ma.masked
    return X


class Object:
    def __repr__(self) -> str:
        return "<an object>"


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "nan": (with_value(np.nan), ValueError, "Input X contains NaN at row 5, column 1"),
    "nan, float32": (with_value(np.nan, dtype="f4"), ValueError, "X contains NaN at row 5, column"),
    "nan, float16": (with_value(np.nan, dtype="f2"), ValueError, "X contains NaN at row 5, column"),
    "inf": (with_value(np.inf), ValueError, "Input X contains infinity at row 5, column 1"),
    "-inf": (with_value(-np.inf), ValueError, "Input X contains infinity at row 5, column 1"),
    "nan, list": (with_value(np.nan).tolist(), ValueError, "X contains NaN at row 5, column 1"),
    "None": ([[1.0, 2, 3], [4, None, 6]], (TypeError, ValueError), "row 1, column 1"),
    "nan, Fortran": (np.asfortranarray(with_value(np.nan)), ValueError, "NaN at row 5, column 1"),
    "nan, big-endian": (with_value(np.nan).astype(">f8"), ValueError, "NaN at row 5, column 1"),
    "text": ([["a", "b", "c"], ["d", "e", "f"]], ValueError, "X holds text.*'a'.*numeric columns"),
    "bytes": (np.array([[b"a", b"b", b"c"]]), ValueError, "X holds text"),
    "text in objects": (
        with_value("n/a", dtype=object), ValueError, "X holds 'n/a' at row 5, column 1"
    ),
    "objects": (with_value(Object(), dtype=object), TypeError, "<an object> at row 5, column 1"),
    "a dict": ([[1.0, {}, 2.0]], TypeError, "X holds {} at row 0, column 1"),
    "complex": (GOOD + 1j, ValueError, "Complex data not supported: X has dtype complex128"),
    "complex objects": (
        with_value(2j, dtype=object), ValueError, "X holds 2j at row 5, column 1"
    ),
    "dates": (GOOD.astype("M8[s]"), ValueError, r"X holds dtype datetime64\[s\]"),
    "durations": (GOOD.astype("m8[s]"), ValueError, r"X holds dtype timedelta64\[s\]"),
    "records": (np.zeros((4, 3), "f8,f8"), ValueError, "X holds dtype"),
    "ragged": ([[1.0, 2, 3], [4, 5, 6], [7, 8]], ValueError, "ragged: row 0 has 3.*row 2 has 2"),
    "ragged, a number": ([[1.0, 2, 3], 4.0], ValueError, "ragged"),
    "0-D": (3.0, ValueError, "Expected 2D array, got 0D"),
    "1-D": (GOOD[0], ValueError, r"Expected 2D array, got 1D.*X has shape \(3,\).*Reshape your"),
    "1-D list": ([1.0, 2.0], ValueError, "Reshape your data"),
    "3-D": (GOOD[None], ValueError, r"Expected 2D array, got 3D.*X has shape \(1, 8, 3\)"),
    "nothing": (None, (TypeError, ValueError), "X"),
    "text itself": ("GOOD", ValueError, "X"),
    "no rows": (GOOD[:0], ValueError, r"0 sample\(s\).*X is empty"),
    "no columns": (GOOD[:, :0], ValueError, r"0 feature\(s\).*X is empty"),
    "empty list": ([], ValueError, "X"),
    "empty rows": ([[], []], ValueError, r"0 feature\(s\).*X is empty"),
    "masked": (masked(), ValueError, "X has masked values, the first at row 4, column 2"),
    "masked rows": (list(masked()), ValueError, r"X\[4\] has masked values, .* at position 2"),
    "pandas, nan": (
        pd.DataFrame(with_value(np.nan), columns=["a", "b", "c"]), ValueError,
        "X contains NaN at row 5, column 'b'",
    ),
    "pandas, nullable": (
        pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [1.5, 2.0], "c": [0, 1]}), ValueError,
        "X contains NaN at row 1, column 'a'",
    ),
    "pandas, text": (
        pd.DataFrame({"a": [1.0, 2.0], "b": ["1", "x y"], "c": [0, 1]}), ValueError,
        "X has a column 'b' of type .* with 'x y' at row 1",
    ),
    "pandas, categorical": (
        pd.DataFrame({"a": [1.0, 2.0], "b": pd.Categorical(["u", "v"]), "c": 1}), ValueError,
        "X has a column 'b' of type category with 'u' at row 0",
    ),
    "pandas, dates": (
        pd.DataFrame({"a": [1.0], "b": [pd.Timestamp(2020, 1, 1)], "c": 1}), ValueError,
        "X has a column 'b' of type datetime64",
    ),
    "pandas, durations": (
        pd.DataFrame({"a": [1.0], "b": [pd.Timedelta(1, "s")], "c": 1}), ValueError,
        "X has a column 'b' of type timedelta64",
    ),
    "pandas, no rows": (
        pd.DataFrame({"a": [], "b": [], "c": []}, dtype=float), ValueError, "X is empty"
    ),
    "pandas, no columns": (pd.DataFrame(index=range(3)), ValueError, "X is empty"),
    "pandas, series": (pd.Series([1.0, 2.0]), ValueError, "Expected 2D array, got 1D"),
    "polars, null": (
        pl.DataFrame({"a": [1.0, 2.0], "b": [3, None], "c": [0, 1]}), ValueError,
        "X contains NaN at row 1, column 'b'",
    ),
    "polars, text": (
        pl.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": [0, 1]}), ValueError,
        "X has a column 'b' of type String with 'x' at row 0",
    ),
    "polars, dates": (
        pl.DataFrame({"a": [1.0], "b": [datetime.date(2020, 1, 1)], "c": [0]}), ValueError,
        "X has a column 'b' of type Date",
    ),
    "pyarrow, null": (
        pa.table({"a": [1.0, 2.0], "b": pa.array([None, 3]), "c": [0, 1]}), ValueError,
        "X contains NaN at row 0, column 'b'",
    ),
    "pyarrow, text": (
        pa.table({"a": [1.0, 2.0], "b": ["1", "y"], "c": [0, 1]}), ValueError,
        "X has a column 'b' of type string with 'y' at row 1",
    ),
    "pyarrow, dates": (
        pa.table({"a": [1.0], "b": [datetime.datetime(2020, 1, 1)], "c": [0]}), ValueError,
        "X has a column 'b' of type timestamp",
    ),
}  # fmt: skip


@each_entry
@pytest.mark.parametrize("case", BAD)
@pytest.mark.filterwarnings("ignore:X .*feature names")  # the cases are unlike GOOD on purpose
def test_bad_x(case: str, entry: str) -> None:
    X, error, message = BAD[case]
    with pytest.raises(error, match=f"(?s){message}"):
        ENTRIES[entry](X)


@each_entry
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", object])
def test_the_first_offending_value_is_named(entry: str, dtype: Any) -> None:
    """By rows, then columns, also far down, where blocks and threads have shared the rows."""
    X = np.ones((70_001, 3)).astype(dtype)
    X[69_990, 2] = X[69_991, 0] = X[70_000, 1] = np.nan
    with pytest.raises(ValueError, match="NaN at row 69990, column 2"):
        ENTRIES[entry](X)
    X[40_000, 1], X[40_000, 2] = np.inf, np.nan
    with pytest.raises(ValueError, match="infinity at row 40000, column 1"):
        ENTRIES[entry](X)


def test_what_is_too_large_for_the_precision_is_no_surprise() -> None:
    """The largest numbers are numbers: they are clustered, not refused."""
    for dtype in (np.float32, np.float64):
        size = np.finfo(dtype).max
        X = np.array([[size], [size * dtype(0.5)], [-size], [-size * dtype(0.5)]])
        model = KMeans(2, init=X[[0, 2]]).fit(X)
        assert model.labels_.tolist() == [0, 0, 1, 1]
        assert np.isfinite(model.cluster_centers_).all()
    big = [[10**400, 1.0], [2.0, 3.0]]
    with pytest.raises((ValueError, OverflowError), match="X"):
        KMeans(2).fit(big)


@pytest.mark.parametrize("n_features", [1, 2, 4])
def test_wrong_width(n_features: int) -> None:
    model = KMeans(2).fit(GOOD)
    X = np.ones((5, n_features))
    message = f"X has {n_features} features, but KMeans is expecting 3 features as input"
    for method in (model.predict, model.transform, model.score):
        with pytest.raises(ValueError, match=message):
            method(X)
    with pytest.raises(ValueError, match=r"initial centers \(2, \d\) does not match.*features"):
        KMeans(2, init=X[:2]).fit(GOOD)


def test_more_clusters_than_rows() -> None:
    message = "n_samples=8 should be >= n_clusters=9"
    for call in (
        lambda: KMeans(9).fit(GOOD),
        lambda: KMeans(9, init=np.zeros((9, 3))).fit(GOOD),
        lambda: k_means(GOOD, 9),
        lambda: kmeans_plusplus(GOOD, 9),
    ):
        with pytest.raises(ValueError, match=message):
            call()


WEIGHTS: dict[str, tuple[Any, str]] = {
    "too few": (np.ones(7), r"sample_weight.shape == \(7,\), expected \(8,\)"),
    "too many": (np.ones(9), r"sample_weight.shape == \(9,\), expected \(8,\)"),
    "2-D": (np.ones((8, 1)), r"sample_weight.shape == \(8, 1\)"),
    "negative": ([1, 1, 1, -2.0, 1, 1, -1, 1], r"sample_weight holds .*-2.0.* at row 3"),
    "nan": ([1, 1, 1, 1, 1, 1, np.nan, 1], "sample_weight holds .*nan.* at row 6"),
    "inf": ([np.inf] + [1] * 7, "sample_weight holds .*inf.* at row 0"),
    "all zero": (np.zeros(8), "sample_weight is zero for every row"),
    "zero": (0.0, "sample_weight is zero for every row"),
    "text": (["a"] * 8, "sample_weight must hold one number per row"),
    "a word": ("balanced", "sample_weight"),
    "None inside": ([None] * 8, "sample_weight"),
    "complex": (np.full(8, 1j), "sample_weight"),
    "too large a sum": (np.full(8, 1e308), "sample_weight adds up to more"),
    "durations": (
        np.arange(8).astype("m8[s]"), "sample_weight holds 0 seconds at row 0, a date or duration"
    ),
    "dates": (
        pd.Series(pd.date_range("2020", periods=8)), "sample_weight holds 2020-01-01T.* at row 0"
    ),
    "durations, polars": (
        pl.Series([datetime.timedelta(days=1)] * 8), "sample_weight holds .* at row 0, a date"
    ),
    "a duration in objects": (
        np.array([1.0] * 7 + [np.timedelta64(5, "s")], object),
        "sample_weight holds 5 seconds at row 7",
    ),
    "a duration": (np.timedelta64(5, "s"), "sample_weight holds 5 seconds at row 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", WEIGHTS)
def test_bad_weights(case: str) -> None:
    weights, message = WEIGHTS[case]
    model = KMeans(2).fit(GOOD)
    for call in (
        lambda: KMeans(2).fit(GOOD, sample_weight=weights),
        lambda: KMeans(2).fit_predict(GOOD, sample_weight=weights),
        lambda: model.score(GOOD, sample_weight=weights),
        lambda: kmeans_plusplus(GOOD, 2, sample_weight=weights),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()


@pytest.mark.parametrize("case", [case for case in WEIGHTS if case.startswith(("dat", "a dur"))])
def test_weights_in_time_are_of_the_wrong_type(case: str) -> None:
    with pytest.raises(TypeError, match="a date or duration"):
        KMeans(2).fit(GOOD, sample_weight=WEIGHTS[case][0])


@pytest.mark.parametrize(
    ("call", "plain"),
    [
        (lambda: KMeans(2).fit(GOOD, sample_weight=-np.ones(8)), " -1.0 at row 0"),
        (lambda: KMeans(np.float64(2.5)).fit(GOOD), "got 2.5."),
        (lambda: KMeans(2, tol=np.bool_(True)).fit(GOOD), "got True."),
        (lambda: KMeans(2, random_state=np.int64(-1)).fit(GOOD), "got -1."),
        (lambda: KMeans(2).fit(GOOD.astype("M8[s]")), "is 1970-01-01T00:00:00;"),
        (lambda: KMeans(2).fit(np.full((2, 2), "x")), "is 'x';"),
        (lambda: KMeans(2).fit(with_value(np.str_("x"), dtype=object)), "holds 'x' at row 5"),
        (
            lambda: KMeans(2).fit(pd.DataFrame({"a": pd.to_datetime(["2020"] * 2)})),
            "with 2020-01-01T",
        ),
    ],
)
def test_messages_show_plain_values(call: Callable[[], Any], plain: str) -> None:
    """As ``-1.0``, not as ``np.float64(-1.0)``."""
    with pytest.raises((ValueError, TypeError), match=re.escape(plain)) as caught:
        call()
    assert "np." not in str(caught.value).replace("np.timedelta64", "")


@pytest.mark.parametrize(
    "make",
    [list, tuple, pd.Series, pl.Series, pa.array, np.asarray, lambda w: np.asarray(w, ">f4")],
)
def test_good_weights_in_any_container(make: Callable[[Any], Any]) -> None:
    weights = [1.0, 2, 0, 4, 0.5, 1, 3, 2]
    expected = KMeans(2, init=GOOD[:2]).fit(GOOD, sample_weight=np.array(weights))
    model = KMeans(2, init=GOOD[:2]).fit(GOOD, sample_weight=make(weights))
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)


def test_numbers_in_objects_are_numbers() -> None:
    X = GOOD.astype(object)
    X[0, 0], X[1, 1], X[2, 2] = Fraction(1, 4), True, np.float32(0.5)
    expected = KMeans(2, init=GOOD[:2]).fit(X.astype(float))
    model = KMeans(2, init=GOOD[:2]).fit(X)
    np.testing.assert_array_equal(model.labels_, expected.labels_)


def test_an_unmasked_masked_array_is_an_array() -> None:
    model = KMeans(2, init=GOOD[:2]).fit(np.ma.array(GOOD))
    expected = KMeans(2, init=GOOD[:2]).fit(GOOD)
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    assert type(model.cluster_centers_) is np.ndarray


def test_a_failed_fit_changes_nothing() -> None:
    X = with_value(np.nan)
    before = X.copy()
    model = KMeans(2)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X)
    np.testing.assert_array_equal(X, before)
    assert set(vars(model)) == set(vars(KMeans(2)))
