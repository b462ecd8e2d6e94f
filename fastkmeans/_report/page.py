"""From facts to HTML: escaping, pictures, and the policy of the page."""

from __future__ import annotations

import base64
import hashlib
import platform
import time
from importlib import resources
from typing import Any

import numpy as np

from .. import __version__
from .._data.tables import Table
from .._runtime.extras import need
from .._runtime.text import visible
from ..plots._clusters import draw_clusters
from ..plots._convergence import convergence
from ..plots._profile import draw_profile
from ..plots._silhouettes import silhouettes
from . import tables
from .facts import Facts, warnings_of
from .pictures import Picture, picture
from .words import HIGH, VERY_HIGH, count, number, quality_words, share

SECTIONS = {
    "read": "What was read",
    "clusters": "Clusters",
    "picture": "Picture",
    "profiles": "Profiles",
    "rows": "Rows",
    "quality": "Quality",
    "convergence": "Convergence",
    "made": "How this was made",
}
MOST_DRAWN = 60
"""Most clusters of the heat map."""


def page(facts: Facts, table: Table, title: str, command: list[str]) -> str:
    """Return the page as HTML."""
    jinja2, markupsafe = need("jinja2", "report"), need("markupsafe", "report")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, script = _file("page.css"), _file("page.js")
    said = cleaned(_said(facts, table, title, command) | _tables(facts) | _pictures(facts))
    text: str = environment.get_template("page.html.j2").render(
        **said,
        policy=policy(style, script),
        style=markupsafe.Markup(style),
        script=markupsafe.Markup(script),
    )
    return text


def _file(name: str) -> str:
    text = (resources.files(__package__) / name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy: our style, our script, pictures in the page; no more."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")

    return (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(script)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def cleaned(value: Any) -> Any:
    r"""Return a value with all texts in it made visible: control characters become \x07."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {key: cleaned(part) for key, part in value.items()}
    if isinstance(value, list):
        return [cleaned(part) for part in value]
    if isinstance(value, tuple):
        parts = [cleaned(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, tables.HtmlTable):
        return tables.HtmlTable(*(cleaned(part) for part in vars(value).values()))
    return value


def _said(facts: Facts, table: Table, title: str, command: list[str]) -> dict[str, Any]:
    """Return the texts of the page."""
    source, k = facts.source, len(facts.sizes)
    empty = int(np.count_nonzero(facts.sizes == 0))
    n_columns = count(len(facts.names), "column")
    return {
        "title": title,
        "lead": _lead(facts),
        "version": __version__,
        "made": time.strftime("%Y-%m-%d %H:%M %z"),
        "sections": list(SECTIONS.items()),
        "warnings": warnings_of(facts, table),
        "read": _read(facts),
        "left_out_rows": source.left_out_rows,
        "left_out_columns": source.left_out_columns,
        "high": HIGH,
        "very_high": VERY_HIGH,
        "n_columns": f"a space of {n_columns}",
        "empty": f"{count(empty, 'cluster has', 'clusters have')} no rows." if empty else "",
        "profile_text": _profile_text(facts),
        "quality_text": _quality_text(facts),
        "convergence_text": _convergence_text(facts),
        "picture_caption": _of_sample(facts, facts.sample.n_uniform, "Rows and centers"),
        "profile_caption": "How the centers differ from the mean of all rows"
        + (f" ({MOST_DRAWN} largest of {k} clusters)" if k > MOST_DRAWN else ""),
        "wide_profile": len(facts.columns) > 12,
        "quality_caption": _of_sample(facts, facts.n_sampled, "Simplified silhouettes, by cluster"),
        "command": command,
    }


def _of_sample(facts: Facts, n: int, what: str) -> str:
    """Say how many of the rows a picture shows."""
    total = facts.source.used
    return f"{what}: " + (
        f"all {n:,} rows" if n == total else f"a sample of {n:,} of {total:,} rows"
    )


def _lead(facts: Facts) -> str:
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


def _read(facts: Facts) -> list[tuple[str, str]]:
    source = facts.source
    read = [("files", ", ".join(source.files))] if source.files else []
    of = "" if source.total == source.used else f" of {source.total:,}"
    read += [("rows", f"{source.used:,}{of}"), ("columns", f"{len(facts.names):,}")]
    if source.missing is not None:
        values = int(source.missing.sum())
        filled = f"; {source.filled}" if source.filled and values else ""
        read.append(("values missing", f"{values:,}{filled}"))
    standard = bool((facts.scale != 1.0).any())
    if facts.by_cosine:
        read.append(("rows count", "with length 1 (cosine)"))
    else:
        read.append(("columns count", "alike (standardised)" if standard else "as they are"))
    if facts.weighted is not None:
        read.append(("weights", "rows have weights; quality counts every row once"))
    return read


def _profile_text(facts: Facts) -> str:
    sample = " They are estimated from a sample of the rows." if facts.spread.of_sample else ""
    return (
        "A center is the mean of its rows. Its profile is how far it is from the mean of all rows, "
        "column by column, in standard deviations of all rows." + sample
    )


def _quality_text(facts: Facts) -> str:
    if facts.quality is None:
        return ""
    n, total = facts.n_sampled, facts.source.used
    how = "over all rows" if n == total else f"estimated from a sample of {n:,} of {total:,} rows"
    mean = facts.quality.overall
    return f"The mean simplified silhouette is {mean:.2f}, {how}: {quality_words(mean)}."


def _convergence_text(facts: Facts) -> str:
    model = facts.model
    if not hasattr(model, "n_iter_") or not hasattr(model, "stop_reason_"):
        return "The model does not say how its centers were found."
    steps = count(int(model.n_iter_), "iteration")
    inertia = ""
    if hasattr(model, "inertia_"):
        inertia = f" The inertia, the sum of squared distances, is {number(float(model.inertia_))}."
    return f"The fit stopped after {steps}: {model.stop_reason_}.{inertia}"


def _tables(facts: Facts) -> dict[str, Any]:
    parameters = {name: _short(value) for name, value in facts.model.get_params().items()}
    modules = {"fastkmeans": __version__, "Python": platform.python_version()}
    modules |= {name: need(name).__version__ for name in ("numpy", "numba", "matplotlib")}
    modules["processor"] = platform.machine()
    kind = type(facts.model).__name__
    return {
        "columns": tables.columns_table(facts),
        "clusters": tables.clusters_table(facts),
        "centers": tables.centers_table(facts),
        "representatives": tables.representatives_table(facts),
        "parameters": tables.pairs_table(
            "parameters", "parameter", f"Parameters of {kind}", parameters
        ),
        "versions": tables.pairs_table("versions", "part", "Versions", modules),
    }


def _short(value: Any) -> str:
    shape = np.shape(value) if not callable(value) and not isinstance(value, str) else ()
    text = f"an array of shape {shape}" if shape else str(value)
    return text if len(text) < 200 else text[:199] + "\u2026"


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
