"""Runs scikit-learn's own tests of k-means with our names in place of theirs.

    python tests/sklearn_suite.py            count, and compare with the list of this file
    python tests/sklearn_suite.py --compat   the same for fastkmeans.compat.sklearn

The tests are those of the installed release: the file is loaded, not copied.  Before it is
imported, ``sklearn.cluster`` gets our ``KMeans``, ``MiniBatchKMeans``, ``k_means`` and
``kmeans_plusplus``.  What the file takes from scikit-learn's private modules is refused:
such a test would pass without a line of ours.  The program ends with 1 if a test fails that
is not listed below, or passes although it is.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sklearn
import sklearn.cluster

ROOT = Path(__file__).resolve().parents[1]
TESTS = "sklearn.cluster.tests.test_k_means"
NAMES = ("KMeans", "MiniBatchKMeans", "k_means", "kmeans_plusplus")
"""The names that are exchanged."""

CANNOT = {
    "they call helpers of a private module of scikit-learn": {
        "test_relocate_empty_clusters",
        "test_minibatch_update_consistency",
        "test_minibatch_reassign",
        "test_euclidean_distance",
        "test_inertia",
        "test_is_same_clustering",
    },
    "they call the private method _init_centroids": {
        "test_sample_weight_init",
        "test_sample_weight_zero",
    },
    "our centers are float64, also for float32 rows": {"test_float_precision"},
}
"""Why tests cannot pass, and which: all cases of a test, by its name."""

RANDOM = {
    "test_minibatch_declared_convergence",
    "test_minibatch_iter_steps",
    "test_minibatch_kmeans_init_size",
}
"""Tests of the steps of random batches: they run with ``schedule="random"``."""


def refusing(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError(f"{name} is a private helper of scikit-learn")

    return refuse


class Exchange:
    """A plugin of pytest: refuses private helpers, and notes how every test ends."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}  # by test: the last line of the error
        self.passed: list[str] = []
        self.skipped: list[str] = []
        self.reasons: dict[str, str] = {}  # why a test cannot pass

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        module = items[0].module
        for name, value in [*vars(module).items()]:
            if str(getattr(value, "__module__", "")).startswith("sklearn.cluster._"):
                setattr(module, name, refusing(name))
        for item in items:
            for reason, names in CANNOT.items():
                if item.originalname in names:
                    self.reasons[item.name] = reason

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            if item.originalname in RANDOM:
                default = item.module.MiniBatchKMeans

                def random(**parameters: Any) -> Any:
                    return default(schedule="random", **parameters)

                patch.setattr(item.module, "MiniBatchKMeans", random)
            return (yield)

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = report.nodeid.rpartition("::")[2]
        if report.failed:
            lines = [line for line in report.longreprtext.splitlines() if line[:1].strip()]
            self.failed[name] = lines[-1] if lines else "no traceback"
        elif report.skipped:
            self.skipped.append(name)
        elif report.when == "call":
            self.passed.append(name)


def run(names: dict[str, Any]) -> tuple[Exchange, str]:
    """Run the tests with other names; return how they ended, and pytest's output."""
    for name, value in names.items():
        setattr(sklearn.cluster, name, value)
    exchange, output = Exchange(), io.StringIO()
    os.environ["SKLEARN_RUN_FLOAT32_TESTS"] = "1"  # they are skipped otherwise
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),  # away from our settings, by which a warning is an error
        contextlib.redirect_stdout(output),
    ):
        Path("pytest.ini").write_text("[pytest]\n")
        arguments = [
            "-q",
            "--tb=native",
            "-p",
            "no:cacheprovider",
            "-c",
            "pytest.ini",
            "--pyargs",
            TESTS,
        ]
        pytest.main(arguments, plugins=[exchange])
    return exchange, output.getvalue()


def report(exchange: Exchange) -> int:
    """Print how the tests ended; return 1 if the list of this file does not say so."""
    failed, reasons = exchange.failed, exchange.reasons
    total = len(exchange.passed) + len(failed) + len(exchange.skipped)
    print(f"scikit-learn {sklearn.__version__}: {len(exchange.passed)} of {total} tests pass")
    if exchange.skipped:
        print(f"{len(exchange.skipped)} are skipped by scikit-learn")
    for reason in CANNOT:
        names = [name for name in failed if reasons.get(name) == reason]
        if names:
            print(f"{len(names)} cannot: {reason}")
        for name in sorted({name.partition("[")[0] for name in names}):
            print(f"    {name} ({sum(n.partition('[')[0] == name for n in names)})")
    unexpected = [name for name in failed if name not in reasons]
    stale = [name for name in exchange.passed if name in reasons]
    for name in unexpected:
        print(f"FAILED  {name}: {failed[name]}")
    for name in stale:
        print(f"PASSES  {name}, so it need not be listed: {reasons[name]}")
    return int(bool(unexpected or stale or not exchange.passed))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--compat", action="store_true", help="test fastkmeans.compat.sklearn")
    args = parser.parse_args(argv)
    sys.path.insert(0, str(ROOT))
    import fastkmeans
    from fastkmeans.compat import sklearn as compat

    names = {name: getattr(fastkmeans, name) for name in NAMES}
    if args.compat:
        names |= {name: getattr(compat, name) for name in compat.__all__}
    exchange, output = run(names)
    status = report(exchange)
    if not exchange.passed:
        print(output)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
