"""Inertia against seconds, for ``compare``: what a user gets for the time that a fit takes.

A point is a whole fit from the library's own start, with the labels of all rows at the
end: its median time and mean inertia over some seeds.  A curve joins the points of one
way to call a library, from few iterations to many.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _shared import blamed_on, need, whole_files
from benchmarks.datasets import Cell, cells_of

from .methods import open_methods, solve_all
from .results import Outcome, format_seconds
from .tasks import Log, Options, describe
from .worker import Worker

CLUSTERS = (400, 1000)
COLOURS = {"fastkmeans": "#0072b2", "scikit-learn": "#009e73", "faiss": "#000000",
           "superkmeans": "#d55e00"}  # fmt: skip
"""Colour by library; they differ in brightness too, and to eyes that miss red or green."""
FURTHER = "#cc79a7"
"""The colour of all other libraries, and of other checkouts of ours."""
MARKERS = "os^Dv"
STYLES = ("-", "--", ":", "-.")
"""Marker and stroke by the number of a curve among those of its colour."""
TOP = 8.0
"""Per cent above the lowest inertia at which the figure ends."""


def curve_cells(embeddings: Path | None = None) -> tuple[Cell, ...]:
    """Return a cell for each number of clusters, of the rows of a file or of synthetic ones."""
    if embeddings is not None:
        return cells_of(embeddings, CLUSTERS)
    return tuple(Cell(f"embeddings-20kx384-k{k}", 20_000, 384, k, "embeddings") for k in CLUSTERS)


def points_of(worker: Worker, quick: bool = False) -> dict[str, dict[str, Any]]:
    """Return the points of all curves of a library by name, or the ends of each curve."""
    found = {}
    for name, points in worker.peer.curves.items():
        ends = points[:: max(1, len(points) - 1)] if quick else points
        found |= {f"{name}|{number}": dict(point) for number, point in enumerate(ends)}
    return found


def run_curve(
    workers: Sequence[Worker],
    cell: Cell,
    dtype: str,
    options: Options,
    log: Log,
    quick: bool = False,
) -> list[Outcome]:
    """Run every point of every curve in one cell."""
    chosen = [worker for worker in workers if "curve" in worker.peer.tasks]
    methods = open_methods(
        chosen, cell, dtype, "curve", lambda worker: points_of(worker, quick), options.methods
    )
    solve_all(methods, cell, dtype, options)
    for method in methods:
        outcome = method.outcome
        outcome.library = outcome.library.partition("|")[0].rstrip()
        outcome.details["setting"] = setting(method.parameters)
        if not outcome.note:
            outcome.seconds = statistics.median(method.short)
        log(describe(outcome))
    return [method.outcome for method in methods]


def setting(parameters: Any) -> str:
    """Return what tells the points of a curve apart: their number of iterations."""
    counts = ("max_iter", "niter", "iters", "iters_refinement")
    return next((f"{name}={parameters[name]}" for name in counts if name in parameters), "")


def curve_rows(outcomes: Sequence[Outcome], cell: str) -> list[list[str]]:
    """Return a row per point: curve, setting, time, inertia, how far above the lowest of all."""
    points = [o for o in outcomes if (o.task, o.cell) == ("curve", cell) and not o.note]
    lowest = min((o.inertia for o in points), default=math.nan)
    return [
        [
            f"{o.library} {o.details['setting']}".rstrip(),
            format_seconds(o.seconds),
            f"{o.inertia:.6g}",
            f"{100 * (o.inertia / lowest - 1):+.2f} %",
        ]
        for o in points
    ]


def draw_curves(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Draw a panel per cell into a PNG file; the legend stands below them."""
    points = [o for o in outcomes if o.task == "curve" and not o.note]
    cells = list(dict.fromkeys(o.cell for o in points))
    names = list(dict.fromkeys(o.library for o in points))
    figure = need("matplotlib.figure", "plots").Figure(
        figsize=(6.2 * max(1, len(cells)), 6.4), dpi=130, layout="constrained"
    )
    axes = figure.subplots(1, max(1, len(cells)), squeeze=False)[0]
    handles: dict[str, Any] = {}
    numbers = number_curves(names)
    for axis, cell in zip(axes, cells, strict=False):
        own = [o for o in points if o.cell == cell]
        lowest = min(o.inertia for o in own)
        for name in names:
            line = [o for o in own if o.library == name]
            if line:
                handles[name] = draw_curve(axis, line, lowest, numbers[name])
        dress(axis, cell)
    columns = 2 * max(1, len(cells))  # what the width of the panels holds
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=columns,
        frameon=False,
    )  # fmt: skip
    with whole_files(path) as [temporary], blamed_on(path):
        figure.savefig(temporary, format="png")


def colour_of(name: str) -> str:
    """Return the colour of a curve: that of its library."""
    return COLOURS.get(name.partition(" ")[0], FURTHER)


def number_curves(names: Sequence[str]) -> dict[str, int]:
    """Return the number of each curve among those of its colour."""
    seen: Counter[str] = Counter()
    numbers = {}
    for name in names:
        numbers[name] = seen[colour_of(name)]
        seen[colour_of(name)] += 1
    return numbers


def draw_curve(axis: Any, line: Sequence[Outcome], lowest: float, number: int) -> Any:
    """Draw one curve; its library decides the colour, its number the marker and the stroke."""
    (handle,) = axis.plot(
        [o.seconds for o in line],
        [100.0 * (o.inertia / lowest - 1.0) for o in line],
        color=colour_of(line[0].library),
        marker=MARKERS[number % len(MARKERS)],
        linestyle=STYLES[number % len(STYLES)],
        markersize=5.5,
        markerfacecolor=None if number == 0 else "white",
    )
    return handle


def dress(axis: Any, cell: str) -> None:
    """Write the title and the labels of a panel."""
    ticker = need("matplotlib.ticker", "plots")
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, -0.2), min(high, TOP))
    axis.set_title(cell, fontsize=11)
    axis.set(
        xlabel="seconds per fit, labels of all rows included", ylabel="inertia above the lowest, %"
    )
    axis.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
