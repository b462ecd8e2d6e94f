"""Output files: checked before the work, and written whole or not at all."""

import contextlib
import csv
import gzip
import os
import shutil
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from .._runtime.disk import Temporary, blamed, sync
from .console import UserError

NOT_TEXT = frozenset(
    [
        *(".7z", ".br", ".bz2", ".lz4", ".lzma", ".tar", ".tgz", ".xz", ".z", ".zip", ".zst"),
        *(".arrow", ".feather", ".ods", ".parquet", ".xls", ".xlsx"),
    ]
)
"""Endings that promise another format than CSV, plain or packed by gzip."""


def check_outputs(outputs: dict[str, Path | None], *, inputs: Sequence[Path] = ()) -> None:
    """Refuse, before the long work, outputs that cannot be written or would overwrite an input.

    ``outputs`` holds the path of each flag, or None if the flag was not given.
    """
    taken = {path.resolve(): "the input file" for path in inputs}
    for flag, path in outputs.items():
        if path is None:
            continue
        if path.resolve() in taken:
            raise UserError(f"{flag} {path} would overwrite {taken[path.resolve()]}")
        taken[path.resolve()] = f"the file of {flag}"
        folder = path.resolve().parent
        if folder in taken and folder.is_dir():
            raise UserError(
                f"{flag} {path} would lie in the input folder, and be a part of the table when it "
                "is read again: name another folder"
            )
        if not folder.is_dir():
            raise UserError(
                f"{flag} {path}: the folder {path.parent} does not exist; make it first"
            )
        if path.exists() and not path.is_file():
            raise UserError(f"{flag} {path} is not an ordinary file: give another name")
        try:
            Temporary(folder).remove()
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"{flag} {path}: cannot write into {path.parent} ({reason})") from None


def check_formats(outputs: dict[str, Path | None]) -> None:
    """Refuse names of files of text whose ending promises another format."""
    for flag, path in outputs.items():
        suffix = "" if path is None or flag in ("--model-out", "--report") else suffix_of(path)
        parquet = flag == "--labels-out"
        if suffix in NOT_TEXT and not (parquet and suffix == ".parquet"):
            formats = "CSV, plain or packed by gzip," + (" or Parquet," if parquet else "")
            endings = ".csv or .csv.gz" if not parquet else ".csv, .csv.gz or .parquet"
            raise UserError(
                f"{flag} {path}: what is written is {formats} not {suffix}: end the name in "
                f"{endings}"
            )


def suffix_of(path: Path) -> str:
    """Return the ending of a file, in lower case; of the target if the path is a link."""
    return path.resolve().suffix.lower()


def blamed_on(path: Path) -> contextlib.AbstractContextManager[None]:
    """Name the file in errors of writing."""
    return blamed(UserError, f"{path} could not be written")


@contextlib.contextmanager
def whole_files(*paths: Path) -> Iterator[list[Path]]:
    """Yield a temporary name for each path; at the end, move all files into place.

    The old files stay after an error or Ctrl-C, also if one file cannot be moved.
    """
    folders: dict[Path, Path] = {}  # next to each file, so that the move is atomic
    with contextlib.ExitStack() as stack:
        moves = []
        for path in paths:
            target = path.resolve()
            with blamed_on(path):
                if target.parent not in folders:
                    folders[target.parent] = stack.enter_context(Temporary(target.parent)).path
                    (folders[target.parent] / "old").mkdir()
            folder = folders[target.parent]
            moves.append(_Move(path, target, folder / target.name, folder / "old" / target.name))
        yield [move.new for move in moves]
        _move_all(moves)


class _Move(NamedTuple):
    """A file, its temporary name, and the second name of the file that it replaces."""

    path: Path  # as the user wrote it
    target: Path
    new: Path
    old: Path


def _move_all(moves: Sequence[_Move]) -> None:
    """Move files into place; if one move fails, restore all old files."""
    for move in moves:
        if move.target.exists() and not move.target.is_file():
            raise UserError(f"{move.path} could not be written: it is no longer an ordinary file")
        with blamed_on(move.path):
            sync(move.new)
    begun: list[_Move] = []
    try:
        for move in moves:
            with blamed_on(move.path):
                _keep(move.target, move.old)
                begun.append(move)
                os.replace(move.new, move.target)
    except BaseException:
        for move in reversed(begun):
            with contextlib.suppress(OSError):
                if move.old.exists():
                    os.replace(move.old, move.target)
                elif not move.new.exists():
                    move.target.unlink(missing_ok=True)
        raise
    for move in moves:
        with blamed_on(move.path):
            sync(move.target.parent)


def _keep(target: Path, old: Path) -> None:
    """Give an existing file a second name: a hard link, or else a copy."""
    if target.exists():
        try:
            os.link(target, old)
        except OSError:  # some file systems have no hard links
            shutil.copy2(target, old)


@contextlib.contextmanager
def open_packed(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file for writing; gzip packs it if the name ends in .gz."""
    with contextlib.ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(open(path, "xb"))
        if suffix_of(path) == ".gz":  # without name and time, equal results give equal files
            packed = gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
            file = stack.enter_context(cast(IO[bytes], packed))
        yield file


@contextlib.contextmanager
def open_csv(path: Path, delimiter: str) -> Iterator[Any]:
    """Open a new file, packed as in ``open_packed``; yield a writer of rows of CSV."""
    with open_packed(path) as file, TextIOWrapper(file, encoding="utf-8", newline="") as text:
        yield csv.writer(_Lines(text), delimiter=delimiter, lineterminator="\r\n")


class _Lines:
    """A text file for a writer of CSV.

    Python before 3.13 quotes a carriage return only if it is a part of the line end.
    """

    def __init__(self, text: TextIOWrapper) -> None:
        self._text = text

    def write(self, line: str) -> int:
        """Write a line that ends in CR LF, with LF alone."""
        return self._text.write(line.removesuffix("\r\n") + "\n")
