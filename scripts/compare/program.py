"""Compare fastkmeans with other k-means libraries, side by side.

    python scripts/compare iterations --dtype float32 --threads 2
    python scripts/compare all --quick
    python scripts/compare fits --embeddings FILE.npy --algorithms auto,lloyd
    python scripts/compare minibatch --embeddings FILE.npy --batch-sizes 1024 4096
    python scripts/compare scaling --plot scaling.png

Every library gets the same rows and the same initial centers and runs the same number
of Lloyd iterations; runs are interleaved.  A time counts only where the inertia of the
centers, computed here in float64, agrees with the baseline's.  A table shows how many
times as long each peer takes: above 1, fastkmeans is faster.  A peer that is missing,
fails or finds something else is listed with the reason.

Tasks: ``iterations`` (time of one Lloyd iteration over a grid of shapes, and the rate
of the E step against the machine's matrix product), ``seeding`` (greedy k-means++ with
equally many local trials), ``small`` (iris, one row), ``fits`` (20 iterations, and to
convergence), ``minibatch`` (fits by mini-batches, seeding included, from equal random
states; ours must reach no higher inertia), ``scaling`` (no peers: a fit against n, d and
k; not part of ``all``).
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from _shared import UserError, check_input, check_outputs, need, note
from benchmarks.cache import use_private_cache
from benchmarks.datasets import CELLS, GRID, SAMPLE_CELL, Cell, batch_cells, fit_cells

from .fits import run_fits
from .minibatch import run_minibatch
from .peer import WHOLE
from .peers import ENGINES, PEERS
from .report import print_report
from .results import Outcome
from .scaling import SHAPE, draw_scaling, run_scaling
from .tasks import Options, run_iterations, run_seeding, run_small
from .worker import PeerError, Worker, set_thread_environment

TASKS = ("iterations", "seeding", "small", "fits", "minibatch")
ENDS = {"20": "fits", "convergence": "convergence"}


DTYPES = ("float32", "float64")


def count_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("task", nargs="?", choices=(*TASKS, "scaling", "all"), default="all")
    add("--dtype", "--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    add("--cells", nargs="+", metavar="NAME", help=f"names or patterns, of {', '.join(CELLS)}")
    add("--peers", nargs="+", choices=sorted(PEERS), help="default: all")
    add("--baseline", choices=sorted(PEERS), default="fastkmeans")
    add("--repeats", type=int, default=5, help="rounds of interleaved runs (5)")
    add("--iterations", nargs=2, type=int, default=(2, 12), metavar=("SHORT", "LONG"))
    add("--seeds", type=int, default=3, help="random states of seeding, minibatch (3)")
    add("--batch-sizes", nargs="+", type=int, default=[1024, 4096], metavar="ROWS")
    add("--threads", type=int, default=count_cores())
    add("--timeout", type=float, default=600.0, help="seconds for one run of a library")
    add("--quick", action="store_true", help="tiny data and two rounds: a smoke test")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--out", "--json", type=Path, metavar="FILE", help="write everything to a JSON file")
    add = parser.add_argument_group("whole fits").add_argument
    names = ",".join(ENGINES)
    add("--algorithms", type=engine_names, default=(), metavar=names, help="further rows")
    add("--embeddings", type=Path, metavar="FILE.npy", help="rows instead of the shipped sample")
    add("--until", nargs="+", choices=ENDS, default=list(ENDS), help="default: both")
    add("--converging", nargs="+", choices=sorted(PEERS), default=["scikit-learn"],
        help="the peers that run to convergence (scikit-learn)")  # fmt: skip
    add("--limit", type=float, default=300.0, help="seconds for one peer in one cell (300)")
    add = parser.add_argument_group("scaling").add_argument
    add("--plot", type=Path, metavar="FILE.png", help="the figure")
    add("--shape", nargs=3, type=int, default=SHAPE, metavar=("N", "D", "K"),
        help="what n, d and k are when they do not vary (%(default)s)")  # fmt: skip
    options = parser.parse_args(arguments)
    if options.task == "scaling" and options.plot is None:
        parser.error("scaling needs --plot FILE.png")
    if options.quick:
        options.shape = (options.shape[0] // 50, *options.shape[1:])
    return options


def engine_names(text: str) -> tuple[str, ...]:
    """Return the libraries that a list of our engines, with commas, stands for."""
    unknown = set(text.split(",")) - set(ENGINES)
    if unknown:
        raise argparse.ArgumentTypeError(f"no engine {sorted(unknown)} among {', '.join(ENGINES)}")
    return tuple(ENGINES[name].name for name in text.split(","))


def choose_cells(
    patterns: Sequence[str] | None,
    quick: bool,
    default: Sequence[Cell] = GRID,
    further: Sequence[Cell] = (),
) -> list[Cell]:
    """Return the cells, known or further ones, that match any pattern, or the default."""
    known = CELLS | {cell.name: cell for cell in further}
    chosen = (
        list(default)
        if patterns is None
        else [c for c in known.values() if any(fnmatch.fnmatch(c.name, p) for p in patterns)]
    )
    if not chosen:
        raise SystemExit(f"no cell matches {patterns}; there are {', '.join(known)}")
    return [cell.quick() if quick else cell for cell in chosen]


def choose_libraries(arguments: argparse.Namespace, tasks: Sequence[str]) -> list[str]:
    """Return the libraries to start, the baseline first."""
    if "scaling" in tasks:
        return [ENGINES["auto"].name, ENGINES["lloyd"].name]
    wanted = set(tasks) | (set(WHOLE) if "fits" in tasks else set())
    usual = [n for n, peer in PEERS.items() if not peer.optional and wanted & set(peer.tasks)]
    names = [arguments.baseline, *arguments.algorithms, *(arguments.peers or usual)]
    return list(dict.fromkeys(names))


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


def thread_pools(worker: Worker) -> Any:
    """Return the thread pools of a worker, or why they are unknown."""
    try:
        return worker.call("thread_pools")
    except PeerError as error:
        return str(error)


def describe_machine(threads: int) -> dict[str, Any]:
    """Return what a reader needs to judge the numbers."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(s.split(":", 1)[1].strip() for s in lines if s.startswith("model name"))
    except (OSError, StopIteration):
        pass
    found = {}
    for name in ("numpy", "numba", "llvmlite"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return {
        "cpu": model,
        "cores": count_cores(),
        "threads": threads,
        "python": platform.python_version(),
        "system": platform.platform(),
        **found,
    }


def make_options(arguments: argparse.Namespace, baselines: Sequence[str]) -> Options:
    """Return what the tasks need of the command line."""
    short, long = arguments.iterations
    return Options(
        baseline=baselines[0],
        baselines=tuple(baselines),
        converging=tuple(arguments.converging),
        limit=arguments.limit,
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
        for cell in whole if "fits" in tasks else ():
            for end in arguments.until:
                outcomes += run_fits(workers, cell, dtype, ENDS[end], options, log)
        for cell in sampled if "minibatch" in tasks else ():
            for size in arguments.batch_sizes:
                outcomes += run_minibatch(workers, cell, dtype, size, options, log)
    return outcomes


def compare(arguments: argparse.Namespace) -> int:
    """Run the comparison and report; return 1 where the baseline cannot be imported."""
    tasks = TASKS if arguments.task == "all" else (arguments.task,)
    scaling = "scaling" in tasks
    names = choose_libraries(arguments, tasks)
    baselines = names if scaling else dict.fromkeys([arguments.baseline, *arguments.algorithms])
    check(arguments)
    set_thread_environment(arguments.threads)
    use_private_cache()
    workers, versions, missing = start_workers(names, arguments.threads, arguments.timeout)
    machine = describe_machine(arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(", ".join(f"{key} {value}" for key, value in versions.items()))
    try:
        if names[0] in missing:
            print(f"{names[0]} cannot be imported: {missing[names[0]]}")
            return 1
        options = make_options(arguments, tuple(baselines))
        outcomes = run(workers, tasks, arguments, options)
        pools = {worker.library: thread_pools(worker) for worker in workers}
    finally:
        for worker in workers:
            worker.stop()
    notes = [f"{name} is not compared: {reason}" for name, reason in missing.items()]
    if any(o.cell == SAMPLE_CELL for o in outcomes):
        notes.append(f"{SAMPLE_CELL} is the shipped sample: --embeddings FILE.npy takes more rows")
    print_report(outcomes, arguments.dtype, options.baselines, notes, arguments.markdown)
    if scaling:
        draw_scaling(arguments.plot, outcomes, tuple(arguments.shape))
    if arguments.out is not None:
        record = {
            "machine": machine,
            "versions": versions,
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
    if arguments.embeddings is not None:
        check_input(arguments.embeddings)
    further = (*fit_cells(arguments.embeddings), *batch_cells(arguments.embeddings))
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
