"""Commands and flags of the command line, and the text of ``--help``."""

import argparse
import sys
from collections.abc import Sequence

from .. import __version__
from .console import guarded, note
from .flags import (
    add_clustering,
    add_columns,
    add_id,
    add_outputs,
    add_reading,
    add_resources,
    add_start,
    add_summary,
    add_table,
)
from .values import Parser, number_or_auto, numbers, path, whole_number

EXIT_CODES = """\
exit codes:
  0    done: every file that was asked for is there, complete
  2    a mistake in the call or in the data, a full disk, a limit of memory: one line on
       standard error says which; no output file was written or replaced (or, where the
       error is one of standard output, the files are there but the summary is not)
  130  interrupted by Ctrl-C, 143 ended by SIGTERM: no output file was written; standard
       error says how to go on
"""

CSV = """\
Cluster the numeric columns of a table: CSV (plain, .gz, .zst, a pipe), Parquet, Arrow or
.npy, one file, several, or a folder; the table may be larger than memory.
"""
CSV_MORE = f"""\
outputs:
  The file of labels has one line per row of the input, in its order: the id column (or the
  number of the row, from 1) and the cluster. A row that --missing drop or --bad-rows skip
  left out keeps its line, with an empty cluster. The file of centers has one line per
  cluster: its size, and its center in the units of the input. The file of representatives
  has the rows closest to each center, the closest first. The report is one page of HTML that
  needs nothing from outside; its pictures and its quality come from a sample. All outputs
  appear when all are complete. The summary goes to standard output, everything else to
  standard error.

quality:
  The summary has the simplified silhouette of each cluster and of all rows. It compares the
  distance of a row to its center, a, with that to the closest other center, b:
  (b - a) / max(a, b), at most 1. Calinski-Harabasz (CH) compares the spread between the
  clusters with that within them; larger is better. Both count all rows, by their weights,
  in the columns as they are clustered. By cosine there is no CH. The rows come from the last
  pass of the fit; if there are several runs, the best is measured in a pass of its own.

large tables:
  The table is parsed once, into a file beside the first output (--cache chooses another
  folder, and keeps it for the next run), and clustered from there, in memory that does not
  grow with it. The result does not depend on the memory or the threads at hand. Every few
  seconds the state is saved: a run that was interrupted, or killed, goes on with --resume
  and ends with the same bits.

{EXIT_CODES}"""

CHOOSE = """\
Fit several numbers of clusters to the numeric columns of a table, and say which one stands
out, if any; the table is read as by the command csv.
"""
CHOOSE_MORE = f"""\
summary:
  A line per k: the inertia, the simplified silhouette, Calinski-Harabasz (CH), Davies-Bouldin
  (DB; smaller is better), BIC (likewise), and what the recommendation rests on: gap and
  contrast, against rows without clusters that spread alike. Then the recommendation, its
  reason, and the command csv for this k. If no k stands out, it says so.
  Ctrl-C ends the work with a table of what is done. The report has the same, with pictures, and
  describes the clusters of the k that stands out. It is one page of HTML that needs nothing from
  outside.

{EXIT_CODES}"""

PREDICT = """\
Find the closest center of every row of a table, by a model that `csv --model-out` saved.
"""
PREDICT_MORE = f"""\
Columns are found by their names; they are standardised, and missing values filled in, as
when the model was made. The file of labels is that of the command csv.

{EXIT_CODES}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = Parser(
        prog="python -m fastkmeans",
        description="Exact k-means on tables of any size.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fastkmeans {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_csv(commands.add_parser("csv", help="cluster the rows of a table"))
    add_choose(commands.add_parser("choose-k", help="find out how many clusters a table has"))
    add_predict(commands.add_parser("predict", help="label the rows of a table by a saved model"))
    return run(parser, argv)


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parse the arguments and run the command."""
    given = sys.argv[1:] if argv is None else list(argv)
    if not given:
        parser.print_help(sys.stderr)
        print(file=sys.stderr)
        note("error: nothing to do")
        return 2
    args = parser.parse_args(given)
    args.command_line = [*parser.prog.split(), *given]
    return guarded(lambda: _work(args))


