"""How messages show text of the user: names, values, paths."""

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, marks of direction, lone surrogates and line ends."""
_JOINERS = "\u200c\u200d"  # parts of words and of emoji


def is_hidden(character: str) -> bool:
    """Return whether a terminal would obey a character instead of showing it."""
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS


def visible(text: str) -> str:
    """Escape the characters that a terminal obeys: the text stays on one line, as it is."""
    if text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if is_hidden(c) else c for c in text)


def shown(value: object, width: int = 40) -> str:
    """Quote a value for a message, shortened to ``width`` characters and kept on one line."""
    if isinstance(value, str):
        return repr(str(value) if len(value) <= width else value[: width - 3] + "...")
    text = visible(repr(value))
    return text if len(text) <= width else text[: width - 3] + "..."


def bare(name: str, width: int = 40) -> str:
    """Return a name as it is if that is clear in a list of names, else quoted."""
    clear = name.isprintable() and "," not in name and name == name.strip() != ""
    return name if clear and len(name) <= width else shown(name, width)


def literal(name: object, most: int = 24) -> str:
    """Return a name as one line of at most ``most`` characters, as it is besides controls."""
    text = visible(str(name))
    return text if len(text) <= most else text[: most - 1] + "\u2026"
