"""README's Python examples run as written; CI runs its commands (see ``.ci/run``)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example: str) -> None:
    exec(compile(example, str(README), "exec"), {"__name__": "__main__"})


def test_first_two_bash_blocks_are_the_two_commands() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)
    assert "scripts/cluster_csv.py scripts/data/flights.csv.gz" in blocks[0]
    assert "-m pytest" in blocks[1]
    assert all("-m venv .venv" in block for block in blocks[:2])
