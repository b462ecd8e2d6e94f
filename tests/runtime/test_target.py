"""The products of codes, emitted for processors that are not this one.

LLVM aborts the process if an instruction does not exist on a target, so a subprocess emits.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys

import numpy as np
import pytest

from fastkmeans._runtime.target import Codes, Target, target_of
from tests.helpers.programs import ROOT

AVX2 = {"sse2", "avx", "avx2", "fma"}
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512vl"}
PROCESSORS = {
    # LLVM's name: triple, features, the instruction, its registers
    "icelake-server": ("x86_64", AVX512 | {"avx512vnni"}, "vpdpbusd", "zmm"),
    "skylake-avx512": ("x86_64", AVX512, "vpmaddwd", "zmm"),
    "alderlake": ("x86_64", AVX2 | {"avxvnni"}, "vpdpbusd", "ymm"),
    "haswell": ("x86_64", AVX2, "vpmaddwd", "ymm"),
    "x86-64": ("x86_64", {"sse2"}, "pmaddwd", "xmm"),
    "neoverse-n1": ("aarch64", {"dotprod"}, "sdot", "4s"),
    "apple-m1": ("aarch64", {"dotprod"}, "sdot", "4s"),
    "cortex-a72": ("aarch64", set(), "mla", "4s"),
}
PROGRAM = """
import json, sys
import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types
from fastkmeans._kernels.bytes.tile import _integer_loop
from fastkmeans._kernels.emit.simd import I32, I64, VECTORS, Emitter, integer
from fastkmeans._runtime.target import llvm_emits_sdot, target_of

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
texts, sdot = {}, {}
for cpu, (machine, features) in json.load(sys.stdin).items():
    target, triple = target_of(set(features)), machine + "-unknown-linux-gnu"
    module, pointer = ir.Module(), I32.as_pointer()
    module.triple = triple
    kind = ir.FunctionType(ir.VoidType(), [pointer, pointer, pointer, I64, pointer])
    function = ir.Function(module, kind, "loop")
    builder = ir.IRBuilder(function.append_basic_block())
    emit = Emitter(None, builder, types.float32, target)
    block, tile, starts, n_words, out = function.args
    for center, row in enumerate(_integer_loop(emit, block, tile, starts, n_words)):
        for v, total in enumerate(row):
            emit.store(total, out, integer((center * VECTORS + v) * emit.lanes))
    builder.ret_void()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    parsed = llvm.parse_assembly(str(module))
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(3))
    passes.getModulePassManager().run(parsed, passes)
    texts[cpu] = machine.emit_assembly(parsed)
    if "aarch64" in triple:
        sdot[cpu] = llvm_emits_sdot(triple, cpu, "")
print(json.dumps([texts, sdot]))
"""


@pytest.fixture(scope="module")
def emitted() -> tuple[dict[str, str], dict[str, bool]]:
    """Assembly of the loop over words by processor, and whether LLVM would emit ``sdot``."""
    question = {cpu: [row[0], sorted(row[1])] for cpu, row in PROCESSORS.items()}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(question), cwd=ROOT,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    texts, sdot = json.loads(done.stdout)
    return texts, sdot


@pytest.mark.parametrize("cpu", PROCESSORS)
def test_products_use_the_instruction_of_the_processor(cpu: str, emitted: tuple) -> None:
    """Every accumulator of the tile has one, with full registers."""
    _, features, instruction, registers = PROCESSORS[cpu]
    lines = [
        line for line in emitted[0][cpu].splitlines()
        if re.search(rf"^\s*({{vex}}\s+)?{instruction}\s", line) and registers in line
    ]  # fmt: skip
    per_pass = 2 * target_of(features).centers
    assert len(lines) >= per_pass
    assert len(lines) % per_pass == 0  # LLVM may unroll


def test_sdot_is_detected_where_llvm_would_emit_it(emitted: tuple) -> None:
    assert emitted[1] == {"neoverse-n1": True, "apple-m1": True, "cortex-a72": False}


def test_the_largest_codes_do_not_overflow() -> None:
    """The sum of all products, with the offset of the rows, fits into a signed word."""
    for features in (AVX512 | {"avx512vnni"}, AVX2, {"dotprod"}, set()):
        codes = target_of(features).codes
        for d in (1, 2, 3, 31, 32, 384, 1000, 65_535, 65_536):
            most, padded = codes.most(d), -(-d // codes.per_word) * codes.per_word
            assert padded * (most + codes.offset) * most < 1 << 31
            assert most == 127 or padded * (most + 1) ** 2 >= 1 << 31 or most == 32767
            assert np.iinfo(codes.of_centers).max >= most
            assert np.iinfo(codes.of_rows).max >= most + codes.offset


SETTINGS = """
import sys
from fastkmeans._runtime.target import TARGET
print(TARGET.vector_bytes, TARGET.fuses, TARGET.codes.product)
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="settings of x86")
@pytest.mark.parametrize(
    "setting",
    [{"NUMBA_ENABLE_AVX": "0"}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}],
    ids=str,
)
def test_settings_of_numba_are_obeyed(setting: dict[str, str]) -> None:
    """Without AVX there is what every x86-64 has, and nothing that LLVM cannot emit."""
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS], env={**os.environ, **setting}, cwd=ROOT,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["16", "False", "llvm.x86.sse2.pmadd.wd"], done.stderr


def test_targets() -> None:
    assert target_of(AVX512 | {"avx512vnni"}) == Target(
        64, 8, Codes(8, 128, "llvm.x86.avx512.vpdpbusd.512"), True
    )
    assert target_of(AVX2 | {"avx512vnni", "avx512vl"}).codes.bits == 8
    assert target_of(AVX512).vector_bytes == 64
    assert target_of(AVX2) == Target(32, 6, Codes(16, 0, "llvm.x86.avx2.pmadd.wd"), True)
    assert target_of(AVX2 - {"fma"}).vector_bytes == 16
    assert not target_of({"sse2"}).fuses
    assert target_of(set()) == Target(16, 8, Codes(16, 0, ""), True)
