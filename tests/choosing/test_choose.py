"""choose_k: its fits, its indices, and the number of clusters that it recommends."""

import warnings
from typing import Any

import numpy as np
import pytest

from fastkmeans import KMeans, choose_k, metrics, open_dataset
from fastkmeans._choosing import fits
from fastkmeans._choosing.decision import Curve, decide
from tests.conftest import Array

APART = 6.0
"""Distance of the closest two centers of a mixture, in standard deviations."""


def mixture(seed: int) -> tuple[Array, int]:
    """Return normal clusters of unequal sizes, and how many there are."""
    rng = np.random.default_rng(seed)
    d, k = int(rng.choice([1, 2, 3, 5, 8, 16, 32])), int(rng.integers(3, 16))
    centers = rng.uniform(0.0, 1.0, (8 * k, d))
    kept = [centers[0]]
    for _ in range(k - 1):  # the candidate farthest from those kept
        distances = np.min([np.linalg.norm(centers - c, axis=1) for c in kept], axis=0)
        kept.append(centers[np.argmax(distances)])
    chosen = np.array(kept)
    gaps = np.linalg.norm(chosen[:, None] - chosen, axis=2)[np.triu_indices(k, 1)]
    chosen *= APART / gaps.min()
    shares = rng.uniform(1.0, 4.0, k)
    labels = rng.choice(k, 1500, p=shares / shares.sum())
    return chosen[labels] + rng.normal(size=(1500, d)), k


@pytest.fixture(scope="module")
def small() -> Array:
    """Six clusters in four features."""
    rng = np.random.default_rng(3)
    centers = rng.uniform(-12.0, 12.0, (6, 4))
    return centers[rng.integers(0, 6, 4000)] + rng.normal(size=(4000, 4))


@pytest.fixture
def sampled(monkeypatch: Any) -> None:
    """Use samples for small tables, too."""
    monkeypatch.setattr(fits, "SAMPLE", 256)
    monkeypatch.setattr(fits, "PER_CLUSTER", 16)


def separate(X: Any, ks: Any, **parameters: Any) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array(
            [KMeans(k, random_state=0, local_search=0, **parameters).fit(X).inertia_ for k in ks]
        )


def test_right_for_clusters_six_deviations_apart() -> None:
    drawn = [mixture(seed) for seed in range(20)]
    found = [choose_k(X, random_state=0, tol=1e-3).best_k for X, _ in drawn]
    right = sum(best == k for best, (_, k) in zip(found, drawn, strict=True))
    assert right >= 18, [(best, k) for best, (_, k) in zip(found, drawn, strict=True)]


@pytest.mark.parametrize("d", [1, 2, 8, 32])
@pytest.mark.parametrize("n", [200, 3000])
def test_none_for_noise(n: int, d: int) -> None:
    rng = np.random.default_rng(n + d)
    stretched = rng.normal(size=(n, d)) * np.exp(rng.normal(size=d))
    for X in (rng.random((n, d)), rng.normal(size=(n, d)), stretched):
        choice = choose_k(X, random_state=0, tol=1e-3)
        assert choice.best_k is None
        assert choice.best_model is None
        assert choice.reason.startswith("No k stands out")


def test_fits_are_as_good_as_separate_ones(small: Array, sampled: None) -> None:
    rng = np.random.default_rng(0)
    for X in (small, rng.random((3000, 3)), small.astype(np.float32)):
        choice = choose_k(X, range(2, 13), random_state=0)
        assert np.all(choice.inertia <= separate(X, choice.k) * 1.02)
        assert np.all(np.diff(choice.inertia) <= 0.0)
    assert choice.best_k == 6


def test_models_are_fitted(small: Array, sampled: None) -> None:
    choice = choose_k(small, [2, 6, 9], random_state=0)
    for k, inertia, model in zip(choice.k, choice.inertia, choice.models, strict=True):
        assert model.n_clusters == k
        np.testing.assert_array_equal(model.labels_, model.predict(small))
        difference = small - model.cluster_centers_[model.labels_]
        assert inertia == pytest.approx((difference**2).sum(), rel=1e-9)
        assert model.inertia_ == inertia
        assert model.cluster_sizes_.sum() == len(small)
    assert choice.best_model is choice.models[1]


