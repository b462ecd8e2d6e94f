"""The line that appears while kernels are compiled for long, and where it does not."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fastkmeans._runtime import waiting
from tests.helpers.processes import run


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.2)
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.setattr(waiting, "is_interactive", lambda: hasattr(sys, "ps1"))


def compile_for(line: waiting.Waiting, *seconds: float) -> None:
    for each in seconds:
        line.begin()
        time.sleep(each)
        line.end()


def test_it_appears_once_while_the_compiler_works(capsys: Any) -> None:
    line = waiting.Waiting()
    line.announced = True
    line.begin()
    time.sleep(0.5)
    assert capsys.readouterr().err == waiting.MESSAGE
    line.end()
    compile_for(line, 0.3, 0.3)
    assert capsys.readouterr() == ("", "")


def test_short_compilations_add_up(capsys: Any) -> None:
    line = waiting.Waiting()
    line.announced = True
    compile_for(line, 0.05)
    assert capsys.readouterr().err == ""
    compile_for(line, *[0.05] * 8)
    assert capsys.readouterr().err == waiting.MESSAGE


def test_time_between_compilations_does_not_count(capsys: Any) -> None:
    line = waiting.Waiting()
    line.announced = True
    compile_for(line, 0.01)
    time.sleep(0.4)
    compile_for(line, 0.01)
    assert capsys.readouterr().err == ""


def test_scripts_and_workers_stay_silent(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    line = waiting.Waiting()
    compile_for(line, 0.3)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    compile_for(line, 0.3)
    assert capsys.readouterr().err == waiting.MESSAGE


def test_nowhere_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without a console has no standard error."""
    line = waiting.Waiting()
    line.announced = True
    monkeypatch.setattr(sys, "stderr", None)
    compile_for(line, 0.3)


def test_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit goes on without the line."""
    line = waiting.Waiting()
    line.announced = True

    def refuse(timer: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", refuse)
    compile_for(line, 0.0)


@pytest.mark.parametrize("typed", [True, False])
def test_kernels_are_what_it_waits_for(tmp_path: Path, typed: bool) -> None:
    """A kernel that the cache does not hold; the line leaves standard output alone."""
    code = f"""
    import contextlib, io, sys
    from fastkmeans._runtime import waiting
    from fastkmeans._kernels.bytes.bounds import error_terms
    waiting.PATIENCE = 0.0
    if {typed}:
        sys.ps1 = ">>> "
    with contextlib.redirect_stderr(io.StringIO()) as lines:
        error_terms(3, 1.0, 1.0, False)
    print(lines.getvalue() == (waiting.MESSAGE if {typed} else ""))
    """
    assert run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path)) == "True"
