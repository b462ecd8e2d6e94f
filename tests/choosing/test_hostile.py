"""choose_k on tables of few distinct rows, few rows and extreme numbers."""

import warnings
from typing import Any

import numpy as np
import pytest

from fastkmeans import choose_k
from fastkmeans._choosing import choose, fits
from fastkmeans._choosing.choice import Choice

RNG = np.random.default_rng(0)
NINE = RNG.normal(size=(600, 2)) + 9 * RNG.integers(0, 3, (600, 2))
DISTINCT = "Number of distinct clusters"


def quiet(X: Any, ks: Any, **parameters: Any) -> Choice:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", DISTINCT)
        return choose_k(X, ks, random_state=0, **parameters)


@pytest.mark.parametrize("n_distinct", [1, 2, 3, 4])
@pytest.mark.parametrize("first", [1, 2, 3, 5])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_few_distinct_rows(n_distinct: int, first: int, metric: str) -> None:
    points = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])[:n_distinct]
    choice = quiet(np.repeat(points, 50, axis=0), range(first, 9), metric=metric)
    expected = n_distinct if max(first, 2) <= n_distinct else None
    assert choice.best_k == expected
    assert np.all(choice.inertia[choice.k >= n_distinct] == 0.0)


def test_the_last_k_can_be_the_number_of_distinct_rows() -> None:
    assert quiet(np.repeat(np.eye(3), 40, axis=0), [3]).best_k == 3


def test_rows_that_a_sample_of_equal_rows_lacks(monkeypatch: Any) -> None:
    monkeypatch.setattr(fits, "SAMPLE", 64)
    monkeypatch.setattr(fits, "PER_CLUSTER", 4)
    X = np.zeros((3000, 2))
    X[[1, 77, 2500]] = [2.0, 1.0]
    for ks in ([2], range(2, 6)):
        choice = quiet(X, ks)
        assert choice.best_k == 2
        assert choice.inertia[0] == 0.0


def test_a_warning_names_the_first_k_with_empty_clusters() -> None:
    X = np.repeat(np.eye(3), 40, axis=0)
    with pytest.warns(UserWarning, match=rf"{DISTINCT} \(3\) .* n_clusters \(4\)") as record:
        choose_k(X, range(2, 8), random_state=0)
    assert len(record) == 1


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_a_cluster_for_each_row_does_not_stand_out(n: int) -> None:
    weights = (np.arange(len(NINE)) < n).astype(float)
    for choice in (
        quiet(NINE, range(1, 9), sample_weight=weights),
        quiet(NINE[:n], range(1, n + 1)),
    ):
        assert choice.best_k is None or 2 * choice.best_k <= n


@pytest.mark.parametrize("factor", [1e-150, 1e150])
def test_units_change_nothing(factor: float) -> None:
    choice, scaled = quiet(NINE, range(2, 11)), quiet(NINE * factor, range(2, 11))
    assert choice.best_k == scaled.best_k == 9
    np.testing.assert_allclose(scaled.gap, choice.gap, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("factor", [1e-300, 1e160, 1e300])
def test_an_inertia_beyond_floats_is_named(factor: float) -> None:
    choice = quiet(NINE * factor, [2, 9])
    assert choice.best_k is None
    assert "beyond the numbers of float64" in choice.reason
    assert not np.isnan(choice.simplified_silhouette).any()


def test_an_interrupted_comparison_keeps_the_fits(monkeypatch: Any) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(choose, "reference_curves", interrupted)
    choice = quiet(NINE, range(2, 6))
    assert choice.interrupted
    assert choice.k.tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("k", [b"25", np.array(5), np.array("2-5")])
def test_what_is_not_several_numbers(k: Any) -> None:
    with pytest.raises(TypeError, match="several integers"):
        choose_k(NINE, k)


@pytest.mark.parametrize("k", [(k for k in (2, 9)), {2: 0, 9: 0}, np.array([2, 9])])
def test_any_iterable_of_rising_numbers(k: Any) -> None:
    assert quiet(NINE, k).k.tolist() == [2, 9]


def test_more_clusters_than_rows_are_refused_by_the_name_of_k() -> None:
    with pytest.raises(ValueError, match="k goes up to 20, but there are 10 rows"):
        choose_k(RNG.normal(size=(10, 2)))
