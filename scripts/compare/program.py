"""Compare fastkmeans with other k-means libraries, side by side.

    python scripts/compare iterations --dtype float32 --threads 2
    python scripts/compare all --quick
    python scripts/compare fits --embeddings FILE.npy --algorithms auto,lloyd
    python scripts/compare minibatch --embeddings FILE.npy --batch-sizes 1024 4096
    python scripts/compare fits --peers checkout:../old checkout:../old
    python scripts/compare optimum --seeds 100 --embeddings FILE.npy --flights FILE.csv.gz
    python scripts/compare curve --plot curve.png --embeddings FILE.npy
    python scripts/compare scaling --plot scaling.png

Every library gets the same rows and the same initial centers and runs the same number
of Lloyd iterations; runs are interleaved.  A time counts only where the inertia of the
centers, computed here in float64, agrees with the baseline's.  A table shows how many
times as long each peer takes: above 1, fastkmeans is faster.  A peer that is missing,
fails or finds something else is listed with the reason.

``checkout:FOLDER`` is a peer as well: this library at another commit, in a process and
with a numba cache of its own.  Only its public names are used.  A line per task reports
the geometric mean and the worst cell of its times over ours.  A checkout that is given
twice is also compared with itself: so far do times scatter.

Tasks: ``iterations`` (time of one Lloyd iteration over a grid of shapes, and the rate
of the E step against the machine's matrix product), ``seeding`` (greedy k-means++ with
equally many local trials), ``small`` (iris, one row), ``fits`` (20 iterations, and to
convergence), ``minibatch`` (fits by mini-batches, seeding included, from equal random
states; ours must reach no higher inertia).  Not part of ``all``: ``calls`` (ours and
checkouts: the first fit of a process with an empty and with a warm cache, and small
data), ``optimum`` (20 mixtures with known components and real data: how many seeds end
in the best optimum known, by several ways to call each library), ``curve`` (embeddings:
inertia against seconds) and ``scaling`` (no peers: a fit against n, d and k).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from _shared import UserError, check_input, check_outputs, need, note
from benchmarks.cache import use_private_cache
from benchmarks.datasets import GRID, SAMPLE_CELL, Cell, batch_cells, fit_cells
from benchmarks.optima import OPTIMA
from benchmarks.real import real_cells

from .arguments import ENDS, TASKS, choose_cells, choose_libraries, parse_arguments
from .calls import run_calls
from .curve import curve_cells, draw_curves, run_curve
from .fits import run_fits
from .machine import describe_machine, mask_processor
from .minibatch import run_minibatch
from .optimum import QUICK, run_optimum
from .ours import is_checkout
from .report import print_report
from .results import Outcome
from .scaling import draw_scaling, run_scaling
from .small import run_small
from .tasks import Options, run_iterations, run_seeding
from .worker import PeerError, Worker, set_thread_environment


def start_workers(
    names: Sequence[str], threads: int, timeout: float
) -> tuple[list[Worker], dict[str, str], dict[str, str]]:
    """Start a process per library.

    Returns
    -------
    workers : list of Worker
        Those whose library could be imported.
    versions : dict
        Version by library.
    missing : dict
        The reason, by library that could not be imported.
    """
    workers, versions, missing = [], {}, {}
    for name in names:
        worker = Worker(name, threads, timeout)
        try:
            versions[name] = worker.start()
            workers.append(worker)
        except PeerError as error:
            worker.stop()
            missing[name] = str(error)
    return workers, versions, missing


def ask(worker: Worker, what: str) -> Any:
    """Return what a worker says about itself, or why it does not."""
    try:
        return worker.call(what)
    except PeerError as error:
        return str(error)


def make_options(
    arguments: argparse.Namespace, names: Sequence[str], baselines: Sequence[str]
) -> Options:
    """Return what the tasks need of the command line; checkouts run to convergence too."""
    short, long = arguments.iterations
    return Options(
        baseline=baselines[0],
        baselines=tuple(baselines),
        converging=(*arguments.converging, *filter(is_checkout, names)),
        limit=arguments.limit,
        processor_time=arguments.processor_time,
        methods=tuple(arguments.methods),
        repeats=2 if arguments.quick else arguments.repeats,
        short=short,
        long=long,
        seeds=2 if arguments.quick else arguments.seeds,
        calls=5 if arguments.quick else 50,
        rate_turns=1 if arguments.quick else 3,
        rate_seconds=0.02 if arguments.quick else 0.3,
    )


def log(line: str) -> None:
    """Say how far the run is."""
    print(line, file=sys.stderr, flush=True)


def run(
    workers: Sequence[Worker],
    tasks: Sequence[str],
    arguments: argparse.Namespace,
    options: Options,
) -> list[Outcome]:
    """Run the tasks asked for."""
    outcomes: list[Outcome] = []
    if "scaling" in tasks:
        shape, quick = tuple(arguments.shape), arguments.quick
        return run_scaling(workers, shape, arguments.dtype[0], options, log, quick)
    if {"optimum", "curve"} & set(tasks):
        return run_starts(workers, tasks[0], arguments, options)
    of_fits = fit_cells(arguments.embeddings)
    of_batches = batch_cells(arguments.embeddings)
    cells, whole, sampled = (
        choose_cells(arguments.cells, arguments.quick, default, (*of_fits, *of_batches))
        for default in (GRID, of_fits, of_batches)
    )
    for dtype in arguments.dtype:
        for cell in cells:
            if "iterations" in tasks:
                outcomes += run_iterations(workers, cell, dtype, options, log)
            if "seeding" in tasks:
                outcomes += run_seeding(workers, cell, dtype, options, log)
        if "small" in tasks:
            outcomes += run_small(workers, dtype, options, log)
        if "calls" in tasks:
            outcomes += run_calls(workers, dtype, options, log, arguments.quick)
        for cell in whole if "fits" in tasks else ():
            for end in arguments.until:
                outcomes += run_fits(workers, cell, dtype, ENDS[end], options, log)
        for cell in sampled if "minibatch" in tasks else ():
            for size in arguments.batch_sizes:
                outcomes += run_minibatch(workers, cell, dtype, size, options, log)
    return outcomes


def cells_of_starts(task: str, arguments: argparse.Namespace) -> list[Cell]:
    """Return the cells of ``optimum`` or ``curve``; few of them in a smoke test."""
    patterns = arguments.cells
    if task == "curve":
        known = curve_cells(arguments.embeddings)
    else:
        known = (*OPTIMA, *real_cells(arguments.embeddings, arguments.flights))
        patterns = patterns or (QUICK if arguments.quick else None)
    return choose_cells(patterns, arguments.quick, known, known={})


def run_starts(
    workers: Sequence[Worker], task: str, arguments: argparse.Namespace, options: Options
) -> list[Outcome]:
    """Run fits from the libraries' own starts: ``optimum`` or ``curve``, in one dtype."""
    outcomes: list[Outcome] = []
    for cell in cells_of_starts(task, arguments):
        if task == "optimum":
            outcomes += run_optimum(workers, cell, arguments.dtype[0], options, log)
        else:
            args = arguments.dtype[0], options, log, arguments.quick
            outcomes += run_curve(workers, cell, *args)
    return outcomes


