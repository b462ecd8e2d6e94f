"""Break the package on purpose, one line at a time: do the tests see it?

    python tests/mutations.py             all mutations
    python tests/mutations.py tile pack   those whose file name contains a word
    python tests/mutations.py --list      what there is
    python tests/mutations.py --passed    all mutations; all tests have passed just before
    python tests/mutations.py --half 7    every second one: those of odd, or even, places

Each mutation (they are listed in ``tests/faults``) replaces one text, which must occur
exactly once, in a copy of the package.  The program then runs the few tests that ought to
catch it.  It tries two mutations at a time if there are two cores: most of the time a test
compiles, which takes one core.  A fault in a kernel gets a copy of its own, with an empty
compile cache.  A fault elsewhere changes no kernel: it gets the copy in which the tests have
passed without any fault, and finds the kernels compiled.  The tests of faults in kernels, too,
are run without any fault first; ``--passed`` spares that.

The program prints a line per mutation, in order of completion.  It exits with 1 if a mutation
survives, if its tests do not end, or if it no longer fits the source.
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
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import NamedTuple

from faults import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 180
"""Seconds until tests of one mutation are stopped: about twice the longest compilation."""
SOUND_TIMEOUT = 600
"""Seconds until tests without a mutation are stopped: they compile for a whole file of tests."""
WORKERS = min(2, os.cpu_count() or 1)
"""Mutations that are tried at a time."""
COMPILED = ("_kernels/", "_runtime/")
"""Folders of the package in which a fault changes compiled code."""
PASSED, FAILED, NO_END = "passed", "failed", "no end"


class Outcome(NamedTuple):
    """How some tests ended."""

    verdict: str  # PASSED, FAILED or NO_END
    which: str = ""  # the first test that failed, or what else happened


def copy_package(folder: Path) -> None:
    for name in ("fastkmeans", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)


def run(folder: Path, tests: str, timeout: int = TIMEOUT) -> Outcome:
    """Run tests on a copy of the package.  A crash counts as a failure.

    The tests keep their compile cache in the copy (see ``conftest.py``).
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


def attempt(mutation: Mutation, folder: Path) -> Outcome:
    """Run the tests of a mutation in a copy of the package, and mend the copy again."""
    path = folder / "fastkmeans" / mutation.file
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        return run(folder, mutation.tests)
    finally:
        path.write_text(text, encoding="utf-8")


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


def check_unchanged(folder: Path, expressions: list[str]) -> set[str]:
    """Run tests in a copy without a mutation; print and return the expressions that fail.

    All tests of a file run in one process first, and each expression alone only if one fails.
    """
    parts: dict[str, list[str]] = {}
    for tests in expressions:
        parts.setdefault(tests.partition(": ")[0], []).append(tests)
    failing = set()
    for file, ours in parts.items():
        together = " or ".join(f"({tests.partition(': ')[2]})" for tests in ours)
        if run(folder, f"{file}: {together}", SOUND_TIMEOUT).verdict == PASSED:
            continue
        for tests in ours:
            outcome = run(folder, tests, SOUND_TIMEOUT)
            if outcome.verdict != PASSED:
                failing.add(tests)
                print(f"unsound   {tests}: {outcome.which} without any mutation", flush=True)
    return failing


def is_caught(mutation: Mutation, outcome: Outcome) -> bool:
    """Whether the tests noticed; no end counts only if the mutation is declared to hang."""
    return outcome.verdict == FAILED or (outcome.verdict == NO_END and mutation.hangs)


def try_and_report(mutation: Mutation, copy: Path | None = None) -> bool:
    """Try a mutation and print one line about it; return whether it was caught."""
    began = time.perf_counter()
    if copy is None:
        with tempfile.TemporaryDirectory(prefix="mutation-") as name:
            copy_package(Path(name))
            outcome = attempt(mutation, Path(name))
    else:
        outcome = attempt(mutation, copy)
    seconds = time.perf_counter() - began
    caught = is_caught(mutation, outcome)
    verdict = "caught" if caught else "SURVIVED" if outcome.verdict == PASSED else "NO END"
    line = f"{verdict:9} {seconds:5.1f} s  {mutation.file}: {mutation.what}  [{outcome.which}]\n"
    print(line, end="", flush=True)  # in one piece: the other worker prints, too
    return caught


def is_in_kernel(mutation: Mutation) -> bool:
    """Whether a mutation changes compiled code."""
    return mutation.file.startswith(COMPILED)


def begin_share(copy: Path, chosen: list[Mutation], passed: bool) -> tuple[int, list[Mutation]]:
    """Check the tests of some mutations, and try those outside the kernels in the same copy.

    Return how many mutations were caught, and those in kernels whose tests are sound.
    If all tests have ``passed``, only the tests of the others run: they compile the kernels.
    """
    copy_package(copy)
    checked = [mutation for mutation in chosen if not (passed and is_in_kernel(mutation))]
    failing = check_unchanged(copy, sorted({mutation.tests for mutation in checked}))
    sound = [mutation for mutation in chosen if mutation.tests not in failing]
    outside = [mutation for mutation in sound if not is_in_kernel(mutation)]
    caught = sum(try_and_report(mutation, copy) for mutation in outside)
    return caught, [mutation for mutation in sound if mutation not in outside]


def try_all(chosen: list[Mutation], passed: bool) -> int:
    """Return how many mutations are caught; tests of one file are in one worker's share.

    Each worker has a copy of the package, and so a compile cache, of its own.  What compiles
    most, whole fits, comes first: so both workers end at about the same time.
    """
    files = sorted({mutation.tests.partition(":")[0] for mutation in chosen})
    shares = [set(files[worker::WORKERS]) for worker in range(WORKERS)]
    parts = [[m for m in chosen if m.tests.partition(":")[0] in share] for share in shares]
    with tempfile.TemporaryDirectory(prefix="unchanged-") as name:
        pool = ThreadPoolExecutor(WORKERS)
        try:
            copies = [Path(name) / str(worker) for worker in range(WORKERS)]
            caught, tried = 0, []
            begin = partial(begin_share, passed=passed)
            for begun in as_completed([*map(partial(pool.submit, begin), copies, parts)]):
                found, kernels = begun.result()
                caught += found
                kernels.sort(key=lambda mutation: mutation.tests.startswith("kernels/"))
                tried += [pool.submit(try_and_report, mutation) for mutation in kernels]
            return caught + sum(done.result() for done in tried)
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
