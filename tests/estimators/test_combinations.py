"""Features together: each cell of README's table works, or is refused in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans, MiniBatchKMeans, open_dataset
from tests.conftest import ROOT
from tests.helpers import reference
from tests.helpers.sparse import group_means, texts

Array = NDArray[Any]
N, D, K = 300, 12, 4
TITLE = "Features go together"


@dataclass(frozen=True)
class Case:
    """What is combined: how the rows come, what clusters them, and what is asked of it."""

    sparse: bool = False
    files: bool = False
    standardize: bool = False
    weighted: bool = False
    kind: Any = KMeans
    metric: str = "euclidean"
    algorithm: str | None = None
    use: str = "fit"


FEATURES = {
    "sparse rows": {"sparse": True},
    '`metric="cosine"`': {"metric": "cosine"},
    "files": {"files": True},
    "`standardize=True`": {"files": True, "standardize": True},
    "`MiniBatchKMeans`": {"kind": MiniBatchKMeans},
    "`sample_weight`": {"weighted": True},
}
ALGORITHMS = ("auto", "lloyd", "boxes", "bytes", "elkan", "full")
FEATURES |= {f'`algorithm="{name}"`': {"algorithm": name} for name in ALGORITHMS}


def read_table() -> tuple[dict[tuple[str, str], str], dict[str, list[str]]]:
    """Return the cells of README's table, and the words that its notes promise in an error."""
    text = (ROOT / "README.md").read_text("utf-8").partition(TITLE)[2]
    lines = re.findall(r"^\|(.*)\|$", text.partition("\n## ")[0], re.M)
    (_, *columns), _, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    cells = {(row, c): cell for row, *own in rows for c, cell in zip(columns, own, strict=True)}
    notes = re.findall(r"^(\d)\. (.*(?:\n   .*)*)", text, re.M)
    return cells, {number: re.findall(r"`([^`]+)`", note) for number, note in notes}


CELLS, NOTES = read_table()
WORKING = [place for place, cell in CELLS.items() if cell == "yes"]
REFUSED = [place for place, cell in CELLS.items() if re.fullmatch(r"no \(\d\)", cell)]


def case_of(row: str, column: str) -> Case:
    own = FEATURES.get(row, {"use": row.strip("`")})
    case = replace(Case(), **(FEATURES[column] | own))
    return replace(case, kind=MiniBatchKMeans) if case.use == "partial_fit" else case


class Data:
    """A small table in all forms, float32; no row is empty, and no start ties."""

    def __init__(self, folder: Path) -> None:
        X = texts(2 * N, D, 5.0, np.float32)
        self.sparse = X[np.flatnonzero(np.diff(X.indptr) > 1)[:N]]
        self.dense = self.sparse.toarray()
        self.start = group_means(self.sparse, K)
        self.weights = np.random.default_rng(0).integers(0, 4, N) / 2.0
        self.path = folder / "table.npy"
        np.save(self.path, self.dense)
        self.dataset = open_dataset(self.path, standardize=True)

    def rows(self, case: Case) -> Any:
        """Return the rows as the case takes them."""
        if case.sparse and case.files and not case.standardize:
            return [self.sparse[:100], self.sparse[100:]]
        if case.sparse:
            return self.sparse
        return (self.dataset if case.standardize else self.path) if case.files else self.dense

    def float64(self, case: Case) -> tuple[Array, Array, Array]:
        """Return the rows and the start as NumPy is to see them, and weights."""
        X, start = self.dense.astype(np.float64), self.start
        if case.standardize:
            scale = X.std(axis=0)
            X, start = (X - X.mean(axis=0)) / scale, (start - X.mean(axis=0)) / scale
        return X, start, self.weights if case.weighted else np.ones(N)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = Data(tmp_path_factory.mktemp("combinations"))
    yield found
    found.dataset.close()


def model_of(case: Case, data: Data, **options: Any) -> Any:
    """Return an estimator whose fit ends as Lloyd's algorithm on all rows does."""
    if case.kind is MiniBatchKMeans:
        options |= {"max_no_improvement": None, "init_size": N}
    else:
        options |= {"algorithm": case.algorithm or "auto"}
    model = case.kind(K, init=data.float64(case)[1], tol=0.0, metric=case.metric, **options)
    if case.kind is MiniBatchKMeans and case.algorithm:
        model.set_params(algorithm=case.algorithm)
    return model


