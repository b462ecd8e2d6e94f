"""The tables of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._runtime.text import literal
from .described import Described
from .facts import MOST_LISTED, Facts
from .words import column_name, count, number, profile_words, share

MOST_LETTERS = 200
"""Longest id of a row."""
SHORT = 40
"""Longest name of a column in a heading."""
TINTS = ("low3", "low2", "low1", "", "high1", "high2", "high3")
"""Classes of page.css by deviation: up to -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, and more."""


class Cell(NamedTuple):
    """A cell: its text, the number it is sorted by, and its look."""

    text: str
    sort: str | None = None
    look: str = ""  # a class of page.css
    note: str = ""  # in brackets
    bar: str | None = None  # length in percent


class Head(NamedTuple):
    """The heading of a column."""

    text: str
    numeric: bool = True


@dataclass
class HtmlTable:
    """A table that can be sorted."""

    name: str
    caption: str
    heads: list[Head]
    rows: list[list[Cell]]


def value(x: float, **look: Any) -> Cell:
    """Return the cell of a number; NaN is a dash."""
    if np.isnan(x):
        return Cell("\u2013", "")
    return Cell(number(x), repr(float(x)), **look)


def silhouette(x: float) -> Cell:
    """Return the cell of a silhouette."""
    return Cell(f"{x:.2f}", repr(float(x))) if np.isfinite(x) else Cell("\u2013", "")


def whole(n: int) -> Cell:
    """Return the cell of a whole number."""
    return Cell(f"{n:,}", str(n))


def tint(z: float) -> str:
    """Return the class of a deviation in standard deviations."""
    return TINTS[int(np.searchsorted([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], z))]


def cluster_cell(j: int) -> Cell:
    """Return the cell of the number of a cluster."""
    return Cell(str(j), str(j))


def some(listed: Sequence[int] | NDArray[Any], total: int, what: str) -> str:
    """Say which of many are listed, if not all are."""
    return "" if len(listed) == total else f"; the {len(listed)} {what} of {total:,}"


def columns_table(about: Described) -> HtmlTable:
    """Return the table of the columns that were clustered."""
    source, z = about.source, about.spread
    listed = range(min(len(about.names), MOST_LISTED))
    heads = [Head("column", False), Head("mean"), Head("standard deviation")]
    if source.ranges is not None:
        heads += [Head("least"), Head("greatest")]
    if source.missing is not None:
        heads.append(Head("values missing"))
    rows = []
    for j in listed:
        row = [Cell(about.names[j]), value(about.to_units(z.mean)[j])]
        row.append(value(z.deviation[j] * about.scale[j]))
        if source.ranges is not None:
            row += [value(source.ranges[0][j]), value(source.ranges[1][j])]
        if source.missing is not None:
            row.append(whole(int(source.missing[j])))
        rows.append(row)
    note = some(listed, len(about.names), "first")
    sample = " (of a sample of the rows)" if z.of_sample else ""
    return HtmlTable("columns", f"Columns{sample}{about.in_units}{note}", heads, rows)


def clusters_table(facts: Facts) -> HtmlTable:
    """Return the table of sizes, words and quality."""
    heads = [Head("cluster"), Head("in words", False), Head("rows"), Head("share")]
    if facts.weighted is not None:
        heads.append(Head("share of the weight"))
    heads += [Head("quality"), Head("distance to center"), Head("closest cluster")]
    total, most = int(facts.sizes.sum()), max(1, int(facts.sizes.max()))
    rows = []
    for j in facts.listed.tolist():
        size = int(facts.sizes[j])
        bar = f"{100.0 * size / most:.1f}"
        words = profile_words(facts.z[j], facts.names) if size else "no rows"
        row = [cluster_cell(j), Cell(words, look="words"), whole(size)]
        row.append(Cell(share(size, total), str(size / total), bar=bar))
        if facts.weighted is not None:
            row.append(Cell(share(facts.weighted[j], 1.0), repr(float(facts.weighted[j]))))
        by = facts.quality.by_cluster[j] if facts.quality else np.nan
        row += [silhouette(by), value(facts.distances[j])]
        other = facts.neighbours[j]
        row.append(cluster_cell(int(other)) if other >= 0 else Cell("\u2013", ""))
        rows.append(row)
    caption = (
        "Clusters. Quality: mean simplified silhouette, from -1 to 1. Distance to center: mean, "
        f"{facts.about.distance_unit}. Both are of {count(facts.n_sampled, 'row')}"
        f"{some(facts.listed, len(facts.sizes), 'largest')}"
    )
    return HtmlTable("sizes", caption, heads, rows)


def centers_table(facts: Facts) -> HtmlTable:
    """Return the table of centers, in the units of the file."""
    heads = [Head("cluster"), *(Head(literal(facts.names[f], SHORT)) for f in facts.columns)]
    centers, rows = facts.about.to_units(facts.centers), []
    for j in facts.listed.tolist():
        row = [cluster_cell(j)]
        for f in facts.columns.tolist():
            z = float(facts.z[j, f])
            row.append(value(centers[j, f], look=tint(z), note=f"{z:+.1f}"))
        rows.append(row)
    means = facts.about.to_units(facts.about.spread.mean)
    last = [value(means[f]) for f in facts.columns.tolist()]
    rows.append([Cell("all rows", "-1"), *last])
    caption = (
        f"Centers{facts.about.in_units}; in brackets, standard deviations from the mean of all rows"
        f"{some(facts.listed, len(facts.sizes), 'largest clusters')}"
        f"{some(facts.columns, len(facts.names), 'columns in which the centers differ most')}"
    )
    return HtmlTable("centers", caption, heads, rows)


def representatives_table(facts: Facts) -> HtmlTable:
    """Return the table of the rows closest to each center."""
    source = facts.about.source
    order = facts.closest[facts.closest >= 0]
    clusters = np.repeat(facts.listed, facts.closest.shape[1])[facts.closest.ravel() >= 0]
    numbers = np.asarray(source.numbers(order))
    ids = (
        []
        if source.ids is None
        else [Cell("" if i is None else literal(i, MOST_LETTERS)) for i in source.ids(order)]
    )
    values = facts.about.to_units(facts.rows_closest)
    heads = [Head("cluster"), Head(source.row_heading)]
    heads += [] if source.ids is None else [Head(column_name(source.id_heading, SHORT), False)]
    heads += [Head(literal(facts.names[f], SHORT)) for f in facts.columns]
    rows = []
    for i, j in enumerate(clusters.tolist()):
        row = [cluster_cell(j), whole(int(numbers[i])), *ids[i : i + 1]]
        rows.append(row + [value(x) for x in values[i, facts.columns].tolist()])
    caption = (
        "The rows closest to each center, the closest first"
        f"{some(facts.listed, len(facts.sizes), 'largest clusters')}"
        f"{some(facts.columns, len(facts.names), 'columns in which the centers differ most')}"
    )
    return HtmlTable("representatives", caption, heads, rows)


def pairs_table(
    name: str, caption: str, pairs: Mapping[str, object], what: str, of_it: str = "value"
) -> HtmlTable:
    """Return a table of names and values, with two headings."""
    heads = [Head(what, False), Head(of_it, False)]
    rows = [[Cell(str(key)), Cell(str(text))] for key, text in pairs.items()]
    return HtmlTable(name, caption, heads, rows)
