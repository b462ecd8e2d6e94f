"""Fitted models, errors and what a user sees."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastkmeans

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

from fastkmeans.dask import KMeans  # noqa: E402

Array = NDArray[Any]


@pytest.fixture
def X(rows: Array) -> Any:  # noqa: N802
    return da.from_array(rows, chunks=(1100, 4))


def test_a_fitted_model(client: Any, rows: Array, X: Any, tmp_path: Path) -> None:
    model = KMeans(4, init=rows[:4], max_iter=5).fit(X)
    local = model.to_local()
    assert type(local) is fastkmeans.KMeans
    labels = model.predict(X)
    assert (labels.dtype, labels.chunks) == (np.int32, X.chunks[:1])
    np.testing.assert_array_equal(labels.compute(), local.predict(rows))
    distances = model.transform(X.astype("float32"))
    assert distances.dtype == np.float32
    assert distances.shape == (len(rows), 4)
    np.testing.assert_array_equal(distances.compute(), local.transform(rows.astype("float32")))
    model.save(tmp_path / "model.npz")
    for kind in (KMeans, fastkmeans.KMeans):
        again = kind.load(tmp_path / "model.npz")
        np.testing.assert_array_equal(again.cluster_centers_, model.cluster_centers_)
        assert again.n_iter_ == model.n_iter_
    np.testing.assert_array_equal(KMeans.load(tmp_path / "model.npz").predict(X), labels)
    sent = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(sent.labels_.compute(), model.labels_.compute())
    theirs = pytest.importorskip("sklearn.cluster")
    assert type(model.to_sklearn()) is theirs.KMeans
    assert (model.to_sklearn().predict(rows) == labels.compute()).mean() > 0.999
    assert repr(KMeans(3, persist=True)) == "KMeans(n_clusters=3, persist=True)"
    assert KMeans(**model.get_params()).get_params() == model.get_params()
    with pytest.raises(ValueError, match="to_local"):
        model.representatives(X)


def test_distances_have_the_dtype_and_shape_they_are_announced_with(
    client: Any, rows: Array
) -> None:
    model = KMeans(4, init=rows[:4], max_iter=1).fit(da.from_array(rows, chunks=(1500, 4)))
    narrow = pd.DataFrame(rows.astype("float32"))
    parts = [narrow[:9], narrow[9:9]]
    model.set_params(n_clusters=9)
    for given, dtype in (
        (dd.from_map(lambda i: parts[i], range(2), meta=narrow[:0]), np.float32),
        ([dask.delayed(rows[:9].astype("float32"))], np.float64),
        (da.from_array(rows[:9].astype(np.longdouble)), np.float64),
    ):
        distances = model.transform(given)
        assert distances.dtype == distances.compute().dtype == dtype
        assert distances.shape[1] == 4
        assert distances.compute().shape == (9, 4)


def test_what_only_one_machine_can_do_is_refused(client: Any, rows: Array, X: Any) -> None:
    model = KMeans(4, init=rows[:4], max_iter=1).fit(X)
    with pytest.raises(ValueError, match="from_dask_array"):
        model.set_output(transform="pandas")
    assert model.set_output(transform="default") is model
    with pytest.raises(ValueError, match="X is empty"):
        model.score(X[:0])
    with pytest.raises(ValueError, match="zero for every row"):
        model.score(X, sample_weight=np.zeros(len(rows)))


def test_files_are_read_by_the_names_of_the_fit(client: Any, rows: Array, tmp_path: Path) -> None:
    frame = pd.DataFrame(rows, columns=list("abcd"))
    model = KMeans(4, init=rows[:4], max_iter=1).fit(dd.from_pandas(frame, npartitions=2))
    more = frame.assign(extra=1.0)[["extra", *"dcba"]]
    more.to_parquet(tmp_path / "more.parquet")
    labels = model.predict(tmp_path / "more.parquet").compute()
    np.testing.assert_array_equal(labels, model.labels_.compute())


def test_names_of_columns_are_checked_before_the_first_iteration(client: Any, rows: Array) -> None:
    frame, seen = pd.DataFrame(rows, columns=["a", 1, 2, 3]), []
    model = KMeans(4, init=rows[:4], callback=lambda i, run: seen.append(i))
    with pytest.raises(TypeError, match="string names"):
        model.fit([dask.delayed(frame)])
    assert not seen


def test_verbose_and_a_callback_that_ends_the_fit(
    client: Any,
    rows: Array,
    X: Any,
    capsys: Any,
) -> None:
    model = KMeans(4, init=rows[:4], tol=0, verbose=1, callback=lambda i, run: i == 3).fit(X)
    assert (model.n_iter_, model.converged_) == (3, False)
    assert model.stop_reason_ == "a callback ended the fit"
    here = fastkmeans.KMeans(4, init=rows[:4], tol=0, callback=lambda i, run: i == 3).fit(rows)
    assert model.inertia_ == pytest.approx(here.inertia_, rel=1e-12)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Iteration") for line in lines) == 3
    assert "some rows changed cluster" in lines[-2]


def test_without_a_client_the_error_says_how_to_start_one(X: Any) -> None:
    with pytest.raises(RuntimeError, match=r"from dask\.distributed import Client"):
        KMeans(4).fit(X)


def poisoned(rows: Array, how: str) -> list[Any]:
    """Return delayed blocks, of which number 2 is no block of numbers like the others."""
    blocks: list[Any] = [part.copy() for part in np.array_split(rows, 4)]
    if how == "width":
        blocks[2] = blocks[2][:, :3]
    elif how == "text":
        blocks[2] = blocks[2].astype(object)
        blocks[2][5, 1] = "many"
    else:
        blocks[2][5, 1] = float(how)
    return [dask.delayed(block) for block in blocks]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("nan", "partition 2.* NaN at row 5, column 1"),
        ("inf", "partition 2.* infinity at row 5, column 1"),
        ("text", "partition 2.* 'many' at row 5, column 1"),
        ("width", "Partition 2 has 3 columns, partition 0 has 4"),
    ],
)
def test_a_poisoned_partition_is_named(client: Any, rows: Array, how: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KMeans(3).fit(poisoned(rows, how))
    assert client.who_has() == {}


def test_frames_of_other_columns_are_refused(client: Any, rows: Array) -> None:
    frame = pd.DataFrame(rows, columns=list("abcd"))
    blocks = [dask.delayed(frame), dask.delayed(frame.rename(columns={"c": "z"}))]
    with pytest.raises(ValueError, match="Partition 1 has a column 'z'"):
        KMeans(3).fit(blocks)
    model = KMeans(3, max_iter=1, random_state=0).fit(dd.from_pandas(frame, npartitions=2))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(dd.from_pandas(frame.rename(columns={"c": "z"}), npartitions=2))
    with pytest.raises(ValueError, match=r"partition 0.* no column 'c'"):
        model.predict([dask.delayed(frame.rename(columns={"c": "z"}))]).compute()


@pytest.mark.parametrize(
    ("given", "weights", "kind", "words"),
    [
        (np.zeros((9, 2)), None, TypeError, "from_array"),
        (da.zeros((9, 2, 2)), None, ValueError, "Expected 2D array, got 3D"),
        (da.zeros(9), None, ValueError, "Expected 2D array, got 1D"),
        ([], None, TypeError, "list of delayed"),
        (da.zeros((9, 2), chunks=3), np.ones(8), ValueError, r"expected \(9,\)"),
        (da.zeros((9, 2), chunks=3), np.zeros(9), ValueError, "zero for every row"),
        (
            da.zeros((9, 2), chunks=3),
            np.eye(9)[5] * -1.0,
            ValueError,
            "partition 1.*-1.0 at row 2",
        ),
        (da.zeros((9, 2), chunks=3), "w", TypeError, "in blocks like X"),
        (da.zeros((2, 2)), None, ValueError, "n_samples=2 should be >= n_clusters=3"),
    ],
)
def test_input_that_cannot_be_clustered(
    client: Any, given: Any, weights: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        KMeans(3).fit(given, sample_weight=weights)
    with pytest.raises(ValueError, match="persist must be"):
        KMeans(3, persist="yes").fit(given)
    with pytest.raises(ValueError, match="persist must be"):
        KMeans(3, persist=np.zeros(3)).fit(given)  # type: ignore[arg-type]