def weights_of(case: Case, data: Data) -> dict[str, Any]:
    return {"sample_weight": data.weights} if case.weighted else {}


def fitted(case: Case, data: Data, **options: Any) -> Any:
    return model_of(case, data, **options).fit(data.rows(case), **weights_of(case, data))


def distances(case: Case, X: Array, centers: Array) -> Array:
    """Return what ``transform`` is to return."""
    if case.metric == "cosine":
        return 1.0 - reference.products(reference.directions(X), centers)
    return np.sqrt(reference.squared_distances(X, centers))


def inertia(case: Case, X: Array, centers: Array, weights: Array) -> float:
    nearest = distances(case, X, centers).min(axis=1)
    return float((weights * (2.0 * nearest if case.metric == "cosine" else nearest**2)).sum())


def check_fit(model: Any, case: Case, data: Data, max_iter: int = 300) -> None:
    """Compare a model with the same fit in NumPy."""
    X, start, weights = data.float64(case)
    lloyd = reference.spherical if case.metric == "cosine" else reference.lloyd
    expected = lloyd(X, start, max_iter, 0.0, weights)
    np.testing.assert_array_equal(model.labels_, expected.labels)
    np.testing.assert_allclose(model.cluster_centers_, expected.centers, rtol=0, atol=2e-6)
    assert model.inertia_ == pytest.approx(expected.inertia, rel=1e-5)
    assert model.cluster_sizes_.tolist() == np.bincount(expected.labels, minlength=K).tolist()


def check_callback(case: Case, data: Data) -> None:
    seen: list[Any] = []
    model = fitted(case, data, callback=lambda number, run: seen.append(run.centers))
    other = fitted(case, data)
    assert len(seen) == len(model.history_) > 2
    assert model.cluster_centers_.tobytes() == other.cluster_centers_.tobytes()
    np.testing.assert_array_equal(model.labels_, other.labels_)
    model = fitted(case, data, callback=lambda number, run: number == 2)
    assert model.stop_reason_ == "a callback ended the fit"
    np.testing.assert_array_equal(model.predict(data.rows(case)), model.labels_)


def check_local_search(case: Case, data: Data) -> None:
    """The inertia is exact, and lower than without a search."""
    X, _, weights = data.float64(case)
    options = {"random_state": 0} | ({} if case.kind is MiniBatchKMeans else {"local_search": 30})
    model = model_of(case, data, **options)
    if case.kind is MiniBatchKMeans:
        model.set_params(local_search=30)
    model.fit(data.rows(case), **weights_of(case, data))
    assert model.search_.kept
    assert model.inertia_ < fitted(case, data).inertia_
    assert model.inertia_ == pytest.approx(inertia(case, X, model.cluster_centers_, weights), 1e-5)


def check_early_stop(case: Case, data: Data) -> None:
    """The run that is kept ran to its end; it is the first one or a better one."""
    X, _, weights = data.float64(case)
    model = model_of(case, data, max_iter=40)
    runs = {"init": "random", "n_init": 8, "random_state": 0, "early_stop": True}
    runs["local_search"] = 0
    model.set_params(**runs).fit(data.rows(case), **weights_of(case, data))
    assert model.converged_
    assert model.inertia_ == pytest.approx(inertia(case, X, model.cluster_centers_, weights), 1e-5)
    model.set_params(n_init=1)
    best = model.inertia_
    assert best <= model.fit(data.rows(case), **weights_of(case, data)).inertia_


def check_end_check(case: Case, data: Data) -> None:
    X, _, weights = data.float64(case)
    answers = set()
    for k in (K, 25):
        model = model_of(case, data)
        model.set_params(init="random", random_state=0, n_init=1, n_clusters=k, end_check=True)
        model.fit(data.rows(case), **weights_of(case, data))
        expected = reference.single_move_optimal(X, model.labels_, k, weights)
        assert model.single_move_optimal_ == expected
        answers.add(expected)
    assert False in answers


def check_init(case: Case, data: Data) -> None:
    """Labels and inertia belong to the centers, and the result is that of a good start."""
    X, _, weights = data.float64(case)
    options = {"init": "auto", "random_state": 0}
    model = model_of(case, data).set_params(**options)
    model.fit(data.rows(case), **weights_of(case, data))
    centers = model.cluster_centers_
    np.testing.assert_array_equal(model.labels_, distances(case, X, centers).argmin(axis=1))
    assert model.inertia_ == pytest.approx(inertia(case, X, centers, weights), 1e-5)
    assert model.inertia_ < 1.1 * fitted(case, data).inertia_
    assert case.kind is MiniBatchKMeans or model.init_ == "k-means++"


