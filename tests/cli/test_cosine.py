"""``--metric cosine``: cluster by directions, predict from such a model, resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastkmeans import KMeans
from tests.helpers import reference
from tests.helpers.data import blobs
from tests.helpers.programs import refused

NAMES = ["a", "b", "c"]


@pytest.fixture
def frame(call: Any) -> pd.DataFrame:
    """Write rows of any lengths; one has length 0."""
    rng = np.random.default_rng(0)
    X = blobs(rng, 400, 3, 4, 0.5) * 10.0 ** rng.uniform(-2, 2, (400, 1))
    X[17] = 0.0
    frame = pd.DataFrame(X, columns=NAMES)
    frame.to_csv("d.csv", index=False)
    return frame


def every_digit(path: str) -> pd.DataFrame:
    """Read a table of numbers with Python's float, since some releases of pandas round."""
    text = pd.read_csv(path, dtype=str)
    return text.apply(lambda column: [float(x) for x in column])


def test_clusters_distances_and_predict(call: Any, frame: pd.DataFrame) -> None:
    done = call(
        *("csv", "d.csv", "-k", 4, "--metric", "cosine", "--json", "--distances"),
        *("--labels-out", "l.csv", "--centers-out", "c.csv", "--model-out", "m.npz"),
    )
    assert done.code == 0, done.err
    X = frame.to_numpy()
    with pytest.warns(UserWarning, match="1 row has length 0"):
        expected = KMeans(4, metric="cosine", random_state=0).fit(X)
    assert "1 row has length 0" in done.err
    summary = json.loads(done.out)
    assert summary["metric"] == "cosine"
    assert summary["inertia"] == expected.inertia_
    labels = every_digit("l.csv")
    np.testing.assert_array_equal(labels["cluster"], expected.labels_)
    centers = every_digit("c.csv")[NAMES].to_numpy()
    np.testing.assert_array_equal(centers, expected.cluster_centers_)
    apart = 1.0 - (reference.directions(X) * centers[expected.labels_]).sum(axis=1)
    np.testing.assert_allclose(labels["distance"], apart, atol=1e-15)
    assert labels["distance"][17] == 1.0
    assert KMeans.load("m.npz").metric == "cosine"
    again = call("predict", "m.npz", "d.csv", "--labels-out", "p.csv", "--distances", "--json")
    assert again.code == 0, again.err
    assert Path("p.csv").read_bytes() == Path("l.csv").read_bytes()
    assert json.loads(again.out)["inertia"] == pytest.approx(expected.inertia_, rel=1e-12)


@pytest.mark.usefixtures("frame")
def test_the_summary_names_the_unit(call: Any) -> None:
    done = call("csv", "d.csv", "-k", 3, "--metric", "cosine")
    assert done.code == 0, done.err
    assert "(sum of 2 (1 - cosine))\n" in done.out
    assert "standardize" not in done.err


@pytest.mark.usefixtures("frame")
def test_standardised_columns_are_refused(call: Any) -> None:
    refused(call("csv", "d.csv", "--metric", "cosine", "--standardize"), "--metric", "--stand")
    unknown = call("csv", "d.csv", "--metric", "angle")
    assert unknown.code == 2
    assert "argument --metric: invalid choice: 'angle'" in unknown.err
