"""One feature: the global optimum, against all clusterings and a slow dynamic programme."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastkmeans import KMeans, k_means
from fastkmeans._optimum import cuts, fit, limits
from fastkmeans._optimum.fit import OPTIMUM, best_means
from tests.helpers import reference

Array = NDArray[Any]
FEWER = "ignore:Number of distinct clusters"


def fractions_of(values: Any) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]


def squares(x: list[Fraction], w: list[Fraction]) -> Fraction:
    total = sum(w)
    mean = sum(a * b for a, b in zip(x, w, strict=True)) / total
    return sum((b * (a - mean) ** 2 for a, b in zip(x, w, strict=True)), Fraction(0))


def least_squares(values: Array, weights: Array, k: int) -> float:
    """Return the least squares of all clusterings into runs of values, by whole numbers."""
    order = [i for i in np.argsort(values) if weights[i] > 0]
    x, w, n = fractions_of(values[order]), fractions_of(weights[order]), len(order)
    of = {(s, t): squares(x[s:t], w[s:t]) for s in range(n) for t in range(s + 1, n + 1)}
    if n <= k:
        return 0.0
    inner = combinations(range(1, n), k - 1)
    return float(min(sum(of[pair] for pair in pairwise([0, *own, n])) for own in inner))


def dynamic_programme(x: Array, w: Array, k: int) -> float:
    """Return the least squares of rising values by trying every cut of every prefix."""
    n = len(x)
    of = np.full((n + 1, n + 1), np.inf)
    for s in range(n):
        own, weight = x[s:] - x[s], np.cumsum(w[s:])
        mean = np.cumsum(w[s:] * own) / weight
        moved = w[s:] * (own - np.concatenate([[0.0], mean[:-1]])) * (own - mean)
        of[s, s + 1 :] = np.cumsum(moved)
    best = of[0]
    for _ in range(k - 1):
        best = (best[:, None] + of).min(axis=0)
    return float(best[n])


def check(model: KMeans, X: Any, weights: Array | None = None) -> None:
    """Check what holds for every optimum, and that it is one of Lloyd's fixed points."""
    assert (model.stop_reason_, model.converged_, model.n_iter_) == (OPTIMUM, True, 1)
    assert [step.n_moved for step in model.history_] == [len(X)]
    assert model.history_[0].inertia == model.inertia_
    centers = model.cluster_centers_[:, 0]
    assert (np.diff(centers) >= 0).all()
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    rows = np.asarray(X, np.float64)
    w = np.ones(len(X)) if weights is None else weights
    size = 2.0 ** (np.frexp(np.abs(rows).max())[1] - 1)
    nearest = reference.closest(rows / size, model.cluster_centers_ / size)
    np.testing.assert_array_equal(model.labels_, nearest)
    for j in np.unique(model.labels_[w > 0]):
        own = (model.labels_ == j) & (w > 0)
        mean = np.average(rows[own, 0] / size, weights=w[own] / w.max()) * size
        assert centers[j] == pytest.approx(mean, rel=1e-14, abs=1e-14 * size)


@pytest.mark.filterwarnings(FEWER)
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(-6, 6), st.sampled_from([0.0, 0.5, 1.0, 3.0])), min_size=1, max_size=9
    ),
    k=st.integers(1, 5),
    offset=st.sampled_from([0.0, 1e9, -0.25]),
    weighted=st.booleans(),
)
def test_no_clustering_is_better(
    rows: list[tuple[int, float]], k: int, offset: float, weighted: bool
) -> None:
    values = np.array([value for value, _ in rows]) + offset
    weights = np.array([weight for _, weight in rows]) if weighted else np.ones(len(rows))
    if not weights.any():
        weights[0] = 1.0
    k = min(k, len(values))
    model = KMeans(k).fit(values[:, None], sample_weight=weights if weighted else None)
    check(model, values[:, None], weights)
    assert model.inertia_ == pytest.approx(least_squares(values, weights, k), rel=1e-12)


