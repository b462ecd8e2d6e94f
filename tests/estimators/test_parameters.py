"""Parameters of KMeans: which are refused, what they start, and how often."""

# ruff: noqa: NPY002  (the global generator of NumPy is a documented source)

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans, MiniBatchKMeans, k_means

Array = NDArray[Any]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_clusters", 0, ValueError),
        ("n_clusters", -3, ValueError),
        ("n_clusters", 2.0, TypeError),
        ("n_clusters", "8", TypeError),
        ("n_clusters", None, TypeError),
        ("n_clusters", True, TypeError),
        ("n_clusters", 401, ValueError),
        ("max_iter", 0, ValueError),
        ("max_iter", 1.5, TypeError),
        ("max_iter", None, TypeError),
        ("n_threads", 0, ValueError),
        ("n_threads", "all", TypeError),
        ("tol", -1e-9, ValueError),
        ("tol", np.nan, ValueError),
        ("tol", np.inf, ValueError),
        ("tol", "small", TypeError),
        ("tol", None, TypeError),
        ("tol", True, TypeError),
        ("algorithm", "hamerly", ValueError),
        ("algorithm", None, ValueError),
        ("init", "kmeans++", ValueError),
        ("init", None, (TypeError, ValueError)),
        ("init", 3, (TypeError, ValueError)),
        ("init", [[1.0, 2.0, 3.0]], ValueError),
        ("init", np.zeros((4, 2)), ValueError),
        ("init", np.full((4, 3), np.nan), ValueError),
        ("init", np.zeros(4), ValueError),
        ("init", [["a", "b", "c"]] * 4, ValueError),
        ("init", lambda X, k, random_state: X[: k - 1], ValueError),
        ("init", lambda X, k, random_state: np.full((k, 3), np.inf), ValueError),
        ("n_init", 0, ValueError),
        ("n_init", "many", ValueError),
        ("n_init", 1.0, TypeError),
        ("n_init", None, TypeError),
        ("random_state", -1, ValueError),
        ("random_state", "seed", ValueError),
        ("random_state", 1.5, ValueError),
        ("copy_x", "yes", (TypeError, ValueError)),
        ("verbose", "loud", (TypeError, ValueError)),
        ("verbose", -1, (TypeError, ValueError)),
    ],
)
def test_bad_parameters_are_named(X: Array, name: str, value: Any, error: Any) -> None:
    shown = {"n_clusters": "n_clusters|n_samples", "init": r"init\b|initial centers"}
    model = KMeans(**{"n_clusters": 4, name: value})
    with pytest.raises(error, match=shown.get(name, name)):
        model.fit(X)
    assert not hasattr(model, "cluster_centers_")


def test_numpy_scalars_are_parameters(X: Array) -> None:
    model = KMeans(
        np.int64(3), n_init=np.int32(2), max_iter=np.uint8(9), tol=np.float32(0), random_state=0
    )
    assert model.fit(X).n_iter_ <= 9


def test_fit_leaves_the_parameters_alone(X: Array) -> None:
    init = X[:4].copy()
    model = KMeans(4, init=init, random_state=np.random.RandomState(0))
    before = model.get_params()
    model.fit(X)
    assert all(model.get_params()[name] is value for name, value in before.items())
    np.testing.assert_array_equal(init, X[:4])
    model.cluster_centers_[:] = 0.0
    np.testing.assert_array_equal(init, X[:4])


# Initialisation and restarts ----------------------------------------------------------------


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_random_states(X: Array, init: str) -> None:
    def fit(state: Any) -> tuple[float, ...]:
        model = KMeans(7, init=init, n_init=1, max_iter=1, random_state=state).fit(X)
        return tuple(model.cluster_centers_.ravel())

    assert fit(3) == fit(3) == fit(np.int64(3))
    assert fit(3) != fit(4)
    assert fit(np.random.RandomState(3)) == fit(np.random.RandomState(3))
    assert fit(np.random.default_rng(3)) == fit(np.random.default_rng(3))
    for state in (np.random.RandomState(3), np.random.default_rng(3)):
        assert fit(state) != fit(state), "a generator that does not move on"
    for state in (None, np.random):
        np.random.seed(11)
        first = fit(state), fit(state)
        np.random.seed(11)
        assert (fit(state), fit(state)) == first
        assert first[0] != first[1]


@pytest.mark.parametrize("init", ["k-means++", "random", "callable"])
def test_restarts_keep_the_lowest_inertia(X: Array, init: str) -> None:
    """The runs of one fit are those of single fits that share a generator."""

    def rows(X: Array, k: int, random_state: np.random.RandomState) -> Array:
        return X[random_state.choice(len(X), k, replace=False)]

    start: Any = rows if init == "callable" else init
    rng = np.random.default_rng(5)
    options: dict[str, Any] = {"init": start, "local_search": 0}
    singles = [KMeans(9, n_init=1, random_state=rng, **options).fit(X) for _ in range(8)]
    inertias = [single.inertia_ for single in singles]
    assert len(set(inertias)) > 1
    best = singles[int(np.argmin(inertias))]
    model = KMeans(9, n_init=8, random_state=np.random.default_rng(5), **options).fit(X)
    assert model.inertia_ == min(inertias)
    np.testing.assert_array_equal(model.labels_, best.labels_)
    np.testing.assert_array_equal(model.cluster_centers_, best.cluster_centers_)
    assert model.n_iter_ == best.n_iter_ == len(model.history_)


