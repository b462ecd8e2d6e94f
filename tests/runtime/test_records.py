"""Records of arrays between kernels: each set of types has machine code of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numba import config

from fastkmeans._runtime.jit import COMPILED, PACKAGE, address_of, jit, sources_digest
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


def test_the_digest_covers_every_file_that_compiles_something(tmp_path: Path) -> None:
    package = copy_of_package(tmp_path)
    files = [path for path in package.rglob("*.py") if compiles(path.read_text())]
    assert len(files) > 20
    before = sources_digest(package)
    assert before == sources_digest()
    for path in files:
        text = path.read_bytes()
        path.write_bytes(text + b"#")
        assert sources_digest(package) != before, path
        path.write_bytes(text)
    assert sources_digest(package) == before
    moved = files[0].rename(files[0].with_name("moved.py"))
    assert sources_digest(package) != before, moved


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
from .pairs import Pair

@jit
def subtract(pair):
    return pair.left[0] - pair.right[0]
"""
CALL = """
from importlib import import_module
module = import_module("fastkmeans._kernels.shared.subtraction")
Pair, subtract = module.Pair, module.subtract
print(subtract(Pair(**{"left": np.array([5.0]), "right": np.array([2.0])})))
print(sum(subtract.stats.cache_hits.values()))
"""


@pytest.mark.skipif(config.DISABLE_JIT, reason="without JIT there is no cache")
def test_swapped_fields_of_a_record_never_hit_the_cache(tmp_path: Path) -> None:
    """Numba's key of a record holds its class, not the order of its fields."""
    package = copy_of_package(tmp_path / "site")
    folder = package / "_kernels" / "shared"
    (folder / "subtraction.py").write_text(KERNEL)
    found = []
    for first, second in (("left", "right"), ("left", "right"), ("right", "left")):
        (folder / "pairs.py").write_text(RECORD.format(first=first, second=second))
        os.utime(folder / "pairs.py", (1e9, 1e9))
        environment = {
            "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
            "PYTHONPATH": str(tmp_path / "site"),
        }
        found.append(run(CALL, tmp_path, **environment).split())
    assert found == [["3.0", "0"], ["3.0", "1"], ["3.0", "0"]]
