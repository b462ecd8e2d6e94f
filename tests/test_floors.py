"""The oldest versions that ``pyproject.toml`` declares, as constraints for pip."""

from __future__ import annotations

import subprocess
import sys

import pytest
from floors import PROJECT, TOOLS, floors

TEXT = """
[project]
name = "some"
dependencies = ["numpy>=1.26"]
[project.optional-dependencies]
csv = ["tqdm >= 4.60; python_version > '3'"]
dask = []
plots = []
report = []
sklearn = []
test = ["some[csv,plots]", "pytest>=8", "{}"]
"""


def test_floors_are_those_of_libraries() -> None:
    assert floors(TEXT.format("numpy>=1.26")) == {"numpy": "1.26", "tqdm": "4.60"}
    for requirement in ("polars", "numpy>=2", "polars<2", "polars>=1,!=1.1"):
        with pytest.raises(ValueError, match=requirement[:5]):
            floors(TEXT.format(requirement))


def test_the_project_names_the_floor_of_every_library() -> None:
    found = floors(PROJECT.read_text(encoding="utf-8"))
    assert {"numpy", "numba", "pyarrow", "tqdm", "pandas", "polars"} <= set(found)
    assert {"scikit-learn", "matplotlib", "pillow"} <= set(found)
    assert not TOOLS & set(found)
    program = PROJECT.parent / "tests" / "floors.py"
    lines = subprocess.check_output([sys.executable, str(program)], text=True).split()
    assert lines == [f"{name}=={floor}" for name, floor in found.items()]
