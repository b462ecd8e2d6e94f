"""The command choose-k."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastkmeans import open_dataset
from fastkmeans._cli.arguments import main
from fastkmeans._cli.values import numbers
from tests.helpers.pages import Page
from tests.helpers.programs import Result, shell_words

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: Any, capsys: Any) -> Command:
    """Run the command line in an empty folder with a table of four clusters in it."""
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    X = (
        rng.normal(size=(800, 2))
        + 10.0 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])[rng.integers(0, 4, 800)]
    )
    lines = ["id,a x,b", *(f"r{i},{x:.3f},{y:.3f}" for i, (x, y) in enumerate(X))]
    Path("my table.csv").write_text("\n".join(lines) + "\n")

    def run(*argv: object) -> Result:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in argv])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Result(code, *capsys.readouterr())

    return run


def test_recommends_and_prints_the_next_command(command: Command) -> None:
    result = command("choose-k", "my table.csv", "-k", "2-8", "--columns", "a x,b", "--seed", 3)
    assert result.code == 0, result.err
    assert "best k: 4" in result.out
    assert "k = 4 stands out" in result.out
    line = result.out.splitlines()[-1].strip()
    assert "'my table.csv'" in line
    words = shell_words(line)
    assert words[:4] == ["python", "-m", "fastkmeans", "csv"]
    followed = command(*words[3:])
    assert followed.code == 0, followed.err
    assert "clusters    4" in followed.out
    assert len(Path("labels.csv").read_text().splitlines()) == 801


def test_json(command: Command) -> None:
    result = command("choose-k", "my table.csv", "-k", "2,4-6", "--json", "--standardize")
    summary = json.loads(result.out)
    assert summary["best_k"] == 4
    assert [fit["k"] for fit in summary["fits"]] == [2, 4, 5, 6]
    assert summary["choices"]["simplified_silhouette"] == 4
    assert "--standardize" in shell_words(summary["next"])
    assert "best k: 4" in result.err


def test_no_recommendation_for_noise(command: Command) -> None:
    np.save("noise.npy", np.random.default_rng(0).random((900, 3)))
    result = command("choose-k", "noise.npy", "-k", "2-6", "--json")
    summary = json.loads(result.out)
    assert summary["best_k"] is None
    assert summary["next"] is None
    assert "No k stands out" in result.err


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--na=--", "--na", "?"], ["--na=--", "--na=?"]),
        (["--columns", '"a x",b'], ["--columns=a x,b"]),
        (["--exclude", '"p,q"'], ['--exclude="p,q"']),
        (["--no-header", "--missing", "drop"], ["--missing=drop", "--no-header"]),
        (["--weight", "w", "--delimiter", "tab"], ["--weight=w", "--delimiter=\t"]),
        (["--memory-limit", "1GB", "--tol", "0"], ["--tol=0.0", "--memory-limit=1000000000"]),
        (["--json", "--quiet", "--n-init", "5"], []),
    ],
)
def test_flags_of_the_next_command(
    given: list[str], kept: list[str], monkeypatch: Any, tmp_path: Path
) -> None:
    """The flags are passed on, and the command csv reads them as they were given."""
    from fastkmeans._cli import choose, cluster

    seen: list[Any] = []
    monkeypatch.setattr(choose, "choose", seen.append)
    monkeypatch.setattr(cluster, "cluster", seen.append)
    assert main(["choose-k", "-k", "2-9", *given, "--", "-odd name.csv"]) == 0
    words = shell_words(choose.csv_command(seen[0], 7))
    assert words == [
        *["python", "-m", "fastkmeans", "csv"], "./-odd name.csv", "-k", "7", *kept, "--labels-out",
        "labels.csv",
    ]  # fmt: skip
    assert main(words[3:]) == 0
    for name in choose.PASSED_ON:
        stored = choose.STORED_AS.get(name, name)
        assert getattr(seen[1], stored) == getattr(seen[0], stored), name


def test_every_shared_flag_is_passed_on() -> None:
    """A flag that both commands take must not be lost on the way."""
    from fastkmeans._cli.arguments import add_choose, add_csv
    from fastkmeans._cli.choose import PASSED_ON
    from fastkmeans._cli.values import Parser

    flags = []
    for add in (add_csv, add_choose):
        parser = Parser()
        add(parser)
        flags.append({text for action in parser._actions for text in action.option_strings})
    own = {"-h", "--help", "-k", "--json", "--quiet", "--n-init", "--skipped-out", "--report"}
    passed = {f"--{name.replace('_', '-')}" for name in PASSED_ON}
    assert flags[0] & flags[1] - own == passed


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["-k", "5-2"], "does not rise"),
        (["-k", "2,2"], "does not rise"),
        (["-k", "0-3"], "not a whole number from 1 up"),
        (["-k", "two"], "not a whole number"),
        (["-k", "2..9"], "write 2-20, or 2,4,8-10"),
        (["-k", "1-4000000000"], "more than"),
        (["-k", "2-900"], "lower -k"),
        (["--plot", "k.jpg"], "must end in .png"),
        (["--report", "k.txt"], "end the name in .html"),
        (["--report", "nowhere/k.html"], "does not exist"),
        (["--plot", "nowhere/k.png"], "does not exist"),
        (["--columns", "c"], "c"),
        (["--metric", "cosine", "--standardize"], "leave one of them out"),
    ],
)
def test_mistakes_get_one_line(argv: list[str], text: str, command: Command) -> None:
    result = command("choose-k", "my table.csv", *argv)
    assert result.code == 2
    assert text in result.err
    assert "Traceback" not in result.err
    assert not result.out


def test_numbers() -> None:
    assert numbers("2-4") == [2, 3, 4]
    assert numbers("1, 3, 5-6") == [1, 3, 5, 6]


def test_plot(command: Command) -> None:
    pytest.importorskip("fastkmeans.plots")
    pytest.importorskip("matplotlib")
    result = command("choose-k", "my table.csv", "-k", "2-6", "--plot", "k.png")
    assert result.code == 0, result.err
    assert Path("k.png").read_bytes().startswith(b"\x89PNG")


def test_report(command: Command, monkeypatch: Any) -> None:
    """One page has the figures, the recommendation and the clusters of it, with ids and units."""
    pytest.importorskip("jinja2")
    picture = "data:image/png;base64,AAAA"
    monkeypatch.setattr("fastkmeans._report.pictures._drawn", lambda *_: (picture, picture))
    lines = Path("my table.csv").read_text().splitlines()
    Path("my table.csv").write_text("\n".join([*lines, "late,,1"]) + "\n")
    flags = ["-k", "2-6", "--id", "id", "--standardize", "--missing", "drop"]
    result = command("choose-k", "my table.csv", *flags, "--report", "k.html", "--json")
    assert result.code == 0, result.err
    summary = json.loads(result.out)
    assert summary["outputs"] == {"report": "k.html"}
    page = Page(Path("k.html").read_text(encoding="utf-8"))
    assert page.named("h1")[0].text == "How many clusters in my table.csv?"
    assert page.named("strong")[0].text == summary["reason"]
    again, follow = [one.text for one in page.named("code")][::-1]
    assert follow == summary["next"]
    assert again.startswith("python -m fastkmeans choose-k 'my table.csv' -k 2-6")
    assert "1 row dropped, because a value is missing" in [one.text for one in page.named("li")]
    figures = page.table("figures")[1:]
    assert [row[0] for row in figures] == ["2", "3", "4 (stands out)", "5", "6"]
    done = command(*shell_words(follow)[3:], "--centers-out", "c.csv", "--representatives-out",
                   "r.csv", "--json")  # fmt: skip
    sizes = sorted(one["size"] for one in json.loads(done.out)["clusters"])
    assert sorted(int(row[2]) for row in page.table("sizes")[1:]) == sizes
    ids = {line.split(",")[2] for line in Path("r.csv").read_text().splitlines()[1:]}
    assert ids <= {row[2] for row in page.table("representatives")}
    centers = [row[1].split()[0] for row in page.table("centers")[1:5]]
    assert sorted(round(float(x)) for x in centers) == [0, 0, 10, 10]


def test_interrupt_prints_what_is_done(command: Command, monkeypatch: Any) -> None:
    from fastkmeans._choosing.fits import Fits

    whole = Fits.fit

    def interrupted(self: Any, k: int, watch: Any = None) -> Any:
        if k == 4:
            raise KeyboardInterrupt
        return whole(self, k, watch)

    monkeypatch.setattr(Fits, "fit", interrupted)
    printed: list[Any] = []
    monkeypatch.setattr("fastkmeans._cli.choose.tell", lambda *given: printed.append(given))
    with pytest.raises(KeyboardInterrupt):
        command("choose-k", "my table.csv", "-k", "2-8", "--skipped-out", "skipped.csv",
                "--report", "k.html")  # fmt: skip
    assert not Path("skipped.csv").exists()
    assert not Path("k.html").exists()
    summary = printed[0][0]
    assert summary["outputs"] == {}
    assert summary["interrupted"]
    assert [fit["k"] for fit in summary["fits"]] == [2, 3]


def test_same_as_choose_k(command: Command) -> None:
    from fastkmeans import choose_k

    result = command("choose-k", "my table.csv", "-k", "2-5", "--json")
    with open_dataset("my table.csv") as dataset:
        choice = choose_k(dataset, range(2, 6), random_state=0)
    inertias = [fit["inertia"] for fit in json.loads(result.out)["fits"]]
    np.testing.assert_allclose(inertias, choice.inertia, rtol=1e-9)
