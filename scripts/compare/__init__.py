"""Compare fastkmeans with other k-means libraries, side by side.

    python scripts/compare iterations --dtype float32 --threads 2
    python scripts/compare all --quick

``program`` is the command line; ``peers`` adapts the libraries, ``worker`` runs each in a
process of its own, ``results`` and ``report`` compare what they did.  ``methods`` calls
them as users do, for ``optimum`` and ``curve``.  These two and the other modules are the
tasks.  To import this package puts this checkout and the data of its benchmarks on
Python's path, installed or not.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

for _folder in (ROOT, ROOT / "asv_benchmarks"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
