"""Names of columns that a table may well have, and that are hard to print or to match."""

from __future__ import annotations

import unicodedata

HARD_NAMES = [
    "",
    "a b",
    " a",
    "a,b",
    'a"b',
    "a'b",
    "a;b",
    "a\nb",
    "a\rb",
    "a\r\nb",
    "a\tb",
    "\x1b[31mred",
    "\x9b31mred",
    "\x08",
    "\x7f",
    "\u202eright",
    "\u2066left\u2069",
    "\u200b",
    "a\u2028b",
    "a\xa0b",
    "\ue000a\ue001b\ue002",
    "\ue003",
    "<script>alert(1)</script>",
    "=cmd()",
    "@a",
    "--flag",
    "-k",
    "--",
    "{}",
    "%s",
    "\\x1b",
    "a.b",
    "a",
    "cluster",
    "size",
    "row",
    "distance",
    "1",
    "nan",
    "None",
    "caf\xe9",
    "cafe\u0301",
    "\U0001f600",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "x" * 100_000,
]
JOINERS = "\u200c\u200d"


def is_clean(text: str) -> bool:
    """Return whether a terminal shows a text as it is, apart from line ends."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return not any(unicodedata.category(c) in hidden for c in text if c not in "\n" + JOINERS)
