"""Libraries that only some uses need."""

import importlib
from typing import Any

DISTRIBUTION = "fastkmeans-numba"


class MissingExtra(ImportError):  # noqa: N818  the name says what is wrong
    """A library that files or pictures need is not installed."""


def install_hint(extra: str) -> str:
    """Return the command that installs the package with an extra."""
    return (
        f"pip install '{DISTRIBUTION}[{extra}]', or, in a clone of the repository, "
        f"pip install '.[{extra}]'"
    )


def need(module: str, extra: str = "csv") -> Any:
    """Import a module, or raise an error that names the extra to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        if missing != module.partition(".")[0]:
            raise  # installed, but broken: the traceback helps more than advice
        message = f"{missing} is not installed: {install_hint(extra)}"
        raise MissingExtra(message, name=error.name) from None
