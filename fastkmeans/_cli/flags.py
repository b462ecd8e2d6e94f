"""Flags that commands share, in groups."""

import argparse
from collections.abc import Callable

from .values import delimiter, memory, names, path, runs, start, tolerance, whole_number

Add = Callable[..., argparse.Action]


def add_id(add: Add) -> None:
    """Add the column that names the rows."""
    text = "a column to carry into the file of labels, unchanged"
    add("--id", dest="id_column", metavar="NAME", help=text)


def add_columns(add: Add, default: str) -> None:
    """Add which columns are clustered, and how."""
    # fmt: off
    add("--columns", type=names, metavar="A,B",
        help=f"columns to cluster (default: {default})")
    add("--exclude", type=names, default=[], metavar="A,B", help="columns to leave out")
    add_id(add)
    add("--weight", dest="weight_column", metavar="NAME",
        help="a column of weights: 2 counts as the row twice, 0 as the row absent")
    add("--standardize", action="store_true", help="give all columns the same weight")
    # fmt: on


def add_reading(add: Add, missing: str | None, missing_shown: str) -> None:
    """Add how the table is read."""
    # fmt: off
    add("--missing", choices=("error", "drop", "mean", "zero"), default=missing,
        help="what to do with rows that lack a value: an error, drop the row, or fill in the mean "
        f"of the column or zero (default: {missing_shown})")
    add("--na", action="append", default=[], metavar="VALUE",
        help="a further value that means missing, besides NA, NaN, null and the like")
    add("--bad-rows", choices=("error", "skip"), default="error",
        help="what to do with rows that cannot be read: too few or too many values, or text where "
        "the rows before hold numbers (default: %(default)s)")
    add("--skipped-out", type=path, metavar="FILE",
        help="write the rows that --bad-rows skip left out here, each with its place and reason")
    add("--delimiter", type=delimiter, default=",", metavar="C",
        help="a character, or 'tab' (default: a comma); a first line sep=; of a file goes before")
    add("--decimal", choices=(".", ","), default=".",
        help="the decimal point (default: %(default)s)")
    add("--encoding", default="utf-8", help="how the text is written (default: %(default)s)")
    add("--no-header", dest="header", action="store_false",
        help="the first line is data: columns are called x1, x2, ...")
    # fmt: on


def add_start(add: Add) -> None:
    """Add the start of a fit."""
    # fmt: off
    add("--init", type=start, default="k-means++", metavar="HOW",
        help="how the first centers are found: k-means++, random, auto (less time than "
        "k-means++ on large tables and with many clusters), or a file of centers, which is a "
        "model, or a table with one center per line, in the units of the input; its columns are "
        "found by their names (of .npy by their places); write ./random for a file called random "
        "(default: %(default)s)")
    add("--n-init", type=runs, default="auto", metavar="N",
        help="number of runs, of which the best is kept (default: auto, 10 for random, else 1; "
        "always 1 from a file of centers)")
    # fmt: on


def add_clustering(add: Add) -> None:
    """Add what a fit depends on."""
    # fmt: off
    add("--metric", choices=("euclidean", "cosine"), default="euclidean",
        help="cosine compares directions: rows count with length 1, and a distance is 1 - cosine; "
        "not with --standardize, which moves the origin (default: %(default)s)")
    add("--max-iter", type=whole_number(1), default=300, metavar="N",
        help="iterations of a run, at most (default: %(default)s)")
    add("--tol", type=tolerance, default=1e-4, metavar="X",
        help="stop once the centers move less than this, relative to the variance; with 0 each "
        "center ends as the exact mean of its rows (default: %(default)s)")
    add("--seed", type=whole_number(0), default=0, metavar="N",
        help="seed of the random start (default: %(default)s)")
    add("--algorithm", choices=("auto", "lloyd", "bytes", "boxes"), default="auto",
        help="how labels are found, which are the same for all: lloyd compares all rows with all "
        "centers; bytes skips what bounds rule out (many columns, k from 32); boxes sorts the "
        "rows in space (up to four columns), takes the memory that needs, and resumes from the "
        "beginning of a run only; auto chooses lloyd or bytes (default: %(default)s)")
    # fmt: on


def add_resources(add: Add) -> None:
    """Add threads and memory."""
    # fmt: off
    add("--threads", type=whole_number(1), metavar="N", help="number of threads (default: all)")
    add("--memory-limit", type=memory, metavar="SIZE",
        help="end with an error if more memory than this is taken, say 400MB or 2GB; the table, "
        "which lies in a file, does not count (enforced on Linux; default: none)")
    # fmt: on


def add_table(add: Add) -> None:
    """Add how the parsed table is kept."""
    # fmt: off
    add("--dtype", choices=("auto", "float32", "float64"), default="auto",
        help="float32 takes half the room, and keeps seven digits (default: auto, float64 unless "
        "the files themselves hold float32)")
    add("--cache", type=path, metavar="DIR",
        help="keep the parsed table here: a later run on the same columns need not parse; of the "
        "same files, the four tables used last are kept")
    # fmt: on


def add_outputs(add: Add, *, clusters: bool) -> None:
    """Add the files that are written; those about clusters come from a fit only."""
    # fmt: off
    add("--labels-out", type=path, metavar="FILE", required=not clusters,
        help="write the cluster of every row here: CSV (packed, if it ends in .gz), or Parquet, if "
        "it ends in .parquet")
    add("--distances", action="store_true",
        help="add the distance of each row to its center (of standardised columns, where those "
        "are) to the labels")
    if clusters:
        add("--centers-out", type=path, metavar="FILE",
            help="write the centers here, in the units of the input (packed, if it ends in .gz)")
        add("--model-out", type=path, metavar="FILE",
            help="write the model here, for the command predict and for KMeans.load")
        add("--representatives-out", type=path, metavar="FILE",
            help="write the rows closest to each center here, with their cluster, the number of "
            "the row and the id, in the units of the input (packed, if it ends in .gz)")
        add("--representatives", type=whole_number(1), metavar="N",
            help="number of rows per cluster in the file of --representatives-out (default: 1)")
        add("--report", type=path, metavar="FILE.html",
            help="write a page of HTML about the clusters here: sizes, profiles in words and in "
            "pictures, quality, rows (extra report)")
    add_summary(add)
    # fmt: on


def add_summary(add: Add) -> None:
    """Add the form of the summary."""
    # fmt: off
    add("--json", action="store_true",
        help="the summary as JSON on standard output; the one for people goes to standard error")
    add("--quiet", action="store_true",
        help="no progress bar and no notes, only errors and warnings")
    # fmt: on
