"""Errors about files, told in the words of whoever asked: arguments, or flags.

A message is written once.  Where it names an argument of ``open_dataset`` it holds a
marked place, which reads ``missing='drop'`` to a program and ``--missing drop`` at a
command line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from importlib import import_module
from typing import Any

FLAGS = {"id_column": "--id", "weight_column": "--weight"}
"""Flags that are not named as the argument is."""

LISTS = ("columns", "exclude")
"""Arguments whose flags take names between commas, so that some names need quotes."""

_OPEN, _EQUALS, _CLOSE = "\ue000", "\ue001", "\ue002"  # private characters, in no real message
_EMPTY = "\ue003"  # stands for an empty value, which is more than none
_MARK = re.compile(f"{_OPEN}([^{_EQUALS}]*){_EQUALS}([^{_CLOSE}]*){_CLOSE}")


def argument(name: str, value: Any = None) -> str:
    """Return the place in a message that names an argument, with a value where there is one."""
    if value == "":
        value = _EMPTY
    return f"{_OPEN}{name}{_EQUALS}{'' if value is None else value}{_CLOSE}"


def in_arguments(message: str) -> str:
    """Return a message in the words of the library."""

    def words(match: re.Match[str]) -> str:
        value = match[2].removeprefix(_EMPTY)
        return f"{match[1]}={value!r}" if match[2] else match[1]

    return _MARK.sub(words, message)


def in_flags(message: str) -> str:
    """Return a message in the words of the command line."""

    def flag(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        text = FLAGS.get(name, "--" + name.replace("_", "-"))
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
    """A table in files that cannot be used as it was asked for.

    ``str(error)`` speaks of arguments, ``error.in_flags`` of the flags of the command line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(in_arguments(message))
        self.in_flags = in_flags(message)


class PathError(FileError, OSError):
    """A file or folder that is missing, closed, or on a full disk."""


class FileWarning(UserWarning):
    """Something about a table in files that its owner may not expect."""

    def __init__(self, message: str) -> None:
        super().__init__(in_arguments(message))
        self.in_flags = in_flags(message)


class MissingExtra(ImportError):  # noqa: N818  the name says what is wrong
    """A library that the files need and that is not installed."""


def need(module: str) -> Any:
    """Import a module of pyarrow, or say which extra brings it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise  # installed, but broken inside: the traceback is worth more than advice
        raise MissingExtra(
            "pyarrow is not installed; tables in files are read by it: "
            "pip install 'fastkmeans-numba[csv]'",
            name=error.name,
        ) from None


def shown(value: str, width: int = 40) -> str:
    """Quote a value for a message, shortened to ``width`` characters and kept on one line."""
    return repr(value if len(value) <= width else value[: width - 3] + "...")


def listed(lead: str, names: Iterable[str], most: int = 12) -> str:
    """Return names for a message, the first few of many."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{lead} {', '.join(names[:most])}{more}"
