"""The command ``csv``: read, cluster, write, report."""

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.rows import Rows
from .._data.tables import Table
from .._estimators.kmeans import KMeans
from .._files import Dataset, open_dataset
from .._files.errors import flag_of
from .._files.options import Question
from .._lloyd.representatives import closest_rows
from .._lloyd.watch import Watches
from .._metrics.simplified import Quality
from .._runtime.arrays import Floats
from .._runtime.extras import need
from .centers import blaming, read_centers
from .checks import check_metric, check_search, check_table, note_columns, preparation_of
from .console import UserError, note, remembered
from .job import Job
from .labels import own_distances, write_centers, write_labels, write_skipped
from .outputs import blamed_on, check_formats, check_outputs, whole_files
from .progress import MemoryGuard, Progress, WatchedRows
from .quality import Ending, quality_lines
from .report import sizes_lines, table_facts, table_facts_lines, tell
from .representatives import write_representatives

READING = ("missing", "na", "bad_rows", "standardize", "weight_column")
"""Arguments of reading that the result depends on, besides the table."""
FITTING = ("n_init", "max_iter", "tol", "algorithm", "metric", "local_search", "early_stop")
"""Arguments of clustering that the result depends on, besides k, the seed and the start."""


def cluster(args: argparse.Namespace) -> None:
    """Run the command ``csv``."""
    outputs = _outputs(args)
    need("pyarrow")
    asked_columns, centers = args.columns, read_centers(args)
    with Job(args, outputs) as job, remembered() as args.warned:
        seconds = {"reading": time.perf_counter()}
        guard = MemoryGuard(args.memory_limit)
        progress = Progress(guard, args.quiet)
        asked = {name: getattr(args, name) for name in Question._fields}
        asked |= {"cache": job.table, "memory_limit": args.memory_limit}
        with progress.shown(0, "B"), blaming(centers, asked_columns):
            dataset = open_dataset(args.files, progress=progress.read, **asked)
        with dataset:
            job.table_is_done()
            start = args.init if centers is None else centers.start(dataset)
            check_table(args, dataset, args.k)
            check_search(args, dataset)
            note_columns(args, dataset)
            seconds["clustering"] = time.perf_counter()
            model, quality = _fit(args, job, dataset, progress, start)
            seconds["writing"] = time.perf_counter()
            _write(args, outputs, dataset, model)
            job.is_done()
            ends = [*seconds.values(), time.perf_counter()]
            spent = {name: ends[i + 1] - ends[i] for i, name in enumerate(seconds)}
            guard.look()
            _report(args, outputs, dataset, model, quality, spent, guard.peak)


def _outputs(args: argparse.Namespace) -> dict[str, Path | None]:
    """Return the output files by flag, after checking that they can be written."""
    outputs = {
        "--labels-out": args.labels_out,
        "--centers-out": args.centers_out,
        "--model-out": args.model_out,
        "--skipped-out": args.skipped_out,
        "--representatives-out": args.representatives_out,
        "--report": args.report,
    }
    inputs = [*args.files, *([args.init] if isinstance(args.init, Path) else [])]
    check_outputs(outputs, inputs=inputs)
    check_formats(outputs)
    if args.report is not None:
        from .page import check_report

        check_report(args.report)
    check_metric(args)
    if args.metric == "cosine" and args.local_search not in (0, "auto"):
        raise UserError("--local-search is for Euclidean distances: leave out --metric cosine")
    if args.distances and args.labels_out is None:
        raise UserError("--distances go into the file of labels: name it with --labels-out")
    if args.representatives is not None and args.representatives_out is None:
        raise UserError("--representatives go into a file: name it with --representatives-out")
    return outputs


def _fit(
    args: argparse.Namespace,
    job: Job,
    dataset: Dataset,
    progress: Progress,
    start: str | Floats,
) -> tuple[KMeans, Quality]:
    n, d = dataset.rows.shape
    if not args.quiet:
        note(f"clustering {n} rows of {d} columns")
    fitting = {name: getattr(args, name) for name in FITTING}
    settings = {"the table": _digest(dataset), "-k": args.k, "--seed": args.seed}
    settings |= {flag_of(name): getattr(args, name) for name in (*READING, *FITTING)}
    settings["--init"] = start if isinstance(start, str) else f"centers {_hash_of(start)}"
    checkpoint = job.checkpoint(settings, args.quiet)
    model = KMeans(args.k, init=start, random_state=args.seed, n_threads=args.threads, **fitting)
    rows: Rows = dataset.rows
    if args.algorithm != "boxes":
        # "auto" never takes boxes for WatchedRows; boxes round the sums in another way.  So
        # the result depends neither on the size of the table nor on the memory available.
        rows = WatchedRows(rows, progress)
    table = Table(rows, dataset.names)
    ending = Ending(args.order == "size", progress.show)
    with progress.shown(n, "rows"):
        model._fit(table, None, dataset.weights, Watches([progress, ending]), checkpoint)
    model.preparation_ = preparation_of(args, dataset)
    return model, ending.quality


