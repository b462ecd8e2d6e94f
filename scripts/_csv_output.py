"""The files that `cluster_csv` writes: text, packed by gzip where the name says so."""

from __future__ import annotations

import contextlib
import csv
import gzip
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import numpy as np
from _csv_table import Table
from _shared import UserError

NOT_WRITTEN = frozenset(
    [
        *(".7z", ".br", ".bz2", ".lz4", ".lzma", ".tar", ".tgz", ".xz", ".z", ".zip", ".zst"),
        *(".arrow", ".feather", ".ods", ".parquet", ".xls", ".xlsx"),
    ]
)


def check_formats(outputs: dict[str, Path | None]) -> None:
    """Refuse names that promise something else than text."""
    for flag, path in outputs.items():
        if path is not None and _suffix(path) in NOT_WRITTEN:
            raise UserError(
                f"{flag} {path}: what is written is CSV, plain or packed by gzip, not "
                f"{_suffix(path)}: end the name in .csv or .csv.gz"
            )


def _suffix(path: Path) -> str:
    return path.resolve().suffix.lower()  # of the file that is written, where it is a link


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a new file for writing text, which gzip packs if the name ends in .gz."""
    with contextlib.ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(open(path, "xb"))
        if _suffix(path) == ".gz":  # without name and time: equal results are equal files
            packed = gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
            file = stack.enter_context(packed)
        yield stack.enter_context(TextIOWrapper(file, encoding="utf-8", newline=""))


def write_labels(path: Path, table: Table, labels: np.ndarray, keep: np.ndarray | None) -> None:
    """Write one line per row of the input, in its order."""
    clusters: Any = labels.tolist()
    if keep is not None:
        clusters = np.full(table.n_rows, "", dtype=object)
        clusters[keep] = labels
    ids: Iterable[Any] = (value for piece in table.ids for value in piece.to_pylist())
    if table.id_column is None:
        ids = range(1, table.n_rows + 1)
    with open_text(path) as file:
        writer = csv.writer(file, delimiter=table.source.delimiter, lineterminator="\n")
        writer.writerow(["row" if table.id_column is None else table.id_column, "cluster"])
        writer.writerows(zip(ids, clusters, strict=True))


def write_centers(path: Path, table: Table, centers: np.ndarray, sizes: np.ndarray) -> None:
    """Write one line per cluster: its number, its size, its center."""
    with open_text(path) as file:
        writer = csv.writer(file, delimiter=table.source.delimiter, lineterminator="\n")
        writer.writerow(["cluster", "size", *table.names])
        for cluster, (size, center) in enumerate(zip(sizes, centers, strict=True)):
            writer.writerow([cluster, size, *center.tolist()])
