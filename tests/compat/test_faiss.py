"""``compat.faiss.Kmeans``: faiss's draws, samples, objectives and attributes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from fastkmeans import KMeans, open_dataset
from fastkmeans._data.sparse import SparseRows
from fastkmeans.compat.faiss import Kmeans, permuted
from tests.helpers import reference
from tests.helpers.data import blobs
from tests.helpers.sparse import texts

Array = NDArray[Any]


@pytest.fixture(scope="module")
def x() -> Array:
    return blobs(0, 1500, 6, 8).astype(np.float32)


def by_hand(x: Array, start: Array, niter: int) -> tuple[list[float], Array]:
    """Return the objectives of the iterations and the centers, in NumPy."""
    x, centers = x.astype(np.float64), start.astype(np.float64)
    objectives, labels = [], np.full(len(x), -1)
    for _ in range(niter):
        before, labels = labels, reference.closest(x, centers)
        objectives.append(reference.inertia(x, labels, centers))
        if (before == labels).all():
            break
        centers = reference.means(x, labels, np.ones(len(x)), centers)
    return objectives, centers


def test_the_start_is_that_of_the_seed(x: Array) -> None:
    """The first rows of a permutation of seed + 1, or what is given and then those rows."""
    rows = permuted(len(x), 8, 1235)
    for given in (None, x[:3], x[:8]):
        start = x[rows]
        if given is not None:
            start[: len(given)] = given
        objectives, centers = by_hand(x, start, 12)
        kmeans = Kmeans(6, 8, niter=12)
        last = kmeans.train(x, init_centroids=given)
        np.testing.assert_allclose(kmeans.obj, objectives, rtol=1e-12)
        assert last == kmeans.obj[-1]
        np.testing.assert_allclose(kmeans.centroids, centers, rtol=1e-5)
        assert kmeans.centroids.dtype == np.float32
        assert kmeans.centroids.shape == (8, 6)


def test_permutations_are_those_of_faiss() -> None:
    """What ``faiss.rand_perm`` of faiss 1.15 wrote for n = 12 and, in part, n = 1 000 000."""
    known = {
        0: [8, 0, 5, 9, 7, 4, 2, 10, 3, 1, 11, 6],
        1234: [3, 1, 8, 5, 2, 6, 0, 7, 11, 9, 4, 10],
    }
    for seed, order in known.items():
        assert permuted(12, 12, seed).tolist() == order
        assert permuted(12, 5, seed).tolist() == order[:5]
    long = [569775, 451309, 942150, 599904, 33840, 13714, 109676, 988816, 997375]
    assert permuted(1_000_000, 9, 1234).tolist() == long
    for n in (1, 2, 3, 50):
        assert sorted(permuted(n, n, 7)) == list(range(n))


def test_against_faiss_itself(x: Array) -> None:
    faiss = pytest.importorskip("faiss")
    for options in ({}, {"seed": 7, "nredo": 3}, {"max_points_per_centroid": 100}):
        ours, theirs = (
            kind(6, 8, niter=10, min_points_per_centroid=1, **options)
            for kind in (Kmeans, faiss.Kmeans)
        )
        ours.train(x)
        theirs.train(x)
        n = len(ours.obj)
        np.testing.assert_allclose(ours.obj, theirs.obj[:n], rtol=1e-4)
        np.testing.assert_allclose(ours.centroids, theirs.centroids, rtol=1e-3, atol=1e-3)
        (far, labels), (their_far, their_labels) = ours.assign(x), theirs.assign(x)
        assert (labels == their_labels).mean() > 0.999
        np.testing.assert_allclose(far, their_far, rtol=1e-3, atol=1e-3)
        assert {*ours.iteration_stats[0]} == {*theirs.iteration_stats[0]}
        last = theirs.iteration_stats[n - 1]["imbalance_factor"]
        assert ours.iteration_stats[-1]["imbalance_factor"] == pytest.approx(last, rel=1e-3)
        index = ours.index
        assert index.ntotal == 8
        assert (index.search(x, 1)[1].ravel() == labels).mean() > 0.999


def test_assign_measures_squared_distances(x: Array) -> None:
    kmeans = Kmeans(6, 8)
    kmeans.train(x)
    distances, labels = kmeans.assign(x[:50])
    squares = reference.squared_distances(x[:50], kmeans.centroids)
    np.testing.assert_array_equal(labels, squares.argmin(axis=1))
    np.testing.assert_allclose(distances, squares.min(axis=1), rtol=1e-6)
    assert (distances.dtype, labels.dtype) == (np.float32, np.int64)
    kmeans.centroids = x[:3]  # as in faiss, the attribute counts
    np.testing.assert_array_equal(kmeans.assign(x[:3])[1], [0, 1, 2])


def test_the_best_of_several_runs_is_kept(x: Array) -> None:
    last = [Kmeans(6, 8, niter=4, seed=1234 + redo * 15486557).train(x) for redo in range(4)]
    assert len({*last}) > 1
    assert Kmeans(6, 8, niter=4, nredo=4).train(x) == min(last)


def test_large_tables_are_sampled_and_small_ones_warned_of(x: Array) -> None:
    limits = {"min_points_per_centroid": 20, "max_points_per_centroid": 20}
    sampled, alone = (Kmeans(6, 8, **limits) for _ in range(2))
    rows = permuted(len(x), 160, 1234)
    sampled.train(x)
    alone.train(x[rows])
    np.testing.assert_array_equal(sampled.centroids, alone.centroids)
    weights = np.arange(len(x)) % 5
    sampled.train(x, weights)
    alone.train(x[rows], weights[rows])
    np.testing.assert_array_equal(sampled.centroids, alone.centroids)
    few = Kmeans(6, 8)
    with pytest.warns(UserWarning, match="100 points to 8 centroids: please provide at least 312"):
        few.train(x[:100])
    few.cp.min_points_per_centroid = 12
    few.train(x[:100])
    with pytest.raises(AttributeError):
        few.cp.min_points = 3
    with pytest.warns(UserWarning, match="at least 312"):
        assert Kmeans(6, 8).train(x[:8]) == 0.0
    exact = Kmeans(6, 8, min_points_per_centroid=1)
    exact.train(x[:8])
    np.testing.assert_array_equal(exact.centroids, x[:8])
    np.testing.assert_array_equal(exact.assign(x[:8])[1], np.arange(8))


def test_weights(x: Array) -> None:
    weights = np.random.default_rng(1).integers(0, 4, len(x))
    kmeans = Kmeans(6, 8, niter=30)
    kmeans.train(x, weights)
    start = x[permuted(len(x), 8, 1235)]
    model = KMeans(8, init=start, max_iter=30, tol=0.0).fit(x, sample_weight=weights)
    np.testing.assert_array_equal(kmeans.centroids, model.cluster_centers_.astype(np.float32))
    assert kmeans.obj.tolist() == [step.inertia for step in model.history_]
    sizes = model.cluster_sizes_ / len(x)
    stats = kmeans.iteration_stats
    assert stats[-1]["imbalance_factor"] == pytest.approx(8 * (sizes**2).sum())
    assert [step["obj"] for step in stats] == kmeans.obj.tolist()
    assert np.isnan(stats[0]["imbalance_factor"])
    assert (np.diff([step["time"] for step in stats]) >= 0.0).all()


def test_files_are_read_once(x: Array, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", x)
    plain = Kmeans(6, 8)
    plain.train(x)
    for rows in (tmp_path / "x.npy", iter([x[:700], x[700:]])):
        kmeans = Kmeans(6, 8)
        kmeans.train(rows)
        np.testing.assert_allclose(kmeans.centroids, plain.centroids, rtol=1e-6)
    with open_dataset(tmp_path / "x.npy") as dataset:
        np.testing.assert_array_equal(plain.assign(dataset)[1], plain.assign(x)[1])


def test_mistakes_are_named(x: Array, monkeypatch: Any) -> None:
    kmeans = Kmeans(6, 8)
    for call, message in (
        (lambda: kmeans.assign(x), "not trained: call train first"),
        (lambda: kmeans.train(x[:5]), r"training points \(5\) should be at least as large"),
        (lambda: kmeans.train(x[:, :4]), "x has 4 columns, and Kmeans was made for d=6"),
        (lambda: kmeans.train(x, np.ones(3)), "weights.shape"),
        (lambda: kmeans.train(x, init_centroids=x[:9]), "holds 9 centers, and k is 8"),
        (lambda: Kmeans(6, 8, gpu=True), "fastkmeans runs on the CPU. Leave gpu out"),
        (lambda: Kmeans(6, 0), "k must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="unexpected keyword argument 'int_centroids'"):
        Kmeans(6, 8, int_centroids=True)
    bad = x.copy()
    bad[7, 2] = np.nan
    with pytest.raises(ValueError, match="contains NaN at row 7, column 2"):
        kmeans.train(bad)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="assign finds the closest centers without it"):
        _ = kmeans.index
    kmeans.train(x)
    kmeans.reset(5)
    assert (kmeans.k, kmeans.centroids, kmeans.obj, kmeans.iteration_stats) == (5, None, None, None)
    kmeans.train(x)
    assert kmeans.centroids.shape == (5, 6)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", "a"), ("seed", 1.5), ("niter", "5"), ("nredo", None), ("verbose", "yes"),
     ("spherical", "no"), ("min_points_per_centroid", "39"), ("max_points_per_centroid", 2.0)],
)  # fmt: skip
def test_wrong_types_name_the_parameter(name: str, value: Any, x: Array) -> None:
    message = f"^{name} must be .*integer, got {value!r}"
    with pytest.raises(TypeError, match=message):
        Kmeans(6, 8, **{name: value})
    kmeans = Kmeans(6, 8)
    setattr(kmeans.cp, name, value)
    with pytest.raises(TypeError, match=message):
        kmeans.train(x)


@pytest.mark.parametrize("size", [1e39, 1e300, 1e-39, 1e-300])
def test_centers_beyond_float32_are_refused(size: float, x: Array) -> None:
    X, kmeans = x.astype(np.float64) * size, Kmeans(6, 8, min_points_per_centroid=0)
    for rows in (X, X[:8]):  # clustered; each its own center
        with pytest.raises(ValueError, match=r"^Center \d is .*e.*\d\d in column \d.* scale x"):
            kmeans.train(rows)
        assert kmeans.centroids is None
    spherical = Kmeans(6, 8, spherical=True)  # its centers have length 1
    spherical.train(X)
    np.testing.assert_allclose(np.linalg.norm(spherical.centroids, axis=1), 1.0, rtol=1e-6)


def test_distances_beyond_float32_are_infinite(x: Array) -> None:
    kmeans = Kmeans(6, 8)
    kmeans.train(x * np.float32(1e25))
    distances, labels = kmeans.assign(x * np.float32(1e25))
    assert np.isinf(distances).all()
    np.testing.assert_array_equal(labels, reference.closest(x * 1e25, kmeans.centroids))


def test_weights_of_any_kind_with_a_sample(x: Array) -> None:
    """Weights follow the sample of the rows: a list, a number, a masked array."""
    kmeans = Kmeans(6, 8, max_points_per_centroid=40)
    kmeans.train(x, weights=np.full(len(x), 2.0))
    expected = kmeans.obj[-1]
    for weights in ([2.0] * len(x), 2.0, np.ma.array(np.full(len(x), 2.0))):
        assert kmeans.train(x, weights=weights) == expected
    masked = np.ma.array(np.ones(len(x)), mask=np.arange(len(x)) == 7)
    with pytest.raises(ValueError, match=r"^weights has masked values, the first at position 7"):
        kmeans.train(x, weights=masked)


def test_verbose_prints(x: Array, capsys: Any) -> None:
    Kmeans(6, 8, verbose=True).train(x)
    assert "nertia" in capsys.readouterr().out


def test_spherical(x: Array) -> None:
    """The objective is the sum of cosines; products are those of the rows as they are."""
    start = x[permuted(len(x), 8, 1235)]
    kmeans = Kmeans(6, 8, niter=6, spherical=True)
    kmeans.train(x)
    u, centers = reference.directions(x), reference.directions(start)
    expected = [
        len(x) - reference.spherical(x, start, number, 0.0).inertia / 2 for number in range(1, 6)
    ]
    first = (u * centers[reference.closest_directions(x, centers)]).sum()
    np.testing.assert_allclose(kmeans.obj, [first, *expected], rtol=1e-9)
    best = reference.spherical(x, start, 6, 0.0)
    np.testing.assert_allclose(kmeans.centroids, best.centers, rtol=0, atol=1e-6)
    products, labels = kmeans.assign(x)
    scores = reference.products(x, kmeans.centroids)
    np.testing.assert_array_equal(labels, scores.argmax(axis=1))
    np.testing.assert_allclose(products, scores.max(axis=1), rtol=1e-6)
    weights = np.random.default_rng(0).integers(1, 4, len(x)).astype(float)
    kmeans.train(x, weights=weights)
    cosines = (u * centers[reference.closest_directions(x, centers)]).sum(axis=1)
    assert kmeans.obj[0] == pytest.approx((cosines * weights).sum(), rel=1e-9)


def test_sparse_rows(x: Array) -> None:
    """They are assigned like dense ones, by distance and by cosine."""
    rows = np.where(x > 0.0, x, np.float32(0.0))
    rows[:, 0] = 1.0  # none has length 0
    sparse = scipy.sparse.csr_matrix(rows)
    for spherical in (False, True):
        kmeans = Kmeans(6, 8, niter=3, spherical=spherical)
        kmeans.train(rows)
        for found, expected in zip(kmeans.assign(sparse), kmeans.assign(rows), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_spherical_is_that_of_faiss_for_rows_of_length_one(x: Array) -> None:
    faiss = pytest.importorskip("faiss")
    u = reference.directions(x).astype(np.float32)
    ours, theirs = (kind(6, 8, niter=8, spherical=True) for kind in (Kmeans, faiss.Kmeans))
    ours.train(u)
    theirs.train(u)
    np.testing.assert_allclose(ours.obj, theirs.obj[: len(ours.obj)], rtol=1e-5)
    np.testing.assert_allclose(ours.centroids, theirs.centroids, rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours.assign(u)[0], theirs.assign(u)[0], atol=1e-4)


@pytest.mark.parametrize("most", [50, 256])  # a sample of the rows, all rows
def test_sparse_rows_give_what_dense_rows_give(most: int, monkeypatch: Any) -> None:
    X = texts(700, 60, dtype=np.float32)
    expected, found = (Kmeans(60, 9, max_points_per_centroid=most) for _ in range(2))
    expected.train(X.toarray())
    if most < 256:
        take = SparseRows.take

        def few(rows: SparseRows, indices: Array) -> Array:
            assert len(indices) <= 9, "rows become dense"
            return take(rows, indices)

        monkeypatch.setattr(SparseRows, "take", few)
    found.train(X)
    np.testing.assert_allclose(found.centroids, expected.centroids, atol=1e-6)
    for mine, theirs in zip(found.assign(X), expected.assign(X.toarray()), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