def compare(arguments: argparse.Namespace) -> int:
    """Run the comparison and report; return 1 where the baseline cannot be imported."""
    tasks = TASKS if arguments.task == "all" else (arguments.task,)
    scaling = "scaling" in tasks
    names = choose_libraries(arguments, tasks)
    baselines = names if scaling else dict.fromkeys([arguments.baseline, *arguments.algorithms])
    check(arguments)
    set_thread_environment(arguments.threads)
    if arguments.cpu is not None:
        mask_processor(arguments.cpu)
    use_private_cache()
    workers, versions, missing = start_workers(names, arguments.threads, arguments.timeout)
    machine = describe_machine(arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(", ".join(f"{key} {value}" for key, value in versions.items()))
    made_for = {worker.library: ask(worker, "made_for") for worker in workers}
    print("code for: " + "; ".join(f"{name}: {text}" for name, text in made_for.items()))
    try:
        if names[0] in missing:
            print(f"{names[0]} cannot be imported: {missing[names[0]]}")
            return 1
        options = make_options(arguments, names, tuple(baselines))
        outcomes = run(workers, tasks, arguments, options)
        pools = {worker.library: ask(worker, "thread_pools") for worker in workers}
    finally:
        for worker in workers:
            worker.stop()
    notes = [f"{name} is not compared: {reason}" for name, reason in missing.items()]
    if any(o.cell == SAMPLE_CELL for o in outcomes):
        notes.append(f"{SAMPLE_CELL} is the shipped sample: --embeddings FILE.npy takes more rows")
    print_report(outcomes, arguments.dtype, options.baselines, notes, arguments.markdown)
    if "curve" in tasks:
        draw_curves(arguments.plot, outcomes)
    if scaling:
        draw_scaling(arguments.plot, outcomes, tuple(arguments.shape))
    if arguments.out is not None:
        record = {
            "machine": machine,
            "versions": versions,
            "made_for": made_for,
            "missing": missing,
            "thread_pools": pools,
            "quick": arguments.quick,
            "outcomes": [asdict(outcome) for outcome in outcomes],
        }
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    return 0


def check(arguments: argparse.Namespace) -> None:
    """Refuse files that cannot be read or written before the long work starts."""
    check_outputs({"--out": arguments.out, "--plot": arguments.plot})
    for path in filter(None, (arguments.embeddings, arguments.flights)):
        check_input(path)
    further = (*fit_cells(arguments.embeddings), *batch_cells(arguments.embeddings))
    if arguments.task in ("optimum", "curve"):
        cells_of_starts(arguments.task, arguments)
    else:
        choose_cells(arguments.cells, arguments.quick, GRID, further)
    if arguments.plot is not None:
        need("matplotlib", "plots")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    options = parse_arguments(arguments)
    try:
        return compare(options)
    except UserError as error:
        note(f"error: {error}")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
