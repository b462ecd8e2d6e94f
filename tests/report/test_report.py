"""``fastkmeans.report``: what the page says, and that nothing on it is markup of the data."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastkmeans
from fastkmeans import KMeans, MiniBatchKMeans, open_dataset
from fastkmeans._report import quality
from fastkmeans._report.page import policy
from fastkmeans._report.words import number, profile_words, quality_words, share
from fastkmeans._runtime.extras import MissingExtra
from tests.helpers.pages import Page

pd = pytest.importorskip("pandas")

HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onload='alert(1)",
    "{{ 7 * 7 }}{% raw %}", "</style></script><!--", "a\nb\x00\x07\x1b[31m", "\u202egnp.exe",
    "$x_{$", "javascript:alert(1)", "&lt;b&gt;", "\u2028", "N" * 3000, "",
]  # fmt: skip

PICTURE = "data:image/png;base64,AAAA"


@pytest.fixture(autouse=True)
def _no_pictures(request: Any, monkeypatch: Any) -> None:
    """Leave out what takes longest, except in tests that look at pictures."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr("fastkmeans._report.pictures._drawn", lambda *_: (PICTURE, PICTURE))


@pytest.fixture
def pictures() -> None:
    """Let pictures be drawn."""


@pytest.fixture(scope="module")
def written(X: Any, model: Any, tmp_path_factory: Any) -> Any:
    """The page about the common model."""
    path = tmp_path_factory.mktemp("report") / "page.html"
    fastkmeans.report(model, X, path, title="Three groups")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(written: str) -> Page:
    return Page(written)


def test_sizes_words_and_rows_are_those_of_the_model(shown: Page, model: Any, X: Any) -> None:
    table = shown.table("sizes")
    assert [int(row[2].replace(",", "")) for row in table[1:]] == model.cluster_sizes_.tolist()
    z = (model.cluster_centers_ - X.mean(axis=0)) / X.std(axis=0)
    assert [row[1] for row in table[1:]] == [
        profile_words(z[j], ["x1", "x2", "x3"]) for j in range(4)
    ]
    assert {word for row in table[1:] for word in re.findall("high|low", row[1])} == {"high", "low"}
    rows = shown.table("representatives")[1:]
    assert [int(row[1]) for row in rows] == model.representatives(X, 3).ravel().tolist()
    assert [row[2] for row in rows] == [number(X[int(row[1]), 0]) for row in rows]
    centers = shown.table("centers")
    assert centers[1][1].startswith(number(model.cluster_centers_[0, 0]) + " (")
    assert centers[-1] == ["all rows", *(number(mean) for mean in X.mean(axis=0))]
    text = " ".join(one.text for one in shown.named("p"))
    assert f"stopped after {model.n_iter_} iteration" in text
    assert model.stop_reason_ in text


def test_quality_is_the_simplified_silhouette(shown: Page, model: Any, X: Any) -> None:
    distances = np.sort(np.linalg.norm(X[:, None] - model.cluster_centers_, axis=2), axis=1)
    values = 1 - distances[:, 0] / distances[:, 1]
    means = [values[model.labels_ == j].mean() for j in range(4)]
    assert [row[4] for row in shown.table("sizes")[1:]] == [f"{mean:.2f}" for mean in means]
    text = " ".join(one.text for one in shown.named("p"))
    assert f"is {values.mean():.2f}, over all rows: {quality_words(values.mean())}" in text