@pytest.mark.parametrize("weighted", [False, True])
def test_indices_are_those_of_metrics(small: Array, weighted: bool) -> None:
    X = small[:600]
    weights = np.random.default_rng(1).integers(0, 4, len(X)).astype(float) if weighted else None
    choice = choose_k(X, [3, 6, 8], random_state=0, sample_weight=weights, tol=0.0)
    for i, model in enumerate(choice.models):
        labels, centers = model.labels_, model.cluster_centers_
        expected = {
            "simplified_silhouette": metrics.simplified_silhouette_score(
                X, labels, centers, sample_weight=weights
            ),
            "calinski_harabasz": metrics.calinski_harabasz_score(X, labels, sample_weight=weights),
            "davies_bouldin": metrics.davies_bouldin_score(X, labels, sample_weight=weights),
            "bic": metrics.bic(X, labels, sample_weight=weights),
        }
        for name, value in expected.items():
            assert getattr(choice, name)[i] == pytest.approx(value, rel=1e-9), name
    assert choice.choices["calinski_harabasz"] == choice.k[choice.calinski_harabasz.argmax()]
    assert choice.choices["bic"] == choice.k[choice.bic.argmin()]


def test_weights_count_rows(small: Array) -> None:
    weights = np.arange(500) % 3
    once = choose_k(small[:500], range(2, 10), random_state=0, sample_weight=weights)
    twice = choose_k(np.repeat(small[:500], weights, axis=0), range(2, 10), random_state=0)
    assert once.best_k == twice.best_k == 6
    assert once.inertia[4] == pytest.approx(twice.inertia[4])
    assert once.bic[4] == pytest.approx(twice.bic[4])


