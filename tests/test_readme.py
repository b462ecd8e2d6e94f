"""README's Python examples run as written, and CI (``.ci/run``) runs its commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import MARKS, ROOT

README = ROOT / "README.md"
TEXT = README.read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)
COMMANDS = re.findall(r"^```bash\n(.*?)^```$", TEXT, re.M | re.S)
CHOICES = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example: str) -> None:
    exec(compile(example, str(README), "exec"), {"__name__": "__main__"})


def test_first_two_blocks_are_one_command_each() -> None:
    """A newcomer copies one block, and a step that fails ends it."""
    assert "scripts/cluster_csv.py scripts/data/flights.csv.gz" in COMMANDS[0]
    assert "-m pytest" in COMMANDS[1]
    for block in COMMANDS[:2]:
        assert block.startswith("python3 -m venv .venv && \\\n")
        *lines, last = block.splitlines()
        assert all(line.endswith("\\") for line in lines)
        assert not last.endswith("\\")
        assert block.count("&&") == 2


def test_first_two_blocks_stand_at_the_top() -> None:
    before = re.sub(r"^```bash\n.*?^```$", "", TEXT.partition(COMMANDS[1])[0], flags=re.M | re.S)
    assert len(before.split()) < 70


def test_ci_runs_every_block() -> None:
    """.ci/run finds a block by a text in it; each block is the first with one such text."""
    run = (ROOT / ".ci/run").read_text("utf-8")
    wanted = re.findall(r"\breadme (\"[^\"]+\"|'[^']+'|[\w./]+)", run)
    found = []
    for text in wanted:
        holding = [number for number, block in enumerate(COMMANDS) if text.strip("\"'") in block]
        assert holding, f"no block with {text}"
        found.append(holding[0])
    assert sorted(found) == list(range(len(COMMANDS)))


def test_commands_to_choose_from_name_what_there_is() -> None:
    lines = "".join(CHOICES).replace("\\\n", " ").splitlines()
    assert len(lines) >= 6
    for line in lines:
        for path in re.findall(r"(?<![\w.$/])(?:tests|scripts|asv_benchmarks)/[\w./]+", line):
            assert (ROOT / path).exists(), path
        (mark,) = re.findall(r"-m (?:\"not )?(slow|no_jit)", line) or [None]
        assert mark is None or mark in MARKS
    (module, name) = re.findall(r"--bench (\w+)\.(\w+)", "\n".join(lines))[0]
    assert f"class {name}" in (ROOT / f"asv_benchmarks/benchmarks/{module}.py").read_text("utf-8")


def test_hooks_are_the_linters() -> None:
    (linters,) = [block for block in COMMANDS if "ruff check" in block]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    commands = re.findall(r"entry: (.*?)(?: --force-exclude)?$", hooks, re.M)
    assert commands == [line.strip(" &\\").removesuffix(" .") for line in linters.splitlines()]
    assert set(re.findall(r"(?:repo|language): (.*)", hooks)) == {"local", "system"}


def test_marks_name_what_there_is() -> None:
    named = set().union(*MARKS.values())
    files = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
    folders = {path.name for path in Path(__file__).parent.rglob("*") if path.is_dir()}
    assert named <= files | folders


def test_legs_take_marks_that_there_are() -> None:
    run = (ROOT / ".ci/run").read_text("utf-8")
    words = re.findall(r"(?:masked \S+ |^OTHERS=)(\w+|\"[^\"]+\")", run, re.M)
    assert len(words) == 4
    used = set(re.findall(r"\w+", " ".join(words))) - {"and", "not", "or"}
    assert used <= set(MARKS)
