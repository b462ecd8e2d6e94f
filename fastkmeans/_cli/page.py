"""``--report``: the page about the clusters of a table, or about how many there are."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from .._choosing.choice import Choice
from .._data.tables import Table
from .._data.validation import NO_WEIGHTS
from .._estimators.kmeans import KMeans
from .._files import Dataset
from .._report.api import checked, need_libraries, write
from .._report.source import source_of
from .console import UserError
from .representatives import ids_of, source_rows


def check_report(path: Path) -> None:
    """Refuse, before the long work, a report that cannot be made."""
    need_libraries()
    try:
        checked(path)
    except ValueError:
        raise UserError(
            f"--report {path}: what is written is HTML: end the name in .html"
        ) from None


def write_report(
    path: Path,
    args: argparse.Namespace,
    dataset: Dataset,
    model: KMeans,
    choice: Choice | None = None,
    follow: Sequence[str] = (),
) -> None:
    """Write the page about a fit, or about a choice of k, and the commands to run next."""
    source = source_of(dataset, args.files, dataset.rows.shape[0], args.missing)
    source.warnings = list(dict.fromkeys(args.warned))
    source.left_out_columns += [(name, "left out by --exclude") for name in args.exclude]
    source.row_heading = "row (from 1)"
    source.numbers = lambda rows: source_rows(dataset, rows) + 1
    if args.id_column is not None:
        source.left_out_columns.append((args.id_column, "names the rows (--id)"))
        source.id_heading = args.id_column
        source.ids = lambda rows: ids_of(dataset, source_rows(dataset, rows))
    if args.weight_column is not None:
        source.left_out_columns.append((args.weight_column, "holds the weights (--weight)"))
    weights = NO_WEIGHTS if dataset.weights is None else dataset.weights
    command = shlex.join([word for word in args.command_line if word != "--resume"])
    table = Table(dataset.rows, dataset.names)
    labels = getattr(model, "labels_", None)  # models of a choice have none
    write(path, model, table, weights, source, None, [command], choice, labels=labels,
          follow=follow)  # fmt: skip
