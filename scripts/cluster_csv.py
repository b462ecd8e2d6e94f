r"""Cluster the numeric columns of a table: CSV, Parquet, Arrow or .npy, of any size.

    python scripts/cluster_csv.py flights.csv.gz -k 8 --id rownames --missing drop --standardize \
        --labels-out labels.csv --centers-out centers.csv --model-out model.npz

This is `python -m fastkmeans csv`, for a clone of the repository; `--help` tells all. The work is
done in `fastkmeans/_cli`: `arguments` (what can be asked for), `cluster` (the steps, from the file
to the summary), `job` (what is kept to go on after an interruption).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from _shared import Parser, exit_with

from fastkmeans._cli.arguments import add_csv, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    parser = Parser(prog=f"python {sys.argv[0]}")
    add_csv(parser)
    return run(parser, argv)


if __name__ == "__main__":
    exit_with(main)
