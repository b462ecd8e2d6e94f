"""Break the package on purpose, one line at a time: do the tests see it?

    python tests/mutations.py             all mutations
    python tests/mutations.py tile pack   those whose file name contains a word
    python tests/mutations.py --list      what there is
    python tests/mutations.py --passed    all mutations; all tests have passed just before
    python tests/mutations.py --half 7    every second one: those of odd, or even, places

Each mutation (they are listed in ``tests/faults``) replaces one text, which must occur
exactly once, in a copy of the package.  The program then runs the few tests that ought to
catch it, and mends the copy.  It tries two mutations at a time, each in a copy, if there are
two cores.  A copy begins with the compiled kernels of the tests, so a fault compiles only the
kernels that import its file.  The tests are run without any fault first; ``--passed`` spares
that.

The program prints a line per mutation, in order of completion.  It exits with 1 if a mutation
survives, if its tests do not end, or if it no longer fits the source.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from faults import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 180
"""Seconds until tests of one mutation are stopped: about twice the longest compilation."""
SOUND_TIMEOUT = 600
"""Seconds until tests without a mutation are stopped: they compile for a whole file of tests."""
WORKERS = min(2, os.cpu_count() or 1)
"""Mutations that are tried at a time."""
STEP = 10
"""Seconds by which the times of two contents of a file differ: Python compares whole seconds."""
PASSED, FAILED, NO_END = "passed", "failed", "no end"


class Outcome(NamedTuple):
    """How some tests ended."""

    verdict: str  # PASSED, FAILED or NO_END
    which: str = ""  # the first test that failed, or what else happened


Copies = SimpleQueue[Path]
"""Copies of the package in which no mutation is being tried."""


@contextlib.contextmanager
def borrowed(copies: Copies) -> Iterator[Path]:
    """Take a copy for some time."""
    copy = copies.get()
    try:
        yield copy
    finally:
        copies.put(copy)


def copy_package(folder: Path) -> None:
    for name in ("fastkmeans", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    copy_kernels(folder)


def copy_kernels(folder: Path) -> None:
    """Give a copy the compiled kernels of the tests, if there are any.

    numba keeps those of one folder together, under a name made from the path of that folder.
    """
    from numba.core.caching import _CacheLocator

    place = _CacheLocator.get_suitable_cache_subpath
    ours, theirs = (
        subprocess.run(
            [sys.executable, "tests/conftest.py"], cwd=root, text=True, check=True,
            stdout=subprocess.PIPE,
        ).stdout.strip()
        for root in (ROOT, folder)
    )  # fmt: skip
    for path in (ROOT / "fastkmeans").rglob("__init__.py"):
        kernels = Path(ours, place(str(path)))
        if kernels.exists():
            copied = folder / path.relative_to(ROOT)
            shutil.copytree(kernels, Path(theirs, place(str(copied))))


def run(folder: Path, tests: str, timeout: int = TIMEOUT) -> Outcome:
    """Run tests on a copy of the package.  A crash counts as a failure.

    The tests keep their compile cache in the copy (see ``conftest.py``).
    """
    file, _, expression = tests.partition(": ")
    command = [
        sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "--assert=plain",
        f"tests/{file}.py", "-k", expression,
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(folder)}
    # In a session of its own, so that what a test started ends with it.
    pytest = subprocess.Popen(
        command, cwd=folder, env=env, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    with pytest:
        try:
            output, _ = pytest.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(pytest.pid, signal.SIGKILL)
            return Outcome(NO_END, f"no end within {timeout} s")
    if pytest.returncode < 0:
        return Outcome(FAILED, f"killed by signal {-pytest.returncode}")
    failed = re.findall(r"^(?:FAILED|ERROR) tests/\S+?::(\S+)", output, re.MULTILINE)
    if pytest.returncode not in (0, 1) or (pytest.returncode == 1 and not failed):
        raise RuntimeError(f"pytest could not run:\n{output}")
    return Outcome(FAILED, failed[0]) if failed else Outcome(PASSED)


_number = count(1)


@contextlib.contextmanager
def broken(mutation: Mutation, folder: Path) -> Iterator[None]:
    """Put a mutation into a copy of the package for some time.

    Caches of Python and of numba compare the time of a file: each content has its own.
    """
    path = folder / "fastkmeans" / mutation.file
    text, times = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    when = times.st_mtime + STEP * next(_number)
    os.utime(path, (when, when))
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def misfits() -> list[str]:
    """Return what is wrong with the list: texts not in the source, results that are no Python."""
    problems = []
    for mutation in MUTATIONS:
        text = (ROOT / "fastkmeans" / mutation.file).read_text(encoding="utf-8")
        count = text.count(mutation.old)
        if count != 1:
            problems.append(f"{mutation.file}: {mutation.what}: found {count} times")
        try:
            compile(text.replace(mutation.old, mutation.new), mutation.file, "exec")
        except SyntaxError as error:
            problems.append(f"{mutation.file}: {mutation.what}: {error}")
    return problems


def check_unchanged(file: str, expressions: list[str], copies: Copies) -> set[str]:
    """Run tests of a file without a mutation; print and return the expressions that fail.

    All tests of the file run in one process first, and each expression alone only if one fails.
    """
    failing = set()
    together = " or ".join(f"({expression})" for expression in expressions)
    with borrowed(copies) as copy:
        if run(copy, f"{file}: {together}", SOUND_TIMEOUT).verdict == PASSED:
            return failing
        for expression in expressions:
            outcome = run(copy, f"{file}: {expression}", SOUND_TIMEOUT)
            if outcome.verdict != PASSED:
                failing.add(f"{file}: {expression}")
                which = f"{outcome.which} without any mutation"
                print(f"unsound   {file}: {expression}: {which}", flush=True)
    return failing


def is_caught(mutation: Mutation, outcome: Outcome) -> bool:
    """Whether the tests noticed; no end counts only if the mutation is declared to hang."""
    return outcome.verdict == FAILED or (outcome.verdict == NO_END and mutation.hangs)


def try_and_report(mutation: Mutation, copies: Copies) -> bool:
    """Try a mutation and print one line about it; return whether it was caught."""
    with borrowed(copies) as copy, broken(mutation, copy):
        began = time.perf_counter()
        outcome = run(copy, mutation.tests)
        seconds = time.perf_counter() - began
    caught = is_caught(mutation, outcome)
    verdict = "caught" if caught else "SURVIVED" if outcome.verdict == PASSED else "NO END"
    line = f"{verdict:9} {seconds:5.1f} s  {mutation.file}: {mutation.what}  [{outcome.which}]\n"
    print(line, end="", flush=True)  # in one piece: the other worker prints, too
    return caught


def try_all(chosen: list[Mutation], passed: bool) -> int:
    """Return how many mutations are caught; those whose tests fail anyway are not."""
    parts: dict[str, set[str]] = {}
    for mutation in chosen:
        file, _, expression = mutation.tests.partition(": ")
        parts.setdefault(file, set()).add(expression)
    with tempfile.TemporaryDirectory(prefix="mutations-") as name:
        pool, copies = ThreadPoolExecutor(WORKERS), SimpleQueue[Path]()
        try:
            for number in range(WORKERS):
                copy_package(Path(name) / str(number))
                copies.put(Path(name) / str(number))
            failing: set[str] = set()
            if not passed:
                check = partial(check_unchanged, copies=copies)
                found = pool.map(check, parts, [sorted(part) for part in parts.values()])
                failing = failing.union(*found)
            sound = [mutation for mutation in chosen if mutation.tests not in failing]
            return sum(pool.map(partial(try_and_report, copies=copies), sound))
        finally:
            pool.shutdown(cancel_futures=True)


def main(words: list[str]) -> int:
    problems = misfits()
    for problem in problems:
        print(f"misfit    {problem}")
    if "--list" in words:
        for mutation in MUTATIONS:
            print(f"{mutation.file:24} {mutation.what}")
        return int(bool(problems))
    passed = "--passed" in words
    half = int(words.pop(words.index("--half") + 1)) if "--half" in words else None
    words = [word for word in words if not word.startswith("--")]
    chosen = [m for m in MUTATIONS if not words or any(word in m.file for word in words)]
    if half is not None:
        chosen = chosen[half % 2 :: 2]
    chosen = [m for m in chosen if not any(f": {m.what}:" in problem for problem in problems)]
    survivors = len(chosen) - try_all(chosen, passed)
    print(f"{len(chosen)} mutations, {survivors} not caught, {len(problems)} no longer fit")
    return int(bool(survivors or problems))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
