"""Cluster the numeric columns of a CSV file with k-means.

    python scripts/cluster_csv.py flights.csv.gz -k 8 --id rownames --missing drop --standardize \\
        --labels-out labels.csv --centers-out centers.csv

The labels file has one line per row of the input, in its order: the id column (or the row number)
and the cluster. A row that `--missing drop` left out keeps its line, with an empty cluster. The
centers file has one line per cluster, its size, and its center in the units of the input. Both
are packed by gzip if their name ends in .gz. The input may be a pipe, say /dev/stdin.

The summary goes to stdout, everything else to stderr. Exit code 2 means that no file was written,
or, where the error is one of standard output, that the files are there but the summary is not.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _csv_output import check_formats, write_centers, write_labels
from _csv_prepare import note_dominance, standardize, take_rows
from _csv_source import MISSING, Source, kept_file
from _csv_table import Table, read_table
from _shared import (
    UserError,
    blamed_on,
    check_input,
    check_outputs,
    exit_with,
    guarded,
    need,
    note,
    shown,
    whole_files,
    whole_number,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    args = _parser().parse_args(argv)
    return guarded(lambda: cluster_csv(args))


def cluster_csv(args: argparse.Namespace) -> None:
    """Read, cluster, write, report."""
    check_input(args.file)
    outputs = {"--labels-out": args.labels_out, "--centers-out": args.centers_out}
    check_outputs(outputs, inputs=(args.file,))
    check_formats(outputs)
    KMeans = need("fastkmeans").KMeans
    started = time.perf_counter()
    with kept_file(args.file) as kept:
        table, X, keep = load(args, kept)
    shift, scale = standardize(X, table.names) if args.standardize else (0.0, 1.0)
    read_seconds = time.perf_counter() - started

    if not args.quiet:
        note(
            f"clustering {len(X)} rows of {len(table.names)} columns "
            "(a first run compiles the kernels, for some seconds)"
        )
    started = time.perf_counter()
    model = KMeans(
        args.k,
        init=args.init,
        n_init=args.n_init,
        max_iter=args.max_iter,
        tol=args.tol,
        random_state=args.seed,
        copy_x=False,
        n_threads=args.threads,
    ).fit(X)
    seconds = read_seconds, time.perf_counter() - started
    sizes = np.bincount(model.labels_, minlength=args.k)
    centers = model.cluster_centers_ * scale + shift
    write_outputs(args, table, model.labels_, keep, centers, sizes)
    report(args, table, model, sizes, seconds)


def load(args: argparse.Namespace, kept: Path) -> tuple[Table, np.ndarray, np.ndarray | None]:
    """Read the file, as it is kept, and deal with missing values.

    Returns
    -------
    table
        What is known about the columns; its numbers have moved to X.
    X
        The rows to cluster.
    keep
        Which rows of the file those are; None for all.
    """
    missing = MISSING | {value.strip() for value in args.na}
    table = read_table(
        Source(args.file, kept, args.delimiter, args.encoding, missing),
        columns=args.columns,
        exclude=args.exclude,
        id_column=args.id,
        dtype=np.float32 if args.dtype == "float32" else np.float64,
        quiet=args.quiet,
    )
    report_skipped(table, args.quiet)
    X, keep = take_rows(table, args.missing)
    if args.k > len(X):
        n_dropped = table.n_rows - len(X)
        dropped = f" ({n_dropped} dropped for missing values)" if n_dropped else ""
        raise UserError(
            f"-k {args.k} asks for more clusters than there are rows, {len(X)}{dropped}: lower -k"
        )
    if not args.standardize and not args.quiet:
        note_dominance(X, table.names)
    return table, X, keep


def report_skipped(table: Table, quiet: bool) -> None:
    """Say which columns take no part, and why."""
    plain = []
    for name, (row, value) in table.text.items():
        if row.number == 1:
            plain.append(f"{name} ({shown(value, 24)})")
        else:  # a column of numbers, up to there: that may not be what its owner thinks
            note(
                f"warning: skipped column {name!r}: {row.place} holds {shown(value)}, which is no "
                f"number (--na {value[:40]!r} would read it as missing)"
            )
    if plain and not quiet:
        note(f"skipped text columns: {', '.join(plain)}")
    if table.empty and not quiet:
        note(f"skipped columns without any value: {', '.join(map(shown, table.empty))}")


def write_outputs(
    args: argparse.Namespace,
    table: Table,
    labels: np.ndarray,
    keep: np.ndarray | None,
    centers: np.ndarray,
    sizes: np.ndarray,
) -> None:
    """Write the files that were asked for: all of them, or none."""
    paths = [path for path in (args.labels_out, args.centers_out) if path is not None]
    with whole_files(*paths) as temporary:
        if args.labels_out is not None:
            with blamed_on(args.labels_out):
                write_labels(temporary[0], table, labels, keep)
        if args.centers_out is not None:
            with blamed_on(args.centers_out):
                write_centers(temporary[-1], table, centers, sizes)


def report(
    args: argparse.Namespace,
    table: Table,
    model: Any,
    sizes: np.ndarray,
    seconds: tuple[float, float],
) -> None:
    """Print the summary."""
    rows = int(sizes.sum())
    others = f" of {table.n_rows} (the others lack a value)" if rows < table.n_rows else ""
    unit = " (in squared standard deviations)" if args.standardize else ""
    print(f"rows        {rows}{others}")
    print(f"columns     {len(table.names)}: {', '.join(table.names)}")
    print(f"clusters    {args.k}")
    print(f"inertia     {model.inertia_:.6g}{unit}")
    print(f"iterations  {model.n_iter_} ({model.stop_reason_})")
    print(f"reading     {seconds[0]:.2f} s")
    print(f"clustering  {seconds[1]:.2f} s")
    print(f"\n{'cluster':>7} {'size':>10} {'share':>7}")
    for cluster, size in enumerate(sizes):
        print(f"{cluster:>7} {size:>10} {size / rows:>7.1%}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog="The top of this file tells what the outputs look like.",
    )
    add = parser.add_argument
    # fmt: off
    add("file", type=Path, metavar="FILE.csv[.gz]",
        help="the table, a file or a pipe; its first line names the columns")
    add("-k", type=whole_number(1), default=8, help="number of clusters (default: %(default)s)")
    add("--columns", type=_names, metavar="A,B",
        help="columns to cluster (default: all numeric ones)")
    add("--exclude", type=_names, default=[], metavar="A,B", help="columns to leave out")
    add("--id", metavar="NAME", help="a column to carry into the labels file, unchanged")
    add("--missing", choices=("error", "drop", "mean"), default="error",
        help="what to do with rows that lack a value (default: %(default)s)")
    add("--na", action="append", default=[], metavar="VALUE",
        help="a further value that means missing, besides NA, NaN, null and the like")
    add("--standardize", action="store_true", help="give all columns the same weight")
    add("--init", choices=("k-means++", "random"), default="k-means++",
        help="how the first centers are found (default: %(default)s)")
    add("--n-init", type=_runs, default="auto", metavar="N",
        help="number of runs, of which the best is kept (default: auto, 10 for random, else 1)")
    add("--max-iter", type=whole_number(1), default=300, metavar="N",
        help="iterations of a run, at most (default: %(default)s)")
    add("--tol", type=_tolerance, default=1e-4, metavar="X",
        help="stop once the centers move less than this, relative to the variance; with 0 each "
        "center ends as the exact mean of its rows (default: %(default)s)")
    add("--seed", type=whole_number(0), default=0, metavar="N",
        help="seed of the random start (default: %(default)s)")
    add("--threads", type=whole_number(1), metavar="N", help="number of threads (default: all)")
    add("--labels-out", type=Path, metavar="FILE",
        help="write the cluster of every row here (packed, if it ends in .gz)")
    add("--centers-out", type=Path, metavar="FILE",
        help="write the centers here, in the units of the input (packed, if it ends in .gz)")
    add("--dtype", choices=("float32", "float64"), default="float64",
        help="float32 takes half the memory (default: %(default)s)")
    add("--delimiter", type=_delimiter, default=",", metavar="C",
        help="a character, or 'tab' (default: a comma)")
    add("--encoding", default="utf-8", help="how the text is written (default: %(default)s)")
    add("--quiet", action="store_true",
        help="no progress bar and no notes, only errors and warnings")
    # fmt: on
    return parser


def _runs(text: str) -> int | str:
    return text if text == "auto" else whole_number(1)(text)


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return value


def _names(text: str) -> list[str]:
    """Split at commas, but not inside quotes: a name may hold a comma."""
    names = next(csv.reader([text], skipinitialspace=True), [])
    if not names:
        raise argparse.ArgumentTypeError("no column is named")
    return names


def _delimiter(text: str) -> str:
    text = "\t" if text in ("tab", "\\t") else text
    if len(text) != 1 or not text.isascii() or text in '"\r\n':
        raise argparse.ArgumentTypeError(f"{text!r} is not a single ASCII character")
    return text


if __name__ == "__main__":
    exit_with(main)
