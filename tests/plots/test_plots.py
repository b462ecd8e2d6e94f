"""``fastkmeans.plots``: what is drawn, on which Axes, and what is refused."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastkmeans import KMeans, MiniBatchKMeans, plots
from fastkmeans._runtime.extras import MissingExtra
from fastkmeans.plots import _clusters, _rows, _style
from tests.conftest import ROOT

HOSTILE = ["$x_{$", "<script>alert(1)</script>", "a\nb\u202ec\x07"]


@pytest.fixture
def pyplot() -> Iterator[Any]:
    mpl.use("Agg")
    from matplotlib import pyplot as found

    yield found
    found.close("all")


def choice(**changes: Any) -> Any:
    k = np.arange(2, 8)
    values = {"k": k, "inertia": 100.0 / k, "davies_bouldin": np.abs(k - 4.0), "best_k": 4}
    values |= {"simplified_silhouette": -np.abs(k - 4.0), "bic": None}
    return SimpleNamespace(**(values | changes))


def calls(model: Any, X: Any) -> list[Any]:
    values = np.linspace(-0.2, 1.0, len(X))
    return [
        lambda **k: plots.clusters(model, X, **k),
        lambda **k: plots.profile(model, X, **k),
        lambda **k: plots.convergence(model, **k),
        lambda **k: plots.silhouettes(values, model.labels_, **k),
        lambda **k: plots.criteria(choice(), **k),
    ]


@pytest.mark.parametrize("number", range(5))
def test_axes_are_returned(model: Any, X: Any, pyplot: Any, number: int) -> None:
    draw = calls(model, X)[number]
    own = pyplot.subplots()[1]
    assert draw(ax=own) is own
    assert own.has_data()
    new = draw()
    assert new is not own
    assert isinstance(new, type(own))
    for ax in (own, new):
        ax.figure.canvas.draw()
        assert ax.get_xlabel() or number == 1
        assert ax.get_ylabel()
    with pytest.raises(TypeError, match="ax must be Axes of matplotlib or None, got int"):
        draw(ax=3)


@pytest.mark.parametrize("number", range(5))
def test_without_matplotlib_the_extra_is_named(
    model: Any, X: Any, monkeypatch: Any, number: int
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"matplotlib is not installed: .*numba\[plots\]"):
        calls(model, X)[number]()


def test_nothing_is_imported_before_it_is_used() -> None:
    code = "import sys, fastkmeans.plots; print({'matplotlib', 'jinja2', 'PIL'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_the_plane_is_that_of_the_largest_variance() -> None:
    rng = np.random.default_rng(0)
    for n, d in ((200, 5), (30, 60), (40, 1), (1, 3), (300, 1100)):
        rows = rng.normal(size=(n, d)) * np.linspace(9, 1, d) + 5
        plane = _clusters.plane_of(rows)
        _, sizes, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        rank = min(2, d, n - 1)
        if d <= _clusters.WIDE:
            assert_allclose(np.abs(plane.axes[:, :rank]), np.abs(axes[:rank].T), atol=1e-8)
            shares = sizes**2 / max((sizes**2).sum(), 1e-300)
            assert_allclose(plane.shares[:rank], shares[:rank], atol=1e-9)
        assert (plane.axes[np.abs(plane.axes).argmax(axis=0), [0, 1]] >= 0).all()
        assert np.isfinite(plane.places(rows)).all()
    assert _clusters.plane_of(np.array([[1e300, 0], [-1e300, 1], [0, 5]])).shares[0] == 1.0


def test_a_sample_is_drawn_of_many_rows(model: Any, X: Any, pyplot: Any) -> None:
    ax = plots.clusters(model, X, most_rows=100)
    assert ax.get_title() == "a sample of 100 of 400 rows"
    assert sum(len(points.get_offsets()) for points in ax.collections) == 100
    assert {text.get_text() for text in ax.texts} == set("0123")
    assert _rows.room_for(8) == 20_000
    assert _rows.room_for(1 << 16) == 256
    with pytest.raises(ValueError, match=r"65537 features, and pictures are of at most 65536"):
        _rows.room_for((1 << 16) + 1)


def test_a_cell_has_the_colour_of_its_largest_cluster(pyplot: Any) -> None:
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 20.0]])
    labels = rng.integers(0, 3, 6000).astype(np.int32)
    rows = middles[labels] + rng.normal(size=(6000, 2))
    ax = _clusters.draw_clusters(rows, labels, middles)
    (image,) = ax.images
    cells = image.get_array()
    colours = {tuple(rgb) for rgb in cells[cells[..., 3] > 0][:, :3].round(6).tolist()}
    assert colours == {tuple(rgb) for rgb in _style.rgb_of(np.arange(3)).round(6).tolist()}
    assert not ax.collections


def test_far_rows_do_not_squeeze_the_picture(pyplot: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 2))
    rows[0] = 1e6, 0.0
    ax = _clusters.draw_clusters(rows, np.zeros(1000, np.int32), rows[1:2])
    assert ax.get_xlim()[1] - ax.get_xlim()[0] < 20
    assert "1 rows lie outside" in ax.get_xlabel()


def test_the_profile_is_in_standard_deviations(model: Any, X: Any, pyplot: Any) -> None:
    ax = plots.profile(model, X)
    want = (model.cluster_centers_ - X.mean(axis=0)) / X.std(axis=0)
    assert_allclose(ax.images[0].get_array(), want, rtol=1e-9)
    weights = np.r_[np.ones(200), np.zeros(200)]
    half = X[:200]
    ax = plots.profile(model, X, sample_weight=weights)
    want = (model.cluster_centers_ - half.mean(axis=0)) / half.std(axis=0)
    assert_allclose(ax.images[0].get_array(), want, rtol=1e-9)
    ax = plots.profile(model, X, most_columns=1)
    assert ax.images[0].get_array().shape == (4, 1)


def test_constant_columns_are_like_the_mean(pyplot: Any) -> None:
    X = np.c_[np.random.default_rng(0).normal(size=(100, 3)), np.full(100, 1e9 + 0.1)]
    ax = plots.profile(KMeans(2, random_state=0).fit(X), X)
    assert (ax.images[0].get_array()[:, 3] == 0.0).all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_rows_and_cosine(X: Any, pyplot: Any, metric: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    own = KMeans(3, random_state=0, metric=metric).fit(X)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
    want = (own.cluster_centers_ - unit.mean(axis=0)) / unit.std(axis=0)
    for rows in (X, sparse.csr_array(X)):
        assert_allclose(plots.profile(own, rows).images[0].get_array(), want, rtol=1e-7)
        assert plots.clusters(own, rows).collections


def test_names_are_drawn_as_they_are(X: Any, pyplot: Any) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=HOSTILE)
    ax = plots.profile(KMeans(2, random_state=0).fit(frame), frame)
    ax.figure.canvas.draw()  # a broken formula would fail here
    found = [tick.get_text() for tick in ax.get_xticklabels()]
    assert found == ["$x_{$", "<script>alert(1)</script"[:23] + "\u2026", r"a\nb\u202ec\x07"]


@pytest.mark.parametrize("shape", [(2, 3), (50, 60), (120, 3), (1, 1)])
def test_few_and_many_clusters_and_columns(pyplot: Any, shape: tuple[int, int]) -> None:
    k, d = shape
    rng = np.random.default_rng(0)
    centers = 9 * rng.normal(size=shape)
    labels = np.arange(1000, dtype=np.int32) % k
    rows = centers[labels] + rng.normal(size=(1000, d))
    from fastkmeans.plots._profile import draw_profile

    for ax in (
        _clusters.draw_clusters(rows, labels, centers),
        draw_profile(centers, [f"a long name {j}" for j in range(d)]),
        plots.silhouettes(rng.uniform(size=1000), labels),
    ):
        ax.figure.canvas.draw()
        shown = [tick for tick in ax.get_yticklabels() if tick.get_text()]
        boxes = [tick.get_window_extent() for tick in shown]
        boxes = sorted(boxes, key=lambda box: box.y0)
        assert all(a.y1 <= b.y0 + 3 for a, b in itertools.pairwise(boxes))


def test_convergence_of_batches_and_without_history(model: Any, X: Any, pyplot: Any) -> None:
    ax = plots.convergence(MiniBatchKMeans(3, random_state=0).fit(X))
    assert ax.get_xlabel() == "batch"
    assert len(plots.convergence(model.history_).lines[0].get_xdata()) == model.n_iter_
    with pytest.raises(ValueError, match="no history_ to draw"):
        plots.convergence([])


def test_criteria_go_from_worst_to_best(pyplot: Any) -> None:
    ax = plots.criteria(choice())
    lines = {line.get_label().partition(":")[0]: line for line in ax.lines}
    assert set(lines) == {"inertia", "Davies-Bouldin", "simplified silhouette", "recommended"}
    for name in ("Davies-Bouldin", "simplified silhouette"):
        assert lines[name].get_xdata()[np.argmax(lines[name].get_ydata())] == 4
    assert lines["recommended"].get_xdata()[0] == 4
    assert not [
        line for line in plots.criteria(choice(best_k=None)).lines if len(line.get_xdata()) < 6
    ]
    gap = choice(davies_bouldin=np.array([1, 2, np.nan, 3, 4, 5.0]))
    gaps = {line.get_label().partition(":")[0]: line for line in plots.criteria(gap).lines}
    assert np.isnan(gaps["Davies-Bouldin"].get_ydata()[2])
    with pytest.raises(ValueError, match=r"choice.inertia has shape \(2,\), k has \(6,\)"):
        plots.criteria(choice(inertia=[1.0, 2.0]))
    with pytest.raises(ValueError, match="choice must have k and one of inertia"):
        plots.criteria(3)


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        ([0.1, 0.2], [0], "one item per row"),
        ([0.1, 1.2], [0, 1], "row 1 has silhouette 1.2 and label 1"),
        ([0.1, np.nan], [0, 1], "row 1 has silhouette nan"),
        ([0.1, 0.2], [0, -1], "row 1 has silhouette 0.2 and label -1"),
        ([0.1, 0.2], [0.0, 1.0], "labels must be integers"),
        ([], [], "one item per row"),
    ],
)
def test_silhouettes_refuse(values: Any, labels: Any, message: str, pyplot: Any) -> None:
    with pytest.raises(ValueError, match=message):
        plots.silhouettes(values, labels)
    assert not pyplot.get_fignums()


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e150, 1e300])
@pytest.mark.parametrize("spread", [0.0, 1e-12, 1.0])
def test_equal_rows_of_any_size_have_limits(size: float, spread: float, pyplot: Any) -> None:
    """Matplotlib warns of limits that do not differ."""
    rows = size * (1.0 + spread * np.random.default_rng(0).normal(size=(30, 3)))
    rows[0] = 0.0
    for X in (rows, rows[1:]):
        ax = _clusters.draw_clusters(X, np.zeros(len(X), np.int32), X[:1])
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        assert left < right
        assert bottom < top
        ax.figure.canvas.draw()


def test_criteria_without_a_finite_value(pyplot: Any) -> None:
    nothing = np.full(6, np.inf)
    ax = plots.criteria(choice(davies_bouldin=nothing))
    assert "Davies-Bouldin" not in {line.get_label().partition(":")[0] for line in ax.lines}
    names = ("inertia", "davies_bouldin", "simplified_silhouette")
    ax = plots.criteria(choice(best_k=None, **dict.fromkeys(names, nothing)))
    assert [text.get_text() for text in ax.texts] == ["no criterion is finite"]
    ax.figure.canvas.draw()


def test_numbers_are_written_where_there_is_room(pyplot: Any) -> None:
    from fastkmeans.plots._profile import draw_profile

    z = np.zeros((40, 3))
    assert len(draw_profile(z, "abc").texts) == 120
    assert not draw_profile(z, "abc", pyplot.subplots(figsize=(4, 3))[1]).texts


@pytest.mark.parametrize("sparse", [False, True])
def test_spread_of_columns_of_any_size(sparse: bool) -> None:
    """Squares that overflow, or vanish, in one column leave the others as they are."""
    from fastkmeans._data.tables import table_in_memory
    from fastkmeans._estimators.inputs import as_table

    sizes = np.array([1e-200, 1.0, 1e200, 1e-300, 1e300])
    unit = np.random.default_rng(0).normal(size=(200, 5))
    weights = np.random.default_rng(1).integers(1, 4, 200).astype(float)
    X = unit * sizes
    table = table_in_memory(X)
    if sparse:
        table = as_table(pytest.importorskip("scipy.sparse").csr_array(X))
    spread = _rows.spread_of(table, weights, False, 1)
    mean = np.average(unit, axis=0, weights=weights)
    deviation = np.sqrt(np.average((unit - mean) ** 2, axis=0, weights=weights))
    assert_allclose(spread.mean / sizes, mean, rtol=1e-9)
    assert_allclose(spread.deviation / sizes, deviation, rtol=1e-9)


def test_one_step_has_a_whole_number(model: Any, pyplot: Any) -> None:
    ax = plots.convergence(model.history_[:1])
    ax.figure.canvas.draw()
    assert {tick % 1.0 for tick in ax.get_xticks()} == {0.0}
