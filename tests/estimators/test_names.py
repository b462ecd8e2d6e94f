"""Hard names of the columns of data frames: matched as they are, kept in model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fastkmeans import KMeans, MiniBatchKMeans, open_dataset
from tests.helpers.names import HARD_NAMES, is_clean

SURROGATES = ["\ud800", "\udcff"]
NAMES = {
    "pandas": HARD_NAMES + SURROGATES,
    "polars": [name for name in HARD_NAMES if name],  # polars names what has no name
}
MAKE: dict[str, Any] = {
    "pandas": lambda X, names: pd.DataFrame(
        X, columns=pd.Index(names, dtype=object, tupleize_cols=False)
    ),
    "polars": lambda X, names: pl.DataFrame(X, schema=names),
}


@pytest.fixture(params=list(MAKE))
def kind(request: Any) -> str:
    return str(request.param)


def values(d: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(30, d))


def test_names_are_kept(kind: str, tmp_path: Path) -> None:
    names = NAMES[kind]
    X = values(len(names))
    table, model = MAKE[kind](X, names), KMeans(3, init=X[:3], max_iter=3)
    labels = model.fit(X).labels_
    model.fit(table).save(tmp_path / "m")
    for own in (model, KMeans.load(tmp_path / "m")):
        assert list(own.feature_names_in_) == names
        np.testing.assert_array_equal(own.predict(table), labels)
        assert own.set_output(transform="pandas").transform(table).shape == (30, 3)
    batches = MiniBatchKMeans(3, init=X[:3]).partial_fit(table)
    assert list(batches.feature_names_in_) == names
    with open_dataset([table, table]) as dataset:
        assert dataset.names == names


def test_errors_about_names(kind: str) -> None:
    names = NAMES[kind]
    X = values(len(names))
    model = KMeans(3, init=X[:3], max_iter=1).fit(MAKE[kind](X, names))
    with pytest.raises(ValueError, match="in the same order"):
        model.predict(MAKE[kind](X[:, ::-1], names[::-1]))
    for f in range(len(names)):
        other = [*names[:f], "other", *names[f + 1 :]]
        with pytest.raises(ValueError, match="yet now missing:\n- ") as caught:
            model.predict(MAKE[kind](X, other))
        assert is_clean(str(caught.value))
        assert len(str(caught.value)) < 1000
        bad = X[:4].copy()
        bad[1, f] = np.nan
        with pytest.raises(ValueError, match=r"NaN at row 1, column ['\"]") as caught:
            KMeans(2).fit(MAKE[kind](bad, names))
        assert is_clean(str(caught.value))
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("odd", [None, 0, 1.5, float("nan"), b"a", ("a", "b"), pd.Timestamp(0)])
def test_names_of_several_types_are_refused(odd: Any) -> None:
    X = values(3)
    with pytest.raises(TypeError, match="all input features have string names"):
        KMeans(2).fit(
            pd.DataFrame(X, columns=pd.Index([odd, "p", "q"], dtype=object, tupleize_cols=False))
        )


@pytest.mark.parametrize(
    "names", [[0, 1, 2], [None, None, None], [("a", "b"), ("a", "c"), ("b", "c")]]
)
def test_names_that_are_no_text_count_by_place(names: Any) -> None:
    X = values(3)
    model = KMeans(2, init=X[:2]).fit(MAKE["pandas"](X, names))
    assert not hasattr(model, "feature_names_in_")
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_equal_names_count_by_place_or_are_refused(tmp_path: Path) -> None:
    X = values(3)
    table = MAKE["pandas"](X, ["p", "p", "q"])
    model = KMeans(2, init=X[:2]).fit(table)
    np.testing.assert_array_equal(model.predict(table), KMeans(2, init=X[:2]).fit(X).labels_)
    table.to_csv(tmp_path / "t.csv", index=False)
    for use in (lambda: open_dataset([table, table]), lambda: model.predict(tmp_path / "t.csv")):
        with pytest.raises(ValueError, match="2 columns are named 'p'"):
            use()
