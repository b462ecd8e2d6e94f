"""The shape of the project: who may import whom, docstrings, small functions, SIMD code."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import platform
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastkmeans

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fastkmeans"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 60

ORDER = [
    "__main__", "warmup", "lesson", "dask", "_cli", "_choosing", "compat", "_report", "plots",
    "metrics", "_dask", "_distributed", "_estimators", "_optimum", "_minibatch", "_seeding",
    "_search", "_metrics", "_lloyd", "_files", "_engines", "_data", "_kernels", "_runtime",
]  # fmt: skip
"""The folders and public modules of the map in fastkmeans/__init__.py, from top to bottom."""
KERNELS = [
    "metrics", "line", "sparse", "search", "seeding", "bounded", "bytes", "boxes", "plain", "text",
    "shared", "emit",
]  # fmt: skip
"""The folders of the kernels, likewise."""
KERNEL_FILES = [*sorted((PACKAGE / "_kernels").rglob("*.py")), PACKAGE / "_runtime" / "drive.py"]
JIT = {"jit", "jit_inline", "jit_unfused", "jit_with_scratch", "parallel_jit"}
"""The decorators under which numba compiles a function."""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Parse a file; every file of the package is parsed once."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports(path: Path, at_run_time: bool = True) -> tuple[str, ...]:
    """Return the absolute names of the modules that a file imports, wherever in it."""
    return tuple(each_import(path, at_run_time))


def each_import(path: Path, at_run_time: bool) -> Iterator[str]:
    tree = tree_of(path)
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    package = ["fastkmeans", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if at_run_time and id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            for alias in node.names:
                inner = Path(ROOT, *module, alias.name)
                is_module = inner.with_suffix(".py").exists() or inner.is_dir()
                yield ".".join([*module, alias.name] if is_module else module)


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            yield node


def test_the_map_is_the_list_of_folders() -> None:
    found = {name_of(path).partition(".")[0] for path in MODULES} - {"__init__"}
    assert found == set(ORDER)
    assert {path.parent.name for path in (PACKAGE / "_kernels").glob("*/__init__.py")} == {*KERNELS}
    text = inspect.getdoc(fastkmeans) or ""
    places = [text.find(name, text.index("Folders")) for name in ORDER]
    assert min(places) > 0
    rows = [text.count("\n", 0, place) for place in places]
    assert rows == sorted(rows), "the map has another order"


def test_no_private_module_lies_directly_in_the_package() -> None:
    assert not [path.name for path in PACKAGE.glob("_*.py") if not path.name.startswith("__")]


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=name_of)
def test_a_folder_lists_its_modules(path: Path) -> None:
    if path.parent == PACKAGE:
        return
    text = ast.get_docstring(tree_of(path)) or ""
    modules = [other.stem for other in path.parent.glob("*.py") if other != path]
    missing = [name for name in modules if len(modules) > 1 and name not in text]
    assert not missing


def upward(order: list[str], depth: int) -> Iterator[str]:
    """Yield the imports that run against an order of the names at some depth."""
    for path in MODULES:
        own = name_of(path).split(".")
        if len(own) <= depth or own[depth] not in order:
            continue
        for imported in imports(path, at_run_time=False):
            other = imported.split(".")[1:]
            if not imported.startswith("fastkmeans.") or own[:depth] != other[:depth]:
                continue
            known = len(other) > depth and other[depth] in order
            if known and order.index(other[depth]) < order.index(own[depth]):
                yield f"{'.'.join(own)} imports {imported}"


def test_folders_import_only_those_below() -> None:
    assert not list(upward(ORDER, 0))


def test_folders_of_kernels_import_only_those_below() -> None:
    assert not list(upward(KERNELS, 1))


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {
        "fastkmeans." + name_of(path): {
            i for i in imports(path, at_run_time=False) if i.startswith("fastkmeans.")
        }
        for path in MODULES
        if path.name != "__init__.py"
    }
    while graph:
        leaves = [name for name, others in graph.items() if not others & set(graph)]
        assert leaves, f"a circle among {sorted(graph)}"
        for name in leaves:
            del graph[name]


@pytest.mark.parametrize("path", sorted((PACKAGE / "_kernels").rglob("*.py")), ids=name_of)
def test_kernels_know_numba_only(path: Path) -> None:
    allowed = {"numpy", "numba", "llvmlite", *sys.stdlib_module_names}
    for imported in imports(path, at_run_time=False):
        if imported.startswith("fastkmeans."):
            assert imported.startswith(("fastkmeans._kernels", "fastkmeans._runtime")), imported
        else:
            assert imported.partition(".")[0] in allowed, imported


def test_third_parties_are_the_declared_ones() -> None:
    allowed = {"numpy", "numba", "llvmlite", "fastkmeans", *sys.stdlib_module_names}
    found = {i.partition(".")[0] for path in MODULES for i in imports(path)} - allowed
    assert found <= {"sklearn", "pandas", "polars"}
    for path in MODULES:  # those only inside functions
        for node in tree_of(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
                names = [alias.name for alias in node.names]
                name = node.module if isinstance(node, ast.ImportFrom) else names[0]
                assert str(name).partition(".")[0] in allowed, path.name


def test_jit_is_used_through_the_policy_only() -> None:
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        if name_of(path) != "_runtime.jit":
            assert "njit(" not in text, path.name
            assert "numba.njit" not in text, path.name


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8").splitlines()
    for function in functions(path):
        documented = ast.get_docstring(function) is not None
        first = function.body[documented] if len(function.body) > documented else function.body[0]
        lines = source[first.lineno - 1 : function.end_lineno]
        code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
        assert len(code) <= MOST_LINES, f"{function.name} has {len(code)} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_lines_about_modules(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "a module without a docstring"


def compiled(path: Path) -> Iterator[ast.FunctionDef]:
    """Yield the functions of a file that stand under a decorator of _runtime.jit."""
    for function in functions(path):
        if {ast.unparse(decorator) for decorator in function.decorator_list} & JIT:
            yield function


def records(path: Path) -> Iterator[ast.ClassDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef) and "NamedTuple" in map(ast.unparse, node.bases):
            yield node


def fields(record: ast.ClassDef) -> list[ast.AnnAssign]:
    return [node for node in record.body if isinstance(node, ast.AnnAssign)]


def comments(path: Path) -> dict[int, str]:
    """Return the comments of a file by line."""
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    return {t.start[0]: t.string for t in tokens if t.type == tokenize.COMMENT}


def without_role(path: Path, known: set[str]) -> Iterator[str]:
    """Yield the arguments and fields of a file whose comment lacks its role or its type."""
    found = comments(path)
    types = rf"\b(u?int(8|16|32|64)?|float(32|64)?|bool|dtype|tuple|{'|'.join(known)})\b"
    named: list[tuple[str, list[tuple[str, int]]]] = [
        (function.name, [(a.arg, a.lineno) for a in arguments_of(function)])
        for function in compiled(path)
    ]
    named += [
        (r.name, [(ast.unparse(f.target), f.lineno) for f in fields(r)]) for r in records(path)
    ]
    for owner, names in named:
        lines = [line for _, line in names]
        for name, line in names:
            text = found.get(line, "")
            good = re.match(r"# (in/out|in|out|scratch)\b", text) and re.search(types, text)
            if not good or lines.count(line) > 1:
                yield f"{owner}: {name}"


def arguments_of(function: ast.FunctionDef) -> list[ast.arg]:
    given = function.args
    assert not given.vararg
    assert not given.kwarg
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def test_arguments_of_kernels_and_fields_of_records_have_roles() -> None:
    known = {record.name for path in KERNEL_FILES for record in records(path)}
    bad = {name_of(path): list(without_role(path, known)) for path in KERNEL_FILES}
    assert not {path: names for path, names in bad.items() if names}


@pytest.mark.parametrize("line", ["x,", "x,  # float64", "x,  # in", "x,  # inward float64"])
def test_a_missing_role_or_type_is_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "kernel.py"
    path.write_text(f"@jit\ndef f(\n    {line}\n    y,  # in float64\n):\n    return x\n")
    assert list(without_role(path, {"Terms"})) == ["f: x"]
    path = tmp_path / "record.py"  # a file is parsed once
    path.write_text(f"class R(NamedTuple):\n    {line.replace(',', ': Any', 1)}\n")
    assert list(without_role(path, {"Terms"})) == ["R: x"]


@pytest.mark.parametrize("path", KERNEL_FILES, ids=name_of)
def test_kernels_are_documented(path: Path) -> None:
    """What a kernel does, and for a file with kernels in what order its loops run."""
    kernels = list(compiled(path))
    assert not [kernel.name for kernel in kernels if ast.get_docstring(kernel) is None]
    text = ast.get_docstring(tree_of(path)) or ""
    assert len(text) > 20
    if kernels and "_kernels" in path.parts:
        assert re.search(r"\b[Ll]oop (order|is)\b", text)


def test_the_contract_has_a_glossary() -> None:
    text = (PACKAGE / "_kernels" / "__init__.py").read_text(encoding="utf-8")
    glossary = text[text.index("Glossary") : text.index("The contract")]
    terms = [line.strip().split("  ")[0] for line in glossary.splitlines() if line[:4] == " " * 4]
    assert {*terms} >= {
        "candidate", "upper, lower bound", "drift", "quantisation error", "centroid shift",
        "margin", "potential", "tile", "block", "limit",
    }  # fmt: skip


def test_kernels_take_few_arguments() -> None:
    counts = {
        f"{name_of(path)}.{function.name}": len(arguments_of(function))
        for path in MODULES
        for function in compiled(path)
    }
    assert len(counts) > 50
    assert max(counts.values()) <= 20
    assert len([name for name, count in counts.items() if count > 12]) <= 8
    sizes = {r.name: len(fields(r)) for path in KERNEL_FILES for r in records(path)}
    assert max(sizes.values()) <= 16


@pytest.mark.parametrize("name", fastkmeans.__all__)
def test_public_names_are_documented(name: str) -> None:
    thing = getattr(fastkmeans, name)
    parts = [thing]
    if inspect.isclass(thing):
        members = [m for m in dir(thing) if not m.startswith("_")]
        parts += [getattr(thing, m) for m in members if callable(getattr(thing, m))]
    for part in parts:
        text = inspect.getdoc(part) or ""
        assert len(text.splitlines()[0]) > 20
        for parameter in inspect.signature(part).parameters:
            # fit_predict and the like refer to fit for theirs.
            short = inspect.isfunction(part) and len(text.splitlines()) == 1
            known = parameter in text or parameter in (inspect.getdoc(thing) or "")
            assert parameter in ("self", "X", "y", "sample_weight", "params") or known or short
    assert importlib.import_module(thing.__module__)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'KMedians'"):
        _ = fastkmeans.KMedians
    assert set(fastkmeans.__all__) <= set(dir(fastkmeans))


CODEGEN = """
import re
import numpy as np
from fastkmeans._kernels.emit import simd
from fastkmeans._kernels.plain import assign
P, R, G = simd.POINTS, simd.CENTERS, assign.GROUP
for dtype, letter in ((np.float32, "s"), (np.float64, "d")):
    arrays = np.zeros((G, 4, P), dtype), np.int64(G), np.zeros((2, 5, R), dtype)
    numbers, scores = np.zeros((G, P), np.int32), np.zeros((G, P), dtype)
    assign.score_blocks(*arrays, numbers, scores, scores, numbers)
    (signature,) = [s for s in assign.score_blocks.signatures if s[0].dtype.name == dtype.__name__]
    text = assign.score_blocks.inspect_asm(signature)
    x86 = re.findall(rf"vfn?m(?:add|sub)\\d+p{letter}\\s.*%([yz])mm", text)
    scalar = re.findall(rf"vfn?m(?:add|sub)\\d+s{letter}\\s", text)
    arm = re.findall(r"fmla\\s+v\\d+\\.(?:4s|2d)", text)
    print(len(x86) + len(arm), len(scalar), "".join(sorted(set(x86))), simd.VECTOR_BYTES)
"""


def test_the_tile_compiles_to_packed_fma(tmp_path: Path) -> None:
    """Compiled afresh: code from a cache cannot be inspected."""
    machine = platform.machine().lower()
    if machine not in ("x86_64", "amd64", "arm64", "aarch64"):
        pytest.skip(f"no expectation for {machine}")
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    env.pop("NUMBA_DISABLE_JIT", None)
    done = subprocess.run(
        [sys.executable, "-c", CODEGEN],
        env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        packed, scalar, registers, width = line.split(" ")
        if width == "16" and "x86" in machine:
            pytest.skip("this processor has no AVX2")
        assert int(packed) >= 12, line  # one per accumulator, whatever LLVM unrolls
        assert int(packed) > int(scalar), line
        assert {"64": "z", "32": "y"}.get(width, "") in registers, line