def tables(n: int) -> dict[str, Array]:
    rng = np.random.default_rng(5)
    narrow = 1e-6 * rng.normal(size=n)
    return {
        "normal": rng.normal(size=n),
        "ties": rng.integers(0, n // 3, n).astype(float),
        "tails": rng.standard_cauchy(n),
        "groups far apart": narrow + 1e4 * rng.integers(0, 4, n) + rng.integers(0, 3, n),
        "one far value": np.append(narrow[1:], 1e6),
    }


@pytest.mark.parametrize("per_cell", [1, 5, 16, 10**9])
@pytest.mark.parametrize("k", [2, 3, 9, 40])
def test_a_slow_programme_finds_the_same(
    k: int, per_cell: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if lower bounds rule most cuts out, or none."""
    monkeypatch.setattr(limits, "VALUES_PER_CELL", per_cell)
    monkeypatch.setattr(limits, "FEWEST_CELLS", 1)
    weights = np.random.default_rng(1).integers(1, 5, 700).astype(float)
    for name, values in tables(700).items():
        x = np.unique(values)
        w = weights[: len(x)]
        line = cuts.line_of(x, w)
        found = cuts.best_cuts(line, k)
        assert found[0] == 0
        assert found[k] == len(x)
        parts = [slice(s, t) for s, t in pairwise(found.tolist())]
        total = sum(dynamic_programme(x[own], w[own], 1) for own in parts)
        assert total == pytest.approx(dynamic_programme(x, w, k), rel=1e-9), name


@pytest.mark.parametrize("kind", ["normal", "tails"])
def test_lower_bounds_rule_most_cuts_out(kind: str) -> None:
    x = np.sort(tables(20_000)[kind])
    found = limits.limits_of(cuts.line_of(x, np.ones(len(x))), 5)
    assert np.diff(found, axis=0).max() < len(x) / 8


HOSTILE = {
    "large": [1e300, 1.5e300, -1e300, -1.1e300, 1.7e308],
    "small": [1e-300, 3e-300, 9e-300, 2e-308, 5e-324],
    "both": [1e300, 1e-300, 0.0, -0.0, -1e300],
    "far offset": [1e9, 1e9 + 1e-6, 1e9 + 2e-6, 1e9 + 1, 1e9 + 1 + 1e-6],
    "two scales": [0.0, 1e-9, 3e-9, 1e9, 1e9 + 1e-6],
    "float32": np.float32([16777216, 16777217, 16777220, 3e38, -3e38]),
    "whole numbers": np.array([3, 250, 7, 4, 251], np.uint8),
    "halves": np.float16([0.5, 60000, -60000, 0.25, 1]),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.filterwarnings(FEWER)
def test_hostile_values(name: str, k: int) -> None:
    X = np.array(HOSTILE[name]).reshape(-1, 1)
    model = KMeans(k).fit(X)
    check(model, X)
    unit = Fraction(float(np.abs(X.astype(np.float64)).max()))
    values = [float(Fraction(float(value)) / unit) for value in X[:, 0]]
    best = least_squares(np.array(values), np.ones(5), k)
    parts = [[v for v, j in zip(values, model.labels_, strict=True) if j == c] for c in range(k)]
    own = sum(float(squares(fractions_of(p), [Fraction(1)] * len(p))) for p in parts if p)
    assert own == pytest.approx(best, rel=1e-6, abs=1e-31)


@pytest.mark.parametrize(("values", "k"), [([2.0], 1), ([7.0] * 9, 1), ([3.0, 1.0, 2.0], 3)])
def test_as_many_values_as_clusters(values: list[float], k: int) -> None:
    X = np.array(values).reshape(-1, 1)
    model = KMeans(k).fit(X)
    check(model, X)
    assert model.inertia_ == 0.0
    assert model.cluster_centers_[:, 0].tolist() == sorted(set(values))


def test_fewer_values_than_clusters() -> None:
    X, weights = np.array([[5.0], [1.0], [5.0], [9.0]]), np.array([1.0, 2.0, 1.0, 0.0])
    with pytest.warns(UserWarning, match=r"distinct clusters \(2\) found smaller than n_clusters"):
        model = KMeans(4).fit(X, sample_weight=weights)
    assert model.cluster_centers_[:, 0].tolist() == [1.0, 5.0, 5.0, 5.0]
    assert model.labels_.tolist() == [1, 0, 1, 1]
    assert model.inertia_ == 0.0


def test_weights_are_rows_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    X, weights = rng.normal(size=(300, 1)), rng.integers(0, 4, 300).astype(float)
    model = KMeans(6).fit(X, sample_weight=weights)
    check(model, X, weights)
    rows = np.repeat(X, weights.astype(int), axis=0)
    assert KMeans(6).fit(rows).inertia_ == pytest.approx(model.inertia_, rel=1e-12)
    order = rng.permutation(300)
    other = KMeans(6).fit(X[order], sample_weight=1e300 * weights[order])
    np.testing.assert_array_equal(other.labels_, model.labels_[order])


def same(model: KMeans, other: KMeans) -> bool:
    return model.cluster_centers_.tobytes() == other.cluster_centers_.tobytes() and bool(
        (model.labels_ == other.labels_).all()
    )


def test_nothing_else_changes_the_bits() -> None:
    """Threads, layouts, draws and runs do not."""
    X = np.random.default_rng(3).normal(size=(3000, 1))
    model = KMeans(7).fit(X)
    wide = np.repeat(X, 3, axis=1)
    for parameters in ({"n_threads": 1}, {"random_state": 4}, {"n_init": 9, "init": "random"}):
        assert same(KMeans(7, **parameters).fit(X), model)
    for rows in (wide[:, 1:2], X[::-1].copy()[::-1], X.tolist()):
        assert same(KMeans(7).fit(rows), model)
    assert k_means(X, 7, return_n_iter=True)[2:] == (model.inertia_, 1)


def test_who_runs_lloyd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(4).normal(size=(200, 1))
    np.save(tmp_path / "table.npy", X)
    start = X[:3]
    for parameters in (
        {"init": start},
        {"init": lambda X, k, random_state: X[:k]},
        {"algorithm": "lloyd"},
        {"algorithm": "elkan"},
        {"metric": "cosine", "n_clusters": 2},
    ):
        assert KMeans(**{"n_clusters": 3} | parameters).fit(X).stop_reason_ != OPTIMUM
    assert KMeans(3).fit(tmp_path / "table.npy").stop_reason_ != OPTIMUM
    assert KMeans(3).fit(np.hstack([X, X])).stop_reason_ != OPTIMUM
    assert KMeans(3).fit(X).stop_reason_ == OPTIMUM
    for limit, value in (("MOST_ROWS", 199), ("MOST_CLUSTERS", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(fit, limit, value)
            assert KMeans(3).fit(X).stop_reason_ != OPTIMUM


def test_listeners(capsys: pytest.CaptureFixture[str]) -> None:
    X = np.random.default_rng(6).normal(size=(100, 1))
    seen: list[Any] = []

    def callback(number: int, run: Any) -> bool:
        seen.append((number, run.run, run.n_runs, run.inertia, run.labels, run.centers))
        return True

    model = KMeans(3, n_init=5, callback=callback, verbose=1).fit(X)
    (own,) = seen
    assert own[:4] == (1, 1, 1, model.inertia_)
    np.testing.assert_array_equal(own[4], model.labels_)
    np.testing.assert_array_equal(own[5], model.cluster_centers_)
    assert (model.stop_reason_, model.converged_) == ("a callback ended the fit", False)
    assert "Stopped at iteration 1" in capsys.readouterr().out
    KMeans(3, verbose=1).fit(X)
    assert f"Converged at iteration 1: {OPTIMUM}" in capsys.readouterr().out


def test_means_keep_the_digits_of_a_narrow_cluster() -> None:
    values = np.array([0.0, 1.0, 1.0 + 2**-50, 1.0 + 2**-49])
    assert best_means(values, np.ones(4), 2).tolist() == [0.0, 1.0 + 2**-50]