def _work(args: argparse.Namespace) -> None:
    if args.command == "csv":
        from .cluster import cluster as work
    elif args.command == "choose-k":
        from .choose import choose as work
    else:
        from .predict import predict as work
    work(args)


def add_csv(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command ``csv``."""
    _describe(parser, CSV, CSV_MORE)
    parser.set_defaults(command="csv")
    # fmt: off
    parser.add_argument("files", nargs="+", type=path, metavar="FILE",
        help="the table: files, a folder, or a pipe; the first line of CSV names the columns")
    parser.add_argument("-k", type=whole_number(1),
        help="number of clusters (default: 8, or the number of centers in the file of --init)")
    # fmt: on
    add_columns(
        parser.add_argument_group("columns").add_argument,
        "all numeric ones, or those of the file of --init",
    )
    add_reading(parser.add_argument_group("reading").add_argument, "error", "%(default)s")
    clustering = parser.add_argument_group("clustering").add_argument
    add_start(clustering)
    add_clustering(clustering)
    # fmt: off
    clustering("--local-search", type=number_or_auto(0), default="auto", metavar="N",
        help="after the best run, try N times to put a row in the place of a center, and keep what "
        "lowers the inertia; takes a copy of the table in memory; not with --metric cosine; "
        "0 and auto: none, as the table is in files (default: %(default)s)")
    clustering("--early-stop", action="store_true",
        help="of several runs, end those early that are not on the way to a lower inertia than the "
        "runs before; saves time, and can miss the best run")
    clustering("--order", choices=("none", "size"), default="none",
        help="size numbers the clusters by falling size, ties by their first rows, so that labels "
        "mean the same in two runs that find the same clusters (default: %(default)s)")
    # fmt: on
    resources = parser.add_argument_group("resources").add_argument
    add_resources(resources)
    add_table(resources)
    resources(
        "--resume",
        action="store_true",
        help="go on where a run with the same arguments was interrupted",
    )
    add_outputs(parser.add_argument_group("outputs").add_argument, clusters=True)


def add_choose(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command ``choose-k``."""
    _describe(parser, CHOOSE, CHOOSE_MORE)
    parser.set_defaults(command="choose-k", default_of=parser.get_default)
    # fmt: off
    parser.add_argument("files", nargs="+", type=path, metavar="FILE",
        help="the table: files, a folder, or a pipe; the first line of CSV names the columns")
    parser.add_argument("-k", type=numbers, default="2-20", metavar="FROM-TO",
        help="numbers of clusters to compare: 2-20, or 2,4,8-10 (default: %(default)s)")
    add_columns(parser.add_argument_group("columns").add_argument, "all numeric ones")
    add_reading(parser.add_argument_group("reading").add_argument, "error", "%(default)s")
    clustering = parser.add_argument_group("clustering").add_argument
    clustering("--n-init", type=whole_number(1), default=3, metavar="N",
        help="starts by k-means++ for each k; one more start is the fit for the smaller k "
        "(default: %(default)s)")
    add_clustering(clustering)
    resources = parser.add_argument_group("resources").add_argument
    add_resources(resources)
    add_table(resources)
    outputs = parser.add_argument_group("outputs").add_argument
    outputs("--plot", type=path, metavar="FILE.png",
        help="draw the figures against k (extra plots)")
    outputs("--report", type=path, metavar="FILE.html",
        help="write a page of HTML here: the figures of each k, the recommendation, and the "
        "clusters of the k that stands out (extra report)")
    add_summary(outputs)
    # fmt: on


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command ``predict``; the model has the other options."""
    _describe(parser, PREDICT, PREDICT_MORE)
    parser.set_defaults(command="predict")
    add = parser.add_argument
    # fmt: off
    add("model", type=path, metavar="MODEL", help="a file that csv --model-out wrote")
    add("files", nargs="+", type=path, metavar="FILE",
        help="the table, with the columns that the model was made from, in any order")
    # fmt: on
    add_id(add)
    add_reading(parser.add_argument_group("reading").add_argument, None, "that of the model")
    add_resources(parser.add_argument_group("resources").add_argument)
    add_outputs(parser.add_argument_group("outputs").add_argument, clusters=False)


def _describe(parser: argparse.ArgumentParser, description: str, epilog: str) -> None:
    parser.description, parser.epilog = description, epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
