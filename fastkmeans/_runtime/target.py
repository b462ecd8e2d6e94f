"""The processor that kernels are compiled for: its vectors, and its products of codes.

A *code* is a coordinate rounded to an integer of 8 or 16 bits.  A *word* of 32 bits holds the
codes of four or two features.  One instruction takes a word of a row and a word of a center.  It
multiplies their codes in pairs, and adds the products:

    processor              instruction          codes of rows and centers    values per word
    AVX-512 VNNI, AVX-VNNI vpdpbusd             unsigned and signed, 8 bits  4
    Arm, dot products      sdot                 signed, 8 bits               4
    other x86              vpmaddwd, then add   signed, 16 bits              2
    other                  shifts, mul, add     signed, 16 bits              2

``vpmaddubsw`` of AVX2 multiplies bytes too, but its sums of 16 bits saturate unless one side keeps
to 7 bits.  Codes of 16 bits lose less, and whole fits were about as fast with them.

``target_of`` knows nothing of this machine, so that a test can emit code for another one.
"""

import ctypes
import ctypes.util
import math
import platform
from pathlib import Path
from typing import NamedTuple

import llvmlite.binding as llvm
from numba.core import config


class Codes(NamedTuple):
    """How coordinates become integers, and the instruction that multiplies them."""

    bits: int  # in int, bits of a code: 8 or 16
    offset: int  # in int, added to the codes of rows, because an instruction takes them unsigned
    product: str  # in, dtype str, the LLVM name of the instruction; none: plain instructions

    @property
    def per_word(self) -> int:
        """Codes in a word of 32 bits."""
        return 32 // self.bits

    @property
    def of_rows(self) -> str:
        """The dtype of the codes of rows."""
        return f"{'uint' if self.offset else 'int'}{self.bits}"

    @property
    def of_centers(self) -> str:
        """The dtype of the codes of centers."""
        return f"int{self.bits}"

    def most(self, n_features: int) -> int:
        """Return the largest size of a code: the sum of all products fits into 32 bits."""
        if self.bits == 8:
            return 127
        padded = -(-n_features // self.per_word) * self.per_word
        return min(32767, math.isqrt(((1 << 31) - 1) // padded))


class Target(NamedTuple):
    """What the micro-kernels must know of a processor."""

    vector_bytes: int  # in int, bytes of a vector register
    centers: int  # in int, centers in a tile
    codes: Codes  # in Codes
    fuses: bool  # in bool, whether one instruction multiplies and adds floats


def _vector_bytes_and_centers(features: set[str]) -> tuple[int, int]:
    """Return the bytes of a vector register and the centers in a tile.

    AVX-512 has 32 registers of 64 bytes: 2 x 8 accumulators keep two FMA units busy.  2 x 12 are no
    faster with many features.  With few centers they are slower: up to 11 of a tile are padding.
    AVX2 has 16 registers of 32 bytes: 2 x 6 accumulators.  NEON and all others: 2 x 8 of 16 bytes.
    """
    if "avx512f" in features:
        return 64, 8
    if "avx2" in features and "fma" in features:
        return 32, 6
    return 16, 8


def target_of(features: set[str]) -> Target:
    """Return the target for a set of LLVM's names of features."""
    width, centers = _vector_bytes_and_centers(features)
    bytes_256 = "avxvnni" in features or {"avx512vnni", "avx512vl"} <= features
    if width == 64 and "avx512vnni" in features:
        codes = Codes(8, 128, "llvm.x86.avx512.vpdpbusd.512")
    elif width == 32 and bytes_256:
        codes = Codes(8, 128, "llvm.x86.avx512.vpdpbusd.256")
    elif "dotprod" in features:
        codes = Codes(8, 0, "llvm.aarch64.neon.sdot.v4i32.v16i8")
    elif width == 64 and "avx512bw" in features:
        codes = Codes(16, 0, "llvm.x86.avx512.pmaddw.d.512")
    elif width == 32:
        codes = Codes(16, 0, "llvm.x86.avx2.pmadd.wd")
    elif width == 16 and "sse2" in features:
        codes = Codes(16, 0, "llvm.x86.sse2.pmadd.wd")
    else:
        codes = Codes(16, 0, "")
    fuses = "fma" in features or "avx512f" in features or "sse2" not in features
    return Target(width, centers, codes, fuses)


_PRODUCTS_OF_BYTES = """
target triple = "{triple}"
declare i32 @llvm.vector.reduce.add.v16i32(<16 x i32>)
define i32 @f(<16 x i8> %x, <16 x i8> %y) {{
  %a = sext <16 x i8> %x to <16 x i32>
  %b = sext <16 x i8> %y to <16 x i32>
  %c = mul <16 x i32> %a, %b
  %r = call i32 @llvm.vector.reduce.add.v16i32(<16 x i32> %c)
  ret i32 %r
}}
"""


def llvm_emits_sdot(triple: str, cpu: str, features: str) -> bool:
    """Return whether LLVM uses ``sdot`` for an Arm processor.

    It would abort the process if told to use it for another one.  It names no such feature for the
    host, but turns this sum of products into ``sdot`` where it may.
    """
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features)
    text = _PRODUCTS_OF_BYTES.format(triple=triple)
    return "sdot" in machine.emit_assembly(llvm.parse_assembly(text))


def _system_reports_dot_products() -> bool:
    """Return whether Linux or macOS says that this Arm processor has ``sdot``."""
    if platform.system() == "Darwin":
        size, found = ctypes.c_size_t(4), ctypes.c_int(0)
        library = ctypes.CDLL(ctypes.util.find_library("c"))
        name = b"hw.optional.arm.FEAT_DotProd"
        failed = library.sysctlbyname(name, ctypes.byref(found), ctypes.byref(size), None, 0)
        return not failed and found.value == 1
    try:
        return "asimddp" in Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False


def _host_features() -> set[str]:
    """Return the features of the machine that numba compiles for."""
    baseline = {"sse2"} if platform.machine() in ("x86_64", "AMD64") else set()
    if config.CPU_FEATURES is not None:
        named = {name[1:] for name in config.CPU_FEATURES.split(",") if name[:1] == "+"}
        return named | baseline
    host = llvm.get_host_cpu_features()
    features = {name for name, on in host.items() if on} | baseline
    if not config.ENABLE_AVX:  # numba then compiles without; what needs it would abort LLVM
        features = {name for name in features if not name.startswith(("avx", "fma"))}
    if platform.machine() in ("arm64", "aarch64") and _system_reports_dot_products():
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        cpu = config.CPU_NAME or llvm.get_host_cpu_name()
        if llvm_emits_sdot(llvm.get_process_triple(), cpu, host.flatten()):
            features.add("dotprod")
    return features


TARGET = target_of(_host_features())
