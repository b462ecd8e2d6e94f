"""What the page says about the clusters of one fit: texts, tables, pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plots._clusters import draw_clusters
from ..plots._convergence import convergence
from ..plots._profile import draw_profile
from ..plots._silhouettes import silhouettes
from . import tables
from .facts import Facts
from .pictures import Picture, picture
from .words import HIGH, VERY_HIGH, count, number, quality_words, share

SECTIONS = {
    "clusters": "Clusters",
    "picture": "Picture",
    "profiles": "Profiles",
    "rows": "Rows",
    "quality": "Quality",
    "convergence": "Convergence",
}
MOST_DRAWN = 60
"""Most clusters of the heat map."""


def cluster_parts(facts: Facts) -> dict[str, Any]:
    """Return what the template of the clusters shows."""
    k = len(facts.sizes)
    empty = int(np.count_nonzero(facts.sizes == 0))
    return {
        "high": HIGH,
        "very_high": VERY_HIGH,
        "n_columns": f"a space of {count(len(facts.names), 'column')}",
        "empty": f"{count(empty, 'cluster has', 'clusters have')} no rows." if empty else "",
        "profile_text": _profile_text(facts),
        "quality_text": _quality_text(facts),
        "convergence_text": _convergence_text(facts),
        "picture_caption": _of_sample(facts, facts.sample.n_uniform, "Rows and centers"),
        "profile_caption": "How the centers differ from the mean of all rows"
        + (f" ({MOST_DRAWN} largest of {k} clusters)" if k > MOST_DRAWN else ""),
        "wide_profile": len(facts.columns) > 12,
        "quality_caption": _of_sample(facts, facts.n_sampled, "Simplified silhouettes, by cluster"),
        "clusters": tables.clusters_table(facts),
        "centers": tables.centers_table(facts),
        "representatives": tables.representatives_table(facts),
        **_pictures(facts),
    }


def lead(facts: Facts) -> str:
    """Sum the clusters up in a few sentences."""
    sizes, names = facts.sizes, facts.names
    clusters = count(int(np.count_nonzero(sizes)), "cluster")
    text = f"{count(int(sizes.sum()), 'row')} in {clusters}, by {count(len(names), 'column')}. "
    if facts.quality is None:
        return text
    full = sizes[sizes > 0]
    total = int(sizes.sum())
    return (
        f"{text}The largest cluster holds {share(int(full.max()), total)} of the rows, the "
        f"smallest {share(int(full.min()), total)}. By the simplified silhouette, "
        f"{facts.quality.overall:.2f}, {quality_words(facts.quality.overall)}."
    )


def _of_sample(facts: Facts, n: int, what: str) -> str:
    """Say how many of the rows a picture shows."""
    total = facts.about.source.used
    return f"{what}: " + (
        f"all {n:,} rows" if n == total else f"a sample of {n:,} of {total:,} rows"
    )


def _profile_text(facts: Facts) -> str:
    sample = (
        " They are estimated from a sample of the rows." if facts.about.spread.of_sample else ""
    )
    return (
        "A center is the mean of its rows. Its profile is how far it is from the mean of all rows, "
        "column by column, in standard deviations of all rows." + sample
    )


def _quality_text(facts: Facts) -> str:
    if facts.quality is None:
        return ""
    n, total = facts.n_sampled, facts.about.source.used
    how = "over all rows" if n == total else f"estimated from a sample of {n:,} of {total:,} rows"
    mean = facts.quality.overall
    alike = " Every row counts once, whatever its weight." if facts.about.has_weights else ""
    return f"The mean simplified silhouette is {mean:.2f}, {how}: {quality_words(mean)}.{alike}"


def _convergence_text(facts: Facts) -> str:
    model = facts.model
    if not hasattr(model, "n_iter_") or not hasattr(model, "stop_reason_"):
        return "The model does not say how its centers were found."
    steps = count(int(model.n_iter_), "iteration")
    inertia = ""
    if hasattr(model, "inertia_"):
        inertia = f" The inertia, the sum of squared distances, is {number(float(model.inertia_))}."
    return f"The fit stopped after {steps}: {model.stop_reason_}.{inertia}"


def _pictures(facts: Facts) -> dict[str, Picture | None]:
    """Draw the pictures of the page."""
    sample, k = facts.sample, len(facts.sizes)
    rows, labels = sample.rows[: sample.n_uniform], sample.labels[: sample.n_uniform]
    drawn = np.sort(np.argsort(-facts.sizes, kind="stable")[:MOST_DRAWN])
    z = facts.z[drawn][:, facts.columns]
    names = [facts.names[f] for f in facts.columns]
    size = max(6.4, 2.2 + 0.32 * z.shape[1]), max(3.2, 2.0 + 0.22 * len(drawn))
    found: dict[str, Picture | None] = {
        "picture": picture(
            lambda ax: draw_clusters(rows, labels, facts.centers, ax), (6.4, 4.8),
            f"{count(len(rows), 'row')} on their first two principal components, in the colours of "
            f"{count(k, 'cluster')}, with a number at each center.",
        ),
        "profile": picture(
            lambda ax: draw_profile(z, names, ax, drawn), size,
            f"Heat map of {count(len(drawn), 'center')} by {count(len(names), 'column')}; the "
            "table below has its numbers.",
        ),
        "silhouettes": None,
        "convergence": None,
    }  # fmt: skip
    if facts.quality is not None:
        values = facts.quality.values
        found["silhouettes"] = picture(
            lambda ax: silhouettes(values, sample.labels, ax=ax),
            (6.4, min(10.0, max(4.0, 0.15 * k))),
            f"Bands of sorted silhouettes, one per cluster; their mean is {values.mean():.2f}. The "
            "table of clusters has the mean of each.",
        )
    history = list(getattr(facts.model, "history_", []))
    if history:
        found["convergence"] = picture(
            lambda ax: convergence(history, ax=ax), (6.4, 3.6),
            f"Two lines over {count(len(history), 'step')}: the inertia goes from "
            f"{number(history[0].inertia)} to {number(history[-1].inertia)}.",
        )  # fmt: skip
    return found
