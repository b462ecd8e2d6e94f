"""Numbers and profiles in words."""

from __future__ import annotations

import numpy as np

from fastkmeans._report.words import number, profile_words, quality_words, share


def test_words() -> None:
    names = ["distance", "delay", "c", "d", "e", "f"]
    assert profile_words(np.array([0.7, -0.6, 0.1]), names) == "distance high, delay low"
    assert (
        profile_words(np.array([-1.5, 2.0, 0.4999]), names) == "delay very high, distance very low"
    )
    assert profile_words(np.zeros(3), names) == "near the mean of all rows in every column"
    assert profile_words(np.full(6, 1.0), names).endswith("d high, and 2 further columns")
    assert [number(x) for x in (0.0, -0.0, 1234567.8, 12.3456, 1e-9, 1e20, np.inf)] == [
        "0", "0", "1,234,568", "12.35", "1e-09", "1e+20", "inf",
    ]  # fmt: skip
    assert [share(part, 10_000) for part in (0, 1, 100, 10_000)] == [
        "0.0 %",
        "< 0.1 %",
        "1.0 %",
        "100.0 %",
    ]
    said = [quality_words(x) for x in (0.9, 0.6, 0.3, 0.1)]
    assert len(set(said)) == 4
