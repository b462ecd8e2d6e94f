"""The command ``choose-k``: fit several numbers of clusters, and say which one stands out."""

import argparse
import shlex
import time
from pathlib import Path
from typing import Any

from .._choosing.choice import Choice, table_lines
from .._choosing.choose import compare
from .._data.rows import Rows
from .._data.tables import Table
from .._files import Dataset, open_dataset
from .._files.options import Question
from .._runtime.extras import need
from .._runtime.text import is_hidden
from .checks import check_metric, check_table, note_columns, preparation_of
from .console import UserError, note, remembered
from .labels import write_skipped
from .outputs import blamed_on, check_formats, check_outputs, whole_files
from .progress import MemoryGuard, Progress, WatchedRows
from .report import table_facts, table_facts_lines, tell

FITTING = ("n_init", "max_iter", "tol", "algorithm", "metric")
"""Arguments of clustering that the fits take by their names."""
PASSED_ON = (
    "columns", "exclude", "id", "weight", "standardize", "missing", "na", "bad_rows", "delimiter",
    "decimal", "encoding", "no_header", "metric", "max_iter", "tol", "seed", "algorithm",
    "threads", "memory_limit", "dtype", "cache",
)  # fmt: skip
"""Flags that the next command takes over, in the order of ``--help``."""
STORED_AS = {"id": "id_column", "weight": "weight_column", "no_header": "header"}
"""Where the value of a flag lies, if it has another name."""


def choose(args: argparse.Namespace) -> None:
    """Run the command ``choose-k``."""
    outputs = {"--plot": args.plot, "--report": args.report, "--skipped-out": args.skipped_out}
    check_outputs(outputs, inputs=args.files)
    check_formats({"--skipped-out": args.skipped_out})
    check_metric(args)
    if args.plot is not None:
        if args.plot.suffix.lower() != ".png":
            raise UserError(f"--plot {args.plot} must end in .png")
        need("matplotlib", "plots")
    if args.report is not None:
        from .page import check_report

        check_report(args.report)
    need("pyarrow")
    with remembered() as args.warned:
        _choose(args, outputs)


def _choose(args: argparse.Namespace, outputs: dict[str, Path | None]) -> None:
    began = time.perf_counter()
    guard = MemoryGuard(args.memory_limit)
    progress = Progress(guard, args.quiet)
    asked = {name: getattr(args, name) for name in Question._fields}
    asked |= {"cache": args.cache, "memory_limit": args.memory_limit}
    with progress.shown(0, "B"):
        dataset = open_dataset(args.files, progress=progress.read, **asked)
    with dataset:
        check_table(args, dataset, max(args.k))
        note_columns(args, dataset)
        read = time.perf_counter()
        choice = _fit(args, dataset, progress)
        fitted = time.perf_counter()
        if choice.interrupted:
            outputs = dict.fromkeys(outputs)  # exit code 130 says that nothing was written
        _write(args, outputs, dataset, choice)
        _report(args, outputs, dataset, choice, {"reading": read - began, "fitting": fitted - read})
    if choice.interrupted:
        raise KeyboardInterrupt


def _fit(args: argparse.Namespace, dataset: Dataset, progress: Progress) -> Choice:
    n, d = dataset.rows.shape
    if not args.quiet:
        note(f"comparing {len(args.k)} numbers of clusters on {n} rows of {d} columns")
    rows: Rows = dataset.rows
    if args.algorithm != "boxes":  # as in the command csv
        rows = WatchedRows(rows, progress)
    parameters = {name: getattr(args, name) for name in FITTING}
    parameters |= {"random_state": args.seed, "n_threads": args.threads}
    table = Table(rows, dataset.names)
    with progress.shown(n, "rows"):
        return compare(table, args.k, parameters, dataset.weights, progress)


