"""Errors about files that name arguments to a program, and flags to the command line.

A message is written once, with marks for the arguments of ``open_dataset``.  A mark reads
``missing='drop'`` in a program, and ``--missing drop`` on the command line.
"""

import re
import shlex
import warnings
from collections.abc import Iterable
from typing import Any

from .._runtime.text import bare

FLAGS = {"id_column": "--id", "weight_column": "--weight"}
"""Flags that are named differently from their argument."""
LISTS = ("columns", "exclude")
"""Arguments whose flags take names separated by commas, so that some names need quotes."""

_OPEN, _EQUALS, _CLOSE = "\ue000", "\ue001", "\ue002"  # private characters that no message holds
_EMPTY = "\ue003"  # an empty value, which differs from no value
_ESCAPED = {ord(mark): repr(mark)[1:-1] for mark in (_OPEN, _EQUALS, _CLOSE, _EMPTY)}
_WIDTH = 200  # characters of a value that are worth copying
_MARK = re.compile(f"{_OPEN}([^{_EQUALS}]*){_EQUALS}([^{_CLOSE}]*){_CLOSE}")


def argument(name: str, value: Any = None) -> str:
    """Return the mark of an argument in a message, with its value if one is given."""
    if isinstance(value, str):
        value = value if len(value) <= _WIDTH else value[: _WIDTH - 3] + "..."
        value = value.translate(_ESCAPED) or _EMPTY
    return f"{_OPEN}{name}{_EQUALS}{'' if value is None else value}{_CLOSE}"


def in_arguments(message: str) -> str:
    """Return a message that names arguments."""

    def words(match: re.Match[str]) -> str:
        value = match[2].removeprefix(_EMPTY)
        return f"{match[1]}={value!r}" if match[2] else match[1]

    return _MARK.sub(words, message)


def flag_of(name: str) -> str:
    """Return the flag of an argument."""
    return FLAGS.get(name, "--" + name.replace("_", "-"))


def in_flags(message: str) -> str:
    """Return a message that names flags of the command line."""

    def flag(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        text = flag_of(name)
        if not value:
            return text
        value = value.removeprefix(_EMPTY)
        if name in LISTS and (not value or value != value.strip() or set(value) & set(',"')):
            value = '"' + value.replace('"', '""') + '"'  # for ``_cli.values.names``
        plain = re.fullmatch(r"[\w.,+-]+", value)
        between = "=" if value.startswith("-") else " "
        quoted = shlex.quote(value) if value.isprintable() else repr(value)
        return f"{text}{between}{value if plain else quoted}"

    return _MARK.sub(flag, message)


class FileError(ValueError):
    """A table in files that cannot be used with the given options.

    ``str(error)`` names arguments, ``error.in_flags`` flags of the command line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(in_arguments(message))
        self.in_flags = in_flags(message)


class PathError(FileError, OSError):
    """A missing or unreadable file or folder, or a full disk."""


class FileWarning(UserWarning):
    """A fact about a table in files that its owner may not expect."""

    def __init__(self, message: str) -> None:
        super().__init__(in_arguments(message))
        self.in_flags = in_flags(message)


def warn(message: str, stacklevel: int) -> None:
    """Give a ``FileWarning``; the level counts from the caller."""
    warnings.warn(FileWarning(message), stacklevel=stacklevel + 1)


def listed(lead: str, names: Iterable[str], most: int = 12) -> str:
    """Return names for a message, at most ``most`` of them."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{lead} {', '.join(map(bare, names[:most]))}{more}"
