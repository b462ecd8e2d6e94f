"""``--init FILE``: the centers that a clustering starts from, in the units of the file."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._data.rows import FLOAT64
from .._estimators.model_file import read_model
from .._files import Dataset, FileError
from .._files.errors import listed
from .._files.options import Question, check, missing_values
from .._files.parse.table import open_reader
from .._files.readers.csv_blocks import Dialect
from .._files.readers.csv_errors import TextFound, refuse_text
from .._files.readers.pieces import Reader, Wanted
from .._files.sources import choose, find_files, open_sources
from .._runtime.arrays import Floats
from .._runtime.text import bare, shown
from .console import UserError
from .values import METHODS

ARCHIVE = b"PK\x03\x04"
"""First bytes of a model file, which is a zip archive."""
OWN_COLUMNS = (("cluster", "cluster_"), ("size", "size_"))
"""Names of the first columns that --centers-out writes; they are no coordinates."""
DEFAULT_K = 8


class Centers(NamedTuple):
    """The centers of a file."""

    path: Path
    names: list[str] | None  # of the columns; None if the file does not name them
    values: Floats  # (n_clusters, n_features), in the units of the table

    def start(self, dataset: Dataset) -> Floats:
        """Return the centers in the order and the scaling of the columns of a dataset."""
        names = dataset.names
        if self.names is None:
            if len(names) != self.values.shape[1]:
                raise UserError(
                    f"--init {self.path} has {self.values.shape[1]} columns without names, and "
                    f"{len(names)} are clustered ({', '.join(map(bare, names))}): name as many "
                    "with --columns"
                )
            values = self.values
        else:
            self.check_names(names)
            values = self.values[:, [self.names.index(name) for name in names]]
        start: Floats = (values - dataset.shift) / dataset.scale
        return start

    def check_names(self, columns: Sequence[str]) -> None:
        """Raise if a column that is clustered is not in the file."""
        for name in columns:
            if self.names is not None and name not in self.names:
                raise UserError(
                    f"--init {self.path} has no column {shown(name)}, which is clustered; "
                    f"{listed('it has', self.names)}: choose the columns with --columns"
                )


def read_centers(args: argparse.Namespace) -> Centers | None:
    """Read the file of ``--init``, if it names one, and complete ``-k`` and ``--columns``.

    ``-k`` becomes the number of centers.  ``--columns`` becomes the columns of the file, except
    those that ``--exclude`` names.
    """
    if not isinstance(args.init, Path):
        args.k = DEFAULT_K if args.k is None else args.k
        return None
    path = args.init
    if not path.exists():
        methods = ", ".join(METHODS)
        raise UserError(f"--init {path}: there is no such method ({methods}), and no such file")
    if not path.is_file():
        raise UserError(f"--init {path} is no ordinary file: save the centers to one")
    with open(path, "rb") as file:
        is_model = file.read(4) == ARCHIVE
    centers = _of_model(path) if is_model else _of_table(path, args)
    k = len(centers.values)
    if args.k not in (None, k):
        raise UserError(f"-k {args.k}: --init {path} holds {k} centers; leave -k out, or give {k}")
    args.k = k
    centers.check_names(args.columns or ())
    if args.columns is None and centers.names is not None:
        args.columns = [name for name in centers.names if name not in args.exclude]
    return centers


@contextlib.contextmanager
def blaming(centers: Centers | None, columns: Any) -> Iterator[None]:
    """Name the file of centers in errors about columns that it names, not ``--columns``."""
    try:
        yield
    except FileError as error:
        if centers is None or columns is not None or "(--columns)" not in error.in_flags:
            raise
        message = error.in_flags.replace("(--columns)", f"(of the centers in {centers.path})")
        raise UserError(message) from None


def load_model(path: Path) -> Any:
    """Return the model in a file, of any class."""
    try:
        return read_model(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UserError(str(error).removesuffix(".")) from None


def _of_model(path: Path) -> Centers:
    """Return the centers of a model in the units of the table that it was made from."""
    model = load_model(path)
    values, own = model.cluster_centers_, model.preparation_
    if own is not None:
        values = values * own.scale + own.shift
    names = getattr(model, "feature_names_in_", None)
    return Centers(path, None if names is None else names.tolist(), values)


def _of_table(path: Path, args: argparse.Namespace) -> Centers:
    """Return the centers in a table; a first line of numbers names columns only with a header."""
    asked: dict[str, Any] = {name: getattr(args, name) for name in Question._fields}
    asked |= {"dtype": "float64", "na": missing_values(args.na), "bad_rows": "error"}
    question = Question(**asked | {"header": True})
    check(question)
    (source,) = open_sources(find_files([path]), Path())
    reader = open_reader(source, question)
    number = Dialect(decimal=args.decimal).is_number
    if not args.header and source.format == "csv" and all(map(number, reader.names)):
        reader = open_reader(source, question._replace(header=False))
    names = _coordinates(reader.names, args.columns or [])
    names = choose(path, reader.names, names, (), None, None)
    wanted = Wanted(names, None, None, FLOAT64, skip=False, asked=False)
    text = reader.text(wanted)
    wanted = wanted._replace(names=[name for name in names if name not in text])
    if not wanted.names:
        raise UserError(f"--init {path} has no column of numbers; {listed('it has', names)}")
    return Centers(path, wanted.names if reader.named else None, _values(path, reader, wanted))


def _coordinates(names: list[str], columns: list[str]) -> list[str]:
    """Return names without the first columns that --centers-out writes next to coordinates."""
    own = [names[i : i + 1] for i in range(len(OWN_COLUMNS))]
    ours = all(name and name[0] in known for name, known in zip(own, OWN_COLUMNS, strict=True))
    if not ours or len(names) == len(OWN_COLUMNS):
        return names
    return [name for i, name in enumerate(names) if i >= len(OWN_COLUMNS) or name in columns]


def _values(path: Path, reader: Reader, wanted: Wanted) -> Floats:
    """Return the rows of a small table; each must be complete and finite."""
    parts = []
    try:
        parts = [piece.values for piece in reader.pieces(wanted)]
    except TextFound as found:
        refuse_text(*next(iter(found.text.items())), asked=False)
    values: Floats = np.concatenate(parts) if parts else np.empty((0, 0))
    if not len(values):
        raise UserError(f"--init {path} holds no centers")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        what = "lacks a value" if np.isnan(values[row, column]) else "is infinite"
        name = shown(wanted.names[column])
        raise UserError(f"--init {path}: center {row + 1} {what} in column {name}: complete it")
    return values
