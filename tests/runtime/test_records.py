"""Records of arrays between kernels: each set of types has machine code of its own."""

from __future__ import annotations

import ast
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numba import config

from fastkmeans._runtime import jit as compiler
from fastkmeans._runtime.jit import COMPILED, PACKAGE, address_of, jit
from fastkmeans._runtime.threads import Team, cut
from tests.helpers.processes import run


class Pair(NamedTuple):
    """Two arrays for the kernel of this test."""

    left: Any  # in (1,) float32 or float64
    right: Any  # in (1,) float32 or float64


@jit
def subtract(
    X,  # unused
    start,
    stop,
    pair,
    out,  # out (1,) float64
):
    """Write the difference of two arrays' first items."""
    out[0] = pair.left[0] - pair.right[0]


def pair_of(left: Any, right: Any) -> Pair:
    return Pair(np.array([2.5], left), np.array([1.25], right))


@pytest.mark.skipif(config.DISABLE_JIT, reason="without JIT there are no addresses")
def test_records_of_two_dtypes_have_two_addresses() -> None:
    X, item = np.zeros((2, 2, 1)), np.zeros(1)
    kinds = [(a, b) for a in ("f4", "f8") for b in ("f4", "f8")]
    addresses = {address_of(subtract, (X, 0, 0, pair_of(*kind), item)) for kind in kinds}
    assert len(addresses) == len(kinds)


@pytest.mark.parametrize("left", ["f4", "f8"])
@pytest.mark.parametrize("right", ["f4", "f8"])
def test_a_driver_hands_records_on(left: str, right: str) -> None:
    out = np.zeros((2, 1))
    with Team(2, 1e12) as team:
        X = np.zeros((2, 1024, 1))
        team.run(subtract, X, cut(1024, 2), (pair_of(left, right),), (out,), prange=True)
    assert out.tolist() == [[1.25], [1.25]]


def copy_of_package(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PACKAGE, folder / "fastkmeans", ignore=ignored))


def compiles(text: str) -> bool:
    """Whether a module defines what is compiled, or records that compiled code reads."""
    words = ("@jit", "@parallel_jit", "@intrinsic", "njit(")
    return any(word in text for word in words)


def imports_of(path: Path) -> set[Path]:
    """The files that a file of the package imports from, by Python's own parser."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            places = [place, *(place / alias.name for alias in node.names)]
            found |= {x.with_suffix(".py") for x in places} | {x / "__init__.py" for x in places}
        else:
            assert not getattr(node, "module", "") or "fastkmeans" not in node.module
    return {path for path in found if path.exists()}


FILES = [path for folder in COMPILED for path in sorted((PACKAGE / folder).rglob("*.py"))]


def test_sources_of_a_kernel_are_what_its_file_imports_directly_or_not() -> None:
    imports = {path: imports_of(path) & {*FILES} for path in FILES}
    everywhere = {*FILES}
    for path in FILES:
        expected = {path}
        while new := {file for known in expected for file in imports[known]} - expected:
            expected |= new
        assert compiler.sources_of(path) == expected, path
        if "@jit" in path.read_text():
            everywhere &= expected
    assert {path.name for path in everywhere} == {
        "jit.py", "compiler.py", "target.py", "code_cache.py", "waiting.py",
    }  # fmt: skip


def test_an_edit_of_a_source_changes_the_digest_and_of_another_file_does_not(
    tmp_path: Path,
) -> None:
    package = copy_of_package(tmp_path)
    kernel = package / "_kernels" / "boxes" / "visit.py"

    def digest() -> str:
        for cached in (
            compiler._content, compiler._digest_of, compiler.imported_files,
            compiler.sources_of, compiler.sources_digest,
        ):  # fmt: skip
            cached.cache_clear()
        return compiler.sources_digest(kernel, package)

    before, sources = digest(), compiler.sources_of(kernel, package)
    assert before == compiler.sources_digest(PACKAGE / "_kernels" / "boxes" / "visit.py")
    assert 10 < len(sources) < 30
    for path in (*sources, package / "_kernels" / "boxes" / "order.py", package / "__init__.py"):
        text = path.read_bytes()
        path.write_bytes(text + b"#")
        assert (digest() != before) == (path in sources), path
        path.write_bytes(text)
    assert digest() == before


def test_the_kernel_of_a_test_has_all_files_as_sources(tmp_path: Path) -> None:
    """Tests import the package by its name, which is not looked for."""
    path = tmp_path / "kernel.py"
    path.write_text("from fastkmeans._kernels.plain.tile import squared_distances\n")
    assert compiler.sources_of(path) == {path, *FILES}
    assert compiler.sources_digest(path) != compiler.sources_digest(FILES[0])


def test_records_are_defined_where_the_digest_looks() -> None:
    """Records that kernels take are in folders that the digest covers."""
    for path in (PACKAGE / "_kernels").rglob("*.py"):
        assert path.relative_to(PACKAGE).parts[0] in COMPILED
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in COMPILED:
            assert not compiles(path.read_text()), path


RECORD = """
from typing import Any, NamedTuple

class Pair(NamedTuple):
    {first}: Any
    {second}: Any
"""
KERNEL = """
from ..._runtime.jit import jit
{imports}
@jit
def subtract(pair):
    return pair.left[0] - pair.right[0]
"""
CALL = """
from importlib import import_module
for name in ("importing", "asking"):
    subtract = import_module("fastkmeans._kernels.shared." + name).subtract
    Pair = import_module("fastkmeans._kernels.shared.pairs").Pair
    print(subtract(Pair(**{"left": np.array([5.0]), "right": np.array([2.0])})))
    print(sum(subtract.stats.cache_hits.values()))
"""


@pytest.mark.skipif(config.DISABLE_JIT, reason="without JIT there is no cache")
def test_swapped_fields_of_a_record_never_hit_the_cache(tmp_path: Path) -> None:
    """Numba's key of a record holds its class, not the order of its fields.

    A kernel may import the record or not; if not, its sources are the same for both orders.
    """
    package = copy_of_package(tmp_path / "site")
    folder = package / "_kernels" / "shared"
    (folder / "importing.py").write_text(KERNEL.format(imports="from .pairs import Pair"))
    (folder / "asking.py").write_text(KERNEL.format(imports=""))
    found = []
    for first, second in (("left", "right"), ("left", "right"), ("right", "left")):
        (folder / "pairs.py").write_text(RECORD.format(first=first, second=second))
        os.utime(folder / "pairs.py", (1e9, 1e9))
        environment = {
            "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
            "PYTHONPATH": str(tmp_path / "site"),
        }
        found.append(run(CALL, tmp_path, **environment).split())
    assert found == [["3.0", "0"] * 2, ["3.0", "1"] * 2, ["3.0", "0"] * 2]
