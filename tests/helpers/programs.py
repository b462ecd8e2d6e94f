"""What the tests of the scripts share: how they are run, and what a refusal looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tests.conftest import ROOT

SCRIPTS = ROOT / "scripts"
FLIGHTS = SCRIPTS / "data" / "flights.csv.gz"


class Result(NamedTuple):
    code: int
    out: str
    err: str


def shell_words(line: str) -> list[str]:
    """Return the words of a command as bash reads it."""
    command = ["bash", "-c", f"printf '%s\\0' {line}"]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")[:-1]


def environment() -> dict[str, str]:
    """Return the environment of a process that finds the package."""
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    return {**os.environ, "PYTHONPATH": path}


def as_program(*argv: object, cwd: Path, **options: Any) -> Result:
    """Run a script the way a user does."""
    done = subprocess.run(
        [sys.executable, *map(str, argv)],
        cwd=cwd,
        env=environment(),
        **{"stdout": subprocess.PIPE, **options},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def table(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """Three well separated groups, in units of very different size."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 3
    return pd.DataFrame(
        {
            "key": [f"row-{i:03d}" for i in range(n)],
            "height": group * 10 + rng.normal(size=n),
            "weight": (group == 1) * 5e4 + rng.normal(size=n) * 1000,
        }
    )


def refused(result: Result, *parts: str) -> None:
    """Check that a script ended with one clear line."""
    lines = result.err.strip().splitlines()
    assert result.code == 2, result
    assert lines, result
    assert lines[-1].startswith("error: "), result
    assert sum(line.startswith("error: ") for line in lines) == 1
    assert "Traceback" not in result.err
    for part in parts:
        assert part in lines[-1]


def no_leftovers(folder: Path, *expected: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(expected)
