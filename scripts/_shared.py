"""What the scripts share with the command line of the package, or why there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

try:
    from fastkmeans._cli.console import (
        UserError,
        exit_with,
        guarded,
        note,
    )
    from fastkmeans._cli.outputs import blamed_on, check_outputs, whole_files
    from fastkmeans._cli.values import Parser, whole_number
    from fastkmeans._runtime.disk import human_size
    from fastkmeans._runtime.extras import need
except ModuleNotFoundError as error:
    if error.name != "fastkmeans":
        raise
    sys.exit(
        "error: fastkmeans is not installed: pip install fastkmeans-numba, or, in a clone of the "
        "repository, pip install ."
    )

__all__ = [
    "Parser", "UserError", "blamed_on", "check_input", "check_outputs", "exit_with", "guarded",
    "human_size", "need", "note", "whole_files", "whole_number",
]  # fmt: skip


def check_input(path: Path) -> None:
    """Refuse a path that cannot be read, before anything else is done."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file in it")
    if not path.exists():
        where = f"folder {path.parent}" if path.parent.is_dir() else "path (its folder is missing)"
        raise UserError(f"{path} does not exist: check the name and the {where}")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} cannot be read: check its permissions")
