"""What the tests of the command line share: a table, and how it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def write(name: str, text: str) -> None:
    """Write a file into the current folder."""
    Path(name).write_text(text, encoding="utf-8")


def groups(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """Overlapping groups, in units of very different size, with ids."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 3
    return pd.DataFrame(
        {
            "id": [f"row {i}, {'x' * (i % 3)}" for i in range(n)],
            "a": group * 2 + rng.normal(size=n),
            "b": 1e4 * rng.normal(size=n) + 5e5,
            "c": 1e-3 * ((group == 1) + rng.normal(size=n)),
        }
    )
