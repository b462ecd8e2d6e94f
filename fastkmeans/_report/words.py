"""Numbers, and the profile of a cluster, in words."""

import math
from collections.abc import Sequence

from .._runtime.arrays import Floats
from .._runtime.text import literal

HIGH, VERY_HIGH = 0.5, 1.5
"""Standard deviations from the mean of all rows from which a center is high, and very high."""
MOST_LETTERS = 120
"""Longest name of a column."""
MOST_NAMED = 4
"""Most columns that the words about a cluster name."""


def number(value: float) -> str:
    """Write a number with about four digits."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if 1000 <= size < 1e15:
        return f"{value:,.0f}"
    text = f"{value:.4g}"
    return "0" if text == "-0" else text


def count(value: int, what: str, plural: str | None = None) -> str:
    """Write a number of things."""
    return f"{value:,} {what if value == 1 else plural or what + 's'}"


def column_name(name: object, most: int = MOST_LETTERS) -> str:
    """Return a name as a page shows it: short, on one line, and never blank."""
    text = literal(name, most)
    return text if text.strip() else "(no name)"


def some_of(texts: Sequence[str], most: int) -> str:
    """List some texts, and say how many more there are."""
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more:,} more" if more > 0 else "")


def share(part: float, total: float) -> str:
    """Write a fraction in percent; what is not zero is not written as zero."""
    percent = 100.0 * part / total if total else 0.0
    return "< 0.1 %" if 0.0 < percent < 0.05 else f"{percent:.1f} %"


def level(z: float) -> str:
    """Return the word for a deviation in standard deviations."""
    if abs(z) < HIGH:
        return "near the mean"
    return ("very " if abs(z) >= VERY_HIGH else "") + ("high" if z > 0 else "low")


def profile_words(z: Floats, names: Sequence[object]) -> str:
    """Say in which columns a center differs most from the mean, the strongest first."""
    order = sorted(range(len(z)), key=lambda j: (-abs(z[j]), j))
    strong = [j for j in order if abs(z[j]) >= HIGH]
    if not strong:
        return "near the mean of all rows in every column"
    text = ", ".join(f"{names[j]} {level(z[j])}" for j in strong[:MOST_NAMED])
    more = len(strong) - MOST_NAMED
    return text + (f", and {count(more, 'further column')}" if more > 0 else "")


def quality_words(mean: float) -> str:
    """Say what a mean silhouette means, after Kaufman and Rousseeuw (1990)."""
    if mean > 0.70:
        return "the clusters lie far apart"
    if mean > 0.50:
        return "the clusters are reasonably apart"
    if mean > 0.25:
        return "the clusters overlap, and the borders between them are partly arbitrary"
    return "the clusters hardly stand apart: the rows may have no groups of this kind"
