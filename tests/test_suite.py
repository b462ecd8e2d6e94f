"""The shape of the tests: short files, no imports among them, programs and faults that fit."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILES = sorted((ROOT / "tests").rglob("*.py"))
MOST_LINES = 400
IMPORT = re.compile(r"^ *from (fastkmeans[\w.]*) import ([\w, ]+)$", re.MULTILINE)


LINE_END = """
import numpy
from fastkmeans._kernels.text.lines import last_line_end
last_line_end(numpy.zeros(3, numpy.uint8), 44, 0)
"""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT / "tests").with_suffix(""))


def texts_in(path: Path) -> list[str]:
    """Return all texts of a file, its docstrings and programs among them."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return [value for value in values if isinstance(value, str)]


def exists(module: str, name: str) -> bool:
    """Return whether a module has a name, or a submodule of that name."""
    found = importlib.import_module(module)
    is_package = hasattr(found, "__path__")
    return hasattr(found, name) or (
        is_package and importlib.util.find_spec(f"{module}.{name}") is not None
    )


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short_and_import_no_test(path: Path) -> None:
    """What two files need is in tests/helpers, or in a conftest.py."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES
    assert not re.findall(r"^ *(?:from|import) \S*\btest_\w+", text, re.MULTILINE)


def test_programs_import_what_there_is() -> None:
    """No linter looks into the programs that tests run in processes of their own."""
    imports = [
        (name_of(path), module, name.split()[0])
        for path in FILES
        for text in texts_in(path)
        for module, names in IMPORT.findall(text)
        for name in names.split(",")
        if name.strip()
    ]
    assert len(imports) > 20
    assert not [found for found in imports if not exists(*found[1:])]


def test_faults_fit_the_source() -> None:
    """Each text that a fault replaces occurs once, and its tests are in a file that exists."""
    done = subprocess.run(
        [sys.executable, "tests/mutations.py", "--list"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) >= 87
    faults = importlib.import_module("faults")  # as the program imports it
    files = {mutation.tests.partition(":")[0] for mutation in faults.MUTATIONS}
    assert not [file for file in files if not (ROOT / "tests" / f"{file}.py").exists()]


def test_tests_that_do_not_end_catch_only_what_is_declared_to_hang(tmp_path: Path) -> None:
    mutations = importlib.import_module("mutations")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "endless.py").write_text("def test_endless():\n    while True: pass\n")
    outcome = mutations.run(tmp_path, "endless: test_endless", 1)
    assert outcome == (mutations.NO_END, "no end within 1 s")
    fault = mutations.Mutation("what", "file", "old", "new", "endless: test_endless")
    assert not mutations.is_caught(fault, outcome)
    assert mutations.is_caught(fault._replace(hangs=True), outcome)
    assert mutations.is_caught(fault, mutations.Outcome(mutations.FAILED, "killed by signal 6"))
    assert not mutations.is_caught(fault, mutations.Outcome(mutations.PASSED))


def test_a_copy_is_mended_and_each_content_has_a_time_of_its_own(tmp_path: Path) -> None:
    """Python and numba keep what they compiled as long as the time of a file is the same."""
    mutations = importlib.import_module("mutations")
    path = tmp_path / "fastkmeans" / "file.py"
    path.parent.mkdir()
    path.write_text("sound = 1\n")
    times = [path.stat().st_mtime_ns]
    fault = mutations.Mutation("what", "file.py", "sound", "fault", "file: test")
    for _ in range(2):
        with mutations.broken(fault, tmp_path):
            assert path.read_text() == "fault = 1\n"
            times.append(path.stat().st_mtime_ns)
        assert path.read_text() == "sound = 1\n"
        assert path.stat().st_mtime_ns == times[0]
    assert len({time // 10**9 for time in times}) == 3


@pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="without JIT nothing is compiled"
)
def test_a_copy_begins_with_the_compiled_kernels(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """They lie where the tests of the copy look, and are as old as their sources."""
    if not pytestconfig.pluginmanager.hasplugin("cacheprovider"):
        pytest.skip("the tests keep no compiled kernels")
    mutations = importlib.import_module("mutations")
    exec(LINE_END)
    mutations.copy_package(tmp_path)
    command = [sys.executable, "tests/conftest.py"]
    folder = subprocess.check_output(command, cwd=tmp_path, text=True).strip()
    assert Path(folder).is_relative_to(tmp_path)
    env = {**os.environ, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(tmp_path)}
    program = f"{LINE_END}\nprint(sum(last_line_end.stats.cache_hits.values()))"
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, cwd=tmp_path, env=env, text=True).strip() == "1"
