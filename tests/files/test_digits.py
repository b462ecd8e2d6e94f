"""Columns that float32 cannot hold: what is read by default, and what is warned of."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from fastkmeans import KMeans, open_dataset
from fastkmeans._files import FileWarning
from tests.helpers.files import rows_in


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