@pytest.mark.parametrize(
    ("init", "n_init", "runs"),
    [
        ("k-means++", "auto", 1),
        ("auto", "auto", 1),
        ("random", "auto", 10),
        ("callable", "auto", 10),
        ("array", "auto", 1),
        ("k-means++", 3, 3),
        ("callable", 2, 2),
        ("array", 4, 1),  # from one array every run is the same, so there is a warning
    ],
)
def test_number_of_runs(
    X: Array, init: str, n_init: Any, runs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def start(X_: Any, k: int, random_state: np.random.RandomState) -> Any:
        assert X_ is X
        assert isinstance(random_state, np.random.RandomState)
        calls.append(random_state.randint(1 << 30))
        return X[calls[-1] % 300 :][:k].tolist()

    given: Any = {"array": X[:3], "callable": start}.get(init, init)
    model = KMeans(3, init=given, n_init=n_init, verbose=1, random_state=0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit(X)
    assert [warning.category for warning in seen] == [RuntimeWarning] * (n_init == 4)
    assert all("performing only one init in KMeans" in str(w.message) for w in seen)
    assert all(warning.filename == __file__ for warning in seen)
    assert model._n_init == runs
    out = capsys.readouterr().out
    assert out.count("Run ") == runs
    assert f"Run {runs} of {runs}" in out
    assert len(set(calls)) == (runs if init == "callable" else 0)


def test_scikit_learn_seeding_is_a_callable_init(X: Array) -> None:
    from sklearn.cluster import kmeans_plusplus as theirs

    def start(X: Array, k: int, random_state: np.random.RandomState) -> Array:
        return theirs(X, k, random_state=random_state)[0]

    assert KMeans(4, init=start, n_init=1, random_state=0).fit(X).converged_


def test_rows_of_weight_zero_are_no_seeds(X: Array) -> None:
    weights = np.zeros(400)
    weights[100:110] = 1.0
    for init in ("k-means++", "random"):
        model = KMeans(10, init=init, n_init=1, random_state=0).fit(X, sample_weight=weights)
        assert model.inertia_ == 0.0
        assert {tuple(c) for c in model.cluster_centers_.round(9)} == {
            tuple(x) for x in X[100:110].round(9)
        }


@pytest.mark.parametrize(
    ("parameters", "how"),
    [
        ({"tol": 0.0}, r"Converged at iteration \d+: strict convergence, no row"),
        ({"tol": 0.01}, r"Converged at iteration \d+: center shift \S+ within tolerance, the cen"),
        ({"max_iter": 2}, "Stopped at iteration 2: max_iter was reached"),
    ],
)
def test_verbose_reports_every_iteration(
    X: Array, capsys: pytest.CaptureFixture[str], parameters: dict[str, Any], how: str
) -> None:
    parameters = parameters | {"local_search": 0}
    model = KMeans(5, random_state=0, **parameters).fit(X)
    assert capsys.readouterr().out == ""
    KMeans(5, random_state=0, verbose=1, **parameters).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_ + 3
    assert lines[:2] == ["Run 1 of 1", "Initialization complete"]
    for number, (line, iteration) in enumerate(zip(lines[2:-1], model.history_, strict=True), 1):
        assert line.startswith(f"Iteration {number}, inertia {iteration.inertia:.8g}")
        assert f"{iteration.n_moved} rows changed cluster" in line
    assert re.match(how, lines[-1])
    assert model.stop_reason_ in lines[-1]
    assert f"{model.inertia_:.8g}" in lines[-1]


@pytest.mark.parametrize(("theirs", "ours"), [("elkan", "auto"), ("full", "lloyd")])
def test_names_of_scikit_learns_algorithms(X: Array, theirs: str, ours: str) -> None:
    model = KMeans(5, algorithm=theirs, random_state=0).fit(X)
    expected = KMeans(5, algorithm=ours, random_state=0).fit(X)
    assert model.get_params()["algorithm"] == theirs
    assert model.inertia_ == expected.inertia_
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    assert k_means(X, 5, algorithm=theirs, random_state=0)[2] == expected.inertia_


def test_elkan_warns_of_a_single_cluster(X: Array) -> None:
    with pytest.warns(RuntimeWarning, match="'elkan' doesn't make sense for a single") as seen:
        KMeans(1, algorithm="elkan").fit(X)
    assert seen[0].filename == __file__
    KMeans(1, algorithm="full").fit(X)
    KMeans(2, algorithm="elkan").fit(X)


def test_warnings_show_the_line_of_the_caller() -> None:
    """However many functions of ours are in between."""
    X = np.ones((9, 2))
    calls: list[Any] = [
        lambda: KMeans(2).fit(X),
        lambda: KMeans(2).fit_predict(X),
        lambda: k_means(X, 2),
        lambda: MiniBatchKMeans(2, init=X[:2], n_init=2).fit_transform(X),
        lambda: MiniBatchKMeans(2, init=X[:2], n_init=2).partial_fit(X),
        lambda: MiniBatchKMeans(2, init_size=1).fit(X),
    ]
    for call in calls:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            call()
        assert seen
        assert {warning.filename for warning in seen} == {__file__}
