"""Converters for the text after a flag: numbers, amounts of memory, names of columns."""

import argparse
import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from .._runtime.text import visible

METHODS = ("k-means++", "random", "auto")
"""Names of the methods that find initial centers; every other text names a file of them."""

MOST_NUMBERS = 10_000
"""Most numbers of clusters to compare."""


class Parser(argparse.ArgumentParser):
    """argparse that accepts the value ``--`` after an equals sign, as in ``--na=--``.

    Python before 3.13 takes it for the end of the flags: the value becomes an empty list.
    """

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            value = self._get_value(action, "--")
            self._check_value(action, value)
            return value
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


def path(text: str) -> Path:
    """Return the path of a file or folder."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} names no file")
    return Path(text)


def start(text: str) -> str | Path:
    """Return the name of a method for the initial centers, or the path of a file."""
    return text if text in METHODS else path(text)


def number_or_auto(least: int) -> Callable[[str], int | str]:
    """Return a converter for argparse: "auto", or what ``whole_number`` takes."""
    convert = whole_number(least)
    return lambda text: text if text == "auto" else convert(text)


def whole_number(least: int) -> Callable[[str], int]:
    """Return a converter for argparse: whole numbers from `least` to 2**32 - 1."""

    def convert(text: str) -> int:
        digits = text.isascii() and text.isdecimal()
        if digits and (len(text.lstrip("0")) > 10 or int(text) >= 2**32):
            most = 2**32 - 1
            short = text if len(text) < 20 else f"{text[:16]}..."
            raise argparse.ArgumentTypeError(f"{short!r} is too large: {most} is the most")
        if not (digits and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return int(text)

    return convert


def numbers(text: str) -> list[int]:
    """Return rising numbers from texts like `2-20` and `2,4,8-10`."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            low = whole_number(1)(first.strip())
            high = whole_number(1)(last.strip()) if dash else low
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"{error}: write 2-20, or 2,4,8-10") from None
        if high < low or (found and low <= found[-1]):
            raise argparse.ArgumentTypeError(f"{text!r} does not rise: write 2-20, or 2,4,8-10")
        if len(found) + high - low >= MOST_NUMBERS:
            raise argparse.ArgumentTypeError(f"{text!r} has more than {MOST_NUMBERS} numbers")
        found += range(low, high + 1)
    return found


def runs(text: str) -> int | str:
    """Return a number of runs, or "auto"."""
    return text if text == "auto" else whole_number(1)(text)


def tolerance(text: str) -> float:
    """Return a finite number from 0 up."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return value


def memory(text: str) -> int:
    """Return an amount of memory in bytes."""
    units = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
    units |= {f"{unit}I": 1 << 10 * power for power, unit in enumerate("KMGT", 1)}
    upper = text.strip().upper().removesuffix("B")
    number = upper.rstrip("KMGTI")
    try:
        size = float(number) * units[upper[len(number) :].strip()]
    except (KeyError, ValueError):
        size = 0.0
    if not 0 < size < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of memory, say 400MB or 2GB")
    return int(size)


def names(text: str) -> list[str]:
    """Split at commas outside quotes: a name may hold a comma."""
    if not text.strip():
        raise argparse.ArgumentTypeError("no column is named (one without a name is '\"\"')")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True))
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be read as names: {error}") from None
    if len(rows) != 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is more than one line: a name with a line break needs double quotes"
        )
    return rows[0]


def delimiter(text: str) -> str:
    """Return a single ASCII character; `tab` stands for a tab."""
    text = "\t" if text in ("tab", "\\t") else text
    if len(text) != 1 or not text.isascii() or text in '"\r\n\0':
        raise argparse.ArgumentTypeError(f"{text!r} is not a single ASCII character")
    return text