def check_to_sklearn(case: Case, data: Data) -> None:
    model = fitted(case, data)
    theirs = model.to_sklearn()
    np.testing.assert_array_equal(theirs.predict(data.dense.astype(np.float64)), model.labels_)


def check_partial_fit(case: Case, data: Data) -> None:
    model = model_of(case, data).partial_fit(data.rows(case), **weights_of(case, data))
    check_fit(model, case, data, max_iter=1)
    model.partial_fit(data.rows(case), **weights_of(case, data))
    assert model.n_steps_ == 2


def check_method(case: Case, data: Data, folder: Path) -> None:
    """Compare a method of a fitted model with NumPy."""
    model, rows, (X, _, weights) = fitted(case, data), data.rows(case), data.float64(case)
    expected = distances(case, X, model.cluster_centers_)
    if case.use == "save":
        model.save(folder / "model.npz")
        loaded = case.kind.load(folder / "model.npz")
        assert loaded.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()
        np.testing.assert_array_equal(loaded.predict(rows), model.labels_)
    elif case.use == "representatives":
        found = model.representatives(rows, 3)
        for j, own in enumerate(found):
            members = np.flatnonzero(model.labels_ == j)
            order = members[np.argsort(expected[members, j], kind="stable")]
            np.testing.assert_array_equal(own, order[:3])
    elif case.use == "transform":
        np.testing.assert_allclose(model.transform(rows), expected, rtol=1e-5, atol=2e-6)
    elif case.use == "score":
        score = model.score(rows, **weights_of(case, data))
        assert -score == pytest.approx(inertia(case, X, model.cluster_centers_, weights), rel=1e-5)
    else:
        assert case.use == "predict"
        np.testing.assert_array_equal(model.predict(rows), expected.argmin(axis=1))


def do(case: Case, data: Data, folder: Path) -> None:
    """Do what a cell says, and compare it with NumPy."""
    if case.sparse and case.standardize:
        fitted(replace(case, sparse=False), data).predict(data.sparse)
    elif case.use == "fit":
        check_fit(fitted(case, data), case, data)
        if case.kind is MiniBatchKMeans:
            random = fitted(case, data, schedule="random", batch_size=100, random_state=0)
            X = data.float64(case)[0]
            labels = distances(case, X, random.cluster_centers_).argmin(axis=1)
            np.testing.assert_array_equal(random.labels_, labels)
            assert random.inertia_ < 1.3 * fitted(case, data).inertia_
    elif case.use == "callback":
        check_callback(case, data)
    elif case.use == "local_search":
        check_local_search(case, data)
    elif case.use == "early_stop":
        check_early_stop(case, data)
    elif case.use == "end_check":
        check_end_check(case, data)
    elif case.use == 'init="auto"':
        check_init(case, data)
    elif case.use == "to_sklearn":
        check_to_sklearn(case, data)
    elif case.use == "partial_fit":
        check_partial_fit(case, data)
    else:
        check_method(case, data, folder)


@pytest.mark.parametrize(("row", "column"), WORKING)
def test_what_works_together(row: str, column: str, data: Data, tmp_path: Path) -> None:
    do(case_of(row, column), data, tmp_path)


@pytest.mark.parametrize(("row", "column"), REFUSED)
def test_what_is_refused_in_words(row: str, column: str, data: Data, tmp_path: Path) -> None:
    case = case_of(row, column)
    with pytest.raises(ValueError, match=r"\w+ .*[.,:;] ?\w+") as caught:
        do(case, data, tmp_path)
    way_out = NOTES[CELLS[row, column][-2]]
    assert way_out
    assert all(word in str(caught.value) for word in way_out)


def test_the_table_is_whole() -> None:
    """Every cell says yes or no, or crosses a feature with itself; all features are there."""
    rows, columns = ({place[i] for place in CELLS} for i in (0, 1))
    assert columns < set(FEATURES) <= rows
    assert {"`callback`", "`save`", "`representatives`", "`transform`", "`partial_fit`"} <= rows
    for (row, column), cell in CELLS.items():
        assert (row == column) == (cell == "")
        assert not cell or (row, column) in WORKING + REFUSED
        if (column, row) in CELLS:
            assert CELLS[column, row] == cell
