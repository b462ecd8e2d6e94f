"""The summary of a job, as text and as JSON; a warning if the first line looks like data."""

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .._files import Dataset
from .._files.readers.csv_blocks import Dialect
from .._files.sources import FORMATS, find_files
from .._runtime.arrays import Floats
from .._runtime.text import bare, is_hidden
from .console import note


def rows_of(dataset: Any) -> dict[str, int]:
    """Return the numbers of rows: in the input, used, dropped and skipped."""
    clustered, skipped = dataset.rows.shape[0], dataset.n_skipped
    return {
        "input": dataset.n_source_rows,
        "used": clustered,
        "dropped": dataset.n_source_rows - clustered - skipped,
        "skipped": skipped,
    }


def tell(summary: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """Print the summary on stdout; if JSON goes there, print the text on stderr."""
    if as_json:
        whole = _without_infinite({"fastkmeans": __version__} | summary)
        print(_json(whole, sys.stdout.encoding or "utf-8"))
    to = sys.stderr if as_json else sys.stdout
    encoding = to.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding), file=to)


def _json(value: Any, encoding: str) -> str:
    """Return JSON that can be printed; what a terminal would obey, or not show, is escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=2, allow_nan=False)
    lines = text.split("\n")  # the only control characters that JSON itself writes
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    return "".join(json.dumps(c)[1:-1] if is_hidden(c) else c for c in line)


def _without_infinite(value: Any) -> Any:
    """Replace infinities and NaN, which JSON lacks, by null."""
    if isinstance(value, dict):
        return {key: _without_infinite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_infinite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def rows_line(rows: dict[str, int]) -> str:
    """Return the line of the summary about the rows that were used and left out."""
    why = [
        f"{rows[key]} {what}"
        for key, what in (("dropped", "lack a value"), ("skipped", "could not be read"))
        if rows[key]
    ]
    others = f" of {rows['input']} (the others: {', '.join(why)})" if why else ""
    if why and not rows["skipped"]:
        others = f" of {rows['input']} (the others lack a value)"
    return f"rows        {rows['used']}{others}"


def table_facts(args: argparse.Namespace, dataset: Dataset) -> dict[str, Any]:
    """Return the part of a summary about what was read, and how distances are taken."""
    return {
        "files": [str(path) for path in args.files],
        "rows": rows_of(dataset),
        "columns": dataset.names,
        "standardized": args.standardize,
        "metric": args.metric,
    }


def table_facts_lines(dataset: Dataset) -> list[str]:
    """Return the lines of the summary about the rows and the columns."""
    names = dataset.names
    columns = f"columns     {len(names)}: {', '.join(map(bare, names))}"
    return [rows_line(rows_of(dataset)), columns]


def sizes_lines(sizes: NDArray[np.int64], silhouettes: Floats | None = None) -> list[str]:
    """Return the lines of the table of cluster sizes, and of silhouettes if they are known."""
    total = max(1, int(sizes.sum()))
    lines = [f"\n{'cluster':>7} {'size':>10} {'share':>7}"]
    lines += [f"{j:>7} {size:>10} {size / total:>7.1%}" for j, size in enumerate(sizes)]
    if silhouettes is None:
        return lines
    texts = ["-" if math.isnan(value) else f"{value:.3f}" for value in silhouettes.tolist()]
    return [f"{line} {text:>11}" for line, text in zip(lines, ["silhouette", *texts], strict=True)]


def warn_of_numbers(path: Path, names: Sequence[str], decimal: str) -> None:
    """Warn if all column names of a file are numbers: ``--no-header`` is easy to forget."""
    if names and all(map(Dialect(decimal=decimal).is_number, names)):
        note(
            f"warning: the first line of {path} holds numbers only, and is taken for the names of "
            "the columns: if it is data, give --no-header"
        )


def first_csv(files: Sequence[Path]) -> Path | None:
    """Return the first file of a table if it is CSV, or a pipe (likely CSV); else None."""
    with contextlib.suppress(OSError):
        path = find_files(files)[0]
        if not path.is_file():
            return path
        with open(path, "rb") as file:
            start = file.read(8)
        return None if start.startswith(tuple(FORMATS)) else path
    return None