def _write(
    args: argparse.Namespace,
    outputs: dict[str, Path | None],
    dataset: Dataset,
    choice: Choice,
) -> None:
    """Write all requested files, or none."""
    writers = {
        "--plot": lambda path: _draw(path, choice),
        "--report": lambda path: _write_page(path, args, dataset, choice),
        "--skipped-out": lambda path: write_skipped(path, dataset.skipped, args.delimiter),
    }
    wanted = {flag: path for flag, path in outputs.items() if path is not None}
    with whole_files(*wanted.values()) as temporary:
        for (flag, path), name in zip(wanted.items(), temporary, strict=True):
            with blamed_on(path):
                writers[flag](name)


def _draw(path: Path, choice: Choice) -> None:
    """Draw the figures against k."""
    figure = need("matplotlib.figure", "plots").Figure(figsize=(8.0, 5.5))
    need("fastkmeans.plots", "plots").criteria(choice, ax=figure.subplots())
    figure.savefig(path, format="png", dpi=150, bbox_inches="tight")


def _write_page(path: Path, args: argparse.Namespace, dataset: Dataset, choice: Choice) -> None:
    """Write the page about the choice, and about the clusters of the k that stands out."""
    from .page import write_report

    model = choice.best_model or choice.models[0]
    model.preparation_ = preparation_of(args, dataset)
    follow = [] if choice.best_k is None else [csv_command(args, choice.best_k)]
    write_report(path, args, dataset, model, choice, follow)


def csv_command(args: argparse.Namespace, k: int) -> str:
    """Return the command ``csv`` that clusters the table with k clusters, for a shell."""
    words = []
    for name in PASSED_ON:
        stored = STORED_AS.get(name, name)
        value, flag = getattr(args, stored), f"--{name.replace('_', '-')}"
        if value == args.default_of(stored):
            continue
        if isinstance(value, bool):
            words.append(flag)
        elif name == "na":
            words += [f"{flag}={each}" for each in value]
        else:
            text = _joined(value) if isinstance(value, list) else str(value)
            words.append(f"{flag}={text}")
    files = [str(path) if str(path)[:1] != "-" else f"./{path}" for path in args.files]
    start = ["python", "-m", "fastkmeans", "csv", *files, "-k", str(k)]
    return " ".join(map(_shell_word, [*start, *words, "--labels-out", "labels.csv"]))


def _shell_word(text: str) -> str:
    """Quote a word for a shell; what a terminal would obey is escaped, as bash and zsh read it."""
    if not any(map(is_hidden, text)):
        return shlex.quote(text)
    marks = {"\\": "\\\\", "'": "\\'"}
    parts = [
        "".join(f"\\x{byte:02x}" for byte in c.encode("utf-8", "surrogateescape"))
        if is_hidden(c)
        else marks.get(c, c)
        for c in text
    ]
    return f"$'{''.join(parts)}'"


def _joined(names: list[str]) -> str:
    """Return names as ``--columns`` reads them: a space before a name counts in quotes only."""
    return ",".join(
        name if name and name[0] != " " and not set(name) & set(',"\r\n') else _quoted(name)
        for name in names
    )


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _report(
    args: argparse.Namespace,
    outputs: dict[str, Path | None],
    dataset: Dataset,
    choice: Choice,
    seconds: dict[str, float],
) -> None:
    """Print the summary."""
    command = None if choice.best_k is None else csv_command(args, choice.best_k)
    columns = {name: values.tolist() for name, values in choice.columns().items()}
    summary: dict[str, Any] = {
        **table_facts(args, dataset),
        "seed": args.seed,
        "fits": [
            dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)
        ],
        "choices": choice.choices,
        "best_k": choice.best_k,
        "reason": choice.reason,
        "interrupted": choice.interrupted,
        "next": command,
        "outputs": {flag[2:]: str(path) for flag, path in outputs.items() if path is not None},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }
    lines = [
        *table_facts_lines(dataset),
        *(f"{name:<11} {value:.2f} s" for name, value in seconds.items()),
        "",
        *table_lines(choice),
    ]
    if command is not None:
        lines += ["to cluster the table:", f"    {command}"]
    tell(summary, lines, args.json)
