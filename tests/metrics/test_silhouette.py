"""The exact silhouette: groups, strips, threads, sparse rows, files, hard numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn import metrics as theirs

from fastkmeans import metrics, open_dataset
from fastkmeans._kernels.emit.simd import CENTERS, POINTS
from fastkmeans._kernels.metrics.strips import Side
from fastkmeans._metrics import silhouette
from tests.helpers import quality
from tests.helpers.kernels import LAYOUTS, lay_out

Array = NDArray[Any]
DISTANCES = {"euclidean": quality.distances, "cosine": quality.cosine_distances}
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-9}


def rows_of(n: int, d: int, k: int, dtype: Any, seed: int = 0) -> tuple[Array, Array]:
    """Rows in clusters of uneven sizes, some of one row; the labels come in no order."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), (k * rng.random(n - k) ** 3).astype(int)])
    rng.shuffle(labels)
    return (rng.normal(size=(n, d)) + 0.2 * labels[:, None]).astype(dtype), labels


def expected(X: Array, labels: Array, metric: str = "euclidean") -> Array:
    return theirs.silhouette_samples(X.astype(np.float64), labels, metric=metric)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("n", "d", "k"), [(300, 2, 3), (1301, 5, 400), (2000, 33, 9)])
def test_any_number_of_clusters(n: int, d: int, k: int, dtype: Any) -> None:
    X, labels = rows_of(n, d, k, dtype)
    for metric in DISTANCES:
        found = metrics.silhouette_samples(X, labels, metric=metric)
        np.testing.assert_allclose(found, expected(X, labels, metric), atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_threads_change_no_bit(dtype: Any, layout: str) -> None:
    X, labels = rows_of(1500, 7, 30, dtype)
    alone = metrics.silhouette_samples(X, labels, n_threads=1)
    assert (metrics.silhouette_samples(lay_out(X, layout), labels, n_threads=2) == alone).all()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("n_bytes", [1, 40_000])
def test_groups_of_clusters_change_nothing(
    dtype: Any, n_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, labels = rows_of(900, 4, 25, dtype)
    whole = metrics.silhouette_samples(X, labels)
    monkeypatch.setattr(silhouette, "TABLE_BYTES", n_bytes)
    edges = np.searchsorted(np.sort(labels), np.arange(26))
    assert len(silhouette._cut_clusters(edges)) > 3
    found = metrics.silhouette_samples(X, labels)
    np.testing.assert_allclose(found, whole, atol=1e-6 if dtype == np.float32 else 1e-12)


def test_strips_change_no_more_than_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    X, labels = rows_of(2200, 5, 12, np.float64)
    one = metrics.silhouette_samples(X, labels)
    monkeypatch.setattr(silhouette, "STRIP", 256)
    monkeypatch.setattr(silhouette, "FEW_STRIPS", 1)
    np.testing.assert_allclose(metrics.silhouette_samples(X, labels), one, atol=1e-12)


@pytest.mark.parametrize(("left", "right"), [(1, 1), (2, 2), (5, 5), (8, 8), (1, 4), (6, 3)])
@pytest.mark.parametrize("same", [True, False])
def test_waves_hold_each_pair_once(left: int, right: int, same: bool) -> None:
    if same and left != right:
        return
    waves = [wave.tolist() for wave in silhouette._waves(left, right, same)]
    wanted = {(i, j) for i in range(left) for j in range(right) if i <= j or not same}
    pairs = [tuple(pair) for wave in waves for pair in wave]
    assert sorted(pairs) == sorted(wanted)
    for wave in waves:
        if same:
            strips = [strip for i, j in wave for strip in {i, j}]
            assert len(set(strips)) == len(strips)
        else:
            assert len({i for i, _ in wave}) == len({j for _, j in wave}) == len(wave)


def test_sums_of_groups_have_bounded_size() -> None:
    rng = np.random.default_rng(0)
    for sizes in (np.ones(3000, int), rng.integers(1, 99, 2000), np.array([10**6, 3, 10**6])):
        edges = np.append(0, np.cumsum(sizes))
        groups = silhouette._cut_clusters(edges)
        assert groups[0] == 0
        assert groups[-1] == len(sizes)
        rows = np.diff(edges[groups])
        most = rows.max() * np.diff(groups).max() * 8
        assert most <= 2 * silhouette.TABLE_BYTES or np.diff(groups).max() == 1


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("d", [3, 12])
def test_close_rows_keep_their_digits(dtype: Any, d: int) -> None:
    """Clusters so far apart that products of float64 lose their widths; rows that are equal."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    apart = 2.0**14 if dtype == np.float32 else 2.0**25
    X = rng.integers(-8, 9, (200, d)) / 16 + apart * rng.integers(-9, 10, (4, d))[labels]
    X[::10] = X[1::10]
    labels[::7] = 4  # a cluster that lies across
    found = metrics.silhouette_samples(X.astype(dtype), labels)
    wanted = quality.silhouettes(quality.distances(X, X), labels)
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[dtype], atol=1e-12)
    np.testing.assert_allclose(1.0 - found, 1.0 - wanted, rtol=1e-4)  # widths to distances


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_float32_at_its_limits(scale: float) -> None:
    X, labels = rows_of(300, 6, 4, np.float64)
    wanted = expected(X, labels)
    found = metrics.silhouette_samples((X * scale).astype(np.float32), labels)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_an_outlier_leaves_the_others_their_digits() -> None:
    X, labels = rows_of(300, 6, 4, np.float32)
    X = np.concatenate([X, np.full((2, 6), 1e30, np.float32)])
    labels = np.append(labels, [4, 4])
    wanted = expected(X[:300], labels[:300])
    np.testing.assert_allclose(metrics.silhouette_samples(X, labels)[:300], wanted, atol=2e-5)


@pytest.mark.no_jit
def test_rows_of_length_zero_by_cosine() -> None:
    X, labels = rows_of(120, 5, 3, np.float64)
    X[::9] = 0.0
    found = metrics.silhouette_samples(X, labels, metric="cosine")
    matrix = 1.0 - theirs.pairwise.cosine_similarity(X)
    np.fill_diagonal(matrix, 0.0)
    wanted = theirs.silhouette_samples(np.maximum(matrix, 0.0), labels, metric="precomputed")
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    sparse = metrics.silhouette_samples(scipy.sparse.csr_matrix(X), labels, metric="cosine")
    np.testing.assert_allclose(sparse, wanted, atol=1e-12)


@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_sparse_rows(metric: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X = scipy.sparse.random(400, 60, 0.1, "csr", dtype, random_state=0)
    X = scipy.sparse.vstack([X, X[:5]], "csr")
    labels = rng.integers(0, 6, 405)
    wanted = expected(X.toarray(), labels, metric)
    alone = metrics.silhouette_samples(X, labels, metric=metric, n_threads=1)
    np.testing.assert_allclose(alone, wanted, atol=1e-9)
    found = metrics.silhouette_samples(X, labels, metric=metric, n_threads=2)
    assert (found == alone).all()
    monkeypatch.setattr(silhouette, "MANY_COLUMNS", 8)
    places = np.sort(rng.choice(2**31 - 1, 60, replace=False))
    wide = scipy.sparse.csr_matrix(
        (X.data, places[X.indices].astype(np.int32), X.indptr), shape=(405, 2**31 - 1)
    )
    assert (metrics.silhouette_samples(wide, labels, metric=metric) == alone).all()


def test_other_indices_of_sparse_rows() -> None:
    X = scipy.sparse.random(300, 40, 0.2, "csr", random_state=0)
    labels = np.random.default_rng(0).integers(0, 4, 300)
    weights = np.random.default_rng(1).integers(0, 3, 300)
    centers = np.array([X[labels == j].mean(axis=0).A1 for j in range(4)])
    for name in ("calinski_harabasz_score", "davies_bouldin_score", "bic", "distortion"):
        index = getattr(metrics, name)
        wanted = index(X.toarray(), labels, sample_weight=weights)
        assert index(X, labels, sample_weight=weights) == pytest.approx(wanted, rel=1e-11)
    for metric in DISTANCES:
        arguments: Any = {"metric": metric, "sample_weight": weights}
        for index in (metrics.simplified_silhouette_samples, metrics.simplified_silhouette_score):
            wanted = index(X.toarray(), labels, centers, **arguments)
            np.testing.assert_allclose(index(X, labels, centers, **arguments), wanted, atol=1e-9)


def test_files_and_frames(tmp_path: Path) -> None:
    import pandas as pd

    X, labels = rows_of(600, 5, 4, np.float64)
    weights = np.random.default_rng(0).integers(1, 4, 600).astype(float)
    centers = np.array([X[labels == j].mean(axis=0) for j in range(4)])
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame.assign(w=weights).to_csv(tmp_path / "rows.csv", index=False)
    with open_dataset(tmp_path / "rows.csv", weight_column="w", dtype="float64") as dataset:
        for given, more in ((frame, {"sample_weight": weights}), (dataset, {})):
            for index in (
                metrics.silhouette_samples, metrics.silhouette_score, metrics.bic,
                metrics.calinski_harabasz_score, metrics.davies_bouldin_score, metrics.distortion,
            ):  # fmt: skip
                wanted = index(X, labels, sample_weight=weights)
                np.testing.assert_allclose(index(given, labels, **more), wanted, rtol=1e-12)
            found = metrics.simplified_silhouette_samples(given, labels, centers, **more)
            wanted = metrics.simplified_silhouette_samples(
                X, labels, centers, sample_weight=weights
            )
            np.testing.assert_allclose(found, wanted, atol=1e-12)
            sampled = metrics.silhouette_score(
                given, labels, sample_size=99, random_state=0, **more
            )
            wanted = metrics.silhouette_score(
                X, labels, sample_size=99, random_state=0, sample_weight=weights
            )
            assert sampled == pytest.approx(wanted, rel=1e-12)


def test_no_matrix_of_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums take a strip more than rows times clusters."""
    sizes = []
    take = silhouette._take

    def watch(means: Any, rows: Any, side: Side, sums: Array, *rest: Any) -> None:
        sizes.append(sums.size)
        take(means, rows, side, sums, *rest)

    monkeypatch.setattr(silhouette, "_take", watch)
    X, labels = rows_of(5000, 2, 20, np.float32)
    metrics.silhouette_samples(X, labels)
    assert sum(sizes) <= (5000 + silhouette.STRIP) * 20


@pytest.mark.no_jit
@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([np.float32, np.float64]),
    st.integers(1, 6).flatmap(
        lambda d: hnp.arrays(
            np.int8, st.tuples(st.integers(4, 70), st.just(d)), elements=st.integers(-4, 4)
        )
    ),
    st.integers(2, 40),
    st.integers(0, 2**32 - 1),
)
def test_small_whole_numbers(dtype: Any, X: Array, k: int, seed: int) -> None:
    """Many equal rows, many clusters of one row, weights of 0."""
    rng = np.random.default_rng(seed)
    labels, weights = rng.integers(0, k, len(X)), rng.integers(0, 3, len(X))
    repeated, names = np.repeat(X, weights, axis=0), np.repeat(labels, weights)
    if not 1 < len(np.unique(names)) < len(names):
        return
    found = metrics.silhouette_samples(X.astype(dtype), labels, sample_weight=weights)
    wanted = quality.silhouettes(quality.distances(repeated, repeated), names)
    np.testing.assert_allclose(np.repeat(found, weights), wanted, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("n", [POINTS - 1, POINTS, POINTS + 1, 6 * CENTERS + 1, 257])
def test_numbers_of_rows_around_those_of_blocks(n: int) -> None:
    X, labels = rows_of(n, 9, 3, np.float64)
    np.testing.assert_allclose(metrics.silhouette_samples(X, labels), expected(X, labels))
