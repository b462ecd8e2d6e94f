"""The committed digests: every fifth fit as it is, few on narrow vectors."""

from __future__ import annotations

import os
import platform
import textwrap
from pathlib import Path
from typing import Any

import pytest
from digest_cases import CASES, Case
from digests import lines_of, main, read_digests
from llvmlite import binding

from tests.helpers.processes import run

FILE = Path(__file__).resolve().parent / "digests.txt"
COMMITTED = read_digests(FILE)
SLOWEST = "flights"  # 336 776 rows of text

SIXTEEN_BYTES = "+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+64bit,+avx,+fma"
"""Features of a processor whose vectors hold 16 bytes, with fused multiply-adds."""
NARROW = (
    "fit mixture 2048x7 k=33 float32 init=far lloyd",
    "fit mixture 2048x2 k=33 float32 weights=zeros init=far boxes",
    "fit mixture 2048x18 k=33 float32 init=far bytes",
)
"""Few, since a processor with other vectors compiles its kernels for each of them."""


def fuses() -> bool:
    """Whether kernels fuse multiply-adds here: without that, last digits of centers differ."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        return bool(binding.get_host_cpu_features().get("fma"))
    return "+fma" in features.split(",")


fused = pytest.mark.skipif(not fuses(), reason="no fused multiply-adds")


def test_the_names_are_two_hundred_and_committed_in_order() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) == 200
    assert list(COMMITTED) == names
    assert FILE.read_text().splitlines() == list(COMMITTED.values())


@fused
@pytest.mark.parametrize(
    "case", [case for case in CASES[::5] if case.data != SLOWEST], ids=lambda case: case.name
)
def test_a_fit_has_the_committed_bits(case: Case) -> None:
    if case.file:
        pytest.importorskip("pyarrow")
        pytest.importorskip("tqdm")
    assert list(lines_of([case], None)) == [COMMITTED[case.name]]


def test_runs_that_were_cut_off_have_the_digests_of_whole_ones() -> None:
    cut = [case for case in CASES if "cut off" in case.init]
    assert len(cut) == 6
    for case in cut:
        whole = COMMITTED[case._replace(init="").name]  # that nobody cut off
        assert COMMITTED[case.name].split()[:2] == whole.split()[:2]


def test_the_program_names_what_differs(tmp_path: Path, capsys: Any) -> None:
    words = ("fit", "30x2", "lloyd")
    (name,) = (case.name for case in CASES if set(words) <= set(case.name.split()))
    assert main([*words, "--check", str(FILE)]) == 0
    assert capsys.readouterr().out == "1 digests, 0 differ\n"
    other = tmp_path / "other.txt"
    was = "0" * 16 + COMMITTED[name][16:]
    other.write_text(was + "\n")
    assert main([*words, "--check", str(other), "--threads", "1"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"now  {COMMITTED[name]}", f"was  {was}", "1 digests, 1 differ",
    ]  # fmt: skip
    assert main(["fit", "30x2", "boxes", "--check", str(other)]) == 1
    assert "was  not in the file" in capsys.readouterr().out


@pytest.mark.slow
@fused
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="x86 features")
def test_narrow_vectors_give_the_same_bits(tmp_path: Path) -> None:
    """A process that takes this processor for one with vectors of 16 bytes fits the same."""
    code = """
        import sys
        from fastkmeans._kernels.emit.simd import VECTOR_BYTES
        sys.path.insert(0, TESTS)
        from digests import CASES, lines_of
        assert VECTOR_BYTES == 16
        for line in lines_of([case for case in CASES if case.name in NARROW], None):
            print(line)
    """
    names = f"TESTS, NARROW = {str(FILE.parent)!r}, {NARROW!r}\n"
    printed = run(
        names + textwrap.dedent(code), tmp_path, 300, NUMBA_CPU_NAME="generic",
        NUMBA_CPU_FEATURES=SIXTEEN_BYTES, NUMBA_CACHE_DIR=str(tmp_path / "numba"),
    )  # fmt: skip
    assert sorted(printed.splitlines()) == sorted(COMMITTED[name] for name in NARROW)
