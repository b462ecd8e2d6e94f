"""What is refused and noted of a table that was read, by all commands that fit."""

import argparse
import itertools

import numpy as np

from .._data.tables import Preparation
from .._engines.auto import beyond_limit
from .._files import Dataset
from .._runtime.disk import human_size
from .._runtime.text import bare, shown
from .._search.state import bytes_of
from .console import UserError, note
from .report import first_csv, rows_of, warn_of_numbers

FEW = 5
"""Number of skipped rows that get a note each; the others are only counted."""
DOMINANT = 0.9
"""Share of the total variance (0 to 1) above which one column outweighs all others."""


def check_metric(args: argparse.Namespace) -> None:
    """Refuse directions from an origin that is moved."""
    if args.metric == "cosine" and args.standardize:
        raise UserError(
            "--metric cosine compares directions from the origin, which --standardize moves: leave "
            "one of them out"
        )


def check_table(args: argparse.Namespace, dataset: Dataset, k: int) -> None:
    """Refuse more clusters than rows, and an engine that takes too much memory."""
    rows = rows_of(dataset)
    if k > rows["used"]:
        reasons = {"dropped": "dropped for missing values", "skipped": "skipped as unreadable"}
        why = ", ".join(f"{rows[key]} {what}" for key, what in reasons.items() if rows[key])
        raise UserError(
            f"-k {k} asks for more clusters than there are rows, {rows['used']}"
            f"{f' ({why})' if why else ''}: lower -k"
        )
    if takes := beyond_limit(args.algorithm, dataset.rows):
        raise UserError(
            f"--algorithm {args.algorithm} takes {takes}, the --memory-limit: use --algorithm "
            "auto, which keeps within it, or allow more"
        )


def check_search(args: argparse.Namespace, dataset: Dataset) -> None:
    """Refuse a local search whose copy of the table exceeds the memory."""
    size = bytes_of(rows_of(dataset)["used"], len(dataset.names))
    if args.local_search not in (0, "auto") and size > dataset.rows.room:
        raise UserError(
            f"--local-search takes a copy of the table in memory, {human_size(size)}, which is "
            "more than --memory-limit allows: leave it out, or allow more"
        )


def note_columns(args: argparse.Namespace, dataset: Dataset) -> None:
    """Note skipped columns and rows; warn of constant columns and of a dominant one."""
    statistics, names = dataset.statistics, dataset.names
    known = [*names, *dataset.text, *dataset.empty, *args.exclude]
    known += [name for name in (args.id_column, args.weight_column) if name is not None]
    if args.header and (path := first_csv(args.files)) is not None:
        warn_of_numbers(path, known, args.decimal)
    text = [
        f"{bare(name)} ({shown(at.value, 24)})" for name, at in dataset.text.items() if at.first
    ]
    if text and not args.quiet:
        note(f"skipped text columns: {', '.join(text)}")
    if dataset.empty and not args.quiet:
        note(f"skipped columns without any value: {', '.join(map(shown, dataset.empty))}")
    for skipped in itertools.islice(dataset.skipped, FEW):
        note(f"warning: skipped {skipped.place} of {skipped.file}: {skipped.reason}")
    if dataset.n_skipped > FEW:
        more = "" if args.skipped_out else "; --skipped-out FILE lists all"
        note(f"warning: skipped {dataset.n_skipped - FEW} more rows{more}")
    if args.metric == "cosine":  # neither the variance nor a constant says much of directions
        return
    for j in np.flatnonzero(statistics.constant & (not args.standardize)):
        note(
            f"warning: column {shown(names[j])} is constant ({statistics.minimum[j]:g}): it does "
            "not tell rows apart"
        )
    spread = statistics.variance
    largest, total = int(spread.argmax()), float(spread.sum())
    if not args.standardize and len(names) > 1 and spread[largest] > DOMINANT * total:
        note(
            f"warning: column {shown(names[largest])} makes up {spread[largest] / total:.1%} of "
            "the variance, so the others hardly count: --standardize gives all the same weight, "
            "--exclude leaves it out"
        )


def preparation_of(args: argparse.Namespace, dataset: Dataset) -> Preparation:
    """Return what leads from the values of the table to the coordinates of a fit."""
    fill, dtype = dataset.statistics.mean, dataset.rows.dtype.name
    return Preparation(dataset.shift, dataset.scale, fill, args.missing, dtype)