def _digest(dataset: Dataset) -> str:
    """Return a digest of the table: its names, shape, dtype, statistics and scaling."""
    digest = hashlib.sha256(repr((dataset.names, dataset.rows.shape)).encode())
    for field in (*vars(dataset.statistics).values(), dataset.shift, dataset.scale):
        digest.update(np.ascontiguousarray(field).tobytes())
    return f"{dataset.rows.dtype} {digest.hexdigest()[:16]}"


def _hash_of(start: Floats) -> str:
    return hashlib.sha256(np.ascontiguousarray(start).tobytes()).hexdigest()[:16]


def _centers(dataset: Dataset, model: KMeans) -> Floats:
    """Return the centers in the units of the files."""
    centers: Floats = model.cluster_centers_ * dataset.scale + dataset.shift
    return centers


def _representatives(
    args: argparse.Namespace, dataset: Dataset, model: KMeans
) -> NDArray[np.int64]:
    """Return the rows of the dataset that are closest to each center."""
    table, n = Table(dataset.rows, dataset.names), args.representatives or 1
    by_cosine = args.metric == "cosine"
    return closest_rows(table, model.cluster_centers_, model.labels_, n, args.threads, by_cosine)


def _write(
    args: argparse.Namespace,
    outputs: dict[str, Path | None],
    dataset: Dataset,
    model: KMeans,
) -> None:
    """Write all requested files, or none."""
    dialect = args.delimiter, args.decimal
    distances = None
    if args.distances:
        by_cosine = args.metric == "cosine"
        distances = own_distances(dataset.rows, model.cluster_centers_, model.labels_, by_cosine)
    writers: dict[str, Callable[[Path], None]] = {
        "--labels-out": lambda path: write_labels(
            path, dataset, args.id_column, model.labels_, distances, dialect
        ),
        "--centers-out": lambda path: write_centers(
            path, dataset.names, _centers(dataset, model), model.cluster_sizes_, dialect
        ),
        "--model-out": model.save,
        "--skipped-out": lambda path: write_skipped(path, dataset.skipped, args.delimiter),
        "--representatives-out": lambda path: write_representatives(
            path, dataset, args.id_column, _representatives(args, dataset, model), dialect
        ),
        "--report": lambda path: _write_page(path, args, dataset, model),
    }
    wanted = {flag: path for flag, path in outputs.items() if path is not None}
    with whole_files(*wanted.values()) as temporary:
        for (flag, path), name in zip(wanted.items(), temporary, strict=True):
            with blamed_on(path):
                writers[flag](name)


def _write_page(path: Path, args: argparse.Namespace, dataset: Dataset, model: KMeans) -> None:
    from .page import write_report

    write_report(path, args, dataset, model)


def _report(
    args: argparse.Namespace,
    outputs: dict[str, Path | None],
    dataset: Dataset,
    model: KMeans,
    quality: Quality,
    seconds: dict[str, float],
    peak: int,
) -> None:
    """Print the summary."""
    sizes, by_cluster = model.cluster_sizes_, quality.silhouettes
    clusters = sizes.tolist(), by_cluster.tolist(), _centers(dataset, model).tolist()
    summary: dict[str, Any] = {
        **table_facts(args, dataset),
        "n_clusters": args.k,
        "seed": args.seed,
        "order": args.order,
        "inertia": model.inertia_,
        "quality": {
            "simplified_silhouette": quality.silhouette,
            "calinski_harabasz": quality.calinski_harabasz,
        },
        "n_iter": model.n_iter_,
        "converged": model.converged_,
        "stop_reason": model.stop_reason_,
        "clusters": [
            {
                "cluster": j,
                "size": size,
                "simplified_silhouette": silhouette,
                "center": dict(zip(dataset.names, center, strict=True)),
            }
            for j, (size, silhouette, center) in enumerate(zip(*clusters, strict=True))
        ],
        "outputs": {flag[2:]: str(path) for flag, path in outputs.items() if path is not None},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_memory": peak or None,
    }
    unit = " (in squared standard deviations)" if args.standardize else ""
    if args.metric == "cosine":
        unit = " (sum of 2 (1 - cosine))"
    lines = [
        *table_facts_lines(dataset),
        f"clusters    {args.k}",
        f"inertia     {model.inertia_:.6g}{unit}",
        *quality_lines(quality, args.metric == "cosine"),
        f"iterations  {model.n_iter_} ({model.stop_reason_})",
        *(f"{name:<11} {value:.2f} s" for name, value in seconds.items()),
        *sizes_lines(sizes, by_cluster),
    ]
    tell(summary, lines, args.json)
