"""Errors in a CSV file, with the place and a remedy."""

from collections.abc import Iterable
from typing import NamedTuple, NoReturn

from ..._runtime.text import shown
from ..errors import FileError, argument, listed
from ..sources import Source
from .csv_blocks import Dialect, Row


class Text(NamedTuple):
    """The first value of a column that is not a number."""

    file: str
    place: str
    value: str
    first: bool  # whether it is in the first row of the table
    typed: bool = False  # whether the file declares that the column holds no numbers


class TextFound(Exception):  # noqa: N818  not an error: reading starts again without these columns
    """Columns in which a later row holds text."""

    def __init__(self, text: dict[str, Text]) -> None:
        super().__init__(text)
        self.text = text


def has_surrogate(text: str) -> bool:
    """Return whether the text comes from bytes that are not UTF-8."""
    return any("\udc80" <= character <= "\udcff" for character in text)


def check_closed(source: Source, row: Row) -> None:
    """Raise if a quote that the row opens was never closed."""
    if row.unclosed:
        raise FileError(
            f'{source.path}: {row.place} opens a quote (") that is never closed, so the '
            f"rest of the file became one value: {shown(row.fields[-1])}; close it or double it"
        )


def check_header(source: Source, header: Row) -> None:
    """Raise if the names of the columns are not text."""
    for name in header.fields:
        if "\0" in name or has_surrogate(name):
            raise FileError(
                f"{source.path}: the header (line {header.line}) holds {name[:40]!a}, which "
                f"is not UTF-8 text: name the encoding, say {argument('encoding', 'latin-1')} or "
                f"{argument('encoding', 'utf-16')}"
            )


def refuse_encoding(source: Source, row: Row) -> NoReturn:
    """Raise because the text of a row is not UTF-8."""
    raise FileError(
        f"{source.path} is not UTF-8 text in {row.place}: name its encoding, say "
        f"{argument('encoding', 'latin-1')}"
    )


def ragged(row: Row, header: list[str]) -> str:
    """Describe a row with too few or too many values."""
    count = f"{len(row.fields)} value{'s' if len(row.fields) != 1 else ''}"
    which = (
        f"column {shown(header[len(row.fields)])} is the first without a value"
        if len(row.fields) < len(header)
        else f"{shown(row.fields[len(header)])} is the first too many"
    )
    return f"{count} where the header names {len(header)}; {which}"


def refuse_ragged(source: Source, dialect: Dialect, header: list[str], row: Row) -> NoReturn:
    """Raise because a row has too few or too many values."""
    check_closed(source, row)
    line = shown(row.raw.rstrip("\r\n"), 60)
    raise FileError(
        f"{source.path}: {row.place} has {ragged(row, header)}: {line}. Correct the row (a value "
        f"that holds {dialect.delimiter!r} needs quotes), or name another delimiter with "
        f"{argument('delimiter')}, or leave such rows out with {argument('bad_rows', 'skip')}"
    )


def refuse_text(name: str, text: Text, *, asked: bool) -> NoReturn:
    """Raise because a column is not numeric."""
    what = (
        f"{text.file}: column {shown(name)} is not numeric: {text.place} holds {shown(text.value)}"
    )
    if text.typed:
        out = f"Leave the column out of {argument('columns')}" if asked else "Convert the column"
        raise FileError(f"{what}. {out}")
    out = f"Leave the column out of {argument('columns')}, or, if" if asked else "If"
    raise FileError(
        f"{what}. {out} the value stands for a missing one, add "
        f"{argument('na', text.value[:40])}; {argument('bad_rows', 'skip')} leaves such rows out"
    )


def refuse_nothing(label: object, header: list[str], text: Iterable[str]) -> NoReturn:
    """Raise because no column is left."""
    if len(header) == 1:
        for delimiter, shown_as in ((";", ";"), ("\t", "tab"), ("|", "|"), (",", ",")):
            if delimiter in header[0]:
                raise FileError(
                    f"{label} has a single column {shown(header[0])}: is the delimiter "
                    f"another? Try {argument('delimiter', shown_as)}"
                )
    text = list(text)
    found = f" ({listed('text:', text)})" if text else ""
    raise FileError(
        f"{label}: no numeric column is left to cluster{found}: see {argument('columns')}, "
        f"{argument('exclude')} and {argument('id_column')}"
    )


def infinite(name: str, dtype: str) -> str:
    """Describe a value that is infinite in the dtype."""
    return f"column {shown(name)} is infinite as {dtype}"


def refuse_infinite(source: Source, name: str, place: str, dtype: str, fixed: bool) -> NoReturn:
    """Raise because a value is infinite in the dtype; a model's columns are ``fixed``."""
    advice = f"correct it or leave the column out with {argument('exclude', name)}"
    if fixed:
        advice = f"correct it, or leave such rows out with {argument('bad_rows', 'skip')}"
    elif dtype == "float32":
        advice += f"; {argument('dtype', 'float64')} holds numbers beyond 3.4e38"
    raise FileError(
        f"{source.path}: column {shown(name)} is infinite in {place} as {dtype}: {advice}"
    )
