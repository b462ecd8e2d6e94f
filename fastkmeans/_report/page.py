"""From facts to HTML: escaping, and the policy of the page."""

from __future__ import annotations

import base64
import hashlib
import platform
import time
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np

from .. import __version__
from .._data.tables import Table
from .._runtime.extras import need
from .._runtime.text import visible
from . import tables
from .choice import SECTIONS as SECTIONS_OF_CHOICE
from .choice import choice_lead, choice_parts
from .clusters import SECTIONS as SECTIONS_OF_CLUSTERS
from .clusters import cluster_parts, lead
from .described import Described, column_warnings, read_pairs
from .facts import Facts, fit_warnings
from .words import column_name


@dataclass
class Subject:
    """What a page is about: rows, and a choice of k, or the clusters of a fit, or both."""

    title: str
    table: Table
    about: Described
    facts: Facts | None  # of the clusters
    command: list[str]  # that makes the page
    model: Any  # with the parameters
    choice: Any = None
    follow: list[str] = field(default_factory=list)  # the commands to run next


def page(subject: Subject) -> str:
    """Return the page as HTML."""
    jinja2, markupsafe = need("jinja2", "report"), need("markupsafe", "report")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, script = _file("page.css"), _file("page.js")
    text: str = environment.get_template("page.html.j2").render(
        **cleaned(_said(subject)),
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


def _said(subject: Subject) -> dict[str, Any]:
    """Return the texts, tables and pictures of the page."""
    about, facts, choice = subject.about, subject.facts, subject.choice
    sections, parts, leads = {"read": "What was read"}, [], []
    said: dict[str, Any] = {}
    warned = list(about.source.warnings)
    if choice is not None:
        sections |= SECTIONS_OF_CHOICE
        parts.append("choice.html.j2")
        leads.append(choice_lead(choice))
        said |= choice_parts(choice, subject.follow)
    if facts is not None:
        sections |= SECTIONS_OF_CLUSTERS
        parts.append("clusters.html.j2")
        leads.append(lead(facts))
        said |= cluster_parts(facts)
        warned += fit_warnings(facts)
    sections["made"] = "How this was made"
    return said | {
        "title": subject.title,
        "lead": " ".join(leads),
        "version": __version__,
        "made": time.strftime("%Y-%m-%d %H:%M %z"),
        "sections": list(sections.items()),
        "parts": parts,
        "warnings": warned + column_warnings(about, subject.table),
        "read": read_pairs(about),
        "left_out_rows": about.source.left_out_rows,
        "left_out_columns": [
            (column_name(name), reason) for name, reason in about.source.left_out_columns
        ],
        "columns": tables.columns_table(about),
        "command": subject.command,
        "parameters": _parameters(subject),
        "versions": _versions(),
    }


def _parameters(subject: Subject) -> tables.HtmlTable:
    found = {name: _short(value) for name, value in subject.model.get_params().items()}
    if subject.choice is not None:
        found["n_clusters"] = ", ".join(map(str, subject.choice.k.tolist()))
    kind = type(subject.model).__name__
    return tables.pairs_table("parameters", f"Parameters of {kind}", found, "parameter")


def _versions() -> tables.HtmlTable:
    modules = {"fastkmeans": __version__, "Python": platform.python_version()}
    modules |= {name: need(name).__version__ for name in ("numpy", "numba", "matplotlib")}
    modules["processor"] = platform.machine()
    return tables.pairs_table("versions", "Versions", modules, "part")


def _short(value: Any) -> str:
    shape = np.shape(value) if not callable(value) and not isinstance(value, str) else ()
    text = f"an array of shape {shape}" if shape else str(value)
    return text if len(text) < 200 else text[:199] + "\u2026"