def test_the_page_can_be_read_by_anyone(shown: Page, written: str) -> None:
    """What axe-core would ask for, as far as it can be seen without a browser."""
    assert written.startswith("<!DOCTYPE html>")
    assert shown.named("html")[0].attributes["lang"] == "en"
    assert [one.text for one in shown.named("title", "h1")] == ["Three groups"] * 2
    levels = [int(one.name[1]) for one in shown.named("h1", "h2", "h3")]
    assert all(new <= old + 1 for old, new in itertools.pairwise(levels))
    ids = [one.attributes["id"] for one in shown.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    for one in shown.elements:
        for name in ("aria-labelledby", "href"):
            target = one.attributes.get(name, "")
            if name != "href" or target.startswith("#"):
                assert not target or target.removeprefix("#") in ids, target
        if one.attributes.get("role") == "region":
            assert one.attributes.get("aria-label") or one.attributes.get("aria-labelledby")
            assert one.attributes["tabindex"] == "0"
    for image in shown.named("img"):
        assert len(image.attributes["alt"]) > 40
        assert int(image.attributes["width"]) > 100
    assert len(shown.named("img")) == 4
    for head in shown.named("th"):
        assert head.attributes["scope"] == ("col" if "thead" in head.around else "row")
        assert head.text
    widths = [len(row) for name in ("sizes", "centers", "columns") for row in shown.table(name)]
    assert len(set(widths)) <= 3
    viewport = [m for m in shown.named("meta") if m.attributes.get("name") == "viewport"]
    assert viewport[0].attributes["content"] == "width=device-width, initial-scale=1"


def luminance(color: str) -> float:
    parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_contrast_is_high_enough_in_light_and_dark(shown: Page) -> None:
    """WCAG 2: 4.5 for text, on every background that it stands on."""
    (style,) = shown.named("style")
    light, dark = (dict(re.findall(r"--([\w]+): (#[0-9a-f]{6})", part))
                   for part in style.text.split("@media screen and", 1))  # fmt: skip
    tints = ["low3", "low2", "low1", "high1", "high2", "high3"]
    assert set(light) == set(dark) > {*tints, "paper", "ink"}
    for colors in (light, dark):
        pairs = [("ink", ground) for ground in ("paper", "panel", "warn", *tints)]
        pairs += [("muted", "paper"), ("muted", "panel"), ("link", "paper")]
        for text, ground in pairs:
            a, b = sorted([luminance(colors[text]), luminance(colors[ground])])
            assert (b + 0.05) / (a + 0.05) >= 4.5, (text, ground)
    from fastkmeans._report.pictures import THEMES

    themes = {"light": light, "dark": dark}
    assert {name: (c["paper"], c["ink"]) for name, c in themes.items()} == THEMES


def safe(page: Page, text: str) -> None:
    """Assert that a page has no script but ours, and no address outside."""
    (script,), (style,) = page.named("script"), page.named("style")
    first = page.named("meta")[1].attributes
    assert first["http-equiv"] == "Content-Security-Policy"
    raw = [re.search(f"<{tag}>(.*?)</{tag}>", text, re.S) for tag in ("style", "script")]
    assert first["content"] == policy(*(found[1] for found in raw if found))
    assert "unsafe" not in first["content"]
    assert "querySelectorAll" in script.text
    assert "--paper" in style.text
    assert not page.comments
    known = {
        "html", "head", "meta", "link", "title", "style", "script", "body", "header", "main", "nav",
        "footer", "h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "div", "strong", "a", "span",
        "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "picture", "source",
        "img", "svg", "rect", "pre", "code",
    }  # fmt: skip
    assert {one.name for one in page.elements} <= known
    for one in page.elements:
        assert not [name for name in one.attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src", "srcset", "action", "poster", "data"):
            address = one.attributes.get(name)
            assert address is None or address.startswith(("#", "data:image/png;base64,", "data:,"))
    without_pictures = re.sub(r'"data:image/png;base64,[^"]*"', "", text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", without_pictures.replace("// T", ""))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", text)


def test_the_page_is_safe(shown: Page, written: str) -> None:
    safe(shown, written)


def test_names_are_text(tmp_path: Path, pictures: None) -> None:
    d = len(HOSTILE)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, d)), columns=HOSTILE)
    frame[HOSTILE[0]] += 5 * (np.arange(60) % 2)
    frame["$x_{$"] = 1.0  # and so is in the warning
    own = KMeans(2, random_state=0).fit(frame)
    path = tmp_path / "page.html"
    fastkmeans.report(own, frame, path, title=HOSTILE[1], command="".join(HOSTILE[:8]))
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    safe(page, text)
    assert page.named("h1")[0].text == HOSTILE[1]
    names = [row[0] for row in page.table("columns")[1:]]
    assert names[:2] == HOSTILE[:2]
    assert names[5] == r"a\nb\x00\x07\x1b[31m"
    assert names[6] == r"\u202egnp.exe"
    assert len(names[11]) == 120
    assert names[12] == "(no name)"
    assert "" not in page.table("centers")[0]
    assert "<script>alert(1)</script> " in page.table("sizes")[1][1]
    assert "49" not in page.table("centers")[0]


