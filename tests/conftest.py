"""A compile cache that knows the kernels it was made from, real data, and a full disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).resolve().parent / "data"
CACHES_KEPT = 4


def _kernels_key() -> str:
    """Return a hash of all compiled sources.

    numba compares only the file of the function itself: after an edit of a helper in
    another module it would go on running the old code.
    """
    sources = [ROOT / "fastkmeans" / "_jit.py", *(ROOT / "fastkmeans" / "_kernels").glob("*.py")]
    digest = hashlib.sha256(str(ROOT).encode())
    for path in sorted(sources):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def pytest_configure(config: pytest.Config) -> None:
    if "numba" in sys.modules:
        raise pytest.UsageError("numba was imported before the tests could choose its cache")
    try:
        folder = Path(config.cache.mkdir("numba")) / _kernels_key()  # type: ignore[union-attr]
        folder.mkdir(exist_ok=True)
        folder.touch()
        others = sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in others[:-CACHES_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except (AttributeError, OSError):  # no cache plugin, or a read-only checkout
        folder = Path(tempfile.mkdtemp(prefix="fastkmeans-tests-"))
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


@pytest.fixture(scope="session")
def iris() -> Array:
    from sklearn.datasets import load_iris

    return load_iris().data


@pytest.fixture(scope="session")
def digits() -> Array:
    from sklearn.datasets import load_digits

    return load_digits().data


@pytest.fixture(scope="session")
def flights() -> Array:
    """The numeric columns of complete rows, float64; one column (the year) is constant."""
    import pandas as pd

    table = pd.read_csv(ROOT / "scripts" / "data" / "flights.csv.gz")
    numeric = table.drop(columns="rownames").select_dtypes("number").dropna()
    assert numeric.shape[1] == 14
    return numeric.to_numpy(np.float64)[::2].copy()


@pytest.fixture(scope="session")
def flights_standard(flights: Array) -> Array:
    deviation = flights.std(axis=0)
    return (flights - flights.mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)


@pytest.fixture(scope="session")
def embeddings() -> Array:
    """Sentence embeddings, 2 000 x 384, float32 (every value is exact in float16)."""
    return np.load(DATA / "summaries_minilm_2k_384_f16.npy").astype(np.float32)


@pytest.fixture(scope="session")
def china() -> Array:
    """Every ninth pixel of the photograph, uint8: many rows are equal."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg").reshape(-1, 3)[::9].copy()


REAL_DATA = ("iris", "digits", "flights", "flights_standard", "embeddings", "china")


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> Array:
    """One of ``REAL_DATA``, by indirect parametrisation."""
    return request.getfixturevalue(request.param)


@contextlib.contextmanager
def room_for(n_bytes: int) -> Iterator[None]:
    """Let writing to any file fail beyond this size, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
