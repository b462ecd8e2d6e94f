"""What ``compare`` says about the machine that it runs on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

VECTORS = {
    "avx512f": "AVX-512",
    "avx2": "AVX2",
    "avx": "AVX",
    "sse2": "SSE2",
    "sve": "SVE",
    "asimd": "NEON",
}
"""Vector instructions by their flag in ``/proc/cpuinfo``, the widest of a family first."""
MASKS = {
    "avx2": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,"
        "+bmi2,+lzcnt,+f16c,+cx16,+movbe,+64bit",
        "OPENBLAS_CORETYPE": "Haswell",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "FAISS_OPT_LEVEL": "avx2",
    }
}
"""Environment by which libraries run as on a smaller processor; those that read none stay as they
are.  The report says which code each library runs."""
DOTS = ("avx512_vnni", "avx_vnni")
"""Flags of instructions that sum products of bytes."""


def mask_processor(name: str) -> None:
    """Let the libraries that workers import run as on a smaller processor."""
    os.environ.update(MASKS[name])


def count_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_processor(text: str) -> dict[str, str]:
    """Return the model, the widest vectors and the sums of bytes by ``/proc/cpuinfo``."""
    lines = [line.partition(":") for line in text.splitlines()]
    found = {name.strip().lower(): value.strip() for name, _, value in reversed(lines)}
    flags = (found.get("flags") or found.get("features") or "").split()
    result = {"cpu": found.get("model name") or platform.processor() or platform.machine()}
    if flags:
        result["vectors"] = next((VECTORS[flag] for flag in VECTORS if flag in flags), "none")
        result |= {flag: "yes" if flag in flags else "no" for flag in DOTS}
    return result


def describe_machine(threads: int) -> dict[str, Any]:
    """Return what a reader needs to judge the numbers."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = {}
    for name in ("numpy", "numba", "llvmlite"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return {
        **describe_processor(text),
        "cores": count_cores(),
        "threads": threads,
        "python": platform.python_version(),
        "system": platform.platform(),
        **found,
    }
