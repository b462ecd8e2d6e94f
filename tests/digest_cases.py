"""The fits of ``digests.py``: what is fitted, and how.

A case is named after all that makes it what it is.  A new case goes to the end of its
part; a case whose meaning changes gets another name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import Any, NamedTuple

ENGINES = ("lloyd", "boxes", "bytes", "auto")
LAYOUTS = ("C", "F", "strided", "backwards")
F32, F64 = "float32", "float64"


class Case(NamedTuple):
    """A fit: its rows, and what is done with them.

    ``init`` is "k-means++", "random", "function", "given" (rows of the data), or "far"
    (as given, but a third of them where there are no rows).  For a command line it says
    when the run is cut off.
    """

    does: str
    data: str
    n: int
    d: int
    k: int
    dtype: str = F32
    layout: str = "C"
    weights: str = ""
    init: str = "given"
    file: str = ""
    options: Mapping[str, Any] = {}
    reading: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        words = [
            self.does, self.file, self.data, f"{self.n}x{self.d}", f"k={self.k}", self.dtype,
            "" if self.layout == "C" else self.layout,
            f"weights={self.weights}" if self.weights else "", f"init={self.init}",
        ]  # fmt: skip
        settings = {**self.reading, **self.options}.items()
        words += [f"{str(key).strip('-')}={value}" for key, value in settings]
        return " ".join(filter(None, words)).replace("algorithm=", "")


TABLES = (
    # data, n, d, k, dtype: each with every engine, and every engine in a layout of its own
    ("measures", 150, 4, 3, F64),
    ("pictures", 1797, 64, 10, F32),
    ("mixture", 30_000, 2, 20, F32),
    ("mixture", 9000, 3, 40, F64),
    ("mixture", 5000, 16, 48, F32),
    ("mixture", 4000, 40, 33, F64),
    ("noise", 30, 2, 3, F64),
    ("noise", 12_000, 1, 12, F32),
    ("noise", 3000, 8, 150, F32),
    ("noise", 1500, 400, 40, F32),
    ("grid", 4096, 2, 9, F32),
    ("grid", 3001, 6, 35, F64),
    ("offset", 6000, 3, 12, F64),
    ("offset", 2500, 33, 40, F32),
    ("scales", 4000, 20, 37, F64),
    ("scales", 5000, 4, 16, F32),
    ("embeddings", 2000, 384, 64, F32),
    ("noise", 20_011, 5, 1, F32),
    ("mixture", 25_000, 2, 150, F64),
)
DTYPES = ("float16", "int64", "int16", "uint8", F32, F64)
WEIGHTS = ("even", "random", "zeros", "huge")


def engines() -> Iterator[Case]:
    """Every engine on every table, by turns in every layout and with every ``init``."""
    inits = cycle(("given", "k-means++", "random", "given", "given"))
    for data, n, d, k, dtype in TABLES:
        for algorithm, layout in zip(ENGINES, LAYOUTS, strict=True):
            options = {"algorithm": algorithm, "max_iter": 25, "n_init": 1}
            yield Case("fit", data, n, d, k, dtype, layout, init=next(inits), options=options)


def dtypes_and_weights() -> Iterator[Case]:
    engine, layout = cycle(ENGINES), cycle(LAYOUTS)
    for d, k in ((3, 10), (35, 34)):
        for dtype in DTYPES:
            options = {"algorithm": next(engine), "tol": 0}
            yield Case("fit", "mixture", 2100, d, k, dtype, next(layout), options=options)
        next(engine)
    for weights in WEIGHTS:
        for algorithm, dtype in zip(ENGINES, (F32, F64, F64, F32), strict=True):
            d, k = (2, 9) if algorithm == "boxes" else (24, 40)
            yield Case(
                "fit", "mixture", 4500, d, k, dtype, next(layout), weights, "k-means++",
                options={"algorithm": algorithm, "tol": 0, "max_iter": 40},
            )  # fmt: skip


def starts_and_ends() -> Iterator[Case]:
    for init in ("k-means++", "random", "function"):
        for algorithm, d in (("lloyd", 5), ("boxes", 3), ("bytes", 20)):
            options = {"algorithm": algorithm, "n_init": 4, "max_iter": 30}
            yield Case("fit", "noise", 1900, d, 16, F32, init=init, options=options)
    for algorithm, d in zip(ENGINES, (7, 2, 18, 50), strict=True):
        for end in ({"max_iter": 1}, {"max_iter": 6, "tol": 0}, {"tol": 0.01}, {"tol": 0}):
            yield Case("fit", "mixture", 3300, d, 36, F64, options={"algorithm": algorithm, **end})
        for weights in ("", "zeros"):
            yield Case(
                "fit", "mixture", 2048, d, 33, F32, weights=weights, init="far",
                options={"algorithm": algorithm},
            )  # fmt: skip
        yield Case("fit", "repeats", 700, d, 33, F64, options={"algorithm": algorithm})


def starts_by_choice() -> Iterator[Case]:
    """What ``init="auto"`` chooses: all rows, cells, a sample, and cells of a sample."""
    for data, n, d, k, dtype, weights in (
        ("mixture", 3000, 5, 20, F32, ""),
        ("mixture", 26_000, 12, 260, F32, "random"),
        ("noise", 12_000, 40, 257, F64, ""),
        ("mixture", 270_000, 2, 12, F32, ""),
    ):
        yield Case("fit", data, n, d, k, dtype, weights=weights, init="auto",
                   options={"max_iter": 4})  # fmt: skip


def batches() -> Iterator[Case]:
    layout = cycle(LAYOUTS)
    for schedule in ("nested", "random"):
        for data, n, d, k, dtype, weights, init in (
            ("mixture", 30_000, 3, 12, F32, "", "k-means++"),
            ("mixture", 12_000, 24, 40, F64, "", "given"),
            ("noise", 9000, 8, 20, F32, "random", "random"),
            ("scales", 6000, 5, 9, F64, "zeros", "k-means++"),
            ("pictures", 5000, 64, 10, "int16", "", "k-means++"),
            ("grid", 4000, 2, 7, "float16", "", "given"),
            ("embeddings", 2000, 384, 33, F32, "", "k-means++"),
        ):
            options = {"schedule": schedule, "max_iter": 10}
            yield Case("batches", data, n, d, k, dtype, next(layout), weights, init,
                       options=options)  # fmt: skip
    for data, d, dtype, weights, init in (
        ("mixture", 3, F32, "", "k-means++"),
        ("mixture", 30, F64, "random", "given"),
        ("noise", 10, "int16", "zeros", "random"),
        ("noise", 2, F64, "", "far"),
    ):
        yield Case("partial_fit", data, 7500, d, 12, dtype, next(layout), weights, init)
    for options in ({"compute_labels": True, "tol": 0.01}, {"n_init": 3, "batch_size": 256},
                    {"max_no_improvement": None, "max_iter": 8}):  # fmt: skip
        yield Case("batches", "mixture", 8000, 6, 15, F32, init="k-means++", options=options)


def functions() -> Iterator[Case]:
    yield Case("k_means", "mixture", 2000, 5, 9, F64, weights="random", options={"tol": 0})
    yield Case("k_means", "noise", 2000, 2, 9, F32, init="random", options={"n_init": 2})
    for data, n, d, k, dtype, weights in (
        ("mixture", 20_000, 2, 100, F32, ""),
        ("mixture", 3000, 32, 60, F64, "zeros"),
        ("noise", 500, 7, 8, F32, "random"),
        ("offset", 3000, 3, 30, F64, ""),
        ("noise", 5000, 1, 11, "int64", "huge"),
        ("repeats", 900, 4, 40, F64, ""),
        ("embeddings", 2000, 384, 50, "float16", ""),
    ):
        yield Case("kmeans_plusplus", data, n, d, k, dtype, weights=weights, init="")
    yield Case("kmeans_plusplus", "noise", 2500, 3, 30, options={"n_local_trials": 13})
    for data, d, k, dtype in (
        ("mixture", 2, 3, F64),
        ("grid", 3, 8, F32),
        ("scales", 6, 4, "int64"),
    ):
        yield Case("lesson", data, 1500, d, k, dtype, init="")
    for data, d, k, dtype, layout in (
        ("mixture", 2, 9, F32, "C"),
        ("mixture", 37, 41, F64, "F"),
        ("offset", 5, 8, F32, "strided"),
        ("grid", 4, 16, "int16", "backwards"),
        ("scales", 12, 130, F32, "C"),
        ("mixture", 1, 5, F64, "C"),
        ("embeddings", 384, 20, "float16", "C"),
    ):
        yield Case("predict", data, 2000, d, k, dtype, layout, options={"max_iter": 8})


COLUMNS = {"columns": ("distance", "air_time", "dep_delay", "arr_delay"), "missing": "drop"}


def files() -> Iterator[Case]:
    for file, dtype, reading in (
        ("csv", F64, {"dtype": F64}),
        ("csv", F64, {"dtype": F32, "standardize": True}),
        ("csv.gz", F64, {"dtype": F64, "standardize": True}),
        ("npy", F32, {"dtype": F32}),
        ("npy", "float16", {"dtype": F32, "standardize": True}),
        ("arrays", F64, {"dtype": F64}),
    ):
        yield Case("file", "mixture", 3000, 5, 10, dtype, file=file, init="", reading=reading,
                   options={"tol": 0})  # fmt: skip
    yield Case("file", "mixture", 3000, 40, 34, F64, weights="zeros", file="csv", init="",
               reading={"dtype": F64}, options={"algorithm": "bytes"})  # fmt: skip
    yield Case("file", "scales", 5000, 3, 15, F64, file="csv", init="batches",
               reading={"dtype": F64, "standardize": True})  # fmt: skip
    for algorithm in ("lloyd", "bytes", "auto"):
        options = {"--algorithm": algorithm, "--max-iter": 20}
        d, k = (24, 34) if algorithm == "bytes" else (6, 12)
        for init in ("", "cut off at 9", "cut off at 5 and 13"):
            yield Case("command", "noise", 2500, d, k, F64, file="csv", init=init, options=options)
    yield Case("file", "flights", 336_776, 4, 8, init="", file="csv.gz",
               reading={**COLUMNS, "dtype": F32, "standardize": True},
               options={"max_iter": 10})  # fmt: skip


def by_cosine() -> Iterator[Case]:
    for algorithm, data, n, d, k, dtype, layout, weights, init in (
        ("lloyd", "mixture", 3000, 8, 12, F32, "F", "", "k-means++"),
        ("lloyd", "noise", 300, 3, 5, F64, "C", "random", "given"),
        ("boxes", "mixture", 9000, 3, 40, F32, "strided", "", "given"),
        ("bytes", "embeddings", 2000, 384, 40, F32, "C", "", "k-means++"),
        ("auto", "scales", 4000, 20, 37, F64, "backwards", "zeros", "random"),
        ("bytes", "grid", 3001, 6, 35, "int16", "C", "", "given"),
    ):
        options = {"algorithm": algorithm, "max_iter": 25, "n_init": 1, "metric": "cosine"}
        yield Case("fit", data, n, d, k, dtype, layout, weights, init, options=options)
    for schedule in ("nested", "random"):
        options = {"schedule": schedule, "max_iter": 10, "metric": "cosine"}
        yield Case("batches", "mixture", 9000, 12, 20, F32, init="k-means++", options=options)
    yield Case("kmeans_plusplus", "mixture", 3000, 32, 60, F64, weights="zeros", init="",
               options={"metric": "cosine"})  # fmt: skip
    yield Case("predict", "mixture", 2000, 9, 12, F32, "F",
               options={"max_iter": 8, "metric": "cosine"})  # fmt: skip


def searched() -> Iterator[Case]:
    """Local searches: of both dtypes of the distances, with weights, by a name and from centers."""
    for data, n, d, k, dtype, layout, weights, init, tries in (
        ("mixture", 5000, 2, 15, F32, "F", "", "k-means++", "auto"),
        ("mixture", 4000, 40, 33, F64, "strided", "zeros", "k-means++", "auto"),
        ("grid", 3001, 6, 35, F64, "C", "", "random", "auto"),
        ("embeddings", 2000, 384, 20, F32, "backwards", "", "given", 30),
    ):
        options = {"n_init": 1, "local_search": tries}
        yield Case("fit", data, n, d, k, dtype, layout, weights, init, options=options)


CASES = (
    *engines(), *dtypes_and_weights(), *starts_and_ends(), *starts_by_choice(), *batches(),
    *functions(), *files(), *by_cosine(), *searched(),
)  # fmt: skip
