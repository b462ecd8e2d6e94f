"""Prints pip constraints that hold every library at the oldest version declared.

Use it as ``pip install -c <(python tests/floors.py) '.[test]'``.  The floors are those of
``pyproject.toml``, which names each of them once.  Tools stay at their newest version: what
fastkmeans computes does not depend on them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"

EXTRAS = ("csv", "dask", "plots", "report", "sklearn", "test")
"""The extras whose libraries fastkmeans or its tests import."""

TOOLS = {
    "asv", "coverage", "hypothesis", "mypy", "pytest", "pytest-xdist", "ruff", "threadpoolctl",
    "virtualenv",
}  # fmt: skip
"""Packages without a constraint: programs that test or check, and what pytest needs."""

REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w, -]*\])?\s*(>=\s*(?P<floor>[\d.]+))?")


def floors(text: str) -> dict[str, str]:
    """Return the floor of each library, by name, from the text of a ``pyproject.toml``."""
    project = tomllib.loads(text)["project"]
    requirements = list(project["dependencies"])
    for extra in EXTRAS:
        requirements += project["optional-dependencies"][extra]
    found: dict[str, str] = {}
    for requirement in requirements:
        match = REQUIREMENT.fullmatch(requirement.partition(";")[0].strip())
        if match is None:
            raise ValueError(f"cannot read the floor of {requirement!r}")
        name, floor = match["name"], match["floor"]
        if name == project["name"] or name in TOOLS:
            continue
        if floor is None:
            raise ValueError(f"{name} has no floor")
        if found.setdefault(name, floor) != floor:
            raise ValueError(f"{name} has two floors, {found[name]} and {floor}")
    return found


if __name__ == "__main__":
    for name, floor in floors(PROJECT.read_text(encoding="utf-8")).items():
        print(f"{name}=={floor}")
