"""Run the comparison: ``python scripts/compare TASK``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python puts this folder first; its parent holds the package and what scripts share.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from compare.program import main

    raise SystemExit(main())
