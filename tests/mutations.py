"""Break the package on purpose, one line at a time: do the tests see it?

    python tests/mutations.py             all mutations
    python tests/mutations.py tile pack   those whose file name contains a word
    python tests/mutations.py --list      what there is

Each mutation (they are listed in ``tests/faults``) replaces one text, which must occur
exactly once, in a copy of the package.  The program then runs the few tests that ought to
catch it, with a compile cache of their own.  It tries two mutations at a time if there are
two cores: most of the time a test compiles, which takes one core.  It prints a line per
mutation, in order of completion.  It exits with 1 if a mutation survives, or no longer fits
the source.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from faults import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 180
"""Seconds until tests that do not end count as failed: about twice the longest compilation."""
WORKERS = min(2, os.cpu_count() or 1)
"""Mutations that are tried at a time."""


def copy_package(folder: Path) -> None:
    for name in ("fastkmeans", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)


def run(folder: Path, tests: str) -> tuple[bool, str]:
    """Run tests on a copy of the package; return whether they passed, and who did not.

    Tests that crash or do not end have noticed, too.  They keep their compile cache in
    the copy (see ``conftest.py``).
    """
    file, _, expression = tests.partition(": ")
    command = [
        sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "--assert=plain",
        f"tests/{file}.py", "-k", expression,
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    # In a session of its own, so that what a test started ends with it.
    pytest = subprocess.Popen(
        command, cwd=folder, env=env, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    with pytest:
        try:
            output, _ = pytest.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(pytest.pid, signal.SIGKILL)
            return False, f"no end within {TIMEOUT} s"
    if pytest.returncode < 0:
        return False, f"killed by signal {-pytest.returncode}"
    failed = re.findall(r"^(?:FAILED|ERROR) tests/\S+?::(\S+)", output, re.MULTILINE)
    if pytest.returncode not in (0, 1) or (pytest.returncode == 1 and not failed):
        raise RuntimeError(f"pytest could not run:\n{output}")
    return pytest.returncode == 0, failed[0] if failed else ""


def attempt(mutation: Mutation) -> tuple[bool, str]:
    """Return whether the tests pass in spite of a mutation, and which one did not."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        copy_package(folder)
        path = folder / "fastkmeans" / mutation.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        return run(folder, mutation.tests)


def misfits() -> list[str]:
    """Return what is wrong with the list itself: texts that the source no longer has."""
    problems = []
    for mutation in MUTATIONS:
        text = (ROOT / "fastkmeans" / mutation.file).read_text(encoding="utf-8")
        count = text.count(mutation.old)
        if count != 1:
            problems.append(f"{mutation.file}: {mutation.what}: found {count} times")
    return problems


def check_unchanged(expressions: Iterable[str]) -> dict[str, tuple[bool, str]]:
    """Run tests without a mutation; return whether they pass, and which one does not."""
    with tempfile.TemporaryDirectory(prefix="unchanged-") as name:
        copy_package(Path(name))
        return {tests: run(Path(name), tests) for tests in expressions}


def unsound(chosen: list[Mutation], pool: ThreadPoolExecutor) -> set[str]:
    """Return the expressions whose tests fail without any mutation; print them.

    Each worker has a copy, and so a compile cache, of its own.  Tests of one file compile
    the same kernels, so they run in one copy.
    """
    expressions = {mutation.tests for mutation in chosen}
    files = sorted({tests.partition(":")[0] for tests in expressions})
    shares = [files[worker::WORKERS] for worker in range(WORKERS)]
    parts = [sorted(t for t in expressions if t.partition(":")[0] in share) for share in shares]
    failing = set()
    for found in pool.map(check_unchanged, parts):
        for tests, (passed, failed) in found.items():
            if not passed:
                failing.add(tests)
                print(f"unsound   {tests}: {failed} fails without any mutation", flush=True)
    return failing


def try_and_report(mutation: Mutation) -> bool:
    """Try a mutation and print one line about it; return whether it survived."""
    began = time.perf_counter()
    passed, caught_by = attempt(mutation)
    seconds = time.perf_counter() - began
    verdict = "SURVIVED" if passed else "caught"
    line = f"{verdict:9} {seconds:5.1f} s  {mutation.file}: {mutation.what}  [{caught_by}]\n"
    print(line, end="", flush=True)  # in one piece: the other worker prints, too
    return passed


def main(words: list[str]) -> int:
    problems = misfits()
    for problem in problems:
        print(f"misfit    {problem}")
    if "--list" in words:
        for mutation in MUTATIONS:
            print(f"{mutation.file:24} {mutation.what}")
        return int(bool(problems))
    chosen = [m for m in MUTATIONS if not words or any(word in m.file for word in words)]
    chosen = [m for m in chosen if not any(f": {m.what}:" in problem for problem in problems)]
    pool = ThreadPoolExecutor(WORKERS)
    try:
        failing = unsound(chosen, pool)
        tried = [pool.submit(try_and_report, m) for m in chosen if m.tests not in failing]
        survivors = sum(done.result() for done in as_completed(tried))
    finally:
        pool.shutdown(cancel_futures=True)
    survivors += sum(mutation.tests in failing for mutation in chosen)
    print(f"{len(chosen)} mutations, {survivors} not caught, {len(problems)} no longer fit")
    return int(bool(survivors or problems))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