def test_result_does_not_depend_on_threads_or_layout(small: Array, sampled: None) -> None:
    one = choose_k(small, range(2, 9), random_state=4, n_threads=1)
    two = choose_k(np.asfortranarray(small), range(2, 9), random_state=4, n_threads=2)
    for name in ("inertia", "gap", "contrast", "bic", "n_iter"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.reason == two.reason


def test_rows_that_a_sample_lacks_get_centers(small: Array, sampled: None) -> None:
    far = np.zeros((3, 4)) + np.array([[500.0], [-700.0], [900.0]])
    X = np.vstack([small, far])
    choice = choose_k(X, range(3, 12), random_state=0)
    assert np.all(choice.inertia <= separate(X, choice.k) * 1.02)
    assert len(np.unique(choice.models[-1].labels_[-3:])) == 3


@pytest.mark.slow  # compiles two engines
@pytest.mark.parametrize("algorithm", ["boxes", "bytes"])
def test_engines_keep_their_rows(algorithm: str, small: Array) -> None:
    """What an engine keeps from one k to the next changes no label."""
    X = small if algorithm == "boxes" else np.tile(small, (1, 8))
    plain = choose_k(X, [2, 5, 9, 40], random_state=0, algorithm="lloyd")
    other = choose_k(X, [2, 5, 9, 40], random_state=0, algorithm=algorithm)
    np.testing.assert_allclose(other.inertia, plain.inertia, rtol=1e-9)
    for a, b in zip(plain.models, other.models, strict=True):
        np.testing.assert_array_equal(a.labels_, b.labels_)


def test_files_are_read_once(small: Array, sampled: None, tmp_path: Any) -> None:
    np.save(tmp_path / "rows.npy", small)
    kept = choose_k(small, range(2, 9), random_state=0)
    with open_dataset(tmp_path / "rows.npy") as dataset:
        choice = choose_k(dataset, range(2, 9), random_state=0)
    np.testing.assert_allclose(choice.inertia, kept.inertia, rtol=1e-12)
    assert choice.best_k == kept.best_k == 6
    assert not hasattr(choice.models[0], "labels_")
    assert choice.models[4].cluster_sizes_.tolist() == kept.models[4].cluster_sizes_.tolist()


def test_cosine() -> None:
    rng = np.random.default_rng(5)
    means = np.eye(5, 12) * 10.0
    X = means[rng.integers(0, 5, 1200)] + rng.normal(size=(1200, 12))
    X *= rng.uniform(0.1, 10.0, (1200, 1))
    choice = choose_k(X, range(2, 10), random_state=0, metric="cosine")
    assert choice.best_k == 5
    assert np.isnan(choice.bic).all()
    assert set(choice.choices) == {"simplified_silhouette"}


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse(metric: str, sampled: None) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(6)
    dense = np.where(rng.random((1500, 30)) < 0.1, rng.random((1500, 30)), 0.0)
    dense[np.arange(1500), rng.integers(0, 5, 1500)] += 6.0
    choice = choose_k(sparse.csr_array(dense), range(2, 9), random_state=0, metric=metric)
    assert choice.best_k == 5
    assert np.all(choice.inertia <= separate(dense, choice.k, metric=metric) * 1.08)


def test_few_distinct_rows() -> None:
    X = np.repeat([[0.0, 0.0], [5.0, 1.0], [9.0, 9.0]], 10, axis=0)
    with pytest.warns(UserWarning, match="distinct clusters"):
        choice = choose_k(X, range(2, 7), random_state=0)
    with pytest.warns(UserWarning, match="distinct clusters"):
        nothing = choose_k(np.ones((30, 2)), range(1, 4), random_state=0)
    assert choice.best_k == 3
    assert nothing.best_k is None
    assert "all rows are equal" in nothing.reason


def test_as_many_clusters_as_rows() -> None:
    choice = choose_k(np.random.default_rng(0).random((6, 2)), range(1, 7), random_state=0)
    assert choice.inertia[-1] == 0.0
    assert choice.best_k is None


@pytest.mark.parametrize(
    ("k", "kind", "text"),
    [
        (5, TypeError, "several integers"),
        ("2-5", TypeError, "several integers"),
        ([], ValueError, "empty"),
        ([2, 2], ValueError, "k must rise: 2 comes after 2"),
        ([3, 2], ValueError, "k must rise: 2 comes after 3"),
        ([0, 2], ValueError, "at least 1"),
        ([2, 2.5], TypeError, "must be an integer"),
        ([2, 41], ValueError, "at most as many"),
    ],
)
def test_unusable_k(k: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        choose_k(np.arange(80.0).reshape(40, 2), k)


def test_bad_values_and_parameters_are_refused() -> None:
    X = np.arange(80.0).reshape(40, 2)
    with pytest.raises(ValueError, match="algorithm must be one of"):
        choose_k(X, [2, 3], algorithm="quick")
    with pytest.raises(ValueError, match="n_init"):
        choose_k(X, [2, 3], n_init=0)
    X[7, 1] = np.nan
    with pytest.raises(ValueError, match="row 7, column 1"):
        choose_k(X, [2, 3])


def test_interrupt_keeps_what_is_done(small: Array, monkeypatch: Any) -> None:
    whole = fits.Fits.fit

    def interrupted(self: Any, k: int, watch: Any = None) -> Any:
        if k == 5:
            raise KeyboardInterrupt
        return whole(self, k, watch)

    monkeypatch.setattr(fits.Fits, "fit", interrupted)
    choice = choose_k(small, range(3, 8), random_state=0)
    assert choice.interrupted
    assert choice.k.tolist() == [3, 4]
    assert len(choice.models) == 2
    assert choice.best_k is None
    assert "interrupted" in choice.reason
    with pytest.raises(KeyboardInterrupt):
        choose_k(small, range(5, 8), random_state=0)


def test_what_it_prints(small: Array, capsys: Any) -> None:
    choice = choose_k(small[:500], range(2, 9), random_state=0, verbose=1)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == [f"k = {k}" for k in range(2, 9)]
    text = repr(choice)
    assert "<-" in text.splitlines()[5]
    assert "best k: 6" in text
    assert "k = 6 stands out" in text


def test_to_pandas(small: Array) -> None:
    pytest.importorskip("pandas")
    frame = choose_k(small[:500], [2, 4, 6], random_state=0).to_pandas()
    assert frame.index.tolist() == [2, 4, 6]
    assert frame["inertia"].is_monotonic_decreasing


def test_a_range_that_ends_too_early_says_so() -> None:
    ks = [1, 2, 3, 4]
    data = Curve(np.array([100.0, 49.0, 32.0, 23.0]), np.log(ks))
    flat = Curve(np.array([100.0, 70.0, 55.0, 46.0]), np.log(ks))
    decision = decide(ks, [2, 3, 4], 4, data, [flat, flat], ks)
    assert decision.best_k is None
    assert "Try larger k" in decision.reason
