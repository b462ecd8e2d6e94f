"""The arguments of ``open_dataset``, checked."""

from collections.abc import Sequence
from typing import NamedTuple

from .errors import FileError, argument

POLICIES = ("error", "drop", "mean", "zero")
"""What to do with rows that lack a value (argument ``missing``)."""


class Question(NamedTuple):
    """Options of ``open_dataset``, part of the name of a cache entry."""

    columns: list[str] | None
    exclude: list[str]
    id_column: str | None
    weight_column: str | None
    missing: str
    bad_rows: str
    na: list[str]
    standardize: bool
    delimiter: str
    decimal: str
    encoding: str
    header: bool
    dtype: str


def names_of(given: Sequence[str] | None, what: str) -> list[str] | None:
    """Return names of columns as a list, checked."""
    if isinstance(given, str):
        raise TypeError(f"{what} must be a list of names, got the text {given!r}.")
    if what == "columns" and given is not None and not len(given):
        raise FileError(
            f"{argument('columns')} names no column: leave it out, for all that hold numbers"
        )
    return None if given is None else [str(name) for name in given]


def missing_values(na: str | Sequence[str]) -> list[str]:
    """Return the values that mean missing, checked and sorted."""
    values = [na] if isinstance(na, str) else list(na)
    for value in values:
        if not isinstance(value, str):
            raise TypeError(
                f"na must hold values as they are written, as text: {str(value)!r}, not {value!r}."
            )
    return sorted({value.strip() for value in values})


def is_delimiter(text: str) -> bool:
    """Return whether a text can separate the values of CSV."""
    return len(text) == 1 and text.isascii() and text not in '"\r\n\0'


def check(question: Question) -> None:
    """Raise if an option has a value that is not allowed."""
    choices = {
        "missing": POLICIES, "bad_rows": ("error", "skip"), "dtype": ("float32", "float64", "auto"),
    }  # fmt: skip
    for name, allowed in choices.items():
        if getattr(question, name) not in allowed:
            raise ValueError(
                f"{name} must be one of {', '.join(map(repr, allowed))}, "
                f"got {getattr(question, name)!r}."
            )
    delimiter, decimal = question.delimiter, question.decimal
    if not is_delimiter(delimiter):
        raise ValueError(f"delimiter must be a single ASCII character, got {delimiter!r}.")
    if decimal not in (".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {decimal!r}.")
    if decimal == delimiter:
        raise FileError(
            f"{argument('decimal')} and {argument('delimiter')} are both {decimal!r}: numbers "
            f"with a decimal comma need another delimiter, say {argument('delimiter', ';')}"
        )
