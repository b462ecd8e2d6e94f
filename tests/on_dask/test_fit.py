"""KMeans on a cluster of two processes against KMeans on one machine."""

from __future__ import annotations

from collections.abc import Callable
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

CHUNKS = (700, 1, 0, 1299, 1000)
"""Rows of the partitions: one has one row, one has none."""


def in_chunks(array: Array, chunks: tuple[int, ...] = CHUNKS) -> Any:
    """Return a dask array of the first rows, in chunks of some rows."""
    rest = array.shape[1:]
    return da.from_array(array[: sum(chunks)], chunks=(chunks, *((n,) for n in rest)))


def each_iteration(seen: list[Any]) -> Callable[..., None]:
    """Return a callback that collects what iterations show."""

    def note(iteration: int, run: Any) -> None:
        labels = np.asarray(run.labels)  # a dask array computes itself
        seen.append((labels, run.centers, run.inertia, run.center_shift))

    return note


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
def test_iterations_equal_those_on_one_machine(
    client: Any, rows: Array, start: Array, dtype: str, weighted: bool
) -> None:
    X = rows.astype(dtype)
    weights = np.arange(len(X)) % 3 * 0.5 if weighted else None
    ours: list[Any] = []
    local: list[Any] = []
    options: dict[str, Any] = {"init": start, "tol": 0, "max_iter": 12 if weighted else 300}
    here = fastkmeans.KMeans(7, callback=each_iteration(local), **options)
    here.fit(X, sample_weight=weights)
    model = KMeans(7, callback=each_iteration(ours), **options)
    model.fit(in_chunks(X), sample_weight=weights)
    assert len(ours) == len(local) == model.n_iter_ == here.n_iter_ > 3
    for mine, theirs in zip(ours, local, strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])
        for found, wanted in zip(mine[1:], theirs[1:], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(model.cluster_centers_, here.cluster_centers_, rtol=1e-12)
    np.testing.assert_array_equal(model.labels_.compute(), here.labels_)
    assert model.inertia_ == pytest.approx(here.inertia_, rel=1e-12)
    assert model.stop_reason_ == here.stop_reason_
    assert model.converged_ == here.converged_
    if not weighted:
        np.testing.assert_array_equal(model.cluster_sizes_, here.cluster_sizes_)
        assert [step.n_moved for step in model.history_[1:]] == [-1] * (model.n_iter_ - 2) + [0]


def test_the_tolerance_is_that_of_one_machine(client: Any, rows: Array) -> None:
    options: dict[str, Any] = {"init": rows[:5], "tol": 1e-3}
    here, model = (
        fastkmeans.KMeans(5, **options).fit(rows),
        KMeans(5, **options).fit(in_chunks(rows)),
    )
    assert (model.n_iter_, model.stop_reason_) == (here.n_iter_, here.stop_reason_)
    np.testing.assert_allclose(model.cluster_centers_, here.cluster_centers_, rtol=1e-12)
    assert model.inertia_ == pytest.approx(here.inertia_, rel=1e-12)


def test_cosine(client: Any, rows: Array) -> None:
    X = rows - 1005.0
    options: dict[str, Any] = {"init": X[:5], "metric": "cosine", "tol": 0, "max_iter": 15}
    here, model = fastkmeans.KMeans(5, **options).fit(X), KMeans(5, **options).fit(in_chunks(X))
    np.testing.assert_array_equal(model.labels_.compute(), here.labels_)
    np.testing.assert_allclose(
        model.cluster_centers_, here.cluster_centers_, rtol=1e-12, atol=1e-14
    )
    np.testing.assert_array_equal(model.predict(in_chunks(X)).compute(), here.predict(X))


@pytest.mark.parametrize("kind", [np.asarray, "csr_array"])
def test_rows_of_length_0_are_reported(client: Any, rows: Array, kind: Any) -> None:
    X = np.where(np.arange(len(rows))[:, None] % 1000 == 7, 0.0, rows)
    if kind == "csr_array":
        kind = pytest.importorskip("scipy.sparse").csr_array
    model = KMeans(2, init=[[1.0, 0, 0, 0], [0, 1, 0, 0]], metric="cosine", max_iter=1)
    with pytest.warns(UserWarning, match="3 rows have length 0"):
        model.fit([dask.delayed(kind(part)) for part in np.array_split(X, 2)])


@pytest.mark.parametrize("init", ["k-means++", "random", "auto"])
def test_seeding_of_a_small_table_is_that_of_one_machine(
    client: Any, rows: Array, init: str
) -> None:
    options: dict[str, Any] = {"init": init, "n_init": 2, "random_state": 3}
    here = fastkmeans.KMeans(6, local_search=0, **options).fit(rows)
    model = KMeans(6, **options).fit(in_chunks(rows))
    np.testing.assert_array_equal(model.labels_.compute(), here.labels_)


def spoilt(block: Array) -> Any:
    """Return a frame whose columns have another order."""
    return pd.DataFrame(block, columns=list("abcd"))[list("dcba")]


def kinds_of_input(rows: Array, client: Any, folder: Path) -> dict[str, Any]:
    frame = pd.DataFrame(rows, columns=list("abcd"))
    halves = [rows[:1000], rows[1000:]]
    arrow = pytest.importorskip("pyarrow").Table.from_pandas
    thirds = [frame[:1000], frame[1000:1000], frame[1000:]]
    array = in_chunks(rows)
    dd.from_pandas(frame.assign(text="x"), npartitions=3).to_parquet(folder / "table")
    return {
        "columns in chunks": da.from_array(rows, chunks=(1000, 3)),
        "unknown chunk sizes": array[array[:, 0] > -np.inf],
        "persisted array": array.persist(),
        "dataframe": dd.from_pandas(frame, npartitions=4),
        "persisted dataframe": dd.from_pandas(frame, npartitions=4).persist(),
        "delayed": [dask.delayed(half) for half in halves],
        "frames in other orders": [
            dask.delayed(frame[:1000]),
            dask.delayed(spoilt)(rows[1000:]),
        ],
        "frames after an array": [
            dask.delayed(rows[:500]),
            dask.delayed(frame[500:1000]),
            dask.delayed(spoilt)(rows[1000:]),
        ],
        "frames of pyarrow": [
            dask.delayed(arrow(frame[:1000])),
            dask.delayed(arrow(spoilt(rows[1000:]))),
        ],
        "dataframe, a partition without rows": dd.from_map(
            lambda i: thirds[i], range(3), meta=frame[:0]
        ),
        "blocks without rows or columns": [
            *map(dask.delayed, (pd.DataFrame(), halves[0], [], np.empty((0, 9)), halves[1])),
        ],
        "futures": client.scatter(halves),
        "one future": client.submit(np.array, rows),
        "folder": folder / "table",
    }


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # dask with pandas of today
def test_any_partitions_will_do(client: Any, rows: Array, tmp_path: Path) -> None:
    here = fastkmeans.KMeans(5, init=rows[:5], tol=0).fit(rows)
    for name, X in kinds_of_input(rows, client, tmp_path).items():
        model = KMeans(5, init=rows[:5], tol=0, max_iter=here.n_iter_).fit(X)
        np.testing.assert_array_equal(model.labels_.compute(), here.labels_, name)
        assert model.transform(X).compute().shape == (3000, 5)
        np.testing.assert_allclose(model.cluster_centers_, here.cluster_centers_, rtol=1e-12)
        named = "frame" in name or name == "folder"
        assert hasattr(model, "feature_names_in_") == named, name
        np.testing.assert_array_equal(model.predict(X).compute(), here.labels_, name)
        assert model.score(X) == pytest.approx(-here.inertia_, rel=1e-12), name


class Fresh:
    """A delayed object that makes its graph when asked, as those of older versions of Dask do."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __dask_graph__(self) -> dict[str, Any]:
        return {self.key: (np.zeros, 3)}


def test_every_block_keeps_its_graph() -> None:
    from fastkmeans._dask.partitions import _merged

    keys = [f"block-{i}" for i in range(50)]
    graph, blocks = _merged(map(Fresh, keys), {})
    assert blocks == keys == [*graph]


def test_weights_come_in_many_ways(client: Any, rows: Array) -> None:
    weights = np.arange(len(rows)) % 4.0
    here = fastkmeans.KMeans(5, init=rows[:5], max_iter=3).fit(rows, sample_weight=weights)
    frame = dd.from_pandas(pd.DataFrame(rows).assign(w=weights), npartitions=3)
    halves = [slice(0, 1000), slice(1000, 3000)]
    for X, given in (
        (in_chunks(rows), weights),
        (in_chunks(rows), da.from_array(weights, chunks=500)),
        (frame[[0, 1, 2, 3]], frame["w"]),
        ([dask.delayed(rows[h]) for h in halves], [dask.delayed(weights[h]) for h in halves]),
    ):
        model = KMeans(5, init=rows[:5], max_iter=3).fit(X, sample_weight=given)
        np.testing.assert_allclose(model.cluster_centers_, here.cluster_centers_, rtol=1e-12)
        assert model.score(X, sample_weight=given) == pytest.approx(-model.inertia_, rel=1e-12)


def test_sparse_blocks(client: Any) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.random(600, 12, 0.3, "csr", rng=1)
    blocks = [dask.delayed(X[:250]), dask.delayed(X[250:])]
    here = fastkmeans.KMeans(4, random_state=0, max_iter=5).fit(X)
    model = KMeans(4, random_state=0, max_iter=5).fit(blocks)
    np.testing.assert_array_equal(model.labels_.compute(), here.labels_)
    np.testing.assert_allclose(model.cluster_centers_, here.cluster_centers_, rtol=1e-9, atol=1e-12)


def test_a_sample_seeds_a_large_table(
    client: Any, rows: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample has the size asked for, follows the weights and is the same each time."""
    from fastkmeans._dask import seeding

    monkeypatch.setattr(seeding, "LEAST_SAMPLE", 500)
    monkeypatch.setattr(seeding, "PER_CLUSTER", 1)
    samples: list[Array] = []

    def init(sample: Array, n_clusters: int, random_state: Any) -> Array:
        samples.append(sample)
        return sample[random_state.permutation(len(sample))[:n_clusters]]

    for weights in (None, None, (np.arange(len(rows)) < 300) * 1.0):
        model = KMeans(5, init=init, n_init=1, max_iter=2, random_state=1)
        model.fit(in_chunks(rows), sample_weight=weights)
    assert [len(sample) for sample in samples] == [500] * 3
    np.testing.assert_array_equal(samples[0], samples[1])
    known = {tuple(row): i for i, row in enumerate(rows.tolist())}
    drawn = [np.array([known[tuple(row)] for row in sample.tolist()]) for sample in samples]
    assert len(set(drawn[0].tolist())) == 500  # even, and without repeats
    assert 1300 < drawn[0].mean() < 1700
    assert drawn[2].max() < 300
    quality = KMeans(5, random_state=0).fit(in_chunks(rows)).inertia_
    whole = min(fastkmeans.KMeans(5, random_state=i).fit(rows).inertia_ for i in range(5))
    assert quality < 1.3 * whole


def test_random_rows_by_weight(client: Any, rows: Array) -> None:
    weights = np.zeros(len(rows))
    weights[[3, 701, 2999]] = 1.0
    model = KMeans(3, init="random", n_init=1, random_state=0, max_iter=1)
    model.fit(in_chunks(rows), sample_weight=weights)
    found = model.cluster_centers_[model.cluster_centers_[:, 0].argsort()]
    wanted = rows[[3, 701, 2999]]
    np.testing.assert_array_equal(found, wanted[wanted[:, 0].argsort()])


def test_candidates_are_enough_and_stand_for_all_rows(rows: Array) -> None:
    """Also of a few distinct rows, and by cosine without rows of length 0."""
    from fastkmeans._dask.parallel import candidates

    rng = np.random.default_rng(0)
    points, weights = candidates(rows, 9, rng, False)
    assert 9 <= len(points) < 200
    assert weights.sum() == len(rows)
    few = np.repeat(np.eye(3), 40, axis=0)
    points, weights = candidates(few, 8, rng, False)
    assert len(points) >= 8
    assert weights.sum() == len(few)
    points, _ = candidates(np.vstack([few, np.zeros((40, 3))]), 3, rng, True)
    np.testing.assert_allclose((points**2).sum(axis=1), 1.0)
