"""The command ``csv``: the quality that it prints, and ``--order``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastkmeans import KMeans, metrics
from fastkmeans._cli import arguments
from fastkmeans._cli.progress import WatchedRows
from fastkmeans._cli.quality import Ending
from fastkmeans._data.rows import ArrayRows
from fastkmeans._data.tables import Table
from fastkmeans._lloyd import checkpoint
from fastkmeans._lloyd.watch import Watch, Watches
from tests.helpers.commands import groups, write

OUTPUTS = ("--labels-out", "l.csv", "--centers-out", "c.csv", "--model-out", "m.npz")


def column(name: str, values: Sequence[float]) -> None:
    write(name, "".join(f"{value}\n" for value in ["x", *values]))


def labels_in(name: str = "l.csv") -> list[int]:
    labels: list[int] = pd.read_csv(name)["cluster"].tolist()
    return labels


def test_quality_by_hand(call: Any) -> None:
    """Distances to the own center are 1, to the other 11, 9, 9, 11; W is 4 and B is 100."""
    column("d.csv", [0, 2, 10, 12])
    column("start.csv", [0, 12])
    done = call("csv", "d.csv", "--init", "start.csv", "--json")
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    mean = pytest.approx((10 / 11 + 8 / 9) / 2, rel=1e-12)
    assert summary["quality"] == {
        "simplified_silhouette": mean,
        "calinski_harabasz": pytest.approx(50.0, rel=1e-12),
    }
    assert [each["simplified_silhouette"] for each in summary["clusters"]] == [mean, mean]
    assert "silhouette  0.899 (simplified" in done.err
    assert "CH          50 (Calinski-Harabasz)" in done.err
    assert "cluster       size   share  silhouette" in done.err
    assert "      1          2   50.0%       0.899" in done.err


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--standardize", "--weight", "w"),
        ("--metric", "cosine", "--weight", "w"),
        ("--n-init", "3"),
        ("--order", "size", "--weight", "w"),
        ("--order", "size", "--n-init", "2", "--metric", "cosine"),
    ],
    ids=" ".join,
)
def test_quality_is_that_of_metrics(call: Any, flags: tuple[str, ...]) -> None:
    frame = groups().assign(w=np.arange(300) % 3)
    frame["b"] = (frame["b"] - 5e5) / 1e4
    frame["c"] = frame["c"] * 1e3
    frame.loc[5, "a"] = np.nan
    frame.to_csv("d.csv", index=False)
    columns = ("--columns", "a,b,c", "--missing", "drop", "--tol", 0, "-k", 5)
    done = call("csv", "d.csv", *columns, *flags, *OUTPUTS, "--json")
    assert done.code == 0, done.err
    summary, model = json.loads(done.out), KMeans.load("m.npz")
    kept = frame.drop(5)
    weights = kept["w"].to_numpy(float) if "--weight" in flags else None
    X = (kept[["a", "b", "c"]].to_numpy() - model.preparation_.shift) / model.preparation_.scale
    labels = pd.read_csv("l.csv")["cluster"].drop(5).astype(int).to_numpy()
    rest: dict[str, Any] = {"sample_weight": weights, "metric": model.metric}
    samples = metrics.simplified_silhouette_samples(X, labels, model.cluster_centers_, **rest)
    assert summary["quality"]["simplified_silhouette"] == pytest.approx(
        np.average(samples, weights=weights), rel=1e-9
    )
    for j, cluster in enumerate(summary["clusters"]):
        own = labels == j
        assert cluster["size"] == own.sum()
        mean = np.average(samples[own], weights=None if weights is None else weights[own])
        assert cluster["simplified_silhouette"] == pytest.approx(mean, rel=1e-9)
    index = summary["quality"]["calinski_harabasz"]
    if "cosine" in flags:
        assert index is None
        assert "CH          none (by cosine; Calinski-Harabasz)" in done.err
    else:
        score = metrics.calinski_harabasz_score(X, labels, sample_weight=weights)
        assert index == pytest.approx(score, rel=1e-9)


def test_no_quality_has_its_reason(call: Any) -> None:
    column("d.csv", [0, 2, 10, 12])
    done = call("csv", "d.csv", "-k", 1, "--json")
    summary = json.loads(done.out)
    assert summary["quality"] == {"simplified_silhouette": None, "calinski_harabasz": None}
    assert summary["clusters"][0]["simplified_silhouette"] is None
    assert done.err.count("none (one cluster has all rows") == 2
    assert "      0          4  100.0%           -" in done.err


class Passes:
    """Counts the passes over the rows, in place of the bar."""

    def __init__(self) -> None:
        self.count = 0

    def passed(self, n_rows: int) -> None:
        self.count += n_rows == 0


def passes(watch: Watch, n_init: int = 1) -> int:
    X, counted = groups()[["a", "c"]].to_numpy()[::-1].copy(), Passes()
    rows: Any = WatchedRows(ArrayRows(X), counted)  # type: ignore[arg-type]
    model = KMeans(4, n_init=n_init, random_state=0)
    model._fit(Table(rows, None), None, None, Watches([watch]), None)
    sizes = model.cluster_sizes_
    if isinstance(watch, Ending):
        assert watch.quality.weights.tolist() == sizes.tolist()
        assert not watch._by_size or sorted(sizes, reverse=True) == sizes.tolist()
    return counted.count


def test_quality_takes_no_pass_of_its_own() -> None:
    """Several runs, and the order, take one more pass; it labels and measures."""
    shown: list[str] = []
    once, thrice = passes(Watch()), passes(Watch(), 3)
    assert passes(Ending(False, shown.append)) == once
    assert passes(Ending(False, shown.append), 3) == thrice + 1
    assert passes(Ending(True, shown.append)) == once + 1
    assert passes(Ending(True, shown.append), 3) == thrice + 1


def test_the_engine_that_sorts_rows_measures_them_in_their_order() -> None:
    X = groups()[["a", "c"]].to_numpy()
    ending = Ending(False, str)
    model = KMeans(3, algorithm="boxes", random_state=0)
    model._fit(Table(ArrayRows(X), None), None, None, Watches([ending]), None)
    score = metrics.simplified_silhouette_score(X, model.labels_, model.cluster_centers_)
    assert ending.quality.silhouette == pytest.approx(score, rel=1e-12)


def test_the_order_is_that_of_sizes_and_of_first_rows(call: Any) -> None:
    column("d.csv", [100, 50, 101, 51, 0, 2, 4])
    column("start.csv", [2, 50, 100])
    done = call(
        *("csv", "d.csv", "--init", "start.csv", "--order", "size", *OUTPUTS, "--json"),
        *("--representatives-out", "r.csv"),
    )
    assert done.code == 0, done.err
    assert labels_in() == [1, 2, 1, 2, 0, 0, 0]
    centers = pd.read_csv("c.csv")
    assert centers["size"].tolist() == [3, 2, 2]
    assert centers["x"].tolist() == [2.0, 100.5, 50.5]
    representatives = pd.read_csv("r.csv")
    assert representatives["cluster"].tolist() == [0, 1, 2]
    assert representatives["row"].tolist() == [6, 1, 2]
    model, summary = KMeans.load("m.npz"), json.loads(done.out)
    assert model.cluster_sizes_.tolist() == [3, 2, 2]
    assert model.cluster_centers_.ravel().tolist() == [2.0, 100.5, 50.5]
    assert summary["order"] == "size"
    assert [each["size"] for each in summary["clusters"]] == [3, 2, 2]
    assert [each["center"]["x"] for each in summary["clusters"]] == [2.0, 100.5, 50.5]
    assert summary["inertia"] == pytest.approx(9.0)
    X = pd.read_csv("d.csv")
    own = metrics.simplified_silhouette_samples(X, labels_in(), model.cluster_centers_)
    found = [each["simplified_silhouette"] for each in summary["clusters"]]
    assert found == pytest.approx([own[4:].mean(), own[[0, 2]].mean(), own[[1, 3]].mean()])
    assert call("csv", "d.csv", "--init", "start.csv", *OUTPUTS).code == 0
    assert labels_in() == [2, 1, 2, 1, 0, 0, 0]


def test_rows_as_close_to_two_centers_keep_to_the_rule(call: Any) -> None:
    """4 is as close to 2 as to 6.  In the order it moves to 6, whose cluster then is the first."""
    column("d.csv", [100, 101, 102, 0, 4, 5, 6, 7])
    column("start.csv", [2, 6, 101])
    flags = ("--init", "start.csv", "--tol", 0, *OUTPUTS)
    assert call("csv", "d.csv", *flags).code == 0
    assert labels_in() == [2, 2, 2, 0, 0, 1, 1, 1]
    done = call("csv", "d.csv", *flags, "--order", "size", "--json")
    assert labels_in() == [1, 1, 1, 2, 0, 0, 0, 0]
    assert [each["size"] for each in json.loads(done.out)["clusters"]] == [4, 3, 1]
    assert pd.read_csv("c.csv")["x"].tolist() == [6.0, 101.0, 2.0]
    assert call("predict", "m.npz", "d.csv", "--labels-out", "p.csv").code == 0
    assert labels_in("p.csv") == labels_in()


def test_rows_of_length_zero_do_not_count_in_the_order(call: Any) -> None:
    rows = ["0,0", "0,0", "0,0", "1,0", "2,0", "0,1", "0,2", "0,3"]
    write("d.csv", "\n".join(["x,y", *rows]) + "\n")
    for start in ("1,0\n0,1", "0,1\n1,0"):
        write("start.csv", f"x,y\n{start}\n")
        flags = ("--init", "start.csv", "--metric", "cosine", "--order", "size")
        done = call("csv", "d.csv", *flags, *OUTPUTS)
        assert done.code == 0, done.err
        assert labels_in() == [0, 0, 0, 1, 1, 0, 0, 0]


def test_labels_mean_the_same_in_two_runs(call: Any) -> None:
    rng = np.random.default_rng(0)
    groups_of_rows = rng.permutation(np.repeat(np.arange(4), [30, 20, 20, 5]))
    X = 20 * np.eye(4)[groups_of_rows][:, :3] + rng.normal(size=(75, 3))
    pd.DataFrame(X, columns=["a", "b", "c"]).to_csv("d.csv", index=False)
    plain, ordered = set(), set()
    for seed in range(4):
        for found, order in ((plain, "none"), (ordered, "size")):
            flags = ("-k", 4, "--n-init", 5, "--seed", seed, "--tol", 0, "--order", order)
            assert call("csv", "d.csv", *flags, *OUTPUTS).code == 0
            found.add(Path("l.csv").read_bytes() + Path("c.csv").read_bytes())
    assert len(plain) > 1
    assert len(ordered) == 1


@pytest.mark.parametrize("order", ["none", "size"])
def test_a_run_that_goes_on_measures_and_orders_the_same(
    call: Any, monkeypatch: Any, order: str
) -> None:
    """Also if the clustering was over, so that no last pass of a run is made."""
    groups().to_csv("d.csv", index=False)
    flags = ("csv", "d.csv", "-k", 4, "--id", "id", "--order", order, *OUTPUTS, "--json")
    real, save, saves = checkpoint.Checkpoint.__init__, checkpoint.Checkpoint.save, [0, 10**9]

    def patient(self: Any, path: Any, job: Any, resume: bool) -> None:
        real(self, path, job, resume, 0.0)

    def stopping(*given: Any) -> None:
        save(*given)
        saves[0] += 1
        if saves[0] == saves[1]:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpoint, "__init__", patient)
    monkeypatch.setattr(checkpoint.Checkpoint, "save", stopping)

    def outcome(*more: str) -> Any:
        done = call(*flags, *more)
        assert done.code == 0, done.err
        summary = json.loads(done.out)
        files = [Path(name).read_bytes() for name in ("l.csv", "c.csv", "m.npz")]
        return [summary[key] for key in ("quality", "clusters", "inertia")], files

    expected = outcome()
    total = saves[0]
    for stop in (3, total):
        saves[:] = 0, stop
        with pytest.raises(KeyboardInterrupt):
            arguments.main([str(word) for word in flags])
        saves[:] = 0, 10**9
        assert outcome("--resume") == expected
