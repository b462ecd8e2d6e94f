"""Compare fastkmeans with other k-means libraries, side by side.

    python scripts/compare.py iterations --dtype float32 --threads 2
    python scripts/compare.py all --quick

Every library gets the same rows and the same initial centers and runs the same number
of Lloyd iterations; runs are interleaved.  A time counts only where the inertia of the
centers, computed here in float64, agrees with the baseline's.  A table shows how many
times as long each peer takes: above 1, fastkmeans is faster.  A peer that is missing,
fails or finds something else is listed with the reason.

Tasks: ``iterations`` (time of one Lloyd iteration over a grid of shapes, and the rate
of the E step against the machine's matrix product), ``seeding`` (greedy k-means++ with
equally many local trials), ``small`` (iris, one row).
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import _compare_path  # noqa: F401  (before the modules that it makes importable)
from _compare_peers import PEERS
from _compare_results import Outcome, format_table, slower_cells, summarize
from _compare_tasks import Options, run_iterations, run_seeding, run_small
from _compare_worker import PeerError, Worker, set_thread_environment
from benchmarks.cache import use_private_cache
from benchmarks.datasets import CELLS, GRID, Cell

TASKS = ("iterations", "seeding", "small")


def count_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("task", nargs="?", choices=(*TASKS, "all"), default="all")
    add("--dtype", nargs="+", choices=("float32", "float64"), default=["float32", "float64"])
    add("--cells", nargs="+", metavar="NAME", help=f"names or patterns, of {', '.join(CELLS)}")
    add("--peers", nargs="+", choices=sorted(PEERS), help="default: all")
    add("--baseline", choices=sorted(PEERS), default="fastkmeans")
    add("--repeats", type=int, default=5, help="rounds of interleaved runs (5)")
    add("--iterations", nargs=2, type=int, default=(2, 12), metavar=("SHORT", "LONG"))
    add("--seeds", type=int, default=3, help="random states of the seeding task (3)")
    add("--threads", type=int, default=count_cores())
    add("--timeout", type=float, default=600.0, help="seconds for one run of a library")
    add("--quick", action="store_true", help="tiny data and two rounds: a smoke test")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--out", type=Path, metavar="FILE", help="write everything to a JSON file")
    return parser.parse_args(arguments)


def choose_cells(patterns: Sequence[str] | None, quick: bool) -> list[Cell]:
    """Return the cells that match any pattern, or the whole grid."""
    chosen = (
        list(GRID)
        if patterns is None
        else [c for c in CELLS.values() if any(fnmatch.fnmatch(c.name, p) for p in patterns)]
    )
    if not chosen:
        raise SystemExit(f"no cell matches {patterns}; there are {', '.join(CELLS)}")
    return [cell.quick() if quick else cell for cell in chosen]


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


def run(
    workers: Sequence[Worker], cells: Sequence[Cell], arguments: argparse.Namespace
) -> list[Outcome]:
    """Run the tasks asked for."""
    short, long = arguments.iterations
    options = Options(
        baseline=arguments.baseline,
        repeats=2 if arguments.quick else arguments.repeats,
        short=short,
        long=long,
        seeds=2 if arguments.quick else arguments.seeds,
        calls=5 if arguments.quick else 50,
        rate_turns=1 if arguments.quick else 3,
        rate_seconds=0.02 if arguments.quick else 0.3,
    )

    def log(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    outcomes: list[Outcome] = []
    tasks = TASKS if arguments.task == "all" else (arguments.task,)
    for dtype in arguments.dtype:
        for cell in cells:
            if "iterations" in tasks:
                outcomes += run_iterations(workers, cell, dtype, options, log)
            if "seeding" in tasks:
                outcomes += run_seeding(workers, cell, dtype, options, log)
        if "small" in tasks:
            outcomes += run_small(workers, dtype, options, log)
    return outcomes


def rate_rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return the rows of the table of arithmetic rates, in GFLOP/s."""
    rows = []
    for outcome in outcomes:
        rates = outcome.details
        if "gemm_gflops" not in rates:
            continue
        names = ("iteration_gflops", "e_step_gflops", "gemm_gflops", "square_gflops")
        row = [f"{rates[name]:.0f}" if name in rates else "-" for name in names]
        for machine in ("gemm_gflops", "square_gflops"):
            known = "e_step_gflops" in rates
            row.append(f"{rates['e_step_gflops'] / rates[machine]:.2f}" if known else "-")
        rows.append([f"{outcome.cell} {outcome.dtype}", *row])
    return rows


def seeding_rows(outcomes: Sequence[Outcome], baseline: str) -> list[list[str]]:
    """Return the rows of the table of potentials: the baseline's over the peer's."""
    chosen = [o for o in outcomes if o.task == "seeding" and o.inertia > 0.0]
    ours = {o.key: o for o in chosen if o.library == baseline}
    rows = []
    for o in chosen:
        if o.library != baseline and o.key in ours:
            b = ours[o.key]
            ratio = b.inertia / o.inertia
            error = ratio * math.hypot(b.error / b.inertia, o.error / o.inertia)
            draws = len(o.details.get("potentials", ()))
            rows.append(
                [f"{o.cell} {o.dtype}", o.library, f"{ratio:.4f}", f"{error:.4f}", f"{draws}"]
            )
    return rows


def print_report(
    outcomes: Sequence[Outcome], arguments: argparse.Namespace, missing: dict[str, str]
) -> None:
    """Print the tables, then what was left out and why."""
    notes: list[str] = []
    for task in TASKS:
        for dtype in arguments.dtype:
            if any(o.task == task and o.dtype == dtype for o in outcomes):
                header, rows, found = summarize(outcomes, task, dtype, arguments.baseline)
                print("\n" + format_table(header, rows, arguments.markdown))
                notes += found
    if rows := rate_rows(outcomes):
        header = ["GFLOP/s", "iteration", "E step", "gemm", "square", "E/gemm", "E/square"]
        print("\n" + format_table(header, rows, arguments.markdown))
    if rows := seeding_rows(outcomes, arguments.baseline):
        header = ["potential after seeding", "peer", "baseline/peer", "+-", "draws"]
        print("\n" + format_table(header, rows, arguments.markdown))
    lines = [f"{name} is not compared: {reason}" for name, reason in missing.items()]
    for line in lines + notes + slower_cells(outcomes, arguments.baseline):
        print(f"- {line}" if arguments.markdown else f"  {line}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; return 1 where the baseline cannot be imported."""
    options = parse_arguments(arguments)
    cells = choose_cells(options.cells, options.quick)
    set_thread_environment(options.threads)
    use_private_cache()
    names = list(dict.fromkeys([options.baseline, *(options.peers or PEERS)]))
    workers, versions, missing = start_workers(names, options.threads, options.timeout)
    machine = describe_machine(options.threads)
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(", ".join(f"{key} {value}" for key, value in versions.items()))
    try:
        if options.baseline in missing:
            print(f"{options.baseline} cannot be imported: {missing[options.baseline]}")
            return 1
        outcomes = run(workers, cells, options)
        pools = {worker.library: thread_pools(worker) for worker in workers}
    finally:
        for worker in workers:
            worker.stop()
    print_report(outcomes, options, missing)
    if options.out is not None:
        record = {
            "machine": machine,
            "versions": versions,
            "missing": missing,
            "thread_pools": pools,
            "quick": options.quick,
            "outcomes": [asdict(outcome) for outcome in outcomes],
        }
        options.out.write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
