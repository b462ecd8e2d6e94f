"""The committed digests of every fifth fit.

CI compares all of them, also on vectors of 16 bytes: a processor with other vectors compiles
every kernel for them, which takes a minute.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import pytest
from digest_cases import CASES, Case
from digests import lines_of, main, read_digests
from llvmlite import binding

FILE = Path(__file__).resolve().parent / "digests.txt"
COMMITTED = read_digests(FILE)
SLOWEST = "flights"  # 336 776 rows of text


def fuses() -> bool:
    """Whether kernels fuse multiply-adds here: without that, last digits of centers differ."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        return bool(binding.get_host_cpu_features().get("fma"))
    return "+fma" in features.split(",")


fused = pytest.mark.skipif(not fuses(), reason="no fused multiply-adds")


def test_the_names_are_those_committed_in_order() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) == 218
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
