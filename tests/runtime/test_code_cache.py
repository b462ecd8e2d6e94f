"""Compiled kernels on disk: several writers at once, damaged files, and no place to write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import config

from fastkmeans._runtime import code_cache
from fastkmeans._runtime.jit import jit
from tests.conftest import room_for
from tests.helpers.processes import run

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without JIT there is no cache")

WRITERS = """
import multiprocessing
from numba.core import event
from fastkmeans._runtime.jit import jit

@jit
def total(x):
    return x[0] + x[1]

@jit
def largest(x):
    return max(x[0], x[1])

processes = multiprocessing.get_context("fork")
replace = os.replace

def use(kernel, dtype):
    with event.install_recorder("numba:compile") as compiled:
        result = kernel(np.arange(2).astype(dtype))
    return int(result), type(result).__name__, len(compiled.buffer) // 2

def write(kernel, dtype, everybody):
    def all_together(*names):
        everybody.wait(60)
        replace(*names)
    os.replace = all_together
    use(kernel, dtype)

for kernel, dtypes in (
    (total, ("float32", "float64")), (largest, ("float32", "float64", "int32", "int64"))
):
    everybody = processes.Barrier(len(dtypes))
    writers = [processes.Process(target=write, args=(kernel, x, everybody)) for x in dtypes]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    print([writer.exitcode for writer in writers], [use(kernel, dtype) for dtype in dtypes])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_processes_that_fill_a_cache_at_once(tmp_path: Path) -> None:
    """Two, then four: nobody renames a file before all have one, so all saw an empty cache."""
    found = run(WRITERS, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    floats, whole = [(1, "float", 0)] * 2, [(1, "int", 0)] * 2
    assert found.splitlines() == [f"{[0] * 2} {floats}", f"{[0] * 4} {floats + whole}"]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Make one kernel again and again, as a process after the other would."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))

    def make() -> Any:
        def larger(x):  # type: ignore[no-untyped-def]
            return max(x, 2)

        return jit(larger)

    return make


def loaded(kernel: Any) -> int:
    """Return how many signatures came from the disk, after a call that must be right."""
    assert kernel(3) == 3
    assert kernel(1) == 2
    return sum(kernel.stats.cache_hits.values())


def files_of(kernel: Any) -> list[Path]:
    return sorted(Path(kernel.stats.cache_path).iterdir())


def test_second_process_loads(kernel: Callable[[], Any]) -> None:
    first = kernel()
    assert loaded(first) == 0
    assert loaded(kernel()) == 1
    assert len(files_of(first)) == 1
    first.recompile()  # compiles, and keeps the file again
    assert loaded(kernel()) == 1


@pytest.mark.parametrize("left", ["nothing", "half", "zeros", "another"])
def test_damaged_file_is_compiled_again(left: str, kernel: Callable[[], Any]) -> None:
    first = kernel()
    loaded(first)
    (file,) = files_of(first)
    content = file.read_bytes()
    damaged = {
        "nothing": b"",
        "half": content[: len(content) // 2],
        "zeros": bytes(len(content)),
        "another": content[:-1] + bytes([content[-1] ^ 1]),
    }
    file.write_bytes(damaged[left])
    assert loaded(kernel()) == 0
    assert file.read_bytes() != damaged[left]
    assert loaded(kernel()) == 1


def test_file_of_another_key(kernel: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys with one name read each other's file, and do not believe it."""
    monkeypatch.setattr(code_cache.CodeCache, "_path", lambda self, _: self._folder / "same.nbc")
    first = kernel()
    assert first(3.5) == 3.5
    second = kernel()
    assert loaded(second) == 0
    assert loaded(kernel()) == 1


def test_no_room_and_no_folder(kernel: Callable[[], Any], tmp_path: Path) -> None:
    """A full disk, and a folder that is gone: the kernel compiles in memory."""
    first = kernel()
    with room_for(100):
        assert loaded(first) == 0
    assert files_of(first) == []
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder was")
    assert loaded(first) == 0
    assert first(np.float32(1.0)) == 2


def test_interrupted_write_leaves_nothing(
    kernel: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    first = kernel()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            first(3)
    assert files_of(first) == []
    assert loaded(kernel()) == 0
