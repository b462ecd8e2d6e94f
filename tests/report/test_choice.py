"""``fastkmeans.report`` about a choice of k."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastkmeans
from fastkmeans import KMeans, open_dataset
from fastkmeans._choosing.decision import LEAST_CONTRAST, LEAST_GAP
from fastkmeans._report.words import number
from tests.helpers.pages import Page

PICTURE = "data:image/png;base64,AAAA"


@pytest.fixture(autouse=True)
def drawn(monkeypatch: Any) -> list[Any]:
    """The sizes of pictures, which are not drawn: test_report draws them."""
    found: list[Any] = []

    def drawn(draw: Any, size: Any) -> tuple[str, str]:
        found.append(size)
        return PICTURE, PICTURE

    monkeypatch.setattr("fastkmeans._report.pictures._drawn", drawn)
    return found


@pytest.fixture(scope="module")
def models(X: Any) -> list[KMeans]:
    return [KMeans(k, n_init=1, random_state=0).fit(X) for k in (2, 3, 4)]


def choice(models: list[KMeans], best_k: int | None, **changes: Any) -> Any:
    """What choose_k returns, with figures that are easy to find again."""
    k = np.array([model.n_clusters for model in models])
    values = {
        "k": k, "inertia": np.array([model.inertia_ for model in models]),
        "simplified_silhouette": k / 10, "calinski_harabasz": 2.0 * k,
        "davies_bouldin": np.where(k == 2, np.nan, 3.0 * k), "bic": -4.0 * k, "gap": 5.0 * k,
        "contrast": 6.0 * k, "n_iter": 7 * k, "seconds": 8.0 * k, "models": models,
        "choices": {"simplified_silhouette": 4, "bic": 3}, "best_k": best_k,
        "reason": "because of <b>this</b>",
        "best_model": None if best_k is None else models[k.tolist().index(best_k)],
    }  # fmt: skip
    return SimpleNamespace(**(values | changes))


def page_of(choice: Any, X: Any, path: Path) -> Page:
    fastkmeans.report(choice, X, path)
    return Page(path.read_text(encoding="utf-8"))


def test_figures_and_the_clusters_that_stand_out(
    models: list[KMeans], X: Any, tmp_path: Path, drawn: list[Any]
) -> None:
    page = page_of(choice(models, 3), X, tmp_path / "k.html")
    table = page.table("figures")
    assert table[0][:2] == ["k", "inertia"]
    assert table[1] == ["2", number(models[0].inertia_), "0.2", "4", "\u2013", "-8", "10", "12",
                        "14", "16"]  # fmt: skip
    assert table[2][0] == "3 (stands out)"
    assert page.table("indices")[1:] == [["simplified silhouette", "4"], ["BIC", "3"]]
    assert page.named("strong")[0].text == "because of <b>this</b>"
    sizes = [int(row[2]) for row in page.table("sizes")[1:]]
    assert sizes == models[1].cluster_sizes_.tolist()
    assert len(drawn) == len(page.named("img")) == 5
    assert dict(page.table("parameters")[1:])["n_clusters"] == "2, 3, 4"
    assert [one.text for one in page.named("code")] == [
        "choice = fastkmeans.choose_k(X, [2, 3, 4], n_init=1, random_state=0) "
        'fastkmeans.report(choice, X, "k.html")'
    ]
    text = " ".join(one.text for one in page.named("p"))
    assert f"gap is at least {LEAST_GAP} and its contrast at least {LEAST_CONTRAST}" in text


def test_no_clusters_if_no_k_stands_out(
    models: list[KMeans], X: Any, tmp_path: Path, drawn: list[Any]
) -> None:
    page = page_of(choice(models, None), X, tmp_path / "k.html")
    assert len(page.table("figures")) == 4
    assert len(page.table("columns")) == 1 + X.shape[1]
    headings = [one.text for one in page.named("h2")]
    assert headings == ["What was read", "How many clusters", "How this was made"]
    linked = [one.attributes["href"] for one in page.named("a")]
    assert linked == ["#main", "#read", "#numbers", "#made"]
    assert len(drawn) == 1


def test_figures_beyond_floats(
    models: list[KMeans], X: Any, tmp_path: Path, drawn: list[Any]
) -> None:
    """If nothing is finite there is a page all the same."""
    names = ("inertia", "simplified_silhouette", "calinski_harabasz", "davies_bouldin", "bic")
    changes = dict.fromkeys(names, np.array([np.inf, np.nan, np.inf]))
    page = page_of(choice(models, None, choices={}, **changes), X, tmp_path / "k.html")
    assert page.table("figures")[1][1:3] == ["inf", "inf"]
    assert len(drawn) == 1
    assert "indices" not in [one.attributes.get("id") for one in page.elements]


def test_a_standardised_dataset(X: Any, tmp_path: Path) -> None:
    """Labels are found again, and centers are in the units of the file."""
    np.save(tmp_path / "a.npy", X * [1, 10, 1000] + 7)
    with open_dataset(tmp_path / "a.npy", standardize=True) as data:
        own = [KMeans(k, random_state=0).fit(data) for k in (2, 3)]
        labels = own[1].labels_
        for model in own:
            del model.labels_  # as choose_k leaves models of files
        page = page_of(choice(own, 3), data, tmp_path / "k.html")
    means = [(X[labels == j, 2] * 1000 + 7).mean() for j in range(3)]
    assert [row[3].split()[0] for row in page.table("centers")[1:4]] == [*map(number, means)]
    assert [int(row[2]) for row in page.table("sizes")[1:]] == np.bincount(labels).tolist()
