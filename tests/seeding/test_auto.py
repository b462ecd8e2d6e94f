"""``init="auto"``: what it chooses, that it finds enough centers, and how good they are."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans, MiniBatchKMeans, k_means
from fastkmeans._data.sample import Sample
from fastkmeans._seeding.auto import Start, choose_start
from fastkmeans._seeding.cells import shared_out, shares_of
from tests.helpers.data import blobs
from tests.helpers.reference import squared_distances

Array = NDArray[Any]
NONE: Array = np.empty(0)
WAYS = (
    "k-means++", "cells", "cells, few rows", "sample", "cells of a sample",
    "cells of a sample, few rows",
)  # fmt: skip


def start(
    n: int, d: int, k: int, room: float = math.inf, weights: Array = NONE, dtype: Any = np.float32
) -> Start:
    """Return the choice for a table of this shape."""
    rows = SimpleNamespace(room=room, dtype=np.dtype(dtype))
    problem: Any = SimpleNamespace(rows=rows, weights=weights, shape=(n, d))
    return choose_start(problem, k)


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make ``init="auto"`` take one of its ways for small tables, and return its name."""
    param: str = request.param
    name, _, few = param.partition(", ")
    home = "fastkmeans._seeding.auto."
    monkeypatch.setattr(home + "MUCH_WORK", 0)
    monkeypatch.setattr(home + "MANY_CLUSTERS", 1 if "cells" in name else 1 << 30)
    monkeypatch.setattr(home + "SAMPLED_PER_CLUSTER", 16)
    monkeypatch.setattr(home + "LEAST_SAMPLE", 1 if "sample" in name else 1 << 30)
    monkeypatch.setattr(home + "SHARE", 2)
    for module in ("auto", "cells"):
        many = f"fastkmeans._seeding.{module}.MANY_FEATURES"
        monkeypatch.setattr(many, 0 if few else 1 << 30)
    monkeypatch.setattr(home + "CELL_ROWS", 12)
    monkeypatch.setattr("fastkmeans._seeding.cells.CELLS_PER_THREAD", 1)
    monkeypatch.setattr("fastkmeans._seeding.sampled.GROWTH", 2)
    return name


each_way = pytest.mark.parametrize("way", WAYS, indirect=True)


def fit(X: Any, k: int, seed: Any = 0, weights: Any = None, **options: Any) -> KMeans:
    """Fit by ``init="auto"``, and check what holds for every fit."""
    options = {"max_iter": 3, "algorithm": "lloyd"} | options
    model = KMeans(k, init="auto", random_state=seed, **options).fit(X, sample_weight=weights)
    assert model.cluster_centers_.shape == (k, X.shape[1])
    assert np.isfinite(model.cluster_centers_).all()
    return model


