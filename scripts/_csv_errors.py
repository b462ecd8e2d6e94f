"""What can be wrong with a CSV file, told with its place and a way out."""

from __future__ import annotations

import codecs
import contextlib
import csv
import re
from collections.abc import Iterable, Iterator
from typing import NoReturn

from _csv_source import Row, Source, Text, check_closed, sniff
from _shared import UserError, shown

_CONVERSION = re.compile(
    r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error to \w+: invalid value '(.*)'$",
    re.DOTALL,
)


@contextlib.contextmanager
def readable(source: Source) -> Iterator[None]:
    """Turn the errors of damaged, or differently encoded, files into messages."""
    try:
        codecs.lookup(source.encoding)
    except LookupError as error:
        raise UserError(f"--encoding {source.encoding}: {error}") from None
    try:
        yield
    except UnicodeError as error:
        raise UserError(
            f"{source.path} is not written in {source.encoding} ({error}): name another encoding "
            "with --encoding"
        ) from None
    except (EOFError, OSError, csv.Error) as error:
        raise UserError(f"{source.path} is damaged or incomplete: {error}") from None


def diagnose(source: Source, header: list[str], names: list[str], message: str) -> dict[str, Text]:
    """Find the place that pyarrow complained about.

    Returns
    -------
    text
        The columns that turned out to hold text. Anything else is raised as a `UserError`.
    """
    if match := _CONVERSION.search(message):
        position, value = int(match[1]), match[2]
        row = source.find(
            lambda row: len(row.fields) > position and row.fields[position].strip(" \t") == value
        )
        if row is not None:
            check_closed(source, row)
            found = {header[position]: Text(row, value)}
            # Other columns may turn to text hereabouts: find them now, and spare a start each.
            return sniff(source, header, names, start=row.number) | found
    if "invalid UTF8" in message:
        row = source.find(lambda row: not row.raw.isascii() and has_surrogate(row.raw))
        where = f" in {row.place}" if row else ""
        raise UserError(
            f"{source.path} is not UTF-8 text{where}: name its encoding, say --encoding latin-1"
        )
    row = source.find(lambda row: len(row.fields) != len(header))
    if row is not None:
        _refuse_ragged(source, header, row)
    raise UserError(f"{source.path} could not be read as CSV: {message}")


def has_surrogate(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _refuse_ragged(source: Source, header: list[str], row: Row) -> NoReturn:
    check_closed(source, row)
    count = f"{len(row.fields)} value{'s' if len(row.fields) != 1 else ''}"
    line = shown(row.raw.rstrip("\r\n"), 60)
    which = (
        f"column {header[len(row.fields)]!r} is the first without a value"
        if len(row.fields) < len(header)
        else f"{shown(row.fields[len(header)])} is the first too many"
    )
    raise UserError(
        f"{source.path}: {row.place} has {count} where the header names {len(header)}; {which}: "
        f"{line}. Correct the row (a value that holds {source.delimiter!r} needs quotes), or name "
        "another delimiter with --delimiter"
    )


def refuse_text(source: Source, text: dict[str, Text]) -> NoReturn:
    name, (row, value) = min(text.items(), key=lambda item: item[1].row.number)
    raise UserError(
        f"{source.path}: column {name!r} is not numeric: {row.place} holds {shown(value)}. Leave "
        f"the column out of --columns, or, if the value stands for a missing one, add "
        f"--na {value[:40]!r}"
    )


def refuse_nothing(source: Source, header: list[str], text: dict[str, Text]) -> NoReturn:
    if len(header) == 1:
        for delimiter, flag in ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (",", "','")):
            if delimiter in header[0]:
                raise UserError(
                    f"{source.path} has a single column {shown(header[0])}: is the delimiter "
                    f"another? Try --delimiter {flag}"
                )
    found = f" ({listed('text:', text)})" if text else ""
    raise UserError(
        f"{source.path}: no numeric column is left to cluster{found}: see --columns, --exclude "
        "and --id"
    )


def listed(lead: str, names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{lead} {', '.join(names[:most])}{more}"
