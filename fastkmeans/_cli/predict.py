"""The command ``predict``: label the rows of a table by a saved model, piece by piece."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import ArrayRows, sizes_of
from .._data.tables import Preparation, Table
from .._files.errors import listed
from .._files.options import Question, check, missing_values
from .._files.parse.first_pass import infinite_rows
from .._files.parse.growing import SkippedLog, read_skipped
from .._files.parse.table import open_reader
from .._files.readers.csv_errors import TextFound, refuse_text
from .._files.readers.pieces import Piece, Reader, Wanted
from .._files.sources import Source, choose, find_files, open_sources
from .._lloyd.predict import closest_centers
from .._runtime.adding import total_of
from .._runtime.arrays import Floats, Labels
from .._runtime.disk import Temporary
from .._runtime.extras import need
from .._runtime.text import shown
from .centers import load_model
from .console import UserError
from .labels import labels_file, own_distances, write_skipped
from .outputs import blamed_on, check_formats, check_outputs, whole_files
from .progress import MemoryGuard, Progress
from .report import rows_line, sizes_lines, tell, warn_of_numbers


def predict(args: argparse.Namespace) -> None:
    """Run the command ``predict``."""
    need("pyarrow")
    if args.model.is_dir():
        raise UserError(
            f"{args.model} is a folder, not a model: name a file that csv --model-out wrote"
        )
    outputs = {"--labels-out": args.labels_out, "--skipped-out": args.skipped_out}
    check_outputs(outputs, inputs=[args.model, *args.files])
    check_formats(outputs)
    labeller = _Labeller(args)
    progress = Progress(MemoryGuard(args.memory_limit), args.quiet)
    began = time.perf_counter()
    paths = [path for path in outputs.values() if path is not None]
    dialect = args.delimiter, args.decimal
    with Temporary() as pipes, whole_files(*paths) as temporary, progress.shown(0, "B"):
        sources = open_sources(find_files(args.files), pipes.path)
        skipped = SkippedLog(temporary[0].with_name("skipped rows.jsonl"))
        file = labels_file(temporary[0], args.id_column, dialect)
        with blamed_on(args.labels_out), file as write:
            for source, wanted, piece in _pieces(args, sources, labeller, progress):
                kept, labels, distances = labeller.label(source, wanted, piece, skipped)
                write(piece.ids, kept, labels, distances if args.distances else None)
        skipped.close()
        if args.skipped_out is not None:
            with blamed_on(args.skipped_out):
                write_skipped(temporary[1], read_skipped(skipped.path), args.delimiter)
    _report(args, outputs, labeller, time.perf_counter() - began, progress.guard.peak)


class _Labeller:
    """A model, and the totals over the rows that it has labelled."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.model = load_model(args.model)
        d = self.model.n_features_in_
        own = self.model.preparation_
        if own is None:
            nothing = np.zeros(d)
            own = Preparation(nothing, np.ones(d), nothing, "error", "float64")
            if args.missing == "mean":
                raise UserError(
                    f"--missing mean: {args.model} does not know the means of its columns; use "
                    "--missing drop or --missing zero"
                )
        self.own = own
        self.missing = args.missing or own.missing
        self._threads = args.threads
        names = getattr(self.model, "feature_names_in_", None)
        self.names: list[str] | None = None if names is None else names.tolist()
        self.sizes = np.zeros(len(self.model.cluster_centers_), np.int64)
        self.rows = {"input": 0, "used": 0, "dropped": 0, "skipped": 0}
        self.inertia = 0.0

    def columns_of(self, reader: Reader, id_column: str | None) -> list[str]:
        """Return the columns of a file in the order of the model."""
        path = reader.source.path
        for name in self.names or ():
            if (times := reader.names.count(name)) != 1:
                raise UserError(
                    f"{path} has {times or 'no'} column{'s' * bool(times)} {shown(name)}, of which "
                    f"the model was made; {listed('it has', reader.names)}: rename the columns in "
                    "the header"
                )
        names = choose(path, reader.names, self.names, (), id_column, None)
        if len(names) != self.model.n_features_in_:
            raise UserError(
                f"{path} has {len(names)} columns, and the model was made from "
                f"{self.model.n_features_in_} without names"
            )
        return names

    def label(
        self, source: Source, wanted: Wanted, piece: Piece, log: SkippedLog
    ) -> tuple[NDArray[np.bool_], Labels, Floats]:
        """Return a mask of the kept rows, their labels and their distances."""
        rows, values = piece.source_rows(), piece.values
        bad = infinite_rows(source, piece, values, rows, wanted, fixed=True)
        for _, skipped_row in sorted((piece.skipped | bad).items()):
            log.append(skipped_row)
        good = ~np.isin(rows, list(bad))
        rows, values = rows[good], values[good]
        dropped = len(rows)
        if np.isnan(values).any():
            rows, values = self._without_gaps(source, wanted, piece, rows, values)
        dropped -= len(rows)
        labels = np.empty(0, np.int32)
        distances = np.empty(0)
        if len(rows):
            own, centers = self.own, self.model.cluster_centers_
            if own:
                values = ((values - own.shift) / own.scale).astype(values.dtype)
            table = Table(ArrayRows(values), self.names)
            by_cosine = self.model.metric == "cosine"
            labels = closest_centers(table, centers, self._threads, str(source.path), by_cosine)
            distances = own_distances(values, centers, labels, by_cosine)(0, len(rows))
        self.sizes += sizes_of(labels, len(self.sizes))
        squares = 2.0 * distances if self.model.metric == "cosine" else distances * distances
        self.inertia += total_of(squares)
        n = piece.n_source
        skipped = n - len(rows) - dropped
        for key, number in zip(self.rows, (n, len(rows), dropped, skipped), strict=True):
            self.rows[key] += number
        kept = np.zeros(n, np.bool_)
        kept[rows] = True
        return kept, labels, distances

    def _without_gaps(
        self,
        source: Source,
        wanted: Wanted,
        piece: Piece,
        rows: NDArray[np.int64],
        values: NDArray[Any],
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        gaps = np.isnan(values)
        lacking = gaps.any(axis=1)
        if self.missing == "error":
            i = int(lacking.argmax())
            name = shown(wanted.names[int(gaps[i].argmax())])
            raise UserError(
                f"{source.path}: {piece.place(int(rows[i]))} lacks a value in column {name}: "
                "use --missing drop to leave such rows out, or --missing mean to fill in the "
                "mean of the table the model was made from"
            )
        if self.missing == "drop":
            return rows[~lacking], values[~lacking]
        fill = self.own.fill if self.missing == "mean" else np.zeros(values.shape[1])
        return rows, np.where(gaps, fill.astype(values.dtype), values)


def _pieces(
    args: argparse.Namespace, sources: list[Source], labeller: _Labeller, progress: Progress
) -> Iterator[tuple[Source, Wanted, Piece]]:
    """Yield the pieces of all files."""
    asked: dict[str, Any] = {name: getattr(args, name, None) for name in Question._fields}
    asked |= {"missing": labeller.missing, "dtype": labeller.own.dtype}
    question = Question(**asked | {"na": missing_values(args.na)})
    check(question)
    dtype = np.dtype(question.dtype)
    total, before = sum(source.size for source in sources), 0
    for source in sources:
        reader = open_reader(source, question)
        names = labeller.columns_of(reader, args.id_column)
        wanted = Wanted(names, args.id_column, None, dtype, args.bad_rows == "skip", asked=False)
        if args.header and labeller.names is None and source.format == "csv":
            warn_of_numbers(source.path, reader.names, args.decimal)
        try:
            if text := reader.text(wanted):
                raise TextFound(text)
            for piece in reader.pieces(wanted):
                yield source, wanted, piece
                progress.read("predicting", before + piece.read, total)
        except TextFound as found:  # asked=False: there is no --columns to advise
            refuse_text(*next(iter(found.text.items())), asked=False)
        before += source.size


def _report(
    args: argparse.Namespace,
    outputs: dict[str, Path | None],
    labeller: _Labeller,
    seconds: float,
    peak: int,
) -> None:
    """Print the summary."""
    summary: dict[str, Any] = {
        "model": str(args.model),
        "files": [str(path) for path in args.files],
        "rows": labeller.rows,
        "inertia": labeller.inertia,
        "clusters": [{"cluster": j, "size": int(n)} for j, n in enumerate(labeller.sizes)],
        "outputs": {flag[2:]: str(path) for flag, path in outputs.items() if path is not None},
        "seconds": round(seconds, 3),
        "peak_memory": peak or None,
    }
    lines = [
        rows_line(labeller.rows),
        f"inertia     {labeller.inertia:.6g}",
        f"seconds     {seconds:.2f}",
        *sizes_lines(labeller.sizes),
    ]
    tell(summary, lines, args.json)