@pytest.mark.parametrize(
    ("shape", "room", "name"),
    [
        ((1000, 16, 8), math.inf, "k-means++"),
        ((500_000, 32, 5000), math.inf, "cells"),
        ((20_000, 384, 400), math.inf, "cells"),
        ((20_000, 384, 255), math.inf, "k-means++"),
        ((5000, 2, 300), math.inf, "k-means++"),  # little work
        ((7 * 5000, 32, 5000), math.inf, "k-means++"),  # few rows per cluster
        ((1 << 18, 2, 10), math.inf, "sample"),
        (((1 << 18) - 1, 2, 10), math.inf, "k-means++"),
        ((3_000_000, 32, 500), math.inf, "cells of a sample"),
        ((1 << 15, 2, 10), 1 << 26, "sample"),
        ((1 << 14, 2, 10), 1 << 26, "k-means++"),
        ((100_000, 64, 300), 1 << 26, "k-means++"),  # cells would be read from all over a file
        ((1_000_000, 64, 300), 1 << 26, "cells of a sample"),
        ((1_000_000, 64, 300), 0, "k-means++"),  # no memory for a sample
    ],
)
def test_what_is_chosen(shape: tuple[int, int, int], room: float, name: str) -> None:
    found = start(*shape, room=room)
    assert found.name == name
    assert found.first <= found.most <= max(shape[0] // 2, 1)
    assert 4 * shape[1] * found.most <= room


def test_rows_that_are_put_into_cells() -> None:
    """With many features they are a sample, unless few rows have most of the weight."""
    uneven = np.ones(20_000)
    uneven[:10] = 1e5
    assert start(20_000, 384, 400).in_cells == 16 * 400
    assert start(20_000, 384, 1300).in_cells == 20_000
    assert start(20_000, 384, 400, weights=uneven).in_cells == 20_000
    assert start(20_000, 384, 400, weights=np.ones(20_000)).in_cells == 16 * 400
    assert start(100_000, 127, 400).in_cells == 100_000
    large = start(3_000_000, 128, 500)
    assert (large.in_cells, large.first) == (16 * 500, 256 * 500)
    assert start(3_000_000, 32, 500).in_cells == 256 * 500


def test_uneven_weights_forbid_a_sample() -> None:
    n = 1 << 19
    even, uneven = np.random.default_rng(0).random(n), np.ones(n)
    uneven[:100] = 1e5
    assert start(n, 2, 10, weights=even).name == "sample"
    assert start(n, 2, 10, weights=uneven).name == "k-means++"
    zeros = np.where(np.arange(n) < 1000, 1.0, 0.0)  # too few rows count
    assert start(n, 2, 10, weights=zeros).name == "k-means++"
    assert start(n, 2, 10, weights=np.full(n, 1e300)).name == "sample"


def mean_inertia(X: Any, k: int, init: str, **options: Any) -> float:
    """Return the mean inertia after three iterations from some seeds."""
    fits = (
        KMeans(k, init=init, n_init=1, max_iter=3, algorithm="lloyd", random_state=seed, **options)
        for seed in range(4)
    )
    return float(np.mean([model.fit(X).inertia_ for model in fits]))


@pytest.mark.parametrize("way", ["cells, few rows"], indirect=True)
@pytest.mark.parametrize("kind", ["far", "weights", "cosine"])
def test_cells_of_few_rows_do_not_miss_what_counts(way: str, kind: str) -> None:
    """If few rows lie far from all others, cells are made from all rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 8))[rng.integers(0, 40, 4000)] + 0.3 * rng.normal(size=(4000, 8))
    few = rng.integers(0, 4000, 40)
    options: dict[str, Any] = {"metric": "euclidean", "local_search": 0}
    if kind == "cosine":  # nearly all rows have about one direction
        X[:] = np.ones(8) + 0.01 * rng.normal(size=X.shape)
        X[few] = rng.normal(size=(40, 8))
        options["metric"] = "cosine"
    elif kind == "far":
        X[few] *= 30
    own = np.where(np.isin(np.arange(4000), few), 1e3, 1.0) if kind == "weights" else None
    found = [
        KMeans(60, init=init, random_state=0, **options).fit(X, sample_weight=own).inertia_
        for init in ("auto", "k-means++")
    ]
    assert found[0] < 1.1 * found[1]


@each_way
@pytest.mark.parametrize(
    ("d", "dtype", "metric"),
    [(1, "float32", "euclidean"), (6, "float64", "euclidean"), (20, "int16", "cosine")],
)
def test_every_way_finds_good_centers(way: str, metric: str, d: int, dtype: Any) -> None:
    """The inertia is close to that after k-means++."""
    k = 40
    X = (blobs(1, 4000, d, 60, distance=2.0) * (100 if dtype == "int16" else 1)).astype(dtype)
    own = fit(X, k, metric=metric)
    assert own.init_ == way
    assert len(np.unique(own.labels_)) == k
    limit = 1.1 if d > 1 else 1.5  # on one feature, a sample of 16 rows per cluster says little
    best = mean_inertia(X, k, "k-means++", metric=metric)
    assert mean_inertia(X, k, "auto", metric=metric) < limit * best


@pytest.mark.parametrize("way", ["cells"], indirect=True)
def test_cells_find_clusters_that_are_far_apart(way: str) -> None:
    """A cell with too many candidates takes no center from a cluster elsewhere."""
    X = blobs(1, 6000, 20, 60, distance=8.0)
    found = mean_inertia(X, 60, "auto")
    assert found < 1.1 * mean_inertia(X, 60, "k-means++")
    assert found < 0.5 * mean_inertia(X, 60, "random")


@each_way
def test_results_depend_on_the_seed_alone(way: str) -> None:
    X = blobs(0, 9000, 5, 60)
    weights = np.random.default_rng(1).random(9000)
    found = [
        fit(X, 60, seed, weights, n_threads=threads).cluster_centers_.tobytes()
        for seed, threads in ((3, 1), (3, 2), (3, None), (np.random.default_rng(3), 2), (4, 2))
    ]
    assert len(set(found[:4])) == 1
    assert found[4] != found[0]


@each_way
@pytest.mark.parametrize("n_distinct", [1, 7, 30])
def test_few_distinct_rows(way: str, n_distinct: int) -> None:
    """There are always k centers; with enough distinct rows, each has a row."""
    X = np.repeat(blobs(0, n_distinct, 3, n_distinct), -(-1200 // n_distinct), axis=0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = fit(X, 30)
    assert model.init_ == way
    assert len(np.unique(model.labels_)) == n_distinct
    assert model.inertia_ == 0.0
    assert len(seen) == (n_distinct < 30)


@each_way
def test_a_cell_that_holds_almost_all_rows(way: str) -> None:
    X = np.concatenate([blobs(0, 3000, 4, 1), 1e4 + blobs(1, 40, 4, 20, distance=1e3)])
    assert len(np.unique(fit(X, 50).labels_)) == 50


@each_way
def test_weights(way: str) -> None:
    """Rows of weight zero become no centers; huge weights, and a scale of all, change nothing."""
    X = blobs(0, 4000, 4, 25)
    X[:800] += 1e6
    weights = np.random.default_rng(0).random(4000) + 0.5
    weights[:800] = 0.0
    model = fit(X, 25, weights=weights)
    assert model.init_ == way
    assert np.abs(model.cluster_centers_).max() < 1e5
    huge = fit(X, 25, weights=weights * 2.0**900)
    assert huge.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()
    weights[900] = 1e9  # no sample may miss this row
    heavy = fit(X, 25, weights=weights)
    assert "sample" not in str(heavy.init_)
    assert squared_distances(X[900:901], heavy.cluster_centers_).min() < 1e-6


@each_way
def test_rows_of_length_zero_by_cosine(way: str) -> None:
    X = blobs(0, 3000, 4, 25)
    X[::3] = 0.0
    with pytest.warns(UserWarning, match="1000 rows have length 0"):
        model = fit(X, 20, metric="cosine")
    assert model.init_ == way
    np.testing.assert_allclose((model.cluster_centers_**2).sum(axis=1), 1.0)


@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 2), (9, 9), (50, 50), (300, 290)])
def test_tiny_tables(n: int, k: int) -> None:
    model = fit(np.random.default_rng(0).normal(size=(n, 2)), k)
    assert model.init_ == "k-means++"
    assert len(np.unique(model.labels_)) == k


@pytest.mark.parametrize("way", ["sample", "cells of a sample"], indirect=True)
def test_a_sample_is_all_that_is_looked_at(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    whole = Sample.first

    def first(self: Sample, count: int) -> Any:
        batch = whole(self, count)
        sizes.append(batch.rows.shape[0])
        return batch

    monkeypatch.setattr(Sample, "first", first)
    fit(blobs(0, 6400, 4, 20), 20)
    assert sorted({size for size in sizes if size >= 320}) == [320, 640, 1280, 2560]


@pytest.mark.parametrize("way", ["sample", "cells of a sample"], indirect=True)
def test_files(way: str, tmp_path: Path) -> None:
    X = blobs(0, 6000, 4, 20)
    np.save(tmp_path / "table.npy", X)
    model = KMeans(20, init="auto", random_state=0).fit(tmp_path / "table.npy")
    assert model.init_ == way
    limit = 1.3 * KMeans(20, random_state=0).fit(X).inertia_
    assert model.inertia_ < limit


def test_the_name_of_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X = blobs(0, 300, 2, 5)

    def name(init: Any, X: Array = X, **options: Any) -> Any:
        model = KMeans(5, init=init, n_init=1, random_state=0, **options).fit(X)
        model.save(tmp_path / "model.npz")
        assert KMeans.load(tmp_path / "model.npz").init_ == model.init_
        return model.init_

    assert name("auto", verbose=1) == "k-means++"
    assert "Initial centers: k-means++\n" in capsys.readouterr().out
    assert name("random") == "random"
    assert name(X[:5]) == "array"
    assert name("auto", X[:, :1]) is None  # the optimum needs no start
    assert KMeans(5, init=lambda X, k, random_state: X[:k], n_init=1).fit(X).init_ == "callable"


def test_other_estimators_take_it() -> None:
    X = blobs(0, 2000, 3, 8)
    ours = k_means(X, 8, init="auto", random_state=0)
    assert ours[2] == KMeans(8, init="auto", random_state=0).fit(X).inertia_
    model = MiniBatchKMeans(8, init="auto", random_state=0).fit(X)
    assert model.inertia_ < 1.3 * ours[2]
    assert KMeans(8, init="auto").fit(X).to_sklearn().init == "k-means++"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"init must be 'k-means\+\+', 'random', 'auto'"):
        KMeans(2, init="automatic").fit(np.eye(3))


@pytest.mark.parametrize("seed", range(20))
def test_centers_are_shared_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 40, 12)
    sizes[0] = 1000
    shares = rng.random(12) * (sizes > 1) * rng.choice([0.0, 1.0, 1e-9, 1e9], 12)
    k = int(rng.integers(12, sizes.sum() + 1))
    counts = shared_out(k, shares, sizes)
    assert counts.sum() == k
    assert (counts <= sizes).all()
    assert (counts[sizes > 0] >= 1).all()


def test_shares_are_in_proportion() -> None:
    counts = shared_out(1000, np.array([1.0, 2.0, 7.0, 0.0]), np.array([5000, 5000, 5000, 9]))
    assert counts[3] == 1
    assert np.abs(counts[:3] - [100, 200, 700]).max() <= 3
    assert shared_out(7, np.zeros(3), np.array([4, 1, 2])).tolist() == [4, 1, 2]
    inertias = np.array([0.0, 16.0])
    assert [shares_of(inertias, d)[1] for d in (1, 3, 4, 11, 12)] == [4.0, 4.0, 8.0, 8.0, 16.0]
