"""The fixture of tests of the command line: run it in this process.

The package is imported inside the fixture: pytest imports this file before
``tests/conftest.py`` has chosen the compile cache.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.helpers.programs import Result


@pytest.fixture
def call(tmp_path: Path, monkeypatch: Any, capsys: Any) -> Callable[..., Result]:
    """Run the command line in this process, in an empty folder."""
    from fastkmeans._cli import arguments
    from tests.helpers.programs import Result

    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> Result:
        capsys.readouterr()
        try:
            code = arguments.main([str(word) for word in argv])
        except SystemExit as stop:  # argparse leaves this way
            code = int(stop.code or 0)
        return Result(code, *capsys.readouterr())

    return run
