"""Some two hundred fits and a digest of each: the same bits after a change, and on any machine.

    python tests/digests.py                            print all digests
    python tests/digests.py boxes float32              those whose name holds all the words
    python tests/digests.py --check tests/digests.txt  compare; exit with 1 if one differs
    python tests/digests.py --threads 1                fit on one thread

A line is a name, ``n_iter_`` and the start of a SHA-256 over labels, centers, inertia and
``n_iter_``.  The digests must not depend on threads, on the processor, on the width of its
vectors, or on the versions of Python and NumPy.  One thing does matter: a processor
without fused multiply-adds rounds more often, and the last digits of centers differ.

The program uses the public interface only: run it with another checkout in PYTHONPATH to
compare the two.  ``digest_cases.py`` lists the fits, ``digest_data.py`` makes their data.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import io
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from digest_cases import CASES, Case
from digest_data import first_centers, rows_of, weights_of

from fastkmeans import (
    KMeans,
    MiniBatchKMeans,
    compute_centroids,
    find_closest_centroids,
    k_means,
    kMeans_init_centroids,
    kmeans_plusplus,
    open_dataset,
)

FLIGHTS = Path(__file__).resolve().parents[1] / "scripts" / "data" / "flights.csv.gz"
DIGITS = 16
"""Hexadecimal digits of a digest that are printed: 64 bits of it."""


class Outcome(NamedTuple):
    """What a digest is made from; a function that lacks a part leaves it zero."""

    labels: Any
    centers: Any
    inertia: float = 0.0
    n_iter: int = 0

    def digest(self) -> str:
        digest = hashlib.sha256()
        for part, dtype in zip(self, ("<i4", "<f8", "<f8", "<i8"), strict=True):
            digest.update(np.ascontiguousarray(part, dtype).tobytes())
        return digest.hexdigest()[:DIGITS]


class Place(NamedTuple):
    """Where the fits run: a folder for files, and how many threads (None: the default)."""

    folder: Path
    threads: int | None


UNSEARCHED: dict[str, Any] = {"local_search": 0}
"""What a case does not say: it fits without a local search, unless its options ask for one."""


def model_of(case: Case, X: Any, place: Place) -> Any:
    kind = MiniBatchKMeans if case.does in ("batches", "partial_fit") else KMeans
    options = {"random_state": 0, "n_threads": place.threads} | dict(case.options)
    options = (UNSEARCHED if kind is KMeans else {}) | options
    return kind(case.k, init=first_centers(X, case), **options)


def fitted(model: Any) -> Outcome:
    return Outcome(model.labels_, model.cluster_centers_, model.inertia_, model.n_iter_)


def fit(case: Case, place: Place) -> Outcome:
    X = rows_of(case)
    return fitted(model_of(case, X, place).fit(X, sample_weight=weights_of(case)))


def partial_fit(case: Case, place: Place) -> Outcome:
    X, weights = rows_of(case), weights_of(case)
    model = model_of(case, X, place)
    for at in range(0, case.n, 1000):
        part = slice(at, at + 1000)
        model.partial_fit(X[part], sample_weight=None if weights is None else weights[part])
    return Outcome(model.labels_, model.cluster_centers_, model.inertia_, model.n_steps_)


def by_function(case: Case, place: Place) -> Outcome:
    X, options = rows_of(case), UNSEARCHED | {"random_state": 0, "n_threads": place.threads}
    centers, labels, inertia, n_iter = k_means(
        X, case.k, init=first_centers(X, case), sample_weight=weights_of(case),
        return_n_iter=True, **(options | dict(case.options)),
    )  # fmt: skip
    return Outcome(labels, centers, inertia, n_iter)


def seed(case: Case, place: Place) -> Outcome:
    options = dict(case.options)
    weights = weights_of(case)
    centers, rows = kmeans_plusplus(
        rows_of(case), case.k, sample_weight=weights, random_state=1, **options
    )
    return Outcome(rows, centers)


def follow_lesson(case: Case, place: Place) -> Outcome:
    X = rows_of(case)
    np.random.seed(3)  # noqa: NPY002 - the lesson's generator
    centroids = kMeans_init_centroids(X, case.k)
    for _ in range(8):
        idx = find_closest_centroids(X, centroids)
        centroids = compute_centroids(X, idx, case.k)
    return Outcome(idx, centroids, 0.0, 8)


def ask(case: Case, place: Place) -> Outcome:
    """Predict, transform and score rows that were not in the fit."""
    X, others = rows_of(case), rows_of(case, seed=1)[: case.n // 2]
    model = model_of(case, X, place).fit(X)
    score = model.score(others, sample_weight=np.arange(1.0, len(others) + 1.0))
    one = model.predict(others[:1])
    labels = np.concatenate([model.predict(others), one])
    return Outcome(labels, model.transform(others), score, model.n_iter_)


def write_csv(case: Case, path: Path, X: Any) -> None:
    names = ",".join(f"column{j}" for j in range(case.d))
    lines = [",".join(map(repr, row)) for row in X.astype(np.float64).tolist()]
    if case.weights:
        names = f"{names},w"
        weights = weights_of(case)
        lines = [f"{line},{weight!r}" for line, weight in zip(lines, weights.tolist(), strict=True)]
    text = "\n".join([names, *lines, ""]).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def source(case: Case, place: Place) -> Any:
    """Return the files of a case, or the arrays that stand for them."""
    if case.data == "flights":
        return FLIGHTS
    X = rows_of(case)
    if case.file == "arrays":
        return [X[at : at + 700] for at in range(0, case.n, 700)]
    path = place.folder / f"table.{case.file}"
    if case.file == "npy":
        np.save(path, X)
    else:
        write_csv(case, path, X)
    return path


def fit_file(case: Case, place: Place) -> Outcome:
    kind = MiniBatchKMeans if case.init == "batches" else KMeans
    reading = dict(case.reading) | ({"weight_column": "w"} if case.weights else {})
    options = {"random_state": 0, "n_threads": place.threads} | dict(case.options)
    with open_dataset(source(case, place), **reading) as dataset:
        return fitted(kind(case.k, **options).fit(dataset))


class Clock:
    """A clock that is a minute later at every look, and on which Ctrl-C is pressed.

    So a run keeps its state at every chance, and is cut off at a look that can be chosen.
    """

    def __init__(self, stop: int) -> None:
        self.looks, self.stop, self._real = 0, stop, time.monotonic

    def __call__(self) -> float:
        if threading.current_thread() is not threading.main_thread():
            return self._real()
        self.looks += 1
        if self.looks == self.stop:
            raise KeyboardInterrupt
        return self._real() + 60.0 * self.looks


def command(case: Case, place: Place) -> Outcome:
    """Fit by the command line; with ``init`` "cut off at L", stop at look L and go on."""
    from fastkmeans.__main__ import main

    folder = place.folder
    outputs = {"--labels-out": folder / "labels.csv", "--model-out": folder / "model.npz"}
    call = ["csv", str(source(case, place)), "-k", str(case.k), "--quiet", "--tol", "0"]
    call += [str(word) for option in (outputs | dict(case.options)).items() for word in option]
    call += [] if place.threads is None else ["--threads", str(place.threads)]
    for number, look in enumerate(case.init.removeprefix("cut off at ").split(" and ")):
        if not look.isdigit():
            continue
        with mock.patch.object(time, "monotonic", Clock(int(look))):
            try:
                code = main([*call, "--resume"] if number else call)
            except KeyboardInterrupt:
                code = 130
        assert code == 130, f"the run ended before look {look}"
    assert main([*call, "--resume"] if "cut off" in case.init else call) == 0
    lines = outputs["--labels-out"].read_text().splitlines()[1:]
    model = KMeans.load(outputs["--model-out"])
    labels = [int(line.rpartition(",")[2]) for line in lines]
    return Outcome(labels, model.cluster_centers_, model.inertia_, model.n_iter_)


ACTIONS: dict[str, Callable[[Case, Place], Outcome]] = {
    "fit": fit,
    "batches": fit,
    "partial_fit": partial_fit,
    "k_means": by_function,
    "kmeans_plusplus": seed,
    "lesson": follow_lesson,
    "predict": ask,
    "file": fit_file,
    "command": command,
}


def digest_of(case: Case, place: Place) -> tuple[int, str]:
    """Fit; return the number of iterations and the digest."""
    printed = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
        warnings.simplefilter("ignore")  # a cluster without rows is no news here
        try:
            with contextlib.redirect_stderr(printed):
                outcome = ACTIONS[case.does](case, place)
        except SystemExit:  # argparse leaves this way
            raise RuntimeError(printed.getvalue()) from None
    return int(outcome.n_iter), outcome.digest()


def lines_of(cases: Sequence[Case], threads: int | None) -> Iterator[str]:
    """Yield a line for each case, or a note where it needs a package that is missing."""
    missing = [package for package in ("pyarrow", "tqdm") if find_spec(package) is None]
    for case in cases:
        if missing and case.file:
            yield f"# left out, {missing[0]} is missing: {case.name}"
            continue
        with tempfile.TemporaryDirectory() as folder:
            n_iter, digest = digest_of(case, Place(Path(folder), threads))
        yield f"{digest} {n_iter:4d} {case.name}"


def read_digests(path: Path) -> dict[str, str]:
    """Return the committed line of each name."""
    return {line.split(maxsplit=2)[2]: line for line in path.read_text().splitlines()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("words", nargs="*", help="words that the name of a case must hold")
    parser.add_argument("--check", type=Path, metavar="FILE", help="digests to compare with")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of every fit")
    args = parser.parse_args(argv)
    if args.threads is not None:  # of the functions that do not take `n_threads`
        import numba

        numba.set_num_threads(min(args.threads, numba.config.NUMBA_NUM_THREADS))
    cases = [case for case in CASES if all(word in case.name.split() for word in args.words)]
    committed = read_digests(args.check) if args.check else {}
    n_made = n_differ = 0
    for line in lines_of(cases, args.threads):
        made = not line.startswith("#")
        expected = committed.get(line.split(maxsplit=2)[2]) if made else line
        n_made += made
        if not args.check or not made:
            print(line, flush=True)
        elif line != expected:
            n_differ += 1
            print(f"now  {line}\nwas  {expected or 'not in the file'}", flush=True)
    if args.check:
        print(f"{n_made} digests, {n_differ} differ")
    return 1 if n_differ else 0


if __name__ == "__main__":
    sys.exit(main())