def test_values_and_files_are_text(tmp_path: Path) -> None:
    folder = tmp_path / "<b>x"
    folder.mkdir()
    path = folder / "a&\"b'.csv"
    path.write_text(
        "a,<i>t</i>,c\n" + "".join(f"{i},<u>{i}</u>,{i % 7}\n" for i in range(50)) + "1,,\n"
    )
    with open_dataset(path, missing="drop") as data:
        own = KMeans(3, random_state=0).fit(data)
        fastkmeans.report(own, data, tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    page = Page(text)
    safe(page, text)
    said = [one.text for one in page.named("li")]
    assert "1 row dropped, because a value is missing" in said
    assert "<i>t</i>: holds text, as '<u>0</u>'" in said


def test_paths_are_read_and_named(tmp_path: Path, X: Any) -> None:
    np.save(tmp_path / "rows.npy", X)
    own = KMeans(3, random_state=0).fit(X)
    fastkmeans.report(own, tmp_path / "rows.npy", tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.named("h1")[0].text == "Clusters of rows.npy"
    assert str(tmp_path / "rows.npy") in [one.text for one in page.named("dd")]


@pytest.mark.parametrize("standardize", [False, True])
def test_values_are_in_the_units_of_the_file(tmp_path: Path, X: Any, standardize: bool) -> None:
    pd.DataFrame(X * [1, 10, 1000] + 7, columns=list("abc")).to_csv(tmp_path / "t.csv", index=False)
    raw = pd.read_csv(tmp_path / "t.csv").to_numpy()
    with open_dataset(tmp_path / "t.csv", standardize=standardize) as data:
        own = KMeans(3, random_state=0).fit(data)
        fastkmeans.report(own, data, tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    rows = page.table("representatives")[1:]
    assert [row[4] for row in rows] == [number(raw[int(row[1]), 2]) for row in rows]
    centers = page.table("centers")[1:]
    means = [raw[own.labels_ == j, 2].mean() for j in range(3)]
    assert [row[3].split(" ")[0] for row in centers[:3]] == [number(mean) for mean in means]
    assert centers[3][1:] == [number(mean) for mean in raw.mean(axis=0)]
    warned = [one.text for one in page.named("li") if "of the variance" in one.text]
    assert len(warned) == (not standardize)


def page_of(model: Any, X: Any, tmp_path: Path, **more: Any) -> Page:
    fastkmeans.report(model, X, tmp_path / "page.html", **more)
    return Page((tmp_path / "page.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_rows_and_cosine(tmp_path: Path, X: Any, metric: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    own = KMeans(3, random_state=0, metric=metric).fit(X)
    dense = page_of(own, X, tmp_path)
    other = page_of(own, sparse.csr_array(X), tmp_path)
    for name in ("sizes", "representatives", "centers"):
        assert dense.table(name) == other.table(name)
    rows = dense.table("representatives")[1:]
    assert [row[2] for row in rows] == [number(X[int(row[1]), 0]) for row in rows]
    assert ("with length 1 (cosine)" in [one.text for one in dense.named("dd")]) == (
        metric != "euclidean"
    )
    wide = KMeans(1).fit(sparse.random(5, 70_000, 0.001, "csr", random_state=0))
    with pytest.raises(ValueError, match="70000 features, and pictures are of at most 65536"):
        fastkmeans.report(wide, sparse.csr_array((5, 70_000)), tmp_path / "page.html")


def test_models_of_other_kinds(tmp_path: Path, X: Any, model: Any) -> None:
    batches = MiniBatchKMeans(3, random_state=0).fit(X)
    assert len(page_of(batches, X, tmp_path).named("img")) == 4
    one = page_of(KMeans(1).fit(X), X, tmp_path)
    assert "so there is no silhouette" in " ".join(p.text for p in one.named("p"))
    partial = MiniBatchKMeans(2, random_state=0).partial_fit(X)
    assert len(page_of(partial, X, tmp_path).named("img")) >= 3
    model.save(tmp_path / "m.npz")
    loaded = page_of(KMeans.load(tmp_path / "m.npz"), X, tmp_path)
    assert not [one for one in loaded.elements if one.attributes.get("class") == "warnings"]
    others = page_of(model, X[:50], tmp_path)
    assert "the model was not fitted to these rows: it only labels them" in [
        one.text for one in others.named("li")
    ]


def test_fewer_rows_than_clusters_and_no_convergence(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="distinct clusters"):
        equal = KMeans(3, random_state=0).fit(np.ones((9, 2)))
    text = " ".join(one.text for one in page_of(equal, np.ones((9, 2)), tmp_path).named("p", "li"))
    assert "clusters have no rows" in text
    rows = np.random.default_rng(0).normal(size=(500, 2))
    short = KMeans(5, max_iter=1, random_state=0).fit(rows)
    said = [one.text for one in page_of(short, rows, tmp_path).named("li")]
    assert [text for text in said if text.startswith("the fit did not converge")]


def test_weights_are_shown(tmp_path: Path, X: Any) -> None:
    weights = np.arange(len(X)) % 3.0
    own = KMeans(2, random_state=0).fit(X, sample_weight=weights)
    page = page_of(own, X, tmp_path, sample_weight=weights)
    want = [weights[own.labels_ == j].sum() / weights.sum() for j in range(2)]
    assert [row[4] for row in page.table("sizes")[1:]] == [share(part, 1.0) for part in want]
    mean = np.average(X, axis=0, weights=weights)
    assert page.table("centers")[-1][1:] == [number(value) for value in mean]


def test_work_is_bounded_and_the_page_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    """Small clusters have quality although the sample misses them."""
    from fastkmeans._data.rows import ArrayRows

    monkeypatch.setattr(quality, "room_for", lambda d: 300)
    most = []

    def take(self: Any, indices: Any) -> Any:
        most.append(len(indices))
        return np.ascontiguousarray(self._array[indices])

    monkeypatch.setattr(ArrayRows, "take", take)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    X[::4000] += 100.0  # five rows
    own = KMeans(2, random_state=0).fit(X)
    page = page_of(own, X, tmp_path)
    small = int(own.cluster_sizes_.argmin())
    assert own.cluster_sizes_[small] == 5
    assert max(most) <= 300
    assert float(page.table("sizes")[1 + small][4]) > 0.9
    said = " ".join(one.text for one in page.named("p", "figcaption"))
    assert "estimated from a sample of 305 of 20,000 rows" in said
    assert "a sample of 300 of 20,000 rows" in said


def test_many_clusters_and_columns_are_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 80))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("tables.MOST_LISTED", 20),
            ("facts.MOST_LISTED", 20),
            ("clusters.MOST_DRAWN", 9),
        ):
            patch.setattr(f"fastkmeans._report.{name}", value)
        page = page_of(KMeans(40, init=X[:40], max_iter=2).fit(X), X, tmp_path)
    assert len(page.table("sizes")) == 21
    assert len(page.table("centers")) == 22
    assert len(page.table("centers")[0]) == 31
    captions = page.with_id("centers").text
    assert "the 20 largest clusters of 40" in captions
    assert "the 30 columns in which the centers differ most of 80" in captions


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_a_missing_library_is_named(
    model: Any, X: Any, tmp_path: Path, monkeypatch: Any, library: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"{library} is not installed: .*numba\[report\]"):
        fastkmeans.report(model, X, tmp_path / "page.html")


def test_wrong_arguments(model: Any, X: Any, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(ValueError, match=r"path is 'a.csv', and a report is HTML"):
        fastkmeans.report(model, X, "a.csv")
    with pytest.raises(TypeError, match="path must be a name of a file, got 3"):
        fastkmeans.report(model, X, 3)
    with pytest.raises(
        TypeError,
        match="or what choose_k returns, got int",
    ):
        fastkmeans.report(3, X, "a.html")
    with pytest.raises(ValueError, match="not fitted yet"):
        fastkmeans.report(KMeans(3), X, "a.html")
    with pytest.raises(ValueError, match="X has 2 features"):
        fastkmeans.report(model, X[:, :2], tmp_path / "a.html")
    with pytest.raises(FileNotFoundError, match=r"none.+a\.html"):
        fastkmeans.report(model, X, tmp_path / "none" / "a.html")
    (tmp_path / "dir.html").mkdir()
    with pytest.raises(OSError, match=r"dir.html"):
        fastkmeans.report(model, X, tmp_path / "dir.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dir.html"]


def test_the_old_page_stays_if_the_new_one_fails(
    model: Any, X: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from tests.conftest import room_for

    path = tmp_path / "page.html"
    path.write_text("old")
    with room_for(1000), pytest.raises(OSError, match=r"page\.html"):
        fastkmeans.report(model, X, path)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]
