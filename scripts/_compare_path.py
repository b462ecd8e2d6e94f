"""Let ``compare.py`` import this checkout and the benchmarks' data, installed or not."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

for _folder in (ROOT, ROOT / "asv_benchmarks"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
