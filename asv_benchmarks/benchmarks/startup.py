"""Benchmarks of what a process pays once: the import and the first calls.

Each sample is a fresh interpreter.  ``timeraw_*`` functions return the code to time, or
that code and code that runs before the clock starts.
"""

from __future__ import annotations

import subprocess

from .common import QUICK, run_python

DATA = """
import numpy
X = numpy.random.default_rng(0).random((2000, 8)).astype("float32")
"""
FIT = """
from fastkmeans import KMeans
model = KMeans(4, n_init=1, random_state=0).fit(X)
"""
PREDICT = (
    FIT
    + """
model.predict(X)
"""
)
EMPTY_CACHE = """
import os, tempfile
folder = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = folder.name
"""


class Import:
    """``import fastkmeans`` should cost NumPy and no more."""

    timeout = 120.0
    repeat = 2 if QUICK else 10
    rounds = 1
    number = 1

    def timeraw_import(self) -> str:
        return "import fastkmeans"

    def timeraw_import_after_numpy(self) -> tuple[str, str]:
        return "import fastkmeans", "import numpy"

    def timeraw_import_kmeans(self) -> str:
        return "from fastkmeans import KMeans"

    def timeraw_import_numpy(self) -> str:
        return "import numpy"

    def track_numba_is_lazy(self) -> int:
        """1 if ``import fastkmeans`` leaves numba and scikit-learn alone."""
        run_python("import fastkmeans")
        try:
            run_python("import fastkmeans, sys; assert not {'numba', 'sklearn'} & set(sys.modules)")
        except subprocess.CalledProcessError:
            return 0
        return 1


class FirstCallWarm:
    """The first calls of a process whose kernels are in numba's cache."""

    timeout = 600.0
    repeat = 1 if QUICK else 5
    rounds = 1
    number = 1

    def setup_cache(self) -> None:
        """Fill the cache, once per run."""
        run_python(DATA + PREDICT)

    def timeraw_fit(self) -> tuple[str, str]:
        return FIT, DATA

    def timeraw_fit_and_predict(self) -> tuple[str, str]:
        return PREDICT, DATA


class FirstCallCold:
    """The first call with an empty cache: all the compile time there is."""

    timeout = 600.0
    repeat = 1 if QUICK else 2
    rounds = 1
    number = 1
    min_run_count = 1

    def timeraw_fit(self) -> tuple[str, str]:
        return FIT, EMPTY_CACHE + DATA
