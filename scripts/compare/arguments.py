"""The command line of ``compare``: tasks, cells and libraries."""

from __future__ import annotations

import argparse
import fnmatch
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.datasets import CELLS, GRID, Cell

from .machine import MASKS, count_cores
from .ours import CHECKOUT, is_checkout, tree_of
from .peer import WHOLE
from .peers import ENGINES, PEERS
from .scaling import SHAPE

TASKS = ("iterations", "seeding", "small", "fits", "minibatch")
FURTHER = ("calls", "optimum", "curve", "scaling")
"""The tasks that ``all`` leaves out."""
DRAWN = ("curve", "scaling")
"""The tasks that draw a figure."""
ENDS = {"20": "fits", "convergence": "convergence"}
DTYPES = ("float32", "float64")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Compare fastkmeans with other k-means libraries, side by side."
    )
    add = parser.add_argument
    add("task", nargs="?", choices=(*TASKS, *FURTHER, "all"), default="all")
    add("--dtype", "--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    add("--cells", nargs="+", metavar="NAME", help=f"names or patterns, of {', '.join(CELLS)}")
    add("--peers", nargs="+", type=peer_name, metavar="NAME",
        help=f"{CHECKOUT}FOLDER or any of {', '.join(sorted(PEERS))} (default: all libraries)"
        )  # fmt: skip
    add("--baseline", choices=sorted(PEERS), default="fastkmeans")
    add("--repeats", type=int, default=5, help="rounds of interleaved runs (5)")
    add("--iterations", nargs=2, type=int, default=(2, 12), metavar=("SHORT", "LONG"))
    add("--seeds", type=int,
        help="random states of seeding, minibatch, curve (3) and optimum (10)")  # fmt: skip
    add("--batch-sizes", nargs="+", type=int, default=[1024, 4096], metavar="ROWS")
    add("--threads", type=int, default=count_cores())
    add("--cpu", choices=sorted(MASKS), help="run as on a smaller processor, where that can be set")
    add("--timeout", type=float, default=600.0, help="seconds for one run of a library")
    add("--quick", action="store_true", help="tiny data and two rounds: a smoke test")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--out", "--json", type=Path, metavar="FILE", help="write everything to a JSON file")
    add = parser.add_argument_group("whole fits").add_argument
    names = ",".join(ENGINES)
    add("--algorithms", type=engine_names, default=(), metavar=names, help="further rows")
    add("--embeddings", type=Path, metavar="FILE.npy", help="rows instead of the shipped sample")
    add("--flights", type=Path, metavar="FILE.csv.gz",
        help="all flights for optimum, instead of every tenth")  # fmt: skip
    add("--until", nargs="+", choices=ENDS, default=list(ENDS), help="default: both")
    add("--converging", nargs="+", choices=sorted(PEERS), default=["scikit-learn"],
        help="the peers that run to convergence (scikit-learn)")  # fmt: skip
    add("--limit", type=float, default=300.0, help="seconds for one peer in one cell (300)")
    add("--methods", nargs="+", default=["*"], metavar="PATTERN",
        help="optimum, curve: ways to call libraries, such as 'scikit-learn n_init=*'"
        )  # fmt: skip
    add("--processor-time", action="store_true",
        help="optimum, curve: for a busy machine, with --threads 1")  # fmt: skip
    add = parser.add_argument_group("curve, scaling").add_argument
    add("--plot", type=Path, metavar="FILE.png", help="the figure")
    add("--shape", nargs=3, type=int, default=SHAPE, metavar=("N", "D", "K"),
        help="what n, d and k are when they do not vary (%(default)s)")  # fmt: skip
    options = parser.parse_args(arguments)
    if options.processor_time and options.threads > 1:
        parser.error("--processor-time needs --threads 1: threads wait in busy loops")
    if options.task in DRAWN and options.plot is None:
        parser.error(f"{options.task} needs --plot FILE.png")
    if options.seeds is None:
        options.seeds = 10 if options.task == "optimum" else 3
    if options.quick:
        options.shape = (options.shape[0] // 50, *options.shape[1:])
    return options


def peer_name(text: str) -> str:
    """Return the name of a library or checkout, if there is one of that name."""
    if is_checkout(text):
        if not (tree_of(text) / "fastkmeans" / "__init__.py").is_file():
            raise argparse.ArgumentTypeError(f"{tree_of(text)} is no checkout of fastkmeans")
    elif text not in PEERS:
        raise argparse.ArgumentTypeError(f"no library {text!r} among {', '.join(sorted(PEERS))}")
    return text


def number_checkouts(names: Sequence[str]) -> list[str]:
    """Return the names with a number after each repetition of a checkout."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        again = is_checkout(name) and seen[name] > 1
        found.append(f"{name}#{seen[name]}" if again else name)
    return found


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
    known: Mapping[str, Cell] = CELLS,
) -> list[Cell]:
    """Return the cells, known or further ones, that match any pattern, or the default."""
    known = {**known, **{cell.name: cell for cell in (*default, *further)}}
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
    names = [arguments.baseline, *arguments.algorithms, *number_checkouts(arguments.peers or usual)]
    return list(dict.fromkeys(names))
