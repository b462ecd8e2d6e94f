"""Fixtures for tests of files: open a file, or see it refused; parse it in small blocks.

The package is imported inside the fixtures: pytest imports this file before
``tests/conftest.py`` has chosen the compile cache.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fastkmeans._files import Dataset


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Dataset]:
    """Write a file and open it."""
    from fastkmeans import open_dataset

    def run(content: str | bytes, name: str = "data.csv", **options: Any) -> Dataset:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        options = {"dtype": "float64", "cache": tmp_path / "cache"} | options
        return open_dataset(tmp_path / name, **options)

    return run


@pytest.fixture
def refused(opened: Callable[..., Dataset], tmp_path: Path) -> Callable[..., str]:
    """Open a file that is refused; return the message of the library."""
    from fastkmeans._files import FileError

    def run(content: str | bytes, *parts: str, **options: Any) -> str:
        with pytest.raises(FileError) as caught:
            opened(content, **options)
        for part in parts:
            assert part in caught.value.in_flags
        assert "\ue000" not in str(caught.value)
        assert not list((tmp_path / "cache").iterdir())
        return str(caught.value)

    return run


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse 777 bytes at a time."""
    from fastkmeans._files.readers import csv_blocks

    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 777)
